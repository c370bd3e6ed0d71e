package console

import (
	"net/url"
	"slices"
	"strings"

	"github.com/a-h/templ"
	"github.com/usherd/usherd/admin"
	"github.com/usherd/usherd/directory"
)

// projectPages are the pages about projects.
func (c *Console) projectPages() {
	c.page("GET /projects", c.projects)
	c.page("GET /projects/new", c.newProject)
	c.page("POST /projects/new", c.createProject)
	c.page("GET /projects/{key}", c.project)
	c.page("GET /projects/{key}/{tab}", c.project)
	c.page("POST /projects/{key}/{do}", c.changeProject)
}

var projectList = ListSpec{
	Name: "projects", Title: "Projects", Noun: "projects", Searches: "by key or title",
	Columns: []Column{
		{Key: "title", Title: "Title", Default: true, Sort: "name"},
		{Key: "key", Title: "Key", Default: true},
		{Key: "users", Title: "Users", Default: true, Number: true, Sort: "users"},
		{Key: "groups", Title: "User groups", Default: true, Number: true, Sort: "groups"},
		{Key: "mappings", Title: "Mappings", Default: true, Number: true},
		{Key: "managed", Title: "Managed by"},
	},
}

func (c *Console) projects(req request) (templ.Component, error) {
	l := List{ListSpec: projectList, State: c.state(req, projectList)}
	all, err := c.Service.ProjectsBy(req.Context(), l.sort())
	if err != nil {
		return nil, err
	}
	managed := ""
	for _, p := range all {
		managed = p.ManagedBy
		if !strings.Contains(strings.ToLower(string(p.Key)+" "+p.Title), strings.ToLower(l.Q)) {
			continue
		}
		at := "/projects/" + string(p.Key)
		l.Rows = append(l.Rows, Row{ID: string(p.Key), Label: titleOr(p.Title, p.Key), Cells: map[string]Cell{
			"title": Link(titleOr(p.Title, p.Key), at), "key": Text(string(p.Key)), "users": Number(p.Users),
			"groups": Number(p.Groups), "mappings": Number(p.Mappings), "managed": Text(p.ManagedBy),
		}})
	}
	l.Total = len(l.Rows)
	if req.viewer.Can(admin.WritePolicy) && managed == "" {
		l.Actions = newProjectButton()
	}
	return c.list(req, l)
}

// A projectForm is the form of a new project, with what was typed.
type projectForm struct {
	Key, Title string
	Told       told
}

func (c *Console) newProject(req request) (templ.Component, error) {
	if err := req.viewer.Require(admin.WritePolicy, ""); err != nil {
		return nil, err
	}
	return c.frame(req, "New project", newProjectTemplate(projectForm{})), nil
}

func (c *Console) createProject(req request) (templ.Component, error) {
	f := projectForm{Key: strings.TrimSpace(req.PostForm.Get("key")), Title: strings.TrimSpace(req.PostForm.Get("title"))}
	_, err := c.Service.CreateProject(req.Context(), req.by, directory.Project{Key: directory.ProjectKey(f.Key), Title: f.Title})
	var ours bool
	if f.Told, ours = c.told(req, err, directory.SectionProjects, "key", "title"); ours {
		return c.frame(req, "New project", newProjectTemplate(f)), nil
	}
	if err != nil {
		return nil, err
	}
	return c.redirect(req, "/projects/"+f.Key, "Project "+titleOr(f.Title, f.Key)+" was added.")
}

// A projectView is the page of a project.
type projectView struct {
	admin.ListedProject
	Viewer  *Viewer
	Choices admin.Choices
	Path    string
	Tabs    []tab
	Told    told
	Typed   string // the title that somebody typed
	Unused  bool
}

func (v projectView) name() string { return titleOr(v.Title, v.Key) }

// MayEdit says whether the project can be renamed and deleted here.
func (v projectView) MayEdit() bool { return v.Viewer.Can(admin.WritePolicy) && v.ManagedBy == "" }

func (c *Console) readProject(req request) (projectView, error) {
	v := projectView{Viewer: req.viewer}
	all, err := c.Service.Projects(req.Context())
	if err != nil {
		return v, err
	}
	key := directory.ProjectKey(req.PathValue("key"))
	i := slices.IndexFunc(all, func(p admin.ListedProject) bool { return p.Key == key })
	if i < 0 {
		return v, errNoPage
	}
	v.ListedProject, v.Path = all[i], "/projects/"+url.PathEscape(string(key))
	v.Unused, v.Typed = v.Users+v.Groups+v.Mappings == 0, v.Title
	if v.Choices, err = c.Service.Choices(req.Context()); err != nil {
		return v, err
	}
	names := []string{"users", "groups:User groups", "roles"}
	if req.viewer.Can(admin.ReadAudit) {
		names = append(names, "activity")
	}
	if v.MayEdit() {
		names = append(names, "edit:Rename and delete")
	}
	v.Tabs = tabsOf(v.Path, req.PathValue("tab"), names...)
	return v, nil
}

func (c *Console) project(req request) (templ.Component, error) {
	v, err := c.readProject(req)
	if err != nil {
		return nil, err
	}
	body, err := c.projectTab(req, v)
	if err != nil || body == nil {
		return nil, err
	}
	return c.frame(req, v.name(), projectTemplate(v, body)), nil
}

