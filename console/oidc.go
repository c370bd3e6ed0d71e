package console

import (
	"cmp"
	"context"
	"crypto/aes"
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"sync"
	"time"

	"github.com/coreos/go-oidc/v3/oidc"
	"github.com/usherd/usherd/admin"
	"github.com/usherd/usherd/directory"
	"go.uber.org/zap"
	"golang.org/x/oauth2"
)

// OIDC is how people sign in with an identity provider (OpenID Connect Core
// 1.0, section 3.1: code flow, with PKCE).
//
// Whoever signs in for the first time is bound, by issuer and subject, to the
// user of whom Source says the same as the provider: its Attribute is the value
// of the Claim. Later the binding alone counts, and no other subject of that
// issuer is bound to the user until an administrator releases it: what was equal
// at first can be given to somebody else. An e-mail address never counts.
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

// signInCookie is the name of the cookie of a sign-in under way. Like that of a
// session it is bound to this host where browsers can do that, so that no page
// of a neighbour can plant another's sign-in.
func (c *Console) signInCookie() string { return c.cookieName() + "-signin" }

var (
	errSignIn   = errors.New("the identity provider's answer does not belong to a sign-in of this browser")
	errNoUser   = errors.New("nobody here is the person who signed in")
	errProvider = errors.New("the identity provider does not answer as it should")
)

// A pending is a sign-in under way. The browser keeps it, sealed: whoever asks
// for one is not known yet, and writes nothing here.
type pending struct {
	State    string    `json:"state"`
	Nonce    string    `json:"nonce"`
	Verifier string    `json:"verifier"`
	Next     string    `json:"next"`
	Expires  time.Time `json:"expires"`
}

// maxSealed is what of a cookie every browser keeps, less its name and
// attributes (RFC 6265, section 6.1).
const maxSealed = 3800

// pendingSeal is the cipher of sign-ins under way.
func (c *Console) pendingSeal() (cipher.AEAD, error) {
	key, err := hkdf.Key(sha256.New, c.Key, nil, "sign-in under way", 32)
	if err != nil {
		return nil, fmt.Errorf("deriving a key: %w", err)
	}
	block, err := aes.NewCipher(key)
	if err != nil {
		return nil, fmt.Errorf("making a cipher: %w", err)
	}
	return cipher.NewGCMWithRandomNonce(block)
}

func (c *Console) sealPending(p pending) (string, error) {
	aead, err := c.pendingSeal()
	if err != nil {
		return "", err
	}
	plain, err := json.Marshal(p)
	if err != nil {
		return "", err
	}
	return base64.RawURLEncoding.EncodeToString(aead.Seal(nil, nil, plain, nil)), nil
}

// openPending reads what sealPending wrote, if it is not too old.
func (c *Console) openPending(text string) (p pending, err error) {
	aead, err := c.pendingSeal()
	if err != nil {
		return p, err
	}
	sealed, err := base64.RawURLEncoding.DecodeString(text)
	if err != nil {
		return p, errSignIn
	}
	plain, err := aead.Open(nil, nil, sealed, nil)
	if err != nil || json.Unmarshal(plain, &p) != nil || !c.Now().Before(p.Expires) {
		return p, errSignIn
	}
	return p, nil
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
	begun := pending{newSecret(), newSecret(), oauth2.GenerateVerifier(), local(r.PostFormValue("next")), c.Now().Add(signInLife)}
	sealed, err := c.sealPending(begun)
	if len(sealed) > maxSealed {
		begun.Next = "/"
		sealed, err = c.sealPending(begun)
	}
	if err != nil {
		c.fail(w, r, nil, fmt.Errorf("keeping a sign-in: %w", err))
		return
	}
	http.SetCookie(w, c.cookie(c.signInCookie(), sealed, signInLife))
	target := c.OIDC.config(p, c.URL()).AuthCodeURL(begun.State, oidc.Nonce(begun.Nonce), oauth2.S256ChallengeOption(begun.Verifier))
	http.Redirect(w, r, target, http.StatusSeeOther)
}

