package storetest

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/usherd/usherd/directory"
)

var applyPersonCases = []testCase{
	{"an identity joins a user whom the change names", testIdentityJoins},
	{"a user has one identity of a source at most", testOneIdentityOfASource},
	{"a userName that a linked user has is held by the asker's own identity", testHolderIsOwn},
	{"an identity joins the user to whom an administrator linked it", testLinkByHand},
	{"a link ends with its user, with its source and when it is used", testLinkEnds},
	{"a deleted identity of a living user is revived by its externalId", testRevive},
	{"a detached identity says nothing and names nobody", testDetach},
	{"a detached identity joins its user by hand alone", testDetachKeepsApart},
	{"the only identity of a user is not detached", testDetachOnly},
	{"a restored user is as before, without what ended", testRestore},
	{"a user whose name is taken is not restored", testRestoreTaken},
	{"a restored user of a removed source is local", testRestoreOfRemovedSource},
	{"nobody is restored who was not deleted as a whole, or was erased", testRestoreNone},
	{"erasing takes the personal data of a deleted user out of all rows", testErase},
	{"a source links, detaches, restores and erases nobody", testPeopleAreOurs},
	{"a rehearsal says what would be done and does nothing", testRehearse},
	{"a token is limited to an earlier time, not to a later one", testLimitToken},
}

func (f fixture) join(source directory.SourceName, user directory.UserID, p directory.Profile) directory.UserID {
	f.Helper()
	c := createUser(source, p)
	c.User = user
	f.apply(c)
	return c.ID
}

func testIdentityJoins(t *testing.T, s directory.Store) {
	f := fill(t, s)
	ann := f.user(corp, "ann", "ann@a.test")
	eng := f.group(okta, "eng")
	f.apply(directory.AddMembers{Group: eng, Source: okta, Values: []string{"00u-ann"}}) // pending
	c := createUser(okta, directory.Profile{UserName: "ann", ExternalID: "00u-ann", Active: true, Emails: []directory.Email{{Value: "a@okta.test"}}})
	c.User = ann
	f.names(f.feed(c), keys(byID(ann), byID(c.ID), byExternal(okta, "00u-ann"), byEmail("a@okta.test")))
	for _, k := range keys(byID(ann), byID(c.ID), byName("ann"), byExternal(corp, "x-ann"), byExternal(okta, "00u-ann"), byEmail("a@okta.test"), byEmail("ann@a.test")) {
		sub := f.subject(k, directory.Stamp{})
		if sub.Found != directory.One || sub.ID != ann || sub.Inactive || len(sub.Memberships) != 1 || len(sub.Sources) != 2 {
			t.Errorf("Subject(%v) = %+v, want ann of both sources in eng", k, sub)
		}
	}
	i, err := s.Identity(t.Context(), okta, c.ID)
	if err != nil || i.User != ann || i.ID == ann {
		t.Errorf("Identity = %+v, %v; want one of its own of ann", i, err)
	}
	u, err := s.User(t.Context(), c.ID)
	if err != nil || u.ID != ann || len(u.Identities) != 2 || u.Shown() == nil || u.Shown().Source != okta {
		t.Errorf("User = %+v, %v; want ann, shown as okta, which is first, says", u, err)
	}
	f.apply(directory.ReplaceUser{ID: c.ID, Source: okta, Profile: directory.Profile{UserName: "ann", ExternalID: "00u-ann"}})
	if sub := f.subject(byID(ann), directory.Stamp{}); !sub.Inactive {
		t.Errorf("with one inactive identity ann is %+v, want inactive", sub)
	}
	f.apply(directory.DeleteUser{ID: c.ID, Source: okta})
	if sub := f.subject(byName("ann"), directory.Stamp{}); sub.Found != directory.One || !sub.Inactive || len(sub.Memberships) != 0 {
		t.Errorf("with one deleted identity ann is %+v, want living, inactive and out of okta's groups", sub)
	}
}

