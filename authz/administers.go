package authz

import (
	"slices"

	"github.com/usherd/usherd/directory"
)

// Administers reports whether a member of a group holds an administration right
// by that alone, by whatever path that counts, in whatever project.
func (s *Snapshot) Administers(num directory.GroupNum) bool {
	g := s.groups.get(uint32(num))
	if g == nil {
		return false
	}
	for _, right := range slices.Concat(directory.OrganizationRights, directory.ProjectRights) {
		id := rightID(right)
		if !right.IsAdministration() {
			continue
		}
		if g.org.has(id) || slices.ContainsFunc(g.in, func(in scopedSet) bool { return in.set.has(id) }) {
			return true
		}
	}
	return false
}
