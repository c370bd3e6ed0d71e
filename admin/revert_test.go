package admin_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/usherd/usherd/admin"
	"github.com/usherd/usherd/directory"
)

// did runs a bulk as a job and waits for its end.
func (w *world) did(b admin.Bulk) admin.Job {
	w.t.Helper()
	return w.until(w.start(b).ID, over)
}

// standings is what the present world gives, in one text.
func (w *world) standings(names ...string) string {
	w.t.Helper()
	var out []string
	for _, name := range names {
		u, err := w.User(w.t.Context(), name)
		if err != nil {
			out = append(out, name+" gone")
			continue
		}
		var has []string
		for _, g := range u.Grants {
			has = append(has, fmt.Sprint(g.Role, g.Privilege.Key, "=", g.Privilege.Level))
		}
		for _, g := range u.Groups {
			has = append(has, g.Name)
		}
		slices.Sort(has)
		out = append(out, fmt.Sprintf("%s %s %s", name, u.Status, strings.Join(has, ",")))
	}
	return strings.Join(out, "; ")
}

func TestAJobIsReverted(t *testing.T) {
	w := newWorld(t)
	w.policy(catalogue)
	w.user("ann")
	bob := w.user("bob")
	w.group("crew", bob)
	w.grantUser("ann", admin.GrantSpec{Integration: map[string]string{"warehouse": "viewer"}})
	w.apply(directory.SetBlock{User: bob, Blocked: true, Reason: "before"})
	w.runJobs()
	before := w.standings("ann", "bob")
	for _, tt := range []struct {
		name string
		bulk admin.Bulk
	}{
		{"a block of who was not blocked", admin.Bulk{Do: "block", Users: []string{"ann", "bob"}}},
		{"an unblock", admin.Bulk{Do: "unblock", Users: []string{"ann", "bob"}}},
		{"members that were added", admin.Bulk{Do: "assign", Group: "local/crew", Users: []string{"ann"}}},
		{"members that were removed", admin.Bulk{Do: "unassign", Group: "local/crew", Users: []string{"bob"}}},
		{"grants, and a level that was raised", admin.Bulk{Do: "grant", Users: []string{"ann", "bob"}, Grants: []admin.GrantSpec{
			{Access: []string{"part-list"}, Role: []string{"part-list:edit"}, Roles: []directory.RoleName{"viewer"}, Integration: map[string]string{"warehouse": "admin"}},
		}}},
		{"grants that were taken away", admin.Bulk{Do: "revoke", Users: []string{"ann"}, Grants: []admin.GrantSpec{{Integration: map[string]string{"warehouse": "viewer"}}}}},
		{"a user who was deleted", admin.Bulk{Do: "delete", Users: []string{"bob"}}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			job := w.did(tt.bulk)
			after := w.standings("ann", "bob")
			if job.Failed > 0 || after == before {
				t.Fatalf("the job is %+v, and left %s", job, after)
			}
			p, err := w.PreviewRevert(t.Context(), by, job.ID)
			if err != nil || p.Failed > 0 || len(p.Items) == 0 {
				t.Fatalf("PreviewRevert = %+v, %v", p, err)
			}
			if again := w.standings("ann", "bob"); again != after {
				t.Errorf("the preview changed %s to %s", after, again)
			}
			revert, err := w.StartRevert(t.Context(), by, job.ID)
			if err != nil {
				t.Fatal(err)
			}
			if done := w.until(revert.ID, over); done.Failed > 0 || done.Done != len(p.Items) || done.Of != job.ID {
				t.Errorf("the revert is %+v, want %d done", done, len(p.Items))
			}
			want := before
			if tt.bulk.Do == "delete" {
				want = strings.Replace(want, "bob blocked crew", "bob blocked ", 1) // it says so: memberships stay ended
			}
			if got := w.standings("ann", "bob"); got != want {
				t.Errorf("reverted to %s, want %s", got, want)
			}
		})
	}
}

func TestWhatCannotBeRevertedSaysWhy(t *testing.T) {
	w := newWorld(t)
	w.policy(catalogue)
	ann := w.user("ann")
	w.user("bob")
	w.group("gone")
	w.runJobs()
	job := w.did(admin.Bulk{Do: "block", Users: []string{"ann", "bob"}})
	w.apply(directory.SetBlock{User: ann}, directory.SetBlock{User: ann, Blocked: true, Reason: "for another reason"})
	p, err := w.PreviewRevert(t.Context(), by, job.ID)
	if err != nil || len(p.Items) != 2 || p.Failed != 1 || p.Items[1].Code != "irreversible" || p.Items[0].Name != "bob" || p.Items[1].Name != "ann" || !strings.Contains(p.Items[1].Error, "changed again at revision") {
		t.Errorf("PreviewRevert = %+v, %v; want ann left alone, since somebody else blocked her later", p, err)
	}
	job = w.did(admin.Bulk{Do: "delete", Groups: []string{"local/gone"}})
	if p, err := w.PreviewRevert(t.Context(), by, job.ID); err != nil || p.Failed != 1 || p.Items[0].Code != "irreversible" {
		t.Errorf("PreviewRevert of a deleted group = %+v, %v", p, err)
	}
	job = w.did(admin.Bulk{Do: "block", Users: []string{"nobody"}})
	if _, err := w.PreviewRevert(t.Context(), by, job.ID); err == nil || admin.ProblemOf(err).Code() != "irreversible" {
		t.Errorf("PreviewRevert of a job that changed nothing = %v", err)
	}
	_, err = w.PreviewRevert(t.Context(), by, "no-job")
	wantErr(t, "PreviewRevert of no job", err, directory.ErrNotFound)
}

