package storetest

import (
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/usherd/usherd/directory"
)

var applyCases = slices.Concat([]testCase{
	{"Apply is all or nothing", testApplyIsAtomic},
	{"what alters nothing moves no revision", testApplyDropsNoOps},
	{"a note alters nothing and leaves a record", testNote},
	{"changes that come to nothing move no revision", testApplyNetsMembers},
	{"a source reaches only what it owns", testSourceReach},
	{"what is ours no source may alter", testOursIsOurs},
	{"what a source owns is not altered here", testOwnedBySource},
	{"nothing is accepted from a paused source", testPausedSource},
	{"what can never be performed is refused", testInvalidChanges},
	{"a condition that does not hold refuses all", testConditions},
	{"a cursor alone makes no revision", testCursorAlone},
	{"an answer is the head after the change", testAppliedStamp},
}, applyUserCases, applyGroupCases, applyMemberCases, applyOursCases, applyPolicyCases, applySourceCases, applyPersonCases)

// asSource is an actor who is a source.
func asSource(name directory.SourceName) directory.Actor {
	return directory.Actor{Kind: "scim", Name: string(name), Source: name}
}

// refused checks that changes are refused with an error and alter nothing.
func (f fixture) refused(want error, by directory.Actor, changes ...directory.Change) {
	f.Helper()
	before := f.head()
	a, err := f.Apply(f.Context(), by, changes...)
	if !errors.Is(err, want) {
		f.Errorf("Apply(%+v) = %+v, %v; want %v", changes[len(changes)-1], a, err, want)
	}
	if after := f.head(); after != before {
		f.Errorf("after a refused Apply the head is %v, want %v", after, before)
	}
}

// unchanged checks that changes alter nothing.
func (f fixture) unchanged(changes ...directory.Change) {
	f.Helper()
	before := f.head()
	a, err := f.Apply(f.Context(), tester, changes...)
	if err != nil || a.Changed || a.Stamp != before || f.head() != before {
		f.Errorf("Apply(%+v) again = %+v, %v at head %v; want nothing changed at %v", changes[0], a, err, f.head(), before)
	}
}

// feed returns the feed record of what changes led to.
func (f fixture) feed(changes ...directory.Change) directory.FeedRecord {
	f.Helper()
	before := f.head()
	after := f.apply(changes...)
	st, err := f.Stretch(f.Context(), before, 10)
	if err != nil || len(st.Records) != 1 || st.Records[0].Stamp != after {
		f.Fatalf("Stretch(%v) = %+v, %v; want one record of %v", before, st.Records, err, after)
	}
	return st.Records[0]
}

// names checks which keys a feed record has among some, in the order of those.
func (f fixture) names(r directory.FeedRecord, want []directory.SubjectKey, not ...directory.SubjectKey) {
	f.Helper()
	for _, k := range want {
		if !slices.Contains(r.Keys, k) {
			f.Errorf("the feed names %v, want also %v", r.Keys, k)
		}
	}
	for _, k := range not {
		if slices.Contains(r.Keys, k) {
			f.Errorf("the feed names %v, want it without %v", r.Keys, k)
		}
	}
}

func keys(k ...directory.SubjectKey) []directory.SubjectKey { return k }

func testApplyIsAtomic(t *testing.T, s directory.Store) {
	f := fill(t, s)
	ann, eng := f.user(okta, "ann"), f.group(okta, "eng")
	f.refused(directory.ErrNotFound, tester,
		directory.AddMembers{Group: eng, Source: okta, Values: []string{string(ann)}},
		directory.SetBlock{User: ann, Blocked: true},
		directory.AddMembers{Group: directory.GroupID(directory.NewID()), Source: okta, Values: []string{string(ann)}})
	if sub := f.subject(byID(ann), directory.Stamp{}); sub.Blocked || len(sub.Memberships) != 0 {
		t.Errorf("after a refused Apply ann is %+v, want as before", sub)
	}
	if g, err := s.Group(t.Context(), okta, eng); err != nil || g.Members != 0 || g.Version != 1 {
		t.Errorf("after a refused Apply the group is %+v, %v; want as before", g, err)
	}
	if a, err := s.Apply(t.Context(), tester); err != nil || a.Changed {
		t.Errorf("Apply of nothing = %+v, %v; want nothing changed", a, err)
	}
}

