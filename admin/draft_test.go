package admin_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/usherd/usherd/admin"
	"github.com/usherd/usherd/authz"
	"github.com/usherd/usherd/directory"
)

const drafted = `projects: [{key: alpha}]
features: [{key: part-list, title: Part list, actions: [edit], seat: {monthly: 4.00, currency: EUR}}]
mappings:
  - {name: old, when: {source: local, group: {name: Old}}, grant: {access: [part-list]}}
  - {name: other, when: {source: local, group: {name: Other}}, grant: {role: ["part-list:edit"]}}
`

// draftText is a draft's text of one mapping that gives access.
func draftText(name, group string) string {
	return "apiVersion: usherd/v1\nmappings:\n  - {name: " + name + ", when: {source: local, group: {name: " + group + "}}, grant: {access: [part-list]}}\n"
}

// draft saves a draft that must be right.
func (w *world) draft(spec admin.DraftSpec) admin.Draft {
	w.t.Helper()
	if spec.Title == "" {
		spec.Title = "Engineers"
	}
	d, err := w.CreateDraft(w.t.Context(), by, spec)
	if err != nil {
		w.t.Fatalf("CreateDraft(%+v) = %v", spec, err)
	}
	return d
}

func (w *world) planned(id string) admin.DraftPlan {
	w.t.Helper()
	p, err := w.PlanDraft(w.t.Context(), id, admin.PeopleList{})
	if err != nil {
		w.t.Fatalf("PlanDraft = %v", err)
	}
	return p
}

func TestADraftGivesNothingUntilItIsAppliedAndThenNoMoreThanItShowed(t *testing.T) {
	w := newWorld(t)
	w.policy(drafted)
	eng := w.group("Engineering", w.user("ana"))
	d := w.draft(admin.DraftSpec{Text: draftText("engineers", "Engineering"), Note: "for the new site"})
	plan := w.planned(d.ID)
	if plan.Gaining != 1 || !plan.Raises || len(plan.Money) != 1 || plan.Money[0].Delta != "+4.00" || len(plan.Touches) != 1 || plan.Touches[0].Item != "mappings/engineers" {
		t.Fatalf("PlanDraft = %+v", plan)
	}
	if w.may("ana", "access", "feature", "part-list") {
		t.Fatal("a draft gave something")
	}
	t.Run("without a plan it is refused", func(t *testing.T) {
		_, err := w.ApplyDraft(t.Context(), by, d.ID, "")
		wantErr(t, "ApplyDraft", err, admin.ErrStale)
	})
	t.Run("somebody who came since is named and refused", func(t *testing.T) {
		w.apply(directory.AddMembers{Group: eng, Source: directory.Local, Values: []string{string(w.user("ben"))}})
		_, err := w.ApplyDraft(t.Context(), by, d.ID, plan.Plan)
		wantErr(t, "ApplyDraft", err, admin.ErrStale)
		if err == nil || !strings.Contains(err.Error(), "ben would gain access part-list") {
			t.Errorf("the refusal does not name who: %v", err)
		}
		if w.may("ben", "access", "feature", "part-list") {
			t.Error("what was refused was done")
		}
	})
	t.Run("a draft that was edited since is refused", func(t *testing.T) {
		plan := w.planned(d.ID)
		spec := d.DraftSpec
		spec.Text = draftText("engineers", "Other")
		if _, err := w.EditDraft(t.Context(), by, d.ID, spec, 0); err != nil {
			t.Fatal(err)
		}
		_, err := w.ApplyDraft(t.Context(), by, d.ID, plan.Plan)
		wantErr(t, "ApplyDraft", err, admin.ErrStale)
		if _, err := w.EditDraft(t.Context(), by, d.ID, d.DraftSpec, 0); err != nil {
			t.Fatal(err)
		}
	})
	t.Run("looked at again it is applied, and the audit trail names it", func(t *testing.T) {
		done, err := w.ApplyDraft(t.Context(), by, d.ID, w.planned(d.ID).Plan)
		if err != nil {
			t.Fatal(err)
		}
		if !w.may("ana", "access", "feature", "part-list") || !w.may("ben", "access", "feature", "part-list") {
			t.Error("what was applied gives nothing")
		}
		found, err := w.FindAudit(t.Context(), admin.AuditQuery{Target: d.ID, Limit: 10})
		if err != nil || len(found.Items) != 4 {
			t.Fatalf("FindAudit(%s) = %d records, %v; want saved three times and applied", d.ID, len(found.Items), err)
		}
		record := found.Items[0]
		if record.Revision != done.Revision || record.Actor.Reason != "draft: Engineers" || !strings.Contains(string(record.Changes), "draft.applied") || !strings.Contains(string(record.Changes), "policy.set") {
			t.Errorf("the record of the apply is %s (%s)", record.Changes, record.Actor.Reason)
		}
		now, err := w.Draft(t.Context(), d.ID)
		if err != nil || now.State != admin.DraftApplied || now.Applied != done.Revision {
			t.Errorf("Draft = %+v, %v", now, err)
		}
		_, err = w.ApplyDraft(t.Context(), by, d.ID, w.planned(d.ID).Plan)
		wantErr(t, "ApplyDraft again", err, directory.ErrInUse)
	})
}

