package console

import (
	"cmp"
	"errors"
	"iter"
	"net/url"
	"slices"
	"strings"

	"github.com/a-h/templ"
	"github.com/usherd/usherd/admin"
	"github.com/usherd/usherd/directory"
)

// userPages are the pages about users.
func (c *Console) userPages() {
	c.page("GET /users", c.users)
	c.page("GET /users/new", c.newUser)
	c.page("POST /users/new", c.createUser)
	c.page("GET /users/{id}", c.user)
	c.page("GET /users/{id}/{tab}", c.user)
	c.page("POST /users/{id}/{do}", c.changeUser)
	c.page("POST /users/bulk/{do}", c.tickUsers)
	c.page("GET /users/bulk/{do}", c.bulkUsers)
	c.page("GET /home", c.home)
	c.page("GET /jobs", c.jobs)
	c.page("GET /jobs/{job}", c.jobPage)
	c.page("GET /jobs/{job}/revert", c.revertPage)
	c.page("POST /jobs/{job}/revert", c.revertJob)
	c.page("POST /jobs/{job}/cancel", c.cancelJob)
	c.importPages()
}

var userList = ListSpec{
	Name: "users", Title: "Users", Noun: "users", Searches: "by name, e-mail or id",
	Columns: []Column{
		{Key: "name", Title: "Name", Default: true, Sort: "name"},
		{Key: "type", Title: "Type", Default: true, Sort: "type"},
		{Key: "email", Title: "E-mail / unique ID", Default: true, Sort: "email"},
		{Key: "login", Title: "Last login", Default: true, Sort: "lastLogin"},
		{Key: "status", Title: "Status", Default: true, Sort: "status"},
		{Key: "userName", Title: "userName", Sort: "userName"},
		{Key: "company", Title: "Company", Sort: "company"},
		{Key: "groups", Title: "Groups", Sort: "groups"},
		{Key: "roles", Title: "Effective Roles"},
		{Key: "source", Title: "Source", Sort: "source"},
		{Key: "seats", Title: "Seats"},
		{Key: "created", Title: "Created", Sort: "created"},
		{Key: "menu", Title: "Actions", Default: true, Here: true},
	},
	Filters: []Filter{
		{Key: "type", Title: "Type", Options: []Option{{"standard", "Standard"}, {"service", "Service"}}},
		{Key: "status", Title: "Status", Options: []Option{{"active", "Active"}, {"blocked", "Blocked"}, {"inactive", "Inactive"}, {"deleted", "Deleted"}}},
		{Key: "login", Title: "Last login", Options: []Option{{admin.IdleLogin, "Not for 90 days"}, {"never", "Never"}}},
		{Key: "source", Title: "Source"},
		{Key: "role", Title: "Role"},
		{Key: "project", Title: "Project"},
		{Key: "group", Title: "Group"},
		{Key: "company", Title: "Company"},
	},
}

// userFilter is what a list of users is narrowed by.
func userFilter(s State) admin.UserFilter {
	f := admin.UserFilter{
		Q: s.Q, Type: directory.UserType(s.Filter["type"]), Status: s.Filter["status"], Source: directory.SourceName(s.Filter["source"]),
		Group: s.Filter["group"], Project: directory.ProjectKey(s.Filter["project"]), Role: directory.RoleName(s.Filter["role"]),
		Company: s.Filter["company"], Login: s.Filter["login"], Cursor: s.Cursor, Limit: s.Size, Sort: s.sort(),
	}
	if s.Sort == "" {
		f.Sort = "name"
	}
	return f
}

// userSpec is the list of users with what this viewer may choose from and do.
func userSpec(v *Viewer, ch admin.Choices) ListSpec {
	spec := userList
	spec.Filters = withOptions(spec.Filters, ch)
	if v.Anywhere(admin.WriteGrants) {
		spec.Bulk = append(spec.Bulk, Bulk{Action: "/users/bulk/permissions", Title: "Edit permissions"})
	}
	if v.Anywhere(admin.WriteGroups) {
		spec.Bulk = append(spec.Bulk, Bulk{Action: "/users/bulk/assign", Title: "Add to a group"})
	}
	if v.Can(admin.BlockUsers) {
		spec.Bulk = append(spec.Bulk, Bulk{Action: "/users/bulk/unblock", Title: "Enable"}, Bulk{Action: "/users/bulk/block", Title: "Disable"})
	}
	if v.Can(admin.WriteUsers) {
		spec.Bulk = append(spec.Bulk, Bulk{Action: "/users/bulk/delete", Title: "Delete", Danger: true})
	}
	spec.BulkRight = len(spec.Bulk) > 0
	return spec
}

