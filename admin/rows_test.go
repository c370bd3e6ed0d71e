package admin_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/usherd/usherd/admin"
	"github.com/usherd/usherd/directory"
)

// Each row that must work, of the four products, has a test of its name here.
// What only a page shows (columns, a passing notice) is tested with the pages.

const rowsPolicy = `
projects: [{key: alpha, title: Alpha}, {key: beta, title: Beta}]
features:
  - {key: part-list, actions: [edit], seat: {monthly: 4.00, currency: EUR}}
  - {key: drawing, actions: [edit], seat: {monthly: 9.50, currency: EUR}}
  - {key: handbook}
outputs: [{key: cut-list, feature: part-list}]
integrations: [{key: aws}, {key: gcp}]
resources: {record: {actions: [read]}}
roles:
  - {name: sees, rights: [integrations.view_all]}
  - {name: uses, rights: [integrations.use_all]}
  - {name: manages, rights: [integrations.manage_all]}
  - {name: creates, rights: [integrations.create]}
  - {name: all-four, rights: [integrations.view_all, integrations.use_all, integrations.manage_all, integrations.create]}
  - {name: guest, rights: [directory.read]}
`

// rows is a world with the policy of these tests. Ann, ben and cleo are local;
// dora comes from a source, which also owns the group hr/Staff with dora in it.
func rows(t *testing.T) (w *world, ids map[string]directory.UserID) {
	t.Helper()
	w = newWorld(t)
	w.policy(rowsPolicy)
	ids = map[string]directory.UserID{}
	for _, name := range []string{"ann", "ben", "cleo"} {
		made, err := w.CreateUser(t.Context(), by, admin.NewUser{UserName: name, Email: name + "@example.com", Company: "Acme"})
		if err != nil {
			t.Fatal(err)
		}
		ids[name] = made.ID
	}
	ids["dora"], ids["ed"] = directory.UserID(directory.NewID()), directory.UserID(directory.NewID())
	staff := directory.GroupID(directory.NewID())
	w.apply(
		directory.PutSource{Source: directory.Source{Name: "hr", Kind: directory.KindSCIM, State: directory.SourceActive}},
		directory.CreateUser{ID: ids["dora"], Source: "hr", Profile: directory.Profile{UserName: "dora", ExternalID: "e-4", Active: true}},
		directory.CreateUser{ID: ids["ed"], Source: "hr", Profile: directory.Profile{UserName: "ed", ExternalID: "e-5", Active: true}},
		directory.CreateGroup{ID: staff, Source: "hr", Name: "Staff"},
		directory.AddMembers{Group: staff, Source: "hr", Values: []string{string(ids["dora"]), string(ids["ed"])}},
	)
	return w, ids
}

// made makes a local group as an administrator does.
func (w *world) made(n admin.NewGroup) directory.GroupID {
	w.t.Helper()
	g, err := w.CreateGroup(w.t.Context(), by, n)
	if err != nil {
		w.t.Fatalf("CreateGroup(%+v) = %v", n, err)
	}
	return g.ID
}

// must fails the test unless err is nil.
func must[T any](t *testing.T) func(T, error) T {
	return func(out T, err error) T {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return out
	}
}

// home is the home page of a user.
func (w *world) home(user string) string {
	w.t.Helper()
	p, err := w.Permissions(w.t.Context(), user, "")
	if err != nil {
		w.t.Fatal(err)
	}
	return strings.Join(p.Access, " ")
}

// in asks a check in a project.
func (w *world) in(project directory.ProjectKey, user, action, typ, id string) bool {
	w.t.Helper()
	q := admin.Question{User: user, Action: action, Project: project}
	q.Resource.Type, q.Resource.ID = typ, id
	a, err := w.Check(w.t.Context(), q)
	if err != nil {
		w.t.Fatalf("Check(%v) = %v", q, err)
	}
	return a.Decision
}