func testOneIdentityOfASource(t *testing.T, s directory.Store) {
	f := fill(t, s)
	ann := f.user(corp, "ann")
	first := f.join(okta, ann, profile("ann"))
	second := createUser(okta, directory.Profile{UserName: "ann2", ExternalID: "other"})
	second.User = ann
	f.taken("identity", string(first), okta, second)
	f.apply(directory.DeleteUser{ID: first, Source: okta})
	f.taken("identity", string(first), okta, second) // a deleted one is one, until it is detached
	f.apply(directory.DetachUser{Source: okta, Value: string(first)}, directory.LinkUser{Source: okta, Value: "other", User: ann})
	second.User = "" // the link says who
	f.apply(second)

	second.ID, second.User = directory.UserID(directory.NewID()), directory.UserID(directory.NewID())
	second.Profile.UserName, second.Profile.ExternalID = "nobody", "nobody"
	f.refused(directory.ErrNotFound, tester, second)
}

func testHolderIsOwn(t *testing.T, s directory.Store) {
	f := fill(t, s)
	ann := f.user(corp, "ann")
	own := f.join(okta, ann, profile("ann"))
	f.taken("userName", string(own), okta, createUser(okta, directory.Profile{UserName: "ann"}))
	f.taken("userName", string(ann), corp, createUser(corp, directory.Profile{UserName: "ann"}))
}

func testLinkByHand(t *testing.T, s directory.Store) {
	f := fill(t, s)
	ann, bob := f.user(corp, "ann"), f.user(corp, "bob")
	link := directory.LinkUser{Source: okta, Value: "00u1", User: ann}
	f.apply(link)
	f.unchanged(link)
	f.apply(directory.LinkUser{Source: okta, Value: "Bob@Okta.test", User: bob})

	other := f.user(okta, "other") // is not concerned
	if i, err := s.Identity(t.Context(), okta, other); err != nil || i.User != other {
		t.Errorf("Identity = %+v, %v; want a user of its own", i, err)
	}
	byExternalID := createUser(okta, directory.Profile{UserName: "ann", ExternalID: "00u1", Active: true})
	byUserName := createUser(okta, directory.Profile{UserName: "bob@okta.test", ExternalID: "00u2", Active: true})
	f.apply(byExternalID, byUserName)
	for id, want := range map[directory.UserID]directory.UserID{byExternalID.ID: ann, byUserName.ID: bob} {
		if i, err := s.Identity(t.Context(), okta, id); err != nil || i.User != want {
			t.Errorf("Identity(%s) = %+v, %v; want it joined to %s", id, i, err, want)
		}
	}
	f.taken("identity", string(byExternalID.ID), okta, directory.LinkUser{Source: okta, Value: "00u9", User: ann})
	eve := f.user(corp, "eve")
	f.taken("externalId", string(byExternalID.ID), okta, directory.LinkUser{Source: okta, Value: "00u1", User: eve})
	f.taken("userName", string(other), okta, directory.LinkUser{Source: okta, Value: "other", User: eve})
	f.refused(directory.ErrNotFound, tester, directory.LinkUser{Source: okta, Value: "z", User: directory.UserID(directory.NewID())})
	f.refused(directory.ErrNotFound, tester, directory.LinkUser{Source: "nosuch", Value: "z", User: eve})
	f.refused(directory.ErrInvalid, tester, directory.LinkUser{Source: directory.Local, Value: "z", User: eve})
}

func testLinkEnds(t *testing.T, s directory.Store) {
	f := fill(t, s)
	ann, bob, eve := f.user(corp, "ann"), f.user(corp, "bob"), f.user(corp, "eve")
	f.apply(directory.LinkUser{Source: okta, Value: "u1", User: ann}, directory.LinkUser{Source: okta, Value: "u2", User: bob})
	f.apply(directory.LinkUser{Source: okta, Value: "u1"})
	f.unchanged(directory.LinkUser{Source: okta, Value: "u1"})
	f.taken("userName", string(ann), corp, createUser(okta, directory.Profile{UserName: "ann", ExternalID: "u1"}))
	f.apply(directory.DeleteUser{ID: bob, Source: corp})
	free := createUser(okta, directory.Profile{UserName: "bob", ExternalID: "u2"})
	f.apply(free)
	if i, err := s.Identity(t.Context(), okta, free.ID); err != nil || i.User != free.ID {
		t.Errorf("Identity = %+v, %v; want a new user", i, err)
	}
	f.apply(directory.LinkUser{Source: okta, Value: "u3", User: eve})
	f.apply(directory.SetSourceState{Source: okta, State: directory.SourceDisabled}, directory.RemoveSource{Source: okta})
	f.apply(directory.PutSource{Source: directory.Source{Name: okta, Kind: directory.KindSCIM}})
	f.taken("userName", string(eve), corp, createUser(okta, directory.Profile{UserName: "eve", ExternalID: "u3"}))
}

