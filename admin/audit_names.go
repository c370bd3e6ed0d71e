package admin

import (
	"context"
	"fmt"

	"github.com/usherd/usherd/directory"
)

// NamesOfGroups returns what groups are called that the asker may see, as
// SOURCE/NAME, by id; others are left out.
func (s *Service) NamesOfGroups(ctx context.Context, ids ...directory.GroupID) (map[directory.GroupID]string, error) {
	a, err := s.reads(ctx, ReadDirectory)
	if err != nil {
		return nil, err
	}
	out := make(map[directory.GroupID]string, len(ids))
	if len(ids) == 0 {
		return out, nil
	}
	groups, err := s.Store.GroupRows(ctx, ids...)
	if err != nil {
		return nil, fmt.Errorf("reading names of groups: %w", err)
	}
	for _, g := range groups {
		if a.seesGroup(g.Num, g.Project) {
			out[g.ID] = string(g.Source) + "/" + g.Name
		}
	}
	return out, nil
}
