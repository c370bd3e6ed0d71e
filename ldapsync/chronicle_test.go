package ldapsync

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/usherd/usherd/directory"
	"github.com/usherd/usherd/ldapsync/ldaptest"
)

func fakeOf(t *testing.T, n int) *ldaptest.Fake {
	t.Helper()
	return ldaptest.StartFake(t, ldaptest.FakeConfig{Entries: fakeEntries(n), Contexts: []string{fakeBase}})
}

func phaseNames(r directory.Run) (names []string) {
	for _, p := range r.Phases {
		names = append(names, p.Name)
	}
	return names
}

func TestARunTellsWhyItBeganAndHowItWent(t *testing.T) {
	t.Parallel()
	store := newMapStore()
	p := pollerOf(t, fakeSettings(t, fakeOf(t, 7).URL), store)
	run, err := p.RunFor(t.Context(), "user:ana")
	if err != nil || run.Result != directory.RunApplied {
		t.Fatalf("RunFor = %s (%s), %v", run.Result, run.Message, err)
	}
	if run.Trigger != directory.TriggerManual || run.By != "user:ana" {
		t.Errorf("it began by %q of %q", run.Trigger, run.By)
	}
	want := []string{"connect", "people", "groups", "compare", "judge", "apply"}
	if got := phaseNames(run); !slices.Equal(got, want) {
		t.Fatalf("phases = %q, want %q", got, want)
	}
	end := run.Started
	for _, phase := range run.Phases {
		if phase.Started.Before(end) || phase.Ended.Before(phase.Started) {
			t.Errorf("%s is from %v to %v, and the one before ended at %v", phase.Name, phase.Started, phase.Ended, end)
		}
		end = phase.Ended
	}
	if run.Ended.Before(end) {
		t.Errorf("the run ended at %v, its last phase at %v", run.Ended, end)
	}
	for i, kind := range []string{"", "people", "groups", "changes", "", "applied"} {
		n := run.Phases[i].Counts[kind]
		if kind == "people" && n != 7 || kind != "" && n == 0 {
			t.Errorf("%s counts %v", run.Phases[i].Name, run.Phases[i].Counts)
		}
	}
	if kept := store.runs[run.ID]; !slices.Equal(phaseNames(kept), want) || kept.By != run.By {
		t.Errorf("kept is %+v", kept)
	}
}

// TestARunIsCancelledWhileItReads: a directory fell silent, somebody sees where
// the run is and stops it, and nothing has been changed.
func TestARunIsCancelledWhileItReads(t *testing.T) {
	t.Parallel()
	fake := fakeOf(t, 40)
	proxy := ldaptest.StartProxy(t, fake.Addr)
	proxy.CutAfter(4000, ldaptest.Stall)
	store := newMapStore()
	p := pollerOf(t, fakeSettings(t, proxy.URL), store)
	seen := make(chan directory.Run, 1)
	p.cfg.Cancelled = func(_ context.Context, id string) (string, error) {
		select {
		case <-proxy.Hit():
		default:
			return "", errors.New("not yet")
		}
		store.mu.Lock()
		defer store.mu.Unlock()
		if r := store.runs[id]; len(r.Phases) > 0 {
			seen <- r
			return "user:ana", nil
		}
		return "", nil
	}
	run, err := p.Run(t.Context())
	if err != nil || run.Result != directory.RunCancelled || run.CancelledBy != "user:ana" {
		t.Fatalf("Run = %+v, %v; want it cancelled by user:ana", run, err)
	}
	during := <-seen
	if last := during.Phases[len(during.Phases)-1]; during.Result != directory.RunRunning || last.Name != directory.PhasePeople || !last.Ended.IsZero() || last.Counts["people"] == 0 {
		t.Errorf("while the directory was silent the run was kept as %+v", during)
	}
	if store.applies != 0 || store.cursor != nil {
		t.Errorf("it applied %d batches", store.applies)
	}
	if kept := store.runs[run.ID]; kept.Result != directory.RunCancelled || kept.Ended.IsZero() || kept.Message == "" {
		t.Errorf("kept is %+v", kept)
	}
	proxy.Heal()
	p.cfg.Cancelled = nil
	runs(t, p, directory.RunApplied)
	runs(t, p, directory.RunUnchanged)
}

// A slowStore takes some batches, and the next one only when its caller leaves.
type slowStore struct {
	*mapStore
	takes   int
	waiting chan struct{} // closed when a batch waits
}

func (s *slowStore) Apply(ctx context.Context, by directory.Actor, changes ...directory.Change) (directory.Applied, error) {
	if s.takes--; s.takes < 0 {
		close(s.waiting)
		<-ctx.Done()
	}
	return s.mapStore.Apply(ctx, by, changes...)
}

