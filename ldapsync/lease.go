package ldapsync

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/usherd/usherd/directory"
)

var errLeaseLost = errors.New("the lease was lost: another replica polls this source")

// lease waits for the turn of this poller, takes the lease of the source and
// keeps renewing it until release, which also ends the goroutine that does so.
// When it is lost the context ends, and every batch carries its epoch: a run that
// was suspended and wakes up late can alter nothing.
func (p *Poller) lease(ctx context.Context) (context.Context, []directory.Change, func(), error) {
	wait, enough := context.WithTimeoutCause(ctx, p.cfg.LeaseTTL+patience, ErrBusy)
	defer enough()
	select {
	case p.turn <- struct{}{}:
	case <-wait.Done():
		return nil, nil, nil, ErrBusy
	}
	name := "ldap/" + string(p.cfg.Source)
	lease, err := p.acquire(wait, name)
	if err != nil {
		<-p.turn
		return nil, nil, nil, err
	}
	ctx, cancel := context.WithCancelCause(ctx)
	var done sync.WaitGroup
	done.Go(func() { p.renew(ctx, cancel, lease) })
	release := func() {
		cancel(nil)
		done.Wait()
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
		defer cancel()
		_ = p.cfg.Store.ReleaseLease(ctx, name, p.cfg.Holder) // it ends by itself
		<-p.turn
	}
	return ctx, []directory.Change{directory.RequireLease{Name: name, Epoch: lease.Epoch}}, release, nil
}

// acquire tries to take the lease until ctx ends.
func (p *Poller) acquire(ctx context.Context, name string) (directory.Lease, error) {
	tick := time.NewTicker(p.cfg.LeaseTTL / 100)
	defer tick.Stop()
	for {
		lease, ok, err := p.cfg.Store.AcquireLease(ctx, name, p.cfg.Holder, p.cfg.LeaseTTL)
		if ok {
			return lease, nil
		}
		if err != nil && ctx.Err() == nil {
			return lease, fmt.Errorf("taking the lease: %w", err)
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return lease, ErrBusy
		}
	}
}

func (p *Poller) renew(ctx context.Context, lost context.CancelCauseFunc, lease directory.Lease) {
	tick := time.NewTicker(p.cfg.LeaseTTL / 3)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		// A batch that takes longer than the lease keeps this waiting till it is
		// committed; nobody else can have taken the lease before that either.
		ok, err := p.cfg.Store.RenewLease(ctx, lease, p.cfg.LeaseTTL)
		if ctx.Err() != nil {
			return
		}
		if err == nil && !ok {
			lost(errLeaseLost)
			return
		}
	}
}
