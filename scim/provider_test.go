package scim

import (
	"context"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"

	"github.com/usherd/usherd/scim/provider"
)

func TestProvidersAreContent(t *testing.T) {
	s := start(t)
	for _, name := range provider.Names() {
		var steps []provider.Step
		ok, err := provider.Play(t.Context(), name, provider.Target{URL: s.url + "/scim/okta/v2", Token: "token-okta"}, func(st provider.Step) { steps = append(steps, st) })
		if err != nil || !ok || len(steps) < 15 {
			t.Errorf("Play(%s) = %v, %v after %d steps", name, ok, err, len(steps))
		}
		for _, st := range steps {
			if !st.OK {
				t.Errorf("%s: %d %s: %s %s = %d: %s (%s)", name, st.Number, st.Name, st.Method, st.Path, st.Status, st.Detail, st.Do)
			}
		}
		if got := Detect(s.lastLog()); got != Profile(name) {
			t.Errorf("the client of %s is taken for %q", name, got)
		}
	}
	if ok, err := provider.Play(t.Context(), "nosuch", provider.Target{}, nil); ok || err == nil {
		t.Errorf("Play(nosuch) = %v, %v; want an error", ok, err)
	}
}

func TestPlayingFindsFaults(t *testing.T) {
	s := start(t)
	broken := func(f func(w http.ResponseWriter, r *http.Request) bool) string {
		hs := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if !f(w, r) {
				s.handler.ServeHTTP(w, r)
			}
		}))
		t.Cleanup(hs.Close)
		return hs.URL + "/scim/okta/v2"
	}
	for _, tt := range []struct {
		claim, provider, token string
		url                    string
		want                   string // in detail or advice of a failed step
	}{
		{"a wrong token ends it at once", "okta", "wrong", s.url + "/scim/okta/v2", "token"},
		{"what is no SCIM is said to be", "entra", "token-okta", broken(func(w http.ResponseWriter, _ *http.Request) bool {
			_, _ = w.Write([]byte("<html>"))
			return true
		}), "no JSON"},
		{"a lost deactivation is found", "entra", "token-okta", broken(func(w http.ResponseWriter, r *http.Request) bool {
			if r.Method == http.MethodPatch && strings.Contains(r.URL.Path, "/Users/") {
				w.WriteHeader(http.StatusNoContent)
				return true
			}
			return false
		}), "active is true, want false"},
		{"nobody there is said", "authentik", "t", "http://127.0.0.1:1/scim/okta/v2", "reach"},
	} {
		var steps []provider.Step
		ok, err := provider.Play(context.WithoutCancel(t.Context()), tt.provider, provider.Target{URL: tt.url, Token: tt.token}, func(st provider.Step) { steps = append(steps, st) })
		found := slices.ContainsFunc(steps, func(st provider.Step) bool { return !st.OK && strings.Contains(st.Detail+st.Do, tt.want) })
		if ok || err != nil || !found {
			t.Errorf("%s: Play = %v, %v with %+v; want a failed step about %q", tt.claim, ok, err, steps, tt.want)
		}
	}
}
