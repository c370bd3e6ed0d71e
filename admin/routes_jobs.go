package admin

import "net/http"

// jobRoutes are the routes of bulk work that the daemon does.
func (a *API) jobRoutes() map[string]handler {
	return map[string]handler{
		"GET /api/v1/jobs":              func(c call) (answer, error) { return listOf(a.Service.Jobs(c.Context())) },
		"POST /api/v1/jobs":             a.startJob,
		"GET /api/v1/jobs/{id}":         func(c call) (answer, error) { return outcome(a.Service.Job(c.Context(), c.PathValue("id"))) },
		"GET /api/v1/jobs/{id}/items":   func(c call) (answer, error) { return listOf(a.Service.JobItems(c.Context(), c.PathValue("id"))) },
		"POST /api/v1/jobs/{id}/cancel": a.cancelJob,
		"POST /api/v1/jobs/{id}/revert": a.revertJob,
	}
}

// started is the answer to a request that is performed later.
func started(job Job, err error) (answer, error) {
	return answer{status: http.StatusAccepted, body: job, header: http.Header{"Location": {"/api/v1/jobs/" + job.ID}}}, err
}

func (a *API) startJob(c call) (answer, error) {
	var b Bulk
	if err := c.body(&b); err != nil {
		return answer{}, err
	}
	if dryRun(c.Context()) {
		return answer{}, badParameter("dry_run", "previews a bulk at POST /api/v1/bulk")
	}
	return started(a.Service.StartBulk(c.Context(), c.by, b))
}

func (a *API) cancelJob(c call) (answer, error) {
	if dryRun(c.Context()) {
		return outcome(a.Service.Job(c.Context(), c.PathValue("id")))
	}
	return outcome(a.Service.CancelJob(WithPrincipal(c.Context(), c.by), c.PathValue("id")))
}

func (a *API) revertJob(c call) (answer, error) {
	ctx := WithPrincipal(c.Context(), c.by)
	if dryRun(ctx) {
		p, err := a.Service.PreviewRevert(ctx, c.by, c.PathValue("id"))
		return outcome(p.result(), err)
	}
	return started(a.Service.StartRevert(ctx, c.by, c.PathValue("id")))
}
