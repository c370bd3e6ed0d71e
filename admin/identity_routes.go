package admin

import (
	"strconv"
	"time"

	"github.com/usherd/usherd/directory"
)

// lifecycleRoutes are those of linked, restored and erased people, of sources
// in detail, and of tokens that replace others.
func (a *API) lifecycleRoutes() map[string]handler {
	return map[string]handler{
		"POST /api/v1/identities/link":                  a.linkUser,
		"POST /api/v1/identities/detach":                a.detachUser,
		"POST /api/v1/users/{user}/restore":             a.restoreUser,
		"POST /api/v1/users/{user}/erase":               a.eraseUser,
		"DELETE /api/v1/users/{user}/sign-in":           a.releaseSignIn,
		"GET /api/v1/sources/{source}":                  a.showSource,
		"PATCH /api/v1/sources/{source}":                a.setSource,
		"GET /api/v1/sources/{source}/errors":           a.sourceErrors,
		"GET /api/v1/sources/{source}/log/{id}":         a.showRequest,
		"POST /api/v1/sources/{source}/log/{id}/replay": a.replayRequest,
		"POST /api/v1/tokens/{id}/rotate":               a.rotateToken,
	}
}

func (a *API) linkUser(c call) (answer, error) {
	var body linkBody
	if err := c.body(&body); err != nil {
		return answer{}, err
	}
	return outcome(a.Service.LinkUser(c.Context(), c.by, body.Identity, body.User))
}

func (a *API) detachUser(c call) (answer, error) {
	var body detachBody
	if err := c.body(&body); err != nil {
		return answer{}, err
	}
	return outcome(a.Service.DetachUser(c.Context(), c.by, body.Identity))
}

func (a *API) restoreUser(c call) (answer, error) {
	return outcome(a.Service.RestoreUser(c.Context(), c.by, c.PathValue("user")))
}

func (a *API) eraseUser(c call) (answer, error) {
	return outcome(a.Service.EraseUser(c.Context(), c.by, c.PathValue("user")))
}

func (a *API) releaseSignIn(c call) (answer, error) {
	return outcome(a.Service.ReleaseSignIn(c.Context(), c.by, c.PathValue("user")))
}

func (a *API) showSource(c call) (answer, error) {
	return outcome(a.Service.Source(c.Context(), c.source()))
}

func (a *API) sourceErrors(c call) (answer, error) {
	return listOf(a.Service.SourceErrors(c.Context(), c.source()))
}

func (a *API) setSource(c call) (answer, error) {
	var body settingsBody
	if err := c.body(&body); err != nil {
		return answer{}, err
	}
	return outcome(a.Service.SetSource(c.Context(), c.by, c.source(), body.Settings))
}

func (a *API) sourceLog(c call) (answer, error) {
	n, err := c.number("limit")
	if err != nil {
		return answer{}, err
	}
	q := directory.RequestQuery{Source: c.source(), Failed: c.URL.Query().Get("failed") == "true", Limit: pageSize(n)}
	if since := c.URL.Query().Get("since"); since != "" {
		if q.Since, err = time.Parse(time.RFC3339, since); err != nil {
			return answer{}, invalid("since: %q is not a time such as 2026-01-31T12:00:00Z", since)
		}
	}
	if text := c.URL.Query().Get("cursor"); text != "" {
		if q.Before, err = a.Service.logPlace(c.source(), text); err != nil {
			return answer{}, err
		}
	}
	size := q.Limit
	q.Limit++ // one more tells whether there are more
	found, err := a.Service.FindLog(c.Context(), q)
	if err != nil || len(found) <= size {
		return listOf(found, err)
	}
	last := found[size-1]
	next := a.Service.sealCursor(cursor{logList(c.source()), strconv.FormatInt(last.Time.UnixMilli(), 10), last.ID})
	return answer{body: list[directory.Request]{found[:size], next}}, nil
}

func logList(source directory.SourceName) string { return "log " + string(source) }

// logPlace reads a cursor of the provisioning log.
func (s *Service) logPlace(source directory.SourceName, text string) (*directory.Place, error) {
	at, err := s.openCursor(logList(source), text)
	if err != nil {
		return nil, err
	}
	millis, err := strconv.ParseInt(at.key, 10, 64)
	if err != nil {
		return nil, badParameter("cursor", "is of another list")
	}
	return &directory.Place{Created: time.UnixMilli(millis), ID: at.id}, nil
}

func (a *API) showRequest(c call) (answer, error) {
	return outcome(a.Service.LoggedRequest(c.Context(), c.source(), c.PathValue("id")))
}

func (a *API) replayRequest(c call) (answer, error) {
	var body replayBody
	if err := c.body(&body); err != nil {
		return answer{}, err
	}
	return outcome(a.Service.Replay(c.Context(), c.by, c.source(), c.PathValue("id"), body.Trial))
}

func (a *API) rotateToken(c call) (answer, error) {
	var body rotateBody
	if err := c.body(&body); err != nil {
		return answer{}, err
	}
	if body.Seconds < 0 || body.Seconds > int64(maxGrace/time.Second) {
		return answer{}, invalid("grace_seconds must be from 0 to %d", int64(maxGrace/time.Second))
	}
	return created(a.Service.RotateToken(c.Context(), c.by, c.PathValue("id"), time.Duration(body.Seconds)*time.Second))
}
