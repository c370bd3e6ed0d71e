package storetest

import (
	"testing"
	"time"

	"github.com/usherd/usherd/directory"
)

var sinceCases = []testCase{
	{"a member that is kept keeps its beginning, one that comes back begins anew", testMemberBegan},
	{"of two ways to belong each has its beginning, and both the older one", testWaysBegan},
	{"who is pending begins to be a member when somebody comes", testPendingBegan},
	{"a revision was made when its record says", testTimesOf},
}

// began returns the beginnings of the members of a group, by value and via.
func (f fixture) began(group directory.GroupID, ids ...string) map[string]directory.Revision {
	f.Helper()
	rows, err := f.MemberRows(f.Context(), group, ids...)
	if err != nil {
		f.Fatalf("MemberRows(%s, %q) = %v", group, ids, err)
	}
	out := map[string]directory.Revision{}
	for _, r := range rows {
		out[r.Value+" "+string(r.Via)] = r.Since
	}
	if len(out) != len(rows) {
		f.Errorf("MemberRows(%s, %q) = %+v, want each edge once", group, ids, rows)
	}
	return out
}

func (f fixture) edgesBegan(ids ...string) map[directory.Edge]directory.Revision {
	f.Helper()
	got, err := f.EdgesBegan(f.Context(), ids...)
	if err != nil {
		f.Fatalf("EdgesBegan(%q) = %v", ids, err)
	}
	return got
}

func testMemberBegan(t *testing.T, s directory.Store) {
	f := fill(t, s)
	ann, bob, cid := f.user(okta, "ann"), f.user(okta, "bob"), f.user(okta, "cid")
	eng := f.group(okta, "eng", ann, bob)
	first := f.head().Revision
	put := f.apply(directory.ReplaceMembers{Group: eng, Source: okta, Values: texts([]directory.UserID{ann, cid})}).Revision
	want := map[string]directory.Revision{string(ann) + " member": first, string(cid) + " member": put}
	if d := diff(want, f.began(eng)); d != "" {
		t.Errorf("after a PUT (-want +got):\n%s", d)
	}
	f.apply(directory.RemoveMembers{Group: eng, Source: okta, Values: texts([]directory.UserID{ann})})
	back := f.apply(directory.AddMembers{Group: eng, Source: okta, Values: texts([]directory.UserID{ann})}).Revision
	if d := diff(map[string]directory.Revision{string(ann) + " member": back}, f.began(eng, string(ann), "\xff", string(bob))); d != "" {
		t.Errorf("after leaving and joining (-want +got):\n%s", d)
	}
	f.apply( // in one revision nobody left
		directory.RemoveMembers{Group: eng, Source: okta, Values: texts([]directory.UserID{cid})},
		directory.AddMembers{Group: eng, Source: okta, Values: texts([]directory.UserID{cid})},
		directory.UpdateGroup{ID: eng, Source: okta, Name: new("engineers")},
	)
	if got := f.began(eng, string(cid)); got[string(cid)+" member"] != put {
		t.Errorf("after leaving and joining at once = %v, want %d as before", got, put)
	}
	for _, none := range []directory.GroupID{"", "\x00", directory.GroupID(directory.NewID())} {
		if got := f.began(none); len(got) != 0 {
			t.Errorf("MemberRows(%q) = %v, want none", none, got)
		}
	}
}

func testWaysBegan(t *testing.T, s directory.Store) {
	f := fill(t, s)
	ann := f.user(corp, "ann")
	kid, eng := f.group(corp, "kid", ann), f.group(corp, "eng", ann)
	older := f.head().Revision
	younger := f.apply(directory.AddMembers{Group: eng, Source: corp, Values: []string{string(ann)}, Via: directory.ViaPrimaryGroup}).Revision
	nested := f.apply(directory.AddMembers{Group: eng, Source: corp, Values: []string{string(kid)}}).Revision
	want := map[string]directory.Revision{string(ann) + " member": older, string(ann) + " primary": younger, string(kid) + " member": nested}
	if d := diff(want, f.began(eng)); d != "" {
		t.Errorf("MemberRows (-want +got):\n%s", d)
	}
	edge := directory.Edge{Member: string(ann), Group: f.num(eng)}
	got := f.edgesBegan(string(ann), string(kid), "", "\xff")
	if d := diff(map[directory.Edge]directory.Revision{
		edge: older, {Member: string(ann), Group: f.num(kid)}: older - 1, {Member: string(kid), Group: f.num(eng)}: nested,
	}, got); d != "" {
		t.Errorf("EdgesBegan (-want +got):\n%s", d)
	}
	f.apply(directory.RemoveMembers{Group: eng, Source: corp, Values: []string{string(ann)}})
	if got := f.edgesBegan(string(ann))[edge]; got != younger {
		t.Errorf("without the older way it began at %d, want %d", got, younger)
	}
}

func testPendingBegan(t *testing.T, s directory.Store) {
	f := fill(t, s)
	eng := f.group(okta, "eng")
	waits := f.apply(directory.AddMembers{Group: eng, Source: okta, Values: []string{"x-ann", "x-bob"}}).Revision
	ann := f.user(okta, "ann")
	comes := f.head().Revision
	if d := diff(map[string]directory.Revision{string(ann) + " member": comes, "x-bob member": waits}, f.began(eng)); d != "" {
		t.Errorf("MemberRows (-want +got):\n%s", d)
	}
	if d := diff(map[string]directory.Revision{"x-bob member": waits}, f.began(eng, "")); d != "" {
		t.Errorf("MemberRows of who is pending (-want +got):\n%s", d)
	}
}

func testTimesOf(t *testing.T, s directory.Store) {
	f := fill(t, s)
	before := time.Now().Add(-time.Millisecond)
	f.user(okta, "ann")
	at := f.head().Revision
	times, _, err := s.TimesOf(t.Context(), at, at, 1)
	if err != nil || len(times) != 2 || times[at].Before(before) || times[at].After(time.Now()) {
		t.Errorf("TimesOf(%d, 1) = %v, %v; want both, the last not before %s", at, times, err, before)
	}
	records, err := s.Audit(t.Context(), at-1, 1)
	if err != nil || len(records) != 1 || !records[0].Time.Equal(times[at]) {
		t.Errorf("Audit = %+v, %v; want the time %s", records, err, times[at])
	}
	records, err = s.Audit(t.Context(), 0, 1)
	if err != nil {
		t.Fatal(err)
	}
	if times, oldest, err := s.TimesOf(t.Context(), at+1); err != nil || len(times) != 0 || !oldest.Equal(records[0].Time) {
		t.Errorf("TimesOf of a revision without a record = %v, %s, %v; want none, and the oldest %s", times, oldest, err, records[0].Time)
	}
}
