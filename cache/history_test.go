package cache

import (
	"context"
	"crypto/sha256"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/usherd/usherd/directory"
)

// A model is a History in memory that keeps every revision, so that a test can
// ask what any of them would have answered, and can hold a call between the
// read of its data and its return.
type model struct {
	mu     sync.Mutex
	points []point // by revision, from 0

	// pass is called when a method has read what it will return. May be nil.
	pass func(method string, at directory.Stamp)
	// fail, if set, is what every method returns.
	fail error
	// calls counts the calls of a method.
	calls map[string]int
	// slow is how many records are too many to be read in time; 0 means none.
	slow int
	// keep is how many records the feed keeps; 0 means all.
	keep int
}

// A point is one revision of the model: who has which groups, and what the
// policy allows.
type point struct {
	record  directory.FeedRecord
	members map[string][]directory.GroupNum // by user id
	names   map[string]string               // userName → user id
	allowed map[directory.GroupNum]bool
}

func newModel() *model {
	return &model{points: []point{{}}, calls: map[string]int{}}
}

// edit is a change of the model in the making.
type edit struct {
	*point
	keys map[directory.SubjectKey]bool
}

func (e *edit) touch(keys ...directory.SubjectKey) {
	for _, k := range keys {
		e.keys[k] = true
	}
}

func userName(name string) directory.SubjectKey {
	return directory.SubjectKey{Kind: directory.KeyUserName, Value: name}
}

// setGroups makes groups all that a user is in.
func (e *edit) setGroups(id string, groups ...directory.GroupNum) {
	e.members[id] = groups
	e.touch(idKey(directory.UserID(id)))
}

// setName gives a userName to a user; "" gives it to nobody.
func (e *edit) setName(name, id string) {
	if had := e.names[name]; had != "" {
		e.touch(idKey(directory.UserID(had)))
	}
	delete(e.names, name)
	if id != "" {
		e.names[name] = id
		e.touch(idKey(directory.UserID(id)))
	}
	e.touch(userName(name))
}

func (e *edit) allow(group directory.GroupNum, allowed bool) {
	e.allowed[group] = allowed
	e.record.Policy = true
}

// apply performs a change as one revision.
func (m *model) apply(change func(*edit)) directory.Stamp {
	m.mu.Lock()
	defer m.mu.Unlock()
	last := m.points[len(m.points)-1]
	next := point{members: maps.Clone(last.members), names: maps.Clone(last.names), allowed: maps.Clone(last.allowed)}
	if next.members == nil {
		next.members, next.names, next.allowed = map[string][]directory.GroupNum{}, map[string]string{}, map[directory.GroupNum]bool{}
	}
	e := &edit{&next, map[directory.SubjectKey]bool{}}
	change(e)
	next.record.Keys = slices.Collect(maps.Keys(e.keys))
	next.record.Time = time.Now()
	rev := last.record.Stamp.Revision + 1
	sum := sha256.Sum256(fmt.Append(nil, last.record.Stamp, next.members, next.names, next.allowed))
	next.record.Stamp = directory.Stamp{Revision: rev, Fingerprint: directory.FingerprintOf(sum)}
	m.points = append(m.points, next)
	return next.record.Stamp
}

// restore goes back to an earlier revision, as a restore from a backup does.
func (m *model) restore(to directory.Revision) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.points = m.points[:to+1]
}

// answers returns what a revision answers for a name.
func (m *model) answers(at directory.Stamp, name string) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	p := m.points[at.Revision]
	return slices.ContainsFunc(p.members[p.names[name]], func(g directory.GroupNum) bool { return p.allowed[g] })
}

func (m *model) head() directory.Stamp {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.points[len(m.points)-1].record.Stamp
}

