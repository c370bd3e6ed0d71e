package storetest

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/usherd/usherd/directory"
)

// auditChange is an entry of the changes of an audit record.
type auditChange struct {
	Type       string   `json:"type"`
	Target     string   `json:"target"`
	Source     string   `json:"source"`
	Value      string   `json:"value"`
	Group      string   `json:"group"`
	Attributes []string `json:"attributes"`
	Added      []string `json:"added"`
	Removed    []string `json:"removed"`
}

func changesOf(t *testing.T, r directory.AuditRecord) (out []auditChange) {
	t.Helper()
	if err := json.Unmarshal(r.Changes, &out); err != nil {
		t.Fatal(err)
	}
	return out
}

// writeTrail makes records of some sizes and by some actors.
func writeTrail(t *testing.T, s directory.Store) []directory.AuditRecord {
	t.Helper()
	f := fill(t, s)
	big := f.group(okta, "Big")
	var ids []string
	for i := range 20 {
		ids = append(ids, string(f.user(okta, fmt.Sprint("user", i))))
	}
	f.apply(directory.AddMembers{Group: big, Source: okta, Values: ids})
	f.apply(directory.RemoveMembers{Group: big, Source: okta, Values: ids[:3]})
	by := func(a directory.Actor, changes ...directory.Change) {
		t.Helper()
		if _, err := s.Apply(t.Context(), a, changes...); err != nil {
			t.Fatal(err)
		}
	}
	token := directory.Actor{Kind: directory.ActorToken, Name: "Kasse <1>", Token: "t-1", Request: "r-1", Reason: "okta"}
	long := strings.Repeat("long ", 100)
	by(token, directory.SetBlock{User: directory.UserID(ids[0]), Blocked: true}, directory.SetBlock{User: directory.UserID(ids[1]), Blocked: true})
	by(directory.Actor{Kind: directory.ActorSCIM, Name: "okta", Source: okta, Request: "r-2", Address: "2001:db8::7"}, directory.DeleteGroup{ID: big, Source: okta})
	by(directory.Actor{Kind: directory.ActorToken, Name: "\u212aasse <1>", Request: "r-11"}, directory.Note{Action: "export.read", Target: long, Attributes: []string{"q"}})
	records, err := s.Audit(t.Context(), 0, 1000)
	if err != nil || len(records) < 25 {
		t.Fatalf("Audit = %d records, %v", len(records), err)
	}
	return records
}

// testAuditSummaries knows no way to alter them: those of what was written hold.
func testAuditSummaries(t *testing.T, s directory.Store) {
	if faults, err := s.CheckAuditHeads(t.Context(), 0); err != nil || len(faults) > 0 {
		t.Errorf("CheckAuditHeads of nothing = %+v, %v", faults, err)
	}
	writeTrail(t, s)
	if faults, err := s.CheckAuditHeads(t.Context(), 0); err != nil || len(faults) > 0 {
		t.Errorf("CheckAuditHeads = %+v, %v; want none", faults, err)
	}
	if n, err := s.MendAuditHeads(t.Context(), 0); err != nil || n != 0 {
		t.Errorf("MendAuditHeads of what is right = %d, %v; want 0", n, err)
	}
}

func testAuditHeads(t *testing.T, s directory.Store) {
	records := writeTrail(t, s)
	heads, err := s.AuditHeads(t.Context(), directory.AuditSearch{Oldest: true, Limit: 1000})
	if err != nil || len(heads) != len(records) {
		t.Fatalf("AuditHeads = %d heads, %v; want %d", len(heads), err, len(records))
	}
	for i, h := range heads {
		changes := changesOf(t, records[i])
		var types []string
		for _, c := range changes {
			types = append(types, c.Type)
		}
		slices.Sort(types)
		if r := records[i]; h.Revision != r.Revision || !h.Time.Equal(r.Time) || h.Actor != r.Actor || h.Changes != len(changes) || !slices.Equal(h.Types, slices.Compact(types)) {
			t.Errorf("head %d is %+v of %s", i, h, r.Changes)
		}
		var first auditChange
		if err := json.Unmarshal(h.First, &first); err != nil {
			t.Fatal(err)
		}
		want := changes[0]
		if all := len(want.Added) + len(want.Attributes) + len(want.Removed); h.Listed != all {
			t.Errorf("head %d lists %d entries, want %d", i, h.Listed, all)
		}
		for _, list := range []*[]string{&want.Added, &want.Attributes, &want.Removed} {
			*list = (*list)[:min(directory.HeadListed, len(*list))]
		}
		if d := diff(want, first); d != "" {
			t.Errorf("the first change of head %d (-want +got):\n%s", i, d)
		}
	}
}

