package console

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/a-h/templ"
	"github.com/usherd/usherd/admin"
	"github.com/usherd/usherd/authz"
	"github.com/usherd/usherd/directory"
)

// integrationPages are the list of connections, and a connection with who has
// access to it.
func (c *Console) integrationPages() {
	c.page("GET /integrations", c.integrations)
	c.page("GET /integrations/new", c.newIntegration)
	c.page("POST /integrations/new", c.addIntegration)
	c.page("GET /integrations/{key}", c.integration)
	c.page("POST /integrations/{key}", c.renameIntegration)
	c.page("POST /integrations/{key}/delete", c.deleteIntegration)
	c.page("GET /integrations/{key}/members", c.connectionMembers)
	c.page("POST /integrations/{key}/members", c.setConnectionMember)
	c.page("POST /integrations/{key}/reset", c.resetConnectionMember)
	c.page("GET /integrations/{key}/remove", c.askRemoveMember)
	c.page("POST /integrations/{key}/remove", c.removeConnectionMember)
	c.page("GET /integrations/{key}/add", c.chooseMembers)
	c.page("POST /integrations/{key}/add", c.addMembers)
	c.page("GET /integrations/{key}/activity", c.integrationActivity)
}

var integrationList = ListSpec{
	Name: "integrations", Title: "Integrations", Noun: "integrations", Searches: "name or key",
	Columns: []Column{
		{Key: "name", Title: "Name", Default: true},
		{Key: "key", Title: "Key", Default: true},
		{Key: "members", Title: "Members", Default: true, Number: true},
		{Key: "mine", Title: "My role", Default: true},
		{Key: "managed", Title: "Managed by"},
	},
}

func (c *Console) integrations(req request) (templ.Component, error) {
	all, err := c.Service.Integrations(req.Context())
	if err != nil {
		return nil, err
	}
	cat, err := c.Service.Catalogue(req.Context())
	if err != nil {
		return nil, err
	}
	reason := ""
	switch managed := cat.ManagedBy[directory.SectionIntegrations]; {
	case managed != "":
		reason = "Managed by " + managed + "; change it there"
	case !req.viewer.Can(admin.AddConnection):
		reason = "Needs the right " + string(directory.IntegrationsCreate)
	}
	l := List{ListSpec: integrationList, State: c.state(req, integrationList), Actions: gated("/integrations/new", "New integration", reason, true)}
	for _, i := range all {
		row := Row{ID: i.Key, Label: i.Key, Cells: map[string]Cell{
			"name": Link(titleFor(i.Title, i.Key), integrationPath(i.Key)), "key": Text(i.Key), "members": Number(i.Members),
			"mine": levelBadge(i.Mine), "managed": Text(cmp.Or(i.ManagedBy, "here")),
		}}
		if rowHas(row, l.Q) {
			l.Rows = append(l.Rows, row)
		}
	}
	l.Total = len(l.Rows)
	return c.list(req, l)
}

// levelBadge shows a level; the more it lets somebody do, the louder.
func levelBadge(l directory.Level) Cell {
	return Badge(levelName(l), map[directory.Level]Tone{directory.Viewer: Info, directory.Consumer: Info, directory.Admin: Good}[l]+"")
}

func levelName(l directory.Level) string {
	s := l.String()
	return strings.ToUpper(s[:1]) + s[1:]
}

// An integrationView is what the pages of a connection have in common.
type integrationView struct {
	admin.ListedIntegration
	Name, Path string
	Tabs       []tab
	Reason     string // why it can't be changed; empty: it can
	Revision   directory.Revision
	Told       told
	Typed      string // the title that somebody typed
	Roles      []roleLevel
}

// A roleLevel is what a Role gives on a connection.
type roleLevel struct {
	Name, Href string
	Builtin    bool
	Level      Cell
	Creates    bool
	Rights     []string
}

func (c *Console) integrationView(req request, here string) (integrationView, error) {
	key := req.PathValue("key")
	all, err := c.Service.Integrations(req.Context())
	if err != nil {
		return integrationView{}, err
	}
	i := slices.IndexFunc(all, func(i admin.ListedIntegration) bool { return i.Key == key })
	if i < 0 {
		return integrationView{}, fmt.Errorf("integration %q: %w", key, directory.ErrNotFound)
	}
	v := integrationView{ListedIntegration: all[i], Name: titleFor(all[i].Title, key), Path: integrationPath(key), Typed: all[i].Title}
	v.Tabs = tabsOf(v.Path, here, "overview", "members:Member access", "activity")
	switch {
	case v.ManagedBy != "":
		v.Reason = "Managed by " + v.ManagedBy + "; change it there"
	case !v.MayManage:
		v.Reason = "Needs the level admin here, or the right " + string(directory.PolicyManage)
	}
	return v, nil
}

