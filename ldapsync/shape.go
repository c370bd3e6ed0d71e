package ldapsync

import "github.com/usherd/usherd/directory"

// A shape is what the gate looks at beside the items.
type shape struct {
	active       int // people who have anything, before
	peopleBefore int // people who are there
	groupsBefore int
	groupsFilled int // groups that had members
	peopleNow    int
	groupsNow    int
	renewed      int // people under a DN that had another stable id
	readBefore   int // people in the last complete read
	attributes   [2]map[string]int
	newGroups    []string                     // ids of groups of the snapshot that are to be made
	graphs       func() (before, after graph) // costly, and rarely wanted
}

// measure gathers what the gate looks at beside the items of the plan.
func (d *differ) measure() {
	s := &d.plan.shape
	s.peopleNow, s.groupsNow = d.want.people.len(), len(d.want.Groups)
	s.readBefore = d.have.Cursor.People
	s.attributes = [2]map[string]int{d.have.Cursor.Attributes, d.want.Attributes}
	for i := range int32(d.have.people.len()) {
		k := d.have.people.at(i)
		if !k.gone {
			s.peopleBefore++
		}
		if k.counts() {
			s.active++
		}
	}
	for _, g := range d.have.Groups {
		if _, missing := d.have.Cursor.MissingGroups[g.ExternalID]; !missing {
			s.groupsBefore++
		}
		if len(g.members) > 0 {
			s.groupsFilled++
		}
	}
	s.renewed = d.renewed()
	s.graphs = func() (graph, graph) { return d.before, d.after() }
}

// renewed counts the people and groups who are new by stable id but stand under
// a DN that the store knows with another id: a few are accounts made again, all
// of them are an id attribute that changed.
func (d *differ) renewed() int {
	n := 0
	var there index
	for i := range int32(d.want.people.len()) {
		p := d.want.people.at(i)
		if p.known != nowhere {
			continue
		}
		if there.keyAt == nil {
			there, _, _ = d.have.byDN()
		}
		if there.find(key(p.dn)) != nowhere {
			n++
		}
	}
	return n
}

// A graph lists the direct members of a group.
type graph func(group ref) []ref

// reach returns the people who are members of a group, directly or through
// nested groups, and the groups on the way, the group itself included. Cycles
// end.
func (g graph) reach(group ref) (people, groups map[ref]bool) {
	people, groups = map[ref]bool{}, map[ref]bool{group: true}
	for queue := []ref{group}; len(queue) > 0; queue = queue[1:] {
		for _, m := range g(queue[0]) {
			m.via = viaMember
			switch m.kind {
			case refPerson, refNewcomer:
				people[m] = true
			case refGroup, refNewGroup:
				if !groups[m] {
					groups[m] = true
					queue = append(queue, m)
				}
			case refOdd:
			}
		}
	}
	return people, groups
}

// before is the graph of memberships that the store has.
func (d *differ) before(group ref) []ref {
	if group.kind == refGroup {
		return d.have.Groups[group.at].members
	}
	return nil
}

// after is the graph that the plan leads to.
func (d *differ) after() graph {
	at := map[ref]int{} // groups of the snapshot
	for i := range d.want.Groups {
		at[d.refOf(edge{at: int32(i), group: true})] = i
	}
	return func(group ref) []ref {
		i, there := at[group]
		if !there {
			if d.want.partial {
				return d.before(group)
			}
			return nil
		}
		if d.want.Groups[i].unknown != "" {
			return d.before(group)
		}
		members, _ := d.wantedMembers(i)
		if d.want.partial {
			members = append(members, d.before(group)...)
		}
		return members
	}
}

// adminGroups are the groups of the source that give an administration right.
func (p *Plan) adminGroups(ids map[directory.GroupID]bool) []ref {
	var found []ref
	for i := range p.have.Groups {
		if ids[p.have.Groups[i].ID] {
			found = append(found, ref{at: int32(i), kind: refGroup})
		}
	}
	return found
}

// manyNewAdmins reports whether a group that the plan makes is among those that
// give an administration right, and gets more people than most.
func (p *Plan) manyNewAdmins(ids map[directory.GroupID]bool, most int) bool {
	for i, id := range p.shape.newGroups {
		if id == "" || !ids[directory.GroupID(id)] {
			continue
		}
		_, after := p.shape.graphs()
		if people, _ := after.reach(ref{at: int32(i), kind: refNewGroup}); len(people) > most {
			return true
		}
	}
	return false
}

// groupName is what a group of the plan is called in the store, or will be.
func (p *Plan) groupName(r ref) (stableID, name string) {
	if r.kind == refGroup {
		return p.have.Groups[r.at].ExternalID, p.have.Groups[r.at].Name
	}
	return p.want.Groups[r.at].ID, p.want.Groups[r.at].Name
}
