package console

import (
	"fmt"
	"iter"
	"net/http"
	"net/url"
	"strings"

	"github.com/a-h/templ"
	"github.com/usherd/usherd/admin"
	"github.com/usherd/usherd/directory"
)

// groupPages are the pages about groups.
func (c *Console) groupPages() {
	c.page("GET /groups", c.groups)
	c.page("GET /groups/new", c.newGroup)
	c.page("POST /groups/new", c.createGroup)
	c.page("GET /groups/{id}", c.group)
	c.page("GET /groups/{id}/{tab}", c.group)
	c.page("GET /groups/{id}/privileges/{kind}", c.group)
	c.page("POST /groups/{id}/privileges/{kind}", c.editPrivileges)
	c.page("POST /groups/{id}/{do}", c.changeGroup)
	c.page("POST /groups/bulk/{do}", c.tickGroups)
	c.page("GET /groups/bulk/{do}", c.bulkGroups)
}

var groupList = ListSpec{
	Name: "groups", Title: "Groups", Noun: "groups", Searches: "groups and users",
	Columns: []Column{
		{Key: "name", Title: "Name", Default: true, Sort: "name"},
		{Key: "members", Title: "Members", Default: true},
		{Key: "roles", Title: "Role", Default: true},
		{Key: "users", Title: "Users", Default: true, Sort: "members", Number: true},
		{Key: "status", Title: "Status", Default: true, Sort: "status"},
		{Key: "source", Title: "Source", Sort: "source"},
		{Key: "scope", Title: "Scope", Sort: "project"},
		{Key: "privileges", Title: "Privileges"},
		{Key: "mappings", Title: "Mappings"},
		{Key: "modified", Title: "Last updated", Sort: "modified"},
		{Key: "menu", Title: "Actions", Default: true, Here: true},
	},
	Filters: []Filter{
		{Key: "status", Title: "Status", Options: []Option{{"active", "Active"}, {"blocked", "Blocked"}}},
		{Key: "source", Title: "Source"},
		{Key: "scope", Title: "Scope"},
		{Key: "role", Title: "Role"},
		{Key: "empty", Title: "Members", Options: []Option{{"1", "none"}}},
	},
}

// organizationScope is how the filter says organization-wide.
const organizationScope = "-"

func groupFilter(s State) admin.GroupFilter {
	f := admin.GroupFilter{
		Q: s.Q, Source: directory.SourceName(s.Filter["source"]), Status: directory.GroupStatus(s.Filter["status"]),
		Role: directory.RoleName(s.Filter["role"]), Empty: s.Filter["empty"] != "", Cursor: s.Cursor, Limit: s.Size, Sort: s.sort(),
	}
	if scope := s.Filter["scope"]; scope != "" {
		project := directory.ProjectKey(strings.TrimPrefix(scope, organizationScope))
		f.Project = &project
	}
	if s.Sort == "" {
		f.Sort = "name"
	}
	return f
}

func groupSpec(v *Viewer, ch admin.Choices) ListSpec {
	spec := groupList
	spec.Filters = withOptions(spec.Filters, ch)
	for i, f := range spec.Filters {
		if f.Key == "scope" {
			spec.Filters[i].Options = append([]Option{{organizationScope, "Organization"}}, projectOptions(ch)...)
		}
	}
	if v.Anywhere(admin.BlockGroups) {
		spec.Bulk = append(spec.Bulk, Bulk{Action: "/groups/bulk/unblock", Title: "Unblock"}, Bulk{Action: "/groups/bulk/block", Title: "Block"})
	}
	if v.Anywhere(admin.WriteGroups) {
		spec.Bulk = append(spec.Bulk, Bulk{Action: "/groups/bulk/delete", Title: "Delete", Danger: true})
	}
	spec.BulkRight = len(spec.Bulk) > 0
	return spec
}

func projectOptions(ch admin.Choices) []Option {
	var out []Option
	for _, p := range ch.Projects {
		out = append(out, Option{string(p.Key), scopeName(p.Key, ch.Projects)})
	}
	return out
}

func (c *Console) groups(req request) (templ.Component, error) {
	ch, err := c.Service.Choices(req.Context())
	if err != nil {
		return nil, err
	}
	spec := groupSpec(req.viewer, ch)
	l := List{ListSpec: spec, State: c.state(req, spec)}
	l.Empty = noGroups(req.viewer)
	if req.viewer.Anywhere(admin.WriteGroups) {
		l.Actions = newGroupButton("/groups/new")
	}
	f := groupFilter(l.State)
	if l.CSV {
		c.csv(req, l, c.eachGroupRow(req, f, ch))
		return nil, nil //nolint:nilnil // the file is sent
	}
	page, err := c.Service.Groups(req.Context(), f)
	if err != nil {
		return nil, err
	}
	l.Total, l.Next = page.Total, page.Next
	for _, g := range page.Items {
		l.Rows = append(l.Rows, groupRow(req.viewer, g, ch))
	}
	if l.Beside, err = c.usersBeside(req, l.Q, ch); err != nil {
		return nil, err
	}
	return c.list(req, l)
}

