package authz_test

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"github.com/usherd/usherd/authz"
	"github.com/usherd/usherd/directory"
	"pgregory.net/rapid"
)

func TestDiffTellsGainsLossesAndSeats(t *testing.T) {
	w := newWorld(t)
	w.group("ad/g")
	w.give("ad/g", "access drawings", "integration aws-prod=viewer")
	before := authz.Compile(w.facts)
	w.at("ad/g").Grants = nil
	w.give("ad/g", "access part-list in alpha", "access part-list in beta", "role part-list:edit", "integration aws-prod=admin", "Role auditor")
	after := authz.Compile(w.facts)

	person, machine, other := *w.user("ad/g"), *w.user("ad/g"), *w.user()
	machine.ID, machine.Type = "bob", directory.Service
	got := authz.Diff(before, after, slices.Values([]directory.Subject{person, machine, other}))
	gains := []authz.Holding{
		{Privilege: directory.Privilege{Kind: directory.IntegrationLevel, Key: "aws-prod", Level: directory.Consumer}},
		{Privilege: directory.Privilege{Kind: directory.IntegrationLevel, Key: "aws-prod", Level: directory.Admin}},
		{Right: directory.AuditRead},
		{Right: directory.DirectoryRead},
	}
	for _, project := range []directory.ProjectKey{"alpha", "beta"} {
		gains = append(gains,
			authz.Holding{Project: project, Privilege: directory.Privilege{Kind: directory.Access, Key: "part-list"}},
			authz.Holding{Project: project, Privilege: directory.Privilege{Kind: directory.RolePrivilege, Key: "part-list:edit"}})
	}
	loses := []authz.Holding{{Privilege: directory.Privilege{Kind: directory.Access, Key: "drawings"}}}
	shifts := []authz.Shift{{User: "ann", Gains: gains, Loses: loses}, {User: "bob", Gains: gains, Loses: loses}}
	want := authz.Difference{
		People: 2, Gaining: 2, Losing: 2, Administrators: shifts, Shifts: shifts,
		Seats: []authz.SeatShift{
			{Feature: "part-list", Monthly: "4.00", Currency: "EUR", Before: 0, After: 1, Delta: 1, Total: true}, // one person, counted once; no machine
			{Feature: "drawings", Monthly: "2.50", Currency: "EUR", Before: 1, After: 0, Delta: -1, Total: true},
		},
		Money: []authz.Money{{Currency: "EUR", Before: "2.50", After: "4.00", Delta: "+1.50", Total: true}},
	}
	if diff := cmp.Diff(got, want, cmpopts.IgnoreFields(authz.Shift{}, "WhyGains", "WhyLoses"), cmpopts.IgnoreFields(authz.Difference{}, "Totals")); diff != "" {
		t.Errorf("Diff (-got +want):\n%s", diff)
	}
	if len(got.Totals) != 9 || got.Totals[0].Right != directory.AuditRead || got.Totals[0].Gain != 2 ||
		got.Totals[0].Causes[0].Text != "grant of Role auditor to group ad/g" {
		t.Errorf("Totals = %+v, want 9, the administration right first", got.Totals)
	}
	if !got.RaisesBill() {
		t.Error("RaisesBill = false, want true")
	}
}

func TestDiffOfRolesRaisesNoBill(t *testing.T) {
	w := newWorld(t)
	w.group("ad/g")
	w.give("ad/g", "access part-list")
	before := authz.Compile(w.facts)
	w.give("ad/g", "role part-list:edit")
	after := authz.Compile(w.facts)
	got := authz.Diff(before, after, slices.Values([]directory.Subject{*w.user("ad/g")}))
	if len(got.Shifts) != 1 || got.RaisesBill() {
		t.Errorf("Diff = %+v, want one gain and the same bill", got)
	}
}

func TestDiffNeverSumsAcrossCurrencies(t *testing.T) {
	w := newWorld(t)
	before := authz.Compile(w.facts)
	w.facts.Policy.Policy.Features = slices.Clone(w.facts.Policy.Policy.Features)
	w.facts.Policy.Policy.Features[1].Seat = &directory.Seat{Monthly: "2.50", Currency: "USD"}
	after := authz.Compile(w.facts)
	s := *w.own(w.user(), "access part-list", "access drawings")
	got := authz.Diff(before, after, slices.Values([]directory.Subject{s, s, s}))
	want := []authz.Money{
		{Currency: "EUR", Before: "19.50", After: "12.00", Delta: "-7.50", Total: true},
		{Currency: "USD", Before: "0.00", After: "7.50", Delta: "+7.50", Total: true},
	}
	if diff := cmp.Diff(got.Money, want); diff != "" {
		t.Errorf("Money (-got +want):\n%s", diff)
	}
}

// TestDiffIsWhatDecideDoesOtherwise draws two organizations and compares.
func TestDiffIsWhatDecideDoesOtherwise(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		f := randomFacts(t)
		after, _ := alter(t, f)
		s := randomSubject(t)
		one, two := authz.Compile(f), authz.Compile(after)
		got := authz.Diff(one, two, slices.Values([]directory.Subject{s}))
		changed := map[string]bool{}
		for _, shift := range got.Shifts {
			for _, h := range slices.Concat(shift.Gains, shift.Loses) {
				changed[string(h.Privilege.Kind)+h.Privilege.Key] = true
			}
		}
		for _, id := range []string{"f1", "f2"} {
			differs := false
			for _, project := range []directory.ProjectKey{"", "p", "q"} {
				q := &authz.Request{SubjectType: "user", Action: "access", Type: "feature", ID: id, Project: project}
				differs = differs || one.Decide(&s, q).Allow != two.Decide(&s, q).Allow
			}
			if differs != changed["access"+id] {
				t.Fatalf("access %s differs: %v; Diff = %s", id, differs, text(got))
			}
		}
	})
}

