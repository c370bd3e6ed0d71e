package store_test

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/usherd/usherd/directory"
	"github.com/usherd/usherd/store"
)

// TestPagesBeginWhereTheyAre: pages that are read in any order, again and
// again, between changes, are parts of the whole list.
func TestPagesBeginWhereTheyAre(t *testing.T) {
	for _, e := range engines {
		t.Run(e.name, func(t *testing.T) {
			s, err := store.Open(t.Context(), store.Config{DSN: e.dsn(t)})
			if err != nil {
				t.Fatal(err)
			}
			defer s.Close()
			apply := func(changes ...directory.Change) {
				if _, err := s.Apply(t.Context(), root, changes...); err != nil {
					t.Fatal(err)
				}
			}
			apply(directory.PutSource{Source: directory.Source{Name: "okta", Kind: directory.KindSCIM, State: directory.SourceActive}})
			seed := rand.Uint64()
			dice := rand.New(rand.NewPCG(seed, 7))
			var ids []directory.UserID
			for round := range 6 {
				var changes []directory.Change
				for n := range 40 {
					id := directory.UserID(directory.NewID())
					ids = append(ids, id)
					changes = append(changes, directory.CreateUser{ID: id, Source: "okta", Profile: directory.Profile{
						UserName: fmt.Sprintf("u%d-%d", round, n), Active: n%3 > 0,
					}})
				}
				gone := dice.IntN(len(ids))
				changes = append(changes, directory.DeleteUser{ID: ids[gone], Source: "okta"})
				ids = slices.Delete(ids, gone, gone+1)
				apply(changes...)
				for _, where := range []directory.Expr{nil, directory.Compare{Attr: directory.AttrActive, Op: directory.Eq, Value: true}} {
					all, err := s.Identities(t.Context(), directory.Query{Source: "okta", Where: where, Limit: 1_000})
					if err != nil || where == nil && len(all.Items) != len(ids) {
						t.Fatalf("seed %d: %d identities, %v; want %d", seed, len(all.Items), err, len(ids))
					}
					for range 60 {
						from, limit := dice.IntN(len(all.Items)+5), dice.IntN(30)
						q := directory.Query{Source: "okta", Where: where, Offset: from, Limit: limit, Total: true}
						page, err := s.Identities(t.Context(), q)
						from = min(from, len(all.Items))
						want := all.Items[from:min(from+limit, len(all.Items))]
						same := slices.EqualFunc(page.Items, want, func(a, b directory.Identity) bool { return a.ID == b.ID })
						if err != nil || !same || page.Total != len(all.Items) {
							t.Fatalf("seed %d: page of %d from %d has %d of %d, %v; want %d of %d",
								seed, limit, q.Offset, len(page.Items), page.Total, err, len(want), len(all.Items))
						}
					}
				}
			}
		})
	}
}
