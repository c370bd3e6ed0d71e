package authzen

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/usherd/usherd/authz"
	"github.com/usherd/usherd/directory"
)

// A world is policy and people of one revision: the fixture of the AuthZEN
// certification scenario, as far as roles can say it, in our words.
type world struct {
	snapshot *authz.Snapshot
	subjects map[string]directory.Subject
	people   []directory.Identity
	stale    bool
}

func (w *world) View(_ context.Context, atLeast directory.Stamp) (View, error) {
	if atLeast.Revision > now.Stamp.Revision {
		return nil, again{}
	}
	return w, nil
}

func (w *world) Snapshot() *authz.Snapshot { return w.snapshot }

func (w *world) Subject(_ context.Context, key directory.SubjectKey) (*directory.Subject, error) {
	if key.Value == "broken" {
		return nil, errors.New("dial tcp 10.0.0.7: refused")
	}
	s := w.subjects[key.Value]
	return &s, nil
}

func (w *world) Point() (Point, error) {
	if w.stale {
		return Point{}, again{}
	}
	return now, nil
}

func (w *world) Evaluate(ctx context.Context, atLeast directory.Stamp, queries []Query, answers []Answer) (Point, error) {
	v, err := w.View(ctx, atLeast)
	if err != nil {
		return Point{}, err
	}
	for i := range queries {
		subject := &nobody
		if queries[i].Subject != (directory.SubjectKey{}) {
			if subject, err = v.Subject(ctx, queries[i].Subject); err != nil {
				return Point{}, err
			}
		}
		answers[i].Decision = w.snapshot.Decide(subject, &queries[i].Request)
	}
	return w.Point()
}

// Subjects implements People: by id.
func (w *world) Subjects(_ context.Context, who directory.People, at directory.Stamp) (found []directory.Subject, _ error) {
	if at != now.Stamp {
		return nil, fmt.Errorf("stamp %v: %w", at, directory.ErrHistoryLost)
	}
	for _, p := range w.people {
		s := w.subjects[p.UserName]
		in := slices.ContainsFunc(s.Memberships, func(m directory.Membership) bool { return slices.Contains(who.Groups, m.Group) })
		if s.ID > who.After && (who.Everyone || in || who.Granted && len(s.Grants) > 0) && (who.Limit == 0 || len(found) < who.Limit) {
			found = append(found, s)
		}
	}
	return found, nil
}

// Identities implements People, for ids alone.
func (w *world) Identities(_ context.Context, q directory.Query) (page directory.Page[directory.Identity], _ error) {
	for _, one := range q.Where.(directory.Or) {
		for _, p := range w.people {
			if string(p.ID) == one.(directory.Compare).Value {
				page.Items = append(page.Items, p)
			}
		}
	}
	return page, nil
}

// User implements People.
func (w *world) User(_ context.Context, id directory.UserID) (directory.User, error) {
	return directory.User{}, fmt.Errorf("user %s: %w", id, directory.ErrNotFound)
}

func certification() *world {
	role := func(key string) directory.Privilege {
		return directory.Privilege{Kind: directory.RolePrivilege, Key: key}
	}
	f := directory.Facts{At: now.Stamp}
	f.Policy.Sources = []directory.Source{{Name: directory.Local, Kind: directory.KindLocal, State: directory.SourceActive}}
	f.Policy.Policy = directory.Policy{
		Features: []directory.Feature{{Key: "parts", Actions: []string{"edit"}}, {Key: "archive"}},
		Resources: []directory.ResourceType{
			{Type: "record", Actions: []string{"read", "write", "delete"}, IDs: []string{"record-2", "record-1"}},
		},
	}
	w := &world{subjects: map[string]directory.Subject{}}
	grants := map[string][]directory.Privilege{
		"alice": {role("record:*:read"), role("record:record-1:write"), role("record:record-1:delete"), {Kind: directory.Access, Key: "archive"}, {Kind: directory.Access, Key: "parts"}},
		"bob":   {role("record:*:read"), role("record:record-2:write")},
		"build": {role("record:*:read")},
		"zoe":   nil,
	}
	for i, name := range []string{"alice", "bob", "build", "zoe"} {
		s := directory.Subject{At: now.Stamp, Found: directory.One, ID: directory.UserID(fmt.Sprintf("0190f3a4-7c1e-7a2b-8c3d-%012d", i)), Type: directory.Standard, Sources: []directory.SourceName{directory.Local}}
		if name == "build" {
			s.Type = directory.Service
		}
		for _, p := range grants[name] {
			s.Grants = append(s.Grants, directory.Grant{User: s.ID, Privilege: p, Origin: directory.ByHand})
		}
		w.subjects[name], w.subjects[string(s.ID)] = s, s
		w.people = append(w.people, directory.Identity{
			ID: s.ID, User: s.ID, Source: directory.Local, Presence: directory.Present, Created: time.Unix(int64(i), 0),
			Profile: directory.Profile{UserName: name, Type: s.Type, Active: true},
		})
	}
	w.snapshot = authz.Compile(f)
	return w
}

