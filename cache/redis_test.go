package cache

import (
	"bytes"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/usherd/usherd/cache/cachetest"
	"github.com/usherd/usherd/directory"
)

var rootKey = bytes.Repeat([]byte{7}, 32)

// open connects to s. Time limits are generous: this machine may be busy, and
// what must be quick is tested on its own.
func open(t testing.TB, s *cachetest.Server, alter func(*RedisConfig)) *Redis {
	t.Helper()
	cfg := RedisConfig{URL: s.URL, RootKey: rootKey, Timeout: 2 * time.Second}
	if alter != nil {
		alter(&cfg)
	}
	r, err := OpenRedis(cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := r.Close(); err != nil {
			t.Error(err)
		}
	})
	return r
}

// shared returns a cache that is stepped by hand, with a connection to s.
func shared(t testing.TB, m History, s *cachetest.Server) *Cache[*snap] {
	t.Helper()
	c := stopped(t, m, func(cfg *Config[*snap]) { cfg.Redis = open(t, s, nil) })
	step(t, c)
	return c
}

// settle performs what c has put off telling Redis.
func settle(t testing.TB, c *Cache[*snap]) {
	t.Helper()
	for {
		select {
		case e := <-c.cfg.Redis.errands:
			c.cfg.Redis.perform(t.Context(), e)
		default:
			return
		}
	}
}

// forget empties the memory of c, so that the next look-up goes to Redis.
func forget(c *Cache[*snap]) {
	v := c.view.Load()
	v.memory.byID.InvalidateAll()
	v.memory.keys.InvalidateAll()
	v.memory.unknown.InvalidateAll()
}

func TestReplicasShareSubjects(t *testing.T) {
	s, m := cachetest.Start(t), ann()
	a, b := shared(t, m, s), shared(t, m, s)
	want(t, a, "ann", true, Store)
	want(t, a, "bob", false, Store)
	settle(t, a)
	want(t, b, "ann", true, Shared)
	want(t, b, "ann", true, Memory)
	want(t, b, "bob", false, Shared)
}

func TestWhatIsInRedisIsAdmittedOrMissed(t *testing.T) {
	s, m := cachetest.Start(t), ann()
	a, b := shared(t, m, s), shared(t, m, s)
	want(t, a, "ann", true, Store)
	settle(t, a)

	m.apply(func(e *edit) { e.setGroups("u-ann") })
	step(t, b)
	want(t, b, "ann", false, Store) // the entry of before the revoke is a miss
	settle(t, b)
	want(t, a, "ann", true, Memory)
	forget(a)
	want(t, a, "ann", true, Store) // newer than a's view: a miss, and answered as of a's view
	settle(t, a)

	step(t, a)
	forget(a)
	forget(b)
	want(t, b, "ann", false, Store) // a, which did not know better, put the older one back
	settle(t, b)
	want(t, a, "ann", false, Shared)
}

func TestRedisLaterThanTheViewIsNotUsed(t *testing.T) {
	s, m := cachetest.Start(t), ann()
	c := shared(t, m, s)
	old, _ := c.View()
	m.apply(func(e *edit) { e.setGroups("u-ann") })
	step(t, c)
	want(t, c, "ann", false, Store)
	settle(t, c)
	forget(c)
	sub, from, err := c.Subject(t.Context(), old, userName("ann"))
	if err != nil || from != Store || !old.Snapshot.decide(sub) {
		t.Errorf("Subject as of %v = %+v from %v, %v; want Ann in staff, from the store", old.Stamp, sub, from, err)
	}
	settle(t, c)
	forget(c)
	want(t, c, "ann", false, Shared) // the later entry stayed
}

func TestALaterEntryIsNotReplacedByAnEarlierOne(t *testing.T) {
	s := cachetest.Start(t)
	r := open(t, s, nil)
	key := userName("ann")
	at := func(rev directory.Revision) *directory.Subject {
		return &directory.Subject{Found: directory.One, ID: "u-ann", At: stamp(rev)}
	}
	put := func(rev directory.Revision, refused entryID) {
		t.Helper()
		r.perform(t.Context(), errand{key: key, sub: at(rev), refused: refused})
	}
	holds := func(rev directory.Revision) entryID {
		t.Helper()
		sub, id := r.get(t.Context(), key)
		if sub == nil || sub.At != stamp(rev) {
			t.Fatalf("get = %+v, want the entry of revision %d", sub, rev)
		}
		return id
	}
	put(5, "")
	put(4, "")
	holds(5)
	put(16, "")
	put(9, "")
	id := holds(16)
	put(9, "another entry")
	holds(16)
	put(9, id)
	holds(9)
}

