package storetest

import (
	"bytes"
	"encoding/json"
	"errors"
	"slices"
	"testing"

	"github.com/usherd/usherd/directory"
)

var applyUserCases = []testCase{
	{"a userName belongs to one living user of any source", testUserNameIsUnique},
	{"an externalId belongs to one identity of a source", testExternalIDIsUnique},
	{"an id is never used again", testIDsAreNotReused},
	{"whoever gets a freed userName inherits nothing", testFreedNameInheritsNothing},
	{"replacing a user makes it present", testReplaceMakesPresent},
	{"a version grows by one with each change", testIdentityVersion},
	{"deleting a user ends memberships, grants and overrides", testDeleteUserEndsAll},
	{"a user's type follows its identity", testUserType},
	{"a block is ours and stays", testBlockStays},
	{"the feed names keys when they come to name somebody else", testUserFeed},
	{"the audit trail names attributes, not what they hold", testAuditIsImpersonal},
}

func (f fixture) taken(attribute string, holder string, source directory.SourceName, c directory.Change) {
	f.Helper()
	before := f.head()
	_, err := f.Apply(f.Context(), tester, c)
	taken, ok := errors.AsType[*directory.TakenError](err)
	if !ok || taken.Attribute != attribute || taken.Holder != holder || taken.Source != source || !errors.Is(err, directory.ErrExists) {
		f.Errorf("Apply(%+v) = %v; want %s taken by %s of %s", c, err, attribute, holder, source)
	}
	if f.head() != before {
		f.Errorf("a refused Apply moved the head from %v to %v", before, f.head())
	}
}

func createUser(source directory.SourceName, p directory.Profile) directory.CreateUser {
	return directory.CreateUser{ID: directory.UserID(directory.NewID()), Source: source, Profile: p}
}

func testUserNameIsUnique(t *testing.T, s directory.Store) {
	f := fill(t, s)
	ann, bob := f.user(okta, "ann"), f.user(corp, "bob")
	other := func(name string) directory.Profile { return directory.Profile{UserName: name, Active: true} }
	f.taken("userName", string(ann), okta, createUser(okta, other("ANN")))
	f.taken("userName", string(ann), okta, createUser(corp, other("ann")))
	f.taken("userName", string(ann), okta, createUser(directory.Local, other("ａｎｎ")))
	f.taken("userName", string(bob), corp, directory.ReplaceUser{ID: ann, Source: okta, Profile: other("Bob")})
	f.apply(directory.SetPresence{ID: bob, Source: corp, Presence: directory.Gone})
	f.taken("userName", string(bob), corp, createUser(okta, other("bob"))) // the inactive keep theirs
	f.apply(directory.DeleteUser{ID: bob, Source: corp})
	f.apply(createUser(okta, other("bob")))
	f.apply(directory.ReplaceUser{ID: ann, Source: okta, Profile: other("Ann")}) // one's own name in other letters
}

func testExternalIDIsUnique(t *testing.T, s directory.Store) {
	f := fill(t, s)
	ann := f.user(okta, "ann")
	bob := f.user(okta, "bob")
	f.taken("externalId", string(ann), okta, createUser(okta, directory.Profile{UserName: "x", ExternalID: "x-ann"}))
	f.taken("externalId", string(ann), okta, directory.ReplaceUser{ID: bob, Source: okta, Profile: directory.Profile{UserName: "bob", ExternalID: "x-ann"}})
	f.apply(createUser(okta, directory.Profile{UserName: "x", ExternalID: "X-ANN"})) // case-exact
	f.apply(createUser(corp, directory.Profile{UserName: "y", ExternalID: "x-ann"})) // of another source
	f.apply(directory.CreateGroup{ID: directory.GroupID(directory.NewID()), Source: okta, Name: "g", ExternalID: "x-ann"})
	f.apply(directory.DeleteUser{ID: ann, Source: okta})
	f.apply(createUser(okta, directory.Profile{UserName: "z", ExternalID: "x-ann"}))

	_, err := s.Apply(t.Context(), tester, createUser(okta, directory.Profile{UserName: "w", ExternalID: "x-bob"}))
	if taken, ok := errors.AsType[*directory.TakenError](err); !ok || !taken.Active {
		t.Errorf("Apply of the externalId of somebody active = %v, want it said", err)
	}
	f.apply(directory.ReplaceUser{ID: bob, Source: okta, Profile: directory.Profile{UserName: "bob", ExternalID: "x-bob", Active: false}})
	_, err = s.Apply(t.Context(), tester, createUser(okta, directory.Profile{UserName: "w", ExternalID: "x-bob"}))
	if taken, ok := errors.AsType[*directory.TakenError](err); !ok || taken.Active {
		t.Errorf("Apply of the externalId of somebody inactive = %v, want it said", err)
	}
}

