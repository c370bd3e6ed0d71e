package authzen

import (
	"context"

	"github.com/usherd/usherd/authz"
	"github.com/usherd/usherd/directory"
)

// A Viewer shows what answers are made from, for endpoints that list.
type Viewer interface {
	// View returns a view that contains atLeast. The error is as for
	// [Evaluator].
	View(ctx context.Context, atLeast directory.Stamp) (View, error)
}

// A View is policy, groups and subjects as of one revision.
type View interface {
	Snapshot() *authz.Snapshot
	Subject(ctx context.Context, key directory.SubjectKey) (*directory.Subject, error)
	// Point is asked for when the answer is given. Its error means that the view
	// has become too old for an answer.
	Point() (Point, error)
}

// nobody is whom a name that nobody can have leads to.
var nobody = directory.Subject{}

// lookUp returns the subject that a request names.
func lookUp(ctx context.Context, v View, typ, id string) (*directory.Subject, error) {
	key := subjectKey(typ, id)
	if key == (directory.SubjectKey{}) {
		return &nobody, nil
	}
	return v.Subject(ctx, key)
}
