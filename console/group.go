package console

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/a-h/templ"
	"github.com/usherd/usherd/admin"
	"github.com/usherd/usherd/directory"
)

// A groupView is the page of a group.
type groupView struct {
	admin.GroupPage
	Viewer   *Viewer
	Choices  admin.Choices
	Path     string
	Tabs     []tab
	Origin   Cell
	MayBlock bool
	Told     told
	Typed    groupTyped
}

// groupTyped is what stands in the fields of an edit.
type groupTyped struct {
	Name, Description string
	Version           int64
	Theirs            string
}

// Local says whether name and members are kept here.
func (v groupView) Local() bool { return v.Source == directory.Local }

// managedBy names the source of the group for people.
func (v groupView) managedBy() string { return sourceWords(kindsOf(v.Choices.Sources), v.Source) }

func (c *Console) readGroup(req request) (groupView, error) {
	v := groupView{Viewer: req.viewer}
	var err error
	if v.GroupPage, err = c.Service.Group(req.Context(), req.PathValue("id"), -1); err != nil {
		return v, err
	}
	if v.Choices, err = c.Service.Choices(req.Context()); err != nil {
		return v, err
	}
	v.Path = "/groups/" + string(v.ID)
	v.Origin = req.viewer.origin(v.Source, kindsOf(v.Choices.Sources))
	v.MayBlock = req.viewer.May(admin.BlockGroups, v.Project)
	here := cmp.Or(req.PathValue("tab"), req.PathValue("do"))
	switch {
	case req.PathValue("kind") != "":
		here = "privileges"
	case here == "add" || here == "remove":
		here = "members"
	}
	names := []string{"members", "privileges", "mappings", "details:Name and scope"}
	if req.viewer.Can(admin.ReadAudit) {
		names = append(names, "activity")
	}
	v.Tabs = tabsOf(v.Path, here, names...)
	v.Typed = groupTyped{Name: v.Name, Description: v.Description, Version: v.Version}
	return v, nil
}

func (c *Console) group(req request) (templ.Component, error) {
	v, err := c.readGroup(req)
	if err != nil {
		return nil, err
	}
	body, err := c.groupTab(req, v)
	if err != nil || body == nil {
		return nil, err
	}
	return c.frame(req, v.Name, groupTemplate(v, body)), nil
}

func (c *Console) groupTab(req request, v groupView) (templ.Component, error) {
	if kind := req.PathValue("kind"); kind != "" {
		return c.groupPrivileges(req, v, kind)
	}
	switch req.PathValue("tab") {
	case "", "members":
		return c.groupMembersTab(req, v)
	case "privileges":
		return c.groupPrivileges(req, v, "access")
	case "mappings":
		return groupMappings(v), nil
	case "details":
		return groupDetails(v), nil
	case "activity":
		return c.recent(req, string(v.ID))
	case "add":
		return c.selector(req, v, picking{})
	case "block", "delete":
		return c.confirmGroup(req, v, req.PathValue("tab"))
	}
	return nil, errNoPage
}

var memberList = ListSpec{
	Name: "members", Title: "Members", Noun: "members", Searches: "by name, e-mail or id",
	Columns: []Column{
		{Key: "name", Title: "Name", Default: true, Sort: "name"},
		{Key: "type", Title: "Type", Default: true},
		{Key: "userName", Title: "userName", Default: true},
		{Key: "status", Title: "Status", Default: true},
		{Key: "source", Title: "Source", Default: true},
		{Key: "added", Title: "Added", Default: true, Sort: "added"},
		{Key: "via", Title: "Membership"},
		{Key: "menu", Title: "Change", Default: true, Here: true},
	},
	Filters: []Filter{{Key: "source", Title: "Source"}},
}

func (c *Console) groupMembersTab(req request, v groupView) (templ.Component, error) {
	spec := memberList
	spec.Filters = withOptions(spec.Filters, v.Choices)
	if spec.BulkRight = v.MayChange && v.Local(); spec.BulkRight {
		spec.Bulk = []Bulk{{Action: v.Path + "/remove", Title: "Remove", Danger: true}}
	}
	l := List{ListSpec: spec, State: c.state(req, spec), Asof: c.Now(), Empty: noMembers(v)}
	f := admin.MemberFilter{Q: l.Q, Source: directory.SourceName(l.Filter["source"]), Sort: l.sort(), Cursor: l.Cursor, Limit: l.Size}
	if l.CSV {
		c.csv(req, l, c.eachMember(req, v, f))
		return nil, nil //nolint:nilnil // the file is sent
	}
	page, err := c.Service.Members(req.Context(), string(v.ID), f)
	if err != nil {
		return nil, err
	}
	l.Total, l.Next = page.Total, page.Next
	kinds := kindsOf(v.Choices.Sources)
	for _, m := range page.Items {
		l.Rows = append(l.Rows, memberRow(v, m, kinds))
	}
	return groupMembersTemplate(v, l), nil
}

