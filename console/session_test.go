package console_test

import (
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/usherd/usherd/directory"
)

// clocked is a house whose console goes by a clock that the test moves.
func clocked(t *testing.T) (*house, *time.Time) {
	t.Helper()
	h, now := newHouse(t), time.Now()
	h.console.Now = func() time.Time { return now }
	return h, &now
}

// in reports whether a client is still signed in.
func (h *house) in(client *http.Client) bool {
	h.t.Helper()
	res, err := client.Get(h.url + "/search")
	must(h.t, err)
	must(h.t, res.Body.Close())
	if res.StatusCode != http.StatusOK && res.StatusCode != http.StatusSeeOther {
		h.t.Fatalf("GET /search = %d", res.StatusCode)
	}
	return res.StatusCode == http.StatusOK
}

func TestASessionEndsWhenNobodyUsesIt(t *testing.T) {
	t.Parallel()
	h, now := clocked(t)
	client := h.signedIn(h.user("ana@example.com"))
	for range 3 { // used, it goes on beyond the half hour
		*now = now.Add(25 * time.Minute)
		if !h.in(client) {
			t.Fatal("a session that was used 25 minutes ago is over")
		}
	}
	*now = now.Add(31 * time.Minute)
	if h.in(client) {
		t.Error("a session goes on after 31 minutes without a request")
	}
}

func TestASessionEndsAfterEightHoursWhateverIsUsed(t *testing.T) {
	t.Parallel()
	h, now := clocked(t)
	client := h.signedIn(h.user("ana@example.com"))
	for range 7*60/20 + 2 {
		*now = now.Add(20 * time.Minute)
		if !h.in(client) {
			t.Fatal("a session in use is over before eight hours")
		}
	}
	*now = now.Add(25 * time.Minute)
	if h.in(client) {
		t.Error("a session goes on after eight hours")
	}
}

func TestWhoeverMayNotActIsOutAtOnce(t *testing.T) {
	t.Parallel()
	for name, end := range map[string]func(*house, directory.UserID){
		"blocked": func(h *house, id directory.UserID) {
			h.apply(directory.SetBlock{User: id, Blocked: true, Reason: "left"})
		},
		"deleted": func(h *house, id directory.UserID) { h.apply(directory.DeleteUser{ID: id, Source: directory.Local}) },
		"inactive": func(h *house, id directory.UserID) {
			h.apply(directory.ReplaceUser{ID: id, Source: directory.Local, Profile: directory.Profile{UserName: "ana@example.com", Active: false}})
		},
	} {
		t.Run(name, func(t *testing.T) {
			h := newHouse(t)
			id := h.user("ana@example.com", directory.RoleAdmin)
			client := h.signedIn(id)
			if !h.in(client) {
				t.Fatal("a new session is over")
			}
			end(h, id)
			if h.in(client) {
				t.Error("whoever is " + name + " is still in")
			}
		})
	}
}

func TestALoginLinkWorksOnceAndNotForLong(t *testing.T) {
	t.Parallel()
	h, now := clocked(t)
	id := h.user("ana@example.com")
	link, err := h.console.Link(t.Context(), id)
	must(t, err)
	at, err := url.Parse(link)
	must(t, err)
	code := at.Query().Get("code")
	client := &http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	h.body(client, "/login?code="+code, http.StatusOK) // looking at it, as mail programs do, uses nothing up
	for _, want := range []int{http.StatusSeeOther, http.StatusGone} {
		if status, _ := h.post(client, "/login", url.Values{"code": {code}}); status != want {
			t.Errorf("using the link: status %d; want %d", status, want)
		}
	}
	late, err := h.console.Link(t.Context(), id)
	must(t, err)
	*now = now.Add(11 * time.Minute)
	_, code, _ = strings.Cut(late, "code=")
	if status, _ := h.post(client, "/login", url.Values{"code": {code}}); status != http.StatusGone {
		t.Errorf("a link after eleven minutes: status %d", status)
	}
	if status, _ := h.post(client, "/login", url.Values{"code": {"made-up"}}); status != http.StatusGone {
		t.Errorf("a made-up link: status %d; want 410", status)
	}
}

func TestACookieOfASessionIsForThisSiteAndScriptsCanNotReadIt(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	id := h.user("ana@example.com")
	for _, site := range []struct {
		url, name string
		secure    bool
	}{{h.url, "usherd", false}, {"https://usherd.example.com", "__Host-usherd", true}} {
		h.console.URL = func() string { return site.url }
		link, err := h.console.Link(t.Context(), id)
		must(t, err)
		_, code, _ := strings.Cut(link, "code=")
		r := httptest.NewRequest(http.MethodPost, "/login", strings.NewReader(url.Values{"code": {code}}.Encode()))
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		w := httptest.NewRecorder()
		h.console.Handler().ServeHTTP(w, r)
		cookies := w.Result().Cookies()
		if len(cookies) != 1 {
			t.Fatalf("%s: %d cookies; want one", site.url, len(cookies))
		}
		c := cookies[0]
		if c.Name != site.name || !c.HttpOnly || c.Secure != site.secure || c.SameSite != http.SameSiteLaxMode || c.Path != "/" || c.Domain != "" || c.MaxAge != 8*60*60 {
			t.Errorf("%s sets %+v", site.url, c)
		}
		if kept, err := h.store.ListKept(t.Context(), "console-session", "", 10); err != nil || len(kept) == 0 || strings.Contains(kept[0].Key+string(kept[0].Value), c.Value) {
			t.Errorf("the session is kept with its secret, or not at all: %v", err)
		}
	}
}

