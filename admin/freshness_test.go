package admin_test

import (
	"context"
	"testing"

	"github.com/usherd/usherd/admin"
	"github.com/usherd/usherd/authz"
	"github.com/usherd/usherd/directory"
)

// A stale decider holds somebody as they were.
type stale struct {
	admin.Decider
	held *directory.Subject
}

// Held implements [admin.Mirror].
func (s *stale) Held(directory.SubjectKey) (*directory.Subject, error) { return s.held, nil }

// Forget implements [admin.Mirror].
func (s *stale) Forget(directory.SubjectKey) error { s.held = nil; return nil }

// A direct decider reads the store.
type direct struct{ w *world }

// Look implements [admin.Decider].
func (d direct) Look(ctx context.Context, key directory.SubjectKey) (admin.Look, error) {
	facts, err := d.w.store.Facts(ctx, 0)
	if err != nil {
		return admin.Look{}, err
	}
	view := authz.Compile(facts)
	if key == (directory.SubjectKey{}) {
		return admin.Look{Snapshot: view, Subject: &directory.Subject{}, Stamp: view.At()}, nil
	}
	sub, err := d.w.store.Subject(ctx, key, view.At())
	return admin.Look{Snapshot: view, Subject: &sub, Stamp: view.At()}, err
}

func TestFreshnessSeesThatWhatIsHeldIsNotWhatIsStored(t *testing.T) {
	w := newWorld(t)
	ana := w.user("ana")
	key := directory.SubjectKey{Kind: directory.KeyID, Value: string(ana)}
	s := &stale{Decider: direct{w}}
	w.PDP = s
	look, err := s.Look(t.Context(), key)
	if err != nil {
		t.Fatal(err)
	}
	s.held = look.Subject
	fresh, err := w.Freshness(t.Context(), "ana")
	if err != nil || fresh.Differs || fresh.Held == 0 || len(fresh.Sources) != 1 || !fresh.Sources[0].Active {
		t.Errorf("Freshness = %+v, %v; want what is held to be what is stored", fresh, err)
	}
	w.apply(directory.SetBlock{User: ana, Blocked: true, Reason: "left"})
	if fresh, err = w.Freshness(t.Context(), "ana"); err != nil || !fresh.Differs {
		t.Errorf("Freshness after a change = %+v, %v; want it to differ", fresh, err)
	}
	if err := w.ForgetCached(t.Context(), by, "ana"); err != nil {
		t.Fatal(err)
	}
	if fresh, err = w.Freshness(t.Context(), "ana"); err != nil || fresh.Held != 0 {
		t.Errorf("Freshness after forgetting = %+v, %v; want nothing held", fresh, err)
	}
	err = w.ForgetCached(t.Context(), directory.Actor{Kind: directory.ActorUser, Name: string(w.user("eve"))}, "ana")
	wantErr(t, "ForgetCached of somebody without rights", err, admin.ErrForbidden)
}
