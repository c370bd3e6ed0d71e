package admin_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/usherd/usherd/admin"
	"github.com/usherd/usherd/directory"
)

// people makes many local users at once.
func (w *world) people(n int) (names []string) {
	w.t.Helper()
	var changes []directory.Change
	for i := range n {
		names = append(names, fmt.Sprintf("p%05d", i))
		changes = append(changes, directory.CreateUser{
			ID: directory.UserID(directory.NewID()), Source: directory.Local, Profile: directory.Profile{UserName: names[i], Active: true},
		})
	}
	w.apply(changes...)
	return names
}

// runJobs runs jobs until the returned function is called.
func (w *world) runJobs() (end func()) {
	ctx, cancel := context.WithCancel(w.t.Context())
	var done sync.WaitGroup
	done.Go(func() { w.RunJobs(ctx, func(err error) { w.t.Error(err) }) })
	end = sync.OnceFunc(func() { cancel(); done.Wait() })
	w.t.Cleanup(end)
	return end
}

// until polls a job until it is as wanted.
func (w *world) until(id string, want func(admin.Job) bool) admin.Job {
	w.t.Helper()
	ctx, cancel := context.WithTimeout(w.t.Context(), 3*time.Minute)
	defer cancel()
	tick := time.NewTicker(2 * time.Millisecond)
	defer tick.Stop()
	for {
		job, err := w.Job(ctx, id)
		if err != nil {
			w.t.Fatalf("Job(%s) = %v", id, err)
		}
		if want(job) {
			return job
		}
		select {
		case <-ctx.Done():
			w.t.Fatalf("job %+v", job)
		case <-tick.C:
		}
	}
}

// start starts a job as soon as somebody runs jobs.
func (w *world) start(b admin.Bulk) admin.Job {
	w.t.Helper()
	for {
		job, err := w.StartBulk(w.t.Context(), by, b)
		if err == nil {
			return job
		}
		if !errors.Is(err, admin.ErrUnavailable) {
			w.t.Fatal(err)
		}
		select {
		case <-w.t.Context().Done():
			w.t.Fatal(err)
		case <-time.After(time.Millisecond):
		}
	}
}

func over(j admin.Job) bool { return j.State != admin.JobQueued && j.State != admin.JobRunning }

func TestABulkRunsAsAJob(t *testing.T) {
	w := newWorld(t)
	names := w.people(20) // each is a commit of its own; the others fill more than one record of results
	for i := range 500 {
		names = append(names, fmt.Sprintf("nobody%03d", i))
	}
	w.runJobs()
	w.start(admin.Bulk{Do: "block", Users: names[:1]}) // the runner is up
	srv := w.server(true)
	status, header, _ := send(t, srv, "POST", "/api/v1/jobs", `{"do":"block","users":["`+names[0]+`"]}`, "Idempotency-Key: j")
	if status != 202 || header.Get("Location") == "" {
		t.Fatalf("POST /jobs = %d %v, want 202 and a Location", status, header)
	}
	if again, second, _ := send(t, srv, "POST", "/api/v1/jobs", `{"do":"block","users":["`+names[0]+`"]}`, "Idempotency-Key: j"); again != 202 || second.Get("Location") != header.Get("Location") {
		t.Errorf("the same again started another job: %d %v", again, second)
	}
	job := w.start(admin.Bulk{Do: "block", Users: names, Reason: "left"})
	job = w.until(job.ID, over)
	if job.State != admin.JobDone || job.Done != 20 || job.Failed != 500 || job.Total != 520 || job.Revision == 0 || job.Ended.IsZero() {
		t.Errorf("the job is %+v", job)
	}
	items, err := w.JobItems(t.Context(), job.ID)
	if err != nil || len(items) != 520 || items[519].OK || items[519].Code != "not-found" || items[19].Name != names[19] || !items[19].OK {
		t.Errorf("JobItems = %d items, %v", len(items), err)
	}
	user, err := w.User(t.Context(), names[15])
	if err != nil || user.Status != "blocked" {
		t.Errorf("User = %v %v, want blocked", user.Status, err)
	}
	if a := call(t, srv, "GET", "/api/v1/jobs/"+job.ID+"/items?limit=3", ""); len(a.body["items"].([]any)) != 3 || a.header.Get("Link") == "" {
		t.Errorf("a page of results is %v", a.body)
	}
}

func TestACancelledJobStops(t *testing.T) {
	w := newWorld(t)
	names := w.people(1000)
	w.runJobs()
	job := w.start(admin.Bulk{Do: "block", Users: names})
	waiting := w.start(admin.Bulk{Do: "delete", Users: names})
	for _, id := range []string{waiting.ID, job.ID} {
		if _, err := w.CancelJob(t.Context(), id); err != nil {
			t.Fatal(err)
		}
	}
	if got := w.until(job.ID, over); got.State != admin.JobCancelled || got.Done == 1000 {
		t.Errorf("the job is %+v, want cancelled before its end", got)
	}
	if got := w.until(waiting.ID, over); got.State != admin.JobCancelled || got.Done+got.Failed != 0 {
		t.Errorf("the job that waited is %+v, want cancelled before its start", got)
	}
	if got, err := w.CancelJob(t.Context(), job.ID); err != nil || got.State != admin.JobCancelled {
		t.Errorf("cancelling again = %+v, %v", got, err)
	}
}

