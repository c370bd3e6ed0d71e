package store_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/usherd/usherd/directory"
	"github.com/usherd/usherd/store"
)

var root = directory.Actor{Kind: "system", Name: "test"}

// A clock is set by hand.
type clock struct{ now time.Time }

func (c *clock) Now() time.Time { return c.now }

func apply(t testing.TB, s *store.Store, changes ...directory.Change) directory.Stamp {
	t.Helper()
	applied, err := s.Apply(t.Context(), root, changes...)
	if err != nil {
		t.Fatalf("Apply(%T…) = %v", changes[0], err)
	}
	return applied.Stamp
}

func createUser(name string) directory.CreateUser {
	return directory.CreateUser{
		ID: directory.UserID(directory.NewID()), Source: directory.Local,
		Profile: directory.Profile{UserName: name, Active: true, Emails: []directory.Email{{Value: name + "@corp.test"}}},
	}
}

func TestPruneForgetsWhatIsTooOld(t *testing.T) {
	for _, engine := range engines {
		t.Run(engine.name, func(t *testing.T) {
			c := &clock{now: time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)}
			s, err := store.Open(t.Context(), store.Config{DSN: engine.dsn(t), Now: c.Now, HistoryKeep: 30 * 24 * time.Hour})
			if err != nil {
				t.Fatal(err)
			}
			defer s.Close()
			pruneStory(t, s, c)
		})
	}
}

func pruneStory(t *testing.T, s *store.Store, c *clock) {
	day := 24 * time.Hour
	ann, bob := createUser("ann"), createUser("bob")
	group := directory.CreateGroup{ID: directory.GroupID(directory.NewID()), Source: directory.Local, Name: "eng"}
	apply(t, s, ann, bob, group)
	member := func(id directory.UserID) []string { return []string{string(id)} }
	old := apply(t, s, directory.AddMembers{Group: group.ID, Source: directory.Local, Values: member(ann.ID)})
	c.now = c.now.Add(20 * day)
	kept := apply(t, s,
		directory.RemoveMembers{Group: group.ID, Source: directory.Local, Values: member(ann.ID)},
		directory.AddMembers{Group: group.ID, Source: directory.Local, Values: member(bob.ID)})
	c.now = c.now.Add(20 * day)
	now := apply(t, s, directory.RemoveMembers{Group: group.ID, Source: directory.Local, Values: member(bob.ID)})
	key := func(id directory.UserID) directory.SubjectKey {
		return directory.SubjectKey{Kind: directory.KeyID, Value: string(id)}
	}
	if sub, err := s.Subject(t.Context(), key(ann.ID), old); err != nil || len(sub.Memberships) != 1 {
		t.Fatalf("before: Subject(ann, %s) = %+v, %v; want one group", old, sub, err)
	}
	facts, err := s.Facts(t.Context(), 0)
	if err != nil {
		t.Fatal(err)
	}
	for range 2 { // again alters nothing
		if err := s.Prune(t.Context()); err != nil {
			t.Fatalf("Prune = %v", err)
		}
	}
	if sub, err := s.Subject(t.Context(), key(ann.ID), directory.Stamp{Revision: 1, Fingerprint: 1}); !errors.Is(err, directory.ErrHistoryLost) {
		t.Errorf("Subject at another history's 1 = %+v, %v; want ErrHistoryLost", sub, err)
	}
	first, err := s.Audit(t.Context(), 0, 1)
	if err != nil || len(first) != 1 {
		t.Fatalf("Audit = %v, %v; want the record of revision 1: the trail stays", first, err)
	}
	begin := directory.Stamp{Revision: 1, Fingerprint: directory.FingerprintOf([32]byte(first[0].Hash))}
	if sub, err := s.Subject(t.Context(), key(ann.ID), begin); !errors.Is(err, directory.ErrHistoryExpired) {
		t.Errorf("Subject at %s = %+v, %v; want ErrHistoryExpired", begin, sub, err)
	}
	if _, err := s.Facts(t.Context(), begin.Revision); !errors.Is(err, directory.ErrHistoryExpired) {
		t.Errorf("Facts(%d) = %v, want ErrHistoryExpired", begin.Revision, err)
	}
	if h, err := s.Head(t.Context(), begin); err != nil || !h.Known || h.Stamp != now {
		t.Errorf("Head(%s) = %+v, %v; want it known still", begin, h, err)
	}
	if _, err := s.Stretch(t.Context(), begin, 10); !errors.Is(err, directory.ErrHistoryLost) {
		t.Errorf("Stretch(%s), older than the feed = %v, want ErrHistoryLost", begin, err)
	}
	if sub, err := s.Subject(t.Context(), key(bob.ID), kept); err != nil || len(sub.Memberships) != 1 {
		t.Errorf("Subject(bob, %s), which is kept = %+v, %v; want one group", kept, sub, err)
	}
	again, err := s.Facts(t.Context(), 0)
	if d := cmp.Diff(facts, again, cmpopts.EquateEmpty()); err != nil || d != "" {
		t.Errorf("facts of the head after Prune: %v (-before +after):\n%s", err, d)
	}
}

