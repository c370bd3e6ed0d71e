package scim

import (
	"context"
	"errors"
	"hash/maphash"
	"net/http"
	"sync"
	"time"

	"golang.org/x/sync/semaphore"

	"github.com/usherd/usherd/directory"
)

// turns gives each source a fair share: so many requests of it are in work at
// a time, with bodies of so many bytes; the others wait. A provider is slowed
// before it is refused, and one that sends slowly slows nobody else.
type turns struct {
	limit  int
	bytes  int64
	wait   time.Duration
	mu     sync.Mutex // guards shares
	shares map[directory.SourceName]*share
}

// A share is what one source may have in work.
type share struct {
	slots chan struct{}
	bytes *semaphore.Weighted
}

func (t *turns) of(src directory.SourceName) *share {
	t.mu.Lock()
	defer t.mu.Unlock()
	s, ok := t.shares[src]
	if !ok {
		if t.shares == nil {
			t.shares = map[directory.SourceName]*share{}
		}
		s = &share{slots: make(chan struct{}, t.limit), bytes: semaphore.NewWeighted(t.bytes)}
		t.shares[src] = s
	}
	return s
}

// enter waits for a turn and returns the function that ends it.
func (t *turns) enter(ctx context.Context, src directory.SourceName) (func(), error) {
	slot := t.of(src).slots
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

// reserve waits until n bytes of bodies fit beside those of the source and of
// all sources that are in work.
func (h *Handler) reserve(ctx context.Context, src directory.SourceName, n int64) (func(), error) {
	ctx, cancel := context.WithTimeout(ctx, h.limits.Wait)
	defer cancel()
	busy := func(err error) error {
		return &Error{Status: http.StatusServiceUnavailable, Detail: "too much is in work", Err: err, retry: 1}
	}
	own := h.turns.of(src).bytes
	if err := own.Acquire(ctx, n); err != nil {
		return nil, busy(err)
	}
	if err := h.inFlight.Acquire(ctx, n); err != nil {
		own.Release(n)
		return nil, busy(err)
	}
	return func() { h.inFlight.Release(n); own.Release(n) }, nil
}

// decodedShare is how much decoded bodies may take, in bodies in work: few
// bodies consist of values so small that they grow more.
const decodedShare = 2

// reserveDecoded waits until n bytes of decoded bodies fit beside the others.
// Whoever has them has its body already, and lets go of them soon.
func (h *Handler) reserveDecoded(ctx context.Context, n int64) (func(), error) {
	ctx, cancel := context.WithTimeout(ctx, h.limits.Wait)
	defer cancel()
	if err := h.decoded.Acquire(ctx, n); err != nil {
		return nil, &Error{Status: http.StatusServiceUnavailable, Detail: "too much is in work", Err: err, retry: 1}
	}
	return func() { h.decoded.Release(n) }, nil
}

// A patient writer ends an answer that the client has stopped to take; what is
// taken slowly goes on.
type patient struct {
	http.ResponseWriter
	conn  *http.ResponseController
	stall time.Duration
}

// Write implements [http.ResponseWriter].
func (w patient) Write(p []byte) (int, error) {
	if err := w.conn.SetWriteDeadline(time.Now().Add(w.stall)); err != nil && !errors.Is(err, http.ErrNotSupported) {
		return 0, err
	}
	return w.ResponseWriter.Write(p)
}

// locks let the writers of one resource in this process go one after the
// other, so that they need not try again and again. What is right does not
// depend on them: versions are compared in the store.
type locks struct {
	seed    maphash.Seed
	stripes [64]stripe
}

// A stripe is shared by the resources whose ids hash alike.
type stripe struct {
	turn sync.Mutex // held by who compares versions

	// still is shared by those who change members alone, which moves the version
	// too, and held by a writer of attributes whom they have outrun before.
	still sync.RWMutex
}

func (l *locks) of(id string) *stripe {
	return &l.stripes[maphash.String(l.seed, id)%uint64(len(l.stripes))]
}
