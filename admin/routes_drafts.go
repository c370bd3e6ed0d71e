package admin

import (
	"context"

	"github.com/usherd/usherd/directory"
)

// draftRoutes are the routes of saved changes of the policy.
func (a *API) draftRoutes() map[string]handler {
	return map[string]handler{
		"GET /api/v1/drafts":         func(c call) (answer, error) { return listOf(a.Service.Drafts(c.Context())) },
		"POST /api/v1/drafts":        a.createDraft,
		"POST /api/v1/drafts/plan":   a.tryDraft,
		"GET /api/v1/drafts/{id}":    func(c call) (answer, error) { return outcome(a.Service.Draft(c.Context(), c.PathValue("id"))) },
		"PUT /api/v1/drafts/{id}":    a.editDraft,
		"DELETE /api/v1/drafts/{id}": a.onDraft(a.Service.DiscardDraft),
		"POST /api/v1/drafts/{id}/plan": func(c call) (answer, error) {
			var body draftPlanBody
			if err := c.body(&body); err != nil {
				return answer{}, err
			}
			return outcome(a.Service.PlanDraft(c.Context(), c.PathValue("id"), body.People))
		},
		"POST /api/v1/drafts/{id}/rebase": a.onDraft(a.Service.RebaseDraft),
		"POST /api/v1/drafts/{id}/apply": func(c call) (answer, error) {
			var body draftApplyBody
			if err := c.body(&body); err != nil {
				return answer{}, err
			}
			return outcome(a.Service.ApplyDraft(c.Context(), c.by, c.PathValue("id"), body.Plan))
		},
	}
}

type (
	draftPlanBody struct {
		People PeopleList `json:"people,omitzero"` // which people it lists
	}
	tryDraftBody struct {
		DraftSpec
		Draft  string     `json:"draft,omitempty"` // that would be changed; empty: a new one
		People PeopleList `json:"people,omitzero"`
	}
	draftApplyBody struct {
		Plan string `json:"plan"` // of POST /drafts/{id}/plan: what was looked at
	}
)

func (a *API) createDraft(c call) (answer, error) {
	var spec DraftSpec
	if err := c.body(&spec); err != nil {
		return answer{}, err
	}
	return created(a.Service.CreateDraft(c.Context(), c.by, spec))
}

func (a *API) tryDraft(c call) (answer, error) {
	var body tryDraftBody
	if err := c.body(&body); err != nil {
		return answer{}, err
	}
	return outcome(a.Service.TryDraft(c.Context(), body.Draft, body.DraftSpec, body.People))
}

func (a *API) editDraft(c call) (answer, error) {
	var spec DraftSpec
	if err := c.body(&spec); err != nil {
		return answer{}, err
	}
	version, err := c.version(0)
	if err != nil {
		return answer{}, err
	}
	return outcome(a.Service.EditDraft(c.Context(), c.by, c.PathValue("id"), spec, version))
}

// onDraft serves what is done to a draft of a version.
func (a *API) onDraft(do func(ctx context.Context, by directory.Actor, id string, ifVersion int64) (Draft, error)) handler {
	return func(c call) (answer, error) {
		version, err := c.version(0)
		if err != nil {
			return answer{}, err
		}
		return outcome(do(c.Context(), c.by, c.PathValue("id"), version))
	}
}