func (c *Console) projectTab(req request, v projectView) (templ.Component, error) {
	switch req.PathValue("tab") {
	case "", "users":
		return c.projectUsers(req, v)
	case "groups":
		return c.projectGroups(req, v)
	case "roles":
		return c.projectRoles(req, v)
	case "activity":
		return c.recent(req, string(v.Key))
	case "edit":
		if v.MayEdit() {
			return projectEdit(v), nil
		}
	}
	return nil, errNoPage
}

// projectUsers are those whom a path leads into the project.
func (c *Console) projectUsers(req request, v projectView) (templ.Component, error) {
	spec := userSpec(req.viewer, v.Choices)
	spec.Name, spec.Bulk = "project-users", nil
	spec.Filters = slices.DeleteFunc(slices.Clone(spec.Filters), func(f Filter) bool { return f.Key != "type" && f.Key != "status" })
	if spec.BulkRight = req.viewer.May(admin.WriteGrants, v.Key); spec.BulkRight {
		in := url.Values{"scope": {string(v.Key)}, "project": {string(v.Key)}}
		spec.Bulk = []Bulk{{Action: "/users/bulk/permissions?" + in.Encode(), Title: "Edit permissions"}}
	}
	l := List{ListSpec: spec, State: c.state(req, spec), Asof: c.Now(), Empty: noProjectUsers(v)}
	f := userFilter(l.State)
	f.Project = v.Key
	if l.CSV {
		c.csv(req, l, c.eachUserRow(req, l, f, v.Choices))
		return nil, nil //nolint:nilnil // the file is sent
	}
	page, err := c.Service.Users(req.Context(), f)
	if err != nil {
		return nil, err
	}
	l.Total, l.Next = page.Total, page.Next
	if l.Rows, err = c.rowsOfUsers(req, l, page.Items, v.Choices); err != nil {
		return nil, err
	}
	return listBody(l), nil
}

// projectGroups are the groups that are limited to the project.
func (c *Console) projectGroups(req request, v projectView) (templ.Component, error) {
	spec := groupList
	spec.Name, spec.Searches = "project-groups", "groups"
	spec.Filters = slices.DeleteFunc(slices.Clone(spec.Filters), func(f Filter) bool { return f.Key != "status" })
	l := List{ListSpec: spec, State: c.state(req, spec), Asof: c.Now(), Empty: noProjectGroups(v)}
	f := groupFilter(l.State)
	f.Project = &v.Key
	if l.CSV {
		c.csv(req, l, c.eachGroupRow(req, f, v.Choices))
		return nil, nil //nolint:nilnil // the file is sent
	}
	page, err := c.Service.Groups(req.Context(), f)
	if err != nil {
		return nil, err
	}
	l.Total, l.Next = page.Total, page.Next
	for _, g := range page.Items {
		l.Rows = append(l.Rows, groupRow(req.viewer, g, v.Choices))
	}
	return projectGroupsTemplate(v, l), nil
}

// projectRoles are the Roles that are held in the project, with who gives them.
func (c *Console) projectRoles(req request, v projectView) (templ.Component, error) {
	page, err := c.Service.Groups(req.Context(), admin.GroupFilter{Sort: "name", Limit: 1000})
	if err != nil {
		return nil, err
	}
	var rows []projectRole
	for _, r := range v.Choices.Roles {
		if r.HasOrganizationRight() {
			continue
		}
		row := projectRole{Name: string(r.Name), Title: titleOr(r.Title, r.Name), Rights: r.Rights}
		for _, g := range page.Items {
			if g.Project == v.Key && slices.Contains(g.Roles, r.Name) {
				row.Groups = append(row.Groups, Link(g.Name, "/groups/"+string(g.ID)))
			}
		}
		rows = append(rows, row)
	}
	return projectRolesTemplate(rows), nil
}

// A projectRole is a Role that can be held in a project.
type projectRole struct {
	Name, Title string
	Rights      []directory.Right
	Groups      []Cell
}

func (c *Console) changeProject(req request) (templ.Component, error) {
	v, err := c.readProject(req)
	if err != nil {
		return nil, err
	}
	switch req.PathValue("do") {
	case "rename":
		_, err = c.Service.RenameProject(req.Context(), req.by, v.Key, strings.TrimSpace(req.PostForm.Get("title")), 0)
	case "delete":
		_, err = c.Service.DeleteProject(req.Context(), req.by, v.Key, 0)
	default:
		return nil, errNoPage
	}
	var ours bool
	if v.Told, ours = c.told(req, err, directory.SectionProjects, "title"); ours {
		if v.Typed = req.PostForm.Get("title"); req.PathValue("do") == "delete" {
			v.Typed = v.Title
		}
		return c.frame(req, v.name(), projectTemplate(v, projectEdit(v))), nil
	}
	if err != nil {
		return nil, err
	}
	if req.PathValue("do") == "delete" {
		return c.redirect(req, "/projects", "Project "+v.name()+" was deleted.")
	}
	return c.redirect(req, v.Path, "Renamed.")
}
