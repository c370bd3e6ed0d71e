package admin

import (
	"context"

	"github.com/usherd/usherd/directory"
)

// HaveRole returns the users who have a Role now by a path that counts, in
// whatever scope, as far as the asker may know of them.
func (s *Service) HaveRole(ctx context.Context, role directory.RoleName) (map[directory.UserID]bool, error) {
	a, err := s.reads(ctx, ReadDirectory)
	if err != nil {
		return nil, err
	}
	if _, ok := a.view.Role(role); !ok {
		return nil, notFound("no Role %q", role)
	}
	c, err := s.census(ctx, a.view)
	if err != nil {
		return nil, err
	}
	sees, out := a.sees(), map[directory.UserID]bool{}
	if all, _ := a.Projects(ReadDirectory); !all {
		// What somebody has in a project of others is not told.
		has := holdersOf(a.view, newNesting(a.view), role, a.scopes()).holds
		sees = func(p *person) bool { return a.seesUser(&p.sub) && has(p) }
	}
	for _, p := range c.roles()[role] {
		if sees(p.person) {
			out[p.row.ID] = true
		}
	}
	return out, nil
}
