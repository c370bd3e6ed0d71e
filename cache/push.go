package cache

import (
	"context"
	"errors"
	"math/rand/v2"
	"net"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/usherd/usherd/directory"
)

const (
	heartbeat  = time.Second            // silence after which the connection is tried
	backoffMin = 100 * time.Millisecond // between two subscriptions
	backoffMax = 5 * time.Second
)

// Announce tells the other replicas, if there is a Redis, and this replica's
// follower that the store has reached stamp. Nobody relies on being told.
func (c *Cache[S]) Announce(stamp directory.Stamp) {
	c.Wake(stamp)
	if c.cfg.Redis != nil {
		c.cfg.Redis.announce(stamp)
	}
}

// listen calls wake for every stamp that a replica announces, and subscribes
// again whenever the connection is lost, until ctx ends.
func (r *Redis) listen(ctx context.Context, wake func(directory.Stamp)) {
	for wait := backoffMin; ctx.Err() == nil; {
		started := time.Now()
		r.subscribe(ctx, wake)
		if time.Since(started) > 2*heartbeat {
			wait = backoffMin
		}
		r.metrics.resubscribed.Inc()
		pause := time.NewTimer(wait/2 + rand.N(wait/2))
		select {
		case <-ctx.Done():
		case <-pause.C:
		}
		pause.Stop()
		wait = min(2*wait, backoffMax)
	}
}

// subscribe listens on one connection until it fails or falls silent.
func (r *Redis) subscribe(ctx context.Context, wake func(directory.Stamp)) {
	sub := r.client.Subscribe(ctx, r.sealer.channel())
	defer sub.Close()
	stop := context.AfterFunc(ctx, func() { sub.Close() }) //nolint:errcheck // the reader is told by the closing
	defer stop()
	for asked := false; ; {
		msg, err := sub.ReceiveTimeout(ctx, heartbeat)
		var timeout net.Error
		switch {
		case ctx.Err() != nil:
			return
		case errors.As(err, &timeout) && timeout.Timeout() && !asked:
			if sub.Ping(ctx) != nil {
				r.deaf.Store(true)
				return
			}
			asked = true
			continue
		case err != nil:
			r.deaf.Store(true)
			return
		}
		r.deaf.Store(false)
		asked = false
		r.heard(msg, wake)
	}
}

// heard wakes the follower if msg is a stamp that a replica of this deployment
// announced.
func (r *Redis) heard(msg any, wake func(directory.Stamp)) {
	m, ok := msg.(*redis.Message)
	if !ok {
		return // a confirmation or a pong
	}
	stamp, ok := r.sealer.readMessage(m.Payload)
	if !ok {
		r.metrics.messages.WithLabelValues("foreign").Inc()
		return
	}
	r.metrics.messages.WithLabelValues("ok").Inc()
	wake(stamp)
}
