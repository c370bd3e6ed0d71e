package authz_test

import (
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"github.com/usherd/usherd/authz"
	"github.com/usherd/usherd/directory"
	"pgregory.net/rapid"
)

// TestHeldIsWhatIsPermitted compares the rows with the lists, and asks each
// row's paths whether they are so.
func TestHeldIsWhatIsPermitted(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		f := randomFacts(t)
		s := randomSubject(t)
		snap := authz.Compile(f)
		for _, project := range []directory.ProjectKey{"", "p", "gone"} {
			p := snap.Permissions(&s, project)
			var got authz.Permissions
			for _, h := range snap.Held(&s, project, 2) {
				switch h.Privilege.Kind {
				case directory.Access:
					got.Access = append(got.Access, h.Privilege.Key)
				case directory.RolePrivilege:
					got.Role = append(got.Role, h.Privilege.Key)
				case directory.OutputPrivilege:
					got.Output = append(got.Output, h.Privilege.Key)
				case directory.IntegrationLevel:
					got.Integration = append(got.Integration, authz.Connection{Key: h.Privilege.Key, Level: h.Privilege.Level})
				default:
					got.Rights = append(got.Rights, h.Right)
				}
				if len(h.Via) == 0 || h.Via[0].Code != authz.Granted || !h.Via[0].Wins {
					t.Fatalf("Held(%q) has %s by no way that counts: %s\nsubject: %s\nfacts: %s", project, h.String(), text(h.Via), text(s), text(f))
				}
			}
			if diff := cmp.Diff(got, p, cmpopts.IgnoreFields(p, "User", "Project", "Code", "Roles", "DefaultRole"), cmpopts.EquateEmpty()); diff != "" {
				t.Fatalf("Held(%q) (-got +Permissions):\n%s", project, diff)
			}
		}
		anywhere(t, snap, &s)
	})
}

// anywhere compares what is held anywhere with what is permitted in each scope.
func anywhere(t *rapid.T, snap *authz.Snapshot, s *directory.Subject) {
	rows := snap.HeldAnywhere(s, 0)
	for _, project := range []directory.ProjectKey{"", "p", "q"} {
		for _, h := range snap.Held(s, project, 0) {
			if !slices.ContainsFunc(rows, func(o authz.Held) bool {
				return (o.Project == "" || o.Project == project) && o.Privilege == h.Privilege && o.Right == h.Right
			}) {
				t.Fatalf("HeldAnywhere lacks %s in %q", h.String(), project)
			}
		}
		for _, h := range rows {
			if h.Project == project && !slices.ContainsFunc(snap.Held(s, project, 0), func(o authz.Held) bool {
				return o.Privilege == h.Privilege && o.Right == h.Right
			}) {
				t.Fatalf("HeldAnywhere has %s, which is not held in %q", h.String(), project)
			}
		}
	}
}

// TestRoleUsesAreTheRolesInEachScope compares with what counts in checks of each
// project.
func TestRoleUsesAreTheRolesInEachScope(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		f := randomFacts(t)
		s := randomSubject(t)
		snap := authz.Compile(f)
		uses := snap.RoleUses(&s)
		for _, project := range []directory.ProjectKey{"", "p", "q"} {
			p := snap.Permissions(&s, project)
			var got []directory.RoleName
			for _, u := range uses {
				if (u.Project == "" || u.Project == project) && !u.Via.DefaultRole {
					got = append(got, u.Role)
				}
			}
			slices.Sort(got)
			if diff := cmp.Diff(slices.Compact(got), p.Roles, cmpopts.EquateEmpty()); diff != "" {
				t.Fatalf("Roles in %q by RoleUses (-got +Permissions):\n%s\nsubject: %s\nfacts: %s", project, diff, text(s), text(f))
			}
		}
	})
}

// TestTheContrastIsWhatOnlyOneMay decides for both sides of random pairs.
func TestTheContrastIsWhatOnlyOneMay(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		f := randomFacts(t)
		one, two := randomSubject(t), randomSubject(t)
		later, _ := alter(t, f)
		a := authz.Side{Snapshot: authz.Compile(f), Subject: &one}
		b := authz.Side{Snapshot: authz.Compile(later), Subject: &two}
		c := authz.Contrasted(a, b, 1)
		same := true
		for _, q := range asked {
			for _, q.Project = range []directory.ProjectKey{"", "p", "q"} {
				may, other := a.Snapshot.Decide(a.Subject, &q).Allow, b.Snapshot.Decide(b.Subject, &q).Allow
				if may != other {
					same = false
				}
			}
		}
		if !same && len(c.First)+len(c.Second) == 0 {
			t.Fatalf("no contrast, but decisions differ")
		}
		for _, h := range c.First {
			if len(h.Via) != 1 || holds(b, &h) || !holds(a, &h) {
				t.Fatalf("%s is said to be the first's only: first %v, second %v, via %s", h.String(), holds(a, &h), holds(b, &h), text(h.Via))
			}
		}
		for _, h := range c.Second {
			if len(h.Via) != 1 || holds(a, &h) || !holds(b, &h) {
				t.Fatalf("%s is said to be the second's only", h.String())
			}
		}
	})
}

// holds reports whether a side has a row, by its permissions.
func holds(s authz.Side, h *authz.Held) bool {
	return slices.ContainsFunc(s.Snapshot.Held(s.Subject, h.Project, 0), func(o authz.Held) bool {
		return o.Right == h.Right && o.Privilege.Kind == h.Privilege.Kind && o.Privilege.Key == h.Privilege.Key && o.Privilege.Level >= h.Privilege.Level
	})
}

