package admin

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"time"

	"github.com/usherd/usherd/directory"
)

// A Mirror keeps subjects near to where checks are answered. A [Decider] may be
// one.
type Mirror interface {
	// Held returns what this process holds for key, nil if that is nothing. It
	// is shared and not altered.
	Held(key directory.SubjectKey) (*directory.Subject, error)
	// Forget drops what this process holds for key.
	Forget(key directory.SubjectKey) error
}

// A Freshness says whether an answer about a user is by what the store has, and
// how old what sources said of them is.
type Freshness struct {
	User     directory.UserID   `json:"user"`
	Revision directory.Revision `json:"revision"`       // of the store
	Held     directory.Revision `json:"held,omitempty"` // since when what the process holds is known; 0: it holds nothing
	Differs  bool               `json:"differs"`        // what is held is not what the store has
	Sources  []SourceFreshness  `json:"sources"`
}

// A SourceFreshness is what one source last said of a user.
type SourceFreshness struct {
	Source   directory.SourceName `json:"source"`
	Kind     directory.SourceKind `json:"kind"`
	Presence directory.Presence   `json:"presence"`
	Active   bool                 `json:"active"`
	Changed  time.Time            `json:"changed"`        // when it said something new
	Heard    time.Time            `json:"heard,omitzero"` // when it was last read to the end, or last asked something
}

// Freshness compares what answers about a user with the store and the sources.
func (s *Service) Freshness(ctx context.Context, user string) (Freshness, error) {
	look, err := s.named(ctx, user, "")
	if err == nil {
		err = s.mayExplain(ctx, look.Subject)
	}
	if err != nil {
		return Freshness{}, err
	}
	if look.Subject.Found != directory.One {
		return Freshness{}, look.nobody()
	}
	out := Freshness{User: look.Subject.ID, Revision: look.Stamp.Revision, Sources: []SourceFreshness{}}
	key := directory.SubjectKey{Kind: directory.KeyID, Value: string(out.User)}
	if m, ok := s.PDP.(Mirror); ok {
		held, err := m.Held(key)
		if err != nil {
			return out, err
		}
		if held != nil {
			out.Held = held.At.Revision
			if out.Differs, err = s.differs(ctx, key, held, look.Stamp); err != nil {
				return out, err
			}
		}
	}
	return out, s.heardOf(ctx, &out)
}

// differs reads the subject again. What is held has to hold at that revision,
// too.
func (s *Service) differs(ctx context.Context, key directory.SubjectKey, held *directory.Subject, at directory.Stamp) (bool, error) {
	stored, err := s.Store.Subject(ctx, key, at)
	if err != nil {
		return false, fmt.Errorf("reading the user again: %w", err)
	}
	kept := *held
	kept.At, stored.At = directory.Stamp{}, directory.Stamp{}
	one, err := json.Marshal(kept)
	if err != nil {
		return false, fmt.Errorf("encoding what is held: %w", err)
	}
	two, err := json.Marshal(stored)
	if err != nil {
		return false, fmt.Errorf("encoding what is stored: %w", err)
	}
	return !bytes.Equal(one, two), nil
}

// heardOf fills in when sources spoke of a user.
func (s *Service) heardOf(ctx context.Context, out *Freshness) error {
	u, err := s.Store.User(ctx, out.User)
	if err != nil {
		return fmt.Errorf("user %s: %w", out.User, err)
	}
	sources, err := s.Store.Sources(ctx)
	if err != nil {
		return fmt.Errorf("reading sources: %w", err)
	}
	for _, i := range u.Identities {
		f := SourceFreshness{Source: i.Source, Presence: i.Presence, Active: i.Active, Changed: i.Modified}
		for _, src := range sources {
			if src.Name == i.Source {
				f.Kind = src.Kind
			}
		}
		if f.Heard, err = s.heard(ctx, f); err != nil {
			return err
		}
		out.Sources = append(out.Sources, f)
	}
	return nil
}

// heard is when a source was last heard of.
func (s *Service) heard(ctx context.Context, f SourceFreshness) (time.Time, error) {
	switch f.Kind {
	case directory.KindLDAP:
		runs, err := s.Store.Runs(ctx, f.Source, 20)
		if err != nil {
			return time.Time{}, fmt.Errorf("runs of %s: %w", f.Source, err)
		}
		for _, r := range runs {
			if r.Result == directory.RunApplied || r.Result == directory.RunUnchanged {
				return r.Ended, nil
			}
		}
	case directory.KindSCIM:
		usage, err := s.usageOf(ctx, f.Source)
		if err != nil || usage == nil {
			return time.Time{}, err
		}
		return usage.Last, nil
	case directory.KindLocal:
	}
	return time.Time{}, nil
}

// ForgetCached drops what this process holds of a user, so that the next check
// reads the store. It changes no fact.
func (s *Service) ForgetCached(ctx context.Context, by directory.Actor, user string) error {
	if _, err := s.allowed(ctx, by, OperateSync, ""); err != nil {
		return err
	}
	look, err := s.named(ctx, user, "")
	if err != nil {
		return err
	}
	if look.Subject.Found != directory.One {
		return look.nobody()
	}
	m, ok := s.PDP.(Mirror)
	if !ok {
		return fmt.Errorf("%w: this process holds nobody", ErrUnavailable)
	}
	if dryRun(ctx) {
		return nil
	}
	return m.Forget(directory.SubjectKey{Kind: directory.KeyID, Value: string(look.Subject.ID)})
}
