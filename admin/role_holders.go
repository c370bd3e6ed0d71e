package admin

import (
	"slices"

	"github.com/usherd/usherd/authz"
	"github.com/usherd/usherd/directory"
)

// roleHolders tell who has a Role by a path that counts.
type roleHolders struct {
	view   *authz.Snapshot
	role   directory.RoleName
	scopes []directory.ProjectKey
	giving groupsWith // whose members have it
}

// holdersOf finds the groups that give a Role, each asked about once: whoever has
// an override is asked about alone.
func holdersOf(view *authz.Snapshot, below *nesting, role directory.RoleName) roleHolders {
	h := roleHolders{view, role, []directory.ProjectKey{""}, groupsWith{}}
	for _, p := range view.Policy().Policy.Projects {
		h.scopes = append(h.scopes, p.Key)
	}
	leads := below.of(func(num directory.GroupNum) bool {
		return slices.ContainsFunc(view.Given(num), func(g authz.Given) bool { return g.Role == role })
	})
	for num := range leads {
		if sub := madeUp(num); h.has(&sub) {
			h.giving[num] = true
		}
	}
	return h
}

func (h roleHolders) has(sub *directory.Subject) bool {
	return slices.ContainsFunc(h.scopes, func(p directory.ProjectKey) bool { return slices.Contains(h.view.RolesOf(sub, p), h.role) })
}

func (h roleHolders) holds(p *person) bool {
	switch {
	case p.sub.Found != directory.One:
		return false
	case len(p.sub.Overrides) > 0:
		return h.has(&p.sub)
	}
	return h.giving.member(p) || slices.ContainsFunc(p.sub.Grants, func(g directory.Grant) bool { return g.Role == h.role })
}
