package admin

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"

	"github.com/usherd/usherd/directory"
)

// A groupList is all living groups of one revision.
type groupList struct {
	at   directory.Stamp
	list []listable

	mu     sync.Mutex
	orders map[string][]keyed // those that were asked for
}

// A listable is a group with what filters and orders look at.
type listable struct {
	directory.Group
	folded string // the name as it is compared
	search string // all that a search looks into
}

// keyed is a group at its place in an order.
type keyed struct {
	key string
	*listable
}

func compareKeyed(a, b keyed) int {
	return cmp.Or(strings.Compare(a.key, b.key), strings.Compare(string(a.ID), string(b.ID)))
}

var groupOrders = map[string]func(*listable) string{
	"":         func(g *listable) string { return timeKey(g.Created) },
	"created":  func(g *listable) string { return timeKey(g.Created) },
	"modified": func(g *listable) string { return timeKey(g.Modified) },
	"name":     func(g *listable) string { return g.folded },
	"source":   func(g *listable) string { return string(g.Source) },
	"status":   func(g *listable) string { return string(g.Status) },
	"project":  func(g *listable) string { return string(g.Project) },
	"members":  func(g *listable) string { return fmt.Sprintf("%08d", g.Members) },
}

// in returns the groups in an order. The slice is shared: it is not to be
// changed.
func (l *groupList) in(order string) []keyed {
	l.mu.Lock()
	defer l.mu.Unlock()
	if have, ok := l.orders[order]; ok {
		return have
	}
	key, all := groupOrders[order], make([]keyed, len(l.list))
	for i := range l.list {
		all[i] = keyed{key(&l.list[i]), &l.list[i]}
	}
	slices.SortFunc(all, compareKeyed)
	l.orders[order] = all
	return all
}

// allGroups reads all living groups, once for each revision. What was folded
// for the revision before counts for those that are the same.
func (s *Service) allGroups(ctx context.Context) (*groupList, error) {
	head, err := s.Store.Head(ctx, directory.Stamp{})
	if err != nil {
		return nil, fmt.Errorf("reading the revision: %w", err)
	}
	before := s.groups.Load()
	if before != nil && before.at == head.Stamp {
		return before, nil
	}
	all := &groupList{at: head.Stamp, orders: map[string][]keyed{}}
	for q := (directory.Query{Limit: maxPage}); ; {
		page, err := s.Store.Groups(ctx, q)
		if err != nil {
			return nil, fmt.Errorf("listing groups: %w", err)
		}
		for _, g := range page.Items {
			all.list = append(all.list, before.listable(g, len(all.list)))
		}
		if len(page.Items) < maxPage {
			break
		}
		last := page.Items[len(page.Items)-1]
		q.After = &directory.Place{Created: last.Created, ID: string(last.ID)}
	}
	s.groups.Store(all)
	return all, nil
}

// listable prepares a group for lists; at the same place of the list before, it
// mostly is there already.
func (l *groupList) listable(g directory.Group, at int) listable {
	if l != nil && at < len(l.list) {
		old := &l.list[at]
		if old.ID == g.ID && old.Name == g.Name && old.Description == g.Description && old.ExternalID == g.ExternalID && old.DN == g.DN {
			return listable{g, old.folded, old.search}
		}
	}
	name := folded(g.Name)
	search := name + "\n" + folded(g.Description) + "\n" + string(g.ID) + "\n" + strings.ToLower(g.ExternalID+"\n"+g.DN)
	return listable{g, name, search}
}
