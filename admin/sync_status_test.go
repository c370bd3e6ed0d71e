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

// TestTheLastRunThatTellsIsLookedForFurtherBack: however few runs are asked for,
// one that was cancelled or is under way hides nothing.
func TestTheLastRunThatTellsIsLookedForFurtherBack(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.apply(directory.PutSource{Source: directory.Source{Name: "corp", Kind: directory.KindLDAP, State: directory.SourceActive, Settings: []byte("{}")}})
	n := 0
	ran := func(results ...directory.RunResult) {
		for _, r := range results {
			n++
			at := w.now.Add(time.Duration(n) * time.Minute)
			w.keepRun(directory.Run{ID: fmt.Sprintf("run%03d", n), Source: "corp", Started: at, Ended: at, Result: r})
		}
	}
	status := func(runs int) admin.SyncStatus {
		all, err := w.SyncStatus(admin.WithPrincipal(t.Context(), by), "corp", runs)
		if err != nil || len(all) != 1 {
			t.Fatalf("SyncStatus = %v, %v", all, err)
		}
		return all[0]
	}
	if s := status(1); s.Telling != nil || s.Last != nil || s.AllCancelled() {
		t.Errorf("without runs: %+v", s)
	}
	ran(directory.RunRunning)
	if s := status(2); s.Telling != nil || s.AllCancelled() {
		t.Errorf("with a first run under way: %+v", s)
	}
	n = 0
	ran(directory.RunCancelled, directory.RunCancelled, directory.RunRunning)
	if s := status(2); s.Telling != nil || !s.AllCancelled() {
		t.Errorf("with cancelled runs and one under way: %+v", s)
	}
	ran(directory.RunApplied, directory.RunFailed)
	for range 20 {
		ran(directory.RunCancelled)
	}
	ran(directory.RunRunning)
	for _, runs := range []int{1, 2, 5, 50} {
		s := status(runs)
		if s.Telling == nil || s.Telling.Result != directory.RunFailed || s.Last.Result != directory.RunRunning || len(s.Runs) > runs || s.AllCancelled() {
			t.Errorf("of %d runs: telling %+v, last %+v, %d runs", runs, s.Telling, s.Last, len(s.Runs))
		}
	}
	if a := call(t, w.server(true), http.MethodGet, "/api/v1/sync?runs=1", ""); !strings.Contains(fmt.Sprint(a.body), "telling:map[") {
		t.Errorf("the API lists %v", a.body)
	}
}
