package main

import (
	"context"
	"sync/atomic"
	"time"

	"github.com/usherd/usherd/directory"
	"go.uber.org/zap"
)

// A provisioningLog writes what identity providers asked for into the store, in
// batches. It never keeps a request waiting: what does not fit is dropped and
// counted.
type provisioningLog struct {
	write   func(ctx context.Context, entries ...directory.Request) error
	log     *zap.Logger
	entries chan directory.Request
	now     chan chan struct{} // asks for what is there to be written now
	dropped atomic.Int64
}

const (
	provisioningQueue = 4096
	provisioningBatch = 200
	provisioningPause = 250 * time.Millisecond
)

func newProvisioningLog(write func(context.Context, ...directory.Request) error, log *zap.Logger) *provisioningLog {
	return &provisioningLog{write: write, log: log, entries: make(chan directory.Request, provisioningQueue), now: make(chan chan struct{})}
}

// record takes an entry without blocking.
func (p *provisioningLog) record(r directory.Request) {
	select {
	case p.entries <- r:
	default:
		p.dropped.Add(1)
	}
}

// recordRequest counts a request of an identity provider and has it logged.
func (d *daemon) recordRequest(r directory.Request) {
	d.work.request(r)
	d.provlog.record(r)
}

// run writes until ctx ends, and then what is left.
func (p *provisioningLog) run(ctx context.Context) {
	tick := time.NewTicker(provisioningPause)
	defer tick.Stop()
	var batch []directory.Request
	for {
		select {
		case r := <-p.entries:
			if batch = append(batch, r); len(batch) < provisioningBatch {
				continue
			}
		case <-tick.C:
		case done := <-p.now:
			p.flush(ctx, p.rest(batch))
			batch = nil
			close(done)
			continue
		case <-ctx.Done():
			p.flush(context.WithoutCancel(ctx), p.rest(batch))
			return
		}
		p.flush(ctx, batch)
		batch = nil
	}
}

// settle returns when everything recorded so far is written, so that whoever
// looks at the log sees what just happened.
func (p *provisioningLog) settle(ctx context.Context) {
	done := make(chan struct{})
	ctx, cancel := context.WithTimeout(ctx, time.Second)
	defer cancel()
	select {
	case p.now <- done:
	case <-ctx.Done():
		return
	}
	select {
	case <-done:
	case <-ctx.Done():
	}
}

func (p *provisioningLog) rest(batch []directory.Request) []directory.Request {
	for {
		select {
		case r := <-p.entries:
			batch = append(batch, r)
		default:
			return batch
		}
	}
}

func (p *provisioningLog) flush(ctx context.Context, batch []directory.Request) {
	if n := p.dropped.Swap(0); n > 0 {
		p.log.Warn("provisioning log entries were dropped", zap.Int64("count", n))
	}
	if len(batch) == 0 {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	if err := p.write(ctx, batch...); err != nil {
		p.log.Warn("writing the provisioning log", zap.Int("entries", len(batch)), zap.Error(err))
	}
}