func testRevive(t *testing.T, s directory.Store) {
	f := fill(t, s)
	ann := f.user(corp, "ann")
	own := f.join(okta, ann, profile("ann", "ann@okta.test"))
	eng := f.group(okta, "eng", own)
	f.apply(directory.DeleteUser{ID: own, Source: okta})
	f.taken("userName", string(ann), corp, createUser(okta, directory.Profile{UserName: "ann", ExternalID: "another"}))
	f.taken("userName", string(ann), corp, createUser(okta, directory.Profile{UserName: "ann"}))

	again := createUser(okta, profile("ann", "ann@okta.test"))
	again.User = ann // as whoever links finds
	f.names(f.feed(again), keys(byID(ann), byID(own), byExternal(okta, "x-ann"), byEmail("ann@okta.test")), byID(again.ID))
	i, err := s.Identity(t.Context(), okta, own)
	if err != nil || i.User != ann || i.Presence != directory.Present {
		t.Errorf("Identity = %+v, %v; want the old one, present", i, err)
	}
	sub := f.subject(byEmail("ann@okta.test"), directory.Stamp{})
	if sub.ID != ann || sub.Inactive || len(sub.Memberships) != 0 {
		t.Errorf("Subject = %+v, want ann active; the membership in %s had ended", sub, eng)
	}
	if _, err := s.Identity(t.Context(), okta, again.ID); err == nil {
		t.Error("the id of the change names an identity, too")
	}
	f.apply(directory.DeleteUser{ID: own, Source: okta}, directory.DeleteUser{ID: ann, Source: corp})
	again.User = ""
	f.apply(again) // of a deleted user nothing is remembered
	if i, err := s.Identity(t.Context(), okta, again.ID); err != nil || i.User != again.ID {
		t.Errorf("Identity = %+v, %v; want a new user", i, err)
	}
}

func testDetach(t *testing.T, s directory.Store) {
	f := fill(t, s)
	ann := f.user(okta, "ann", "ann@okta.test") // the first identity
	own := f.join(corp, ann, directory.Profile{UserName: "ann", ExternalID: "guid", Active: true})
	eng, ops := f.group(okta, "eng", ann), f.group(corp, "ops", own)
	f.apply(directory.DeleteUser{ID: ann, Source: okta})
	if sub := f.subject(byID(ann), directory.Stamp{}); !sub.Inactive {
		t.Errorf("Subject = %+v, want inactive", sub)
	}
	f.names(f.feed(directory.DetachUser{Source: okta, Value: "x-ann"}), keys(byID(ann)))
	sub := f.subject(byID(ann), directory.Stamp{})
	if sub.Found != directory.One || sub.Inactive || len(sub.Sources) != 1 || len(sub.Memberships) != 1 || sub.Memberships[0].Group != f.num(ops) {
		t.Errorf("after Detach Subject = %+v, want active, of corp, in ops and not in %s", sub, eng)
	}
	u, err := s.User(t.Context(), ann)
	if err != nil || u.ID != ann || len(u.Identities) != 1 {
		t.Errorf("User = %+v, %v; want one identity", u, err)
	}
	f.refused(directory.ErrNotFound, tester, directory.DetachUser{Source: okta, Value: "x-ann"})
	f.refused(directory.ErrNotFound, tester, directory.DetachUser{Source: okta, Value: string(ann)})
	f.refused(directory.ErrInvalid, tester, directory.CreateUser{ID: ann, Source: okta, Profile: profile("ann9")})

	f.apply(directory.LinkUser{Source: okta, Value: "x-ann", User: ann})
	present := f.join(okta, "", profile("ann"))
	f.apply(directory.AddMembers{Group: eng, Source: okta, Values: []string{string(present)}})
	f.apply(directory.DetachUser{Source: okta, Value: string(present)})
	sub = f.subject(byID(ann), directory.Stamp{})
	if sub.Inactive || len(sub.Memberships) != 1 || f.subject(byExternal(okta, "x-ann"), directory.Stamp{}).Found != directory.Unknown {
		t.Errorf("after Detach of a present one Subject = %+v, want it out of eng, and its keys free", sub)
	}
	if sub := f.subject(byID(present), directory.Stamp{}); sub.Found != directory.Unknown {
		t.Errorf("the detached id names %+v, want nobody", sub)
	}
}

