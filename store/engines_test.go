package store_test

import (
	"errors"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/usherd/usherd/directory"
	"github.com/usherd/usherd/store"
	"github.com/usherd/usherd/store/storetest"
)

// TestEnginesAgree applies the same random changes to both engines, at the same
// times. They accept and refuse alike, and lead to the same history bit by bit:
// the fingerprint of the last stamp covers every change.
func TestEnginesAgree(t *testing.T) {
	c := &clock{now: time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)}
	pooled := storetest.Postgres(t) + "&default_query_exec_mode=exec" // as behind a pooler
	var stores [3]*store.Store
	for i, dsn := range []string{engines[0].dsn(t), engines[1].dsn(t), pooled} {
		s, err := store.Open(t.Context(), store.Config{DSN: dsn, Now: c.Now})
		if err != nil {
			t.Fatal(err)
		}
		defer s.Close()
		if err := s.Warm(t.Context()); err != nil {
			t.Errorf("Warm = %v", err)
		}
		stores[i] = s
	}
	seed := rand.Uint64()
	d := &dice{Rand: rand.New(rand.NewPCG(seed, 7))}
	for step := range 250 {
		c.now = c.now.Add(time.Duration(d.IntN(3)) * time.Millisecond)
		changes := d.changes()
		a, errA := stores[0].Apply(t.Context(), root, changes...)
		for _, other := range stores[1:] {
			b, errB := other.Apply(t.Context(), root, changes...)
			if !errors.Is(errB, sentinel(errA)) || a != b {
				t.Fatalf("seed %d, step %d: %+v\nSQLite:     %+v, %v\nPostgreSQL: %+v, %v", seed, step, changes, a, errA, b, errB)
			}
		}
		if errA == nil {
			d.done(changes)
		}
	}
	seen := look(t, stores[0], d)
	for _, other := range stores[1:] {
		if diff := cmp.Diff(seen, look(t, other, d)); diff != "" {
			t.Errorf("seed %d: the engines differ (-SQLite +PostgreSQL):\n%s", seed, diff)
		}
	}
	if h := seen.Facts.At.Revision; h < 20 { // most of what the dice ask is refused
		t.Errorf("seed %d: only %d of the steps altered anything", seed, h)
	}
}

// sentinel returns the error of package directory that err wraps, or err.
func sentinel(err error) error {
	for _, known := range []error{
		directory.ErrInvalid, directory.ErrNotFound, directory.ErrExists, directory.ErrVersion, directory.ErrNotOwner, directory.ErrInUse,
	} {
		if errors.Is(err, known) {
			return known
		}
	}
	return err
}

// A view is all that can be read.
type view struct {
	Facts    directory.Facts
	Feed     []directory.FeedRecord
	Audit    []directory.AuditRecord
	People   []directory.Identity
	Groups   []directory.Group
	Members  [][]directory.Member
	Grants   []directory.Grant
	Users    []directory.User
	Subjects []directory.Subject
}

func look(t *testing.T, s *store.Store, d *dice) (v view) {
	t.Helper()
	var errs []error
	keep := func(err error) { errs = append(errs, err) }
	var err error
	v.Facts, v.Feed, err = s.Recent(t.Context(), 1000)
	keep(err)
	v.Audit, err = s.Audit(t.Context(), 0, 1000)
	keep(err)
	people, err := s.Identities(t.Context(), directory.Query{Limit: 1000, Sort: directory.AttrUserName})
	keep(err)
	groups, err := s.Groups(t.Context(), directory.Query{Limit: 1000, Sort: directory.AttrName, Desc: true})
	keep(err)
	v.People, v.Groups = people.Items, groups.Items
	v.Grants, err = s.Grants(t.Context(), "", "")
	keep(err)
	for _, g := range v.Groups {
		var all []directory.Member
		for m, err := range s.Members(t.Context(), g.ID) {
			keep(err)
			all = append(all, m)
		}
		v.Members = append(v.Members, all)
	}
	for _, id := range d.users {
		u, err := s.User(t.Context(), id)
		keep(err)
		sub, err := s.Subject(t.Context(), directory.SubjectKey{Kind: directory.KeyID, Value: string(id)}, directory.Stamp{})
		keep(err)
		v.Users, v.Subjects = append(v.Users, u), append(v.Subjects, sub)
	}
	if err := errors.Join(errs...); err != nil {
		t.Fatal(err)
	}
	return v
}

