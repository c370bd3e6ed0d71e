package store_test

import (
	"bytes"
	"database/sql"
	"errors"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/usherd/usherd/directory"
	"github.com/usherd/usherd/store"
)

// openWithClock opens a SQLite store with a clock.
func openWithClock(t *testing.T, path string, now func() time.Time) *store.Store {
	t.Helper()
	s, err := store.Open(t.Context(), store.Config{DSN: "sqlite:" + path, Now: now})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestNobodyIsRestoredAfterThirtyDays(t *testing.T) {
	now := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	s := openWithClock(t, filepath.Join(t.TempDir(), "usherd.db"), func() time.Time { return now })
	defer s.Close()
	id := directory.UserID(directory.NewID())
	apply(t, s, directory.CreateUser{ID: id, Source: directory.Local, Profile: directory.Profile{UserName: "ann", Active: true}})
	apply(t, s, directory.DeleteUser{ID: id, Source: directory.Local})
	now = now.Add(directory.RestoreFor)
	if _, err := s.Rehearse(t.Context(), directory.Actor{Kind: "system", Name: "test"}, directory.RestoreUser{User: id}); err != nil {
		t.Errorf("after 30 days: Rehearse(RestoreUser) = %v", err)
	}
	now = now.Add(time.Millisecond)
	if _, err := s.Apply(t.Context(), directory.Actor{Kind: "system", Name: "test"}, directory.RestoreUser{User: id}); !errors.Is(err, directory.ErrNotFound) {
		t.Errorf("a moment later: Apply(RestoreUser) = %v, want ErrNotFound", err)
	}
}

// A source that is made under the name of one that was removed may be another
// provider, whose externalIds name other people.
func TestASourceRemembersNobodyOfOneThatWasRemoved(t *testing.T) {
	now := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	s := openWithClock(t, filepath.Join(t.TempDir(), "usherd.db"), func() time.Time { return now })
	defer s.Close()
	okta, kim, joined, gone := directory.SourceName("okta"), directory.UserID(directory.NewID()), directory.UserID(directory.NewID()), directory.UserID(directory.NewID())
	profile := func(name, external string) directory.Profile {
		return directory.Profile{UserName: name, ExternalID: external, Active: true}
	}
	source := directory.PutSource{Source: directory.Source{Name: okta, Kind: directory.KindSCIM}}
	apply(t, s, source)
	apply(t, s, directory.CreateUser{ID: kim, Source: directory.Local, Profile: profile("kim", "")})
	apply(t, s, directory.CreateUser{ID: joined, Source: okta, User: kim, Profile: profile("kim@okta", "1001")})
	apply(t, s, directory.CreateUser{ID: gone, Source: okta, Profile: profile("lee", "1002")})
	apply(t, s, directory.DeleteUser{ID: joined, Source: okta})
	now = now.Add(time.Hour)
	apply(t, s, directory.SetSourceState{Source: okta, State: directory.SourceDisabled}, directory.RemoveSource{Source: okta})
	now = now.Add(time.Hour)
	apply(t, s, source)
	apply(t, s, directory.CreateUser{ID: directory.UserID(directory.NewID()), Source: okta, Profile: profile("mallory", "1001")})
	sub, err := s.Subject(t.Context(), directory.SubjectKey{Kind: directory.KeyUserName, Value: "mallory"}, directory.Stamp{})
	if err != nil || sub.Found != directory.One || sub.ID == kim {
		t.Errorf("mallory is %+v, %v; want a new user, not kim %s", sub, err, kim)
	}
	apply(t, s, directory.RestoreUser{User: gone})
	u, err := s.User(t.Context(), gone)
	if err != nil || len(u.Identities) != 1 || u.Identities[0].Source != directory.Local {
		t.Errorf("restored as %+v, %v; want lee as a local user", u, err)
	}
}

// What erasing leaves is the feed, which caches need for two days and which is
// pruned then, and free pages, which VACUUM rewrites.
func TestErasedPeopleAreNotInTheFile(t *testing.T) {
	const canary = "canary7411"
	path := filepath.Join(t.TempDir(), "usherd.db")
	now := time.Now()
	s := openWithClock(t, path, func() time.Time { return now })
	id, okta := directory.UserID(directory.NewID()), directory.SourceName("okta")
	group := directory.GroupID(directory.NewID())
	apply(t, s, directory.PutSource{Source: directory.Source{Name: okta, Kind: directory.KindSCIM}})
	apply(t, s, directory.CreateGroup{ID: group, Source: okta, Name: "eng"},
		directory.AddMembers{Group: group, Source: okta, Values: []string{canary + "-x"}})
	apply(t, s, directory.CreateUser{ID: id, Source: okta, Profile: directory.Profile{
		UserName: canary, ExternalID: canary + "-x", DN: "cn=" + canary, DisplayName: "Mr " + canary, Active: true,
		Emails: []directory.Email{{Value: canary + "@a.test"}}, Attributes: []byte(`{"title":"` + canary + `"}`),
	}})
	apply(t, s, directory.ReplaceUser{ID: id, Source: okta, Profile: directory.Profile{UserName: canary + "b", Active: true}})
	apply(t, s, directory.SetBlock{User: id, Blocked: true, Reason: canary})
	err := s.LogRequests(t.Context(), directory.Request{ID: "r", Source: okta, Time: now, Path: "/Users/" + string(id), Body: []byte(`{"userName":"` + canary + `"}`)})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.EraseRequests(t.Context(), []directory.UserID{id}, nil); err != nil {
		t.Fatal(err)
	}
	apply(t, s, directory.DeleteUser{ID: id, Source: okta})
	apply(t, s, directory.EraseUser{User: id})
	now = now.Add(49 * time.Hour)
	if err := errors.Join(s.Prune(t.Context()), s.Close(), vacuum(path)); err != nil {
		t.Fatal(err)
	}
	for _, suffix := range []string{"", "-wal"} {
		text, err := os.ReadFile(path + suffix)
		if err != nil && !errors.Is(err, os.ErrNotExist) {
			t.Fatal(err)
		}
		if i := bytes.Index(text, []byte(canary)); i >= 0 {
			t.Errorf("%s holds %q", path+suffix, text[max(0, i-60):min(len(text), i+60)])
		}
	}
}

func vacuum(path string) error {
	db, err := sql.Open("sqlite", path)
	if err != nil {
		return err
	}
	_, err = db.Exec("VACUUM; PRAGMA wal_checkpoint(TRUNCATE)")
	return errors.Join(err, db.Close())
}
