package authz_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/usherd/usherd/authz"
	"github.com/usherd/usherd/directory"
	"pgregory.net/rapid"
)

// TestExplainTellsWhatDecideDecides compares explanations with decisions, and
// their paths with those of the reference.
func TestExplainTellsWhatDecideDecides(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		f := randomFacts(t)
		s := randomSubject(t)
		snap, world := authz.Compile(f), newRefWorld(f)
		second := newRef(world, &s)
		for _, q := range asked {
			q.Project = pick[directory.ProjectKey](t, "", "p")
			e := snap.Explain(&s, &q)
			if d := snap.Decide(&s, &q); e.Decision != d {
				t.Fatalf("Explain(%+v) says %v, Decide %v", q, e.Decision, d)
			}
			if e.Text("ann") == "" {
				t.Fatal("no text")
			}
			code := authz.Granted
			for _, part := range e.Parts {
				code = min(code, part.Code)
				checkPart(t, part)
			}
			if len(e.Parts) == 1 && code != e.Decision.Code {
				t.Fatalf("Explain(%+v): parts say %v, decision %v", q, code, e.Decision.Code)
			}
			if want := second.counting(q); len(e.Parts) > 0 && want >= 0 && len(e.Parts[0].Paths) != want {
				t.Fatalf("Explain(%+v) has %d paths, want %d: %s", q, len(e.Parts[0].Paths), want, text(e))
			}
		}
	})
}

func checkPart(t *rapid.T, part authz.Part) {
	if (part.Code == authz.Granted) != (len(part.Paths) > 0) {
		t.Fatalf("part %+v: code %v with %d paths", part, part.Code, len(part.Paths))
	}
	for i, p := range part.Paths {
		if p.Wins != (i == 0) || p.Code != authz.Granted {
			t.Fatalf("path %d of %+v: wins %v, code %v", i, part, p.Wins, p.Code)
		}
	}
	if part.Code != authz.Granted && part.Code != authz.NoGrant && !slices.ContainsFunc(part.Misses, func(p authz.Path) bool { return p.Code == part.Code }) {
		t.Fatalf("part %+v: no miss for %v", part, part.Code)
	}
	if part.Code != authz.Granted && len(part.Fixes) == 0 {
		t.Fatalf("part %+v: nothing would change it", part)
	}
}

// counting is the number of paths that count for an access, or -1.
func (r ref) counting(q authz.Request) (n int) {
	if q.Action != "access" || q.Type != "feature" {
		return -1
	}
	for _, p := range r.paths {
		if p.privilege.Kind == directory.Access && p.privilege.Key == q.ID && r.judge(r.s, p, q.Project) == authz.Granted {
			n++
		}
	}
	return n
}

func TestExplainReadsLikeAnAnswer(t *testing.T) {
	w := newWorld(t)
	w.group("hr/staff")
	w.group("ad/Engineering", "hr/staff")
	w.at("ad/Engineering").DN = "CN=Engineering,DC=example"
	w.give("hr/staff", "access part-list")
	w.role("releaser", nil, "role part-list:edit")
	w.mapping(directory.Mapping{Name: "engineers", When: directory.Selector{Source: "ad", DN: "cn=engineering,dc=example"}, Grants: []directory.GrantSet{
		{Project: "alpha", Roles: []directory.RoleName{"releaser"}},
	}}, "ad/Engineering")
	s := w.own(w.user("ad/Engineering"), "access part-list in alpha")
	for _, tt := range []struct {
		name, ask string
		change    func()
		want      string
	}{
		{"allow", "edit feature/part-list in alpha", func() {}, `anna may edit feature/part-list in project alpha (granted).

role part-list:edit: yes
 * member of ad/Engineering (CN=Engineering,DC=example), to which mapping "engineers" gives the Role releaser with role part-list:edit in project alpha

access part-list: yes
 * own grant of access part-list in project alpha
   member of ad/Engineering (CN=Engineering,DC=example), which is nested in hr/staff, to which is granted access part-list
`},
		{"deny", "edit feature/part-list in alpha", func() { w.facts.Policy.Bindings[0].State = directory.Suspended }, `anna may not edit feature/part-list in project alpha (suspended_mapping): the mapping waits for a confirmation.

role part-list:edit: no, the mapping waits for a confirmation
 - member of ad/Engineering (CN=Engineering,DC=example), to which mapping "engineers" gives the Role releaser with role part-list:edit in project alpha, but the mapping waits for a confirmation
 To change that: confirm the mapping engineers for the group ad/Engineering (CN=Engineering,DC=example) (takes policy.manage; Roles owner, admin).

access part-list: yes
 * own grant of access part-list in project alpha
   member of ad/Engineering (CN=Engineering,DC=example), which is nested in hr/staff, to which is granted access part-list
`},
		{"inactive", "access feature/part-list", func() { s.Inactive = true }, `anna may not access feature/part-list (inactive_user): a source says that the user is inactive, or is disabled itself.
To change that: let the source that says so activate the user again.
To change that: detach the identity that says inactive (takes users.manage; Roles owner, admin).
`},
	} {
		t.Run(tt.name, func(t *testing.T) {
			tt.change()
			e := authz.Compile(w.facts).Explain(s, ask(tt.ask))
			if got := e.Text("anna"); got != tt.want {
				t.Errorf("Text:\n%s\nwant:\n%s", got, tt.want)
			}
		})
	}
}

func TestExplainSurvivesManyPaths(t *testing.T) {
	w := newWorld(t)
	const layers = 14 // of two groups each, so that 2^14 paths lead to the top
	w.group("ad/top")
	w.give("ad/top", "access part-list")
	below := []string{"ad/top"}
	for i := range layers {
		var next []string
		for _, side := range []string{"left", "right"} {
			name := "ad/" + side + strings.Repeat("x", i)
			w.group(name, below...)
			next = append(next, name)
		}
		below = next
	}
	e := authz.Compile(w.facts).Explain(w.user(below...), ask("access feature/part-list"))
	if !e.Decision.Allow || !e.Parts[0].More || len(e.Parts[0].Paths) != 100 {
		t.Errorf("Explain = %v with %d paths, more %v; want granted, 100, true", e.Decision, len(e.Parts[0].Paths), e.Parts[0].More)
	}
}

func TestAClutterOfCyclesEnds(t *testing.T) {
	w := newWorld(t)
	const n = 40 // groups, each nested in all others
	var all []string
	for i := range n {
		name := "ad/" + strings.Repeat("x", i+1)
		w.group(name)
		all = append(all, name)
	}
	for _, name := range all {
		for _, other := range all {
			if other != name {
				g := w.at(name)
				g.Parents = append(g.Parents, w.num(other))
			}
		}
	}
	w.group("ad/side@alpha", all[0])
	w.give(all[n-1], "access part-list", "access drawings in alpha")
	s := w.user(append(all, "ad/side")...)
	w.expect(s, "access feature/part-list", authz.Granted)
	w.expect(s, "access feature/drawings in beta", authz.OtherProject)
	s.Overrides = []directory.ProjectKey{""}
	w.expect(s, "access feature/part-list", authz.OtherProject)     // through the side,
	w.expect(s, "access feature/part-list in alpha", authz.Granted) // where it counts
	if e := authz.Compile(w.facts).Explain(s, ask("access feature/drawings in alpha")); !e.Decision.Allow || !e.Parts[0].More {
		t.Errorf("Explain = %+v, want granted by more paths than are listed", e.Decision)
	}
}