// TestAssignmentsFollowTheTableOfIntegrations is the rows D1 to D3.
func TestAssignmentsFollowTheTableOfIntegrations(t *testing.T) {
	w := newWorld(t)
	w.group("ad/collaborators")
	w.give("ad/collaborators", "Role collaborator")
	w.group("ad/viewers")
	w.give("ad/viewers", "integration aws-prod=viewer")
	level := func(text string) *directory.Level {
		l, err := directory.ParseLevel(text)
		if err != nil {
			t.Fatal(err)
		}
		return &l
	}
	type row struct {
		Here          *directory.Level
		Eff, Inh, Why string
		Remove        bool
		Reset, Raises bool
		Origin        string
	}
	for _, tt := range []struct {
		name  string
		group string
		own   []string
		want  row
	}{
		{"nothing", "", nil, row{Eff: "none", Inh: "none"}},
		{"a direct assignment alone can be removed", "", []string{"integration aws-prod=consumer"}, row{level("consumer"), "consumer", "none", "", true, true, true, "direct"}},
		{"what a Role gives can't be removed here", "ad/collaborators", nil, row{nil, "consumer", "consumer", "from Role collaborator of group collaborators (ad)", false, false, false, "Role collaborator"}},
		{"raising what a Role gives is possible, and can be reset", "ad/collaborators", []string{"integration aws-prod=admin"}, row{level("admin"), "admin", "consumer", "from Role collaborator of group collaborators (ad)", false, true, true, "direct"}},
		{"lowering what a Role gives has no effect", "ad/collaborators", []string{"integration aws-prod=none"}, row{level("none"), "consumer", "consumer", "from Role collaborator of group collaborators (ad)", false, true, false, "Role collaborator"}},
		{"what a group gives can't be removed from its member", "ad/viewers", nil, row{nil, "viewer", "viewer", "from group viewers (ad)", false, false, false, "group viewers (ad)"}},
		{"an assignment on every connection is none here", "", []string{"integration *=viewer"}, row{nil, "viewer", "viewer", "from an assignment on every connection", false, false, false, "direct"}},
		{"an assignment of none is listed, without effect", "", []string{"integration aws-prod=none"}, row{level("none"), "none", "none", "", true, true, false, ""}},
	} {
		s := w.user()
		if tt.group != "" {
			s = w.user(tt.group)
		}
		w.own(s, tt.own...)
		a := authz.Compile(w.facts).AssignmentOf(s, "aws-prod", "")
		got := row{a.Here, a.Effective.String(), a.Inherited.String(), a.Why, a.Remove, a.Reset, a.Raises, ""}
		if len(a.Via) > 0 {
			got.Origin = a.Via[0].Origin()
		}
		if diff := cmp.Diff(tt.want, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", tt.name, diff)
		}
	}
	snap := authz.Compile(w.facts)
	if a := snap.AssignmentOfGroup(w.num("ad/viewers"), "aws-prod", ""); a.Here == nil || *a.Here != directory.Viewer || !a.Remove || !a.Raises {
		t.Errorf("viewers have %+v, want an assignment that can be removed", a)
	}
	if a := snap.AssignmentOfGroup(w.num("ad/collaborators"), "aws-prod", ""); a.Here != nil || a.Effective != directory.Consumer || a.Remove || a.Why != "from Role collaborator of group collaborators (ad)" {
		t.Errorf("collaborators have %+v, want consumer by their Role", a)
	}
	if got := snap.AssignedGroups("aws-prod", ""); !slices.Equal(got, []directory.GroupNum{w.num("ad/collaborators"), w.num("ad/viewers")}) {
		t.Errorf("AssignedGroups = %v, want both", got)
	}
}

// TestRemoveTakesAllAway does what an assignment says is possible.
func TestRemoveTakesAllAway(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		f := randomFacts(t)
		s := randomSubject(t)
		snap := authz.Compile(f)
		for _, project := range []directory.ProjectKey{"", "p"} {
			a := snap.AssignmentOf(&s, "c1", project)
			without := s
			without.Grants = slices.DeleteFunc(slices.Clone(s.Grants), func(g directory.Grant) bool {
				return g.Role == "" && g.Privilege.Kind == directory.IntegrationLevel && g.Privilege.Key == "c1" && g.Project == project
			})
			without.Found, without.Blocked, without.Inactive, without.Sources = directory.One, false, false, nil
			left := level(snap, &without, project)
			if now := level(snap, &s, project); a.Effective != now || a.Inherited != left || a.Remove != (a.Here != nil && left == 0) || (a.Why == "") != (left == 0) {
				t.Fatalf("AssignmentOf = %+v, but the level is %v and %v without the assignment\nsubject: %s\nfacts: %s", a, now, left, text(s), text(f))
			}
		}
		for _, g := range f.Groups {
			a := snap.AssignmentOfGroup(g.Num, "c1", "")
			cut := f
			cut.Groups = slices.Clone(f.Groups)
			for i := range cut.Groups {
				if cut.Groups[i].Num == g.Num {
					cut.Groups[i].Grants = slices.DeleteFunc(slices.Clone(g.Grants), func(g directory.Grant) bool {
						return g.Role == "" && g.Privilege.Kind == directory.IntegrationLevel && g.Privilege.Key == "c1" && g.Project == ""
					})
				}
			}
			if want := level(authz.Compile(cut), authz.MemberOf(g.Num), ""); a.Inherited != want {
				t.Fatalf("AssignmentOfGroup(%d) = %+v, but without the assignment the level is %v\nfacts: %s", g.Num, a, want, text(f))
			}
		}
	})
}

func level(snap *authz.Snapshot, s *directory.Subject, project directory.ProjectKey) directory.Level {
	for _, c := range snap.Permissions(s, project).Integration {
		if c.Key == "c1" {
			return c.Level
		}
	}
	return directory.NoLevel
}
