package console

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"slices"
	"strings"

	"github.com/a-h/templ"
	"github.com/usherd/usherd/admin"
	"github.com/usherd/usherd/directory"
)

// rolePages are the list of Roles, a Role with who has it, and its editor.
func (c *Console) rolePages() {
	c.page("GET /roles", c.roles)
	c.page("GET /roles/new", c.newRole)
	c.page("POST /roles/save", c.saveRole)
	c.page("GET /roles/{name}", c.role)
	c.page("GET /roles/{name}/{tab}", c.role)
	c.page("GET /roles/{name}/edit", c.editRole)
	c.page("POST /roles/{name}/delete", c.deleteRole)
}

var roleList = ListSpec{
	Name: "roles", Title: "Roles", Noun: "Roles", Searches: "name, title, mapping",
	Columns: []Column{
		{Key: "name", Title: "Name", Default: true},
		{Key: "groups", Title: "User groups", Default: true, Number: true},
		{Key: "updated", Title: "Last updated", Default: true},
		{Key: "users", Title: "Users", Default: true, Number: true},
		{Key: "scope", Title: "Scope", Default: true},
		{Key: "mappings", Title: "Mappings"},
		{Key: "kind", Title: "Kind"},
		{Key: "menu", Title: "Actions", Default: true, Here: true},
	},
	Filters: []Filter{
		{Key: "use", Title: "Use", Options: []Option{{"used", "somebody has it"}, {"unused", "nobody has it"}}},
		{Key: "group", Title: "User group"},
	},
}

func (c *Console) roles(req request) (templ.Component, error) {
	all, err := c.Service.Roles(req.Context())
	if err != nil {
		return nil, err
	}
	reason, err := c.rolesReason(req)
	if err != nil {
		return nil, err
	}
	l := List{ListSpec: roleList, State: c.state(req, roleList), Actions: gated("/roles/new", "New Role", reason, true)}
	given, err := c.rolesOfGroups(req, l.Filter["group"])
	if err != nil {
		return nil, err
	}
	for _, r := range all {
		if l.Filter["group"] != "" && !given[r.Name] {
			continue
		}
		row := roleRow(r)
		row.Cells["menu"] = Cell{Show: rowMenu(string(r.Name), titleFor(r.Title, string(r.Name)), roleMenu(r, reason == ""))}
		used := r.Groups+r.Users+len(r.Mappings) > 0
		if use := l.Filter["use"]; !rowHas(row, l.Q) || use == "used" && !used || use == "unused" && used {
			continue
		}
		l.Rows = append(l.Rows, row)
	}
	l.Total = len(l.Rows)
	return c.list(req, l)
}

// rolesOfGroups are the Roles that groups of a name give, by themselves or
// through groups above them.
func (c *Console) rolesOfGroups(req request, name string) (map[directory.RoleName]bool, error) {
	given := map[directory.RoleName]bool{}
	for f := (admin.GroupFilter{Name: name, Sort: "name", Limit: 1000}); name != ""; {
		page, err := c.Service.Groups(req.Context(), f)
		if err != nil {
			return nil, err
		}
		for _, g := range page.Items {
			for _, r := range g.Roles {
				given[r] = true
			}
		}
		if f.Cursor = page.Next; f.Cursor == "" {
			break
		}
	}
	return given, nil
}

// rolesReason says why no Role can be made or changed; empty: some can.
func (c *Console) rolesReason(req request) (string, error) {
	cat, err := c.Service.Catalogue(req.Context())
	switch managed := cat.ManagedBy[directory.SectionRoles]; {
	case managed != "":
		return "Managed by " + managed + "; change it there", err
	case !req.viewer.Can(admin.WritePolicy):
		return "Needs the right " + string(directory.PolicyManage), err
	}
	return "", err
}

func roleRow(r admin.ListedRole) Row {
	name := []Cell{Link(titleFor(r.Title, string(r.Name)), rolePath(r.Name))}
	if r.Default {
		name = append(name, Badge("default", Info))
	}
	kind := "custom"
	if r.Builtin {
		kind = "built in"
	}
	return Row{ID: string(r.Name), Label: string(r.Name), Cells: map[string]Cell{
		"name": Cells(name...), "groups": Number(r.Groups), "updated": Time(r.Modified), "users": Number(r.Users), "scope": Text(scopeWord(r.Scope)),
		"mappings": Text(strings.Join(r.Mappings, ", ")), "kind": Text(kind),
	}}
}

