package admin

import (
	"context"
	"fmt"
	"time"

	"github.com/usherd/usherd/directory"
)

// How replicas take turns at changes that could take the last owner away.
const (
	turnLease = "admin/owner"
	turnTime  = 2 * time.Second  // that a replica which fell silent keeps others waiting
	turnWait  = 20 * time.Second // at most for the turn
	turnTries = 5
)

var errNoTurn = fmt.Errorf("%w: other replicas are changing who has which right; try again", directory.ErrVersion)

// A turn is the lease under which one replica at a time looks whether an owner
// is left and changes something. Without it two replicas, each taking one of two
// owners away, would both see the other one.
type turn struct {
	holder string
	lease  directory.Lease
	until  time.Time // it is used again up to then, which spares a write for each change
}

// takeTurn waits for the turn and returns the condition under which changes hold
// only in it; none for changes that can take nothing away, or are only tried.
func (s *Service) takeTurn(ctx context.Context, changes []directory.Change) ([]directory.Change, error) {
	takes, err := s.mayTakeAny(ctx, changes)
	if err != nil || !takes || dryRun(ctx) {
		return nil, err
	}
	if time.Now().After(s.turn.until) {
		if err := s.waitForTurn(ctx); err != nil {
			return nil, err
		}
	}
	return []directory.Change{directory.RequireLease{Name: turnLease, Epoch: s.turn.lease.Epoch}}, nil
}

func (s *Service) waitForTurn(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, turnWait)
	defer cancel()
	tick := time.NewTicker(turnTime / 40)
	defer tick.Stop()
	for {
		begun := time.Now()
		lease, ok, err := s.Store.AcquireLease(ctx, turnLease, s.turn.holder, turnTime)
		if ok {
			s.turn.lease, s.turn.until = lease, begun.Add(turnTime/2)
			return nil
		}
		if err != nil && ctx.Err() == nil {
			return fmt.Errorf("waiting for other replicas: %w", err)
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return errNoTurn
		}
	}
}
