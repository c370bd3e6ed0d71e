package storetest

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/usherd/usherd/directory"
)

var subjectCases = []testCase{
	{"a subject is found by id, userName, e-mail and externalId", testSubjectKeys},
	{"keys are compared as they are", testSubjectKeysAreExact},
	{"nobody is unknown and no error", testSubjectUnknown},
	{"an absent key names nobody", testSubjectAbsentKey},
	{"an address of two people is ambiguous", testSubjectAmbiguous},
	{"a rename moves the key at its revision", testSubjectRename},
	{"an inactive or gone identity makes inactive", testSubjectInactive},
	{"a deleted user is unknown and its keys are free", testSubjectDeleted},
	{"memberships are direct, once each, ascending, and say what is local", testSubjectMemberships},
	{"own grants and overrides belong to the subject", testSubjectOwn},
	{"a subject as of a stamp of another history is lost", testSubjectLost},
	{"a subject is of one single revision", testSubjectIsOneRevision},
	{"many subjects are what one by one they are", testSubjectsAgree},
	{"people are selected by what they have, in order and in pages", testSubjectsSelect},
}

func testSubjectKeys(t *testing.T, s directory.Store) {
	f := fill(t, s)
	ann := f.user(okta, "Ann", "Ann@Corp.test", "second@corp.test")
	want := directory.Subject{
		At: f.head(), Found: directory.One, ID: ann, Type: directory.Standard, Sources: []directory.SourceName{okta},
	}
	for _, k := range []directory.SubjectKey{
		byID(ann), byName("aNN"), byEmail("ann@corp.TEST"), byEmail("second@corp.test"), byExternal(okta, "x-Ann"),
	} {
		if d := diff(want, f.subject(k, directory.Stamp{})); d != "" {
			t.Errorf("Subject(%s) (-want +got):\n%s", k, d)
		}
	}
	if _, err := s.Subject(t.Context(), directory.SubjectKey{Value: string(ann)}, directory.Stamp{}); !errors.Is(err, directory.ErrInvalid) {
		t.Errorf("Subject of a key without a kind = %v, want ErrInvalid", err)
	}
}

func testSubjectKeysAreExact(t *testing.T, s directory.Store) {
	f := fill(t, s)
	ann := f.user(okta, "ann")
	for _, k := range []directory.SubjectKey{
		{Kind: directory.KeyID, Value: strings.ToUpper(string(ann))},
		{Kind: directory.KeyUserName, Value: "ANN"}, // no canonical key
		{Kind: directory.KeyUserName, Value: string(ann)},
		byID("ann"), byExternal(okta, "X-ANN"), byExternal(corp, "x-ann"), byExternal("", "x-ann"), byName("an"), byName("ann%"), byName("a_n"),
	} {
		if got := f.subject(k, directory.Stamp{}); got.Found != directory.Unknown {
			t.Errorf("Subject(%s) = %+v, want nobody", k, got)
		}
	}
}

func testSubjectUnknown(t *testing.T, s directory.Store) {
	f := fill(t, s)
	want := directory.Subject{At: f.head()}
	for _, k := range []directory.SubjectKey{
		byID("0"), byName("nobody"), byEmail("nobody@corp.test"), byExternal(okta, "7"), byExternal("nowhere", "7"),
		byExternal(okta, "a\x00b"), byExternal("\xff", "7"),
		{Kind: directory.KeyID, Value: "\xff"},
	} {
		if d := diff(want, f.subject(k, directory.Stamp{})); d != "" {
			t.Errorf("Subject(%q) (-want +got):\n%s", k, d)
		}
	}
}

// testSubjectAbsentKey: an identity without externalId must not answer to the
// empty one.
func testSubjectAbsentKey(t *testing.T, s directory.Store) {
	f := fill(t, s)
	id := directory.UserID(directory.NewID())
	f.apply(directory.CreateUser{ID: id, Source: okta, Profile: directory.Profile{UserName: "ann", Active: true}})
	for _, k := range []directory.SubjectKey{
		byExternal(okta, ""), byExternal("", ""), {Kind: directory.KeyUserName}, {Kind: directory.KeyEmail}, byID(""),
	} {
		if got := f.subject(k, directory.Stamp{}); got.Found != directory.Unknown {
			t.Errorf("Subject(%s) = %+v, want nobody", k, got)
		}
	}
}