func TestAfterBindsAsAnApplyDoes(t *testing.T) {
	part := []directory.GrantSet{{Privileges: []directory.Privilege{{Kind: directory.Access, Key: "part-list"}}}}
	admin := []directory.GrantSet{{Roles: []directory.RoleName{directory.RoleOperator}}}
	w := newWorld(t)
	w.group("ad/eng")
	w.group("ad/ops")
	w.at("ad/ops").DN = "CN=Ops"
	byDN := directory.Mapping{Name: "dn", When: directory.Selector{Source: "ad", DN: "cn=ops"}, Grants: part}
	byName := directory.Mapping{Name: "name", When: directory.Selector{Source: "ad", Name: "eng"}, Grants: part}
	w.mapping(byDN, "?ad/ops")
	w.mapping(byName)

	adminPattern := directory.Mapping{Name: "admins", When: directory.Selector{Source: "ad", Pattern: "*"}, AllowAdmin: true, Grants: admin}
	p := directory.Policy{Mappings: []directory.Mapping{byDN, byName, adminPattern}}
	after := authz.After(w.facts, p, []directory.Section{directory.SectionMappings})
	binding := func(mapping, group string, state directory.BindingState) directory.Binding {
		return directory.Binding{Mapping: mapping, Group: w.at(group).ID, Num: w.num(group), State: state}
	}
	want := []directory.Binding{
		binding("dn", "ad/ops", directory.Suspended), // unchanged: keeps waiting
		binding("admins", "ad/eng", directory.Bound),
		binding("admins", "ad/ops", directory.Bound),
	}
	if diff := cmp.Diff(after.Policy.Bindings, want, cmpopts.EquateEmpty()); diff != "" {
		t.Errorf("After (-got +want):\n%s", diff)
	}
	byDN.Grants = append(byDN.Grants, directory.GrantSet{Roles: []directory.RoleName{directory.RoleViewer}})
	after = authz.After(w.facts, directory.Policy{Mappings: []directory.Mapping{byDN}}, []directory.Section{directory.SectionMappings})
	if diff := cmp.Diff(after.Policy.Bindings, []directory.Binding{binding("dn", "ad/ops", directory.Bound)}); diff != "" {
		t.Errorf("After a change of the mapping (-got +want):\n%s", diff)
	}
}

func TestRunTests(t *testing.T) {
	w := newWorld(t)
	w.group("ad/eng")
	w.group("ad/twin")
	w.group("ad/Twin")
	w.group("local/here")
	w.at("ad/eng").DN = "CN=Eng"
	w.give("ad/eng", "access part-list in alpha")
	snap := authz.Compile(w.facts)
	living := func(name string) (directory.Subject, error) {
		switch name {
		case "ann":
			return *w.user("ad/eng"), nil
		case "away":
			s := *w.user("ad/eng")
			s.Inactive = true
			return s, nil
		case "special":
			s := *w.user("ad/eng")
			s.Overrides = []directory.ProjectKey{"beta"}
			return s, nil
		}
		return directory.Subject{}, nil
	}
	for _, tt := range []struct {
		test, want string
	}{
		{`{as: {groups: [ad/ENG]}, project: alpha, can: [access feature/part-list], cannot: [edit feature/part-list]}`, "passed"},
		{`{as: {groups: [{source: ad, dn: cn=eng}]}, project: alpha, can: [access feature/part-list]}`, "passed"},
		{`{as: {groups: []}, cannot: [access feature/part-list]}`, "passed"},
		{`{as: {groups: [ad/eng]}, can: [access feature/part-list]}`, "failed: should be able to access feature/part-list, but is not: other_project"},
		{`{as: {groups: [ad/eng]}, project: alpha, cannot: [access feature/part-list]}`, "failed: should not be able to access feature/part-list, but is"},
		{`{as: {groups: [ad/later]}, can: [access feature/part-list]}`, "warning: nobody knows a group ad/later yet"},
		{`{as: {groups: [ad/twin]}, cannot: [access feature/part-list]}`, "failed: 2 groups are called ad/twin: name it by id or dn"},
		{`{user: ann, project: alpha, can: [access feature/part-list]}`, "passed"},
		{`{user: ann, can: [access feature/part-list]}`, "failed: should be able to access feature/part-list, but is not: other_project"},
		{`{user: away, can: [access feature/part-list]}`, "warning: user away: inactive_user"},
		{`{user: nobody, can: [access feature/part-list]}`, "warning: user nobody: unknown_subject"},
		{`{user: special, can: [access feature/part-list]}`, "warning: user special has an override and does not follow the directory"},
	} {
		tests, err := authz.Tests(directory.Policy{Tests: "- " + tt.test})
		if err != nil {
			t.Fatal(err)
		}
		result := authz.RunTests(tests, snap, living)[0]
		got := string(result.Status)
		for _, m := range result.Messages {
			got += ": " + m
		}
		if got != tt.want {
			t.Errorf("%s\n got %s\nwant %s", tt.test, got, tt.want)
		}
	}
}

func TestADifferenceWithoutAnythingIsWrittenAsArrays(t *testing.T) {
	w := newWorld(t)
	snap := authz.Compile(w.facts)
	got, err := json.Marshal(authz.Diff(snap, snap, slices.Values([]directory.Subject{*w.user()})))
	if err != nil || strings.Contains(string(got), "null") {
		t.Errorf("a difference without anything = %s, %v; want arrays, no null", got, err)
	}
}
