package store

import (
	"context"
	"fmt"
	"strconv"
	"time"

	"github.com/usherd/usherd/audit"
	"github.com/usherd/usherd/directory"
)

// auditPruned is the type of the effect that names the last record which is
// forgotten: the rest of the chain, which covers it, can be verified from there.
const auditPruned = "audit.pruned"

// pruneAudit forgets audit records of before a time, as far as no revision that
// can still be read needs them. The chain says first which they are.
func (s *Store) pruneAudit(ctx context.Context, before time.Time, horizon directory.Revision) error {
	last, err := s.revisionAt(ctx, before)
	if err != nil {
		return fmt.Errorf("finding what to forget: %w", err)
	}
	if last = min(last, horizon-1); last < 1 {
		return nil
	}
	var first int64
	var hash string
	err = s.read.QueryRowContext(ctx, `SELECT (SELECT MIN(revision) FROM audit), COALESCE((SELECT hash FROM audit WHERE revision = $1), '')`, int64(last)).
		Scan(&first, &hash)
	if err != nil {
		return fmt.Errorf("reading the audit trail: %w", err)
	}
	if hash == "" {
		return nil // it was forgotten before
	}
	j := &job{by: directory.Actor{Kind: directory.ActorSystem, Name: "retention"}, answer: make(chan answer, 1)}
	j.ops = []op{pruned{last, hash}}
	if _, err := s.w.apply(ctx, j); err != nil {
		return fmt.Errorf("recording what is forgotten: %w", err)
	}
	for _, table := range []string{"audit_head", "audit_name"} { // what is found is there
		if err := s.deleteSome(ctx, table, "revision <= $1", int64(last)); err != nil {
			return err
		}
	}
	for ; first <= int64(last); first += pruneBatch {
		_, err := s.write.ExecContext(ctx, `DELETE FROM audit WHERE revision < $1 AND revision <= $2`, first+pruneBatch, int64(last))
		if err != nil {
			return fmt.Errorf("deleting from audit: %w", err)
		}
	}
	return nil
}

// pruned is an op that records the end of what is about to be forgotten.
type pruned struct {
	last directory.Revision
	hash string
}

func (o pruned) run(_ context.Context, e *edit) error {
	if _, err := audit.ParseHash(o.hash); err != nil {
		return err
	}
	f := effect{Type: auditPruned, Target: strconv.FormatInt(int64(o.last), 10), Value: o.hash}
	return e.note(f, []any{f.Target, f.Value})
}
