package admin

import (
	"context"

	"github.com/usherd/usherd/authz"
	"github.com/usherd/usherd/directory"
)

// A PolicyPlan says what applying a policy file would change, and for whom. It
// belongs to one file and one revision, which Plan names: an apply that names it
// too does that and no more. See [PolicyFile].
type PolicyPlan struct {
	Plan     string              `json:"plan"`
	Revision directory.Revision  `json:"policy_revision"` // when the policy last changed: for PolicyFile.IfRevision
	Sections []directory.Section `json:"sections"`        // that the file manages: what it lacks there is removed
	Changes  []PlannedChange     `json:"changes"`

	Administrators []PlannedPerson   `json:"administrators"` // who gain an administration right: all of them
	Binds          []PlannedBinding  `json:"binds"`          // groups that administrators' mappings come to reach
	Totals         []authz.Total     `json:"totals"`         // people by what they gain and lose, and why: complete
	People         []PlannedPerson   `json:"people"`         // who gain or lose something, by id; perhaps not all
	More           int               `json:"more"`           // people who come after those in People
	Gaining        int               `json:"gaining"`
	Losing         int               `json:"losing"`
	Seats          []authz.SeatShift `json:"seats"`
	Money          []authz.Money     `json:"money"`
	Raises         bool              `json:"raises_bill"`
	NoOwner        bool              `json:"no_owner,omitempty"` // nobody would own the organization: an apply is refused

	Tests    int     `json:"tests"`
	Failing  []Fault `json:"failing_tests,omitempty"`
	Warnings []Fault `json:"warnings,omitempty"`
}

// A PlannedChange is one item of the policy that comes, goes or differs.
type PlannedChange struct {
	Section directory.Section `json:"section"`
	Change  string            `json:"change"` // added, removed, changed or reordered
	Key     string            `json:"key"`
}

// item is what changed. The one of a section without keys has none, whatever the
// change calls it.
func (c PlannedChange) item() policyItem {
	if items := sectionNamed(c.Section); items != nil && !items.keyed() {
		return policyItem{section: c.Section}
	}
	return policyItem{c.Section, c.Key}
}

// A PlannedPerson is somebody who gains or loses. The causes belong to what is
// gained and lost one by one.
type PlannedPerson struct {
	User     directory.UserID `json:"user"`
	UserName string           `json:"userName,omitempty"`
	Gains    []string         `json:"gains,omitempty"`
	Loses    []string         `json:"loses,omitempty"`
	WhyGains []string         `json:"why_gains,omitempty"`
	WhyLoses []string         `json:"why_loses,omitempty"`
}

// plannedPeople is up to how many users a plan counts the seats of the whole
// organization.
const plannedPeople = 100_000

// PlanPolicy previews an apply. Tests that fail are said, and refuse nothing
// yet.
func (s *Service) PlanPolicy(ctx context.Context, p PolicyFile) (PolicyPlan, error) {
	if _, err := s.reads(ctx, WritePolicy); err != nil {
		return PolicyPlan{}, err
	}
	d, err := s.prepare(ctx, p)
	if err != nil {
		return PolicyPlan{}, err
	}
	return s.planReadied(ctx, d, p)
}

// planReadied previews an apply of what [Service.prepare] made of a file.
func (s *Service) planReadied(ctx context.Context, d readied, p PolicyFile) (PolicyPlan, error) {
	f, err := s.foresee(ctx, directory.SetPolicy{Policy: d.file.Policy, Sections: d.file.Sections})
	if err != nil {
		return PolicyPlan{}, usedFaults(d.file, err)
	}
	diff, err := s.difference(ctx, f, p.List, plannedPeople)
	if err != nil {
		return PolicyPlan{}, err
	}
	now := f.now.Policy()
	plan := PolicyPlan{
		Plan: planOf(f.Base, p.Text), Revision: now.Revision, Sections: d.file.Sections, Changes: changed(now.Policy, f.then.Policy().Policy),
		Totals: append([]authz.Total{}, diff.Totals...), More: diff.More, Gaining: diff.Gaining, Losing: diff.Losing,
		Seats: append([]authz.SeatShift{}, diff.Seats...), Money: append([]authz.Money{}, diff.Money...), Raises: diff.RaisesBill(),
		Tests: len(d.results), Failing: d.endedAs(authz.Failed), Warnings: d.warnings,
		Binds: newBindings(d.facts, d.next), People: s.planned(ctx, diff.Shifts), Administrators: s.planned(ctx, diff.Administrators),
	}
	has, err := s.ownedThen(ctx, f)
	if err == nil && !has {
		plan.NoOwner, err = s.ownedNow(ctx, f)
	}
	return plan, err
}

// planned names people and what they gain and lose.
func (s *Service) planned(ctx context.Context, shifts []authz.Shift) []PlannedPerson {
	out := make([]PlannedPerson, len(shifts))
	for i, shift := range shifts {
		p := PlannedPerson{User: shift.User}
		p.Gains, p.WhyGains = spelled(shift.Gains, shift.WhyGains)
		p.Loses, p.WhyLoses = spelled(shift.Loses, shift.WhyLoses)
		if u, err := s.Store.User(ctx, shift.User); err == nil && u.Shown() != nil {
			p.UserName = u.Shown().UserName
		}
		out[i] = p
	}
	return out
}

// changed lists the items that differ between two policies.
func changed(old, next directory.Policy) []PlannedChange {
	out := []PlannedChange{}
	for _, s := range policySections {
		out = append(out, s.items.changed(s.name, old, next)...)
	}
	return out
}

func (a *API) planPolicy(c call) (answer, error) {
	var p PolicyFile
	if err := c.body(&p); err != nil {
		return answer{}, err
	}
	return outcome(a.Service.PlanPolicy(c.Context(), p))
}
