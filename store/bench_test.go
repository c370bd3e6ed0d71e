package store

import (
	"fmt"
	"path/filepath"
	"testing"

	"github.com/usherd/usherd/directory"
	"github.com/usherd/usherd/store/storetest"
)

// fillGroup makes a group with n members and returns it and their ids.
func fillGroup(b *testing.B, s *Store, n int) (directory.GroupID, []string) {
	b.Helper()
	apply := func(changes ...directory.Change) {
		b.Helper()
		if _, err := s.Apply(b.Context(), system, changes...); err != nil {
			b.Fatal(err)
		}
	}
	g := createLocalGroup(fmt.Sprint("group of ", n))
	apply(g)
	var ids []string
	var changes []directory.Change
	for i := range n {
		c := createLocal(fmt.Sprintf("user %d of %d", i, n))
		ids, changes = append(ids, string(c.ID)), append(changes, c)
		if len(changes) == 2000 || i == n-1 {
			apply(changes...)
			changes = nil
		}
	}
	apply(directory.ReplaceMembers{Group: g.ID, Source: directory.Local, Values: ids})
	return g.ID, ids
}

func eachEngineB(b *testing.B, bench func(b *testing.B, s *Store)) {
	for _, engine := range []struct {
		name string
		dsn  func(testing.TB) string
	}{
		{"SQLite", func(tb testing.TB) string { return filepath.Join(tb.TempDir(), "usherd.db") }},
		{"PostgreSQL", storetest.Postgres},
	} {
		b.Run(engine.name, func(b *testing.B) {
			s, err := Open(b.Context(), Config{DSN: engine.dsn(b)})
			if err != nil {
				b.Fatal(err)
			}
			bench(b, s)
			if err := s.Close(); err != nil {
				b.Error(err)
			}
		})
	}
}

// BenchmarkOneMember takes one member away and adds it again. What it costs
// must not depend on the size of the group.
func BenchmarkOneMember(b *testing.B) {
	eachEngineB(b, func(b *testing.B, s *Store) {
		for _, n := range []int{100, 20_000} {
			g, ids := fillGroup(b, s, n)
			b.Run(fmt.Sprint("of ", n), func(b *testing.B) {
				for i := 0; b.Loop(); i++ {
					var c directory.Change = directory.RemoveMembers{Group: g, Source: directory.Local, Values: ids[:1]}
					if i%2 == 1 {
						c = directory.AddMembers{Group: g, Source: directory.Local, Values: ids[:1]}
					}
					if _, err := s.Apply(b.Context(), system, c); err != nil {
						b.Fatal(err)
					}
				}
			})
		}
	})
}

// BenchmarkReplaceMembers gives the whole list, with one member less or more.
func BenchmarkReplaceMembers(b *testing.B) {
	eachEngineB(b, func(b *testing.B, s *Store) {
		for _, n := range []int{900, 20_000} {
			g, ids := fillGroup(b, s, n)
			b.Run(fmt.Sprint("of ", n), func(b *testing.B) {
				for i := 0; b.Loop(); i++ {
					values := ids[1-i%2:]
					if _, err := s.Apply(b.Context(), system,
						directory.ReplaceMembers{Group: g, Source: directory.Local, Values: values}); err != nil {
						b.Fatal(err)
					}
				}
			})
		}
	})
}

// BenchmarkCreateUser makes one user in a transaction of its own.
func BenchmarkCreateUser(b *testing.B) {
	eachEngineB(b, func(b *testing.B, s *Store) {
		for i := 0; b.Loop(); i++ {
			if _, err := s.Apply(b.Context(), system, createLocal(fmt.Sprint("bench", i))); err != nil {
				b.Fatal(err)
			}
		}
	})
}
