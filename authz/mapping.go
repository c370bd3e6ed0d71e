package authz

import (
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/usherd/usherd/directory"
)

// A mapping is compiled: what it gives, in numbers, and how it finds groups.
type mapping struct {
	*directory.Mapping
	index int
	binds bool // reaches groups by bindings only
	gives []given
}

// given is what one grant set gives.
type given struct {
	set   *directory.GrantSet
	scope scopeID
	ids   []privID
}

// mapped is a mapping that reaches a group.
type mapped struct {
	*mapping
	suspended bool
}

// nameRef is a name in a source.
type nameRef struct {
	source directory.SourceName
	key    directory.NameKey
}

// mappings are all mappings with their indexes.
type mappings struct {
	byKey    map[string]*mapping // by the mapping's own name
	byName   map[nameRef]int     // groups' names that mappings by name mean → slot
	inSlot   [][]*mapping        // by slot
	patterns map[directory.SourceName][]pattern
}

type pattern struct {
	*mapping
	glob string // folded
}

func (c *catalogue) compileMappings(t *thingsEdit) mappings {
	p := &c.facts.Policy
	m := mappings{
		byKey:    make(map[string]*mapping, len(p.Mappings)),
		byName:   map[nameRef]int{},
		patterns: map[directory.SourceName][]pattern{},
	}
	for i := range p.Mappings {
		mp := &mapping{Mapping: &p.Mappings[i], index: i, binds: c.binds(&p.Mappings[i])}
		if mp.Disabled {
			continue // it reaches nothing
		}
		for j := range mp.Grants {
			set := &mp.Grants[j]
			mp.gives = append(mp.gives, given{set, c.scope(set.Project), c.setIDs(set, t)})
		}
		m.byKey[mp.Name] = mp
		if !mp.binds {
			m.follow(mp)
		}
	}
	return m
}

// binds is directory.Policy.Binds, by the compiled Roles.
func (c *catalogue) binds(m *directory.Mapping) bool {
	if m.When.ID != "" || m.When.DN != "" {
		return true
	}
	for _, set := range m.Grants {
		for _, name := range set.Roles {
			if r := c.roles[name]; r != nil && r.HasAdministrationRight() {
				return true
			}
		}
	}
	return false
}

// follow enters a mapping that follows names into the indexes.
func (m *mappings) follow(mp *mapping) {
	key, err := directory.KeyOf(mp.When.Name + mp.When.Pattern)
	switch {
	case err != nil: // no group has such a name
	case mp.When.Name != "":
		ref := nameRef{mp.When.Source, key}
		slot, ok := m.byName[ref]
		if !ok {
			slot = len(m.inSlot)
			m.byName[ref] = slot
			m.inSlot = append(m.inSlot, nil)
		}
		m.inSlot[slot] = append(m.inSlot[slot], mp)
	default:
		m.patterns[mp.When.Source] = append(m.patterns[mp.When.Source], pattern{mp, string(key)})
	}
}

func (c *catalogue) setIDs(set *directory.GrantSet, t *thingsEdit) []privID {
	var ids []privID
	for _, name := range set.Roles {
		if r := c.roles[name]; r != nil {
			ids = append(ids, r.ids...)
		}
	}
	for _, p := range set.Privileges {
		ids = c.appendPrivilege(ids, p, t)
	}
	slices.Sort(ids)
	return slices.Compact(ids)
}

// reaching lists the mappings that reach a group, in the order of the policy.
// namesakes are the groups of its source that share its name.
func (m *mappings) reaching(g *directory.GroupFacts, bound []directory.Binding, named [][]directory.GroupNum) []mapped {
	var out []mapped
	for _, b := range bound {
		if mp := m.byKey[b.Mapping]; mp != nil && mp.binds && mp.When.Source == g.Source {
			out = append(out, mapped{mp, b.State != directory.Bound})
		}
	}
	if slot, ok := m.byName[nameRef{g.Source, g.NameKey}]; ok && len(named[slot]) == 1 {
		for _, mp := range m.inSlot[slot] {
			out = append(out, mapped{mp, false})
		}
	}
	for _, p := range m.patterns[g.Source] {
		if matchGlob(p.glob, string(g.NameKey)) {
			out = append(out, mapped{p.mapping, false})
		}
	}
	slices.SortStableFunc(out, func(a, b mapped) int { return a.index - b.index })
	return out
}

// matchGlob is directory.MatchGlob for a pattern that is folded already; with
// many patterns the folding would cost more than the rest of a compilation.
func matchGlob(glob, key string) bool {
	if i := strings.IndexAny(glob, "*?"); i < 0 {
		return glob == key
	} else if !strings.HasPrefix(key, glob[:i]) {
		return false
	}
	var g, k, starG, starK int
	star := false
	for k < len(key) {
		kr, kw := utf8.DecodeRuneInString(key[k:])
		gr, gw := utf8.DecodeRuneInString(glob[g:])
		switch {
		case gw > 0 && gr == '*':
			star, starG, starK = true, g+1, k
			g++
		case gw > 0 && (gr == '?' || gr == kr):
			g += gw
			k += kw
		case star:
			_, w := utf8.DecodeRuneInString(key[starK:])
			starK += w
			g, k = starG, starK
		default:
			return false
		}
	}
	return strings.Trim(glob[g:], "*") == ""
}
