package admin

import (
	"context"

	"github.com/usherd/usherd/authz"
	"github.com/usherd/usherd/directory"
)

// A BulkPreview says what doing something with many would lead to.
type BulkPreview struct {
	authz.Difference
	Items   []BulkItem `json:"items"` // Changed is not set
	Failed  int        `json:"failed"`
	NoOwner bool       `json:"no_owner,omitempty"` // nobody would own the organization: some would be refused
}

// result is p in the form of what was done.
func (p *BulkPreview) result() BulkResult {
	return BulkResult{Items: p.Items, Done: len(p.Items) - p.Failed, Failed: p.Failed, Preview: &p.Difference, NoOwner: p.NoOwner}
}

// PreviewBulk checks every item like [Service.RunBulk] does, and says what all
// of those that are allowed would lead to together. Nothing is altered.
func (s *Service) PreviewBulk(ctx context.Context, by directory.Actor, b Bulk) (BulkPreview, error) {
	if err := s.mayTryBulk(ctx, by, b); err != nil {
		return BulkPreview{}, err
	}
	return s.previewMany(ctx, func(ctx context.Context, quick *Service) (BulkResult, error) {
		return quick.RunBulk(ctx, by, b, nil)
	})
}

// previewMany says what many actions, which run performs, would lead to together.
func (s *Service) previewMany(ctx context.Context, run func(context.Context, *Service) (BulkResult, error)) (BulkPreview, error) {
	var all gathering
	quick, err := s.frozen(ctx)
	if err != nil {
		return BulkPreview{}, err
	}
	done, err := run(context.WithValue(ctx, gatherKey{}, &all), quick)
	if err != nil {
		return BulkPreview{}, err
	}
	out := BulkPreview{Items: done.Items, Failed: done.Failed}
	if len(all.changes) == 0 {
		return out, nil
	}
	if out.NoOwner, err = s.LosesOwner(ctx, all.changes...); err != nil && !refusal(err) {
		return BulkPreview{}, err
	}
	out.Difference, err = s.Preview(ctx, all.changes...)
	return out, err
}

// A gathering takes the changes of actions that are only checked.
type gathering struct{ changes []directory.Change }

type gatherKey struct{}

// gathered takes changes instead of performing them, if ctx says so.
func gathered(ctx context.Context, changes []directory.Change) bool {
	all, ok := ctx.Value(gatherKey{}).(*gathering)
	if ok {
		all.changes = append(all.changes, changes...)
	}
	return ok
}
