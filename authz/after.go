package authz

import (
	"reflect"
	"slices"

	"github.com/usherd/usherd/directory"
)

// After returns the facts that putting sections of a policy would lead to, to
// preview and test it. It binds mappings as an apply does: an unchanged mapping
// keeps its bindings, a new or changed one is bound to the groups that it
// matches now.
func After(f directory.Facts, p directory.Policy, sections []directory.Section) directory.Facts {
	old := f.Policy.Policy
	f.Policy.Policy = ReplaceSections(old, p, sections)
	kept := map[string][]directory.Binding{}
	for _, b := range f.Policy.Bindings {
		kept[b.Mapping] = append(kept[b.Mapping], b)
	}
	f.Policy.Bindings = nil
	index := directory.IndexGroups(f.Living())
	for _, m := range f.Policy.Policy.Mappings {
		if !f.Policy.Policy.Binds(m) {
			continue
		}
		was := slices.IndexFunc(old.Mappings, func(o directory.Mapping) bool { return o.Name == m.Name })
		if was >= 0 && sameMapping(old.Mappings[was], m) && old.Binds(old.Mappings[was]) {
			f.Policy.Bindings = append(f.Policy.Bindings, kept[m.Name]...)
			continue
		}
		f.Policy.Bindings = append(f.Policy.Bindings, bind(m, index.Matching(m.When))...)
	}
	return f
}

// sameMapping compares what mappings match and give, without regard to whether
// an empty list is nil.
func sameMapping(a, b directory.Mapping) bool {
	sameSet := func(x, y directory.GrantSet) bool {
		return x.Project == y.Project && slices.Equal(x.Roles, y.Roles) && slices.Equal(x.Privileges, y.Privileges)
	}
	same := slices.EqualFunc(a.Grants, b.Grants, sameSet)
	a.Grants, b.Grants = nil, nil
	a.Disabled, b.Disabled = false, false
	return same && reflect.DeepEqual(a, b)
}

// bind ties a mapping to the groups that it matches. If it means one group and
// several match, each waits for a confirmation.
func bind(m directory.Mapping, groups []*directory.GroupFacts) (out []directory.Binding) {
	for _, g := range groups {
		out = append(out, directory.Binding{Mapping: m.Name, Group: g.ID, Num: g.Num, State: directory.Bound})
	}
	if m.When.Pattern == "" && len(out) > 1 {
		for i := range out {
			out[i].State = directory.Suspended
		}
	}
	return out
}