func serveWorld(t testing.TB, w *world, alter func(*Config)) http.Handler {
	t.Helper()
	return serve(t, w, func(c *Config) {
		c.Viewer, c.People, c.URL = w, w, "https://pdp.example.com/"
		if alter != nil {
			alter(c)
		}
	})
}

func search(t testing.TB, h http.Handler, path, body string) (status int, text string) {
	t.Helper()
	r := post(t, h, path, body, func(r *http.Request) { r.Header.Set("Authorization", "Bearer searcher") })
	return r.StatusCode, r.Body
}

const (
	aliceIs = `"subject":{"type":"user","id":"alice"}`
	bobIs   = `"subject":{"type":"user","id":"bob"}`
	reads   = `"action":{"name":"read"}`
	writes  = `"action":{"name":"write"}`
	record1 = `"resource":{"type":"record","id":"record-1"}`
	records = `"resource":{"type":"record"}`
)

func object(members ...string) string { return "{" + strings.Join(members, ",") + "}" }

func entities(typ string, ids ...string) string {
	var all []string
	for _, id := range ids {
		all = append(all, fmt.Sprintf(`{"type":%q,"id":%q}`, typ, id))
	}
	return `{"results":[` + strings.Join(all, ",") + `]}`
}

func TestSearch(t *testing.T) {
	h := serveWorld(t, certification(), nil)
	const none = `{"results":[]}`
	tests := []struct {
		name, path, body string
		status           int
		want             string
	}{
		{"resources, by id", PathResourceSearch, object(aliceIs, reads, records), 200, entities("record", "record-1", "record-2")},
		{"resources of one action", PathResourceSearch, object(bobIs, writes, records), 200, entities("record", "record-2")},
		{"features, in the order of the catalogue", PathResourceSearch, object(aliceIs, `"action":{"name":"access"}`, `"resource":{"type":"feature"}`), 200, entities("feature", "parts", "archive")},
		{"the id of what is searched is ignored", PathResourceSearch, object(bobIs, writes, record1), 200, entities("record", "record-2")},
		{"a page that holds all", PathResourceSearch, object(aliceIs, reads, records, `"page":{"limit":2,"x":2}`), 200, `{"page":{"next_token":""},` + entities("record", "record-1", "record-2")[1:]},
		{"an unknown type", PathResourceSearch, object(aliceIs, reads, `"resource":{"type":"boat"}`), 200, none},
		{"an unknown subject", PathResourceSearch, object(`"subject":{"type":"user","id":"eve"}`, reads, records), 200, none},
		{"an unknown type of subject", PathResourceSearch, object(`"subject":{"type":"device","id":"alice"}`, reads, records), 200, none},
		{"no subject", PathResourceSearch, object(reads, records), 400, ""},
		{"no id of the subject", PathResourceSearch, object(`"subject":{"type":"user"}`, reads, records), 400, ""},
		{"no action", PathResourceSearch, object(aliceIs, records), 400, ""},
		{"no type of resource", PathResourceSearch, object(aliceIs, reads, `"resource":{}`), 400, ""},
		{"a limit below zero", PathResourceSearch, object(aliceIs, reads, records, `"page":{"limit":-1}`), 400, ""},
		{"a limit that is no number", PathResourceSearch, object(aliceIs, reads, records, `"page":{"limit":"1"}`), 400, ""},

		{"actions", PathActionSearch, object(aliceIs, record1), 200, `{"results":[{"name":"read"},{"name":"write"},{"name":"delete"}]}`},
		{"actions of another", PathActionSearch, object(bobIs, record1), 200, `{"results":[{"name":"read"}]}`},
		{"an action that is sent is ignored", PathActionSearch, object(bobIs, record1, `"action":7`), 200, `{"results":[{"name":"read"}]}`},
		{"actions on an unknown type", PathActionSearch, object(bobIs, `"resource":{"type":"boat","id":"1"}`), 200, none},
		{"no id of the resource", PathActionSearch, object(bobIs, records), 400, ""},

		{"subjects", PathSubjectSearch, object(`"subject":{"type":"user"}`, reads, record1), 200, entities("user", "alice", "bob")},
		{"subjects who may write", PathSubjectSearch, object(`"subject":{"type":"user"}`, writes, record1), 200, entities("user", "alice")},
		{"the subject's id is ignored", PathSubjectSearch, object(bobIs, writes, record1), 200, entities("user", "alice")},
		{"service accounts", PathSubjectSearch, object(`"subject":{"type":"service"}`, reads, record1), 200, entities("service", "build")},
		{"an unknown type of subject has nobody", PathSubjectSearch, object(`"subject":{"type":"device"}`, reads, record1), 200, none},
		{"an unknown resource", PathSubjectSearch, object(`"subject":{"type":"user"}`, reads, `"resource":{"type":"boat","id":"1"}`), 200, none},
		{"no resource", PathSubjectSearch, object(`"subject":{"type":"user"}`, reads), 400, ""},
		{"no type of subject", PathSubjectSearch, object(`"subject":{}`, reads, record1), 400, ""},
		{"a page that is the last", PathSubjectSearch, object(`"subject":{"type":"user"}`, reads, record1, `"page":{"limit":10}`), 200, `{"page":{"next_token":""},"results":[{"type":"user","id":"alice"},{"type":"user","id":"bob"}]}`},
		{"a token of nobody's", PathSubjectSearch, object(`"subject":{"type":"user"}`, reads, record1, `"page":{"token":"AAAA"}`), 400, ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			for range 2 { // the same request twice has the same answer
				status, got := search(t, h, tt.path, tt.body)
				if status != tt.status || tt.want != "" && got != tt.want || !json.Valid([]byte(got)) {
					t.Errorf("POST %s %s = %d %s, want %d %s", tt.path, tt.body, status, got, tt.status, tt.want)
				}
			}
		})
	}
}

