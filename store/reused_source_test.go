package store_test

import (
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/usherd/usherd/directory"
	"github.com/usherd/usherd/store"
)

const reused directory.SourceName = "corp"

// again removes the source corp and makes another of that name, an hour later.
func again(t *testing.T, s *store.Store, now *time.Time, keep bool) {
	t.Helper()
	*now = now.Add(time.Hour)
	apply(t, s, directory.SetSourceState{Source: reused, State: directory.SourceDisabled}, directory.RemoveSource{Source: reused, KeepPeople: keep})
	*now = now.Add(time.Hour)
	apply(t, s, directory.PutSource{Source: directory.Source{Name: reused, Kind: directory.KindLDAP}})
}

func named(name, external string) directory.Profile {
	return directory.Profile{UserName: name, ExternalID: external, Active: true}
}

// Somebody whose identity a removed source left behind may have one of the source
// that took its name.
func TestASourceThatTakesANameBringsItsPeople(t *testing.T) {
	now := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	s := openWithClock(t, filepath.Join(t.TempDir(), "usherd.db"), func() time.Time { return now })
	defer s.Close()
	kim, old, fresh := directory.UserID(directory.NewID()), directory.UserID(directory.NewID()), directory.UserID(directory.NewID())
	apply(t, s, directory.PutSource{Source: directory.Source{Name: reused, Kind: directory.KindLDAP}})
	apply(t, s, directory.CreateUser{ID: kim, Source: directory.Local, Profile: named("kim", "")})
	apply(t, s, directory.CreateUser{ID: old, Source: reused, User: kim, Profile: named("kim", "guid")})
	again(t, s, &now, false)
	claims, err := s.Claims(t.Context(), reused, directory.Newcomer{ExternalID: "guid", UserName: "kim"})
	if err != nil || len(claims) != 1 || claims[0].Revives != "" || claims[0].HolderUser != kim {
		t.Errorf("Claims = %+v, %v; want kim as the holder and nobody to revive", claims, err)
	}
	apply(t, s, directory.CreateUser{ID: fresh, Source: reused, User: kim, Profile: named("kim", "guid")})
	sub, err := s.Subject(t.Context(), directory.SubjectKey{Kind: directory.KeyUserName, Value: "kim"}, directory.Stamp{})
	if err != nil || sub.ID != kim || sub.Inactive || !slices.Contains(sub.Sources, reused) {
		t.Errorf("kim is %+v, %v; want active, of corp as well", sub, err)
	}
}

// A mapping by dn gives nothing, without a confirmation, to the group of another
// directory that took the name of the source, whatever became of the first one.
func TestASourceThatTakesANameTakesNoGrants(t *testing.T) {
	now := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	s := openWithClock(t, filepath.Join(t.TempDir(), "usherd.db"), func() time.Time { return now })
	defer s.Close()
	const dn = "CN=admins,DC=corp"
	group := func() directory.GroupID {
		id := directory.GroupID(directory.NewID())
		apply(t, s, directory.CreateGroup{ID: id, Source: reused, Name: "admins", ExternalID: directory.NewID(), DN: dn})
		return id
	}
	state := func(id directory.GroupID) directory.BindingState {
		facts, err := s.Facts(t.Context(), 0)
		if err != nil {
			t.Fatal(err)
		}
		for _, b := range facts.Policy.Bindings {
			if b.Mapping == "m" && b.Group == id {
				return b.State
			}
		}
		return ""
	}
	apply(t, s, directory.PutSource{Source: directory.Source{Name: reused, Kind: directory.KindLDAP}})
	apply(t, s, directory.SetPolicy{Sections: []directory.Section{directory.SectionMappings}, Policy: directory.Policy{
		Mappings: []directory.Mapping{{Name: "m", When: directory.Selector{Source: reused, DN: dn}, Grants: []directory.GrantSet{{Roles: []directory.RoleName{"viewer"}}}}},
	}})
	first := group()
	if got := state(first); got != directory.Bound {
		t.Fatalf("the first group is %q, want bound", got)
	}
	again(t, s, &now, true)
	second := group()
	if a, b := state(first), state(second); a == directory.Bound || b != directory.Suspended {
		t.Errorf("the kept group is %q and the new one %q; want neither bound", a, b)
	}
	apply(t, s, directory.DeleteGroup{ID: first, Source: directory.Local})
	again(t, s, &now, false)
	third := group()
	if got := state(third); got != directory.Suspended {
		t.Errorf("the group of a third source is %q, want suspended", got)
	}
	apply(t, s, directory.ConfirmMapping{Mapping: "m", Group: third})
	if a, b := state(first), state(third); a != "" || b != directory.Bound {
		t.Errorf("after the confirmation the first is %q and the third %q", a, b)
	}
}

// Whom a directory did not have any more is not let in by being restored.
func TestWhoIsGoneIsRestoredAsGone(t *testing.T) {
	now := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	s := openWithClock(t, filepath.Join(t.TempDir(), "usherd.db"), func() time.Time { return now })
	defer s.Close()
	apply(t, s, directory.PutSource{Source: directory.Source{Name: reused, Kind: directory.KindLDAP}})
	for _, c := range []struct {
		name     string
		gone     bool
		inactive bool
	}{
		{"who was gone is gone", true, true},
		{"who was there is there", false, false},
	} {
		id := directory.UserID(directory.NewID())
		apply(t, s, directory.CreateUser{ID: id, Source: reused, Profile: named(string(id), string(id))})
		if c.gone {
			apply(t, s, directory.SetPresence{ID: id, Source: reused, Presence: directory.Gone})
		}
		apply(t, s, directory.DeleteUser{ID: id, Source: reused})
		apply(t, s, directory.RestoreUser{User: id})
		key := directory.SubjectKey{Kind: directory.KeyID, Value: string(id)}
		sub, err := s.Subject(t.Context(), key, directory.Stamp{})
		if err != nil || sub.Found != directory.One || sub.Inactive != c.inactive {
			t.Errorf("%s: restored as %+v, %v", c.name, sub, err)
		}
		apply(t, s, directory.SetPresence{ID: id, Source: reused, Presence: directory.Present})
		if sub, err = s.Subject(t.Context(), key, directory.Stamp{}); err != nil || sub.Inactive {
			t.Errorf("%s: read again: %+v, %v", c.name, sub, err)
		}
	}
}
