package storetest

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/usherd/usherd/directory"
)

var applyPolicyCases = []testCase{
	{"only the named sections are replaced", testPolicySections},
	{"a Role is changed when somebody changes it", testRoleModified},
	{"a key in use is not removed", testKeyInUse},
	{"what uses a key is said by name, five at most", testUsesSaid},
	{"a use may go in the same apply", testKeyFreed},
	{"a mapping by id or dn binds what it matches first", testBindByID},
	{"a mapping by name follows names", testFollowNames},
	{"a mapping that gives an administration right binds as it is applied", testBindAdmin},
	{"a name that means two groups binds neither", testBindTwo},
	{"a group that nobody has seen waits for a confirmation", testBindSeen},
	{"an unchanged mapping keeps its bindings", testBindingsStay},
	{"a binding is policy to those who require its revision", testBindingMovesPolicy},
}

var mappingSection = []directory.Section{directory.SectionMappings}

func (f fixture) setMappings(m ...directory.Mapping) directory.Stamp {
	f.Helper()
	return f.apply(directory.SetPolicy{Policy: directory.Policy{Mappings: m}, Sections: mappingSection})
}

// gives is a mapping that gives a Role.
func gives(name string, role directory.RoleName, when directory.Selector) directory.Mapping {
	when.Source = corp
	return directory.Mapping{Name: name, When: when, AllowAdmin: true, Grants: []directory.GrantSet{{Roles: []directory.RoleName{role}}}}
}

// corpGroup makes an LDAP group; its external id is "x-" and its DN "cn=" its name.
func (f fixture) corpGroup(name string) directory.GroupID {
	f.Helper()
	c := createGroup(corp, name)
	c.ExternalID, c.DN = "x-"+name, "cn="+name
	f.apply(c)
	return c.ID
}

// bound checks the bindings of living groups, as "mapping group state".
func (f fixture) bound(want ...string) {
	f.Helper()
	facts, err := f.Policy(f.Context())
	if err != nil {
		f.Fatal(err)
	}
	var got []string
	for _, b := range facts.Bindings {
		if g, err := f.Group(f.Context(), "", b.Group); err == nil {
			if g.Num != b.Num {
				f.Errorf("binding %+v has another number than group %+v", b, g)
			}
			got = append(got, b.Mapping+" "+string(b.Group)+" "+string(b.State))
		}
	}
	slices.Sort(got)
	slices.Sort(want)
	if d := diff(want, got); d != "" {
		f.Errorf("bindings (-want +got):\n%s", d)
	}
}

func testPolicySections(t *testing.T, s directory.Store) {
	f := fill(t, s)
	all := catalogue
	all.DefaultRole, all.Tests = "project-viewer", "- as: x"
	f.apply(directory.SetPolicy{Policy: all, Sections: append(slices.Clone(catalogueSections), directory.SectionDefaultRole, directory.SectionTests)})
	f.apply(directory.SetPolicy{
		Policy:   directory.Policy{Features: []directory.Feature{{Key: "plan"}, {Key: "part-list", Title: "Parts"}}},
		Sections: []directory.Section{directory.SectionFeatures, directory.SectionDefaultRole},
	})
	want := all
	want.Features, want.DefaultRole = []directory.Feature{{Key: "plan"}, {Key: "part-list", Title: "Parts"}}, ""
	got, err := s.Policy(t.Context())
	if d := diff(want, got.Policy); err != nil || d != "" {
		t.Errorf("Policy: %v (-want +got):\n%s", err, d)
	}
	f.unchanged(directory.SetPolicy{Policy: want, Sections: append(slices.Clone(catalogueSections), directory.SectionDefaultRole, directory.SectionTests)})
	f.unchanged(directory.SetPolicy{Policy: directory.Policy{}})
	slices.Reverse(want.Features) // order alone is a change
	f.apply(directory.SetPolicy{Policy: want, Sections: []directory.Section{directory.SectionFeatures}})
	if got, err = s.Policy(t.Context()); err != nil || got.Policy.Features[0].Key != "part-list" || got.Revision != f.head().Revision {
		t.Errorf("Policy = %+v, %v; want part-list first, changed at the head", got, err)
	}
}

