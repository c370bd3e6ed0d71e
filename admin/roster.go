package admin

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/usherd/usherd/authz"
	"github.com/usherd/usherd/directory"
)

// A rosterKeeper holds everybody in memory, for lists: filtering and sorting by
// what a database can't see (what a nested group gives, say) takes milliseconds
// here, whoever the list is for. It is read once, at the start of the daemon or
// when the first list is asked for, and follows the feed from then on, at each
// list: who changed is taken out of every order and put in again where they
// belong now.
type rosterKeeper struct {
	mu      sync.Mutex
	reading *rosterReading // set while everybody is read
	roster
}

// A roster is everybody as of one revision.
type roster struct {
	at directory.Stamp
	by map[directory.UserID]*person // nil before everybody was read
	// orders has everybody in the orders that were asked for.
	orders map[string][]ordered
	// first has the first members of groups by name; see firstMembersOf.
	first map[directory.GroupNum][]ordered
	kinds *attributeKinds
	// logins is when last logins were read: they are no facts, and in no feed.
	logins time.Time
}

// A person is one user of the roster.
type person struct {
	row    directory.PersonRow
	sub    directory.Subject
	search string // all that a search looks into, folded
	kind   int    // which set of attributes they have
}

// A rosterReading is everybody being read, for whoever waits for it.
type rosterReading struct {
	done chan struct{} // closed at the end
	err  error         // why there is no roster; set before done is closed
}

// hardlyAny is up to how many people are read again one by one, whatever their
// share; of more than a quarter, everybody is.
const hardlyAny = 5000

// patience is how long a list waits for everybody to be read before it says
// that they are.
const patience = 5 * time.Second

// errReading says that a list is not there yet.
var errReading = fmt.Errorf("%w: everybody is being read from the store; try again in a few seconds", ErrUnavailable)

// WarmLists reads what lists are made of, so that the first one is as quick as
// those after it. It returns when that is done.
func (s *Service) WarmLists(ctx context.Context) error {
	for {
		_, err := s.peopleBy(ctx, "name")
		if errors.Is(err, errReading) {
			continue
		}
		if err == nil {
			_, err = s.allGroups(ctx)
		}
		return err
	}
}

// peopleBy brings the roster up to date and returns everybody in an order. The
// slice is shared: it is not to be changed.
func (s *Service) peopleBy(ctx context.Context, order string) (all []ordered, err error) {
	err = s.withRoster(ctx, func(r *roster) { all = r.in(order) })
	return all, err
}

// withRoster calls f with the roster brought up to date, which f may use until
// it returns.
func (s *Service) withRoster(ctx context.Context, f func(*roster)) error {
	r := &s.roster
	for {
		r.mu.Lock()
		err := error(nil)
		if r.by != nil {
			err = s.follow(ctx, &r.roster)
		}
		if err != nil || r.by != nil {
			if err == nil {
				f(&r.roster)
			}
			r.mu.Unlock()
			return err
		}
		if r.reading == nil {
			r.reading = &rosterReading{done: make(chan struct{})}
			go s.fillRoster(context.WithoutCancel(ctx), r.reading)
		}
		reading := r.reading
		r.mu.Unlock()
		if err := reading.wait(ctx); err != nil {
			return err
		}
	}
}

func (r *rosterReading) wait(ctx context.Context) error {
	limit := time.NewTimer(patience)
	defer limit.Stop()
	select {
	case <-r.done:
		return r.err
	case <-ctx.Done():
		return ctx.Err()
	case <-limit.C:
		return errReading
	}
}

// fillRoster reads everybody. It goes on when who asked has gone: somebody else
// will ask.
func (s *Service) fillRoster(ctx context.Context, reading *rosterReading) {
	made, err := s.readRoster(ctx)
	r := &s.roster
	r.mu.Lock()
	defer r.mu.Unlock()
	if err == nil {
		r.roster = made
	}
	reading.err, r.reading = err, nil
	close(reading.done)
}

