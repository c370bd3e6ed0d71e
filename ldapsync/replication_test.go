package ldapsync

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/go-ldap/ldap/v3"

	"github.com/usherd/usherd/directory"
	"github.com/usherd/usherd/ldapsync/ldaptest"
)

const (
	admins = "cn=admins," + ldaptest.Groups
	bob    = "uid=bob,ou=Engineering," + ldaptest.People
	alice  = "uid=alice,ou=Engineering," + ldaptest.People
)

// A pair is a provider and a consumer of it, read by one poller in that order.
type pair struct {
	*testing.T
	provider, consumer *ldaptest.Slapd
	store              *mapStore
	poller             *Poller
}

// startPair starts both, with bob and alice in the group admins, and reads the
// provider.
func startPair(t *testing.T, alter func(*Settings)) *pair {
	t.Helper()
	p := &pair{T: t, provider: ldaptest.Start(t, ldaptest.Config{ServerID: 1}), store: newMapStore()}
	p.provider.Add(admins, map[string][]string{"objectClass": {"groupOfNames"}, "cn": {"admins"}, "member": {alice, bob}})
	p.consumer = ldaptest.Start(t, ldaptest.Config{Provider: p.provider})
	s := settingsOf(t, p.provider)
	s.URLs = []string{p.provider.URL, p.consumer.URL}
	if alter != nil {
		alter(&s)
	}
	p.poller = pollerOf(t, s, p.store)
	runs(t, p.poller, directory.RunApplied)
	p.members("alice bob")
	return p
}

func (p *pair) members(want string) {
	p.Helper()
	if got := p.store.membersOf("admins"); got != want {
		p.Errorf("members of admins are %q, want %q", got, want)
	}
}

// scheduled runs as the schedule does.
func (p *pair) scheduled(want directory.RunResult) directory.Run {
	p.Helper()
	run, err := p.poller.runUnless(p.Context(), time.Now(), occasion{trigger: directory.TriggerSchedule})
	if err != nil || run.Result != want {
		p.Fatalf("the schedule's run = %s (%s), %v, want %s", run.Result, run.Message, err, want)
	}
	return run
}

// left makes bob leave the admins where only the provider knows of it, and
// leaves the consumer alone with what it has.
func (p *pair) left() {
	p.Helper()
	p.consumer.Stop()
	p.provider.DeleteValues(admins, "member", bob)
	runs(p.T, p.poller, directory.RunApplied)
	p.members("alice")
	p.provider.Stop()
	p.consumer.Restart()
}

// TestAReplicaThatLagsGivesNothingBack: somebody left a group, and the server
// that knows it is down. The other one still has them as a member.
func TestAReplicaThatLagsGivesNothingBack(t *testing.T) {
	t.Parallel()
	p := startPair(t, nil)
	p.left()
	revision := p.store.revision
	for range 2 {
		run := p.scheduled(directory.RunIncomplete)
		for _, says := range []string{p.consumer.URL, "lags behind", "serverID 001", "dc=example,dc=test", "ask for a run", p.provider.URL} {
			if !strings.Contains(run.Message, says) {
				t.Errorf("the run says %q, want %q in it", run.Message, says)
			}
		}
		p.members("alice")
	}
	if p.store.revision != revision || len(p.store.holds) != 0 {
		t.Errorf("revision %d, was %d; %d plans held; want nothing done", p.store.revision, revision, len(p.store.holds))
	}
	p.provider.Restart()
	p.scheduled(directory.RunUnchanged)
	p.consumer.CatchUp(p.provider)
	p.provider.AddValues(ldaptest.Groups, "description", "x")
	p.consumer.CatchUp(p.provider)
	p.provider.Stop()
	run := p.scheduled(directory.RunUnchanged)
	if !strings.Contains(run.Message, "Read from "+p.consumer.URL) || run.Counts["waiting"] != 0 {
		t.Errorf("after it caught up: %s, %v", run.Message, run.Counts)
	}
	p.members("alice")
}

// TestWhatARunThatBrokeOffHasSeenCounts: the store is lost after the first batch,
// which took somebody out of a group, and the server is lost before the next run.
func TestWhatARunThatBrokeOffHasSeenCounts(t *testing.T) {
	t.Parallel()
	p := startPair(t, nil)
	p.consumer.Stop()
	p.provider.DeleteValues(admins, "member", bob)
	p.store.failAfter = p.store.applies + 1
	runs(t, p.poller, directory.RunFailed)
	p.members("alice")
	p.store.failAfter = 0
	p.provider.Stop()
	p.consumer.Restart()
	p.scheduled(directory.RunIncomplete)
	p.members("alice")
}

