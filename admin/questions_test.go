package admin_test

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/usherd/usherd/admin"
	"github.com/usherd/usherd/directory"
)

const questionsPolicy = `
projects: [{key: alpha}, {key: beta}]
features: [{key: part-list, actions: [edit], seat: {monthly: 4.00, currency: EUR}}, {key: drawing}]
integrations: [{key: warehouse}]
roles: [{name: releaser, access: [drawing]}]
`

func question(user, action, typ, id, at string) admin.Question {
	q := admin.Question{User: user, Action: action, At: at}
	q.Resource.Type, q.Resource.ID = typ, id
	return q
}

// revision is the newest revision.
func (w *world) revision() directory.Revision {
	w.t.Helper()
	h, err := w.store.Head(w.t.Context(), directory.Stamp{})
	if err != nil {
		w.t.Fatal(err)
	}
	return h.Stamp.Revision
}

func accessGrant(group directory.GroupID, user directory.UserID, feature string) directory.PutGrant {
	return directory.PutGrant{Grant: directory.Grant{
		ID: directory.NewID(), Group: group, User: user, Origin: directory.ByHand, Created: time.Now(),
		Privilege: directory.Privilege{Kind: directory.Access, Key: feature},
	}}
}

func TestExplainAnswersOfThePast(t *testing.T) {
	w := newWorld(t)
	w.policy(questionsPolicy)
	ann := w.user("ann")
	group := w.group("Engineering", ann)
	w.apply(accessGrant(group, "", "part-list"))
	then := w.revision()
	records, err := w.store.Audit(t.Context(), then-1, 1)
	if err != nil {
		t.Fatal(err)
	}
	w.apply(directory.RemoveMembers{Group: group, Source: directory.Local, Values: []string{string(ann)}})
	w.now = records[0].Time.Add(90 * time.Minute)

	now, err := w.Explain(t.Context(), question("ann", "access", "feature", "part-list", ""))
	if err != nil || now.Answer.Decision || now.Revision != then+1 || !now.Moment.Until.IsZero() {
		t.Fatalf("Explain now = %v at %+v, %v; want a deny at revision %d, the present", now.Code, now.Moment, err, then+1)
	}
	if want := []string{"usherd user grant ann --access part-list"}; !slices.Equal(now.Next, want) {
		t.Errorf("next = %q, want %q", now.Next, want)
	}
	for _, at := range []string{fmt.Sprint(then), records[0].Time.Format(time.RFC3339Nano), fmt.Sprintf("%dms ago", 90*60*1000)} {
		e, err := w.Explain(t.Context(), question("ann", "access", "feature", "part-list", at))
		if err != nil || !e.Answer.Decision || e.Revision != then || !e.Moment.Since.Equal(records[0].Time) || e.Moment.Until.IsZero() {
			t.Errorf("Explain at %s = %v at %+v, %v; want an allow at revision %d", at, e.Code, e.Moment, err, then)
		}
		if !strings.Contains(e.Text, "Yes - ann may access part-list, because they are in Engineering (local), which was granted access part-list.") {
			t.Errorf("Explain at %s says:\n%s", at, e.Text)
		}
		if strings.Contains(e.Text, string(ann)) || strings.Contains(e.Text, string(group)) {
			t.Errorf("the text names an id:\n%s", e.Text)
		}
	}
	// a name may be another person's by now
	before, err := w.Explain(t.Context(), question("ann", "access", "feature", "part-list", fmt.Sprint(then-1)))
	if err != nil || before.Answer.Decision || len(before.Next) > 0 || strings.Contains(before.Text, "usherd ") || !strings.Contains(before.Text, "What would have helped:") {
		t.Errorf("Explain at %d = %v, next %q, %v:\n%s\nwant a deny without commands", then-1, before.Code, before.Next, err, before.Text)
	}
	for at, want := range map[string]error{
		"-1": directory.ErrInvalid, fmt.Sprint(then + 2): directory.ErrInvalid, "yesterday": directory.ErrInvalid,
		w.now.Add(time.Hour).Format(time.RFC3339): directory.ErrInvalid, "1999-12-31": directory.ErrNotFound, "20000d": directory.ErrNotFound,
	} {
		_, err := w.Explain(t.Context(), question("ann", "access", "feature", "part-list", at))
		wantErr(t, "Explain at "+at, err, want)
	}
}

// A pruned store has forgotten its first revisions.
type pruned struct{ admin.Store }

func (pruned) Horizon(context.Context) (directory.Revision, error) { return 3, nil }