func TestStaleFillOfRedisNeverAllows(t *testing.T) {
	t.Parallel()
	s, m := cachetest.Start(t), ann()
	a, b := shared(t, m, s), shared(t, m, s)
	stale := 0
	for range 5000 {
		m.apply(func(e *edit) { e.setGroups("u-ann", staff) })
		step(t, a)
		revoked := false
		m.set(func() {
			m.pass = func(method string, _ directory.Stamp) {
				if method != "Subject" || revoked {
					return
				}
				revoked = true // a has read; b sees the revoke before a fills Redis
				m.apply(func(e *edit) { e.setGroups("u-ann") })
				step(t, b)
			}
		})
		if allowed, _, _, err := check(t.Context(), a, "ann"); !allowed || err != nil {
			t.Fatalf("the check that was overtaken = %v, %v; want allowed, as of its view", allowed, err)
		}
		settle(t, a)
		m.set(func() { m.pass = nil })
		if allowed, _, _, err := check(t.Context(), b, "ann"); allowed || err != nil {
			stale++
		}
		settle(t, b)
		step(t, a)
		if allowed, _, _, err := check(t.Context(), a, "ann"); allowed || err != nil {
			stale++
		}
	}
	if stale != 0 {
		t.Errorf("%d of 10000 checks after a revoke were allowed, want 0", stale)
	}
}

func TestRedisDownIsAMiss(t *testing.T) {
	t.Parallel()
	s, m := cachetest.Start(t), ann()
	s.Kill()
	c := shared(t, m, s)
	for range 20 {
		forget(c)
		want(t, c, "ann", true, Store)
		settle(t, c)
	}
	if c.cfg.Redis.Up() {
		t.Error("Up() = true after 20 failures, want the breaker open")
	}
	s.Restart()
	eventually(t, "Redis is asked again", func() bool {
		forget(c)
		_, _, from, err := check(t.Context(), c, "ann")
		settle(t, c)
		return err == nil && from == Shared
	})
	if !c.cfg.Redis.Up() {
		t.Error("Up() = false after Redis answered, want true")
	}
}

func TestRedisHungIsAMissInTime(t *testing.T) {
	s, m := cachetest.Start(t), ann()
	c := stopped(t, m, func(cfg *Config[*snap]) {
		cfg.Redis = open(t, s, func(r *RedisConfig) { r.Timeout = 20 * time.Millisecond })
	})
	step(t, c)
	want(t, c, "ann", true, Store)
	settle(t, c)
	s.Pause()
	defer s.Resume()
	started := time.Now()
	const checks = 200
	for range checks {
		forget(c)
		want(t, c, "ann", true, Store)
	}
	// Five wait for 20 ms until the breaker opens, and one a second after that.
	if took := time.Since(started); took > 3*time.Second {
		t.Errorf("%d checks with Redis hung took %v", checks, took)
	}
}

func TestRedisFlushedIsAMiss(t *testing.T) {
	s, m := cachetest.Start(t), ann()
	a, b := shared(t, m, s), shared(t, m, s)
	want(t, a, "ann", true, Store)
	settle(t, a)
	s.Flush()
	want(t, b, "ann", true, Store)
}

func TestRedisFullIsAMiss(t *testing.T) {
	s, m := cachetest.Start(t), ann()
	a, b := shared(t, m, s), shared(t, m, s)
	if _, err := s.Do("CONFIG", "SET", "maxmemory", "1"); err != nil {
		t.Fatal(err)
	}
	want(t, a, "ann", true, Store)
	settle(t, a)
	want(t, b, "ann", true, Store)
}

