package scim

import (
	"context"
	"hash/maphash"
	"net/http"
	"sync"
	"time"

	"github.com/usherd/usherd/directory"
)

// turns gives each source a fair share: so many requests of it are in work at
// a time, the others wait. A provider is slowed before it is refused.
type turns struct {
	limit int
	wait  time.Duration
	mu    sync.Mutex // guards slots
	slots map[directory.SourceName]chan struct{}
}

// enter waits for a turn and returns the function that ends it.
func (t *turns) enter(ctx context.Context, src directory.SourceName) (func(), error) {
	t.mu.Lock()
	slot, ok := t.slots[src]
	if !ok {
		if t.slots == nil {
			t.slots = map[directory.SourceName]chan struct{}{}
		}
		slot = make(chan struct{}, t.limit)
		t.slots[src] = slot
	}
	t.mu.Unlock()
	leave := func() { <-slot }
	select {
	case slot <- struct{}{}:
		return leave, nil
	default:
	}
	timer := time.NewTimer(t.wait)
	defer timer.Stop()
	select {
	case slot <- struct{}{}:
		return leave, nil
	case <-timer.C:
		return nil, &Error{Status: http.StatusTooManyRequests, Detail: "too many requests of this source are in work", retry: 1}
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// reserve waits until n bytes of bodies fit beside those in work.
func (h *Handler) reserve(ctx context.Context, n int64) (func(), error) {
	ctx, cancel := context.WithTimeout(ctx, h.limits.Wait)
	defer cancel()
	if err := h.inFlight.Acquire(ctx, n); err != nil {
		return nil, &Error{Status: http.StatusServiceUnavailable, Detail: "too much is in work", Err: err, retry: 1}
	}
	return func() { h.inFlight.Release(n) }, nil
}

// locks let the writers of one resource in this process go one after the
// other, so that they need not try again and again. What is right does not
// depend on them: versions are compared in the store.
type locks struct {
	seed    maphash.Seed
	stripes [64]sync.Mutex
}

func (l *locks) of(id string) *sync.Mutex {
	return &l.stripes[maphash.String(l.seed, id)%uint64(len(l.stripes))]
}