func TestRowI1GroupsBesideUsers(t *testing.T) {
	w, _ := rows(t)
	w.made(admin.NewGroup{Name: "Shop", Members: []string{"ann", "ben"}})
	w.made(admin.NewGroup{Name: "Office", Members: []string{"ann"}})
	groups := must[admin.Listing[admin.ListedGroup]](t)(w.Groups(t.Context(), admin.GroupFilter{Sort: "name"}))
	got := map[string][]string{}
	for _, g := range groups.Items {
		for _, m := range g.First {
			got[g.Name] = append(got[g.Name], m.UserName)
		}
	}
	if diff := cmp.Diff(map[string][]string{"Shop": {"ann", "ben"}, "Office": {"ann"}, "Staff": {"dora", "ed"}}, got); diff != "" {
		t.Errorf("groups with their members (-want +got)\n%s", diff)
	}
	users := must[admin.Listing[admin.ListedUser]](t)(w.Users(t.Context(), admin.UserFilter{Sort: "userName"}))
	of := map[string][]string{}
	for _, u := range users.Items {
		page := must[admin.UserPage](t)(w.User(t.Context(), string(u.ID)))
		of[u.UserName] = []string{}
		for _, g := range page.Groups {
			of[u.UserName] = append(of[u.UserName], g.Name)
		}
		slices.Sort(of[u.UserName])
	}
	want := map[string][]string{"ann": {"Office", "Shop"}, "ben": {"Shop"}, "cleo": {}, "dora": {"Staff"}, "ed": {"Staff"}}
	if diff := cmp.Diff(want, of); diff != "" {
		t.Errorf("users with their groups (-want +got)\n%s", diff)
	}
}

func TestRowI2EditAGroup(t *testing.T) {
	w, _ := rows(t)
	id := string(w.made(admin.NewGroup{Name: "Shop", Members: []string{"ann"}, Grants: []admin.GrantSpec{{Access: []string{"part-list"}}}}))
	name, about, blocked, active := "Workshop", "those at the saws", directory.GroupBlocked, directory.GroupActive
	must[admin.Outcome](t)(w.EditGroup(t.Context(), by, id, admin.GroupEdit{Name: &name, Description: &about}))
	must[admin.Outcome](t)(w.AddMembers(t.Context(), by, id, []string{"ben", "dora"})) // of any source
	must[admin.Outcome](t)(w.RemoveMembers(t.Context(), by, id, []string{"ann"}))
	page := must[admin.GroupPage](t)(w.Group(t.Context(), id, 10))
	var members []string
	for _, m := range page.Members {
		members = append(members, m.UserName)
	}
	slices.Sort(members)
	if page.Name != name || page.Description != about || !slices.Equal(members, []string{"ben", "dora"}) {
		t.Errorf("the group is %q, %q with %v", page.Name, page.Description, members)
	}
	if w.home("ann") != "" || w.home("dora") != "part-list" {
		t.Errorf("home pages are %q and %q, want only that of the member", w.home("ann"), w.home("dora"))
	}
	must[admin.Outcome](t)(w.EditGroup(t.Context(), by, id, admin.GroupEdit{Status: &blocked}))
	if w.home("ben") != "" {
		t.Errorf("a member of a blocked group has %q", w.home("ben"))
	}
	must[admin.Outcome](t)(w.EditGroup(t.Context(), by, id, admin.GroupEdit{Status: &active}))
	if w.home("ben") != "part-list" {
		t.Errorf("unblocked, a member has %q", w.home("ben"))
	}
	must[admin.Outcome](t)(w.DeleteGroup(t.Context(), by, id, 0))
	_, err := w.Group(t.Context(), id, 10)
	wantErr(t, "Group after DeleteGroup", err, directory.ErrNotFound)
	if w.home("ben") != "" {
		t.Errorf("a member of a deleted group has %q", w.home("ben"))
	}
	// what a directory owns is read-only, its status and description are ours
	_, err = w.EditGroup(t.Context(), by, "hr/Staff", admin.GroupEdit{Name: &name})
	wantErr(t, "renaming a group of a directory", err, directory.ErrNotOwner)
	_, err = w.RemoveMembers(t.Context(), by, "hr/Staff", []string{"dora"})
	wantErr(t, "taking a member out of a group of a directory", err, directory.ErrNotOwner)
	must[admin.Outcome](t)(w.EditGroup(t.Context(), by, "hr/Staff", admin.GroupEdit{Description: &about, Status: &blocked}))
}

