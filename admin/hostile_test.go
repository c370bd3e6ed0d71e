package admin_test

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"testing"

	"go.uber.org/zap"

	"github.com/usherd/usherd/admin"
	"github.com/usherd/usherd/directory"
)

// TestNoWayRemovesTheLastOwner tries every way by which the one owner, who has
// it by a mapping for a group of a source, could lose it.
func TestNoWayRemovesTheLastOwner(t *testing.T) {
	w := newWorld(t)
	if _, err := w.AddSource(t.Context(), by, admin.NewSource{Name: "okta", Kind: directory.KindSCIM}); err != nil {
		t.Fatal(err)
	}
	ann, group := directory.UserID(directory.NewID()), directory.GroupID(directory.NewID())
	w.apply(
		directory.CreateUser{ID: ann, Source: "okta", Profile: directory.Profile{UserName: "ann", ExternalID: "1", Active: true}},
		directory.CreateGroup{ID: group, Source: "okta", Name: "Owners", ExternalID: "g1"},
		directory.AddMembers{Group: group, Source: "okta", Values: []string{string(ann)}},
	)
	w.policy(`
projects: [{key: alpha}]
features: [{key: part-list}]
mappings: [{name: owners, allow_admin: true, when: {source: okta, group: {name: Owners}}, grant: {roles: [owner]}}]
`)
	w.runJobs()
	w.start(admin.Bulk{Do: "unblock", Users: []string{"ann"}}) // the runner is up
	srv := w.server(true)
	head := func() directory.Revision {
		h, err := w.store.Head(t.Context(), directory.Stamp{})
		if err != nil {
			t.Fatal(err)
		}
		return h.Stamp.Revision
	}
	before := head()
	for _, tt := range []struct{ name, method, path, body string }{
		{"disabling the source", "POST", "sources/okta/state", `{"state":"disabled"}`},
		{"blocking", "PUT", "users/ann/block", `{"blocked":true}`},
		{"deleting", "DELETE", "users/ann?force=true", ``},
		{"blocking the group", "PUT", "groups/" + string(group) + "/status", `{"status":"blocked"}`},
		{"limiting the group to a project", "PUT", "groups/" + string(group) + "/scope", `{"project":"alpha"}`},
		{"editing the group's status", "PATCH", "groups/" + string(group), `{"status":"blocked"}`},
		{"disabling the mapping", "POST", "mappings/owners/state", `{"enabled":false}`},
		{"removing the mapping", "DELETE", "mappings/owners", ``},
		{"editing the mapping", "PUT", "mappings/owners", `{"when":{"source":"okta","name":"Other"},"allow_admin":true,"grant":[{"roles":["owner"]}]}`},
		{"a policy without it", "POST", "policy/apply", `{"text":"apiVersion: usherd/v1\nmappings: []\n"}`},
		{"an override", "POST", "overrides", `{"users":["ann"],"grants":[{"access":["part-list"]}]}`},
		{"an override everywhere", "POST", "overrides", `{"users":["ann"],"grants":[{"access":["part-list"]}],"everywhere":true}`},
		{"a bulk that blocks", "POST", "bulk", `{"do":"block","users":["ann"]}`},
		{"a bulk that deletes", "POST", "bulk", `{"do":"delete","force":true,"users":["ann"]}`},
		{"a bulk that blocks the group", "POST", "bulk", `{"do":"block","groups":["okta/Owners"]}`},
	} {
		t.Run(tt.name, func(t *testing.T) {
			_, _, text := send(t, srv, tt.method, "/api/v1/"+tt.path, tt.body, "If-Match: *")
			if !strings.Contains(text, "last-owner") {
				t.Errorf("%s %s = %s, want it refused for the last owner", tt.method, tt.path, text)
			}
			if now := head(); now != before {
				t.Fatalf("it made revision %d", now)
			}
		})
	}
	if owned, err := w.Owned(t.Context()); err != nil || !owned {
		t.Errorf("Owned = %t, %v", owned, err)
	}
	job := w.did(admin.Bulk{Do: "block", Users: []string{"ann"}})
	if items, err := w.JobItems(t.Context(), job.ID); err != nil || len(items) != 1 || items[0].Code != "last-owner" {
		t.Errorf("a job that blocks the last owner = %+v, %v", items, err)
	}
	// The directory itself is obeyed, and it shows.
	idp := directory.Actor{Kind: "scim", Name: "okta", Source: "okta"}
	_, err := w.store.Apply(t.Context(), idp, directory.ReplaceUser{ID: ann, Source: "okta", Profile: directory.Profile{UserName: "ann", ExternalID: "1"}})
	if owned, oerr := w.Owned(t.Context()); err != nil || oerr != nil || owned {
		t.Errorf("after the source deactivated the owner: Owned = %t, %v, %v", owned, oerr, err)
	}
}

