package admin

import (
	"context"
	"fmt"
	"math/big"
	"time"

	"github.com/usherd/usherd/authz"
	"github.com/usherd/usherd/directory"
)

// A Bill is what billable features take in seats and cost a month.
type Bill struct {
	Features []BilledFeature `json:"features"`
	Money    []BilledMoney   `json:"money"` // by currency; never summed across
}

// A BilledFeature is one billable feature.
type BilledFeature struct {
	Key      string `json:"key"`
	Title    string `json:"title,omitempty"`
	Seats    int    `json:"seats"`
	Monthly  string `json:"monthly"` // of one seat
	Currency string `json:"currency"`
	Cost     string `json:"cost"` // of all, a month
}

// A BilledMoney is an amount a month.
type BilledMoney struct {
	Currency string `json:"currency"`
	Amount   string `json:"amount"`
}

// Bill counts seats and money of now.
func (s *Service) Bill(ctx context.Context) (Bill, error) {
	a, err := s.Authority(ctx)
	if err == nil {
		err = a.require(ReadDirectory, "")
	}
	if err != nil {
		return Bill{}, err
	}
	return s.billOf(ctx, a.view)
}

// billOf counts the bill of a moment.
func (s *Service) billOf(ctx context.Context, view *authz.Snapshot) (Bill, error) {
	seats, err := s.seatsOf(ctx, view)
	if err != nil {
		return Bill{}, err
	}
	out := Bill{Features: []BilledFeature{}, Money: []BilledMoney{}}
	sums := map[string]*big.Rat{}
	for _, f := range view.Policy().Policy.Features {
		if f.Seat == nil {
			continue
		}
		price, ok := new(big.Rat).SetString(f.Seat.Monthly)
		if !ok {
			return Bill{}, fmt.Errorf("price of %s: %q is no number", f.Key, f.Seat.Monthly)
		}
		cost := price.Mul(price, new(big.Rat).SetInt64(int64(seats[f.Key])))
		if sums[f.Seat.Currency] == nil {
			sums[f.Seat.Currency] = new(big.Rat)
			out.Money = append(out.Money, BilledMoney{Currency: f.Seat.Currency})
		}
		sums[f.Seat.Currency].Add(sums[f.Seat.Currency], cost)
		out.Features = append(out.Features, BilledFeature{f.Key, f.Title, seats[f.Key], f.Seat.Monthly, f.Seat.Currency, cost.FloatString(2)})
	}
	for i := range out.Money {
		out.Money[i].Amount = sums[out.Money[i].Currency].FloatString(2)
	}
	return out, nil
}

// seatsOf counts the seats of a moment, by feature.
func (s *Service) seatsOf(ctx context.Context, view *authz.Snapshot) (map[string]int, error) {
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

// A BillPoint is the bill of one moment.
type BillPoint struct {
	Time time.Time `json:"time"`
	Bill
}

// BillTrend counts the bill at n moments, evenly over the time before now and
// the last of them now. Moments before history begins, or of an organization
// that was not there yet, are left out.
func (s *Service) BillTrend(ctx context.Context, over time.Duration, n int) ([]BillPoint, error) {
	a, err := s.Authority(ctx)
	if err == nil {
		err = a.require(ReadDirectory, "")
	}
	if err != nil {
		return nil, err
	}
	var out []BillPoint
	horizon, err := s.Store.Horizon(ctx)
	if err != nil {
		return nil, fmt.Errorf("reading how far history goes: %w", err)
	}
	counted := map[directory.Revision]Bill{}
	for i := n - 1; i > 0; i-- {
		at := s.Now().Add(-over / time.Duration(n-1) * time.Duration(i))
		revision, err := s.Store.RevisionAt(ctx, at)
		if err != nil {
			return nil, fmt.Errorf("finding the revision: %w", err)
		}
		if revision == 0 || revision < horizon {
			continue
		}
		bill, known := counted[revision]
		if !known {
			view, err := s.past(ctx, revision)
			if err != nil {
				return nil, err
			}
			if bill, err = s.billOf(ctx, view); err != nil {
				return nil, err
			}
			counted[revision] = bill
		}
		out = append(out, BillPoint{at, bill})
	}
	now, err := s.billOf(ctx, a.view)
	return append(out, BillPoint{s.Now(), now}), err
}

// SeatHolders lists who takes a seat of a feature: a part, by name, from an
// offset; total counts all.
func (s *Service) SeatHolders(ctx context.Context, feature string, offset, limit int) (Listing[ListedUser], error) {
	return s.FindSeats(ctx, SeatsQuery{Feature: feature, Offset: offset, Limit: limit})
}
