package storetest

import (
	"testing"

	"github.com/usherd/usherd/directory"
)

var applyOursCases = []testCase{
	{"a grant of the same thing is replaced", testGrantReplaced},
	{"a grant is ended by what it gives, whatever its level", testEndGrant},
	{"an override replaces what can be removed in its scope", testOverride},
	{"an override may bring a group", testOverrideGroup},
	{"a member by an override whom somebody adds stays when it ends", testOverrideGroupByHand},
	{"ending an override takes back what it brought", testEndOverride},
	{"a token is kept once and revoked for good", testApplyTokens},
}

// catalogue is a policy with one of everything that can be granted.
var catalogue = directory.Policy{
	Projects:     []directory.Project{{Key: "alpha"}, {Key: "beta"}},
	Features:     []directory.Feature{{Key: "part-list", Actions: []string{"edit"}}, {Key: "plan"}},
	Outputs:      []directory.Output{{Key: "pdf", Feature: "part-list"}},
	Integrations: []directory.Integration{{Key: "aws"}, {Key: "gcp"}},
	Resources:    []directory.ResourceType{{Type: "record", Actions: []string{"read"}}},
	Roles:        []directory.Role{{Name: "releaser", Rights: []directory.Right{directory.ManageSyncs}}},
}

var catalogueSections = []directory.Section{
	directory.SectionProjects, directory.SectionFeatures, directory.SectionOutputs,
	directory.SectionIntegrations, directory.SectionResources, directory.SectionRoles,
}

func level(key string, l directory.Level) directory.Privilege {
	return directory.Privilege{Kind: directory.IntegrationLevel, Key: key, Level: l}
}

// own returns the own grants of a user as texts.
func (f fixture) own(user directory.UserID) map[string]directory.GrantOrigin {
	f.Helper()
	got := map[string]directory.GrantOrigin{}
	for _, g := range f.subject(byID(user), directory.Stamp{}).Grants {
		what := string(g.Role)
		if g.Role == "" {
			what = g.Privilege.String()
		}
		got[string(g.Project)+"/"+what] = g.Origin
	}
	return got
}

func testGrantReplaced(t *testing.T, s directory.Store) {
	f := fill(t, s)
	f.apply(directory.SetPolicy{Policy: catalogue, Sections: catalogueSections})
	ann := f.user(okta, "ann")
	f.apply(directory.PutGrant{Grant: directory.Grant{User: ann, Privilege: level("aws", directory.Viewer)}})
	first := f.subject(byID(ann), directory.Stamp{}).Grants
	f.apply(directory.PutGrant{Grant: directory.Grant{User: ann, Privilege: level("aws", directory.Admin), By: "bob"}})
	second := f.subject(byID(ann), directory.Stamp{}).Grants
	if len(first) != 1 || len(second) != 1 || second[0].ID != first[0].ID || second[0].Privilege.Level != directory.Admin ||
		first[0].By != tester.Name || second[0].By != "bob" || first[0].ID == "" {
		t.Errorf("Grants = %+v, then %+v; want one whose level changes", first, second)
	}
	f.apply(directory.PutGrant{Grant: directory.Grant{User: ann, Project: "alpha", Privilege: level("aws", directory.NoLevel)}})
	f.apply(directory.PutGrant{Grant: directory.Grant{User: ann, Role: "releaser", Project: "alpha"}})
	f.apply(directory.PutGrant{Grant: directory.Grant{User: ann, Privilege: directory.Privilege{Kind: directory.RolePrivilege, Key: "record:a:b:read"}}})
	want := map[string]directory.GrantOrigin{
		"/integration aws=admin": directory.ByHand, "alpha/integration aws=none": directory.ByHand,
		"alpha/releaser": directory.ByHand, "/role record:a:b:read": directory.ByHand,
	}
	if d := diff(want, f.own(ann)); d != "" {
		t.Errorf("grants (-want +got):\n%s", d)
	}
	f.refused(directory.ErrInvalid, tester, directory.PutGrant{Grant: directory.Grant{ID: first[0].ID, User: ann, Role: directory.RoleOwner}})
}

func testEndGrant(t *testing.T, s directory.Store) {
	f := fill(t, s)
	f.apply(directory.SetPolicy{Policy: catalogue, Sections: catalogueSections})
	ann := f.user(okta, "ann")
	f.apply(directory.PutGrant{Grant: directory.Grant{User: ann, Privilege: level("aws", directory.Admin)}})
	f.refused(directory.ErrNotFound, tester, directory.EndGrant{Grant: directory.Grant{User: ann, Project: "alpha", Privilege: level("aws", directory.Admin)}})
	f.names(f.feed(directory.EndGrant{Grant: directory.Grant{User: ann, Privilege: level("aws", directory.NoLevel)}}), keys(byID(ann)), byName("ann"))
	if got := f.own(ann); len(got) != 0 {
		t.Errorf("grants = %v, want none", got)
	}
	f.refused(directory.ErrNotFound, tester, directory.EndGrant{Grant: directory.Grant{User: ann, Privilege: level("aws", directory.Admin)}})
}

