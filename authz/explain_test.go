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
			if e.Text() == "" {
				t.Fatal("no text")
			}
			code := authz.Granted
			for _, part := range e.Parts {
				code = min(code, part.Code)
				checkPart(t, part)
			}
			barred := e.Decision.Code == authz.BlockedUser || e.Decision.Code == authz.InactiveUser
			if barred && slices.ContainsFunc(e.Parts, func(p authz.Part) bool { return p.Code == authz.Granted }) {
				t.Fatalf("Explain(%+v) says that something counts: %s", q, text(e))
			}
			if len(e.Parts) == 1 && code != e.Decision.Code && !barred {
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
