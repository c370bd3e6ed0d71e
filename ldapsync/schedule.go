package ldapsync

import (
	"context"
	"errors"
	"fmt"
	"hash/fnv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/robfig/cron/v3"
	"go.uber.org/zap"

	"github.com/usherd/usherd/directory"
)

// minPeriod is the shortest time between two runs of a schedule.
const minPeriod = time.Minute

// A When tells the times of runs.
type When struct {
	spec     string
	schedule cron.Schedule
}

// ParseSchedule reads a cron expression of five fields, or a descriptor such as
// @hourly or "@every 10m". Times are UTC unless the text begins with CRON_TZ=.
// What never comes, or comes more often than once a minute, is refused.
func ParseSchedule(spec string) (When, error) {
	return parseSchedule(spec, minPeriod)
}

func parseSchedule(spec string, shortest time.Duration) (w When, err error) {
	defer func() { // the parser of cron/v3 panics on some input, such as "TZ=UTC"
		if recover() != nil {
			w, err = When{}, fmt.Errorf("schedule %q: not a cron expression", spec)
		}
	}()
	text := strings.TrimSpace(spec)
	if !strings.HasPrefix(text, "CRON_TZ=") && !strings.HasPrefix(text, "TZ=") {
		text = "CRON_TZ=UTC " + text
	}
	if every, ok := strings.CutPrefix(strings.TrimSpace(spec), "@every "); ok {
		// cron/v3 makes a second of anything shorter, and of what is negative
		if d, err := time.ParseDuration(strings.TrimSpace(every)); err == nil && d < shortest {
			return When{}, fmt.Errorf("schedule %q: more often than every %v", spec, shortest)
		}
	}
	schedule, err := cron.ParseStandard(text)
	if err != nil {
		return When{}, fmt.Errorf("schedule %q: %w", spec, err)
	}
	w = When{spec: spec, schedule: schedule}
	first := w.Next(time.Date(2024, 1, 1, 0, 0, 0, 0, time.UTC)) // a leap year, for 29 February
	if first.IsZero() {
		return When{}, fmt.Errorf("schedule %q: never comes", spec)
	}
	for range 60 { // five fields repeat no faster than that within an hour
		second := w.Next(first)
		if second.IsZero() { // cron/v3 looks five years ahead
			break
		}
		if second.Sub(first) < shortest {
			return When{}, fmt.Errorf("schedule %q: more often than every %v", spec, shortest)
		}
		first = second
	}
	return w, nil
}

// Next returns the first time after t, or the zero time.
func (w When) Next(t time.Time) time.Time { return w.schedule.Next(t.UTC()) }

// period is the time between the next two runs after t.
func (w When) period(t time.Time) time.Duration {
	first := w.Next(t)
	return w.Next(first).Sub(first)
}

// jitter delays the runs of a source by a part of the period, at most a tenth,
// that is always the same for that source: many sources with one schedule do
// not all begin at once.
func jitter(source directory.SourceName, period time.Duration) time.Duration {
	h := fnv.New32a()
	h.Write([]byte(source))
	return time.Duration(float64(period) / 10 * float64(h.Sum32()) / (1 << 32))
}

// jittered is a schedule whose times are delayed.
type jittered struct {
	When
	source directory.SourceName
}

// Next returns the first delayed time after t.
func (j jittered) Next(t time.Time) time.Time {
	by := jitter(j.source, j.period(t))
	next := j.When.Next(t.Add(-by))
	if next.IsZero() {
		return next
	}
	return next.Add(by)
}

// A Schedule runs pollers at their times. The zero value is not usable; see
// [NewSchedule].
type Schedule struct {
	cron *cron.Cron
	log  *zap.Logger

	mu      sync.Mutex // guards entries
	entries map[directory.SourceName]entry
}

type entry struct {
	id     cron.EntryID
	poller *Poller
}

