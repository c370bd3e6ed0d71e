package admin_test

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/usherd/usherd/admin"
	"github.com/usherd/usherd/directory"
)

const listPolicy = `
projects: [{key: alpha}, {key: beta}]
features: [{key: part-list, actions: [edit]}]
integrations: [{key: aws}]
roles: [{name: reader, rights: [directory.read]}]
mappings:
  - {name: planners, when: {source: local, group: {name: Planners}}, grant: {project: beta, roles: [project-viewer], access: [part-list]}}
`

func names(l admin.Listing[admin.ListedUser]) string {
	var out []string
	for _, u := range l.Items {
		out = append(out, u.UserName)
	}
	return strings.Join(out, " ")
}

func TestUsersAreFiltered(t *testing.T) {
	w := newWorld(t)
	w.policy(listPolicy)
	ann, ben, cleo := w.user("ann"), w.user("Ben"), w.user("cleo")
	w.apply(directory.CreateUser{ID: directory.UserID(directory.NewID()), Source: directory.Local, Profile: directory.Profile{
		UserName: "robot", DisplayName: "Zeta", Type: directory.Service, Active: true, Emails: []directory.Email{{Value: "Robot@Corp.test"}},
	}})
	inner := w.group("inner", ann)
	outer := w.group("outer", ben)
	w.apply(directory.AddMembers{Group: outer, Source: directory.Local, Values: []string{string(inner)}})
	w.group("Planners", cleo)
	if _, err := w.GrantToGroup(t.Context(), by, "local/outer", admin.GrantSpec{Roles: []directory.RoleName{"reader"}}); err != nil {
		t.Fatal(err)
	}
	w.grantUser("cleo", admin.GrantSpec{Project: "alpha", Access: []string{"part-list"}})
	w.apply(directory.SetBlock{User: ben, Blocked: true, Reason: "lost laptop"}, directory.DeleteUser{ID: w.user("gone"), Source: directory.Local})
	for _, tt := range []struct {
		name string
		f    admin.UserFilter
		want string
	}{
		{"everybody but the deleted", admin.UserFilter{}, "ann Ben cleo robot"},
		{"by a part of a name, in any case", admin.UserFilter{Q: "BE"}, "Ben"},
		{"by an address", admin.UserFilter{Q: "robot@corp"}, "robot"},
		{"by an id", admin.UserFilter{Q: string(cleo)}, "cleo"},
		{"by type", admin.UserFilter{Type: directory.Service}, "robot"},
		{"blocked", admin.UserFilter{Status: admin.StatusBlocked}, "Ben"},
		{"deleted", admin.UserFilter{Status: admin.StatusDeleted}, "gone"},
		{"in a group, nested ones included", admin.UserFilter{Group: "local/outer"}, "ann Ben"},
		{"in the inner group", admin.UserFilter{Group: string(inner)}, "ann"},
		{"with a Role through nesting; who is blocked keeps theirs", admin.UserFilter{Role: "reader"}, "ann Ben"},
		{"with a Role by a mapping in a project", admin.UserFilter{Role: "project-viewer"}, "cleo"},
		{"in a project by a grant", admin.UserFilter{Project: "alpha"}, "cleo"},
		{"in a project by a mapping", admin.UserFilter{Project: "beta"}, "cleo"},
		{"of another source", admin.UserFilter{Source: "okta"}, ""},
		{"never signed in", admin.UserFilter{Login: "never"}, "ann Ben cleo robot"},
		{"sorted by name, downwards", admin.UserFilter{Sort: "-name"}, "robot cleo Ben ann"},
		{"sorted by groups", admin.UserFilter{Sort: "-groups", Limit: 3}, "cleo Ben ann"},
		{"two conditions", admin.UserFilter{Group: "local/outer", Status: admin.StatusActive}, "ann"},
		{"an offset", admin.UserFilter{Offset: 3}, "robot"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got, err := w.Users(t.Context(), tt.f)
			if err != nil || names(got) != tt.want {
				t.Errorf("Users(%+v) = %q, %v; want %q", tt.f, names(got), err, tt.want)
			}
		})
	}
	for name, f := range map[string]admin.UserFilter{
		"status": {Status: "x"}, "sort": {Sort: "x"}, "login": {Login: "x"}, "cursor": {Cursor: "eHh4eHh4eHh4eHh4eHg"},
	} {
		if _, err := w.Users(t.Context(), f); !errors.Is(err, directory.ErrInvalid) {
			t.Errorf("Users with a bad %s = %v, want ErrInvalid", name, err)
		}
	}
}

// TestListsFollow changes people between lists: the roster must show it.
func TestListsFollow(t *testing.T) {
	w := newWorld(t)
	w.policy(listPolicy)
	ann := w.user("ann")
	list := func() admin.ListedUser {
		t.Helper()
		l, err := w.Users(t.Context(), admin.UserFilter{Q: "ann"})
		if err != nil || l.Total != len(l.Items) {
			t.Fatalf("Users = %+v, %v", l, err)
		}
		if len(l.Items) == 0 {
			return admin.ListedUser{}
		}
		return l.Items[0]
	}
	if u := list(); u.Status != admin.StatusActive || u.Groups != 0 {
		t.Errorf("at first: %+v", u)
	}
	g := w.group("G", ann)
	if u := list(); u.Groups != 1 {
		t.Errorf("in a group: %+v, want 1 group", u)
	}
	w.apply(directory.SetBlock{User: ann, Blocked: true, Reason: "why"})
	if u := list(); u.Status != admin.StatusBlocked || u.Reason != "why" {
		t.Errorf("blocked: %+v", u)
	}
	name := "Ann Other"
	if _, err := w.EditUser(t.Context(), by, "ann", admin.UserEdit{Name: &name}); err != nil {
		t.Fatal(err)
	}
	if u := list(); u.Name != name {
		t.Errorf("renamed: %+v", u)
	}
	w.apply(directory.DeleteGroup{ID: g, Source: directory.Local})
	if u := list(); u.Groups != 0 {
		t.Errorf("without the group: %+v, want none", u)
	}
	w.apply(directory.DeleteUser{ID: ann, Source: directory.Local})
	if u := list(); u.ID != "" {
		t.Errorf("deleted: %+v, want nobody", u)
	}
	w.user("ann")
	if u := list(); u.ID == "" || u.ID == ann {
		t.Errorf("a new one of the name: %+v", u)
	}
}

