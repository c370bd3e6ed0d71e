package ldapsync

import (
	"slices"

	"github.com/usherd/usherd/directory"
)

// userChange turns an item into the change that performs it.
func userChange(source directory.SourceName, i *Item) directory.Change {
	id := directory.UserID(i.ID)
	switch i.Op {
	case OpCreate:
		return directory.CreateUser{ID: id, Source: source, Profile: i.profile, User: i.Joins}
	case OpGone:
		return directory.SetPresence{ID: id, Source: source, Presence: directory.Gone}
	case OpDelete:
		return directory.DeleteUser{ID: id, Source: source}
	case OpRestore:
		if i.present {
			return directory.SetPresence{ID: id, Source: source, Presence: directory.Present}
		}
	case OpUpdate, OpDisable, OpEnable, OpMembers:
	}
	return directory.ReplaceUser{ID: id, Source: source, Profile: i.profile}
}

// groupSteps turns an item into steps, leaving out who does not exist after
// all.
func (a *applier) groupSteps(i *groupItem) []step {
	if a.failed[i.ID] {
		return nil
	}
	id, source := directory.GroupID(i.ID), a.plan.Source
	one := func(c directory.Change) []step { return []step{{item: i.Item, changes: []directory.Change{c}}} }
	switch i.Op {
	case OpCreate:
		return one(directory.CreateGroup{ID: id, Source: source, Name: i.Name, ExternalID: i.ExternalID, DN: i.DN})
	case OpUpdate:
		return one(directory.UpdateGroup{ID: id, Source: source, Name: &i.Name, DN: &i.DN})
	case OpDelete:
		return one(directory.DeleteGroup{ID: id, Source: source})
	case OpMembers, OpGone, OpDisable, OpEnable, OpRestore:
	}
	return a.memberSteps(i)
}

// memberSteps removes and adds members. A change of ordinary size is one step,
// so that nobody sees half of it.
func (a *applier) memberSteps(i *groupItem) []step {
	id, source := directory.GroupID(i.ID), a.plan.Source
	var changes []directory.Change
	for _, via := range []via{viaMember, viaPrimary} {
		for refs := range slices.Chunk(through(i.remove, via), memberChunk) {
			changes = append(changes, directory.RemoveMembers{Group: id, Source: source, Values: a.values(i, refs), Via: via.name()})
		}
		for refs := range slices.Chunk(through(i.add, via), memberChunk) {
			changes = append(changes, directory.AddMembers{Group: id, Source: source, Values: a.values(i, refs), Via: via.name()})
		}
	}
	if len(changes) <= 4 {
		return []step{{item: i.Item, changes: changes}}
	}
	var steps []step
	for _, c := range changes {
		steps = append(steps, step{item: i.Item, changes: []directory.Change{c}})
	}
	return steps
}

// through returns the members by one way.
func through(refs []ref, v via) []ref {
	if !slices.ContainsFunc(refs, func(r ref) bool { return r.via != v }) {
		return refs
	}
	var out []ref
	for _, r := range refs {
		if r.via == v {
			out = append(out, r)
		}
	}
	return out
}

func (a *applier) values(i *groupItem, refs []ref) []string {
	values := make([]string, 0, len(refs))
	for _, r := range refs {
		if v := a.plan.value(i, r); !a.failed[v] {
			values = append(values, v)
		}
	}
	return values
}

// Changes lists the changes of the plan as they would be applied, for a preview
// of who gains and loses what.
func (p *Plan) Changes() ([]directory.Change, error) { return p.changes(everything) }

func (p *Plan) changes(of part) ([]directory.Change, error) {
	a := &applier{plan: p}
	var all []directory.Change
	for i := range int32(p.people.len()) {
		if !of.person(p.people.at(i)) {
			continue
		}
		item, err := p.personItem(p.people.at(i))
		if err != nil {
			return nil, err
		}
		all = append(all, userChange(p.Source, &item))
	}
	for i := range p.groups {
		g, ok := of.group(&p.groups[i])
		if !ok {
			continue
		}
		for _, s := range a.groupSteps(&g) {
			all = append(all, s.changes...)
		}
	}
	return all, nil
}
