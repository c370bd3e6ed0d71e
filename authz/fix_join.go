package authz

import (
	"cmp"
	"slices"
	"strings"

	"github.com/usherd/usherd/directory"
)

// How many groups a fix proposes, and how many are tried for that.
const (
	maxGivers = 3
	maxTried  = 100
)

// givers lists groups that a new member would get w through, and lose nothing
// that is asked: those with the fewest grants first (of those that count here, since
// there may be many elsewhere), and those last that take
// something away, or whose members administer something. A source has groups of
// its own people only, so the user must be of the group's source, unless the
// group is made here.
func (x *fixer) givers(w *want) (out []Fix) {
	type giver struct {
		facts *directory.GroupFacts
		open  bool // w counts by it as things are
		rules bool // its members administer something
		more  int  // what it is given
	}
	var found []giver
	rs, n := x.s.index.lookup(&w.ids)
	for _, r := range rs[:n] {
		for num := range r.raw.all() {
			g := x.s.groups.get(uint32(num))
			if g == nil || g.facts.Source != directory.Local && !slices.Contains(x.subject.Sources, g.facts.Source) {
				continue
			}
			found = append(found, giver{g.facts, x.opens(w, rs[:n], g.facts), x.s.Administers(num), len(g.facts.Grants) + len(g.mappings) + 100*len(g.facts.Parents)})
		}
	}
	slices.SortFunc(found, func(f, g giver) int {
		if f.open != g.open {
			return map[bool]int{true: -1, false: 1}[f.open]
		}
		if f.rules != g.rules {
			return map[bool]int{true: 1, false: -1}[f.rules]
		}
		return cmp.Or(cmp.Compare(f.more, g.more), strings.Compare(string(f.facts.NameKey), string(g.facts.NameKey)), cmp.Compare(f.facts.Num, g.facts.Num))
	})
	found = slices.CompactFunc(found, func(f, g giver) bool { return f.facts == g.facts })
	for _, g := range found[:min(len(found), maxTried)] {
		if f := x.join(g.facts); f.Enough {
			out = append(out, f)
		}
	}
	slices.SortStableFunc(out, func(f, g Fix) int { return cmp.Compare(f.rank(), g.rank()) })
	return out[:min(len(out), maxGivers)]
}

// opens reports whether w counts for members of a group as things are.
func (x *fixer) opens(w *want, rs []*reachers, facts *directory.GroupFacts) bool {
	m := directory.Membership{Group: facts.Num, Local: facts.Source == directory.Local}
	orgHidden, inHidden := hidden(x.subject, x.a.project)
	return (m.Local || !orgHidden) && anyOrg(rs, m.Group) ||
		x.a.scope != organization && x.s.countsIn(x.subject, x.a, w, &m, orgHidden, inHidden)
}

// join is the fix that puts the user in a group.
func (x *fixer) join(facts *directory.GroupFacts) Fix {
	g, where := x.s.stepOf(facts), ""
	if g.Source != directory.Local {
		where = "; that is done in " + string(g.Source) + ", which keeps its members"
	}
	f := Fix{Kind: FixJoinGroup, Do: "put the user in " + g.short() + where, Source: g.Source, Group: &g}
	return x.try(f, []remedy{joinGroup(facts)})
}