func testApplyDropsNoOps(t *testing.T, s directory.Store) {
	f := fill(t, s)
	f.apply(directory.SetPolicy{Policy: catalogue, Sections: catalogueSections})
	ann, eng, kids := f.user(okta, "ann", "ann@a.test"), f.group(okta, "eng"), f.group(directory.Local, "kids")
	again := []directory.Change{
		directory.PutSource{Source: directory.Source{Name: okta, Kind: directory.KindSCIM, Rank: 7, Settings: json.RawMessage(`{"a": [1, 2]}`)}},
		directory.SetSourceState{Source: okta, State: directory.SourceDisabled},
		directory.ReplaceUser{ID: ann, Source: okta, Profile: directory.Profile{
			UserName: "Ann", ExternalID: "7",
			Emails: []directory.Email{{Value: "b@a.test"}}, Attributes: json.RawMessage(`{"title": "x", "nickName": "y"}`),
		}},
		directory.SetPresence{ID: ann, Source: okta, Presence: directory.Gone},
		directory.SetBlock{User: ann, Blocked: true, Reason: "left"},
		directory.UpdateGroup{ID: eng, Source: okta, Name: new("Engineering"), DN: new("cn=eng"), Attributes: json.RawMessage(`{}`)},
		directory.SetGroupStatus{Group: eng, Status: directory.GroupBlocked},
		directory.SetGroupScope{Group: eng, Project: "alpha"},
		directory.SetGroupDescription{Group: eng, Description: "builders"},
		directory.AddMembers{Group: eng, Source: okta, Values: []string{string(ann), "7", "later"}},
		directory.ReplaceMembers{Group: eng, Source: okta, Values: []string{"7", "other"}},
		directory.RemoveMembers{Group: eng, Source: okta, Values: []string{"7"}},
		directory.PutGrant{Grant: directory.Grant{User: ann, Role: directory.RoleViewer}},
		directory.PutGrant{Grant: directory.Grant{Group: eng, Privilege: directory.Privilege{Kind: directory.IntegrationLevel, Key: "*", Level: directory.Consumer}}},
		directory.SetOverride{User: ann, Project: "alpha", Group: "", Grants: []directory.GrantSet{{Roles: []directory.RoleName{"project-viewer"}}}, Reason: "r"},
		directory.SetOverride{User: ann, Group: kids},
		directory.SetPolicy{Policy: catalogue, Sections: catalogueSections},
		directory.SetCursor{Source: okta, Cursor: json.RawMessage(`[1]`)},
	}
	for _, c := range again {
		if _, err := s.Apply(t.Context(), tester, c); err != nil {
			t.Fatalf("Apply(%+v) = %v", c, err)
		}
		f.unchanged(c)
	}
	// The same content in other words.
	f.unchanged(directory.PutSource{Source: directory.Source{Name: okta, Kind: directory.KindSCIM, Rank: 7, Settings: json.RawMessage(`{"a":[1,2]}`)}})
}

func testApplyNetsMembers(t *testing.T, s directory.Store) {
	f := fill(t, s)
	ann, bob := f.user(okta, "ann"), f.user(okta, "bob")
	eng := f.group(okta, "eng", ann)
	add := func(id directory.UserID) directory.Change {
		return directory.AddMembers{Group: eng, Source: okta, Values: []string{string(id)}}
	}
	remove := func(id directory.UserID) directory.Change {
		return directory.RemoveMembers{Group: eng, Source: okta, Values: []string{string(id)}}
	}
	f.unchanged(remove(ann), add(ann))
	f.unchanged(add(bob), remove(bob))
	f.unchanged(remove(ann), add(ann), remove(ann), add(ann))
	at := f.apply(add(bob), remove(ann), add(ann), remove(bob), add(bob))
	for _, id := range []directory.UserID{ann, bob} {
		if sub := f.subject(byID(id), at); len(sub.Memberships) != 1 {
			t.Errorf("after adding and removing in turn %s has %+v, want one membership", id, sub.Memberships)
		}
	}
	if g, err := s.Group(t.Context(), okta, eng); err != nil || g.Members != 2 || g.Version != 2 {
		t.Errorf("Group = %+v, %v; want 2 members, version 2", g, err)
	}
}

