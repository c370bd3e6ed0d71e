package cache

import (
	"context"
	"time"

	"github.com/usherd/usherd/directory"
)

// AtLeast returns a view that contains stamp, waiting for it no longer than
// Reach. The zero stamp asks for nothing. The error is [ErrNotReached], or a
// [*LostError] if the store said that stamp belongs to another history.
func (c *Cache[S]) AtLeast(ctx context.Context, stamp directory.Stamp) (*View[S], error) {
	v := c.view.Load()
	if v != nil && (stamp == directory.Stamp{} || v.contains(stamp)) {
		return v, nil
	}
	ctx, cancel := context.WithTimeout(ctx, c.cfg.Reach)
	defer cancel()
	return c.Wait(ctx, stamp)
}

// Wait returns a published view that contains exactly stamp, as soon as there
// is one. Whoever wrote waits so before telling, and reads the write from then
// on. The errors are those of [Cache.AtLeast].
func (c *Cache[S]) Wait(ctx context.Context, stamp directory.Stamp) (*View[S], error) {
	if c.view.Load() == nil {
		select {
		case <-c.first:
		case <-ctx.Done():
			return nil, unavailable(ErrNoView, ctx.Err())
		}
	}
	wanted := c.cfg.Clock()
	for want, sure := stamp, false; ; {
		v := c.view.Load()
		if v.contains(want) || stamp == (directory.Stamp{}) {
			return v, nil
		}
		if !sure && v.doubts(stamp, wanted) {
			head, err := c.cfg.History.Head(ctx, stamp)
			switch {
			case err != nil:
				return nil, unavailable(ErrNotReached, err)
			case !head.Known:
				return nil, &LostError{Wanted: stamp, Head: head.Stamp}
			}
			// Both in one database snapshot: what contains the head contains stamp.
			want, sure = head.Stamp, true
			continue
		}
		c.Wake(want)
		select {
		case <-v.next:
			if sure && c.view.Load().window.relate(want) == apart {
				want, sure = stamp, false // the history changed once more
			}
		case <-ctx.Done():
			return nil, unavailable(ErrNotReached, ctx.Err())
		}
	}
}

// doubts reports whether only the store can tell if s, which v does not
// contain, is a point of its history: the window is past it, or the view has
// reached a head that was asked after s was wanted.
func (v *View[S]) doubts(s directory.Stamp, wanted time.Duration) bool {
	switch v.window.relate(s) {
	case inside: // entered, and about to be published
		return false
	case above:
		return v.sent >= wanted
	}
	return true
}
