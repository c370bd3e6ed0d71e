package admin

import (
	"context"
	"fmt"
	"strconv"

	"github.com/usherd/usherd/directory"
)

// auditReindexed is noted when summaries were made anew; the target is of how
// many records.
const auditReindexed = "audit.reindexed"

// Reindexed is what came of making summaries of audit records anew.
type Reindexed struct {
	Mended int `json:"mended"` // of how many records
	Verification
}

// ReindexAudit makes what audit records are listed and found by anew, where it
// is not what they say, and verifies the trail again. The chain is never
// touched. While it is broken nothing is done: a summary may be all that is left
// of what a record said.
func (s *Service) ReindexAudit(ctx context.Context, by directory.Actor) (Reindexed, error) {
	if _, err := s.allowed(ctx, by, OperateSync, ""); err != nil {
		return Reindexed{}, err
	}
	ctx = WithPrincipal(ctx, by)
	v, err := s.VerifyAudit(ctx)
	if err != nil || !v.Mendable || dryRun(ctx) {
		return Reindexed{Verification: v}, err
	}
	forgotten, err := s.forgottenAfter(ctx, max(0, v.From-1))
	if err != nil {
		return Reindexed{}, err
	}
	mended, err := s.Store.MendAuditHeads(ctx, directory.Revision(max(forgotten, v.From-1)))
	if err != nil {
		return Reindexed{}, fmt.Errorf("making summaries of audit records anew: %w", err)
	}
	if err := s.note(ctx, by, auditReindexed, strconv.Itoa(mended)); err != nil {
		return Reindexed{}, err
	}
	v, err = s.VerifyAudit(ctx)
	return Reindexed{mended, v}, err
}

func (a *API) reindexAudit(c call) (answer, error) {
	return outcome(a.Service.ReindexAudit(c.Context(), c.by))
}