// Whatever somebody else puts in place of an entry is a miss, and gives way.
func TestForeignValuesAreMisses(t *testing.T) {
	t.Parallel()
	s, m := cachetest.Start(t), ann()
	c := shared(t, m, s)
	r := c.cfg.Redis
	name := r.sealer.name(userName("ann"))
	sub := &directory.Subject{Found: directory.One, ID: "u-root", At: m.head()}
	sealed := func(key directory.SubjectKey, root byte) string {
		t.Helper()
		by, err := newSealer(bytes.Repeat([]byte{root}, 32))
		if err != nil {
			t.Fatal(err)
		}
		entry, err := by.seal(r.sealer.name(key), key, sub)
		if err != nil {
			t.Fatal(err)
		}
		return string(entry)
	}
	huge := sealed(userName("ann"), 8)
	huge += strings.Repeat("x", 10<<20)
	tests := []struct {
		name string
		put  []string
	}{
		{"plain text", []string{"SET", name, `{"found":2}`}},
		{"empty", []string{"SET", name, ""}},
		{"a head of the far future", []string{"SET", name, format + strings.Repeat("f", headLen) + "x"}},
		{"another deployment's", []string{"SET", name, sealed(userName("ann"), 8)}},
		{"another key's", []string{"SET", name, sealed(userName("root"), 7)}},
		{"of another version", []string{"SET", name, "0" + sealed(userName("ann"), 7)[1:]}},
		{"a list", []string{"RPUSH", name, "a"}},
		{"ten megabytes", []string{"SET", name, huge}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s.Flush()
			if answer, err := s.Do(tt.put...); err != nil || answer[0] == '-' {
				t.Fatalf("%s: %q, %v", tt.put[0], answer, err)
			}
			forget(c)
			want(t, c, "ann", true, Store)
			settle(t, c)
			forget(c)
			want(t, c, "ann", true, Shared)
		})
	}
}

// A replayed older value, valid in every other way, is refused by its stamp.
func TestReplayedValuesAreMisses(t *testing.T) {
	s, m := cachetest.Start(t), ann()
	c := shared(t, m, s)
	r := c.cfg.Redis
	want(t, c, "ann", true, Store)
	settle(t, c)
	old, err := r.client.Get(t.Context(), r.sealer.name(userName("ann"))).Result()
	if err != nil {
		t.Fatal(err)
	}
	m.apply(func(e *edit) { e.setGroups("u-ann") })
	step(t, c)
	want(t, c, "ann", false, Store)
	settle(t, c)
	forget(c)
	if err := r.client.Set(t.Context(), r.sealer.name(userName("ann")), old, 0).Err(); err != nil {
		t.Fatal(err)
	}
	want(t, c, "ann", false, Store)
}

func TestEntriesOfALostHistoryAreMisses(t *testing.T) {
	s, m := cachetest.Start(t), ann()
	c := shared(t, m, s)
	m.apply(func(e *edit) { e.setGroups("u-ann", staff, vault) })
	step(t, c)
	want(t, c, "ann", true, Store)
	settle(t, c)
	m.restore(1)
	m.apply(func(e *edit) { e.setGroups("u-ann") }) // the same number
	step(t, c)
	want(t, c, "ann", false, Store)
	settle(t, c)
	forget(c)
	want(t, c, "ann", false, Shared) // the refused entry gave way
}

func TestNothingPersonalIsInRedis(t *testing.T) {
	s, m := cachetest.Start(t), newModel()
	m.apply(func(e *edit) { e.setName("canary", "u-canary"); e.setGroups("u-canary", staff) })
	c := shared(t, m, s)
	want(t, c, "canary", false, Store)
	c.Announce(m.head())
	settle(t, c)
	keys, err := c.cfg.Redis.client.Keys(t.Context(), "*").Result()
	if err != nil || len(keys) == 0 {
		t.Fatalf("KEYS = %v, %v; want an entry", keys, err)
	}
	for _, k := range keys {
		v, err := c.cfg.Redis.client.Get(t.Context(), k).Result()
		if err != nil || strings.Contains(k+v, "canary") {
			t.Errorf("%q = %q, %v; want no trace of the person", k, v, err)
		}
	}
}