func (c *Console) eachMember(req request, v groupView, f admin.MemberFilter) func(func(Row, error) bool) {
	return func(yield func(Row, error) bool) {
		f.Cursor, f.Limit = "", 1000
		kinds := kindsOf(v.Choices.Sources)
		for {
			page, err := c.Service.Members(req.Context(), string(v.ID), f)
			if err != nil {
				yield(Row{}, err)
				return
			}
			for _, m := range page.Items {
				if !yield(memberRow(v, m, kinds), nil) {
					return
				}
			}
			if f.Cursor = page.Next; f.Cursor == "" {
				return
			}
		}
	}
}

func memberRow(v groupView, m admin.GroupMember, kinds map[directory.SourceName]directory.SourceKind) Row {
	sources := make([]Cell, len(m.Sources))
	for i, s := range m.Sources {
		sources[i] = v.Viewer.origin(s, kinds)
	}
	row := Row{ID: m.ID, Label: m.Name, Cells: map[string]Cell{
		"userName": Text(m.UserName), "source": Cells(sources...), "added": began(m.Began), "via": v.Origin,
	}}
	switch m.Kind {
	case directory.GroupMember:
		row.ID = "group:" + m.ID
		row.Cells["name"], row.Cells["type"] = Link(m.Name, "/groups/"+m.ID), Text("Group")
	case directory.PendingMember:
		row.Cells["name"], row.Cells["type"], row.Cells["status"] = Text(m.Value), Text("not known yet"), Badge("Pending", Warn)
	default:
		row.Cells["name"], row.Cells["type"], row.Cells["status"] = Link(m.Name, "/users/"+m.ID), Text(typeName(m.Type)), status(m.Status)
	}
	switch {
	case m.Removable && v.MayChange && m.Kind != directory.PendingMember:
		row.Cells["menu"] = Cell{Show: removeMember(v.Path+"/remove", row.ID, m.Name, v.Path)}
	case !m.Removable:
		row.Cells["menu"] = Cell{Show: lockedText(fmt.Sprintf("Managed by %s – change it there", v.managedBy()), v.Viewer.sourceHref(v.Source))}
	}
	return row
}

// changeGroup does what a form of the page of a group asks for.
func (c *Console) changeGroup(req request) (templ.Component, error) {
	switch req.PathValue("do") {
	case "details":
		return c.editGroup(req)
	case "block", "unblock":
		return c.blockGroup(req, req.PathValue("do") == "block")
	case "delete":
		return c.deleteGroup(req)
	case "add":
		return c.pick(req)
	case "remove":
		return c.removeMembers(req)
	}
	return nil, errNoPage
}

func (c *Console) editGroup(req request) (templ.Component, error) {
	v, err := c.readGroup(req)
	if err != nil {
		return nil, err
	}
	form := req.PostForm
	version, _ := strconv.ParseInt(form.Get("version"), 10, 64) // 0 can't be current: it is refused below
	v.Typed = groupTyped{Name: strings.TrimSpace(form.Get("name")), Description: form.Get("description"), Version: version}
	if version != v.Version {
		v.Told.add("", "Somebody changed this group meanwhile. Their values stand beside yours; save again to put yours in their place.")
		v.Typed.Version = v.Version
		v.Typed.Theirs = fmt.Sprintf("name %s, description %s, scope %s", v.Name, cmp.Or(v.Description, "--"), scopeName(v.Project, v.Choices.Projects))
		return c.frame(req, v.Name, groupTemplate(v, groupDetails(v))), nil
	}
	edit := admin.GroupEdit{Description: &v.Typed.Description, Version: version}
	if v.Local() {
		edit.Name = &v.Typed.Name
	}
	if scope := directory.ProjectKey(form.Get("project")); form.Has("project") && scope != v.Project {
		edit.Project = &scope
	}
	_, err = c.Service.EditGroup(req.Context(), req.by, string(v.ID), edit)
	var ours bool
	if v.Told, ours = c.told(req, err, "", "name", "description", "project"); ours {
		return c.frame(req, v.Name, groupTemplate(v, groupDetails(v))), nil
	}
	if err != nil {
		return nil, err
	}
	return c.redirect(req, v.Path+"/details", "Saved.")
}

