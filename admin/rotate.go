package admin

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/usherd/usherd/directory"
)

// maxGrace is how long a token may go on beside the one that replaces it.
const maxGrace = 90 * 24 * time.Hour

// RotateToken makes a token like another, which ends after grace, so that the
// two overlap while the new one is handed out. Without grace the old one ends
// at once.
func (s *Service) RotateToken(ctx context.Context, by directory.Actor, id string, grace time.Duration) (MadeToken, error) {
	a, err := s.allowed(ctx, by, WriteTokens, "")
	if err != nil {
		return MadeToken{}, err
	}
	if grace < 0 || grace > maxGrace {
		return MadeToken{}, invalid("the old token goes on for up to 90 days, not %s", grace)
	}
	s.guard.Lock()
	defer s.guard.Unlock()
	old, err := s.activeToken(ctx, id)
	if err != nil {
		return MadeToken{}, err
	}
	n := NewToken{Kind: old.Kind, Name: old.Name, Source: old.Source, Scopes: slices.Clone(old.Scopes), Life: old.Expires.Sub(old.Created)}
	if err := a.mayMakeToken(&n); err != nil {
		return MadeToken{}, err
	}
	if n.Kind == directory.TokenSCIM {
		if err := s.maySpeakFor(ctx, a, n.Source); err != nil {
			return MadeToken{}, err
		}
	}
	if n.Life < time.Minute || n.Life > maxTokenLife {
		n.Life = DefaultTokenLife
	}
	if n.Kind == directory.TokenSCIM && grace > 0 {
		if err := s.onlyToken(ctx, old); err != nil {
			return MadeToken{}, err
		}
	}
	change, made := s.mint(n)
	var end directory.Change = directory.RevokeToken{ID: id}
	if grace > 0 {
		end = directory.LimitToken{ID: id, Expires: s.Now().Add(grace)}
	}
	if made.Outcome, err = s.apply(ctx, by, change, end); err != nil {
		return MadeToken{}, err
	}
	return made, nil
}

// activeToken returns a token that counts.
func (s *Service) activeToken(ctx context.Context, id string) (directory.Token, error) {
	tokens, err := s.Store.Tokens(ctx)
	if err != nil {
		return directory.Token{}, fmt.Errorf("reading tokens: %w", err)
	}
	for _, t := range tokens {
		if t.ID == id && t.Revoked.IsZero() && s.Now().Before(t.Expires) {
			return t, nil
		}
	}
	return directory.Token{}, notFound("no token %s that counts (usherd token list)", id)
}

// onlyToken refuses a third active token of a source: an earlier rotation is
// still under way.
func (s *Service) onlyToken(ctx context.Context, old directory.Token) error {
	tokens, err := s.Store.Tokens(ctx)
	if err != nil {
		return fmt.Errorf("reading tokens: %w", err)
	}
	for _, t := range tokens {
		if t.ID != old.ID && t.Source == old.Source && t.Revoked.IsZero() && s.Now().Before(t.Expires) {
			return fmt.Errorf("%w: source %s has another active token, %s; revoke it first", directory.ErrInUse, old.Source, t.ID)
		}
	}
	return nil
}
