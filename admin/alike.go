package admin

import (
	"context"
	"maps"
	"slices"

	"github.com/usherd/usherd/authz"
	"github.com/usherd/usherd/directory"
)

// sharedWays bounds how many ways of holding one thing are looked at to find one
// that leads over no Role.
const sharedWays = 50

// Shared is what all of some users have by paths of exactly one scope: where an
// edit of them begins. What comes by a Role is the Role.
func (s *Service) Shared(ctx context.Context, project directory.ProjectKey, ids ...directory.UserID) (GrantSpec, error) {
	a, people, err := s.someSeen(ctx, ids)
	if err != nil {
		return GrantSpec{}, err
	}
	if err := a.require(ReadDirectory, project); err != nil {
		return GrantSpec{}, err
	}
	var roles map[directory.RoleName]bool
	var things map[directory.Privilege]directory.Level
	for _, id := range ids {
		p := people[id]
		if p == nil {
			continue
		}
		hasRoles, hasThings := haveIn(a.view, &p.sub, project)
		if roles == nil {
			roles, things = hasRoles, hasThings
			continue
		}
		maps.DeleteFunc(roles, func(r directory.RoleName, _ bool) bool { return !hasRoles[r] })
		for thing, level := range things {
			have, ok := hasThings[thing]
			if !ok {
				delete(things, thing)
				continue
			}
			things[thing] = min(level, have)
		}
	}
	return sharedSpec(project, roles, things), nil
}

// haveIn is what somebody has by paths of exactly one scope; levels apart.
func haveIn(view *authz.Snapshot, sub *directory.Subject, project directory.ProjectKey) (map[directory.RoleName]bool, map[directory.Privilege]directory.Level) {
	roles, things := map[directory.RoleName]bool{}, map[directory.Privilege]directory.Level{}
	for _, use := range view.RoleUses(sub) {
		if use.Project == project && !use.Via.DefaultRole {
			roles[use.Role] = true
		}
	}
	for _, h := range view.HeldAnywhere(sub, sharedWays) {
		direct := slices.ContainsFunc(h.Via, func(p authz.Path) bool { return p.Role == "" })
		if h.Project != project || h.Right != "" || !direct {
			continue
		}
		level := h.Privilege.Level
		h.Privilege.Level = directory.NoLevel
		things[h.Privilege] = level
	}
	return roles, things
}

func sharedSpec(project directory.ProjectKey, roles map[directory.RoleName]bool, things map[directory.Privilege]directory.Level) GrantSpec {
	spec := GrantSpec{Project: project, Roles: slices.Sorted(maps.Keys(roles)), Integration: map[string]string{}}
	for thing, level := range things {
		switch thing.Kind {
		case directory.Access:
			spec.Access = append(spec.Access, thing.Key)
		case directory.RolePrivilege:
			spec.Role = append(spec.Role, thing.Key)
		case directory.OutputPrivilege:
			spec.Output = append(spec.Output, thing.Key)
		case directory.IntegrationLevel:
			spec.Integration[thing.Key] = level.String()
		}
	}
	for _, list := range [][]string{spec.Access, spec.Role, spec.Output} {
		slices.Sort(list)
	}
	return spec
}