func testIDsAreNotReused(t *testing.T, s directory.Store) {
	f := fill(t, s)
	ann, eng := f.user(okta, "ann"), f.group(okta, "eng")
	f.apply(directory.DeleteUser{ID: ann, Source: okta}, directory.DeleteGroup{ID: eng, Source: okta})
	f.refused(directory.ErrInvalid, tester, directory.CreateUser{ID: ann, Source: okta, Profile: profile("ann")})
	f.refused(directory.ErrInvalid, tester, directory.CreateGroup{ID: eng, Source: okta, Name: "eng"})
	f.refused(directory.ErrNotFound, tester, directory.DeleteUser{ID: ann, Source: okta})
	f.refused(directory.ErrNotFound, tester, directory.DeleteGroup{ID: eng, Source: okta})
}

func testFreedNameInheritsNothing(t *testing.T, s directory.Store) {
	f := fill(t, s)
	ann := f.user(okta, "ann", "ann@a.test")
	eng := f.group(okta, "eng", ann)
	f.apply(directory.PutGrant{Grant: directory.Grant{User: ann, Role: directory.RoleOwner}}, directory.SetBlock{User: ann, Blocked: true})
	f.apply(directory.DeleteUser{ID: ann, Source: okta})
	heir := f.user(okta, "ann", "ann@a.test")
	for _, k := range keys(byID(heir), byName("ann"), byEmail("ann@a.test"), byExternal(okta, "x-ann")) {
		sub := f.subject(k, directory.Stamp{})
		if sub.ID != heir || sub.Found != directory.One || len(sub.Memberships)+len(sub.Grants)+len(sub.Overrides) != 0 || sub.Blocked || sub.Inactive {
			t.Errorf("Subject(%v) = %+v, want %s with nothing", k, sub, heir)
		}
	}
	if sub := f.subject(byID(ann), directory.Stamp{}); sub.Found != directory.Unknown {
		t.Errorf("the deleted user is %+v, want unknown", sub)
	}
	if g, err := s.Group(t.Context(), okta, eng); err != nil || g.Members != 0 {
		t.Errorf("Group = %+v, %v; want no members", g, err)
	}
}

func testReplaceMakesPresent(t *testing.T, s directory.Store) {
	f := fill(t, s)
	ann := f.user(corp, "ann")
	f.apply(directory.SetPresence{ID: ann, Source: corp, Presence: directory.Gone})
	if sub := f.subject(byID(ann), directory.Stamp{}); !sub.Inactive {
		t.Errorf("a gone user is %+v, want inactive", sub)
	}
	f.apply(directory.ReplaceUser{ID: ann, Source: corp, Profile: profile("ann")})
	i, err := s.Identity(t.Context(), corp, ann)
	if err != nil || i.Presence != directory.Present || !i.GoneSince.IsZero() {
		t.Errorf("Identity = %+v, %v; want present", i, err)
	}
	if sub := f.subject(byID(ann), directory.Stamp{}); sub.Inactive {
		t.Errorf("a user who is back is %+v, want active", sub)
	}
}

