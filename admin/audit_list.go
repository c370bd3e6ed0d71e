package admin

import (
	"context"
	"strconv"

	"github.com/usherd/usherd/directory"
)

// AuditAfter returns audit records after a revision that match, the oldest
// first. A page may be short, or empty, and yet not the last: the last has no
// Next. Total is not counted and 0.
func (s *Service) AuditAfter(ctx context.Context, q AuditQuery, after directory.Revision) (Listing[directory.AuditRecord], error) {
	out := Listing[directory.AuditRecord]{Items: []directory.AuditRecord{}}
	if _, err := s.reads(ctx, ReadAudit); err != nil {
		return out, err
	}
	low, high, err := s.auditRange(ctx, q)
	if err != nil {
		return out, err
	}
	if low = max(low, after); low >= high {
		return out, nil
	}
	search := q.search(low, high)
	search.Oldest = true
	if walks(search) {
		search.Upto = min(high, low+maxScanned)
	}
	heads, last, err := s.searchAudit(ctx, q, search, pageSize(q.Limit))
	if err != nil {
		return out, err
	}
	if last == 0 && search.Upto < high {
		last = search.Upto
	}
	if last > 0 {
		out.Next = s.sealCursor(cursor{"audit", "", strconv.FormatInt(int64(last), 10)})
	}
	out.Items, err = s.auditRecords(ctx, revisionsOf(heads))
	return out, err
}
