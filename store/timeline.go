package store

import (
	"context"
	"fmt"
	"time"

	"github.com/usherd/usherd/directory"
)

// RevisionAt returns the last revision made at or before a time.
func (s *Store) RevisionAt(ctx context.Context, at time.Time) (directory.Revision, error) {
	revision, err := s.revisionAt(ctx, at.Truncate(time.Millisecond).Add(time.Millisecond))
	if err != nil {
		return 0, fmt.Errorf("finding the revision of %s: %w", at.UTC().Format(time.RFC3339), err)
	}
	return revision, nil
}

// Horizon returns the oldest revision that can be read.
func (s *Store) Horizon(ctx context.Context) (directory.Revision, error) {
	p, err := readPoint(ctx, s.read, 0)
	return p.oldest, err
}