// NewSchedule returns a schedule without pollers. Start starts it.
func NewSchedule(log *zap.Logger) *Schedule {
	if log == nil {
		log = zap.NewNop()
	}
	return &Schedule{cron: cron.New(cron.WithLocation(time.UTC)), log: log, entries: map[directory.SourceName]entry{}}
}

// Put sets the poller of its source, in place of the one before. lastComplete
// is when the source was last read to the end: if a run was due since, one
// comes as soon as the schedule runs.
func (s *Schedule) Put(ctx context.Context, p *Poller, lastComplete time.Time) error {
	when, err := ParseSchedule(p.Settings().Schedule)
	if err != nil {
		return err
	}
	s.put(ctx, p, when, lastComplete)
	return nil
}

func (s *Schedule) put(ctx context.Context, p *Poller, when When, lastComplete time.Time) {
	s.Remove(p.Source())
	log := cronLog{s.log.With(zap.String("source", string(p.Source())))}
	// skipping is outside of recovering: a panic must give the turn back
	var late atomic.Bool
	job := cron.NewChain(cron.SkipIfStillRunning(log), cron.Recover(log)).Then(cron.FuncJob(func() { s.run(ctx, p, when, late.Swap(false)) }))
	var schedule cron.Schedule = jittered{when, p.Source()}
	if when.Next(lastComplete).Before(time.Now()) {
		late.Store(true)
		schedule = &catchUp{Schedule: schedule}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.entries[p.Source()] = entry{s.cron.Schedule(schedule, job), p}
}

// catchUp is due at once, one time.
type catchUp struct {
	cron.Schedule
	once sync.Once
}

// Next returns a moment from now the first time.
func (c *catchUp) Next(t time.Time) time.Time {
	next := c.Schedule.Next(t)
	c.once.Do(func() { next = t.Add(time.Second) })
	return next
}

// run runs p, unless another replica, whose clock may differ a little, has done
// so for this time already. late says that its time had passed before.
func (s *Schedule) run(ctx context.Context, p *Poller, when When, late bool) {
	now, why := p.cfg.Now(), occasion{trigger: directory.TriggerSchedule}
	if late {
		why.trigger = directory.TriggerCatchUp
	}
	if _, err := p.runUnless(ctx, now.Add(-when.period(now)/2), why); err != nil && !errors.Is(err, ErrBusy) && ctx.Err() == nil {
		s.log.Error("synchronisation run", zap.String("source", string(p.Source())), zap.Error(err))
	}
}

// Remove ends the runs of a source. One under way goes on.
func (s *Schedule) Remove(source directory.SourceName) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if e, ok := s.entries[source]; ok {
		s.cron.Remove(e.id)
		delete(s.entries, source)
	}
}

// Next returns when a source is polled next, or the zero time.
func (s *Schedule) Next(source directory.SourceName) time.Time {
	s.mu.Lock()
	defer s.mu.Unlock()
	e, ok := s.entries[source]
	if !ok {
		return time.Time{}
	}
	return s.cron.Entry(e.id).Next
}

// Poller returns the poller of a source, to run now.
func (s *Schedule) Poller(source directory.SourceName) (*Poller, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	e, ok := s.entries[source]
	return e.poller, ok
}

// Start begins to run pollers, in goroutines that Stop ends.
func (s *Schedule) Start() { s.cron.Start() }

// Stop begins no more runs and waits for those under way, until ctx ends. Their
// own context, given to Put, ends them sooner.
func (s *Schedule) Stop(ctx context.Context) error {
	select {
	case <-s.cron.Stop().Done():
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// cronLog passes on what cron has to say.
type cronLog struct{ log *zap.Logger }

// Info tells of a run that was skipped because the one before goes on.
func (l cronLog) Info(msg string, _ ...any) { l.log.Info("schedule: " + msg) }

// Error tells of a panic.
func (l cronLog) Error(err error, msg string, _ ...any) {
	l.log.Error("schedule: "+msg, zap.Error(err))
}
