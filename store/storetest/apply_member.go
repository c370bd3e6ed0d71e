package storetest

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/usherd/usherd/directory"
)

var applyMemberCases = []testCase{
	{"a value is an id, else an external id, else pending", testMemberValues},
	{"an id of another source is unknown", testMemberOfAnotherSource},
	{"a local group takes ids of any source", testLocalMembers},
	{"pending members become members when they come", testPendingResolves},
	{"a member is removed by its id, its external id or what was sent", testRemoveMembers},
	{"replacing makes the values the whole list", testReplaceMembers},
	{"ways to belong are kept apart", testVia},
	{"counts and versions move with members", testMemberCounts},
	{"a list of thousands is as good as a short one", testManyMembers},
	{"members may come before the users they name", testMembersFirst},
	{"groups may be members of each other in a circle", testNestedCircle},
}

// memberList returns the members of a group as "kind value", sorted.
func (f fixture) memberList(group directory.GroupID) []string {
	f.Helper()
	var all []string
	for _, m := range members(f.T, f.Store, group) {
		all = append(all, string(m.Kind)+" "+m.Value)
	}
	slices.Sort(all)
	return all
}

func (f fixture) hasMembers(group directory.GroupID, want ...string) {
	f.Helper()
	slices.Sort(want)
	if d := diff(want, f.memberList(group)); d != "" {
		f.Errorf("members (-want +got):\n%s", d)
	}
}

func testMemberValues(t *testing.T, s directory.Store) {
	f := fill(t, s)
	ann, bob, kid, eng := f.user(okta, "ann"), f.user(okta, "bob"), f.group(okta, "kid"), f.group(okta, "eng")
	f.apply(directory.AddMembers{Group: eng, Source: okta, Values: []string{
		strings.ToUpper(string(ann)), "x-ann", string(ann), "x-bob", string(kid), "x-kid", "X-BOB", "later", "later",
	}})
	f.hasMembers(eng, "user "+string(ann), "user "+string(bob), "group "+string(kid), "pending X-BOB", "pending later")
	f.unchanged(directory.AddMembers{Group: eng, Source: okta, Values: []string{"x-ann", string(bob), "later", "x-kid"}})
}

func testMemberOfAnotherSource(t *testing.T, s directory.Store) {
	f := fill(t, s)
	ann, kid, eng := f.user(corp, "ann"), f.group(corp, "kid"), f.group(okta, "eng")
	f.apply(directory.AddMembers{Group: eng, Source: okta, Values: []string{string(ann), string(kid), "x-ann"}})
	f.hasMembers(eng, "pending "+string(ann), "pending "+string(kid), "pending x-ann")
	f.user(corp, "later")
	f.user(okta, "ann2")
	f.hasMembers(eng, "pending "+string(ann), "pending "+string(kid), "pending x-ann")
	if sub := f.subject(byID(ann), directory.Stamp{}); len(sub.Memberships) != 0 {
		t.Errorf("Subject = %+v, want no membership", sub)
	}
}

func testLocalMembers(t *testing.T, s directory.Store) {
	f := fill(t, s)
	ann, bob, kid, team := f.user(corp, "ann"), f.user(okta, "bob"), f.group(corp, "kid"), f.group(directory.Local, "team")
	at := f.apply(directory.AddMembers{Group: team, Source: directory.Local, Values: []string{string(ann), string(bob), string(kid), "x-ann"}})
	f.hasMembers(team, "user "+string(ann), "user "+string(bob), "group "+string(kid), "pending x-ann")
	sub := f.subject(byID(ann), at)
	if want := []directory.Membership{{Group: f.num(team), Local: true}}; diff(want, sub.Memberships) != "" {
		t.Errorf("Subject has %+v, want a local membership", sub.Memberships)
	}
	f.apply(directory.RemoveMembers{Group: team, Source: directory.Local, Values: []string{string(ann), string(kid), "x-ann"}})
	f.hasMembers(team, "user "+string(bob))
}