// groupRow is a group in a list.
func groupRow(v *Viewer, g admin.ListedGroup, ch admin.Choices) Row {
	at := "/groups/" + string(g.ID)
	var first []string
	for _, m := range g.First {
		first = append(first, m.Name)
	}
	members := strings.Join(first, ", ")
	if rest := g.Members - len(first); rest > 0 {
		members = strings.TrimPrefix(fmt.Sprintf("%s +%d", members, rest), " ")
	}
	origin := v.origin(g.Source, kindsOf(ch.Sources))
	counts := fmt.Sprintf("%d access, %d role, %d output, %d integration", g.Access, g.Role, g.Output, g.Integration)
	return Row{ID: string(g.ID), Label: g.Name, Cells: map[string]Cell{
		"name":       {Text: g.Name, Show: groupName(g, at, origin)},
		"members":    {Text: members, Show: groupMembers(g.First, g.Members, at)},
		"roles":      Text(words(g.Roles)),
		"users":      Number(g.Members),
		"status":     status(string(g.Status)),
		"source":     origin,
		"scope":      Text(scopeName(g.Project, ch.Projects)),
		"privileges": Text(counts),
		"mappings":   Text(words(g.Mappings)),
		"modified":   Time(g.Modified),
		"menu":       {Show: groupRowMenu(v, g)},
	}}
}

// groupMenu is what a viewer may do with a group of a list.
func groupMenu(v *Viewer, g directory.Group) []menuItem {
	at := "/groups/" + string(g.ID)
	items := []menuItem{{Title: "Open", Href: at}}
	if v.May(admin.WriteGroups, g.Project) {
		items = append(items, menuItem{Title: "Edit", Href: at + "/details"})
	}
	if v.May(admin.BlockGroups, g.Project) {
		if g.Status == directory.GroupBlocked {
			items = append(items, menuItem{Title: "Unblock", Href: at + "/unblock", Post: true})
		} else {
			items = append(items, menuItem{Title: "Block", Href: at + "/block"})
		}
	}
	if v.May(admin.WriteGroups, g.Project) && g.Source == directory.Local {
		items = append(items, menuItem{Title: "Delete", Href: at + "/delete", Danger: true})
	}
	return items
}

func (c *Console) eachGroupRow(req request, f admin.GroupFilter, ch admin.Choices) iter.Seq2[Row, error] {
	return func(yield func(Row, error) bool) {
		f.Cursor, f.Limit = "", 1000
		for {
			page, err := c.Service.Groups(req.Context(), f)
			if err != nil {
				yield(Row{}, err)
				return
			}
			for _, g := range page.Items {
				if !yield(groupRow(req.viewer, g, ch), nil) {
					return
				}
			}
			if f.Cursor = page.Next; f.Cursor == "" {
				return
			}
		}
	}
}

// besideUsers is how many users the second pane shows.
const besideUsers = 25

// A besideView is the users beside the groups.
type besideView struct {
	Users []besideUser
	Total int
	All   string // all of them, on the page of users
}

type besideUser struct {
	Name, Href string
	Status     string
	Groups     []Cell
}

// usersBeside is the users whom the same search finds, with their groups.
func (c *Console) usersBeside(req request, q string, ch admin.Choices) (templ.Component, error) {
	page, err := c.Service.Users(req.Context(), admin.UserFilter{Q: q, Sort: "name", Limit: besideUsers})
	if err != nil {
		return nil, err
	}
	ids := make([]directory.UserID, len(page.Items))
	for i, u := range page.Items {
		ids[i] = u.ID
	}
	more, err := c.Service.MoreOfUsers(req.Context(), ids...)
	if err != nil {
		return nil, err
	}
	v := besideView{Total: page.Total, All: "/users?" + url.Values{"q": {q}}.Encode()}
	kinds := kindsOf(ch.Sources)
	for _, u := range page.Items {
		shown := besideUser{Name: u.Name, Href: "/users/" + string(u.ID), Status: u.Status}
		for _, g := range more[u.ID].Groups {
			shown.Groups = append(shown.Groups, Cells(Link(g.Name, "/groups/"+string(g.ID)), req.viewer.origin(g.Source, kinds)))
		}
		v.Users = append(v.Users, shown)
	}
	return usersBesideTemplate(v), nil
}

// matchingGroups yields the ids of all groups that a list shows.
func (c *Console) matchingGroups(req request, values url.Values, yield func(string) error) error {
	s := State{Q: values.Get("q"), Filter: map[string]string{}, Size: 1000}
	for _, f := range groupList.Filters {
		s.Filter[f.Key] = values.Get(f.Key)
	}
	f := groupFilter(s)
	for {
		page, err := c.Service.Groups(req.Context(), f)
		if err != nil {
			return err
		}
		for _, g := range page.Items {
			if err := yield(string(g.ID)); err != nil {
				return err
			}
		}
		if f.Cursor = page.Next; f.Cursor == "" {
			return nil
		}
	}
}

