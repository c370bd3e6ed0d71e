package admin

import (
	"context"
	"fmt"
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
	at, limit := max(low, after), pageSize(q.Limit)
	for scanned := 0; at < high; scanned += maxPage {
		records, err := s.Store.Audit(ctx, at, maxPage)
		if err != nil {
			return out, fmt.Errorf("reading audit records: %w", err)
		}
		for _, r := range records {
			if r.Revision > high {
				break
			}
			if len(out.Items) == limit || scanned >= maxScanned {
				out.Next = s.sealCursor(cursor{"audit", strconv.FormatInt(int64(at), 10)})
				return out, nil
			}
			if at = r.Revision; q.matches(r) {
				out.Items = append(out.Items, r)
			}
		}
		if len(records) < maxPage {
			break
		}
	}
	return out, nil
}
