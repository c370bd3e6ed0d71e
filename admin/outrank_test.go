package admin_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/usherd/usherd/admin"
	"github.com/usherd/usherd/directory"
)

// TestABlockedGroupIsNoWayUp: what a group would give counts, whether or not it
// is blocked now.
func TestABlockedGroupIsNoWayUp(t *testing.T) {
	w := newWorld(t)
	w.policy("projects: [{key: alpha}]\nfeatures: [{key: part-list}]\n")
	clerk := directory.Actor{Kind: directory.ActorUser, Name: string(w.user("clerk"))}
	w.user("ann")
	w.user("boss")
	w.grantUser("boss", admin.GrantSpec{Roles: []directory.RoleName{"owner"}})
	w.grantUser("clerk", admin.GrantSpec{Roles: []directory.RoleName{"admin"}})
	top, under := w.group("Top"), w.group("Under")
	w.apply(directory.AddMembers{Group: top, Source: directory.Local, Values: []string{string(under)}},
		directory.SetGroupStatus{Group: top, Status: directory.GroupBlocked})
	if _, err := w.GrantToGroup(t.Context(), by, "local/Top", admin.GrantSpec{Roles: []directory.RoleName{"owner"}}); err != nil {
		t.Fatal(err)
	}
	_, err := w.AddMembers(t.Context(), clerk, "local/Under", []string{"clerk"})
	wantErr(t, "joining a group below a blocked one that gives owner", err, admin.ErrForbidden)
	_, err = w.SetGroupStatus(t.Context(), clerk, "local/Top", directory.GroupActive)
	wantErr(t, "unblocking it", err, admin.ErrForbidden)
	_, err = w.CreateUser(t.Context(), clerk, admin.NewUser{UserName: "mine", Groups: []string{"local/Under"}})
	wantErr(t, "making somebody in it", err, admin.ErrForbidden)
	_, err = w.RunBulk(t.Context(), clerk, admin.Bulk{Do: "assign", Users: []string{"ann"}, Group: "local/Under"}, nil)
	wantErr(t, "the bulk as such", err, nil)
	if l, err := w.Users(t.Context(), admin.UserFilter{Group: "local/Under"}); err != nil || l.Total != 0 {
		t.Errorf("Under has %d members, %v; want none", l.Total, err)
	}
}

// TestADisabledMappingIsNoWayUp: nor does it matter that a mapping gives nothing
// until it is enabled again.
func TestADisabledMappingIsNoWayUp(t *testing.T) {
	w := newWorld(t)
	w.source("okta", `{"link":{"with":["local"],"by":"userName"}}`)
	clerk := directory.Actor{Kind: directory.ActorUser, Name: string(w.user("clerk"))}
	w.user("boss")
	w.grantUser("boss", admin.GrantSpec{Roles: []directory.RoleName{"owner"}})
	w.grantUser("clerk", admin.GrantSpec{Roles: []directory.RoleName{"admin"}})
	w.group("Top", w.user("kim"))
	w.policy("mappings: [{name: m, disabled: true, allow_admin: true, when: {source: local, group: {name: Top}}, grant: {roles: [owner]}}]\n")
	_, err := w.AddMembers(t.Context(), clerk, "local/Top", []string{"clerk"})
	wantErr(t, "joining a group to which a disabled mapping gives owner", err, admin.ErrForbidden)
	_, err = w.SetBlock(t.Context(), clerk, "kim", true, "")
	wantErr(t, "blocking who is in it", err, admin.ErrForbidden)
	if got, err := w.LinkFor(t.Context(), "okta", directory.Profile{UserName: "kim"}); got != "" || err != nil {
		t.Errorf("LinkFor = %q, %v; want nobody", got, err)
	}
}