// TestACurrentServerIsReadInsteadOfOneThatLags: whatever the order of the list,
// and whoever asks.
func TestACurrentServerIsReadInsteadOfOneThatLags(t *testing.T) {
	t.Parallel()
	provider := ldaptest.Start(t, ldaptest.Config{ServerID: 1})
	provider.Add(admins, map[string][]string{"objectClass": {"groupOfNames"}, "cn": {"admins"}, "member": {alice, bob}})
	proxy := ldaptest.StartProxy(t, provider.Addr)
	proxy.Heal()
	behind := *provider
	behind.URL = proxy.URL
	consumer := ldaptest.Start(t, ldaptest.Config{Provider: &behind})
	p := &pair{T: t, store: newMapStore()}
	s := settingsOf(t, provider)
	s.URLs = []string{consumer.URL, provider.URL}
	p.poller = pollerOf(t, s, p.store)
	runs(t, p.poller, directory.RunApplied)

	consumer.Stop()
	provider.DeleteValues(admins, "member", bob)
	runs(t, p.poller, directory.RunApplied)
	proxy.CutAfter(0, ldaptest.Close) // replication does not get through any more
	consumer.Restart()
	for _, run := range []directory.Run{p.scheduled(directory.RunUnchanged), runs(t, p.poller, directory.RunUnchanged)} {
		if !strings.Contains(run.Message, "Read from "+provider.URL) || !strings.Contains(run.Message, "lags behind") {
			t.Errorf("the run says %q, want that it read the other server, and why", run.Message)
		}
	}
	p.members("alice")
}

// TestALaggingReplicaIsTakenAsItIsOnceThatIsApproved: the server with the newest
// changes is lost for good.
func TestALaggingReplicaIsTakenAsItIsOnceThatIsApproved(t *testing.T) {
	t.Parallel()
	p := startPair(t, nil)
	p.left()
	held := runs(t, p.poller, directory.RunHeld)
	p.members("alice")
	if !strings.Contains(held.Message, "lags behind") || held.Plan == "" {
		t.Errorf("the run that is held says %q", held.Message)
	}
	p.scheduled(directory.RunIncomplete)
	if len(p.store.holds) != 1 {
		t.Fatal("the plan does not wait any more")
	}
	run, err := p.poller.Approve(t.Context(), held.Plan, "console:root")
	if err != nil || run.Result != directory.RunApplied {
		t.Fatalf("approved: %s (%s), %v", run.Result, run.Message, err)
	}
	p.members("alice bob")
	p.scheduled(directory.RunUnchanged)

	// the provider comes back after all: it has everything that the consumer has
	p.provider.Restart()
	p.scheduled(directory.RunApplied)
	p.members("alice")
}

// TestAServerRestoredFromABackupGivesNothingBackUnseen: the only server there is
// loses its last changes. Once they are approved, what is new counts as ever.
func TestAServerRestoredFromABackupGivesNothingBackUnseen(t *testing.T) {
	t.Parallel()
	server := ldaptest.Start(t, ldaptest.Config{ServerID: 1})
	server.Add(admins, map[string][]string{"objectClass": {"groupOfNames"}, "cn": {"admins"}, "member": {alice, bob}})
	p := &pair{T: t, store: newMapStore()}
	p.poller = pollerOf(t, settingsOf(t, server), p.store)
	runs(t, p.poller, directory.RunApplied)
	server.Stop()
	backup := server.Backup()
	server.Restart()
	server.DeleteValues(admins, "member", bob)
	runs(t, p.poller, directory.RunApplied)
	p.members("alice")
	server.Stop()
	server.Restore(backup)
	server.Restart()
	p.scheduled(directory.RunIncomplete)
	held := runs(t, p.poller, directory.RunHeld)
	p.members("alice")
	if run, err := p.poller.Approve(t.Context(), held.Plan, "console:root"); err != nil || run.Result != directory.RunApplied {
		t.Fatalf("approved: %s (%s), %v", run.Result, run.Message, err)
	}
	p.members("alice bob")
	p.scheduled(directory.RunUnchanged)
	server.DeleteValues(admins, "member", bob)
	p.scheduled(directory.RunApplied)
	p.members("alice")
}

