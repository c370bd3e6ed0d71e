package admin

import (
	"context"
	"slices"
)

// IdleLogin is what [UserFilter.Login] says of those whose seat may be too many.
const IdleLogin = "90d"

// A SeatsQuery asks who takes a seat.
type SeatsQuery struct {
	Feature string
	Login   string // as UserFilter has it; empty: whenever
	Offset  int
	Limit   int
}

// FindSeats is SeatHolders of those only who signed in, or did not, as q says.
func (s *Service) FindSeats(ctx context.Context, q SeatsQuery) (Listing[ListedUser], error) {
	out := Listing[ListedUser]{Items: []ListedUser{}}
	a, err := s.Authority(ctx)
	if err == nil {
		err = a.require(ReadDirectory, "")
	}
	if err != nil {
		return out, err
	}
	wanted, err := loginTest(q.Login, s.Now())
	if err != nil {
		return out, err
	}
	everybody, err := s.peopleBy(ctx, "name")
	if err != nil {
		return out, err
	}
	count, disabled := a.view.SeatCounter(), disabledSources(a.view)
	for _, p := range everybody {
		if wanted != nil && !wanted(p.person) || !slices.Contains(count(&p.sub), q.Feature) {
			continue
		}
		if out.Total >= q.Offset && len(out.Items) < q.Limit {
			out.Items = append(out.Items, shownUser(&p.row, &p.sub, disabled))
		}
		out.Total++
	}
	return out, nil
}

// IdleSeats counts, by feature, the seats of people who are not known to have
// signed in during the last 90 days.
func (s *Service) IdleSeats(ctx context.Context) (map[string]int, error) {
	a, err := s.Authority(ctx)
	if err == nil {
		err = a.require(ReadDirectory, "")
	}
	if err != nil {
		return nil, err
	}
	idle, err := loginTest(IdleLogin, s.Now())
	if err != nil {
		return nil, err
	}
	everybody, err := s.peopleBy(ctx, "name")
	if err != nil {
		return nil, err
	}
	count, out := a.view.SeatCounter(), map[string]int{}
	for _, p := range everybody {
		if !idle(p.person) {
			continue
		}
		for _, feature := range count(&p.sub) {
			out[feature]++
		}
	}
	return out, nil
}