// roleMenu is what may be done with a Role of a list.
func roleMenu(r admin.ListedRole, may bool) []menuItem {
	at := rolePath(r.Name)
	items := []menuItem{{Title: "Open", Href: at}}
	if may && !r.Builtin {
		items = append(items, menuItem{Title: "Edit", Href: at + "/edit"})
	}
	if may {
		items = append(items, menuItem{Title: "Duplicate", Href: withQuery("/roles/new", "like", string(r.Name))})
	}
	return items
}

func scopeWord(scope string) string {
	if scope == "any" {
		return "Organization or project"
	}
	return "Organization"
}

// A roleView is what the pages of a Role have in common.
type roleView struct {
	admin.RolePage
	Title, Path string
	Tabs        []tab
	Reason      string // why it can't be changed; empty: it can
	MayCopy     string // why it can't be copied
	Problem     string
	Revision    directory.Revision

	Users  List // of the tab Users
	Rights []string
	Lines  []string
	Given  []giverView
	Rows   []activityRow
	May    bool
	Here   string
}

// A giverView is a group or mapping that gives a Role.
type giverView struct{ Kind, Name, Href string }

func (c *Console) role(req request) (templ.Component, error) { return c.showRole(req, "") }

func (c *Console) showRole(req request, problem string) (templ.Component, error) {
	v, err := c.roleView(req)
	if err != nil {
		return nil, err
	}
	v.Problem = problem
	switch v.Here {
	case "":
		if v.Users, err = c.holders(req, v.Name); err == nil && v.Users.CSV {
			c.csv(req, v.Users, eachRow(v.Users.Rows))
			return nil, nil
		}
	case "activity":
		v.May = req.viewer.Can(admin.ReadAudit)
		v.Rows, err = c.roleActivity(req, v)
	}
	if err != nil {
		return nil, err
	}
	return c.frame(req, v.Title, roleTemplate(v)), nil
}

func (c *Console) roleView(req request) (roleView, error) {
	v := roleView{Here: req.PathValue("tab")}
	name := directory.RoleName(req.PathValue("name"))
	var err error
	if v.RolePage, err = c.Service.Role(req.Context(), name, 1); err != nil {
		return v, err
	}
	v.Title, v.Path = titleFor(v.RolePage.Title, string(name)), rolePath(name)
	v.Tabs = tabsOf(v.Path, v.Here, "users", "permissions", "mappings", "activity")
	if v.MayCopy, err = c.rolesReason(req); err != nil {
		return v, err
	}
	if v.Reason = v.MayCopy; v.Builtin {
		v.Reason = "Built in; make a custom one like it"
	}
	cat, err := c.Service.Catalogue(req.Context())
	v.Revision = cat.Revision
	for _, r := range v.RolePage.Rights {
		v.Rights = append(v.Rights, string(r))
	}
	v.Lines = setLines(directory.GrantSet{Privileges: v.Privileges}, nil)
	for _, m := range v.Mappings {
		v.Given = append(v.Given, giverView{"mapping", m, mappingPath(m)})
	}
	for _, g := range v.GivenTo {
		v.Given = append(v.Given, giverView{"group", string(g.Source) + "/" + g.Name, "/groups/" + string(g.ID)})
	}
	return v, err
}

// roleActivity lists edits of a Role, who was given it, and what was done to the
// mappings that give it.
func (c *Console) roleActivity(req request, v roleView) ([]activityRow, error) {
	item, given := mentions(string(directory.SectionRoles)+"/"+string(v.Name)), givenRole(v.Name)
	byMapping := func(ch admin.AuditedChange) bool {
		return strings.HasPrefix(ch.Type, "mapping.") && slices.Contains(v.Mappings, ch.Target) ||
			slices.ContainsFunc(v.Mappings, func(m string) bool { return mentions(string(directory.SectionMappings) + "/" + m)(ch) })
	}
	return c.activity(req, admin.AuditQuery{Targets: append([]string{given}, v.Mappings...)}, func(ch admin.AuditedChange) bool {
		return item(ch) || ch.Value == given || byMapping(ch)
	})
}

var holderList = ListSpec{
	Name: "role-users", Title: "Users", Noun: "users", Searches: "name, project, group",
	Columns: []Column{
		{Key: "name", Title: "Name", Default: true},
		{Key: "type", Title: "Type", Default: true},
		{Key: "projects", Title: "Projects", Default: true},
		{Key: "via", Title: "Via", Default: true},
		{Key: "userName", Title: "userName"},
	},
	Filters: []Filter{{Key: "via", Title: "Via", Options: []Option{{"direct", "directly"}, {"group", "through a group"}, {"default", "by default"}}}},
}