func TestRowI3PrivilegesOfAGroup(t *testing.T) {
	w, _ := rows(t)
	id := string(w.made(admin.NewGroup{Name: "Shop", Members: []string{"ann"}}))
	for _, tt := range []struct {
		kind, action, typ, id string
		spec                  admin.GrantSpec
	}{
		{"access", "access", "feature", "part-list", admin.GrantSpec{Access: []string{"part-list"}}},
		{"role", "edit", "feature", "part-list", admin.GrantSpec{Role: []string{"part-list:edit"}}},
		{"output", "generate", "output", "cut-list", admin.GrantSpec{Output: []string{"cut-list"}}},
		{"integration", "use", "integration", "aws", admin.GrantSpec{Integration: map[string]string{"aws": "consumer"}}},
	} {
		if w.may("ann", tt.action, tt.typ, tt.id) {
			t.Errorf("%s: allowed before it is given", tt.kind)
		}
		must[admin.Outcome](t)(w.GrantToGroup(t.Context(), by, id, tt.spec))
		if !w.may("ann", tt.action, tt.typ, tt.id) {
			t.Errorf("%s: denied after it was given", tt.kind)
		}
	}
	page := must[admin.GroupPage](t)(w.Group(t.Context(), id, 10))
	if page.Access != 1 || page.Role != 1 || page.Output != 1 || page.Integration != 1 || len(page.Grants) != 4 {
		t.Errorf("the group shows %d, %d, %d, %d of %d, want one of each kind", page.Access, page.Role, page.Output, page.Integration, len(page.Grants))
	}
	must[admin.Outcome](t)(w.RevokeFromGroup(t.Context(), by, id, admin.GrantSpec{Access: []string{"part-list"}}))
	if w.may("ann", "edit", "feature", "part-list") || w.may("ann", "generate", "output", "cut-list") || !w.may("ann", "use", "integration", "aws") {
		t.Error("without access its role and output must not count, and the connection must")
	}
}

func TestRowI4HomePage(t *testing.T) {
	w, _ := rows(t)
	shop := string(w.made(admin.NewGroup{Name: "Shop", Members: []string{"ann"}}))
	office := string(w.made(admin.NewGroup{Name: "Office", Members: []string{"ann"}}))
	must[admin.Outcome](t)(w.GrantToGroup(t.Context(), by, office, admin.GrantSpec{Access: []string{"handbook", "part-list"}}))
	must[admin.Outcome](t)(w.GrantToGroup(t.Context(), by, shop, admin.GrantSpec{Access: []string{"drawing", "part-list"}}))
	if got, want := w.home("ann"), "part-list drawing handbook"; got != want {
		t.Errorf("home page is %q, want %q: the order of the catalogue", got, want)
	}
	if got := w.home("cleo"); got != "" {
		t.Errorf("home page of a user without groups is %q, want none", got)
	}
}

func TestRowI5PreviewOfTheBill(t *testing.T) {
	w, ids := rows(t)
	group := w.made(admin.NewGroup{Name: "Shop", Members: []string{"ann", "ben"}})
	give := func(kind directory.PrivilegeKind, key string) directory.Change {
		return directory.PutGrant{Grant: directory.Grant{Group: group, Privilege: directory.Privilege{Kind: kind, Key: key}}}
	}
	d, err := w.Preview(t.Context(), give(directory.Access, "part-list"))
	if err != nil || !d.RaisesBill() || len(d.Seats) != 1 || d.Seats[0].After-d.Seats[0].Before != 2 {
		t.Errorf("Preview(access) = %+v, %v; want two seats more", d, err)
	}
	for what, change := range map[string]directory.Change{
		"a role": give(directory.RolePrivilege, "part-list:edit"), "an output": give(directory.OutputPrivilege, "cut-list"),
		"access to what is free": give(directory.Access, "handbook"),
	} {
		if d, err := w.Preview(t.Context(), change); err != nil || d.RaisesBill() {
			t.Errorf("Preview(%s) raises the bill: %+v, %v", what, d.Money, err)
		}
	}
	w.apply(give(directory.Access, "part-list"))
	another := directory.PutGrant{Grant: directory.Grant{User: ids["ann"], Privilege: directory.Privilege{Kind: directory.Access, Key: "part-list"}}}
	if d, err := w.Preview(t.Context(), another); err != nil || d.RaisesBill() {
		t.Errorf("a second path to the same seat raises the bill: %+v, %v", d.Money, err)
	}
}

