package cache

import (
	"hash/maphash"
	"sync"

	"github.com/usherd/usherd/directory"
)

// A window remembers, for the last revisions of one history, their
// fingerprints and the keys that they touched. It decides whether what was read
// at a stamp still holds at the window's upper end.
//
// Keys are remembered as 64-bit hashes under a seed of the process. Two keys
// that share a hash share their last change, which can only refuse.
type window struct {
	seed    maphash.Seed
	maxKeys int
	maxRevs int

	// mu makes the follower's entering and dropping one step for everybody who
	// tests and puts. The follower writes; testers hold it for reading, also
	// while they put into memory.
	mu     sync.RWMutex
	lower  directory.Revision            // the first revision whose fingerprint is known
	prints []directory.Fingerprint       // of lower, lower+1, …; never empty
	last   map[uint64]directory.Revision // the last change of a key
	order  []touch                       // what last holds and held, ascending
}

// A touch is one key that one revision touched.
type touch struct {
	key uint64
	rev directory.Revision
}

func newWindow(start directory.Stamp, maxKeys, maxRevs int) *window {
	return &window{
		seed:    maphash.MakeSeed(),
		maxKeys: maxKeys,
		maxRevs: maxRevs,
		lower:   start.Revision,
		prints:  []directory.Fingerprint{start.Fingerprint},
		last:    map[uint64]directory.Revision{},
	}
}

// upper is the last revision of the window. The caller holds mu.
func (w *window) upper() directory.Revision {
	return w.lower + directory.Revision(len(w.prints)) - 1
}

// hash names a key in the window. Only external ids belong to a source.
func (w *window) hash(key directory.SubjectKey) uint64 {
	return maphash.Comparable(w.seed, normal(key))
}

// enter remembers the keys of records, which continue the window, and moves
// its upper end. The caller holds mu for writing, and drops the keys from
// memory before it lets go.
func (w *window) enter(records []directory.FeedRecord) {
	for _, r := range records {
		for _, key := range r.Keys {
			h := w.hash(key)
			w.last[h] = r.Stamp.Revision
			w.order = append(w.order, touch{h, r.Stamp.Revision})
		}
		w.prints = append(w.prints, r.Stamp.Fingerprint)
	}
	w.trim()
}

// trim moves the lower end up until the window is within its bounds, and then
// forgets the changes below it. A key touched at the lower end may be forgotten:
// whatever was read there saw the touch.
func (w *window) trim() {
	lower := w.lower
	if over := len(w.prints) - w.maxRevs; over > 0 {
		lower += directory.Revision(over)
	}
	if over := len(w.order) - w.maxKeys; over > 0 {
		lower = max(lower, w.order[over-1].rev)
	}
	w.prints = w.prints[lower-w.lower:]
	w.lower = lower
	n := 0
	for ; n < len(w.order) && w.order[n].rev <= lower; n++ {
		if t := w.order[n]; w.last[t.key] == t.rev {
			delete(w.last, t.key)
		}
	}
	w.order = w.order[n:]
}

// knows reports whether s is a point of the window's history that lies inside
// the window. The caller holds mu.
func (w *window) knows(s directory.Stamp) bool {
	return s.Revision >= w.lower && s.Revision <= w.upper() && w.prints[s.Revision-w.lower] == s.Fingerprint
}

// admits reports whether sub, which key led to, still holds at the window's
// upper end. The caller holds mu.
func (w *window) admits(key directory.SubjectKey, sub *directory.Subject) bool {
	if !w.knows(sub.At) || w.last[w.hash(key)] > sub.At.Revision {
		return false
	}
	return sub.Found != directory.One || w.last[w.hash(idKey(sub.ID))] <= sub.At.Revision
}

// relation says how a stamp lies to a window.
type relation uint8

const (
	inside relation = iota // a point of the window's history
	above                  // later than all that the window knows
	below                  // too old for the window to tell
	apart                  // a point of another history
)

func (w *window) relate(s directory.Stamp) relation {
	w.mu.RLock()
	defer w.mu.RUnlock()
	switch {
	case s.Revision > w.upper():
		return above
	case s.Revision < w.lower:
		return below
	case w.knows(s):
		return inside
	}
	return apart
}

// normal gives a key the form in which it is compared: only an external id
// belongs to a source.
func normal(key directory.SubjectKey) directory.SubjectKey {
	if key.Kind != directory.KeyExternal {
		key.Source = ""
	}
	return key
}

func idKey(id directory.UserID) directory.SubjectKey {
	return directory.SubjectKey{Kind: directory.KeyID, Value: string(id)}
}