// holders lists who has a Role, and by what.
func (c *Console) holders(req request, name directory.RoleName) (List, error) {
	if !req.viewer.Can(admin.AskChecks) {
		return c.holdersSeen(req, name)
	}
	l := List{ListSpec: holderList, State: c.state(req, holderList), Total: -1, Asof: c.Now()}
	limit := l.Size
	if l.CSV || l.filtered() {
		limit = 1000
	}
	for after := directory.UserID(l.Cursor); ; {
		page, err := c.Service.Holders(req.Context(), admin.HoldersQuery{Role: name, After: after, Limit: limit})
		if err != nil {
			return l, err
		}
		full := l.addHolders(page.Items)
		after = page.Next
		if full || after == "" || !l.CSV && !l.filtered() && len(l.Rows) > 0 {
			if !full {
				l.Next = string(after)
			}
			break
		}
	}
	if l.Cursor == "" && l.Next == "" {
		l.Total = len(l.Rows)
	}
	return l, nil
}

// holdersSeen lists those who have a Role and whom the viewer sees, to whom it is
// not told by what.
func (c *Console) holdersSeen(req request, name directory.RoleName) (List, error) {
	spec := holderList
	spec.Filters, spec.Columns, spec.Searches = nil, slices.DeleteFunc(slices.Clone(spec.Columns), func(col Column) bool {
		return col.Key == "projects" || col.Key == "via"
	}), "by name, userName or e-mail"
	l := List{ListSpec: spec, State: c.state(req, spec), Asof: c.Now()}
	f := admin.UserFilter{Role: name, Q: l.Q, Sort: "name", Cursor: l.Cursor, Limit: l.Size}
	if l.CSV {
		f.Cursor, f.Limit = "", 1000
	}
	for {
		page, err := c.Service.Users(req.Context(), f)
		if err != nil {
			return l, err
		}
		for _, u := range page.Items {
			l.Rows = append(l.Rows, Row{ID: string(u.ID), Label: u.Name, Cells: map[string]Cell{
				"name": Link(cmp.Or(u.Name, u.UserName), "/users/"+string(u.ID)), "type": Text(typeName(u.Type)), "userName": Text(u.UserName),
			}})
		}
		l.Total, l.Next, f.Cursor = page.Total, page.Next, page.Next
		if !l.CSV || page.Next == "" {
			return l, nil
		}
	}
}

// addHolders adds those that match, and reports whether the page is full before
// the last of them: the next one begins after the last row.
func (l *List) addHolders(all []admin.Holder) bool {
	for _, h := range all {
		via := l.Filter["via"]
		row := holderRow(h)
		if !rowHas(row, l.Q) || via != "" && !slices.ContainsFunc(h.From, func(from string) bool { return strings.HasPrefix(strings.TrimPrefix(from, "by "), via) }) {
			continue
		}
		if !l.CSV && len(l.Rows) == l.Size {
			l.Next = l.Rows[len(l.Rows)-1].ID
			return true
		}
		l.Rows = append(l.Rows, row)
	}
	return false
}

func holderRow(h admin.Holder) Row {
	where := "Organization"
	if len(h.Projects) > 0 {
		where = words(h.Projects)
	}
	var via []Cell
	for _, from := range h.From {
		via = append(via, Badge(from, Info))
	}
	return Row{ID: string(h.User), Label: h.Name, Cells: map[string]Cell{
		"name": Link(cmp.Or(h.Name, h.UserName), "/users/"+string(h.User)), "type": Text(typeName(h.Type)), "projects": Text(where),
		"via": Cells(via...), "userName": Text(h.UserName),
	}}
}

// A roleForm is the editor of a Role.
type roleForm struct {
	Was, Name, Title string
	Rights           []pick
	Grant            grantFields
	Revision         directory.Revision
	Told             told
	Theirs           []string // what the Role has now, after somebody else changed it
	Impact           *impactView
	Seen             string // what the impact is of
	Reason           string
}

func (f roleForm) heading() string {
	if f.Was == "" {
		return "New Role"
	}
	return "Edit Role " + f.Was
}

func (c *Console) roleForm(req request, was string, spec admin.RoleSpec) (roleForm, error) {
	f := roleForm{Was: was, Name: string(spec.Name), Title: spec.Title}
	choices, err := c.Service.Choices(req.Context())
	if err != nil {
		return f, err
	}
	f.Revision = choices.Revision
	for _, r := range slices.Concat(directory.OrganizationRights, directory.ProjectRights) {
		note := ""
		switch {
		case r.IsAdministration():
			note = "administration"
		case r.IsProject():
			note = "project"
		}
		f.Rights = append(f.Rights, pick{string(r), string(r), note, slices.Contains(spec.Rights, r)})
	}
	f.Grant = grantFieldsOf("", choices, admin.GrantSpec{Access: spec.Access, Role: spec.Role, Output: spec.Output, Integration: spec.Integration})
	f.Grant.Title = "Privileges"
	f.Reason, err = c.rolesReason(req)
	return f, err
}

