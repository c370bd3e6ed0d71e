package authzen

import (
	"crypto/subtle"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/usherd/usherd/directory"
)

// Tokens are the check tokens of one revision, ready to be compared. They never
// change.
type Tokens struct {
	key []byte
	now func() time.Time
	all map[string]*heldToken
}

// A heldToken is one token and the caller it stands for.
type heldToken struct {
	hash    []byte
	expires time.Time
	revoked bool
	caller  *Caller
}

// NewTokens returns those of kept that are check tokens. key is what their
// hashes were made with, see [directory.HashToken].
func NewTokens(key []byte, kept []directory.KeptToken, now func() time.Time) *Tokens {
	t := &Tokens{key: key, now: now, all: make(map[string]*heldToken, len(kept))}
	for _, k := range kept {
		if k.Kind == directory.TokenCheck {
			t.all[k.ID] = &heldToken{k.Hash, k.Expires, !k.Revoked.IsZero(), CallerOf(k.Token)}
		}
	}
	return t
}

// Authenticate implements [Authenticator] by a bearer token (RFC 6750, section
// 2.1). The comparison takes the same time whatever the token.
func (t *Tokens) Authenticate(r *http.Request) (*Caller, error) {
	const scheme = "Bearer "
	sent := r.Header["Authorization"]
	if len(sent) != 1 || len(sent[0]) <= len(scheme) || !strings.EqualFold(sent[0][:len(scheme)], scheme) {
		return nil, ErrUnauthenticated
	}
	kind, id, secret, err := directory.ParseToken(sent[0][len(scheme):])
	if err != nil {
		return nil, fmt.Errorf("reading the token: %w", ErrUnauthenticated)
	}
	held, known := t.all[id]
	if !known {
		held = &heldToken{revoked: true}
	}
	same := subtle.ConstantTimeCompare(directory.HashToken(t.key, kind, id, secret), held.hash) == 1
	if !same || kind != directory.TokenCheck || held.revoked || !held.expires.IsZero() && !t.now().Before(held.expires) {
		return nil, ErrUnauthenticated
	}
	return held.caller, nil
}
