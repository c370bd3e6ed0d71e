package admin_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/usherd/usherd/admin"
	"github.com/usherd/usherd/directory"
)

func (w *world) keepRun(r directory.Run) {
	w.t.Helper()
	if err := w.store.PutRun(w.t.Context(), r); err != nil {
		w.t.Fatal(err)
	}
}

func TestARunUnderWayIsCancelled(t *testing.T) {
	w := newWorld(t)
	w.apply(directory.PutSource{Source: directory.Source{Name: "corp", Kind: directory.KindLDAP, State: directory.SourceActive, Settings: []byte("{}")}})
	w.source("okta", "")
	cancel := func(name directory.SourceName, run string) (admin.SyncRun, error) {
		return w.CancelSync(t.Context(), by, name, run)
	}
	_, err := cancel("okta", "")
	wantErr(t, "CancelSync of a scim source", err, directory.ErrInvalid)
	_, err = cancel("corp", "")
	wantErr(t, "CancelSync without a run", err, directory.ErrNotFound)

	run := directory.Run{ID: "one", Source: "corp", Started: w.now, Result: directory.RunRunning}
	w.keepRun(run)
	_, err = cancel("corp", "another")
	wantErr(t, "CancelSync of another run", err, directory.ErrNotFound)
	if who, err := w.Cancelled(t.Context(), "one"); who != "" || err != nil {
		t.Errorf("Cancelled = %q, %v; nobody has", who, err)
	}

	// whoever runs it hears of it, wherever that is, and ends it
	ended := make(chan error, 1)
	go func() {
		look := time.NewTicker(5 * time.Millisecond)
		defer look.Stop()
		for range look.C {
			who, err := w.Cancelled(t.Context(), "one")
			if who == "" && err == nil {
				continue
			}
			run.Result, run.Ended, run.CancelledBy = directory.RunCancelled, w.now.Add(time.Minute), who
			if err == nil {
				err = w.store.PutRun(t.Context(), run)
			}
			ended <- err
			return
		}
	}()
	got, err := cancel("corp", "one")
	if err != nil || got.Result != directory.RunCancelled || got.CancelledBy != "socket:local" {
		t.Errorf("CancelSync = %+v, %v", got, err)
	}
	if err := <-ended; err != nil {
		t.Error(err)
	}
	_, err = cancel("corp", "one")
	wantErr(t, "CancelSync of a run that has ended", err, directory.ErrNotFound)

	heads, err := w.FindAuditHeads(t.Context(), admin.AuditQuery{Action: "sync.cancelled", Limit: 10})
	if err != nil || len(heads.Items) != 1 || heads.Items[0].Actor.Name != by.Name {
		t.Errorf("the audit trail has %+v, %v; want it once", heads.Items, err)
	}
	if wrong, err := w.SourceErrors(t.Context(), "corp"); err != nil || len(wrong) != 0 {
		t.Errorf("SourceErrors = %+v, %v; a cancelled run is none", wrong, err)
	}
	srv := w.server(true)
	if a := call(t, srv, http.MethodPost, "/api/v1/sources/corp/cancel", `{"run":"one"}`); a.status != http.StatusNotFound {
		t.Errorf("the API answers %d %v", a.status, a.body)
	}
	if a := call(t, srv, http.MethodGet, "/api/v1/sync?source=corp", ""); !strings.Contains(fmt.Sprint(a.body), "cancelled_by:socket:local") {
		t.Errorf("the API lists %v", a.body)
	}
}
