package ldapsync

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"sync"
	"time"

	"go.uber.org/zap"

	"github.com/usherd/usherd/directory"
)

// lookEvery is how often a run that is under way is kept as far as it has come,
// and asks whether somebody has cancelled it.
const lookEvery = time.Second

// A chronicle tells how a run goes: in which phase it is and what it has counted
// there. A nil one, of a read that is no run, tells nobody.
type chronicle struct {
	now func() time.Time

	mu      sync.Mutex // guards what follows: the run tells, and whoever keeps it reads
	phases  []directory.RunPhase
	counts  map[string]int64
	altered bool
}

func newChronicle(now func() time.Time) *chronicle {
	return &chronicle{now: now, counts: map[string]int64{}}
}

// enter ends the phase before and begins one, unless it is in that one already.
func (c *chronicle) enter(phase string) {
	if c == nil {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if n := len(c.phases); n > 0 && c.phases[n-1].Name == phase {
		return // the next server, for one
	}
	at := c.now()
	c.leave(at)
	c.phases, c.altered = append(c.phases, directory.RunPhase{Name: phase, Started: at}), true
}

func (c *chronicle) leave(at time.Time) {
	if n := len(c.phases); n > 0 && c.phases[n-1].Ended.IsZero() {
		c.phases[n-1].Ended = at
	}
}

// count says how many of a kind the phase has come to.
func (c *chronicle) count(kind string, n int) {
	if c == nil {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.altered = true
	c.counts["progress."+kind] = int64(n)
	if len(c.phases) == 0 {
		return
	}
	p := &c.phases[len(c.phases)-1]
	if p.Counts == nil {
		p.Counts = map[string]int64{}
	}
	p.Counts[kind] = int64(n)
}

// sofar writes into a run how far it has come, and reports whether that is
// further than the last time.
func (c *chronicle) sofar(run *directory.Run) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	altered := c.altered
	c.altered = false
	run.Counts, run.Phases = maps.Clone(c.counts), c.told()
	return altered
}

// end ends the last phase and returns all.
func (c *chronicle) end(at time.Time) []directory.RunPhase {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.leave(at)
	return c.told()
}

func (c *chronicle) told() []directory.RunPhase {
	out := slices.Clone(c.phases)
	for i := range out {
		out[i].Counts = maps.Clone(out[i].Counts)
	}
	return out
}

// A CancelledError is the cause with which the context of a run ends that
// somebody cancelled.
type CancelledError struct{ By string }

func (e *CancelledError) Error() string { return "cancelled by " + e.By }

// attended does the work of a run while how far it has come is kept, and writes
// its phases into run.
func (p *Poller) attended(ctx context.Context, run *directory.Run, work func(context.Context, *chronicle)) {
	told := newChronicle(p.cfg.Now)
	ctx, cancel := context.WithCancelCause(ctx)
	var done sync.WaitGroup
	begun := *run
	done.Go(func() { p.attend(ctx, cancel, begun, told) })
	work(ctx, told)
	cancel(nil)
	done.Wait()
	run.Phases = told.end(p.cfg.Now())
}

// attend keeps how far a run has come, now and then, and ends its context when
// somebody has cancelled it, until ctx ends. What it keeps is kept before it
// returns, so that the end of the run is written last.
func (p *Poller) attend(ctx context.Context, cancel context.CancelCauseFunc, run directory.Run, c *chronicle) {
	tick := time.NewTicker(lookEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		if err := p.keepCourse(ctx, run, c); err != nil {
			p.cfg.Log.Warn("how far the run has come is not kept", zap.Error(err)) // it is told again
		}
		if p.cfg.Cancelled == nil {
			continue
		}
		by, err := p.cfg.Cancelled(ctx, run.ID)
		switch {
		case ctx.Err() != nil:
			return
		case err != nil:
			p.cfg.Log.Warn("whether the run is cancelled is not known", zap.Error(err)) // it is asked again
		case by != "":
			cancel(&CancelledError{By: by})
			return
		}
	}
}

func (p *Poller) keepCourse(ctx context.Context, run directory.Run, c *chronicle) error {
	if !c.sofar(&run) {
		return nil
	}
	ctx, enough := context.WithTimeout(context.WithoutCancel(ctx), 10*time.Second)
	defer enough()
	if err := p.cfg.Store.PutRun(ctx, run); err != nil {
		return fmt.Errorf("keeping the run: %w", err)
	}
	return nil
}