func testSourceReach(t *testing.T, s directory.Store) {
	f := fill(t, s)
	ann, eng := f.user(corp, "ann"), f.group(corp, "eng")
	for _, c := range []directory.Change{
		directory.ReplaceUser{ID: ann, Source: okta, Profile: profile("ann")},
		directory.DeleteUser{ID: ann, Source: okta},
		directory.SetPresence{ID: ann, Source: okta, Presence: directory.Gone},
		directory.UpdateGroup{ID: eng, Source: okta, Name: new("x")},
		directory.DeleteGroup{ID: eng, Source: okta},
		directory.AddMembers{Group: eng, Source: okta, Values: []string{"x"}},
		directory.RemoveMembers{Group: eng, Source: okta, Values: []string{"x"}},
		directory.ReplaceMembers{Group: eng, Source: okta},
	} {
		f.refused(directory.ErrNotFound, asSource(okta), c)
	}
	// In the name of another.
	f.refused(directory.ErrNotFound, asSource(okta), directory.DeleteUser{ID: ann, Source: corp})
	f.refused(directory.ErrNotFound, asSource(okta), directory.SetCursor{Source: corp, Cursor: []byte(`1`)})
	f.refused(directory.ErrNotFound, asSource("nobody"), directory.CreateUser{ID: directory.UserID(directory.NewID()), Source: "nobody", Profile: profile("x")})
	f.refused(directory.ErrNotFound, tester, directory.CreateGroup{ID: directory.GroupID(directory.NewID()), Source: "nobody", Name: "x"})
	if _, err := s.Apply(t.Context(), asSource(corp), directory.DeleteUser{ID: ann, Source: corp}); err != nil {
		t.Errorf("Apply of the owner = %v", err)
	}
}

func testOursIsOurs(t *testing.T, s directory.Store) {
	f := fill(t, s)
	ann, eng := f.user(okta, "ann"), f.group(okta, "eng")
	for _, c := range []directory.Change{
		directory.SetBlock{User: ann, Blocked: true},
		directory.SetGroupStatus{Group: eng, Status: directory.GroupBlocked},
		directory.SetGroupDescription{Group: eng, Description: "x"},
		directory.SetGroupScope{Group: eng},
		directory.PutGrant{Grant: directory.Grant{User: ann, Role: directory.RoleOwner}},
		directory.EndGrant{Grant: directory.Grant{User: ann, Role: directory.RoleOwner}},
		directory.SetOverride{User: ann},
		directory.EndOverride{User: ann},
		directory.SetPolicy{},
		directory.ConfirmMapping{Mapping: "m", Group: eng},
		directory.PutSource{Source: directory.Source{Name: okta, Kind: directory.KindSCIM}},
		directory.SetSourceState{Source: okta, State: directory.SourceDisabled},
		directory.RemoveSource{Source: okta},
		directory.CreateToken{Token: directory.Token{ID: "a", Kind: directory.TokenAdmin}, Hash: []byte{1}},
		directory.RevokeToken{ID: "a"},
	} {
		f.refused(directory.ErrNotOwner, asSource(okta), c)
	}
}

func testOwnedBySource(t *testing.T, s directory.Store) {
	f := fill(t, s)
	ann, eng := f.user(okta, "ann"), f.group(okta, "eng")
	admin := directory.Actor{Kind: "admin", Name: "root"}
	for _, c := range []directory.Change{
		directory.ReplaceUser{ID: ann, Source: directory.Local, Profile: profile("ann")},
		directory.UpdateGroup{ID: eng, Source: directory.Local, Name: new("x")},
		directory.AddMembers{Group: eng, Source: directory.Local, Values: []string{string(ann)}},
		directory.RemoveMembers{Group: eng, Source: directory.Local, Values: []string{string(ann)}},
		directory.ReplaceMembers{Group: eng, Source: directory.Local},
		directory.DeleteGroup{ID: eng, Source: directory.Local},
	} {
		f.refused(directory.ErrNotOwner, admin, c)
	}
}

