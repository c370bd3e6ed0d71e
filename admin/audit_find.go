package admin

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/usherd/usherd/directory"
)

// An AuditQuery selects audit records. What is empty selects all.
type AuditQuery struct {
	Actor   string    // the actor's kind, name, source, or token's id, in any case
	Target  string    // id, key or name of something that changed
	Action  string    // how the type of a change begins: "user" or "user.created"
	Request string    // id of the request or run
	From    time.Time // at this time or later
	To      time.Time // before this time
	Before  directory.Revision
	Limit   int // default 100, at most 1000
}

// An AuditPage is a part of the records, the newest first. It may be short, or
// empty, and yet not the last: the last has no Next.
type AuditPage struct {
	Items []directory.AuditRecord `json:"items"`
	Next  directory.Revision      `json:"next,omitempty"` // the Before of the next page
}

// An AuditedChange is one entry of the changes of an audit record.
type AuditedChange struct {
	Type       string   `json:"type"`
	Target     string   `json:"target,omitempty"`
	Source     string   `json:"source,omitempty"`
	Project    string   `json:"project,omitempty"`
	Value      string   `json:"value,omitempty"`
	Group      string   `json:"group,omitempty"`
	Attributes []string `json:"attributes,omitempty"`
	Added      []string `json:"added,omitempty"`
	Removed    []string `json:"removed,omitempty"`
	Digest     string   `json:"digest"`
}

// maxScanned bounds how many records one page looks at.
const maxScanned = 20_000

// AuditedChanges reads the changes of a record.
func AuditedChanges(r directory.AuditRecord) ([]AuditedChange, error) {
	var out []AuditedChange
	if err := json.Unmarshal(r.Changes, &out); err != nil {
		return nil, fmt.Errorf("reading audit record %d: %w", r.Revision, err)
	}
	return out, nil
}

// FindAudit returns audit records that match, the newest first.
func (s *Service) FindAudit(ctx context.Context, q AuditQuery) (AuditPage, error) {
	if _, err := s.reads(ctx, ReadAudit); err != nil {
		return AuditPage{}, err
	}
	low, high, err := s.auditRange(ctx, q)
	if err != nil {
		return AuditPage{}, err
	}
	page := AuditPage{Items: []directory.AuditRecord{}}
	limit := pageSize(q.Limit)
	for scanned := 0; high > low; {
		from := max(low, high-maxPage)
		records, err := s.Store.Audit(ctx, from, int(high-from))
		if err != nil {
			return AuditPage{}, fmt.Errorf("reading audit records: %w", err)
		}
		for _, r := range slices.Backward(records) {
			if r.Revision > high {
				continue
			}
			if len(page.Items) == limit {
				page.Next = page.Items[limit-1].Revision
				return page, nil
			}
			if q.matches(r) {
				page.Items = append(page.Items, r)
			}
		}
		high = from
		if scanned += maxPage; scanned >= maxScanned && high > low {
			page.Next = high + 1
			return page, nil
		}
	}
	return page, nil
}

// auditRange returns the revisions that the times of a query leave: those above
// low up to high.
func (s *Service) auditRange(ctx context.Context, q AuditQuery) (low, high directory.Revision, err error) {
	head, err := s.Store.Head(ctx, directory.Stamp{})
	if err != nil {
		return 0, 0, fmt.Errorf("reading the revision: %w", err)
	}
	high = head.Stamp.Revision
	for _, bound := range []struct {
		at  time.Time
		set *directory.Revision
	}{{q.From, &low}, {q.To, &high}} {
		if bound.at.IsZero() || bound.at.After(s.Now()) {
			continue
		}
		if *bound.set, err = s.Store.RevisionAt(ctx, bound.at.Add(-time.Millisecond)); err != nil {
			return 0, 0, fmt.Errorf("finding the revision: %w", err)
		}
	}
	if q.Before > 0 {
		high = min(high, q.Before-1)
	}
	return low, high, nil
}

func (q AuditQuery) matches(r directory.AuditRecord) bool {
	a := r.Actor
	if q.Actor != "" && !slices.ContainsFunc([]string{a.Kind, a.Name, string(a.Source), a.Token}, func(s string) bool { return strings.EqualFold(s, q.Actor) }) {
		return false
	}
	if q.Request != "" && a.Request != q.Request {
		return false
	}
	if q.Action == "" && q.Target == "" {
		return true
	}
	changes, err := AuditedChanges(r)
	return err == nil && slices.ContainsFunc(changes, func(c AuditedChange) bool {
		return strings.HasPrefix(c.Type, q.Action) && (q.Target == "" || c.about(q.Target))
	})
}

// about reports whether a change concerns something.
func (c AuditedChange) about(what string) bool {
	return slices.Contains([]string{c.Target, c.Group, c.Source, c.Value}, what) || slices.Contains(c.Added, what) || slices.Contains(c.Removed, what)
}

// AuditRecord returns one record.
func (s *Service) AuditRecord(ctx context.Context, at directory.Revision) (directory.AuditRecord, error) {
	records, err := s.Audit(ctx, max(at-1, 0), 1)
	if err != nil {
		return directory.AuditRecord{}, err
	}
	if len(records) == 0 || records[0].Revision != at {
		return directory.AuditRecord{}, notFound("no audit record of revision %d", at)
	}
	return records[0], nil
}
