package storetest

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/usherd/usherd/directory"
)

// The sources of a fixture. Names and ids of one mean nothing in the other.
const (
	okta directory.SourceName = "okta" // SCIM
	corp directory.SourceName = "corp" // LDAP
)

// A fixture fills a store. What it asks for must succeed.
type fixture struct {
	*testing.T
	directory.Store
}

// fill returns a fixture of a store that has the two sources.
func fill(t *testing.T, s directory.Store) fixture {
	t.Helper()
	f := fixture{t, s}
	f.apply(
		directory.PutSource{Source: directory.Source{Name: okta, Kind: directory.KindSCIM, State: directory.SourceActive, Rank: 1}},
		directory.PutSource{Source: directory.Source{Name: corp, Kind: directory.KindLDAP, State: directory.SourceActive, Rank: 2}},
	)
	return f
}

// tester is who applies what a fixture asks for.
var tester = directory.Actor{Kind: "system", Name: "storetest"}

// apply applies changes as one revision.
func (f fixture) apply(changes ...directory.Change) directory.Stamp {
	f.Helper()
	applied, err := f.Apply(f.Context(), tester, changes...)
	if err != nil {
		f.Fatalf("Apply(%T…) = %v", changes[0], err)
	}
	return applied.Stamp
}

// user makes an active user whose display name and externalId follow the
// userName.
func (f fixture) user(source directory.SourceName, name string, emails ...string) directory.UserID {
	f.Helper()
	id := directory.UserID(directory.NewID())
	f.apply(directory.CreateUser{ID: id, Source: source, Profile: profile(name, emails...)})
	return id
}

func profile(name string, emails ...string) directory.Profile {
	p := directory.Profile{UserName: name, ExternalID: "x-" + name, DisplayName: "Display " + name, Type: directory.Standard, Active: true}
	for _, e := range emails {
		p.Emails = append(p.Emails, directory.Email{Value: e})
	}
	return p
}

// group makes a group with members.
func (f fixture) group(source directory.SourceName, name string, members ...directory.UserID) directory.GroupID {
	f.Helper()
	id := directory.GroupID(directory.NewID())
	changes := []directory.Change{directory.CreateGroup{ID: id, Source: source, Name: name, ExternalID: "x-" + name}}
	if len(members) > 0 {
		changes = append(changes, directory.AddMembers{Group: id, Source: source, Values: texts(members)})
	}
	f.apply(changes...)
	return id
}

func texts[T ~string](ids []T) []string {
	out := make([]string, len(ids))
	for i, id := range ids {
		out[i] = string(id)
	}
	return out
}

// num returns the number of a group.
func (f fixture) num(id directory.GroupID) directory.GroupNum {
	f.Helper()
	g, err := f.Group(f.Context(), "", id)
	if err != nil {
		f.Fatalf("Group(%s) = %v", id, err)
	}
	return g.Num
}

// head returns the newest stamp.
func (f fixture) head() directory.Stamp {
	f.Helper()
	h, err := f.Head(f.Context(), directory.Stamp{})
	if err != nil {
		f.Fatalf("Head = %v", err)
	}
	return h.Stamp
}

// subject looks a subject up at a stamp.
func (f fixture) subject(key directory.SubjectKey, at directory.Stamp) directory.Subject {
	f.Helper()
	s, err := f.Subject(f.Context(), key, at)
	if err != nil {
		f.Fatalf("Subject(%s, %s) = %v", key, at, err)
	}
	return s
}

// facts returns the facts at a revision.
func (f fixture) facts(at directory.Revision) directory.Facts {
	f.Helper()
	facts, err := f.Facts(f.Context(), at)
	if err != nil {
		f.Fatalf("Facts(%d) = %v", at, err)
	}
	return facts
}

// byID and its like are keys of subjects.
func byID(id directory.UserID) directory.SubjectKey {
	return directory.SubjectKey{Kind: directory.KeyID, Value: string(id)}
}

func byName(name string) directory.SubjectKey {
	return directory.SubjectKey{Kind: directory.KeyUserName, Value: string(key(name))}
}

func byEmail(address string) directory.SubjectKey {
	return directory.SubjectKey{Kind: directory.KeyEmail, Value: string(key(address))}
}

func byExternal(source directory.SourceName, id string) directory.SubjectKey {
	return directory.SubjectKey{Kind: directory.KeyExternal, Source: source, Value: id}
}

// key returns the canonical key of a name that has one.
func key(name string) directory.NameKey {
	k, err := directory.KeyOf(name)
	if err != nil {
		panic("storetest: a test uses a name without a key: " + err.Error())
	}
	return k
}

// diff compares what was got with what is wanted; nil and empty are alike.
func diff(want, got any) string {
	return cmp.Diff(want, got, cmpopts.EquateEmpty())
}
