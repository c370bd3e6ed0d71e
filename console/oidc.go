package console

import (
	"cmp"
	"context"
	"crypto/subtle"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"sync"
	"time"

	"github.com/coreos/go-oidc/v3/oidc"
	"github.com/usherd/usherd/directory"
	"golang.org/x/oauth2"
)

// OIDC is how people sign in with an identity provider (OpenID Connect Core
// 1.0, section 3.1: code flow, with PKCE).
//
// Whoever signs in for the first time is bound, by issuer and subject, to the
// user of whom Source says the same as the provider: its Attribute is the value
// of the Claim. Later the binding alone counts. An e-mail address never does:
// it can be given to somebody else.
type OIDC struct {
	Issuer       string // required
	ClientID     string // required; also the audience that ID tokens must have
	ClientSecret string
	Source       directory.SourceName // required if Attribute is externalId
	Attribute    string               // "externalId" (default) or "userName"
	Claim        string               // default "sub"
	Scopes       []string             // besides openid
	Client       *http.Client         // default http.DefaultTransport with a time limit

	mu       sync.Mutex
	provider *oidc.Provider
}

// signInLife is how long somebody may take at the provider.
const signInLife = 10 * time.Minute

const signInCookie = "usherd-signin"

var (
	errSignIn   = errors.New("the identity provider's answer does not belong to a sign-in of this browser")
	errNoUser   = errors.New("nobody here is the person who signed in")
	errProvider = errors.New("the identity provider does not answer as it should")
)

// A pending is a sign-in under way.
type pending struct {
	Nonce    string `json:"nonce"`
	Verifier string `json:"verifier"`
	Next     string `json:"next"`
}

// discover reads the provider's metadata, once it answers.
func (o *OIDC) discover(ctx context.Context) (*oidc.Provider, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.provider != nil {
		return o.provider, nil
	}
	// The provider keeps the context for fetching keys, long after this request.
	p, err := oidc.NewProvider(o.context(context.WithoutCancel(ctx)), o.Issuer)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", errProvider, err)
	}
	o.provider = p
	return p, nil
}

func (o *OIDC) context(ctx context.Context) context.Context {
	client := o.Client
	if client == nil {
		client = &http.Client{Timeout: 10 * time.Second}
	}
	return oidc.ClientContext(ctx, client)
}

func (o *OIDC) config(p *oidc.Provider, base string) *oauth2.Config {
	return &oauth2.Config{
		ClientID: o.ClientID, ClientSecret: o.ClientSecret, Endpoint: p.Endpoint(), RedirectURL: base + "/login/oidc/callback",
		Scopes: slices.Concat([]string{oidc.ScopeOpenID}, o.Scopes),
	}
}

// beginOIDC sends a browser to the provider.
func (c *Console) beginOIDC(w http.ResponseWriter, r *http.Request) {
	p, err := c.OIDC.discover(r.Context())
	if err != nil {
		c.fail(w, r, nil, err)
		return
	}
	r.Body = http.MaxBytesReader(w, r.Body, maxForm)
	state, begun := newSecret(), pending{newSecret(), oauth2.GenerateVerifier(), local(r.PostFormValue("next"))}
	value, err := json.Marshal(begun)
	if err == nil {
		_, err = c.Keeper.PutKept(r.Context(), directory.Kept{
			Space: spacePending, Key: c.hash("state", state), Value: value, Expires: c.Now().Add(signInLife),
		})
	}
	if err != nil {
		c.fail(w, r, nil, fmt.Errorf("keeping a sign-in: %w", err))
		return
	}
	http.SetCookie(w, c.cookie(signInCookie, state, signInLife))
	target := c.OIDC.config(p, c.URL()).AuthCodeURL(state, oidc.Nonce(begun.Nonce), oauth2.S256ChallengeOption(begun.Verifier))
	http.Redirect(w, r, target, http.StatusSeeOther)
}

// endOIDC is where the provider sends the browser back to.
func (c *Console) endOIDC(w http.ResponseWriter, r *http.Request) {
	begun, err := c.takePending(r)
	if err != nil {
		c.fail(w, r, nil, err)
		return
	}
	token, err := c.OIDC.exchange(r.Context(), c.URL(), r.URL.Query().Get("code"), begun)
	if err != nil {
		c.fail(w, r, nil, err)
		return
	}
	user, err := c.userOf(r.Context(), token)
	if err != nil {
		c.fail(w, r, nil, err)
		return
	}
	if err := c.begin(w, r, user, token.Issuer); err != nil {
		c.fail(w, r, nil, err)
		return
	}
	http.Redirect(w, r, begun.Next, http.StatusSeeOther)
}

