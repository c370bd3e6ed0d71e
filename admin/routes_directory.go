package admin

import (
	"net/http"
	"strconv"
	"strings"

	"github.com/usherd/usherd/directory"
)

// directoryRoutes are the routes of users, groups and bulk edits.
func (a *API) directoryRoutes() map[string]handler {
	return map[string]handler{
		"GET /api/v1/me":                             a.me,
		"GET /api/v1/user-attributes":                a.listAttributes,
		"POST /api/v1/users":                         a.createUser,
		"PATCH /api/v1/users/{user}":                 a.editUser,
		"DELETE /api/v1/users/{user}":                a.deleteUser,
		"GET /api/v1/users/{user}/groups":            a.listBelongings,
		"POST /api/v1/groups":                        a.createGroup,
		"PATCH /api/v1/groups/{group}":               a.editGroup,
		"DELETE /api/v1/groups/{group}":              a.deleteGroup,
		"GET /api/v1/groups/{group}/members":         a.listMembers,
		"POST /api/v1/groups/{group}/members":        a.addMembers,
		"POST /api/v1/groups/{group}/members/remove": a.removeMembers,
		"POST /api/v1/bulk":                          a.runBulk,
	}
}

// version is the version that the asker saw: of If-Match, else of the body; 0 if
// of neither.
func (c call) version(inBody int64) (int64, error) {
	text := c.Header.Get("If-Match")
	if text == "" || text == "*" {
		return inBody, nil
	}
	n, err := strconv.ParseInt(strings.Trim(text, `"`), 10, 64)
	if err != nil || n < 1 {
		return 0, invalid("If-Match: not an ETag that was given")
	}
	return n, nil
}

func (c call) revision() (directory.Revision, error) {
	n, err := c.version(0)
	return directory.Revision(n), err
}

// flag reads a query parameter that is true or false.
func (c call) flag(name string) (bool, error) {
	switch text := c.URL.Query().Get(name); text {
	case "", "false":
		return false, nil
	case "true":
		return true, nil
	default:
		return false, badParameter(name, "must be true or false, not %q", text)
	}
}

// Me is who asks and what they may do.
type Me struct {
	Kind     string                                     `json:"kind"`
	Name     string                                     `json:"name"`
	User     directory.UserID                           `json:"user,omitempty"`
	Root     bool                                       `json:"root,omitempty"` // the owner of the machine: everything
	Rights   []directory.Right                          `json:"rights"`
	Projects map[directory.ProjectKey][]directory.Right `json:"projects,omitempty"` // rights in a project alone
}

// Me says who asks and what they may do.
func (a *Authority) Me() Me {
	out := Me{Kind: a.Actor.Kind, Name: a.Actor.Name, User: a.User(), Root: a.Root(), Rights: orEmpty(a.Rights())}
	for _, p := range a.view.Policy().Policy.Projects {
		for _, right := range directory.ProjectRights {
			if !a.Has(right, "") && a.Has(right, p.Key) {
				if out.Projects == nil {
					out.Projects = map[directory.ProjectKey][]directory.Right{}
				}
				out.Projects[p.Key] = append(out.Projects[p.Key], right)
			}
		}
	}
	return out
}

func (a *API) me(c call) (answer, error) {
	who, err := a.Service.authority(c.Context(), c.by)
	if err != nil {
		return answer{}, err
	}
	return answer{body: who.Me()}, nil
}

func (c call) userFilter() (UserFilter, error) {
	q := c.URL.Query()
	n, err := c.number("limit")
	if err != nil {
		return UserFilter{}, err
	}
	offset, err := c.number("offset")
	var attributes []string
	if text := q.Get("attributes"); text != "" {
		attributes = strings.Split(text, ",")
	}
	return UserFilter{
		Q: q.Get("q"), Name: q.Get("name"), Type: directory.UserType(q.Get("type")), Status: q.Get("status"),
		Source: directory.SourceName(q.Get("source")), Group: q.Get("group"), Project: directory.ProjectKey(q.Get("project")),
		Role: directory.RoleName(q.Get("role")), Company: q.Get("company"), Login: q.Get("login"), Sort: q.Get("sort"),
		Cursor: q.Get("cursor"), Offset: offset, Limit: n, Attributes: attributes,
	}, err
}

func (a *API) listUsers(c call) (answer, error) {
	f, err := c.userFilter()
	if err != nil {
		return answer{}, err
	}
	if err := a.knownSource(c, f.Source); err != nil {
		return answer{}, err
	}
	if f.Cursor == "" {
		if err := a.Service.knownAttributes(c.Context(), f.Attributes); err != nil {
			return answer{}, err
		}
	}
	return outcome(a.Service.Users(c.Context(), f))
}

