package cache_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/usherd/usherd/cache"
	"github.com/usherd/usherd/directory"
	"github.com/usherd/usherd/store"
)

// A town is a store of many groups, each with a member of its own.
type town struct {
	*store.Store
	policy directory.Policy
	groups []directory.GroupID
	people []directory.UserID
}

// build makes a town. Its people are members of one group each, and none may
// do anything.
func build(t testing.TB, groups, features int) *town {
	t.Helper()
	w := &town{Store: openStore(t)}
	for i := range features {
		w.policy.Features = append(w.policy.Features, directory.Feature{Key: fmt.Sprintf("feature-%d", i)})
	}
	w.policy.Features = append(w.policy.Features, directory.Feature{Key: "secrets"})
	apply(t, w.Store, directory.SetPolicy{Policy: w.policy, Sections: []directory.Section{directory.SectionFeatures}})
	var changes []directory.Change
	for i := range groups {
		group, user := directory.GroupID(directory.NewID()), directory.UserID(directory.NewID())
		w.groups, w.people = append(w.groups, group), append(w.people, user)
		changes = append(changes,
			directory.CreateGroup{ID: group, Source: directory.Local, Name: fmt.Sprintf("group-%d", i)},
			directory.CreateUser{ID: user, Source: directory.Local, Profile: directory.Profile{UserName: fmt.Sprintf("user-%d", i), Active: true}},
			directory.AddMembers{Group: group, Source: directory.Local, Values: []string{string(user)}},
			directory.PutGrant{Grant: directory.Grant{
				Group: group, Privilege: directory.Privilege{Kind: directory.Access, Key: fmt.Sprintf("feature-%d", i%features)}, Origin: directory.ByHand,
			}},
		)
		if len(changes) >= 4000 || i == groups-1 {
			apply(t, w.Store, changes...)
			changes = changes[:0]
		}
	}
	return w
}

// mapAll gives every group, and so everybody, the feature "secrets", or nobody.
func (w *town) mapAll(give bool) directory.SetPolicy {
	p := w.policy
	if give {
		p.Mappings = []directory.Mapping{{
			Name: "all", When: directory.Selector{Source: directory.Local, Pattern: "*"},
			Grants: []directory.GrantSet{{Privileges: []directory.Privilege{{Kind: directory.Access, Key: "secrets"}}}},
		}}
	}
	return directory.SetPolicy{Policy: p, Sections: []directory.Section{directory.SectionMappings}}
}

// opens says whether a person may open "secrets" at a view of this stamp, and
// where the person was found.
func (w *town) opens(t testing.TB, c *replica, at directory.Stamp, person int) (bool, cache.Tier) {
	t.Helper()
	v, err := c.Wait(t.Context(), at)
	if err != nil {
		t.Fatal(err)
	}
	sub, tier, err := c.Subject(t.Context(), v, directory.SubjectKey{Kind: directory.KeyID, Value: string(w.people[person])})
	if err != nil {
		t.Fatal(err)
	}
	return v.Snapshot.Decide(sub, &openSecrets).Allow, tier
}

func TestAPolicyEditThatTouchesEverybodyFlushesNoSubject(t *testing.T) {
	const people = 500
	w := build(t, people, 10)
	c := follow(t, w.Store, nil)
	start := apply(t, w.Store, w.mapAll(false))
	for i := range people {
		if allow, tier := w.opens(t, c, start, i); allow || tier != cache.Store {
			t.Fatalf("user-%d before: allowed %v, found in %v; want denied, read from the store", i, allow, tier)
		}
	}
	edited := apply(t, w.Store, w.mapAll(true))
	for i := range people {
		if allow, tier := w.opens(t, c, edited, i); !allow || tier != cache.Memory {
			t.Fatalf("user-%d after: allowed %v, found in %v; want allowed, from memory", i, allow, tier)
		}
	}
}

// BenchmarkPolicyEdit changes with each edit the answer for all of 10,000
// people in 10,000 groups with 10,000 features. An operation is from before the
// edit until the replica answers by it; commit/op is what of that is the store's.
func BenchmarkPolicyEdit(b *testing.B) {
	w := build(b, 10_000, 10_000)
	benchmarkChange(b, w, 9_999, func(on bool) directory.Change { return w.mapAll(on) })
}

// BenchmarkBlockGroup blocks and unblocks one of 10,000 groups.
func BenchmarkBlockGroup(b *testing.B) {
	w := build(b, 10_000, 10_000)
	apply(b, w.Store, w.mapAll(true))
	benchmarkChange(b, w, 5_000, func(on bool) directory.Change {
		status := directory.GroupBlocked
		if on {
			status = directory.GroupActive
		}
		return directory.SetGroupStatus{Group: w.groups[5_000], Status: status}
	})
}

func benchmarkChange(b *testing.B, w *town, person int, change func(on bool) directory.Change) {
	c := follow(b, w.Store, nil)
	on := false
	apply(b, w.Store, change(on))
	var commit time.Duration
	for b.Loop() {
		on = !on
		begun := time.Now()
		at := apply(b, w.Store, change(on))
		commit += time.Since(begun)
		if allow, _ := w.opens(b, c, at, person); allow != on {
			b.Fatalf("allowed %v after switching to %v", allow, on)
		}
	}
	b.ReportMetric(float64(commit.Nanoseconds())/float64(b.N), "commit-ns/op")
}
