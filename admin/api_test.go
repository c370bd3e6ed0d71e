package admin_test

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/usherd/usherd/admin"
	"github.com/usherd/usherd/directory"
	"go.uber.org/zap"
)

// server serves the API of w to somebody known, or to nobody.
func (w *world) server(known bool) *httptest.Server {
	mux := http.NewServeMux()
	(&admin.API{Service: w.Service, Log: zap.NewNop()}).Register(mux)
	srv := httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		if known {
			r = r.WithContext(admin.WithPrincipal(r.Context(), by))
		}
		mux.ServeHTTP(rw, r)
	}))
	w.t.Cleanup(srv.Close)
	return srv
}

// An answer is what came back.
type answer struct {
	status int
	header http.Header
	body   map[string]any
}

// call sends a request and decodes the answer.
func call(t *testing.T, srv *httptest.Server, method, path, body string) answer {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, srv.URL+path, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	resp, err := srv.Client().Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	a := answer{resp.StatusCode, resp.Header, map[string]any{}}
	if err := json.NewDecoder(resp.Body).Decode(&a.body); err != nil {
		t.Fatalf("%s %s: %v", method, path, err)
	}
	return a
}

func TestErrorsAreProblems(t *testing.T) {
	w := newWorld(t)
	w.policy(catalogue)
	w.user("ann")
	srv := w.server(true)
	for _, tt := range []struct {
		name, method, path, body string
		status                   int
		code                     string
	}{
		{"unknown path", "GET", "/api/v1/nothing", "", 404, "not-found"},
		{"other method", "DELETE", "/api/v1/sources", "", 405, "method"},
		{"unknown member", "POST", "/api/v1/tokens", `{"kindd":"check"}`, 400, "invalid"},
		{"no JSON", "POST", "/api/v1/tokens", `{`, 400, "invalid"},
		{"two values", "POST", "/api/v1/tokens", `{}{}`, 400, "invalid"},
		{"another type", "POST", "/api/v1/tokens", `[]`, 400, "invalid"},
		{"too large", "POST", "/api/v1/policy/apply", `{"text":"` + strings.Repeat("x", 9<<20) + `"}`, 413, "too-large"},
		{"unknown user", "GET", "/api/v1/users/nobody", "", 404, "not-found"},
		{"a slash in a name", "GET", "/api/v1/groups/local%2FNowhere", "", 404, "not-found"},
		{"bad number", "GET", "/api/v1/users?limit=x", "", 400, "invalid"},
		{"bad cursor", "GET", "/api/v1/users?cursor=!", "", 400, "invalid"},
		{"unknown status", "PUT", "/api/v1/groups/x/status", `{"status":"gone"}`, 400, "invalid"},
		{"bad policy", "POST", "/api/v1/policy/apply", `{"name":"p","text":"features: 1"}`, 422, "policy-invalid"},
		{"failing test", "POST", "/api/v1/policy/apply", `{"text":"apiVersion: usherd/v1\ntests: [{as: {groups: []}, can: [\"access feature/part-list\"]}]"}`, 422, "policy-tests-fail"},
		{"no daemon", "POST", "/api/v1/sources/local/sync", "", 400, "invalid"},
		{"incomplete question", "POST", "/api/v1/check", `{"user":"ann"}`, 400, "invalid"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			a := call(t, srv, tt.method, tt.path, tt.body)
			typ, _ := a.body["type"].(string)
			if a.status != tt.status || !strings.HasSuffix(typ, "/problems/"+tt.code) {
				t.Errorf("%s %s = %d %v, want %d %s", tt.method, tt.path, a.status, a.body, tt.status, tt.code)
			}
			if got := a.header.Get("Content-Type"); got != "application/problem+json" {
				t.Errorf("Content-Type is %s", got)
			}
		})
	}
}

func TestNobodyGetsNothing(t *testing.T) {
	w := newWorld(t)
	srv := w.server(false)
	for _, path := range []string{"/api/v1/users", "/api/v1/tokens", "/api/v1/policy", "/api/v1/nothing"} {
		if a := call(t, srv, "GET", path, ""); a.status != http.StatusForbidden {
			t.Errorf("GET %s without a principal = %d %v, want 403", path, a.status, a.body)
		}
	}
}

func TestWritesSayTheirRevision(t *testing.T) {
	w := newWorld(t)
	w.user("ann")
	srv := w.server(true)
	a := call(t, srv, "PUT", "/api/v1/users/ann/block", `{"blocked":true}`)
	stamp, err := directory.ParseStamp(a.header.Get("Usherd-Revision"))
	if err != nil || a.body["revision"] != float64(stamp.Revision) || a.body["stamp"] != stamp.String() || a.body["changed"] != true {
		t.Errorf("the answer is %v with Usherd-Revision %s, %v", a.body, a.header.Get("Usherd-Revision"), err)
	}
	a = call(t, srv, "PUT", "/api/v1/users/ann/block", `{"blocked":true}`)
	if a.body["changed"] != false || a.body["revision"] != float64(stamp.Revision) {
		t.Errorf("the same again is %v, want no change at revision %d", a.body, stamp.Revision)
	}
}

func TestListsGoOn(t *testing.T) {
	w := newWorld(t)
	names := []string{"a", "b", "c", "d", "e"}
	for _, name := range names {
		w.user(name)
	}
	srv := w.server(true)
	var got []string
	for path := "/api/v1/users?limit=2"; path != ""; {
		a := call(t, srv, "GET", path, "")
		items, _ := a.body["items"].([]any)
		for _, item := range items {
			got = append(got, item.(map[string]any)["userName"].(string))
		}
		path = ""
		if next, ok := a.body["next_cursor"].(string); ok {
			path = "/api/v1/users?limit=2&cursor=" + next
		}
	}
	if strings.Join(got, "") != strings.Join(names, "") {
		t.Errorf("the pages list %v, want %v", got, names)
	}
}
