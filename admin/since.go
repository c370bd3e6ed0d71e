package admin

import (
	"cmp"
	"context"
	"maps"
	"slices"
	"time"

	"github.com/usherd/usherd/authz"
	"github.com/usherd/usherd/directory"
)

// Began says since when something holds that holds now. At most one of the two
// is set; none if it is not known.
type Began struct {
	Since       time.Time `json:"since,omitzero"`       // when it began
	SinceBefore time.Time `json:"sinceBefore,omitzero"` // it began then or before: older records are not kept
}

// began dates revisions; the revision 0 is not known.
func (s *Service) began(ctx context.Context, revisions ...directory.Revision) (func(directory.Revision) Began, error) {
	revisions = slices.DeleteFunc(slices.Clone(revisions), func(r directory.Revision) bool { return r == 0 })
	times, oldest, err := s.Store.TimesOf(ctx, revisions...)
	if err != nil {
		return nil, err
	}
	return func(r directory.Revision) Began {
		switch at, kept := times[r]; {
		case r == 0:
			return Began{}
		case kept:
			return Began{Since: at}
		}
		return Began{SinceBefore: oldest}
	}, nil
}

// A tenure is since when a user is in each group. Direct membership counts before
// nesting; of several ways through nesting the one that has held longest counts,
// and a way holds since its youngest link.
type tenure map[directory.GroupNum]directory.Revision

// tenureOf finds since when a user is in groups. Ends of links that are not there
// any more lead nowhere.
func (s *Service) tenureOf(ctx context.Context, view *authz.Snapshot, sub *directory.Subject) (tenure, error) {
	ids := map[string]directory.GroupNum{string(sub.ID): 0} // no group has 0
	for _, g := range climb(view, sub) {
		ids[string(g.ID)] = g.Num
	}
	edges, err := s.Store.EdgesBegan(ctx, slices.Collect(maps.Keys(ids))...)
	if err != nil {
		return nil, err
	}
	return tenureBy(edges, ids), nil
}

// tenureBy goes through links in the order in which they began: whatever a link
// completes a way to is reached since then.
func tenureBy(edges map[directory.Edge]directory.Revision, ids map[string]directory.GroupNum) tenure {
	out, waiting := tenure{}, map[directory.GroupNum][]directory.GroupNum{}
	var visit func(directory.GroupNum, directory.Revision)
	visit = func(num directory.GroupNum, at directory.Revision) {
		if _, reached := out[num]; reached {
			return
		}
		out[num] = at
		for _, parent := range waiting[num] {
			visit(parent, at)
		}
	}
	visit(0, 0)
	inOrder := slices.SortedFunc(maps.Keys(edges), func(a, b directory.Edge) int { return cmp.Compare(edges[a], edges[b]) })
	for _, e := range inOrder {
		from := ids[e.Member]
		if _, reached := out[from]; reached {
			visit(e.Group, edges[e])
		} else {
			waiting[from] = append(waiting[from], e.Group)
		}
	}
	for e, at := range edges {
		if ids[e.Member] == 0 {
			out[e.Group] = at
		}
	}
	delete(out, 0)
	return out
}

// climb returns the groups that a user is in: direct ones, then those around.
func climb(view *authz.Snapshot, sub *directory.Subject) []directory.GroupFacts {
	var out []directory.GroupFacts
	seen := map[directory.GroupNum]bool{}
	add := func(num directory.GroupNum) {
		if g, ok := view.Group(num); ok && !seen[num] {
			seen[num] = true
			out = append(out, g)
		}
	}
	for _, m := range sub.Memberships {
		add(m.Group)
	}
	for i := 0; i < len(out); i++ { // grows
		for _, parent := range out[i].Parents {
			add(parent)
		}
	}
	return out
}

// dateGroups says of groups of a user since when they are.
func (s *Service) dateGroups(ctx context.Context, view *authz.Snapshot, sub *directory.Subject, groups []*UserGroup) error {
	if len(groups) == 0 {
		return nil
	}
	in, err := s.tenureOf(ctx, view, sub)
	if err != nil {
		return err
	}
	var revisions []directory.Revision
	for _, g := range groups {
		revisions = append(revisions, in[g.Num])
	}
	began, err := s.began(ctx, revisions...)
	if err != nil {
		return err
	}
	for _, g := range groups {
		g.Began = began(in[g.Num])
	}
	return nil
}
