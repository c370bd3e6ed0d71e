package admin

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/usherd/usherd/directory"
)

// maxPolicySearch bounds how many revisions are searched for when parts of the
// policy changed.
const maxPolicySearch = 5_000

// policySet is the type of the change of an edit of the policy.
const policySet = "policy.set"

// A policyLog remembers which items of the policy changed when: records never
// change, so that each is read once.
type policyLog struct {
	mu      sync.Mutex
	upTo    directory.Revision // all records up to it are known
	entries []policyChange     // the oldest first
}

// A policyChange is what one record changed of the policy.
type policyChange struct {
	at    directory.Revision
	time  time.Time
	items []string // SECTION/KEY of what was added or altered
}

// PolicyTimes tells when items of a section last changed, by key, as far as the
// newest audit records say it.
func (s *Service) PolicyTimes(ctx context.Context, section directory.Section) (map[string]time.Time, error) {
	a, err := s.reads(ctx, ReadPolicy)
	if err != nil {
		return nil, err
	}
	entries, err := s.policyChanges(ctx, a.view.Policy().Revision)
	if err != nil {
		return nil, err
	}
	out := map[string]time.Time{}
	for _, e := range entries {
		for _, item := range e.items {
			if key, ok := strings.CutPrefix(item, string(section)+"/"); ok {
				out[key] = e.time
			}
		}
	}
	return out, nil
}

// policyChanges are those of the newest revisions up to one.
func (s *Service) policyChanges(ctx context.Context, end directory.Revision) ([]policyChange, error) {
	least := max(0, end-maxPolicySearch)
	l := &s.edits
	l.mu.Lock()
	defer l.mu.Unlock()
	if end > l.upTo {
		read, err := s.readPolicyChanges(ctx, max(least, l.upTo), end)
		if err != nil {
			return nil, err
		}
		l.entries = slices.DeleteFunc(append(slices.Clone(l.entries), read...), func(c policyChange) bool { return c.at <= least })
		l.upTo = end
	}
	later := slices.IndexFunc(l.entries, func(c policyChange) bool { return c.at > end })
	if later < 0 {
		later = len(l.entries)
	}
	return l.entries[:later:later], nil
}

func (s *Service) readPolicyChanges(ctx context.Context, after, upTo directory.Revision) (out []policyChange, err error) {
	heads, err := s.Store.AuditHeads(ctx, directory.AuditSearch{After: after, Upto: upTo, Action: policySet, Oldest: true, Limit: maxPolicySearch})
	if err != nil {
		return nil, fmt.Errorf("searching audit records: %w", err)
	}
	for _, h := range heads {
		records, err := s.auditRecords(ctx, []directory.Revision{h.Revision})
		if err != nil {
			return nil, err
		}
		for _, r := range records {
			changes, err := auditedChanges(r)
			if err != nil {
				continue // whoever verifies the chain hears of it
			}
			noted := policyChange{at: r.Revision, time: r.Time}
			for _, c := range changes {
				if c.Type == policySet {
					noted.items = slices.Concat(noted.items, c.Added, c.Attributes)
				}
			}
			out = append(out, noted)
		}
	}
	return out, nil
}
