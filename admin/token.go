package admin

import (
	"cmp"
	"context"
	"crypto/hkdf"
	"crypto/sha256"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/usherd/usherd/directory"
)

// The bounds of a token.
const (
	DefaultTokenLife = 365 * 24 * time.Hour
	maxTokenLife     = 10 * 365 * 24 * time.Hour
	tokensPerSource  = 2 // so that one can be replaced by the other
)

// CheckScopes are the scopes that a check token may have, the default one first.
// Besides, "type:T" limits it to resources of a type and "feature:F" to a
// feature; several limits add up.
var CheckScopes = []string{"evaluate", "search", "permissions", "watch"}

// TokenKey derives the key of [directory.HashToken] from the root key.
func TokenKey(root []byte) ([]byte, error) {
	return hkdf.Key(sha256.New, root, nil, "usherd token hash v1", 32)
}

// NewToken describes a token to make.
type NewToken struct {
	Kind   directory.TokenKind  `json:"kind"`
	Name   string               `json:"name"`
	Source directory.SourceName `json:"source,omitempty"` // of a scim token
	// Scopes of a check token are some of [CheckScopes], default evaluate, and
	// limits; those of an admin token are rights.
	Scopes []string           `json:"scopes,omitempty" doc:"Of a check token: evaluate (the default), search, permissions, watch, and limits to what it may ask about: type:TYPE, feature:KEY. Of an admin token: rights."`
	Role   directory.RoleName `json:"role,omitempty"` // of an admin token: the Role whose rights it holds
	Life   time.Duration      `json:"-"`              // default [DefaultTokenLife]
}

// A MadeToken is a new token with its text, which is shown this once.
type MadeToken struct {
	ID      string               `json:"id"`
	Token   string               `json:"token"`
	Kind    directory.TokenKind  `json:"kind"`
	Name    string               `json:"name"`
	Source  directory.SourceName `json:"source,omitempty"`
	Expires time.Time            `json:"expires"`
	Outcome
}

// CreateToken makes a token. Every token expires.
func (s *Service) CreateToken(ctx context.Context, by directory.Actor, n NewToken) (MadeToken, error) {
	a, err := s.allowed(ctx, by, WriteTokens, "")
	if err == nil {
		err = a.mayMakeToken(&n)
	}
	if err == nil && n.Kind == directory.TokenSCIM {
		err = s.maySpeakFor(ctx, a, n.Source)
	}
	if err != nil {
		return MadeToken{}, err
	}
	if err := s.checkNewToken(ctx, &n); err != nil {
		return MadeToken{}, err
	}
	s.guard.Lock()
	defer s.guard.Unlock()
	if n.Kind == directory.TokenSCIM {
		if err := s.roomForToken(ctx, n.Source); err != nil {
			return MadeToken{}, err
		}
	}
	change, made := s.mint(n)
	out, err := s.apply(ctx, by, change)
	if err != nil {
		return MadeToken{}, err
	}
	made.Outcome = out
	return made, nil
}

func (s *Service) mint(n NewToken) (directory.CreateToken, MadeToken) {
	id, secret, text := directory.NewToken(n.Kind)
	now := s.Now().UTC().Truncate(time.Millisecond)
	tok := directory.Token{
		ID: id, Kind: n.Kind, Name: n.Name, Source: n.Source, Scopes: n.Scopes,
		Created: now, Expires: now.Add(n.Life),
	}
	made := MadeToken{ID: id, Token: text, Kind: n.Kind, Name: n.Name, Source: n.Source, Expires: tok.Expires}
	return directory.CreateToken{Token: tok, Hash: directory.HashToken(s.TokenKey, n.Kind, id, secret)}, made
}

