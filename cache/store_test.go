package cache_test

import (
	"context"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/usherd/usherd/authz"
	"github.com/usherd/usherd/cache"
	"github.com/usherd/usherd/cache/cachetest"
	"github.com/usherd/usherd/directory"
	"github.com/usherd/usherd/store"
)

// A replica is a cache over the real store, following it.
type replica = cache.Cache[*authz.Snapshot]

var tester = directory.Actor{Kind: "system", Name: "test"}

func openStore(t testing.TB) *store.Store {
	t.Helper()
	s, err := store.Open(t.Context(), store.Config{DSN: "sqlite:" + filepath.Join(t.TempDir(), "db")})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return s
}

func follow(t testing.TB, s *store.Store, r *cache.Redis) *replica {
	t.Helper()
	c, err := cache.New(cache.Config[*authz.Snapshot]{
		History: s,
		Build:   func(f directory.Facts) (*authz.Snapshot, error) { return authz.Compile(f), nil },
		Update: func(prev *authz.Snapshot, st directory.Stretch) (*authz.Snapshot, error) {
			return prev.Update(st), nil
		},
		Redis: r, Subjects: 10_000, Unknown: 1000,
	})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() { defer close(done); c.Run(ctx) }()
	t.Cleanup(func() { cancel(); <-done })
	if _, err := c.Wait(t.Context(), directory.Stamp{}); err != nil {
		t.Fatal(err)
	}
	return c
}

func apply(t testing.TB, s *store.Store, changes ...directory.Change) directory.Stamp {
	t.Helper()
	done, err := s.Apply(context.Background(), tester, changes...)
	if err != nil {
		t.Fatalf("Apply: %v", err)
	}
	return done.Stamp
}

// office makes a feature, the group "vault", and users of these names.
func office(t testing.TB, s *store.Store, names ...string) (vault directory.GroupID, ids []directory.UserID) {
	t.Helper()
	vault = directory.GroupID(directory.NewID())
	changes := []directory.Change{
		directory.SetPolicy{
			Policy:   directory.Policy{Features: []directory.Feature{{Key: "secrets"}}},
			Sections: []directory.Section{directory.SectionFeatures},
		},
		directory.CreateGroup{ID: vault, Source: directory.Local, Name: "vault"},
	}
	for _, name := range names {
		id := directory.UserID(directory.NewID())
		ids = append(ids, id)
		changes = append(changes, directory.CreateUser{ID: id, Source: directory.Local, Profile: directory.Profile{UserName: name, Active: true}})
	}
	apply(t, s, changes...)
	return vault, ids
}

func opens(group directory.GroupID) directory.Grant {
	return directory.Grant{Group: group, Privilege: directory.Privilege{Kind: directory.Access, Key: "secrets"}, Origin: directory.ByHand}
}

var openSecrets = authz.Request{SubjectType: authz.SubjectUser, Action: authz.ActionAccess, Type: authz.TypeFeature, ID: "secrets"}

// An answer is what one check said, and as of when.
type answer struct {
	name  string
	allow bool
	at    directory.Stamp
}

func ask(ctx context.Context, c *replica, name string) (answer, error) {
	v, err := c.View()
	if err != nil {
		return answer{}, err
	}
	sub, _, err := c.Subject(ctx, v, directory.SubjectKey{Kind: directory.KeyUserName, Value: name})
	if err != nil {
		return answer{}, err
	}
	d := v.Snapshot.Decide(sub, &openSecrets)
	_, err = c.Age(v)
	return answer{name, d.Allow, v.Stamp}, err
}

// reference answers from the history alone, without any cache.
func reference(t testing.TB, s *store.Store, name string, at directory.Stamp) bool {
	t.Helper()
	facts, err := s.Facts(t.Context(), at.Revision)
	if err != nil || facts.At != at {
		t.Fatalf("Facts(%v) = %v, %v", at, facts.At, err)
	}
	sub, err := s.Subject(t.Context(), directory.SubjectKey{Kind: directory.KeyUserName, Value: name}, at)
	if err != nil {
		t.Fatalf("Subject(%v) = %v", at, err)
	}
	return authz.Compile(facts).Decide(&sub, &openSecrets).Allow
}