func TestExplainSaysHowFarBackHistoryGoes(t *testing.T) {
	w := newWorld(t)
	w.policy(questionsPolicy)
	w.user("ann")
	w.user("bob")
	w.Store = pruned{w.Store}
	_, err := w.Explain(t.Context(), question("ann", "access", "feature", "part-list", "2"))
	wantErr(t, "Explain at 2", err, directory.ErrHistoryExpired)
	if err == nil || !strings.Contains(err.Error(), "history goes back to revision 3 of ") {
		t.Errorf("error = %v, want it to say how far back history goes", err)
	}
	if _, err := w.Explain(t.Context(), question("ann", "access", "feature", "part-list", "3")); err != nil {
		t.Errorf("Explain at the horizon = %v", err)
	}
}

func TestExplainSaysWhoBlocked(t *testing.T) {
	w := newWorld(t)
	w.policy(questionsPolicy)
	ann := w.user("ann")
	group := w.group("Engineering", ann)
	w.apply(accessGrant(group, "", "part-list"), directory.SetGroupStatus{Group: group, Status: directory.GroupBlocked})
	e, err := w.Explain(t.Context(), question("ann", "access", "feature", "part-list", ""))
	if err != nil || !strings.Contains(e.Text, "Engineering (local) is blocked by somebody on the command line on ") {
		t.Errorf("Explain = %s, %v; want who blocked the group", e.Text, err)
	}
	if want := []string{"usherd group unblock local/Engineering"}; !slices.Equal(e.Next, want) {
		t.Errorf("next = %q, want %q", e.Next, want)
	}
	w.apply(directory.SetBlock{User: ann, Blocked: true, Reason: "lost laptop"})
	e, err = w.Explain(t.Context(), question("ann", "access", "feature", "part-list", ""))
	if err != nil || !strings.Contains(e.Text, "they are blocked here, by somebody on the command line on ") || !strings.Contains(e.Text, "lost laptop") {
		t.Errorf("Explain = %s, %v; want who blocked the user and why", e.Text, err)
	}
	// unblocking alone would not do: the group is blocked too
	if want := []string{"usherd user unblock ann", "usherd group unblock local/Engineering"}; !slices.Equal(e.Next, want) {
		t.Errorf("next = %q, want %q", e.Next, want)
	}
}

// crowd makes people in two groups, one nested in the other, and some with own
// grants.
func crowd(t *testing.T) (*world, []directory.UserID) {
	t.Helper()
	w := newWorld(t)
	w.policy(questionsPolicy)
	var all []directory.UserID
	for i := range 25 {
		all = append(all, w.user(fmt.Sprintf("user-%02d", i)))
	}
	staff := w.group("Staff", all[:5]...)
	eng := w.group("Engineering", all[3:12]...)
	w.apply(
		directory.AddMembers{Group: staff, Source: directory.Local, Values: []string{string(eng)}},
		accessGrant(staff, "", "part-list"), accessGrant("", all[20], "part-list"),
		directory.PutGrant{Grant: directory.Grant{ID: directory.NewID(), Group: eng, Project: "alpha", Role: "project-viewer", Origin: directory.ByHand, Created: time.Now()}},
		directory.PutGrant{Grant: directory.Grant{ID: directory.NewID(), User: all[21], Role: "releaser", Origin: directory.ByHand, Created: time.Now()}},
		directory.SetBlock{User: all[4], Blocked: true},
	)
	return w, all
}

// TestHoldersAreAllForWhomDecideAllows pages through the holders and asks for
// everybody one by one.
func TestHoldersAreAllForWhomDecideAllows(t *testing.T) {
	w, all := crowd(t)
	for _, q := range []admin.HoldersQuery{
		{Action: "access", Type: "feature", ID: "part-list"},
		{Action: "access", Type: "feature", ID: "drawing"},
		{Action: "read", Type: "project", ID: "alpha"},
		{Action: "edit", Type: "feature", ID: "part-list"},
	} {
		var want []directory.UserID
		for _, id := range all {
			if w.may(string(id), q.Action, q.Type, q.ID) {
				want = append(want, id)
			}
		}
		slices.Sort(want)
		if got := w.everyPage(q); !slices.Equal(got, want) {
			t.Errorf("Holders(%+v) = %v, want %v", q, got, want)
		}
	}
	roles := map[string][]directory.UserID{"releaser": {all[21]}, "project-viewer": append(slices.Clone(all[3:4]), all[5:12]...), "auditor": nil}
	for role, want := range roles {
		slices.Sort(want)
		if got := w.everyPage(admin.HoldersQuery{Role: directory.RoleName(role)}); !slices.Equal(got, want) {
			t.Errorf("Holders of %s = %v, want %v", role, got, want)
		}
	}
	page, err := w.Holders(t.Context(), admin.HoldersQuery{Role: "project-viewer", Limit: 1})
	if err != nil || len(page.Items) != 1 || !slices.Equal(page.Items[0].Projects, []directory.ProjectKey{"alpha"}) || !slices.Equal(page.Items[0].From, []string{"group Engineering (local)"}) {
		t.Errorf("Holders of project-viewer = %+v, %v; want one in alpha by group Engineering", page, err)
	}
	for _, q := range []admin.HoldersQuery{{}, {Action: "acess", Type: "feature", ID: "part-list"}, {Role: "relaser"}, {Right: "audit.raed"}, {Role: "releaser", Right: "audit.read"}, {Role: "releaser", Project: "gamma"}} {
		_, err := w.Holders(t.Context(), q)
		wantErr(t, fmt.Sprintf("Holders(%+v)", q), err, directory.ErrInvalid)
	}
}

