package authz

import (
	"maps"
	"slices"

	"github.com/usherd/usherd/directory"
)

// A trial is one subject under a snapshot, as fixes would leave both. The
// snapshot may hold no more groups than the subject has to do with.
type trial struct {
	s       *Snapshot
	subject directory.Subject
}

// A remedy does what a fix says.
type remedy func(trial) trial

func (t trial) after(remedies []remedy) trial {
	for _, do := range remedies {
		t = do(t)
	}
	return t
}

func unblockUser(t trial) trial {
	t.subject.Blocked = false
	return t
}

func activateUser(t trial) trial {
	t.subject.Inactive = false
	return t
}

func enableSource(name directory.SourceName) remedy {
	return func(t trial) trial {
		cat := *t.s.cat
		cat.facts.Sources = slices.Clone(cat.facts.Sources)
		for i := range cat.facts.Sources {
			if src := &cat.facts.Sources[i]; src.Name == name {
				src.State = directory.SourceActive
			}
		}
		cat.counting = counting(cat.facts.Sources)
		return t.compiled(&cat, t.s.bindings, nil)
	}
}

func unblockGroup(num directory.GroupNum) remedy {
	return func(t trial) trial {
		return t.compiled(t.s.cat, t.s.bindings, func(f *directory.GroupFacts) { f.Blocked = f.Blocked && f.Num != num })
	}
}

func confirmMapping(name string, num directory.GroupNum) remedy {
	return func(t trial) trial {
		bindings := maps.Clone(t.s.bindings)
		bindings[num] = slices.Clone(bindings[num])
		for i := range bindings[num] {
			if b := &bindings[num][i]; b.Mapping == name {
				b.State = directory.Bound
			}
		}
		return t.compiled(t.s.cat, bindings, nil)
	}
}

func joinGroup(f *directory.GroupFacts) remedy {
	return func(t trial) trial {
		m := directory.Membership{Group: f.Num, Local: f.Source == directory.Local}
		at, member := slices.BinarySearchFunc(t.subject.Memberships, f.Num, func(o directory.Membership, num directory.GroupNum) int { return int(o.Group) - int(num) })
		t.subject.Memberships = slices.Clone(t.subject.Memberships)
		if member {
			t.subject.Memberships[at].Local = t.subject.Memberships[at].Local || m.Local
		} else {
			t.subject.Memberships = slices.Insert(t.subject.Memberships, at, m)
		}
		return t
	}
}

func addGrant(g directory.Grant) remedy {
	return func(t trial) trial {
		t.subject.Grants = append(slices.Clone(t.subject.Grants), g)
		return t
	}
}

// endOverrideIn ends an override that has brought grants, and a membership of one
// group if it is not 0.
func endOverrideIn(scope directory.ProjectKey, group directory.GroupNum) remedy {
	return func(t trial) trial {
		t.subject.Overrides = slices.DeleteFunc(slices.Clone(t.subject.Overrides), func(p directory.ProjectKey) bool { return p == scope })
		t.subject.Grants = slices.DeleteFunc(slices.Clone(t.subject.Grants), func(g directory.Grant) bool { return broughtIn(scope, &g) })
		t.subject.Memberships = slices.DeleteFunc(slices.Clone(t.subject.Memberships), func(m directory.Membership) bool { return m.Group == group })
		return t
	}
}

// broughtIn reports whether an override of a scope has brought an own grant.
func broughtIn(scope directory.ProjectKey, g *directory.Grant) bool {
	return g.Project == scope && g.Origin == directory.ByOverride
}

// compiled has the snapshot compiled anew with another catalogue of the same
// policy, other bindings and altered groups. It takes no more groups than those
// that the subject is in, directly or not, and their namesakes, because a name
// that two groups bear is no name for mappings.
func (t trial) compiled(cat *catalogue, bindings map[directory.GroupNum][]directory.Binding, alter func(*directory.GroupFacts)) trial {
	next := &Snapshot{at: t.s.at, cat: cat, bindings: bindings, named: make([][]directory.GroupNum, len(t.s.named))}
	e := next.edit(t.s.things.edit())
	for _, f := range t.around() {
		if alter != nil {
			altered := *f
			alter(&altered)
			f = &altered
		}
		e.put(f)
	}
	t.s = e.finish()
	return t
}

func (t trial) around() (out []*directory.GroupFacts) {
	var list []directory.GroupNum
	seen := map[directory.GroupNum]bool{}
	enter := func(num directory.GroupNum) {
		if !seen[num] {
			seen[num] = true
			list = append(list, num)
		}
	}
	for _, m := range t.subject.Memberships {
		enter(m.Group)
	}
	for i := 0; i < len(list); i++ {
		g := t.s.groups.get(uint32(list[i]))
		if g == nil {
			continue
		}
		out = append(out, g.facts)
		for _, parent := range g.facts.Parents {
			enter(parent)
		}
		if slot, ok := t.s.cat.mappings.byName[nameRef{g.facts.Source, g.facts.NameKey}]; ok {
			for _, num := range t.s.named[slot] {
				enter(num)
			}
		}
	}
	return out
}

// lostDefault reports whether the default Role counts before and not after, and
// gave something organization-wide that is not had otherwise.
func lostDefault(before, after *trial) bool {
	r := before.s.cat.defaultRole
	if r == nil || !before.s.hasDefaultRole(&before.subject) || after.s.hasDefaultRole(&after.subject) {
		return false
	}
	for id := range r.org.all() {
		if !after.s.counts(&after.subject, &ask{}, &want{ids: [3]privID{id}}) {
			return true
		}
	}
	return false
}
