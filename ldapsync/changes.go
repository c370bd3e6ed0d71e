package ldapsync

import (
	"slices"

	"github.com/usherd/usherd/directory"
)

// steps turns an item into changes, leaving out who does not exist after all.
func (a *applier) steps(i *Item) []step {
	if i.Kind == KindGroup {
		if a.failed[i.ID] {
			return nil
		}
		return a.groupSteps(i)
	}
	return []step{{i, []directory.Change{userChange(a.plan.Source, i)}}}
}

func userChange(source directory.SourceName, i *Item) directory.Change {
	id := directory.UserID(i.ID)
	switch i.Op {
	case OpCreate:
		return directory.CreateUser{ID: id, Source: source, Profile: i.profile}
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

func (a *applier) groupSteps(i *Item) []step {
	id, source := directory.GroupID(i.ID), a.plan.Source
	one := func(c directory.Change) []step { return []step{{i, []directory.Change{c}}} }
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
func (a *applier) memberSteps(i *Item) []step {
	id, source := directory.GroupID(i.ID), a.plan.Source
	var changes []directory.Change
	for _, via := range []directory.Via{directory.ViaMember, directory.ViaPrimaryGroup} {
		for values := range slices.Chunk(a.values(i.Remove, via), memberChunk) {
			changes = append(changes, directory.RemoveMembers{Group: id, Source: source, Values: values, Via: via})
		}
		for values := range slices.Chunk(a.values(i.Add, via), memberChunk) {
			changes = append(changes, directory.AddMembers{Group: id, Source: source, Values: values, Via: via})
		}
	}
	if len(changes) <= 4 {
		return []step{{i, changes}}
	}
	var steps []step
	for _, c := range changes {
		steps = append(steps, step{i, []directory.Change{c}})
	}
	return steps
}

func (a *applier) values(refs []Ref, via directory.Via) []string {
	var values []string
	for _, r := range refs {
		if r.Via == via && !a.failed[r.Value] {
			values = append(values, r.Value)
		}
	}
	return values
}

// Changes lists the changes of items as they would be applied, for a preview
// of who gains and loses what.
func (p *Plan) Changes(items []Item) []directory.Change {
	a := &applier{plan: p}
	var all []directory.Change
	for i := range items {
		for _, s := range a.steps(&items[i]) {
			all = append(all, s.changes...)
		}
	}
	return all
}
