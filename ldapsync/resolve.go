package ldapsync

import (
	"slices"
)

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
func resolve(s *Snapshot, before past) (edges, error) {
	e := edges{
		of: make([][]edge, len(s.Groups)), kept: make([][]string, len(s.Groups)), unresolved: make([]int, len(s.Groups)),
		aliases: map[dnKey]string{},
	}
	r := &resolver{snap: s, before: before, edges: &e, groups: map[string]int32{}, bySID: map[int32]int32{}}
	for i, g := range s.Groups {
		r.groups[g.ID] = int32(i)
		if n, ok := s.sids[g.sid]; ok {
			r.bySID[n] = int32(i)
		}
	}
	for i := range s.Groups {
		if err := r.group(i); err != nil {
			return edges{}, err
		}
	}
	r.primaries()
	for i := range e.of {
		slices.SortFunc(e.of[i], compareEdges)
		e.of[i] = slices.Compact(e.of[i])
		slices.Sort(e.kept[i])
		e.kept[i] = slices.Compact(e.kept[i])
	}
	return e, nil
}

type resolver struct {
	snap   *Snapshot
	before past
	edges  *edges
	groups map[string]int32 // by stable id
	bySID  map[int32]int32  // groups, by number of the SID
}

func (r *resolver) group(i int) error {
	g := &r.snap.Groups[i]
	r.edges.of[i] = slices.Grow(r.edges.of[i], len(g.people))
	for _, at := range g.people {
		r.edges.of[i] = append(r.edges.of[i], edge{at: at})
	}
	for _, f := range g.others {
		if err := r.foreign(i, f); err != nil {
			return err
		}
	}
	g.people, g.others = nil, nil // the edges have them
	return nil
}

// foreign resolves one member that is no person under its present DN.
func (r *resolver) foreign(i int, f foreign) error {
	if at, ok := r.nested(f); ok {
		r.edges.of[i] = append(r.edges.of[i], edge{at: at, group: true})
		return nil
	}
	id, known := "", false
	if f.key != (dnKey{}) {
		var err error
		if id, known, err = r.before(f.key); err != nil {
			return err
		}
	}
	if !known {
		r.edges.unresolved[i]++
		return nil
	}
	if r.snap.partial && !r.snap.have.standsAt(id, f.key) {
		r.edges.unresolved[i]++ // a former DN keeps members and makes none, and nobody is removed here
		return nil
	}
	r.edges.aliases[f.key] = id
	if at := r.snap.byExt.find(keyOfText(id)); at != nowhere {
		r.edges.of[i] = append(r.edges.of[i], edge{at: at, past: true})
	} else if at, ok := r.groups[id]; ok {
		r.edges.of[i] = append(r.edges.of[i], edge{at: at, group: true, past: true})
	} else {
		r.edges.kept[i] = append(r.edges.kept[i], id)
	}
	return nil
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
	for i := range int32(r.snap.people.len()) {
		if at, ok := r.bySID[r.snap.people.at(i).primary]; ok {
			r.edges.of[at] = append(r.edges.of[at], edge{at: i, via: viaPrimary})
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
	if a.via != b.via {
		return int(a.via) - int(b.via)
	}
	switch {
	case a.past == b.past:
		return 0
	case b.past:
		return -1
	}
	return 1
}
