package extauthz

import (
	"errors"
	"net/http"
	"testing"

	"github.com/usherd/usherd/authz"
)

const bearerGood = "Bearer " + goodToken

func TestForwardAuth(t *testing.T) {
	original := func(method, uri string, more ...string) http.Header {
		return headers(append([]string{"Authorization", bearerGood, "X-Original-Method", method, "X-Original-Uri", uri, "X-Original-Host", "app.example.com", "X-Auth-Request-User", "kim"}, more...)...)
	}
	forwarded := func(method, uri string) http.Header {
		return headers("Authorization", bearerGood, "X-Forwarded-Method", method, "X-Forwarded-Uri", uri, "X-Forwarded-Host", "app.example.com", "X-Auth-Request-User", "kim")
	}
	without := func(h http.Header, name string) http.Header { h.Del(name); return h }
	with := func(h http.Header, name string, values ...string) http.Header {
		h[http.CanonicalHeaderKey(name)] = values
		return h
	}
	for _, tt := range []struct {
		claim  string
		header http.Header
		status int
		reason string
	}{
		{"nginx asks", original("GET", "/parts/7"), 200, "granted"},
		{"Traefik and Caddy ask", forwarded("GET", "/parts/7?a=b"), 200, "granted"},
		{"a deny is 403", original("PUT", "/parts/7"), 403, "no_grant"},
		{"no route is a deny", original("DELETE", "/parts/7"), 403, NoRoute},
		{"a strange path is a deny", original("GET", "/parts/../parts/7"), 403, BadPath},
		{"an override of the method is not looked at", original("PUT", "/parts/7", "X-Http-Method-Override", "GET"), 403, "no_grant"},
		{"nobody is signed in", without(original("GET", "/parts/7"), "X-Auth-Request-User"), 403, NoIdentity},
		{"the name is empty", with(original("GET", "/parts/7"), "X-Auth-Request-User", " "), 403, NoIdentity},
		{"two names", original("GET", "/parts/7", "X-Auth-Request-User", "kim"), 403, AmbiguousIdentity},
		{"two names in one header", with(original("GET", "/parts/7"), "X-Auth-Request-User", "kim,lee"), 403, AmbiguousIdentity},
		{"a stranger", with(original("GET", "/parts/7"), "X-Auth-Request-User", "lee"), 403, "unknown_subject"},
		{"a name that nobody can have", with(original("GET", "/parts/7"), "X-Auth-Request-User", "k\u200bim"), 403, "unknown_subject"},
		{"no request described", headers("Authorization", bearerGood, "X-Auth-Request-User", "kim"), 403, AmbiguousRequest},
		{"no method", without(original("GET", "/parts/7"), "X-Original-Method"), 403, AmbiguousRequest},
		{"no target", without(forwarded("GET", "/parts/7"), "X-Forwarded-Uri"), 403, AmbiguousRequest},
		{"no host where hosts matter", without(original("GET", "/parts/7"), "X-Original-Host"), 403, AmbiguousRequest},
		{"two targets", original("GET", "/parts/7", "X-Original-Uri", "/parts/8"), 403, AmbiguousRequest},
		{"two methods", original("GET", "/parts/7", "X-Original-Method", "GET"), 403, AmbiguousRequest},
		{"two hosts", original("GET", "/parts/7", "X-Original-Host", "x"), 403, AmbiguousRequest},
		{"headers of two kinds of proxies", original("GET", "/parts/7", "X-Forwarded-Uri", "/parts/7"), 403, AmbiguousRequest},
		{"no token", without(original("GET", "/parts/7"), "Authorization"), 401, "unauthenticated"},
		{"a bad token", with(original("GET", "/parts/7"), "Authorization", "Bearer bad"), 401, "unauthenticated"},
		{"another scheme", with(original("GET", "/parts/7"), "Authorization", "Basic "+goodToken), 401, "unauthenticated"},
		{"a bare token", with(original("GET", "/parts/7"), "Authorization", goodToken), 401, "unauthenticated"},
		{"two tokens", original("GET", "/parts/7", "Authorization", bearerGood), 401, "unauthenticated"},
		{"a token for something else", with(original("GET", "/parts/7"), "Authorization", "Bearer "+limitedToken), 403, ForbiddenToken},
		{"a token that may not evaluate", with(original("GET", "/parts/7"), "Authorization", "Bearer "+searchToken), 403, ForbiddenToken},
		{"tokens can't be looked up", with(original("GET", "/parts/7"), "Authorization", "Bearer "+downToken), 503, "unavailable"},
	} {
		w := ask(newGate(t, newWorld(), Settings{Identity: byUser, Reasons: true}), "GET", PathForwardAuth, tt.header)
		if w.Code != tt.status || w.Header().Get("Usherd-Reason") != tt.reason {
			t.Errorf("%s: %d %s, want %d %s", tt.claim, w.Code, w.Header().Get("Usherd-Reason"), tt.status, tt.reason)
		}
		if asked := w.Code == 503 || w.Code == 401; asked && w.Header().Get("Usherd-Revision") != "" {
			t.Errorf("%s: an answer without a decision has a revision", tt.claim)
		}
	}
}

