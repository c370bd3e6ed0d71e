package admin

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/usherd/usherd/authz"
	"github.com/usherd/usherd/directory"
)

// listedPeople is how many single people a preview lists if nothing is said.
const listedPeople = 1000

// peoplePage is how many people a preview has in memory at once.
const peoplePage = 100_000

// countedPeople is up to how many users the seats of the whole organization are
// counted for a preview.
const countedPeople = 5_000

// A PeopleList says which single people a preview lists. Totals, administrators
// and seats do not depend on it.
type PeopleList struct {
	Limit int              `json:"limit,omitempty"` // 0 means 1000
	After directory.UserID `json:"after,omitempty"` // begin after this one
}

// Preview says who would gain and lose what by changes, and why; in seats and
// money too. It is the one preview: of any change or several, of a held plan of
// a directory as of an edit in the console. Nothing is altered.
//
// The directory performs the changes and takes them back, so that what would be
// refused is refused here. Of several changes those that are refused are left
// out and listed in Refused. Conditions are ignored.
//
// It costs as much as performing the changes, and time proportional to the
// people whom they touch. See [authz.Difference] for what is complete.
func (s *Service) Preview(ctx context.Context, changes ...directory.Change) (authz.Difference, error) {
	return s.PreviewPage(ctx, PeopleList{}, changes...)
}

// PreviewPage is [Service.Preview] with another part of the single people.
func (s *Service) PreviewPage(ctx context.Context, list PeopleList, changes ...directory.Change) (authz.Difference, error) {
	f, err := s.foresee(ctx, changes...)
	if err != nil {
		return authz.Difference{}, err
	}
	return s.difference(ctx, f, list, countedPeople)
}

// A future is what the directory would be after some changes that are not
// performed: policy and groups as a snapshot, and the people who differ.
type future struct {
	directory.Foresight
	now, then *authz.Snapshot
	old       []directory.Subject // those of Touched who live now, ascending
}

// foresee works out a future.
func (s *Service) foresee(ctx context.Context, changes ...directory.Change) (*future, error) {
	seen, err := s.Store.Foresee(ctx, false, changes...)
	if err != nil && len(changes) > 1 && refusal(err) {
		seen, err = s.Store.Foresee(ctx, true, changes...)
	}
	if err != nil {
		return nil, fmt.Errorf("foreseeing changes: %w", err)
	}
	f := &future{Foresight: seen}
	if f.now, err = s.snapshotAt(ctx, seen.Base); err != nil {
		return nil, err
	}
	f.then = f.now.Update(seen.Stretch)
	f.old, err = s.Store.Subjects(ctx, directory.People{IDs: seen.Touched}, seen.Base)
	if err != nil {
		return nil, fmt.Errorf("reading whom changes touch: %w", err)
	}
	return f, nil
}

// refusal reports whether the directory refuses a change.
func refusal(err error) bool {
	return slices.ContainsFunc([]error{
		directory.ErrNotFound, directory.ErrExists, directory.ErrInvalid, directory.ErrInUse, directory.ErrNotOwner, directory.ErrPaused,
	}, func(sentinel error) bool { return errors.Is(err, sentinel) })
}

// snapshotAt returns the policy and groups of a point of history: those that
// this process answers by, if that is where it is or was a moment ago.
func (s *Service) snapshotAt(ctx context.Context, at directory.Stamp) (*authz.Snapshot, error) {
	const near = 100 // revisions
	have, err := s.present(ctx)
	if err == nil && have.At() == at {
		return have, nil
	}
	if gap := at.Revision - have.At().Revision; err == nil && gap > 0 && gap <= near {
		st, err := s.Store.Stretch(ctx, have.At(), int(gap))
		if err == nil && len(st.Records) == int(gap) && st.Records[gap-1].Stamp == at {
			return have.Update(st), nil
		}
	}
	facts, err := s.Store.Facts(ctx, at.Revision)
	if err != nil {
		return nil, fmt.Errorf("reading facts: %w", err)
	}
	return authz.Compile(facts), nil
}