func testIdentityVersion(t *testing.T, s directory.Store) {
	f := fill(t, s)
	ann := f.user(okta, "ann")
	p := profile("ann")
	for want, c := range []directory.Change{
		directory.ReplaceUser{ID: ann, Source: okta, Profile: p}, // equal
		directory.ReplaceUser{ID: ann, Source: okta, Profile: directory.Profile{UserName: "ann"}},
		directory.SetPresence{ID: ann, Source: okta, Presence: directory.Gone},
		directory.SetPresence{ID: ann, Source: okta, Presence: directory.Present},
	} {
		f.apply(c)
		if i, err := s.Identity(t.Context(), okta, ann); err != nil || i.Version != int64(want+1) {
			t.Errorf("after %+v Identity = version %d, %v; want %d", c, i.Version, err, want+1)
		}
	}
	f.apply(directory.SetBlock{User: ann, Blocked: true}) // ours, not the identity's
	if i, err := s.Identity(t.Context(), okta, ann); err != nil || i.Version != 4 {
		t.Errorf("after a block Identity = version %d, %v; want 4", i.Version, err)
	}
}

func testDeleteUserEndsAll(t *testing.T, s directory.Store) {
	f := fill(t, s)
	ann, bob := f.user(okta, "ann"), f.user(okta, "bob")
	eng, kids := f.group(okta, "eng", ann, bob), f.group(directory.Local, "kids", ann)
	f.apply(directory.PutGrant{Grant: directory.Grant{User: ann, Role: directory.RoleViewer}})
	before := f.apply(directory.SetOverride{User: ann})
	f.apply(directory.AddMembers{Group: kids, Source: directory.Local, Values: []string{string(ann)}})
	at := f.apply(directory.DeleteUser{ID: ann, Source: okta})
	if sub := f.subject(byID(ann), at); sub.Found != directory.Unknown {
		t.Errorf("Subject = %+v, want unknown", sub)
	}
	if sub := f.subject(byID(ann), before); sub.Found != directory.One || len(sub.Overrides) != 1 || len(sub.Memberships) != 1 {
		t.Errorf("Subject before = %+v, want it as it was", sub)
	}
	for _, id := range []directory.GroupID{eng, kids} {
		want := map[directory.GroupID]int{eng: 1, kids: 0}[id]
		if g, err := s.Group(t.Context(), "", id); err != nil || g.Members != want {
			t.Errorf("Group = %+v, %v; want %d members", g, err, want)
		}
	}
	if g, err := s.Grants(t.Context(), ann, ""); err != nil || len(g) != 0 {
		t.Errorf("Grants = %v, %v; want none", g, err)
	}
	if o, err := s.Overrides(t.Context(), ann); err != nil || len(o) != 0 {
		t.Errorf("Overrides = %v, %v; want none", o, err)
	}
	u, err := s.User(t.Context(), ann)
	if err != nil || u.DeletedSince.IsZero() {
		t.Errorf("User = %+v, %v; want it deleted", u, err)
	}
	for _, c := range []directory.Change{
		directory.SetBlock{User: ann, Blocked: true},
		directory.PutGrant{Grant: directory.Grant{User: ann, Role: directory.RoleViewer}},
		directory.SetOverride{User: ann},
		directory.ReplaceUser{ID: ann, Source: okta, Profile: profile("ann")},
	} {
		f.refused(directory.ErrNotFound, tester, c)
	}
}

func testUserType(t *testing.T, s directory.Store) {
	f := fill(t, s)
	ann := f.user(okta, "ann")
	p := profile("ann")
	p.Type = directory.Service
	f.apply(directory.ReplaceUser{ID: ann, Source: okta, Profile: p})
	if sub := f.subject(byID(ann), directory.Stamp{}); sub.Type != directory.Service {
		t.Errorf("Subject = %+v, want a service", sub)
	}
	if u, err := s.User(t.Context(), ann); err != nil || u.Type != directory.Service {
		t.Errorf("User = %+v, %v; want a service", u, err)
	}
}

func testBlockStays(t *testing.T, s directory.Store) {
	f := fill(t, s)
	ann := f.user(okta, "ann")
	f.apply(directory.SetBlock{User: ann, Blocked: true, Reason: "left"})
	f.apply(directory.ReplaceUser{ID: ann, Source: okta, Profile: directory.Profile{UserName: "ann", Active: true, DisplayName: "A"}})
	u, err := s.User(t.Context(), ann)
	if err != nil || !u.Blocked || u.BlockReason != "left" {
		t.Errorf("User = %+v, %v; want it blocked", u, err)
	}
	f.apply(directory.SetBlock{User: ann})
	if u, err = s.User(t.Context(), ann); err != nil || u.Blocked || u.BlockReason != "" {
		t.Errorf("User = %+v, %v; want it not blocked", u, err)
	}
}

