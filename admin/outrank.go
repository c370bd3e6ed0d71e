package admin

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"slices"

	"github.com/usherd/usherd/authz"
	"github.com/usherd/usherd/directory"
)

// Nobody gives a Role with a right they lack, or changes a group, mapping or
// user that holds one. This file is that rule. It looks at what is given,
// whatever blocks it now: who lifts a block must not raise anybody either.

// mayGive refuses a Role that holds a right which a lacks in that scope.
func (a *Authority) mayGive(role directory.Role, project directory.ProjectKey) error {
	if right, lacks := a.lacks(role, project); lacks {
		return fmt.Errorf("%w: the Role %s holds the right %s%s, and who gives or takes it must hold it too",
			ErrForbidden, role.Name, right, within(right, project))
	}
	return nil
}

func (a *Authority) lacks(role directory.Role, project directory.ProjectKey) (directory.Right, bool) {
	for _, right := range role.Rights {
		if !a.Has(right, project) {
			return right, true
		}
	}
	return "", false
}

// within says where a right would have to be held.
func within(right directory.Right, project directory.ProjectKey) string {
	if right.IsOrganization() || project == "" {
		return ""
	}
	return in(project)
}

// givable is what a spec grants, if a may give it to anybody.
func (a *Authority) givable(spec GrantSpec) (directory.GrantSet, error) {
	p := &a.view.Policy().Policy
	set, err := spec.set(p)
	if err != nil {
		return directory.GrantSet{}, err
	}
	return set, a.mayGiveSet(p, set)
}

// mayGiveSet is mayGive for all Roles of a set, as p has them.
func (a *Authority) mayGiveSet(p *directory.Policy, set directory.GrantSet) error {
	for _, name := range set.Roles {
		role, ok := p.Role(name)
		if !ok {
			continue // nobody can be given it
		}
		if err := a.mayGive(role, set.Project); err != nil {
			return err
		}
	}
	return nil
}

// mayGiveGrants is mayGive for grants.
func (a *Authority) mayGiveGrants(grants []directory.Grant) error {
	for _, g := range grants {
		if role, ok := a.view.Role(g.Role); ok && g.Role != "" {
			if err := a.mayGive(role, g.Project); err != nil {
				return err
			}
		}
	}
	return nil
}

// A scopedRole is a Role in the scope in which a path gives it.
type scopedRole struct {
	role    directory.RoleName
	project directory.ProjectKey
}

// rolesOf lists the Roles that whoever is in one of the groups is given, through
// groups above them too.
func rolesOf(view *authz.Snapshot, nums ...directory.GroupNum) map[scopedRole]bool {
	return rolesWith(view, nil, nums...)
}

// rolesAtStake is rolesOf with those that disabled mappings give when they are
// enabled again.
func rolesAtStake(view *authz.Snapshot, nums ...directory.GroupNum) map[scopedRole]bool {
	var off []directory.Mapping
	for _, m := range view.Policy().Policy.Mappings {
		if m.Disabled {
			off = append(off, m)
		}
	}
	return rolesWith(view, off, nums...)
}

// rolesWith is rolesOf as if the mappings in off were enabled.
func rolesWith(view *authz.Snapshot, off []directory.Mapping, nums ...directory.GroupNum) map[scopedRole]bool {
	type step struct {
		num   directory.GroupNum
		scope directory.ProjectKey
	}
	held, seen := map[scopedRole]bool{}, map[step]bool{}
	var todo []step
	for _, num := range nums {
		todo = append(todo, step{num: num})
	}
	for len(todo) > 0 {
		at := todo[len(todo)-1]
		todo = todo[:len(todo)-1]
		g, ok := view.Group(at.num)
		if !ok || seen[at] {
			continue
		}
		seen[at] = true
		if at.scope == "" {
			at.scope = g.Project
		}
		for _, given := range view.Given(at.num) {
			if given.Role == "" {
				continue
			}
			scope := given.Project
			if scope == "" {
				scope = at.scope
			}
			held[scopedRole{given.Role, scope}] = true
		}
		for _, m := range off {
			if !mappingReaches(view, m, &g) {
				continue
			}
			for _, set := range m.Grants {
				for _, role := range set.Roles {
					held[scopedRole{role, cmp.Or(set.Project, at.scope)}] = true
				}
			}
		}
		for _, parent := range g.Parents {
			todo = append(todo, step{parent, at.scope})
		}
	}
	return held
}