// roleTable is what each Role gives: a level on every connection, and create.
var roleTable = []struct {
	role   directory.RoleName
	level  directory.Level
	create bool
}{
	{"owner", directory.Admin, true},
	{"admin", directory.Admin, true},
	{"collaborator", directory.Consumer, false},
	{"viewer", directory.Viewer, false},
	{"auditor", directory.NoLevel, false},
	{"operator", directory.NoLevel, false},
	{"project-none", directory.NoLevel, false},
	{"project-viewer", directory.NoLevel, false},
	{"project-collaborator", directory.NoLevel, false},
	{"project-admin", directory.NoLevel, false},
	{"sees", directory.Viewer, false},
	{"uses", directory.Consumer, false},
	{"manages", directory.Admin, false},
	{"creates", directory.NoLevel, true},
	{"all-four", directory.Admin, true},
	{"guest", directory.NoLevel, false},
}

// levelOf is the level that checks show on a connection.
func (w *world) levelOf(user, connection string) directory.Level {
	w.t.Helper()
	level := directory.NoLevel
	for at, action := range map[directory.Level]string{directory.Viewer: "view", directory.Consumer: "use", directory.Admin: "manage"} {
		if w.may(user, action, "integration", connection) {
			level = max(level, at)
		}
	}
	for at, action := range map[directory.Level]string{directory.Viewer: "view", directory.Consumer: "use", directory.Admin: "manage"} {
		if got := w.may(user, action, "integration", connection); got != (at <= level) {
			w.t.Errorf("%s may %s %s: %t, at level %v", user, action, connection, got, level)
		}
	}
	return level
}

func TestRowD1RolesAndConnections(t *testing.T) {
	w, _ := rows(t)
	roles := must[[]admin.ListedRole](t)(w.Roles(t.Context()))
	if len(roles) != len(roleTable) {
		t.Errorf("there are %d Roles, the table has %d", len(roles), len(roleTable))
	}
	for i, tt := range roleTable {
		user := fmt.Sprint("user", i)
		w.user(user)
		must[admin.Outcome](t)(w.GrantToUser(t.Context(), by, user, admin.GrantSpec{Roles: []directory.RoleName{tt.role}}))
		for _, connection := range []string{"aws", "gcp"} {
			if got := w.levelOf(user, connection); got != tt.level {
				t.Errorf("Role %s gives %v on %s, want %v", tt.role, got, connection, tt.level)
			}
		}
		if got := w.may(user, "create", "integration", "*"); got != tt.create {
			t.Errorf("Role %s lets create connections: %t, want %t", tt.role, got, tt.create)
		}
		if w.may(user, "view", "integration", "none") {
			t.Errorf("Role %s gives something on a connection that nobody knows", tt.role)
		}
	}
	must[admin.Outcome](t)(w.AddIntegration(t.Context(), by, directory.Integration{Key: "later"}))
	for i, tt := range roleTable {
		if got := w.levelOf(fmt.Sprint("user", i), "later"); got != tt.level {
			t.Errorf("Role %s gives %v on a connection made later, want %v", tt.role, got, tt.level)
		}
	}
}

func TestRowD2MembersOfAConnection(t *testing.T) {
	w, _ := rows(t)
	w.made(admin.NewGroup{Name: "Shop", Members: []string{"ben"}})
	for level := directory.NoLevel; level <= directory.Admin; level++ {
		for who, asked := range map[string]string{"ann": "ann", "group:local/Shop": "ben"} {
			must[admin.Outcome](t)(w.SetConnectionMember(t.Context(), by, "aws", who, level))
			if got := w.levelOf(asked, "aws"); got != level {
				t.Errorf("%s with %v has %v", who, level, got)
			}
		}
	}
	if w.levelOf("ann", "gcp") != directory.NoLevel {
		t.Error("an assignment on one connection gives another")
	}
	must[admin.Outcome](t)(w.SetConnectionMember(t.Context(), by, "aws", "cleo", directory.NoLevel))
	listed := map[string]directory.Level{}
	for _, m := range must[[]admin.ConnectionMember](t)(w.ConnectionMembers(t.Context(), "aws")) {
		listed[m.Name] = m.Effective
		if m.Own == nil || !m.Removable || !m.Resets {
			t.Errorf("%s is listed as %+v, want an assignment that can be removed", m.Name, m)
		}
	}
	if diff := cmp.Diff(map[string]directory.Level{"ann": directory.Admin, "local/Shop": directory.Admin, "cleo": directory.NoLevel}, listed); diff != "" {
		t.Errorf("members of aws (-want +got)\n%s", diff)
	}
	must[admin.Outcome](t)(w.RemoveConnectionMember(t.Context(), by, "aws", "ann"))
	if w.levelOf("ann", "aws") != directory.NoLevel {
		t.Error("a removed member has access")
	}
}

