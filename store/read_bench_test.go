package store_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/usherd/usherd/directory"
	"github.com/usherd/usherd/store"
)

// crowd makes users and returns their ids.
func crowd(b *testing.B, s *store.Store, count int) []directory.UserID {
	b.Helper()
	ids := make([]directory.UserID, 0, count)
	for len(ids) < count {
		var changes []directory.Change
		for len(changes) < 2000 && len(ids) < count {
			c := createUser(fmt.Sprintf("user%07d", len(ids)))
			changes, ids = append(changes, c), append(ids, c.ID)
		}
		apply(b, s, changes...)
	}
	return ids
}

func newGroup(b *testing.B, s *store.Store, name string, members []directory.UserID) directory.GroupID {
	b.Helper()
	id := directory.GroupID(directory.NewID())
	apply(b, s, directory.CreateGroup{ID: id, Source: directory.Local, Name: name})
	apply(b, s, directory.AddMembers{Group: id, Source: directory.Local, Values: values(members)})
	return id
}

func values(ids []directory.UserID) []string {
	out := make([]string, len(ids))
	for i, id := range ids {
		out[i] = string(id)
	}
	return out
}

// BenchmarkAddMember adds a user to a group of 10 and to one of 100,000 by
// turns, so that both meet the same machine, and prints the ratio.
func BenchmarkAddMember(b *testing.B) {
	const many = 100_000
	for _, engine := range engines {
		s := open(b, engine.dsn(b))
		users := crowd(b, s, many+1)
		stranger := users[many:]
		groups := []directory.GroupID{newGroup(b, s, "small", users[:10]), newGroup(b, s, "large", users[:many])}
		b.Run(engine.name, func(b *testing.B) {
			var took [2]time.Duration
			for b.Loop() {
				for i, g := range groups {
					start := time.Now()
					apply(b, s, directory.AddMembers{Group: g, Source: directory.Local, Values: values(stranger)})
					took[i] += time.Since(start)
					apply(b, s, directory.RemoveMembers{Group: g, Source: directory.Local, Values: values(stranger)})
				}
			}
			b.ReportMetric(float64(took[0].Microseconds())/float64(b.N), "µs/of10")
			b.ReportMetric(float64(took[1].Microseconds())/float64(b.N), "µs/of100000")
			b.ReportMetric(float64(took[1])/float64(took[0]), "ratio")
		})
	}
}

// BenchmarkSubject reads a user in ten groups of a directory of 10,000 users:
// what a check costs that no cache answers.
func BenchmarkSubject(b *testing.B) {
	for _, engine := range engines {
		s := open(b, engine.dsn(b))
		users := crowd(b, s, 10_000)
		for i := range 200 {
			newGroup(b, s, fmt.Sprintf("group%d", i), every(users, i%20, 20))
		}
		head, err := s.Head(b.Context(), directory.Stamp{})
		if err != nil {
			b.Fatal(err)
		}
		for name, at := range map[string]directory.Stamp{"head": {}, "stamp": head.Stamp} {
			b.Run(engine.name+"/"+name, func(b *testing.B) {
				i := 0
				for b.Loop() {
					i = (i + 7919) % len(users)
					key := directory.SubjectKey{Kind: directory.KeyUserName, Value: fmt.Sprintf("user%07d", i)}
					sub, err := s.Subject(b.Context(), key, at)
					if err != nil || sub.ID != users[i] || len(sub.Memberships) != 10 {
						b.Fatalf("Subject(%s) = %+v, %v; want %s in 10 groups", key, sub, err, users[i])
					}
				}
			})
		}
	}
}

// every returns each step-th of ids from the first on.
func every(ids []directory.UserID, first, step int) (some []directory.UserID) {
	for i := first; i < len(ids); i += step {
		some = append(some, ids[i])
	}
	return some
}

// BenchmarkFacts reads what a snapshot of 10,000 groups is compiled from.
func BenchmarkFacts(b *testing.B) {
	const count, batch = 10_000, 500
	for _, engine := range engines {
		s := open(b, engine.dsn(b))
		for made := 0; made < count; made += batch {
			var changes []directory.Change
			last := ""
			for i := range batch {
				g := directory.CreateGroup{ID: directory.GroupID(directory.NewID()), Source: directory.Local, Name: fmt.Sprintf("group%d", made+i)}
				changes = append(changes, g,
					directory.PutGrant{Grant: directory.Grant{Group: g.ID, Role: "viewer", Origin: directory.ByHand}})
				if last != "" {
					changes = append(changes, directory.AddMembers{Group: g.ID, Source: directory.Local, Values: []string{last}})
				}
				last = string(g.ID)
			}
			apply(b, s, changes...)
		}
		b.Run(engine.name, func(b *testing.B) {
			for b.Loop() {
				facts, err := s.Facts(b.Context(), 0)
				if err != nil || len(facts.Groups) != count || len(facts.Groups[0].Parents) != 1 {
					b.Fatalf("Facts = %d groups, %v; want %d", len(facts.Groups), err, count)
				}
			}
		})
	}
}
