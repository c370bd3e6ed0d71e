package console_test

import (
	"bytes"
	"cmp"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"math/big"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/usherd/usherd/console"
	"github.com/usherd/usherd/directory"
	"go.uber.org/zap"
)

// A provider is a small OpenID provider: discovery, keys, and the code flow with
// PKCE. What it says in ID tokens is up to the test.
type provider struct {
	*httptest.Server
	t      testing.TB
	key    *rsa.PrivateKey
	codes  map[string]url.Values // requests of the authorization endpoint by code
	claims map[string]any        // besides those that are right
	signer *rsa.PrivateKey
}

// keys are those that providers sign with; making them takes longest here.
var keys = sync.OnceValues(func() ([2]*rsa.PrivateKey, error) {
	one, err := rsa.GenerateKey(rand.Reader, 2048)
	other, errOther := rsa.GenerateKey(rand.Reader, 2048)
	return [2]*rsa.PrivateKey{one, other}, errors.Join(err, errOther)
})

func newProvider(t testing.TB) *provider {
	t.Helper()
	made, err := keys()
	must(t, err)
	key := made[0]
	p := &provider{t: t, key: key, signer: key, codes: map[string]url.Values{}, claims: map[string]any{}}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /.well-known/openid-configuration", func(w http.ResponseWriter, _ *http.Request) {
		p.json(w, map[string]any{
			"issuer": p.URL, "authorization_endpoint": p.URL + "/authorize", "token_endpoint": p.URL + "/token", "jwks_uri": p.URL + "/keys",
			"id_token_signing_alg_values_supported": []string{"RS256"},
		})
	})
	mux.HandleFunc("GET /keys", func(w http.ResponseWriter, _ *http.Request) {
		p.json(w, map[string]any{"keys": []any{map[string]any{
			"kty": "RSA", "alg": "RS256", "use": "sig", "kid": "one",
			"n": b64(key.N.Bytes()), "e": b64(big.NewInt(int64(key.E)).Bytes()),
		}}})
	})
	mux.HandleFunc("POST /token", p.token)
	p.Server = httptest.NewServer(mux)
	t.Cleanup(p.Close)
	return p
}

func b64(b []byte) string { return base64.RawURLEncoding.EncodeToString(b) }

func (p *provider) json(w http.ResponseWriter, value any) {
	w.Header().Set("Content-Type", "application/json")
	if err := json.NewEncoder(w).Encode(value); err != nil {
		p.t.Error(err)
	}
}

// consent is what happens at the provider: it takes the address that a browser
// was sent to, and returns the one that it sends the browser back to.
func (p *provider) consent(at string) string {
	u, err := url.Parse(at)
	must(p.t, err)
	q := u.Query()
	if q.Get("code_challenge_method") != "S256" || q.Get("code_challenge") == "" || q.Get("nonce") == "" || q.Get("response_type") != "code" {
		p.t.Errorf("the console asks with %v; want a code with PKCE and a nonce", q)
	}
	code := directory.NewID()
	p.codes[code] = q
	return q.Get("redirect_uri") + "?" + url.Values{"code": {code}, "state": {q.Get("state")}}.Encode()
}

// token trades a code, once, for whoever knows the verifier.
func (p *provider) token(w http.ResponseWriter, r *http.Request) {
	asked, ok := p.codes[r.FormValue("code")]
	sum := sha256.Sum256([]byte(r.FormValue("code_verifier")))
	if !ok || b64(sum[:]) != asked.Get("code_challenge") {
		w.WriteHeader(http.StatusBadRequest)
		p.json(w, map[string]any{"error": "invalid_grant"})
		return
	}
	delete(p.codes, r.FormValue("code"))
	now := time.Now()
	claims := map[string]any{
		"iss": p.URL, "aud": asked.Get("client_id"), "sub": "subject-1", "nonce": asked.Get("nonce"), "iat": now.Unix(), "exp": now.Add(time.Minute).Unix(),
	}
	for key, value := range p.claims {
		claims[key] = value
	}
	p.json(w, map[string]any{"access_token": "x", "token_type": "Bearer", "id_token": p.sign(claims)})
}

// sign makes a JWT (RFC 7515), with RS256.
func (p *provider) sign(claims map[string]any) string {
	head, err := json.Marshal(map[string]string{"alg": "RS256", "kid": "one", "typ": "JWT"})
	must(p.t, err)
	body, err := json.Marshal(claims)
	must(p.t, err)
	text := b64(head) + "." + b64(body)
	sum := sha256.Sum256([]byte(text))
	sig, err := rsa.SignPKCS1v15(rand.Reader, p.signer, 5, sum[:]) // 5 is crypto.SHA256
	must(p.t, err)
	return text + "." + b64(sig)
}