func testSubjectAmbiguous(t *testing.T, s directory.Store) {
	f := fill(t, s)
	ann := f.user(okta, "ann", "office@corp.test")
	bob := f.user(okta, "bob", "Office@corp.test", "bob@corp.test")
	f.group(okta, "eng", ann, bob)
	want := directory.Subject{At: f.head(), Found: directory.Ambiguous}
	if d := diff(want, f.subject(byEmail("office@corp.test"), directory.Stamp{})); d != "" {
		t.Errorf("an address of two people (-want +got):\n%s", d)
	}
	if got := f.subject(byEmail("bob@corp.test"), directory.Stamp{}); got.ID != bob {
		t.Errorf("an address of bob alone = %+v", got)
	}
	f.apply(directory.DeleteUser{ID: bob, Source: okta})
	if got := f.subject(byEmail("office@corp.test"), directory.Stamp{}); got.ID != ann || got.Found != directory.One {
		t.Errorf("the address after one of the two was deleted = %+v, want ann", got)
	}
}

func testSubjectRename(t *testing.T, s directory.Store) {
	f := fill(t, s)
	ann := f.user(okta, "ann", "ann@corp.test")
	before := f.head()
	renamed := profile("anna", "anna@corp.test")
	after := f.apply(directory.ReplaceUser{ID: ann, Source: okta, Profile: renamed})
	second := f.user(okta, "ann", "ann@corp.test")
	taken := f.head()
	for _, tt := range []struct {
		key  directory.SubjectKey
		at   directory.Stamp
		want directory.UserID
	}{
		{byName("ann"), before, ann},
		{byName("ann"), after, ""},
		{byName("ann"), taken, second},
		{byEmail("ann@corp.test"), before, ann},
		{byEmail("ann@corp.test"), after, ""},
		{byEmail("ann@corp.test"), taken, second},
		{byExternal(okta, "x-ann"), before, ann},
		{byExternal(okta, "x-ann"), after, ""},
		{byExternal(okta, "x-ann"), taken, second},
		{byName("anna"), before, ""},
		{byName("anna"), after, ann},
		{byName("anna"), taken, ann},
		{byID(ann), before, ann},
		{byID(ann), after, ann},
		{byID(ann), taken, ann},
		{byID(second), after, ""},
	} {
		if got := f.subject(tt.key, tt.at); got.ID != tt.want || got.At != tt.at {
			t.Errorf("Subject(%s, %s) = %q at %s, want %q", tt.key, tt.at, got.ID, got.At, tt.want)
		}
	}
}

func testSubjectInactive(t *testing.T, s directory.Store) {
	f := fill(t, s)
	ann := f.user(corp, "ann")
	off := profile("ann")
	off.Active = false
	for _, step := range []struct {
		name              string
		change            directory.Change
		inactive, blocked bool
	}{
		{"its source says so", directory.ReplaceUser{ID: ann, Source: corp, Profile: off}, true, false},
		{"its source says active again", directory.ReplaceUser{ID: ann, Source: corp, Profile: profile("ann")}, false, false},
		{"it is gone from a complete read", directory.SetPresence{ID: ann, Source: corp, Presence: directory.Gone}, true, false},
		{"it is back", directory.SetPresence{ID: ann, Source: corp, Presence: directory.Present}, false, false},
		{"we block it", directory.SetBlock{User: ann, Blocked: true}, false, true},
	} {
		f.apply(step.change)
		got := f.subject(byName("ann"), directory.Stamp{})
		if got.Found != directory.One || got.Inactive != step.inactive || got.Blocked != step.blocked {
			t.Errorf("when %s: %+v, want inactive %v, blocked %v", step.name, got, step.inactive, step.blocked)
		}
	}
}

func testSubjectDeleted(t *testing.T, s directory.Store) {
	f := fill(t, s)
	ann := f.user(okta, "ann", "ann@corp.test")
	f.group(okta, "eng", ann)
	f.apply(directory.PutGrant{Grant: directory.Grant{User: ann, Role: "viewer", Origin: directory.ByHand}})
	living := f.head()
	f.apply(directory.DeleteUser{ID: ann, Source: okta})
	for _, k := range []directory.SubjectKey{byID(ann), byName("ann"), byEmail("ann@corp.test"), byExternal(okta, "x-ann")} {
		if got := f.subject(k, directory.Stamp{}); got.Found != directory.Unknown || len(got.Memberships)+len(got.Grants) > 0 {
			t.Errorf("Subject(%s) after the deletion = %+v, want nobody", k, got)
		}
		if got := f.subject(k, living); got.ID != ann || len(got.Memberships) != 1 || len(got.Grants) != 1 {
			t.Errorf("Subject(%s, %s) before the deletion = %+v, want ann with a group and a grant", k, living, got)
		}
	}
	heir := f.user(okta, "ann", "ann@corp.test")
	got := f.subject(byName("ann"), directory.Stamp{})
	if got.ID != heir || len(got.Memberships)+len(got.Grants) > 0 {
		t.Errorf("whoever gets the freed userName = %+v, want %s without anything", got, heir)
	}
}

