package console

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/a-h/templ"
	"github.com/usherd/usherd/admin"
	"github.com/usherd/usherd/authz"
	"github.com/usherd/usherd/directory"
)

// A userView is the page of a user.
type userView struct {
	admin.UserPage
	Viewer  *Viewer
	Choices admin.Choices
	Path    string
	Tabs    []tab
	Source  []Cell // badges of the identities
	Local   *directory.Identity
	Gone    bool // deleted: a tombstone
	Problem string
	Typed   userTyped
}

// userTyped is what stands in the fields of an edit.
type userTyped struct {
	Name, UserName string
	Type           directory.UserType
	Version        int64
	Theirs         string // what somebody else made of it meanwhile
}

var userTabs = []string{"details", "groups", "access", "integrations", "identities", "home", "activity", "raw"}

// readUser fills what all tabs of a user show.
func (c *Console) readUser(req request) (userView, error) {
	id := req.PathValue("id")
	page, err := c.Service.User(req.Context(), id)
	v := userView{Viewer: req.viewer, Path: "/users/" + id}
	if err != nil {
		return v, err
	}
	v.UserPage, v.Path = page, "/users/"+string(page.ID)
	if req.viewer.Anywhere(admin.ReadDirectory) {
		if v.Choices, err = c.Service.Choices(req.Context()); err != nil {
			return v, err
		}
	}
	kinds := kindsOf(v.Choices.Sources)
	for i := range page.Identities {
		identity := &page.Identities[i]
		if identity.Presence != directory.Deleted {
			v.Source = append(v.Source, req.viewer.origin(identity.Source, kinds))
			if identity.Source == directory.Local {
				v.Local = identity
			}
		}
	}
	v.Gone = page.Status == admin.StatusDeleted
	tabs := slices.Clone(userTabs)
	if !req.viewer.Can(admin.ReadDirectory) && req.viewer.ID != page.ID {
		tabs = slices.DeleteFunc(tabs, func(t string) bool { return t == "raw" || t == "home" })
	}
	if !req.viewer.Can(admin.ReadAudit) {
		tabs = slices.DeleteFunc(tabs, func(t string) bool { return t == "activity" })
	}
	if v.Gone {
		tabs = slices.DeleteFunc(tabs, func(t string) bool { return slices.Contains([]string{"groups", "access", "integrations", "home"}, t) })
	}
	v.Tabs = tabsOf(v.Path, req.PathValue("tab"), tabs...)
	if v.Local != nil {
		v.Typed = userTyped{Name: v.Local.DisplayName, UserName: v.Local.UserName, Type: v.Type, Version: v.Local.Version}
	}
	return v, nil
}

// Editable says whether name and type can be changed here by this viewer.
func (v userView) Editable() bool { return v.MayChange && v.Local != nil && !v.Gone }

// Locked says why fields can't be changed, or nothing.
func (v userView) Locked() string {
	switch {
	case v.Gone:
		return "" // the page says it above
	case v.Local == nil && len(v.ManagedBy) > 0:
		return fmt.Sprintf("Managed by %s – change it there.", sourceWords(kindsOf(v.Choices.Sources), v.ManagedBy...))
	case !v.MayChange:
		return "You may not change this user."
	}
	return ""
}

func (c *Console) user(req request) (templ.Component, error) {
	v, err := c.readUser(req)
	if err != nil {
		return nil, err
	}
	return c.userTab(req, v)
}

// userTab shows one tab of a user.
func (c *Console) userTab(req request, v userView) (templ.Component, error) {
	body, err := c.userTabBody(req, v)
	if err != nil || body == nil {
		return nil, err
	}
	return c.frame(req, v.Name, userTemplate(v, body)), nil
}

