package console_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/usherd/usherd/directory"
)

// TestCancelledRunsHideNothing: the head of every page tells of the last run that
// tells, and is never content with runs that were only cancelled.
func TestCancelledRunsHideNothing(t *testing.T) {
	t.Parallel()
	w := newTown(t)
	w.apply(directory.PutSource{Source: directory.Source{Name: "corp", Kind: directory.KindLDAP, State: directory.SourceActive, Settings: []byte("{}")}})
	begun := time.Now().Add(-time.Hour)
	n := 0
	ran := func(r directory.RunResult, times int) {
		for range times {
			n++
			at := begun.Add(time.Duration(n) * time.Second)
			must(t, w.store.PutRun(t.Context(), directory.Run{ID: fmt.Sprintf("run%03d", n), Source: "corp", Started: at, Ended: at, Result: r}))
		}
	}
	owner := w.signedIn(w.owner)
	for _, c := range []struct {
		result directory.RunResult
		times  int
		words  string
		health string // of the source
	}{
		{directory.RunCancelled, 6, "Sync cancelled", "Cancelled"},
		{directory.RunRunning, 1, "Sync cancelled", "Cancelled"},
		{directory.RunApplied, 1, "Sync OK", "OK"},
		{directory.RunFailed, 1, "Sync fails", "Degraded"},
		{directory.RunCancelled, 25, "Sync fails", "Degraded"},
		{directory.RunRunning, 1, "Sync fails", "Degraded"},
	} {
		ran(c.result, c.times)
		page := fetched(t, owner, w.url+"/sources?state="+c.health)
		if !strings.Contains(page, c.words) || !strings.Contains(page, `href="/sources/corp"`) {
			t.Errorf("after %d times %s the page does not say %q and %q", c.times, c.result, c.words, c.health)
		}
	}
}
