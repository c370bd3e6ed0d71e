package admin

import (
	"context"
	"fmt"
	"reflect"
	"slices"

	"github.com/usherd/usherd/authz"
	"github.com/usherd/usherd/directory"
)

// A PolicyPlan says what applying a policy file would change, and for whom.
type PolicyPlan struct {
	Revision directory.Revision `json:"policy_revision"` // when the policy last changed: for PolicyFile.IfRevision
	Changes  []PlannedChange    `json:"changes"`
	People   []PlannedPerson    `json:"people"`
	Seats    []authz.SeatShift  `json:"seats"`
	Money    []authz.Money      `json:"money"`
	Raises   bool               `json:"raises_bill"`
	Tests    int                `json:"tests"`
	Failing  []Fault            `json:"failing_tests,omitempty"`
	Warnings []Fault            `json:"warnings,omitempty"`
}

// A PlannedChange is one item of the policy that comes, goes or differs.
type PlannedChange struct {
	Section directory.Section `json:"section"`
	Change  string            `json:"change"` // added, removed or changed
	Key     string            `json:"key"`
}

// A PlannedPerson is somebody who gains or loses.
type PlannedPerson struct {
	User     directory.UserID `json:"user"`
	UserName string           `json:"userName,omitempty"`
	Gains    []string         `json:"gains,omitempty"`
	Loses    []string         `json:"loses,omitempty"`
}

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
	var rerr error
	diff := authz.Diff(authz.Compile(d.facts), d.snapshot, s.everybody(ctx, &rerr))
	if rerr != nil {
		return PolicyPlan{}, rerr
	}
	plan := PolicyPlan{
		Revision: d.facts.Policy.Revision, Changes: changed(d.facts.Policy.Policy, d.next.Policy.Policy), People: []PlannedPerson{},
		Seats: append([]authz.SeatShift{}, diff.Seats...), Money: append([]authz.Money{}, diff.Money...), Raises: diff.RaisesBill(),
		Tests: len(d.results), Failing: testFaults(p.Name, d.results, authz.Failed), Warnings: d.warnings,
	}
	for _, shift := range diff.Shifts {
		person := PlannedPerson{User: shift.User, Gains: names(shift.Gains), Loses: names(shift.Loses)}
		if u, err := s.Store.User(ctx, shift.User); err == nil && len(u.Identities) > 0 {
			person.UserName = u.Identities[0].UserName
		}
		plan.People = append(plan.People, person)
	}
	return plan, nil
}

// Seats counts the seats of billable features: every user is looked at.
func (s *Service) Seats(ctx context.Context) (map[string]int, error) {
	if a, err := s.Authority(ctx); err != nil {
		return nil, err
	} else if err := a.require(ReadDirectory, ""); err != nil {
		return nil, err
	}
	facts, err := s.Store.Facts(ctx, 0)
	if err != nil {
		return nil, fmt.Errorf("reading facts: %w", err)
	}
	seats := map[string]int{}
	for _, f := range facts.Policy.Policy.Features {
		if f.Seat != nil {
			seats[f.Key] = 0
		}
	}
	if len(seats) == 0 {
		return seats, nil
	}
	snapshot := authz.Compile(facts)
	var rerr error
	for sub := range s.everybody(ctx, &rerr) {
		for _, key := range snapshot.Seats(&sub) {
			seats[key]++
		}
	}
	return seats, rerr
}

func names(holdings []authz.Holding) []string {
	out := make([]string, len(holdings))
	for i, h := range holdings {
		out[i] = h.String()
	}
	return out
}

// changed lists the items that differ between two policies.
func changed(old, next directory.Policy) []PlannedChange {
	out := []PlannedChange{}
	out = diffItems(out, directory.SectionProjects, old.Projects, next.Projects, func(p directory.Project) string { return string(p.Key) })
	out = diffItems(out, directory.SectionFeatures, old.Features, next.Features, func(f directory.Feature) string { return f.Key })
	out = diffItems(out, directory.SectionOutputs, old.Outputs, next.Outputs, func(o directory.Output) string { return o.Key })
	out = diffItems(out, directory.SectionIntegrations, old.Integrations, next.Integrations, func(i directory.Integration) string { return i.Key })
	out = diffItems(out, directory.SectionResources, old.Resources, next.Resources, func(r directory.ResourceType) string { return r.Type })
	out = diffItems(out, directory.SectionRoles, old.Roles, next.Roles, func(r directory.Role) string { return string(r.Name) })
	out = diffItems(out, directory.SectionMappings, old.Mappings, next.Mappings, func(m directory.Mapping) string { return m.Name })
	for _, text := range []struct {
		section   directory.Section
		old, next string
	}{
		{directory.SectionDefaultRole, string(old.DefaultRole), string(next.DefaultRole)},
		{directory.SectionTests, old.Tests, next.Tests},
	} {
		if text.old != text.next {
			key := ""
			if text.section == directory.SectionDefaultRole {
				key = text.next
			}
			out = append(out, PlannedChange{text.section, "changed", key})
		}
	}
	return out
}

func diffItems[T any](out []PlannedChange, section directory.Section, old, next []T, key func(T) string) []PlannedChange {
	find := func(list []T, k string) int {
		return slices.IndexFunc(list, func(item T) bool { return key(item) == k })
	}
	for _, item := range next {
		i := find(old, key(item))
		switch {
		case i < 0:
			out = append(out, PlannedChange{section, "added", key(item)})
		case !sameItem(old[i], item):
			out = append(out, PlannedChange{section, "changed", key(item)})
		}
	}
	for _, item := range old {
		if find(next, key(item)) < 0 {
			out = append(out, PlannedChange{section, "removed", key(item)})
		}
	}
	return out
}

// sameItem compares two items. When a Role was modified is not part of it.
func sameItem(a, b any) bool {
	if x, ok := a.(directory.Role); ok {
		y := b.(directory.Role)
		y.Modified = x.Modified
		return reflect.DeepEqual(x, y)
	}
	return reflect.DeepEqual(a, b)
}

func (a *API) planPolicy(c call) (answer, error) {
	var p PolicyFile
	if err := c.body(&p); err != nil {
		return answer{}, err
	}
	return outcome(a.Service.PlanPolicy(c.Context(), p))
}