func TestEnvoyOverHTTP(t *testing.T) {
	g := newGate(t, newWorld(), Settings{Identity: byUser, Reasons: true})
	h := headers("Authorization", bearerGood, "X-Auth-Request-User", "kim", "X-Forwarded-Uri", "/elsewhere", "X-Original-Method", "HEAD")
	for _, tt := range []struct {
		method, target string
		status         int
		reason         string
	}{
		{"GET", PathEnvoy + "/parts/7?q", 200, "granted"},
		{"PUT", PathEnvoy + "/parts/7", 403, "no_grant"},
		{"GET", PathEnvoy + "/parts/../parts/7", 403, BadPath},
		{"GET", PathEnvoy + "//parts/7", 403, BadPath},
		{"GET", PathEnvoy + "/parts%2f7", 403, BadPath},
		{"GET", PathEnvoy, 403, BadPath},
		{"GET", "/v1/ext-authzparts/7", 404, ""},
		{"GET", "/v1/x/../ext-authz/parts/7", 404, ""},
	} {
		w := ask(g, tt.method, tt.target, h)
		if w.Code != tt.status || w.Header().Get("Usherd-Reason") != tt.reason {
			t.Errorf("%s %s: %d %s, want %d %s", tt.method, tt.target, w.Code, w.Header().Get("Usherd-Reason"), tt.status, tt.reason)
		}
	}
}

func TestTheTokenHasAHeaderOfItsOwn(t *testing.T) {
	g := newGate(t, newWorld(), Settings{Identity: byUser, TokenHeader: "x-usherd-token"})
	base := []string{"X-Original-Method", "GET", "X-Original-Uri", "/parts/7", "X-Original-Host", "h", "X-Auth-Request-User", "kim"}
	for _, tt := range []struct {
		claim  string
		header []string
		status int
	}{
		{"bare", []string{"X-Usherd-Token", goodToken}, 200},
		{"with the scheme", []string{"X-Usherd-Token", bearerGood}, 200},
		{"beside the client's Authorization", []string{"X-Usherd-Token", goodToken, "Authorization", "Bearer client"}, 200},
		{"twice", []string{"X-Usherd-Token", goodToken, "X-Usherd-Token", goodToken}, 401},
		{"in the other header", []string{"Authorization", bearerGood}, 401},
		{"empty", []string{"X-Usherd-Token", ""}, 401},
	} {
		w := ask(g, "GET", PathForwardAuth, headers(append(tt.header, base...)...))
		if w.Code != tt.status {
			t.Errorf("%s: %d, want %d", tt.claim, w.Code, tt.status)
		}
		if w.Header().Get("Usherd-Reason") != "" {
			t.Errorf("%s: a reason without being asked", tt.claim)
		}
	}
}