func TestRowD3RaiseLowerResetRemove(t *testing.T) {
	w, _ := rows(t)
	levels := []directory.Level{directory.NoLevel, directory.Viewer, directory.Consumer, directory.Admin}
	for _, tt := range roleTable {
		for _, assigned := range levels {
			t.Run(fmt.Sprintf("%s and %s", tt.role, assigned), func(t *testing.T) {
				who := fmt.Sprint(tt.role, "-", assigned)
				w.user(who)
				must[admin.Outcome](t)(w.GrantToUser(t.Context(), by, who, admin.GrantSpec{Roles: []directory.RoleName{tt.role}}))
				done := must[admin.Outcome](t)(w.SetConnectionMember(t.Context(), by, "aws", who, assigned))
				if got := w.levelOf(who, "aws"); got != max(tt.level, assigned) {
					t.Errorf("level %v, want the higher of %v and %v", got, tt.level, assigned)
				}
				if got := w.levelOf(who, "gcp"); got != tt.level {
					t.Errorf("level on another connection %v, want %v", got, tt.level)
				}
				if assigned < tt.level && !strings.Contains(done.Note, "highest level wins") {
					t.Errorf("lowering says %q, want that it has no effect", done.Note)
				}
				all := must[[]admin.ConnectionMember](t)(w.ConnectionMembers(t.Context(), "aws"))
				m := all[slices.IndexFunc(all, func(m admin.ConnectionMember) bool { return m.UserName == who })]
				if m.Removable != (tt.level == directory.NoLevel) || !m.Resets || m.Effective != max(tt.level, assigned) {
					t.Errorf("shown as %+v", m)
				}
				if shown := m.Note != ""; shown != (assigned <= tt.level && tt.level > directory.NoLevel) {
					t.Errorf("shown with the note %q", m.Note)
				}
				if tt.level > directory.NoLevel {
					_, err := w.RemoveConnectionMember(t.Context(), by, "aws", who)
					wantErr(t, "Remove of what comes from a Role", err, directory.ErrInUse)
				}
				must[admin.Outcome](t)(w.ResetConnectionMember(t.Context(), by, "aws", who))
				if got := w.levelOf(who, "aws"); got != tt.level {
					t.Errorf("level %v after Reset, want %v", got, tt.level)
				}
			})
		}
	}
}

func TestRowD4CreatingASyncNeedsBoth(t *testing.T) {
	w, _ := rows(t)
	for i, tt := range []struct {
		level  string
		role   directory.RoleName // in alpha
		manage bool
		create bool
	}{
		{"consumer", "project-collaborator", true, true},
		{"consumer", "project-admin", true, true},
		{"admin", "project-collaborator", true, true},
		{"viewer", "project-collaborator", true, false},
		{"none", "project-collaborator", true, false},
		{"consumer", "project-viewer", false, false},
		{"consumer", "project-none", false, false},
		{"admin", "project-viewer", false, false},
	} {
		user := fmt.Sprint("sync", i)
		w.user(user)
		must[admin.Outcome](t)(w.GrantToUser(t.Context(), by, user, admin.GrantSpec{Integration: map[string]string{"aws": tt.level}}))
		must[admin.Outcome](t)(w.GrantToUser(t.Context(), by, user, admin.GrantSpec{Project: "alpha", Roles: []directory.RoleName{tt.role}}))
		if got := w.in("alpha", user, "manage_syncs", "project", "alpha"); got != tt.manage {
			t.Errorf("%s lets manage syncs: %t, want %t", tt.role, got, tt.manage)
		}
		if got := w.in("alpha", user, "create_sync", "integration", "aws"); got != tt.create {
			t.Errorf("%s and %s create a sync: %t, want %t", tt.level, tt.role, got, tt.create)
		}
		if w.in("beta", user, "create_sync", "integration", "aws") || w.in("", user, "create_sync", "integration", "aws") {
			t.Errorf("%s and %s in alpha create a sync elsewhere", tt.level, tt.role)
		}
	}
}

