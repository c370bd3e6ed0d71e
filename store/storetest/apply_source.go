package storetest

import (
	"testing"

	"github.com/usherd/usherd/directory"
)

var applySourceCases = []testCase{
	{"a source is put, paused, disabled and active again", testSourceStates},
	{"a removed source takes its people and groups along", testRemoveSource},
	{"a removed source may leave its people and groups as local", testKeepPeople},
	{"people are kept without the memberships that an override hides", testKeepOverridden},
	{"people are not kept where names collide", testKeepPeopleCollides},
	{"a removed source says no more of whom it deleted before", testRemoveSourceFrees},
	{"a name may be given to another source after removal", testSourceNameAgain},
}

func (f fixture) sourceState(name directory.SourceName) directory.SourceState {
	f.Helper()
	all, err := f.Sources(f.Context())
	if err != nil {
		f.Fatal(err)
	}
	for _, s := range all {
		if s.Name == name {
			return s.State
		}
	}
	return ""
}

func testSourceStates(t *testing.T, s directory.Store) {
	f := fill(t, s)
	for _, state := range []directory.SourceState{directory.SourcePaused, directory.SourceDisabled, directory.SourceActive} {
		at := f.apply(directory.SetSourceState{Source: okta, State: state})
		if got := f.sourceState(okta); got != state {
			t.Errorf("the source is %s, want %s", got, state)
		}
		for _, src := range f.facts(at.Revision).Policy.Sources {
			if src.Name == okta && src.State != state {
				t.Errorf("Facts has the source %s, want %s", src.State, state)
			}
		}
	}
	// Putting alters settings and rank, not the state.
	f.apply(directory.SetSourceState{Source: okta, State: directory.SourceDisabled},
		directory.PutSource{Source: directory.Source{Name: okta, Kind: directory.KindSCIM, State: directory.SourceActive, Rank: 9}})
	if got := f.sourceState(okta); got != directory.SourceDisabled {
		t.Errorf("the source is %s, want still disabled", got)
	}
	f.refused(directory.ErrNotFound, tester, directory.SetSourceState{Source: "none", State: directory.SourcePaused})
	f.refused(directory.ErrNotFound, tester, directory.RemoveSource{Source: "none"})
}

func testRemoveSource(t *testing.T, s directory.Store) {
	f := fill(t, s)
	ann, eng := f.user(okta, "ann"), f.group(okta, "eng")
	bob := f.user(corp, "bob")
	team := f.group(directory.Local, "team", ann, bob)
	f.apply(directory.AddMembers{Group: eng, Source: okta, Values: []string{string(ann)}},
		directory.PutGrant{Grant: directory.Grant{User: ann, Role: directory.RoleViewer}},
		directory.CreateToken{Token: directory.Token{ID: "t", Kind: directory.TokenSCIM, Source: okta}, Hash: []byte{1}},
		directory.SetCursor{Source: okta, Cursor: []byte(`1`)})
	for _, source := range []directory.SourceName{okta, corp} {
		if err := s.PutHold(t.Context(), directory.Hold{Source: source, Hash: "1", Created: someTime}); err != nil {
			t.Fatal(err)
		}
	}
	f.refused(directory.ErrInvalid, tester, directory.RemoveSource{Source: okta}) // not disabled
	f.apply(directory.SetSourceState{Source: okta, State: directory.SourceDisabled})
	num := f.num(eng)
	r := f.feed(directory.RemoveSource{Source: okta})
	f.names(r, keys(byID(ann), byName("ann"), byExternal(okta, "x-ann")), byID(bob))
	if !r.Policy || len(r.Groups) != 1 || r.Groups[0] != num {
		t.Errorf("the feed = %+v, want policy and group %d", r, num)
	}
	if holds, err := s.Holds(t.Context()); err != nil || len(holds) != 1 || holds[0].Source != corp {
		t.Errorf("Holds = %+v, %v; want that of the other source alone", holds, err)
	}
	if got := f.sourceState(okta); got != "" {
		t.Errorf("the source is %s, want it gone", got)
	}
	if sub := f.subject(byID(ann), directory.Stamp{}); sub.Found != directory.Unknown {
		t.Errorf("Subject = %+v, want unknown", sub)
	}
	if g, err := s.Group(t.Context(), "", team); err != nil || g.Members != 1 {
		t.Errorf("Group = %+v, %v; want bob alone", g, err)
	}
	if p, err := s.Policy(t.Context()); err != nil || len(p.Tokens) != 0 {
		t.Errorf("Policy has the tokens %+v, %v; want none", p.Tokens, err)
	}
	if c, err := s.Cursor(t.Context(), okta); err != nil || c != nil {
		t.Errorf("Cursor = %s, %v; want none", c, err)
	}
	f.refused(directory.ErrNotFound, tester, createUser(okta, profile("x")))
	f.refused(directory.ErrNotFound, asSource(okta), directory.RequirePolicy{})
	f.refused(directory.ErrNotFound, tester, directory.RemoveSource{Source: okta})
}