func testPausedSource(t *testing.T, s directory.Store) {
	f := fill(t, s)
	ann := f.user(okta, "ann")
	f.apply(directory.SetSourceState{Source: okta, State: directory.SourcePaused})
	f.refused(directory.ErrPaused, asSource(okta), directory.DeleteUser{ID: ann, Source: okta})
	f.refused(directory.ErrPaused, asSource(okta), directory.SetCursor{Source: okta, Cursor: []byte(`1`)})
	if _, err := s.Apply(t.Context(), asSource(corp), directory.CreateUser{ID: directory.UserID(directory.NewID()), Source: corp, Profile: profile("bob")}); err != nil {
		t.Errorf("Apply of another source = %v", err)
	}
	if sub := f.subject(byID(ann), directory.Stamp{}); sub.Inactive {
		t.Errorf("with its source paused ann is %+v, want active: access stays", sub)
	}
	f.apply(directory.SetSourceState{Source: okta, State: directory.SourceActive})
	if _, err := s.Apply(t.Context(), asSource(okta), directory.DeleteUser{ID: ann, Source: okta}); err != nil {
		t.Errorf("Apply of the source when active again = %v", err)
	}
}

func testInvalidChanges(t *testing.T, s directory.Store) {
	f := fill(t, s)
	f.apply(directory.SetPolicy{Policy: catalogue, Sections: catalogueSections})
	ann, eng := f.user(okta, "ann"), f.group(okta, "eng")
	create := func(p directory.Profile) directory.Change {
		return directory.CreateUser{ID: directory.UserID(directory.NewID()), Source: okta, Profile: p}
	}
	grant := func(g directory.Grant) directory.Change { return directory.PutGrant{Grant: g} }
	privilege := func(kind directory.PrivilegeKind, key string) directory.Change {
		return grant(directory.Grant{User: ann, Privilege: directory.Privilege{Kind: kind, Key: key}})
	}
	for _, c := range []directory.Change{
		create(directory.Profile{}),
		create(directory.Profile{UserName: "a\x00b"}),
		create(directory.Profile{UserName: "a\xff"}),
		create(directory.Profile{UserName: "a", Type: "robot"}),
		create(directory.Profile{UserName: "a", ExternalID: "\x00"}),
		create(directory.Profile{UserName: "a", DisplayName: "\xff"}),
		create(directory.Profile{UserName: "a", Attributes: json.RawMessage(`{`)}),
		create(directory.Profile{UserName: "a", Attributes: json.RawMessage("{\"a\":\"\xff\"}")}),
		directory.CreateUser{ID: "x", Source: okta, Profile: profile("x")},
		directory.CreateUser{ID: directory.UserID(eng) + "\x00", Source: okta, Profile: profile("x")},
		directory.DeleteUser{ID: "\x00", Source: okta},
		directory.SetPresence{ID: ann, Source: okta, Presence: directory.Deleted},
		directory.CreateGroup{ID: "x", Source: okta, Name: "x"},
		directory.CreateGroup{ID: directory.GroupID(directory.NewID()), Source: okta},
		directory.CreateGroup{ID: directory.GroupID(directory.NewID()), Source: okta, Name: "x", Project: "none"},
		directory.SetGroupScope{Group: eng, Project: "none"},
		directory.SetGroupStatus{Group: eng, Status: "odd"},
		directory.AddMembers{Group: eng, Source: okta, Values: []string{""}},
		directory.AddMembers{Group: eng, Source: okta, Values: []string{"\x00"}},
		directory.AddMembers{Group: eng, Source: okta, Values: []string{"a"}, Via: "odd"},
		grant(directory.Grant{User: ann}),
		grant(directory.Grant{Role: "owner"}),
		grant(directory.Grant{User: ann, Group: eng, Role: "owner"}),
		grant(directory.Grant{User: ann, Role: "owner", Privilege: directory.Privilege{Kind: directory.Access, Key: "part-list"}}),
		grant(directory.Grant{User: ann, Role: "nobody"}),
		grant(directory.Grant{User: ann, Role: "project-viewer", Project: "none"}),
		grant(directory.Grant{User: ann, Role: "owner", Project: "alpha"}),
		grant(directory.Grant{User: ann, Role: "owner", Origin: directory.ByOverride}),
		privilege(directory.Access, "none"), privilege(directory.Access, ""), privilege("odd", "part-list"),
		privilege(directory.OutputPrivilege, "none"), privilege(directory.IntegrationLevel, "none"),
		privilege(directory.RolePrivilege, "part-list"), privilege(directory.RolePrivilege, "none:edit"),
		privilege(directory.RolePrivilege, "none:*:read"),
		grant(directory.Grant{User: ann, Privilege: directory.Privilege{Kind: directory.Access, Key: "part-list", Level: directory.Admin}}),
		directory.SetOverride{User: ann, Project: "none"},
		directory.SetOverride{User: ann, Grants: []directory.GrantSet{{Project: "alpha"}}},
		directory.SetOverride{User: ann, Grants: []directory.GrantSet{{Roles: []directory.RoleName{"none"}}}},
		directory.PutSource{Source: directory.Source{Name: "Okta", Kind: directory.KindSCIM}},
		directory.PutSource{Source: directory.Source{Name: okta, Kind: directory.KindLDAP}},
		directory.PutSource{Source: directory.Source{Name: "x", Kind: directory.KindLocal}},
		directory.PutSource{Source: directory.Source{Name: "x", Kind: directory.KindSCIM, State: "odd"}},
		directory.SetSourceState{Source: directory.Local, State: directory.SourceDisabled},
		directory.SetSourceState{Source: okta, State: directory.SourceRemoved},
		directory.RemoveSource{Source: okta},
		directory.SetPolicy{Sections: []directory.Section{"odd"}},
		directory.SetPolicy{Sections: []directory.Section{directory.SectionProjects}, Policy: directory.Policy{Projects: []directory.Project{{Key: "a"}, {Key: "a"}}}},
		directory.SetPolicy{Sections: []directory.Section{directory.SectionProjects}, Policy: directory.Policy{Projects: []directory.Project{{}}}},
		directory.CreateToken{Token: directory.Token{ID: "a", Kind: directory.TokenSCIM}, Hash: []byte{1}},
		directory.CreateToken{Token: directory.Token{ID: "a", Kind: directory.TokenAdmin}},
		directory.SetCursor{Source: okta, Cursor: json.RawMessage(`{`)},
		nil,
	} {
		f.refused(directory.ErrInvalid, tester, c)
	}
}

