package admin

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/usherd/usherd/authz"
	"github.com/usherd/usherd/directory"
)

// A BillPoint is the bill of one moment.
type BillPoint struct {
	Time time.Time `json:"time"`
	Bill
}

// BillTrend counts the bill at n moments, evenly over the time before now and
// the last of them now. Those of other days are at 00:00 UTC. Moments before
// history begins, or of an organization that was not there yet, are left out.
//
// A moment of the past is counted over everybody, which takes a second or two of
// 100,000 people, and then remembered.
func (s *Service) BillTrend(ctx context.Context, over time.Duration, n int) ([]BillPoint, error) {
	points, _, err := s.billTrend(ctx, over, n, s.billAt)
	return points, err
}

// KnownBillTrend is BillTrend of the moments that are remembered, without
// counting any, and whether these are all.
func (s *Service) KnownBillTrend(ctx context.Context, over time.Duration, n int) (points []BillPoint, whole bool, err error) {
	return s.billTrend(ctx, over, n, func(_ context.Context, at directory.Revision) (Bill, error) {
		if have, ok := s.bills.known(at); ok {
			return have, nil
		}
		return Bill{}, errNotCounted
	})
}

// errNotCounted says that nobody has counted a bill yet.
var errNotCounted = errors.New("not counted yet")

func (s *Service) billTrend(ctx context.Context, over time.Duration, n int, billAt func(context.Context, directory.Revision) (Bill, error)) (out []BillPoint, whole bool, err error) {
	a, err := s.Authority(ctx)
	if err == nil {
		err = a.require(ReadDirectory, "")
	}
	if err != nil {
		return nil, false, err
	}
	whole = true
	horizon, err := s.Store.Horizon(ctx)
	if err != nil {
		return nil, false, fmt.Errorf("reading how far history goes: %w", err)
	}
	for _, at := range trendTimes(s.Now(), over, n) {
		revision, err := s.Store.RevisionAt(ctx, at)
		if err != nil {
			return nil, false, fmt.Errorf("finding the revision: %w", err)
		}
		if revision == 0 || revision < horizon {
			continue
		}
		bill, err := billAt(ctx, revision)
		if errors.Is(err, errNotCounted) {
			whole = false
			continue
		}
		if err != nil {
			return nil, false, err
		}
		out = append(out, BillPoint{at, bill})
	}
	now, err := s.billNow(ctx, a.view)
	return append(out, BillPoint{s.Now(), now}), whole, err
}

// trendTimes are n-1 moments before now. Whole days stay the same the day over,
// so that they are counted once.
func trendTimes(now time.Time, over time.Duration, n int) (out []time.Time) {
	const day = 24 * time.Hour
	for i := n - 1; i > 0; i-- {
		at := now.Add(-over / time.Duration(n-1) * time.Duration(i))
		if over/time.Duration(n-1) >= day {
			at = at.UTC().Truncate(day)
		}
		out = append(out, at)
	}
	return out
}

// A billBook remembers bills of the past: they never change.
type billBook struct {
	counting sync.Mutex // held while a bill is counted, so that nobody else counts it too
	mu       sync.Mutex // guards bills
	bills    map[directory.Revision]Bill
}

// manyBills bounds how many bills are remembered.
const manyBills = 1000

func (b *billBook) known(at directory.Revision) (Bill, bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	have, ok := b.bills[at]
	return have, ok
}

func (b *billBook) remember(at directory.Revision, bill Bill) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.bills == nil || len(b.bills) >= manyBills {
		b.bills = map[directory.Revision]Bill{}
	}
	b.bills[at] = bill
}

// billAt returns the bill of a revision of the past.
func (s *Service) billAt(ctx context.Context, at directory.Revision) (Bill, error) {
	b := &s.bills
	b.counting.Lock()
	defer b.counting.Unlock()
	if have, ok := b.known(at); ok {
		return have, nil
	}
	if err := ctx.Err(); err != nil {
		return Bill{}, err
	}
	view, err := s.past(ctx, at)
	if err != nil {
		return Bill{}, err
	}
	seats, err := s.seatsAt(ctx, view)
	if err != nil {
		return Bill{}, err
	}
	made, err := billOf(view, func(feature string) int { return seats[feature] })
	if err != nil {
		return Bill{}, err
	}
	b.remember(at, made)
	return made, nil
}

// seatsAt counts the seats of a moment, by feature.
func (s *Service) seatsAt(ctx context.Context, view *authz.Snapshot) (map[string]int, error) {
	seats := map[string]int{}
	who, any := authz.Compare(view, view).SeatHolders(true)
	if !any {
		return seats, nil
	}
	count := view.SeatCounter()
	return seats, s.pages(ctx, who, view.At(), peoplePage, func(sub *directory.Subject) bool {
		for _, key := range count(sub) {
			seats[key]++
		}
		return true
	})
}
