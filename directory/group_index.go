package directory

import "iter"

// A GroupIndex finds groups by selectors without comparing each group with each
// selector: thousands of mappings meet thousands of groups.
type GroupIndex struct {
	bySource map[SourceName][]*GroupFacts
	byName   map[groupName][]*GroupFacts
	byID     map[groupName][]*GroupFacts
	byDN     map[groupName][]*GroupFacts // nil until a selector asks for one: DNs take long to fold
}

// A groupName is what a source calls a group, in one of its ways.
type groupName struct {
	source SourceName
	name   string
}

// IndexGroups makes an index of groups. It is not for use by several goroutines
// at a time.
func IndexGroups(groups iter.Seq[*GroupFacts]) *GroupIndex {
	x := &GroupIndex{
		bySource: map[SourceName][]*GroupFacts{},
		byName:   map[groupName][]*GroupFacts{},
		byID:     map[groupName][]*GroupFacts{},
	}
	for g := range groups {
		x.bySource[g.Source] = append(x.bySource[g.Source], g)
		name, id := groupName{g.Source, string(g.NameKey)}, groupName{g.Source, g.ExternalID}
		x.byName[name] = append(x.byName[name], g)
		x.byID[id] = append(x.byID[id], g)
	}
	return x
}

// Matching returns the groups that [Selector.Matches], in the order in which
// they came. It is not to be changed.
func (x *GroupIndex) Matching(s Selector) []*GroupFacts {
	switch {
	case s.ID != "":
		return x.byID[groupName{s.Source, s.ID}]
	case s.DN != "":
		return x.withDN(groupName{s.Source, dnKey(s.DN)})
	case s.Name != "":
		key, err := KeyOf(s.Name)
		if err != nil {
			return nil
		}
		return x.byName[groupName{s.Source, string(key)}]
	case s.Pattern == "":
		return nil
	}
	var out []*GroupFacts
	for _, g := range x.bySource[s.Source] {
		if MatchGlob(s.Pattern, g.NameKey) {
			out = append(out, g)
		}
	}
	return out
}

func (x *GroupIndex) withDN(dn groupName) []*GroupFacts {
	if x.byDN == nil {
		x.byDN = map[groupName][]*GroupFacts{}
		for source, groups := range x.bySource {
			for _, g := range groups {
				if g.DN != "" {
					at := groupName{source, dnKey(g.DN)}
					x.byDN[at] = append(x.byDN[at], g)
				}
			}
		}
	}
	return x.byDN[dn]
}