func testConditions(t *testing.T, s directory.Store) {
	f := fill(t, s)
	ann, eng := f.user(okta, "ann"), f.group(okta, "eng")
	do := func(name string) directory.Change {
		return directory.CreateUser{ID: directory.UserID(directory.NewID()), Source: okta, Profile: profile(name)}
	}
	f.apply(directory.RequireVersion{ID: string(ann), Version: 1}, directory.RequireVersion{ID: string(eng), Version: 1}, do("a"))
	f.apply(directory.AddMembers{Group: eng, Source: okta, Values: []string{string(ann)}}, directory.SetPresence{ID: ann, Source: okta, Presence: directory.Gone})
	f.refused(directory.ErrVersion, tester, do("b"), directory.RequireVersion{ID: string(ann), Version: 1})
	f.refused(directory.ErrVersion, tester, do("b"), directory.RequireVersion{ID: string(eng), Version: 1})
	f.refused(directory.ErrVersion, tester, do("b"), directory.RequireVersion{ID: directory.NewID(), Version: 1})
	f.refused(directory.ErrVersion, tester, directory.ReplaceUser{ID: ann, Source: okta, IfVersion: 1, Profile: profile("ann")})
	f.refused(directory.ErrVersion, tester, directory.UpdateGroup{ID: eng, Source: okta, IfVersion: 1, Name: new("x")})
	// A condition is on what was before, wherever it stands.
	f.apply(directory.SetPresence{ID: ann, Source: okta, Presence: directory.Present},
		directory.SetPresence{ID: ann, Source: okta, Presence: directory.Gone}, directory.RequireVersion{ID: string(ann), Version: 2})
	f.apply(directory.ReplaceUser{ID: ann, Source: okta, IfVersion: 4, Profile: profile("ann")},
		directory.UpdateGroup{ID: eng, Source: okta, IfVersion: 2, Name: new("x")})

	at := f.apply(directory.SetPolicy{Policy: catalogue, Sections: catalogueSections})
	f.apply(directory.RequirePolicy{Revision: at.Revision}, do("c"))
	f.refused(directory.ErrVersion, tester, directory.RequirePolicy{Revision: at.Revision - 1}, do("d"))

	lease, ok, err := s.AcquireLease(t.Context(), "poll", "me", time.Hour)
	if err != nil || !ok {
		t.Fatalf("AcquireLease = %v, %v", ok, err)
	}
	f.apply(directory.RequireLease{Name: "poll", Epoch: lease.Epoch}, do("e"))
	f.refused(directory.ErrFenced, tester, directory.RequireLease{Name: "poll", Epoch: lease.Epoch + 1}, do("f"))
	f.refused(directory.ErrFenced, tester, directory.RequireLease{Name: "other", Epoch: lease.Epoch}, do("f"))
	if _, err := s.Apply(t.Context(), asSource(okta), directory.RequireVersion{ID: string(eng), Version: 3}); err != nil {
		t.Errorf("a condition set by a source = %v", err)
	}
}