func TestJobsThatTheDaemonLeavesAreInterrupted(t *testing.T) {
	w := newWorld(t)
	names := w.people(1000)
	end := w.runJobs()
	job, waiting := w.start(admin.Bulk{Do: "block", Users: names}), w.start(admin.Bulk{Do: "unblock", Users: names})
	w.until(job.ID, func(j admin.Job) bool { return j.State == admin.JobRunning })
	end()
	for _, id := range []string{job.ID, waiting.ID} {
		if got, err := w.Job(t.Context(), id); err != nil || got.State != admin.JobInterrupted {
			t.Errorf("job %s is %+v, %v; want interrupted", id, got, err)
		}
	}
	if _, err := w.StartBulk(t.Context(), by, admin.Bulk{Do: "block", Users: names[:1]}); !errors.Is(err, admin.ErrUnavailable) {
		t.Errorf("StartBulk without a daemon = %v, want ErrUnavailable", err)
	}
}

// TestAJobWhoseDaemonDiedIsInterrupted reads what a dead daemon left.
func TestAJobWhoseDaemonDiedIsInterrupted(t *testing.T) {
	w := newWorld(t)
	_, err := w.store.PutKept(t.Context(), directory.Kept{Space: "job", Key: "dead", Value: []byte(`{"id":"dead","do":"block","state":"running","total":9,"done":4,"actor":{"kind":"socket","name":"local"}}`)})
	if err != nil {
		t.Fatal(err)
	}
	if job, err := w.Job(t.Context(), "dead"); err != nil || job.State != admin.JobRunning {
		t.Errorf("just after = %+v, %v; want running", job, err)
	}
	w.now = w.now.Add(time.Minute)
	if job, err := w.Job(t.Context(), "dead"); err != nil || job.State != admin.JobInterrupted || job.Done != 4 {
		t.Errorf("a minute later = %+v, %v; want interrupted", job, err)
	}
}

func TestJobsAreSeenByWhomTheyConcern(t *testing.T) {
	w := newWorld(t)
	w.policy(catalogue)
	ids := map[string]directory.UserID{}
	for name, role := range map[string]directory.RoleName{"ann": "admin", "bob": "operator", "eve": "auditor"} {
		ids[name] = w.user(name)
		w.grantUser(name, admin.GrantSpec{Roles: []directory.RoleName{role}})
	}
	w.runJobs()
	w.start(admin.Bulk{Do: "block", Users: []string{"nobody"}})
	as := func(name string) context.Context {
		return admin.WithPrincipal(t.Context(), directory.Actor{Kind: directory.ActorUser, Name: string(ids[name])})
	}
	job, err := w.StartBulk(as("ann"), directory.Actor{Kind: directory.ActorUser, Name: string(ids["ann"])}, admin.Bulk{Do: "block", Users: []string{"bob"}})
	if err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]error{"ann": nil, "bob": directory.ErrNotFound, "eve": nil} {
		_, err := w.Job(as(name), job.ID)
		wantErr(t, "Job as "+name, err, want)
	}
	w.until(job.ID, over)
}

// BenchmarkPreviewOfMany previews a bulk edit of 10,000 users.
func BenchmarkPreviewOfMany(b *testing.B) {
	w := newWorld(b)
	w.policy(catalogue)
	names := w.people(10_000)
	srv := w.server(true)
	for name, bulk := range map[string]string{"grant": `"do":"grant","grants":[{"access":["part-list"]}]`, "block": `"do":"block"`} {
		b.Run(name, func(b *testing.B) {
			for b.Loop() {
				status, _, text := send(b, srv, "POST", "/api/v1/bulk?dry_run=true", `{`+bulk+`,"users":["`+strings.Join(names, `","`)+`"]}`)
				if status != 200 {
					b.Fatalf("preview = %d %.200s", status, text)
				}
			}
		})
	}
}

func TestWhoMayDoNothingToManyKeepsNoJobsWaiting(t *testing.T) {
	w := newWorld(t)
	w.user("ann")
	w.user("eve")
	defer w.runJobs()()
	for _, b := range []admin.Bulk{
		{Do: "block", Users: []string{"ann"}},
		{Do: "delete", Users: []string{"ann"}},
		{Do: "assign", Users: []string{"ann"}, Group: "local/x"},
		{Do: "grant", Users: []string{"ann"}, Grants: []admin.GrantSpec{{Access: []string{"x"}}}},
		{Do: "unblock", Groups: []string{"local/x"}},
		{Do: "delete", Groups: []string{"local/x"}},
	} {
		_, err := w.StartBulk(t.Context(), w.as("eve"), b)
		wantErr(t, b.Do, err, admin.ErrForbidden)
	}
}