// testAuditSearch compares each search with a walk over the whole records.
func testAuditSearch(t *testing.T, s directory.Store) {
	records := writeTrail(t, s)
	end := records[len(records)-1].Revision
	var ids []string
	for _, r := range records[3:6] {
		ids = append(ids, changesOf(t, r)[0].Target)
	}
	target := ids[2]
	var added, removed string
	for _, r := range records {
		for _, c := range changesOf(t, r) {
			if len(c.Added) > 10 {
				added = c.Added[15]
			}
			if len(c.Removed) == 3 {
				removed = c.Removed[1]
			}
		}
	}
	searches := map[string]directory.AuditSearch{
		"all": {}, "those after": {After: 4}, "those up to": {Upto: 4}, "a span": {After: 3, Upto: 9}, "none": {After: end},
		"by kind": {Actor: "SCIM"}, "by name": {Actor: "kASSE <1>"}, "by the Kelvin sign": {Actor: "\u212aasse <1>"}, "by source": {Actor: "Okta"}, "by token": {Actor: "T-1"},
		"by half a name": {Actor: "kasse"}, "by no text": {Actor: "\xff\x00"}, "of a request": {Request: "r-1"}, "of half a request": {Request: "r-"},
		"a type": {Action: "user.blocked"}, "how types begin": {Action: "user"}, "how no type begins": {Action: "ser"}, "across types": {Action: "group.deleted g"},
		"about a user": {About: []string{target}}, "about one added": {About: []string{added}}, "about one removed": {About: []string{removed}},
		"about a source": {About: []string{string(okta)}}, "about two": {About: []string{target, added}}, "about something long": {About: []string{strings.Repeat("long ", 100)}},
		"about nothing": {About: []string{"nothing"}}, "about no text": {About: []string{"\x00"}}, "a type about a user": {Action: "user.", About: []string{target}},
		"a type by somebody": {Action: "user.", Actor: "t-1"}, "about somebody by somebody": {About: []string{ids[0], ids[1], string(okta)}, Actor: "t-1"},
		"everything at once": {After: 1, Upto: end - 1, Action: "group.", Actor: "okta", Request: "r-2", About: []string{string(okta)}},
	}
	for name, q := range searches {
		for _, oldest := range []bool{false, true} {
			for _, limit := range []int{1000, 2, 0} {
				q.Oldest, q.Limit = oldest, limit
				var want, got []directory.Revision
				for _, r := range records {
					if audited(t, q, r) {
						want = append(want, r.Revision)
					}
				}
				if !oldest {
					slices.Reverse(want)
				}
				want = want[:min(limit, len(want))]
				heads, err := s.AuditHeads(t.Context(), q)
				for _, h := range heads {
					got = append(got, h.Revision)
				}
				if err != nil || !slices.Equal(got, want) {
					t.Errorf("%s: AuditHeads(%+v) = %v, %v; want %v", name, q, got, err, want)
				}
			}
		}
	}
}

// audited is what a search means, asked of a whole record.
func audited(t *testing.T, q directory.AuditSearch, r directory.AuditRecord) bool {
	changes := changesOf(t, r)
	return r.Revision > q.After && (q.Upto == 0 || r.Revision <= q.Upto) &&
		(q.Actor == "" || r.Actor.Called(q.Actor)) && (q.Request == "" || r.Actor.Request == q.Request) &&
		(q.Action == "" || slices.ContainsFunc(changes, func(c auditChange) bool { return strings.HasPrefix(c.Type, q.Action) })) &&
		(len(q.About) == 0 || slices.ContainsFunc(changes, func(c auditChange) bool {
			return slices.ContainsFunc(slices.Concat([]string{c.Target, c.Group, c.Source, c.Value}, c.Added, c.Removed), func(s string) bool { return slices.Contains(q.About, s) })
		}))
}