// withOIDC is a house where people sign in at a provider: as a user of source
// okta whose externalId is the subject.
func withOIDC(t *testing.T) (*house, *provider) {
	t.Helper()
	h, p := newHouse(t), newProvider(t)
	var err error
	var serve http.Handler
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { serve.ServeHTTP(w, r) }))
	t.Cleanup(server.Close)
	h.url = server.URL
	h.console, err = console.New(console.Config{
		Service: h.Service, Keeper: h.store, Key: bytes.Repeat([]byte{7}, 32), URL: func() string { return h.url }, Log: zap.NewNop(),
		FirstOwner: h.firstOwner, Revision: h.revision, OIDC: &console.OIDC{Issuer: p.URL, ClientID: "usherd", ClientSecret: "s", Source: "okta"},
	})
	must(t, err)
	serve = h.console.Handler()
	h.apply(directory.PutSource{Source: directory.Source{Name: "okta", Kind: directory.KindSCIM, State: directory.SourceActive, Rank: 1}})
	return h, p
}

// person makes a user of okta.
func (h *house) person(name, externalID string) directory.UserID {
	h.t.Helper()
	id := directory.UserID(directory.NewID())
	h.apply(directory.CreateUser{ID: id, Source: "okta", Profile: directory.Profile{
		UserName: name, DisplayName: name, ExternalID: externalID, Active: true, Emails: []directory.Email{{Value: name, Primary: true}},
	}})
	return id
}