func testDetachKeepsApart(t *testing.T, s directory.Store) {
	f := fill(t, s)
	ann, bob := f.user(corp, "ann"), f.user(corp, "bob")
	f.apply(directory.DetachUser{Source: okta, Value: string(f.join(okta, ann, profile("ann")))})
	apart := func(u directory.UserID) []directory.SourceName {
		t.Helper()
		got, err := s.User(t.Context(), u)
		if err != nil {
			t.Fatal(err)
		}
		return got.Detached
	}
	if got := apart(ann); !slices.Equal(got, []directory.SourceName{okta}) {
		t.Errorf("ann is kept apart from %v, want okta", got)
	}
	if got := apart(bob); len(got) != 0 {
		t.Errorf("bob is kept apart from %v, want none", got)
	}
	again := createUser(okta, directory.Profile{UserName: "ann", ExternalID: "again", Active: true})
	again.User = ann
	f.taken("identity", string(ann), okta, again)
	again.User, again.Profile.UserName = bob, "bob"
	f.apply(again)

	f.apply(directory.LinkUser{Source: okta, Value: "by-hand", User: ann})
	if got := apart(ann); len(got) != 1 {
		t.Errorf("a link that nobody has joined by yet leaves ann apart from %v, want okta", got)
	}
	byHand := createUser(okta, directory.Profile{UserName: "ann.b", ExternalID: "by-hand", Active: true})
	f.apply(byHand)
	if i, err := s.Identity(t.Context(), okta, byHand.ID); err != nil || i.User != ann {
		t.Errorf("Identity = %+v, %v; want it joined to ann", i, err)
	}
	if got := apart(ann); len(got) != 0 {
		t.Errorf("after one joined by hand ann is kept apart from %v, want none", got)
	}
	f.apply(directory.DetachUser{Source: okta, Value: "by-hand"}, directory.SetSourceState{Source: okta, State: directory.SourceDisabled},
		directory.RemoveSource{Source: okta})
	if got := apart(ann); len(got) != 0 {
		t.Errorf("after the source is removed ann is kept apart from %v, want none", got)
	}
}

func testDetachOnly(t *testing.T, s directory.Store) {
	f := fill(t, s)
	ann := f.user(okta, "ann")
	f.refused(directory.ErrInUse, tester, directory.DetachUser{Source: okta, Value: string(ann)})
	own := f.join(corp, ann, directory.Profile{UserName: "ann", Active: true})
	f.apply(directory.DeleteUser{ID: ann, Source: okta})
	f.refused(directory.ErrInUse, tester, directory.DetachUser{Source: corp, Value: string(own)})
}

func testRestore(t *testing.T, s directory.Store) {
	f := fill(t, s)
	ann := f.user(okta, "ann", "ann@a.test")
	gone := f.join(corp, ann, directory.Profile{UserName: "ann", ExternalID: "guid", Active: true})
	eng := f.group(okta, "eng", ann)
	f.apply(directory.PutGrant{Grant: directory.Grant{User: ann, Role: directory.RoleOwner}},
		directory.SetBlock{User: ann, Blocked: true, Reason: "on leave"})
	f.apply(directory.DeleteUser{ID: gone, Source: corp})
	f.apply(directory.DeleteUser{ID: ann, Source: okta})
	f.names(f.feed(directory.RestoreUser{User: ann}), keys(byID(ann), byName("ann"), byEmail("ann@a.test"), byExternal(okta, "x-ann")))
	sub := f.subject(byEmail("ann@a.test"), directory.Stamp{})
	if sub.ID != ann || !sub.Blocked || !sub.Inactive || len(sub.Memberships)+len(sub.Grants) != 0 {
		t.Errorf("Subject = %+v; want ann blocked and inactive by corp as before, in no group, without grants", sub)
	}
	f.apply(directory.DetachUser{Source: corp, Value: "guid"}, directory.SetBlock{User: ann})
	if sub := f.subject(byName("ann"), directory.Stamp{}); sub.Inactive {
		t.Errorf("Subject = %+v, want active", sub)
	}
	i, err := s.Identity(t.Context(), okta, ann)
	if err != nil || !i.Active || i.ExternalID != "x-ann" || i.Presence != directory.Present {
		t.Errorf("Identity = %+v, %v; want it as it was", i, err)
	}
	f.unchanged(directory.RestoreUser{User: ann})
	f.apply(directory.AddMembers{Group: eng, Source: okta, Values: []string{"x-ann"}})
	if sub := f.subject(byName("ann"), directory.Stamp{}); len(sub.Memberships) != 1 {
		t.Errorf("Subject = %+v, want a member again", sub)
	}
}

