package main

import (
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/usherd/usherd/admin"
	"github.com/usherd/usherd/authz/authzen"
	"github.com/usherd/usherd/directory"
	"github.com/usherd/usherd/scim"
)

// started runs an embedded daemon until the test ends.
func started(t *testing.T) *daemon {
	t.Helper()
	a := &app{stderr: t.Output(), stdout: t.Output()}
	d, err := a.embedded(t.Context(), embedding{dir: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- d.run(t.Context()) }()
	t.Cleanup(func() {
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
	select {
	case <-d.ready:
	case err := <-ended:
		t.Fatal(err)
	}
	return d
}

func (d *daemon) mustToken(t *testing.T, n admin.NewToken) admin.MadeToken {
	t.Helper()
	made, err := d.service.CreateToken(t.Context(), byDemo, n)
	if err != nil {
		t.Fatal(err)
	}
	return made
}

func TestATokenOpensWhatItIsForAndNothingElse(t *testing.T) {
	t.Parallel()
	d := started(t)
	for _, name := range []directory.SourceName{"okta", "entra"} {
		if _, err := d.service.AddSource(t.Context(), byDemo, admin.NewSource{Name: name, Kind: directory.KindSCIM}); err != nil {
			t.Fatal(err)
		}
	}
	tokens := map[string]string{
		"scim":  d.mustToken(t, admin.NewToken{Kind: directory.TokenSCIM, Source: "okta"}).Token,
		"check": d.mustToken(t, admin.NewToken{Kind: directory.TokenCheck, Name: "shop"}).Token,
		"admin": d.mustToken(t, admin.NewToken{Kind: directory.TokenAdmin, Name: "ops"}).Token,
	}
	revoked := d.mustToken(t, admin.NewToken{Kind: directory.TokenCheck, Name: "gone"})
	if _, err := d.service.RevokeToken(t.Context(), byDemo, revoked.ID); err != nil {
		t.Fatal(err)
	}
	tokens["revoked"] = revoked.Token
	tokens["made up"] = func() string { _, _, text := directory.NewToken(directory.TokenCheck); return text }()
	tokens["empty"], tokens["null"] = "", "null"
	// The right id with the secret of another token.
	other := strings.Split(tokens["admin"], "_")
	forged := strings.Split(tokens["check"], "_")
	forged[3] = other[3]
	tokens["forged"] = strings.Join(forged, "_")

	opens := map[string]func(token string) bool{
		"the SCIM endpoint of its source": func(token string) bool {
			_, err := d.keys.Authenticate(t.Context(), "okta", token)
			return isAllowed(t, err, scim.ErrUnauthorized)
		},
		"the SCIM endpoint of another source": func(token string) bool {
			_, err := d.keys.Authenticate(t.Context(), "entra", token)
			return isAllowed(t, err, scim.ErrUnauthorized)
		},
		"the check API": func(token string) bool {
			_, err := d.keys.caller(token)
			return isAllowed(t, err, authzen.ErrUnauthenticated)
		},
		"the admin API": func(token string) bool {
			c := &caller{base: d.url, token: token}
			status, err := c.do(t.Context(), http.MethodGet, "/api/v1/sources", nil, nil)
			if (status == http.StatusOK) != (err == nil) {
				t.Errorf("GET /api/v1/sources = %d, %v", status, err)
			}
			return status == http.StatusOK
		},
	}
	right := map[string]string{"scim": "the SCIM endpoint of its source", "check": "the check API", "admin": "the admin API"}
	for kind, token := range tokens {
		for door, open := range opens {
			if got, want := open(token), right[kind] == door; got != want {
				t.Errorf("a token that is %s opens %s: %t, want %t", kind, door, got, want)
			}
		}
	}

	d.keys.now = func() time.Time { return time.Now().Add(2 * admin.DefaultTokenLife) }
	for kind, token := range tokens {
		for door, open := range opens {
			if open(token) {
				t.Errorf("an expired token that is %s opens %s", kind, door)
			}
		}
	}
}

// isAllowed fails the test on an error that is no refusal.
func isAllowed(t *testing.T, err, refusal error) bool {
	t.Helper()
	if err != nil && !errors.Is(err, refusal) {
		t.Errorf("asked with a token: %v, want %v or nil", err, refusal)
	}
	return err == nil
}

// TestEveryRouteWantsCredentials asks every route without credentials, with a
// wrong scheme, and with other kinds of token.
func TestEveryRouteWantsCredentials(t *testing.T) {
	t.Parallel()
	d := started(t)
	for _, path := range []string{
		"/scim/okta/v2/Users", "/scim/okta/v2/Groups/1", "/scim/okta/v2/Bulk", "/scim/okta/v2/ServiceProviderConfig",
		"/access/v1/evaluation", "/access/v1/evaluations", "/api/v1/sources", "/api/v1/tokens", "/api/v1/nothing", "/api/v1/policy/apply",
	} {
		for _, credentials := range []string{"", "Bearer ", "Bearer null", "Basic dXNlcjpwYXNz", "bearer", "Bearer ush_adm_x_y_z"} {
			w := httptest.NewRecorder()
			r := httptest.NewRequestWithContext(t.Context(), http.MethodPost, path, strings.NewReader("{}"))
			r.Header.Set("Content-Type", "application/json")
			if credentials != "" {
				r.Header.Set("Authorization", credentials)
			}
			d.public.server.Handler.ServeHTTP(w, r)
			if w.Code != http.StatusUnauthorized || w.Header().Get("WWW-Authenticate") == "" {
				t.Errorf("POST %s with %q = %d, want 401 with a challenge", path, credentials, w.Code)
			}
		}
	}
}