func (c *Console) integration(req request) (templ.Component, error) {
	v, err := c.integrationView(req, "")
	if err != nil {
		return nil, err
	}
	return c.showIntegration(req, v)
}

func (c *Console) showIntegration(req request, v integrationView) (templ.Component, error) {
	choices, err := c.Service.Choices(req.Context())
	if err != nil {
		return nil, err
	}
	v.Revision = choices.Revision
	for i, r := range choices.Roles {
		v.Roles = append(v.Roles, roleLevelOf(r, v.Key, i < len(directory.BuiltinRoles())))
	}
	return c.frame(req, v.Name, integrationTemplate(v)), nil
}

// roleLevelOf is what a Role gives on a connection, by its rights and by
// levels that it holds.
func roleLevelOf(r directory.Role, key string, builtin bool) roleLevel {
	level := directory.NoLevel
	out := roleLevel{Name: string(r.Name), Href: rolePath(r.Name), Builtin: builtin}
	for _, right := range r.Rights {
		switch right {
		case directory.IntegrationsViewAll:
			level = max(level, directory.Viewer)
		case directory.IntegrationsUseAll:
			level = max(level, directory.Consumer)
		case directory.IntegrationsManageAll:
			level = max(level, directory.Admin)
		case directory.IntegrationsCreate:
			out.Creates = true
		default:
			continue
		}
		out.Rights = append(out.Rights, string(right))
	}
	for _, p := range r.Privileges {
		if p.Kind == directory.IntegrationLevel && (p.Key == key || p.Key == authz.Every) {
			level = max(level, p.Level)
			out.Rights = append(out.Rights, p.Level.String()+" on "+p.Key)
		}
	}
	out.Level = levelBadge(level)
	return out
}

func (c *Console) renameIntegration(req request) (templ.Component, error) {
	v, err := c.integrationView(req, "")
	if err != nil {
		return nil, err
	}
	v.Typed = req.PostForm.Get("title")
	_, err = c.Service.RenameIntegration(req.Context(), req.by, v.Key, v.Typed, revisionOf(req))
	var ours bool
	if v.Told, ours = c.told(req, err, directory.SectionIntegrations, "title"); ours {
		return c.showIntegration(req, v)
	}
	if err != nil {
		return nil, err
	}
	return c.redirect(req, v.Path, "Integration "+v.Key+" renamed.")
}

func (c *Console) deleteIntegration(req request) (templ.Component, error) {
	v, err := c.integrationView(req, "")
	if err != nil {
		return nil, err
	}
	_, err = c.Service.DeleteIntegration(req.Context(), req.by, v.Key, revisionOf(req))
	if _, ours := problems(err); ours {
		v.Told.add("", "It is not deleted: "+c.usesOf(req, err, directory.SectionIntegrations)+".")
		return c.showIntegration(req, v)
	}
	if err != nil {
		return nil, err
	}
	return c.redirect(req, "/integrations", "Integration "+v.Key+" deleted.")
}

// An integrationForm makes a connection.
type integrationForm struct {
	Key, Title string
	Told       told
}

func (c *Console) newIntegration(req request) (templ.Component, error) {
	if !req.viewer.Can(admin.AddConnection) {
		return nil, fmt.Errorf("%w: to add an integration needs the right %s", admin.ErrForbidden, directory.IntegrationsCreate)
	}
	return c.frame(req, "New integration", integrationFormTemplate(integrationForm{})), nil
}

func (c *Console) addIntegration(req request) (templ.Component, error) {
	f := integrationForm{Key: strings.TrimSpace(req.PostForm.Get("key")), Title: strings.TrimSpace(req.PostForm.Get("title"))}
	_, err := c.Service.AddIntegration(req.Context(), req.by, directory.Integration{Key: f.Key, Title: f.Title})
	var ours bool
	if f.Told, ours = c.told(req, err, directory.SectionIntegrations, "key", "title"); ours {
		return c.frame(req, "New integration", integrationFormTemplate(f)), nil
	}
	if err != nil {
		return nil, err
	}
	return c.redirect(req, integrationPath(f.Key), "Integration "+f.Key+" added.")
}

