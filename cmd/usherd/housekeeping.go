package main

import (
	"context"
	"time"

	"go.uber.org/zap"
)

// housekeep forgets once a day what is older than is to be kept, until ctx
// ends.
func (d *daemon) housekeep(ctx context.Context) {
	d.background.Go(func() { d.trim(ctx) })
	wait := time.NewTimer(10 * time.Minute) // not while everybody starts
	defer wait.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-wait.C:
		}
		if err := d.store.Prune(ctx); err != nil && ctx.Err() == nil {
			d.log.Warn("forgetting what is old", zap.Error(err))
		}
		wait.Reset(24 * time.Hour)
	}
}