func testRoleModified(t *testing.T, s directory.Store) {
	f := fill(t, s)
	set := func(r ...directory.Role) directory.Change {
		return directory.SetPolicy{Policy: directory.Policy{Roles: r}, Sections: []directory.Section{directory.SectionRoles}}
	}
	role := func(name directory.RoleName) directory.Role {
		t.Helper()
		p, err := s.Policy(t.Context())
		r, ok := p.Policy.Role(name)
		if err != nil || !ok {
			t.Fatalf("Role(%s) = %v, %v", name, ok, err)
		}
		return r
	}
	a, b := directory.Role{Name: "a"}, directory.Role{Name: "b"}
	f.apply(set(a, b))
	if !role("a").Modified.IsZero() {
		t.Errorf("a new Role was modified %v, want never", role("a").Modified)
	}
	a.Title = "A"
	f.apply(set(a, b))
	changed := role("a").Modified
	if changed.IsZero() || !role("b").Modified.IsZero() {
		t.Errorf("Roles were modified %v and %v, want the changed one alone", changed, role("b").Modified)
	}
	f.unchanged(set(a, b)) // whatever the caller says of it
	f.apply(set(a))
	if !role("a").Modified.Equal(changed) {
		t.Errorf("the Role was modified %v, want still %v", role("a").Modified, changed)
	}
}

func testUsesSaid(t *testing.T, s directory.Store) {
	f := fill(t, s)
	f.apply(directory.SetPolicy{Policy: catalogue, Sections: catalogueSections})
	var want []string
	for _, name := range []string{"a", "b", "c", "d", "e", "f", "g"} {
		f.apply(directory.PutGrant{Grant: directory.Grant{Group: f.group(okta, name), Role: "releaser"}})
		want = append(want, "group okta/"+name+" has a grant of role releaser")
	}
	ann := f.user(okta, "ann")
	f.apply(directory.PutGrant{Grant: directory.Grant{User: ann, Privilege: directory.Privilege{Kind: directory.OutputPrivilege, Key: "pdf"}}})
	_, err := s.Apply(t.Context(), tester, directory.SetPolicy{Sections: []directory.Section{directory.SectionRoles, directory.SectionOutputs}})
	used, ok := errors.AsType[*directory.UseError](err)
	if !ok || len(used.Items) != 2 {
		t.Fatalf("removing Roles and outputs in use: %v, want a UseError of two items", err)
	}
	for _, item := range used.Items {
		slices.Sort(item.Uses)
		switch item.Section {
		case directory.SectionRoles:
			if item.Key != "releaser" || len(item.Uses) != 5 || item.More != 2 || slices.ContainsFunc(item.Uses, func(u string) bool { return !slices.Contains(want, u) }) {
				t.Errorf("uses of releaser = %+v, want five of %q and two more", item, want)
			}
		default:
			if said := []string{"user " + string(ann) + " has a grant of output pdf"}; item.Key != "pdf" || !slices.Equal(item.Uses, said) || item.More != 0 {
				t.Errorf("uses of pdf = %+v, want %q", item, said)
			}
		}
	}
}

