package admin_test

import (
	"encoding/csv"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/usherd/usherd/admin"
	"github.com/usherd/usherd/directory"
	"go.uber.org/zap"
)

// send is call with headers, and the raw body.
func send(t testing.TB, srv *httptest.Server, method, path, body string, header ...string) (int, http.Header, string) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, srv.URL+path, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	for _, line := range header {
		name, value, _ := strings.Cut(line, ": ")
		req.Header.Set(name, value)
	}
	resp, err := srv.Client().Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp.StatusCode, resp.Header, string(text)
}

func TestAPostWithAKeyIsPerformedOnce(t *testing.T) {
	w := newWorld(t)
	srv := w.server(true)
	const body = `{"kind":"check","name":"shop"}`
	status, _, first := send(t, srv, "POST", "/api/v1/tokens", body, "Idempotency-Key: k1")
	again, header, second := send(t, srv, "POST", "/api/v1/tokens", body, "Idempotency-Key: k1")
	if status != 201 || again != 201 || first != second || header.Get("Idempotency-Replayed") != "true" || header.Get("Usherd-Revision") == "" {
		t.Errorf("the same key gave %d %s and %d %s (%v)", status, first, again, second, header)
	}
	if tokens, err := w.Tokens(t.Context()); err != nil || len(tokens) != 1 {
		t.Errorf("Tokens() = %v, %v; want one", tokens, err)
	}
	if got, _, text := send(t, srv, "POST", "/api/v1/tokens", `{"kind":"check","name":"other"}`, "Idempotency-Key: k1"); got != 422 || !strings.Contains(text, "idempotency-key-reused") {
		t.Errorf("another body = %d %s, want 422", got, text)
	}
	if got, _, text := send(t, srv, "POST", "/api/v1/tokens", body, "Idempotency-Key: k2"); got != 201 || text == first {
		t.Errorf("another key = %d %s, want a new token", got, text)
	}
	kept, err := w.store.ListKept(t.Context(), "idempotency", "", 10)
	if err != nil || len(kept) != 2 {
		t.Fatalf("ListKept = %v, %v", kept, err)
	}
	for _, k := range kept {
		if strings.Contains(string(k.Value), "ush_") || strings.Contains(k.Key, "k1") {
			t.Errorf("the record %s %s holds a secret", k.Key, k.Value)
		}
		if left := k.Expires.Sub(w.now); left < 23*time.Hour || left > 25*time.Hour {
			t.Errorf("an answer is kept for %v", left)
		}
	}
	if got, _, _ := send(t, srv, "POST", "/api/v1/tokens", `{"kind":"none"}`, "Idempotency-Key: k3"); got != 400 {
		t.Errorf("an invalid request with a key = %d", got)
	}
	if got, header, _ := send(t, srv, "POST", "/api/v1/tokens", `{"kind":"none"}`, "Idempotency-Key: k3"); got != 400 || header.Get("Content-Type") != "application/problem+json" {
		t.Errorf("the same invalid request again = %d %v", got, header)
	}
}

// TestOfManyWithOneKeyOneIsPerformed races requests with one key.
func TestOfManyWithOneKeyOneIsPerformed(t *testing.T) {
	w := newWorld(t)
	srv := w.server(true)
	var all sync.WaitGroup
	var mu sync.Mutex
	seen := map[int]int{}
	for range 8 {
		all.Go(func() {
			status, _, _ := send(t, srv, "POST", "/api/v1/groups", `{"name":"Once"}`, "Idempotency-Key: one")
			mu.Lock()
			defer mu.Unlock()
			seen[status]++
		})
	}
	all.Wait()
	if seen[201] < 1 || seen[201]+seen[409] != 8 {
		t.Errorf("statuses %v, want 201 and 409 (in flight)", seen)
	}
	if groups, err := w.Groups(t.Context(), admin.GroupFilter{}); err != nil || groups.Total != 1 {
		t.Errorf("Groups() = %v, %v; want one", groups, err)
	}
}

