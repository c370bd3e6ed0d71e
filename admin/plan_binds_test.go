package admin_test

import (
	"strings"
	"testing"

	"github.com/usherd/usherd/admin"
	"github.com/usherd/usherd/directory"
)

const operating = `apiVersion: usherd/v1
mappings:
  - {name: ops, when: {source: local, group: {pattern: "ops-*"}}, allow_admin: true, grant: {roles: [admin]}}
`

// A group without members gains nobody anything, but whoever comes into it later
// would be an administrator.
func TestAnApplyBindsNoGroupToAdministrationThatItsPlanDidNotShow(t *testing.T) {
	w := newWorld(t)
	seen := w.group("ops-seen")
	plan, err := w.PlanPolicy(t.Context(), admin.PolicyFile{Text: operating})
	if err != nil {
		t.Fatal(err)
	}
	want := admin.PlannedBinding{Mapping: "ops", Group: seen, Name: "local/ops-seen"}
	if len(plan.Binds) != 1 || plan.Binds[0] != want {
		t.Fatalf("the plan binds %v; want %v", plan.Binds, want)
	}
	dan := w.user("dan")
	evil := w.group("ops-evil")
	_, err = w.ApplyPolicy(t.Context(), by, admin.PolicyFile{Text: operating, Plan: plan.Plan})
	wantErr(t, "ApplyPolicy", err, admin.ErrStale)
	if err != nil && !strings.Contains(err.Error(), "local/ops-evil") {
		t.Errorf("the refusal does not name the group: %v", err)
	}
	if plan, err = w.PlanPolicy(t.Context(), admin.PolicyFile{Text: operating}); err != nil || len(plan.Binds) != 2 {
		t.Fatalf("the plan binds %v, %v; want both", plan.Binds, err)
	}
	if _, err := w.ApplyPolicy(t.Context(), by, admin.PolicyFile{Text: operating, Plan: plan.Plan}); err != nil {
		t.Fatal(err)
	}
	member := directory.AddMembers{Group: evil, Source: directory.Local, Values: []string{string(dan)}}
	if w.apply(member); !w.may("dan", "create", "integration", "*") {
		t.Error("a group that the plan showed gives nothing")
	}
	w.apply(directory.RemoveMembers(member))
	member.Group = w.group("ops-late")
	w.apply(member)
	if w.may("dan", "create", "integration", "*") {
		t.Error("a group that came after the apply makes administrators")
	}
}

func TestADraftBindsNoGroupToAdministrationThatItsPlanDidNotShow(t *testing.T) {
	w := newWorld(t)
	d := w.draft(admin.DraftSpec{Text: operating})
	plan := w.planned(d.ID)
	w.group("ops-evil")
	_, err := w.ApplyDraft(t.Context(), by, d.ID, plan.Plan)
	wantErr(t, "ApplyDraft", err, admin.ErrStale)
}
