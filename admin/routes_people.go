package admin

import (
	"encoding/base64"
	"strconv"
	"strings"
	"time"

	"github.com/usherd/usherd/directory"
)

// page is a list with the place where it goes on.
type page[T any] struct {
	Items []T    `json:"items"`
	Next  string `json:"next_cursor,omitempty"`
}

func pageOf[T any](items []T, limit int, place func(T) directory.Place) page[T] {
	out := page[T]{Items: items}
	if items == nil {
		out.Items = []T{}
	}
	if len(items) == limit {
		p := place(items[limit-1])
		out.Next = base64.RawURLEncoding.EncodeToString([]byte(strconv.FormatInt(p.Created.UnixMilli(), 10) + " " + p.ID))
	}
	return out
}

// after reads the cursor of a page.
func (c call) after() (*directory.Place, error) {
	cursor := c.URL.Query().Get("cursor")
	if cursor == "" {
		return nil, nil //nolint:nilnil // no cursor is no place
	}
	text, err := base64.RawURLEncoding.DecodeString(cursor)
	ms, id, ok := strings.Cut(string(text), " ")
	n, nerr := strconv.ParseInt(ms, 10, 64)
	if err != nil || nerr != nil || !ok {
		return nil, invalid("cursor: not one that a list gave")
	}
	return &directory.Place{Created: time.UnixMilli(n), ID: id}, nil
}

func (a *API) listGroups(c call) (answer, error) {
	q := c.URL.Query()
	n, err := c.number("limit")
	if err != nil {
		return answer{}, err
	}
	f := GroupFilter{Source: directory.SourceName(q.Get("source")), Name: q.Get("name"), Limit: pageSize(n)}
	if q.Has("project") {
		key := directory.ProjectKey(q.Get("project"))
		f.Project = &key
	}
	if f.After, err = c.after(); err != nil {
		return answer{}, err
	}
	groups, err := a.Service.Groups(c.Context(), f)
	return answer{body: pageOf(groups, f.Limit, func(g directory.Group) directory.Place { return directory.Place{Created: g.Created, ID: string(g.ID)} })}, err
}

func (a *API) showGroup(c call) (answer, error) {
	n, err := c.number("members")
	if err != nil {
		return answer{}, err
	}
	return outcome(a.Service.Group(c.Context(), c.PathValue("group"), n))
}

func (a *API) setGroupStatus(c call) (answer, error) {
	var body struct {
		Status directory.GroupStatus `json:"status"`
	}
	if err := c.body(&body); err != nil {
		return answer{}, err
	}
	if body.Status != directory.GroupActive && body.Status != directory.GroupBlocked {
		return answer{}, invalid("status %q is not one of active, blocked", body.Status)
	}
	return outcome(a.Service.SetGroupStatus(c.Context(), c.by, c.PathValue("group"), body.Status))
}

func (a *API) setGroupScope(c call) (answer, error) {
	var body struct {
		Project directory.ProjectKey `json:"project"`
	}
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

func (a *API) listUsers(c call) (answer, error) {
	q := c.URL.Query()
	n, err := c.number("limit")
	if err != nil {
		return answer{}, err
	}
	f := UserFilter{Source: directory.SourceName(q.Get("source")), Name: q.Get("name"), Limit: pageSize(n)}
	if f.After, err = c.after(); err != nil {
		return answer{}, err
	}
	users, err := a.Service.Users(c.Context(), f)
	return answer{body: pageOf(users, f.Limit, func(u ListedUser) directory.Place {
		return directory.Place{Created: u.created, ID: string(u.Identity)}
	})}, err
}

func (a *API) showUser(c call) (answer, error) {
	return outcome(a.Service.User(c.Context(), c.PathValue("user")))
}

func (a *API) setBlock(c call) (answer, error) {
	var body struct {
		Blocked bool   `json:"blocked"`
		Reason  string `json:"reason"`
	}
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
	var body struct {
		User    string               `json:"user"`
		Project directory.ProjectKey `json:"project"`
	}
	if err := c.body(&body); err != nil {
		return answer{}, err
	}
	return outcome(a.Service.EndOverride(c.Context(), c.by, body.User, body.Project))
}