// confirmGroup previews blocking or deleting a group.
func (c *Console) confirmGroup(req request, v groupView, do string) (templ.Component, error) {
	q := confirmView{Action: v.Path + "/" + do, Back: v.Path}
	action := func(ctx context.Context) (admin.Outcome, error) {
		return c.Service.SetGroupStatus(ctx, req.by, string(v.ID), directory.GroupBlocked)
	}
	if do == "block" {
		q.Title, q.Button = "Block "+v.Name+"?", "Block"
		q.Warning = "A blocked group gives nothing, to its own members or through nesting. Unblocking restores exactly."
	} else {
		q.Title, q.Button, q.Type = "Delete "+v.Name+"?", "Delete", v.Name
		q.Warning = fmt.Sprintf("%s %s, and what the group is granted ends for good.", thousands(v.ListedGroup.Members),
			plural(v.ListedGroup.Members, "membership ends", "memberships end"))
		action = func(ctx context.Context) (admin.Outcome, error) {
			return c.Service.DeleteGroup(ctx, req.by, string(v.ID), 0)
		}
	}
	var err error
	if q.Preview, err = c.preview(req, action); err != nil {
		return nil, err
	}
	q.Preview.Ask = q.Preview.Ask && q.Type == ""
	return confirmTemplate(q), nil
}

func (c *Console) blockGroup(req request, block bool) (templ.Component, error) {
	id := req.PathValue("id")
	to, notice := directory.GroupActive, "The group gives again what it gave."
	if block {
		to, notice = directory.GroupBlocked, "The group is blocked."
		action := func(ctx context.Context) (admin.Outcome, error) {
			return c.Service.SetGroupStatus(ctx, req.by, id, to)
		}
		if v, err := c.preview(req, action); err != nil {
			return nil, err
		} else if !v.confirmed(req) {
			return nil, errCount(v.Count)
		}
	}
	if _, err := c.Service.SetGroupStatus(req.Context(), req.by, id, to); err != nil {
		return nil, err
	}
	return c.redirect(req, "/groups/"+id, notice)
}

func (c *Console) deleteGroup(req request) (templ.Component, error) {
	v, err := c.readGroup(req)
	if err != nil {
		return nil, err
	}
	if strings.TrimSpace(req.PostForm.Get("typed")) != v.Name {
		return nil, fmt.Errorf("%w: type the name %s to delete the group", directory.ErrInvalid, v.Name)
	}
	if _, err := c.Service.DeleteGroup(req.Context(), req.by, string(v.ID), 0); err != nil {
		return nil, err
	}
	return c.redirect(req, "/groups", "Group "+v.Name+" was deleted.")
}

// removeMembers previews taking members out, and does it when that is confirmed.
func (c *Console) removeMembers(req request) (templ.Component, error) {
	v, err := c.readGroup(req)
	if err != nil {
		return nil, err
	}
	form := req.PostForm
	who := form["member"]
	if len(who) == 0 && form.Get("all") != "" {
		return nil, fmt.Errorf("%w: tick the members of a page, or delete the group", directory.ErrInvalid)
	}
	if len(who) == 0 {
		who = form["id"]
	}
	back := local(req.URL.Query().Get("back"))
	if back == "/" {
		back = v.Path
	}
	action := func(ctx context.Context) (admin.Outcome, error) {
		return c.Service.RemoveMembers(ctx, req.by, string(v.ID), who)
	}
	q := confirmView{
		Title:  fmt.Sprintf("Remove %d %s from %s?", len(who), plural(len(who), "member", "members"), v.Name),
		Action: withQuery(v.Path+"/remove", "back", back), Back: back, Button: "Remove",
		Warning: "Whoever is in the group by another group too stays in it by that.", Fields: []Option{{"1", "confirmed"}},
	}
	for _, m := range who {
		q.Fields = append(q.Fields, Option{m, "member"})
	}
	if q.Preview, err = c.preview(req, action); err != nil {
		return nil, err
	}
	if form.Get("confirmed") == "" || !q.Preview.confirmed(req) {
		return c.frame(req, q.Title, groupTemplate(v, confirmTemplate(q))), nil
	}
	if _, err := action(req.Context()); err != nil {
		return nil, err
	}
	return c.redirect(req, back, fmt.Sprintf("%d %s removed from %s.", len(who), plural(len(who), "member", "members"), v.Name))
}

// A privilegesView is the editor of what a group is granted.
type privilegesView struct {
	groupView
	Kind, Scope string
	Kinds       []tab
	Scopes      []Option
	Tree        []privilegeTree
	Was         []grantToken
	May         bool
	All         *List // instead of a tree: everything that the group gives
	Problem     string
	// Of the preview before saving:
	Preview       *effectsView
	Grant, Revoke []grantToken
	Meanwhile     []string // what others changed since the form was shown
}

// scopesOf are the scopes in which a group can be granted something.
func (c *Console) scopesOf(v groupView) []Option {
	if v.Project != "" {
		return []Option{{string(v.Project), scopeName(v.Project, v.Choices.Projects)}}
	}
	var out []Option
	if v.Viewer.Can(admin.ReadDirectory) {
		out = append(out, Option{"", "Organization"})
	}
	return append(out, projectOptions(v.Choices)...)
}