func TestRowL1Roles(t *testing.T) {
	w, _ := rows(t)
	w.made(admin.NewGroup{Name: "Guests", Members: []string{"ann", "ben"}, Grants: []admin.GrantSpec{{Roles: []directory.RoleName{"guest"}}}})
	must[admin.Outcome](t)(w.GrantToUser(t.Context(), by, "cleo", admin.GrantSpec{Project: "alpha", Roles: []directory.RoleName{"project-viewer"}}))
	for _, r := range must[[]admin.ListedRole](t)(w.Roles(t.Context())) {
		if want := map[directory.RoleName][2]int{"guest": {1, 2}, "project-viewer": {0, 1}}[r.Name]; r.Groups != want[0] || r.Users != want[1] {
			t.Errorf("Role %s shows %d groups and %d users, want %v", r.Name, r.Groups, r.Users, want)
		}
	}
	updated := func() map[directory.RoleName]time.Time {
		times := map[directory.RoleName]time.Time{}
		for _, r := range must[[]admin.ListedRole](t)(w.Roles(t.Context())) {
			times[r.Name] = r.Modified
		}
		return times
	}
	if all := updated(); !all["guest"].IsZero() || !all["viewer"].IsZero() {
		t.Errorf("before anybody changed them guest was updated %s and viewer %s, want never", all["guest"], all["viewer"])
	}
	must[admin.Outcome](t)(w.EditRole(t.Context(), by, admin.RoleSpec{Name: "guest", Title: "Guests of the house", Rights: []directory.Right{directory.DirectoryRead}}, 0))
	if all := updated(); time.Since(all["guest"]).Abs() > time.Minute || !all["viewer"].IsZero() {
		t.Errorf("after a change guest was updated %s and viewer %s, want now and never", all["guest"], all["viewer"])
	}
	page := must[admin.RolePage](t)(w.Role(t.Context(), "guest", 10))
	if len(page.GivenTo) != 1 || page.GivenTo[0].Name != "Guests" || page.Holders.Total != 2 ||
		page.Holders.Items[0].UserName != "ann" || page.Holders.Items[0].Type != directory.Standard {
		t.Errorf("Role guest shows %+v", page)
	}
	if u := must[admin.UserPage](t)(w.User(t.Context(), "cleo")); !slices.Equal(u.Projects, []directory.ProjectKey{"alpha"}) {
		t.Errorf("cleo shows the projects %v, want alpha", u.Projects)
	}
}

func TestRowL2UserGroups(t *testing.T) {
	w, _ := rows(t)
	w.made(admin.NewGroup{Name: "Guests", Members: []string{"ann", "ben"}, Grants: []admin.GrantSpec{{Roles: []directory.RoleName{"guest"}, Access: []string{"handbook"}}}})
	list := must[admin.Listing[admin.ListedGroup]](t)(w.Groups(t.Context(), admin.GroupFilter{Role: "guest"}))
	if len(list.Items) != 1 || list.Items[0].Name != "Guests" || list.Items[0].Members != 2 || !slices.Equal(list.Items[0].Roles, []directory.RoleName{"guest"}) {
		t.Errorf("groups with the Role guest are %+v", list.Items)
	}
	page := must[admin.GroupPage](t)(w.Group(t.Context(), "local/Guests", 10))
	var given []string
	for _, g := range page.Given {
		given = append(given, string(g.Role)+g.Privilege.Key)
	}
	slices.Sort(given)
	if !slices.Equal(given, []string{"guest", "handbook"}) {
		t.Errorf("the group shows the privileges %v", given)
	}
}

func TestRowL3Users(t *testing.T) {
	w, _ := rows(t)
	w.made(admin.NewGroup{Name: "Shop", Project: "alpha", Members: []string{"ann"}})
	list := must[admin.Listing[admin.ListedUser]](t)(w.Users(t.Context(), admin.UserFilter{Sort: "userName"}))
	u := list.Items[0]
	if u.UserName != "ann" || u.Type != directory.Standard || u.Email != "ann@example.com" || u.ID == "" || !u.LastLogin.IsZero() || u.Status != admin.StatusActive {
		t.Errorf("the list shows %+v", u)
	}
	page := must[admin.UserPage](t)(w.User(t.Context(), "ann"))
	if page.Email != "ann@example.com" || page.Company != "Acme" || len(page.Groups) != 1 || page.Groups[0].Project != "alpha" {
		t.Errorf("the page shows %+v", page)
	}
}