// Every result of a search evaluates to true, and what is no result does not.
func TestSearchAgreesWithEvaluation(t *testing.T) {
	h := serveWorld(t, certification(), nil)
	for _, who := range []string{"alice", "bob", "build", "zoe", "eve"} {
		for _, id := range []string{"record-1", "record-2"} {
			for _, action := range []string{"read", "write", "delete"} {
				subject := fmt.Sprintf(`"subject":{"type":"user","id":%q}`, who)
				doing := fmt.Sprintf(`"action":{"name":%q}`, action)
				thing := fmt.Sprintf(`"resource":{"type":"record","id":%q}`, id)
				want := post(t, h, PathEvaluation, object(subject, doing, thing), nil).Body == allowed
				_, byThing := search(t, h, PathResourceSearch, object(subject, doing, records))
				_, byAction := search(t, h, PathActionSearch, object(subject, thing))
				_, bySubject := search(t, h, PathSubjectSearch, object(`"subject":{"type":"user"}`, doing, thing))
				got := []bool{strings.Contains(byThing, `"`+id+`"`), strings.Contains(byAction, `"`+action+`"`), strings.Contains(bySubject, `"`+who+`"`)}
				if who == "build" { // a service account, found as one
					got[2] = want
				}
				if slices.Contains(got, !want) {
					t.Errorf("%s %s %s: searches say %v, evaluation %v", who, action, id, got, want)
				}
			}
		}
	}
}

