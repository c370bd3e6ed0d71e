package admin

import (
	"cmp"
	"context"
	"slices"

	"github.com/usherd/usherd/directory"
)

// A HomePart is the features that a user may open in one scope, in the order of
// the catalogue. What is open everywhere is not said of each project besides.
type HomePart struct {
	Project  directory.ProjectKey `json:"project,omitempty"` // empty: in every check
	Title    string               `json:"title,omitempty"`   // of the project
	Features []directory.Feature  `json:"features"`
}

// HomeOf is the home page of a user: what is open everywhere first, then each
// project in which more is. A signed-in user may ask about themselves.
func (s *Service) HomeOf(ctx context.Context, name string) ([]HomePart, error) {
	look, err := s.named(ctx, name, "")
	if err != nil {
		return nil, err
	}
	if look.Subject.Found != directory.One {
		return nil, look.nobody()
	}
	p := &look.Snapshot.Policy().Policy
	scopes := append([]directory.Project{{}}, p.Projects...)
	var everywhere []string
	var out []HomePart
	var refusedErr error
	for _, scope := range scopes {
		if err := s.mayAsk(ctx, look.Subject, scope.Key); err != nil {
			refusedErr = cmp.Or(refusedErr, err)
			continue
		}
		open := look.Snapshot.Permissions(look.Subject, scope.Key).Access
		part := HomePart{Project: scope.Key, Features: []directory.Feature{}}
		if scope.Key == "" {
			everywhere = open
		} else {
			part.Title = cmp.Or(scope.Title, string(scope.Key))
		}
		for _, f := range p.Features {
			if slices.Contains(open, f.Key) && (scope.Key == "" || !slices.Contains(everywhere, f.Key)) {
				part.Features = append(part.Features, f)
			}
		}
		if scope.Key == "" || len(part.Features) > 0 {
			out = append(out, part)
		}
	}
	if out == nil {
		return nil, refusedErr
	}
	return out, nil
}