func TestAFailingAssertionRefusesTheApply(t *testing.T) {
	w := newWorld(t)
	w.policy(drafted)
	w.group("Old", w.user("ana"), w.user("ben"))
	w.user("cleo")
	w.grantUser("cleo", admin.GrantSpec{Roles: []directory.RoleName{"admin"}})
	spec := admin.DraftSpec{Title: "End of old", Remove: []string{"mappings/old"}, Assertions: []string{"cleo keeps Admin", "ana can access feature/part-list"}}
	d := w.draft(spec)
	plan := w.planned(d.ID)
	if plan.Losing != 2 || plan.Holds() || plan.Assertions[0].Status != authz.Passed || plan.Assertions[1].Status != authz.Failed {
		t.Fatalf("PlanDraft = %+v", plan)
	}
	_, err := w.ApplyDraft(t.Context(), by, d.ID, plan.Plan)
	wantErr(t, "ApplyDraft", err, admin.ErrAssertions)
	if err == nil || !strings.Contains(err.Error(), "ana can access feature/part-list: ") {
		t.Errorf("the refusal does not say which: %v", err)
	}
	if !w.may("ana", "access", "feature", "part-list") {
		t.Fatal("what was refused was done")
	}
	spec.Assertions = spec.Assertions[:1]
	if _, err := w.EditDraft(t.Context(), by, d.ID, spec, d.Version); err != nil {
		t.Fatal(err)
	}
	if _, err := w.ApplyDraft(t.Context(), by, d.ID, plan.Plan); err != nil {
		t.Errorf("mended, ApplyDraft = %v", err)
	}
	if w.may("ana", "access", "feature", "part-list") {
		t.Error("what was applied took nothing")
	}
}