// read calls f under the lock, as one database snapshot, and then lets the
// test hold the call.
func (m *model) read(ctx context.Context, method string, f func() (directory.Stamp, error)) error {
	m.mu.Lock()
	m.calls[method]++
	at, err := f()
	if m.fail != nil {
		err = m.fail
	}
	pass := m.pass
	m.mu.Unlock()
	if pass != nil {
		pass(method, at)
	}
	if err == nil {
		err = ctx.Err()
	}
	return err
}

func (m *model) called(method string) int {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.calls[method]
}

func (m *model) set(f func()) {
	m.mu.Lock()
	defer m.mu.Unlock()
	f()
}

// knows is called under the lock.
func (m *model) knows(s directory.Stamp) bool {
	return s == (directory.Stamp{}) || int(s.Revision) < len(m.points) && m.points[s.Revision].record.Stamp == s
}

// oldest is the first revision of the feed. It is called under the lock.
func (m *model) oldest() int {
	if m.keep == 0 {
		return 1
	}
	return max(1, len(m.points)-m.keep)
}

func (m *model) Head(ctx context.Context, mine directory.Stamp) (h directory.Head, err error) {
	err = m.read(ctx, "Head", func() (directory.Stamp, error) {
		h = directory.Head{Stamp: m.points[len(m.points)-1].record.Stamp, Known: m.knows(mine)}
		return h.Stamp, nil
	})
	return h, err
}

func (m *model) Stretch(ctx context.Context, since directory.Stamp, limit int) (st directory.Stretch, err error) {
	err = m.read(ctx, "Stretch", func() (directory.Stamp, error) {
		if !m.knows(since) || int(since.Revision)+1 < m.oldest() {
			return since, directory.ErrHistoryLost
		}
		if m.slow > 0 && limit >= m.slow {
			return since, context.DeadlineExceeded
		}
		st.Head = m.points[len(m.points)-1].record.Stamp
		last := since
		for _, p := range m.points[since.Revision+1:] {
			if len(st.Records) == limit {
				break
			}
			st.Records = append(st.Records, p.record)
			last = p.record.Stamp
		}
		st.Policy = m.policy(last.Revision)
		return last, nil
	})
	return st, err
}

func (m *model) Recent(ctx context.Context, limit int) (f directory.Facts, records []directory.FeedRecord, err error) {
	err = m.read(ctx, "Recent", func() (directory.Stamp, error) {
		f.At = m.points[len(m.points)-1].record.Stamp
		f.Policy = *m.policy(f.At.Revision)
		for _, p := range m.points[max(m.oldest(), len(m.points)-limit):] {
			records = append(records, p.record)
		}
		return f.At, nil
	})
	return f, records, err
}

// policy writes which groups are allowed as the catalogue's projects. It is
// called under the lock.
func (m *model) policy(at directory.Revision) *directory.PolicyFacts {
	p := &directory.PolicyFacts{Revision: at}
	for group, allowed := range m.points[at].allowed {
		if allowed {
			p.Policy.Projects = append(p.Policy.Projects, directory.Project{Key: directory.ProjectKey(strconv.Itoa(int(group)))})
		}
	}
	return p
}

func (m *model) Subject(ctx context.Context, key directory.SubjectKey, at directory.Stamp) (sub directory.Subject, err error) {
	err = m.read(ctx, "Subject", func() (directory.Stamp, error) {
		if at == (directory.Stamp{}) {
			at = m.points[len(m.points)-1].record.Stamp
		}
		if !m.knows(at) {
			return at, directory.ErrHistoryLost
		}
		p := m.points[at.Revision]
		sub.At = at
		id := key.Value
		if key.Kind == directory.KeyUserName {
			id = p.names[key.Value]
		}
		groups, ok := p.members[id]
		if !ok {
			return at, nil
		}
		sub.Found, sub.ID, sub.Type = directory.One, directory.UserID(id), directory.Standard
		for _, g := range groups {
			sub.Memberships = append(sub.Memberships, directory.Membership{Group: g})
		}
		return at, nil
	})
	return sub, err
}

// A snap is the snapshot of the model: which groups are allowed.
type snap struct {
	allowed map[directory.GroupNum]bool
}

