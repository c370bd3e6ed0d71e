// Package oidctest is a small OpenID provider for tests: discovery, keys, and the
// code flow with PKCE. What it says in ID tokens is up to the test.
package oidctest

import (
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"maps"
	"math/big"
	"net/http"
	"net/http/httptest"
	"net/url"
	"sync"
	"testing"
	"time"
)

// A Provider is a running OpenID provider. Claims and Signer hold for what is
// consented to from then on.
type Provider struct {
	*httptest.Server
	Claims map[string]any  // besides, or instead of, those that are right: sub is "subject-1"
	Signer *rsa.PrivateKey // what it signs with
	Key    *rsa.PrivateKey // what it says it signs with
	Other  *rsa.PrivateKey // another one

	t     testing.TB
	mu    sync.Mutex
	codes map[string]request
}

// A request is one of the authorization endpoint, with what is said about it.
type request struct {
	url.Values
	claims map[string]any
	signer *rsa.PrivateKey
}

// keys are those that providers sign with; making them takes longest here.
var keys = sync.OnceValues(func() ([2]*rsa.PrivateKey, error) {
	one, err := rsa.GenerateKey(rand.Reader, 2048)
	other, errOther := rsa.GenerateKey(rand.Reader, 2048)
	return [2]*rsa.PrivateKey{one, other}, errors.Join(err, errOther)
})

// Start starts a provider that ends with the test. Its URL is its issuer.
func Start(t testing.TB) *Provider {
	t.Helper()
	made, err := keys()
	if err != nil {
		t.Fatal(err)
	}
	p := &Provider{Claims: map[string]any{}, Signer: made[0], Key: made[0], Other: made[1], t: t, codes: map[string]request{}}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /.well-known/openid-configuration", p.discovery)
	mux.HandleFunc("GET /keys", p.keys)
	mux.HandleFunc("POST /token", p.token)
	p.Server = httptest.NewServer(mux)
	t.Cleanup(p.Close)
	return p
}

// Consent is what happens at the provider: it takes the address that a browser
// was sent to, and returns the one that it sends the browser back to.
func (p *Provider) Consent(at string) string {
	u, err := url.Parse(at)
	if err != nil {
		p.t.Errorf("an address that a browser is sent to: %v", err)
		return ""
	}
	q := u.Query()
	if q.Get("code_challenge_method") != "S256" || q.Get("code_challenge") == "" || q.Get("nonce") == "" || q.Get("response_type") != "code" {
		p.t.Errorf("the client asks with %v; want a code with PKCE and a nonce", q)
	}
	code := rand.Text()
	p.mu.Lock()
	defer p.mu.Unlock()
	p.codes[code] = request{q, maps.Clone(p.Claims), p.Signer}
	return q.Get("redirect_uri") + "?" + url.Values{"code": {code}, "state": {q.Get("state")}}.Encode()
}

// Confuse makes all codes that wait ones of other sign-ins.
func (p *Provider) Confuse() {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, asked := range p.codes {
		asked.Set("code_challenge", "another")
	}
}

func (p *Provider) discovery(w http.ResponseWriter, _ *http.Request) {
	p.json(w, map[string]any{
		"issuer": p.URL, "authorization_endpoint": p.URL + "/authorize", "token_endpoint": p.URL + "/token", "jwks_uri": p.URL + "/keys",
		"id_token_signing_alg_values_supported": []string{"RS256"},
	})
}

func (p *Provider) keys(w http.ResponseWriter, _ *http.Request) {
	p.json(w, map[string]any{"keys": []any{map[string]any{
		"kty": "RSA", "alg": "RS256", "use": "sig", "kid": "one",
		"n": b64(p.Key.N.Bytes()), "e": b64(big.NewInt(int64(p.Key.E)).Bytes()),
	}}})
}

// token trades a code, once, for whoever knows the verifier.
func (p *Provider) token(w http.ResponseWriter, r *http.Request) {
	p.mu.Lock()
	asked, ok := p.codes[r.FormValue("code")]
	sum := sha256.Sum256([]byte(r.FormValue("code_verifier")))
	if ok = ok && b64(sum[:]) == asked.Get("code_challenge"); ok {
		delete(p.codes, r.FormValue("code"))
	}
	p.mu.Unlock()
	if !ok {
		w.WriteHeader(http.StatusBadRequest)
		p.json(w, map[string]any{"error": "invalid_grant"})
		return
	}
	now := time.Now()
	claims := map[string]any{
		"iss": p.URL, "aud": asked.Get("client_id"), "sub": "subject-1", "nonce": asked.Get("nonce"), "iat": now.Unix(), "exp": now.Add(time.Minute).Unix(),
	}
	maps.Copy(claims, asked.claims)
	p.json(w, map[string]any{"access_token": "x", "token_type": "Bearer", "id_token": p.sign(claims, asked.signer)})
}

// sign makes a JWT (RFC 7515), with RS256.
func (p *Provider) sign(claims map[string]any, signer *rsa.PrivateKey) string {
	head, err := json.Marshal(map[string]string{"alg": "RS256", "kid": "one", "typ": "JWT"})
	body, errBody := json.Marshal(claims)
	text := b64(head) + "." + b64(body)
	sum := sha256.Sum256([]byte(text))
	sig, errSign := rsa.SignPKCS1v15(rand.Reader, signer, crypto.SHA256, sum[:])
	if err := errors.Join(err, errBody, errSign); err != nil {
		p.t.Errorf("making an ID token: %v", err)
	}
	return text + "." + b64(sig)
}

func b64(b []byte) string { return base64.RawURLEncoding.EncodeToString(b) }

func (p *Provider) json(w http.ResponseWriter, value any) {
	w.Header().Set("Content-Type", "application/json")
	if err := json.NewEncoder(w).Encode(value); err != nil {
		p.t.Error(err)
	}
}
