package storetest

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/usherd/usherd/directory"
)

var journalCases = []testCase{
	{"the provisioning log is read newest first", testRequests},
	{"the provisioning log is searched", testFindRequests},
	{"a run replaces the one with its ID", testRuns},
	{"a source has at most one hold", testHolds},
	{"a lease has one holder at a time", testLease},
	{"a lease that ran out goes to another with a higher epoch", testLeaseExpires},
	{"a lease that nobody else took can be renewed late", testLeaseRenewed},
	{"the later sign-in stays", testLogins},
	{"the audit trail has one record for every revision", testAudit},
	{"heads of audit records are those of the records", testAuditHeads},
	{"heads of audit records are searched", testAuditSearch},
	{"heads of audit records hold", testAuditSummaries},
	{"the journal makes no revision", testJournalIsNoFact},
}

// someTime is a time that a store can keep.
var someTime = time.Date(2026, 3, 4, 5, 6, 7, 8_000_000, time.UTC)

func testRequests(t *testing.T, s directory.Store) {
	var all []directory.Request
	for i := range 300 { // more than one statement takes
		source := okta
		if i%2 == 1 {
			source = corp
		}
		all = append(all, directory.Request{
			ID: fmt.Sprintf("r%03d", i), Source: source, Time: someTime.Add(time.Duration(i) * time.Second), Method: "PATCH",
			Path: "/Users/\xff\x00", Status: 200, Quirks: []string{"q"}, Body: json.RawMessage(`{"a":1}`), Revision: 7, Took: time.Millisecond,
		})
	}
	if err := s.LogRequests(t.Context(), all...); err != nil {
		t.Fatal(err)
	}
	if err := s.LogRequests(t.Context()); err != nil {
		t.Errorf("LogRequests of nothing = %v", err)
	}
	got, err := s.Requests(t.Context(), okta, 2)
	want := []directory.Request{all[298], all[296]}
	want[0].Path, want[1].Path = "/Users/\ufffd\x00", "/Users/\ufffd\x00" // kept as JSON
	if d := diff(want, got); err != nil || d != "" {
		t.Errorf("Requests(okta, 2): %v (-want +got):\n%s", err, d)
	}
	if got, err = s.Requests(t.Context(), "", 1000); err != nil || len(got) != 300 || got[0].ID != "r299" {
		t.Errorf("Requests of all = %d, %v; want 300, r299 first", len(got), err)
	}
	if got, err = s.Requests(t.Context(), okta, 0); err != nil || len(got) != 0 {
		t.Errorf("Requests(okta, 0) = %d, %v; want none", len(got), err)
	}
}

func testRuns(t *testing.T, s directory.Store) {
	first := directory.Run{ID: "a", Source: corp, Started: someTime, Result: directory.RunRunning}
	second := directory.Run{
		ID: "b", Source: corp, Started: someTime.Add(time.Hour), Result: directory.RunHeld, Plan: "h", Counts: map[string]int64{"users.created": 3},
		Trigger: directory.TriggerManual, By: "user:ana", CancelledBy: "socket:root", Phases: []directory.RunPhase{
			{Name: directory.PhasePeople, Started: someTime.Add(time.Hour), Ended: someTime.Add(2 * time.Hour), Counts: map[string]int64{"people": 7}},
			{Name: directory.PhaseGroups, Started: someTime.Add(2 * time.Hour)},
		},
	}
	other := directory.Run{ID: "c", Source: okta, Started: someTime, Result: directory.RunFailed}
	ended := first
	ended.Ended, ended.Result = someTime.Add(time.Minute), directory.RunApplied
	for _, r := range []directory.Run{first, second, other, ended} {
		if err := s.PutRun(t.Context(), r); err != nil {
			t.Fatal(err)
		}
	}
	got, err := s.Runs(t.Context(), corp, 10)
	if d := diff([]directory.Run{second, ended}, got); err != nil || d != "" {
		t.Errorf("Runs(corp): %v (-want +got):\n%s", err, d)
	}
	if got, err = s.Runs(t.Context(), "", 1); err != nil || len(got) != 1 || got[0].ID != "b" {
		t.Errorf("Runs of all, 1 = %+v, %v; want the newest", got, err)
	}
}