// altered calls f for everybody who differs, as before and as after.
func (f *future) altered(each func(before, after *directory.Subject)) {
	old, now, nobody := f.old, f.People, directory.Subject{}
	for len(old)+len(now) > 0 {
		switch {
		case len(now) == 0 || len(old) > 0 && old[0].ID < now[0].ID:
			each(&old[0], &nobody)
			old = old[1:]
		case len(old) == 0 || now[0].ID < old[0].ID:
			each(&nobody, &now[0])
			now = now[1:]
		default:
			each(&old[0], &now[0])
			old, now = old[1:], now[1:]
		}
	}
}

// touches reports whether somebody is among those who differ.
func (f *future) touches(id directory.UserID) bool {
	_, found := slices.BinarySearch(f.Touched, id)
	return found
}

// others calls each for those of who that stay as they are, until it returns
// false.
func (s *Service) others(ctx context.Context, f *future, who directory.People, page int, each func(*directory.Subject) bool) error {
	if !selectsAnybody(who) {
		return nil
	}
	return s.pages(ctx, who, f.Base, page, func(sub *directory.Subject) bool {
		return f.touches(sub.ID) || each(sub)
	})
}

func selectsAnybody(who directory.People) bool {
	return len(who.IDs)+len(who.Groups)+len(who.Sources) > 0 || who.Granted || who.Overridden || who.Everyone
}

// pages reads people of one revision page by page, until each returns false.
func (s *Service) pages(ctx context.Context, who directory.People, at directory.Stamp, page int, each func(*directory.Subject) bool) error {
	for who.Limit = page; ; {
		some, err := s.Store.Subjects(ctx, who, at)
		if err != nil {
			return fmt.Errorf("reading people: %w", err)
		}
		for i := range some {
			if !each(&some[i]) {
				return nil
			}
		}
		if len(some) < who.Limit {
			return nil
		}
		who.After = some[len(some)-1].ID
	}
}

// difference compares a future with now. Seats are those of the organization if
// it has at most so many users.
func (s *Service) difference(ctx context.Context, f *future, list PeopleList, counted int) (authz.Difference, error) {
	c := authz.Compare(f.now, f.then)
	if list.Limit <= 0 {
		list.Limit = listedPeople
	}
	c.List(list.Limit, list.After)
	f.altered(func(before, after *directory.Subject) { c.Add(before, after) })
	err := s.others(ctx, f, c.People(), peoplePage, func(sub *directory.Subject) bool {
		c.Add(sub, sub)
		return true
	})
	if err == nil {
		err = s.countSeats(ctx, f, c, counted)
	}
	if err != nil {
		return authz.Difference{}, err
	}
	d := c.Difference()
	for _, refused := range f.Refused {
		d.Refused = append(d.Refused, refused.Error())
	}
	return d, nil
}

// countSeats counts the seats of everybody, or at least of those features whose
// price differs.
func (s *Service) countSeats(ctx context.Context, f *future, c *authz.Comparison, counted int) error {
	page, err := s.Store.Identities(ctx, directory.Query{Total: true})
	if err != nil {
		return fmt.Errorf("counting users: %w", err)
	}
	all := page.Total <= counted
	who, any := c.SeatHolders(all)
	if any {
		f.altered(c.CountSeats)
		err = s.others(ctx, f, who, peoplePage, func(sub *directory.Subject) bool {
			c.CountSeats(sub, sub)
			return true
		})
	}
	c.Complete(all)
	return err
}

// Seats counts the seats of billable features.
func (s *Service) Seats(ctx context.Context) (map[string]int, error) {
	snapshot, err := s.present(ctx)
	if err != nil {
		return nil, err
	}
	seats := map[string]int{}
	for _, f := range snapshot.Policy().Policy.Features {
		if f.Seat != nil {
			seats[f.Key] = 0
		}
	}
	who, any := authz.Compare(snapshot, snapshot).SeatHolders(true)
	if !any {
		return seats, nil
	}
	count := snapshot.SeatCounter()
	return seats, s.pages(ctx, who, snapshot.At(), peoplePage, func(sub *directory.Subject) bool {
		for _, key := range count(sub) {
			seats[key]++
		}
		return true
	})
}

// spelled are the names of holdings, with their causes.
func spelled(holdings []authz.Holding, whys []authz.Cause) (names, because []string) {
	names, because = make([]string, len(holdings)), make([]string, len(holdings))
	for i, h := range holdings {
		names[i] = h.String()
		if i < len(whys) {
			because[i] = whys[i].Text
		}
	}
	return names, because
}