func TestWhoAsksIsKnownAndActive(t *testing.T) {
	w := newWorld(t)
	ann := w.user("ann")
	w.grantUser("ann", admin.GrantSpec{Roles: []directory.RoleName{"admin"}})
	made, err := w.CreateToken(t.Context(), by, admin.NewToken{Kind: directory.TokenAdmin, Name: "t"})
	if err != nil {
		t.Fatal(err)
	}
	user := admin.WithPrincipal(t.Context(), directory.Actor{Kind: directory.ActorUser, Name: string(ann)})
	token := admin.WithPrincipal(t.Context(), directory.Actor{Kind: directory.ActorToken, Name: "t", Token: made.ID})
	reads := func(what string, want error) {
		t.Helper()
		_, err := w.Users(user, admin.UserFilter{})
		wantErr(t, "the user, "+what, err, want)
		_, err = w.Users(token, admin.UserFilter{})
		wantErr(t, "the token, "+what, err, want)
	}
	reads("at first", nil)
	w.apply(directory.SetBlock{User: ann, Blocked: true}, directory.RevokeToken{ID: made.ID})
	reads("blocked and revoked", admin.ErrForbidden)
	nobody := admin.WithPrincipal(t.Context(), directory.Actor{Kind: "admin", Name: "t"})
	_, err = w.Users(nobody, admin.UserFilter{})
	wantErr(t, "an admin without a token", err, admin.ErrForbidden)
}

// TestMemberAccess is Remove, raise, lower and Reset of a connection.
func TestMemberAccess(t *testing.T) {
	w := newWorld(t)
	w.policy("integrations: [{key: aws}]\n")
	w.user("ann")
	w.user("ben")
	w.grantUser("ann", admin.GrantSpec{Roles: []directory.RoleName{"collaborator"}})
	member := func(name string) admin.ConnectionMember {
		t.Helper()
		all, err := w.ConnectionMembers(t.Context(), "aws")
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range all {
			if m.UserName == name {
				return m
			}
		}
		return admin.ConnectionMember{}
	}
	if m := member("ann"); m.Effective != directory.Consumer || m.Removable || m.Resets || m.Why != "From Role collaborator; change it there" {
		t.Errorf("by a Role alone: %+v", m)
	}
	_, err := w.RemoveConnectionMember(t.Context(), by, "aws", "ann")
	wantErr(t, "Remove where a Role gives it", err, directory.ErrInUse)
	set := func(name string, level directory.Level) {
		t.Helper()
		if _, err := w.SetConnectionMember(t.Context(), by, "aws", name, level); err != nil {
			t.Fatal(err)
		}
	}
	set("ann", directory.Admin)
	if m := member("ann"); m.Effective != directory.Admin || m.Removable || !m.Resets || m.Note != "" {
		t.Errorf("raised: %+v", m)
	}
	set("ann", directory.Viewer)
	if m := member("ann"); m.Effective != directory.Consumer || m.Note != "no effect: still consumer" || !m.Resets {
		t.Errorf("lowered: %+v", m)
	}
	_, err = w.ResetConnectionMember(t.Context(), by, "aws", "ann")
	wantErr(t, "Reset", err, nil)
	if m := member("ann"); m.Effective != directory.Consumer || m.Resets {
		t.Errorf("reset: %+v", m)
	}
	set("ben", directory.Viewer)
	if m := member("ben"); m.Effective != directory.Viewer || !m.Removable {
		t.Errorf("assigned: %+v", m)
	}
	_, err = w.RemoveConnectionMember(t.Context(), by, "aws", "ben")
	wantErr(t, "Remove of an assignment", err, nil)
	if m := member("ben"); m.ID != "" {
		t.Errorf("removed: %+v", m)
	}
}