// dice draw changes that mostly make sense.
type dice struct {
	*rand.Rand
	users  []directory.UserID // that were made, also those deleted since
	groups []directory.GroupID
}

var (
	diceNames  = []string{"ann", "Ann", "bob", "straße", "STRASSE", "\u212aelvin", "kelvin", "Änn", "𝒜nn", "x y", "z_", "%"}
	diceEmails = []string{"a@corp.test", "A@corp.test", "ä@corp.test"}
)

func pick[T any](d *dice, from []T) (v T) {
	if len(from) > 0 {
		v = from[d.IntN(len(from))]
	}
	return v
}

func (d *dice) changes() []directory.Change {
	changes := make([]directory.Change, 1+d.IntN(3))
	for i := range changes {
		changes[i] = d.change()
	}
	return changes
}

func (d *dice) change() directory.Change {
	user, group, name := pick(d, d.users), pick(d, d.groups), pick(d, diceNames)
	grant := directory.Grant{ID: directory.NewID(), User: user, Role: pick(d, []directory.RoleName{"viewer", "auditor"}), Origin: directory.ByHand}
	if d.IntN(2) == 0 {
		grant.User, grant.Group = "", group
	}
	switch d.IntN(14) {
	case 0, 1:
		return directory.CreateUser{ID: directory.UserID(directory.NewID()), Source: directory.Local, Profile: d.profile()}
	case 2:
		return directory.ReplaceUser{ID: user, Source: directory.Local, Profile: d.profile()}
	case 3:
		if d.IntN(3) == 0 {
			return directory.DeleteUser{ID: user, Source: directory.Local}
		}
		return directory.SetBlock{User: user, Blocked: d.IntN(2) == 0, Reason: name}
	case 4:
		return directory.CreateGroup{ID: directory.GroupID(directory.NewID()), Source: directory.Local, Name: name, ExternalID: pick(d, []string{"", name})}
	case 5:
		return directory.UpdateGroup{ID: group, Source: directory.Local, Name: &name}
	case 6:
		if d.IntN(4) == 0 {
			return directory.DeleteGroup{ID: group, Source: directory.Local}
		}
		return directory.SetGroupStatus{Group: group, Status: pick(d, []directory.GroupStatus{directory.GroupActive, directory.GroupBlocked})}
	case 7, 8:
		return directory.AddMembers{Group: group, Source: directory.Local, Values: d.values()}
	case 9:
		return directory.RemoveMembers{Group: group, Source: directory.Local, Values: d.values()}
	case 10:
		return directory.ReplaceMembers{Group: group, Source: directory.Local, Values: d.values()}
	case 11:
		return directory.EndGrant{Grant: grant}
	case 12:
		return directory.SetGroupDescription{Group: group, Description: name}
	}
	return directory.PutGrant{Grant: grant}
}

func (d *dice) profile() directory.Profile {
	p := directory.Profile{UserName: pick(d, diceNames), DisplayName: pick(d, diceNames), Active: d.IntN(4) > 0, ExternalID: pick(d, []string{"", "1", "2", "é"})}
	for range d.IntN(3) {
		p.Emails = append(p.Emails, directory.Email{Value: pick(d, diceEmails)})
	}
	return p
}

// values are members: people, groups, external ids and what is nothing yet.
func (d *dice) values() (all []string) {
	for range d.IntN(4) {
		all = append(all, pick(d, []string{string(pick(d, d.users)), string(pick(d, d.groups)), "1", "later"}))
	}
	return all
}

// done remembers what changes made.
func (d *dice) done(changes []directory.Change) {
	for _, c := range changes {
		switch c := c.(type) {
		case directory.CreateUser:
			d.users = append(d.users, c.ID)
		case directory.CreateGroup:
			d.groups = append(d.groups, c.ID)
		}
	}
}