// everyPage lists the holders by pages of three.
func (w *world) everyPage(q admin.HoldersQuery) (ids []directory.UserID) {
	w.t.Helper()
	q.Limit = 3
	for {
		page, err := w.Holders(w.t.Context(), q)
		if err != nil {
			w.t.Fatalf("Holders(%+v) = %v", q, err)
		}
		for _, h := range page.Items {
			if h.Name == "" || len(h.From) == 0 {
				w.t.Errorf("Holders(%+v) has %+v, want a name and where it is from", q, h)
			}
			ids = append(ids, h.User)
		}
		if page.Next == "" {
			return ids
		}
		q.After = page.Next
	}
}

func TestPermissionsNameTheirWays(t *testing.T) {
	w, all := crowd(t)
	p, err := w.PermissionsOf(t.Context(), "user-05", admin.PermissionsQuery{Why: true, Anywhere: true})
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, i := range p.Items {
		got = append(got, fmt.Sprint(i.Kind, " ", i.Key, " in ", i.Project, " from ", i.From))
	}
	want := []string{"access part-list in  from [group Engineering (local)]", "right project.read in alpha from [Role project-viewer]"}
	if !slices.Equal(got, want) || !slices.Equal(p.Seats, []string{"part-list"}) || p.UserName != "user-05" || len(p.RoleUses) != 1 {
		t.Errorf("PermissionsOf = %q, seats %v, %+v; want %q", got, p.Seats, p.RoleUses, want)
	}
	g, err := w.GroupPermissions(t.Context(), "local/Engineering", admin.PermissionsQuery{Why: true})
	if err != nil || len(g.Items) != 1 || g.Items[0].Key != "part-list" || len(g.Items[0].Via[0].Groups) != 2 {
		t.Errorf("GroupPermissions = %+v, %v; want part-list by the group above", g.Items, err)
	}
	if _, err := w.PermissionsOf(t.Context(), "nobody", admin.PermissionsQuery{}); err == nil {
		t.Error("PermissionsOf(nobody) = nil, want an error")
	}
	_ = all
}

func TestComparisonsSayWhatOnlyOneMay(t *testing.T) {
	w, all := crowd(t)
	c, err := w.CompareUsers(t.Context(), "user-00", "user-21", "")
	if err != nil {
		t.Fatal(err)
	}
	want := "Only user-00:\n  in group Staff (local)\n  access part-list, from group Staff (local)\n\nOnly user-21:\n  access drawing, from Role releaser\n\n0 permissions in common.\n"
	if c.Text != want {
		t.Errorf("CompareUsers says:\n%s\nwant:\n%s", c.Text, want)
	}
	before := w.revision()
	w.apply(accessGrant("", all[0], "drawing"))
	c, err = w.CompareTimes(t.Context(), "user-00", fmt.Sprint(before), "")
	if err != nil || len(c.First) != 0 || len(c.Second) != 1 || c.Second[0].Privilege.Key != "drawing" || c.Common != 1 || c.One.Moment.Revision != before {
		t.Errorf("CompareTimes = %+v, %v; want drawing gained since %d", c, err, before)
	}
	if c, err = w.CompareUsers(t.Context(), "user-05", "user-06", ""); err != nil || !c.Empty() || c.Text != "No difference: 2 permissions in common.\n" {
		t.Errorf("CompareUsers of two alike = %q, %v", c.Text, err)
	}
}