func TestVersionsAreComparedByETag(t *testing.T) {
	w := newWorld(t)
	w.policy(catalogue)
	w.user("ann")
	w.group("Staff")
	w.policy("roles: [{name: reader, rights: [directory.read]}]")
	srv := w.server(true)
	for _, tt := range []struct{ path, method, body string }{
		{"/api/v1/users/ann", "PATCH", `{"name":"A%d"}`},
		{"/api/v1/groups/local%2FStaff", "PATCH", `{"description":"d%d"}`},
		{"/api/v1/roles/reader", "PUT", `{"rights":["directory.read"],"title":"T%d"}`},
	} {
		status, header, _ := send(t, srv, "GET", tt.path, "")
		tag := header.Get("ETag")
		if status != 200 || tag == "" {
			t.Fatalf("GET %s = %d without an ETag", tt.path, status)
		}
		if got, _, text := send(t, srv, tt.method, tt.path, fmt.Sprintf(tt.body, 1), "If-Match: "+tag); got != 200 {
			t.Errorf("%s %s with its ETag %s = %d %s", tt.method, tt.path, tag, got, text)
		}
		if got, _, text := send(t, srv, tt.method, tt.path, fmt.Sprintf(tt.body, 2), "If-Match: "+tag); got != 412 {
			t.Errorf("%s %s with the ETag of before = %d %s, want 412", tt.method, tt.path, got, text)
		}
		if got, _, text := send(t, srv, tt.method, tt.path, fmt.Sprintf(tt.body, 3), "If-Match: *"); got != 200 {
			t.Errorf("%s %s with * = %d %s", tt.method, tt.path, got, text)
		}
	}
	if got, _, text := send(t, srv, "PUT", "/api/v1/roles/reader", `{"rights":[]}`); got != 428 || !strings.Contains(text, "version-required") {
		t.Errorf("replacing a Role blindly = %d %s, want 428", got, text)
	}
}

func TestProblemsPointAtWhatIsWrong(t *testing.T) {
	w := newWorld(t)
	w.policy(catalogue)
	w.group("Staff")
	srv := w.server(true)
	for _, tt := range []struct{ name, method, path, body, want string }{
		{"a member nobody knows", "POST", "/api/v1/tokens", `{"kindd":"check"}`, `"pointer":"/kindd"`},
		{"a member of another type", "POST", "/api/v1/tokens", `{"kind":7}`, `"pointer":"/kind"`},
		{"no JSON at all", "POST", "/api/v1/tokens", `{`, `"pointer":""`},
		{"a value out of its set", "PUT", "/api/v1/groups/local%2FStaff/status", `{"status":"gone"}`, `"pointer":"/status"`},
		{"no e-mail address", "POST", "/api/v1/users", `{"userName":"ida","email":"ida"}`, `"pointer":"/email"`},
		{"nothing to call a user by", "POST", "/api/v1/users", `{"name":"Ida"}`, `"pointer":"/userName"`},
		{"a parameter", "GET", "/api/v1/users?limit=x", "", `"parameter":"limit"`},
		{"a flag", "POST", "/api/v1/tokens?dry_run=1", "", `"parameter":"dry_run"`},
		{"a time", "GET", "/api/v1/audit?since=yesterday", "", `"parameter":"since"`},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if got, _, text := send(t, srv, tt.method, tt.path, tt.body); got != 400 || !strings.Contains(text, tt.want) {
				t.Errorf("%s %s = %d %s, want %s", tt.method, tt.path, got, text, tt.want)
			}
		})
	}
}

