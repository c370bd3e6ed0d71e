package cache

import (
	"errors"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/usherd/usherd/directory"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const (
	staff directory.GroupNum = iota + 1
	vault
)

// ann makes a model in which Ann is in staff, which is allowed.
func ann() *model {
	m := newModel()
	m.apply(func(e *edit) {
		e.setName("ann", "u-ann")
		e.setGroups("u-ann", staff)
		e.allow(staff, true)
	})
	return m
}

func TestNewNamesWhatIsMissing(t *testing.T) {
	_, err := New(Config[int]{})
	const want = "making a cache: History is required\nBuild is required\nUpdate is required"
	if err == nil || err.Error() != want {
		t.Errorf("New(empty) = %v, want %q", err, want)
	}
}

func TestNothingIsAnsweredBeforeTheFirstView(t *testing.T) {
	c := stopped(t, ann(), nil)
	if _, err := c.View(); !errors.Is(err, ErrNoView) {
		t.Errorf("View() = %v, want ErrNoView", err)
	}
	if _, err := c.AtLeast(t.Context(), directory.Stamp{Revision: 1}); !errors.Is(err, ErrNoView) {
		t.Errorf("AtLeast(1) = %v, want ErrNoView", err)
	}
}

func TestSubjectsComeFromMemoryTheSecondTime(t *testing.T) {
	m := ann()
	c := start(t, m, nil)
	want(t, c, "ann", true, Store)
	want(t, c, "ann", true, Memory)
	want(t, c, "bob", false, Store)
	want(t, c, "bob", false, Memory)

	v, _ := c.View()
	if sub, from, err := c.Subject(t.Context(), v, idKey("u-ann")); err != nil || from != Memory || sub.ID != "u-ann" {
		t.Errorf("Subject(id) = %+v from %v, %v; want Ann from memory: her record is one for all keys", sub, from, err)
	}
}

func TestAChangeIsSeenInTheNextView(t *testing.T) {
	tests := []struct {
		name   string
		change func(*edit)
		ann    bool
		bob    bool
		from   Tier // where Ann comes from afterwards
	}{
		{"removed from the group", func(e *edit) { e.setGroups("u-ann") }, false, false, Store},
		{"policy alone flushes nothing", func(e *edit) { e.allow(staff, false) }, false, false, Memory},
		{"renamed", func(e *edit) { e.setName("ann", ""); e.setName("bob", "u-ann") }, false, true, Store},
		{"name goes to another", func(e *edit) { e.setGroups("u-eve"); e.setName("ann", "u-eve") }, false, false, Store},
		{"somebody unknown appears", func(e *edit) { e.setGroups("u-bob", staff); e.setName("bob", "u-bob") }, true, true, Memory},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			m := ann()
			c := stopped(t, m, nil)
			step(t, c)
			want(t, c, "ann", true, Store)
			want(t, c, "bob", false, Store)
			m.apply(tt.change)
			want(t, c, "ann", true, Memory) // this replica has not seen it yet
			step(t, c)
			want(t, c, "ann", tt.ann, tt.from)
			got, at, _, err := check(t.Context(), c, "bob")
			if err != nil || got != tt.bob || at != m.head() {
				t.Errorf("check(bob) = %v at %v, %v; want %v at %v", got, at, err, tt.bob, m.head())
			}
			want(t, c, "ann", tt.ann, Memory) // now that everybody is in memory again
			want(t, c, "bob", tt.bob, Memory)
		})
	}
}

func TestACheckThatHoldsAnOldViewIsAnsweredAsOfIt(t *testing.T) {
	m := ann()
	c := stopped(t, m, nil)
	old := step(t, c)
	m.apply(func(e *edit) { e.setGroups("u-ann") })
	now := step(t, c)
	want(t, c, "ann", false, Store) // in memory as of the new view

	for _, tt := range []struct {
		name string
		view *View[*snap]
		want bool
	}{{"before the change", old, true}, {"after the change", now, false}, {"before the change again", old, true}} {
		sub, _, err := c.Subject(t.Context(), tt.view, userName("ann"))
		if err != nil || tt.view.Snapshot.decide(sub) != tt.want {
			t.Errorf("%s: Subject = %+v, %v; want allowed %v", tt.name, sub, err, tt.want)
		}
	}
	want(t, c, "ann", false, Memory) // what the old view read was not kept
}

