package store_test

import (
	"context"
	"fmt"
	"iter"
	"slices"
	"testing"
	"time"

	"github.com/usherd/usherd/directory"
	"github.com/usherd/usherd/store"
)

// TestSlowReadersOfMembersHoldNothing reads a long list of members many times
// at once, stops in the middle as a client does that does not take its answer,
// and reads and writes meanwhile.
func TestSlowReadersOfMembersHoldNothing(t *testing.T) {
	for _, engine := range engines {
		t.Run(engine.name, func(t *testing.T) {
			s, err := store.Open(t.Context(), store.Config{DSN: engine.dsn(t)})
			if err != nil {
				t.Fatal(err)
			}
			defer s.Close()
			const source, group = "okta", directory.GroupID("01900000-0000-7000-8000-000000000001")
			values := make([]string, 2500)
			for i := range values {
				values[i] = fmt.Sprintf("later-%04d", i)
			}
			apply := func(changes ...directory.Change) {
				t.Helper()
				ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
				defer cancel()
				if _, err := s.Apply(ctx, root, changes...); err != nil {
					t.Fatal(err)
				}
			}
			apply(directory.PutSource{Source: directory.Source{Name: source, Kind: directory.KindSCIM, State: directory.SourceActive}})
			apply(directory.CreateGroup{ID: group, Source: source, Name: "long"},
				directory.AddMembers{Group: group, Source: source, Values: values})
			var readers []func() (directory.Member, error, bool)
			for range 50 {
				next, stop := iter.Pull2(s.Members(t.Context(), group))
				defer stop()
				if m, err, ok := next(); !ok || err != nil || m.Value != values[0] {
					t.Fatalf("first member = %v, %v, %v", m, err, ok)
				}
				readers = append(readers, next)
			}
			apply(directory.RemoveMembers{Group: group, Source: source, Values: []string{values[0], values[2000]}})
			ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
			defer cancel()
			if g, err := s.Group(ctx, source, group); err != nil || g.Pending != 2498 {
				t.Fatalf("the group beside slow readers: %+v, %v", g, err)
			}
			got := []string{values[0]}
			for m, err, ok := readers[0](); ok; m, err, ok = readers[0]() {
				if err != nil {
					t.Fatal(err)
				}
				got = append(got, m.Value)
			}
			if want := slices.Delete(slices.Clone(values), 2000, 2001); !slices.Equal(got, want) {
				t.Errorf("%d members, want the %d that stayed or were read, once each and in order", len(got), len(want))
			}
		})
	}
}