func (s *Service) readRoster(ctx context.Context) (roster, error) {
	head, err := s.Store.Head(ctx, directory.Stamp{})
	if err != nil {
		return roster{}, fmt.Errorf("reading the revision: %w", err)
	}
	rows, err := s.Store.PersonRows(ctx)
	if err != nil {
		return roster{}, err
	}
	subjects, err := s.Store.Subjects(ctx, directory.People{Everyone: true}, directory.Stamp{})
	if err != nil {
		return roster{}, fmt.Errorf("reading everybody: %w", err)
	}
	r := roster{
		at: head.Stamp, logins: s.Now(), by: make(map[directory.UserID]*person, len(rows)), orders: map[string][]ordered{},
		kinds: &attributeKinds{number: map[string]int{}},
	}
	for _, p := range people(rows, subjects) {
		p.kind = r.kinds.of(&p.row)
		r.by[p.row.ID] = p
	}
	r.in("") // the orders that nearly every page asks for
	r.in("name")
	r.fillFirst()
	return r, nil
}

// follow reads again whom the feed names. The roster has nobody afterwards if
// that can't be told, or is not worth it.
func (s *Service) follow(ctx context.Context, r *roster) error {
	for {
		stretch, err := s.Store.Stretch(ctx, r.at, maxPage)
		if errors.Is(err, directory.ErrHistoryLost) {
			*r = roster{}
			return nil
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
		if len(touched) > max(hardlyAny, len(r.by)/4) {
			*r = roster{}
			return nil
		}
		if err := s.refresh(ctx, r, slices.Collect(maps.Keys(touched))); err != nil {
			return err
		}
		for _, num := range stretch.Ended {
			delete(r.first, num)
		}
		r.at = stretch.Records[len(stretch.Records)-1].Stamp
	}
}

// loginsAge is how old last logins may be that are filtered or sorted by.
const loginsAge = 30 * time.Second

// followLogins brings the last logins up to date.
func (s *Service) followLogins(ctx context.Context) error {
	var failed error
	err := s.withRoster(ctx, func(r *roster) {
		if now := s.Now(); now.Sub(r.logins) < loginsAge && !now.Before(r.logins) {
			return
		}
		var logins map[directory.UserID]time.Time
		if logins, failed = s.Store.LastLogins(ctx); failed != nil {
			return
		}
		var ids []directory.UserID
		var people []*person
		for id, at := range logins {
			if p := r.by[id]; p != nil && !p.row.LastLogin.Equal(at) {
				other := *p
				other.row.LastLogin = at
				ids, people = append(ids, id), append(people, &other)
			}
		}
		r.replace(ids, people)
		r.logins = s.Now()
	})
	return cmp.Or(err, failed)
}

// refresh reads some people again.
func (s *Service) refresh(ctx context.Context, r *roster, ids []directory.UserID) error {
	if len(ids) == 0 {
		return nil
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
	r.replace(ids, people(rows, subjects))
	return nil
}

// people joins rows and subjects; both ascend by id. Who is deleted has no
// subject.
func people(rows []directory.PersonRow, subjects []directory.Subject) []*person {
	out := make([]*person, len(rows))
	i := 0
	for k, row := range rows {
		for i < len(subjects) && subjects[i].ID < row.ID {
			i++
		}
		out[k] = &person{row: row, search: searchText(&row)}
		if i < len(subjects) && subjects[i].ID == row.ID {
			out[k].sub = subjects[i]
		}
	}
	return out
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
	if isPlain(name) {
		return name
	}
	key, err := directory.KeyOf(name)
	if err != nil {
		return strings.ToLower(name)
	}
	return string(key)
}

// isPlain reports whether a name is as it is compared already: most addresses
// and account names are.
func isPlain(name string) bool {
	for i := range len(name) {
		switch c := name[i]; {
		case 'a' <= c && c <= 'z', '0' <= c && c <= '9', c == '.', c == '@', c == '-', c == '_':
		default:
			return false
		}
	}
	return true
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