// withOptions fills in what filters by source, Role and project offer.
func withOptions(filters []Filter, ch admin.Choices) []Filter {
	out := make([]Filter, 0, len(filters))
	for _, f := range filters {
		switch f.Key {
		case "source":
			for _, s := range ch.Sources {
				f.Options = append(f.Options, Option{string(s.Name), string(s.Name)})
			}
			f.Options = append(f.Options, Option{string(directory.Local), "local"})
		case "role":
			for _, r := range ch.Roles {
				f.Options = append(f.Options, Option{string(r.Name), string(r.Name)})
			}
		case "project":
			for _, p := range ch.Projects {
				f.Options = append(f.Options, Option{string(p.Key), scopeName(p.Key, ch.Projects)})
			}
			if len(f.Options) == 0 {
				continue
			}
		}
		out = append(out, f)
	}
	return out
}

func (c *Console) users(req request) (templ.Component, error) {
	ch, err := c.Service.Choices(req.Context())
	if err != nil {
		return nil, err
	}
	attributes, err := c.Service.Attributes(req.Context())
	if err != nil {
		return nil, err
	}
	spec := userSpec(req.viewer, ch)
	spec.Columns = withAttributes(spec.Columns, attributes)
	l := List{ListSpec: spec, State: c.state(req, spec)}
	if req.viewer.Can(admin.WriteUsers) {
		l.Actions = addUserButton()
	}
	l.Empty = noUsers(req.viewer)
	f := userFilter(l.State)
	f.Attributes = l.attributes(req)
	return c.userRows(req, l, f, ch)
}

// userRows answers with a list of users.
func (c *Console) userRows(req request, l List, f admin.UserFilter, ch admin.Choices) (templ.Component, error) {
	if l.CSV {
		c.csv(req, l, c.eachUserRow(req, l, f, ch))
		return nil, nil //nolint:nilnil // the file is sent
	}
	page, err := c.Service.Users(req.Context(), f)
	if err != nil {
		return nil, err
	}
	l.Total, l.Next = page.Total, page.Next
	if l.Rows, err = c.rowsOfUsers(req, l, page.Items, ch); err != nil {
		return nil, err
	}
	return c.list(req, l)
}

// rowsOfUsers makes the rows of a page. What a list shows on demand is asked for
// only if it is shown.
func (c *Console) rowsOfUsers(req request, l List, users []admin.ListedUser, ch admin.Choices) ([]Row, error) {
	var more map[directory.UserID]admin.UserMore
	if l.shows("groups") || l.shows("roles") || l.shows("seats") || l.CSV && req.URL.Query().Get("all") != "" {
		ids := make([]directory.UserID, len(users))
		for i, u := range users {
			ids[i] = u.ID
		}
		var err error
		if more, err = c.Service.MoreOfUsers(req.Context(), ids...); err != nil {
			return nil, err
		}
	}
	kinds := kindsOf(ch.Sources)
	rows := make([]Row, len(users))
	for i, u := range users {
		rows[i] = userRow(req.viewer, u, more[u.ID], kinds)
	}
	return rows, nil
}

func userRow(v *Viewer, u admin.ListedUser, more admin.UserMore, kinds map[directory.SourceName]directory.SourceKind) Row {
	at := "/users/" + string(u.ID)
	email := Text(u.Email)
	if u.Email == "" {
		email = Text(string(u.ID))
	}
	groups := make([]Cell, len(more.Groups))
	for i, g := range more.Groups {
		groups[i] = Link(g.Name, "/groups/"+string(g.ID))
	}
	sources := make([]Cell, len(u.Sources))
	for i, s := range u.Sources {
		sources[i] = v.origin(s, kinds)
	}
	stands := status(u.Status)
	if u.Overridden {
		stands.More = []Cell{Badge("Own permissions", Info)}
	}
	row := Row{ID: string(u.ID), Label: u.Name, Cells: map[string]Cell{
		"name": Link(u.Name, at), "type": Text(typeName(u.Type)), "email": email, "login": Time(u.LastLogin), "status": stands,
		"userName": Text(u.UserName), "company": Text(u.Company), "groups": Cells(groups...), "roles": Text(words(more.Roles)),
		"source": Cells(sources...), "seats": Text(words(more.Seats)), "created": Time(u.Created),
		"menu": {Show: rowMenu(string(u.ID), u.Name, userMenu(v, u))},
	}}
	for name, text := range u.Attributes {
		row.Cells[attributeColumn+name] = Text(text)
	}
	return row
}

// userMenu is what a viewer may do with a user of a list.
func userMenu(v *Viewer, u admin.ListedUser) []menuItem {
	at := "/users/" + string(u.ID)
	items := []menuItem{{Title: "Open", Href: at}}
	if u.Status == admin.StatusDeleted {
		return items
	}
	if v.Anywhere(admin.AskChecks) {
		items = append(items, menuItem{Title: "Explain", Href: withQuery("/explain", "user", string(u.ID))})
	}
	if v.Can(admin.BlockUsers) {
		if u.Status == admin.StatusBlocked {
			items = append(items, menuItem{Title: "Enable", Href: at + "/unblock", Post: true})
		} else {
			items = append(items, menuItem{Title: "Disable", Href: at + "/block"})
		}
	}
	if v.Can(admin.WriteUsers) {
		items = append(items, menuItem{Title: "Delete", Href: at + "/delete", Danger: true})
	}
	return items
}

