package storetest

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/usherd/usherd/directory"
)

var keptCases = []testCase{
	{"a kept record is written over its own version only", testKeptVersion},
	{"kept records are listed by key, space by space", testKeptList},
	{"a kept record that has expired is none", testKeptExpires},
	{"of many that drop or begin a kept record one succeeds", testKeptOnce},
	{"a kept record must be small JSON under a name", testKeptChecks},
	{"kept records make no revision", testKeptIsNoFact},
}

func session(key, value string) directory.Kept {
	return directory.Kept{Space: "session", Key: key, Value: json.RawMessage(value)}
}

// put keeps a record, which must succeed.
func (f fixture) put(k directory.Kept) directory.Kept {
	f.Helper()
	kept, err := f.PutKept(f.Context(), k)
	if err != nil {
		f.Fatalf("PutKept(%s, %s) = %v", k.Space, k.Key, err)
	}
	return kept
}

func testKeptVersion(t *testing.T, s directory.Store) {
	f := fixture{t, s}
	first := f.put(session("a", `{"n":1}`))
	if first.Version != 1 || first.Modified.IsZero() {
		t.Errorf("PutKept of a new record = %+v, want version 1 and a time", first)
	}
	next := first
	next.Value, next.Expires = json.RawMessage(`{"n":2}`), time.Now().Add(time.Hour)
	second := f.put(next)
	if second.Version != 2 {
		t.Errorf("PutKept over version 1 = %+v, want version 2", second)
	}
	for name, stale := range map[string]directory.Kept{
		"an old version": first, "none": session("a", `{}`), "a version to come": {Space: "session", Key: "a", Value: first.Value, Version: 9},
		"a record that is not there": {Space: "session", Key: "b", Value: first.Value, Version: 1},
	} {
		if _, err := s.PutKept(t.Context(), stale); !errors.Is(err, directory.ErrVersion) {
			t.Errorf("PutKept over %s = %v, want ErrVersion", name, err)
		}
	}
	got, err := s.Kept(t.Context(), "session", "a")
	if d := diff(second, got); err != nil || d != "" {
		t.Errorf("Kept: %v (-want +got):\n%s", err, d)
	}
	for _, key := range []string{"b", "", "\xff", "a\x00"} {
		if _, err := s.Kept(t.Context(), "session", key); !errors.Is(err, directory.ErrNotFound) {
			t.Errorf("Kept(%q) = %v, want ErrNotFound", key, err)
		}
	}
}

func testKeptList(t *testing.T, s directory.Store) {
	f := fixture{t, s}
	for _, key := range []string{"c", "a", "B", "b", "ä"} {
		f.put(session(key, `1`))
	}
	f.put(directory.Kept{Space: "job", Key: "b", Value: json.RawMessage(`2`)})
	keys := func(after string, limit int) string {
		t.Helper()
		all, err := s.ListKept(t.Context(), "session", after, limit)
		if err != nil {
			t.Fatal(err)
		}
		var out []string
		for _, k := range all {
			if k.Space != "session" || string(k.Value) != "1" || k.Version != 1 {
				t.Errorf("ListKept has %+v", k)
			}
			out = append(out, k.Key)
		}
		return strings.Join(out, " ")
	}
	for _, tt := range []struct {
		after string
		limit int
		want  string
	}{{"", 10, "B a b c ä"}, {"", 2, "B a"}, {"a", 2, "b c"}, {"c", 5, "ä"}, {"ä", 5, ""}, {"", 0, ""}} {
		if got := keys(tt.after, tt.limit); got != tt.want {
			t.Errorf("ListKept(after %q, %d) has %q, want %q", tt.after, tt.limit, got, tt.want)
		}
	}
}