// Each part of what memory holds may be later than the view that asks.
func TestMemoryLaterThanTheViewIsNotUsed(t *testing.T) {
	tests := []struct {
		name   string
		before func(*edit) // at the view's revision
		after  func(*edit) // at the next, which is in memory
		warm   directory.SubjectKey
		want   bool
	}{
		{"the subject is later", nil, func(e *edit) { e.setGroups("u-ann") }, idKey("u-ann"), true},
		{
			"the name is later, the subject is not", func(e *edit) { e.setGroups("u-eve"); e.setName("eve", "u-eve") },
			func(e *edit) { delete(e.names, "ann"); e.names["ann"] = "u-eve"; e.touch(userName("ann")) }, userName("ann"), true,
		},
		{"nobody has the name later", nil, func(e *edit) { e.setName("ann", "") }, userName("ann"), true},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			m := ann()
			if tt.before != nil {
				m.apply(tt.before)
			}
			c := stopped(t, m, nil)
			old := step(t, c)
			for _, key := range []directory.SubjectKey{userName("eve"), userName("ann")} { // pointers of the old view
				if _, _, err := c.Subject(t.Context(), old, key); err != nil {
					t.Fatal(err)
				}
			}
			m.apply(tt.after)
			now := step(t, c)
			if _, _, err := c.Subject(t.Context(), now, tt.warm); err != nil {
				t.Fatal(err)
			}
			sub, _, err := c.Subject(t.Context(), old, userName("ann"))
			if err != nil || old.Snapshot.decide(sub) != tt.want {
				t.Errorf("Subject as of %v = %+v, %v; want allowed %v", old.Stamp, sub, err, tt.want)
			}
		})
	}
}

func TestAStretchIsAppliedInOrderUpToTheHead(t *testing.T) {
	m := ann()
	c := stopped(t, m, func(cfg *Config[*snap]) { cfg.Stretch = 3 })
	step(t, c)
	for range 10 {
		m.apply(func(e *edit) { e.setGroups("u-ann", staff, vault) })
	}
	before := m.called("Stretch")
	if v := step(t, c); v.Stamp != m.head() {
		t.Errorf("view at %v after a step, want %v", v.Stamp, m.head())
	}
	if n := m.called("Stretch") - before; n != 4 {
		t.Errorf("10 records were read in %d stretches of 3, want 4", n)
	}
}

func TestAStretchThatTakesTooLongIsReadInPieces(t *testing.T) {
	m := ann()
	c := stopped(t, m, nil)
	step(t, c)
	for range 50 {
		m.apply(func(e *edit) { e.setGroups("u-ann") })
	}
	m.set(func() { m.slow = 10 })
	var errs int
	eventually(t, "the view is at the head", func() bool {
		if c.step(t.Context()) != nil {
			errs++
		}
		return c.view.Load().Stamp == m.head()
	})
	if errs == 0 {
		t.Error("no step failed: the stretch was not too long")
	}
	want(t, c, "ann", false, Store)
	m.set(func() { m.slow = 0 })
	for range 10 {
		m.apply(func(e *edit) { e.setGroups("u-ann") })
		step(t, c)
	}
	if c.piece < 500 {
		t.Errorf("%d records are read at once after ten good reads, want the pieces to grow again", c.piece)
	}
}

func TestAFeedThatLacksARevisionIsLoadedAnew(t *testing.T) {
	m := ann()
	c := stopped(t, m, nil)
	step(t, c)
	m.apply(func(e *edit) { e.setGroups("u-ann") })
	m.apply(func(e *edit) { e.setGroups("u-ann", vault) })
	m.set(func() { m.points[2].record.Stamp.Revision = 7; m.keep = 1 })
	if v := step(t, c); v.Stamp != m.head() {
		t.Errorf("view at %v, want %v", v.Stamp, m.head())
	}
	want(t, c, "ann", false, Store)
}

func TestAFeedWithAGapIsNotApplied(t *testing.T) {
	m := ann()
	c := stopped(t, m, nil)
	v := step(t, c)
	m.apply(func(e *edit) { e.setGroups("u-ann") })
	m.apply(func(e *edit) { e.setGroups("u-ann", staff) })
	m.set(func() { m.points[2].record.Stamp.Revision = 3 })
	if err := c.step(t.Context()); err == nil || c.view.Load() != v {
		t.Errorf("step over a gap = %v, view %v; want an error and the view as it was", err, c.view.Load().Stamp)
	}
}

func TestAnUpdateThatFailsIsBuiltAnew(t *testing.T) {
	m := ann()
	fail := errors.New("no")
	c := stopped(t, m, func(cfg *Config[*snap]) {
		cfg.Update = func(*snap, directory.Stretch) (*snap, error) { return nil, fail }
	})
	step(t, c)
	want(t, c, "ann", true, Store)
	m.apply(func(e *edit) { e.setGroups("u-ann") })
	step(t, c)
	want(t, c, "ann", false, Store)
}

func TestABuildThatFailsShowsNothing(t *testing.T) {
	m := ann()
	fail := errors.New("no")
	c := stopped(t, m, func(cfg *Config[*snap]) {
		cfg.Build = func(directory.Facts) (*snap, error) { return nil, fail }
	})
	if err := c.step(t.Context()); !errors.Is(err, fail) {
		t.Errorf("step = %v, want %v", err, fail)
	}
	if v, err := c.View(); v != nil || !errors.Is(err, ErrNoView) {
		t.Errorf("View() = %v, %v; want none", v, err)
	}
}