// TestLastLoginsFollow notes sign-ins after a list was read: they are in no feed.
func TestLastLoginsFollow(t *testing.T) {
	w := newWorld(t)
	ann, _ := w.user("ann"), w.user("ben")
	list := func(f admin.UserFilter) string {
		t.Helper()
		l, err := w.Users(t.Context(), f)
		if err != nil {
			t.Fatal(err)
		}
		return names(l)
	}
	if got := list(admin.UserFilter{Login: "never"}); got != "ann ben" {
		t.Errorf("never signed in: %q, want both", got)
	}
	if err := w.store.NoteLogins(t.Context(), map[directory.UserID]time.Time{ann: w.now}); err != nil {
		t.Fatal(err)
	}
	w.now = w.now.Add(time.Minute)
	if got := list(admin.UserFilter{Login: "never"}); got != "ben" {
		t.Errorf("after ann signed in: %q, want ben", got)
	}
	if got := list(admin.UserFilter{Sort: "-lastLogin"}); got != "ann ben" {
		t.Errorf("by the last login: %q, want ann first", got)
	}
	w.now = w.now.AddDate(0, 0, 91)
	if got := list(admin.UserFilter{Login: "90d"}); got != "ann ben" {
		t.Errorf("not for 90 days: %q, want both", got)
	}
}

// TestPagesAreWhole reads lists in pages of several sizes: every one once, in
// order.
func TestPagesAreWhole(t *testing.T) {
	w := newWorld(t)
	var changes []directory.Change
	for i := range 57 {
		changes = append(changes,
			directory.CreateUser{ID: directory.UserID(directory.NewID()), Source: directory.Local, Profile: directory.Profile{UserName: fmt.Sprintf("u%02d", i), DisplayName: "Same", Active: true}},
			directory.CreateGroup{ID: directory.GroupID(directory.NewID()), Source: directory.Local, Name: fmt.Sprintf("g%02d", i)})
	}
	w.apply(changes...)
	for _, size := range []int{1, 2, 7, 57, 100} {
		for _, sort := range []string{"", "name", "-name", "-created", "status"} {
			seen := map[directory.UserID]bool{}
			for f := (admin.UserFilter{Sort: sort, Limit: size}); ; {
				page, err := w.Users(t.Context(), f)
				if err != nil || page.Total != 57 {
					t.Fatalf("Users(%+v) = %d of %d, %v", f, len(page.Items), page.Total, err)
				}
				for _, u := range page.Items {
					if seen[u.ID] {
						t.Errorf("size %d, sort %q: %s is there twice", size, sort, u.UserName)
					}
					seen[u.ID] = true
				}
				if f.Cursor = page.Next; f.Cursor == "" {
					break
				}
			}
			if len(seen) != 57 {
				t.Errorf("size %d, sort %q: %d users, want 57", size, sort, len(seen))
			}
		}
	}
	var got []string
	for f := (admin.GroupFilter{Sort: "-name", Limit: 10}); ; {
		page, err := w.Groups(t.Context(), f)
		if err != nil || page.Total != 57 {
			t.Fatalf("Groups = %+v, %v", page, err)
		}
		for _, g := range page.Items {
			got = append(got, g.Name)
		}
		if f.Cursor = page.Next; f.Cursor == "" {
			break
		}
	}
	if len(got) != 57 || got[0] != "g56" || !slices.IsSortedFunc(got, func(a, b string) int { return strings.Compare(b, a) }) {
		t.Errorf("the pages of groups list %v", got)
	}
}

func TestGroupsShowWhatTheyGive(t *testing.T) {
	w := newWorld(t)
	w.policy(listPolicy)
	var members []directory.UserID
	for _, name := range []string{"zoe", "ann", "ben", "cleo", "dan", "eva", "fay"} {
		members = append(members, w.user(name))
	}
	w.group("Planners", members...)
	if _, err := w.GrantToGroup(t.Context(), by, "local/Planners", admin.GrantSpec{
		Roles: []directory.RoleName{"reader"}, Role: []string{"part-list:edit"}, Integration: map[string]string{"aws": "viewer"},
	}); err != nil {
		t.Fatal(err)
	}
	l, err := w.Groups(t.Context(), admin.GroupFilter{Q: "plan"})
	if err != nil || len(l.Items) != 1 {
		t.Fatalf("Groups = %+v, %v", l, err)
	}
	g := l.Items[0]
	var first []string
	for _, m := range g.First {
		first = append(first, m.Name)
	}
	if strings.Join(first, " ") != "ann ben cleo dan eva" || g.Members != 7 {
		t.Errorf("first members %v of %d, want ann to eva of 7", first, g.Members)
	}
	if g.Access != 1 || g.Role != 1 || g.Output != 0 || g.Integration != 1 || !slices.Equal(g.Roles, []directory.RoleName{"project-viewer", "reader"}) ||
		!slices.Equal(g.Mappings, []string{"planners"}) {
		t.Errorf("the group gives %d %d %d %d, Roles %v, mappings %v", g.Access, g.Role, g.Output, g.Integration, g.Roles, g.Mappings)
	}
}
