package ldapsync

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/usherd/usherd/directory"
	"github.com/usherd/usherd/ldapsync/ldaptest"
)

func asIncomplete(err error, in **IncompleteError) bool { return errors.As(err, in) }

// TestARunOverARealDirectory: people and nested groups with a cycle in slapd.
func TestARunOverARealDirectory(t *testing.T) {
	t.Parallel()
	server := ldaptest.Start(t, ldaptest.Config{Users: 150, Groups: 10})
	store := newMapStore()
	s := settingsOf(t, server)
	p := pollerOf(t, s, store)
	run := runs(t, p, directory.RunApplied)
	if run.Counts["users.create"] != 155 || run.Counts["groups.create"] != 18 || run.Revision == 0 {
		t.Errorf("first run: counts %v, revision %d", run.Counts, run.Revision)
	}
	runs(t, p, directory.RunUnchanged)

	server.Rename("ou=bulk,"+ldaptest.People, "ou=crowd", "")
	if run := runs(t, p, directory.RunApplied); run.Counts["users.update"] != 150 || store.removals() != 0 {
		t.Errorf("a renamed OU: counts %v, %d removals", run.Counts, store.removals())
	}
	runs(t, p, directory.RunUnchanged)

	limited, wrong := s, s
	limited.BindDN, limited.PageSize = ldaptest.LimitedDN, 20
	wrong.Base, wrong.UserBase, wrong.GroupBase = []string{"dc=example,dc=tset"}, nil, nil
	for what, s := range map[string]Settings{"size limit": limited, "base": wrong} {
		run := runs(t, pollerOf(t, s, store), directory.RunIncomplete)
		if store.removals() != 0 || !strings.Contains(run.Message, what) {
			t.Errorf("%s: %d removals, message %q", what, store.removals(), run.Message)
		}
	}
	server.Stop()
	if run := runs(t, p, directory.RunIncomplete); !strings.Contains(run.Message, "See whether the server runs") {
		t.Errorf("a stopped server: message %q", run.Message)
	}
	server.Restart()
	runs(t, p, directory.RunUnchanged)
}

// TestAServerThatDiesInTheMiddle: slapd is killed, or falls silent, after some
// pages; the proxy tells when it is in the middle.
func TestAServerThatDiesInTheMiddle(t *testing.T) {
	t.Parallel()
	server := ldaptest.Start(t, ldaptest.Config{Users: 200})
	proxy := ldaptest.StartProxy(t, server.Addr)
	s := settingsOf(t, server)
	s.URLs, s.PageSize = []string{proxy.URL}, 20
	impatient := s
	impatient.RequestTimeout = Duration(time.Second)
	store := newMapStore()
	p := pollerOf(t, s, store)
	proxy.Heal()
	runs(t, p, directory.RunApplied)
	half := proxy.Passed() / 2
	for name, harm := range map[string]func(){"killed": server.Kill, "silent": server.Pause} {
		proxy.CutAfter(half, ldaptest.Stall)
		hit := proxy.Hit()
		over, done := make(chan struct{}), make(chan struct{})
		go func() {
			defer close(done)
			select {
			case <-hit:
			case <-over:
			}
			harm()
			proxy.Heal() // drops the connection; a paused server takes no other
		}()
		run := runs(t, pollerOf(t, impatient, store), directory.RunIncomplete)
		close(over)
		<-done
		if store.removals() != 0 || run.Message == "" {
			t.Errorf("%s: %d removals, message %q", name, store.removals(), run.Message)
		}
		server.Resume()
		if name == "killed" {
			server.Restart()
		}
	}
	runs(t, p, directory.RunUnchanged)
}