func testKeyInUse(t *testing.T, s directory.Store) {
	f := fill(t, s)
	f.apply(directory.SetPolicy{Policy: catalogue, Sections: catalogueSections})
	ann, bob := f.user(okta, "ann"), f.user(okta, "bob")
	eng := f.group(okta, "eng")
	privilege := func(kind directory.PrivilegeKind, key string) directory.Grant {
		return directory.Grant{User: ann, Privilege: directory.Privilege{Kind: kind, Key: key}}
	}
	for _, tt := range []struct {
		section directory.Section
		use     directory.Change
		end     directory.Change
	}{
		{directory.SectionFeatures, directory.PutGrant{Grant: privilege(directory.Access, "plan")}, directory.EndGrant{Grant: privilege(directory.Access, "plan")}},
		{directory.SectionFeatures, directory.PutGrant{Grant: privilege(directory.RolePrivilege, "part-list:edit")}, directory.EndGrant{Grant: privilege(directory.RolePrivilege, "part-list:edit")}},
		{directory.SectionOutputs, directory.PutGrant{Grant: privilege(directory.OutputPrivilege, "pdf")}, directory.EndGrant{Grant: privilege(directory.OutputPrivilege, "pdf")}},
		{directory.SectionIntegrations, directory.PutGrant{Grant: privilege(directory.IntegrationLevel, "gcp")}, directory.EndGrant{Grant: privilege(directory.IntegrationLevel, "gcp")}},
		{directory.SectionResources, directory.PutGrant{Grant: privilege(directory.RolePrivilege, "record:*:read")}, directory.EndGrant{Grant: privilege(directory.RolePrivilege, "record:*:read")}},
		{directory.SectionRoles, directory.PutGrant{Grant: directory.Grant{Group: eng, Role: "releaser"}}, directory.EndGrant{Grant: directory.Grant{Group: eng, Role: "releaser"}}},
		{directory.SectionProjects, directory.PutGrant{Grant: directory.Grant{Group: eng, Project: "beta", Role: "project-viewer"}}, directory.EndGrant{Grant: directory.Grant{Group: eng, Project: "beta", Role: "project-viewer"}}},
		{directory.SectionProjects, directory.SetGroupScope{Group: eng, Project: "alpha"}, directory.SetGroupScope{Group: eng}},
		{directory.SectionProjects, directory.SetOverride{User: bob, Project: "alpha"}, directory.EndOverride{User: bob, Project: "alpha"}},
	} {
		f.apply(tt.use)
		f.refused(directory.ErrInUse, tester, directory.SetPolicy{Sections: []directory.Section{tt.section}})
		f.apply(tt.end)
		f.apply(directory.SetPolicy{Sections: []directory.Section{tt.section}})
		f.apply(directory.SetPolicy{Policy: catalogue, Sections: []directory.Section{tt.section}})
	}
	f.apply(directory.PutGrant{Grant: privilege(directory.IntegrationLevel, "*")})
	f.apply(directory.SetPolicy{Sections: []directory.Section{directory.SectionIntegrations}}) // * names none
	f.apply(directory.PutGrant{Grant: privilege(directory.Access, "plan")})
	_, err := s.Apply(t.Context(), tester, directory.SetPolicy{Sections: []directory.Section{directory.SectionFeatures}})
	if err == nil || !strings.Contains(err.Error(), string(ann)) || !strings.Contains(err.Error(), "features/plan") {
		t.Errorf("Apply that removes a used key = %v, want the key and who uses it", err)
	}
}

func testKeyFreed(t *testing.T, s directory.Store) {
	f := fill(t, s)
	f.apply(directory.SetPolicy{Policy: catalogue, Sections: catalogueSections})
	ann := f.user(okta, "ann")
	grant := directory.Grant{User: ann, Privilege: directory.Privilege{Kind: directory.Access, Key: "plan"}}
	f.apply(directory.PutGrant{Grant: grant})
	f.apply(directory.SetPolicy{Sections: []directory.Section{directory.SectionFeatures}}, directory.EndGrant{Grant: grant})
	f.apply(directory.SetPolicy{Policy: catalogue, Sections: []directory.Section{directory.SectionFeatures}}, directory.PutGrant{Grant: grant})
	f.apply(directory.SetPolicy{Sections: []directory.Section{directory.SectionFeatures}}, directory.DeleteUser{ID: ann, Source: okta})
}

