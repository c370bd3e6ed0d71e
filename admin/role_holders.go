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

// everyScope are the scopes in which something may count: checks without a
// project, and those that name one.
func everyScope(view *authz.Snapshot) []directory.ProjectKey {
	out := []directory.ProjectKey{""}
	for _, p := range view.Policy().Policy.Projects {
		out = append(out, p.Key)
	}
	return out
}

// holdersOf finds the groups that give a Role in some scopes, each asked about
// once: whoever has an override is asked about alone.
func holdersOf(view *authz.Snapshot, below *nesting, role directory.RoleName, scopes []directory.ProjectKey) roleHolders {
	h := roleHolders{view, role, scopes, groupsWith{}}
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
	return h.giving.member(p) || slices.ContainsFunc(p.sub.Grants, func(g directory.Grant) bool {
		return g.Role == h.role && (g.Project == "" || slices.Contains(h.scopes, g.Project))
	})
}
