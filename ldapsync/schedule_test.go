package ldapsync

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"testing/synctest"
	"time"
	_ "time/tzdata" // summer time is known wherever the test runs

	"github.com/usherd/usherd/directory"
	"github.com/usherd/usherd/ldapsync/ldaptest"
)

func TestSchedules(t *testing.T) {
	for _, c := range []struct {
		name, spec string
		ok         bool
	}{
		{"every quarter of an hour", "*/15 * * * *", true},
		{"a descriptor", "@hourly", true},
		{"a period", "@every 5m", true},
		{"a time zone", "CRON_TZ=Europe/Berlin 30 2 * * *", true},
		{"a leap day", "0 0 29 2 *", true},
		{"every minute", "* * * * *", true},
		{"nothing", "", false},
		{"the panic of TZ without a space", "TZ=UTC", false},
		{"the panic of an unknown zone", "TZ=0", false},
		{"a day that never comes", "0 0 31 2 *", false},
		{"a period of nothing", "@every 0s", false},
		{"a negative period", "@every -5m", false},
		{"a period below a minute", "@every 59s", false},
		{"six fields", "* * * * * *", false},
		{"words", "every now and then", false},
	} {
		if _, err := ParseSchedule(c.spec); (err == nil) != c.ok {
			t.Errorf("%s: ParseSchedule(%q) = %v, want ok = %v", c.name, c.spec, err, c.ok)
		}
	}
}

func TestTimesAreUTC(t *testing.T) {
	w, err := ParseSchedule("30 2 * * *")
	if err != nil {
		t.Fatal(err)
	}
	berlin, err := time.LoadLocation("Europe/Berlin")
	if err != nil {
		t.Fatal(err)
	}
	got := w.Next(time.Date(2025, 3, 30, 0, 0, 0, 0, berlin)) // the day summer time begins
	if want := time.Date(2025, 3, 30, 2, 30, 0, 0, time.UTC); !got.Equal(want) {
		t.Errorf("Next = %v, want %v", got, want)
	}
}

func TestJitterIsSmallAndAlwaysTheSame(t *testing.T) {
	w, err := ParseSchedule("@every 10m")
	if err != nil {
		t.Fatal(err)
	}
	start := time.Date(2025, 1, 1, 0, 0, 0, 0, time.UTC)
	different := map[time.Duration]bool{}
	for i := range 20 {
		j := jittered{w, directory.SourceName(fmt.Sprintf("source-%d", i))}
		by := jitter(j.source, 10*time.Minute)
		if by < 0 || by > time.Minute {
			t.Errorf("jitter of %s is %v, want at most a tenth of the period", j.source, by)
		}
		different[by] = true
		if a, b := j.Next(start), j.Next(start); !a.Equal(b) || !a.After(start) {
			t.Errorf("Next = %v and %v", a, b)
		}
	}
	if len(different) < 15 {
		t.Errorf("20 sources have %d jitters", len(different))
	}
}

func TestTimesOfASourceFollowOneAnother(t *testing.T) {
	w, err := ParseSchedule("0 */6 * * *")
	if err != nil {
		t.Fatal(err)
	}
	j := jittered{w, "corp"}
	at := time.Date(2025, 1, 1, 0, 0, 0, 0, time.UTC)
	for range 10 {
		next := j.Next(at)
		if d := next.Sub(at); d <= 0 || d > 6*time.Hour+36*time.Minute {
			t.Fatalf("after %v comes %v", at, next)
		}
		at = next
	}
}

// TestAScheduleCatchesUp: a run that was due while the daemon was down comes at
// once, and the schedule goes on from there.
func TestAScheduleCatchesUp(t *testing.T) {
	fake := ldaptest.StartFake(t, ldaptest.FakeConfig{Entries: fakeEntries(2), Contexts: []string{fakeBase}})
	s := fakeSettings(t, fake.URL)
	s.Schedule = "@every 24h"
	store := newMapStore()
	p := pollerOf(t, s, store)
	schedule := NewSchedule(nil)
	if err := schedule.Put(t.Context(), p, time.Time{}); err != nil {
		t.Fatal(err)
	}
	schedule.Start()
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for done := false; !done; {
		select {
		case <-tick.C:
		case <-ctx.Done():
			t.Fatal("no run came")
		}
		store.mu.Lock()
		for _, r := range store.runs {
			done = done || r.Result == directory.RunApplied
			if r.Trigger != directory.TriggerCatchUp {
				t.Errorf("it began by %q, want catch-up", r.Trigger)
			}
		}
		store.mu.Unlock()
	}
	if err := schedule.Stop(ctx); err != nil {
		t.Errorf("Stop: %v", err)
	}
	if next := schedule.Next("corp"); next.Before(time.Now()) {
		t.Errorf("the next run is at %v", next)
	}
	schedule.Remove("corp")
	if next := schedule.Next("corp"); !next.IsZero() {
		t.Errorf("a source that was removed runs next at %v", next)
	}
}

