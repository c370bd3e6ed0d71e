package storetest

import (
	"encoding/json"
	"errors"
	"slices"
	"testing"

	"github.com/usherd/usherd/directory"
)

var catalogCases = []testCase{
	{"an identity is read as it was given", testIdentity},
	{"a group is read as it was given", testGroup},
	{"ErrNotFound means nothing living of that source has the id", testNotFound},
	{"members come in a stable order and say what they are", testMembers},
	{"the members of nothing living are ErrNotFound", testMembersOfNothing},
	{"a loop over members may end early", testMembersEndEarly},
	{"GroupsOf has the groups of the identity's source, by name", testGroupsOf},
	{"a user is read living and deleted, with its identities", testUser},
	{"local is a source from the beginning", testSources},
	{"the policy is read as it was given", testPolicy},
	{"grants are read by holder, or all", testGrants},
	{"overrides are read by user, or all", testOverrides},
	{"tokens are read without their hash, and kept with it", testTokens},
	{"a cursor is read as it was set, or is nil", testCursor},
	{"the root key has 32 bytes and stays", testRootKey},
}

func testIdentity(t *testing.T, s directory.Store) {
	f := fill(t, s)
	want := directory.Identity{
		ID: directory.UserID(directory.NewID()), Source: corp, Presence: directory.Present, Version: 1,
		Profile: directory.Profile{
			UserName: "Ann", ExternalID: "7", DN: "CN=Ann,DC=corp", DisplayName: "Ann B.", Type: directory.Service, Active: true,
			Emails:     []directory.Email{{Value: "Ann@corp.test", Type: "work", Primary: true}, {Value: "a@b.test"}},
			Attributes: json.RawMessage(`{"nickName":"A"}`),
		},
	}
	want.User = want.ID
	f.apply(directory.CreateUser{ID: want.ID, Source: corp, Profile: want.Profile})
	got, err := s.Identity(t.Context(), corp, want.ID)
	if err != nil || got.Created.IsZero() || !got.Modified.Equal(got.Created) {
		t.Fatalf("Identity = %+v, %v; want it with times", got, err)
	}
	want.Created, want.Modified = got.Created, got.Modified
	if d := diff(want, got); d != "" {
		t.Errorf("Identity (-want +got):\n%s", d)
	}
	f.apply(directory.SetPresence{ID: want.ID, Source: corp, Presence: directory.Gone})
	got, err = s.Identity(t.Context(), "", want.ID)
	if err != nil || got.Presence != directory.Gone || got.GoneSince.IsZero() || got.Version != 2 {
		t.Errorf("a gone Identity = %+v, %v; want version 2, gone since some time", got, err)
	}
}

func testGroup(t *testing.T, s directory.Store) {
	f := fill(t, s)
	ann := f.user(corp, "ann")
	want := directory.Group{
		ID: directory.GroupID(directory.NewID()), Num: 1, Source: corp, Name: "Eng", ExternalID: "7", DN: "CN=Eng,DC=corp",
		Status: directory.GroupActive, Attributes: json.RawMessage(`{"x":1}`), Members: 1, Pending: 2,
	}
	f.apply(
		directory.CreateGroup{ID: want.ID, Source: corp, Name: want.Name, ExternalID: "7", DN: want.DN, Attributes: want.Attributes},
		directory.AddMembers{Group: want.ID, Source: corp, Values: []string{string(ann), "later", "never"}},
	)
	got, err := s.Group(t.Context(), corp, want.ID)
	if err != nil || got.Created.IsZero() || got.Version < 1 {
		t.Fatalf("Group = %+v, %v; want it with times and a version", got, err)
	}
	want.Created, want.Modified, want.Version = got.Created, got.Modified, got.Version
	if d := diff(want, got); d != "" {
		t.Errorf("Group (-want +got):\n%s", d)
	}
}