func TestAssertionsEndAsTheySay(t *testing.T) {
	w := newWorld(t)
	w.policy(drafted)
	w.group("Old", w.user("ana"))
	w.group("Engineering", w.user("ben"), w.user("Cleo Smith"))
	w.user("gone")
	w.apply(directory.SetBlock{User: w.user("blocked"), Blocked: true})
	for _, user := range []string{"ana", "blocked"} {
		w.grantUser(user, admin.GrantSpec{Roles: []directory.RoleName{"admin"}})
	}
	w.grantUser("ben", admin.GrantSpec{Project: "alpha", Roles: []directory.RoleName{"project-admin"}})
	for text, want := range map[string]authz.TestStatus{
		"ana keeps admin":                                                     authz.Passed,
		"ana lacks admin":                                                     authz.Failed,
		"ben keeps admin":                                                     authz.Failed,
		"blocked keeps admin":                                                 authz.Failed,
		"ana keeps policy.manage":                                             authz.Passed,
		"ben lacks policy.manage":                                             authz.Passed,
		"ben keeps project.manage in project alpha":                           authz.Passed,
		"ben keeps access feature/part-list":                                  authz.Passed,
		"Cleo Smith can access feature/part-list":                             authz.Passed,
		"ana can edit feature/part-list":                                      authz.Failed,
		"a member of local/Engineering can access feature/part-list":          authz.Passed,
		"a member of local/Engineering cannot access feature/part-list":       authz.Failed,
		"a member of local/Nobody Yet cannot access feature/part-list":        authz.Warned,
		"at most 1 hold Admin":                                                authz.Passed,
		"at most 0 hold admin":                                                authz.Failed,
		"≤1 Admin":                                                            authz.Passed,
		"at least 3 hold access feature/part-list":                            authz.Passed,
		"at least 4 hold access feature/part-list":                            authz.Failed,
		"at most 0 hold edit feature/part-list":                               authz.Passed,
		"at most 2 hold project-admin in project alpha":                       authz.Passed,
		"  at most 1 holds organization.own  ":                                authz.Passed,
		"at most 3 hold access feature/part-list in project alpha":            authz.Passed,
		"a member of local/Old can access feature/part-list in project alpha": authz.Passed,
	} {
		t.Run(text, func(t *testing.T) {
			p, err := w.TryDraft(t.Context(), "", admin.DraftSpec{Title: "t", Text: draftText("engineers", "Engineering"), Assertions: []string{text}}, admin.PeopleList{})
			if err != nil {
				t.Fatal(err)
			}
			if got := p.Assertions[0]; got.Status != want {
				t.Errorf("%q ends %s (%s), want %s", text, got.Status, got.Detail, want)
			}
		})
	}
}

func TestWhatCanBeInNoDraftIsRefusedWithWords(t *testing.T) {
	w := newWorld(t)
	w.policy(drafted)
	w.user("ana")
	w.ManagedSections = func() map[directory.Section]string {
		return map[directory.Section]string{directory.SectionRoles: "policy.yaml"}
	}
	good := draftText("engineers", "Engineering")
	for name, c := range map[string]struct {
		spec admin.DraftSpec
		want error
		says string
	}{
		"no title":                   {admin.DraftSpec{Text: good}, directory.ErrInvalid, "title"},
		"nothing that changes":       {admin.DraftSpec{Title: "t"}, directory.ErrInvalid, "changes nothing"},
		"no policy file":             {admin.DraftSpec{Title: "t", Text: "mappings: 7"}, admin.ErrPolicy, "draft:1"},
		"an unknown feature":         {admin.DraftSpec{Title: "t", Text: strings.Replace(good, "[part-list]", "[none]", 1)}, admin.ErrPolicy, "none"},
		"a mapping that is not":      {admin.DraftSpec{Title: "t", Remove: []string{"mappings/od"}}, directory.ErrNotFound, `"old"`},
		"a removal that is no item":  {admin.DraftSpec{Title: "t", Remove: []string{"tests"}}, directory.ErrInvalid, "SECTION/KEY"},
		"a removal of what comes":    {admin.DraftSpec{Title: "t", Text: good, Remove: []string{"mappings/engineers"}}, directory.ErrInvalid, "named twice"},
		"a feature that is used":     {admin.DraftSpec{Title: "t", Remove: []string{"features/part-list"}}, admin.ErrPolicy, "part-list"},
		"a section of a file":        {admin.DraftSpec{Title: "t", Text: "apiVersion: usherd/v1\nroles: [{name: r}]\n"}, directory.ErrNotOwner, "policy.yaml"},
		"an assertion without sense": {admin.DraftSpec{Title: "t", Text: good, Assertions: []string{"all is well"}}, directory.ErrInvalid, "USER keeps THING"},
		"an assertion about nobody":  {admin.DraftSpec{Title: "t", Text: good, Assertions: []string{"anna keeps admin"}}, directory.ErrInvalid, "anna"},
		"an assertion about nothing": {admin.DraftSpec{Title: "t", Text: good, Assertions: []string{"at most 5 hold amin"}}, directory.ErrInvalid, `"admin"`},
		"an ask about nothing":       {admin.DraftSpec{Title: "t", Text: good, Assertions: []string{"ana can read feature/part-list"}}, directory.ErrInvalid, "edit"},
		"an assertion in no project": {admin.DraftSpec{Title: "t", Text: good, Assertions: []string{"ana keeps admin in project none"}}, directory.ErrInvalid, "none"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := w.CreateDraft(t.Context(), by, c.spec)
			wantErr(t, "CreateDraft", err, c.want)
			if err != nil && !strings.Contains(err.Error(), c.says) {
				t.Errorf("%v does not say %s", err, c.says)
			}
		})
	}
	if all, err := w.Drafts(t.Context()); err != nil || len(all) != 0 {
		t.Errorf("Drafts = %v, %v; want none", all, err)
	}
}