func stranger(t testing.TB) *http.Client {
	t.Helper()
	return &http.Client{Jar: newJar(t), CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
}

// ask begins a sign-in and returns where the provider sends the browser back to.
func (h *house) ask(p *provider, client *http.Client) string {
	h.t.Helper()
	res, err := client.PostForm(h.url+"/login/oidc", url.Values{"next": {"/search"}})
	must(h.t, err)
	must(h.t, res.Body.Close())
	if res.StatusCode != http.StatusSeeOther {
		h.t.Fatalf("beginning a sign-in: status %d", res.StatusCode)
	}
	return p.consent(res.Header.Get("Location"))
}

// answer follows the provider's answer and returns the status.
func answer(t testing.TB, client *http.Client, back string) int {
	t.Helper()
	res, err := client.Get(back)
	must(t, err)
	must(t, res.Body.Close())
	return res.StatusCode
}

func TestPeopleSignInWithTheirProvider(t *testing.T) {
	t.Parallel()
	h, p := withOIDC(t)
	h.person("ana@example.com", "subject-1")
	client := stranger(t)
	if status := answer(t, client, h.ask(p, client)); status != http.StatusSeeOther || !h.in(client) {
		t.Fatalf("signing in: status %d, signed in %v", status, h.in(client))
	}
}

func TestASignInIsRefusedUnlessEverythingFits(t *testing.T) {
	t.Parallel()
	h, p := withOIDC(t)
	h.person("ana@example.com", "subject-1")
	made, err := keys()
	must(t, err)
	for name, c := range map[string]struct {
		claims map[string]any
		signer *rsa.PrivateKey
		status int
	}{
		"another audience":         {map[string]any{"aud": "another-app"}, nil, http.StatusBadGateway},
		"another issuer":           {map[string]any{"iss": "https://evil.example"}, nil, http.StatusBadGateway},
		"another nonce":            {map[string]any{"nonce": "replayed"}, nil, http.StatusBadRequest},
		"no nonce":                 {map[string]any{"nonce": nil}, nil, http.StatusBadRequest},
		"an expired token":         {map[string]any{"exp": time.Now().Add(-time.Hour).Unix()}, nil, http.StatusBadGateway},
		"a key that is not theirs": {nil, made[1], http.StatusBadGateway},
		"somebody unknown":         {map[string]any{"sub": "subject-2"}, nil, http.StatusForbidden},
		"an e-mail that fits":      {map[string]any{"sub": "subject-2", "email": "ana@example.com", "email_verified": true}, nil, http.StatusForbidden},
		"a userName that fits":     {map[string]any{"sub": "ana@example.com", "preferred_username": "ana@example.com"}, nil, http.StatusForbidden},
		"a subject that is a list": {map[string]any{"sub": []string{"subject-1"}}, nil, http.StatusBadGateway},
	} {
		t.Run(name, func(t *testing.T) {
			p.claims, p.signer = c.claims, cmp.Or(c.signer, p.key)
			client := stranger(t)
			if status := answer(t, client, h.ask(p, client)); status != c.status {
				t.Errorf("status %d; want %d", status, c.status)
			}
			if h.in(client) {
				t.Error("somebody is signed in")
			}
		})
	}
}

func TestAnAnswerBelongsToOneSignInOfOneBrowser(t *testing.T) {
	t.Parallel()
	h, p := withOIDC(t)
	h.person("ana@example.com", "subject-1")
	mine, theirs := stranger(t), stranger(t)
	back := h.ask(p, mine)
	h.ask(p, theirs)
	if status := answer(t, theirs, back); status != http.StatusBadRequest || h.in(theirs) {
		t.Errorf("the answer to another browser's sign-in: status %d", status)
	}
	if status := answer(t, stranger(t), back); status != http.StatusBadRequest {
		t.Errorf("the answer in a browser that began nothing: status %d", status)
	}
	if status := answer(t, mine, back); status != http.StatusSeeOther {
		t.Errorf("the answer where it belongs: status %d", status)
	}
	if status := answer(t, mine, back); status != http.StatusBadRequest {
		t.Errorf("the same answer again: status %d", status)
	}
	again := stranger(t)
	back = h.ask(p, again)
	for code := range p.codes { // somebody puts in a code of another sign-in
		p.codes[code].Set("code_challenge", "another")
	}
	if status := answer(t, again, back); status != http.StatusBadGateway || h.in(again) {
		t.Errorf("a code without its verifier: status %d", status)
	}
}

// TestWhoOnlyBeginsToSignInWritesNothing holds that nobody unknown fills the
// store, and that nothing of a sign-in can be read or altered on its way.
func TestWhoOnlyBeginsToSignInWritesNothing(t *testing.T) {
	t.Parallel()
	h, p := withOIDC(t)
	h.person("ana@example.com", "subject-1")
	client := stranger(t)
	back := h.ask(p, client)
	if kept, err := h.store.ListKept(t.Context(), "console-oidc", "", 10); err != nil || len(kept) > 0 {
		t.Errorf("%d sign-ins are kept, %v; want none", len(kept), err)
	}
	at, err := url.Parse(h.url)
	must(t, err)
	held := *client.Jar.Cookies(at)[0]
	for name, value := range map[string]string{
		"altered": held.Value[:len(held.Value)-4] + "AAAA", "cut": held.Value[:20], "none": "", "no text of ours": "%%%",
	} {
		held.Value, held.Path = value, "/"
		other := stranger(t)
		other.Jar.SetCookies(at, []*http.Cookie{&held})
		if status := answer(t, other, back); status != http.StatusBadRequest {
			t.Errorf("a sign-in that is %s: status %d", name, status)
		}
	}
	now := time.Now()
	h.console.Now = func() time.Time { return now.Add(11 * time.Minute) }
	if status := answer(t, client, back); status != http.StatusBadRequest {
		t.Errorf("a sign-in that took eleven minutes: status %d", status)
	}
}

func TestABindingOutlivesTheAttributeAndNotThePerson(t *testing.T) {
	t.Parallel()
	h, p := withOIDC(t)
	ana := h.person("ana@example.com", "subject-1")
	client := stranger(t)
	answer(t, client, h.ask(p, client))
	h.apply(directory.ReplaceUser{ID: ana, Source: "okta", Profile: directory.Profile{UserName: "ana@example.com", ExternalID: "renamed", Active: true}})
	h.person("eve@example.com", "subject-1") // the attribute goes to somebody else
	again := stranger(t)
	answer(t, again, h.ask(p, again))
	if page := h.body(again, "/search?q=zzz", http.StatusOK); !strings.Contains(page, string(ana)) {
		t.Error("whoever was bound to ana signs in as somebody else")
	}
	h.apply(directory.SetBlock{User: ana, Blocked: true, Reason: "left"})
	blocked := stranger(t)
	if status := answer(t, blocked, h.ask(p, blocked)); status != http.StatusForbidden || h.in(blocked) {
		t.Errorf("a blocked user signs in: status %d", status)
	}
}

func TestAnAddressTooLongForACookieIsForgotten(t *testing.T) {
	t.Parallel()
	h, p := withOIDC(t)
	h.person("ana@example.com", "subject-1")
	client := stranger(t)
	begin, err := client.PostForm(h.url+"/login/oidc", url.Values{"next": {"/users?q=" + strings.Repeat("&", 2000)}})
	must(t, err)
	must(t, begin.Body.Close())
	if set := begin.Header.Get("Set-Cookie"); begin.StatusCode != http.StatusSeeOther || len(set) > 4096 {
		t.Errorf("status %d, a cookie of %d bytes; want 303 and at most 4096", begin.StatusCode, len(set))
	}
	if status := answer(t, client, h.ask(p, client)); status != http.StatusSeeOther {
		t.Errorf("status %d; want 303", status)
	}
}

func TestADeadProviderIsNoFaultOfTheConsole(t *testing.T) {
	t.Parallel()
	h, p := withOIDC(t)
	p.Close()
	client := stranger(t)
	if status, text := h.post(client, "/login/oidc", nil); status != http.StatusBadGateway || strings.Contains(text, "refused") {
		t.Errorf("a dead provider: status %d, %s", status, text)
	}
}
