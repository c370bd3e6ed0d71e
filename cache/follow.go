package cache

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"go.uber.org/zap"

	"github.com/usherd/usherd/directory"
)

// Run follows the history until ctx ends. It is the only goroutine that
// publishes views. It returns after all that it started has ended.
func (c *Cache[S]) Run(ctx context.Context) {
	ctx, stop := context.WithCancel(ctx)
	var others sync.WaitGroup
	defer others.Wait()
	defer stop()
	if c.cfg.Redis != nil {
		others.Go(func() { c.cfg.Redis.listen(ctx, c.Wake) })
		others.Go(func() { c.cfg.Redis.write(ctx) })
	}
	tick := time.NewTimer(c.cfg.Poll)
	defer tick.Stop()
	for failing := false; ; {
		err := c.step(ctx)
		if ctx.Err() != nil {
			return
		}
		if err != nil {
			c.metrics.pollErrors.Inc()
			if !failing { // once, until it works again
				c.cfg.Log.Warn("following the directory fails; answers stop when they are too old", zap.Error(err))
			}
		} else if failing {
			c.cfg.Log.Info("following the directory works again")
		}
		failing = err != nil
		tick.Reset(c.cfg.Poll)
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		case <-c.wake:
		}
	}
}

// Wake asks the follower to ask the head at once, unless its view contains
// stamp already. It never blocks, and proves nothing.
func (c *Cache[S]) Wake(stamp directory.Stamp) {
	if v := c.view.Load(); v != nil && v.contains(stamp) {
		return
	}
	select {
	case c.wake <- struct{}{}:
	default: // one is waiting
	}
}

// A mark is a head that was asked for, and when the question was sent. A view
// that has reached the head is as fresh as the question.
type mark struct {
	sent time.Duration
	head directory.Stamp
}

// step asks the head once and brings the view there.
func (c *Cache[S]) step(ctx context.Context) error {
	v := c.view.Load()
	if v == nil {
		return c.reload(ctx)
	}
	sent := c.cfg.Clock()
	asking, cancel := context.WithTimeout(ctx, c.cfg.PollTimeout)
	defer cancel()
	head, err := c.cfg.History.Head(asking, v.Stamp)
	switch {
	case err != nil:
		return fmt.Errorf("asking the head: %w", err)
	case !head.Known:
		return c.lost(ctx, v, head.Stamp)
	case head.Stamp == v.Stamp:
		c.renew(v, sent)
		return nil
	}
	return c.advance(ctx, v, mark{sent, head.Stamp})
}

// renew publishes v again with the time of a question that found it to be the
// head.
func (c *Cache[S]) renew(v *View[S], sent time.Duration) {
	c.publish(&View[S]{Stamp: v.Stamp, Snapshot: v.Snapshot, window: v.window, memory: v.memory, sent: sent})
}

// advance applies stretch after stretch, strictly in order, until the view is
// at the head. Under a steady stream of writes it may never be; to has been
// reached when it is passed.
func (c *Cache[S]) advance(ctx context.Context, v *View[S], to mark) error {
	for ctx.Err() == nil {
		sent := c.cfg.Clock()
		stretch, err := c.stretch(ctx, v.Stamp)
		switch {
		case errors.Is(err, directory.ErrHistoryLost):
			return c.lost(ctx, v, to.head)
		case errors.Is(err, errGap):
			c.cfg.Log.Error("the feed is not whole; everything is loaded anew", zap.Error(err))
			return c.reload(ctx)
		case err != nil:
			return err
		case len(stretch.Records) == 0:
			c.renew(v, sent)
			return nil
		}
		if v, err = c.apply(v, stretch, to, sent); err != nil {
			// What can't be updated may still be built: the next view starts anew.
			c.cfg.Log.Error("updating the snapshot fails; it is built anew", zap.Error(err))
			return c.reload(ctx)
		}
		if v.Stamp == stretch.Head {
			return nil
		}
	}
	return ctx.Err()
}

// errGap says that the feed lacks a revision.
var errGap = errors.New("it has a gap")