func testCursorAlone(t *testing.T, s directory.Store) {
	f := fill(t, s)
	before := f.head()
	a, err := s.Apply(t.Context(), asSource(corp), directory.SetCursor{Source: corp, Cursor: json.RawMessage(`{"usn": 7}`)})
	if err != nil || a.Changed || a.Stamp != before || f.head() != before {
		t.Errorf("Apply of a cursor = %+v, %v at head %v; want no revision after %v", a, err, f.head(), before)
	}
	if c, err := s.Cursor(t.Context(), corp); err != nil || string(c) != `{"usn":7}` {
		t.Errorf("Cursor = %s, %v; want what was set", c, err)
	}
	f.refused(directory.ErrNotFound, tester, directory.SetCursor{Source: corp, Cursor: json.RawMessage(`8`)},
		directory.DeleteUser{ID: directory.UserID(directory.NewID()), Source: corp})
	if c, err := s.Cursor(t.Context(), corp); err != nil || string(c) != `{"usn":7}` {
		t.Errorf("Cursor after a refused Apply = %s, %v; want the old one", c, err)
	}
	f.apply(directory.SetCursor{Source: corp, Cursor: json.RawMessage(`8`)},
		directory.CreateUser{ID: directory.UserID(directory.NewID()), Source: corp, Profile: profile("ann")})
	if c, err := s.Cursor(t.Context(), corp); err != nil || string(c) != `8` {
		t.Errorf("Cursor = %s, %v; want 8", c, err)
	}
}

func testNote(t *testing.T, s directory.Store) {
	f := fill(t, s)
	before := f.head()
	n := directory.Note{Action: "export.read", Target: "users", Attributes: []string{"q"}}
	a, err := s.Apply(t.Context(), tester, n)
	if err != nil || !a.Changed || a.Stamp.Revision != before.Revision+1 || a.Stamp != f.head() {
		t.Fatalf("Apply of a note = %+v, %v; want the revision after %v", a, err, before)
	}
	stretch, err := s.Stretch(t.Context(), before, 10)
	if err != nil || len(stretch.Records) != 1 || len(stretch.Records[0].Keys)+len(stretch.Records[0].Groups) > 0 || stretch.Records[0].Policy {
		t.Errorf("Stretch = %+v, %v; want a record that touches nothing", stretch, err)
	}
	records, err := s.Audit(t.Context(), before.Revision, 10)
	if err != nil || len(records) != 1 || !strings.Contains(string(records[0].Changes), `"type":"export.read","target":"users","attributes":["q"]`) {
		t.Errorf("Audit = %+v, %v; want the note", records, err)
	}
	f.refused(directory.ErrNotOwner, asSource(okta), n)
	f.refused(directory.ErrInvalid, tester, directory.Note{Target: "users"})
}

func testAppliedStamp(t *testing.T, s directory.Store) {
	f := fill(t, s)
	for range 3 {
		a, err := s.Apply(t.Context(), tester, directory.CreateUser{ID: directory.UserID(directory.NewID()), Source: okta, Profile: profile(directory.NewID())})
		if err != nil || !a.Changed || a.Stamp != f.head() || a.Time.IsZero() {
			t.Errorf("Apply = %+v, %v; want the head %v", a, err, f.head())
		}
		records, err := s.Audit(t.Context(), a.Stamp.Revision-1, 1)
		if err != nil || len(records) != 1 || len(records[0].Hash) != 32 ||
			directory.FingerprintOf([32]byte(records[0].Hash)) != a.Stamp.Fingerprint || records[0].Actor != tester {
			t.Errorf("Audit = %+v, %v; want one whose hash begins with %v", records, err, a.Stamp.Fingerprint)
		}
	}
}
