package admin_test

import (
	"errors"
	"fmt"
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