func TestARevertLetsNobodyInWhomSomebodyElseBlocked(t *testing.T) {
	w := newWorld(t)
	w.policy(catalogue)
	ann := w.user("ann")
	w.apply(directory.SetBlock{User: w.user("bob"), Blocked: true, Reason: "before"})
	w.runJobs()
	job := w.did(admin.Bulk{Do: "block", Users: []string{"ann", "bob"}, Reason: "moved"})
	p, err := w.PreviewRevert(t.Context(), by, job.ID)
	if err != nil || p.Failed != 1 || p.Items[0].Name != "bob" || p.Items[0].Code != "irreversible" {
		t.Errorf("PreviewRevert = %+v, %v; want bob left alone, who was blocked before the job", p, err)
	}
	names := make([]string, 1_000) // keeps the revert waiting
	for i := range names {
		names[i] = fmt.Sprintf("nobody%d", i)
	}
	w.start(admin.Bulk{Do: "unblock", Users: names})
	revert, err := w.StartRevert(t.Context(), by, job.ID)
	if err != nil {
		t.Fatal(err)
	}
	w.apply(directory.SetBlock{User: ann, Blocked: true, Reason: "meanwhile"})
	w.until(revert.ID, over)
	if got, want := w.standings("ann", "bob"), "ann blocked ; bob blocked "; got != want {
		t.Errorf("after the revert: %s, want %s", got, want)
	}
}

// TestARevertNeedsTheRightsOfWhatItDoes lets an auditor, who sees the job, try.
func TestARevertNeedsTheRightsOfWhatItDoes(t *testing.T) {
	w := newWorld(t)
	w.policy(catalogue)
	boss, eve := w.user("boss"), w.user("eve")
	w.grantUser("boss", admin.GrantSpec{Roles: []directory.RoleName{"owner"}})
	w.grantUser("eve", admin.GrantSpec{Roles: []directory.RoleName{"auditor"}})
	w.user("ann")
	w.runJobs()
	granted := w.did(admin.Bulk{Do: "grant", Users: []string{"ann"}, Grants: []admin.GrantSpec{{Roles: []directory.RoleName{"owner"}}}})
	w.apply(directory.SetBlock{User: boss, Blocked: true})
	as := directory.Actor{Kind: directory.ActorUser, Name: string(eve)}
	p, err := w.PreviewRevert(admin.WithPrincipal(t.Context(), as), as, granted.ID)
	if err != nil || p.Failed != 1 || p.Items[0].Code != "forbidden" {
		t.Errorf("PreviewRevert as an auditor = %+v, %v; want each item forbidden", p, err)
	}
	revert, err := w.StartRevert(t.Context(), by, granted.ID)
	if err != nil {
		t.Fatal(err)
	}
	items, err := w.JobItems(t.Context(), w.until(revert.ID, over).ID)
	if err != nil || len(items) != 1 || items[0].Code != "last-owner" {
		t.Errorf("taking back the last active owner = %+v, %v; want it refused", items, err)
	}
}

// TestARevertTakesBackWhatItsJobDidAlone gives a request of somebody else the
// name of the job's.
func TestARevertTakesBackWhatItsJobDidAlone(t *testing.T) {
	w := newWorld(t)
	w.user("ann")
	w.user("ben")
	defer w.runJobs()()
	job := w.did(admin.Bulk{Do: "block", Users: []string{"ann"}})
	other := directory.Actor{Kind: directory.ActorToken, Name: "other", Request: job.ID}
	if _, err := w.store.Apply(t.Context(), other, directory.SetBlock{User: directory.UserID(w.as("ben").Name), Blocked: true}); err != nil {
		t.Fatal(err)
	}
	preview, err := w.PreviewRevert(t.Context(), by, job.ID)
	if err != nil || len(preview.Items) != 1 || preview.Items[0].Name != "ann" {
		t.Errorf("PreviewRevert = %+v, %v; want ann alone", preview.Items, err)
	}
}