// mappingReaches tells whether a disabled mapping would give something to a
// group as soon as it is enabled, or confirmed.
func mappingReaches(view *authz.Snapshot, m directory.Mapping, g *directory.GroupFacts) bool {
	facts := view.Policy()
	if facts.Policy.Binds(m) {
		return slices.ContainsFunc(facts.Bindings, func(b directory.Binding) bool { return b.Mapping == m.Name && b.Group == g.ID })
	}
	return m.When.Matches(g.Source, g.ExternalID, g.DN, g.NameKey)
}

// rolesOfUser lists the Roles that a user is given by grants and memberships,
// those at stake too.
func rolesOfUser(view *authz.Snapshot, sub *directory.Subject) map[scopedRole]bool {
	nums := make([]directory.GroupNum, len(sub.Memberships))
	for i, m := range sub.Memberships {
		nums[i] = m.Group
	}
	held := rolesAtStake(view, nums...)
	for _, g := range sub.Grants {
		if g.Role != "" {
			held[scopedRole{g.Role, g.Project}] = true
		}
	}
	return held
}

// mayChange refuses what holds a Role with a right that a lacks. what names it
// for people.
func (a *Authority) mayChange(what string, held map[scopedRole]bool) error {
	if a.Root() {
		return nil
	}
	for h := range held {
		role, ok := a.view.Role(h.role)
		if !ok {
			continue
		}
		if right, lacks := a.lacks(role, h.project); lacks {
			return fmt.Errorf("%w: %s holds the Role %s with the right %s%s, and only who holds that right may change it",
				ErrForbidden, what, h.role, right, within(right, h.project))
		}
	}
	return nil
}

// mayChangeGroup refuses a change of a group that gives a right which a lacks.
func (a *Authority) mayChangeGroup(g directory.Group) error {
	if a.Root() {
		return nil
	}
	return a.mayChange("group "+string(g.Source)+"/"+g.Name, rolesAtStake(a.view, g.Num))
}

// mayChangeUser refuses a change of a user who holds a right which a lacks.
// Everybody may change themselves as far as their rights go.
func (a *Authority) mayChangeUser(sub *directory.Subject) error {
	if a.Root() {
		return nil
	}
	return a.mayChange("this user", rolesOfUser(a.view, sub))
}

// mayChangeUserIn is mayChangeUser for what happens in one scope only.
func (a *Authority) mayChangeUserIn(sub *directory.Subject, project directory.ProjectKey) error {
	held := rolesOfUser(a.view, sub)
	for h := range held {
		if h.project != project {
			delete(held, h)
		}
	}
	return a.mayChange("this user", held)
}

// mayBeNamed refuses a name for a local group by which a mapping would give it
// a right that a lacks. Those that give administration rights wait for a
// confirmation; the others follow names, and a name that two groups bear gives
// nothing to either: who may not change the other may not take that from it.
func (a *Authority) mayBeNamed(name string, project directory.ProjectKey) error {
	key, err := directory.KeyOf(name)
	if err != nil {
		return fmt.Errorf("group name: %w", err)
	}
	p := &a.view.Policy().Policy
	for _, m := range p.Mappings {
		if p.Binds(m) || !m.When.Matches(directory.Local, "", "", key) {
			continue
		}
		for _, set := range m.Grants {
			if set.Project == "" {
				set.Project = project
			}
			if err := a.mayGiveSet(p, set); err != nil {
				return fmt.Errorf("mapping %s means groups of this name: %w", m.Name, err)
			}
		}
		if m.When.Name == "" {
			continue
		}
		for g := range a.view.Groups() {
			if g.Source == directory.Local && g.NameKey == key && g.Project != project && !a.May(WriteGroups, g.Project) {
				return fmt.Errorf("%w: mapping %s means the group of this name, and two of that name would get nothing; choose another", ErrForbidden, m.Name)
			}
		}
	}
	return nil
}

