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

// PreviewBulk checks every item like [Service.RunBulk] does, and says what all
// of those that are allowed would lead to together. Nothing is altered.
func (s *Service) PreviewBulk(ctx context.Context, by directory.Actor, b Bulk) (BulkPreview, error) {
	var all gathering
	quick, err := s.frozen(ctx)
	if err != nil {
		return BulkPreview{}, err
	}
	done, err := quick.RunBulk(context.WithValue(ctx, gatherKey{}, &all), by, b, nil)
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
