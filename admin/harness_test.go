package admin_test

import (
	"errors"
	"net/netip"
	"path/filepath"
	"testing"
	"time"

	"github.com/usherd/usherd/admin"
	"github.com/usherd/usherd/directory"
	"github.com/usherd/usherd/store"
	"github.com/usherd/usherd/webhook"
)

// by is who asks in the tests.
var by = directory.Actor{Kind: "socket", Name: "local"}

// A world is a service over a store of its own.
type world struct {
	*admin.Service
	t     testing.TB
	store *store.Store
	now   time.Time
}

func newWorld(t testing.TB) *world {
	t.Helper()
	return newWorldWith(t, store.Config{})
}

// newWorldWith is newWorld with a store that is configured so.
func newWorldWith(t testing.TB, c store.Config) *world {
	t.Helper()
	c.DSN = filepath.Join(t.TempDir(), "usherd.db")
	st, err := store.Open(t.Context(), c)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := st.Close(); err != nil {
			t.Error(err)
		}
	})
	root, err := st.RootKey(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	key, err := admin.TokenKey(root)
	if err != nil {
		t.Fatal(err)
	}
	w := &world{t: t, store: st, now: time.Now()}
	w.Service, err = admin.New(admin.Config{
		Store: st, TokenKey: key, BaseURL: func() string { return "https://usherd.example.com" },
		Now: func() time.Time { return w.now }, Principal: by,
		Webhooks: &webhook.Book{
			Keeper: st, Key: key, Client: &webhook.Client{Allow: []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}},
			Now: func() time.Time { return w.now },
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	return w
}

// policy applies a policy file that must be valid.
func (w *world) policy(text string) admin.AppliedPolicy {
	w.t.Helper()
	done, err := w.ApplyPolicy(w.t.Context(), by, admin.PolicyFile{Name: "policy.yaml", Text: "apiVersion: usherd/v1\n" + text})
	if err != nil {
		w.t.Fatalf("ApplyPolicy(%s) = %v", text, err)
	}
	return done
}

// apply performs changes that must succeed.
func (w *world) apply(changes ...directory.Change) {
	w.t.Helper()
	if _, err := w.store.Apply(w.t.Context(), by, changes...); err != nil {
		w.t.Fatalf("Apply(%v) = %v", changes, err)
	}
}

// user makes an active local user.
func (w *world) user(name string) directory.UserID {
	w.t.Helper()
	id := directory.UserID(directory.NewID())
	w.apply(directory.CreateUser{ID: id, Source: directory.Local, Profile: directory.Profile{UserName: name, Active: true}})
	return id
}

// group makes a local group with members.
func (w *world) group(name string, members ...directory.UserID) directory.GroupID {
	w.t.Helper()
	id := directory.GroupID(directory.NewID())
	w.apply(directory.CreateGroup{ID: id, Source: directory.Local, Name: name})
	for _, m := range members {
		w.apply(directory.AddMembers{Group: id, Source: directory.Local, Values: []string{string(m)}})
	}
	return id
}

// may asks a check.
func (w *world) may(user, action, typ, id string) bool {
	w.t.Helper()
	q := admin.Question{User: user, Action: action}
	q.Resource.Type, q.Resource.ID = typ, id
	a, err := w.Check(w.t.Context(), q)
	if err != nil {
		w.t.Fatalf("Check(%v) = %v", q, err)
	}
	return a.Decision
}

// wantErr fails unless err wraps want, or is nil if want is.
func wantErr(t *testing.T, what string, err, want error) {
	t.Helper()
	if (want == nil) != (err == nil) || !errors.Is(err, want) {
		t.Errorf("%s = %v, want %v", what, err, want)
	}
}