func testNotFound(t *testing.T, s directory.Store) {
	f := fill(t, s)
	ann, eng := f.user(okta, "ann"), f.group(okta, "eng")
	for _, source := range []directory.SourceName{okta, ""} {
		if _, err := s.Identity(t.Context(), source, ann); err != nil {
			t.Errorf("Identity(%q) = %v", source, err)
		}
		if _, err := s.Group(t.Context(), source, eng); err != nil {
			t.Errorf("Group(%q) = %v", source, err)
		}
	}
	check := func(source directory.SourceName, user directory.UserID, group directory.GroupID) {
		t.Helper()
		if got, err := s.Identity(t.Context(), source, user); !errors.Is(err, directory.ErrNotFound) {
			t.Errorf("Identity(%q, %q) = %+v, %v; want ErrNotFound", source, user, got, err)
		}
		if got, err := s.Group(t.Context(), source, group); !errors.Is(err, directory.ErrNotFound) {
			t.Errorf("Group(%q, %q) = %+v, %v; want ErrNotFound", source, group, got, err)
		}
	}
	check(corp, ann, eng)
	check(okta, directory.UserID(eng), directory.GroupID(ann))
	check(okta, "", "")
	check(okta, "\x00", "a\xff")
	check("\x00", ann, eng)
	f.apply(directory.DeleteUser{ID: ann, Source: okta}, directory.DeleteGroup{ID: eng, Source: okta})
	check(okta, ann, eng)
	check("", ann, eng)
}

func members(t *testing.T, s directory.Store, group directory.GroupID) []directory.Member {
	t.Helper()
	var all []directory.Member
	for m, err := range s.Members(t.Context(), group) {
		if err != nil {
			t.Fatalf("Members(%s) = %v", group, err)
		}
		all = append(all, m)
	}
	return all
}

func testMembers(t *testing.T, s directory.Store) {
	f := fill(t, s)
	ann, eng, all := f.user(corp, "ann"), f.group(corp, "eng"), f.group(corp, "all")
	f.apply(
		directory.AddMembers{Group: all, Source: corp, Values: []string{"zz-pending", string(eng), string(ann)}},
		directory.AddMembers{Group: all, Source: corp, Values: []string{string(ann)}, Via: directory.ViaPrimaryGroup},
	)
	want := []directory.Member{
		{Kind: directory.UserMember, ID: string(ann), Value: string(ann), Via: directory.ViaMember},
		{Kind: directory.UserMember, ID: string(ann), Value: string(ann), Via: directory.ViaPrimaryGroup},
		{Kind: directory.GroupMember, ID: string(eng), Value: string(eng), Via: directory.ViaMember},
		{Kind: directory.PendingMember, Value: "zz-pending", Via: directory.ViaMember},
	}
	for range 2 {
		if d := diff(want, members(t, s, all)); d != "" {
			t.Errorf("Members (-want +got):\n%s", d)
		}
	}
	if got := members(t, s, eng); len(got) != 0 {
		t.Errorf("Members of an empty group = %+v", got)
	}
}

func testMembersOfNothing(t *testing.T, s directory.Store) {
	f := fill(t, s)
	ended := f.group(okta, "ended", f.user(okta, "ann"))
	f.apply(directory.DeleteGroup{ID: ended, Source: okta})
	for _, id := range []directory.GroupID{ended, directory.GroupID(directory.NewID()), "", "\x00"} {
		var errs []error
		for m, err := range s.Members(t.Context(), id) {
			if err == nil {
				t.Errorf("Members(%q) yields %+v", id, m)
			}
			errs = append(errs, err)
		}
		if len(errs) != 1 || !errors.Is(errs[0], directory.ErrNotFound) {
			t.Errorf("Members(%q) = %v, want ErrNotFound once", id, errs)
		}
	}
}

// testMembersEndEarly would run out of connections if a loop that is left kept
// one.
func testMembersEndEarly(t *testing.T, s directory.Store) {
	f := fill(t, s)
	eng := f.group(okta, "eng", f.user(okta, "ann"), f.user(okta, "bob"))
	for range 100 {
		for _, err := range s.Members(t.Context(), eng) {
			if err != nil {
				t.Fatal(err)
			}
			break
		}
	}
	if got := members(t, s, eng); len(got) != 2 {
		t.Errorf("Members after many unfinished loops = %+v, want two", got)
	}
}

