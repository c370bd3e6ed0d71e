package ldapsync_test

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/usherd/usherd/directory"
	"github.com/usherd/usherd/ldapsync"
	"github.com/usherd/usherd/ldapsync/ldaptest"
	"github.com/usherd/usherd/store"
)

const okta directory.SourceName = "okta"

// linking is a poller over slapd and a store with people of another source.
type linking struct {
	*testing.T
	*store.Store
	server *ldaptest.Slapd
	config map[string]any
	link   map[string]directory.UserID // by userName: whom linking finds
}

func startLinking(t *testing.T, c ldaptest.Config) *linking {
	t.Helper()
	l := &linking{t, openStore(t), ldaptest.Start(t, c), nil, map[string]directory.UserID{}}
	l.config = settings(t, l.server)
	l.apply(directory.PutSource{Source: directory.Source{Name: okta, Kind: directory.KindSCIM, State: directory.SourceActive, Rank: 2}})
	return l
}

func (l *linking) apply(changes ...directory.Change) {
	l.Helper()
	if _, err := l.Apply(l.Context(), directory.Actor{Kind: "system", Name: "test"}, changes...); err != nil {
		l.Fatal(err)
	}
}

// pushed makes a user of the other source.
func (l *linking) pushed(userName string) directory.UserID {
	l.Helper()
	id := directory.UserID(directory.NewID())
	l.apply(directory.CreateUser{ID: id, Source: okta, Profile: directory.Profile{UserName: userName, ExternalID: "okta-" + userName, Active: true}})
	return id
}

func (l *linking) poller() *ldapsync.Poller {
	l.Helper()
	text, err := json.Marshal(l.config)
	if err != nil {
		l.Fatal(err)
	}
	parsed, err := ldapsync.ParseSettings(text)
	if err != nil {
		l.Fatal(err)
	}
	p, err := ldapsync.New(ldapsync.Config{
		Source: corp, Settings: parsed, Store: l.Store,
		Link: func(_ context.Context, _ directory.SourceName, p directory.Profile) (directory.UserID, error) {
			return l.link[p.UserName], nil
		},
	})
	if err != nil {
		l.Fatal(err)
	}
	return p
}

// identity returns the identity of corp that a user has.
func (l *linking) identity(user directory.UserID) (directory.Identity, bool) {
	l.Helper()
	u, err := l.User(l.Context(), user)
	if err != nil {
		l.Fatal(err)
	}
	i := slices.IndexFunc(u.Identities, func(i directory.Identity) bool { return i.Source == corp })
	if i < 0 {
		return directory.Identity{}, false
	}
	return u.Identities[i], true
}

