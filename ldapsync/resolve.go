package ldapsync

import (
	"slices"
)

// A past finds whom a DN named before: in the last complete read, or in an
// earlier one if a group has listed that DN ever since.
type past func(dnKey) (stableID string, ok bool)

// Edges are the direct memberships of a snapshot.
type edges struct {
	// Of lists, for each group of the snapshot, its direct members.
	of [][]edge
	// kept lists, for each group, the stable ids of members who are gone but
	// whose DN the group still lists.
	kept [][]string
	// unresolved counts, for each group, the members that name nobody.
	unresolved []int
	// aliases are the dangling DNs that were resolved by the past.
	aliases map[dnKey]string
}

// resolve turns what groups list into edges between people and groups. It is
// pure. A DN is looked up among this read's people, then its groups. One that
// names nobody now, but did before, still names the same entry: renaming an OU
// changes nobody's memberships though the member values of OpenLDAP do not
// follow. A DN that somebody else has now names that one and no other.
func resolve(s *Snapshot, before past) edges {
	e := edges{
		of: make([][]edge, len(s.Groups)), kept: make([][]string, len(s.Groups)), unresolved: make([]int, len(s.Groups)),
		aliases: map[dnKey]string{},
	}
	r := &resolver{snap: s, before: before, edges: &e, people: map[string]int32{}, groups: map[string]int32{}, bySID: map[string]int32{}}
	for i := range s.People {
		r.people[s.People[i].Profile.ExternalID] = int32(i)
	}
	for i, g := range s.Groups {
		r.groups[g.ID] = int32(i)
		if g.sid != "" {
			r.bySID[g.sid] = int32(i)
		}
	}
	for i := range s.Groups {
		r.group(i)
	}
	r.primaries()
	for i := range e.of {
		slices.SortFunc(e.of[i], compareEdges)
		e.of[i] = slices.Compact(e.of[i])
		slices.Sort(e.kept[i])
		e.kept[i] = slices.Compact(e.kept[i])
	}
	return e
}

type resolver struct {
	snap   *Snapshot
	before past
	edges  *edges
	people map[string]int32 // by stable id
	groups map[string]int32 // by stable id
	bySID  map[string]int32 // groups
}

func (r *resolver) group(i int) {
	g := &r.snap.Groups[i]
	for _, at := range g.people {
		r.edges.of[i] = append(r.edges.of[i], edge{at: at})
	}
	for _, f := range g.others {
		r.foreign(i, f)
	}
	g.people, g.others = nil, nil // the edges have them
}

// foreign resolves one member that is no person under its present DN.
func (r *resolver) foreign(i int, f foreign) {
	if at, ok := r.nested(f); ok {
		r.edges.of[i] = append(r.edges.of[i], edge{at: at, group: true})
		return
	}
	id, known := "", false
	if f.key != (dnKey{}) {
		id, known = r.before(f.key)
	}
	if !known {
		r.edges.unresolved[i]++
		return
	}
	r.edges.aliases[f.key] = id
	if at, ok := r.people[id]; ok {
		r.edges.of[i] = append(r.edges.of[i], edge{at: at})
	} else if at, ok := r.groups[id]; ok {
		r.edges.of[i] = append(r.edges.of[i], edge{at: at, group: true})
	} else {
		r.edges.kept[i] = append(r.edges.kept[i], id)
	}
}

// nested finds a group by DN; between groups whose DNs fold alike the spelling
// decides.
func (r *resolver) nested(f foreign) (int32, bool) {
	found := r.snap.groups[f.key]
	if len(found) == 1 {
		return found[0], true
	}
	for _, at := range found {
		if r.snap.Groups[at].DN == spellDN(f.dn) {
			return at, true
		}
	}
	return 0, false
}

// primaries adds the edges that primaryGroupID makes. Active Directory does not
// list them in member.
func (r *resolver) primaries() {
	for i := range r.snap.People {
		if at, ok := r.bySID[r.snap.People[i].primary]; ok {
			r.edges.of[at] = append(r.edges.of[at], edge{at: int32(i), via: viaPrimary})
		}
	}
}

func compareEdges(a, b edge) int {
	if a.group != b.group {
		if b.group {
			return -1
		}
		return 1
	}
	if a.at != b.at {
		return int(a.at) - int(b.at)
	}
	return int(a.via) - int(b.via)
}
