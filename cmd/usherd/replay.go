package main

import (
	"context"

	"github.com/usherd/usherd/admin"
	"github.com/usherd/usherd/directory"
	"github.com/usherd/usherd/scim"
)

// A replayer is the SCIM handler in the words of the administration.
type replayer struct{ front *scim.Handler }

// Replay implements [admin.Provisioning].
func (r replayer) Replay(ctx context.Context, src directory.Source, entry directory.Request, trial bool) (admin.Replayed, error) {
	out, err := r.front.Replay(ctx, src, entry, trial)
	return admin.Replayed{
		Status: out.Status, Trial: out.Trial, Detail: out.Detail, Quirks: out.Quirks, Changes: out.Changes, ID: out.ID, Stamp: out.Stamp,
	}, err
}

// detectProfile tells whose client a request looks like.
func detectProfile(r directory.Request) string { return string(scim.Detect(r)) }
