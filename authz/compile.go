package authz

import (
	"maps"
	"reflect"
	"slices"

	"github.com/usherd/usherd/directory"
)

// Compile makes the snapshot of one revision. It keeps f, which must not be
// changed afterwards.
func Compile(f directory.Facts) *Snapshot {
	return build(f.At, f.Policy, f.Groups)
}

func build(at directory.Stamp, policy directory.PolicyFacts, groups []directory.GroupFacts) *Snapshot {
	t := &thingsEdit{}
	s := &Snapshot{at: at, cat: compileCatalogue(policy, t)}
	s.bindings = byGroup(policy.Bindings)
	s.named = make([][]directory.GroupNum, len(s.cat.mappings.inSlot))
	e := s.edit(t)
	for i := range groups {
		e.put(&groups[i])
	}
	return e.finish()
}

// byGroup sorts bindings by the group that they bind.
func byGroup(all []directory.Binding) map[directory.GroupNum][]directory.Binding {
	out := make(map[directory.GroupNum][]directory.Binding, len(all))
	for _, b := range all {
		out[b.Num] = append(out[b.Num], b)
	}
	return out
}

// Update makes the snapshot of the last revision of a stretch that continues s.
// Only the groups that changed and those nested in them are worked out anew,
// unless the policy or the state of a source changed. It keeps what the stretch
// points to.
func (s *Snapshot) Update(st directory.Stretch) *Snapshot {
	if len(st.Records) == 0 {
		return s
	}
	at := st.Records[len(st.Records)-1].Stamp
	if st.Policy != nil && s.recompiles(st.Policy) {
		return build(at, *st.Policy, s.groupsAfter(st))
	}
	e := s.edit(s.things.edit())
	e.next.at = at
	if st.Policy != nil {
		e.rebind(*st.Policy)
	}
	for _, num := range st.Ended {
		e.end(num)
	}
	for i := range st.Groups {
		e.put(&st.Groups[i])
	}
	return e.finish()
}

// recompiles reports whether more changed than tokens, bindings and what people
// see of a source.
func (s *Snapshot) recompiles(p *directory.PolicyFacts) bool {
	if !slices.Equal(counting(p.Sources), s.cat.counting) {
		return true
	}
	return p.Revision != s.cat.facts.Revision && !reflect.DeepEqual(p.Policy, s.cat.facts.Policy)
}

// groupsAfter lists the living groups after a stretch.
func (s *Snapshot) groupsAfter(st directory.Stretch) []directory.GroupFacts {
	stale := make(map[directory.GroupNum]bool, len(st.Ended)+len(st.Groups))
	for _, num := range st.Ended {
		stale[num] = true
	}
	for i := range st.Groups {
		stale[st.Groups[i].Num] = true
	}
	out := make([]directory.GroupFacts, 0, s.count+len(st.Groups))
	for g := range s.Groups() {
		if !stale[g.Num] {
			out = append(out, *g)
		}
	}
	return append(out, st.Groups...)
}

// editor makes the successor of a snapshot.
type editor struct {
	next     *Snapshot
	groups   *pagedEdit[*group]
	children *pagedEdit[[]directory.GroupNum]
	things   *thingsEdit
	dirty    map[directory.GroupNum]bool // work out anew, with those nested in them
	ownList  map[directory.GroupNum]bool // whose list of children is not shared
	ownNamed bool
}

func (s *Snapshot) edit(t *thingsEdit) *editor {
	next := *s
	return &editor{
		next: &next, groups: s.groups.edit(), children: s.children.edit(), things: t,
		dirty: map[directory.GroupNum]bool{}, ownList: map[directory.GroupNum]bool{},
	}
}

// nest enters num below a parent.
func (e *editor) nest(num, parent directory.GroupNum) {
	list := e.children.get(uint32(parent))
	if !e.ownList[parent] {
		list = slices.Clone(list)
		e.ownList[parent] = true
	}
	e.children.set(uint32(parent), append(list, num))
}

// unnest takes num out below a parent.
func (e *editor) unnest(num, parent directory.GroupNum) {
	list := slices.Clone(e.children.get(uint32(parent)))
	e.ownList[parent] = true
	e.children.set(uint32(parent), slices.DeleteFunc(list, func(n directory.GroupNum) bool { return n == num }))
}

// put enters a group that began or changed.
func (e *editor) put(f *directory.GroupFacts) {
	e.end(f.Num)
	e.next.count++
	e.groups.set(uint32(f.Num), &group{facts: f})
	for _, parent := range f.Parents {
		e.nest(f.Num, parent)
	}
	e.name(f, func(list []directory.GroupNum) []directory.GroupNum {
		return append(slices.Clip(list), f.Num)
	})
}