// stretch reads what comes after since and proves that it has no gap. What
// can't be read in time is read in smaller pieces; a single record may take as
// long as everything.
func (c *Cache[S]) stretch(ctx context.Context, since directory.Stamp) (directory.Stretch, error) {
	limit, timeout := c.piece, c.cfg.PollTimeout
	if limit == 1 {
		timeout = c.cfg.ReloadTimeout
	}
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	st, err := c.cfg.History.Stretch(ctx, since, limit)
	switch {
	case errors.Is(err, context.DeadlineExceeded):
		c.piece = max(1, limit/4)
	case err == nil:
		c.piece = min(c.cfg.Stretch, 2*limit)
	}
	if err != nil {
		return st, fmt.Errorf("reading the feed after %s: %w", since, err)
	}
	if !dense(since.Revision, st.Records) || len(st.Records) == 0 && st.Head != since {
		return st, fmt.Errorf("reading the feed after %s: %w", since, errGap)
	}
	return st, nil
}

func dense(after directory.Revision, records []directory.FeedRecord) bool {
	for _, r := range records {
		after++
		if r.Stamp.Revision != after {
			return false
		}
	}
	return true
}

// apply publishes the view at the end of stretch. The snapshot comes first,
// because only it can fail; all touched keys are entered and dropped before the
// one store that shows the change.
func (c *Cache[S]) apply(v *View[S], stretch directory.Stretch, to mark, sent time.Duration) (*View[S], error) {
	snapshot, err := c.cfg.Update(v.Snapshot, stretch)
	if err != nil {
		return nil, fmt.Errorf("updating the snapshot: %w", err)
	}
	last := stretch.Records[len(stretch.Records)-1]
	next := &View[S]{Stamp: last.Stamp, Snapshot: snapshot, window: v.window, memory: v.memory, sent: v.sent}
	for _, r := range stretch.Records {
		if r.Stamp == to.head {
			next.sent = to.sent
		}
	}
	if last.Stamp == stretch.Head {
		next.sent = sent
	}
	c.metrics.dropped.Add(float64(v.enter(stretch.Records)))
	c.publish(next)
	for _, r := range stretch.Records {
		c.metrics.propagation.Observe(max(0, time.Since(r.Time).Seconds()))
	}
	return next, nil
}

// lost starts anew on another history, and says so.
func (c *Cache[S]) lost(ctx context.Context, v *View[S], head directory.Stamp) error {
	c.metrics.lost.Inc()
	c.cfg.Log.Error("the store has another history than this replica has seen; everything is loaded anew",
		zap.Stringer("had", v.Stamp), zap.Stringer("have", head))
	if err := c.reload(ctx); err != nil {
		return err
	}
	if c.cfg.Lost != nil {
		c.cfg.Lost(v.Stamp, c.view.Load().Stamp)
	}
	return nil
}

// reload publishes one view with a window and a memory of its own.
func (c *Cache[S]) reload(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, c.cfg.ReloadTimeout)
	defer cancel()
	sent := c.cfg.Clock()
	facts, records, err := c.cfg.History.Recent(ctx, c.cfg.WindowRevisions)
	if err != nil {
		return fmt.Errorf("loading the directory: %w", err)
	}
	start := facts.At
	if len(records) > 0 {
		start = records[0].Stamp
		if !dense(start.Revision-1, records) || records[len(records)-1].Stamp != facts.At {
			return fmt.Errorf("loading the directory: the feed before %s has a gap", facts.At)
		}
		records = records[1:] // what the first one touched is older than the window
	}
	snapshot, err := c.cfg.Build(facts)
	if err != nil {
		return fmt.Errorf("building the snapshot of %s: %w", facts.At, err)
	}
	memory, err := newSubjects(c.cfg.Subjects, c.cfg.Unknown)
	if err != nil {
		return err
	}
	v := &View[S]{Stamp: facts.At, Snapshot: snapshot, window: newWindow(start, c.cfg.WindowKeys, c.cfg.WindowRevisions), memory: memory, sent: sent}
	v.enter(records)
	c.publish(v)
	return nil
}

// publish makes v the newest view: one atomic store. Nothing that v shows is
// reachable before it.
func (c *Cache[S]) publish(v *View[S]) {
	v.next = make(chan struct{})
	old := c.view.Swap(v)
	c.metrics.revision.Set(float64(v.Stamp.Revision))
	if old == nil {
		close(c.first)
		return
	}
	close(old.next)
}
