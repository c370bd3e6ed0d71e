package admin

import (
	"github.com/usherd/usherd/directory"
)

func (a *API) showGroup(c call) (answer, error) {
	n, err := c.number("members")
	if err != nil {
		return answer{}, err
	}
	return outcome(a.Service.Group(c.Context(), c.PathValue("group"), n))
}

func (a *API) setGroupStatus(c call) (answer, error) {
	var body groupStatusBody
	if err := c.body(&body); err != nil {
		return answer{}, err
	}
	if body.Status != directory.GroupActive && body.Status != directory.GroupBlocked {
		return answer{}, invalidAt("/status", "status %q is not one of active, blocked", body.Status)
	}
	return outcome(a.Service.SetGroupStatus(c.Context(), c.by, c.PathValue("group"), body.Status))
}

func (a *API) setGroupScope(c call) (answer, error) {
	var body scopeBody
	if err := c.body(&body); err != nil {
		return answer{}, err
	}
	return outcome(a.Service.SetGroupScope(c.Context(), c.by, c.PathValue("group"), body.Project))
}

func (a *API) grantToGroup(c call) (answer, error) {
	var spec GrantSpec
	if err := c.body(&spec); err != nil {
		return answer{}, err
	}
	return outcome(a.Service.GrantToGroup(c.Context(), c.by, c.PathValue("group"), spec))
}

func (a *API) revokeFromGroup(c call) (answer, error) {
	var spec GrantSpec
	if err := c.body(&spec); err != nil {
		return answer{}, err
	}
	return outcome(a.Service.RevokeFromGroup(c.Context(), c.by, c.PathValue("group"), spec))
}

func (a *API) showUser(c call) (answer, error) {
	return outcome(a.Service.User(c.Context(), c.PathValue("user")))
}

func (a *API) setBlock(c call) (answer, error) {
	var body blockBody
	if err := c.body(&body); err != nil {
		return answer{}, err
	}
	return outcome(a.Service.SetBlock(c.Context(), c.by, c.PathValue("user"), body.Blocked, body.Reason))
}

func (a *API) grantToUser(c call) (answer, error) {
	var spec GrantSpec
	if err := c.body(&spec); err != nil {
		return answer{}, err
	}
	return outcome(a.Service.GrantToUser(c.Context(), c.by, c.PathValue("user"), spec))
}

func (a *API) revokeFromUser(c call) (answer, error) {
	var spec GrantSpec
	if err := c.body(&spec); err != nil {
		return answer{}, err
	}
	return outcome(a.Service.RevokeFromUser(c.Context(), c.by, c.PathValue("user"), spec))
}

func (a *API) listOverrides(c call) (answer, error) {
	return listOf(a.Service.Overrides(c.Context(), c.URL.Query().Get("user")))
}

func (a *API) setOverride(c call) (answer, error) {
	var n NewOverride
	if err := c.body(&n); err != nil {
		return answer{}, err
	}
	return outcome(a.Service.SetOverride(c.Context(), c.by, n))
}

func (a *API) endOverride(c call) (answer, error) {
	var body endOverrideBody
	if err := c.body(&body); err != nil {
		return answer{}, err
	}
	return outcome(a.Service.EndOverride(c.Context(), c.by, body.User, body.Project))
}
