package admin

import "context"

// IdleLogin is what [UserFilter.Login] says of those whose seat may be too many.
const IdleLogin = "90d"

// A SeatsQuery asks who takes a seat.
type SeatsQuery struct {
	Feature string
	Login   string // as UserFilter has it; empty: whenever
	Offset  int
	Limit   int
}

// SeatHolders lists who takes a seat of a feature: a part, by name, from an
// offset; total counts all.
func (s *Service) SeatHolders(ctx context.Context, feature string, offset, limit int) (Listing[ListedUser], error) {
	return s.FindSeats(ctx, SeatsQuery{Feature: feature, Offset: offset, Limit: limit})
}

// FindSeats is SeatHolders of those only who signed in, or did not, as q says.
func (s *Service) FindSeats(ctx context.Context, q SeatsQuery) (Listing[ListedUser], error) {
	a, seats, err := s.seatsByFeature(ctx)
	if err != nil {
		return Listing[ListedUser]{}, err
	}
	holders := seats[q.Feature]
	wanted, err := loginTest(q.Login, s.Now())
	if err != nil {
		return Listing[ListedUser]{}, err
	}
	if wanted != nil {
		holders = filtered(holders, wanted)
	}
	from := min(max(q.Offset, 0), len(holders))
	page := Listing[*person]{Total: len(holders)}
	for _, p := range holders[from:min(from+max(q.Limit, 0), len(holders))] {
		page.Items = append(page.Items, p.person)
	}
	return s.freshRows(ctx, a, page)
}

// IdleSeats counts, by feature, the seats of people who are not known to have
// signed in during the last 90 days.
func (s *Service) IdleSeats(ctx context.Context) (map[string]int, error) {
	_, seats, err := s.seatsByFeature(ctx)
	if err != nil {
		return nil, err
	}
	idle, err := loginTest(IdleLogin, s.Now())
	if err != nil {
		return nil, err
	}
	out := map[string]int{}
	for feature, holders := range seats {
		out[feature] = len(filtered(holders, idle))
	}
	return out, nil
}

// seatsByFeature are those who take a seat now, by name, with last logins of now.
func (s *Service) seatsByFeature(ctx context.Context) (*Authority, map[string][]ordered, error) {
	a, err := s.Authority(ctx)
	if err == nil {
		err = a.require(ReadDirectory, "")
	}
	if err == nil {
		err = s.followLogins(ctx)
	}
	if err != nil {
		return nil, nil, err
	}
	counted, err := s.census(ctx, a.view)
	if err != nil {
		return nil, nil, err
	}
	return a, counted.seats(), nil
}