func TestOfTwoWhoEditADraftTheSecondIsToldAndLosesNothing(t *testing.T) {
	w := newWorld(t)
	w.policy(drafted)
	d := w.draft(admin.DraftSpec{Text: draftText("engineers", "Engineering")})
	mine, theirs := d.DraftSpec, d.DraftSpec
	mine.Note, theirs.Note = "mine", "theirs"
	if _, err := w.EditDraft(t.Context(), by, d.ID, theirs, d.Version); err != nil {
		t.Fatal(err)
	}
	_, err := w.EditDraft(t.Context(), by, d.ID, mine, d.Version)
	wantErr(t, "EditDraft", err, directory.ErrVersion)
	_, err = w.DiscardDraft(t.Context(), by, d.ID, d.Version)
	wantErr(t, "DiscardDraft", err, directory.ErrVersion)
	now, err := w.Draft(t.Context(), d.ID)
	if err != nil || now.Note != "theirs" || now.Version != d.Version+1 {
		t.Errorf("Draft = %+v, %v", now, err)
	}
	if _, err = w.DiscardDraft(t.Context(), by, d.ID, now.Version); err != nil {
		t.Fatal(err)
	}
	_, err = w.Draft(t.Context(), d.ID)
	wantErr(t, "Draft", err, directory.ErrNotFound)
}

func TestADraftOfTheDefaultRoleDoesNotCallItSomebodyElses(t *testing.T) {
	w := newWorld(t)
	w.policy(drafted)
	d := w.draft(admin.DraftSpec{Text: "apiVersion: usherd/v1\ndefault_role: viewer\n"})
	if !slices.Equal(d.Changes, []string{"default_role"}) {
		t.Errorf("the draft says that it changes %q", d.Changes)
	}
	w.policy(drafted + "default_role: auditor\n")
	if plan := w.planned(d.ID); !plan.Moved() || len(plan.Others) != 0 {
		t.Errorf("PlanDraft = %+v; want its own item moved, and no others", plan)
	}
}

func TestADraftWhoseItemSomebodyElseChangedWaitsForARebase(t *testing.T) {
	w := newWorld(t)
	w.policy(drafted)
	w.group("Engineering", w.user("ana"))
	d := w.draft(admin.DraftSpec{Text: draftText("old", "Engineering"), Remove: []string{"mappings/other"}})
	if p := w.planned(d.ID); p.Behind || p.Moved() || len(p.Others) != 0 {
		t.Fatalf("at once it is %+v", p)
	}
	w.policy(`features:
  - {key: part-list, title: Part list, actions: [edit], seat: {monthly: 5.00, currency: EUR}}
mappings:
  - {name: old, when: {source: local, group: {name: Older}}, grant: {access: [part-list]}}
`)
	plan := w.planned(d.ID)
	if !plan.Behind || !plan.Moved() || !plan.Touches[0].Moved || !strings.Contains(plan.Touches[0].Was, "Old}") || !strings.Contains(plan.Touches[0].Now, "Older") ||
		!strings.Contains(plan.Touches[0].To, "Engineering") || len(plan.Others) != 1 || plan.Others[0].Key != "part-list" {
		t.Fatalf("PlanDraft = %+v", plan)
	}
	if plan.Touches[1].Moved {
		t.Error("somebody else removed what was to go, which is no conflict")
	}
	_, err := w.ApplyDraft(t.Context(), by, d.ID, plan.Plan)
	wantErr(t, "ApplyDraft", err, admin.ErrStale)
	if err == nil || !strings.Contains(err.Error(), "somebody else changed mappings/old") {
		t.Errorf("the refusal does not say what: %v", err)
	}
	now, err := w.RebaseDraft(t.Context(), by, d.ID, d.Version)
	if err != nil || now.Base == d.Base || len(now.Remove) != 0 {
		t.Fatalf("RebaseDraft = %+v, %v", now, err)
	}
	plan = w.planned(d.ID)
	if plan.Behind || plan.Moved() {
		t.Errorf("rebased it is %+v", plan)
	}
	if _, err := w.ApplyDraft(t.Context(), by, d.ID, plan.Plan); err != nil {
		t.Fatal(err)
	}
	if p, err := w.ExportPolicy(t.Context()); err != nil || !strings.Contains(p.Text, "monthly: 5.00") || len(p.Policy.Mappings) != 1 {
		t.Errorf("ExportPolicy = %s, %v; the draft took back what others did", p.Text, err)
	}
}