func testBindByID(t *testing.T, s directory.Store) {
	for _, when := range []directory.Selector{{ID: "x-eng"}, {DN: "CN = eng"}} {
		f := fixture{t, s}
		if when.ID != "" {
			f = fill(t, s)
		}
		f.setMappings()
		f.setMappings(gives("m", "project-viewer", when))
		f.bound()
		eng := f.corpGroup("eng")
		f.bound("m " + string(eng) + " bound")
		f.apply(directory.UpdateGroup{ID: eng, Source: corp, Name: new("e"), ExternalID: new("e"), DN: new("cn=e")})
		f.bound("m " + string(eng) + " bound") // renamed it stays
		heir := f.corpGroup("eng")
		f.bound("m "+string(eng)+" bound", "m "+string(heir)+" suspended")
		f.apply(directory.DeleteGroup{ID: eng, Source: corp}, directory.DeleteGroup{ID: heir, Source: corp})
		f.bound()
		heir = f.corpGroup("eng") // whoever comes with a dead group's id waits
		f.bound("m " + string(heir) + " suspended")
		r := f.feed(directory.ConfirmMapping{Mapping: "m", Group: heir})
		if !r.Policy || !slices.Contains(r.Groups, f.num(heir)) {
			t.Errorf("the feed of a confirmation = %+v, want policy and the group", r)
		}
		f.bound("m " + string(heir) + " bound")
		if p, err := s.Policy(t.Context()); err != nil || len(p.Bindings) != 1 {
			t.Errorf("Policy has the bindings %+v, %v; want that of the living group", p.Bindings, err)
		}
		f.unchanged(directory.ConfirmMapping{Mapping: "m", Group: heir})
		f.apply(directory.UpdateGroup{ID: heir, Source: corp, Name: new("e"), ExternalID: new("e"), DN: new("cn=e")})
		next := f.corpGroup("eng")
		f.apply(directory.UpdateGroup{ID: next, Source: corp, ExternalID: new("n"), DN: new("cn=n")})
		f.bound("m " + string(heir) + " bound") // what no longer matches waits no more
		f.apply(directory.DeleteGroup{ID: heir, Source: corp}, directory.DeleteGroup{ID: next, Source: corp})
	}
}

func testFollowNames(t *testing.T, s directory.Store) {
	f := fill(t, s)
	f.setMappings(gives("m", "project-viewer", directory.Selector{Pattern: "eng*"}), gives("n", "project-viewer", directory.Selector{Name: "eng"}))
	eng := f.corpGroup("eng")
	f.bound()
	f.refused(directory.ErrNotFound, tester, directory.ConfirmMapping{Mapping: "m", Group: eng})
}

func testBindAdmin(t *testing.T, s directory.Store) {
	f := fill(t, s)
	one, two := f.corpGroup("eng-1"), f.corpGroup("eng-2")
	f.corpGroup("other")
	f.group(okta, "eng-3")
	f.setMappings(gives("m", directory.RoleOperator, directory.Selector{Pattern: "eng-*"}))
	f.bound("m "+string(one)+" bound", "m "+string(two)+" bound")
	late := f.corpGroup("eng-4")
	f.bound("m "+string(one)+" bound", "m "+string(two)+" bound", "m "+string(late)+" suspended")
	f.apply(directory.UpdateGroup{ID: late, Source: corp, Name: new("else")}, directory.UpdateGroup{ID: two, Source: corp, Name: new("else")})
	f.bound("m "+string(one)+" bound", "m "+string(two)+" bound")
	f.apply(directory.DeleteGroup{ID: one, Source: corp})
	f.apply(directory.UpdateGroup{ID: late, Source: corp, Name: new("ENG-1")})
	f.bound("m "+string(two)+" bound", "m "+string(late)+" suspended")
	f.apply(directory.ConfirmMapping{Mapping: "m", Group: late})
	f.bound("m "+string(two)+" bound", "m "+string(late)+" bound")

	// A Role that comes to hold an administration right binds mappings that stay as they are.
	set := func(rights ...directory.Right) {
		f.apply(directory.SetPolicy{Policy: directory.Policy{Roles: []directory.Role{{Name: "r", Rights: rights}}}, Sections: []directory.Section{directory.SectionRoles}})
	}
	set()
	f.setMappings(gives("k", "r", directory.Selector{Pattern: "eng-*"}))
	f.bound()
	set(directory.UsersManage)
	f.bound("k " + string(late) + " bound")
	set(directory.DirectoryRead)
	f.bound()
}

