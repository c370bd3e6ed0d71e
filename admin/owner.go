package admin

import (
	"context"
	"errors"

	"github.com/usherd/usherd/directory"
)

// ErrLastOwner: nobody active would hold the Role owner any more.
var ErrLastOwner = errors.New("the last active owner")

func (s *Service) keepingAnOwner(ctx context.Context, by directory.Actor, changes ...directory.Change) (Outcome, error) {
	return s.apply(ctx, by, changes...)
}
