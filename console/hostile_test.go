package console_test

import (
	"bytes"
	"encoding/csv"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/usherd/usherd/admin"
	"github.com/usherd/usherd/directory"
	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
)

// hostile are names that would do harm where they are not told from markup,
// formulas, headers, terminal control or templates.
var hostile = []string{
	`<script>window.pwned=1</script>`,
	`"><img src=x onerror="window.pwned=2">`,
	`</title><svg onload=window.pwned=3>`,
	`javascript:window.pwned=4`,
	`=cmd|' /C calc'!A0`,
	`+HYPERLINK("https://evil.example","x")`,
	`-2+3`, `@SUM(1)`,
	`{{.Secret}} ${window.pwned=5} <%= 7*7 %> {{7*7}}`,
	"\u202egnp.exe", "a\u2066b\u2069", "name\u200bless",
	`' OR 1=1 --`, `%0d%0aSet-Cookie: a=b`, `../../etc/passwd`,
}

// besieged is a house in which everything that people name is named so.
func besieged(t *testing.T) (*house, directory.UserID, *bytes.Buffer) {
	t.Helper()
	h := newHouse(t)
	logged := &bytes.Buffer{}
	h.console.Log = zap.New(zapcore.NewCore(zapcore.NewJSONEncoder(zap.NewProductionEncoderConfig()), zapcore.AddSync(logged), zapcore.DebugLevel))
	owner := h.user("owner@example.com", directory.RoleOwner)
	h.apply(directory.PutSource{Source: directory.Source{Name: "okta", Kind: directory.KindSCIM, State: directory.SourceActive, Rank: 1}})
	for i, name := range hostile {
		id := directory.UserID(directory.NewID())
		h.apply(directory.CreateUser{ID: id, Source: "okta", Profile: directory.Profile{
			UserName: fmt.Sprintf("u%d@example.com", i), DisplayName: name, ExternalID: fmt.Sprint(i), Active: true,
		}})
		group := directory.GroupID(directory.NewID())
		_, err := (visible{h.store, h.cache}).Apply(t.Context(), root, directory.CreateGroup{ID: group, Source: "okta", Name: name, ExternalID: fmt.Sprint("g", i)})
		if refused := strings.ContainsAny(name, "\u202e\u2066\u200b"); (err != nil) != refused {
			t.Errorf("a group named %q: %v; want it refused %v", name, err, refused)
		}
		_, err = h.CreateToken(t.Context(), root, admin.NewToken{Kind: directory.TokenCheck, Name: name})
		if refused := strings.ContainsAny(name, "\u202e\u2066\u200b"); (err != nil) != refused {
			t.Errorf("a token named %q: %v; want it refused %v", name, err, refused)
		}
		must(t, h.store.LogRequests(t.Context(), directory.Request{
			ID: fmt.Sprint("r", i), Source: "okta", Time: time.Now(), Method: "POST", Path: "/Users", Status: 400, Detail: name, Agent: name, Quirks: []string{name},
		}))
	}
	return h, owner, logged
}

// besiegedPaths are pages that show names.
var besiegedPaths = []string{"/users", "/groups", "/sources/okta", "/settings/tokens", "/audit", "/settings/admins", "/search?q="}

