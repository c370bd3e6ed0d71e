package admin

import (
	"context"
	"slices"

	"github.com/usherd/usherd/directory"
)

// GroupsToFill lists the local groups into which the asker may put people: of
// one scope, or of all if project is nil, by name, at most 1000. A group that
// gives a right which the asker lacks is not among them, although they may
// change other groups of its scope.
func (s *Service) GroupsToFill(ctx context.Context, project *directory.ProjectKey) ([]ListedGroup, error) {
	page, err := s.Groups(ctx, GroupFilter{Source: directory.Local, Project: project, Sort: "name", Limit: maxPage})
	if err != nil {
		return nil, err
	}
	a, err := s.Authority(ctx)
	if err != nil {
		return nil, err
	}
	return slices.DeleteFunc(page.Items, func(g ListedGroup) bool {
		return !a.May(WriteGroups, g.Project) || a.mayChangeGroup(g.Group) != nil
	}), nil
}