func (c *Console) privilegesOf(req request, v groupView, kind string) privilegesView {
	p := privilegesView{groupView: v, Kind: kind, Scopes: c.scopesOf(v)}
	p.Scope = req.FormValue("project")
	if !slices.ContainsFunc(p.Scopes, func(o Option) bool { return o.Value == p.Scope }) && len(p.Scopes) > 0 {
		p.Scope = p.Scopes[0].Value
	}
	project := directory.ProjectKey(p.Scope)
	has := heldBy(v.GroupPage, project)
	for _, k := range append(slices.Clone(privilegeKinds), Option{"all", "All that it gives"}) {
		at := v.Path + "/privileges/" + k.Value
		if p.Scope != "" {
			at = withQuery(at, "project", p.Scope)
		}
		title := k.Title
		if n := len(has.was(k.Value)); n > 0 {
			title = fmt.Sprintf("%s (%d)", title, n)
		}
		p.Kinds = append(p.Kinds, tab{Title: title, Href: at, Here: k.Value == kind})
	}
	p.May = v.Viewer.May(admin.WriteGrants, project) && (v.MayChange || !v.Viewer.May(admin.WriteGroups, v.Project))
	p.Tree, p.Was = trees(v.Choices, project, has, kind), has.was(kind)
	return p
}

func (c *Console) groupPrivileges(req request, v groupView, kind string) (templ.Component, error) {
	p := c.privilegesOf(req, v, kind)
	if kind != "all" {
		if len(p.Tree) == 0 {
			return nil, errNoPage
		}
		return groupPrivilegesTemplate(p), nil
	}
	q := admin.PermissionsQuery{Anywhere: true, Why: true}
	if !req.viewer.Can(admin.AskChecks) {
		q = admin.PermissionsQuery{Project: directory.ProjectKey(p.Scope)}
	}
	given, err := c.Service.GroupPermissions(req.Context(), string(v.ID), q)
	if err != nil {
		return nil, err
	}
	if !q.Anywhere {
		given.Items = countingIn(q.Project, given.Items)
	}
	l := List{ListSpec: accessList, State: c.state(req, accessList), Asof: c.Now()}
	l.Filters = nil
	for _, item := range given.Items {
		if strings.Contains(strings.ToLower(item.Key), strings.ToLower(l.Q)) {
			l.Rows = append(l.Rows, accessRow(item, v.Choices))
		}
	}
	l.Total = len(l.Rows)
	if l.CSV {
		c.csv(req, l, eachRow(l.Rows))
		return nil, nil //nolint:nilnil // the file is sent
	}
	p.All = &l
	return groupPrivilegesTemplate(p), nil
}

// editPrivileges previews an edit of what a group is granted, and does it when
// that is confirmed. Only what the form changed is changed: what others did
// meanwhile stays, and is said.
func (c *Console) editPrivileges(req request) (templ.Component, error) {
	v, err := c.readGroup(req)
	if err != nil {
		return nil, err
	}
	form := req.PostForm
	p := c.privilegesOf(req, v, req.PathValue("kind"))
	project := directory.ProjectKey(p.Scope)
	was := form["was"]
	p.Grant, p.Revoke = form["grant"], form["revoke"]
	if form.Get("confirmed") == "" {
		p.Grant, p.Revoke = changeOf(was, wanted(form))
	}
	for _, t := range without(p.Was, was) {
		p.Meanwhile = append(p.Meanwhile, "somebody else granted "+tokenWords(t))
	}
	for _, t := range without(was, p.Was) {
		p.Meanwhile = append(p.Meanwhile, "somebody else took "+tokenWords(t)+" back")
	}
	if len(p.Grant)+len(p.Revoke) == 0 {
		p.Problem = "Nothing was changed."
		return c.frame(req, v.Name, groupTemplate(v, groupPrivilegesTemplate(p))), nil
	}
	action := func(ctx context.Context) (admin.Outcome, error) {
		return c.Service.EditGroupGrants(ctx, req.by, string(v.ID), admin.GrantsEdit{
			Project: project, Grant: tokenSpec(project, p.Grant), Revoke: tokenSpec(project, p.Revoke),
		})
	}
	preview, err := c.preview(req, action)
	if err != nil {
		return nil, err
	}
	if form.Get("confirmed") == "" || !preview.confirmed(req) {
		p.Preview = &preview
		return c.frame(req, v.Name, groupTemplate(v, groupPrivilegesTemplate(p))), nil
	}
	if _, err := action(req.Context()); err != nil {
		return nil, err
	}
	at := v.Path + "/privileges/" + p.Kind
	if p.Scope != "" {
		at = withQuery(at, "project", p.Scope)
	}
	return c.redirect(req, at, "Saved. Every member has it now.")
}