func TestADraftOfAPriceSaysWhatItCosts(t *testing.T) {
	w := newWorld(t)
	w.policy(drafted)
	w.group("Old", w.user("ana"), w.user("ben"))
	d := w.draft(admin.DraftSpec{Text: `apiVersion: usherd/v1
features: [{key: part-list, title: Part list, actions: [edit], seat: {monthly: 6.50, currency: EUR}}]
`})
	p := w.planned(d.ID)
	if p.Gaining+p.Losing != 0 || len(p.Money) != 1 || p.Money[0].Delta != "+5.00" || !p.Raises {
		t.Fatalf("PlanDraft = %+v", p.Money)
	}
	if _, err := w.ApplyDraft(t.Context(), by, d.ID, p.Plan); err != nil {
		t.Fatal(err)
	}
	if bill, err := w.Bill(t.Context()); err != nil || bill.Money[0].Amount != "13.00" {
		t.Errorf("Bill = %+v, %v", bill, err)
	}
}

func TestAMappingIsPutIntoADraft(t *testing.T) {
	w := newWorld(t)
	w.policy(drafted)
	spec := *newMapping("engineers", "Engineering").To
	d, err := w.DraftMapping(t.Context(), by, "", spec, 0)
	if err != nil || d.Title != "Mapping engineers" {
		t.Fatalf("DraftMapping = %+v, %v", d, err)
	}
	spec.Name = "old"
	if d, err = w.DraftMapping(t.Context(), by, d.ID, spec, d.Version); err != nil {
		t.Fatal(err)
	}
	var items []string
	for _, i := range w.planned(d.ID).Touches {
		items = append(items, i.Item)
	}
	if got := strings.Join(items, " "); got != "mappings/engineers mappings/old" {
		t.Errorf("the draft changes %s", got)
	}
	_, err = w.DraftMapping(t.Context(), by, d.ID, spec, d.Version-1)
	wantErr(t, "DraftMapping", err, directory.ErrVersion)
}