func testPendingResolves(t *testing.T, s directory.Store) {
	f := fill(t, s)
	eng, other, foreign := f.group(okta, "eng"), f.group(okta, "other"), f.group(corp, "foreign")
	f.apply(directory.AddMembers{Group: eng, Source: okta, Values: []string{"x-ann", "x-kid", "never", "later"}},
		directory.AddMembers{Group: other, Source: okta, Values: []string{"x-ann"}},
		directory.AddMembers{Group: foreign, Source: corp, Values: []string{"x-ann"}})
	c := createUser(okta, profile("ann"))
	f.names(f.feed(c), keys(byID(c.ID)))
	kid := f.group(okta, "kid")
	f.hasMembers(eng, "user "+string(c.ID), "group "+string(kid), "pending later", "pending never")
	f.hasMembers(other, "user "+string(c.ID))
	f.hasMembers(foreign, "pending x-ann")
	if g, err := s.Group(t.Context(), okta, eng); err != nil || g.Members != 2 || g.Pending != 2 || g.Version != 4 {
		t.Errorf("Group = %+v, %v; want 2 members, 2 pending, version 4", g, err)
	}
	f.apply(directory.ReplaceUser{ID: c.ID, Source: okta, Profile: directory.Profile{UserName: "ann", ExternalID: "later"}})
	f.hasMembers(eng, "user "+string(c.ID), "group "+string(kid), "pending never") // who is a member already becomes none twice
	if sub := f.subject(byID(c.ID), directory.Stamp{}); len(sub.Memberships) != 2 {
		t.Errorf("Subject = %+v, want two memberships", sub)
	}
}

func testRemoveMembers(t *testing.T, s directory.Store) {
	f := fill(t, s)
	ann, bob, cid := f.user(okta, "ann"), f.user(okta, "bob"), f.user(okta, "cid")
	eng := f.group(okta, "eng", ann, bob, cid)
	f.apply(directory.AddMembers{Group: eng, Source: okta, Values: []string{"later", "never"}})
	remove := directory.RemoveMembers{Group: eng, Source: okta, Values: []string{strings.ToUpper(string(ann)), "x-bob", "later", "nobody"}}
	f.names(f.feed(remove), keys(byID(ann), byID(bob)), byID(cid))
	f.hasMembers(eng, "user "+string(cid), "pending never")
	f.unchanged(remove)
	f.unchanged(directory.RemoveMembers{Group: eng, Source: okta})
}

func testReplaceMembers(t *testing.T, s directory.Store) {
	f := fill(t, s)
	ann, bob, cid := f.user(okta, "ann"), f.user(okta, "bob"), f.user(okta, "cid")
	eng := f.group(okta, "eng", ann, bob)
	f.apply(directory.AddMembers{Group: eng, Source: okta, Values: []string{"later"}})
	replace := directory.ReplaceMembers{Group: eng, Source: okta, Values: []string{"x-bob", string(cid), "other"}}
	f.names(f.feed(replace), keys(byID(ann), byID(cid)), byID(bob)) // who stays is not touched
	f.hasMembers(eng, "user "+string(bob), "user "+string(cid), "pending other")
	f.unchanged(replace)
	f.apply(directory.ReplaceMembers{Group: eng, Source: okta})
	f.hasMembers(eng)
	f.unchanged(directory.ReplaceMembers{Group: eng, Source: okta, Values: []string{}})
}

func testVia(t *testing.T, s directory.Store) {
	f := fill(t, s)
	ann := f.user(corp, "ann")
	eng := f.group(corp, "eng", ann)
	f.apply(directory.AddMembers{Group: eng, Source: corp, Values: []string{string(ann)}, Via: directory.ViaPrimaryGroup})
	f.apply(directory.ReplaceMembers{Group: eng, Source: corp, Via: directory.ViaMember})
	if m := members(t, s, eng); len(m) != 1 || m[0].Via != directory.ViaPrimaryGroup {
		t.Errorf("Members = %+v, want ann via the primary group", m)
	}
	if sub := f.subject(byID(ann), directory.Stamp{}); len(sub.Memberships) != 1 {
		t.Errorf("Subject = %+v, want one membership", sub)
	}
	f.unchanged(directory.RemoveMembers{Group: eng, Source: corp, Values: []string{string(ann)}})
	f.apply(directory.RemoveMembers{Group: eng, Source: corp, Values: []string{string(ann)}, Via: directory.ViaPrimaryGroup})
	f.hasMembers(eng)
}

