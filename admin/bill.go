package admin

import (
	"context"
	"fmt"
	"math/big"

	"github.com/usherd/usherd/authz"
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
	return s.billNow(ctx, a.view)
}

func (s *Service) billNow(ctx context.Context, view *authz.Snapshot) (Bill, error) {
	counted, err := s.census(ctx, view)
	if err != nil {
		return Bill{}, err
	}
	return billOf(view, func(feature string) int { return len(counted.seats()[feature]) })
}

// billOf sums up the bill of so many seats.
func billOf(view *authz.Snapshot, seats func(feature string) int) (Bill, error) {
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
		taken := seats(f.Key)
		cost := price.Mul(price, new(big.Rat).SetInt64(int64(taken)))
		if sums[f.Seat.Currency] == nil {
			sums[f.Seat.Currency] = new(big.Rat)
			out.Money = append(out.Money, BilledMoney{Currency: f.Seat.Currency})
		}
		sums[f.Seat.Currency].Add(sums[f.Seat.Currency], cost)
		out.Features = append(out.Features, BilledFeature{f.Key, f.Title, taken, f.Seat.Monthly, f.Seat.Currency, cost.FloatString(2)})
	}
	for i := range out.Money {
		out.Money[i].Amount = sums[out.Money[i].Currency].FloatString(2)
	}
	return out, nil
}