func (c *Console) userTabBody(req request, v userView) (templ.Component, error) {
	switch req.PathValue("tab") {
	case "", "details":
		return userDetails(v), nil
	case "groups":
		return c.userGroups(req, v)
	case "access":
		return c.userAccess(req, v, "")
	case "integrations":
		return c.userAccess(req, v, string(directory.IntegrationLevel))
	case "identities":
		return userIdentities(v), nil
	case "home":
		h, err := c.homeOf(req, v.ID)
		return homeTemplate(h), err
	case "activity":
		return c.recent(req, string(v.ID))
	case "raw":
		return c.userRaw(req, v)
	case "block", "delete":
		return c.confirmUser(req, v, req.PathValue("tab"))
	case "follow":
		return c.followPreview(req, v)
	}
	return nil, errNoPage
}

var belongingList = ListSpec{
	Name: "user-groups", Title: "Groups", Noun: "groups", Searches: "by name",
	Columns: []Column{
		{Key: "name", Title: "Group", Default: true},
		{Key: "source", Title: "Source", Default: true},
		{Key: "how", Title: "How", Default: true},
		{Key: "scope", Title: "Scope", Default: true},
		{Key: "status", Title: "Status", Default: true},
		{Key: "menu", Title: "Change", Default: true, Here: true},
	},
}

// A userGroupsView is the groups of a user, and those that can be added.
type userGroupsView struct {
	userView
	List List
	Add  []Option
}

func (c *Console) userGroups(req request, v userView) (templ.Component, error) {
	all, err := c.Service.Belongings(req.Context(), string(v.ID))
	if err != nil {
		return nil, err
	}
	out := userGroupsView{userView: v, List: List{ListSpec: belongingList, State: c.state(req, belongingList), Asof: c.Now()}}
	kinds := kindsOf(v.Choices.Sources)
	for _, g := range all {
		if !strings.Contains(strings.ToLower(g.Name), strings.ToLower(out.List.Q)) {
			continue
		}
		how, change := Text("directly"), Cell{}
		switch {
		case g.Through != "":
			how = Text("because it holds " + g.Through)
		case g.Removable && req.viewer.May(admin.WriteGroups, g.Project):
			change = Cell{Show: removeMember("/groups/"+string(g.ID)+"/remove", string(v.ID), g.Name, v.Path+"/groups")}
		case !g.Removable:
			change = Cell{Show: lockedText(fmt.Sprintf("Managed by %s – change it there", sourceWords(kinds, g.Source)), "/sources/"+string(g.Source))}
		}
		out.List.Rows = append(out.List.Rows, Row{ID: string(g.ID), Label: g.Name, Cells: map[string]Cell{
			"name": Link(g.Name, "/groups/"+string(g.ID)), "source": req.viewer.origin(g.Source, kinds), "how": how,
			"scope": Text(scopeName(g.Project, v.Choices.Projects)), "status": status(string(g.Status)), "menu": change,
		}})
	}
	out.List.Total = len(out.List.Rows)
	if req.viewer.Anywhere(admin.WriteGroups) {
		if out.Add, err = c.localGroups(req, nil); err != nil {
			return nil, err
		}
		out.Add = slices.DeleteFunc(out.Add, func(o Option) bool {
			return slices.ContainsFunc(v.Groups, func(g admin.UserGroup) bool { return string(g.ID) == o.Value })
		})
	}
	return userGroupsTemplate(out), nil
}

var accessList = ListSpec{
	Name: "user-access", Title: "Access", Noun: "permissions", Searches: "in these",
	Columns: []Column{
		{Key: "kind", Title: "Kind", Default: true},
		{Key: "key", Title: "Permission", Default: true},
		{Key: "level", Title: "Effective level", Default: true},
		{Key: "scope", Title: "Scope", Default: true},
		{Key: "via", Title: "Via", Default: true},
	},
	Filters: []Filter{{Key: "own", Title: "Show", Options: []Option{{"1", "own only"}}}},
}

// An accessView is what a user or a group may do.
type accessView struct {
	userView
	List      List
	Overrides []overrideView
	Roles     []authz.RoleUse
	Edit      bool
	Partly    bool // only what counts in one project is shown, without why
}

// An overrideView is an override with what it hides.
type overrideView struct {
	directory.Override
	Scope string
	By    string
	Hides []admin.Hiding
	May   bool
}