func testRemoveSourceFrees(t *testing.T, s directory.Store) {
	f := fill(t, s)
	ann := f.user(corp, "ann")
	id := f.join(okta, ann, profile("ann"))
	f.apply(directory.DeleteUser{ID: id, Source: okta}, directory.SetSourceState{Source: okta, State: directory.SourceDisabled})
	if sub := f.subject(byName("ann"), directory.Stamp{}); !sub.Inactive {
		t.Errorf("Subject = %+v, want inactive", sub)
	}
	f.names(f.feed(directory.RemoveSource{Source: okta}), keys(byID(ann), byID(id)))
	if sub := f.subject(byName("ann"), directory.Stamp{}); sub.Inactive {
		t.Errorf("Subject = %+v, want active", sub)
	}
	if sub := f.subject(byID(id), directory.Stamp{}); sub.Found != directory.Unknown {
		t.Errorf("Subject of the identity = %+v, want unknown", sub)
	}
}

func testKeepPeople(t *testing.T, s directory.Store) {
	f := fill(t, s)
	ann, kid := f.user(okta, "ann", "a@a.test"), f.group(okta, "kid")
	gone := f.user(okta, "gone")
	eng := f.group(okta, "eng", ann)
	f.apply(directory.AddMembers{Group: eng, Source: okta, Values: []string{string(kid), "later"}},
		directory.SetPresence{ID: gone, Source: okta, Presence: directory.Gone},
		directory.SetSourceState{Source: okta, State: directory.SourceDisabled})
	before := f.head()
	r := f.feed(directory.RemoveSource{Source: okta, KeepPeople: true})
	f.names(r, keys(byID(ann), byExternal(okta, "x-ann"), byExternal(directory.Local, "x-ann")))
	for _, k := range keys(byID(ann), byName("ann"), byEmail("a@a.test"), byExternal(directory.Local, "x-ann")) {
		sub := f.subject(k, directory.Stamp{})
		want := directory.Subject{
			At: f.head(), Found: directory.One, ID: ann, Type: directory.Standard, Sources: []directory.SourceName{directory.Local},
			Memberships: []directory.Membership{{Group: f.num(eng), Local: true}},
		}
		if d := diff(want, sub); d != "" {
			t.Errorf("Subject(%v) (-want +got):\n%s", k, d)
		}
	}
	if sub := f.subject(byExternal(okta, "x-ann"), directory.Stamp{}); sub.Found != directory.Unknown {
		t.Errorf("Subject of the old source = %+v, want unknown", sub)
	}
	if sub := f.subject(byID(ann), before); len(sub.Memberships) != 1 || sub.Memberships[0].Local || sub.Sources[0] != okta {
		t.Errorf("Subject before = %+v, want it as it was", sub)
	}
	if sub := f.subject(byID(gone), directory.Stamp{}); !sub.Inactive {
		t.Errorf("who was gone is %+v, want inactive still", sub)
	}
	f.hasMembers(eng, "user "+string(ann), "group "+string(kid), "pending later")
	f.apply(directory.RemoveMembers{Group: eng, Source: directory.Local, Values: []string{string(ann), "later"}},
		directory.ReplaceUser{ID: ann, Source: directory.Local, Profile: profile("anna")})
	f.hasMembers(eng, "group "+string(kid))
	for _, g := range f.facts(0).Groups {
		if g.Source != directory.Local {
			t.Errorf("Facts has the group %+v, want it local", g)
		}
	}
}

func testKeepOverridden(t *testing.T, s directory.Store) {
	f := fill(t, s)
	ann, bob := f.user(okta, "ann"), f.user(okta, "bob")
	eng, own := f.group(okta, "eng", ann, bob), f.group(okta, "own", ann)
	f.apply(directory.SetPolicy{Sections: []directory.Section{directory.SectionProjects}, Policy: directory.Policy{Projects: []directory.Project{{Key: "alpha"}}}},
		directory.SetGroupScope{Group: own, Project: "alpha"},
		directory.SetOverride{User: ann}, directory.SetOverride{User: bob, Project: "alpha"},
		directory.SetSourceState{Source: okta, State: directory.SourceDisabled},
		directory.RemoveSource{Source: okta, KeepPeople: true})
	f.hasMembers(eng, "user "+string(bob)) // nothing hides it there, and in alpha it is hidden as before
	f.hasMembers(own, "user "+string(ann))
}

func testKeepPeopleCollides(t *testing.T, s directory.Store) {
	f := fill(t, s)
	f.group(okta, "eng")
	local := f.group(directory.Local, "Eng")
	f.apply(directory.SetSourceState{Source: okta, State: directory.SourceDisabled})
	f.taken("displayName", string(local), directory.Local, directory.RemoveSource{Source: okta, KeepPeople: true})
	f.apply(directory.RemoveSource{Source: okta})
}

func testSourceNameAgain(t *testing.T, s directory.Store) {
	f := fill(t, s)
	ann := f.user(okta, "ann")
	f.apply(directory.SetSourceState{Source: okta, State: directory.SourceDisabled}, directory.RemoveSource{Source: okta})
	f.apply(directory.PutSource{Source: directory.Source{Name: okta, Kind: directory.KindLDAP}})
	if got := f.sourceState(okta); got != directory.SourceActive {
		t.Errorf("the new source is %q, want active", got)
	}
	if heir := f.user(okta, "ann"); heir == ann {
		t.Errorf("the new user has the id of the old one")
	}
}
