package ldapsync

import (
	"slices"

	"github.com/usherd/usherd/directory"
)

// groups plans what happens to groups and their direct members.
func (d *differ) groups() {
	there := make(map[string]bool, len(d.want.Groups))
	d.groupIDs = make([]string, len(d.want.Groups))
	for i := range d.want.Groups {
		there[d.want.Groups[i].ID] = true
		d.groupIDs[i] = d.group(&d.want.Groups[i])
	}
	for i := range d.want.Groups {
		if d.groupIDs[i] != "" {
			d.members(i)
		}
	}
	for i := range d.have.Groups {
		if !there[d.have.Groups[i].ExternalID] {
			d.lostGroup(&d.have.Groups[i])
		}
	}
	d.count("groups.read", len(d.want.Groups))
}

// group plans one group without its members and returns its id, or "" if it is
// not taken over.
func (d *differ) group(g *Group) string {
	at, known := d.knownGroup[g.ID]
	item := Item{Kind: KindGroup, ExternalID: g.ID, Name: g.Name, DN: g.DN}
	if g.Rejected != "" {
		d.issue(g.ID, g.Rejected)
		if !known {
			return ""
		}
		item.Name = d.have.Groups[at].Name
	}
	if !known {
		item.Op, item.ID = OpCreate, d.NewID()
		d.add(item)
		return item.ID
	}
	k := d.have.Groups[at]
	item.ID = string(k.ID)
	if k.Name != item.Name {
		item.Fields = append(item.Fields, "displayName")
	}
	if k.DN != g.DN {
		item.Fields = append(item.Fields, "dn")
	}
	if len(item.Fields) > 0 {
		item.Op = OpUpdate
		d.add(item)
	}
	return item.ID
}

// lostGroup plans for a group that is missing from the read: at first it loses
// its members, so that it gives nothing; it is deleted, with the grants that
// name it, only when it has been gone for long enough.
func (d *differ) lostGroup(k *KnownGroup) {
	m := d.missing(d.have.Cursor.MissingGroups, k.ExternalID)
	item := Item{Kind: KindGroup, ID: string(k.ID), ExternalID: k.ExternalID, Name: k.Name, DN: k.DN}
	if d.Retention.over(m, d.Now) {
		item.Op = OpDelete
		d.add(item)
		return
	}
	d.plan.next.MissingGroups[k.ExternalID] = m
	if refs := d.storedMembers(k); len(refs) > 0 {
		item.Op, item.Remove = OpGone, refs
		d.plan.shape.sizes[item.ID] = len(refs)
		d.add(item)
		d.count("members.remove", len(refs))
	}
}

// members plans the difference of the direct members of a group.
func (d *differ) members(i int) {
	g := &d.want.Groups[i]
	d.count("members.unresolved", d.edges.unresolved[i])
	if g.unknown != "" {
		d.issue(g.ID, "its members stay as they are: "+g.unknown)
		return
	}
	wanted := d.wantedMembers(i)
	item := Item{Op: OpMembers, Kind: KindGroup, ID: d.groupIDs[i], ExternalID: g.ID, Name: g.Name, DN: g.DN}
	if at, known := d.knownGroup[g.ID]; known {
		stored := d.storedMembers(&d.have.Groups[at])
		item.Add, item.Remove = without(wanted, stored), without(stored, wanted)
		if len(item.Remove) > 0 {
			d.plan.shape.sizes[item.ID] = len(stored)
		}
	} else {
		item.Add = wanted
	}
	d.count("members.add", len(item.Add))
	d.count("members.remove", len(item.Remove))
	if len(item.Add)+len(item.Remove) > 0 {
		d.add(item)
	}
}

// wantedMembers are the direct members of a group of the snapshot, by the ids
// the store has or will have.
func (d *differ) wantedMembers(i int) []Ref {
	var refs []Ref
	for _, e := range d.edges.of[i] {
		value, id := "", ""
		if e.group {
			value, id = d.groupIDs[e.at], d.want.Groups[e.at].ID
		} else {
			value, id = d.userIDs[e.at], d.want.People[e.at].Profile.ExternalID
		}
		if value == "" {
			d.count("members.unresolved", 1)
			continue
		}
		refs = append(refs, Ref{value, id, e.via.name()})
	}
	for _, id := range d.edges.kept[i] {
		if at, ok := d.knownUser[id]; ok {
			refs = append(refs, Ref{string(d.have.People[at].ID), id, directory.ViaMember})
		}
	}
	return refs
}

// storedMembers are the direct members that the store has.
func (d *differ) storedMembers(g *KnownGroup) []Ref {
	refs := make([]Ref, 0, len(g.members)+len(g.odd))
	for _, e := range g.members {
		if e.group {
			refs = append(refs, Ref{string(d.have.Groups[e.at].ID), d.have.Groups[e.at].ExternalID, e.via.name()})
		} else {
			refs = append(refs, Ref{string(d.have.People[e.at].ID), d.have.People[e.at].ExternalID, e.via.name()})
		}
	}
	for _, m := range g.odd {
		via := m.Via
		if via == "" {
			via = directory.ViaMember
		}
		refs = append(refs, Ref{Value: m.Value, Via: via})
	}
	return refs
}

// without returns the refs of a that are not in b.
func without(a, b []Ref) []Ref {
	if slices.Equal(a, b) {
		return nil
	}
	in := make(map[Ref]bool, len(b))
	for _, r := range b {
		in[r] = true
	}
	var out []Ref
	for _, r := range a {
		if !in[r] {
			out = append(out, r)
		}
	}
	return out
}