func TestAnnouncementsWakeOtherReplicas(t *testing.T) {
	s, m := cachetest.Start(t), ann()
	slow := func(cfg *Config[*snap]) { cfg.Poll = time.Hour; cfg.Redis = open(t, s, nil) }
	a, b := start(t, m, slow), start(t, m, slow)
	// listeners returns the ids of the two connections that wait for messages.
	listeners := func() []string {
		answer, err := s.Do("CLIENT", "LIST", "TYPE", "pubsub")
		ids := regexp.MustCompile(`\bid=\d+`).FindAllString(answer, -1)
		if err != nil || len(ids) != 2 || strings.Count(answer, " sub=1 ") != 2 {
			return nil
		}
		return ids
	}
	revoke := func() {
		t.Helper()
		eventually(t, "both listen", func() bool { return listeners() != nil })
		at := m.apply(func(e *edit) { e.setGroups("u-ann") })
		a.Announce(at)
		if _, err := b.Wait(within(t, 10*time.Second), at); err != nil {
			t.Fatalf("b.Wait(%v) = %v", at, err)
		}
	}
	revoke()
	eventually(t, "both listen", func() bool { return listeners() != nil })
	before := listeners()
	s.DropSubscribers()
	eventually(t, "both listen anew", func() bool {
		now := listeners()
		return now != nil && !slices.Contains(before, now[0]) && !slices.Contains(before, now[1])
	})
	revoke()
}

func TestMessagesOfOthersAreIgnored(t *testing.T) {
	ours, err := newSealer(rootKey)
	if err != nil {
		t.Fatal(err)
	}
	theirs, err := newSealer(bytes.Repeat([]byte{8}, 32))
	if err != nil {
		t.Fatal(err)
	}
	good := ours.message(stamp(12))
	if s, ok := ours.readMessage(good); !ok || s != stamp(12) {
		t.Errorf("readMessage(%q) = %v, %v; want %v", good, s, ok, stamp(12))
	}
	for _, bad := range []string{"", "12", stamp(12).String(), theirs.message(stamp(12)), good + "x", good[1:], strings.Replace(good, "12", "13", 1), strings.Repeat("1", 1000)} {
		if s, ok := ours.readMessage(bad); ok {
			t.Errorf("readMessage(%q) = %v, want it ignored", bad, s)
		}
	}
}

func TestOpenRedisDoesNotTellThePassword(t *testing.T) {
	_, err := OpenRedis(RedisConfig{URL: "redis://:hunter2@host:notaport", RootKey: rootKey})
	if err == nil || strings.Contains(err.Error(), "hunter2") {
		t.Errorf("OpenRedis(bad URL) = %v, want an error without the password", err)
	}
	if _, err := OpenRedis(RedisConfig{URL: "redis://host"}); err == nil {
		t.Error("OpenRedis without a root key = nil, want an error")
	}
}

func TestSealedEntriesOpenOnlyAsTheyAre(t *testing.T) {
	s, err := newSealer(rootKey)
	if err != nil {
		t.Fatal(err)
	}
	key := userName("ann")
	sub := &directory.Subject{Found: directory.One, ID: "u-ann", At: stamp(3), Memberships: []directory.Membership{{Group: 4, Local: true}}}
	entry, err := s.seal("name", key, sub)
	if err != nil {
		t.Fatal(err)
	}
	got, err := s.open("name", key, entry)
	if err != nil || fmt.Sprint(*got) != fmt.Sprint(*sub) {
		t.Errorf("open = %+v, %v; want %+v", got, err, sub)
	}
	for i := range entry {
		bad := bytes.Clone(entry)
		bad[i] ^= 1
		if _, err := s.open("name", key, bad); err == nil {
			t.Errorf("open with byte %d altered = nil, want an error", i)
		}
		if _, err := s.open("name", key, entry[:i]); err == nil {
			t.Errorf("open of the first %d bytes = nil, want an error", i)
		}
	}
	if _, err := s.open("other", key, entry); err == nil {
		t.Error("open under another name = nil, want an error")
	}
	if _, err := s.open("name", userName("bob"), entry); err == nil {
		t.Error("open for another key = nil, want an error")
	}
}

