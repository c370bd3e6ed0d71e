package cache

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/usherd/usherd/directory"
)

// A fill that comes after the revoke that it has not seen is the classic stale
// allow. Here every one of 5,000 fills does.
func TestStaleFillNeverAllows(t *testing.T) {
	t.Parallel()
	m := ann()
	c := stopped(t, m, nil)
	step(t, c)
	stale := 0
	for range 5000 {
		m.apply(func(e *edit) { e.setGroups("u-ann", staff) })
		step(t, c)
		old, _ := c.View()
		revoked := false
		m.set(func() {
			m.pass = func(method string, _ directory.Stamp) {
				if method != "Subject" || revoked {
					return
				}
				revoked = true // the data is read; now the revoke overtakes it
				m.apply(func(e *edit) { e.setGroups("u-ann") })
				step(t, c)
			}
		})
		sub, _, err := c.Subject(t.Context(), old, userName("ann"))
		if err != nil || !old.Snapshot.decide(sub) || !revoked {
			t.Fatalf("the load that was overtaken = %+v, %v; want Ann in staff, as of %v", sub, err, old.Stamp)
		}
		m.set(func() { m.pass = nil })
		if allowed, _, _, err := check(t.Context(), c, "ann"); allowed || err != nil {
			stale++
		}
	}
	if stale != 0 {
		t.Errorf("%d of 5000 checks after a revoke were allowed, want 0", stale)
	}
}

// Everybody who joins a load gets what holds as of their own view, and a load
// that began before a change is joined by nobody who has seen the change.
func TestALoadIsSharedOnlyUnderOneView(t *testing.T) {
	m := ann()
	c := stopped(t, m, nil)
	old := step(t, c)
	hold, held := make(chan struct{}), make(chan struct{}, 1)
	m.pass = func(method string, at directory.Stamp) {
		if method == "Subject" && at == old.Stamp {
			select {
			case held <- struct{}{}:
			default: // a load that began after the first one ended
			}
			<-hold
		}
	}
	var wg sync.WaitGroup
	var allowed atomic.Int32
	for range 10 {
		wg.Go(func() {
			sub, _, err := c.Subject(t.Context(), old, userName("ann"))
			if err == nil && old.Snapshot.decide(sub) {
				allowed.Add(1)
			}
		})
	}
	<-held
	m.apply(func(e *edit) { e.setGroups("u-ann") })
	step(t, c)
	want(t, c, "ann", false, Store) // while the other load is under way
	close(hold)
	wg.Wait()
	if allowed.Load() != 10 {
		t.Errorf("%d of 10 were allowed as of the view before the revoke, want 10", allowed.Load())
	}
	if n := m.called("Subject"); n > 11 {
		t.Errorf("%d loads for 11 callers, of whom 10 could share", n)
	}
	want(t, c, "ann", false, Memory)
}

func TestALoadThatFailsKeepsNothing(t *testing.T) {
	m := ann()
	c := stopped(t, m, func(cfg *Config[*snap]) { cfg.LoadTimeout = 10 * time.Millisecond })
	step(t, c)
	m.set(func() { m.fail = errors.New("down") })
	if _, _, _, err := check(t.Context(), c, "ann"); !errors.Is(err, ErrLoad) {
		t.Errorf("check with the store down = %v, want ErrLoad", err)
	}
	hold := make(chan struct{})
	m.set(func() { m.fail = nil; m.pass = func(string, directory.Stamp) { <-hold } })
	ctx := within(t, time.Millisecond)
	if _, _, _, err := check(ctx, c, "ann"); !errors.Is(err, ErrLoad) {
		t.Errorf("check by a caller that leaves = %v, want ErrLoad", err)
	}
	close(hold)
	m.set(func() { m.pass = nil })
	want(t, c, "bob", false, Store)
	if allowed, _, _, err := check(t.Context(), c, "ann"); !allowed || err != nil {
		t.Errorf("check after the failures = %v, %v; want allowed", allowed, err)
	}
}

func TestAnAnswerAsOfAnotherRevisionIsRefused(t *testing.T) {
	m := ann()
	c := stopped(t, liar{m}, nil)
	step(t, c)
	if _, _, _, err := check(t.Context(), c, "ann"); !errors.Is(err, ErrLoad) {
		t.Errorf("check = %v, want ErrLoad", err)
	}
}

// The new enemy: Ann leaves the group at one revision, the group gets the
// secret at the next. Whoever joins the subject of one with the policy of
// another allows what no revision allowed. Every answer must be the answer of
// the one revision that it names.
func TestEveryAnswerIsTheAnswerOfOneRevision(t *testing.T) {
	t.Parallel()
	m := ann()
	c := start(t, m, func(cfg *Config[*snap]) { cfg.Poll = time.Millisecond; cfg.Stretch = 3; cfg.WindowKeys = 16 })
	names := []string{"ann", "bob", "eve"}
	const rounds = 400
	lasting := 10 * time.Second
	if testing.Short() {
		lasting = 0
	}
	stop := make(chan struct{})
	var wg sync.WaitGroup
	var answered, wrong atomic.Int64
	var first atomic.Pointer[string]
	for i := range 8 {
		wg.Go(func() {
			for n := i; ; n++ {
				select {
				case <-stop:
					return
				default:
				}
				name := names[n%len(names)]
				got, at, from, err := check(t.Context(), c, name)
				if err != nil {
					continue
				}
				answered.Add(1)
				if want := m.answers(at, name); got != want {
					wrong.Add(1)
					text := fmt.Sprintf("check(%s) at %v from %v = %v, want %v", name, at, from, got, want)
					first.CompareAndSwap(nil, &text)
				}
			}
		})
	}
	for n, began := 0, time.Now(); n < rounds || time.Since(began) < lasting; n++ {
		a, b := names[n%3], names[(n+1)%3]
		m.apply(func(e *edit) { // in: harmless
			e.allow(vault, false)
			e.setName(a, "u-"+b)
			e.setGroups("u-"+b, vault)
		})
		m.apply(func(e *edit) { e.setGroups("u-" + b) })                                                   // out
		m.apply(func(e *edit) { e.allow(vault, true) })                                                    // now it would matter
		m.apply(func(e *edit) { e.setGroups("u-"+a, staff); e.setName(a, "u-"+a); e.allow(vault, false) }) // both at once
		settled(t, c, m)
	}
	close(stop)
	wg.Wait()
	if wrong.Load() > 0 {
		t.Errorf("%d of %d answers were those of no revision; the first: %s", wrong.Load(), answered.Load(), *first.Load())
	}
	if answered.Load() < rounds {
		t.Errorf("only %d answers in %d rounds", answered.Load(), rounds)
	}
}

// A liar answers as of the head, whatever it was asked.
type liar struct{ *model }

func (l liar) Subject(ctx context.Context, key directory.SubjectKey, _ directory.Stamp) (directory.Subject, error) {
	sub, err := l.model.Subject(ctx, key, directory.Stamp{})
	sub.At.Revision++
	return sub, err
}
