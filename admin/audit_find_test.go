package admin_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/usherd/usherd/admin"
	"github.com/usherd/usherd/directory"
)

// auditWorld holds five users made by the command line and one group made by
// somebody else, an hour apart.
func auditWorld(t *testing.T) (*world, []directory.UserID, directory.Revision) {
	t.Helper()
	w := newWorld(t)
	var ids []directory.UserID
	for i := range 5 {
		ids = append(ids, w.user(fmt.Sprintf("user%d@example.com", i)))
	}
	head, err := w.store.Head(t.Context(), directory.Stamp{})
	if err != nil {
		t.Fatal(err)
	}
	other := directory.Actor{Kind: directory.ActorToken, Name: "deploy", Token: "tok1", Request: "run-7"}
	if _, err := w.store.Apply(t.Context(), other, directory.SetBlock{User: ids[0], Blocked: true, Reason: "left"}); err != nil {
		t.Fatal(err)
	}
	return w, ids, head.Stamp.Revision
}

func TestFindAuditNarrowsByEachFilter(t *testing.T) {
	w, ids, _ := auditWorld(t)
	for name, c := range map[string]struct {
		q    admin.AuditQuery
		want int
	}{
		"by the name of the actor":           {admin.AuditQuery{Actor: "Deploy"}, 1},
		"by the token of the actor":          {admin.AuditQuery{Actor: "tok1"}, 1},
		"by the kind of the actor":           {admin.AuditQuery{Actor: "socket", Action: "user.created"}, 5},
		"by the request":                     {admin.AuditQuery{Request: "run-7"}, 1},
		"by the target":                      {admin.AuditQuery{Target: string(ids[0])}, 2},
		"by target and action":               {admin.AuditQuery{Target: string(ids[0]), Action: "user.created"}, 1},
		"by a time before everything":        {admin.AuditQuery{To: time.Now().Add(-time.Hour)}, 0},
		"by a time after everything":         {admin.AuditQuery{From: time.Now().Add(-time.Hour), Action: "user.created"}, 5},
		"by a time that is yet to come":      {admin.AuditQuery{From: time.Now().Add(time.Hour)}, 0},
		"by an end that is yet to come":      {admin.AuditQuery{To: time.Now().Add(time.Hour), Action: "user.created"}, 5},
		"by nobody who ever acted":           {admin.AuditQuery{Actor: "nobody"}, 0},
		"not by a part of a target's id":     {admin.AuditQuery{Target: string(ids[0])[:8]}, 0},
		"by what begins like several things": {admin.AuditQuery{Action: "user."}, 6},
	} {
		t.Run(name, func(t *testing.T) {
			page, err := w.FindAudit(t.Context(), c.q)
			if err != nil || len(page.Items) != c.want {
				t.Errorf("FindAudit(%+v) = %d records, %v; want %d", c.q, len(page.Items), err, c.want)
			}
		})
	}
}

func TestFindAuditPagesAreTheWholeOnceNewestFirst(t *testing.T) {
	w, _, _ := auditWorld(t)
	all, err := w.FindAudit(t.Context(), admin.AuditQuery{})
	if err != nil || all.Next != 0 {
		t.Fatalf("FindAudit = next %d, %v", all.Next, err)
	}
	var got []directory.Revision
	for q := (admin.AuditQuery{Limit: 2}); ; {
		page, err := w.FindAudit(t.Context(), q)
		if err != nil {
			t.Fatal(err)
		}
		for _, r := range page.Items {
			got = append(got, r.Revision)
		}
		if page.Next == 0 {
			break
		}
		q.Before = page.Next
	}
	if len(got) != len(all.Items) {
		t.Fatalf("pages hold %d records, the whole %d", len(got), len(all.Items))
	}
	for i, r := range all.Items {
		if got[i] != r.Revision || i > 0 && got[i] >= got[i-1] {
			t.Errorf("record %d of the pages is %d, of the whole %d", i, got[i], r.Revision)
		}
	}
}

func TestFindAuditNeedsAuditRead(t *testing.T) {
	w, ids, revision := auditWorld(t)
	nobody := admin.WithPrincipal(t.Context(), directory.Actor{Kind: directory.ActorUser, Name: string(ids[1])})
	if _, err := w.FindAudit(nobody, admin.AuditQuery{}); !errors.Is(err, admin.ErrForbidden) {
		t.Errorf("FindAudit of a user without rights = %v; want ErrForbidden", err)
	}
	if _, err := w.AuditRecord(nobody, revision); !errors.Is(err, admin.ErrForbidden) {
		t.Errorf("AuditRecord of a user without rights = %v; want ErrForbidden", err)
	}
	if got, err := w.AuditRecord(t.Context(), revision); err != nil || got.Revision != revision {
		t.Errorf("AuditRecord(%d) = %d, %v", revision, got.Revision, err)
	}
	if _, err := w.AuditRecord(t.Context(), revision+100); !errors.Is(err, directory.ErrNotFound) {
		t.Errorf("AuditRecord of the future = %v; want ErrNotFound", err)
	}
}

func TestWhatIsNoFactIsAuditedToo(t *testing.T) {
	w := newWorld(t)
	srv := w.server(true)
	created := call(t, srv, "POST", "/api/v1/webhooks", `{"url":"https://hooks.example.com/x","events":["user.deactivated"]}`)
	id, _ := created.body["id"].(string)
	if id == "" {
		t.Fatalf("POST /webhooks = %d %v", created.status, created.body)
	}
	for _, step := range []struct{ method, path, body string }{
		{"POST", "/rotate", ``},
		{"POST", "/rotate?dry_run=true", ``},
		{"POST", "/state", `{"state":"disabled"}`},
		{"POST", "/state", `{"state":"active"}`},
		{"POST", "/test", ``},
		{"DELETE", "", ``},
	} {
		if a := call(t, srv, step.method, "/api/v1/webhooks/"+id+step.path, step.body); a.status >= 300 {
			t.Fatalf("%s %s = %d %v", step.method, step.path, a.status, a.body)
		}
	}
	if status, _, text := send(t, srv, "GET", "/api/v1/users?q=ann&format=csv", ""); status != 200 {
		t.Fatalf("an export = %d %s", status, text)
	}
	for action, want := range map[string]int{
		"webhook.created": 1, "webhook.rotated": 1, "webhook.disabled": 1, "webhook.enabled": 1, "webhook.tested": 1, "webhook.deleted": 1, "webhook.": 6,
	} {
		if page, err := w.FindAudit(t.Context(), admin.AuditQuery{Action: action, Target: id}); err != nil || len(page.Items) != want {
			t.Errorf("%d audit records of %s, %v; want %d", len(page.Items), action, err, want)
		}
	}
	page, err := w.FindAudit(t.Context(), admin.AuditQuery{Action: "export.read", Target: "users"})
	if err != nil || len(page.Items) != 1 || string(page.Items[0].Changes) == "" || strings.Contains(string(page.Items[0].Changes), "ann") {
		t.Errorf("the export left %v, %v; want one record that names no value of a filter", page.Items, err)
	}
	if v, err := w.VerifyAudit(t.Context()); err != nil || !v.OK {
		t.Errorf("VerifyAudit = %+v, %v", v, err)
	}
}
