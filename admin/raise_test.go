package admin_test

import (
	"context"
	"encoding/json"
	"testing"

	"github.com/usherd/usherd/admin"
	"github.com/usherd/usherd/directory"
)

// as is somebody who signed in.
func (w *world) as(name string) directory.Actor {
	w.t.Helper()
	page, err := w.User(w.t.Context(), name)
	if err != nil {
		w.t.Fatal(err)
	}
	return directory.Actor{Kind: directory.ActorUser, Name: string(page.ID)}
}

// TestNobodyRaisesThemselvesBySpeakingForASource holds who may manage sources,
// tokens and users, and does not own the organization, against a source one of
// whose groups does, or will as soon as it is delivered.
func TestNobodyRaisesThemselvesBySpeakingForASource(t *testing.T) {
	for name, arrange := range map[string]func(*world){
		"by a grant": func(w *world) {
			id := directory.GroupID(directory.NewID())
			w.apply(directory.CreateGroup{ID: id, Source: "okta", Name: "Owners"})
			w.policy(catalogue)
			w.grantGroup("okta/Owners", admin.GrantSpec{Roles: []directory.RoleName{directory.RoleOwner}})
		},
		"that somebody of it owns": func(w *world) {
			w.policy(catalogue)
			w.from("okta", "boss")
			w.grantUser("boss", admin.GrantSpec{Roles: []directory.RoleName{directory.RoleOwner}})
		},
		"by a mapping that waits for its group": func(w *world) {
			w.policy(catalogue + "mappings: [{name: owning, when: {source: okta, group: {id: g-1}}, allow_admin: true, grant: {roles: [owner]}}]\n")
		},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			made, err := w.AddSource(t.Context(), by, admin.NewSource{Name: "okta", Kind: directory.KindSCIM})
			if err != nil {
				t.Fatal(err)
			}
			if _, err := w.AddSource(t.Context(), by, admin.NewSource{Name: "plain", Kind: directory.KindSCIM}); err != nil {
				t.Fatal(err)
			}
			arrange(w)
			w.user("adam")
			w.user("olga")
			w.grantUser("adam", admin.GrantSpec{Roles: []directory.RoleName{directory.RoleAdmin}})
			w.grantUser("olga", admin.GrantSpec{Roles: []directory.RoleName{directory.RoleOwner}})
			ctx := t.Context()
			do := map[string]func(context.Context, directory.Actor, directory.SourceName) error{
				"a token of it": func(ctx context.Context, by directory.Actor, src directory.SourceName) error {
					_, err := w.CreateToken(ctx, by, admin.NewToken{Kind: directory.TokenSCIM, Source: src})
					return err
				},
				"its settings": func(ctx context.Context, by directory.Actor, src directory.SourceName) error {
					_, err := w.SetSource(ctx, by, src, map[string]json.RawMessage{"profile": json.RawMessage(`"okta"`)})
					return err
				},
				"whom it will deliver": func(ctx context.Context, by directory.Actor, src directory.SourceName) error {
					_, err := w.LinkUser(ctx, by, string(src)+"/e-1", "adam")
					return err
				},
				"disabling it": func(ctx context.Context, by directory.Actor, src directory.SourceName) error {
					_, err := w.SetSourceState(ctx, by, src, directory.SourceDisabled, "")
					return err
				},
			}
			if name == "that somebody of it owns" {
				delete(do, "whom it will deliver") // who comes brings nothing along
			}
			for what, try := range do {
				dry := admin.WithDryRun(ctx)
				wantErr(t, what+", by an admin", try(dry, w.as("adam"), "okta"), admin.ErrForbidden)
				wantErr(t, what+", by an owner", try(dry, w.as("olga"), "okta"), nil)
				wantErr(t, what+" of another source, by an admin", try(dry, w.as("adam"), "plain"), nil)
			}
			_, err = w.RotateToken(ctx, w.as("adam"), made.TokenID, 0)
			wantErr(t, "rotating its token, by an admin", err, admin.ErrForbidden)
			_, err = w.SetSourceState(ctx, w.as("adam"), "okta", directory.SourcePaused, "")
			wantErr(t, "pausing it, which gives and takes nothing", err, nil)
		})
	}
}

// grantGroup grants something that must succeed.
func (w *world) grantGroup(name string, spec admin.GrantSpec) {
	w.t.Helper()
	if _, err := w.GrantToGroup(w.t.Context(), by, name, spec); err != nil {
		w.t.Fatalf("GrantToGroup(%s, %v) = %v", name, spec, err)
	}
}