func FuzzOpen(f *testing.F) {
	s, err := newSealer(rootKey)
	if err != nil {
		f.Fatal(err)
	}
	entry, err := s.seal("name", userName("ann"), &directory.Subject{At: stamp(3)})
	if err != nil {
		f.Fatal(err)
	}
	f.Add(entry)
	f.Add([]byte(format))
	f.Fuzz(func(t *testing.T, text []byte) {
		sub, err := s.open("name", userName("ann"), text)
		if err != nil {
			return
		}
		// Only what was sealed opens; the nonce differs between the fuzzer's processes.
		if len(text) != len(entry) || fmt.Sprint(*sub) != fmt.Sprint(directory.Subject{At: stamp(3)}) {
			t.Errorf("open(%q) = %+v, want an error", text, sub)
		}
		text = bytes.Clone(text)
		text[len(text)/2] ^= 1
		if sub, err := s.open("name", userName("ann"), text); err == nil {
			t.Errorf("open(%q) = %+v, want an error", text, sub)
		}
	})
}

// Two replicas and a Redis in hostile hands: whatever order things happen in,
// every answer is that of the revision it names.
func TestAHostileRedisChangesNoAnswer(t *testing.T) {
	t.Parallel()
	s := cachetest.Start(t)
	rapid.Check(t, func(rt *rapid.T) {
		s.Flush()
		m := ann()
		caches := []*Cache[*snap]{shared(t, m, s), shared(t, m, s)}
		client := caches[0].cfg.Redis.client
		names, ids := []string{"ann", "bob", "eve"}, []string{"u-ann", "u-bob"}
		var seen []string
		pick := func() *Cache[*snap] { return rapid.SampledFrom(caches).Draw(rt, "replica") }
		entryName := func() string {
			return caches[0].cfg.Redis.sealer.name(userName(rapid.SampledFrom(names).Draw(rt, "entry")))
		}
		rt.Repeat(map[string]func(*rapid.T){
			"membership": func(rt *rapid.T) {
				id, groups := rapid.SampledFrom(ids).Draw(rt, "id"), rapid.SliceOfN(rapid.SampledFrom([]directory.GroupNum{staff, vault}), 0, 2).Draw(rt, "groups")
				m.apply(func(e *edit) { e.setGroups(id, groups...) })
			},
			"name": func(rt *rapid.T) {
				name, id := rapid.SampledFrom(names).Draw(rt, "name"), rapid.SampledFrom(append(ids, "")).Draw(rt, "id")
				m.apply(func(e *edit) { e.setName(name, id) })
			},
			"policy": func(rt *rapid.T) {
				group, allowed := rapid.SampledFrom([]directory.GroupNum{staff, vault}).Draw(rt, "group"), rapid.Bool().Draw(rt, "allowed")
				m.apply(func(e *edit) { e.allow(group, allowed) })
			},
			"restore": func(rt *rapid.T) {
				m.restore(directory.Revision(rapid.IntRange(1, int(m.head().Revision)).Draw(rt, "revision")))
			},
			"follow": func(*rapid.T) { step(t, pick()) },
			"forget": func(*rapid.T) { forget(pick()) },
			"fill":   func(*rapid.T) { settle(t, pick()) },
			"record": func(*rapid.T) {
				if v, err := client.Get(t.Context(), entryName()).Result(); err == nil {
					seen = append(seen, v)
				}
			},
			"replay": func(rt *rapid.T) {
				if len(seen) > 0 {
					client.Set(t.Context(), entryName(), rapid.SampledFrom(seen).Draw(rt, "value"), 0)
				}
			},
			"flush": func(*rapid.T) { s.Flush() },
			"check": func(rt *rapid.T) {
				c, name := pick(), rapid.SampledFrom(names).Draw(rt, "name")
				got, at, from, err := check(t.Context(), c, name)
				switch {
				case errors.Is(err, ErrLoad): // the view's history was lost
					if m.holds(at) {
						rt.Fatalf("check(%s) at %v = %v", name, at, err)
					}
				case err != nil:
					rt.Fatalf("check(%s) at %v = %v", name, at, err)
				case m.holds(at) && got != m.answers(at, name):
					rt.Fatalf("check(%s) at %v from %v = %v, want %v", name, at, from, got, !got)
				}
			},
		})
	})
}
