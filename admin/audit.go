package admin

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"iter"
	"strconv"
	"strings"
	"time"

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
	for i := range records {
		records[i] = readable(records[i])
	}
	return records, nil
}

// A Verification says whether the audit chain holds.
type Verification struct {
	OK      bool  `json:"ok"`
	Records int64 `json:"records"` // up to which all hold
	// From is the first record that is kept; 0 if all are. What was before it
	// was forgotten when its time was over, which the chain itself says.
	From     int64  `json:"from,omitempty"`
	Hash     string `json:"hash"` // of the last one that holds
	BrokenAt int64  `json:"broken_at,omitempty"`
	Detail   string `json:"detail,omitempty"`
	// Mendable says that the chain itself holds, and that what is wrong can be
	// made anew of it; see [Service.ReindexAudit].
	Mendable bool `json:"mendable,omitempty"`
	// Checkpoint says what a kept checkpoint adds; empty if none was given.
	Checkpoint string `json:"checkpoint,omitempty"`
}

// VerifyAudit recomputes the whole audit chain, and what is kept beside the
// records to list and find them.
func (s *Service) VerifyAudit(ctx context.Context) (Verification, error) {
	return s.VerifyAuditFrom(ctx, audit.Point{})
}

// VerifyAuditFrom recomputes the whole audit chain and checks that a point that
// was kept elsewhere is part of it. The zero point checks nothing more. Records
// that were cut off after the point, or a chain that was written anew, show.
func (s *Service) VerifyAuditFrom(ctx context.Context, kept audit.Point) (Verification, error) {
	if _, err := s.reads(ctx, ReadAudit); err != nil {
		return Verification{}, err
	}
	head, err := s.Store.Head(ctx, directory.Stamp{})
	if err != nil {
		return Verification{}, fmt.Errorf("reading the revision: %w", err)
	}
	start, err := s.chainStart(ctx)
	if err != nil {
		return Verification{}, err
	}
	met, forgotten := start.Hash, start.Seq
	at, err := audit.Verify(start, func(yield func(audit.Record, error) bool) {
		for r, err := range s.chain(ctx, start.Seq) {
			if err == nil && r.Seq == kept.Seq {
				met = r.Hash
			}
			if last, ok := endOfForgotten(r); ok && err == nil {
				forgotten = last.Seq
			}
			if !yield(r, err) {
				return
			}
		}
	})
	out := Verification{OK: err == nil, Records: at.Seq, Hash: at.Hash.String()}
	if start.Seq > 0 {
		out.From = start.Seq + 1
	}
	breach, ok := errors.AsType[*audit.BreakError](err)
	switch {
	case ok:
		out.BrokenAt, out.Detail = breach.Seq, breach.Reason
	case err != nil:
		return Verification{}, err
	case int64(head.Stamp.Revision) > at.Seq:
		out.OK, out.BrokenAt = false, at.Seq+1
		out.Detail = fmt.Sprintf("cut off: the directory is at revision %d, and the last record is %d", head.Stamp.Revision, at.Seq)
	case kept.Seq > at.Seq:
		out.OK, out.BrokenAt = false, at.Seq+1
		out.Detail = fmt.Sprintf("cut off: the checkpoint is of record %d, and the last one is %d", kept.Seq, at.Seq)
	case kept.Seq > 0 && kept.Seq < start.Seq:
		out.Checkpoint = fmt.Sprintf("older than record %d, the first that is kept: it says nothing", out.From)
		err := s.verifyHeads(ctx, forgotten, &out)
		return out, err
	case kept.Seq > 0 && met != kept.Hash:
		out.OK, out.BrokenAt = false, kept.Seq
		out.Detail = fmt.Sprintf("record %d is not that of the checkpoint: the chain was written anew", kept.Seq)
	}
	if out.OK {
		if err := s.verifyHeads(ctx, forgotten, &out); err != nil {
			return Verification{}, err
		}
	}
	if out.OK && kept.Seq > 0 {
		out.Checkpoint = fmt.Sprintf("contains %v", kept)
	}
	return out, nil
}

// verifyHeads compares records that hold with what is kept beside them, which
// the chain does not cover.
func (s *Service) verifyHeads(ctx context.Context, forgotten int64, out *Verification) error {
	faults, err := s.Store.CheckAuditHeads(ctx, directory.Revision(forgotten))
	if err == nil && len(faults) > 0 { // records that began to be forgotten meanwhile are whole no more
		var more int64
		if more, err = s.forgottenAfter(ctx, out.Records); more > forgotten && err == nil {
			faults, err = s.Store.CheckAuditHeads(ctx, directory.Revision(more))
		}
	}
	if err != nil {
		return fmt.Errorf("reading summaries of audit records: %w", err)
	}
	if len(faults) == 0 {
		return nil
	}
	var details []string
	for _, f := range faults {
		details = append(details, fmt.Sprintf("record %d: %s", f.Revision, f.Detail))
	}
	out.OK, out.BrokenAt, out.Mendable = false, int64(faults[0].Revision), true
	out.Detail = strings.Join(details, "; ") + ". The records themselves hold: usherd audit reindex makes what lists show of them anew"
	return nil
}

// forgottenAfter returns up to which record all are forgotten, as records after
// one say; 0 if none does.
func (s *Service) forgottenAfter(ctx context.Context, after int64) (last int64, err error) {
	for r, err := range s.chain(ctx, after) {
		if err != nil {
			return 0, err
		}
		if p, ok := endOfForgotten(r); ok {
			last = p.Seq
		}
	}
	return last, nil
}

