package admin

import (
	"context"

	"github.com/usherd/usherd/directory"
)

type PolicyFile struct{ Name, Text string }

func (s *Service) ApplyPolicy(ctx context.Context, by directory.Actor, f PolicyFile) (Outcome, error) {
	return Outcome{}, nil
}
