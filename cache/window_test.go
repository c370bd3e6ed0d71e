package cache

import (
	"testing"

	"pgregory.net/rapid"

	"github.com/usherd/usherd/directory"
)

func stamp(rev directory.Revision) directory.Stamp {
	return directory.Stamp{Revision: rev, Fingerprint: directory.Fingerprint(rev * 1000)}
}

func record(rev directory.Revision, keys ...directory.SubjectKey) directory.FeedRecord {
	return directory.FeedRecord{Stamp: stamp(rev), Keys: keys}
}

func TestWindowAdmits(t *testing.T) {
	w := newWindow(stamp(10), 100, 100)
	w.enter([]directory.FeedRecord{
		record(11, idKey("ann")),
		record(12, userName("bob"), idKey("bob")),
		record(13, directory.SubjectKey{Kind: directory.KeyExternal, Source: "okta", Value: "7"}),
	})
	one := func(id directory.UserID, rev directory.Revision) *directory.Subject {
		return &directory.Subject{Found: directory.One, ID: id, At: stamp(rev)}
	}
	external := func(source directory.SourceName) directory.SubjectKey {
		return directory.SubjectKey{Kind: directory.KeyExternal, Source: source, Value: "7"}
	}
	other := one("ann", 12)
	other.At.Fingerprint++
	tests := []struct {
		name string
		key  directory.SubjectKey
		sub  *directory.Subject
		want bool
	}{
		{"nothing touched it", userName("eve"), one("eve", 10), true},
		{"read at the revision that touched it", userName("ann"), one("ann", 11), true},
		{"read before its id was touched", userName("ann"), one("ann", 10), false},
		{"read before the asked key was touched", userName("bob"), one("eve", 11), false},
		{"read below the window", userName("eve"), one("eve", 9), false},
		{"read above the window", userName("eve"), one("eve", 14), false},
		{"read at its upper end", userName("ann"), one("ann", 13), true},
		{"of another history", userName("ann"), other, false},
		{"unknown, and still so", userName("zoe"), &directory.Subject{At: stamp(10)}, true},
		{"unknown, and then touched", userName("bob"), &directory.Subject{At: stamp(11)}, false},
		{"an external id belongs to its source", external("okta"), one("eve", 12), false},
		{"the same external id of another source", external("entra"), one("eve", 12), true},
		{"a userName belongs to no source", directory.SubjectKey{Kind: directory.KeyUserName, Source: "okta", Value: "bob"}, one("eve", 11), false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got := w.admits(tt.key, tt.sub); got != tt.want {
				t.Errorf("admits(%v, %+v) = %v, want %v", tt.key, tt.sub, got, tt.want)
			}
		})
	}
}

// Whatever a window has forgotten, it admits nothing that was touched later.
func TestWindowOverflowOnlyRefuses(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		keys, revs := rapid.IntRange(1, 8).Draw(t, "keys"), rapid.IntRange(1, 8).Draw(t, "revisions")
		w := newWindow(stamp(1), keys, revs)
		last := map[directory.SubjectKey]directory.Revision{}
		names := []string{"a", "b", "c", "d", "e"}
		upper := directory.Revision(1)
		for range rapid.IntRange(0, 20).Draw(t, "stretches") {
			var records []directory.FeedRecord
			for range rapid.IntRange(1, 4).Draw(t, "records") {
				upper++
				r := record(upper)
				for _, n := range rapid.SliceOfN(rapid.SampledFrom(names), 0, 4).Draw(t, "touched") {
					r.Keys = append(r.Keys, userName(n))
					last[userName(n)] = upper
				}
				records = append(records, r)
			}
			w.enter(records)
			if len(w.prints) > revs || len(w.order) > keys || len(w.last) > len(w.order) || w.upper() != upper {
				t.Fatalf("window [%d, %d] of %d prints, %d touches, %d keys; bounds %d and %d", w.lower, w.upper(), len(w.prints), len(w.order), len(w.last), revs, keys)
			}
			for _, n := range names {
				for rev := directory.Revision(0); rev <= upper+1; rev++ {
					got := w.admits(userName(n), &directory.Subject{At: stamp(rev)})
					want := rev >= w.lower && rev <= upper && last[userName(n)] <= rev
					if got != want {
						t.Fatalf("admits(%s at %d) = %v, want %v; last touched at %d, window [%d, %d]", n, rev, got, want, last[userName(n)], w.lower, upper)
					}
				}
			}
		}
	})
}

func TestOverflowThroughTheFollowerLosesNothing(t *testing.T) {
	m := ann()
	c := stopped(t, m, func(cfg *Config[*snap]) { cfg.WindowKeys, cfg.WindowRevisions = 2, 2 })
	step(t, c)
	want(t, c, "ann", true, Store)
	for range 10 {
		m.apply(func(e *edit) {
			for _, id := range []string{"u-1", "u-2", "u-3"} {
				e.setGroups(id, vault)
			}
		})
		step(t, c)
		want(t, c, "ann", true, Memory) // in memory an entry stays valid until it is dropped
	}
	m.apply(func(e *edit) { e.setGroups("u-ann") })
	step(t, c)
	want(t, c, "ann", false, Store)
}
