package admin_test

import (
	"errors"
	"testing"

	"github.com/usherd/usherd/admin"
	"github.com/usherd/usherd/directory"
)

const owners = `
features: [{key: part-list}]
roles: [{name: founder, rights: [organization.own]}]
`

func TestTheLastOwnerStays(t *testing.T) {
	owner := admin.GrantSpec{Roles: []directory.RoleName{directory.RoleOwner}}
	for _, tt := range []struct {
		name string
		do   func(w *world) error
		want error
	}{
		{"blocking the only owner is refused", func(w *world) error {
			_, err := w.SetBlock(t.Context(), by, "ann", true, "")
			return err
		}, admin.ErrLastOwner},
		{"taking the Role from the only owner is refused", func(w *world) error {
			_, err := w.RevokeFromUser(t.Context(), by, "ann", owner)
			return err
		}, admin.ErrLastOwner},
		{"an override that hides it is refused", func(w *world) error {
			_, err := w.SetOverride(t.Context(), by, admin.NewOverride{Users: []string{"ann"}, Grants: []admin.GrantSpec{{Access: []string{"part-list"}}}})
			return err
		}, admin.ErrLastOwner},
		{"an override that gives it again is fine", func(w *world) error {
			_, err := w.SetOverride(t.Context(), by, admin.NewOverride{Users: []string{"ann"}, Grants: []admin.GrantSpec{owner}})
			return err
		}, nil},
		{"a new group that gives it again is fine", func(w *world) error {
			_, err := w.SetOverride(t.Context(), by, admin.NewOverride{Users: []string{"ann"}, NewGroup: "Owners", Grants: []admin.GrantSpec{owner}})
			return err
		}, nil},
		{"blocking one of two is fine", func(w *world) error {
			w.user("ben")
			if _, err := w.GrantToUser(t.Context(), by, "ben", owner); err != nil {
				return err
			}
			_, err := w.SetBlock(t.Context(), by, "ann", true, "")
			return err
		}, nil},
		{"an owner by a custom Role counts", func(w *world) error {
			w.user("ben")
			if _, err := w.GrantToUser(t.Context(), by, "ben", admin.GrantSpec{Roles: []directory.RoleName{"founder"}}); err != nil {
				return err
			}
			_, err := w.RevokeFromUser(t.Context(), by, "ann", owner)
			return err
		}, nil},
		{"a policy without that Role is refused while it is the only one", func(w *world) error {
			w.user("ben")
			if _, err := w.GrantToUser(t.Context(), by, "ben", admin.GrantSpec{Roles: []directory.RoleName{"founder"}}); err != nil {
				return err
			}
			if _, err := w.RevokeFromUser(t.Context(), by, "ann", owner); err != nil {
				return err
			}
			_, err := w.ApplyPolicy(t.Context(), by, admin.PolicyFile{Text: "apiVersion: usherd/v1\nroles: [{name: founder, rights: [audit.read]}]\n"})
			return err
		}, admin.ErrLastOwner},
		{"blocking somebody else is fine", func(w *world) error {
			w.user("ben")
			_, err := w.SetBlock(t.Context(), by, "ben", true, "")
			return err
		}, nil},
	} {
		t.Run(tt.name, func(t *testing.T) {
			w := newWorld(t)
			w.policy(owners)
			w.user("ann")
			if _, err := w.GrantToUser(t.Context(), by, "ann", owner); err != nil {
				t.Fatal(err)
			}
			wantErr(t, "the action", tt.do(w), tt.want)
		})
	}
}

func TestOwnersThroughGroups(t *testing.T) {
	w := newWorld(t)
	w.policy(owners)
	ann := w.user("ann")
	inner, outer := w.group("inner", ann), w.group("outer")
	w.apply(directory.AddMembers{Group: outer, Source: directory.Local, Values: []string{string(inner)}})
	owner := admin.GrantSpec{Roles: []directory.RoleName{directory.RoleOwner}}
	if _, err := w.GrantToGroup(t.Context(), by, "local/outer", owner); err != nil {
		t.Fatal(err)
	}
	for what, do := range map[string]func() error{
		"blocking the group that has the Role": func() error {
			_, err := w.SetGroupStatus(t.Context(), by, "local/outer", directory.GroupBlocked)
			return err
		},
		"blocking the group nested in it": func() error {
			_, err := w.SetGroupStatus(t.Context(), by, "local/inner", directory.GroupBlocked)
			return err
		},
		"revoking it from the group": func() error {
			_, err := w.RevokeFromGroup(t.Context(), by, "local/outer", owner)
			return err
		},
		"blocking its one member": func() error {
			_, err := w.SetBlock(t.Context(), by, "ann", true, "")
			return err
		},
	} {
		wantErr(t, what, do(), admin.ErrLastOwner)
	}
}

func TestAdminGroups(t *testing.T) {
	w := newWorld(t)
	w.policy("projects: [{key: alpha}]\nfeatures: [{key: part-list}]\n")
	plain, above, inProject, nested := w.group("plain"), w.group("above"), w.group("in project"), w.group("nested")
	w.apply(directory.AddMembers{Group: above, Source: directory.Local, Values: []string{string(nested)}})
	grant := func(group string, spec admin.GrantSpec) {
		t.Helper()
		if _, err := w.GrantToGroup(t.Context(), by, group, spec); err != nil {
			t.Fatal(err)
		}
	}
	grant("local/plain", admin.GrantSpec{Access: []string{"part-list"}, Roles: []directory.RoleName{directory.RoleViewer}})
	grant("local/above", admin.GrantSpec{Roles: []directory.RoleName{directory.RoleOperator}})
	grant("local/in project", admin.GrantSpec{Project: "alpha", Roles: []directory.RoleName{directory.RoleProjectAdmin}})
	got, err := w.AdminGroups(t.Context(), directory.Local)
	if err != nil {
		t.Fatal(err)
	}
	for id, want := range map[directory.GroupID]bool{plain: false, above: true, inProject: true, nested: true} {
		if got[id] != want {
			t.Errorf("AdminGroups has %s = %t, want %t", id, got[id], want)
		}
	}
}

// TestReplicasLeaveAnOwner: of two owners two replicas each take another one
// away at the same moment. One of them is refused.
func TestReplicasLeaveAnOwner(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.policy(owners)
	other, err := admin.New(w.Config)
	if err != nil {
		t.Fatal(err)
	}
	owner := admin.GrantSpec{Roles: []directory.RoleName{directory.RoleOwner}}
	people := map[string]*admin.Service{"ann": w.Service, "ben": other}
	for name := range people {
		w.user(name)
	}
	for round := range 4 {
		for name := range people {
			if _, err := w.GrantToUser(t.Context(), by, name, owner); err != nil {
				t.Fatal(err)
			}
		}
		start, answers := make(chan struct{}), make(chan error)
		for name, s := range people {
			go func() {
				<-start
				_, err := s.RevokeFromUser(t.Context(), by, name, owner)
				answers <- err
			}()
		}
		close(start)
		one, two := <-answers, <-answers
		if one != nil {
			one, two = two, one
		}
		if one != nil || !errors.Is(two, admin.ErrLastOwner) {
			t.Fatalf("round %d: %v and %v; want one to be done and one to be refused", round, one, two)
		}
		if owned, err := w.Owned(t.Context()); err != nil || !owned {
			t.Fatalf("round %d: owned = %v, %v", round, owned, err)
		}
	}
}