func build(f directory.Facts) (*snap, error) { return compile(f.Policy), nil }

func update(prev *snap, st directory.Stretch) (*snap, error) {
	if st.Policy == nil {
		return prev, nil
	}
	return compile(*st.Policy), nil
}

func compile(p directory.PolicyFacts) *snap {
	s := &snap{map[directory.GroupNum]bool{}}
	for _, project := range p.Policy.Projects {
		n, _ := strconv.Atoi(string(project.Key)) // written by policy
		s.allowed[directory.GroupNum(n)] = true
	}
	return s
}

func (s *snap) decide(sub *directory.Subject) bool {
	return slices.ContainsFunc(sub.Memberships, func(m directory.Membership) bool { return s.allowed[m.Group] })
}

// start runs a cache over m until the test ends, and returns it with its first
// view.
func start(t testing.TB, m History, alter func(*Config[*snap])) *Cache[*snap] {
	t.Helper()
	c := stopped(t, m, alter)
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() { defer close(done); c.Run(ctx) }()
	t.Cleanup(func() { cancel(); <-done })
	if _, err := c.Wait(within(t, 10*time.Second), directory.Stamp{}); err != nil {
		t.Fatalf("Wait for the first view: %v", err)
	}
	return c
}

// stopped returns a cache that follows only when the test steps it.
func stopped(t testing.TB, m History, alter func(*Config[*snap])) *Cache[*snap] {
	t.Helper()
	cfg := Config[*snap]{History: m, Build: build, Update: update, Subjects: 10_000, Unknown: 1000, Poll: 20 * time.Millisecond}
	if alter != nil {
		alter(&cfg)
	}
	c, err := New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// step makes the follower take one step.
func step(t testing.TB, c *Cache[*snap]) *View[*snap] {
	t.Helper()
	if err := c.step(within(t, 10*time.Second)); err != nil {
		t.Fatalf("step: %v", err)
	}
	return c.view.Load()
}

func within(t testing.TB, d time.Duration) context.Context {
	ctx, cancel := context.WithTimeout(context.Background(), d)
	t.Cleanup(cancel)
	return ctx
}

// check answers as a check does: view, subject, decision, age.
func check(ctx context.Context, c *Cache[*snap], name string) (allowed bool, at directory.Stamp, from Tier, err error) {
	v, err := c.View()
	if err != nil {
		return false, at, 0, err
	}
	sub, from, err := c.Subject(ctx, v, userName(name))
	if err != nil {
		return false, v.Stamp, from, err
	}
	allowed = v.Snapshot.decide(sub)
	if _, err := c.Age(v); err != nil {
		return false, v.Stamp, from, err
	}
	return allowed, v.Stamp, from, nil
}

// want fails the test unless a check for name answers so, from that tier.
func want(t testing.TB, c *Cache[*snap], name string, allowed bool, from Tier) {
	t.Helper()
	got, at, tier, err := check(t.Context(), c, name)
	if err != nil || got != allowed || tier != from {
		t.Errorf("check(%s) = %v from %v at %v, %v; want %v from %v", name, got, tier, at, err, allowed, from)
	}
}

// eventually waits until cond holds.
func eventually(t testing.TB, what string, cond func() bool) {
	t.Helper()
	ctx := within(t, 10*time.Second)
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	for !cond() {
		select {
		case <-tick.C:
		case <-ctx.Done():
			t.Fatalf("waited in vain until %s", what)
		}
	}
}

// settled waits until c has a view of m's head.
func settled(t testing.TB, c *Cache[*snap], m *model) *View[*snap] {
	t.Helper()
	v, err := c.Wait(within(t, 10*time.Second), m.head())
	if err != nil {
		t.Fatalf("Wait(%v): %v", m.head(), err)
	}
	return v
}

// holds reports whether at is a point of the history as it is now.
func (m *model) holds(at directory.Stamp) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.knows(at)
}