func TestAHeldPlanWaitsForItsApproval(t *testing.T) {
	t.Parallel()
	people := fakeEntries(60)
	fake := ldaptest.StartFake(t, ldaptest.FakeConfig{Entries: people, Contexts: []string{fakeBase}})
	s := fakeSettings(t, fake.URL)
	s.PageSize = 100
	store := newMapStore()
	clock := noon
	p, err := New(Config{Source: "corp", Settings: s, Store: store, Now: func() time.Time { return clock }})
	if err != nil {
		t.Fatal(err)
	}
	runs(t, p, directory.RunApplied)
	fake.SetEntries(people[30:])
	run := runs(t, p, directory.RunHeld)
	if store.removals() != 0 || !strings.Contains(run.Message, "30 of 60 people") || run.Plan == "" {
		t.Fatalf("30 of 60 gone: %d removals, run %+v", store.removals(), run)
	}
	hold := store.holds["corp"]
	clock = clock.Add(time.Hour)
	if again := runs(t, p, directory.RunHeld); again.Plan != run.Plan || !store.holds["corp"].Created.Equal(hold.Created) {
		t.Errorf("the same read again: hold %s of %v, want %s of %v", again.Plan, store.holds["corp"].Created, run.Plan, hold.Created)
	}

	fake.SetEntries(people[31:])
	other := runs(t, p, directory.RunHeld)
	if other.Plan == run.Plan || !strings.Contains(string(store.holds["corp"].Plan), "it replaces "+run.Plan) {
		t.Errorf("another read: hold %s, plan %.300s", other.Plan, store.holds["corp"].Plan)
	}
	if _, err := p.Approve(t.Context(), run.Plan, "admin"); !errors.Is(err, ErrNotHeld) {
		t.Errorf("approving what is held no more: %v", err)
	}

	// an approval is for what was shown: one person more and it is held again
	fake.SetEntries(people[32:])
	if run, err := p.Approve(t.Context(), other.Plan, "admin"); err != nil || run.Result != directory.RunHeld || store.removals() != 0 {
		t.Errorf("approved, but the directory says something else now: %v, %v, %d removals", run.Result, err, store.removals())
	}
	fake.SetEntries(people[31:])
	held := runs(t, p, directory.RunHeld)
	if run, err := p.Approve(t.Context(), held.Plan, "admin"); err != nil || run.Result != directory.RunApplied || store.gone != 31 {
		t.Errorf("approved: %v (%s), %v, %d gone", run.Result, run.Message, err, store.gone)
	}
	if len(store.holds) != 0 {
		t.Errorf("after it was applied the plan still waits")
	}
	// what was approved does not count towards the next 24 hours
	fake.SetEntries(people[32:])
	runs(t, p, directory.RunApplied)

	fake.SetEntries(people)
	runs(t, p, directory.RunApplied)
	if run := runs(t, p, directory.RunUnchanged); run.Counts["users.restore"] != 0 {
		t.Errorf("after all came back: %v", run.Counts)
	}
}

func TestAHoldEndsWhenTheDirectoryIsWellAgain(t *testing.T) {
	t.Parallel()
	people := fakeEntries(40)
	fake := ldaptest.StartFake(t, ldaptest.FakeConfig{Entries: people, Contexts: []string{fakeBase}})
	store := newMapStore()
	p := pollerOf(t, fakeSettings(t, fake.URL), store)
	runs(t, p, directory.RunApplied)
	fake.SetEntries(nil)
	if run := runs(t, p, directory.RunHeld); !strings.Contains(run.Message, "no people at all") {
		t.Errorf("an empty directory: %s", run.Message)
	}
	fake.SetEntries(people)
	runs(t, p, directory.RunUnchanged)
	if len(store.holds) != 0 || store.removals() != 0 {
		t.Errorf("%d holds, %d removals", len(store.holds), store.removals())
	}
}

func TestAnEmptyDirectoryIsNotBelievedAtFirst(t *testing.T) {
	fake := ldaptest.StartFake(t, ldaptest.FakeConfig{Contexts: []string{fakeBase}})
	run := runs(t, pollerOf(t, fakeSettings(t, fake.URL), newMapStore()), directory.RunIncomplete)
	if !strings.Contains(run.Message, "userFilter") {
		t.Errorf("message %q does not say what to check", run.Message)
	}
}