// TestPeopleOfTwoSources: who may be linked joins the user of the other source;
// who may not is left out and told of, in the plan already; an administrator can
// settle it in two ways.
func TestPeopleOfTwoSources(t *testing.T) {
	t.Parallel()
	l := startLinking(t, ldaptest.Config{Users: 30})
	alice, bob, zoe, u1 := l.pushed("Alice"), l.pushed("bob"), l.pushed("zoe"), l.pushed("u0001")
	l.link["alice"] = alice
	p := l.poller()
	report, err := p.Plan(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	joins := map[string]directory.UserID{}
	for item, err := range report.Plan.Items() {
		if err != nil {
			t.Fatal(err)
		}
		if item.Op == ldapsync.OpCreate && item.Kind == ldapsync.KindUser {
			joins[item.Name] = item.Joins
		}
	}
	if len(joins) != 32 || joins["alice"] != alice || joins["dave"] != "" || report.Plan.Counts["issues"] != 3 {
		t.Errorf("the plan makes %d, alice joins %q, %v; want 32, %q and 3 issues", len(joins), joins["alice"], report.Plan.Counts, alice)
	}
	if what := fmt.Sprint(report.Plan.Issues); !strings.Contains(what, "of source okta") || !strings.Contains(what, "rename one of them, or link the two") {
		t.Errorf("issues = %s, want the other source and two ways out", what)
	}
	report.Close()
	r := run(t, p, directory.RunApplied)
	if r.Counts["users.create"] != 32 || r.Counts["issues"] != 3 || !strings.Contains(r.Message, "rename one of them, or link the two") {
		t.Errorf("run: %v %s", r.Counts, r.Message)
	}
	if i, ok := l.identity(alice); !ok || i.UserName != "alice" {
		t.Errorf("alice has the identity %+v, want that of slapd", i)
	}
	for _, who := range []directory.UserID{bob, zoe, u1} {
		if i, ok := l.identity(who); ok {
			t.Errorf("%s has the identity %+v, want none", who, i)
		}
	}
	members := func(name string) []string {
		t.Helper()
		page, err := l.Groups(t.Context(), directory.Query{Source: corp, Limit: 100})
		if err != nil {
			t.Fatal(err)
		}
		i := slices.IndexFunc(page.Items, func(g directory.Group) bool { return g.Name == name })
		return membersOf(t, t.Context(), l.Store, page.Items[i].ID)
	}
	identity, _ := l.identity(alice)
	if got := members("backend"); !slices.Equal(got, []string{string(identity.ID)}) {
		t.Errorf("members of backend = %v, want alice alone", got)
	}
	run(t, p, directory.RunUnchanged) // says the same, does nothing

	t.Run("one is linked by hand, another renamed", func(t *testing.T) {
		l.apply(directory.LinkUser{Source: corp, Value: "bob", User: bob})
		l.server.Replace(`cn=Duval\, Zoë *(temp),ou=Finance,`+ldaptest.People, "uid", "zoe2")
		r := run(t, p, directory.RunApplied)
		if r.Counts["users.create"] != 2 || r.Counts["issues"] != 1 {
			t.Errorf("run: %v %s", r.Counts, r.Message)
		}
		if i, ok := l.identity(bob); !ok || i.UserName != "bob" {
			t.Errorf("bob has the identity %+v, want that of slapd", i)
		}
		if got := len(members("backend")); got != 2 {
			t.Errorf("backend has %d members, want alice and bob", got)
		}
	})

	t.Run("a name that another source has is not taken by a rename, but all else is taken over", func(t *testing.T) {
		u2 := l.subject("u0002")
		l.server.Replace(ldaptest.UserDN(2), "objectClass", "inetOrgPerson", "shadowAccount")
		l.server.Replace(ldaptest.UserDN(2), "shadowExpire", "1")
		l.server.Rename(ldaptest.UserDN(2), "uid=u0001x", "")
		l.server.Replace("uid=u0001x,ou=bulk,"+ldaptest.People, "uid", "u0001x", "u0001")
		l.config["attributes"] = map[string]any{"userName": []string{"uid"}}
		l.pushed("u0001x")
		r := run(t, p, directory.RunApplied)
		i, ok := l.identity(u2)
		if !ok || i.UserName != "u0002" || i.Active {
			t.Errorf("u0002 is now %+v (%v), want its old name and inactive", i, r.Counts)
		}
	})
}

func (l *linking) subject(userName string) directory.UserID {
	l.Helper()
	sub, err := l.Subject(l.Context(), directory.SubjectKey{Kind: directory.KeyUserName, Value: userName}, directory.Stamp{})
	if err != nil || sub.Found != directory.One {
		l.Fatalf("Subject(%s) = %+v, %v", userName, sub, err)
	}
	return sub.ID
}

// TestAnIdentityThatSpeaksAgain: an entry of a linked person is deleted for good
// and comes back with its stable id. It is the identity that it was, and a
// member again, in one run.
func TestAnIdentityThatSpeaksAgain(t *testing.T) {
	t.Parallel()
	l := startLinking(t, ldaptest.Config{})
	alice := l.pushed("alice")
	l.link["alice"] = alice
	l.config["retention"] = map[string]any{"reads": 1, "for": "1ns"}
	l.config["userFilter"] = "(objectClass=inetOrgPerson)"
	run(t, l.poller(), directory.RunApplied)
	before, _ := l.identity(alice)
	l.config["userFilter"] = "(&(objectClass=inetOrgPerson)(!(uid=alice)))"
	run(t, l.poller(), directory.RunApplied)
	run(t, l.poller(), directory.RunApplied)
	if i, ok := l.identity(alice); !ok || i.Presence != directory.Deleted {
		t.Fatalf("alice has %+v, want a deleted identity", i)
	}
	l.config["userFilter"] = "(objectClass=inetOrgPerson)"
	run(t, l.poller(), directory.RunApplied)
	i, ok := l.identity(alice)
	if !ok || i.Presence != directory.Present || i.ID != before.ID {
		t.Errorf("alice has %+v, want %s again", i, before.ID)
	}
	if got := access(t, l.Store)["alice"]; got != "all-staff,backend,dyn-eng,engineering,finance,posix-eng" {
		t.Errorf("alice is in %s", got)
	}
	run(t, l.poller(), directory.RunUnchanged)
}
