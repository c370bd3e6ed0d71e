package admin

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/usherd/usherd/directory"
)

// beginWait is how long whoever begins a run waits for its end: most are over
// by then.
const beginWait = 3 * time.Second

// background is work that goes on without whoever asked for it, as long as
// somebody runs jobs.
type background struct {
	mu      sync.Mutex
	life    context.Context // nil: nobody does
	report  func(error)
	running sync.WaitGroup
}

// open lets work begin, until the function that it returns has seen it end.
func (b *background) open(life context.Context, report func(error)) (end func()) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.life, b.report = life, report
	return func() {
		b.mu.Lock()
		b.life = nil
		b.mu.Unlock()
		b.running.Wait()
	}
}

// begin begins work, and reports whether it could.
func (b *background) begin(work func(life context.Context) error) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.life == nil {
		return false
	}
	life, report := b.life, b.report
	b.running.Go(func() {
		if err := work(life); err != nil {
			report(err)
		}
	})
	return true
}

// BeginSync is RunSync for somebody who does not wait for its end, which may
// take minutes: the run goes on without them. The answer is the run as it ended
// or, if that takes more than a few seconds, the one of this source that is under
// way. It has no ID while the new one waits for another replica's to end.
func (s *Service) BeginSync(ctx context.Context, by directory.Actor, name directory.SourceName) (SyncRun, error) {
	ldap, err := s.mayRun(ctx, by, name)
	if err != nil {
		return SyncRun{}, err
	}
	var run directory.Run
	var failed error
	ended := make(chan struct{})
	late := time.After(beginWait)
	began := s.behind.begin(func(life context.Context) error {
		defer close(ended)
		run, failed = ldap.Run(life, name, by.Kind+":"+by.Name)
		if failed != nil {
			return fmt.Errorf("run of source %s: %w", name, failed)
		}
		return nil
	})
	if !began {
		return s.RunSync(ctx, by, name)
	}
	select {
	case <-ended:
		return s.syncRun(ctx, run, failed)
	case <-ctx.Done():
		return SyncRun{}, fmt.Errorf("waiting for the run, which goes on: %w", context.Cause(ctx))
	case <-late:
	}
	runs, err := s.Store.Runs(ctx, name, 1)
	if err != nil {
		return SyncRun{}, fmt.Errorf("runs of %s: %w", name, err)
	}
	if len(runs) == 0 || runs[0].Result != directory.RunRunning {
		runs = []directory.Run{{Source: name, Result: directory.RunRunning}}
	}
	return s.syncRun(ctx, runs[0], nil)
}

// mayRun returns who reads a source, if the asker may have it read.
func (s *Service) mayRun(ctx context.Context, by directory.Actor, name directory.SourceName) (Syncer, error) {
	if _, err := s.allowed(ctx, by, OperateSync, ""); err != nil {
		return nil, err
	}
	if err := s.operates(ctx); err != nil {
		return nil, err
	}
	return s.ldap(ctx, name)
}