// An AuditPoint is the end of the audit chain: whoever keeps it elsewhere can
// tell later that nothing up to it was cut off or written anew.
type AuditPoint struct {
	Revision   directory.Revision `json:"revision"`
	Hash       string             `json:"hash"`
	Time       time.Time          `json:"time"`       // of the record
	Checkpoint string             `json:"checkpoint"` // revision:hash, in one text
}

// AuditCheckpoint returns the present end of the audit chain.
func (s *Service) AuditCheckpoint(ctx context.Context) (AuditPoint, error) {
	if _, err := s.reads(ctx, ReadAudit); err != nil {
		return AuditPoint{}, err
	}
	head, err := s.Store.Head(ctx, directory.Stamp{})
	if err != nil {
		return AuditPoint{}, fmt.Errorf("reading the revision: %w", err)
	}
	if head.Stamp.Revision == 0 {
		return AuditPoint{}, notFound("there are no audit records yet")
	}
	records, err := s.Store.Audit(ctx, head.Stamp.Revision-1, 1)
	if err != nil {
		return AuditPoint{}, fmt.Errorf("reading audit records: %w", err)
	}
	if len(records) == 0 {
		return AuditPoint{}, notFound("the audit record of revision %d", head.Stamp.Revision)
	}
	r, err := chained(records[0])
	return AuditPoint{records[0].Revision, r.Hash.String(), records[0].Time, r.Point().String()}, err
}

// auditPruned is the type of the change that names the last of the records that
// were forgotten, with its hash as value.
const auditPruned = "audit.pruned"

// chainStart is where the kept records begin: the zero point, or the newest one
// that a record says was forgotten. That record is covered by the chain, which
// is then verified from that point.
func (s *Service) chainStart(ctx context.Context) (start audit.Point, err error) {
	first, err := s.Store.Audit(ctx, 0, 1)
	if err != nil {
		return start, fmt.Errorf("reading audit records: %w", err)
	}
	if len(first) == 0 || first[0].Revision == 1 {
		return start, nil
	}
	for r, err := range s.chain(ctx, 0) {
		if err != nil {
			return start, err
		}
		if last, ok := endOfForgotten(r); ok {
			start = last
		}
	}
	return start, nil
}

// endOfForgotten returns the last of the records that a record says were
// forgotten, if it says so.
func endOfForgotten(r audit.Record) (last audit.Point, ok bool) {
	if !strings.Contains(r.Changes, auditPruned) {
		return last, false
	}
	changes, err := auditedChanges(directory.AuditRecord{Changes: []byte(r.Changes)})
	if err != nil || len(changes) != 1 || changes[0].Type != auditPruned {
		return last, false
	}
	last.Seq, err = strconv.ParseInt(changes[0].Target, 10, 64)
	var herr error
	last.Hash, herr = audit.ParseHash(changes[0].Value)
	return last, err == nil && herr == nil && last.Seq < r.Seq
}

// chain yields the audit records after one in the form that was hashed.
func (s *Service) chain(ctx context.Context, begin int64) iter.Seq2[audit.Record, error] {
	return func(yield func(audit.Record, error) bool) {
		for after := directory.Revision(begin); ; {
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
	v := c.URL.Query()
	n, err := c.number("limit")
	if err != nil {
		return answer{}, err
	}
	after, err := c.number("after")
	if err != nil {
		return answer{}, err
	}
	q := AuditQuery{Actor: v.Get("actor"), Target: v.Get("target"), Action: v.Get("action"), Request: v.Get("request"), Limit: n}
	if q.From, err = c.moment("since"); err != nil {
		return answer{}, err
	}
	if q.To, err = c.moment("until"); err != nil {
		return answer{}, err
	}
	if text := v.Get("cursor"); text != "" {
		at, err := a.Service.openCursor("audit", text)
		if err != nil {
			return answer{}, err
		}
		if after, err = strconv.Atoi(at.id); err != nil {
			return answer{}, badParameter("cursor", "is of another list")
		}
	}
	return outcome(a.Service.AuditAfter(c.Context(), q, directory.Revision(after)))
}

// moment reads a query parameter that is a time; absent is the zero time.
func (c call) moment(name string) (time.Time, error) {
	text := c.URL.Query().Get(name)
	if text == "" {
		return time.Time{}, nil
	}
	at, err := time.Parse(time.RFC3339, text)
	if err != nil {
		return time.Time{}, badParameter(name, "must be a time such as 2026-01-31T12:00:00Z, not %q", text)
	}
	return at, nil
}

func (a *API) verifyAudit(c call) (answer, error) {
	n, err := c.number("revision")
	if err != nil {
		return answer{}, err
	}
	kept := audit.Point{Seq: int64(n)}
	if text := c.URL.Query().Get("hash"); text != "" || n > 0 {
		if kept.Hash, err = audit.ParseHash(text); err != nil || n < 1 {
			return answer{}, badParameter("hash", "must be the hash of the checkpoint of a revision, 64 hexadecimal digits")
		}
	}
	return outcome(a.Service.VerifyAuditFrom(c.Context(), kept))
}

func (a *API) auditCheckpoint(c call) (answer, error) {
	return outcome(a.Service.AuditCheckpoint(c.Context()))
}
