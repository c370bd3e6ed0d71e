package authz_test

import (
	"fmt"
	"math/rand/v2"
	"runtime"
	"testing"
	"time"

	"github.com/usherd/usherd/authz"
	"github.com/usherd/usherd/directory"
)

// organization makes an organization in which each group is granted some of
// the features; every tenth group is nested in another.
func organization(groups, features, grants int) directory.Facts {
	rnd := rand.New(rand.NewPCG(1, 2))
	f := directory.Facts{At: directory.Stamp{Revision: 1}}
	f.Policy.Revision = 1
	f.Policy.Sources = []directory.Source{{Name: "ad", State: directory.SourceActive}}
	for i := range features {
		f.Policy.Policy.Features = append(f.Policy.Policy.Features, directory.Feature{Key: fmt.Sprintf("feature-%d", i), Actions: []string{"edit"}})
	}
	for num := 1; num <= groups; num++ {
		f.Groups = append(f.Groups, grantedGroup(rnd, directory.GroupNum(num), features, grants))
	}
	return f
}

func grantedGroup(rnd *rand.Rand, num directory.GroupNum, features, grants int) directory.GroupFacts {
	name := fmt.Sprintf("group-%d", num)
	g := directory.GroupFacts{ID: directory.GroupID(name), Num: num, Source: "ad", Name: name, NameKey: directory.NameKey(name)}
	if num > 1 && num%10 == 0 {
		g.Parents = []directory.GroupNum{directory.GroupNum(rnd.IntN(int(num)-1) + 1)}
	}
	for range grants {
		key := f(features, rnd)
		g.Grants = append(g.Grants, directory.Grant{Privilege: directory.Privilege{Kind: directory.Access, Key: key}})
	}
	return g
}

func f(features int, rnd *rand.Rand) string { return fmt.Sprintf("feature-%d", rnd.IntN(features)) }

// member makes a member of ten groups.
func member(rnd *rand.Rand, groups int) directory.Subject {
	s := directory.Subject{Found: directory.One, Type: directory.Standard, Sources: []directory.SourceName{"ad"}}
	for i := range 10 {
		s.Memberships = append(s.Memberships, directory.Membership{Group: directory.GroupNum(1 + (rnd.IntN(groups/10) + i*groups/10))})
	}
	return s
}

// questions makes members and asks of which all are answered alike.
func questions(snap *authz.Snapshot, action string, allow bool) (subjects []directory.Subject, asks []authz.Request) {
	rnd := rand.New(rand.NewPCG(3, 4))
	for len(asks) < 1024 {
		s := member(rnd, 200)
		q := authz.Request{SubjectType: "user", Type: "feature", ID: f(1000, rnd), Action: action}
		if snap.Decide(&s, &q).Allow == allow {
			subjects, asks = append(subjects, s), append(asks, q)
		}
	}
	return subjects, asks
}

func BenchmarkDecide(b *testing.B) {
	snap := authz.Compile(organization(200, 1000, 20))
	for _, allow := range []bool{true, false} {
		subjects, asks := questions(snap, "access", allow)
		b.Run(map[bool]string{true: "allow", false: "deny"}[allow], func(b *testing.B) {
			b.ReportAllocs()
			for i := 0; b.Loop(); i++ {
				if snap.Decide(&subjects[i&1023], &asks[i&1023]).Allow != allow {
					b.Fatal("wrong decision")
				}
			}
		})
	}
}

func BenchmarkCompile(b *testing.B) {
	facts := organization(10_000, 10_000, 20)
	before := liveHeap()
	kept := authz.Compile(facts)
	live := liveHeap() - before
	b.ReportAllocs()
	for b.Loop() {
		kept = authz.Compile(facts)
	}
	b.ReportMetric(float64(live)/1e6, "MB-kept")
	runtime.KeepAlive(kept)
	runtime.KeepAlive(facts)
}

// liveHeap is how many bytes are in use.
func liveHeap() uint64 {
	var m runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}

