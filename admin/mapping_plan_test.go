package admin_test

import (
	"strings"
	"testing"

	"github.com/usherd/usherd/admin"
	"github.com/usherd/usherd/directory"
)

const planned = `features: [{key: part-list, title: Part list, actions: [edit], seat: {monthly: 4.00, currency: EUR}}]
mappings:
  - {name: old, when: {source: local, group: {name: Old}}, grant: {access: [part-list]}}
tests:
  - {as: {groups: [local/Old]}, can: ["access feature/part-list"]}
`

func newMapping(name, group string) admin.MappingDraft {
	return admin.MappingDraft{To: &admin.MappingSpec{
		Name: name, When: directory.Selector{Source: directory.Local, Name: group}, Grant: []admin.GrantSpec{{Access: []string{"part-list"}}},
	}}
}

func TestADraftOfAMappingIsAppliedAsItsPlanShowed(t *testing.T) {
	w := newWorld(t)
	w.policy(planned)
	ana := w.user("ana")
	w.group("Old")
	eng := w.group("Engineering", ana)
	draft := newMapping("engineers", "engineering")
	plan, err := w.PlanMapping(t.Context(), draft)
	if err != nil || plan.Gaining != 1 || len(plan.Groups) != 1 || plan.Groups[0].ID != eng || !plan.Raises || plan.Tests != 1 {
		t.Fatalf("PlanMapping = %+v, %v", plan, err)
	}
	if w.may("ana", "access", "feature", "part-list") {
		t.Fatal("a plan gave something")
	}
	t.Run("without a plan it is refused", func(t *testing.T) {
		_, err := w.ApplyMapping(t.Context(), by, draft, "")
		wantErr(t, "ApplyMapping", err, admin.ErrStale)
	})
	t.Run("another draft than the planned one is refused", func(t *testing.T) {
		_, err := w.ApplyMapping(t.Context(), by, newMapping("engineers", "sales"), plan.Plan)
		wantErr(t, "ApplyMapping", err, admin.ErrStale)
	})
	t.Run("if somebody more would gain, it is refused and says who", func(t *testing.T) {
		ben := w.user("ben")
		plan, err := w.PlanMapping(t.Context(), draft)
		if err != nil {
			t.Fatal(err)
		}
		w.apply(directory.AddMembers{Group: eng, Source: directory.Local, Values: []string{string(ben)}})
		_, err = w.ApplyMapping(t.Context(), by, draft, plan.Plan)
		wantErr(t, "ApplyMapping", err, admin.ErrStale)
		if err == nil || !strings.Contains(err.Error(), "ben would gain access part-list") {
			t.Errorf("the refusal does not name who: %v", err)
		}
	})
	t.Run("looked at again it is applied", func(t *testing.T) {
		plan, err := w.PlanMapping(t.Context(), draft)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := w.ApplyMapping(t.Context(), by, draft, plan.Plan); err != nil {
			t.Fatal(err)
		}
		if !w.may("ana", "access", "feature", "part-list") {
			t.Error("what was applied gives nothing")
		}
		times, err := w.PolicyTimes(t.Context(), directory.SectionMappings)
		if err != nil || times["engineers"].IsZero() || times["old"].IsZero() {
			t.Errorf("PolicyTimes = %v, %v", times, err)
		}
	})
	t.Run("if the policy changed, it is refused and says what", func(t *testing.T) {
		draft := newMapping("sellers", "sales")
		plan, err := w.PlanMapping(t.Context(), draft)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := w.DeleteMapping(t.Context(), by, "engineers", 0); err != nil {
			t.Fatal(err)
		}
		_, err = w.ApplyMapping(t.Context(), by, draft, plan.Plan)
		wantErr(t, "ApplyMapping", err, admin.ErrStale)
		if err == nil || !strings.Contains(err.Error(), "removed mappings engineers") {
			t.Errorf("the refusal does not say what changed: %v", err)
		}
	})
}

func TestADraftThatBreaksATestIsSaidAndRefused(t *testing.T) {
	w := newWorld(t)
	w.policy(planned)
	w.group("Old")
	gone := admin.MappingDraft{Name: "old"}
	plan, err := w.PlanMapping(t.Context(), gone)
	if err != nil || len(plan.Failing) != 1 {
		t.Fatalf("PlanMapping = %+v, %v; want a failing test", plan, err)
	}
	_, err = w.ApplyMapping(t.Context(), by, gone, plan.Plan)
	wantErr(t, "ApplyMapping", err, admin.ErrTests)
	w.policy("tests: []\n")
	if plan, err = w.PlanMapping(t.Context(), gone); err != nil {
		t.Fatal(err)
	}
	if _, err = w.ApplyMapping(t.Context(), by, gone, plan.Plan); err != nil {
		t.Fatal(err)
	}
	text, err := w.ExportMappings(t.Context())
	if err != nil || !strings.Contains(text, "mappings: []") {
		t.Errorf("ExportMappings = %q, %v", text, err)
	}
}

func TestADraftThatIsNotValidSaysSoWithoutPlaces(t *testing.T) {
	w := newWorld(t)
	w.policy(planned)
	for name, c := range map[string]struct {
		draft admin.MappingDraft
		want  error
	}{
		"a name that is taken":        {newMapping("old", "x"), directory.ErrExists},
		"no name":                     {newMapping("", "x"), directory.ErrInvalid},
		"a mapping that is not there": {admin.MappingDraft{Name: "new"}, directory.ErrNotFound},
		"a name that changes":         {admin.MappingDraft{Name: "old", To: newMapping("new", "x").To}, directory.ErrInvalid},
		"a group that is not said":    {newMapping("new", ""), admin.ErrPolicy},
		"nothing that is granted":     {admin.MappingDraft{To: &admin.MappingSpec{Name: "new"}}, directory.ErrInvalid},
		"a feature that is not there": {admin.MappingDraft{To: &admin.MappingSpec{Name: "new", Grant: []admin.GrantSpec{{Access: []string{"x"}}}}}, directory.ErrInvalid},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := w.PlanMapping(t.Context(), c.draft)
			wantErr(t, "PlanMapping", err, c.want)
			if err != nil && strings.Contains(err.Error(), "mapping:") {
				t.Errorf("names a place in a file that nobody wrote: %v", err)
			}
		})
	}
}

func TestAskableListsWhatCanBeAsked(t *testing.T) {
	w := newWorld(t)
	w.policy(planned)
	asks, err := w.Askable(t.Context())
	var got []string
	for _, a := range asks {
		got = append(got, a.String())
	}
	want := "access feature/part-list edit feature/part-list create integration/*"
	if err != nil || strings.Join(got, " ") != want {
		t.Errorf("Askable = %v, %v; want %s", got, err, want)
	}
}