func TestEveryListHasPagesAndALink(t *testing.T) {
	w := newWorld(t)
	w.policy("projects: [{key: a}, {key: b}, {key: c}, {key: d}, {key: e}]")
	for _, name := range []string{"a", "b", "c", "d", "e"} {
		w.user(name)
		w.group(name)
	}
	srv := w.server(true)
	for _, list := range []struct {
		path, member string
	}{{"/api/v1/projects", "key"}, {"/api/v1/users", "userName"}, {"/api/v1/groups", "name"}} {
		var got strings.Builder
		pages := 0
		for path := list.path + "?limit=2"; path != ""; pages++ {
			a := call(t, srv, "GET", path, "")
			for _, item := range a.body["items"].([]any) {
				got.WriteString(item.(map[string]any)[list.member].(string))
			}
			path, _, _ = strings.Cut(strings.TrimPrefix(a.header.Get("Link"), "<"), `>; rel="next"`)
		}
		if got.String() != "abcde" || pages != 3 {
			t.Errorf("%s has %q on %d pages", list.path, got.String(), pages)
		}
	}
	for i := range 5 {
		err := w.store.LogRequests(t.Context(), directory.Request{ID: string(rune('a' + i)), Source: directory.Local, Time: w.now.Add(-time.Duration(i/2) * time.Second), Method: "POST", Status: 201})
		if err != nil {
			t.Fatal(err)
		}
	}
	w.policy("projects: [{key: a}, {key: b}, {key: c}, {key: d}, {key: e}]\nintegrations: [{key: aws}]\nfeatures: [{key: part-list}]")
	for _, name := range []string{"a", "b", "c", "d", "e"} {
		w.grantUser(name, admin.GrantSpec{Access: []string{"part-list"}, Integration: map[string]string{"aws": "viewer"}})
	}
	for path, member := range map[string]string{
		"/api/v1/sources/local/log": "id", "/api/v1/holders?action=access&resource=feature/part-list": "userName", "/api/v1/integrations/aws/access": "userName",
	} {
		seen, pages := map[string]bool{}, 0
		sep := map[bool]string{true: "&", false: "?"}[strings.Contains(path, "?")]
		for next := path + sep + "limit=2"; next != ""; pages++ {
			a := call(t, srv, "GET", next, "")
			for _, item := range a.body["items"].([]any) {
				seen[item.(map[string]any)[member].(string)] = true
			}
			next, _, _ = strings.Cut(strings.TrimPrefix(a.header.Get("Link"), "<"), `>; rel="next"`)
		}
		if len(seen) != 5 || pages != 3 {
			t.Errorf("%s has %v on %d pages", path, seen, pages)
		}
		if status, _, text := send(t, srv, "GET", path+sep+"format=csv", ""); status != 200 || strings.Count(text, "\n") != 6 {
			t.Errorf("%s as CSV = %d %s", path, status, text)
		}
	}
	if a := call(t, srv, "GET", "/api/v1/projects?cursor=AAAA", ""); a.status != 400 {
		t.Errorf("a made-up cursor = %d", a.status)
	}
}

// TestAPageGoesOnAfterWhatWasRemoved removes what the cursor names.
func TestAPageGoesOnAfterWhatWasRemoved(t *testing.T) {
	w := newWorld(t)
	w.policy("projects: [{key: a}, {key: b}, {key: c}, {key: d}]")
	srv := w.server(true)
	a := call(t, srv, "GET", "/api/v1/projects?limit=2", "")
	w.policy("projects: [{key: new}, {key: a}, {key: b}, {key: c}, {key: d}]")
	b := call(t, srv, "GET", "/api/v1/projects?limit=2&cursor="+a.body["next_cursor"].(string), "")
	if items := b.body["items"].([]any); len(items) != 2 || items[0].(map[string]any)["key"] != "c" {
		t.Errorf("after one was put in front, the next page is %v", b.body)
	}
}