// userAccess lists what a user may do: everything, or one kind.
func (c *Console) userAccess(req request, v userView, kind string) (templ.Component, error) {
	out := accessView{userView: v, Edit: req.viewer.Anywhere(admin.WriteGrants)}
	q := admin.PermissionsQuery{Anywhere: true, Why: true}
	if !req.viewer.Can(admin.AskChecks) && req.viewer.ID != v.ID {
		q, out.Partly = admin.PermissionsQuery{}, true
		if len(v.Projects) > 0 {
			q.Project = v.Projects[0]
		}
	}
	held, err := c.Service.PermissionsOf(req.Context(), string(v.ID), q)
	if err != nil {
		return nil, err
	}
	out.List = List{ListSpec: accessList, State: c.state(req, accessList), Asof: c.Now()}
	out.Roles = held.RoleUses
	for _, item := range held.Items {
		if kind != "" && item.Kind != kind || out.List.Filter["own"] != "" && !item.Own ||
			!strings.Contains(strings.ToLower(item.Key+" "+strings.Join(item.From, " ")), strings.ToLower(out.List.Q)) {
			continue
		}
		out.List.Rows = append(out.List.Rows, accessRow(item, v.Choices))
	}
	out.List.Total = len(out.List.Rows)
	if out.List.CSV {
		c.csv(req, out.List, rowSeq(out.List.Rows))
		return nil, nil //nolint:nilnil // the file is sent
	}
	for _, o := range v.Overrides {
		shown := overrideView{Override: o, Scope: scopeName(o.Project, v.Choices.Projects), By: c.actorName(req, o.By), May: req.viewer.May(admin.WriteGrants, o.Project)}
		if req.viewer.Anywhere(admin.ReadDirectory) {
			if shown.Hides, err = c.Service.Hidden(req.Context(), o.Project, v.ID); err != nil {
				return nil, err
			}
		}
		out.Overrides = append(out.Overrides, shown)
	}
	return userAccessTemplate(out), nil
}

func accessRow(item admin.HeldItem, ch admin.Choices) Row {
	via := make([]Cell, len(item.From))
	for i, from := range item.From {
		tone := Neutral
		if i == 0 {
			tone = Info // the way that wins
		}
		via[i] = Badge(from, tone)
	}
	level := item.Level
	if level == "" {
		level = "yes"
	}
	return Row{ID: item.Kind + item.Key + string(item.Project), Label: item.Key, Cells: map[string]Cell{
		"kind": Text(capital(item.Kind)), "key": {Text: item.Key, Show: titledKey(titleOfKey(item.Kind, item.Key, ch), item.Key)},
		"level": Text(level), "scope": Text(scopeName(item.Project, ch.Projects)), "via": Cells(via...),
	}}
}

// titleOfKey is what people call what a permission is for; empty: its key.
func titleOfKey(kind, key string, ch admin.Choices) string {
	feature, action, _ := strings.Cut(key, ":")
	switch directory.PrivilegeKind(kind) {
	case directory.Access, directory.RolePrivilege:
		for _, f := range ch.Features {
			if f.Key == feature && f.Title != "" {
				return strings.TrimSuffix(f.Title+": "+action, ": ")
			}
		}
	case directory.OutputPrivilege:
		for _, o := range ch.Outputs {
			if o.Key == key {
				return o.Title
			}
		}
	case directory.IntegrationLevel:
		for _, i := range ch.Integrations {
			if i.Key == key {
				return i.Title
			}
		}
	}
	return ""
}

// roleVia says in a few words how somebody has a Role.
func roleVia(p authz.Path) string {
	switch {
	case p.DefaultRole:
		return "by default"
	case len(p.Groups) > 0:
		return "group " + p.Groups[0].Name + " (" + string(p.Groups[0].Source) + ")"
	}
	return "direct"
}

// Origin is the badge of where a membership of the user comes from.
func (v userView) Origin(source directory.SourceName) Cell {
	return v.Viewer.origin(source, kindsOf(v.Choices.Sources))
}

