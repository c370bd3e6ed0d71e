package storetest

import (
	"encoding/json"
	"slices"
	"testing"

	"github.com/usherd/usherd/directory"
)

var listingCases = []testCase{
	{"lists show every user once, with what is shown of each identity", testPersonRows},
	{"whoever keeps groups learns from their versions which to read again", testGroupVersions},
	{"what becomes of newcomers is known beforehand", testClaims},
}

func testPersonRows(t *testing.T, s directory.Store) {
	f := fill(t, s)
	ann, ben, gone := f.user(okta, "Ann"), f.user(corp, "ben"), f.user(okta, "gone")
	rich := profile("cleo", "second@corp.test")
	rich.Type = directory.Service
	rich.Emails = append(rich.Emails, directory.Email{Value: "First@corp.test", Primary: true})
	rich.Attributes = json.RawMessage(`{"urn:ietf:params:scim:schemas:extension:enterprise:2.0:User":{"organization":"Acme","department":"Bridges"},"title":"Engineer"}`)
	cleo := directory.UserID(directory.NewID())
	f.apply(directory.CreateUser{ID: cleo, Source: okta, Profile: rich}, directory.SetBlock{User: ben, Blocked: true, Reason: "lost laptop"},
		directory.DeleteUser{ID: gone, Source: okta})
	all, err := s.PersonRows(t.Context())
	if err != nil || len(all) != 4 || all[0].ID != ann || all[1].ID != ben || all[2].ID != gone || all[3].ID != cleo {
		t.Fatalf("PersonRows() = %+v, %v; want ann, ben, gone and cleo", all, err)
	}
	if got := all[1]; !got.Blocked || got.BlockReason != "lost laptop" || got.Type != directory.Standard || got.Created.IsZero() || !got.Deleted.IsZero() {
		t.Errorf("ben = %+v, want blocked for a lost laptop", got)
	}
	if got := all[2]; got.Deleted.IsZero() || got.Identities[0].Presence != directory.Deleted {
		t.Errorf("gone = %+v, want deleted", got)
	}
	want := []directory.PersonIdentity{{
		ID: cleo, Source: okta, Presence: directory.Present, UserName: "cleo", UserNameKey: key("cleo"), DisplayName: "Display cleo",
		DisplayKey: key("Display cleo"), ExternalID: "x-cleo", Active: true, Email: "First@corp.test", Company: "Acme", Version: 1, Attributes: []string{"department", "title"},
	}}
	if d := diff(want, all[3].Identities); d != "" || all[3].Type != directory.Service {
		t.Errorf("cleo is %s (-want +got):\n%s", all[3].Type, d)
	}
	foreign := profile("dora")
	foreign.Attributes = json.RawMessage(`{"title":"Clerk","urn:x:User":{"answer":"42"}}`)
	dora := directory.UserID(directory.NewID())
	f.apply(directory.CreateUser{ID: dora, Source: directory.Local, Profile: foreign})
	if rows, err := s.PersonRows(t.Context(), dora); err != nil || len(rows) != 1 || !slices.Equal(rows[0].Identities[0].Attributes, []string{"title"}) {
		t.Errorf("PersonRows(dora) = %+v, %v; want title alone: local has no extension", rows, err)
	}
	some, err := s.PersonRows(t.Context(), cleo, ann, cleo, "nobody", "\xff")
	if d := diff([]directory.PersonRow{all[0], all[3]}, some); err != nil || d != "" {
		t.Errorf("PersonRows(cleo, ann): %v (-want +got):\n%s", err, d)
	}
	said, err := s.Attributes(t.Context(), cleo, "nobody", cleo, "\xff")
	if got := directory.ListedAttributes(said[cleo]).Text("department"); err != nil || len(said) != 1 || got != "Bridges" {
		t.Errorf("Attributes(cleo) = %s, %v; want the department Bridges and nobody else", said, err)
	}
	if said, err = s.Attributes(t.Context()); err != nil || len(said) != 0 {
		t.Errorf("Attributes() = %s, %v; want nothing", said, err)
	}
}

func testGroupVersions(t *testing.T, s directory.Store) {
	f := fill(t, s)
	ann, gone := f.user(okta, "ann"), f.group(okta, "gone")
	same, other := f.group(corp, "same"), f.group(okta, "other")
	before, err := s.GroupVersions(t.Context())
	if err != nil || len(before) != 3 {
		t.Fatalf("GroupVersions() = %v, %v; want three", before, err)
	}
	f.apply(directory.AddMembers{Group: other, Source: okta, Values: []string{string(ann), "nobody yet"}}, directory.DeleteGroup{ID: gone, Source: okta})
	after, err := s.GroupVersions(t.Context())
	if err != nil || len(after) != 2 || after[same] != before[same] || after[other] == before[other] {
		t.Errorf("GroupVersions() = %v and then %v, %v; want another for %s only, and none for %s", before, after, err, other, gone)
	}
	rows, err := s.GroupRows(t.Context(), other, gone, "", "\xff", other)
	if err != nil || len(rows) != 1 || rows[0].Members != 1 || rows[0].Pending != 1 || rows[0].Version != after[other] {
		t.Errorf("GroupRows(other, gone) = %+v, %v; want the other with a member and a pending one", rows, err)
	}
	want, err := s.Group(t.Context(), okta, other)
	if d := diff(want, rows[0]); err != nil || d != "" {
		t.Errorf("GroupRows and Group, %v, differ:\n%s", err, d)
	}
}