func testHolds(t *testing.T, s directory.Store) {
	old := directory.Hold{Source: corp, Hash: "1", Reasons: []string{"many removals"}, Plan: json.RawMessage(`{}`), Created: someTime}
	held, other := old, old
	held.Hash, other.Source = "2", okta
	for _, h := range []directory.Hold{old, held, other} {
		if err := s.PutHold(t.Context(), h); err != nil {
			t.Fatal(err)
		}
	}
	got, err := s.Holds(t.Context())
	if d := diff([]directory.Hold{held, other}, got); err != nil || d != "" {
		t.Errorf("Holds: %v (-want +got):\n%s", err, d)
	}
	if err := s.EndHold(t.Context(), corp, "1"); !errors.Is(err, directory.ErrNotFound) {
		t.Errorf("EndHold of a replaced plan = %v, want ErrNotFound", err)
	}
	if err := s.EndHold(t.Context(), corp, "2"); err != nil {
		t.Errorf("EndHold = %v", err)
	}
	got, err = s.Holds(t.Context())
	if d := diff([]directory.Hold{other}, got); err != nil || d != "" {
		t.Errorf("Holds after one ended: %v (-want +got):\n%s", err, d)
	}
}

func testLease(t *testing.T, s directory.Store) {
	acquire := func(holder string, want bool, epoch int64) directory.Lease {
		t.Helper()
		l, ok, err := s.AcquireLease(t.Context(), "ldap", holder, time.Hour)
		if err != nil || ok != want || l.Epoch != epoch || l.Name != "ldap" || l.Expires.IsZero() {
			t.Fatalf("AcquireLease(%s) = %+v, %v, %v; want %v with epoch %d", holder, l, ok, err, want, epoch)
		}
		return l
	}
	acquire("a", true, 1)
	acquire("a", true, 1)
	if l := acquire("b", false, 1); l.Holder != "a" {
		t.Errorf("the lease in the way = %+v, want a as its holder", l)
	}
	if err := s.ReleaseLease(t.Context(), "ldap", "b"); err != nil {
		t.Errorf("ReleaseLease by another = %v", err)
	}
	acquire("b", false, 1)
	if err := s.ReleaseLease(t.Context(), "ldap", "a"); err != nil {
		t.Fatal(err)
	}
	acquire("b", true, 2)
	if l, ok, err := s.AcquireLease(t.Context(), "other", "a", time.Hour); err != nil || !ok || l.Epoch != 1 {
		t.Errorf("another lease = %+v, %v, %v; want epoch 1", l, ok, err)
	}
	for _, bad := range []struct {
		name, holder string
		ttl          time.Duration
	}{{"", "a", time.Hour}, {"ldap", "", time.Hour}, {"ldap", "b", 0}} {
		if _, ok, err := s.AcquireLease(t.Context(), bad.name, bad.holder, bad.ttl); ok || !errors.Is(err, directory.ErrInvalid) {
			t.Errorf("AcquireLease(%+v) = %v, %v; want ErrInvalid", bad, ok, err)
		}
	}
}

