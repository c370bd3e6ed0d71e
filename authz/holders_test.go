package authz_test

import (
	"slices"
	"testing"

	"github.com/usherd/usherd/authz"
	"github.com/usherd/usherd/directory"
	"pgregory.net/rapid"
)

// selects reports whether a selection holds a subject.
func selects(who directory.People, s *directory.Subject) bool {
	if who.Everyone || who.Granted && len(s.Grants) > 0 {
		return true
	}
	return slices.ContainsFunc(s.Memberships, func(m directory.Membership) bool { return slices.Contains(who.Groups, m.Group) })
}

// TestCandidatesMissNobody looks for somebody who may and is not selected.
func TestCandidatesMissNobody(t *testing.T) {
	organizations(t, 4, func(t *rapid.T) {
		f := randomFacts(t)
		s := randomSubject(t)
		snap := authz.Compile(f)
		for _, q := range asked {
			for _, q.Project = range []directory.ProjectKey{"", "p"} {
				if who := snap.Candidates(&q); snap.Decide(&s, &q).Allow && !selects(who, &s) {
					t.Fatalf("Candidates(%+v) = %+v lacks one who may\nsubject: %s\nfacts: %s", q, who, text(s), text(f))
				}
			}
		}
		for _, project := range []directory.ProjectKey{"", "p", "gone"} {
			for _, right := range slices.Concat(directory.OrganizationRights, directory.ProjectRights) {
				if who := snap.RightCandidates(right, project); snap.Has(&s, right, project).Allow && !selects(who, &s) {
					t.Fatalf("RightCandidates(%s, %q) = %+v lacks a holder\nsubject: %s\nfacts: %s", right, project, who, text(s), text(f))
				}
			}
			for _, name := range snap.RolesOf(&s, project) {
				if who := snap.RoleCandidates(name); !selects(who, &s) {
					t.Fatalf("RoleCandidates(%s) = %+v lacks a holder\nsubject: %s\nfacts: %s", name, who, text(s), text(f))
				}
			}
		}
	})
}

func TestCandidatesAreFew(t *testing.T) {
	w := newWorld(t)
	w.group("ad/all")
	w.group("ad/eng", "ad/all")
	w.group("ad/blocked", "ad/all").Blocked = true
	w.group("ad/alpha@alpha", "ad/all")
	w.group("ad/editors")
	w.give("ad/all", "access part-list", "Role viewer")
	w.give("ad/editors", "role part-list:edit")
	nums := func(names ...string) (out []directory.GroupNum) {
		for _, n := range names {
			out = append(out, w.num(n))
		}
		return out
	}
	for _, tt := range []struct {
		ask  string
		want []directory.GroupNum
	}{
		{"access feature/part-list", nums("ad/all", "ad/eng")},
		{"access feature/part-list in alpha", nums("ad/all", "ad/eng", "ad/alpha")},
		{"edit feature/part-list", nums("ad/editors")},
		{"view integration/aws-prod", nums("ad/all", "ad/eng")},
		{"access feature/wiki", nil},
	} {
		who := authz.Compile(w.facts).Candidates(ask(tt.ask))
		if !slices.Equal(who.Groups, tt.want) || !who.Granted || who.Everyone {
			t.Errorf("Candidates(%s) = %+v, want the groups %v and who has own grants", tt.ask, who, tt.want)
		}
	}
	if who := authz.Compile(w.facts).Candidates(ask("access feature/none")); who.Granted || who.Everyone || who.Groups != nil {
		t.Errorf("Candidates for an unknown feature = %+v, want nobody", who)
	}
	w.facts.Policy.Policy.DefaultRole = "viewer"
	if who := authz.Compile(w.facts).Candidates(ask("view integration/aws-prod")); !who.Everyone {
		t.Errorf("Candidates for what the default Role gives = %+v, want everyone", who)
	}
}
