package admin

import (
	"cmp"

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
	all, err := a.Service.Overrides(c.Context(), c.URL.Query().Get("user"))
	named := make([]namedOverride, len(all))
	for i, o := range all {
		named[i] = namedOverride{o, a.userName(c, o.User), a.groupName(c, o.Group), o.By}
		if directory.IsID(o.By) {
			named[i].ByName = cmp.Or(a.userName(c, directory.UserID(o.By)), o.By)
		}
	}
	return listOf(named, err)
}

func (a *API) setOverride(c call) (answer, error) {
	var n NewOverride
	if err := c.body(&n); err != nil {
		return answer{}, err
	}
	made, err := a.Service.SetOverride(c.Context(), c.by, n)
	out := namedMade{MadeOverride: made, GroupName: a.groupName(c, made.Group)}
	for _, id := range made.Users {
		out.UserNames = append(out.UserNames, a.userName(c, id))
	}
	return outcome(out, err)
}

// A namedOverride is an override with what people call whom it is about.
type namedOverride struct {
	directory.Override
	UserName  string `json:"userName,omitempty"`
	GroupName string `json:"groupName,omitempty"` // of the group that was made with it
	ByName    string `json:"byName,omitempty"`
}

type namedMade struct {
	MadeOverride
	UserNames []string `json:"userNames,omitempty"`
	GroupName string   `json:"groupName,omitempty"`
}

// userName is what people call a user whom the asker was shown.
func (a *API) userName(c call, id directory.UserID) string {
	u, err := a.Service.Store.User(c.Context(), id)
	if err != nil {
		return ""
	}
	_, name := nameOf(u)
	return name
}

func (a *API) groupName(c call, id directory.GroupID) string {
	if id == "" {
		return ""
	}
	g, err := a.Service.Store.Group(c.Context(), "", id)
	if err != nil {
		return "" // it is gone, or only tried
	}
	return string(g.Source) + "/" + g.Name
}

func (a *API) endOverride(c call) (answer, error) {
	var body endOverrideBody
	if err := c.body(&body); err != nil {
		return answer{}, err
	}
	switch {
	case body.Everywhere && body.Project != "":
		return answer{}, invalid("what ends everywhere names no project")
	case body.Everywhere:
		return outcome(a.Service.EndOverrides(c.Context(), c.by, body.User))
	}
	return outcome(a.Service.EndOverride(c.Context(), c.by, body.User, body.Project))
}
