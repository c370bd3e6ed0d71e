package console_test

import (
	"bytes"
	"cmp"
	"crypto/rsa"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/usherd/usherd/console"
	"github.com/usherd/usherd/console/oidctest"
	"github.com/usherd/usherd/directory"
	"go.uber.org/zap"
)

// withOIDC is a house where people sign in at a provider: as a user of source
// okta whose externalId is the subject, unless settings are altered.
func withOIDC(t *testing.T, alter ...func(*console.Config)) (*house, *oidctest.Provider) {
	t.Helper()
	h, p := newHouse(t), oidctest.Start(t)
	var err error
	var serve http.Handler
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { serve.ServeHTTP(w, r) }))
	t.Cleanup(server.Close)
	h.url = server.URL
	settings := console.Config{
		Service: h.Service, Keeper: h.store, Key: bytes.Repeat([]byte{7}, 32), URL: func() string { return h.url }, Log: zap.NewNop(),
		FirstOwner: h.firstOwner, Revision: h.revision, OIDC: &console.OIDC{Issuer: p.URL, ClientID: "usherd", ClientSecret: "s", Source: "okta"},
	}
	for _, f := range alter {
		f(&settings)
	}
	h.console, err = console.New(settings)
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
func (h *house) ask(p *oidctest.Provider, client *http.Client) string {
	h.t.Helper()
	res, err := client.PostForm(h.url+"/login/oidc", url.Values{"next": {"/search"}})
	must(h.t, err)
	must(h.t, res.Body.Close())
	if res.StatusCode != http.StatusSeeOther {
		h.t.Fatalf("beginning a sign-in: status %d", res.StatusCode)
	}
	return p.Consent(res.Header.Get("Location"))
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
		"a key that is not theirs": {nil, p.Other, http.StatusBadGateway},
		"somebody unknown":         {map[string]any{"sub": "subject-2"}, nil, http.StatusForbidden},
		"an e-mail that fits":      {map[string]any{"sub": "subject-2", "email": "ana@example.com", "email_verified": true}, nil, http.StatusForbidden},
		"a userName that fits":     {map[string]any{"sub": "ana@example.com", "preferred_username": "ana@example.com"}, nil, http.StatusForbidden},
		"a subject that is a list": {map[string]any{"sub": []string{"subject-1"}}, nil, http.StatusBadGateway},
	} {
		t.Run(name, func(t *testing.T) {
			p.Claims, p.Signer = c.claims, cmp.Or(c.signer, p.Key)
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
	p.Confuse() // somebody puts in a code of another sign-in
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
