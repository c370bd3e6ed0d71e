package main

import (
	"context"
	"time"

	"github.com/usherd/usherd/directory"
	"go.uber.org/zap"
)

// watchOwners says in the log when nobody active owns the organization any
// more, until ctx ends. No administrator can bring that about; a directory can,
// which is obeyed.
func (d *daemon) watchOwners(ctx context.Context) {
	const every = 10 * time.Second
	wait := time.NewTicker(every)
	defer wait.Stop()
	var seen directory.Revision
	was := false
	for {
		if view, err := d.pdp.Look(ctx, directory.SubjectKey{}); err == nil && view.Snapshot.At().Revision != seen {
			owned, err := d.service.Owned(ctx)
			switch {
			case err != nil && ctx.Err() == nil:
				d.log.Warn("looking whether somebody owns the organization", zap.Error(err))
			case err == nil:
				if was && !owned {
					d.log.Error("nobody active owns the organization any more: a directory took the last owner away",
						zap.String("do", "usherd user grant USER --role owner, on this machine"))
				}
				seen, was = view.Snapshot.At().Revision, owned
			}
		}
		select {
		case <-ctx.Done():
			return
		case <-wait.C:
		}
	}
}
