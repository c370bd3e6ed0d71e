package authz

import "github.com/usherd/usherd/directory"

// A Given is one thing that a group itself is given, whether or not anything
// stands in its way. Exactly one of Role and Privilege.Kind is set.
type Given struct {
	Project   directory.ProjectKey `json:"project,omitempty"`
	Role      directory.RoleName   `json:"role,omitempty"`
	Privilege directory.Privilege  `json:"privilege,omitzero"`
	Mapping   string               `json:"mapping,omitempty"` // empty: by a grant
	Suspended bool                 `json:"suspended,omitempty"`
}

// Given lists what a living group itself is given, by grants and then by
// mappings in the order of the policy. What it has through groups above it is
// not among it.
func (s *Snapshot) Given(num directory.GroupNum) []Given {
	if s == nil {
		return nil
	}
	g := s.groups.get(uint32(num))
	if g == nil {
		return nil
	}
	out := make([]Given, 0, len(g.facts.Grants))
	for i := range g.facts.Grants {
		grant := &g.facts.Grants[i]
		out = append(out, Given{Project: grant.Project, Role: grant.Role, Privilege: grant.Privilege})
	}
	for _, m := range g.mappings {
		for _, give := range m.gives {
			for _, role := range give.set.Roles {
				out = append(out, Given{Project: give.set.Project, Role: role, Mapping: m.Name, Suspended: m.suspended})
			}
			for _, p := range give.set.Privileges {
				out = append(out, Given{Project: give.set.Project, Privilege: p, Mapping: m.Name, Suspended: m.suspended})
			}
		}
	}
	return out
}