// hostileIDs are ids that somebody sends who means no good.
var hostileIDs = []string{
	strings.Repeat("a", 5000), "\x00", "a\r\nSet-Cookie: x", "\xff\xfe", "..", "../../etc/passwd", "{}", "%", "'; DROP TABLE users --",
	"local/" + strings.Repeat("%", 300), "external:/", "email:", "group:", "\u202egroup", "9223372036854775808", "{{.}}", "<script>",
}

var pathVariable = regexp.MustCompile(`\{[a-z]+\}`)

// TestAHostileClientBreaksNothing sends what nobody should, a third of it to each
// route and all of it to some: each answer is a problem that says so, never an
// internal error.
func TestAHostileClientBreaksNothing(t *testing.T) {
	w := newWorld(t)
	w.policy(catalogue)
	w.user("ann")
	mux := http.NewServeMux()
	api := &admin.API{Service: w.Service, Log: zap.NewNop()}
	api.Register(mux)
	ask := func(method, target, body string, header ...string) *httptest.ResponseRecorder {
		r := httptest.NewRequestWithContext(admin.WithPrincipal(t.Context(), by), method, "/", strings.NewReader(body))
		path, query, _ := strings.Cut(target, "?")
		plain, err := url.PathUnescape(path)
		if err != nil {
			t.Fatal(err)
		}
		r.URL = &url.URL{Path: plain, RawPath: path, RawQuery: query}
		for i := 0; i+1 < len(header); i += 2 {
			r.Header.Set(header[i], header[i+1])
		}
		rec := httptest.NewRecorder()
		mux.ServeHTTP(rec, r)
		return rec
	}
	refuses := func(what string, rec *httptest.ResponseRecorder) {
		t.Helper()
		if rec.Code >= 500 && rec.Code != http.StatusServiceUnavailable {
			t.Errorf("%.200s = %d %.300s", what, rec.Code, rec.Body)
		}
		for name, values := range rec.Header() {
			if strings.ContainsAny(strings.Join(values, ""), "\r\n") {
				t.Errorf("%.200s: header %s holds a line break", what, name)
			}
		}
	}
	cursors := []string{"AAAA", strings.Repeat("A", 5000), "%00", "-1"}
	for _, list := range []string{"users?limit=1", "groups?limit=1", "roles?limit=1", "audit?limit=1", "holders?limit=1&role=owner"} {
		var page struct {
			Next string `json:"next_cursor"`
		}
		if err := json.Unmarshal(ask("GET", "/api/v1/"+list, "").Body.Bytes(), &page); err == nil && page.Next != "" {
			cursors = append(cursors, page.Next)
		}
	}
	turn := 0
	skips := func() bool { turn++; return turn%3 != 0 }
	for _, pattern := range api.Patterns() {
		turn++ // other cases than at the route before
		method, path, _ := strings.Cut(pattern, " ")
		if pathVariable.MatchString(path) {
			for _, id := range hostileIDs {
				if skips() {
					continue
				}
				target := pathVariable.ReplaceAllLiteralString(path, url.PathEscape(id))
				refuses(pattern+" with "+id, ask(method, target, `{}`, "If-Match", "*"))
			}
		}
		known := pathVariable.ReplaceAllString(path, "ann")
		if method == http.MethodGet {
			for _, cursor := range cursors {
				if skips() {
					continue
				}
				refuses(pattern+" with cursor "+cursor, ask(method, known+"?limit=1&cursor="+url.QueryEscape(cursor), ""))
			}
			for _, query := range []string{"limit=-1", "limit=99999999999999999999", "sort=%00", "q=%ff%fe", "offset=-5", "offset=9223372036854775807", "at=-1", "since=x", "format=exe", "project=%00", "group=%00", "runs=99999999", "users=99999999"} {
				if skips() {
					continue
				}
				refuses(pattern+" with "+query, ask(method, known+"?"+query, ""))
			}
			continue
		}
		for _, body := range []string{
			`[]`, `null`, `"x"`, `{`, `{}{}`, strings.Repeat(`{"a":`, 20_000), strings.Repeat("[", 20_000), "\xff", `{"\u0000":1}`,
			`{"users":["` + strings.Repeat("x", 1<<16) + `"]}`, `{"name":"\u0000","title":"\u0000","reason":"\u0000","userName":"\u0000"}`,
		} {
			if skips() {
				continue
			}
			refuses(pattern+" with "+body, ask(method, known+"?dry_run=true", body, "If-Match", "*"))
		}
		for _, match := range []string{`"0"`, `-1`, `W/"1"`, `"99999999999999999999"`, `x`, "\"1\", \"2\""} {
			if skips() {
				continue
			}
			refuses(pattern+" with If-Match "+match, ask(method, known+"?dry_run=true", `{}`, "If-Match", match))
		}
		refuses(pattern+" with a long key", ask(method, known+"?dry_run=true", `{}`, "Idempotency-Key", strings.Repeat("k", 10_000)))
	}
}