// RestorableUntil is when a deleted user can no longer be restored.
func (v userView) RestorableUntil() time.Time { return v.DeletedSince.Add(directory.RestoreFor) }

// rowSeq yields rows that are there already.
func rowSeq(rows []Row) func(func(Row, error) bool) {
	return func(yield func(Row, error) bool) {
		for _, row := range rows {
			if !yield(row, nil) {
				return
			}
		}
	}
}

// actorName is what people call an actor of a record: "user:ID" is a person.
func (c *Console) actorName(req request, actor string) string {
	id := strings.TrimPrefix(actor, directory.ActorUser+":")
	if !directory.IsID(id) || !req.viewer.Anywhere(admin.ReadDirectory) {
		return actor
	}
	names, err := c.Service.NamesOfUsers(req.Context(), directory.UserID(id))
	if err != nil || names[directory.UserID(id)] == "" {
		return actor
	}
	return names[directory.UserID(id)]
}

// userRaw shows what the sources say, as they said it.
func (c *Console) userRaw(req request, v userView) (templ.Component, error) {
	if !req.viewer.Can(admin.ReadDirectory) && req.viewer.ID != v.ID {
		return nil, admin.ErrForbidden
	}
	var parts []rawPart
	for _, id := range v.Identities {
		text, err := json.MarshalIndent(id, "", "  ")
		if err != nil {
			return nil, fmt.Errorf("showing an identity: %w", err)
		}
		parts = append(parts, rawPart{string(id.Source), string(text)})
	}
	return userRawTemplate(parts), nil
}

type rawPart struct{ Source, Text string }

// changeUser does what a form of the page of a user asks for.
func (c *Console) changeUser(req request) (templ.Component, error) {
	switch req.PathValue("do") {
	case "details":
		return c.editUser(req)
	case "unblock":
		return c.unblockUser(req)
	case "block":
		return c.blockUser(req)
	case "delete":
		return c.deleteUser(req)
	case "restore":
		return c.restoreUser(req)
	case "join":
		return c.joinGroup(req)
	case "permissions":
		return c.openPermissions(req)
	case "follow":
		return c.followDirectory(req)
	}
	return nil, errNoPage
}

func (c *Console) editUser(req request) (templ.Component, error) {
	v, err := c.readUser(req)
	if err != nil {
		return nil, err
	}
	form := req.PostForm
	version, _ := strconv.ParseInt(form.Get("version"), 10, 64) // 0 can't be current: it is refused below
	v.Typed = userTyped{Name: form.Get("name"), UserName: form.Get("userName"), Type: directory.UserType(form.Get("type")), Version: version}
	if v.Local != nil && version != v.Local.Version {
		v.Problem = "Somebody changed this user meanwhile. Their values stand beside yours; save again to put yours in their place."
		v.Typed.Version = v.Local.Version
		v.Typed.Theirs = fmt.Sprintf("name %q, userName %q, type %s", v.Local.DisplayName, v.Local.UserName, typeName(v.Type))
		return c.frame(req, v.Name, userTemplate(v, userDetails(v))), nil
	}
	_, err = c.Service.EditUser(req.Context(), req.by, string(v.ID), admin.UserEdit{
		Name: &v.Typed.Name, UserName: &v.Typed.UserName, Type: &v.Typed.Type, Version: version,
	})
	if text, ok := refused(err); ok {
		v.Problem = text
		return c.frame(req, v.Name, userTemplate(v, userDetails(v))), nil
	}
	if err != nil {
		return nil, err
	}
	return c.redirect(req, v.Path, "Saved.")
}

func (c *Console) unblockUser(req request) (templ.Component, error) {
	id := req.PathValue("id")
	out, err := c.Service.SetBlock(req.Context(), req.by, id, false, "")
	if err != nil {
		return nil, err
	}
	notice := "User enabled."
	if out.Note != "" {
		notice = "The block is lifted, but " + out.Note + "."
	}
	return c.redirect(req, "/users/"+id, notice)
}