func TestSigningInGivesANewSecretAndOutEndsIt(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	id := h.user("ana@example.com")
	client := h.signedIn(id)
	at, err := url.Parse(h.url)
	must(t, err)
	before := client.Jar.Cookies(at)[0].Value
	link, err := h.console.Link(t.Context(), id)
	must(t, err)
	_, code, _ := strings.Cut(link, "code=")
	h.post(client, "/login", url.Values{"code": {code}})
	if client.Jar.Cookies(at)[0].Value == before {
		t.Error("a new sign-in keeps the old secret")
	}
	old := &http.Client{Jar: newJar(t), CheckRedirect: client.CheckRedirect}
	old.Jar.SetCookies(at, []*http.Cookie{{Name: "usherd", Value: before, Path: "/"}})
	if h.in(old) {
		t.Error("the secret of before still works")
	}
	held := client.Jar.Cookies(at)[0].Value
	h.post(client, "/logout", nil)
	old.Jar.SetCookies(at, []*http.Cookie{{Name: "usherd", Value: held, Path: "/"}})
	if h.in(client) || h.in(old) {
		t.Error("signing out leaves the session")
	}
}

func TestAnotherSitesPageChangesNothing(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	client := h.signedIn(h.user("owner@example.com", directory.RoleOwner))
	for name, header := range map[string]http.Header{
		"a form of another site":               {"Sec-Fetch-Site": {"cross-site"}},
		"a form of a sibling host":             {"Sec-Fetch-Site": {"same-site"}},
		"an old browser, by its Origin":        {"Origin": {"https://evil.example"}},
		"an old browser without site":          {"Origin": {"null"}},
		"another site even if it says our URL": {"Sec-Fetch-Site": {"cross-site"}, "Origin": {h.url}},
	} {
		t.Run(name, func(t *testing.T) {
			form := url.Values{"of": {"scim"}, "name": {"evil"}}
			r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, h.url+"/sources/new", strings.NewReader(form.Encode()))
			must(t, err)
			r.Header = header.Clone()
			r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
			res, err := client.Do(r)
			must(t, err)
			must(t, res.Body.Close())
			if res.StatusCode != http.StatusForbidden {
				t.Errorf("status %d; want 403", res.StatusCode)
			}
		})
	}
	if sources, err := h.store.Sources(t.Context()); err != nil || len(sources) != 1 {
		t.Errorf("there are %d sources, %v; want the local one alone", len(sources), err)
	}
}

func TestAfterSigningInOneGoesNowhereElse(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	id := h.user("ana@example.com")
	for next, want := range map[string]string{
		"/users?q=x": "/users?q=x", "https://evil.example/": "/", "//evil.example": "/", `/\evil.example`: "/", "javascript:alert(1)": "/",
		"/a\r\nSet-Cookie: x=y": "/", "": "/",
	} {
		link, err := h.console.Link(t.Context(), id)
		must(t, err)
		_, code, _ := strings.Cut(link, "code=")
		client := &http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
		res, err := client.PostForm(h.url+"/login", url.Values{"code": {code}, "next": {next}})
		must(t, err)
		must(t, res.Body.Close())
		if got := res.Header.Get("Location"); got != want {
			t.Errorf("next %q leads to %q; want %q", next, got, want)
		}
	}
}

func TestEveryAnswerHasTheSecurityHeaders(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	client := h.signedIn(h.user("ana@example.com"))
	for _, path := range []string{"/", "/login", "/no-such-page", "/static/console.css", "/sources"} {
		r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, h.url+path, nil)
		must(t, err)
		r.Header.Set("Accept", "text/html")
		res, err := client.Do(r)
		must(t, err)
		must(t, res.Body.Close())
		csp := res.Header.Get("Content-Security-Policy")
		if !strings.Contains(csp, "default-src 'none'") || strings.Contains(csp, "unsafe") || !strings.Contains(csp, "require-trusted-types-for 'script'") {
			t.Errorf("%s: policy %q", path, csp)
		}
		for name, want := range map[string]string{"X-Content-Type-Options": "nosniff", "Referrer-Policy": "no-referrer", "Cross-Origin-Opener-Policy": "same-origin"} {
			if got := res.Header.Get(name); got != want {
				t.Errorf("%s: %s is %q; want %q", path, name, got, want)
			}
		}
	}
}