func testKeptExpires(t *testing.T, s directory.Store) {
	f := fixture{t, s}
	old := session("a", `1`)
	old.Expires = time.Now().Add(-time.Second)
	old = f.put(old)
	if _, err := s.Kept(t.Context(), "session", "a"); !errors.Is(err, directory.ErrNotFound) {
		t.Errorf("Kept of an expired record = %v, want ErrNotFound", err)
	}
	if all, err := s.ListKept(t.Context(), "session", "", 10); err != nil || len(all) != 0 {
		t.Errorf("ListKept = %+v, %v; want none", all, err)
	}
	if err := s.DropKept(t.Context(), "session", "a"); !errors.Is(err, directory.ErrNotFound) {
		t.Errorf("DropKept of an expired record = %v, want ErrNotFound", err)
	}
	if _, err := s.PutKept(t.Context(), old); !errors.Is(err, directory.ErrVersion) {
		t.Errorf("PutKept over an expired version = %v, want ErrVersion", err)
	}
	again := f.put(session("a", `2`))
	if again.Version <= old.Version {
		t.Errorf("a record in place of an expired one has version %d after %d", again.Version, old.Version)
	}
	if got, err := s.Kept(t.Context(), "session", "a"); err != nil || string(got.Value) != "2" || !got.Expires.IsZero() {
		t.Errorf("Kept = %+v, %v; want the new record, without an end", got, err)
	}
}

func testKeptOnce(t *testing.T, s directory.Store) {
	f := fixture{t, s}
	count := func(do func() error) int32 {
		var done atomic.Int32
		var wg sync.WaitGroup
		for range 8 {
			wg.Go(func() {
				if do() == nil {
					done.Add(1)
				}
			})
		}
		wg.Wait()
		return done.Load()
	}
	if n := count(func() error { _, err := s.PutKept(t.Context(), session("link", `1`)); return err }); n != 1 {
		t.Errorf("%d of 8 began one record", n)
	}
	kept, err := s.Kept(t.Context(), "session", "link")
	if err != nil {
		t.Fatal(err)
	}
	if n := count(func() error { _, err := s.PutKept(t.Context(), kept); return err }); n != 1 {
		t.Errorf("%d of 8 wrote over one version", n)
	}
	if n := count(func() error { return s.DropKept(t.Context(), "session", "link") }); n != 1 {
		t.Errorf("%d of 8 dropped one record", n)
	}
	f.put(session("link", `2`))
}

func testKeptChecks(t *testing.T, s directory.Store) {
	large := json.RawMessage(`"` + strings.Repeat("x", directory.MaxKept-2) + `"`)
	fixture{t, s}.put(directory.Kept{Space: "job", Key: "large", Value: large})
	for name, k := range map[string]directory.Kept{
		"no space":           {Key: "a", Value: json.RawMessage(`1`)},
		"no key":             {Space: "job", Value: json.RawMessage(`1`)},
		"no value":           {Space: "job", Key: "a"},
		"a value not JSON":   {Space: "job", Key: "a", Value: json.RawMessage(`{`)},
		"a value too large":  {Space: "job", Key: "a", Value: json.RawMessage(fmt.Sprintf(`"x%s`, large[1:]))},
		"a key not text":     {Space: "job", Key: "\xff", Value: json.RawMessage(`1`)},
		"a negative version": {Space: "job", Key: "a", Value: json.RawMessage(`1`), Version: -1},
	} {
		if _, err := s.PutKept(t.Context(), k); !errors.Is(err, directory.ErrInvalid) {
			t.Errorf("PutKept with %s = %v, want ErrInvalid", name, err)
		}
	}
}

func testKeptIsNoFact(t *testing.T, s directory.Store) {
	f := fill(t, s)
	before := f.head()
	f.put(session("a", `1`))
	if err := s.DropKept(t.Context(), "session", "a"); err != nil {
		t.Fatal(err)
	}
	if h, err := s.Head(t.Context(), before); err != nil || h.Stamp != before {
		t.Errorf("Head after keeping a record = %+v, %v; want %s", h, err, before)
	}
}
