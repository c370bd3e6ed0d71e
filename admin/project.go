package admin

import (
	"context"
	"fmt"
	"slices"

	"github.com/usherd/usherd/directory"
)

// A ListedProject is a project as a list shows it.
type ListedProject struct {
	directory.Project
	Groups    int    `json:"groups"` // limited to it
	Users     int    `json:"users"`  // whom a path leads into it
	Mappings  int    `json:"mappings"`
	MayManage bool   `json:"mayManage"` // whether the asker may manage groups and grants in it
	ManagedBy string `json:"managed_by,omitempty"`
}

// Projects lists the projects that the asker may see into.
func (s *Service) Projects(ctx context.Context) ([]ListedProject, error) {
	a, err := s.reads(ctx, ReadDirectory)
	if err != nil {
		return nil, err
	}
	everybody, err := s.peopleBy(ctx, "")
	if err != nil {
		return nil, err
	}
	groups := map[directory.ProjectKey]int{}
	for g := range a.view.Groups() {
		groups[g.Project]++
	}
	below := newNesting(a.view)
	out := []ListedProject{}
	for _, p := range a.view.Policy().Policy.Projects {
		if !a.May(ReadDirectory, p.Key) {
			continue
		}
		l := ListedProject{
			Project: p, Groups: groups[p.Key], MayManage: a.May(WriteGroups, p.Key), ManagedBy: s.managedBy(directory.SectionProjects),
		}
		in := projectTest(a.view, below, p.Key)
		for _, person := range everybody {
			if person.row.Deleted.IsZero() && in(person.person) {
				l.Users++
			}
		}
		for _, m := range a.view.Policy().Policy.Mappings {
			if slices.ContainsFunc(m.Grants, func(set directory.GrantSet) bool { return set.Project == p.Key }) {
				l.Mappings++
			}
		}
		out = append(out, l)
	}
	return out, nil
}

// CreateProject adds a project.
func (s *Service) CreateProject(ctx context.Context, by directory.Actor, project directory.Project) (Outcome, error) {
	return s.editPolicy(ctx, by, policyEdit{WritePolicy, directory.SectionProjects, 0, func(_ *Authority, p *directory.Policy) error {
		if checkProject(p, project.Key) == nil {
			return alreadyThere("a project", string(project.Key))
		}
		p.Projects = append(p.Projects, project)
		return nil
	}})
}

// RenameProject changes the title of a project; its key stays for ever.
func (s *Service) RenameProject(ctx context.Context, by directory.Actor, key directory.ProjectKey, title string, ifRevision directory.Revision) (Outcome, error) {
	return s.editPolicy(ctx, by, policyEdit{WritePolicy, directory.SectionProjects, ifRevision, func(_ *Authority, p *directory.Policy) error {
		if !slices.ContainsFunc(p.Projects, func(q directory.Project) bool { return q.Key == key }) {
			return notFound("no project %q%s", key, didYouMean(string(key), keysOf(p.Projects, projectKey)))
		}
		p.Projects = put(p.Projects, directory.Project{Key: key, Title: title}, Keep, projectKey)
		return nil
	}})
}

// DeleteProject removes a project that nothing uses.
func (s *Service) DeleteProject(ctx context.Context, by directory.Actor, key directory.ProjectKey, ifRevision directory.Revision) (Outcome, error) {
	return s.editPolicy(ctx, by, policyEdit{WritePolicy, directory.SectionProjects, ifRevision, func(_ *Authority, p *directory.Policy) (err error) {
		p.Projects, err = drop(p.Projects, "project", string(key), projectKey)
		return err
	}})
}

func alreadyThere(what, key string) error {
	return fmt.Errorf("%w: there is %s %q already", directory.ErrExists, what, key)
}