// takePending returns the sign-in that an answer belongs to: one that this very
// browser began, once.
func (c *Console) takePending(r *http.Request) (p pending, err error) {
	state := r.URL.Query().Get("state")
	held, err := r.Cookie(signInCookie)
	if err != nil || state == "" || subtle.ConstantTimeCompare([]byte(held.Value), []byte(state)) != 1 {
		return p, errSignIn
	}
	kept, err := c.Keeper.Kept(r.Context(), spacePending, c.hash("state", state))
	if err == nil {
		err = c.Keeper.DropKept(r.Context(), spacePending, kept.Key)
	}
	if errors.Is(err, directory.ErrNotFound) {
		return p, errSignIn
	}
	if err != nil {
		return p, fmt.Errorf("looking up a sign-in: %w", err)
	}
	if why := r.URL.Query().Get("error"); why != "" {
		return p, fmt.Errorf("%w: it says %.60q", errProvider, why)
	}
	if err := json.Unmarshal(kept.Value, &p); err != nil {
		return p, errSignIn
	}
	return p, nil
}

// exchange trades the code for an ID token and verifies it: signature, issuer,
// audience, times and nonce (OpenID Connect Core 1.0, section 3.1.3.7).
func (o *OIDC) exchange(ctx context.Context, base, code string, begun pending) (*oidc.IDToken, error) {
	p, err := o.discover(ctx)
	if err != nil {
		return nil, err
	}
	got, err := o.config(p, base).Exchange(o.context(ctx), code, oauth2.VerifierOption(begun.Verifier))
	if err != nil {
		return nil, fmt.Errorf("%w: trading the code: %w", errProvider, err)
	}
	raw, ok := got.Extra("id_token").(string)
	if !ok {
		return nil, fmt.Errorf("%w: no ID token", errProvider)
	}
	token, err := p.Verifier(&oidc.Config{ClientID: o.ClientID}).Verify(o.context(ctx), raw)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", errProvider, err)
	}
	if subtle.ConstantTimeCompare([]byte(token.Nonce), []byte(begun.Nonce)) != 1 {
		return nil, errSignIn
	}
	return token, nil
}

// userOf returns the user to whom issuer and subject are bound, or binds them.
func (c *Console) userOf(ctx context.Context, token *oidc.IDToken) (directory.UserID, error) {
	key := c.hash("subject", token.Issuer+"\x00"+token.Subject)
	kept, err := c.Keeper.Kept(ctx, spaceSubject, key)
	if err != nil && !errors.Is(err, directory.ErrNotFound) {
		return "", fmt.Errorf("looking up a sign-in's user: %w", err)
	}
	if err == nil {
		var bound directory.UserID
		if err := json.Unmarshal(kept.Value, &bound); err != nil {
			return "", fmt.Errorf("reading a sign-in's user: %w", err)
		}
		look, err := c.Service.PDP.Look(ctx, directory.SubjectKey{Kind: directory.KeyID, Value: string(bound)})
		if err != nil {
			return "", fmt.Errorf("looking up a sign-in's user: %w", err)
		}
		if look.Subject.Found == directory.One {
			return c.active(look.Subject)
		}
		// The user is deleted for good; whoever is the same person now is bound
		// like at a first sign-in.
	}
	sub, err := c.match(ctx, token)
	if err != nil {
		return "", err
	}
	value, err := json.Marshal(sub.ID)
	if err != nil {
		return "", fmt.Errorf("binding a sign-in: %w", err)
	}
	_, err = c.Keeper.PutKept(ctx, directory.Kept{Space: spaceSubject, Key: key, Value: value, Version: kept.Version})
	if err != nil {
		return "", fmt.Errorf("binding a sign-in: %w", err)
	}
	return c.active(sub)
}

// match finds the user of whom the source says what the token says.
func (c *Console) match(ctx context.Context, token *oidc.IDToken) (*directory.Subject, error) {
	var claims map[string]any
	if err := token.Claims(&claims); err != nil {
		return nil, fmt.Errorf("%w: %w", errProvider, err)
	}
	claim := c.OIDC.claim()
	value, ok := claims[claim].(string)
	if !ok || value == "" {
		return nil, fmt.Errorf("%w: the ID token has no text claim %q", errNoUser, claim)
	}
	key := directory.SubjectKey{Kind: directory.KeyExternal, Source: c.OIDC.Source, Value: value}
	if c.OIDC.Attribute == "userName" {
		name, err := directory.KeyOf(value)
		if err != nil {
			return nil, errNoUser
		}
		key = directory.SubjectKey{Kind: directory.KeyUserName, Value: string(name)}
	}
	look, err := c.Service.PDP.Look(ctx, key)
	if err != nil {
		return nil, fmt.Errorf("looking up a sign-in's user: %w", err)
	}
	if look.Subject.Found != directory.One {
		return nil, errNoUser
	}
	return look.Subject, nil
}

// claim and attribute are what equals each other at the first sign-in.
func (o *OIDC) claim() string     { return cmp.Or(o.Claim, "sub") }
func (o *OIDC) attribute() string { return cmp.Or(o.Attribute, "externalId") }

// active returns the user's id if the user may be signed in.
func (c *Console) active(sub *directory.Subject) (directory.UserID, error) {
	if sub.Blocked || sub.Inactive {
		return "", errNoUser
	}
	return sub.ID, nil
}