// overridden returns a user with something in every scope.
func overridden(f fixture) (ann directory.UserID, groups map[string]directory.GroupID) {
	f.apply(directory.SetPolicy{Policy: catalogue, Sections: catalogueSections})
	ann = f.user(okta, "ann")
	groups = map[string]directory.GroupID{}
	for _, g := range []struct {
		name    string
		source  directory.SourceName
		project directory.ProjectKey
	}{{"synced", okta, ""}, {"synced-alpha", okta, "alpha"}, {"org", directory.Local, ""}, {"alpha", directory.Local, "alpha"}, {"beta", directory.Local, "beta"}} {
		c := createGroup(g.source, g.name)
		c.Project = g.project
		f.apply(c, directory.AddMembers{Group: c.ID, Source: g.source, Values: []string{string(ann)}})
		groups[g.name] = c.ID
	}
	for _, p := range []directory.ProjectKey{"", "alpha", "beta"} {
		f.apply(directory.PutGrant{Grant: directory.Grant{User: ann, Project: p, Privilege: level("aws", directory.Viewer)}})
	}
	return ann, groups
}

// memberOf returns the names of the groups that a user is in.
func (f fixture) memberOf(user directory.UserID, groups map[string]directory.GroupID) map[string]bool {
	f.Helper()
	got := map[string]bool{}
	for _, m := range f.subject(byID(user), directory.Stamp{}).Memberships {
		for name, id := range groups {
			if f.num(id) == m.Group {
				got[name] = true
			}
		}
	}
	return got
}

func testOverride(t *testing.T, s directory.Store) {
	f := fill(t, s)
	ann, groups := overridden(f)
	set := directory.SetOverride{User: ann, Project: "alpha", Reason: "r", Grants: []directory.GrantSet{
		{Project: "alpha", Roles: []directory.RoleName{"releaser"}, Privileges: []directory.Privilege{level("aws", directory.Consumer), level("aws", directory.Viewer)}},
	}}
	f.names(f.feed(set), keys(byID(ann)))
	f.unchanged(set)
	if d := diff(map[string]bool{"synced": true, "synced-alpha": true, "org": true, "beta": true}, f.memberOf(ann, groups)); d != "" {
		t.Errorf("groups after an override in alpha (-want +got):\n%s", d)
	}
	want := map[string]directory.GrantOrigin{
		"/integration aws=viewer": directory.ByHand, "beta/integration aws=viewer": directory.ByHand,
		"alpha/integration aws=consumer": directory.ByOverride, "alpha/releaser": directory.ByOverride,
	}
	if d := diff(want, f.own(ann)); d != "" {
		t.Errorf("grants after an override in alpha (-want +got):\n%s", d)
	}
	all, err := s.Overrides(t.Context(), ann)
	if err != nil || len(all) != 1 || all[0].Project != "alpha" || all[0].Reason != "r" || all[0].By != tester.Name || all[0].Created.IsZero() {
		t.Errorf("Overrides = %+v, %v; want the one in alpha", all, err)
	}
	// What comes later counts and stays.
	f.apply(directory.AddMembers{Group: groups["alpha"], Source: directory.Local, Values: []string{string(ann)}})
	if !f.memberOf(ann, groups)["alpha"] {
		t.Errorf("a later local membership is missing")
	}
	f.apply(directory.SetOverride{User: ann})
	if d := diff([]directory.ProjectKey{"", "alpha"}, f.subject(byID(ann), directory.Stamp{}).Overrides); d != "" {
		t.Errorf("overrides (-want +got):\n%s", d)
	}
	if m := f.memberOf(ann, groups); m["org"] || !m["alpha"] || !m["synced"] {
		t.Errorf("groups after an override of the organization = %v, want org gone, alpha and synced kept", m)
	}
}

func testOverrideGroup(t *testing.T, s directory.Store) {
	f := fill(t, s)
	ann, groups := overridden(f)
	f.refused(directory.ErrInvalid, tester, directory.SetOverride{User: ann, Project: "alpha", Group: groups["beta"]})
	f.refused(directory.ErrNotOwner, tester, directory.SetOverride{User: ann, Project: "alpha", Group: groups["synced-alpha"]})
	f.refused(directory.ErrNotFound, tester, directory.SetOverride{User: ann, Project: "alpha", Group: directory.GroupID(directory.NewID())})
	f.refused(directory.ErrInvalid, tester, directory.SetOverride{User: ann, Project: "alpha", Group: groups["alpha"], Grants: []directory.GrantSet{{}}})
	c := createGroup(directory.Local, "new")
	c.Project = "alpha"
	f.apply(c, directory.SetOverride{User: ann, Project: "alpha", Group: c.ID})
	groups["new"] = c.ID
	if m := f.memberOf(ann, groups); m["alpha"] || !m["new"] || !m["beta"] {
		t.Errorf("groups after an override by a group = %v, want new in place of alpha", m)
	}
	f.apply(directory.SetOverride{User: ann, Project: "alpha", Group: groups["alpha"]})
	if m := f.memberOf(ann, groups); !m["alpha"] || m["new"] {
		t.Errorf("groups after another override = %v, want alpha in place of new", m)
	}
	f.apply(directory.EndOverride{User: ann, Project: "alpha"})
	if m := f.memberOf(ann, groups); m["alpha"] || m["new"] || !m["org"] {
		t.Errorf("groups after the override = %v, want neither", m)
	}
}