func TestPagesOfSubjects(t *testing.T) {
	w := certification()
	h := serveWorld(t, w, nil)
	body := func(token string, limit int, action string) string {
		return object(`"subject":{"type":"user"}`, action, record1, fmt.Sprintf(`"page":{"token":%q,"limit":%d}`, token, limit))
	}
	type answer struct {
		Page *struct {
			Next *string `json:"next_token"`
		}
		Results []struct{ ID string }
	}
	var all []string
	token := ""
	for pages := 0; ; pages++ {
		status, text := search(t, h, PathSubjectSearch, body(token, 1, reads))
		var a answer
		if err := json.Unmarshal([]byte(text), &a); err != nil || status != 200 || a.Page == nil || a.Page.Next == nil || pages > 10 {
			t.Fatalf("page %d = %d %s", pages, status, text)
		}
		if !strings.HasPrefix(text, `{"page":`) {
			t.Errorf("page %d = %s, want page as the first member", pages, text)
		}
		for _, r := range a.Results {
			all = append(all, r.ID)
		}
		if pages == 0 {
			first := *a.Page.Next
			if status, _ := search(t, h, PathSubjectSearch, body(first, 1, writes)); status != 400 {
				t.Errorf("the token of another search: status %d, want 400", status)
			}
			if status, _ := search(t, serveWorld(t, w, nil), PathSubjectSearch, body(first, 1, reads)); status != 400 {
				t.Errorf("a token under another key: status %d, want 400", status)
			}
		}
		if token = *a.Page.Next; token == "" {
			break
		}
	}
	if want := []string{"alice", "bob"}; !slices.Equal(all, want) {
		t.Errorf("all pages together = %v, want %v", all, want)
	}
}

func TestSearchNeedsItsScope(t *testing.T) {
	h := serveWorld(t, certification(), nil)
	for _, path := range []string{PathSubjectSearch, PathResourceSearch, PathActionSearch} {
		if r := post(t, h, path, object(aliceIs, reads, record1), nil); r.StatusCode != 403 {
			t.Errorf("POST %s by an application that may only evaluate: status %d, want 403", path, r.StatusCode)
		}
	}
	limited := serveWorld(t, certification(), func(c *Config) {
		c.Authenticator = callers{"searcher": CallerOf(directory.Token{ID: "1", Scopes: []string{ScopeSearch, ScopePermissions, "feature:parts"}})}
	})
	if status, got := search(t, limited, PathResourceSearch, object(aliceIs, `"action":{"name":"access"}`, `"resource":{"type":"feature"}`)); status != 200 || got != entities("feature", "parts") {
		t.Errorf("a search beyond the token's limits = %d %s, want only what it may ask about", status, got)
	}
	if status, _ := search(t, limited, PathActionSearch, object(aliceIs, record1)); status != 403 {
		t.Errorf("actions beyond the token's limits: status %d, want 403", status)
	}
	if r := permissionsOf(t, limited, "alice", "searcher", nil); r.StatusCode != 403 {
		t.Errorf("permissions by a token with limits: status %d, want 403", r.StatusCode)
	}
}

func TestAStaleViewFindsNothing(t *testing.T) {
	w := certification()
	w.stale = true
	h := serveWorld(t, w, nil)
	for path, body := range map[string]string{
		PathSubjectSearch: object(`"subject":{"type":"user"}`, reads, record1), PathResourceSearch: object(aliceIs, reads, records), PathActionSearch: object(aliceIs, record1),
	} {
		if status, got := search(t, h, path, body); status != 503 {
			t.Errorf("POST %s = %d %s, want 503", path, status, got)
		}
	}
}

func permissionsOf(t testing.TB, h http.Handler, user, token string, alter func(*http.Request)) reply {
	t.Helper()
	r := httptest.NewRequest(http.MethodGet, "/v1/users/"+user, nil)
	r.URL.Path = "/v1/users/" + user + "/permissions"
	r.Header.Set("Authorization", "Bearer "+token)
	if alter != nil {
		alter(r)
	}
	return do(h, r)
}

