package cache

import (
	"time"

	"github.com/usherd/usherd/directory"
)

// A View is what one replica knew at one revision. Views are immutable: a check
// takes one and uses nothing else.
type View[S any] struct {
	Stamp    directory.Stamp
	Snapshot S // of policy and groups, at Stamp

	window *window       // of the history, shared with the views before and after
	memory *subjects     // likewise
	sent   time.Duration // when the head was asked that this view has reached
	next   chan struct{} // closed when a later view is published
}

// contains reports whether s is a point of the view's history, not later than
// the view.
func (v *View[S]) contains(s directory.Stamp) bool {
	return s.Revision <= v.Stamp.Revision && v.window.relate(s) == inside
}

// admit keeps sub in memory if it still holds, and reports whether it does. No
// key is entered in the window or dropped from memory meanwhile.
func (v *View[S]) admit(key directory.SubjectKey, sub *directory.Subject) bool {
	v.window.mu.RLock()
	defer v.window.mu.RUnlock()
	if !v.window.admits(key, sub) {
		return false
	}
	v.memory.put(key, sub)
	return true
}

// enter takes note of records and forgets the entries that they touched, as
// one step for everybody who admits. It returns how many entries went.
func (v *View[S]) enter(records []directory.FeedRecord) (dropped int) {
	v.window.mu.Lock()
	defer v.window.mu.Unlock()
	v.window.enter(records)
	for _, r := range records {
		for _, key := range r.Keys {
			dropped += v.memory.drop(key)
		}
	}
	return dropped
}
