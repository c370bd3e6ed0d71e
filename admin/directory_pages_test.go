package admin_test

import (
	"slices"
	"testing"

	"github.com/usherd/usherd/admin"
	"github.com/usherd/usherd/directory"
)

const pagesPolicy = `
projects: [{key: alpha}]
features: [{key: part-list, actions: [edit]}, {key: viewer-3d}]
roles: [{name: reader, rights: [directory.read]}]
`

func TestEditsOfPrivilegesAndOverridesForPages(t *testing.T) {
	w := newWorld(t)
	w.policy(pagesPolicy)
	ana, ben := w.user("ana"), w.user("ben")
	crew := w.group("crew", ana)
	limited := directory.Actor{Kind: directory.ActorUser, Name: string(ben)}
	edit := admin.GrantsEdit{Grant: admin.GrantSpec{Access: []string{"part-list"}, Role: []string{"part-list:edit"}}}

	t.Run("an edit of privileges needs the right to grant", func(t *testing.T) {
		_, err := w.EditGroupGrants(t.Context(), limited, string(crew), edit)
		wantErr(t, "EditGroupGrants", err, admin.ErrForbidden)
	})
	t.Run("an edit grants and takes back in one step, and twice is the same", func(t *testing.T) {
		for range 2 {
			if _, err := w.EditGroupGrants(t.Context(), by, string(crew), edit); err != nil {
				t.Fatal(err)
			}
		}
		back := admin.GrantsEdit{Grant: admin.GrantSpec{Access: []string{"viewer-3d"}}, Revoke: admin.GrantSpec{Role: []string{"part-list:edit"}}}
		if _, err := w.EditGroupGrants(t.Context(), by, string(crew), back); err != nil {
			t.Fatal(err)
		}
		if !w.may("ana", "access", "feature", "viewer-3d") || w.may("ana", "edit", "feature", "part-list") {
			t.Error("ana does not have what the edit left")
		}
	})
	t.Run("what users share is what all of them have", func(t *testing.T) {
		spec, err := w.Shared(t.Context(), "", ana)
		if err != nil || !slices.Equal(spec.Access, []string{"part-list", "viewer-3d"}) {
			t.Errorf("Shared(ana) = %+v, %v", spec, err)
		}
		if spec, err = w.Shared(t.Context(), "", ana, ben); err != nil || len(spec.Access) != 0 {
			t.Errorf("Shared(ana, ben) = %+v, %v", spec, err)
		}
	})
	t.Run("an assigned group replaces, and has to be of the scope", func(t *testing.T) {
		_, err := w.SetOverride(t.Context(), by, admin.NewOverride{Users: []string{"ben"}, Group: string(crew), Project: "alpha"})
		wantErr(t, "SetOverride in another scope", err, directory.ErrInvalid)
		if _, err := w.SetOverride(t.Context(), by, admin.NewOverride{Users: []string{"ben"}, Group: string(crew)}); err != nil {
			t.Fatal(err)
		}
		if !w.may("ben", "access", "feature", "part-list") {
			t.Error("ben has not what the group gives")
		}
	})
	t.Run("an edit everywhere leaves nothing in projects", func(t *testing.T) {
		if _, err := w.GrantToUser(t.Context(), by, "ana", admin.GrantSpec{Project: "alpha", Access: []string{"viewer-3d"}}); err != nil {
			t.Fatal(err)
		}
		_, err := w.SetOverride(t.Context(), by, admin.NewOverride{
			Users: []string{"ana"}, Everywhere: true, Grants: []admin.GrantSpec{{Access: []string{"part-list"}}},
		})
		if err != nil {
			t.Fatal(err)
		}
		home, err := w.HomeOf(t.Context(), "ana")
		if err != nil || len(home) != 1 || len(home[0].Features) != 1 || home[0].Features[0].Key != "part-list" {
			t.Errorf("HomeOf(ana) = %+v, %v", home, err)
		}
	})
	t.Run("a deleted user is still shown, by id", func(t *testing.T) {
		if _, err := w.DeleteUser(t.Context(), by, "ben", 0, false); err != nil {
			t.Fatal(err)
		}
		page, err := w.User(t.Context(), string(ben))
		if err != nil || page.Status != admin.StatusDeleted || len(page.Groups) != 0 {
			t.Errorf("User = %+v, %v", page, err)
		}
	})
}
