package admin

import (
	"cmp"
	"context"
	"slices"
	"strings"
)

// projectOrders are what lists of projects are sorted by; without one they come
// in the order of the policy.
var projectOrders = map[string]func(a, b *ListedProject) int{
	"":       func(*ListedProject, *ListedProject) int { return 0 },
	"name":   func(a, b *ListedProject) int { return strings.Compare(a.sortName(), b.sortName()) },
	"users":  func(a, b *ListedProject) int { return cmp.Compare(a.Users, b.Users) },
	"groups": func(a, b *ListedProject) int { return cmp.Compare(a.Groups, b.Groups) },
}

func (p *ListedProject) sortName() string { return folded(cmp.Or(p.Title, string(p.Key))) }

// ProjectsBy lists the projects that the asker may see into by name, users or
// groups; "-" before it: descending. Those that are alike come by name.
func (s *Service) ProjectsBy(ctx context.Context, sort string) ([]ListedProject, error) {
	order, down := strings.CutPrefix(sort, "-")
	compare, known := projectOrders[order]
	if !known {
		return nil, invalid("sort %q is not one of name, users, groups", sort)
	}
	all, err := s.Projects(ctx)
	if err != nil || order == "" {
		return all, err
	}
	slices.SortStableFunc(all, func(a, b ListedProject) int {
		c := compare(&a, &b)
		if down {
			c = -c
		}
		return cmp.Or(c, strings.Compare(a.sortName(), b.sortName()))
	})
	return all, nil
}
