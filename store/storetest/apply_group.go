package storetest

import (
	"slices"
	"testing"

	"github.com/usherd/usherd/directory"
)

var applyGroupCases = []testCase{
	{"a group's name is unique where the standard says so", testGroupNameIsUnique},
	{"a group's number is given once", testGroupNumbers},
	{"an update alters what it names", testUpdateGroup},
	{"status, scope and description are ours on any group", testGroupOurs},
	{"deleting a group ends its edges and grants", testDeleteGroup},
	{"the feed names groups whose own facts changed", testGroupFeed},
}

func createGroup(source directory.SourceName, name string) directory.CreateGroup {
	return directory.CreateGroup{ID: directory.GroupID(directory.NewID()), Source: source, Name: name}
}

func testGroupNameIsUnique(t *testing.T, s directory.Store) {
	f := fill(t, s)
	f.apply(directory.SetPolicy{Policy: catalogue, Sections: catalogueSections})
	scim, local := createGroup(okta, "eng"), createGroup(directory.Local, "eng")
	f.apply(scim, local)
	f.taken("displayName", string(scim.ID), okta, createGroup(okta, "ENG"))
	f.taken("displayName", string(local.ID), directory.Local, createGroup(directory.Local, "Eng"))
	f.apply(createGroup(corp, "eng"), createGroup(corp, "eng")) // a DN tells them apart
	inAlpha := createGroup(directory.Local, "eng")
	inAlpha.Project = "alpha"
	f.apply(inAlpha)
	f.taken("displayName", string(local.ID), directory.Local, directory.SetGroupScope{Group: inAlpha.ID})
	other := createGroup(okta, "other")
	other.ExternalID = "7"
	f.apply(other)
	f.taken("displayName", string(scim.ID), okta, directory.UpdateGroup{ID: other.ID, Source: okta, Name: new("eng")})
	again := createGroup(okta, "x")
	again.ExternalID = "7"
	f.taken("externalId", string(other.ID), okta, again)
	f.apply(directory.DeleteGroup{ID: other.ID, Source: okta}, again)
}

func testGroupNumbers(t *testing.T, s directory.Store) {
	f := fill(t, s)
	a, b := f.group(okta, "a"), f.group(okta, "b")
	if f.num(a) != 1 || f.num(b) != 2 {
		t.Errorf("the first groups have numbers %d and %d, want 1 and 2", f.num(a), f.num(b))
	}
	f.apply(directory.DeleteGroup{ID: b, Source: okta})
	f.refused(directory.ErrNotFound, tester, createGroup(okta, "c"), directory.DeleteGroup{ID: b, Source: okta})
	if n := f.num(f.group(okta, "b")); n != 3 {
		t.Errorf("the next group has number %d, want 3", n)
	}
}

func testUpdateGroup(t *testing.T, s directory.Store) {
	f := fill(t, s)
	c := createGroup(corp, "a")
	c.ExternalID, c.DN, c.Attributes = "7", "cn=a", []byte(`{"x":1}`)
	f.apply(c)
	f.apply(directory.UpdateGroup{ID: c.ID, Source: corp, Name: new("b")})
	f.apply(directory.UpdateGroup{ID: c.ID, Source: corp, ExternalID: new(""), DN: new("cn=b"), Attributes: []byte(`{}`)})
	g, err := s.Group(t.Context(), corp, c.ID)
	want := directory.Group{
		ID: c.ID, Num: 1, Source: corp, Name: "b", DN: "cn=b", Status: directory.GroupActive,
		Attributes: []byte(`{}`), Version: 3, Created: g.Created, Modified: g.Modified,
	}
	if d := diff(want, g); err != nil || d != "" {
		t.Errorf("Group: %v (-want +got):\n%s", err, d)
	}
}

func testGroupOurs(t *testing.T, s directory.Store) {
	f := fill(t, s)
	f.apply(directory.SetPolicy{Policy: catalogue, Sections: catalogueSections})
	eng := f.group(corp, "eng")
	at := f.apply(directory.SetGroupStatus{Group: eng, Status: directory.GroupBlocked},
		directory.SetGroupScope{Group: eng, Project: "alpha"}, directory.SetGroupDescription{Group: eng, Description: "d"})
	g, err := s.Group(t.Context(), corp, eng)
	if err != nil || g.Status != directory.GroupBlocked || g.Project != "alpha" || g.Description != "d" || g.Version != 2 {
		t.Errorf("Group = %+v, %v; want it blocked, in alpha, described, version 2", g, err)
	}
	if facts := f.facts(at.Revision); len(facts.Groups) != 1 || !facts.Groups[0].Blocked || facts.Groups[0].Project != "alpha" {
		t.Errorf("Facts has the groups %+v, want it blocked and in alpha", facts.Groups)
	}
	f.refused(directory.ErrNotFound, tester, directory.SetGroupStatus{Group: directory.GroupID(directory.NewID()), Status: directory.GroupBlocked})
}