func testLeaseExpires(t *testing.T, s directory.Store) {
	first, ok, err := s.AcquireLease(t.Context(), "ldap", "a", 20*time.Millisecond)
	if err != nil || !ok {
		t.Fatalf("AcquireLease = %+v, %v, %v", first, ok, err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	for {
		l, ok, err := s.AcquireLease(ctx, "ldap", "b", time.Hour)
		if err != nil {
			t.Fatalf("AcquireLease of an expiring lease = %v", err)
		}
		if !ok {
			continue // every question takes a while: this is no busy loop
		}
		if l.Epoch != first.Epoch+1 || l.Holder != "b" {
			t.Errorf("the lease after it ran out = %+v, want epoch %d", l, first.Epoch+1)
		}
		break
	}
	if l, ok, err := s.AcquireLease(t.Context(), "ldap", "a", time.Hour); err != nil || ok {
		t.Errorf("the former holder gets %+v, %v, %v; want no", l, ok, err)
	}
	if ok, err := s.RenewLease(t.Context(), first, time.Hour); err != nil || ok {
		t.Errorf("the former holder renews: %v, %v; want no", ok, err)
	}
}

// testLeaseRenewed: somebody who comes late for a renewal keeps the lease if
// nobody took it meanwhile, as after a batch that took longer than the lease.
func testLeaseRenewed(t *testing.T, s directory.Store) {
	first, ok, err := s.AcquireLease(t.Context(), "ldap", "a", time.Millisecond)
	if err != nil || !ok {
		t.Fatalf("AcquireLease = %+v, %v, %v", first, ok, err)
	}
	for time.Now().Before(first.Expires.Add(5 * time.Millisecond)) {
		if _, err := s.Holds(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	if ok, err := s.RenewLease(t.Context(), first, time.Hour); err != nil || !ok {
		t.Fatalf("renewing a lease that ran out and that nobody took: %v, %v; want yes", ok, err)
	}
	if l, ok, err := s.AcquireLease(t.Context(), "ldap", "b", time.Hour); err != nil || ok {
		t.Errorf("another gets the renewed lease: %+v, %v, %v; want no", l, ok, err)
	}
	if l, ok, err := s.AcquireLease(t.Context(), "ldap", "a", time.Hour); err != nil || !ok || l.Epoch != first.Epoch {
		t.Errorf("the renewed lease = %+v, %v, %v; want epoch %d", l, ok, err, first.Epoch)
	}
	if err := s.ReleaseLease(t.Context(), "ldap", "a"); err != nil {
		t.Fatal(err)
	}
	if ok, err := s.RenewLease(t.Context(), first, time.Hour); err != nil || ok {
		t.Errorf("renewing a lease that was released: %v, %v; want no", ok, err)
	}
}

func testAudit(t *testing.T, s directory.Store) {
	f := fill(t, s)
	f.user(okta, "ann")
	head := f.head()
	all, err := s.Audit(t.Context(), 0, 100)
	if err != nil || len(all) != int(head.Revision) {
		t.Fatalf("Audit = %d records, %v; want %d", len(all), err, head.Revision)
	}
	for i, r := range all {
		if r.Revision != directory.Revision(i+1) || r.Actor != tester || r.Time.IsZero() || !json.Valid(r.Changes) || len(r.Hash) != 32 {
			t.Errorf("record %d = %+v", i, r)
		}
		stamp := directory.Stamp{Revision: r.Revision, Fingerprint: directory.FingerprintOf([32]byte(r.Hash))}
		if h, err := s.Head(t.Context(), stamp); err != nil || !h.Known {
			t.Errorf("the hash of record %d makes %s, which is no stamp of the history (%v)", i, stamp, err)
		}
	}
	some, err := s.Audit(t.Context(), 1, 1)
	if err != nil || len(some) != 1 || some[0].Revision != 2 {
		t.Errorf("Audit(1, 1) = %+v, %v; want revision 2", some, err)
	}
}

func testJournalIsNoFact(t *testing.T, s directory.Store) {
	before := fill(t, s).head()
	_, _, err := s.AcquireLease(t.Context(), "ldap", "a", time.Hour)
	err = errors.Join(err,
		s.LogRequests(t.Context(), directory.Request{ID: "r", Source: okta, Time: someTime}),
		s.PutRun(t.Context(), directory.Run{ID: "a", Source: corp, Started: someTime}),
		s.PutHold(t.Context(), directory.Hold{Source: corp, Hash: "1", Created: someTime}),
		s.EndHold(t.Context(), corp, "1"),
		s.ReleaseLease(t.Context(), "ldap", "a"))
	if err != nil {
		t.Fatal(err)
	}
	h, err := s.Head(t.Context(), before)
	if err != nil || h.Stamp != before {
		t.Errorf("Head after writing the journal = %+v, %v; want %s", h, err, before)
	}
}

func testFindRequests(t *testing.T, s directory.Store) {
	entry := func(id string, source directory.SourceName, second, status int) directory.Request {
		return directory.Request{ID: id, Source: source, Time: someTime.Add(time.Duration(second) * time.Second), Method: "POST", Status: status}
	}
	err := s.LogRequests(t.Context(), entry("a", okta, 0, 201), entry("b", okta, 1, 409), entry("c", corp, 2, 500), entry("d", okta, 3, 400), entry("e", okta, 4, 399))
	if err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		claim string
		q     directory.RequestQuery
		want  string
	}{
		{"all of a source, newest first", directory.RequestQuery{Source: okta, Limit: 10}, "edba"},
		{"of all sources", directory.RequestQuery{Limit: 10}, "edcba"},
		{"failed ones", directory.RequestQuery{Failed: true, Limit: 10}, "dcb"},
		{"failed ones of a source", directory.RequestQuery{Source: okta, Failed: true, Limit: 1}, "d"},
		{"since a time, it included", directory.RequestQuery{Since: someTime.Add(2 * time.Second), Limit: 10}, "edc"},
		{"one by id", directory.RequestQuery{Source: okta, ID: "b", Limit: 10}, "b"},
		{"not that of another source", directory.RequestQuery{Source: okta, ID: "c", Limit: 10}, ""},
		{"none that can't be kept", directory.RequestQuery{ID: "\x00", Limit: 10}, ""},
		{"none for no limit", directory.RequestQuery{}, ""},
		{"those after a place", directory.RequestQuery{Before: &directory.Place{Created: someTime.Add(3 * time.Second), ID: "d"}, Limit: 10}, "cba"},
		{"those of the same time after a place", directory.RequestQuery{Before: &directory.Place{Created: someTime.Add(3 * time.Second), ID: "dd"}, Limit: 1}, "d"},
	} {
		got, err := s.FindRequests(t.Context(), tt.q)
		var ids strings.Builder
		for _, r := range got {
			ids.WriteString(r.ID)
		}
		if err != nil || ids.String() != tt.want {
			t.Errorf("%s: FindRequests(%+v) = %s, %v; want %s", tt.claim, tt.q, ids.String(), err, tt.want)
		}
	}
}

func testLogins(t *testing.T, s directory.Store) {
	f := fill(t, s)
	ann, bob := f.user(okta, "ann"), f.user(corp, "bob")
	second := directory.UserID(directory.NewID())
	f.apply(directory.CreateUser{ID: second, Source: corp, User: ann, Profile: profile("ann")})
	gone := f.user(okta, "gone")
	f.apply(directory.DeleteUser{ID: gone, Source: okta})
	before := f.head()
	note := func(logins map[directory.UserID]time.Time) {
		t.Helper()
		if err := s.NoteLogins(t.Context(), logins); err != nil {
			t.Fatal(err)
		}
	}
	login := func(id directory.UserID) time.Time {
		t.Helper()
		u, err := s.User(t.Context(), id)
		if err != nil {
			t.Fatal(err)
		}
		rows, err := s.PersonRows(t.Context(), id)
		if err != nil || len(rows) != 1 || !rows[0].LastLogin.Equal(u.LastLogin) {
			t.Errorf("PersonRows of %s = %+v, %v; want last login %v", id, rows, err, u.LastLogin)
		}
		return u.LastLogin
	}
	later := someTime.Add(time.Hour)
	note(nil)
	note(map[directory.UserID]time.Time{ann: someTime, second: later, "nobody": later, "\x00": later, gone: later})
	if got := login(ann); !got.Equal(later) {
		t.Errorf("last login by two identities = %v, want the later one, %v", got, later)
	}
	if all, err := s.LastLogins(t.Context()); err != nil || len(all) != 1 || !all[ann].Equal(later) {
		t.Errorf("LastLogins = %v, %v; want ann's alone, %v", all, err, later)
	}
	if some, err := s.LastLogins(t.Context(), bob, ann, "nobody", "\x00"); err != nil || len(some) != 1 || !some[ann].Equal(later) {
		t.Errorf("LastLogins of some = %v, %v; want ann's alone, %v", some, err, later)
	}
	if some, err := s.LastLogins(t.Context(), bob); err != nil || len(some) != 0 {
		t.Errorf("LastLogins of bob = %v, %v; want none", some, err)
	}
	if got := login(bob); !got.IsZero() {
		t.Errorf("last login of somebody else = %v, want none", got)
	}
	note(map[directory.UserID]time.Time{ann: someTime, bob: someTime})
	if got := login(ann); !got.Equal(later) {
		t.Errorf("last login after an earlier one was noted = %v, want %v", got, later)
	}
	if got := login(bob); !got.Equal(someTime) {
		t.Errorf("last login = %v, want %v", got, someTime)
	}
	if u, err := s.User(t.Context(), gone); err != nil || !u.LastLogin.IsZero() {
		t.Errorf("last login of somebody deleted = %v, %v; want none", u.LastLogin, err)
	}
	many := map[directory.UserID]time.Time{bob: later}
	for range 3000 { // more than one statement takes
		many[directory.UserID(directory.NewID())] = later
	}
	note(many)
	if got := login(bob); !got.Equal(later) {
		t.Errorf("last login among many = %v, want %v", got, later)
	}
	if h, err := s.Head(t.Context(), before); err != nil || h.Stamp != before {
		t.Errorf("Head after noting sign-ins = %+v, %v; want %s", h, err, before)
	}
}