func TestListsAreExportedWhole(t *testing.T) {
	w := newWorld(t)
	people := []directory.Change{directory.CreateUser{
		ID: directory.UserID(directory.NewID()), Source: directory.Local,
		Profile: directory.Profile{UserName: "zed", DisplayName: `=HYPERLINK("http://x")`, Active: true},
	}}
	for i := range 1203 { // more than a page
		people = append(people, directory.CreateUser{
			ID: directory.UserID(directory.NewID()), Source: directory.Local, Profile: directory.Profile{UserName: fmt.Sprintf("u%04d", i), Active: true},
		})
	}
	w.apply(people...)
	srv := w.server(true)
	status, header, text := send(t, srv, "GET", "/api/v1/users?limit=3", "", "Accept: text/csv")
	rows, err := csv.NewReader(strings.NewReader(text)).ReadAll()
	if status != 200 || err != nil || len(rows) != 1205 || !strings.HasPrefix(header.Get("Content-Type"), "text/csv") {
		t.Fatalf("CSV = %d %v, %d rows, %v", status, header, len(rows), err)
	}
	if strings.Contains(text, ",=HYPERLINK") || !strings.Contains(text, `'=HYPERLINK`) {
		t.Error("the CSV has a formula")
	}
	if _, _, text := send(t, srv, "GET", "/api/v1/users?q=u001&format=jsonl", ""); strings.Count(text, "\n") != 10 {
		t.Errorf("the filter counts for JSON lines too: %s", text)
	}
	_, header, text = send(t, srv, "GET", "/api/v1/users?format=json", "")
	if strings.Count(text, `"userName"`) != 1204 || header.Get("Content-Type") != "application/json" {
		t.Errorf("JSON has %d users", strings.Count(text, `"userName"`))
	}
	if status, _, text := send(t, srv, "GET", "/api/v1/users?format=xml", ""); status != 400 {
		t.Errorf("format=xml = %d %s", status, text)
	}
	for _, path := range []string{"/api/v1/sources", "/api/v1/groups", "/api/v1/audit", "/api/v1/roles", "/api/v1/tokens", "/api/v1/projects", "/api/v1/overrides", "/api/v1/mappings", "/api/v1/integrations"} {
		status, _, text := send(t, srv, "GET", path+"?format=csv", "")
		if _, err := csv.NewReader(strings.NewReader(text)).ReadAll(); status != 200 || err != nil {
			t.Errorf("GET %s as CSV = %d %s, %v", path, status, text, err)
		}
	}
	if status, header, _ := send(t, srv, "GET", "/api/v1/users?group=local/none&format=csv", ""); status != 404 || header.Get("Content-Type") != "application/problem+json" {
		t.Errorf("an export that can't begin = %d %v, want a problem", status, header)
	}
}

func TestWhoAsksTooOftenIsToldToWait(t *testing.T) {
	w := newWorld(t)
	made, err := w.CreateToken(t.Context(), by, admin.NewToken{Kind: directory.TokenAdmin, Name: "t"})
	if err != nil {
		t.Fatal(err)
	}
	mux := http.NewServeMux()
	now := time.Now()
	(&admin.API{Service: w.Service, Log: zap.NewNop(), Limiter: &admin.Limiter{Rate: 1, Burst: 2, Now: func() time.Time { return now }}}).Register(mux)
	ask := func(by directory.Actor) *httptest.ResponseRecorder {
		rec := httptest.NewRecorder()
		r := httptest.NewRequestWithContext(admin.WithPrincipal(t.Context(), by), "GET", "/api/v1/me", http.NoBody)
		mux.ServeHTTP(rec, r)
		return rec
	}
	token := directory.Actor{Kind: directory.ActorToken, Name: "t", Token: made.ID}
	for want := range 2 {
		if rec := ask(token); rec.Code != 200 || rec.Header().Get("RateLimit") != fmt.Sprintf(`"default";r=%d;t=%d`, 1-want, want+1) {
			t.Errorf("request %d = %d %v", want, rec.Code, rec.Header())
		}
	}
	if rec := ask(token); rec.Code != 429 || rec.Header().Get("Retry-After") == "" {
		t.Errorf("one too many = %d %v, want 429 and Retry-After", rec.Code, rec.Header())
	}
	if rec := ask(by); rec.Code != 200 || rec.Header().Get("RateLimit") != "" {
		t.Errorf("the owner of the machine is limited: %d %v", rec.Code, rec.Header())
	}
	now = now.Add(time.Second)
	if rec := ask(token); rec.Code != 200 {
		t.Errorf("a second later = %d", rec.Code)
	}
}

func TestAReasonIsKeptOrRefused(t *testing.T) {
	w := newWorld(t)
	ann := w.user("ann")
	srv := w.server(true)
	for reason, want := range map[string]int{"lost laptop": 200, strings.Repeat("a", 500): 200, strings.Repeat("a", 501): 400, "a\tb": 400, "\xff": 400} {
		status, _, text := send(t, srv, "PUT", "/api/v1/users/"+string(ann)+"/block?dry_run=true", `{"blocked":true}`, "Usherd-Reason: "+reason)
		if status != want || want == 400 && !strings.Contains(text, "Usherd-Reason is") {
			t.Errorf("with the reason %.20q: %d %s; want %d", reason, status, text, want)
		}
	}
}
