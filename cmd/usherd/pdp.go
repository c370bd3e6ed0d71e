package main

import (
	"context"

	"github.com/usherd/usherd/admin"
	"github.com/usherd/usherd/authz"
	"github.com/usherd/usherd/cache"
	"github.com/usherd/usherd/directory"
)

// A pdp answers checks from the view of this replica.
type pdp struct {
	cache *cache.Cache[*authz.Snapshot]
}

// Look implements [admin.Decider].
func (p *pdp) Look(ctx context.Context, key directory.SubjectKey) (admin.Look, error) {
	view, err := p.cache.View()
	if err != nil {
		return admin.Look{}, err
	}
	subject, _, err := p.cache.Subject(ctx, view, key)
	if err != nil {
		return admin.Look{}, err
	}
	if _, err := p.cache.Age(view); err != nil {
		return admin.Look{}, err
	}
	return admin.Look{Snapshot: view.Snapshot, Subject: subject, Stamp: view.Stamp}, nil
}