func TestPermissions(t *testing.T) {
	h := serveWorld(t, certification(), func(c *Config) {
		c.Authenticator = callers{"home": CallerOf(directory.Token{ID: "1", Scopes: []string{ScopePermissions}}), "app": everybody["app"]}
	})
	if r := permissionsOf(t, h, "alice", "app", nil); r.StatusCode != 403 {
		t.Errorf("without the scope: status %d, want 403", r.StatusCode)
	}
	r := permissionsOf(t, h, "alice", "home", nil)
	var got authz.Permissions
	if err := json.Unmarshal([]byte(r.Body), &got); err != nil || r.StatusCode != 200 {
		t.Fatalf("status %d, %v", r.StatusCode, err)
	}
	if want := []string{"parts", "archive"}; !slices.Equal(got.Access, want) || got.Code != authz.Granted {
		t.Errorf("permissions of alice = %+v, want access to %v", got, want)
	}
	tag := r.Header.Get("ETag")
	again := permissionsOf(t, h, "alice", "home", func(r *http.Request) { r.Header.Set("If-None-Match", tag) })
	if tag == "" || again.StatusCode != 304 || again.Body != "" || again.Header.Get("Usherd-Revision") != now.Stamp.String() {
		t.Errorf("with the ETag %q: status %d, want 304", tag, again.StatusCode)
	}
	if r := permissionsOf(t, h, "bob", "home", func(r *http.Request) { r.Header.Set("If-None-Match", tag) }); r.StatusCode != 200 {
		t.Errorf("another's ETag: status %d, want 200", r.StatusCode)
	}
	unknown := permissionsOf(t, h, "eve", "home", nil)
	if err := json.Unmarshal([]byte(unknown.Body), &got); err != nil || got.Code != authz.UnknownSubject {
		t.Errorf("permissions of nobody = %+v, %v; want none, with the reason", got, err)
	}
	const nothing = `{"code":"unknown_subject","access":[],"role":[],"output":[],"integration":[],"rights":[],"roles":[]}`
	if got := strings.TrimSpace(unknown.Body); got != nothing {
		t.Errorf("permissions of nobody = %s, want %s: lists are arrays", got, nothing)
	}
}

func TestMetadata(t *testing.T) {
	get := func(h http.Handler, method string) reply {
		r := httptest.NewRequest(method, PathMetadata, nil)
		r.Host = "evil.example.com"
		r.Header.Set("X-Request-ID", "a-1")
		return do(h, r)
	}
	r := get(serveWorld(t, certification(), nil), http.MethodGet)
	want := `{"policy_decision_point":"https://pdp.example.com",` +
		`"access_evaluation_endpoint":"https://pdp.example.com/access/v1/evaluation",` +
		`"access_evaluations_endpoint":"https://pdp.example.com/access/v1/evaluations",` +
		`"search_subject_endpoint":"https://pdp.example.com/access/v1/search/subject",` +
		`"search_resource_endpoint":"https://pdp.example.com/access/v1/search/resource",` +
		`"search_action_endpoint":"https://pdp.example.com/access/v1/search/action"}` + "\n"
	if got := r.Body; r.StatusCode != 200 || got != want || r.Header.Get("Cache-Control") == "" || r.Header.Get("X-Request-ID") != "a-1" {
		t.Errorf("GET metadata = %d %s %v, want %s", r.StatusCode, got, r.Header, want)
	}
	if r := get(serveWorld(t, certification(), nil), http.MethodPost); r.StatusCode != 405 {
		t.Errorf("POST metadata: status %d, want 405", r.StatusCode)
	}
	bare := get(serve(t, certification(), func(c *Config) { c.URL = "https://pdp.example.com" }), http.MethodGet)
	if got := bare.Body; strings.Contains(got, "search") {
		t.Errorf("metadata without searches = %s", got)
	}
	plain := get(serveWorld(t, certification(), func(c *Config) { c.URL = "http://127.0.0.1:8080" }), http.MethodGet)
	if plain.StatusCode != 404 {
		t.Errorf("metadata without https: status %d, want 404", plain.StatusCode)
	}
}