func TestAnOldVersionIsRefused(t *testing.T) {
	w := newWorld(t)
	w.policy("projects: [{key: alpha}]\n")
	w.user("ann")
	w.group("G")
	name := "x"
	_, err := w.EditGroup(t.Context(), by, "local/G", admin.GroupEdit{Description: &name, Version: 7})
	wantErr(t, "EditGroup", err, directory.ErrVersion)
	_, err = w.EditUser(t.Context(), by, "ann", admin.UserEdit{Name: &name, Version: 7})
	wantErr(t, "EditUser", err, directory.ErrVersion)
	_, err = w.DeleteGroup(t.Context(), by, "local/G", 7)
	wantErr(t, "DeleteGroup", err, directory.ErrVersion)
	c, err := w.Catalogue(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	w.policy("projects: [{key: alpha}, {key: beta}]\n")
	_, err = w.RenameProject(t.Context(), by, "alpha", "A", c.Revision)
	wantErr(t, "RenameProject", err, directory.ErrVersion)
	_, err = w.RenameProject(t.Context(), by, "alpha", "A", 0)
	wantErr(t, "RenameProject of whatever is there", err, nil)
	_, err = w.DeleteProject(t.Context(), by, "beta", 0)
	wantErr(t, "DeleteProject", err, nil)
}

// An externalId in the form of a UUID, as most directories have it, names an
// identity whose user is looked at.
func TestNobodyDetachesWhoMayMore(t *testing.T) {
	w := newWorld(t)
	w.source("corp", "")
	ann, own, guid := w.user("ann"), directory.UserID(directory.NewID()), directory.NewID()
	p := person("ann")
	p.ExternalID, p.Active = guid, false
	w.apply(directory.CreateUser{ID: own, Source: "corp", User: ann, Profile: p}, directory.PutGrant{Grant: directory.Grant{User: ann, Role: directory.RoleOwner}},
		directory.PutGrant{Grant: directory.Grant{User: w.user("root"), Role: directory.RoleOwner}})
	clerk := directory.Actor{Kind: directory.ActorUser, Name: string(w.user("clerk"))}
	w.apply(directory.PutGrant{Grant: directory.Grant{User: directory.UserID(clerk.Name), Role: directory.RoleAdmin}})
	as := admin.WithPrincipal(t.Context(), clerk)
	for _, name := range []string{"corp/" + guid, "corp/" + string(own)} {
		wantErr(t, "detaching an owner's identity", second(w.DetachUser(as, clerk, name)), admin.ErrForbidden)
	}
	wantErr(t, "detaching nobody", second(w.DetachUser(as, clerk, "corp/"+directory.NewID())), directory.ErrNotFound)
	bob, joined, other := w.user("bob"), directory.UserID(directory.NewID()), directory.NewID()
	p = person("bob")
	p.ExternalID = other
	w.apply(directory.CreateUser{ID: joined, Source: "corp", User: bob, Profile: p})
	wantErr(t, "detaching somebody else's by externalId", second(w.DetachUser(as, clerk, "corp/"+other)), nil)
}

// TestAGroupAboveSomebodyIsNotOffered: whoever fills groups of a project chooses
// among those that they may change, and not one that gives a right which they lack.
func TestAGroupAboveSomebodyIsNotOffered(t *testing.T) {
	w := newWorld(t)
	w.policy("projects: [{key: alpha}]\nroles: [{name: keeper, rights: [project.read, project.manage]}, {name: syncer, rights: [manage_syncs]}]\n")
	w.user("olga")
	w.grantUser("olga", admin.GrantSpec{Roles: []directory.RoleName{"owner"}})
	w.user("lead")
	w.grantUser("lead", admin.GrantSpec{Roles: []directory.RoleName{"keeper"}, Project: "alpha"})
	for _, name := range []string{"Crew", "Leads"} {
		w.made(admin.NewGroup{Name: name, Project: "alpha"})
	}
	w.grantGroup("local/Leads", admin.GrantSpec{Roles: []directory.RoleName{"syncer"}, Project: "alpha"})
	for _, tt := range [][2]string{{"lead", "Crew"}, {"olga", "Crew Leads"}} { // olga's additions make lead a syncer
		who, want := tt[0], tt[1]
		groups, err := w.GroupsToFill(admin.WithPrincipal(t.Context(), w.as(who)), new(directory.ProjectKey("alpha")))
		var names []string
		for _, g := range groups {
			names = append(names, g.Name)
		}
		if got := strings.Join(names, " "); err != nil || got != want {
			t.Errorf("%s may choose among %s, %v; want %s", who, got, err, want)
		}
		for _, name := range []string{"Crew", "Leads"} {
			_, err := w.AddMembers(t.Context(), w.as(who), "local/"+name, []string{"lead"})
			if offered := slices.Contains(names, name); offered != (err == nil) {
				t.Errorf("%s is offered %s: %v, and is answered %v", who, name, offered, err)
			}
		}
	}
}