// TestAnOriginThatIsGoneWaitsForAnApproval: a serverID was removed, which alters
// nobody. There is nothing to show, and it is held all the same: what comes later
// is not measured by what is gone.
func TestAnOriginThatIsGoneWaitsForAnApproval(t *testing.T) {
	t.Parallel()
	server := ldaptest.Start(t, ldaptest.Config{ServerID: 1})
	p := &pair{T: t, store: newMapStore()}
	p.poller = pollerOf(t, settingsOf(t, server), p.store)
	runs(t, p.poller, directory.RunApplied)
	c, err := parseCursor(p.store.cursor)
	if err != nil {
		t.Fatal(err)
	}
	c.Replicated["dc=example,dc=test"]["serverID 009"] = "20260102030405.000000Z#000000#009#000000"
	if p.store.cursor, err = c.encode(); err != nil {
		t.Fatal(err)
	}
	if run := p.scheduled(directory.RunIncomplete); !strings.Contains(run.Message, "serverID 009 under dc=example,dc=test it knows nothing") {
		t.Errorf("the run says %q", run.Message)
	}
	report, err := p.poller.Plan(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if v := report.Verdict; !v.Whole || v.Held != 0 || len(v.Reasons) != 1 {
		t.Errorf("the plan's verdict is %+v, want that all is held for one reason", v)
	}
	report.Close()
	held := runs(t, p.poller, directory.RunHeld)
	if run, err := p.poller.Approve(t.Context(), held.Plan, "console:root"); err != nil || run.Result != directory.RunUnchanged {
		t.Fatalf("approved: %s (%s), %v", run.Result, run.Message, err)
	}
	p.scheduled(directory.RunUnchanged)
	if len(p.store.holds) != 0 {
		t.Error("the plan is still held")
	}
}

// TestAServerThatFallsSilentIsStillMeasured: the provider does not tell for a
// while how far it is. What it told before counts on, for it and for others.
func TestAServerThatFallsSilentIsStillMeasured(t *testing.T) {
	t.Parallel()
	p := startPair(t, nil)
	p.left()
	p.provider.TellProgress(false)
	p.provider.Restart()
	p.consumer.Stop()
	if run := p.scheduled(directory.RunUnchanged); !strings.Contains(run.Message, "does not say any more") || !strings.Contains(run.Message, "dc=example,dc=test") {
		t.Errorf("the first run says %q, want that the server fell silent", run.Message)
	}
	if run := p.scheduled(directory.RunUnchanged); strings.Contains(run.Message, "does not say any more") {
		t.Errorf("the second run says it again: %q", run.Message)
	}
	p.provider.Stop()
	p.consumer.Restart()
	for range 3 {
		p.scheduled(directory.RunIncomplete)
		p.members("alice")
	}

	// one that has been silent before takes and gives as ever
	p.consumer.Stop()
	p.provider.Restart()
	p.provider.AddValues(admins, "member", bob)
	p.provider.DeleteValues(admins, "member", alice)
	p.scheduled(directory.RunApplied)
	p.members("bob")
	p.provider.Stop()
	p.provider.TellProgress(true)
	p.provider.Restart()
	p.scheduled(directory.RunUnchanged)
}

// TestANamingContextThatFallsSilentStopsNobodysEnd: of two naming contexts the
// server tells how far it is of one. Who left is removed all the same, and who
// came waits for the second read.
func TestANamingContextThatFallsSilentStopsNobodysEnd(t *testing.T) {
	t.Parallel()
	server := ldaptest.Start(t, ldaptest.Config{ServerID: 1})
	server.Add(admins, map[string][]string{"objectClass": {"groupOfNames"}, "cn": {"admins"}, "member": {alice}})
	p := &pair{T: t, store: newMapStore()}
	p.poller = pollerOf(t, settingsOf(t, server), p.store)
	runs(t, p.poller, directory.RunApplied)
	c, err := parseCursor(p.store.cursor)
	if err != nil {
		t.Fatal(err)
	}
	c.Replicated["ou=elsewhere,dc=example,dc=test"] = map[string]string{"serverID 009": "20260102030405.000000Z#000000#009#000000"}
	if p.store.cursor, err = c.encode(); err != nil {
		t.Fatal(err)
	}
	server.AddValues(admins, "member", bob)
	server.DeleteValues(admins, "member", alice)
	if run := p.scheduled(directory.RunApplied); run.Counts["waiting"] != 1 || !strings.Contains(run.Message, "ou=elsewhere,dc=example,dc=test") {
		t.Errorf("the first run: %v, %s", run.Counts, run.Message)
	}
	p.members("")
	p.scheduled(directory.RunApplied)
	p.members("bob")
}

// failedOver lets bob leave the admins, and the next run come to another server
// that still has him and does not tell how far it is.
func failedOver(t *testing.T) *pair {
	t.Helper()
	server := ldaptest.Start(t, ldaptest.Config{})
	server.Add(admins, map[string][]string{"objectClass": {"groupOfNames"}, "cn": {"admins"}, "member": {alice, bob}})
	first, second := ldaptest.StartProxy(t, server.Addr), ldaptest.StartProxy(t, server.Addr)
	first.Heal()
	second.Heal()
	p := &pair{T: t, store: newMapStore()}
	s := settingsOf(t, server)
	s.URLs = []string{first.URL, second.URL}
	p.poller = pollerOf(t, s, p.store)
	runs(t, p.poller, directory.RunApplied)
	server.DeleteValues(admins, "member", bob)
	runs(t, p.poller, directory.RunApplied)
	first.CutAfter(0, ldaptest.Close)
	server.Replace(admins, "member", bob) // as another server has it
	return p
}

// TestARunOfAnotherServerThatBrokeOffIsNoRead: what another server gives waits
// for its second complete read, and the first one did not come to its end.
func TestARunOfAnotherServerThatBrokeOffIsNoRead(t *testing.T) {
	t.Parallel()
	p := failedOver(t)
	p.store.failAfter = p.store.applies + 1
	runs(t, p.poller, directory.RunFailed)
	p.store.failAfter = 0
	if run := runs(t, p.poller, directory.RunUnchanged); run.Counts["waiting"] != 1 {
		t.Errorf("the first complete read: %v, %s", run.Counts, run.Message)
	}
	p.members("")
	runs(t, p.poller, directory.RunApplied)
	p.members("bob")
}

// TestAReadOfWhatChangedMindsTheLag: the server that is pinned went back.
func TestAReadOfWhatChangedMindsTheLag(t *testing.T) {
	t.Parallel()
	p := startPair(t, func(s *Settings) { s.FullEvery = Duration(time.Hour); slices.Reverse(s.URLs) })
	p.poller.SetOverlap(time.Second)
	if !updated(t, p.poller) {
		t.Fatal("what changed is not read by itself")
	}
	p.provider.Replace(alice, "title", "Director")
	p.consumer.CatchUp(p.provider)
	if !updated(t, p.poller) {
		t.Fatal("what changed is not read by itself")
	}
	seen, err := parseCursor(p.store.cursor)
	if err != nil || len(seen.Replicated["dc=example,dc=test"]) == 0 {
		t.Fatalf("cursor: %v, %v", seen.Replicated, err)
	}
	p.consumer.Stop()
	p.provider.DeleteValues(admins, "member", bob)
	if run := p.scheduled(directory.RunApplied); run.Counts["incremental"] != 0 {
		t.Error("the other server was read for what changed only")
	}
	p.members("alice")
	p.provider.Stop()
	p.consumer.Restart()
	p.scheduled(directory.RunIncomplete)
	p.members("alice")
}

// TestWhoCannotShowToBeCurrentGivesAtTheSecondRead: servers without replication
// say nothing of how far they are.
func TestWhoCannotShowToBeCurrentGivesAtTheSecondRead(t *testing.T) {
	t.Parallel()
	p := failedOver(t)
	run := runs(t, p.poller, directory.RunApplied)
	p.members("")
	if run.Counts["waiting"] != 1 || !strings.Contains(run.Message, "waits for the next complete read") {
		t.Errorf("the first read of another server: %v, %s", run.Counts, run.Message)
	}
	if run := runs(t, p.poller, directory.RunApplied); run.Counts["waiting"] != 0 {
		t.Errorf("the second read: %v, %s", run.Counts, run.Message)
	}
	p.members("bob")
}

// lagOf389 lets a 389 Directory Server tell how far it is, first that it does and
// then less than was seen.
func lagOf389(t *testing.T, server *ldaptest.DS389, p *Poller, store *mapStore) {
	replicated := func(alter func(origins map[string]string)) string {
		c, err := parseCursor(store.cursor)
		if err != nil {
			t.Fatal(err)
		}
		origins := c.Replicated["dc=ds,dc=test"]
		if alter != nil {
			alter(origins)
			if store.cursor, err = c.encode(); err != nil {
				t.Fatal(err)
			}
		}
		return fmt.Sprint(origins)
	}
	runs(t, p, directory.RunUnchanged)
	if got := replicated(nil); got != "map[]" {
		t.Errorf("a server without replication tells %s", got)
	}
	server.Replicate(7)
	touch := ldap.NewModifyRequest("uid=alice,"+ldaptest.DSPeople, nil)
	for range 2 {
		before := replicated(nil)
		touch.Replace("title", []string{before})
		if err := server.Admin().Modify(touch); err != nil {
			t.Fatal(err)
		}
		runs(t, p, directory.RunApplied)
		if got := replicated(nil); got == before || !strings.Contains(got, "replica 7 of ") {
			t.Fatalf("after a change the server tells %s, and told %s", got, before)
		}
	}
	replicated(func(origins map[string]string) {
		for origin, csn := range origins {
			origins[origin] = "ffffffff" + csn[8:]
		}
	})
	if run := runs(t, p, directory.RunHeld); !strings.Contains(run.Message, "of the changes made on replica 7") {
		t.Errorf("the run says %q", run.Message)
	}
	replicated(func(origins map[string]string) { clear(origins) })
	runs(t, p, directory.RunUnchanged)
}
