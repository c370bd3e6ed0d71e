package authz

import (
	"cmp"
	"iter"
	"math/big"
	"slices"
	"strings"

	"github.com/usherd/usherd/directory"
)

// A Holding is one thing that a subject may do or has the right to.
type Holding struct {
	Project   directory.ProjectKey `json:"project,omitempty"` // empty: in every check
	Privilege directory.Privilege  `json:"privilege,omitzero"`
	Right     directory.Right      `json:"right,omitempty"`
}

// String names the holding for people.
func (h Holding) String() string {
	what := string(h.Right)
	if h.Right == "" {
		what = h.Privilege.String()
	}
	if h.Project != "" {
		what += " in project " + string(h.Project)
	}
	return what
}

// A Shift is what one subject gains or loses.
type Shift struct {
	User  directory.UserID `json:"user"`
	Gains []Holding        `json:"gains,omitempty"`
	Loses []Holding        `json:"loses,omitempty"`
}

// A SeatShift is how the seats of one billable feature change.
type SeatShift struct {
	Feature  string `json:"feature"`
	Monthly  string `json:"monthly"` // of a seat, after the change
	Currency string `json:"currency"`
	Before   int    `json:"before"`
	After    int    `json:"after"`
}

// A Money is an amount in one currency. Amounts are never summed across.
type Money struct {
	Currency string `json:"currency"`
	Before   string `json:"before"`
	After    string `json:"after"`
}

// A Difference is what a change of facts does.
type Difference struct {
	Shifts []Shift     `json:"shifts"` // of those whom it touches, by user
	Seats  []SeatShift `json:"seats"`  // of billable features with a seat before or after, in the order of the catalogue
	Money  []Money     `json:"money"`  // by currency
}

// RaisesBill reports whether some currency costs more afterwards.
func (d Difference) RaisesBill() bool {
	return slices.ContainsFunc(d.Money, func(m Money) bool {
		return ratOf(m.After).Cmp(ratOf(m.Before)) > 0
	})
}

// Diff compares what subjects, who stay as they are, may do before and after.
// Seats are counted over these subjects only.
func Diff(before, after *Snapshot, subjects iter.Seq[directory.Subject]) Difference {
	return DiffPairs(before, after, func(yield func(directory.Subject, directory.Subject) bool) {
		for s := range subjects {
			if !yield(s, s) {
				return
			}
		}
	})
}

// DiffPairs is [Diff] for subjects that change too: each as it is before and
// after.
func DiffPairs(before, after *Snapshot, subjects iter.Seq2[directory.Subject, directory.Subject]) Difference {
	var d Difference
	was, is := seatCount{before, map[string]int{}}, seatCount{after, map[string]int{}}
	for old, now := range subjects {
		had, has := before.holdings(&old), after.holdings(&now)
		was.add(&old, had)
		is.add(&now, has)
		shift := Shift{User: cmp.Or(now.ID, old.ID)}
		for h := range has {
			if !had[h] {
				shift.Gains = append(shift.Gains, h)
			}
		}
		for h := range had {
			if !has[h] {
				shift.Loses = append(shift.Loses, h)
			}
		}
		if len(shift.Gains)+len(shift.Loses) > 0 {
			slices.SortFunc(shift.Gains, compareHoldings)
			slices.SortFunc(shift.Loses, compareHoldings)
			d.Shifts = append(d.Shifts, shift)
		}
	}
	slices.SortFunc(d.Shifts, func(a, b Shift) int { return cmp.Compare(a.User, b.User) })
	d.bill(was, is)
	return d
}

func compareHoldings(a, b Holding) int {
	return cmp.Or(
		cmp.Compare(a.Project, b.Project), cmp.Compare(a.Right, b.Right),
		cmp.Compare(a.Privilege.Kind, b.Privilege.Kind), cmp.Compare(a.Privilege.Key, b.Privilege.Key),
		cmp.Compare(a.Privilege.Level, b.Privilege.Level),
	)
}

// holdings lists what a subject may do in every check, and besides in checks of
// each project.
func (s *Snapshot) holdings(subject *directory.Subject) map[Holding]bool {
	all := map[Holding]bool{}
	s.addHoldings(all, subject, "")
	for _, p := range s.cat.facts.Policy.Projects {
		if s.inProject(subject, p.Key) {
			s.addHoldings(all, subject, p.Key)
		}
	}
	return all
}