func testGroupsOf(t *testing.T, s directory.Store) {
	f := fill(t, s)
	ann, bob, cid := f.user(okta, "ann"), f.user(corp, "bob"), f.user(okta, "cid")
	zoo, ads, corps := f.group(okta, "Zoo", ann), f.group(okta, "ads", ann), f.group(corp, "corps", bob)
	f.group(directory.Local, "ours", ann, bob)
	nested := f.group(okta, "nested")
	f.apply(directory.AddMembers{Group: nested, Source: okta, Values: []string{string(zoo), "pending"}})
	ref := func(id directory.GroupID, name string) directory.GroupRef {
		return directory.GroupRef{ID: id, Num: f.num(id), Name: name}
	}
	for _, tt := range []struct {
		name   string
		source directory.SourceName
		ids    []directory.UserID
		want   map[directory.UserID][]directory.GroupRef
	}{
		{"of one source", okta, []directory.UserID{ann, bob, cid}, map[directory.UserID][]directory.GroupRef{ann: {ref(ads, "ads"), ref(zoo, "Zoo")}}},
		{"of any source", "", []directory.UserID{bob, ann, "nobody"}, map[directory.UserID][]directory.GroupRef{
			ann: {ref(ads, "ads"), ref(zoo, "Zoo")}, bob: {ref(corps, "corps")},
		}},
		{"of nobody", okta, nil, nil},
		{"of what can't be", okta, []directory.UserID{"\x00", "\xff"}, nil},
	} {
		got, err := s.GroupsOf(t.Context(), tt.source, tt.ids...)
		if d := diff(tt.want, got); err != nil || d != "" {
			t.Errorf("GroupsOf %s: %v (-want +got):\n%s", tt.name, err, d)
		}
	}
}

func testUser(t *testing.T, s directory.Store) {
	f := fill(t, s)
	ann := f.user(okta, "ann")
	f.apply(directory.SetBlock{User: ann, Blocked: true, Reason: "lost badge"})
	u, err := s.User(t.Context(), ann)
	if err != nil || u.ID != ann || u.Type != directory.Standard || !u.Blocked || u.BlockReason != "lost badge" ||
		u.Created.IsZero() || !u.DeletedSince.IsZero() || !u.LastLogin.IsZero() {
		t.Errorf("User = %+v, %v; want ann, blocked", u, err)
	}
	identity, err := s.Identity(t.Context(), okta, ann)
	if err != nil {
		t.Fatal(err)
	}
	if d := diff([]directory.Identity{identity}, u.Identities); d != "" {
		t.Errorf("identities of the user (-Identity +User):\n%s", d)
	}
	f.apply(directory.DeleteUser{ID: ann, Source: okta})
	u, err = s.User(t.Context(), ann)
	if err != nil || u.DeletedSince.IsZero() || len(u.Identities) != 1 || u.Identities[0].Presence != directory.Deleted {
		t.Errorf("User after the deletion = %+v, %v; want it deleted with its identity", u, err)
	}
	for _, id := range []directory.UserID{directory.UserID(directory.NewID()), "", "\x00"} {
		if u, err := s.User(t.Context(), id); !errors.Is(err, directory.ErrNotFound) {
			t.Errorf("User(%q) = %+v, %v; want ErrNotFound", id, u, err)
		}
	}
}

func testSources(t *testing.T, s directory.Store) {
	all, err := s.Sources(t.Context())
	if err != nil || len(all) != 1 || all[0].Name != directory.Local || all[0].State != directory.SourceActive || all[0].Kind != directory.KindLocal {
		t.Fatalf("Sources of a new store = %+v, %v; want local, active", all, err)
	}
	f := fill(t, s)
	f.apply(directory.PutSource{Source: directory.Source{
		Name: okta, Kind: directory.KindSCIM, State: directory.SourceActive, Rank: 9, Settings: json.RawMessage(`{"profile":"okta"}`),
	}})
	all, err = s.Sources(t.Context())
	if err != nil || len(all) != 3 || all[1].Name != corp || all[2].Name != okta || string(all[2].Settings) != `{"profile":"okta"}` {
		t.Errorf("Sources = %+v, %v; want local, corp and okta by rank, with settings", all, err)
	}
	policy, err := s.Policy(t.Context())
	if d := diff(all, policy.Sources); err != nil || d != "" {
		t.Errorf("Policy.Sources: %v (-Sources +Policy):\n%s", err, d)
	}
	f.apply(directory.SetSourceState{Source: corp, State: directory.SourceDisabled})
	f.apply(directory.RemoveSource{Source: corp})
	all, err = s.Sources(t.Context())
	if err != nil || len(all) != 2 {
		t.Errorf("Sources after removing one = %+v, %v; want two", all, err)
	}
	if got := f.facts(0).Policy.Sources; len(got) != 2 {
		t.Errorf("Facts after removing a source have %+v, want two", got)
	}
}

