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

	// Targets are more targets: a change has to be of one of them all.
	Targets []string
}

// An AuditPage is a part of the records, the newest first. It may be short, or
// empty, and yet not the last: the last has no Next.
type AuditPage struct {
	Items []directory.AuditRecord `json:"items"`
	Next  directory.Revision      `json:"next,omitempty"` // the Before of the next page
}

// An AuditHeads is an [AuditPage] of what lists show of records.
type AuditHeads struct {
	Items []directory.AuditHead `json:"items"`
	Next  directory.Revision    `json:"next,omitempty"`
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

// AuditedChanges reads the changes of a record. Those that do not read are one
// of the type [directory.AuditUnreadable], so that a page of many goes on.
func AuditedChanges(r directory.AuditRecord) ([]AuditedChange, error) {
	out, err := auditedChanges(r)
	if err != nil {
		return []AuditedChange{{Type: directory.AuditUnreadable, Value: directory.AuditUnreadableHint}}, nil
	}
	return out, nil
}

// readable is a record that can be sent: changes that are no JSON give way to
// one that says so.
func readable(r directory.AuditRecord) directory.AuditRecord {
	if !json.Valid(r.Changes) {
		r.Changes, _ = json.Marshal([]AuditedChange{{Type: directory.AuditUnreadable, Value: directory.AuditUnreadableHint}}) // texts always encode
	}
	return r
}

func auditedChanges(r directory.AuditRecord) ([]AuditedChange, error) {
	var out []AuditedChange
	if err := json.Unmarshal(r.Changes, &out); err != nil {
		return nil, fmt.Errorf("reading audit record %d: %w", r.Revision, err)
	}
	return out, nil
}

// FindAudit returns audit records that match, the newest first.
func (s *Service) FindAudit(ctx context.Context, q AuditQuery) (AuditPage, error) {
	page := AuditPage{Items: []directory.AuditRecord{}}
	heads, err := s.FindAuditHeads(ctx, q)
	if err != nil {
		return page, err
	}
	page.Next = heads.Next
	page.Items, err = s.auditRecords(ctx, revisionsOf(heads.Items))
	return page, err
}

// FindAuditHeads is [Service.FindAudit] for lists: it reads no more of a record
// than they show.
func (s *Service) FindAuditHeads(ctx context.Context, q AuditQuery) (AuditHeads, error) {
	page := AuditHeads{Items: []directory.AuditHead{}}
	if _, err := s.reads(ctx, ReadAudit); err != nil {
		return page, err
	}
	low, high, err := s.auditRange(ctx, q)
	if err != nil || high <= low {
		return page, err
	}
	search := q.search(low, high)
	if walks(search) {
		search.After = max(low, high-maxScanned)
	}
	page.Items, page.Next, err = s.searchAudit(ctx, q, search, pageSize(q.Limit))
	if err == nil && page.Next == 0 && search.After > low {
		page.Next = search.After + 1
	}
	return page, err
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
		if bound.at.IsZero() || bound.at.After(s.Now()) && bound.set == &high {
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

// matches reports whether a change of a record is of the type and about a target
// that a query asks for.
func (q AuditQuery) matches(r directory.AuditRecord) bool {
	changes, err := auditedChanges(r)
	return err == nil && slices.ContainsFunc(changes, func(c AuditedChange) bool {
		return strings.HasPrefix(c.Type, q.Action) && slices.ContainsFunc(q.targets(), c.about)
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