func (c *Console) newRole(req request) (templ.Component, error) {
	spec := admin.RoleSpec{}
	if like := req.URL.Query().Get("like"); like != "" {
		page, err := c.Service.Role(req.Context(), directory.RoleName(like), 1)
		if err != nil {
			return nil, err
		}
		spec = roleSpecOf(page.Role)
		spec.Name, spec.Title = "", ""
	}
	f, err := c.roleForm(req, "", spec)
	return c.frame(req, f.heading(), roleFormTemplate(f)), err
}

func (c *Console) editRole(req request) (templ.Component, error) {
	page, err := c.Service.Role(req.Context(), directory.RoleName(req.PathValue("name")), 1)
	if err != nil {
		return nil, err
	}
	f, err := c.roleForm(req, string(page.Name), roleSpecOf(page.Role))
	if page.Builtin {
		f.Reason = "Built in; make a custom one like it"
	}
	return c.frame(req, f.heading(), roleFormTemplate(f)), err
}

func roleSpecOf(r directory.Role) admin.RoleSpec {
	g := specOf(directory.GrantSet{Privileges: r.Privileges})
	return admin.RoleSpec{
		Name: r.Name, Title: r.Title, Rights: r.Rights, Access: g.Access, Role: g.Role, Output: g.Output, Integration: g.Integration,
	}
}

// saveRole shows what a Role would change for whom, and does it when that was
// seen.
func (c *Console) saveRole(req request) (templ.Component, error) {
	was := req.PostForm.Get("was")
	g := grantSpecOf(req.PostForm, "")
	spec := admin.RoleSpec{
		Name: directory.RoleName(strings.TrimSpace(req.PostForm.Get("name"))), Title: strings.TrimSpace(req.PostForm.Get("title")),
		Access: g.Access, Role: g.Role, Output: g.Output, Integration: g.Integration,
	}
	for _, r := range req.PostForm["right"] {
		spec.Rights = append(spec.Rights, directory.Right(r))
	}
	revision := revisionOf(req)
	save := func(ctx context.Context) (admin.Outcome, error) {
		if was == "" {
			return c.Service.CreateRole(ctx, req.by, spec)
		}
		return c.Service.EditRole(ctx, req.by, spec, revision)
	}
	impact, err := c.tried(req, save)
	seen := req.PostForm.Get("seen") == fingerprint(spec) && impact.confirmed(req) || err == nil && impact.nothing()
	if err == nil && seen {
		if _, err = save(req.Context()); err == nil {
			return c.redirect(req, rolePath(spec.Name), "Role "+string(spec.Name)+" saved.")
		}
	}
	said, ours := c.told(req, err, directory.SectionRoles, "name", "title")
	if err != nil && !ours {
		return nil, err
	}
	f, ferr := c.roleForm(req, was, spec)
	if ferr != nil {
		return nil, ferr
	}
	if f.Told = said; err == nil {
		f.Impact, f.Revision, f.Seen = &impact, revision, fingerprint(spec)
	} else if now, nerr := c.Service.Role(req.Context(), spec.Name, 1); nerr == nil && was != "" {
		f.Theirs = append(setLines(directory.GrantSet{Privileges: now.Privileges}, nil), rightTexts(now.Rights)...)
	}
	return c.frame(req, f.heading(), roleFormTemplate(f)), nil
}

// fingerprint tells apart what was previewed from what is asked for now.
func fingerprint(spec admin.RoleSpec) string {
	sum := sha256.Sum256(fmt.Appendf(nil, "%#v", spec))
	return hex.EncodeToString(sum[:16])
}

func rightTexts(rights []directory.Right) (out []string) {
	for _, r := range rights {
		out = append(out, "right "+string(r))
	}
	return out
}

// deleteRole is refused while something gives the Role; the page says what.
func (c *Console) deleteRole(req request) (templ.Component, error) {
	name := directory.RoleName(req.PathValue("name"))
	_, err := c.Service.DeleteRole(req.Context(), req.by, name, revisionOf(req))
	if _, ours := problems(err); ours {
		return c.showRole(req, "It is not deleted: "+c.usesOf(req, err, directory.SectionRoles))
	}
	if err != nil {
		return nil, err
	}
	return c.redirect(req, "/roles", "Role "+string(name)+" deleted.")
}