// A memberView is somebody with access to a connection.
type memberView struct {
	admin.ConnectionMember
	Who, Href string // as the service and as a link name the member
	Role      string // the level assigned here; empty: none
	Effective Cell
	Via       []Cell
	Why       string
}

// A membersView is who has access to a connection.
type membersView struct {
	integrationView
	List
	May     bool
	Problem string
}

var connectionList = ListSpec{
	Name: "integration-members", Title: "Who has access", Noun: "members", Searches: "members", Filters: memberFilters,
	Columns: []Column{
		{Key: "who", Title: "Who", Default: true},
		{Key: "kind", Title: "Kind"},
		{Key: "userName", Title: "userName"},
		{Key: "status", Title: "Status"},
		{Key: "role", Title: "Role here", Default: true},
		{Key: "effective", Title: "Effective", Default: true},
		{Key: "via", Title: "Via", Default: true},
		{Key: "added", Title: "Added", Default: true},
		{Key: "actions", Title: "Actions", Default: true, Here: true},
	},
}

// memberFilters narrow who is shown.
var memberFilters = []Filter{
	{Key: "role", Title: "Effective", Options: []Option{{"viewer", "Viewer"}, {"consumer", "Consumer"}, {"admin", "Admin"}, {"none", "None"}}},
	{Key: "via", Title: "Via", Options: []Option{{"direct", "Direct"}, {"group", "a group"}, {"role", "a Role"}}},
}

// shows reports whether the search and the filters leave a member.
func (v *membersView) shows(m *admin.ConnectionMember) bool {
	if !strings.Contains(strings.ToLower(m.Name+" "+m.UserName), strings.ToLower(v.Q)) {
		return false
	}
	if role := v.Filter["role"]; role != "" && m.Effective.String() != role {
		return false
	}
	says := func(word string) bool {
		return slices.ContainsFunc(m.Via, func(via string) bool { return strings.Contains(strings.ToLower(" "+via), " "+word+" ") })
	}
	switch via := v.Filter["via"]; via {
	case "":
		return true
	case "direct":
		return m.Own != nil
	default:
		return says(via)
	}
}

func (c *Console) connectionMembers(req request) (templ.Component, error) {
	return c.showMembers(req, "")
}

func (c *Console) showMembers(req request, problem string) (templ.Component, error) {
	v := membersView{Problem: problem, List: List{ListSpec: connectionList, State: c.state(req, connectionList), Asof: c.Now()}}
	var err error
	if v.integrationView, err = c.integrationView(req, "members"); err != nil {
		return nil, err
	}
	v.State.Path, v.Empty = v.Path+"/members", noConnectionMembers() // also where a form was sent elsewhere
	v.May = req.viewer.Can(admin.WriteGrants) || v.Mine >= directory.Admin
	all, err := c.Service.ConnectionMembers(req.Context(), v.Key)
	if err != nil {
		return nil, err
	}
	for i := range all {
		if v.shows(&all[i]) {
			v.Rows = append(v.Rows, connectionRow(v, memberOf(all[i])))
		}
	}
	if v.CSV {
		c.csv(req, v.List, eachRow(v.Rows))
		return nil, nil //nolint:nilnil // the file is sent
	}
	v.Total = len(v.Rows)
	return c.frame(req, v.Name, membersTemplate(v)), nil
}

// connectionRow is somebody with access to a connection in the list of them.
func connectionRow(v membersView, m memberView) Row {
	kind := "User"
	if m.Kind == directory.GroupMember {
		kind = "Group"
	}
	row := Row{ID: m.Who, Label: m.Name, Cells: map[string]Cell{
		"who": {Text: m.Name, Show: memberName(m)}, "kind": Text(kind), "userName": Text(m.UserName),
		"role": {Text: m.Role, Show: memberLevel(v, m)}, "effective": m.Effective, "via": Cells(m.Via...),
		"added": Time(m.Added), "actions": {Show: memberActions(v, m)},
	}}
	if m.Kind != directory.GroupMember {
		row.Cells["status"] = status(m.Status)
	}
	return row
}

// levelField is the field of the level of one member; all stand in one form.
func levelField(who string) string { return "level." + who }