func testBindSeen(t *testing.T, s directory.Store) {
	f := fill(t, s)
	one, two := f.corpGroup("eng-1"), f.corpGroup("eng-2")
	set := directory.SetPolicy{
		Policy:   directory.Policy{Mappings: []directory.Mapping{gives("m", directory.RoleOperator, directory.Selector{Pattern: "eng-*"})}},
		Sections: []directory.Section{directory.SectionMappings},
		Bound:    []directory.Binding{{Mapping: "m", Group: one, State: directory.Bound}},
	}
	f.apply(set)
	f.bound("m "+string(one)+" bound", "m "+string(two)+" suspended")
	f.apply(directory.ConfirmMapping{Mapping: "m", Group: two})
	set.Bound = []directory.Binding{}
	f.apply(set) // the mapping is as it was
	f.bound("m "+string(one)+" bound", "m "+string(two)+" bound")
	set.Policy.Mappings[0].When.Pattern = "eng-?"
	f.apply(set)
	f.bound("m "+string(one)+" suspended", "m "+string(two)+" suspended")
}

func testBindTwo(t *testing.T, s directory.Store) {
	f := fill(t, s)
	a := createGroup(corp, "eng")
	b := createGroup(corp, "ENG")
	f.apply(a, b)
	f.setMappings(gives("m", directory.RoleOperator, directory.Selector{Name: "eng"}))
	f.bound("m "+string(a.ID)+" suspended", "m "+string(b.ID)+" suspended")
	f.apply(directory.ConfirmMapping{Mapping: "m", Group: a.ID})
	f.bound("m "+string(a.ID)+" bound", "m "+string(b.ID)+" suspended")
}

func testBindingsStay(t *testing.T, s directory.Store) {
	f := fill(t, s)
	eng := f.corpGroup("eng")
	m := gives("m", directory.RoleOperator, directory.Selector{Pattern: "eng*"})
	f.setMappings(m)
	late := f.corpGroup("eng-2")
	want := []string{"m " + string(eng) + " bound", "m " + string(late) + " suspended"}
	f.bound(want...)
	f.unchanged(directory.SetPolicy{Policy: directory.Policy{Mappings: []directory.Mapping{m}}, Sections: mappingSection})
	f.setMappings(gives("first", "project-viewer", directory.Selector{Name: "x"}), m) // it only moved
	f.bound(want...)
	m.Grants = append(m.Grants, directory.GrantSet{Roles: []directory.RoleName{"project-viewer"}})
	f.setMappings(m)
	f.bound("m "+string(eng)+" bound", "m "+string(late)+" bound")
	f.setMappings()
	f.bound()
}

func testBindingMovesPolicy(t *testing.T, s directory.Store) {
	f := fill(t, s)
	at := f.setMappings(gives("m", "project-viewer", directory.Selector{ID: "x-eng"}))
	f.corpGroup("other")
	f.apply(directory.RequirePolicy{Revision: at.Revision})
	c := createGroup(corp, "eng")
	c.ExternalID = "x-eng"
	if r := f.feed(c); !r.Policy || len(r.Groups) != 1 {
		t.Errorf("the feed of a group that is bound = %+v, want policy and the group", r)
	}
	f.refused(directory.ErrVersion, tester, directory.RequirePolicy{Revision: at.Revision})
	if p, err := s.Policy(t.Context()); err != nil || p.Revision != f.head().Revision {
		t.Errorf("Policy is of revision %v, %v; want %v", p.Revision, err, f.head().Revision)
	}
}