func TestAProjectTakesNothingFromOthersByANameOfTheirs(t *testing.T) {
	w := newWorld(t)
	w.policy(catalogue + "mappings: [{name: plain, when: {source: local, group: {name: Mapped}}, grant: {access: [part-list]}}]\n")
	w.group("Mapped", w.user("ann"))
	w.user("pam")
	w.grantUser("pam", admin.GrantSpec{Project: "alpha", Roles: []directory.RoleName{"project-admin"}})
	pam := w.as("pam")
	_, err := w.CreateGroup(t.Context(), pam, admin.NewGroup{Name: "mapped", Project: "alpha"})
	wantErr(t, "a group of that name", err, admin.ErrForbidden)
	if _, err := w.CreateGroup(t.Context(), pam, admin.NewGroup{Name: "Other", Project: "alpha"}); err != nil {
		t.Fatal(err)
	}
	name := "Mapped"
	_, err = w.EditGroup(t.Context(), pam, "local/Other", admin.GroupEdit{Name: &name})
	wantErr(t, "another that is renamed", err, admin.ErrForbidden)
	_, err = w.SetOverride(t.Context(), by, admin.NewOverride{Users: []string{"ann"}, Project: "alpha", NewGroup: "Third", Grants: []admin.GrantSpec{{Access: []string{"part-list"}}}})
	wantErr(t, "an edit of ann", err, nil)
	_, err = w.SetOverride(t.Context(), pam, admin.NewOverride{Users: []string{"ann"}, Project: "alpha", NewGroup: name, Grants: []admin.GrantSpec{{Access: []string{"part-list"}}}})
	wantErr(t, "an edit that makes one", err, admin.ErrForbidden)
	if !w.may("ann", "access", "feature", "part-list") {
		t.Error("ann lost what the mapping gives")
	}
}

func TestAnOwnerByTheDefaultRoleIsNotLostByAnother(t *testing.T) {
	plain := admin.GrantSpec{Roles: []directory.RoleName{"plain"}}
	for what, do := range map[string]func(*world) error{
		"a grant to the only one": func(w *world) error {
			_, err := w.GrantToUser(t.Context(), by, "ann", plain)
			return err
		},
		"a new group of theirs": func(w *world) error {
			_, err := w.CreateGroup(t.Context(), by, admin.NewGroup{Name: "New", Members: []string{"ann"}, Grants: []admin.GrantSpec{plain}})
			return err
		},
		"a grant to their group": func(w *world) error {
			_, err := w.GrantToGroup(t.Context(), by, "local/Crew", plain)
			return err
		},
		"a group that is unblocked": func(w *world) error {
			if _, err := w.SetGroupStatus(t.Context(), by, "local/Crew", directory.GroupBlocked); err != nil {
				return err
			}
			w.grantGroup("local/Crew", plain)
			_, err := w.SetGroupStatus(t.Context(), by, "local/Crew", directory.GroupActive)
			return err
		},
	} {
		w := newWorld(t)
		w.group("Crew", w.user("ann"))
		w.policy("roles: [{name: plain, rights: [directory.read]}]\ndefault_role: owner\n")
		wantErr(t, what, do(w), admin.ErrLastOwner)
	}
}

func TestAGroupTakesNoRoleOfADisabledMappingAlong(t *testing.T) {
	w := newWorld(t)
	w.group("Crew")
	w.policy(catalogue + `
roles: [{name: mover, rights: [groups.manage, directory.read]}]
mappings: [{name: ruling, disabled: true, when: {source: local, group: {name: Crew}}, allow_admin: true, grant: {roles: [project-admin]}}]
`)
	if _, err := w.SetGroupScope(t.Context(), by, "local/Crew", "alpha"); err != nil {
		t.Fatal(err)
	}
	w.user("max")
	w.grantUser("max", admin.GrantSpec{Roles: []directory.RoleName{"mover"}})
	w.grantUser("max", admin.GrantSpec{Project: "alpha", Roles: []directory.RoleName{"project-admin"}})
	_, err := w.SetGroupScope(t.Context(), w.as("max"), "local/Crew", "")
	wantErr(t, "into the organization", err, admin.ErrForbidden)
}

func TestAUserIsNotRenamedToAnotherWayOfNamingSomebody(t *testing.T) {
	w := newWorld(t)
	w.user("ann")
	for _, name := range []string{"email:boss@example.com", "external:okta/1", "group:local/Owners", directory.NewID()} {
		_, err := w.EditUser(t.Context(), by, "ann", admin.UserEdit{UserName: &name})
		wantErr(t, "renaming to "+name, err, directory.ErrInvalid)
	}
}