func TestRowL4AddEditDisableDelete(t *testing.T) {
	w, _ := rows(t)
	shop := w.made(admin.NewGroup{Name: "Shop", Grants: []admin.GrantSpec{{Access: []string{"part-list"}}}})
	made := must[admin.MadeUser](t)(w.CreateUser(t.Context(), by, admin.NewUser{
		UserName: "eve", Name: "Eve", Email: "eve@example.com", Company: "Acme", Groups: []string{string(shop)},
	}))
	name := "Eve Adams"
	must[admin.Outcome](t)(w.EditUser(t.Context(), by, "eve", admin.UserEdit{Name: &name}))
	page := must[admin.UserPage](t)(w.User(t.Context(), string(made.ID)))
	if page.Name != name || page.Email != "eve@example.com" || page.Company != "Acme" || w.home("eve") != "part-list" {
		t.Errorf("after the edit: %+v, home page %q; e-mail and company stay", page, w.home("eve"))
	}
	must[admin.Outcome](t)(w.SetBlock(t.Context(), by, "eve", true, "left for a year"))
	page = must[admin.UserPage](t)(w.User(t.Context(), "eve"))
	if page.Status != admin.StatusBlocked || page.Reason != "left for a year" || w.home("eve") != "" {
		t.Errorf("disabled: %s, %q, home page %q", page.Status, page.Reason, w.home("eve"))
	}
	must[admin.Outcome](t)(w.SetBlock(t.Context(), by, "eve", false, ""))
	if w.home("eve") != "part-list" {
		t.Errorf("enabled: home page %q", w.home("eve"))
	}
	must[admin.Outcome](t)(w.DeleteUser(t.Context(), by, "eve", 0, false))
	_, err := w.Permissions(t.Context(), "eve", "")
	wantErr(t, "a deleted user", err, directory.ErrNotFound)
	_, err = w.EditUser(t.Context(), by, "dora", admin.UserEdit{Name: &name})
	wantErr(t, "editing what a directory owns", err, directory.ErrNotOwner)
}

func TestRowL5SearchFilterExport(t *testing.T) {
	w, _ := rows(t)
	w.made(admin.NewGroup{Name: "Shop", Members: []string{"ann", "dora"}})
	must[admin.MadeUser](t)(w.CreateUser(t.Context(), by, admin.NewUser{UserName: "build", Type: directory.Service}))
	for _, tt := range []struct {
		f    admin.UserFilter
		want string
	}{
		{admin.UserFilter{}, "ann ben build cleo dora ed"},
		{admin.UserFilter{Type: directory.Service}, "build"},
		{admin.UserFilter{Group: "local/Shop"}, "ann dora"},
		{admin.UserFilter{Q: "EXAMPLE.com"}, "ann ben cleo"},
		{admin.UserFilter{Source: "hr", Group: "local/Shop"}, "dora"},
		{admin.UserFilter{Q: "nobody"}, ""},
	} {
		tt.f.Sort = "userName"
		var listed, exported []string
		for _, u := range must[admin.Listing[admin.ListedUser]](t)(w.Users(t.Context(), tt.f)).Items {
			listed = append(listed, u.UserName)
		}
		if err := w.EachUser(t.Context(), tt.f, func(u admin.ListedUser) error { exported = append(exported, u.UserName); return nil }); err != nil {
			t.Fatal(err)
		}
		if strings.Join(listed, " ") != tt.want || !slices.Equal(listed, exported) {
			t.Errorf("Users(%+v) = %v, EachUser %v; want %s", tt.f, listed, exported, tt.want)
		}
	}
}

func TestRowU1WhoMakesGroups(t *testing.T) {
	w, ids := rows(t)
	must[admin.Outcome](t)(w.GrantToUser(t.Context(), by, "ann", admin.GrantSpec{Roles: []directory.RoleName{"admin"}}))
	must[admin.Outcome](t)(w.GrantToUser(t.Context(), by, "ben", admin.GrantSpec{Project: "alpha", Roles: []directory.RoleName{"project-admin"}}))
	must[admin.Outcome](t)(w.GrantToUser(t.Context(), by, "cleo", admin.GrantSpec{Project: "alpha", Roles: []directory.RoleName{"project-collaborator"}}))
	for _, tt := range []struct {
		who     string
		project directory.ProjectKey
		want    error
	}{
		{"ann", "alpha", nil},
		{"ann", "", nil},
		{"ben", "alpha", nil},
		{"ben", "beta", admin.ErrForbidden},
		{"ben", "", admin.ErrForbidden},
		{"cleo", "alpha", admin.ErrForbidden},
		{"dora", "alpha", admin.ErrForbidden},
	} {
		as := directory.Actor{Kind: directory.ActorUser, Name: string(ids[tt.who])}
		_, err := w.CreateGroup(t.Context(), as, admin.NewGroup{Name: "Crew of " + tt.who, Project: tt.project})
		wantErr(t, fmt.Sprintf("CreateGroup by %s in %q", tt.who, tt.project), err, tt.want)
	}
}