// BenchmarkUpdate creates 500 groups one by one; compiles/op says how many whole
// compiles would have cost as much.
func BenchmarkUpdate(b *testing.B) {
	facts := organization(10_000, 10_000, 20)
	begun := time.Now()
	snap := authz.Compile(facts)
	whole := time.Since(begun)
	rnd := rand.New(rand.NewPCG(5, 6))
	var stretches []directory.Stretch
	for i := range 500 {
		stretches = append(stretches, directory.Stretch{
			Records: []directory.FeedRecord{{Stamp: directory.Stamp{Revision: directory.Revision(2 + i)}}},
			Groups:  []directory.GroupFacts{grantedGroup(rnd, directory.GroupNum(10_001+i), 10_000, 20)},
		})
	}
	b.ReportAllocs()
	for b.Loop() {
		next := snap
		for _, st := range stretches {
			next = next.Update(st)
		}
	}
	b.ReportMetric(float64(b.Elapsed())/float64(b.N)/float64(whole), "compiles/op")
}

func TestDecideAllocatesNothing(t *testing.T) {
	snap := authz.Compile(organization(200, 1000, 20))
	for _, action := range []string{"access", "edit"} {
		for _, allow := range []bool{true, false} {
			if action == "edit" && allow {
				continue // nobody may
			}
			subjects, asks := questions(snap, action, allow)
			n := 0
			if got := testing.AllocsPerRun(500, func() {
				snap.Decide(&subjects[n], &asks[n])
				n++
			}); got != 0 {
				t.Errorf("Decide(%s, allowed %v) allocates %v times, want 0", action, allow, got)
			}
		}
	}
}

// BenchmarkHolders finds who of 100,000 may access one of 1,000 features: the
// candidates by the index, and a decision on each.
func BenchmarkHolders(b *testing.B) {
	const people, groups = 100_000, 1000
	snap := authz.Compile(organization(groups, 1000, 20))
	rnd := rand.New(rand.NewPCG(7, 8))
	members := map[directory.GroupNum][]int{}
	all := make([]directory.Subject, people)
	for i := range all {
		all[i] = member(rnd, groups)
		for _, m := range all[i].Memberships {
			members[m.Group] = append(members[m.Group], i)
		}
	}
	holders, decided := 0, 0
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		q := authz.Request{SubjectType: "user", Type: "feature", ID: fmt.Sprintf("feature-%d", i%1000), Action: "access"}
		seen := map[int]bool{}
		for _, g := range snap.Candidates(&q).Groups {
			for _, who := range members[g] {
				if !seen[who] {
					seen[who] = true
					decided++
					if snap.Decide(&all[who], &q).Allow {
						holders++
					}
				}
			}
		}
	}
	b.ReportMetric(float64(holders)/float64(b.N), "holders/op")
	b.ReportMetric(float64(decided)/float64(b.N), "decided/op")
}

// BenchmarkExplain explains allows and denials of members of ten groups.
func BenchmarkExplain(b *testing.B) {
	snap := authz.Compile(organization(200, 1000, 20))
	for _, allow := range []bool{true, false} {
		subjects, asks := questions(snap, "access", allow)
		b.Run(map[bool]string{true: "allow", false: "deny"}[allow], func(b *testing.B) {
			b.ReportAllocs()
			for i := 0; b.Loop(); i++ {
				e := snap.Explain(&subjects[i&1023], &asks[i&1023])
				if e.Decision.Allow != allow || e.Text() == "" {
					b.Fatal("wrong explanation")
				}
			}
		})
	}
}

// BenchmarkHeld lists everything that members of ten groups may do, with the
// ways.
func BenchmarkHeld(b *testing.B) {
	snap := authz.Compile(organization(200, 1000, 20))
	rnd := rand.New(rand.NewPCG(9, 10))
	s := member(rnd, 200)
	for _, ways := range []int{0, 5} {
		b.Run(fmt.Sprintf("%d ways", ways), func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if len(snap.HeldAnywhere(&s, ways)) == 0 {
					b.Fatal("nothing held")
				}
			}
		})
	}
}