func TestHostileNamesAreInertInTheBrowser(t *testing.T) {
	t.Parallel()
	h, owner, _ := besieged(t)
	b := h.browse()
	said := b.listen()
	h.enter(b, owner)
	b.open("/sources")
	said.take() // of the way here
	for _, path := range besiegedPaths {
		b.open(path)
		if got := eval[string](b, "String(window.pwned)"); got != "undefined" {
			t.Fatalf("at %s a name became script %s", path, got)
		}
		if n := eval[int](b, `document.querySelectorAll("main img, main svg:not(.chart, .spark), main script").length`); n > 0 {
			t.Errorf("at %s names became %d elements", path, n)
		}
		if bad := eval[[]string](b, `[...document.querySelectorAll("main a[href]")].map(a => a.protocol).filter(p => !p.startsWith("http"))`); len(bad) > 0 {
			t.Errorf("at %s links lead to %q", path, bad)
		}
		if loose := eval[[]string](b, `[...document.querySelectorAll("main *")].filter(e => e.children.length === 0 && /[\u202e\u2066]/.test(e.textContent) && !e.closest("bdi, pre, code, option, title, script, input, textarea")).map(e => e.outerHTML.slice(0, 100))`); len(loose) > 0 {
			t.Errorf("at %s names may turn what stands beside them: %q", path, loose)
		}
		if all := said.take(); len(all) > 0 {
			t.Errorf("at %s the browser says: %s", path, strings.Join(all, "\n"))
		}
	}
	for _, name := range hostile {
		b.open("/search?" + url.Values{"q": {name}}.Encode())
		if got := eval[string](b, "String(window.pwned)"); got != "undefined" {
			t.Errorf("searching for %q ran it", name)
		}
	}
}

func TestHostileNamesAreInertInCSVHeadersAndLogs(t *testing.T) {
	t.Parallel()
	h, owner, logged := besieged(t)
	client := h.signedIn(owner)
	for _, path := range []string{"/users", "/groups", "/settings/tokens", "/audit"} {
		res, err := client.Get(h.url + path + "?format=csv&all=1")
		must(t, err)
		rows, err := csv.NewReader(res.Body).ReadAll()
		must(t, res.Body.Close())
		if res.StatusCode != http.StatusOK || err != nil {
			t.Errorf("%s as CSV: status %d, %v", path, res.StatusCode, err)
		}
		for _, row := range rows {
			for _, cell := range row {
				if cell != "" && strings.ContainsRune("=+-@\t\r", rune(cell[0])) {
					t.Errorf("%s: a cell begins like a formula: %q", path, cell)
				}
			}
		}
		for name, values := range res.Header {
			if strings.ContainsAny(strings.Join(values, ""), "\r\n\x1b") {
				t.Errorf("%s: header %s holds %q", path, name, values)
			}
		}
	}
	for _, path := range besiegedPaths {
		r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, h.url+path, nil)
		must(t, err)
		r.Header.Set("Accept", "text/html")
		res, err := client.Do(r)
		must(t, err)
		must(t, res.Body.Close())
	}
	for _, name := range hostile {
		h.post(client, "/sources/new", url.Values{"of": {"scim"}, "name": {name}})
		h.post(client, "/settings/tokens/new", url.Values{"kind": {name}, "name": {name}, "days": {name}})
		res, err := client.Get(h.url + "/sources/" + url.PathEscape(name))
		must(t, err)
		must(t, res.Body.Close())
	}
	for _, name := range append([]string{"u0@example.com", "owner@example.com"}, hostile...) {
		if strings.Contains(logged.String(), name) {
			t.Errorf("the log holds %q", name)
		}
	}
	if strings.ContainsAny(logged.String(), "\x1b\r") {
		t.Error("the log holds control characters")
	}
}

// TestNamesOfControlCharactersAreRefused: what would break lines and terminals
// never gets in.
func TestNamesOfControlCharactersAreRefused(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	client := h.signedIn(h.user("owner@example.com", directory.RoleOwner))
	for _, name := range []string{"a\r\nb", "a\x1b[31mb", "a\x00b"} {
		status, _ := h.post(client, "/settings/tokens/new", url.Values{"kind": {"check"}, "name": {name}, "days": {"3"}})
		if status != http.StatusUnprocessableEntity {
			t.Errorf("a token named %q: status %d", name, status)
		}
	}
	res, err := client.Get(h.url + "/login?next=" + url.QueryEscape("/a\r\nSet-Cookie: x=y"))
	must(t, err)
	must(t, res.Body.Close())
	if len(res.Cookies()) != 0 {
		t.Errorf("a line break in an address sets cookies: %v", res.Cookies())
	}
}