func (c *Console) tickGroups(req request) (templ.Component, error) {
	if req.PostForm.Has("sel") { // ticked before, and confirmed now
		return c.runBulkGroups(req)
	}
	key, err := c.ticked(req, c.matchingGroups)
	if err != nil {
		return nil, err
	}
	http.Redirect(req.w, req.Request, withQuery("/groups/bulk/"+req.PathValue("do"), "sel", key), http.StatusSeeOther)
	return nil, nil //nolint:nilnil // the browser goes on
}

func (c *Console) bulkGroups(req request) (templ.Component, error) {
	ids, err := c.selection(req, req.URL.Query().Get("sel"))
	if err != nil {
		return nil, err
	}
	says, ok := groupBulkWords[req.PathValue("do")]
	if !ok {
		return nil, errNoPage
	}
	v := bulkView{
		Title: fmt.Sprintf("%s %s %s", says.verb, thousands(len(ids)), plural(len(ids), "group", "groups")), N: len(ids),
		Action: "/groups/bulk/" + req.PathValue("do"), Button: says.verb, Back: "/groups", Warning: says.warning,
		Selection: req.URL.Query().Get("sel"),
	}
	return c.showBulk(req, v, admin.Bulk{Do: req.PathValue("do"), Groups: ids})
}

func (c *Console) runBulkGroups(req request) (templ.Component, error) {
	ids, err := c.selection(req, req.PostForm.Get("sel"))
	if err != nil {
		return nil, err
	}
	says, ok := groupBulkWords[req.PathValue("do")]
	if !ok {
		return nil, errNoPage
	}
	b := admin.Bulk{Do: req.PathValue("do"), Groups: ids, Reason: strings.TrimSpace(req.PostForm.Get("reason"))}
	return c.runBulk(req, b, jobWords{"groups", says.done, "/groups"}, len(ids))
}

// A groupForm is the form of a new group, with what was typed.
type groupForm struct {
	admin.NewGroup
	Scopes []Option
	Trees  []privilegeTree
	Fixed  bool // made from the page of a project: its scope can't be chosen
	Told   told
	Back   string
}

func (c *Console) newGroup(req request) (templ.Component, error) {
	project := directory.ProjectKey(req.URL.Query().Get("project"))
	f := groupForm{NewGroup: admin.NewGroup{Project: project}, Fixed: project != ""}
	return c.groupForm(req, f, nil)
}

func (c *Console) groupForm(req request, f groupForm, chosen []grantToken) (templ.Component, error) {
	ch, err := c.Service.Choices(req.Context())
	if err != nil {
		return nil, err
	}
	f.Scopes = req.viewer.scopeOptions(admin.WriteGroups, ch.Projects)
	if f.Fixed || len(f.Scopes) == 0 {
		if err := req.viewer.Require(admin.WriteGroups, f.Project); err != nil {
			return nil, err
		}
	}
	if !f.Fixed && !req.viewer.Can(admin.WriteGroups) && f.Project == "" {
		f.Project = directory.ProjectKey(f.Scopes[0].Value)
	}
	f.Back = "/groups"
	if f.Fixed {
		f.Back = "/projects/" + string(f.Project) + "/groups"
	}
	f.Trees = trees(ch, f.Project, heldTokens(chosen), "access", "role", "output", "integration", "roles")
	return c.frame(req, "New user group", newGroupTemplate(f, scopeName(f.Project, ch.Projects))), nil
}

// heldTokens are tokens of a form as what is held.
func heldTokens(tokens []grantToken) held {
	out := held{map[grantToken]string{}, map[grantToken]string{}}
	for _, t := range tokens {
		thing := thingOf(t)
		out.hand[thing] = strings.TrimPrefix(strings.TrimPrefix(t, thing), "=")
	}
	return out
}

func (c *Console) createGroup(req request) (templ.Component, error) {
	form := req.PostForm
	f := groupForm{Fixed: form.Get("fixed") != "", NewGroup: admin.NewGroup{
		Name: strings.TrimSpace(form.Get("name")), Project: directory.ProjectKey(form.Get("project")), Description: form.Get("description"),
	}}
	tokens := wanted(form)
	n := f.NewGroup
	if len(tokens) > 0 {
		n.Grants = []admin.GrantSpec{tokenSpec(n.Project, tokens)}
	}
	made, err := c.Service.CreateGroup(req.Context(), req.by, n)
	var ours bool
	if f.Told, ours = c.told(req, err, "", "name", "description", "project"); ours {
		return c.groupForm(req, f, tokens)
	}
	if err != nil {
		return nil, err
	}
	to := "/groups/" + string(made.ID)
	if f.Fixed {
		to = "/projects/" + string(n.Project) + "/groups"
	}
	return c.redirect(req, to, "User group "+n.Name+" was added.")
}

// comma is what stands after the i-th of n.
func comma(i, n int) string {
	if i < n-1 {
		return ", "
	}
	return ""
}