// The decisions of the certification scenario that roles can express.
func TestCertificationDecisions(t *testing.T) {
	h := serveWorld(t, certification(), nil)
	for _, tt := range []struct {
		who, action, id string
		want            bool
	}{
		{"alice", "read", "record-1", true},
		{"alice", "write", "record-1", true},
		{"bob", "read", "record-1", true},
		{"bob", "write", "record-1", false},
		{"alice", "read", "record-2", true},
		{"alice", "write", "record-2", false},
		{"bob", "write", "record-2", true},
	} {
		body := object(fmt.Sprintf(`"subject":{"type":"user","id":%q}`, tt.who), fmt.Sprintf(`"action":{"name":%q}`, tt.action), fmt.Sprintf(`"resource":{"type":"record","id":%q}`, tt.id))
		if got := post(t, h, PathEvaluation, body, nil).Body; got != fmt.Sprintf(`{"decision":%v}`, tt.want) {
			t.Errorf("%s %s %s = %s, want %v", tt.who, tt.action, tt.id, got, tt.want)
		}
	}
}

// hideous is a world of n readers, of whom an override hides all but the last
// few.
func hideous(n, few int) *world {
	f := directory.Facts{At: now.Stamp}
	f.Policy.Sources = []directory.Source{{Name: "ad", State: directory.SourceActive}}
	f.Policy.Policy.Resources = []directory.ResourceType{{Type: "record", Actions: []string{"read"}}}
	f.Groups = []directory.GroupFacts{{
		ID: "g", Num: 1, Source: "ad", Name: "readers", NameKey: "readers",
		Grants: []directory.Grant{{Group: "g", Privilege: directory.Privilege{Kind: directory.RolePrivilege, Key: "record:*:read"}}},
	}}
	w := &world{snapshot: authz.Compile(f), subjects: map[string]directory.Subject{}}
	for i := range n {
		s := directory.Subject{
			Found: directory.One, ID: directory.UserID(fmt.Sprintf("0190f3a4-7c1e-7a2b-8c3d-%012d", i)), Type: directory.Standard,
			Sources: []directory.SourceName{"ad"}, Memberships: []directory.Membership{{Group: 1}},
		}
		if i < n-few {
			s.Overrides = []directory.ProjectKey{""}
		}
		w.add(fmt.Sprintf("user-%06d", i), s)
	}
	return w
}

// A page is filled although most candidates are denied, and looks at a bounded
// number of them.
func TestAPageIsFilledWithinABound(t *testing.T) {
	for _, tt := range []struct {
		candidates int
		pages      []int // results of each, by tens
	}{{3000, []int{10, 10, 5}}, {maxCandidates + 3000, []int{0, 10, 10, 5}}} {
		h := serveWorld(t, hideous(tt.candidates, 25), nil)
		token := ""
		for i, want := range tt.pages {
			_, text := search(t, h, PathSubjectSearch, object(`"subject":{"type":"user"}`, reads, record1, fmt.Sprintf(`"page":{"limit":10,"token":%q}`, token)))
			var a searchAnswer
			if err := json.Unmarshal([]byte(text), &a); err != nil || len(a.Results) != want || a.Page == nil || (*a.Page.Next == "") != (i == len(tt.pages)-1) {
				t.Fatalf("page %d among %d = %.300s, want %d results of %d pages", i, tt.candidates, text, want, len(tt.pages))
			}
			token = *a.Page.Next
		}
	}
}

// A name in the form of an id would be taken for one: such a user is found by
// the id.
func TestFoundNamesCanBeEvaluated(t *testing.T) {
	d, s := certified(t)
	odd := d.user("0190f3a4-7c1e-7a2b-8c3d-4e5f6a7b8c9d")
	d.apply(directory.AddMembers{Group: d.groupID("Readers"), Source: directory.Local, Values: []string{string(odd)}})
	r := s.post(PathSubjectSearch, object(anyUser, reads, record1))
	var a searchAnswer
	if err := json.Unmarshal([]byte(r.Body), &a); err != nil || len(a.Results) != 3 {
		t.Fatalf("POST = %s, want three", r.Body)
	}
	for _, found := range a.Results {
		body := object(fmt.Sprintf(`"subject":{"type":"user","id":%q}`, found.ID), reads, record1)
		if got := s.post(PathEvaluation, body).Body; got != allowed {
			t.Errorf("POST %s = %s, want what is found to be allowed", body, got)
		}
	}
}