func TestKindsOfNames(t *testing.T) {
	for _, tt := range []struct {
		identity Identity
		name     string
		status   int
	}{
		{Identity{From: FromHeader, Header: "X-Name", Type: authz.SubjectEmail}, "Kim@Example.com", 200},
		{Identity{From: FromHeader, Header: "X-Name", Type: authz.SubjectEmail}, "kim", 403},
		{Identity{From: FromHeader, Header: "X-Name", Type: authz.SubjectExternal, Source: "ad"}, "0042", 200},
		{Identity{From: FromHeader, Header: "X-Name", Type: authz.SubjectExternal, Source: "ad"}, "kim", 403},
		{Identity{From: FromHeader, Header: "X-Name", Type: authz.SubjectUser}, "ad/0042", 403},
		{Identity{From: FromPrincipal, Type: authz.SubjectUser}, "kim", 403},
		{Identity{From: FromMetadata, Metadata: []string{"ns", "sub"}, Type: authz.SubjectUser}, "kim", 403},
	} {
		g := newGate(t, newWorld(), Settings{Identity: tt.identity})
		w := ask(g, "GET", PathEnvoy+"/parts/7", headers("Authorization", bearerGood, "X-Name", tt.name))
		if w.Code != tt.status {
			t.Errorf("%+v %s: %d, want %d", tt.identity, tt.name, w.Code, tt.status)
		}
	}
}

func TestNoAnswerIsNeverAnAllow(t *testing.T) {
	h := headers("Authorization", bearerGood, "X-Auth-Request-User", "kim")
	for _, err := range []error{unready{}, errors.New("broken")} {
		w := newWorld()
		w.down = err
		got := ask(newGate(t, w, Settings{Identity: byUser}), "GET", PathEnvoy+"/parts/7", h)
		if got.Code != 503 || got.Header().Get("Retry-After") == "" {
			t.Errorf("%v: %d, Retry-After %q, want 503", err, got.Code, got.Header().Get("Retry-After"))
		}
	}
	g := newGate(t, newWorld(), Settings{Identity: byUser})
	g.Off()
	if got := ask(g, "GET", PathEnvoy+"/parts/7", h); got.Code != 503 {
		t.Errorf("switched off: %d, want 503", got.Code)
	}
}

func TestNothingIsAskedForWhoHasNoToken(t *testing.T) {
	w := newWorld()
	g := newGate(t, w, Settings{Identity: byUser})
	ask(g, "GET", PathEnvoy+"/parts/7", headers("X-Auth-Request-User", "kim"))
	if w.asked != 0 {
		t.Errorf("%d questions were asked", w.asked)
	}
}

func TestBadSettings(t *testing.T) {
	g, err := New(Config{Evaluator: newWorld(), Caller: callers})
	if err != nil {
		t.Fatal(err)
	}
	for claim, s := range map[string]Settings{
		"no identity":                     {},
		"a header that says another":      {Identity: Identity{From: FromHeader, Header: "authorization", Type: authz.SubjectUser}},
		"no header":                       {Identity: Identity{From: FromHeader, Header: "a b", Type: authz.SubjectUser}},
		"no path":                         {Identity: Identity{From: FromMetadata, Metadata: []string{"ns"}, Type: authz.SubjectUser}},
		"no type":                         {Identity: Identity{From: FromPrincipal}},
		"service accounts don't sign in":  {Identity: Identity{From: FromPrincipal, Type: authz.SubjectService}},
		"no source":                       {Identity: Identity{From: FromPrincipal, Type: authz.SubjectExternal}},
		"the token's header says another": {Identity: byUser, TokenHeader: "x-forwarded-uri"},
		"one header for both":             {Identity: byUser, TokenHeader: "X-AUTH-request-user"},
	} {
		if err := g.Use(s); err == nil || g.On() {
			t.Errorf("%s: Use(%+v) = nil, want an error", claim, s)
		}
	}
	if _, err := New(Config{}); err == nil {
		t.Error("New(nothing) = nil, want an error")
	}
}