func TestPruneForgetsOldLogs(t *testing.T) {
	for _, engine := range engines {
		t.Run(engine.name, func(t *testing.T) {
			c := &clock{now: time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)}
			s, err := store.Open(t.Context(), store.Config{DSN: engine.dsn(t), Now: c.Now, LogKeep: time.Hour})
			if err != nil {
				t.Fatal(err)
			}
			defer s.Close()
			for _, at := range []time.Time{c.now.Add(-2 * time.Hour), c.now} {
				err := errors.Join(
					s.LogRequests(t.Context(), directory.Request{ID: "r", Source: "okta", Time: at}),
					s.PutRun(t.Context(), directory.Run{ID: at.String(), Source: "corp", Started: at}))
				if err != nil {
					t.Fatal(err)
				}
			}
			if err := s.Prune(t.Context()); err != nil {
				t.Fatal(err)
			}
			requests, err1 := s.Requests(t.Context(), "", 10)
			runs, err2 := s.Runs(t.Context(), "", 10)
			if err := errors.Join(err1, err2); err != nil || len(requests) != 1 || len(runs) != 1 || !requests[0].Time.Equal(c.now) {
				t.Errorf("after Prune: %+v and %+v, %v; want one of each, of now", requests, runs, err)
			}
		})
	}
}

func TestPruneForgetsExpiredRecords(t *testing.T) {
	for _, engine := range engines {
		t.Run(engine.name, func(t *testing.T) {
			c := &clock{now: time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)}
			s, err := store.Open(t.Context(), store.Config{DSN: engine.dsn(t), Now: c.Now})
			if err != nil {
				t.Fatal(err)
			}
			defer s.Close()
			put := func(key string, expires time.Time) int64 {
				t.Helper()
				k, err := s.PutKept(t.Context(), directory.Kept{Space: "session", Key: key, Value: []byte(`1`), Expires: expires})
				if err != nil {
					t.Fatal(err)
				}
				return k.Version
			}
			put("hour", c.now.Add(time.Hour))
			put("day", c.now.Add(24*time.Hour))
			put("ever", time.Time{})
			c.now = c.now.Add(2 * time.Hour)
			if err := s.Prune(t.Context()); err != nil {
				t.Fatal(err)
			}
			if all, err := s.ListKept(t.Context(), "session", "", 10); err != nil || len(all) != 2 || all[0].Key != "day" {
				t.Errorf("ListKept after Prune = %+v, %v; want day and ever", all, err)
			}
			if v := put("hour", time.Time{}); v != 1 {
				t.Errorf("the pruned record comes back with version %d, want 1: its row is gone", v)
			}
		})
	}
}

func TestPruneForgetsOldAuditRecords(t *testing.T) {
	for _, engine := range engines {
		t.Run(engine.name, func(t *testing.T) {
			c := &clock{now: time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)}
			day := 24 * time.Hour
			s, err := store.Open(t.Context(), store.Config{DSN: engine.dsn(t), Now: c.Now, HistoryKeep: 30 * day, AuditKeep: 60 * day})
			if err != nil {
				t.Fatal(err)
			}
			defer s.Close()
			apply(t, s, createUser("ann"))
			last := apply(t, s, createUser("bob"))
			c.now = c.now.Add(50 * day)
			kept := apply(t, s, createUser("cleo"))
			first := func() directory.Revision {
				t.Helper()
				if err := s.Prune(t.Context()); err != nil {
					t.Fatal(err)
				}
				records, err := s.Audit(t.Context(), 0, 1)
				if err != nil || len(records) != 1 {
					t.Fatalf("Audit = %v, %v", records, err)
				}
				return records[0].Revision
			}
			if got := first(); got != 1 {
				t.Errorf("after 50 days the first record is %d, want all", got)
			}
			c.now = c.now.Add(11 * day)
			if got := first(); got != last.Revision { // which can be decided as of, and needs its fingerprint
				t.Errorf("after 61 days the first record is %d, want %d", got, last.Revision)
			}
			times, oldest, err := s.TimesOf(t.Context(), last.Revision-1, kept.Revision)
			if err != nil || len(times) != 1 || times[kept.Revision].IsZero() || oldest.IsZero() || !oldest.Before(times[kept.Revision]) {
				t.Errorf("TimesOf = %v, %s, %v; want the newer one, and the time of the oldest record", times, oldest, err)
			}
			records, err := s.Audit(t.Context(), kept.Revision, 10)
			if want := `"type":"audit.pruned","target":"1"`; err != nil || len(records) != 1 || !strings.Contains(string(records[0].Changes), want) {
				t.Errorf("the record after is %v, %v; want %s", records, err, want)
			}
			if got := first(); got != last.Revision {
				t.Errorf("pruned twice, the first record is %d, want %d", got, last.Revision)
			}
			if again, err := s.Audit(t.Context(), kept.Revision, 10); err != nil || len(again) != 1 {
				t.Errorf("pruning what is pruned left %v, %v; want no other record", again, err)
			}
			for at, want := range map[time.Time]directory.Revision{
				c.now: kept.Revision + 1, c.now.Add(-5 * day): kept.Revision, c.now.Add(-20 * day): last.Revision,
			} {
				if got, err := s.RevisionAt(t.Context(), at); err != nil || got != want {
					t.Errorf("RevisionAt(%v) = %d, %v; want %d", at, got, err, want)
				}
			}
		})
	}
}
