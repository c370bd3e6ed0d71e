package ldapsync

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net"
	"runtime"
	"testing"
	"time"

	"github.com/usherd/usherd/directory"
	"github.com/usherd/usherd/ldapsync/ldaptest"
)

// pollerOf returns a poller with a store, not yet run.
func pollerOf(t *testing.T, s Settings, store Store) *Poller {
	t.Helper()
	p, err := New(Config{Source: "corp", Settings: s, Store: store})
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// runs runs p and fails the test unless the result is one of want.
func runs(t *testing.T, p *Poller, want ...directory.RunResult) directory.Run {
	t.Helper()
	run, err := p.Run(t.Context())
	if err != nil {
		t.Fatalf("Run: %v", err)
	}
	for _, w := range want {
		if run.Result == w {
			return run
		}
	}
	t.Fatalf("Run = %s (%s), want %v", run.Result, run.Message, want)
	return run
}

const fakeBase = "dc=fake,dc=test"

// fakeEntries is a directory of n people, a group of all of them and one that
// holds that group, and two more which contain each other.
func fakeEntries(n int) []ldaptest.Entry {
	var all []ldaptest.Entry
	var members []string
	for i := range n {
		dn := fmt.Sprintf("uid=u%d,ou=people,%s", i, fakeBase)
		members = append(members, dn)
		all = append(all, ldaptest.Entry{DN: dn, Attrs: map[string][]string{
			"objectClass": {"inetOrgPerson"}, "entryUUID": {fmt.Sprintf("00000000-0000-4000-8000-%012d", i)},
			"uid": {fmt.Sprintf("u%d", i)}, "cn": {fmt.Sprintf("User %d", i)}, "mail": {fmt.Sprintf("u%d@fake.test", i)},
		}})
	}
	group := func(i int, name string, members ...string) {
		all = append(all, ldaptest.Entry{DN: "cn=" + name + "," + fakeBase, Attrs: map[string][]string{
			"objectClass": {"groupOfNames"}, "entryUUID": {fmt.Sprintf("00000000-0000-4000-9000-%012d", i)}, "cn": {name}, "member": members,
		}})
	}
	group(1, "all", members...)
	group(2, "outer", "cn=all,"+fakeBase, "cn=round,"+fakeBase)
	group(3, "round", "cn=outer,"+fakeBase, members[0])
	return all
}

func fakeSettings(t *testing.T, url string) Settings {
	return Settings{
		URLs: []string{url}, AllowPlaintextBind: true, BindDN: ldaptest.ReaderDN, PasswordFile: secretFile(t, "pw"), Template: "openldap",
		Base: []string{fakeBase}, PageSize: 3, GroupPageSize: 2,
	}.withDefaults()
}

// TestNoFaultRemovesAnybody is the property that matters most: whatever goes
// wrong at whatever message of the conversation, nothing is taken from anybody,
// and the next good read finds nothing to repair.
func TestNoFaultRemovesAnybody(t *testing.T) {
	t.Parallel()
	config := ldaptest.FakeConfig{Entries: fakeEntries(10), Contexts: []string{fakeBase}, MaxValRange: 4}
	fake := ldaptest.StartFake(t, config)
	store := newMapStore()
	fake.SetFault(ldaptest.Fault{})
	runs(t, pollerOf(t, fakeSettings(t, fake.URL), store), directory.RunApplied)
	messages := fake.Sent()
	if messages < 25 || len(store.people) != 10 || len(store.groups) != 3 {
		t.Fatalf("a good run took %d messages and made %d people and %d groups", messages, len(store.people), len(store.groups))
	}
	for _, harm := range ldaptest.Harms() {
		t.Run(harm.String(), func(t *testing.T) {
			t.Parallel()
			fake := ldaptest.StartFake(t, config)
			s := fakeSettings(t, fake.URL)
			s.RequestTimeout = Duration(50 * time.Millisecond) // one that comes without a cause makes a read incomplete, which is no failure here
			codes := []int{0}
			if harm == ldaptest.Answer {
				codes = []int{1, 3, 4, 10, 11, 32, 49, 50, 51, 52, 53, 80}
			}
			for at := 1; at <= messages; at++ {
				for i, code := range codes {
					if len(codes) > 1 && (at+i)%3 != 0 {
						continue // each message gets a third of the codes, each code a third of the messages
					}
					checkFault(t, fake, s, store.clone(), ldaptest.Fault{At: at, Harm: harm, Code: code})
				}
			}
		})
	}
}

func checkFault(t *testing.T, fake *ldaptest.Fake, s Settings, store *mapStore, fault ldaptest.Fault) {
	t.Helper()
	before := store.cursor
	fake.SetFault(fault)
	run, err := pollerOf(t, s, store).Run(t.Context())
	if err != nil {
		t.Fatalf("Run under %+v: %v", fault, err)
	}
	if n := store.removals(); n != 0 {
		t.Errorf("%+v: %d removals, run %s: %s", fault, n, run.Result, run.Message)
	}
	switch run.Result {
	case directory.RunUnchanged: // the harm did not matter, or was made good
	case directory.RunIncomplete:
		if run.Message == "" {
			t.Errorf("%+v: incomplete without a word", fault)
		}
		if string(store.cursor) != string(before) {
			t.Errorf("%+v: the cursor moved after an incomplete read", fault)
		}
	default:
		t.Errorf("%+v: run %s: %s", fault, run.Result, run.Message)
	}
}

// TestAHostileAnswerCostsLittle: neither depth nor a size that is claimed makes
// the reader take memory. It is not parallel, so that what it counts is its own.
func TestAHostileAnswerCostsLittle(t *testing.T) {
	fake := ldaptest.StartFake(t, ldaptest.FakeConfig{Entries: fakeEntries(3), Contexts: []string{fakeBase}})
	s := fakeSettings(t, fake.URL)
	for _, harm := range []ldaptest.Harm{ldaptest.Deep, ldaptest.Huge, ldaptest.Endless} {
		fake.SetFault(ldaptest.Fault{At: 5, Harm: harm})
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		begun := time.Now()
		_, err := Collect(t.Context(), s, time.Now(), nil)
		took := time.Since(begun)
		runtime.ReadMemStats(&after)
		const most = 32 << 20
		if used := after.TotalAlloc - before.TotalAlloc; err == nil || used > most || took > time.Duration(s.RequestTimeout) {
			t.Errorf("%s: %v after %v and %d KB; want an error, sooner and with less", harm, err, took, used>>10)
		}
	}
}

// TestNoCutRemovesAnybody cuts the connection to a real server at any byte.
func TestNoCutRemovesAnybody(t *testing.T) {
	t.Parallel()
	server := ldaptest.Start(t, ldaptest.Config{Users: 30, Groups: 2})
	proxy := ldaptest.StartProxy(t, server.Addr)
	s := settingsOf(t, server)
	s.URLs, s.PageSize, s.GroupPageSize = []string{proxy.URL}, 10, 3
	store := newMapStore()
	proxy.Heal()
	runs(t, pollerOf(t, s, store), directory.RunApplied)
	length := proxy.Passed()
	impatient := s
	impatient.RequestTimeout = Duration(200 * time.Millisecond)
	random := rand.New(rand.NewPCG(1, 2))
	for i := range 60 {
		cut := ldaptest.Cut(i % 3)
		if cut == ldaptest.Stall && i%12 != 2 {
			continue
		}
		after := random.Int64N(length)
		proxy.CutAfter(after, cut)
		hit := store.clone()
		run := runs(t, pollerOf(t, impatient, hit), directory.RunIncomplete)
		if n := hit.removals(); n != 0 || run.Message == "" {
			t.Errorf("cut %v after %d of %d bytes: %d removals, message %q", cut, after, length, n, run.Message)
		}
		proxy.Heal()
	}
	run := runs(t, pollerOf(t, s, store), directory.RunUnchanged)
	if len(run.Counts) == 0 || store.removals() != 0 {
		t.Errorf("after all: counts %v, %d removals", run.Counts, store.removals())
	}
}

func TestAnonymousIsNobody(t *testing.T) {
	fake := ldaptest.StartFake(t, ldaptest.FakeConfig{Entries: fakeEntries(3), Contexts: []string{fakeBase}, Anonymous: true})
	store := newMapStore()
	run := runs(t, pollerOf(t, fakeSettings(t, fake.URL), store), directory.RunIncomplete)
	if store.applies != 0 {
		t.Errorf("an anonymous bind led to %d applies: %s", store.applies, run.Message)
	}
}

func TestServersWithoutWhoAmIAreBelieved(t *testing.T) {
	fake := ldaptest.StartFake(t, ldaptest.FakeConfig{Entries: fakeEntries(3), Contexts: []string{fakeBase}, NoWhoAmI: true})
	runs(t, pollerOf(t, fakeSettings(t, fake.URL), newMapStore()), directory.RunApplied)
}

func TestAServerWithoutPagingIsNotBelieved(t *testing.T) {
	fake := ldaptest.StartFake(t, ldaptest.FakeConfig{Entries: fakeEntries(3), Contexts: []string{fakeBase}, NoPaging: true})
	runs(t, pollerOf(t, fakeSettings(t, fake.URL), newMapStore()), directory.RunIncomplete)
}

func TestRangesAreReadToTheirEnd(t *testing.T) {
	for _, n := range []int{3, 4, 5, 8, 9, 40} {
		fake := ldaptest.StartFake(t, ldaptest.FakeConfig{Entries: fakeEntries(n), Contexts: []string{fakeBase}, MaxValRange: 4})
		snap := collect(t, fakeSettings(t, fake.URL))
		if got := len(membersOf(t, snap, resolved(t, snap), "all")); got != n {
			t.Errorf("a group of %d members in ranges of 4: read %d", n, got)
		}
	}
}

// TestRangesOfActiveDirectory: groups at the edges of what Active Directory sends
// at once are read exactly.
func TestRangesOfActiveDirectory(t *testing.T) {
	t.Parallel()
	const maxValRange = 1500
	entries := fakeEntries(10_000)
	var all []string
	for _, e := range entries[:10_000] {
		all = append(all, e.DN)
	}
	sizes := []int{0, 1, maxValRange - 1, maxValRange, maxValRange + 1, 2 * maxValRange, 10_000}
	for _, n := range sizes {
		name := fmt.Sprintf("of %d", n)
		entries = append(entries, ldaptest.Entry{DN: "cn=" + name + "," + fakeBase, Attrs: map[string][]string{
			"objectClass": {"groupOfNames"}, "entryUUID": {fmt.Sprintf("00000000-0000-4000-a000-%012d", n)}, "cn": {name}, "member": all[10_000-n:],
		}})
	}
	fake := ldaptest.StartFake(t, ldaptest.FakeConfig{Entries: entries, Contexts: []string{fakeBase}, MaxValRange: maxValRange})
	s := fakeSettings(t, fake.URL)
	s.PageSize = 1000
	snap := collect(t, s)
	e := resolved(t, snap)
	for i, g := range snap.Groups {
		var n int
		if _, err := fmt.Sscanf(g.Name, "of %d", &n); err != nil {
			continue
		}
		if got := len(e.of[i]); got != n || e.unresolved[i] != 0 {
			t.Errorf("a group of %d members: read %d and %d that name nobody", n, got, e.unresolved[i])
		}
		for k, m := range e.of[i] {
			if int(m.at) != 10_000-n+k {
				t.Errorf("a group of %d members: member %d is person %d, want %d", n, k, m.at, 10_000-n+k)
				break
			}
		}
	}
	if len(snap.Groups) != 3+len(sizes) {
		t.Errorf("%d groups, want %d", len(snap.Groups), 3+len(sizes))
	}
}

func TestShutdownEndsARun(t *testing.T) {
	fake := ldaptest.StartFake(t, ldaptest.FakeConfig{Entries: fakeEntries(3), Contexts: []string{fakeBase}})
	fake.SetFault(ldaptest.Fault{At: 5, Harm: ldaptest.Silence})
	s := fakeSettings(t, fake.URL)
	s.RequestTimeout = Duration(time.Minute)
	ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	run, err := pollerOf(t, s, newMapStore()).Run(ctx)
	if err != nil || run.Result != directory.RunIncomplete {
		t.Errorf("a run whose context ended = %s, %v, want incomplete", run.Result, err)
	}
}

// FuzzAnswer lets a server say anything at all after the bind: the read ends
// with an error, in time and without a panic.
func FuzzAnswer(f *testing.F) {
	for _, seed := range []string{"", "0", "0\x0c\x02\x01\x02e\x07\n\x01\x00\x04\x00\x04\x00", "\x30\x84\x7f\xff\xff\xff\x02\x01", "HTTP/1.1 400\r\n\r\n"} {
		f.Add([]byte(seed))
	}
	password := secretFile(f, "pw")
	f.Fuzz(func(t *testing.T, answer []byte) {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		defer l.Close()
		go func() {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			defer conn.Close()
			if _, err := conn.Read(make([]byte, 512)); err == nil {
				_, _ = conn.Write(answer)
			}
		}()
		s := Settings{
			URLs: []string{"ldap://" + l.Addr().String()}, AllowPlaintextBind: true, BindDN: "cn=x", PasswordFile: password,
			Template: "openldap", Base: []string{fakeBase}, RequestTimeout: Duration(time.Second),
		}.withDefaults()
		if snap, err := Collect(t.Context(), s, time.Now(), nil); err == nil {
			t.Errorf("a server that says %q was read: %v", answer, snap)
		}
	})
}