func testMemberCounts(t *testing.T, s directory.Store) {
	f := fill(t, s)
	ann, bob := f.user(okta, "ann"), f.user(okta, "bob")
	eng := f.group(okta, "eng")
	check := func(members, pending int, version int64) {
		t.Helper()
		g, err := s.Group(t.Context(), okta, eng)
		if err != nil || g.Members != members || g.Pending != pending || g.Version != version {
			t.Errorf("Group = %d members, %d pending, version %d, %v; want %d, %d, %d", g.Members, g.Pending, g.Version, err, members, pending, version)
		}
	}
	check(0, 0, 1)
	f.apply(directory.AddMembers{Group: eng, Source: okta, Values: []string{string(ann), "p", "q"}},
		directory.AddMembers{Group: eng, Source: okta, Values: []string{string(bob)}},
		directory.UpdateGroup{ID: eng, Source: okta, Name: new("e")})
	check(2, 2, 2) // once an Apply
	f.apply(directory.RemoveMembers{Group: eng, Source: okta, Values: []string{string(ann), "p"}})
	check(1, 1, 3)
	f.apply(directory.DeleteUser{ID: bob, Source: okta})
	check(0, 1, 4)
	f.apply(directory.ReplaceMembers{Group: eng, Source: okta, Values: []string{string(ann)}})
	check(1, 0, 5)
}

func testManyMembers(t *testing.T, s directory.Store) {
	f := fill(t, s)
	const users, pending = 700, 400
	var values, want []string
	var changes []directory.Change
	for i := range users {
		c := createUser(okta, directory.Profile{UserName: fmt.Sprint("u", i), ExternalID: fmt.Sprint("x", i), Active: true})
		changes = append(changes, c)
		value := string(c.ID)
		if i%2 == 0 {
			value = c.Profile.ExternalID
		}
		values, want = append(values, value), append(want, "user "+string(c.ID))
	}
	f.apply(changes...)
	for i := range pending {
		values, want = append(values, fmt.Sprint("p", i)), append(want, fmt.Sprint("pending p", i))
	}
	eng := f.group(okta, "eng")
	at := f.apply(directory.ReplaceMembers{Group: eng, Source: okta, Values: values})
	f.hasMembers(eng, slices.Clone(want)...)
	f.unchanged(directory.ReplaceMembers{Group: eng, Source: okta, Values: values})
	f.unchanged(directory.AddMembers{Group: eng, Source: okta, Values: values})
	records, err := s.Audit(t.Context(), at.Revision-1, 1)
	if err != nil || len(records) != 1 {
		t.Fatalf("Audit = %v, %v", records, err)
	}
	if !strings.Contains(string(records[0].Changes), `"counts":{"added":700,"pendingAdded":400}`) {
		t.Errorf("the audit record lacks the counts: %.300s", records[0].Changes)
	}
	f.apply(directory.ReplaceMembers{Group: eng, Source: okta, Values: values[2:]})
	f.hasMembers(eng, slices.Clone(want[2:])...)
	f.apply(directory.RemoveMembers{Group: eng, Source: okta, Values: values[3:]},
		directory.AddMembers{Group: eng, Source: okta, Values: values[:1]})
	f.hasMembers(eng, want[0], want[2])
	f.apply(directory.ReplaceMembers{Group: eng, Source: okta})
	if g, err := s.Group(t.Context(), okta, eng); err != nil || g.Members != 0 || g.Pending != 0 {
		t.Errorf("Group = %+v, %v; want no members", g, err)
	}
}

func testMembersFirst(t *testing.T, s directory.Store) {
	f := fill(t, s)
	g, u, k := createGroup(okta, "eng"), createUser(okta, profile("ann")), createGroup(okta, "kid")
	f.apply(g, directory.AddMembers{Group: g.ID, Source: okta, Values: []string{string(u.ID), string(k.ID), "x-ann"}}, u, k)
	f.hasMembers(g.ID, "user "+string(u.ID), "group "+string(k.ID))
	if got, err := s.Group(t.Context(), okta, g.ID); err != nil || got.Members != 2 || got.Pending != 0 {
		t.Errorf("Group = %+v, %v; want 2 members, none pending", got, err)
	}
}

func testNestedCircle(t *testing.T, s directory.Store) {
	f := fill(t, s)
	a, b := f.group(okta, "a"), f.group(okta, "b")
	f.apply(directory.AddMembers{Group: a, Source: okta, Values: []string{string(a), string(b)}},
		directory.AddMembers{Group: b, Source: okta, Values: []string{string(a)}})
	for _, g := range f.facts(0).Groups {
		want := map[directory.GroupID][]directory.GroupNum{a: {f.num(a), f.num(b)}, b: {f.num(a)}}[g.ID]
		if !slices.Equal(g.Parents, want) {
			t.Errorf("group %d has parents %v, want %v", g.Num, g.Parents, want)
		}
	}
	f.apply(directory.DeleteGroup{ID: a, Source: okta})
	if groups := f.facts(0).Groups; len(groups) != 1 || len(groups[0].Parents) != 0 {
		t.Errorf("Facts has %+v, want b alone", groups)
	}
}