// mayChangeMapping refuses to change, or to make, a mapping that gives a right
// which a lacks.
func (a *Authority) mayChangeMapping(p *directory.Policy, m directory.Mapping) error {
	for _, set := range m.Grants {
		if err := a.mayGiveSet(p, set); err != nil {
			return fmt.Errorf("mapping %s: %w", m.Name, err)
		}
	}
	return nil
}

// maySpeakFor refuses power over a source whose groups hold a right which a
// lacks: whoever speaks for it puts into them whom they like. A mapping may wait
// for a group that the source has not delivered yet.
func (a *Authority) maySpeakFor(name directory.SourceName) error {
	if a.Root() {
		return nil
	}
	p := &a.view.Policy().Policy
	for _, m := range p.Mappings {
		if m.When.Source != name {
			continue
		}
		if err := a.mayChangeMapping(p, m); err != nil {
			return fmt.Errorf("source %s: %w", name, err)
		}
	}
	var nums []directory.GroupNum
	for g := range a.view.Groups() {
		if g.Source == name {
			nums = append(nums, g.Num)
		}
	}
	return a.mayChange("source "+string(name), rolesAtStake(a.view, nums...))
}

// maySpeakFor is [Authority.maySpeakFor], and refuses power over a source whose
// people hold a right which a lacks. What a source says of somebody, an
// externalId above all, may be what they sign in by.
func (s *Service) maySpeakFor(ctx context.Context, a *Authority, name directory.SourceName) error {
	if err := a.maySpeakFor(name); err != nil || a.Root() {
		return err
	}
	above := map[directory.UserID]error{}
	for _, right := range directory.OrganizationRights {
		if a.Has(right, "") {
			continue
		}
		who := a.view.RightCandidates(right, "")
		if !selectsAnybody(who) {
			continue
		}
		err := s.pages(ctx, who, a.view.At(), ownerPage, func(sub *directory.Subject) bool {
			if err := a.mayChangeUser(sub); err != nil {
				above[sub.ID] = err
			}
			return true
		})
		if err != nil {
			return err
		}
	}
	if len(above) == 0 {
		return nil // no ids would be everybody
	}
	rows, err := s.Store.PersonRows(ctx, slices.Collect(maps.Keys(above))...)
	if err != nil {
		return fmt.Errorf("reading people: %w", err)
	}
	for _, row := range rows {
		of := func(i directory.PersonIdentity) bool { return i.Source == name && i.Presence != directory.Deleted }
		if slices.ContainsFunc(row.Identities, of) {
			return fmt.Errorf("source %s delivers people who are above you: %w", name, above[row.ID])
		}
	}
	return nil
}

// mayChangePolicy holds the rule over two states of the policy: every Role and
// mapping that comes, goes or differs, and the default Role.
func (a *Authority) mayChangePolicy(old, next *directory.Policy) error {
	if a.Root() {
		return nil
	}
	for _, pair := range [][2]*directory.Policy{{old, next}, {next, old}} {
		one, other := pair[0], pair[1]
		for _, role := range one.Roles {
			if was, ok := other.Role(role.Name); ok && slices.Equal(was.Rights, role.Rights) {
				continue // what else it holds is no right
			}
			if err := a.mayGive(role, ""); err != nil {
				return err
			}
		}
		for _, m := range one.Mappings {
			i := slices.IndexFunc(other.Mappings, func(o directory.Mapping) bool { return o.Name == m.Name })
			if i >= 0 && sameItem(other.Mappings[i], m) {
				continue
			}
			if err := a.mayChangeMapping(one, m); err != nil {
				return err
			}
		}
		if one.DefaultRole != "" && one.DefaultRole != other.DefaultRole {
			if role, ok := one.Role(one.DefaultRole); ok {
				if err := a.mayGive(role, ""); err != nil {
					return fmt.Errorf("default Role: %w", err)
				}
			}
		}
	}
	return nil
}

// mayPolicy is the gate of whatever replaces parts of the policy.
func (s *Service) mayPolicy(ctx context.Context, by directory.Actor, old, next *directory.Policy) error {
	a, err := s.allowed(ctx, by, WritePolicy, "")
	if err != nil {
		return err
	}
	return a.mayChangePolicy(old, next)
}