func testOverrideGroupByHand(t *testing.T, s directory.Store) {
	f := fill(t, s)
	ann, groups := overridden(f)
	bob := f.user(okta, "bob")
	for _, user := range []directory.UserID{ann, bob} {
		f.apply(directory.SetOverride{User: user, Project: "alpha", Group: groups["alpha"], Reason: "r"})
	}
	before, err := s.Overrides(t.Context(), ann)
	if err != nil || len(before) != 1 {
		t.Fatalf("Overrides = %+v, %v; want one", before, err)
	}
	add := directory.AddMembers{Group: groups["alpha"], Source: directory.Local, Values: []string{string(ann)}}
	f.names(f.feed(add), keys(byID(ann)))
	f.unchanged(add)
	after, err := s.Overrides(t.Context(), ann)
	if err != nil || len(after) != 1 || after[0].Group != "" || after[0].Reason != "r" || after[0].By != before[0].By || !after[0].Created.Equal(before[0].Created) {
		t.Errorf("Overrides = %+v, %v; want that of before, %+v, without its group", after, err, before)
	}
	for _, user := range []directory.UserID{ann, bob} {
		f.apply(directory.EndOverride{User: user, Project: "alpha"})
	}
	if !f.memberOf(ann, groups)["alpha"] || f.memberOf(bob, groups)["alpha"] {
		t.Errorf("after the overrides ann is in %v and bob in %v, want only ann in alpha, where somebody added her", f.memberOf(ann, groups), f.memberOf(bob, groups))
	}
	// An edit afterwards takes the membership over again.
	f.apply(directory.SetOverride{User: ann, Project: "alpha", Group: groups["alpha"]})
	f.apply(directory.EndOverride{User: ann, Project: "alpha"})
	if f.memberOf(ann, groups)["alpha"] {
		t.Errorf("the membership outlasts an override that brought it")
	}
}

func testEndOverride(t *testing.T, s directory.Store) {
	f := fill(t, s)
	ann, _ := overridden(f)
	f.apply(directory.SetOverride{User: ann, Project: "alpha", Grants: []directory.GrantSet{{Roles: []directory.RoleName{"releaser", "project-viewer"}}}})
	f.apply(directory.PutGrant{Grant: directory.Grant{User: ann, Project: "alpha", Privilege: level("gcp", directory.Viewer)}})
	f.apply(directory.PutGrant{Grant: directory.Grant{User: ann, Project: "alpha", Role: "project-viewer"}}) // now by hand
	f.names(f.feed(directory.EndOverride{User: ann, Project: "alpha"}), keys(byID(ann)))
	want := map[string]directory.GrantOrigin{
		"/integration aws=viewer": directory.ByHand, "beta/integration aws=viewer": directory.ByHand,
		"alpha/integration gcp=viewer": directory.ByHand, "alpha/project-viewer": directory.ByHand,
	}
	if d := diff(want, f.own(ann)); d != "" {
		t.Errorf("grants after the override (-want +got):\n%s", d)
	}
	if o := f.subject(byID(ann), directory.Stamp{}).Overrides; len(o) != 0 {
		t.Errorf("overrides = %v, want none", o)
	}
	f.refused(directory.ErrNotFound, tester, directory.EndOverride{User: ann, Project: "alpha"})
}

func testApplyTokens(t *testing.T, s directory.Store) {
	f := fill(t, s)
	c := directory.CreateToken{Token: directory.Token{ID: "abc", Kind: directory.TokenSCIM, Name: "n", Source: okta}, Hash: []byte{1, 2}}
	f.apply(c)
	f.unchanged(c)
	other := c
	other.Hash = []byte{3}
	f.taken("id", "abc", okta, other)
	f.refused(directory.ErrNotFound, tester, directory.CreateToken{Token: directory.Token{ID: "d", Kind: directory.TokenSCIM, Source: "none"}, Hash: []byte{1}})
	f.refused(directory.ErrNotFound, tester, directory.RevokeToken{ID: "none"})
	f.apply(directory.RevokeToken{ID: "abc"})
	f.unchanged(directory.RevokeToken{ID: "abc"})
	f.unchanged(c) // it does not come back
	if p, err := s.Policy(t.Context()); err != nil || len(p.Tokens) != 0 {
		t.Errorf("Policy has the tokens %+v, %v; want none", p.Tokens, err)
	}
	if p, err := s.Policy(t.Context()); err != nil || p.Revision != 0 {
		t.Errorf("Policy is of revision %v, %v; want 0: a token is none of it", p.Revision, err)
	}
}
