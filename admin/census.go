package admin

import (
	"context"
	"slices"
	"sync"
	"time"

	"github.com/usherd/usherd/authz"
	"github.com/usherd/usherd/directory"
)

// A census is what pages count over everybody: who has which Role, who takes a
// seat of which feature, how many are active. Counting 100,000 people takes tens
// of milliseconds, so each is counted when it is asked for first, and kept until
// somebody or something changes.
type census struct {
	of     *authz.Snapshot
	at     directory.Stamp // of the roster
	logins time.Time       // of the roster

	// Deleted users are in neither. Lists are by name and never changed.
	roles func() map[directory.RoleName][]ordered
	seats func() map[string][]ordered
	// statuses are counts, deleted users too.
	statuses func() map[string]int

	attributes func() []AttributeUse // that living users have, the most common first
	everybody  []ordered             // by name
	kinds      []attributeKind       // by number
}

// census returns what is counted over everybody in a view.
func (s *Service) census(ctx context.Context, view *authz.Snapshot) (*census, error) {
	made := &census{of: view}
	var everybody []ordered
	err := s.withRoster(ctx, func(r *roster) {
		everybody, made.at, made.logins, made.kinds = r.in("name"), r.at, r.logins, r.kinds.all
	})
	if err != nil {
		return nil, err
	}
	if have := s.counted.Load(); have != nil && have.of == view && have.at == made.at && have.logins.Equal(made.logins) {
		return have, nil
	}
	made.roles = sync.OnceValue(func() map[directory.RoleName][]ordered { return haveRoles(view, everybody) })
	made.seats = sync.OnceValue(func() map[string][]ordered { return takeSeats(view, everybody) })
	made.statuses = sync.OnceValue(func() map[string]int { return countStatuses(view, everybody) })
	made.everybody = everybody
	made.attributes = sync.OnceValue(func() []AttributeUse { return countAttributes(everybody, made.kinds, withheldBy(view), anybody) })
	s.counted.Store(made)
	return made, nil
}

func takeSeats(view *authz.Snapshot, everybody []ordered) map[string][]ordered {
	out, count := map[string][]ordered{}, view.SeatCounter()
	for _, p := range everybody {
		for _, feature := range count(&p.sub) {
			out[feature] = append(out[feature], p)
		}
	}
	return out
}

func countStatuses(view *authz.Snapshot, everybody []ordered) map[string]int {
	out, disabled := map[string]int{}, disabledSources(view)
	for _, p := range everybody {
		status, _ := standing(&p.row, disabled)
		out[status]++
	}
	return out
}

// haveRoles finds everybody who has a Role by a path that counts.
func haveRoles(view *authz.Snapshot, everybody []ordered) map[directory.RoleName][]ordered {
	all := slices.Concat(directory.BuiltinRoles(), view.Policy().Policy.Roles)
	tests := make([]roleHolders, len(all))
	given, below := map[directory.GroupNum][]int{}, newNesting(view)
	for i, role := range all {
		tests[i] = holdersOf(view, below, role.Name, everyScope(view))
		for num := range tests[i].giving {
			given[num] = append(given[num], i)
		}
	}
	out := make([][]ordered, len(all))
	for _, p := range everybody {
		if !p.row.Deleted.IsZero() || p.sub.Found != directory.One {
			continue
		}
		add := func(i int) {
			if n := len(out[i]); n == 0 || out[i][n-1].person != p.person {
				out[i] = append(out[i], p)
			}
		}
		if len(p.sub.Overrides) > 0 {
			for i := range tests {
				if tests[i].holds(p.person) {
					add(i)
				}
			}
			continue
		}
		for _, m := range p.sub.Memberships {
			for _, i := range given[m.Group] {
				add(i)
			}
		}
		for _, g := range p.sub.Grants {
			if i := slices.IndexFunc(all, func(r directory.Role) bool { return g.Role != "" && r.Name == g.Role }); i >= 0 {
				add(i)
			}
		}
	}
	byName := make(map[directory.RoleName][]ordered, len(all))
	for i, role := range all {
		byName[role.Name] = out[i]
	}
	return byName
}

// anybody is a test that all pass.
func anybody(*person) bool { return true }

// sees returns the test of whom the asker may know of.
func (a *Authority) sees() func(*person) bool {
	if all, _ := a.Projects(ReadDirectory); all {
		return anybody
	}
	return func(p *person) bool { return a.seesUser(&p.sub) }
}

// PeopleCounts are how many users have a status.
type PeopleCounts struct {
	Active   int `json:"active"`
	Blocked  int `json:"blocked"`
	Inactive int `json:"inactive"`
}

// PeopleCounts counts the users that the asker may know of.
func (s *Service) PeopleCounts(ctx context.Context) (PeopleCounts, error) {
	a, err := s.reads(ctx, ReadDirectory)
	if err != nil {
		return PeopleCounts{}, err
	}
	c, err := s.census(ctx, a.view)
	if err != nil {
		return PeopleCounts{}, err
	}
	of := c.statuses()
	if all, _ := a.Projects(ReadDirectory); !all {
		seen, err := s.pathTests(ctx, a, UserFilter{})
		if err != nil {
			return PeopleCounts{}, err
		}
		everybody, err := s.peopleBy(ctx, "name")
		if err != nil {
			return PeopleCounts{}, err
		}
		for _, test := range seen {
			everybody = filtered(everybody, test)
		}
		of = countStatuses(a.view, everybody)
	}
	return PeopleCounts{of[StatusActive], of[StatusBlocked], of[StatusInactive]}, nil
}

// filtered are those who pass a test.
func filtered(all []ordered, test func(*person) bool) (out []ordered) {
	for _, p := range all {
		if test(p.person) {
			out = append(out, p)
		}
	}
	return out
}