func (s *Service) checkNewToken(ctx context.Context, n *NewToken) error {
	n.Life = cmp.Or(n.Life, DefaultTokenLife)
	if n.Life < time.Minute || n.Life > maxTokenLife {
		return invalid("a token lives from one minute to ten years, not %s", n.Life)
	}
	switch n.Kind {
	case directory.TokenSCIM:
		if n.Source == "" {
			return invalid("a scim token belongs to a source: say which (--source NAME)")
		}
		src, err := s.source(ctx, n.Source)
		if err != nil {
			return err
		}
		if src.Kind != directory.KindSCIM {
			return invalid("source %s is of kind %s; only a scim source has tokens", src.Name, src.Kind)
		}
		n.Name = cmp.Or(n.Name, string(n.Source))
	case directory.TokenCheck, directory.TokenAdmin:
		if n.Source != "" {
			return invalid("a %s token belongs to no source", n.Kind)
		}
	default:
		return invalid("kind %q is not one of check, scim, admin", n.Kind)
	}
	if err := checkTokenNames(n); err != nil || n.Kind != directory.TokenCheck {
		return err
	}
	return s.checkScopes(ctx, n)
}

func checkTokenNames(n *NewToken) error {
	if n.Name == "" {
		return invalid("name the token after who will use it (--name NAME)")
	}
	if _, err := directory.KeyOf(n.Name); err != nil {
		return fmt.Errorf("name of the token: %w", err)
	}
	if n.Kind == directory.TokenAdmin {
		return nil // its scopes are rights, which mayMakeToken looks at
	}
	if len(n.Scopes) > 0 && n.Kind != directory.TokenCheck {
		return invalid("only check tokens have scopes")
	}
	return nil
}

// roomForToken refuses a third active token of a SCIM source.
func (s *Service) roomForToken(ctx context.Context, source directory.SourceName) error {
	tokens, err := s.Store.Tokens(ctx)
	if err != nil {
		return fmt.Errorf("reading tokens: %w", err)
	}
	var active []string
	for _, t := range tokens {
		if t.Source == source && t.Revoked.IsZero() && s.Now().Before(t.Expires) {
			active = append(active, t.ID)
		}
	}
	if len(active) >= tokensPerSource {
		return fmt.Errorf("%w: source %s has %d active tokens already (%s); revoke one first",
			directory.ErrInUse, source, len(active), strings.Join(active, ", "))
	}
	return nil
}

// ListedToken is a token with what has become of it.
type ListedToken struct {
	directory.Token
	State    string    `json:"state"`              // active, expired or revoked
	LastUsed time.Time `json:"last_used,omitzero"` // to the minute
}

// TokenActive is the state of a token that counts.
const TokenActive = "active"

// Tokens lists all tokens, the newest last.
func (s *Service) Tokens(ctx context.Context) ([]ListedToken, error) {
	if _, err := s.reads(ctx, ReadTokens); err != nil {
		return nil, err
	}
	return s.listTokens(ctx)
}

func (s *Service) listTokens(ctx context.Context) ([]ListedToken, error) {
	tokens, err := s.Store.Tokens(ctx)
	if err != nil {
		return nil, fmt.Errorf("reading tokens: %w", err)
	}
	used, err := s.tokensUsed(ctx)
	if err != nil {
		return nil, err
	}
	out := make([]ListedToken, len(tokens))
	for i, t := range tokens {
		out[i] = ListedToken{t, TokenActive, used[t.ID]}
		switch {
		case !t.Revoked.IsZero():
			out[i].State = "revoked"
		case !s.Now().Before(t.Expires):
			out[i].State = "expired"
		}
	}
	slices.SortStableFunc(out, func(a, b ListedToken) int { return a.Created.Compare(b.Created) })
	return out, nil
}

// RevokeToken ends a token at once.
func (s *Service) RevokeToken(ctx context.Context, by directory.Actor, id string) (Outcome, error) {
	if _, err := s.allowed(ctx, by, WriteTokens, ""); err != nil {
		return Outcome{}, err
	}
	out, err := s.apply(ctx, by, directory.RevokeToken{ID: id})
	if errors.Is(err, directory.ErrNotFound) {
		return Outcome{}, notFound("no token %s; a token is named by the id that usherd token list prints", id)
	}
	if err != nil {
		return Outcome{}, fmt.Errorf("token %s: %w", id, err)
	}
	return out, nil
}