func testSubjectMemberships(t *testing.T, s directory.Store) {
	f := fill(t, s)
	ann := f.user(corp, "ann")
	eng := f.group(corp, "eng", ann)
	all := f.group(corp, "all")
	local := f.group(directory.Local, "ours", ann)
	ended := f.group(corp, "ended", ann)
	f.apply(
		directory.AddMembers{Group: all, Source: corp, Values: []string{string(eng)}}, // nested: not direct for ann
		directory.AddMembers{Group: eng, Source: corp, Values: []string{string(ann)}, Via: directory.ViaPrimaryGroup},
		directory.AddMembers{Group: all, Source: corp, Values: []string{"pending"}},
		directory.DeleteGroup{ID: ended, Source: corp},
	)
	want := []directory.Membership{{Group: f.num(eng)}, {Group: f.num(local), Local: true}}
	if got := f.subject(byID(ann), directory.Stamp{}).Memberships; !slices.Equal(got, want) {
		t.Errorf("memberships = %+v, want %+v", got, want)
	}
	f.apply(directory.RemoveMembers{Group: eng, Source: corp, Values: []string{string(ann)}})
	if got := f.subject(byID(ann), directory.Stamp{}).Memberships; !slices.Equal(got, want) {
		t.Errorf("memberships without one of two edges = %+v, want %+v", got, want)
	}
}

func testSubjectOwn(t *testing.T, s directory.Store) {
	f := fill(t, s)
	ann, bob := f.user(okta, "ann"), f.user(okta, "bob")
	f.apply(directory.SetPolicy{
		Policy:   directory.Policy{Projects: []directory.Project{{Key: "alpha"}, {Key: "beta"}}},
		Sections: []directory.Section{directory.SectionProjects},
	})
	viewer := directory.Privilege{Kind: directory.IntegrationLevel, Key: "*", Level: directory.Consumer}
	f.apply(
		directory.SetOverride{User: ann, Project: "beta", Reason: "r"},
		directory.SetOverride{User: ann, Reason: "r"},
		directory.PutGrant{Grant: directory.Grant{User: ann, Project: "alpha", Role: "project-viewer", Origin: directory.ByHand, By: "root"}},
		directory.PutGrant{Grant: directory.Grant{User: ann, Privilege: viewer, Origin: directory.ByHand}},
		directory.PutGrant{Grant: directory.Grant{User: bob, Role: "owner", Origin: directory.ByHand}},
	)
	got := f.subject(byID(ann), directory.Stamp{})
	if want := []directory.ProjectKey{"", "beta"}; !slices.Equal(got.Overrides, want) {
		t.Errorf("overrides = %q, want %q", got.Overrides, want)
	}
	grants, err := s.Grants(t.Context(), ann, "")
	if err != nil || len(grants) != 2 {
		t.Fatalf("Grants(ann) = %+v, %v; want two", grants, err)
	}
	slices.SortFunc(grants, func(a, b directory.Grant) int { return strings.Compare(a.ID, b.ID) })
	if d := diff(grants, got.Grants); d != "" {
		t.Errorf("own grants (-Grants +Subject):\n%s", d)
	}
}

func testSubjectLost(t *testing.T, s directory.Store) {
	f := fill(t, s)
	ann := f.user(okta, "ann")
	head := f.head()
	for _, at := range []directory.Stamp{
		{Revision: head.Revision, Fingerprint: head.Fingerprint + 1},
		{Revision: head.Revision - 1, Fingerprint: head.Fingerprint},
		{Revision: head.Revision + 1, Fingerprint: head.Fingerprint},
		{Fingerprint: 1},
		{Revision: -1},
	} {
		if got, err := s.Subject(t.Context(), byID(ann), at); !errors.Is(err, directory.ErrHistoryLost) {
			t.Errorf("Subject at %s = %+v, %v; want ErrHistoryLost", at, got, err)
		}
	}
}

// testSubjectIsOneRevision moves a user between two groups while others look:
// nobody may see the user in both or in neither, nor an answer that another
// look at the same revision contradicts.
func testSubjectIsOneRevision(t *testing.T, s directory.Store) {
	f := fill(t, s)
	ann := f.user(okta, "ann")
	a, b := f.group(okta, "a", ann), f.group(okta, "b")
	move := func(from, to directory.GroupID) error {
		_, err := s.Apply(t.Context(), tester,
			directory.RemoveMembers{Group: from, Source: okta, Values: []string{string(ann)}},
			directory.AddMembers{Group: to, Source: okta, Values: []string{string(ann)}})
		return err
	}
	done := make(chan struct{})
	var readers sync.WaitGroup
	var mu sync.Mutex // guards seen
	seen := make(map[directory.Revision]string)
	for range 2 {
		readers.Go(func() {
			for {
				select {
				case <-done:
					return
				default:
				}
				sub, err := s.Subject(t.Context(), byName("ann"), directory.Stamp{})
				if err != nil || len(sub.Memberships) != 1 {
					t.Errorf("Subject during a move = %+v, %v; want exactly one group", sub, err)
					return
				}
				what := fmt.Sprint(sub)
				mu.Lock()
				if before, known := seen[sub.At.Revision]; known && before != what {
					t.Errorf("two answers for one revision: %s and %s", before, what)
				}
				seen[sub.At.Revision] = what
				mu.Unlock()
			}
		})
	}
	for range 10 {
		if err := errors.Join(move(a, b), move(b, a)); err != nil {
			t.Errorf("moving ann = %v", err)
			break
		}
	}
	close(done)
	readers.Wait()
	if len(seen) < 2 {
		t.Logf("the readers saw %d revisions only", len(seen))
	}
}

