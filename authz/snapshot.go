package authz

import (
	"iter"
	"slices"

	"github.com/usherd/usherd/directory"
)

// A Snapshot is the policy and the groups of one revision, compiled for
// deciding. It never changes and is safe for concurrent use. The nil Snapshot
// denies everything.
type Snapshot struct {
	at       directory.Stamp
	cat      *catalogue
	bindings map[directory.GroupNum][]directory.Binding
	things   things
	named    [][]directory.GroupNum // living groups by slot, see mappings.byName
	groups   paged[*group]
	index    index
	children paged[[]directory.GroupNum] // groups directly nested in each number
	count    int
}

// A group is one living group with everything that its members get through it.
type group struct {
	facts    *directory.GroupFacts
	blocked  bool // by status or by its source
	cyclic   bool // nested in itself through others
	knotted  bool // cyclic, or nested in a group that is
	scope    scopeID
	mappings []mapped
	raw      set[privID] // whatever the obstacle: what some path from here ends in
	org      set[privID] // by a path that counts in every check
	in       []scopedSet
}

// scopedSet is what counts in checks that name one project.
type scopedSet struct {
	scope scopeID
	set   set[privID]
}

// within is what paths limited to a project give; nil for nothing.
func (g *group) within(scope scopeID) *set[privID] {
	for i := range g.in {
		if g.in[i].scope == scope {
			return &g.in[i].set
		}
	}
	return nil
}

// At is the point of history that s was compiled from.
func (s *Snapshot) At() directory.Stamp {
	if s == nil {
		return directory.Stamp{}
	}
	return s.at
}

// Policy is what s was compiled from, apart from groups. It is shared: do not
// change it.
func (s *Snapshot) Policy() *directory.PolicyFacts { return &s.cat.facts }

// Len is the number of living groups.
func (s *Snapshot) Len() int { return s.count }

// Group returns what is known of a living group. What it points to is shared.
func (s *Snapshot) Group(num directory.GroupNum) (directory.GroupFacts, bool) {
	if g := s.groups.get(uint32(num)); g != nil {
		return *g.facts, true
	}
	return directory.GroupFacts{}, false
}

// Groups yields the living groups, ascending by number. What they point to is
// shared.
func (s *Snapshot) Groups() iter.Seq[*directory.GroupFacts] {
	return func(yield func(*directory.GroupFacts) bool) {
		for _, g := range s.groups.all() {
			if g != nil && !yield(g.facts) {
				return
			}
		}
	}
}

// Role returns a Role, built in or custom.
func (s *Snapshot) Role(name directory.RoleName) (directory.Role, bool) {
	if r := s.cat.roles[name]; r != nil {
		return r.Role, true
	}
	return directory.Role{}, false
}

// SourceCounts reports whether the groups of a source give anything: it is
// known and not disabled.
func (s *Snapshot) SourceCounts(name directory.SourceName) bool { return s.cat.counts(name) }

// Actions lists what may be asked about a resource of a type, in the order of
// the catalogue; nil if the type or, where ids are in the catalogue, the id is
// unknown.
func (s *Snapshot) Actions(typ, id string) []string {
	names := func(first []string, verbs []verb) []string {
		for _, v := range verbs {
			first = append(first, v.name)
		}
		return first
	}
	switch typ {
	case TypeFeature:
		if f := s.cat.features[id]; f != nil {
			return names([]string{ActionAccess}, f.actions)
		}
	case TypeOutput:
		if s.cat.outputs[id] != nil {
			return []string{ActionGenerate}
		}
	case TypeIntegration:
		if id == Every {
			return []string{ActionCreate}
		}
		if s.cat.integrations[id] != 0 {
			return []string{ActionView, ActionUse, ActionManage, ActionCreateSync}
		}
	case TypeProject:
		if s.cat.projects[directory.ProjectKey(id)] != 0 {
			return []string{ActionRead, ActionManageSyncs, ActionManage}
		}
	default:
		if id != "" && id != Every {
			return names(nil, s.cat.types[typ])
		}
	}
	return nil
}

// IDs lists the resources of a type that the policy names, for searches:
// features in the order of the catalogue, all others by id. ok is false for an
// unknown type.
func (s *Snapshot) IDs(typ string) (ids []string, ok bool) {
	p := &s.cat.facts.Policy
	switch typ {
	case TypeFeature:
		for _, f := range p.Features {
			ids = append(ids, f.Key)
		}
		return ids, true
	case TypeOutput:
		for _, o := range p.Outputs {
			ids = append(ids, o.Key)
		}
	case TypeIntegration:
		for _, i := range p.Integrations {
			ids = append(ids, i.Key)
		}
	case TypeProject:
		for _, project := range p.Projects {
			ids = append(ids, string(project.Key))
		}
	default:
		if _, known := s.cat.types[typ]; !known || Reserved(typ) {
			return nil, false
		}
		ids = thingIDs(p, typ)
	}
	slices.Sort(ids)
	return slices.Compact(ids), true
}

// thingIDs lists the ids of a type in the catalogue, in Roles and in mappings.
func thingIDs(p *directory.Policy, typ string) (ids []string) {
	from := func(list []directory.Privilege) {
		for _, priv := range list {
			t, id, _, ok := directory.SplitRoleKey(priv.Key)
			if ok && priv.Kind == directory.RolePrivilege && t == typ && id != Every {
				ids = append(ids, id)
			}
		}
	}
	for _, r := range p.Resources {
		if r.Type == typ {
			ids = append(ids, r.IDs...)
		}
	}
	for _, r := range p.Roles {
		from(r.Privileges)
	}
	for _, m := range p.Mappings {
		for _, set := range m.Grants {
			from(set.Privileges)
		}
	}
	return ids
}