func TestMaxStaleness(t *testing.T) {
	m := ann()
	now := time.Hour
	c := stopped(t, m, func(cfg *Config[*snap]) {
		cfg.MaxStaleness = 10 * time.Second
		cfg.Clock = func() time.Duration { return now }
	})
	m.pass = func(method string, _ directory.Stamp) { // each answer of the store takes a second
		if method != "Subject" {
			now += time.Second
		}
	}
	v := step(t, c)
	if age, err := c.Age(v); age != time.Second || err != nil {
		t.Errorf("Age = %v, %v; want 1s: it counts from before the question", age, err)
	}
	now += 9 * time.Second
	if age, err := c.Age(v); age != 10*time.Second || err != nil {
		t.Errorf("Age = %v, %v; want 10s and no error at the limit", age, err)
	}
	now++
	if _, err := c.Age(v); !errors.Is(err, ErrStale) {
		t.Errorf("Age over the limit = %v, want ErrStale", err)
	}
	if _, _, _, err := check(t.Context(), c, "ann"); !errors.Is(err, ErrStale) {
		t.Errorf("check under a stale view = %v, want ErrStale", err)
	}
	m.set(func() { m.fail = errors.New("down") })
	if err := c.step(t.Context()); err == nil {
		t.Error("step with the store down = nil, want an error")
	}
	c.Wake(directory.Stamp{Revision: 99})
	if _, err := c.Age(c.view.Load()); !errors.Is(err, ErrStale) {
		t.Errorf("Age after a failed poll and a push = %v, want ErrStale: only the head renews", err)
	}
	m.set(func() { m.fail = nil })
	v = step(t, c)
	if age, err := c.Age(v); err != nil || age != time.Second {
		t.Errorf("Age after a poll = %v, %v; want 1s", age, err)
	}
}

func TestTheAgeCountsFromTheHeadThatWasReached(t *testing.T) {
	m := ann()
	now := time.Hour
	c := stopped(t, m, func(cfg *Config[*snap]) {
		cfg.Clock = func() time.Duration { return now }
		cfg.Stretch = 1
	})
	step(t, c)
	m.apply(func(e *edit) { e.setGroups("u-ann") })
	m.apply(func(e *edit) { e.setGroups("u-ann", staff) })
	views := map[directory.Revision]time.Duration{}
	m.pass = func(method string, _ directory.Stamp) {
		v := c.view.Load()
		if _, ok := views[v.Stamp.Revision]; !ok {
			views[v.Stamp.Revision], _ = c.Age(v)
		}
		if method == "Stretch" && v.Stamp.Revision == 1 { // the head moves on while it is followed
			m.apply(func(e *edit) { e.setGroups("u-ann") })
		}
		now += time.Second
	}
	step(t, c)
	// Head asked at 0 s said 3. The view of 2 has reached no head and keeps the
	// time of the first view; that of 3 is as fresh as the question for the head.
	if views[2] != 2*time.Second || views[3] != 3*time.Second {
		t.Errorf("ages when first seen = %v, want 2s for revision 2 and 3s for revision 3", views)
	}
	if age, _ := c.Age(c.view.Load()); c.view.Load().Stamp != m.head() || age != time.Second {
		t.Errorf("at the head: %v aged %v, want %v aged 1s", c.view.Load().Stamp, age, m.head())
	}
}

func TestLostHistoryStartsAnew(t *testing.T) {
	m := ann()
	var had, have directory.Stamp
	c := stopped(t, m, func(cfg *Config[*snap]) {
		cfg.Lost = func(a, b directory.Stamp) { had, have = a, b }
	})
	step(t, c)
	m.apply(func(e *edit) { e.setGroups("u-ann", vault); e.allow(vault, true) })
	lost := step(t, c)
	want(t, c, "ann", true, Store)

	m.restore(1)
	m.apply(func(e *edit) { e.setGroups("u-ann") }) // revision 2 again, of another history
	v := step(t, c)
	if v.Stamp != m.head() || v.window == lost.window || v.memory == lost.memory {
		t.Errorf("view = %v, want %v with a window and a memory of its own", v.Stamp, m.head())
	}
	if had != lost.Stamp || have != m.head() {
		t.Errorf("Lost(%v, %v), want (%v, %v)", had, have, lost.Stamp, m.head())
	}
	want(t, c, "ann", false, Store)

	// A check that still holds the lost view gets no answer from the store.
	if _, _, err := c.Subject(t.Context(), lost, userName("bob")); !errors.Is(err, ErrLoad) || errors.Is(err, directory.ErrHistoryLost) {
		t.Errorf("Subject under the lost view = %v, want ErrLoad", err)
	}
}

func TestAFeedThatNoLongerReachesBackIsLoadedAnew(t *testing.T) {
	m := ann()
	c := stopped(t, m, nil)
	step(t, c)
	for range 5 {
		m.apply(func(e *edit) { e.setGroups("u-ann", vault) })
	}
	m.set(func() { m.keep = 2 })
	step(t, c)
	want(t, c, "ann", false, Store)
}