func (c *Console) blockUser(req request) (templ.Component, error) {
	id := req.PathValue("id")
	if _, err := c.Service.SetBlock(req.Context(), req.by, id, true, req.PostForm.Get("reason")); err != nil {
		return nil, err
	}
	return c.redirect(req, "/users/"+id, "User disabled.")
}

// A confirmView asks before something is done to one user or group.
type confirmView struct {
	Action, Title, Button, Warning string
	Preview                        effectsView
	Fields                         []Option // hidden ones
	Reason                         bool     // asks for one
	Type                           string   // what has to be typed, if anything
	Problem                        string
	Back                           string
}

// confirmUser previews disabling or deleting a user.
func (c *Console) confirmUser(req request, v userView, do string) (templ.Component, error) {
	q := confirmView{Action: v.Path + "/" + do, Back: v.Path}
	action := func(ctx context.Context) (admin.Outcome, error) {
		return c.Service.SetBlock(ctx, req.by, string(v.ID), true, "")
	}
	if do == "block" {
		q.Title, q.Button, q.Reason = "Disable "+v.Name+"?", "Disable", true
		q.Warning = "A disabled user has nothing, whatever a directory says. Enabling gives everything back."
	} else {
		q.Title, q.Button, q.Type = "Delete "+v.Name+"?", "Delete", v.Name
		q.Warning = "Memberships and grants end. For " + inDays(directory.RestoreFor) + " the user can be restored, without them."
		if len(v.ManagedBy) > 0 {
			q.Warning = fmt.Sprintf("%s comes from %s and will return at the next sync: disable instead. %s", v.Name, words(v.ManagedBy), q.Warning)
		}
		action = func(ctx context.Context) (admin.Outcome, error) {
			return c.Service.DeleteUser(ctx, req.by, string(v.ID), 0, true)
		}
	}
	var err error
	if q.Preview, err = c.preview(req, action); err != nil {
		return nil, err
	}
	q.Preview.Ask = false // it is one user, named on the page
	return confirmTemplate(q), nil
}

func (c *Console) deleteUser(req request) (templ.Component, error) {
	v, err := c.readUser(req)
	if err != nil {
		return nil, err
	}
	if strings.TrimSpace(req.PostForm.Get("typed")) != v.Name {
		return nil, fmt.Errorf("%w: type the name %s to delete the user", directory.ErrInvalid, v.Name)
	}
	if _, err := c.Service.DeleteUser(req.Context(), req.by, string(v.ID), 0, true); err != nil {
		return nil, err
	}
	return c.redirect(req, "/users", v.Name+" was deleted. The user can be restored for "+inDays(directory.RestoreFor)+".")
}

func (c *Console) restoreUser(req request) (templ.Component, error) {
	id := req.PathValue("id")
	out, err := c.Service.RestoreUser(req.Context(), req.by, id)
	if err != nil {
		return nil, err
	}
	return c.redirect(req, "/users/"+id, "User restored. "+out.Note)
}

// joinGroup adds a user to a local group.
func (c *Console) joinGroup(req request) (templ.Component, error) {
	id := req.PathValue("id")
	if _, err := c.Service.AddMembers(req.Context(), req.by, req.PostForm.Get("group"), []string{id}); err != nil {
		return nil, err
	}
	return c.redirect(req, "/users/"+id+"/groups", "Added to the group.")
}

// openPermissions goes to the editor of permissions with this user alone.
func (c *Console) openPermissions(req request) (templ.Component, error) {
	key, err := c.selected(req, req.PathValue("id"))
	if err != nil {
		return nil, err
	}
	http.Redirect(req.w, req.Request, withQuery("/users/bulk/permissions", "sel", key), http.StatusSeeOther)
	return nil, nil //nolint:nilnil // the browser goes on
}

// presence says what a source says of somebody.
func presence(id directory.Identity) Cell {
	switch {
	case id.Presence == directory.Deleted:
		return Badge("Deleted by the source", Neutral)
	case id.Presence == directory.Gone:
		return Badge("Gone from the source", Warn)
	case !id.Active:
		return Badge("Inactive", Warn)
	}
	return Badge("Active", Good)
}