// TestARunIsCancelledWhileItApplies: the batches that are done stay, and the next
// run, a complete one, does the rest and no more.
func TestARunIsCancelledWhileItApplies(t *testing.T) {
	t.Parallel()
	settings := fakeSettings(t, fakeOf(t, 600).URL)
	settings.PageSize, settings.FullEvery = 500, Duration(24*time.Hour)
	slow := &slowStore{mapStore: newMapStore(), takes: 1, waiting: make(chan struct{})}
	p := pollerOf(t, settings, slow)
	p.cfg.Cancelled = func(context.Context, string) (string, error) {
		<-slow.waiting
		return "user:ana", nil
	}
	run, err := p.Run(t.Context())
	if err != nil || run.Result != directory.RunCancelled || run.Revision == 0 {
		t.Fatalf("Run = %+v, %v; want it cancelled after a batch", run, err)
	}
	if last := run.Phases[len(run.Phases)-1]; last.Name != directory.PhaseApply || last.Counts["total"] <= last.Counts["applied"] {
		t.Errorf("it was cancelled in %+v", last)
	}
	if n := len(slow.people); n == 0 || n >= 600 {
		t.Errorf("%d people are there; want those of the first batch", n)
	}
	again := pollerOf(t, settings, slow.mapStore)
	if r := runs(t, again, directory.RunApplied); r.Counts["incremental"] != 0 {
		t.Errorf("the next run read only what changed: %v", r.Counts)
	}
	if len(slow.people) != 600 || slow.removals() != 0 {
		t.Errorf("then %d people are there, and %d were taken something from", len(slow.people), slow.removals())
	}
	runs(t, again, directory.RunUnchanged)
}

// approvedPartly approves that 1100 of 1200 people go, and returns the run, which
// cancels or cuts short after its first batch, and where it left things.
func approvedPartly(t *testing.T, cancels func(*Poller, *slowStore) context.Context) (*mapStore, *Poller, directory.Run) {
	t.Helper()
	people := fakeEntries(1200)
	fake := ldaptest.StartFake(t, ldaptest.FakeConfig{Entries: people, Contexts: []string{fakeBase}})
	settings := fakeSettings(t, fake.URL)
	settings.PageSize = 500
	store := newMapStore()
	p := pollerOf(t, settings, store)
	runs(t, p, directory.RunApplied)
	fake.SetEntries(people[1100:])
	held := runs(t, p, directory.RunHeld)
	slow := &slowStore{mapStore: store, takes: 1, waiting: make(chan struct{})}
	q := pollerOf(t, settings, slow)
	run, err := q.Approve(cancels(q, slow), held.Plan, "user:ana")
	if err != nil {
		t.Fatal(err)
	}
	if store.gone == 0 || store.gone >= 1100 {
		t.Fatalf("%d people are gone; want those of the first batch: %s (%s)", store.gone, run.Result, run.Message)
	}
	return store, p, run
}

// TestACancelledApprovalIsSpent: whoever stops what was approved stops all of
// it. The plan that waited waits no more, and what is left is held as a new one.
func TestACancelledApprovalIsSpent(t *testing.T) {
	t.Parallel()
	store, p, run := approvedPartly(t, func(q *Poller, slow *slowStore) context.Context {
		q.cfg.Cancelled = func(context.Context, string) (string, error) {
			<-slow.waiting
			return "user:ben", nil
		}
		return t.Context()
	})
	if run.Result != directory.RunCancelled || !strings.Contains(run.Message, "the rest needs approval again") {
		t.Errorf("the run ended %s (%s)", run.Result, run.Message)
	}
	if len(store.holds) != 0 {
		t.Errorf("the plan %s is still held", store.holds["corp"].Hash)
	}
	gone := store.gone
	next := runs(t, p, directory.RunHeld)
	if hold := store.holds["corp"]; hold.Hash != next.Plan || !hold.Approved.IsZero() || store.gone != gone {
		t.Errorf("the next run holds %q, approved %v, and took %d more", hold.Hash, hold.Approved, store.gone-gone)
	}
}

// TestAnApprovalThatBrokeOffSaysSo: what is left is not what was approved.
func TestAnApprovalThatBrokeOffSaysSo(t *testing.T) {
	t.Parallel()
	_, p, run := approvedPartly(t, func(_ *Poller, slow *slowStore) context.Context {
		ctx, cancel := context.WithCancel(t.Context())
		go func() {
			<-slow.waiting
			cancel()
		}()
		return ctx
	})
	if run.Result != directory.RunFailed || !strings.Contains(run.Message, "the rest needs approval again") {
		t.Errorf("the run ended %s (%s)", run.Result, run.Message)
	}
	runs(t, p, directory.RunHeld)
}

// TestACancelledRunEndsNoRest: whoever stops a run has not mended the password.
func TestACancelledRunEndsNoRest(t *testing.T) {
	t.Parallel()
	store := newMapStore()
	p := pollerOf(t, fakeSettings(t, fakeOf(t, 2).URL), store)
	at := time.Now().Add(time.Second)
	store.runs["a"] = directory.Run{ID: "a", Source: "corp", Started: at, Ended: at, Result: directory.RunIncomplete, Counts: map[string]int64{refusedCount: 1}}
	store.runs["b"] = directory.Run{ID: "b", Source: "corp", Started: at.Add(time.Second), Ended: at.Add(time.Second), Result: directory.RunCancelled}
	if _, err := p.runUnless(t.Context(), at.Add(time.Minute), occasion{trigger: directory.TriggerSchedule}); !errors.Is(err, ErrBusy) {
		t.Errorf("the schedule runs: %v, want ErrBusy", err)
	}
}
