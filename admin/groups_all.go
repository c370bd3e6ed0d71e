package admin

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"

	"github.com/usherd/usherd/directory"
)

// A groupList is all living groups of one revision.
type groupList struct {
	at directory.Stamp
	by map[directory.GroupID]*listable

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
	all := inOrder(order, slices.Collect(maps.Values(l.by)))
	l.orders[order] = all
	return all
}

func inOrder(order string, groups []*listable) []keyed {
	key, all := groupOrders[order], make([]keyed, len(groups))
	for i, g := range groups {
		all[i] = keyed{key(g), g}
	}
	slices.SortFunc(all, compareKeyed)
	return all
}

// allGroups returns all living groups. For each revision those are read again
// whose version is not what it was.
func (s *Service) allGroups(ctx context.Context) (*groupList, error) {
	before := s.groups.Load()
	if before == nil {
		before = &groupList{}
	}
	head, err := s.Store.Head(ctx, before.at)
	if err != nil {
		return nil, fmt.Errorf("reading the revision: %w", err)
	}
	if before.by != nil && before.at == head.Stamp {
		return before, nil
	}
	if !head.Known {
		before = &groupList{} // of another history, whose versions mean something else
	}
	versions, err := s.Store.GroupVersions(ctx)
	if err != nil {
		return nil, err
	}
	changed := slices.DeleteFunc(slices.Collect(maps.Keys(versions)), func(id directory.GroupID) bool {
		was := before.by[id]
		return was != nil && was.Version == versions[id]
	})
	now, err := s.readGroups(ctx, changed, len(versions))
	if err != nil {
		return nil, err
	}
	gone := slices.DeleteFunc(slices.Collect(maps.Keys(before.by)), func(id directory.GroupID) bool { return versions[id] > 0 })
	all := before.with(append(gone, changed...), now)
	all.at = head.Stamp
	s.groups.Store(all)
	return all, nil
}

// readGroups reads some groups, or rather all of them if they are many.
func (s *Service) readGroups(ctx context.Context, ids []directory.GroupID, all int) ([]*listable, error) {
	var out []*listable
	if len(ids) <= all/2 {
		rows, err := s.Store.GroupRows(ctx, ids...)
		for _, g := range rows {
			out = append(out, newListable(g))
		}
		return out, err
	}
	for q := (directory.Query{Limit: maxPage}); ; {
		page, err := s.Store.Groups(ctx, q)
		if err != nil {
			return nil, fmt.Errorf("listing groups: %w", err)
		}
		for _, g := range page.Items {
			out = append(out, newListable(g))
		}
		if len(page.Items) < maxPage {
			return out, nil
		}
		last := page.Items[len(page.Items)-1]
		q.After = &directory.Place{Created: last.Created, ID: string(last.ID)}
	}
}

// with is the list without some groups and with others, in the same orders.
func (l *groupList) with(out []directory.GroupID, in []*listable) *groupList {
	next := &groupList{by: maps.Clone(l.by), orders: map[string][]keyed{}}
	if next.by == nil {
		next.by = make(map[directory.GroupID]*listable, len(in))
	}
	for _, g := range in {
		out = append(out, g.ID)
	}
	var old []*listable
	for _, id := range out {
		if was := next.by[id]; was != nil {
			old = append(old, was)
			delete(next.by, id)
		}
	}
	for _, g := range in {
		next.by[g.ID] = g
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	for order, all := range l.orders {
		next.orders[order] = rearranged(all, inOrder(order, old), inOrder(order, in), compareKeyed)
	}
	return next
}

// newListable prepares a group for lists.
func newListable(g directory.Group) *listable {
	name := folded(g.Name)
	search := name + "\n" + folded(g.Description) + "\n" + string(g.ID) + "\n" + strings.ToLower(g.ExternalID+"\n"+g.DN)
	return &listable{g, name, search}
}
