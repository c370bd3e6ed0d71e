package main

import (
	"context"
	"crypto/subtle"
	"errors"
	"fmt"
	"maps"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/usherd/usherd/authz"
	"github.com/usherd/usherd/authz/authzen"
	"github.com/usherd/usherd/cache"
	"github.com/usherd/usherd/directory"
	"github.com/usherd/usherd/scim"
)

// errBadToken says that a token is none of ours, or not any more. It does not
// say why.
var errBadToken = errors.New("token is not valid")

// A keyring knows the tokens of the deployment, as of the view that checks are
// answered from: a revoked token ends with the view that shows it.
type keyring struct {
	key   []byte // see admin.TokenKey
	cache *cache.Cache[*authz.Snapshot]
	now   func() time.Time
	index atomic.Pointer[tokenIndex]
	used  sync.Map // id of a token → *atomic.Int64, when it was used last, in seconds
}

// A tokenIndex has the tokens of one state of the policy facts.
type tokenIndex struct {
	facts *directory.PolicyFacts
	byID  map[string]*knownToken

	// proved has, by id, the texts that were shown to be right, so that a token
	// is taken apart and hashed once and not at every request.
	proved atomic.Pointer[map[string]provedText]
}

// A provedText is the text of a token that was shown to be right.
type provedText struct {
	text  string
	token *knownToken
}

// A knownToken is a token and, if it is a check token, whom it stands for.
type knownToken struct {
	directory.KeptToken
	caller *authzen.Caller
	used   *atomic.Int64
}

// find returns the token that a text stands for, and the view that knows it.
// Any error but errBadToken says that tokens can't be looked up now.
func (k *keyring) find(text string) (*knownToken, *cache.View[*authz.Snapshot], error) {
	view, err := k.cache.View()
	if err != nil {
		return nil, nil, err
	}
	if _, err := k.cache.Age(view); err != nil {
		return nil, nil, err
	}
	idx := k.indexOf(view.Snapshot.Policy())
	kept := idx.shown(text)
	if kept == nil {
		kept = idx.prove(text, k.key)
	}
	now := k.now()
	if kept == nil || !kept.Revoked.IsZero() || !now.Before(kept.Expires) {
		return nil, nil, errBadToken
	}
	if at := now.Unix(); kept.used.Load() != at { // a word that many write is slow
		kept.used.Store(at)
	}
	return kept, view, nil
}

func (k *keyring) indexOf(facts *directory.PolicyFacts) *tokenIndex {
	if idx := k.index.Load(); idx != nil && idx.facts == facts {
		return idx
	}
	idx := &tokenIndex{facts: facts, byID: make(map[string]*knownToken, len(facts.Tokens))}
	for _, kept := range facts.Tokens {
		used, _ := k.used.LoadOrStore(kept.ID, new(atomic.Int64))
		t := &knownToken{KeptToken: kept, used: used.(*atomic.Int64)} //nolint:forcetypeassert // nothing else is put there
		if kept.Kind == directory.TokenCheck {
			t.caller = authzen.CallerOf(kept.Token)
		}
		idx.byID[kept.ID] = t
	}
	k.index.Store(idx)
	return idx
}

// shown returns the token if exactly this text was proved before. It compares
// in constant time.
func (idx *tokenIndex) shown(text string) *knownToken {
	proved := idx.proved.Load()
	if proved == nil {
		return nil
	}
	p, ok := (*proved)[idOf(text)]
	if !ok || subtle.ConstantTimeCompare([]byte(p.text), []byte(text)) != 1 {
		return nil
	}
	return p.token
}

// idOf is the part of a token's text that says which it is; what it returns for
// any other text is of no use.
func idOf(text string) string {
	_, rest, _ := strings.Cut(text, "_")
	_, rest, _ = strings.Cut(rest, "_")
	id, _, _ := strings.Cut(rest, "_")
	return id
}

// prove takes a text apart, compares its secret in constant time and remembers
// the text if it is right.
func (idx *tokenIndex) prove(text string, key []byte) *knownToken {
	kind, id, secret, err := directory.ParseToken(text)
	if err != nil {
		return nil
	}
	kept := idx.byID[id]
	if kept == nil || kept.Kind != kind || subtle.ConstantTimeCompare(directory.HashToken(key, kind, id, secret), kept.Hash) != 1 {
		return nil
	}
	for {
		old := idx.proved.Load()
		next := map[string]provedText{}
		if old != nil {
			maps.Copy(next, *old)
		}
		next[id] = provedText{text, kept}
		if idx.proved.CompareAndSwap(old, &next) {
			return kept
		}
	}
}

// caller returns the holder of a check token.
func (k *keyring) caller(bearer string) (*authzen.Caller, error) {
	tok, _, err := k.find(bearer)
	switch {
	case errors.Is(err, errBadToken):
		return nil, authzen.ErrUnauthenticated
	case err != nil:
		return nil, err
	case tok.caller == nil:
		return nil, authzen.ErrUnauthenticated
	}
	return tok.caller, nil
}

// Authenticate implements [scim.Authenticator].
func (k *keyring) Authenticate(_ context.Context, source directory.SourceName, bearer string) (scim.Caller, error) {
	tok, view, err := k.find(bearer)
	switch {
	case errors.Is(err, errBadToken):
		return scim.Caller{}, scim.ErrUnauthorized
	case err != nil:
		return scim.Caller{}, err
	case tok.Kind != directory.TokenSCIM || tok.Source != source:
		return scim.Caller{}, scim.ErrUnauthorized
	}
	for _, src := range view.Snapshot.Policy().Sources {
		if src.Name == source {
			return scim.Caller{Source: src, Token: tok.ID}, nil
		}
	}
	return scim.Caller{}, fmt.Errorf("source %s of token %s is gone: %w", source, tok.ID, scim.ErrUnauthorized)
}