func testUserFeed(t *testing.T, s directory.Store) {
	f := fill(t, s)
	c := createUser(okta, profile("ann", "a@a.test"))
	old := keys(byName("ann"), byEmail("a@a.test"), byExternal(okta, "x-ann"))
	f.names(f.feed(c), append(old, byID(c.ID)))

	p := profile("ann", "a@a.test")
	p.Active, p.Attributes = false, json.RawMessage(`{"title":"x"}`)
	f.names(f.feed(directory.ReplaceUser{ID: c.ID, Source: okta, Profile: p}), keys(byID(c.ID)), old...)
	f.names(f.feed(directory.SetBlock{User: c.ID, Blocked: true}), keys(byID(c.ID)), old...)

	p = directory.Profile{UserName: "Anna", ExternalID: "7", Emails: []directory.Email{{Value: "B@a.test"}}}
	fresh := keys(byName("anna"), byEmail("b@a.test"), byExternal(okta, "7"))
	f.names(f.feed(directory.ReplaceUser{ID: c.ID, Source: okta, Profile: p}), slices.Concat(old, fresh, keys(byID(c.ID))))
	f.names(f.feed(directory.DeleteUser{ID: c.ID, Source: okta}), append(fresh, byID(c.ID)), old...)

	bob := f.user(okta, "bob")
	eng := f.group(okta, "eng")
	r := f.feed(directory.AddMembers{Group: eng, Source: okta, Values: []string{string(bob)}})
	f.names(r, keys(byID(bob)), byName("bob"))
	if len(r.Groups) != 0 || r.Policy {
		t.Errorf("the feed of a new member names the groups %v, policy %v; want none", r.Groups, r.Policy)
	}
}

func testAuditIsImpersonal(t *testing.T, s directory.Store) {
	f := fill(t, s)
	at := f.head()
	ann := createUser(okta, directory.Profile{
		UserName: "canary-1", ExternalID: "canary-2", DisplayName: "canary-3",
		Emails: []directory.Email{{Value: "canary-4@a.test"}}, Attributes: json.RawMessage(`{"title":"canary-5"}`),
	})
	f.apply(ann)
	f.apply(directory.ReplaceUser{ID: ann.ID, Source: okta, Profile: directory.Profile{
		UserName:   "canary-6",
		Attributes: json.RawMessage(`{"nickName":"canary-7","canary 8":1}`),
	}})
	g := directory.CreateGroup{ID: directory.GroupID(directory.NewID()), Source: okta, Name: "g"}
	f.apply(g, directory.AddMembers{Group: g.ID, Source: okta, Values: []string{"canary-9", string(ann.ID)}})
	f.apply(directory.SetBlock{User: ann.ID, Blocked: true, Reason: "canary-10"})
	records, err := s.Audit(t.Context(), at.Revision, 10)
	if err != nil || len(records) != 4 {
		t.Fatalf("Audit = %d records, %v; want 4", len(records), err)
	}
	for _, r := range records {
		if bytes.Contains(r.Changes, []byte("canary")) {
			t.Errorf("the audit record %s holds personal data", r.Changes)
		}
	}
	var effects []struct {
		Type, Target, Digest string
		Attributes           []string
	}
	if err := json.Unmarshal(records[1].Changes, &effects); err != nil || len(effects) != 1 {
		t.Fatalf("the audit record is %s, %v; want one effect", records[1].Changes, err)
	}
	want := []string{"userName", "externalId", "displayName", "emails", "attributes", "nickName", "title"}
	if e := effects[0]; e.Type != "user.replaced" || e.Target != string(ann.ID) || len(e.Digest) != 64 || diff(want, e.Attributes) != "" {
		t.Errorf("the effect is %+v, want user.replaced of %s in %v", e, ann.ID, want)
	}
}