// wholePolicy uses every section.
func wholePolicy() directory.Policy {
	return directory.Policy{
		Projects:     []directory.Project{{Key: "zulu", Title: "Z"}, {Key: "alpha"}},
		Features:     []directory.Feature{{Key: "part-list", Title: "Part list", Actions: []string{"edit"}, Seat: &directory.Seat{Monthly: "4.00", Currency: "EUR"}}, {Key: "bom"}},
		Outputs:      []directory.Output{{Key: "pdf", Feature: "part-list"}},
		Integrations: []directory.Integration{{Key: "aws-prod", Title: "AWS"}},
		Resources:    []directory.ResourceType{{Type: "record", Actions: []string{"read"}, IDs: []string{"record-1"}}},
		Roles:        []directory.Role{{Name: "releaser", Rights: []directory.Right{directory.IntegrationsUseAll}}},
		DefaultRole:  "viewer",
		Mappings: []directory.Mapping{{
			Name: "engineers", When: directory.Selector{Source: okta, Name: "eng"},
			Grants: []directory.GrantSet{{Roles: []directory.RoleName{"releaser"}, Privileges: []directory.Privilege{
				{Kind: directory.IntegrationLevel, Key: "aws-prod", Level: directory.Consumer},
			}}},
		}},
		Tests: "- {as: {groups: [okta/eng]}}\n",
	}
}

var allSections = []directory.Section{
	directory.SectionProjects, directory.SectionFeatures, directory.SectionOutputs, directory.SectionIntegrations,
	directory.SectionResources, directory.SectionRoles, directory.SectionDefaultRole, directory.SectionMappings, directory.SectionTests,
}

func testPolicy(t *testing.T, s directory.Store) {
	f := fill(t, s)
	want := wholePolicy()
	at := f.apply(directory.SetPolicy{Policy: want, Sections: allSections})
	got, err := s.Policy(t.Context())
	if err != nil || got.Revision != at.Revision {
		t.Fatalf("Policy = revision %d, %v; want %d", got.Revision, err, at.Revision)
	}
	for i := range got.Policy.Roles { // when the Role last changed is the store's to say
		got.Policy.Roles[i].Modified = want.Roles[i].Modified
	}
	if d := diff(want, got.Policy); d != "" {
		t.Errorf("Policy (-want +got):\n%s", d)
	}
	want.Tests, want.DefaultRole, want.Features = "", "", want.Features[1:]
	f.apply(directory.SetPolicy{Policy: want, Sections: []directory.Section{directory.SectionTests, directory.SectionDefaultRole}})
	got, err = s.Policy(t.Context())
	if err != nil || got.Policy.Tests != "" || got.Policy.DefaultRole != "" || len(got.Policy.Features) != 2 {
		t.Errorf("Policy after emptying two sections = %+v, %v; want the others as they were", got.Policy, err)
	}
}

func testGrants(t *testing.T, s directory.Store) {
	f := fill(t, s)
	ann, eng := f.user(okta, "ann"), f.group(okta, "eng")
	f.apply(directory.SetPolicy{Policy: wholePolicy(), Sections: allSections})
	role := directory.Grant{User: ann, Role: "viewer", Origin: directory.ByHand, By: "root"}
	level := directory.Grant{
		Group: eng, Origin: directory.ByHand,
		Privilege: directory.Privilege{Kind: directory.IntegrationLevel, Key: "aws-prod", Level: directory.Consumer},
	}
	f.apply(directory.PutGrant{Grant: role})
	f.apply(directory.PutGrant{Grant: level})
	for _, tt := range []struct {
		user  directory.UserID
		group directory.GroupID
		want  []directory.Grant
	}{
		{ann, "", []directory.Grant{role}},
		{"", eng, []directory.Grant{level}},
		{"", "", []directory.Grant{role, level}},
		{"nobody", "", nil},
		{"", "\x00", nil},
	} {
		got, err := s.Grants(t.Context(), tt.user, tt.group)
		for i := range got {
			if got[i].ID == "" || got[i].Created.IsZero() {
				t.Errorf("grant %+v has no id or time", got[i])
			}
			if i < len(tt.want) {
				tt.want[i].ID, tt.want[i].Created, tt.want[i].By = got[i].ID, got[i].Created, got[i].By
			}
		}
		if d := diff(tt.want, got); err != nil || d != "" {
			t.Errorf("Grants(%q, %q): %v (-want +got):\n%s", tt.user, tt.group, err, d)
		}
	}
	if _, err := s.Grants(t.Context(), ann, eng); !errors.Is(err, directory.ErrInvalid) {
		t.Errorf("Grants of a user and a group = %v, want ErrInvalid", err)
	}
}