// TestNobodyAssignsWhatIsNotTheirs sends members that no body has, beside those
// that it has.
func TestNobodyAssignsWhatIsNotTheirs(t *testing.T) {
	w := newWorld(t)
	w.policy(catalogue)
	w.user("ann")
	group := w.group("crew")
	srv := w.server(true)
	for _, tt := range []struct{ method, path, body string }{
		{"POST", "users", `{"userName":"eve","type":"standard"`},
		{"PATCH", "users/ann", `{"name":"Ann"`},
		{"POST", "groups", `{"name":"g"`},
		{"PATCH", "groups/" + string(group), `{"name":"h"`},
		{"POST", "roles", `{"name":"r"`},
		{"POST", "projects", `{"key":"p"`},
		{"POST", "tokens", `{"kind":"check","name":"t"`},
		{"POST", "users/ann/grants", `{"access":["part-list"]`},
		{"PUT", "users/ann/block", `{"blocked":false`},
		{"POST", "jobs", `{"do":"block","users":["ann"]`},
		{"POST", "bulk", `{"do":"block","users":["ann"]`},
		{"POST", "webhooks", `{"url":"https://example.com"`},
		{"POST", "overrides", `{"users":["ann"],"grants":[{"access":["part-list"]}]`},
	} {
		for _, extra := range []string{`"id":"00000000-0000-7000-8000-000000000000"`, `"version":1`, `"owner":true`, `"rights":["organization.own"]`, `"origin":"override"`, `"source":"okta"`, `"created":"2020-01-01T00:00:00Z"`, `"email":"x@y.test"`} {
			if slices.Contains(allowedExtras, tt.method+" "+strings.TrimSuffix(tt.path, string(group))+" "+extra[1:strings.IndexByte(extra[1:], '"')+1]) {
				continue
			}
			if a := call(t, srv, tt.method, "/api/v1/"+tt.path, tt.body+","+extra+"}"); a.status != 400 {
				t.Errorf("%s %s with %s = %d %v, want 400", tt.method, tt.path, extra, a.status, a.body)
			}
		}
	}
}

// allowedExtras are members that a body does have.
var allowedExtras = []string{
	"POST users email", "POST roles rights", "POST tokens source", "POST tokens rights", "PATCH users/ann version", "PATCH groups/ version",
}