// TestACrashLoopDoesNotGetAroundTheThresholds: a run that breaks off after it
// took something counts in the next.
func TestACrashLoopDoesNotGetAroundTheThresholds(t *testing.T) {
	w := newWorld()
	for i := range 1000 {
		w.person(fmt.Sprintf("p%03d", i), fmt.Sprintf("user%d", i), "a")
	}
	store := newMapStore()
	w.step(t, store, noon)
	for i := range 45 {
		delete(w.people, fmt.Sprintf("p%03d", i))
	}
	plan := w.diff(t, store, noon)
	store.failAfter = store.applies + 1 // the batch of those who are gone, and not the last
	a := &applier{sink: store, plan: plan, cursor: Cursor{Version: 1}, taken: Taken{Time: noon, Members: map[directory.GroupID]int{}}}
	if err := a.apply(t.Context(), everything); err == nil {
		t.Fatal("apply went through")
	}
	store.failAfter = 0
	have := stateOf(t, store)
	if got := have.Cursor.recent(noon.Add(time.Hour)).Disabled; got != 45 {
		t.Errorf("after a crash the window has %d, want 45", got)
	}
	for i := range 10 {
		delete(w.people, fmt.Sprintf("p%03d", 45+i))
	}
	again := w.diff(t, store, noon.Add(time.Hour))
	v := verdict(t, again, GateConfig{Thresholds: Thresholds{}.withDefaults(), Recent: have.Cursor.recent(noon.Add(time.Hour))})
	if !v.Whole {
		t.Errorf("45 and 10 of 1000 in two runs pass: %v", v.Reasons)
	}
}

func TestOneBadEntryKeepsNobodyOut(t *testing.T) {
	store := newMapStore()
	taken := directory.Identity{ID: "other", User: "other", Source: "okta", Profile: directory.Profile{UserName: "user7"}}
	w := newWorld()
	for i := range 20 {
		w.person(fmt.Sprintf("p%d", i), fmt.Sprintf("user%d", i), "a")
	}
	w.group("g", "g", "uid=user7,ou=a,dc=x", "uid=user8,ou=a,dc=x")
	store.put(taken)
	have := newState(&spool{})
	p := diff(t, have, w.snapshot(t, have), noon)
	a := &applier{sink: store, plan: p, taken: Taken{Time: noon}}
	if err := a.apply(t.Context(), everything); err != nil {
		t.Fatal(err)
	}
	if len(store.people) != 20 || len(a.issues) != 1 || !strings.Contains(a.issues[0].What, "okta") {
		t.Errorf("%d people, issues %v; want 19 and the other source's one, and an issue that names it", len(store.people), a.issues)
	}
	for _, m := range store.members {
		if len(m) != 1 {
			t.Errorf("members %v, want only the one who exists", m)
		}
	}
}

func TestTryTellsHowFarItCame(t *testing.T) {
	server := ldaptest.Start(t, ldaptest.Config{})
	s := settingsOf(t, server)
	good := Try(t.Context(), s, time.Now())
	if !good.OK() || good.People != 5 || good.Inactive != 2 || good.Groups != 8 || good.Vendor != "OpenLDAP" || !good.Paging || len(good.Sample) != 5 {
		t.Errorf("Try = %+v", good)
	}
	s.PasswordFile = secretFile(t, "wrong")
	bad := Try(t.Context(), s, time.Now())
	if bad.OK() || len(bad.Steps) != 3 || !strings.Contains(bad.Steps[2].Error, "bind refused") {
		t.Errorf("Try with a wrong password = %+v", bad)
	}
}

// TestANameThatIsTakenMeanwhile: between the plan and its application another
// source takes the userName. All else is taken over, above all that the account
// is disabled.
func TestANameThatIsTakenMeanwhile(t *testing.T) {
	t.Parallel()
	server := ldaptest.Start(t, ldaptest.Config{Users: 30})
	store := newMapStore()
	p := pollerOf(t, settingsOf(t, server), store)
	runs(t, p, directory.RunApplied)
	other := directory.Identity{ID: "other", Source: "okta"}
	other.UserName = "taken"
	store.put(other)
	server.Rename(ldaptest.UserDN(1), "uid=taken", "")
	server.Replace("uid=taken,ou=bulk,"+ldaptest.People, "uid", "taken")
	server.Replace("uid=taken,ou=bulk,"+ldaptest.People, "objectClass", "inetOrgPerson", "shadowAccount")
	server.Replace("uid=taken,ou=bulk,"+ldaptest.People, "shadowExpire", "1")
	r := runs(t, p, directory.RunApplied)
	if store.disabled != 1 || r.Counts["issues"] != 1 || !strings.Contains(r.Message, "of source okta") {
		t.Errorf("%d disabled, %v, %s; want one disabled and an issue", store.disabled, r.Counts, r.Message)
	}
}