func testRestoreTaken(t *testing.T, s directory.Store) {
	f := fill(t, s)
	ann := f.user(okta, "ann")
	f.apply(directory.DeleteUser{ID: ann, Source: okta})
	heir := f.user(corp, "ann")
	f.taken("userName", string(heir), corp, directory.RestoreUser{User: ann})
	f.apply(directory.ReplaceUser{ID: heir, Source: corp, Profile: directory.Profile{UserName: "bea"}})
	again := createUser(okta, directory.Profile{UserName: "new", ExternalID: "x-ann"})
	f.apply(again)
	f.taken("externalId", string(again.ID), okta, directory.RestoreUser{User: ann})
}

func testRestoreOfRemovedSource(t *testing.T, s directory.Store) {
	f := fill(t, s)
	ann := f.user(okta, "ann")
	f.apply(directory.SetSourceState{Source: okta, State: directory.SourceDisabled}, directory.RemoveSource{Source: okta})
	f.apply(directory.RestoreUser{User: ann})
	u, err := s.User(t.Context(), ann)
	if err != nil || len(u.Identities) != 1 || u.Identities[0].Source != directory.Local || !u.DeletedSince.IsZero() {
		t.Errorf("User = %+v, %v; want it local", u, err)
	}
}

func testRestoreNone(t *testing.T, s directory.Store) {
	f := fill(t, s)
	ann, bob := f.user(okta, "ann"), f.user(okta, "bob")
	f.unchanged(directory.RestoreUser{User: ann})
	f.refused(directory.ErrNotFound, tester, directory.RestoreUser{User: directory.UserID(directory.NewID())})
	f.refused(directory.ErrInUse, tester, directory.EraseUser{User: bob})
	f.refused(directory.ErrNotFound, tester, directory.EraseUser{User: directory.UserID(directory.NewID())})
	f.apply(directory.DeleteUser{ID: bob, Source: okta}, directory.EraseUser{User: bob})
	f.unchanged(directory.EraseUser{User: bob})
	f.refused(directory.ErrNotFound, tester, directory.RestoreUser{User: bob})
}

func testErase(t *testing.T, s directory.Store) {
	f := fill(t, s)
	eng := f.group(okta, "eng")
	f.apply(directory.AddMembers{Group: eng, Source: okta, Values: []string{"x-canary"}}) // pending first
	p := profile("canary", "canary@a.test")
	p.Attributes = json.RawMessage(`{"title": "canary of the mine"}`)
	c := createUser(okta, p)
	before := f.apply(c)
	f.apply(directory.SetBlock{User: c.ID, Blocked: true, Reason: "canary left"})
	revision := before.Revision
	entries := []directory.Request{
		{ID: "r1", Source: okta, Time: day(1), Path: "/Users", Status: 201, Revision: revision, Body: json.RawMessage(`{"userName":"x"}`)},
		{ID: "r2", Source: okta, Time: day(2), Path: "/Users/" + string(c.ID), Status: 200, Body: json.RawMessage(`{"a":1}`)},
		{ID: "r3", Source: okta, Time: day(3), Path: "/Users", Status: 409, Body: json.RawMessage(`{"userName":"CANARY"}`)},
		{ID: "r4", Source: okta, Time: day(4), Path: "/Groups/g", Status: 200, Body: json.RawMessage(`[{"path":"emails[value eq \"canary@a.test\"]"}]`)},
		{ID: "r5", Source: okta, Time: day(5), Path: "/Users", Status: 201, Body: json.RawMessage(`{"userName":"canary2"}`)},
	}
	if err := s.LogRequests(t.Context(), entries...); err != nil {
		t.Fatal(err)
	}
	n, err := s.EraseRequests(t.Context(), []directory.UserID{c.ID}, []string{"canary", "x-canary", "canary@a.test"})
	if n != 4 || err != nil {
		t.Errorf("EraseRequests = %d, %v; want 4", n, err)
	}
	log, err := s.Requests(t.Context(), okta, 10)
	if err != nil || len(log) != 5 || string(log[0].Body) != `{"userName":"canary2"}` {
		t.Errorf("Requests = %+v, %v; want all five, and that of somebody else as it was", log, err)
	}
	for _, r := range log[1:] {
		if string(r.Body) != `{"erased":true}` || r.Detail != "" {
			t.Errorf("Request = %+v, want it erased", r)
		}
	}
	f.apply(directory.DeleteUser{ID: c.ID, Source: okta}, directory.EraseUser{User: c.ID})
	u, err := s.User(t.Context(), c.ID)
	text, _ := json.Marshal(u)
	if err != nil || strings.Contains(string(text), "anary") {
		t.Errorf("User = %s, %v; want nothing personal", text, err)
	}
	for _, k := range keys(byName("canary"), byEmail("canary@a.test"), byExternal(okta, "x-canary")) {
		if sub := f.subject(k, before); sub.Found != directory.Unknown {
			t.Errorf("in the past Subject(%v) = %+v, want unknown", k, sub)
		}
	}
	if sub := f.subject(byID(c.ID), before); sub.Found != directory.One {
		t.Errorf("in the past Subject by id = %+v, want it known", sub)
	}
	f.user(okta, "canary") // the name is free
}