func testDeleteGroup(t *testing.T, s directory.Store) {
	f := fill(t, s)
	ann := f.user(okta, "ann")
	top, mid, low := f.group(okta, "top"), f.group(okta, "mid", ann), f.group(okta, "low")
	f.apply(directory.AddMembers{Group: top, Source: okta, Values: []string{string(mid)}},
		directory.AddMembers{Group: mid, Source: okta, Values: []string{string(low), "later"}},
		directory.PutGrant{Grant: directory.Grant{Group: mid, Role: directory.RoleViewer}})
	nums := []directory.GroupNum{f.num(mid), f.num(low)}
	r := f.feed(directory.DeleteGroup{ID: mid, Source: okta})
	if d := diff(nums, r.Groups); d != "" {
		t.Errorf("the feed names groups (-want +got):\n%s", d)
	}
	f.names(r, nil, byID(ann)) // a number that no snapshot knows gives nothing
	if g, err := s.Group(t.Context(), okta, top); err != nil || g.Members != 0 {
		t.Errorf("the group above = %+v, %v; want no members", g, err)
	}
	facts := f.facts(0)
	for _, g := range facts.Groups {
		if len(g.Parents)+len(g.Grants) != 0 || g.ID == mid {
			t.Errorf("Facts has the group %+v, want top and low with no parents", g)
		}
	}
	if sub := f.subject(byID(ann), directory.Stamp{}); len(sub.Memberships) != 0 {
		t.Errorf("Subject = %+v, want no membership", sub)
	}
	if g, err := s.Grants(t.Context(), "", mid); err != nil || len(g) != 0 {
		t.Errorf("Grants = %+v, %v; want none", g, err)
	}
	// Who waited for the group to know them waits no more.
	f.apply(createUser(okta, directory.Profile{UserName: "later", ExternalID: "later"}))
	f.refused(directory.ErrNotFound, tester, directory.AddMembers{Group: mid, Source: okta, Values: []string{"x"}})
}

func testGroupFeed(t *testing.T, s directory.Store) {
	f := fill(t, s)
	f.apply(directory.SetPolicy{Policy: catalogue, Sections: catalogueSections})
	eng, kid := f.group(okta, "eng"), f.group(okta, "kid")
	engNum, kidNum := f.num(eng), f.num(kid)
	for _, tt := range []struct {
		change directory.Change
		want   []directory.GroupNum
		policy bool
	}{
		{directory.SetGroupStatus{Group: eng, Status: directory.GroupBlocked}, []directory.GroupNum{engNum}, false},
		{directory.SetGroupScope{Group: eng, Project: "alpha"}, []directory.GroupNum{engNum}, false},
		{directory.UpdateGroup{ID: eng, Source: okta, Name: new("e")}, []directory.GroupNum{engNum}, false},
		{directory.UpdateGroup{ID: eng, Source: okta, DN: new("cn=e")}, []directory.GroupNum{engNum}, false},
		{directory.UpdateGroup{ID: eng, Source: okta, ExternalID: new("e")}, []directory.GroupNum{engNum}, false},
		{directory.UpdateGroup{ID: eng, Source: okta, Attributes: []byte(`{"a":1}`)}, nil, false},
		{directory.SetGroupDescription{Group: eng, Description: "d"}, nil, false},
		{directory.AddMembers{Group: eng, Source: okta, Values: []string{string(kid)}}, []directory.GroupNum{kidNum}, false},
		{directory.RemoveMembers{Group: eng, Source: okta, Values: []string{string(kid)}}, []directory.GroupNum{kidNum}, false},
		{directory.AddMembers{Group: eng, Source: okta, Values: []string{"later"}}, nil, false},
		{directory.PutGrant{Grant: directory.Grant{Group: eng, Role: "project-viewer"}}, []directory.GroupNum{engNum}, false},
		{directory.EndGrant{Grant: directory.Grant{Group: eng, Role: "project-viewer"}}, []directory.GroupNum{engNum}, false},
		{createGroup(okta, "third"), []directory.GroupNum{kidNum + 1}, false},
		{directory.SetSourceState{Source: okta, State: directory.SourceDisabled}, nil, true},
		{directory.PutSource{Source: directory.Source{Name: "new", Kind: directory.KindSCIM}}, nil, true},
		{directory.CreateToken{Token: directory.Token{ID: "t", Kind: directory.TokenAdmin}, Hash: []byte{1}}, nil, true},
		{directory.RevokeToken{ID: "t"}, nil, true},
		{directory.SetPolicy{Sections: []directory.Section{directory.SectionTests}, Policy: directory.Policy{Tests: "t"}}, nil, true},
	} {
		r := f.feed(tt.change)
		if !slices.Equal(r.Groups, tt.want) || r.Policy != tt.policy {
			t.Errorf("the feed of %+v names groups %v, policy %v; want %v, %v", tt.change, r.Groups, r.Policy, tt.want, tt.policy)
		}
	}
}