func TestNobodyDraftsOrReadsWhatTheyMayNotChange(t *testing.T) {
	w, principals := matrix(t)
	who := map[string]directory.Actor{}
	for _, p := range principals {
		if p.by != nil {
			who[p.name] = *p.by
		}
	}
	plain := admin.DraftSpec{Title: "t", Text: draftText("new", "Org")}
	owning := admin.DraftSpec{Title: "t", Text: "apiVersion: usherd/v1\nmappings:\n  - {name: new, when: {source: local, group: {name: Org}}, allow_admin: true, grant: {roles: [owner]}}\n"}
	d, err := w.CreateDraft(t.Context(), who["owner"], owning)
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"lender", "al.adm", "audit", "oper", "viewer", "nobdy", "blockd", "tokaud", "tokchk", "gone"} {
		ctx, actor := admin.WithPrincipal(t.Context(), who[name]), who[name]
		_, err := w.CreateDraft(ctx, actor, plain)
		wantErr(t, name+": CreateDraft", err, admin.ErrForbidden)
		_, err = w.Drafts(ctx)
		wantErr(t, name+": Drafts", err, admin.ErrForbidden)
		_, err = w.Draft(ctx, d.ID)
		wantErr(t, name+": Draft", err, admin.ErrForbidden)
		_, err = w.PlanDraft(ctx, d.ID, admin.PeopleList{})
		wantErr(t, name+": PlanDraft", err, admin.ErrForbidden)
		_, err = w.TryDraft(ctx, "", plain, admin.PeopleList{})
		wantErr(t, name+": TryDraft", err, admin.ErrForbidden)
		_, err = w.EditDraft(ctx, actor, d.ID, plain, 0)
		wantErr(t, name+": EditDraft", err, admin.ErrForbidden)
		_, err = w.RebaseDraft(ctx, actor, d.ID, 0)
		wantErr(t, name+": RebaseDraft", err, admin.ErrForbidden)
		_, err = w.DiscardDraft(ctx, actor, d.ID, 0)
		wantErr(t, name+": DiscardDraft", err, admin.ErrForbidden)
		_, err = w.ApplyDraft(ctx, actor, d.ID, "")
		wantErr(t, name+": ApplyDraft", err, admin.ErrForbidden)
	}
	// Who may change the policy drafts no right that they lack, and applies none.
	ctx := admin.WithPrincipal(t.Context(), who["clerk"])
	_, err = w.CreateDraft(ctx, who["clerk"], owning)
	wantErr(t, "clerk: CreateDraft", err, admin.ErrForbidden)
	plan, err := w.PlanDraft(ctx, d.ID, admin.PeopleList{})
	if err != nil {
		t.Fatal(err)
	}
	_, err = w.ApplyDraft(ctx, who["clerk"], d.ID, plan.Plan)
	wantErr(t, "clerk: ApplyDraft", err, admin.ErrForbidden)
	if _, err := w.CreateDraft(ctx, who["clerk"], plain); err != nil {
		t.Errorf("clerk: CreateDraft = %v", err)
	}
	// What is only tried leaves nothing.
	before, err := w.Drafts(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := w.CreateDraft(admin.WithDryRun(t.Context()), by, plain); err != nil {
		t.Fatal(err)
	}
	if _, err := w.ApplyDraft(admin.WithDryRun(t.Context()), by, d.ID, w.planned(d.ID).Plan); err != nil {
		t.Fatal(err)
	}
	after, err := w.Drafts(t.Context())
	if err != nil || len(after) != len(before) || after[len(after)-1].State != admin.DraftOpen {
		t.Errorf("Drafts = %+v, %v", after, err)
	}
}

func FuzzParseAssertion(f *testing.F) {
	for _, seed := range []string{"alice keeps admin", "at most 50 hold Admin", "≤50 Admin", "a member of okta/Site managers can access feature/part-list in project alpha", "at least 99999999999 hold x"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		a, err := admin.ParseAssertion(text)
		if err != nil {
			return
		}
		if forms := btoi(a.Test != nil) + btoi(a.User != "") + btoi(a.Test == nil && a.User == ""); forms != 1 || a.Test == nil && a.Thing == "" {
			t.Errorf("%q is %+v", text, a)
		}
	})
}

func btoi(b bool) int {
	if b {
		return 1
	}
	return 0
}

func TestADraftMayTakeTheLastItemOfASection(t *testing.T) {
	w := newWorld(t)
	w.policy(`projects: [{key: alpha}]
features: [{key: part-list, actions: [edit]}]
outputs: [{key: pdf}]
integrations: [{key: aws}]
resources: {record: {actions: [read]}}
roles: [{name: releaser, access: [part-list]}]
mappings: [{name: m, when: {source: local, group: {name: Sales}}, grant: {roles: [viewer]}}]
`)
	for _, item := range []string{"projects/alpha", "outputs/pdf", "integrations/aws", "resources/record", "roles/releaser", "mappings/m"} {
		d := w.draft(admin.DraftSpec{Remove: []string{item}})
		plan := w.planned(d.ID)
		if _, err := w.ApplyDraft(t.Context(), by, d.ID, plan.Plan); err != nil {
			t.Errorf("removing %s: %v", item, err)
		}
	}
}
