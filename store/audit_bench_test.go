package store

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/usherd/usherd/directory"
)

// writeBigTrail makes 400 records of 500 changes each, 20 of 5,000 and 1,000
// small ones, and returns somebody whom a few of them are about.
func writeBigTrail(b *testing.B, s *Store) (ann string) {
	b.Helper()
	ids := make([]string, 10_000)
	for i := range ids {
		ids[i] = directory.NewID()
	}
	apply := func(by directory.Actor, from, n int) {
		b.Helper()
		changes := make([]directory.Change, n)
		for i := range changes {
			changes[i] = directory.Note{Action: "user.replaced", Target: ids[(from+i)%len(ids)], Attributes: []string{"userName", "displayName"}}
		}
		if _, err := s.Apply(b.Context(), by, changes...); err != nil {
			b.Fatal(err)
		}
	}
	for i := range 400 {
		apply(directory.Actor{Kind: directory.ActorLDAP, Name: "corp", Request: fmt.Sprint("run ", i)}, i*500, 500)
	}
	for i := range 20 {
		apply(directory.Actor{Kind: directory.ActorSCIM, Name: "okta"}, i*5000, 5000)
	}
	for i := range 1000 {
		apply(directory.Actor{Kind: directory.ActorToken, Name: fmt.Sprint("token ", i%100)}, i, 1)
	}
	return ids[777]
}

// BenchmarkAuditHeads measures a page of 50 of a trail with large records: p95-ms
// is what the slowest of twenty took.
func BenchmarkAuditHeads(b *testing.B) {
	eachEngineB(b, func(b *testing.B, s *Store) {
		ann := writeBigTrail(b, s)
		for _, search := range []struct {
			name string
			directory.AuditSearch
		}{
			{"first", directory.AuditSearch{}},
			{"large", directory.AuditSearch{Upto: 420}},
			{"actor", directory.AuditSearch{Actor: "corp"}},
			{"rare-actor", directory.AuditSearch{Actor: "nobody"}},
			{"request", directory.AuditSearch{Request: "run 7"}},
			{"rare-action", directory.AuditSearch{Action: "token."}},
			{"action", directory.AuditSearch{Action: "user.replaced"}},
			{"target", directory.AuditSearch{About: []string{ann}}},
		} {
			b.Run(search.name, func(b *testing.B) {
				search.Limit = 51
				var took []time.Duration
				for b.Loop() {
					begin := time.Now()
					if _, err := s.AuditHeads(b.Context(), search.AuditSearch); err != nil {
						b.Fatal(err)
					}
					took = append(took, time.Since(begin))
				}
				slices.Sort(took)
				b.ReportMetric(float64(took[len(took)*95/100].Microseconds())/1000, "p95-ms")
			})
		}
		b.Run("whole-1000", func(b *testing.B) { // what a page took that read the records
			for b.Loop() {
				if _, err := s.Audit(b.Context(), 420-400, 1000); err != nil {
					b.Fatal(err)
				}
			}
		})
	})
}
