package admin

import (
	"context"
	"fmt"

	"github.com/usherd/usherd/directory"
)

// GroupFilter says which groups to list.
type GroupFilter struct {
	Source  directory.SourceName
	Project *directory.ProjectKey
	Name    string // contained in the name
	After   *directory.Place
	Limit   int // default 100, at most 1000
}

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

// Groups lists groups in the order in which they were made.
func (s *Service) Groups(ctx context.Context, f GroupFilter) ([]directory.Group, error) {
	var where directory.And
	if f.Name != "" {
		where = append(where, directory.Compare{Attr: directory.AttrName, Op: directory.Co, Value: f.Name})
	}
	if f.Project != nil {
		where = append(where, directory.Compare{Attr: directory.AttrProject, Op: directory.Eq, Value: string(*f.Project)})
	}
	q := directory.Query{Source: f.Source, After: f.After, Limit: pageSize(f.Limit)}
	if len(where) > 0 {
		q.Where = where
	}
	page, err := s.Store.Groups(ctx, q)
	if err != nil {
		return nil, fmt.Errorf("listing groups: %w", err)
	}
	return page.Items, nil
}

// SetGroupStatus blocks or unblocks a group of any source.
func (s *Service) SetGroupStatus(ctx context.Context, by directory.Actor, name string, status directory.GroupStatus) (Outcome, error) {
	g, err := s.group(ctx, name)
	if err != nil {
		return Outcome{}, err
	}
	change := directory.SetGroupStatus{Group: g.ID, Status: status}
	if status == directory.GroupActive {
		return s.apply(ctx, by, change)
	}
	return s.keepingAnOwner(ctx, by, change)
}

// SetGroupScope limits a group to a project; the empty key makes it
// organization-wide again.
func (s *Service) SetGroupScope(ctx context.Context, by directory.Actor, name string, project directory.ProjectKey) (Outcome, error) {
	g, err := s.group(ctx, name)
	if err != nil {
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

// GrantToGroup grants by hand to a group.
func (s *Service) GrantToGroup(ctx context.Context, by directory.Actor, name string, spec GrantSpec) (Outcome, error) {
	g, err := s.group(ctx, name)
	if err != nil {
		return Outcome{}, err
	}
	return s.grant(ctx, by, holder{group: g.ID}, spec)
}

// RevokeFromGroup takes back what was granted to a group by hand.
func (s *Service) RevokeFromGroup(ctx context.Context, by directory.Actor, name string, spec GrantSpec) (Outcome, error) {
	g, err := s.group(ctx, name)
	if err != nil {
		return Outcome{}, err
	}
	return s.revoke(ctx, by, holder{group: g.ID}, spec)
}

// A GroupPage is one group with its grants and its first members.
type GroupPage struct {
	directory.Group
	Grants      []directory.Grant  `json:"grants"`
	FirstMember []directory.Member `json:"members"`
	More        bool               `json:"more"` // whether there are more members than shown
}

// Group shows one group.
func (s *Service) Group(ctx context.Context, name string, members int) (GroupPage, error) {
	g, err := s.group(ctx, name)
	if err != nil {
		return GroupPage{}, err
	}
	out := GroupPage{Group: g, Grants: []directory.Grant{}, FirstMember: []directory.Member{}}
	held, err := s.Store.Grants(ctx, "", g.ID)
	if err != nil {
		return GroupPage{}, fmt.Errorf("grants of group %s: %w", g.ID, err)
	}
	out.Grants = append(out.Grants, held...)
	for m, err := range s.Store.Members(ctx, g.ID) {
		if err != nil {
			return GroupPage{}, fmt.Errorf("members of group %s: %w", g.ID, err)
		}
		if len(out.FirstMember) == pageSize(members) {
			out.More = true
			break
		}
		out.FirstMember = append(out.FirstMember, m)
	}
	return out, nil
}
