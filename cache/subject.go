package cache

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/usherd/usherd/directory"
)

// A Tier says where a subject came from.
type Tier uint8

// The tiers, nearest first.
const (
	Memory Tier = iota
	Shared      // Redis
	Store
)

// String returns l1, redis or db, the values of the label source.
func (t Tier) String() string { return [...]string{"l1", "redis", "db"}[t] }

// Subject returns the subject that key leads to, as of v. Somebody unknown is
// no error. The subject is shared: callers don't alter it. The error is
// [ErrLoad]; then there is no answer.
func (c *Cache[S]) Subject(ctx context.Context, v *View[S], key directory.SubjectKey) (*directory.Subject, Tier, error) {
	key = normal(key)
	if sub := v.memory.get(key, v.Stamp.Revision); sub != nil {
		c.metrics.hits[Memory].Inc()
		return sub, Memory, nil
	}
	c.metrics.misses[Memory].Inc()
	return c.miss(ctx, v, key)
}

// A loaded is the result of a load.
type loaded struct {
	sub  *directory.Subject
	tier Tier
}

// miss joins the load of key as of v's stamp, or starts it. Callers with other
// views have loads of their own, so that what a load returns holds for everybody
// who waits for it. A caller that leaves harms no other.
func (c *Cache[S]) miss(ctx context.Context, v *View[S], key directory.SubjectKey) (*directory.Subject, Tier, error) {
	// The caller's strings may be parts of a request; what is kept must not be.
	key.Source, key.Value = directory.SourceName(strings.Clone(string(key.Source))), strings.Clone(key.Value)
	flight := c.flights.DoChan(flightOf(key, v.Stamp), func() (any, error) {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), c.cfg.LoadTimeout)
		defer cancel()
		return c.load(ctx, v, key)
	})
	patience := time.NewTimer(c.cfg.Patience)
	defer patience.Stop()
	select {
	case r := <-flight:
		if r.Err != nil {
			return nil, Store, r.Err
		}
		l := r.Val.(loaded)
		return l.sub, l.tier, nil
	case <-patience.C:
		return nil, Store, unavailable(ErrLoad, context.DeadlineExceeded)
	case <-ctx.Done():
		return nil, Store, unavailable(ErrLoad, ctx.Err())
	}
}

func flightOf(key directory.SubjectKey, at directory.Stamp) string {
	b := binary.BigEndian.AppendUint64(key.Encode(), uint64(at.Revision))
	return string(binary.BigEndian.AppendUint64(b, uint64(at.Fingerprint)))
}

// load finds a subject in Redis, if what is there is admitted and not later
// than v, else in the store as of v. Only what is admitted is kept.
func (c *Cache[S]) load(ctx context.Context, v *View[S], key directory.SubjectKey) (loaded, error) {
	var refused entryID
	if c.cfg.Redis != nil {
		sub, found := c.cfg.Redis.get(ctx, key)
		admitted := sub != nil && v.admit(key, sub)
		if admitted && sub.At.Revision <= v.Stamp.Revision {
			c.metrics.hits[Shared].Inc()
			return loaded{sub, Shared}, nil
		}
		c.metrics.misses[Shared].Inc()
		if !admitted {
			refused = found
		}
	}
	sub, err := c.read(ctx, v, key)
	if err != nil {
		return loaded{}, unavailable(ErrLoad, err)
	}
	c.metrics.loads.Inc()
	if v.admit(key, sub) && c.cfg.Redis != nil {
		c.cfg.Redis.put(key, sub, refused)
	}
	return loaded{sub, Store}, nil
}

// read asks the store, with a bound on how many do at once.
func (c *Cache[S]) read(ctx context.Context, v *View[S], key directory.SubjectKey) (*directory.Subject, error) {
	select {
	case c.slots <- struct{}{}:
		defer func() { <-c.slots }()
	case <-ctx.Done():
		return nil, fmt.Errorf("waiting to read: %w", ctx.Err())
	}
	sub, err := c.cfg.History.Subject(ctx, key, v.Stamp)
	if errors.Is(err, directory.ErrHistoryLost) {
		c.Wake(directory.Stamp{}) // the follower finds out what happened
	}
	if err != nil {
		return nil, err
	}
	if sub.At != v.Stamp {
		return nil, fmt.Errorf("store answered as of %s, asked as of %s", sub.At, v.Stamp)
	}
	return &sub, nil
}