func TestARunUnderWayIsNotDoubled(t *testing.T) {
	store := newMapStore()
	p := pollerOf(t, Settings{
		URLs: []string{"ldap://127.0.0.1:1"}, AllowPlaintextBind: true, BindDN: "cn=x", PasswordFile: "x", Template: "openldap", Base: []string{"dc=x"},
	}, store)
	hurried := func() (directory.Run, error) {
		ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
		defer cancel()
		return p.Run(ctx)
	}
	p.turn <- struct{}{}
	if _, err := hurried(); !errors.Is(err, ErrBusy) {
		t.Errorf("Run during a run: %v, want ErrBusy", err)
	}
	<-p.turn
	store.lease = directory.Lease{Holder: "another replica", Epoch: 7}
	if _, err := hurried(); !errors.Is(err, ErrBusy) || len(store.runs) != 0 {
		t.Errorf("Run while another replica has the lease: %v, %d runs kept", err, len(store.runs))
	}
	// who waits gets a turn when the other is done
	time.AfterFunc(20*time.Millisecond, func() { _ = store.ReleaseLease(t.Context(), "", "") })
	if _, err := p.Run(t.Context()); err != nil || len(store.runs) != 1 {
		t.Errorf("Run when the other replica was done: %v, %d runs kept", err, len(store.runs))
	}
}

func TestARunThatBrokeOffIsNotUnderWayForever(t *testing.T) {
	store := newMapStore()
	store.runs["dead"] = directory.Run{ID: "dead", Source: "corp", Started: noon, Result: directory.RunRunning}
	p := pollerOf(t, Settings{
		URLs: []string{"ldap://127.0.0.1:1"}, AllowPlaintextBind: true, BindDN: "cn=x", PasswordFile: "x", Template: "openldap", Base: []string{"dc=x"},
	}, store)
	if _, err := p.Run(t.Context()); err != nil {
		t.Fatal(err)
	}
	if dead := store.runs["dead"]; dead.Result != directory.RunFailed || dead.Message == "" || dead.Ended.IsZero() {
		t.Errorf("the run that broke off is %+v", dead)
	}
}

// TestOneReplicaRunsForATime: a second replica whose time comes just after the
// first is done does not run again.
func TestOneReplicaRunsForATime(t *testing.T) {
	store := newMapStore()
	p := pollerOf(t, Settings{
		URLs: []string{"ldap://127.0.0.1:1"}, AllowPlaintextBind: true, BindDN: "cn=x", PasswordFile: "x", Template: "openldap", Base: []string{"dc=x"},
	}, store)
	if _, err := p.Run(t.Context()); err != nil {
		t.Fatal(err)
	}
	now := time.Now()
	if _, err := p.runUnless(t.Context(), now.Add(-time.Minute), occasion{full: true}); !errors.Is(err, ErrBusy) {
		t.Errorf("a second run for the same time: %v, want ErrBusy", err)
	}
	if _, err := p.runUnless(t.Context(), now.Add(time.Minute), occasion{full: true}); err != nil || len(store.runs) != 2 {
		t.Errorf("a run for the next time: %v, %d runs", err, len(store.runs))
	}
}

// TestALostLeaseEndsTheRun: when another replica takes over, the run's context
// ends at the next renewal.
func TestALostLeaseEndsTheRun(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := newMapStore()
		p := &Poller{cfg: Config{Source: "corp", Store: store, LeaseTTL: 30 * time.Second, Holder: "me"}, turn: make(chan struct{}, 1)}
		ctx, guard, release, err := p.lease(t.Context())
		if err != nil || len(guard) != 1 {
			t.Fatalf("lease: %v, %v", guard, err)
		}
		defer release()
		store.mu.Lock()
		store.lease = directory.Lease{Name: "ldap/corp", Holder: "other", Epoch: 2}
		store.mu.Unlock()
		<-ctx.Done()
		if cause := context.Cause(ctx); !errors.Is(cause, errLeaseLost) {
			t.Errorf("the run ended because of %v", cause)
		}
	})
}
