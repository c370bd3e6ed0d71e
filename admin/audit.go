package admin

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"iter"

	"github.com/usherd/usherd/audit"
	"github.com/usherd/usherd/directory"
)

// Audit returns audit records after a revision, the oldest first.
func (s *Service) Audit(ctx context.Context, after directory.Revision, limit int) ([]directory.AuditRecord, error) {
	if _, err := s.reads(ctx, ReadAudit); err != nil {
		return nil, err
	}
	records, err := s.Store.Audit(ctx, after, pageSize(limit))
	if err != nil {
		return nil, fmt.Errorf("reading audit records: %w", err)
	}
	return records, nil
}

// A Verification says whether the audit chain holds.
type Verification struct {
	OK       bool   `json:"ok"`
	Records  int64  `json:"records"` // that hold
	Hash     string `json:"hash"`    // of the last one that holds
	BrokenAt int64  `json:"broken_at,omitempty"`
	Detail   string `json:"detail,omitempty"`
}

// VerifyAudit recomputes the whole audit chain.
func (s *Service) VerifyAudit(ctx context.Context) (Verification, error) {
	if _, err := s.reads(ctx, ReadAudit); err != nil {
		return Verification{}, err
	}
	at, err := audit.Verify(audit.Point{}, s.chain(ctx))
	out := Verification{OK: err == nil, Records: at.Seq, Hash: at.Hash.String()}
	breach, ok := errors.AsType[*audit.BreakError](err)
	switch {
	case ok:
		out.BrokenAt, out.Detail = breach.Seq, breach.Reason
	case err != nil:
		return Verification{}, err
	}
	return out, nil
}

// chain yields all audit records in the form that was hashed.
func (s *Service) chain(ctx context.Context) iter.Seq2[audit.Record, error] {
	return func(yield func(audit.Record, error) bool) {
		for after := directory.Revision(0); ; {
			records, err := s.Store.Audit(ctx, after, maxPage)
			if err != nil {
				yield(audit.Record{}, err)
				return
			}
			for _, r := range records {
				if !yield(chained(r)) {
					return
				}
				after = r.Revision
			}
			if len(records) < maxPage {
				return
			}
		}
	}
}

func chained(r directory.AuditRecord) (audit.Record, error) {
	actor, err := json.Marshal(r.Actor)
	if err != nil {
		return audit.Record{}, fmt.Errorf("encoding the actor: %w", err)
	}
	out := audit.Record{Seq: int64(r.Revision), Time: r.Time.UnixMilli(), Actor: string(actor), Changes: string(r.Changes)}
	copy(out.Hash[:], r.Hash)
	return out, nil
}

func (a *API) listAudit(c call) (answer, error) {
	after, err := c.number("after")
	if err != nil {
		return answer{}, err
	}
	n, err := c.number("limit")
	if err != nil {
		return answer{}, err
	}
	return listOf(a.Service.Audit(c.Context(), directory.Revision(after), n))
}

func (a *API) verifyAudit(c call) (answer, error) { return outcome(a.Service.VerifyAudit(c.Context())) }
