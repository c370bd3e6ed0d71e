package ldapsync

import (
	"cmp"
	"slices"
)

// groups plans what happens to groups and their direct members.
func (d *differ) groups() {
	there := make(map[string]bool, len(d.want.Groups))
	d.plan.shape.newGroups = make([]string, len(d.want.Groups))
	taken := make([]bool, len(d.want.Groups))
	for i := range d.want.Groups {
		there[d.want.Groups[i].ID] = true
		taken[i] = d.group(i)
	}
	for i := range d.want.Groups {
		if taken[i] {
			d.members(i)
		}
	}
	for i := range d.have.Groups {
		if !there[d.have.Groups[i].ExternalID] && !d.want.partial {
			d.lostGroup(int32(i))
		}
	}
	d.count("groups.read", len(d.want.Groups))
}

// knownAs is the group of the store with a stable id, or nowhere.
func (d *differ) knownAs(stableID string) int32 {
	if at, ok := d.knownGroup[stableID]; ok {
		return at
	}
	return nowhere
}

// group plans one group without its members and reports whether it is taken
// over.
func (d *differ) group(i int) bool {
	g := &d.want.Groups[i]
	item := groupItem{Item: Item{Kind: KindGroup, ExternalID: g.ID, Name: g.Name, DN: g.DN}, known: d.knownAs(g.ID)}
	if g.Rejected != "" {
		d.issue(Issue{ExternalID: g.ID, Kind: KindGroup, Name: cmp.Or(g.Name, g.DN), Attribute: "displayName", What: g.Rejected})
		if item.known == nowhere {
			return false
		}
		item.Name = d.have.Groups[item.known].Name
	}
	if item.known == nowhere {
		item.Op, item.ID = OpCreate, d.NewID()
		d.plan.shape.newGroups[i] = item.ID
		d.addGroup(item)
		return true
	}
	k := d.have.Groups[item.known]
	item.ID = string(k.ID)
	if k.Name != item.Name {
		item.Fields, item.Was = append(item.Fields, "displayName"), k.Name
	}
	if k.DN != g.DN {
		item.Fields = append(item.Fields, "dn")
	}
	if len(item.Fields) > 0 {
		item.Op = OpUpdate
		d.addGroup(item)
	}
	return true
}

// lostGroup plans for a group that is missing from the read: at first it loses
// its members, so that it gives nothing; it is deleted, with the grants that
// name it, only when it has been gone for long enough.
func (d *differ) lostGroup(at int32) {
	k := &d.have.Groups[at]
	m := d.missing(d.have.Cursor.MissingGroups, k.ExternalID)
	item := groupItem{Item: Item{Kind: KindGroup, ID: string(k.ID), ExternalID: k.ExternalID, Name: k.Name, DN: k.DN}, known: at}
	if d.Retention.over(m, d.Now) {
		item.Op = OpDelete
		d.addGroup(item)
		return
	}
	d.plan.next.MissingGroups[k.ExternalID] = m
	if len(k.members) > 0 {
		item.Op, item.remove, item.size = OpGone, k.members, len(k.members)
		d.addGroup(item)
	}
}

// members plans the difference of the direct members of a group.
func (d *differ) members(i int) {
	g := &d.want.Groups[i]
	d.count("members.unresolved", d.edges.unresolved[i])
	if g.unknown != "" {
		d.issue(Issue{ExternalID: g.ID, Kind: KindGroup, Name: cmp.Or(g.Name, g.DN), Attribute: "members", What: "its members stay as they are: " + g.unknown})
		return
	}
	wanted, unresolved := d.wantedMembers(i)
	d.count("members.unresolved", unresolved)
	item := groupItem{Item: Item{Op: OpMembers, Kind: KindGroup, ID: d.plan.shape.newGroups[i], ExternalID: g.ID, Name: g.Name, DN: g.DN}, known: d.knownAs(g.ID)}
	if item.known == nowhere {
		item.add = wanted
	} else {
		k := &d.have.Groups[item.known]
		item.ID = string(k.ID)
		item.add, item.remove = without(wanted, k.members), without(k.members, wanted)
		if d.want.partial {
			item.remove = nil
		}
		if len(item.remove) > 0 {
			item.size = len(k.members)
		}
	}
	if len(item.add)+len(item.remove) > 0 {
		d.addGroup(item)
	}
}

// wantedMembers are the direct members of a group of the snapshot, sorted,
// without those who are not taken over, whom it counts.
func (d *differ) wantedMembers(i int) (refs []ref, unresolved int) {
	var stored []ref
	if at := d.knownAs(d.want.Groups[i].ID); at != nowhere {
		stored = d.have.Groups[at].members
	}
	add := func(r ref, past bool) {
		unknown := r.kind == refNewcomer && d.want.people.at(r.at).minted == nowhere || r.kind == refNewGroup && d.plan.shape.newGroups[r.at] == ""
		if _, is := slices.BinarySearchFunc(stored, r, compareRefs); unknown || past && !is {
			unresolved++
			return
		}
		refs = append(refs, r)
	}
	refs = make([]ref, 0, len(d.edges.of[i])+len(d.edges.kept[i]))
	for _, e := range d.edges.of[i] {
		add(d.refOf(e), e.past)
	}
	for _, id := range d.edges.kept[i] {
		if row := d.have.personOf(id); row != nowhere {
			add(ref{at: row, kind: refPerson}, !d.want.partial)
		} else if at, ok := d.knownGroup[id]; ok && d.want.partial {
			add(ref{at: at, kind: refGroup}, false) // not gone, but not in this read
		}
	}
	slices.SortFunc(refs, compareRefs)
	return slices.Compact(refs), unresolved
}

// refOf names the end of an edge, by what the store has if it does.
func (d *differ) refOf(e edge) ref {
	if e.group {
		if at, ok := d.knownGroup[d.want.Groups[e.at].ID]; ok {
			return ref{at, refGroup, e.via}
		}
		return ref{e.at, refNewGroup, e.via}
	}
	if row := d.want.people.at(e.at).known; row != nowhere {
		return ref{row, refPerson, e.via}
	}
	return ref{e.at, refNewcomer, e.via}
}

// without returns the refs of a that are not in b. Both are sorted.
func without(a, b []ref) []ref {
	var out []ref
	for _, r := range a {
		for len(b) > 0 && compareRefs(b[0], r) < 0 {
			b = b[1:]
		}
		if len(b) == 0 || b[0] != r {
			out = append(out, r)
		}
	}
	return out
}