func (c call) groupFilter() (GroupFilter, error) {
	q := c.URL.Query()
	n, err := c.number("limit")
	if err != nil {
		return GroupFilter{}, err
	}
	offset, err := c.number("offset")
	if err != nil {
		return GroupFilter{}, err
	}
	empty, err := c.flag("empty")
	f := GroupFilter{
		Q: q.Get("q"), Name: q.Get("name"), Source: directory.SourceName(q.Get("source")), Status: directory.GroupStatus(q.Get("status")),
		Role: directory.RoleName(q.Get("role")), Empty: empty, Sort: q.Get("sort"), Cursor: q.Get("cursor"), Offset: offset, Limit: n,
	}
	if q.Has("project") {
		f.Project = new(directory.ProjectKey(q.Get("project")))
	}
	return f, err
}

func (a *API) listGroups(c call) (answer, error) {
	f, err := c.groupFilter()
	if err != nil {
		return answer{}, err
	}
	if err := a.knownSource(c, f.Source); err != nil {
		return answer{}, err
	}
	return outcome(a.Service.Groups(c.Context(), f))
}

// knownSource refuses a filter by a source that there is not.
func (a *API) knownSource(c call, name directory.SourceName) error {
	if name == "" {
		return nil
	}
	_, err := a.Service.source(c.Context(), name)
	return err
}

func (a *API) createUser(c call) (answer, error) {
	var n NewUser
	if err := c.body(&n); err != nil {
		return answer{}, err
	}
	return created(a.Service.CreateUser(c.Context(), c.by, n))
}

func (a *API) editUser(c call) (answer, error) {
	var e UserEdit
	if err := c.body(&e); err != nil {
		return answer{}, err
	}
	var err error
	if e.Version, err = c.version(e.Version); err != nil {
		return answer{}, err
	}
	return outcome(a.Service.EditUser(c.Context(), c.by, c.PathValue("user"), e))
}

func (a *API) deleteUser(c call) (answer, error) {
	version, err := c.version(0)
	if err != nil {
		return answer{}, err
	}
	force, err := c.flag("force")
	if err != nil {
		return answer{}, err
	}
	return outcome(a.Service.DeleteUser(c.Context(), c.by, c.PathValue("user"), version, force))
}

func (a *API) createGroup(c call) (answer, error) {
	var n NewGroup
	if err := c.body(&n); err != nil {
		return answer{}, err
	}
	return created(a.Service.CreateGroup(c.Context(), c.by, n))
}

func (a *API) editGroup(c call) (answer, error) {
	var e GroupEdit
	if err := c.body(&e); err != nil {
		return answer{}, err
	}
	var err error
	if e.Version, err = c.version(e.Version); err != nil {
		return answer{}, err
	}
	return outcome(a.Service.EditGroup(c.Context(), c.by, c.PathValue("group"), e))
}

func (a *API) deleteGroup(c call) (answer, error) {
	version, err := c.version(0)
	if err != nil {
		return answer{}, err
	}
	return outcome(a.Service.DeleteGroup(c.Context(), c.by, c.PathValue("group"), version))
}

func (a *API) listMembers(c call) (answer, error) {
	n, err := c.number("limit")
	if err != nil {
		return answer{}, err
	}
	q := c.URL.Query()
	f := MemberFilter{Q: q.Get("q"), Source: directory.SourceName(q.Get("source")), Sort: q.Get("sort"), Cursor: q.Get("cursor"), Limit: n}
	if err := a.knownSource(c, f.Source); err != nil {
		return answer{}, err
	}
	return outcome(a.Service.Members(c.Context(), c.PathValue("group"), f))
}

func (a *API) listBelongings(c call) (answer, error) {
	return listOf(a.Service.Belongings(c.Context(), c.PathValue("user")))
}

type membersBody struct {
	Members []string `json:"members"`
}

func (a *API) addMembers(c call) (answer, error) {
	var body membersBody
	if err := c.body(&body); err != nil {
		return answer{}, err
	}
	return outcome(a.Service.AddMembers(c.Context(), c.by, c.PathValue("group"), body.Members))
}

func (a *API) removeMembers(c call) (answer, error) {
	var body membersBody
	if err := c.body(&body); err != nil {
		return answer{}, err
	}
	return outcome(a.Service.RemoveMembers(c.Context(), c.by, c.PathValue("group"), body.Members))
}

func (a *API) runBulk(c call) (answer, error) {
	var b Bulk
	if err := c.body(&b); err != nil {
		return answer{}, err
	}
	if dryRun(c.Context()) {
		p, err := a.Service.PreviewBulk(c.Context(), c.by, b)
		return bulkAnswer(p.result(), err)
	}
	if strings.Contains(c.Header.Get("Prefer"), "respond-async") {
		return started(a.Service.StartBulk(c.Context(), c.by, b))
	}
	return bulkAnswer(a.Service.RunBulk(c.Context(), c.by, b, nil))
}

// bulkAnswer says by its status whether any item failed.
func bulkAnswer(out BulkResult, err error) (answer, error) {
	if out.Failed > 0 {
		return answer{status: http.StatusMultiStatus, body: out}, err
	}
	return answer{body: out}, err
}