func TestIntegrationAccessListsGroupsAndPeople(t *testing.T) {
	w, all := crowd(t)
	level := func(user directory.UserID, group directory.GroupID, l directory.Level) directory.Change {
		return directory.PutGrant{Grant: directory.Grant{
			ID: directory.NewID(), User: user, Group: group, Origin: directory.ByHand, Created: time.Now(),
			Privilege: directory.Privilege{Kind: directory.IntegrationLevel, Key: "warehouse", Level: l},
		}}
	}
	ops := w.group("Ops", all[0])
	w.apply(level("", ops, directory.Viewer), level(all[0], "", directory.Admin), level(all[1], "", directory.Consumer))
	page, err := w.IntegrationAccess(t.Context(), "warehouse", admin.HoldersQuery{})
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, r := range page.Items {
		got = append(got, fmt.Sprintf("%s %s %s (%s) from %s, remove %v reset %v %s", r.Kind, r.Name, r.Effective, r.Inherited, strings.Join(r.From, "+"), r.Remove, r.Reset, r.Why))
	}
	want := []string{
		"group Ops viewer (none) from direct, remove true reset true ",
		"user user-00 admin (viewer) from direct, remove false reset true from group Ops (local)",
		"user user-01 consumer (none) from direct, remove true reset true ",
	}
	if !slices.Equal(got, want) {
		t.Errorf("IntegrationAccess = %q, want %q", got, want)
	}
	_, err = w.IntegrationAccess(t.Context(), "warehose", admin.HoldersQuery{})
	wantErr(t, "IntegrationAccess of an unknown one", err, directory.ErrNotFound)
}

// TestQuestionsAreForThoseWhoMayAsk asks as people with different rights.
func TestQuestionsAreForThoseWhoMayAsk(t *testing.T) {
	w, all := crowd(t)
	w.apply(
		directory.PutGrant{Grant: directory.Grant{ID: directory.NewID(), User: all[24], Role: "auditor", Origin: directory.ByHand, Created: time.Now()}},
		directory.PutGrant{Grant: directory.Grant{ID: directory.NewID(), User: all[23], Project: "alpha", Role: "project-viewer", Origin: directory.ByHand, Created: time.Now()}},
	)
	as := func(id directory.UserID) context.Context {
		return admin.WithPrincipal(t.Context(), directory.Actor{Kind: directory.ActorUser, Name: string(id)})
	}
	now := w.revision()
	questions := map[string]func(ctx context.Context) error{
		"explain": func(ctx context.Context) error {
			_, err := w.Explain(ctx, question("user-05", "access", "feature", "part-list", ""))
			return err
		},
		"permissions": func(ctx context.Context) error {
			_, err := w.PermissionsOf(ctx, "user-05", admin.PermissionsQuery{})
			return err
		},
		"why": func(ctx context.Context) error {
			_, err := w.PermissionsOf(ctx, "user-05", admin.PermissionsQuery{Project: "alpha", Why: true})
			return err
		},
		"in alpha": func(ctx context.Context) error {
			_, err := w.PermissionsOf(ctx, "user-05", admin.PermissionsQuery{Project: "alpha"})
			return err
		},
		"group": func(ctx context.Context) error {
			_, err := w.GroupPermissions(ctx, "local/Staff", admin.PermissionsQuery{})
			return err
		},
		"holders": func(ctx context.Context) error {
			_, err := w.Holders(ctx, admin.HoldersQuery{Role: "releaser"})
			return err
		},
		"alpha's people": func(ctx context.Context) error {
			_, err := w.Holders(ctx, admin.HoldersQuery{Action: "read", Type: "project", ID: "alpha", Project: "alpha"})
			return err
		},
		"compare": func(ctx context.Context) error { _, err := w.CompareUsers(ctx, "user-05", "user-06", ""); return err },
		"history": func(ctx context.Context) error {
			_, err := w.CompareTimes(ctx, "user-05", fmt.Sprint(now), "")
			return err
		},
		"access": func(ctx context.Context) error {
			_, err := w.IntegrationAccess(ctx, "warehouse", admin.HoldersQuery{})
			return err
		},
	}
	for name, may := range map[string]struct {
		ctx context.Context
		may []string
	}{
		"nobody":        {admin.WithPrincipal(t.Context(), directory.Actor{}), nil},
		"a user":        {as(all[22]), nil},
		"oneself":       {as(all[5]), []string{"explain", "permissions", "why", "in alpha", "history", "alpha's people"}},
		"an auditor":    {as(all[24]), []string{"explain", "permissions", "why", "in alpha", "group", "holders", "alpha's people", "compare", "history", "access"}},
		"alpha's guest": {as(all[23]), []string{"in alpha", "alpha's people"}},
	} {
		for what, ask := range questions {
			err := ask(may.ctx)
			if allowed := err == nil; allowed != slices.Contains(may.may, what) {
				t.Errorf("%s asks for %s: %v", name, what, err)
			}
		}
	}
	page, err := w.Holders(as(all[23]), admin.HoldersQuery{Action: "read", Type: "project", ID: "alpha", Project: "alpha"})
	if err != nil || len(page.Items) == 0 || len(page.Items[0].From)+len(page.Items[0].Via) != 0 {
		t.Errorf("alpha's guest sees %+v, %v; want people without the ways", page.Items, err)
	}
}
