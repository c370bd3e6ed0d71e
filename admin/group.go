package admin

import (
	"context"
	"fmt"

	"github.com/usherd/usherd/directory"
)

const (
	defaultPage = 100
	maxPage     = 1000
)

func pageSize(n int) int {
	if n <= 0 {
		return defaultPage
	}
	return min(n, maxPage)
}

// groupToChange finds a group of which the actor may do something that changes
// it: in whatever project it is, and whatever it gives.
func (s *Service) groupToChange(ctx context.Context, by directory.Actor, name string, action Action) (*Authority, directory.Group, error) {
	a, err := s.authority(ctx, by)
	if err != nil {
		return nil, directory.Group{}, err
	}
	if err := a.requireAnywhere(action); err != nil {
		return nil, directory.Group{}, err
	}
	g, err := s.seenGroup(ctx, a, name)
	if err != nil {
		return nil, g, err
	}
	if err := a.require(action, g.Project); err != nil {
		return nil, g, err
	}
	return a, g, a.mayChangeGroup(g)
}

// SetGroupStatus blocks or unblocks a group of any source.
func (s *Service) SetGroupStatus(ctx context.Context, by directory.Actor, name string, status directory.GroupStatus) (Outcome, error) {
	if status != directory.GroupActive && status != directory.GroupBlocked {
		return Outcome{}, invalid("status %q is not one of active, blocked", status)
	}
	_, g, err := s.groupToChange(ctx, by, name, BlockGroups)
	if err != nil {
		return Outcome{}, err
	}
	return s.keepingAnOwner(ctx, by, directory.SetGroupStatus{Group: g.ID, Status: status})
}

// SetGroupScope limits a group to a project; the empty key makes it
// organization-wide again. It needs the right to change groups in both scopes.
func (s *Service) SetGroupScope(ctx context.Context, by directory.Actor, name string, project directory.ProjectKey) (Outcome, error) {
	a, g, err := s.groupToChange(ctx, by, name, WriteGroups)
	if err != nil {
		return Outcome{}, err
	}
	if err := a.require(WriteGroups, project); err != nil {
		return Outcome{}, err
	}
	if err := a.mayMoveGroup(g, project); err != nil {
		return Outcome{}, err
	}
	facts, err := s.Store.Policy(ctx)
	if err != nil {
		return Outcome{}, fmt.Errorf("reading policy: %w", err)
	}
	if err := checkProject(&facts.Policy, project); err != nil {
		return Outcome{}, err
	}
	return s.keepingAnOwner(ctx, by, directory.SetGroupScope{Group: g.ID, Project: project})
}

// mayMoveGroup refuses another scope for a group if what it gives there holds a
// right which a lacks there.
func (a *Authority) mayMoveGroup(g directory.Group, project directory.ProjectKey) error {
	held := map[scopedRole]bool{}
	for h := range rolesAtStake(a.view, g.Num) {
		if h.project == g.Project {
			h.project = project
		}
		held[h] = true
	}
	return a.mayChange("group "+string(g.Source)+"/"+g.Name, held)
}

// groupToGrant finds a group to which, or from which, the actor may grant in
// the scope of a spec.
func (s *Service) groupToGrant(ctx context.Context, by directory.Actor, name string, spec GrantSpec) (*Authority, directory.Group, error) {
	a, err := s.allowed(ctx, by, WriteGrants, spec.Project)
	if err != nil {
		return nil, directory.Group{}, err
	}
	g, err := s.seenGroup(ctx, a, name)
	if err != nil {
		return nil, g, err
	}
	return a, g, a.mayChangeGroup(g)
}

// GrantToGroup grants by hand to a group.
func (s *Service) GrantToGroup(ctx context.Context, by directory.Actor, name string, spec GrantSpec) (Outcome, error) {
	a, g, err := s.groupToGrant(ctx, by, name, spec)
	if err != nil {
		return Outcome{}, err
	}
	return s.grant(ctx, by, a, holder{group: g.ID}, spec)
}

// RevokeFromGroup takes back what was granted to a group by hand.
func (s *Service) RevokeFromGroup(ctx context.Context, by directory.Actor, name string, spec GrantSpec) (Outcome, error) {
	a, g, err := s.groupToGrant(ctx, by, name, spec)
	if err != nil {
		return Outcome{}, err
	}
	return s.revoke(ctx, by, a, holder{group: g.ID}, spec)
}
