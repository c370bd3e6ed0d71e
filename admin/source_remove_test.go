package admin_test

import (
	"testing"

	"github.com/usherd/usherd/admin"
	"github.com/usherd/usherd/directory"
)

// TestARemovalThatGives: the groups of a source that is removed become local,
// and mappings reach them by their names. Nobody is given anything that way
// unless it was said so, and no right that the asker lacks.
func TestARemovalThatGives(t *testing.T) {
	w := newWorld(t)
	w.policy(`
features: [{key: part-list, actions: [edit]}]
roles: [{name: reader, rights: [directory.read]}, {name: wirer, rights: [sources.manage]}]
mappings:
  - {name: plain, when: {source: local, group: {pattern: "plan*"}}, grant: {access: [part-list]}}
  - {name: reading, when: {source: local, group: {pattern: "readers*"}}, grant: {roles: [reader]}}
`)
	wirer := directory.Actor{Kind: directory.ActorUser, Name: string(w.user("wirer"))}
	w.grantUser("wirer", admin.GrantSpec{Roles: []directory.RoleName{"wirer"}})
	w.source("okta", "")
	kim, lee := w.from("okta", "kim"), w.from("okta", "lee")
	into := func(group string, who directory.UserID) {
		id := directory.GroupID(directory.NewID())
		w.apply(directory.CreateGroup{ID: id, Source: "okta", Name: group}, directory.AddMembers{Group: id, Source: "okta", Values: []string{string(who)}})
	}
	into("Planners", kim)
	remove := func(by directory.Actor, r admin.Removal) error {
		return second(w.RemoveSource(admin.WithPrincipal(t.Context(), by), by, "okta", r))
	}
	wantErr(t, "removing an active source", remove(by, admin.Removal{}), directory.ErrInUse)
	w.apply(directory.SetSourceState{Source: "okta", State: directory.SourceDisabled})

	tried, err := w.RemoveSource(admin.WithDryRun(t.Context()), by, "okta", admin.Removal{KeepPeople: true})
	if err != nil || tried.Preview == nil || tried.Preview.Gaining != 1 || tried.Preview.Shifts[0].User != kim {
		t.Fatalf("tried: %+v, %v; want that kim gains", tried.Preview, err)
	}
	wantErr(t, "not said so", remove(by, admin.Removal{KeepPeople: true}), admin.ErrUnconfirmed)
	wantErr(t, "another number", remove(by, admin.Removal{KeepPeople: true, Gaining: 2}), admin.ErrUnconfirmed)
	if tried, err = w.RemoveSource(admin.WithDryRun(t.Context()), by, "okta", admin.Removal{}); err != nil || tried.Preview.People != 0 {
		t.Errorf("tried to delete them: %+v, %v; want nobody touched", tried.Preview, err)
	}

	into("Readers", lee)
	wantErr(t, "a right that the asker lacks", remove(wirer, admin.Removal{KeepPeople: true, Gaining: 2}), admin.ErrForbidden)
	if w.may("kim", "access", "feature", "part-list") {
		t.Error("kim has something of a disabled source")
	}
	wantErr(t, "said so", remove(by, admin.Removal{KeepPeople: true, Gaining: 2}), nil)
	if !w.may("kim", "access", "feature", "part-list") {
		t.Error("kim has nothing by the local group")
	}
}