// inProject reports whether a path of the subject is limited to a project. If
// none is, nothing more counts there than elsewhere.
func (s *Snapshot) inProject(subject *directory.Subject, project directory.ProjectKey) bool {
	scope := s.cat.scope(project)
	return slices.ContainsFunc(subject.Grants, func(g directory.Grant) bool { return g.Project == project }) ||
		slices.ContainsFunc(subject.Memberships, func(m directory.Membership) bool {
			g := s.groups.get(uint32(m.Group))
			return g != nil && g.within(scope) != nil
		})
}

func (s *Snapshot) addHoldings(all map[Holding]bool, subject *directory.Subject, project directory.ProjectKey) {
	p := s.permissions(subject, project)
	add := func(h Holding) {
		if !all[h] { // what counts in every check is not said of each project
			h.Project = project
			all[h] = true
		}
	}
	addKeys := func(kind directory.PrivilegeKind, keys []string) {
		for _, key := range keys {
			add(Holding{Privilege: directory.Privilege{Kind: kind, Key: key}})
		}
	}
	addKeys(directory.Access, p.Access)
	addKeys(directory.RolePrivilege, p.Role)
	addKeys(directory.OutputPrivilege, p.Output)
	for _, c := range p.Integration {
		for l := directory.Viewer; l <= c.Level; l++ {
			add(Holding{Privilege: directory.Privilege{Kind: directory.IntegrationLevel, Key: c.Key, Level: l}})
		}
	}
	for _, r := range p.Rights {
		add(Holding{Right: r})
	}
}

// Seats returns the keys of the features for which the subject takes a seat: it
// is an active standard user with access by any path, in whatever scope.
// Features that cost nothing are not among them.
func (s *Snapshot) Seats(subject *directory.Subject) []string {
	return s.seatsOf(subject, s.holdings(subject))
}

func (s *Snapshot) seatsOf(subject *directory.Subject, held map[Holding]bool) (keys []string) {
	if subject.Type != directory.Standard {
		return nil
	}
	for _, f := range s.cat.facts.Policy.Features {
		for h := range held {
			if f.Seat != nil && h.Privilege.Kind == directory.Access && h.Privilege.Key == f.Key {
				keys = append(keys, f.Key)
				break
			}
		}
	}
	return keys
}

// seatCount counts the seats of features.
type seatCount struct {
	*Snapshot
	seats map[string]int
}

func (c seatCount) add(subject *directory.Subject, held map[Holding]bool) {
	for _, key := range c.seatsOf(subject, held) {
		c.seats[key]++
	}
}

// bill sets Seats and Money.
func (d *Difference) bill(was, is seatCount) {
	rows := map[string]*SeatShift{}
	var order []string
	sums := map[string][2]*big.Rat{}
	for side, c := range []seatCount{is, was} {
		for _, f := range c.cat.facts.Policy.Features {
			if f.Seat == nil || c.seats[f.Key] == 0 && rows[f.Key] == nil && was.seats[f.Key] == 0 {
				continue
			}
			if rows[f.Key] == nil {
				rows[f.Key] = &SeatShift{Feature: f.Key, Monthly: f.Seat.Monthly, Currency: f.Seat.Currency}
				order = append(order, f.Key)
			}
			sum, ok := sums[f.Seat.Currency]
			if !ok {
				sum = [2]*big.Rat{new(big.Rat), new(big.Rat)}
				sums[f.Seat.Currency] = sum
			}
			n := new(big.Rat).SetInt64(int64(c.seats[f.Key]))
			sum[side].Add(sum[side], n.Mul(n, ratOf(f.Seat.Monthly)))
		}
	}
	for _, key := range order {
		row := rows[key]
		row.Before, row.After = was.seats[key], is.seats[key]
		d.Seats = append(d.Seats, *row)
	}
	for currency, sum := range sums {
		d.Money = append(d.Money, Money{currency, decimal(sum[1]), decimal(sum[0])})
	}
	slices.SortFunc(d.Money, func(a, b Money) int { return cmp.Compare(a.Currency, b.Currency) })
}

// ratOf reads a decimal number; what is none costs nothing.
func ratOf(text string) *big.Rat {
	if r, ok := new(big.Rat).SetString(text); ok && amount.MatchString(text) {
		return r
	}
	return new(big.Rat)
}

// decimal writes at least two and at most six decimals.
func decimal(r *big.Rat) string {
	text := r.FloatString(6)
	for strings.HasSuffix(text, "0") && len(text)-strings.IndexByte(text, '.') > 3 {
		text = text[:len(text)-1]
	}
	return text
}