func TestRowU2AssignAndReplace(t *testing.T) {
	w, _ := rows(t)
	crew := string(w.made(admin.NewGroup{Name: "Crew", Project: "alpha", Grants: []admin.GrantSpec{{Access: []string{"drawing"}}}}))
	done, err := w.RunBulk(t.Context(), by, admin.Bulk{Do: "assign", Users: []string{"ann", "ben", "dora"}, Group: crew}, nil)
	if err != nil || done.Done != 3 {
		t.Fatalf("RunBulk(assign) = %+v, %v", done, err)
	}
	for _, who := range []string{"ann", "ben", "dora"} {
		if !w.in("alpha", who, "access", "feature", "drawing") {
			t.Errorf("%s has not what the assigned group gives", who)
		}
	}
	edit := admin.NewOverride{Users: []string{"ann", "ben"}, Project: "alpha", Grants: []admin.GrantSpec{{Access: []string{"part-list"}}}}
	must[admin.MadeOverride](t)(w.SetOverride(t.Context(), by, edit))
	for _, who := range []string{"ann", "ben"} {
		if w.in("alpha", who, "access", "feature", "drawing") || !w.in("alpha", who, "access", "feature", "part-list") {
			t.Errorf("%s: the edit does not replace what was there", who)
		}
	}
	if !w.in("alpha", "dora", "access", "feature", "drawing") {
		t.Error("the edit reached somebody who was not selected")
	}
}

func TestRowU3TheTwoChoices(t *testing.T) {
	w, _ := rows(t)
	for _, n := range []admin.NewOverride{
		{Users: []string{"ann", "ben"}, Project: "alpha", NewGroup: "Night crew", Grants: []admin.GrantSpec{{Access: []string{"drawing"}}}},
		{Users: []string{"cleo", "dora"}, Project: "alpha", Grants: []admin.GrantSpec{{Access: []string{"drawing"}}}},
	} {
		made := must[admin.MadeOverride](t)(w.SetOverride(t.Context(), by, n))
		for _, who := range n.Users {
			page := must[admin.UserPage](t)(w.User(t.Context(), who))
			if !w.in("alpha", who, "access", "feature", "drawing") || w.may(who, "access", "feature", "drawing") {
				t.Errorf("%s: the edit does not count in its scope, and there alone", who)
			}
			own, in := len(page.Grants), slices.ContainsFunc(page.Groups, func(g admin.UserGroup) bool { return g.ID == made.Group })
			if (made.Group != "") != in || (made.Group == "") != (own == 1) || len(page.Overrides) != 1 {
				t.Errorf("%s: own grants %d, in the new group %t, overrides %d", who, own, in, len(page.Overrides))
			}
			must[admin.Outcome](t)(w.EndOverride(t.Context(), by, who, "alpha"))
			if w.in("alpha", who, "access", "feature", "drawing") {
				t.Errorf("%s keeps what the override brought", who)
			}
		}
	}
}

func TestRowU4AGroupsChangeReachesAll(t *testing.T) {
	w, _ := rows(t)
	inner := string(w.made(admin.NewGroup{Name: "Inner", Members: []string{"ben"}}))
	outer := string(w.made(admin.NewGroup{Name: "Outer", Members: []string{"ann", "dora", "group:" + inner}}))
	all := []string{"ann", "ben", "dora"}
	must[admin.Outcome](t)(w.GrantToGroup(t.Context(), by, outer, admin.GrantSpec{Access: []string{"handbook"}}))
	for _, who := range all {
		if w.home(who) != "handbook" {
			t.Errorf("home page of %s is %q at once, want handbook", who, w.home(who))
		}
	}
	must[admin.Outcome](t)(w.RevokeFromGroup(t.Context(), by, outer, admin.GrantSpec{Access: []string{"handbook"}}))
	for _, who := range all {
		if w.home(who) != "" {
			t.Errorf("home page of %s is %q at once, want none", who, w.home(who))
		}
	}
}
