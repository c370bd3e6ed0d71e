package admin

import (
	"context"
	"fmt"
	"slices"

	"github.com/usherd/usherd/directory"
)

// GrantsEdit says what to grant by hand in one scope and what to take back, in
// one step.
type GrantsEdit struct {
	Project directory.ProjectKey `json:"project,omitempty"`
	Grant   GrantSpec            `json:"grant"`
	Revoke  GrantSpec            `json:"revoke"`
}

// EditGroupGrants changes what a group is granted by hand, all or nothing. What
// is there already, or gone already, stays as it is: two who edit different
// things at once both succeed.
func (s *Service) EditGroupGrants(ctx context.Context, by directory.Actor, name string, e GrantsEdit) (Outcome, error) {
	e.Grant.Project, e.Revoke.Project = e.Project, e.Project
	a, g, err := s.groupToGrant(ctx, by, name, e.Grant)
	if err != nil {
		return Outcome{}, err
	}
	held, err := s.Store.Grants(ctx, "", g.ID)
	if err != nil {
		return Outcome{}, fmt.Errorf("reading grants: %w", err)
	}
	to := holder{group: g.ID}
	var changes []directory.Change
	for _, gone := range e.Revoke.things(by, to) {
		i := slices.IndexFunc(held, func(h directory.Grant) bool { return sameThing(h, gone) })
		if i < 0 {
			continue
		}
		if err := a.mayGiveGrants(held[i : i+1]); err != nil {
			return Outcome{}, err
		}
		changes = append(changes, directory.EndGrant{Grant: held[i]})
	}
	more, err := s.granted(a, to, e.Grant)
	if err != nil {
		return Outcome{}, err
	}
	if changes = append(changes, more...); len(changes) == 0 {
		return Outcome{}, invalid("there is nothing to change")
	}
	return s.keepingAnOwner(ctx, by, changes...)
}

// granted are the changes that grant by hand, none for an empty spec.
func (s *Service) granted(a *Authority, to holder, spec GrantSpec) ([]directory.Change, error) {
	if len(spec.Roles)+len(spec.Access)+len(spec.Role)+len(spec.Output)+len(spec.Integration) == 0 {
		return nil, nil
	}
	set, err := a.givable(spec)
	if err != nil {
		return nil, err
	}
	var changes []directory.Change
	for _, g := range grants(set, a.Actor, to.user, to.group) {
		g.ID, g.Created = directory.NewID(), s.Now()
		changes = append(changes, directory.PutGrant{Grant: g})
	}
	return changes, nil
}