func testOverrides(t *testing.T, s directory.Store) {
	f := fill(t, s)
	ann, bob := f.user(okta, "ann"), f.user(okta, "bob")
	f.apply(directory.SetOverride{User: ann, Reason: "asked"})
	f.apply(directory.SetOverride{User: bob, Reason: "asked"})
	for user, want := range map[directory.UserID]int{ann: 1, bob: 1, "": 2, "nobody": 0} {
		got, err := s.Overrides(t.Context(), user)
		if err != nil || len(got) != want {
			t.Errorf("Overrides(%q) = %+v, %v; want %d", user, got, err, want)
		}
		for _, o := range got {
			if o.Reason != "asked" || o.Created.IsZero() || user != "" && o.User != user {
				t.Errorf("Overrides(%q) has %+v", user, o)
			}
		}
	}
}

func testTokens(t *testing.T, s directory.Store) {
	f := fill(t, s)
	id, secret, _ := directory.NewToken(directory.TokenCheck)
	now := f.facts(0).Policy.Sources[0].Created.AddDate(60, 0, 0)
	want := directory.Token{ID: id, Kind: directory.TokenCheck, Name: "app", Scopes: []string{"evaluate"}, Created: now, Expires: now.AddDate(1, 0, 0)}
	sum := directory.HashToken([]byte("key"), want.Kind, id, secret)
	f.apply(directory.CreateToken{Token: want, Hash: sum})
	got, err := s.Tokens(t.Context())
	if err != nil || len(got) != 1 {
		t.Fatalf("Tokens = %+v, %v; want one", got, err)
	}
	want.Created = got[0].Created
	if d := diff([]directory.Token{want}, got); d != "" {
		t.Errorf("Tokens (-want +got):\n%s", d)
	}
	kept := f.facts(0).Policy.Tokens
	if len(kept) != 1 || !slices.Equal(kept[0].Hash, sum) || kept[0].ID != id {
		t.Errorf("Facts has the tokens %+v, want the one with its hash", kept)
	}
	f.apply(directory.RevokeToken{ID: id})
	got, err = s.Tokens(t.Context())
	if err != nil || len(got) != 1 || got[0].Revoked.IsZero() {
		t.Errorf("Tokens after revoking = %+v, %v; want it revoked", got, err)
	}
	if kept := f.facts(0).Policy.Tokens; len(kept) != 0 {
		t.Errorf("Facts after revoking has the tokens %+v, want none", kept)
	}
}

func testCursor(t *testing.T, s directory.Store) {
	f := fill(t, s)
	if got, err := s.Cursor(t.Context(), corp); err != nil || got != nil {
		t.Errorf("Cursor = %q, %v; want none", got, err)
	}
	f.apply(directory.SetCursor{Source: corp, Cursor: json.RawMessage(`{"usn":7}`)})
	if got, err := s.Cursor(t.Context(), corp); err != nil || string(got) != `{"usn":7}` {
		t.Errorf("Cursor = %q, %v; want what was set", got, err)
	}
}

func testRootKey(t *testing.T, s directory.Store) {
	first, err := s.RootKey(t.Context())
	if err != nil || len(first) != 32 || slices.Max(first) == 0 {
		t.Fatalf("RootKey = %x, %v; want 32 random bytes", first, err)
	}
	kept := slices.Clone(first)
	clear(first)
	if again, err := s.RootKey(t.Context()); err != nil || !slices.Equal(again, kept) {
		t.Errorf("RootKey again = %x, %v; want %x", again, err, kept)
	}
}