func memberOf(m admin.ConnectionMember) memberView {
	out := memberView{ConnectionMember: m, Who: m.ID, Href: "/users/" + m.ID, Effective: levelBadge(m.Effective), Why: m.Why}
	if m.Kind == directory.GroupMember {
		out.Who, out.Href = "group:"+m.ID, "/groups/"+m.ID
	}
	if m.Own != nil {
		out.Role = m.Own.String()
		out.Via = append(out.Via, Badge("Direct", Neutral))
	}
	for _, via := range m.Via {
		cell := Badge(via, Info)
		if role, ok := strings.CutPrefix(via, "Role "); ok {
			name, _, _ := strings.Cut(role, " ")
			cell = Link(via, rolePath(directory.RoleName(name)))
			out.Why = strings.Replace(m.Why, "; change it there", "; change it in Roles", 1)
		}
		out.Via = append(out.Via, cell)
	}
	if n := len(m.Via); n > 2 && out.Why != "" {
		_, where, _ := strings.Cut(out.Why, "; ")
		out.Why = fmt.Sprintf("From %s and %d more; %s", m.Via[0], n-1, where)
	}
	return out
}

func (c *Console) setConnectionMember(req request) (templ.Component, error) {
	who := req.PostForm.Get("who")
	level, err := directory.ParseLevel(req.PostForm.Get(levelField(who)))
	if err != nil {
		return nil, err
	}
	out, err := c.Service.SetConnectionMember(req.Context(), req.by, req.PathValue("key"), who, level)
	if text, typed := refused(err); typed {
		return c.showMembers(req, text)
	}
	if err != nil {
		return nil, err
	}
	return c.redirect(req, integrationPath(req.PathValue("key"))+"/members", "Role here: "+levelName(level)+"."+strings.TrimSuffix(" No effect below what comes from elsewhere: "+out.Note, " No effect below what comes from elsewhere: "))
}

func (c *Console) resetConnectionMember(req request) (templ.Component, error) {
	_, err := c.Service.ResetConnectionMember(req.Context(), req.by, req.PathValue("key"), req.PostForm.Get("who"))
	if text, typed := refused(err); typed {
		return c.showMembers(req, text)
	}
	if err != nil {
		return nil, err
	}
	return c.redirect(req, integrationPath(req.PathValue("key"))+"/members", "Reset: what is assigned here is gone, what comes from elsewhere stays.")
}

// removal tries to take all access away.
func (c *Console) removal(req request, who string) func(ctx context.Context) (admin.Outcome, error) {
	return func(ctx context.Context) (admin.Outcome, error) {
		return c.Service.RemoveConnectionMember(ctx, req.by, req.PathValue("key"), who)
	}
}

func (c *Console) askRemoveMember(req request) (templ.Component, error) {
	return c.showRemoval(req, req.URL.Query().Get("who"), nil)
}

func (c *Console) showRemoval(req request, who string, stale []string) (templ.Component, error) {
	path, name := integrationPath(req.PathValue("key")), who
	all, err := c.Service.ConnectionMembers(req.Context(), req.PathValue("key"))
	if err != nil {
		return nil, err
	}
	for i := range all {
		if m := memberOf(all[i]); m.Who == who {
			name = m.Name
		}
	}
	v := mappingAsk{
		mappingHead: mappingHead{May: true}, Title: "Remove " + name + " from " + req.PathValue("key"), Text: "The assignment on this integration ends.", Do: "Remove",
		Path: path + "/remove", Back: path + "/members", Danger: true, Fields: map[string]string{"who": who}, Stale: stale,
	}
	v.Impact, err = c.tried(req, c.removal(req, who))
	if text, typed := refused(err); typed {
		return c.showMembers(req, text)
	}
	if err != nil {
		return nil, err
	}
	return c.frame(req, v.Title, mappingAskTemplate(v)), nil
}

func (c *Console) removeConnectionMember(req request) (templ.Component, error) {
	who := req.PostForm.Get("who")
	impact, err := c.tried(req, c.removal(req, who))
	if text, typed := refused(err); typed {
		return c.showMembers(req, text)
	}
	if err != nil {
		return nil, err
	}
	if !impact.confirmed(req) {
		return c.showRemoval(req, who, []string{"Type the number of people that this touches."})
	}
	if _, err := c.removal(req, who)(req.Context()); err != nil {
		return nil, err
	}
	return c.redirect(req, integrationPath(req.PathValue("key"))+"/members", "Removed.")
}
