package authz

import (
	"cmp"
	"iter"
	"maps"
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

// A Shift is what one subject gains or loses. What is gained in every check is
// not said of each project besides, and what is kept in a project is not lost
// there. The causes belong to the holdings one by one. Slices are shared.
type Shift struct {
	User     directory.UserID `json:"user"`
	Gains    []Holding        `json:"gains,omitempty"`
	Loses    []Holding        `json:"loses,omitempty"`
	WhyGains []Cause          `json:"whyGains,omitempty"`
	WhyLoses []Cause          `json:"whyLoses,omitempty"`
}

// Nothing reports whether nothing is gained or lost.
func (s Shift) Nothing() bool { return len(s.Gains)+len(s.Loses) == 0 }

// Administers reports whether an administration right is gained.
func (s Shift) Administers() bool {
	return slices.ContainsFunc(s.Gains, func(h Holding) bool { return h.Right.IsAdministration() })
}

// A Total is how many people gain and lose one holding.
type Total struct {
	Holding
	Gain   int       `json:"gain"`
	Lose   int       `json:"lose"`
	Causes []Counted `json:"causes"` // most people first
}

// A Counted is a cause and how many people gain or lose something by it.
type Counted struct {
	Cause
	Gain int `json:"gain,omitempty"`
	Lose int `json:"lose,omitempty"`
}

// A SeatShift is how the seats of one billable feature change. Before and After
// are those of the organization if Total is set; else those of the people who
// were looked at, and only Delta says something.
type SeatShift struct {
	Feature  string `json:"feature"`
	Monthly  string `json:"monthly"` // of a seat, after the change
	Currency string `json:"currency"`
	Before   int    `json:"before"`
	After    int    `json:"after"`
	Delta    int    `json:"delta"`
	Total    bool   `json:"total"`
}

// A Money is an amount in one currency, a month. Amounts are never summed
// across. Before and After are as in [SeatShift].
type Money struct {
	Currency string `json:"currency"`
	Before   string `json:"before"`
	After    string `json:"after"`
	Delta    string `json:"delta"` // with a sign
	Total    bool   `json:"total"`
}

// A Difference is what a change of facts does.
type Difference struct {
	People         int         `json:"people"` // who gain or lose something
	Gaining        int         `json:"gaining"`
	Losing         int         `json:"losing"`
	Administrators []Shift     `json:"administrators"`    // who gain an administration right: all of them, by user
	Totals         []Total     `json:"totals"`            // complete, administration rights first
	Shifts         []Shift     `json:"shifts"`            // of single people, by user; perhaps not all
	More           int         `json:"more"`              // of People who come after those in Shifts
	Seats          []SeatShift `json:"seats"`             // of billable features, in the order of the catalogue
	Money          []Money     `json:"money"`             // by currency
	Refused        []string    `json:"refused,omitempty"` // changes that the directory would refuse and that were left out
}

// RaisesBill reports whether some currency costs more afterwards.
func (d Difference) RaisesBill() bool {
	return slices.ContainsFunc(d.Money, func(m Money) bool {
		return strings.HasPrefix(m.Delta, "+")
	})
}

// GivesRights reports whether somebody gains a right.
func (d Difference) GivesRights() bool {
	return slices.ContainsFunc(d.Totals, func(t Total) bool { return t.Right != "" && t.Gain > 0 })
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
	c := Compare(before, after)
	c.whole, c.complete = true, true
	for old, now := range subjects {
		c.Add(&old, &now)
		c.CountSeats(&old, &now)
	}
	return c.Difference()
}

// Seats returns the keys of the features for which the subject takes a seat: it
// is an active standard user with access by any path, in whatever scope.
// Features that cost nothing are not among them.
func (s *Snapshot) Seats(subject *directory.Subject) (keys []string) {
	return s.SeatCounter()(subject)
}

// SeatCounter is [Snapshot.Seats] for many subjects. It is used by one
// goroutine.
func (s *Snapshot) SeatCounter() func(*directory.Subject) []string {
	x := newSide(s, newLexicon())
	return func(subject *directory.Subject) (keys []string) {
		if subject.Type != directory.Standard || len(x.billable) == 0 {
			return nil
		}
		for _, n := range x.seats(subject, x.stock(subject, x.limited(subject, nil))) {
			keys = append(keys, x.lex.list[n].Privilege.Key)
		}
		return keys
	}
}

func compareHoldings(a, b Holding) int {
	return cmp.Or(
		cmp.Compare(a.Project, b.Project), cmp.Compare(a.Right, b.Right),
		cmp.Compare(a.Privilege.Kind, b.Privilege.Kind), cmp.Compare(a.Privilege.Key, b.Privilege.Key),
		cmp.Compare(a.Privilege.Level, b.Privilege.Level),
	)
}

// tally sums verdicts up.
type tally struct {
	limit    int // how many people are listed; 0 means all
	after    directory.UserID
	complete bool // seats were counted over everybody

	people, gaining, losing, listed int
	administrators, shifts          []Shift
	totals                          map[Holding]*Total
	causes                          map[Holding]map[Cause]*Counted
	was, is                         map[privID]int // seats of those who were added
	allWas, allIs                   map[privID]int // seats of those who were counted
}

func newTally() tally {
	return tally{
		totals: map[Holding]*Total{}, causes: map[Holding]map[Cause]*Counted{}, was: map[privID]int{}, is: map[privID]int{},
		allWas: map[privID]int{}, allIs: map[privID]int{},
	}
}

// List bounds how many single people a Difference lists, and begins after one;
// 0 lists all.
func (c *Comparison) List(limit int, after directory.UserID) { c.limit, c.tally.after = limit, after }

// list keeps a shift if it is among those to be listed.
func (t *tally) list(s Shift) {
	if s.Nothing() {
		return
	}
	if s.Administers() {
		t.administrators = append(t.administrators, s)
	}
	if s.User <= t.after && t.after != "" {
		return
	}
	t.listed++
	t.shifts = append(t.shifts, s)
	if t.limit > 0 && len(t.shifts) >= 2*t.limit+1000 {
		t.trim()
	}
}

// trim keeps the first people.
func (t *tally) trim() {
	slices.SortFunc(t.shifts, compareShifts)
	if t.limit > 0 && len(t.shifts) > t.limit {
		t.shifts = t.shifts[:t.limit]
	}
}

func compareShifts(a, b Shift) int { return cmp.Compare(a.User, b.User) }

// settle adds what a verdict does to all its people.
func (t *tally) settle(v *verdict) {
	n := v.people
	if n == 0 {
		return
	}
	for _, f := range v.was {
		t.was[f] += n
	}
	for _, f := range v.is {
		t.is[f] += n
	}
	if v.nothing() {
		return
	}
	t.people += n
	if len(v.gains) > 0 {
		t.gaining += n
	}
	if len(v.loses) > 0 {
		t.losing += n
	}
	for i, h := range v.gains {
		total, cause := t.of(h, v.whyGains[i])
		total.Gain += n
		cause.Gain += n
	}
	for i, h := range v.loses {
		total, cause := t.of(h, v.whyLoses[i])
		total.Lose += n
		cause.Lose += n
	}
}

func (t *tally) of(h Holding, why Cause) (*Total, *Counted) {
	if t.totals[h] == nil {
		t.totals[h], t.causes[h] = &Total{Holding: h}, map[Cause]*Counted{}
	}
	c := t.causes[h][why]
	if c == nil {
		c = &Counted{Cause: why}
		t.causes[h][why] = c
	}
	return t.totals[h], c
}

func (c *Comparison) settleAll() {
	for _, v := range c.classes {
		c.settle(v)
	}
	clear(c.classes)
}

// Difference is the sum over all who were added.
func (c *Comparison) Difference() Difference {
	c.settleAll()
	c.trim()
	slices.SortFunc(c.administrators, compareShifts)
	d := Difference{
		People: c.people, Gaining: c.gaining, Losing: c.losing, More: c.listed - len(c.shifts),
		Administrators: append([]Shift{}, c.administrators...), Shifts: append([]Shift{}, c.shifts...),
		Totals: []Total{}, Seats: []SeatShift{}, Money: []Money{}, // arrays in JSON, also if nothing changes
	}
	for h, total := range c.totals {
		for _, cause := range c.causes[h] {
			total.Causes = append(total.Causes, *cause)
		}
		slices.SortFunc(total.Causes, func(a, b Counted) int {
			return cmp.Or(cmp.Compare(b.Gain+b.Lose, a.Gain+a.Lose), cmp.Compare(a.Text, b.Text))
		})
		d.Totals = append(d.Totals, *total)
	}
	slices.SortFunc(d.Totals, func(a, b Total) int {
		return cmp.Or(-compareBool(a.Right.IsAdministration(), b.Right.IsAdministration()), compareHoldings(a.Holding, b.Holding))
	})
	c.bill(&d)
	return d
}

func compareBool(a, b bool) int {
	switch {
	case a == b:
		return 0
	case a:
		return 1
	}
	return -1
}

// SeatHolders selects everybody who may take a seat, before or after, of a
// feature whose price differs, or of any feature. ok is false if there is none
// such feature.
func (c *Comparison) SeatHolders(any bool) (who directory.People, ok bool) {
	groups := map[directory.GroupNum]bool{}
	for _, x := range []*side{&c.before, &c.after} {
		for _, n := range x.billable {
			if !any && !c.repriced(n) {
				continue
			}
			ok = true
			access := x.cat.features[c.lex.list[n].Privilege.Key].access
			if r := x.index.get(uint32(access)); r != nil {
				for num := range r.raw.all() {
					groups[num] = true
				}
			}
			who.Everyone = who.Everyone || x.cat.defaultRole != nil && x.cat.defaultRole.org.has(access)
		}
	}
	who.Granted, who.Groups = true, slices.Sorted(maps.Keys(groups))
	return who, ok
}

// repriced reports whether a seat of a feature costs something else.
func (c *Comparison) repriced(n privID) bool {
	key := c.lex.list[n].Privilege.Key
	a, b := c.before.seat(key), c.after.seat(key)
	return a.Currency != b.Currency || ratOf(a.Monthly).Cmp(ratOf(b.Monthly)) != 0
}

func (s *Snapshot) seat(feature string) directory.Seat {
	for i := range s.cat.facts.Policy.Features {
		if f := &s.cat.facts.Policy.Features[i]; f.Key == feature && f.Seat != nil {
			return *f.Seat
		}
	}
	return directory.Seat{}
}

// CountSeats counts the seats of one person, of all who take one.
func (c *Comparison) CountSeats(before, after *directory.Subject) {
	count := func(x *side, sub *directory.Subject, sum map[privID]int) {
		if sub.Type != directory.Standard {
			return
		}
		for _, n := range x.seats(sub, x.stock(sub, x.limited(sub, nil))) {
			sum[n]++
		}
	}
	count(&c.before, before, c.allWas)
	count(&c.after, after, c.allIs)
}

// Complete says that [Comparison.CountSeats] was called for everybody whom
// [Comparison.SeatHolders] selects for any feature, or for the repriced ones.
func (c *Comparison) Complete(any bool) {
	c.complete = any
	if any {
		return
	}
	for _, sum := range []map[privID]int{c.allWas, c.allIs} {
		maps.DeleteFunc(sum, func(n privID, _ int) bool { return !c.repriced(n) })
	}
}

// bill sets Seats and Money.
func (c *Comparison) bill(d *Difference) {
	sums := map[string]*[3]*big.Rat{} // before, after, delta
	partial := map[string]bool{}
	add := func(currency string, i, seats int, monthly string) {
		if currency == "" {
			return
		}
		if sums[currency] == nil {
			sums[currency] = &[3]*big.Rat{new(big.Rat), new(big.Rat), new(big.Rat)}
		}
		n := new(big.Rat).SetInt64(int64(seats))
		sums[currency][i].Add(sums[currency][i], n.Mul(n, ratOf(monthly)))
	}
	seen := map[privID]bool{}
	for _, n := range slices.Concat(c.after.billable, c.before.billable) {
		if seen[n] {
			continue
		}
		seen[n] = true
		total := c.complete || c.repriced(n)
		was, is := c.was[n], c.is[n]
		if total {
			was, is = c.allWas[n], c.allIs[n]
		}
		if was == 0 && is == 0 || !total && was == is {
			continue
		}
		key := c.lex.list[n].Privilege.Key
		old, now := c.before.seat(key), c.after.seat(key)
		add(old.Currency, 0, was, old.Monthly)
		add(now.Currency, 1, is, now.Monthly)
		if !total {
			partial[old.Currency], partial[now.Currency] = true, true
		}
		d.Seats = append(d.Seats, SeatShift{
			Feature: key, Monthly: cmp.Or(now.Monthly, old.Monthly), Currency: cmp.Or(now.Currency, old.Currency),
			Before: was, After: is, Delta: is - was, Total: total,
		})
	}
	for currency, sum := range sums {
		delta := sum[2].Sub(sum[1], sum[0])
		text := decimal(delta)
		if delta.Sign() > 0 {
			text = "+" + text
		}
		d.Money = append(d.Money, Money{currency, decimal(sum[0]), decimal(sum[1]), text, c.complete && !partial[currency]})
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
