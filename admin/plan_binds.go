package admin

import (
	"cmp"
	"fmt"
	"slices"

	"github.com/usherd/usherd/directory"
)

// A PlannedBinding is a group that an apply ties to a mapping that gives
// administration rights, which no group gets later without a confirmation. It
// may be empty: then its binding shows in nobody's gains.
type PlannedBinding struct {
	Mapping string            `json:"mapping"`
	Group   directory.GroupID `json:"group"`
	Name    string            `json:"name"` // SOURCE/NAME
}

func (b PlannedBinding) String() string {
	return fmt.Sprintf("mapping %s gives administration rights to whoever is in group %s, or comes into it", b.Mapping, b.Name)
}

// newBindings are the groups that are bound to administrators' mappings in next
// and not in now, by mapping and name.
func newBindings(now, next directory.Facts) []PlannedBinding {
	type pair struct {
		mapping string
		group   directory.GroupID
	}
	had := map[pair]bool{}
	for _, b := range administrative(now) {
		had[pair{b.Mapping, b.Group}] = true
	}
	names := map[directory.GroupID]string{}
	for g := range next.Living() {
		names[g.ID] = string(g.Source) + "/" + g.Name
	}
	out := []PlannedBinding{}
	for _, b := range administrative(next) {
		if !had[pair{b.Mapping, b.Group}] {
			out = append(out, PlannedBinding{b.Mapping, b.Group, names[b.Group]})
		}
	}
	slices.SortFunc(out, func(a, b PlannedBinding) int {
		return cmp.Or(cmp.Compare(a.Mapping, b.Mapping), cmp.Compare(a.Name, b.Name))
	})
	return out
}

// administrative are the bindings of administrators' mappings, of disabled ones
// too: to enable one again binds nothing anew.
func administrative(facts directory.Facts) (out []directory.Binding) {
	p := &facts.Policy.Policy
	gives := map[string]bool{}
	for _, m := range p.Mappings {
		gives[m.Name] = p.GivesAdministration(m)
	}
	for _, b := range facts.Policy.Bindings {
		if gives[b.Mapping] && b.State == directory.Bound {
			out = append(out, b)
		}
	}
	return out
}

// boundMore are the bindings that an apply now would make and one at the time of
// the plan would not have made.
func boundMore(planned, now []PlannedBinding) []PlannedBinding {
	return slices.DeleteFunc(now, func(b PlannedBinding) bool {
		return slices.ContainsFunc(planned, func(was PlannedBinding) bool { return was.Mapping == b.Mapping && was.Group == b.Group })
	})
}