// eachUserRow yields all that match, some in memory at a time.
func (c *Console) eachUserRow(req request, l List, f admin.UserFilter, ch admin.Choices) iter.Seq2[Row, error] {
	return func(yield func(Row, error) bool) {
		f.Cursor, f.Limit = "", 1000
		for {
			page, err := c.Service.Users(req.Context(), f)
			if err != nil {
				yield(Row{}, err)
				return
			}
			rows, err := c.rowsOfUsers(req, l, page.Items, ch)
			if err != nil {
				yield(Row{}, err)
				return
			}
			for _, row := range rows {
				if !yield(row, nil) {
					return
				}
			}
			if f.Cursor = page.Next; f.Cursor == "" {
				return
			}
		}
	}
}

// matchingUsers yields the ids of all users that a list shows.
func (c *Console) matchingUsers(req request, values url.Values, yield func(string) error) error {
	s := State{Q: values.Get("q"), Filter: map[string]string{}}
	for _, f := range userList.Filters {
		s.Filter[f.Key] = values.Get(f.Key)
	}
	return c.Service.EachUser(req.Context(), userFilter(s), func(u admin.ListedUser) error { return yield(string(u.ID)) })
}

// A userForm is the form of a new user, with what was typed.
type userForm struct {
	admin.NewUser
	Group   string
	Groups  []Option // local ones, with their scope
	Problem string   // of no single field
	Fields  map[string]string
}

// problem says what is wrong with a field, and is empty if nothing is.
func (f userForm) problem(field string) string { return f.Fields[field] }

func (c *Console) newUser(req request) (templ.Component, error) {
	if err := req.viewer.Require(admin.WriteUsers, ""); err != nil {
		return nil, err
	}
	return c.userForm(req, userForm{})
}

func (c *Console) userForm(req request, f userForm) (templ.Component, error) {
	var err error
	if f.Groups, err = c.localGroups(req, nil); err != nil {
		return nil, err
	}
	return c.frame(req, "Add user", newUserTemplate(f)), nil
}

// localGroups are the local groups of one scope, or of all, into which the viewer
// may put people, to choose from.
func (c *Console) localGroups(req request, project *directory.ProjectKey) ([]Option, error) {
	ch, err := c.Service.Choices(req.Context())
	if err != nil {
		return nil, err
	}
	groups, err := c.Service.GroupsToFill(req.Context(), project)
	if err != nil {
		return nil, err
	}
	out := []Option{}
	for _, g := range groups {
		out = append(out, Option{string(g.ID), g.Name + " – " + scopeName(g.Project, ch.Projects)})
	}
	return out, nil
}

func (c *Console) createUser(req request) (templ.Component, error) {
	form := req.PostForm
	f := userForm{Group: form.Get("group"), NewUser: admin.NewUser{
		UserName: form.Get("userName"), Name: form.Get("name"), Email: form.Get("email"), Company: form.Get("company"),
		Type: directory.UserType(form.Get("type")),
	}}
	n := f.NewUser
	if f.Group != "" {
		n.Groups = []string{f.Group}
	}
	made, err := c.Service.CreateUser(req.Context(), req.by, n)
	if text, ok := refused(err); ok {
		if f.Fields = fieldsOf(err, "email", "userName"); len(f.Fields) == 0 {
			f.Problem = text
		}
		return c.userForm(req, f)
	}
	if err != nil {
		return nil, err
	}
	notice := "User added."
	if made.Note != "" {
		notice += " Note: " + made.Note + "."
	}
	return c.redirect(req, "/users/"+string(made.ID), notice)
}

// fieldsOf are the messages of an error by the field that they are about, of
// those that can be wrong.
func fieldsOf(err error, names ...string) map[string]string {
	out := map[string]string{}
	for _, fault := range admin.ProblemOf(err).Faults {
		if name := strings.TrimPrefix(*cmp.Or(fault.Pointer, new(string)), "/"); slices.Contains(names, name) {
			out[name] = fault.Detail
		}
	}
	return out
}

// home is the features of whoever is signed in.
func (c *Console) home(req request) (templ.Component, error) {
	view, err := c.homeOf(req, req.viewer.ID)
	if err != nil {
		return nil, err
	}
	return c.frame(req, "Home", homePage(view)), nil
}

// A homeView is the features of a user: in every check, then more in projects.
type homeView struct {
	Name  string
	Parts []homePart
	None  bool
}

// A homePart is the features of one scope, in the order of the catalogue.
type homePart struct {
	Scope    string // empty: everywhere
	Features []directory.Feature
}

func (c *Console) homeOf(req request, user directory.UserID) (homeView, error) {
	parts, err := c.Service.HomeOf(req.Context(), string(user))
	if errors.Is(err, directory.ErrNotFound) {
		return homeView{None: true}, nil
	}
	if err != nil {
		return homeView{}, err
	}
	out := homeView{None: true}
	for _, p := range parts {
		if len(p.Features) == 0 {
			continue
		}
		out.None = false
		out.Parts = append(out.Parts, homePart{p.Title, p.Features})
	}
	return out, nil
}
