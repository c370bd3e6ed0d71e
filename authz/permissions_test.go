package authz_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"github.com/usherd/usherd/authz"
	"github.com/usherd/usherd/directory"
	"pgregory.net/rapid"
)

// TestPermissionsAreWhatDecideAllows asks for everything one by one.
func TestPermissionsAreWhatDecideAllows(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		f := randomFacts(t)
		s := randomSubject(t)
		snap := authz.Compile(f)
		for _, project := range []directory.ProjectKey{"", "p", "gone"} {
			got := snap.Permissions(&s, project)
			want := authz.Permissions{User: s.ID, Project: project, Code: got.Code, Roles: got.Roles, DefaultRole: got.DefaultRole}
			may := func(action, typ, id string) bool {
				return snap.Decide(&s, &authz.Request{SubjectType: "user", Action: action, Type: typ, ID: id, Project: project}).Allow
			}
			for _, id := range []string{"f1", "f2"} {
				if may("access", "feature", id) {
					want.Access = append(want.Access, id)
				}
				for _, action := range []string{"edit", "export"} {
					if may(action, "feature", id) {
						want.Role = append(want.Role, id+":"+action)
					}
				}
			}
			for _, id := range []string{"o1", "o2"} {
				if may("generate", "output", id) {
					want.Output = append(want.Output, id)
				}
			}
			for _, id := range []string{"c1", "c2"} {
				for i, action := range []string{"manage", "use", "view"} {
					if may(action, "integration", id) {
						want.Integration = append(want.Integration, authz.Connection{Key: id, Level: directory.Admin - directory.Level(i)})
						break
					}
				}
			}
			var things []string
			for _, action := range []string{"read", "write"} {
				all := may(action, "record", "made-up") // only * gives that
				if all {
					things = append(things, "record:*:"+action)
				}
				for _, id := range []string{"a:b", "r1"} {
					if !all && may(action, "record", id) {
						things = append(things, "record:"+id+":"+action)
					}
				}
			}
			slices.Sort(things)
			want.Role = append(want.Role, things...)
			for _, right := range slices.Concat(directory.OrganizationRights, directory.ProjectRights) {
				if snap.Has(&s, right, project).Allow {
					want.Rights = append(want.Rights, right)
				}
			}
			if diff := cmp.Diff(got, want, cmpopts.EquateEmpty()); diff != "" {
				t.Fatalf("Permissions(%q) (-got +want):\n%s", project, diff)
			}
			checkRoles(t, f, &s, got)
		}
	})
}

// checkRoles compares the Roles with those of the reference's paths.
func checkRoles(t *rapid.T, f directory.Facts, s *directory.Subject, got authz.Permissions) {
	world := newRefWorld(f)
	r := newRef(world, s)
	var want []directory.RoleName
	if got.Code == authz.Granted {
		for _, p := range r.paths {
			if p.role != "" && !p.byDefault && !p.right.IsOrganization() && r.judge(s, p, got.Project) == authz.Granted {
				want = append(want, p.role)
			}
		}
	}
	slices.Sort(want)
	if diff := cmp.Diff(got.Roles, slices.Compact(want), cmpopts.EquateEmpty()); diff != "" {
		t.Fatalf("Roles in %q (-got +want):\n%s", got.Project, diff)
	}
}

func TestSearchesListWhatThePolicyNames(t *testing.T) {
	w := newWorld(t)
	w.role("r", nil, "role record:z:read", "role record:*:read")
	snap := authz.Compile(w.facts)
	for typ, want := range map[string]string{
		"feature": "part-list drawings wiki", "output": "cut-list-pdf report", "integration": "aws-prod aws-test",
		"project": "alpha beta", "record": "record-1 z",
	} {
		got, ok := snap.IDs(typ)
		if !ok || strings.Join(got, " ") != want {
			t.Errorf("IDs(%s) = %v, %v, want %s", typ, got, ok, want)
		}
	}
	if ids, ok := snap.IDs("user"); ok {
		t.Errorf("IDs(user) = %v, want none", ids)
	}
	for resource, want := range map[string]string{
		"feature/part-list": "access edit export", "feature/none": "", "output/report": "generate", "output/none": "",
		"integration/aws-prod": "view use manage create_sync", "integration/*": "create", "integration/none": "",
		"project/alpha": "read manage_syncs manage", "project/none": "", "record/any": "read write", "record/*": "", "none/x": "",
	} {
		typ, id, _ := strings.Cut(resource, "/")
		if got := snap.Actions(typ, id); strings.Join(got, " ") != want {
			t.Errorf("Actions(%s) = %v, want %s", resource, got, want)
		}
	}
}