// testSubjectsAgree reads people together and one by one, now and as they were.
func testSubjectsAgree(t *testing.T, s directory.Store) {
	f := fill(t, s)
	ann, bob, cid := f.user(okta, "ann"), f.user(corp, "bob"), f.user(okta, "cid")
	f.group(corp, "eng", bob)
	f.group(directory.Local, "ours", ann, bob)
	before := f.apply(
		directory.PutGrant{Grant: directory.Grant{User: ann, Role: "viewer", Origin: directory.ByHand}},
		directory.SetBlock{User: ann, Blocked: true},
	)
	f.apply(
		directory.SetOverride{User: bob, Reason: "r"}, directory.SetBlock{User: ann},
		directory.DeleteUser{ID: cid, Source: okta}, directory.SetPresence{ID: bob, Source: corp, Presence: directory.Gone},
	)
	for at, want := range map[directory.Stamp][]directory.UserID{before: {ann, bob, cid}, f.head(): {ann, bob}} {
		got, err := s.Subjects(t.Context(), directory.People{Everyone: true}, at)
		if err != nil || len(got) != len(want) {
			t.Fatalf("Subjects(everyone) at %s = %+v, %v; want %d", at, got, err, len(want))
		}
		for i, id := range want {
			if d := diff(f.subject(byID(id), at), got[i]); d != "" {
				t.Errorf("subject %d at %s (-alone +together):\n%s", i, at, d)
			}
		}
	}
	lost := directory.Stamp{Revision: before.Revision, Fingerprint: before.Fingerprint + 1}
	if _, err := s.Subjects(t.Context(), directory.People{Everyone: true}, lost); !errors.Is(err, directory.ErrHistoryLost) {
		t.Errorf("Subjects at a stamp of another history: %v, want ErrHistoryLost", err)
	}
}

func testSubjectsSelect(t *testing.T, s directory.Store) {
	f := fill(t, s)
	ann, bob, cid, dan := f.user(okta, "ann"), f.user(corp, "bob"), f.user(okta, "cid"), f.user(okta, "dan")
	eng := f.group(corp, "eng", bob)
	ops := f.group(okta, "ops", ann, cid)
	f.apply(
		directory.AddMembers{Group: ops, Source: okta, Values: []string{string(dan)}},
		directory.PutGrant{Grant: directory.Grant{User: dan, Role: "viewer", Origin: directory.ByHand}},
		directory.SetOverride{User: cid, Reason: "r"},
	)
	for name, tt := range map[string]struct {
		who  directory.People
		want []directory.UserID
	}{
		"nobody":                 {directory.People{}, nil},
		"one by id, once":        {directory.People{IDs: []directory.UserID{bob, bob, "nobody"}}, []directory.UserID{bob}},
		"members of two groups":  {directory.People{Groups: []directory.GroupNum{f.num(eng), f.num(ops)}}, []directory.UserID{ann, bob, cid, dan}},
		"people of a source":     {directory.People{Sources: []directory.SourceName{okta}}, []directory.UserID{ann, cid, dan}},
		"who has own grants":     {directory.People{Granted: true}, []directory.UserID{dan}},
		"who has an override":    {directory.People{Overridden: true}, []directory.UserID{cid}},
		"the parts add up":       {directory.People{IDs: []directory.UserID{ann}, Granted: true, Overridden: true}, []directory.UserID{ann, cid, dan}},
		"the first page":         {directory.People{Everyone: true, Limit: 2}, []directory.UserID{ann, bob}},
		"the page after a user":  {directory.People{Everyone: true, After: bob, Limit: 1}, []directory.UserID{cid}},
		"after the last: nobody": {directory.People{Everyone: true, After: dan}, nil},
	} {
		got, err := s.Subjects(t.Context(), tt.who, directory.Stamp{})
		var ids []directory.UserID
		for _, sub := range got {
			ids = append(ids, sub.ID)
		}
		if err != nil || !slices.Equal(ids, tt.want) {
			t.Errorf("%s: Subjects = %q, %v; want %q", name, ids, err, tt.want)
		}
	}
}
