package ldapsync

import "github.com/usherd/usherd/directory"

// measure gathers what the gate looks at beside the items of the plan.
func (d *differ) measure() {
	s := &d.plan.shape
	s.peopleNow, s.groupsNow = len(d.want.People), len(d.want.Groups)
	s.readBefore = d.have.Cursor.People
	s.attributes = [2]map[string]int{d.have.Cursor.Attributes, d.want.Attributes}
	s.active = map[string]bool{}
	for _, k := range d.have.People {
		if k.Presence == directory.Present {
			s.peopleBefore++
		}
		if k.counts() {
			s.active[string(k.ID)] = true
		}
	}
	for _, g := range d.have.Groups {
		if _, missing := d.have.Cursor.MissingGroups[g.ExternalID]; !missing {
			s.groupsBefore++
		}
	}
	s.groups = d.have.Groups
	s.renewed = d.renewed()
	s.graphs = func() (graph, graph) { return d.before(), d.after() }
}

// renewed counts the people and groups who are new by stable id but stand under
// a DN that the store knows with another id: a few are accounts made again, all
// of them are an id attribute that changed.
func (d *differ) renewed() int {
	byDN := map[dnKey]string{}
	for _, k := range d.have.People {
		if k.Presence == directory.Present && k.DN != "" {
			byDN[keyOfDN(k.DN)] = k.ExternalID
		}
	}
	n := 0
	for i := range d.want.People {
		p := d.want.People[i].Profile
		if _, known := d.knownUser[p.ExternalID]; known {
			continue
		}
		if _, taken := byDN[keyOfDN(p.DN)]; taken {
			n++
		}
	}
	return n
}

// before is the graph of memberships that the store has.
func (d *differ) before() graph {
	g := graph{people: map[string][]string{}, groups: map[string][]string{}}
	for _, k := range d.have.Groups {
		for _, e := range k.members {
			if e.group {
				g.groups[k.ExternalID] = append(g.groups[k.ExternalID], d.have.Groups[e.at].ExternalID)
			} else {
				g.people[k.ExternalID] = append(g.people[k.ExternalID], d.have.People[e.at].ExternalID)
			}
		}
	}
	return g
}

// after is the graph that the plan leads to.
func (d *differ) after() graph {
	g, was := graph{people: map[string][]string{}, groups: map[string][]string{}}, graph{}
	for i := range d.want.Groups {
		id := d.want.Groups[i].ID
		if d.want.Groups[i].unknown != "" {
			if was.people == nil {
				was = d.before()
			}
			g.people[id], g.groups[id] = was.people[id], was.groups[id]
			continue
		}
		for _, e := range d.edges.of[i] {
			if e.group {
				g.groups[id] = append(g.groups[id], d.want.Groups[e.at].ID)
			} else {
				g.people[id] = append(g.people[id], d.want.People[e.at].Profile.ExternalID)
			}
		}
		g.people[id] = append(g.people[id], d.edges.kept[i]...)
	}
	return g
}

// adminGroups are the groups of the source that give an administration right.
func (p *Plan) adminGroups(ids map[directory.GroupID]bool) []KnownGroup {
	var found []KnownGroup
	for _, g := range p.shape.groups {
		if ids[g.ID] {
			found = append(found, g)
		}
	}
	return found
}
