package cache

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/zap"
	"golang.org/x/sync/singleflight"

	"github.com/usherd/usherd/directory"
)

// A History is what is followed and read: a [directory.Store] is one.
type History interface {
	Head(ctx context.Context, mine directory.Stamp) (directory.Head, error)
	Stretch(ctx context.Context, since directory.Stamp, limit int) (directory.Stretch, error)
	Recent(ctx context.Context, limit int) (directory.Facts, []directory.FeedRecord, error)
	Subject(ctx context.Context, key directory.SubjectKey, at directory.Stamp) (directory.Subject, error)
}

// A Config says what a [Cache] works with. S is the snapshot that views carry.
type Config[S any] struct {
	// History is the truth. Required.
	History History
	// Build compiles a snapshot from nothing. Required. It must be pure.
	Build func(directory.Facts) (S, error)
	// Update compiles the snapshot that follows prev, which it leaves alone.
	// Required. It must be pure.
	Update func(prev S, stretch directory.Stretch) (S, error)

	// Redis is the shared level; nil means none. The cache does not close it.
	Redis *Redis

	// MaxStaleness is the oldest answer allowed. Default 10 s.
	MaxStaleness time.Duration
	// Poll is how often the head is asked. Default 200 ms.
	Poll time.Duration
	// Reach is how long a check waits for a revision that it requires. Default
	// 100 ms.
	Reach time.Duration
	// PollTimeout bounds one question to the head or the feed. Default 2 s.
	PollTimeout time.Duration
	// ReloadTimeout bounds reading everything anew. Default 30 s.
	ReloadTimeout time.Duration
	// Patience is how long a check waits for its subject. Default 1 s.
	Patience time.Duration
	// LoadTimeout bounds one look-up of a subject, whoever waits for it.
	// Default 2 s.
	LoadTimeout time.Duration
	// Loads is how many subjects are read at once. Default 64.
	Loads int

	// Subjects is how many subjects are kept in memory. Default 1,000,000.
	Subjects int
	// Unknown is how many unknown or ambiguous keys are kept. Default 65,536.
	Unknown int
	// WindowKeys and WindowRevisions bound what is remembered of the feed.
	// Default 262,144 and 16,384.
	WindowKeys, WindowRevisions int
	// Stretch is how many feed records are applied at once. Default 1,000.
	Stretch int

	// Clock is monotonic and counts suspension. Default [SinceBoot].
	Clock func() time.Duration
	// Lost is called when the store turns out to have another history than the
	// view's, as after a restore: somebody should look. May be nil.
	Lost func(had, have directory.Stamp)
	// Log is never given names of people. Default none.
	Log *zap.Logger
	// Metrics is where the counters are registered. Default nowhere.
	Metrics prometheus.Registerer
}

// A Cache follows one history and answers for subjects as of its views. Make
// it with [New] and let [Cache.Run] run.
type Cache[S any] struct {
	cfg     Config[S]
	view    atomic.Pointer[View[S]] // the one thing that checks load
	first   chan struct{}           // closed when view is set for the first time
	wake    chan struct{}           // asks the follower to ask the head now
	flights singleflight.Group      // loads by key and stamp
	slots   chan struct{}           // one for each load under way
	metrics *metrics
	piece   int                  // of the feed that is read at once; the follower's
	now     func() time.Duration // for ages: Config.Clock, or as good
}

// New checks cfg and returns a cache without a view.
func New[S any](cfg Config[S]) (*Cache[S], error) {
	var faults []error
	for _, f := range []struct {
		missing bool
		what    string
	}{{cfg.History == nil, "History"}, {cfg.Build == nil, "Build"}, {cfg.Update == nil, "Update"}} {
		if f.missing {
			faults = append(faults, fmt.Errorf("%s is required", f.what))
		}
	}
	if err := errors.Join(faults...); err != nil {
		return nil, fmt.Errorf("making a cache: %w", err)
	}
	cfg.fill()
	m, err := newMetrics(cfg.Metrics, cfg.Redis)
	if err != nil {
		return nil, fmt.Errorf("making a cache: %w", err)
	}
	c := &Cache[S]{
		cfg:     cfg,
		first:   make(chan struct{}),
		wake:    make(chan struct{}, 1),
		slots:   make(chan struct{}, cfg.Loads),
		metrics: m,
		piece:   cfg.Stretch,
		now:     cfg.Clock,
	}
	if cfg.Clock == nil {
		c.cfg.Clock = SinceBoot
		c.now = newQuickClock(SinceBoot).now
	}
	return c, nil
}

func (cfg *Config[S]) fill() {
	orElse(&cfg.MaxStaleness, 10*time.Second)
	orElse(&cfg.Poll, 200*time.Millisecond)
	orElse(&cfg.Reach, 100*time.Millisecond)
	orElse(&cfg.PollTimeout, 2*time.Second)
	orElse(&cfg.ReloadTimeout, 30*time.Second)
	orElse(&cfg.Patience, time.Second)
	orElse(&cfg.LoadTimeout, 2*time.Second)
	orElse(&cfg.Loads, 64)
	orElse(&cfg.Subjects, 1_000_000)
	orElse(&cfg.Unknown, 1<<16)
	orElse(&cfg.WindowKeys, 1<<18)
	orElse(&cfg.WindowRevisions, 1<<14)
	orElse(&cfg.Stretch, 1000)
	if cfg.Log == nil {
		cfg.Log = zap.NewNop()
	}
}

func orElse[T int | time.Duration](field *T, value T) {
	if *field <= 0 {
		*field = value
	}
}

// View returns the newest view. The error is [ErrNoView] until the first one.
func (c *Cache[S]) View() (*View[S], error) {
	if v := c.view.Load(); v != nil {
		return v, nil
	}
	return nil, unavailable(ErrNoView, nil)
}

// Age returns how old what v says may be, now. A check calls it when it
// answers; over MaxStaleness the error is [ErrStale] and there is no answer.
func (c *Cache[S]) Age(v *View[S]) (time.Duration, error) {
	age := c.now() - v.sent
	if age > c.cfg.MaxStaleness {
		c.metrics.stale.Inc()
		return age, unavailable(ErrStale, nil)
	}
	return max(age, 0), nil
}
