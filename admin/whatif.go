package admin

import (
	"reflect"
	"slices"

	"github.com/usherd/usherd/authz"
	"github.com/usherd/usherd/directory"
)

// after returns the facts as an apply of file would leave them. A mapping that
// stays as it is keeps its bindings; a new or changed one that binds is bound
// to the groups that it matches now.
func after(facts directory.Facts, file *authz.File) directory.Facts {
	old := facts.Policy.Policy
	next := facts
	next.Policy.Policy = file.Over(old)
	next.Policy.Bindings = nil
	for _, m := range next.Policy.Policy.Mappings {
		if !next.Policy.Policy.Binds(m) {
			continue
		}
		i := slices.IndexFunc(old.Mappings, func(o directory.Mapping) bool { return o.Name == m.Name })
		if i >= 0 && old.Binds(m) && reflect.DeepEqual(old.Mappings[i], m) {
			for _, b := range facts.Policy.Bindings {
				if b.Mapping == m.Name {
					next.Policy.Bindings = append(next.Policy.Bindings, b)
				}
			}
			continue
		}
		for _, g := range facts.Groups {
			if m.When.Matches(g.Source, g.ExternalID, g.DN, g.NameKey) {
				next.Policy.Bindings = append(next.Policy.Bindings, directory.Binding{Mapping: m.Name, Group: g.ID, Num: g.Num, State: directory.Bound})
			}
		}
	}
	return next
}
