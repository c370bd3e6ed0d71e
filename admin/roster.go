package admin

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"

	"github.com/usherd/usherd/authz"
	"github.com/usherd/usherd/directory"
)

// A rosterKeeper holds everybody in memory, for lists: filtering and sorting by
// what a database can't see (what a nested group gives, say) takes milliseconds
// here, whoever the list is for. It is read when the first list is asked for,
// and follows the feed from then on, at each list.
type rosterKeeper struct {
	mu sync.Mutex
	at directory.Stamp
	by map[directory.UserID]*person
	// orders has everybody in the orders that were asked for; nil after a change.
	orders map[string][]ordered
}

// A person is one user of the roster.
type person struct {
	row    directory.PersonRow
	sub    directory.Subject
	search string // all that a search looks into, folded
}

// An ordered is a person at their place in an order.
type ordered struct {
	key string
	*person
}

// hardlyAny is up to how many people are read again one by one; after more,
// everybody is.
const hardlyAny = 5000

// people brings the roster up to date and returns everybody in an order. The
// slice is shared: it is not to be changed.
func (s *Service) peopleBy(ctx context.Context, order string) ([]ordered, error) {
	r := &s.roster
	r.mu.Lock()
	defer r.mu.Unlock()
	if err := s.follow(ctx, r); err != nil {
		return nil, err
	}
	if have, ok := r.orders[order]; ok {
		return have, nil
	}
	key := userOrders[order]
	all := make([]ordered, 0, len(r.by))
	for _, p := range r.by {
		all = append(all, ordered{key(p), p})
	}
	slices.SortFunc(all, compareOrdered)
	if r.orders == nil {
		r.orders = map[string][]ordered{}
	}
	r.orders[order] = all
	return all, nil
}

func compareOrdered(a, b ordered) int {
	return cmp.Or(strings.Compare(a.key, b.key), strings.Compare(string(a.row.ID), string(b.row.ID)))
}

// follow reads again whom the feed names.
func (s *Service) follow(ctx context.Context, r *rosterKeeper) error {
	for {
		if r.by == nil {
			return s.fillRoster(ctx, r)
		}
		stretch, err := s.Store.Stretch(ctx, r.at, maxPage)
		if errors.Is(err, directory.ErrHistoryLost) {
			r.by = nil
			continue
		}
		if err != nil {
			return fmt.Errorf("reading what changed: %w", err)
		}
		if len(stretch.Records) == 0 {
			return nil
		}
		touched := map[directory.UserID]bool{}
		for _, rec := range stretch.Records {
			for _, key := range rec.Keys {
				if key.Kind == directory.KeyID {
					touched[directory.UserID(key.Value)] = true
				}
			}
		}
		if len(touched) > hardlyAny {
			r.by = nil
			continue
		}
		if err := s.refresh(ctx, r, touched); err != nil {
			r.by = nil
			return err
		}
		r.at = stretch.Records[len(stretch.Records)-1].Stamp
	}
}

// fillRoster reads everybody.
func (s *Service) fillRoster(ctx context.Context, r *rosterKeeper) error {
	head, err := s.Store.Head(ctx, directory.Stamp{})
	if err != nil {
		return fmt.Errorf("reading the revision: %w", err)
	}
	rows, err := s.Store.PersonRows(ctx)
	if err != nil {
		return err
	}
	subjects, err := s.Store.Subjects(ctx, directory.People{Everyone: true}, directory.Stamp{})
	if err != nil {
		return fmt.Errorf("reading everybody: %w", err)
	}
	r.by, r.at, r.orders = make(map[directory.UserID]*person, len(rows)), head.Stamp, nil
	r.put(rows, subjects)
	return nil
}

func (s *Service) refresh(ctx context.Context, r *rosterKeeper, touched map[directory.UserID]bool) error {
	if len(touched) == 0 {
		return nil
	}
	r.orders = nil
	ids := make([]directory.UserID, 0, len(touched))
	for id := range touched {
		ids = append(ids, id)
		delete(r.by, id)
	}
	rows, err := s.Store.PersonRows(ctx, ids...)
	if err != nil {
		return err
	}
	users := make([]directory.UserID, len(rows))
	for i := range rows {
		users[i] = rows[i].ID
	}
	var subjects []directory.Subject
	if len(users) > 0 {
		if subjects, err = s.Store.Subjects(ctx, directory.People{IDs: users}, directory.Stamp{}); err != nil {
			return fmt.Errorf("reading some people: %w", err)
		}
	}
	r.put(rows, subjects)
	return nil
}

// put enters people; both slices ascend by id. Who is deleted has no subject.
func (r *rosterKeeper) put(rows []directory.PersonRow, subjects []directory.Subject) {
	i := 0
	for _, row := range rows {
		for i < len(subjects) && subjects[i].ID < row.ID {
			i++
		}
		p := &person{row: row, search: searchText(&row)}
		if i < len(subjects) && subjects[i].ID == row.ID {
			p.sub = subjects[i]
		}
		r.by[row.ID] = p
	}
}

// searchText is what a search looks into: names, address and the ids that
// sources give.
func searchText(row *directory.PersonRow) string {
	var b strings.Builder
	for i := range row.Identities {
		id := &row.Identities[i]
		for _, text := range []string{string(id.UserNameKey), string(id.DisplayKey), folded(id.Email), strings.ToLower(id.ExternalID)} {
			b.WriteString(text)
			b.WriteByte('\n')
		}
	}
	return b.String()
}

// folded is a name as it is compared, or nothing if nothing can have it.
func folded(name string) string {
	key, err := directory.KeyOf(name)
	if err != nil {
		return strings.ToLower(name)
	}
	return string(key)
}

// disabledSources are the sources whose identities say inactive.
func disabledSources(view *authz.Snapshot) map[directory.SourceName]bool {
	out := map[directory.SourceName]bool{}
	for _, src := range view.Policy().Sources {
		if src.State == directory.SourceDisabled {
			out[src.Name] = true
		}
	}
	return out
}
