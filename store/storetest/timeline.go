package storetest

import (
	"testing"
	"time"

	"github.com/usherd/usherd/directory"
)

var timelineCases = []testCase{
	{"a time has the last revision made up to it", testRevisionAt},
	{"what was never pruned can be read from the beginning", testHorizon},
}

func testRevisionAt(t *testing.T, s directory.Store) {
	f := fill(t, s)
	for _, name := range []string{"ann", "bob", "cid", "dan"} {
		f.user(okta, name)
	}
	records, err := s.Audit(t.Context(), 0, 100)
	if err != nil || len(records) != int(f.head().Revision) {
		t.Fatalf("Audit = %d records, %v; want %d", len(records), err, f.head().Revision)
	}
	at := func(when time.Time, want directory.Revision) {
		t.Helper()
		if got, err := s.RevisionAt(t.Context(), when); err != nil || got != want {
			t.Errorf("RevisionAt(%s) = %d, %v; want %d", when.Format(time.RFC3339Nano), got, err, want)
		}
	}
	for i, r := range records {
		last := r.Revision
		for _, later := range records[i:] {
			if later.Time.Equal(r.Time) {
				last = later.Revision
			}
		}
		at(r.Time, last)
		at(r.Time.Add(time.Millisecond-1), last)
	}
	at(records[0].Time.Add(-1), 0)
	at(time.Time{}, 0)
	at(time.Now().Add(time.Hour), f.head().Revision)
}

func testHorizon(t *testing.T, s directory.Store) {
	fill(t, s)
	if got, err := s.Horizon(t.Context()); err != nil || got != 0 {
		t.Errorf("Horizon = %d, %v; want 0", got, err)
	}
}