// Two replicas over the real store and one Redis, while memberships, grants,
// names and blocks change: every answer is that of the revision it names, and
// a write that was waited for is seen.
func TestEveryAnswerOverTheRealStoreIsOfOneRevision(t *testing.T) {
	server := cachetest.Start(t)
	s := openStore(t)
	root, err := s.RootKey(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	names := []string{"ann", "bob"}
	vault, ids := office(t, s, names...)
	var replicas []*replica
	for range 2 {
		r, err := cache.OpenRedis(cache.RedisConfig{URL: server.URL, RootKey: root, Timeout: time.Second})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() {
			if err := r.Close(); err != nil {
				t.Error(err)
			}
		})
		replicas = append(replicas, follow(t, s, r))
	}

	var mu sync.Mutex
	seen := map[answer]int{}
	var stop atomic.Bool
	var checkers sync.WaitGroup
	for i := range 2 {
		checkers.Go(func() {
			for n := i; !stop.Load(); n++ {
				a, err := ask(context.Background(), replicas[n%2], names[n/2%2])
				if err != nil {
					t.Errorf("ask: %v", err)
					return
				}
				mu.Lock()
				seen[a]++
				mu.Unlock()
			}
		})
	}
	for n := range 20 {
		who, other := ids[n%2], names[n%2]
		member := []string{string(who)}
		in := directory.AddMembers{Group: vault, Source: directory.Local, Values: member}
		out := directory.RemoveMembers{Group: vault, Source: directory.Local, Values: member}
		apply(t, s, in)
		apply(t, s, out)
		apply(t, s, directory.PutGrant{Grant: opens(vault)}) // to nobody: Ann has left
		apply(t, s, in, directory.EndGrant{Grant: opens(vault)})
		at := apply(t, s, directory.PutGrant{Grant: opens(vault)}, directory.SetBlock{User: who, Blocked: true})
		for i, c := range replicas {
			c.Announce(at)
			v, err := c.Wait(t.Context(), at)
			if err != nil {
				t.Fatalf("replica %d: Wait(%v) = %v", i, at, err)
			}
			if a, err := ask(t.Context(), c, other); err != nil || a.allow || a.at.Revision < v.Stamp.Revision {
				t.Fatalf("replica %d: %s after a block at %v = %+v, %v; want denied", i, other, at, a, err)
			}
		}
		apply(t, s, out, directory.SetBlock{User: who}, directory.EndGrant{Grant: opens(vault)})
	}
	stop.Store(true)
	checkers.Wait()
	for a, n := range seen {
		if want := reference(t, s, a.name, a.at); a.allow != want {
			t.Errorf("%d times: %s at %v = %v, want %v", n, a.name, a.at, a.allow, want)
		}
	}
	if len(seen) < 20 {
		t.Errorf("only %d different answers were seen", len(seen))
	}
}

func TestARevokeReachesTheOtherReplica(t *testing.T) {
	server := cachetest.Start(t)
	s := openStore(t)
	root, err := s.RootKey(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	vault, ids := office(t, s, "ann")
	apply(t, s, directory.AddMembers{Group: vault, Source: directory.Local, Values: []string{string(ids[0])}}, directory.PutGrant{Grant: opens(vault)})
	var replicas []*replica
	for range 2 {
		r, err := cache.OpenRedis(cache.RedisConfig{URL: server.URL, RootKey: root})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() {
			if err := r.Close(); err != nil {
				t.Error(err)
			}
		})
		replicas = append(replicas, follow(t, s, r))
	}
	for n := range 8 {
		blocked := n%2 == 0
		at := apply(t, s, directory.SetBlock{User: ids[0], Blocked: blocked})
		replicas[0].Announce(at)
		if _, err := replicas[1].Wait(t.Context(), at); err != nil {
			t.Fatalf("Wait(%v) on the other replica = %v", at, err)
		}
		if a, err := ask(t.Context(), replicas[1], "ann"); err != nil || a.allow == blocked {
			t.Errorf("ann with blocked %v = %+v, %v", blocked, a, err)
		}
	}
}