// endOIDC is where the provider sends the browser back to.
func (c *Console) endOIDC(w http.ResponseWriter, r *http.Request) {
	begun, err := c.takePending(w, r)
	if err != nil {
		c.fail(w, r, nil, err)
		return
	}
	token, err := c.OIDC.exchange(r.Context(), c.URL(), r.URL.Query().Get("code"), begun)
	if err != nil {
		c.fail(w, r, nil, err)
		return
	}
	in, err := c.userOf(r.Context(), token)
	if err == nil {
		err = c.beginBound(w, r, in)
	}
	if bound, ok := errors.AsType[*admin.BoundError](err); ok {
		c.Log.Warn("a sign-in was refused: the user is bound to another account of the identity provider",
			zap.String("user", string(bound.User)), zap.String("issuer", token.Issuer), zap.Error(err))
	}
	if err != nil {
		c.fail(w, r, nil, err)
		return
	}
	http.Redirect(w, r, begun.Next, http.StatusSeeOther)
}

// takePending returns the sign-in that an answer belongs to: one that this very
// browser began. The browser forgets it; that an answer counts once is up to the
// provider, which takes each code once (RFC 6749, section 4.1.2).
func (c *Console) takePending(w http.ResponseWriter, r *http.Request) (pending, error) {
	held, err := r.Cookie(c.signInCookie())
	if err != nil {
		return pending{}, errSignIn
	}
	p, err := c.openPending(held.Value)
	if err != nil {
		return p, err
	}
	if subtle.ConstantTimeCompare([]byte(p.State), []byte(r.URL.Query().Get("state"))) != 1 {
		return p, errSignIn
	}
	gone := c.cookie(c.signInCookie(), "", 0)
	gone.MaxAge = -1
	http.SetCookie(w, gone)
	if why := r.URL.Query().Get("error"); why != "" {
		return p, fmt.Errorf("%w: it says %.60q", errProvider, why)
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

// An accepted sign-in is a user and the account by which the user came.
type accepted struct {
	user    directory.UserID
	account admin.Account
}

// userOf returns the user to whom issuer and subject are bound, or binds them.
func (c *Console) userOf(ctx context.Context, token *oidc.IDToken) (accepted, error) {
	in := accepted{account: admin.Account{Issuer: token.Issuer, Subject: c.hash("subject", token.Issuer+"\x00"+token.Subject)}}
	bound, err := c.Service.UserOfAccount(ctx, in.account)
	if err != nil && !errors.Is(err, directory.ErrNotFound) {
		return in, fmt.Errorf("looking up a sign-in's user: %w", err)
	}
	if err == nil {
		look, err := c.Service.PDP.Look(ctx, directory.SubjectKey{Kind: directory.KeyID, Value: string(bound)})
		if err != nil {
			return in, fmt.Errorf("looking up a sign-in's user: %w", err)
		}
		if look.Subject.Found == directory.One {
			in.user, err = c.active(look.Subject)
			return in, err
		}
		// The user is deleted for good; whoever is the same person now is bound
		// like at a first sign-in.
	}
	sub, err := c.match(ctx, token)
	if err != nil {
		return in, err
	}
	if in.user, err = c.active(sub); err != nil {
		return in, err
	}
	if err := c.Service.BindAccount(ctx, in.account, in.user); err != nil {
		return in, fmt.Errorf("binding a sign-in: %w", err)
	}
	return in, nil
}

// beginBound begins the session of a bound account. One that was released
// meanwhile begins none: whoever releases it ends the sessions that are there
// afterwards.
func (c *Console) beginBound(w http.ResponseWriter, r *http.Request, in accepted) error {
	key, secret, err := c.begin(r, in.user, in.account.Issuer)
	if err != nil {
		return err
	}
	bound, err := c.Service.UserOfAccount(r.Context(), in.account)
	if err == nil && bound == in.user {
		c.giveSession(w, secret)
		return nil
	}
	if err == nil || errors.Is(err, directory.ErrNotFound) {
		err = errSignIn
	}
	return errors.Join(err, c.Keeper.DropKept(context.WithoutCancel(r.Context()), spaceSession, key))
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