func testPeopleAreOurs(t *testing.T, s directory.Store) {
	f := fill(t, s)
	ann, bob := f.user(okta, "ann"), f.user(okta, "bob")
	f.apply(directory.DeleteUser{ID: bob, Source: okta})
	for _, c := range []directory.Change{
		directory.LinkUser{Source: okta, Value: "x", User: ann},
		directory.DetachUser{Source: okta, Value: string(ann)},
		directory.RestoreUser{User: bob},
		directory.EraseUser{User: bob},
		directory.LimitToken{ID: "x", Expires: day(1)},
	} {
		f.refused(directory.ErrNotOwner, asSource(okta), c)
	}
}

func testRehearse(t *testing.T, s directory.Store) {
	f := fill(t, s)
	ann, eng := f.user(okta, "ann"), f.group(okta, "eng")
	before := f.head()
	text, err := s.Rehearse(t.Context(), tester, directory.AddMembers{Group: eng, Source: okta, Values: []string{string(ann)}},
		directory.SetBlock{User: ann, Blocked: true})
	var effects []struct{ Type, Target string }
	if err != nil || json.Unmarshal(text, &effects) != nil || len(effects) != 2 {
		t.Errorf("Rehearse = %s, %v; want two effects", text, err)
	}
	if f.head() != before {
		t.Errorf("a rehearsal moved the head from %v to %v", before, f.head())
	}
	if sub := f.subject(byID(ann), directory.Stamp{}); sub.Blocked || len(sub.Memberships) != 0 {
		t.Errorf("after a rehearsal ann is %+v, want as before", sub)
	}
	if text, err := s.Rehearse(t.Context(), tester, directory.SetBlock{User: ann}); err != nil || string(text) != "[]" {
		t.Errorf("Rehearse of what alters nothing = %s, %v; want []", text, err)
	}
	if _, err := s.Rehearse(t.Context(), tester, createUser(okta, profile("ann"))); err == nil {
		t.Error("Rehearse of what is refused succeeds")
	}
	f.apply(directory.SetBlock{User: ann, Blocked: true})
}

func testLimitToken(t *testing.T, s directory.Store) {
	f := fill(t, s)
	end := time.Now().Add(time.Hour).UTC().Truncate(time.Millisecond)
	f.apply(directory.CreateToken{Token: directory.Token{ID: "t1", Kind: directory.TokenSCIM, Source: okta, Name: "t", Expires: end}, Hash: []byte{1}})
	f.unchanged(directory.LimitToken{ID: "t1", Expires: end.Add(time.Hour)})
	early := end.Add(-30 * time.Minute)
	if r := f.feed(directory.LimitToken{ID: "t1", Expires: early}); !r.Policy {
		t.Errorf("the feed record is %+v, want it to say that tokens changed", r)
	}
	if tokens, err := s.Tokens(t.Context()); err != nil || len(tokens) != 1 || !tokens[0].Expires.Equal(early) {
		t.Errorf("Tokens = %+v, %v; want it to end at %v", tokens, err, early)
	}
	f.refused(directory.ErrNotFound, tester, directory.LimitToken{ID: "nosuch", Expires: early})
}

// day returns a time of the provisioning log.
func day(n int) time.Time { return time.Date(2026, 5, n, 0, 0, 0, 0, time.UTC) }
