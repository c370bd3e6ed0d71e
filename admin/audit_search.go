package admin

import (
	"context"
	"fmt"
	"slices"

	"github.com/usherd/usherd/directory"
)

// maxScanned bounds how many records one page walks over. Those about something
// are looked up, wherever they are.
const maxScanned = 20_000

// maxTried bounds how many records one page reads as a whole to leave them out.
const maxTried = 1_000

// targets are all that a query names.
func (q AuditQuery) targets() []string {
	if q.Target == "" {
		return q.Targets
	}
	return append(slices.Clone(q.Targets), q.Target)
}

// search is a query as the store takes it, of revisions above low up to high.
func (q AuditQuery) search(low, high directory.Revision) directory.AuditSearch {
	return directory.AuditSearch{After: low, Upto: high, Actor: q.Actor, Request: q.Request, Action: q.Action, About: q.targets()}
}

// walks reports whether a search looks at one record after the other.
func walks(q directory.AuditSearch) bool {
	return len(q.About) == 0 && (q.Actor != "" || q.Request != "" || q.Action != "")
}

// searchAudit returns the first heads that match, at most limit, and which
// record it looked at last if there may be more behind it.
func (s *Service) searchAudit(ctx context.Context, q AuditQuery, search directory.AuditSearch, limit int) (found []directory.AuditHead, more directory.Revision, err error) {
	found = []directory.AuditHead{}
	var last directory.Revision
	for tried := 0; ; {
		search.Limit = limit - len(found) + 1
		heads, err := s.Store.AuditHeads(ctx, search)
		if err != nil {
			return nil, 0, fmt.Errorf("reading audit records: %w", err)
		}
		for _, h := range heads {
			if len(found) == limit || tried == maxTried {
				return found, last, nil
			}
			ok, err := s.inOneChange(ctx, q, h.Revision)
			if err != nil {
				return nil, 0, err
			}
			if ok {
				found = append(found, h)
			}
			last = h.Revision
			tried++
		}
		if len(heads) < search.Limit || last == 1 && !search.Oldest {
			return found, 0, nil
		}
		if search.Oldest {
			search.After = last
		} else {
			search.Upto = last - 1
		}
	}
}

// inOneChange reports whether action and target of a query, if it has both, meet
// in one change of a record that has either somewhere.
func (s *Service) inOneChange(ctx context.Context, q AuditQuery, at directory.Revision) (bool, error) {
	if q.Action == "" || len(q.targets()) == 0 {
		return true, nil
	}
	records, err := s.Store.Audit(ctx, at-1, 1)
	if err != nil {
		return false, fmt.Errorf("reading audit records: %w", err)
	}
	return len(records) == 1 && records[0].Revision == at && q.matches(records[0]), nil
}

// AuditRecords returns the records of some revisions, in their order. Those that
// are not kept are left out.
func (s *Service) AuditRecords(ctx context.Context, at ...directory.Revision) ([]directory.AuditRecord, error) {
	if _, err := s.reads(ctx, ReadAudit); err != nil {
		return nil, err
	}
	return s.auditRecords(ctx, at)
}

func (s *Service) auditRecords(ctx context.Context, at []directory.Revision) ([]directory.AuditRecord, error) {
	sorted := slices.Compact(slices.Sorted(slices.Values(at)))
	known := make(map[directory.Revision]directory.AuditRecord, len(at))
	for from := 0; from < len(sorted); {
		to := from + 1
		for to < len(sorted) && sorted[to] == sorted[to-1]+1 {
			to++
		}
		records, err := s.Store.Audit(ctx, sorted[from]-1, to-from)
		if err != nil {
			return nil, fmt.Errorf("reading audit records: %w", err)
		}
		for _, r := range records {
			known[r.Revision] = readable(r)
		}
		from = to
	}
	out := make([]directory.AuditRecord, 0, len(at))
	for _, rev := range at {
		if r, ok := known[rev]; ok {
			out = append(out, r)
		}
	}
	return out, nil
}

// revisionsOf are the revisions of heads, in their order.
func revisionsOf(heads []directory.AuditHead) []directory.Revision {
	out := make([]directory.Revision, len(heads))
	for i, h := range heads {
		out[i] = h.Revision
	}
	return out
}