// end takes a group out.
func (e *editor) end(num directory.GroupNum) {
	e.dirty[num] = true
	old := e.groups.get(uint32(num))
	if old == nil {
		return
	}
	for _, parent := range old.facts.Parents {
		e.unnest(num, parent)
	}
	e.name(old.facts, func(list []directory.GroupNum) []directory.GroupNum {
		return slices.DeleteFunc(slices.Clone(list), func(n directory.GroupNum) bool { return n == num })
	})
	e.groups.set(uint32(num), nil)
	e.next.count--
}

// name alters which groups bear a name that mappings mean. All of them are
// dirty: a name that two groups bear gives nothing to either.
func (e *editor) name(f *directory.GroupFacts, alter func([]directory.GroupNum) []directory.GroupNum) {
	slot, ok := e.next.cat.mappings.byName[nameRef{f.Source, f.NameKey}]
	if !ok {
		return
	}
	if !e.ownNamed {
		e.next.named, e.ownNamed = slices.Clone(e.next.named), true
	}
	list := e.next.named[slot]
	for _, num := range list {
		e.dirty[num] = true
	}
	e.next.named[slot] = alter(list)
}

// rebind takes over facts with the same policy, but other bindings or tokens.
func (e *editor) rebind(p directory.PolicyFacts) {
	cat := *e.next.cat
	p.Policy = cat.facts.Policy // the compiled mappings point into it
	cat.facts = p
	e.next.cat = &cat
	old, bound := e.next.bindings, byGroup(p.Bindings)
	for num, list := range bound {
		if !slices.Equal(list, old[num]) {
			e.dirty[num] = true
		}
	}
	for num := range old {
		if bound[num] == nil {
			e.dirty[num] = true
		}
	}
	e.next.bindings = bound
}

// finish works out what is dirty and everything nested in it.
func (e *editor) finish() *Snapshot {
	affected := e.affected()
	for _, num := range affected {
		old := e.groups.get(uint32(num))
		if old == nil {
			continue
		}
		g := &group{facts: old.facts, mappings: old.mappings, scope: old.scope, blocked: old.blocked}
		if e.dirty[num] {
			g.mappings = e.next.cat.mappings.reaching(g.facts, e.next.bindings[num], e.next.named)
			g.scope = e.next.cat.scope(g.facts.Project)
			g.blocked = g.facts.Blocked || !e.next.cat.counts(g.facts.Source)
		}
		e.groups.set(uint32(num), g)
	}
	c := closer{
		get: func(num directory.GroupNum) *group { return e.groups.get(uint32(num)) },
		own: e.own,
	}
	c.close(affected)
	e.next.index = e.reindex(affected)
	e.next.groups, e.next.children, e.next.things = e.groups.paged, e.children.paged, e.things.settle()
	return e.next
}

// reindex enters what the affected groups reach now instead of before.
func (e *editor) reindex(affected []directory.GroupNum) index {
	x := newIndexer(&e.next.index)
	for _, num := range affected {
		was, is := e.next.groups.get(uint32(num)), e.groups.get(uint32(num))
		if was == nil {
			was = &group{}
		}
		if is == nil {
			is = &group{}
		}
		x.raw.move(num, &was.raw, &is.raw)
		x.org.move(num, &was.org, &is.org)
	}
	return x.settle()
}

// affected lists the dirty groups and those nested in them, ascending.
func (e *editor) affected() []directory.GroupNum {
	seen := maps.Clone(e.dirty)
	list := slices.Collect(maps.Keys(seen))
	for i := 0; i < len(list); i++ {
		for _, child := range e.children.get(uint32(list[i])) {
			if !seen[child] {
				seen[child] = true
				list = append(list, child)
			}
		}
	}
	slices.Sort(list)
	return list
}

// own adds what mappings and grants give to the group itself.
func (e *editor) own(g *group, r *reach) {
	cat := e.next.cat
	for _, m := range g.mappings {
		for i := range m.gives {
			r.give(m.gives[i].scope, m.gives[i].ids, m.suspended)
		}
	}
	var few [8]privID
	for i := range g.facts.Grants {
		grant := &g.facts.Grants[i]
		ids := few[:0]
		if grant.Role == "" {
			ids = cat.appendPrivilege(ids, grant.Privilege, e.things)
		} else if role := cat.roles[grant.Role]; role != nil {
			ids = role.ids
		}
		r.give(cat.scope(grant.Project), ids, false)
	}
}
