package store

import (
	"context"
	"fmt"

	"github.com/usherd/usherd/directory"
)

type requireVersion struct {
	id      string
	version int64
}

func (o requireVersion) run(ctx context.Context, e *edit) error {
	var have int64
	_, err := e.find(ctx, []any{&have}, `SELECT version FROM identity WHERE id = $1 AND presence <> 'deleted'
		UNION ALL SELECT version FROM groups WHERE id = $1 AND deleted = 0`, o.id)
	if err != nil {
		return fmt.Errorf("reading the version of %s: %w", o.id, err)
	}
	if have != o.version {
		return fmt.Errorf("%s has version %d and not %d: %w", o.id, have, o.version, directory.ErrVersion)
	}
	return nil
}

type requirePolicy struct{ revision directory.Revision }

func (o requirePolicy) run(_ context.Context, e *edit) error {
	if e.policyAt > int64(o.revision) {
		return fmt.Errorf("policy changed at revision %d, after %d: %w", e.policyAt, o.revision, directory.ErrVersion)
	}
	return nil
}

type requireLease struct {
	name  string
	epoch int64
}

// run keeps the lease as it is till the commit, so that a new holder reads what
// this edit wrote.
func (o requireLease) run(ctx context.Context, e *edit) error {
	var epoch int64
	found, err := e.find(ctx, []any{&epoch}, `SELECT epoch FROM lease WHERE name = $1`+e.d.share, o.name)
	if err != nil {
		return fmt.Errorf("reading lease %s: %w", o.name, err)
	}
	if !found || epoch != o.epoch {
		return fmt.Errorf("lease %s has epoch %d and not %d: %w", o.name, epoch, o.epoch, directory.ErrFenced)
	}
	return nil
}
