package authzen

import (
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
)

// This file holds the Core cases of the public conformance suite, under the
// names that its plans give them.

// A planCase is one request and what the suite accepts.
type planCase struct {
	name, body string
	status     int
	want       string // the whole answer; empty: any that is no decision
	headers    []header
	method     string // default POST
}

// pick reads the entities that the cases are made of.
const (
	bobWrites = `{"subject":{"type":"user","id":"bob"},"action":{"name":"write"},"resource":{"type":"record","id":"record-1"}}`
	jsonUTF8  = "application/json; charset=utf-8"
)

func (c planCase) run(t *testing.T, s server, path string) {
	t.Helper()
	if c.method == "" {
		c.method = http.MethodPost
	}
	r := s.ask(c.method, path, c.body, append([]header{{"X-Request-ID", "bfe9eb29-ab87-4ca3-be83-a1d5d8305716"}}, c.headers...)...)
	if r.StatusCode != c.status || c.want != "" && r.Body != c.want {
		t.Errorf("%s %s %s = %d %s, want %d %s", c.method, path, c.body, r.StatusCode, r.Body, c.status, c.want)
	}
	if r.Header.Get("X-Request-ID") != "bfe9eb29-ab87-4ca3-be83-a1d5d8305716" || r.Header.Get("Content-Type") != "application/json" {
		t.Errorf("%s %s %s has headers %v", c.method, path, c.body, r.Header)
	}
	if c.status >= 400 && (strings.Contains(r.Body, "decision") || !json.Valid([]byte(r.Body))) {
		t.Errorf("%s %s %s = %s, want an error message", c.method, path, c.body, r.Body)
	}
}

// wrongForms are the cases that the plans of all endpoints share.
func wrongForms(valid, want string) []planCase {
	return []planCase{
		{name: "charset content type", body: valid, status: 200, want: want, headers: []header{{"Content-Type", jsonUTF8}}},
		{name: "malformed JSON", body: valid[:len(valid)-2], status: 400},
		{name: "empty body", body: "", status: 400},
		{name: "top-level array", body: "[" + valid + "]", status: 400},
		{name: "non-JSON content type", body: valid, status: 415, headers: []header{{"Content-Type", "text/plain"}}},
		{name: "GET", method: http.MethodGet, status: 405},
		{name: "PUT", method: http.MethodPut, body: valid, status: 405},
		{name: "missing credentials", body: valid, status: 401, headers: []header{{"Authorization", ""}}},
		{name: "invalid credentials", body: valid, status: 401, headers: []header{{"Authorization", "Bearer eve"}}},
		{name: "unknown top-level fields", body: strings.Replace(valid, "{", `{"foo":{"bar":[1]},`, 1), status: 200, want: want},
		{name: "idempotency, first", body: valid, status: 200, want: want},
		{name: "idempotency, second", body: valid, status: 200, want: want},
	}
}

func TestCertificationEvaluation(t *testing.T) {
	_, s := certified(t)
	sub := func(old, new string) string { return strings.Replace(valid, old, new, 1) }
	for _, c := range append([]planCase{
		{name: "permit", body: valid, status: 200, want: allowed},
		{name: "deny", body: bobWrites, status: 200, want: denied},
		{name: "optional context", body: sub("}}", `},"context":{"time":"2026-10-26T01:22-07:00"}}`), status: 200, want: allowed},
		{name: "additional properties", body: sub(`"alice"`, `"alice","properties":{"department":"Sales","ip":["::1"]}`), status: 200, want: allowed},
		{name: "unknown fields in subject", body: sub(`"alice"`, `"alice","x":1`), status: 200, want: allowed},
		{name: "unknown fields in action", body: sub(`"read"`, `"read","x":{}`), status: 200, want: allowed},
		{name: "unknown fields in resource", body: sub(`"record-1"`, `"record-1","x":null`), status: 200, want: allowed},
		{name: "missing subject", body: sub(`"subject":{"type":"user","id":"alice"},`, ``), status: 400},
		{name: "missing action", body: sub(`"action":{"name":"read"},`, ``), status: 400},
		{name: "missing resource", body: sub(`,"resource":{"type":"record","id":"record-1"}`, ``), status: 400},
		{name: "missing subject.type", body: sub(`"type":"user",`, ``), status: 400},
		{name: "missing subject.id", body: sub(`,"id":"alice"`, ``), status: 400},
		{name: "missing action.name", body: sub(`"name":"read"`, ``), status: 400},
		{name: "missing resource.type", body: sub(`"type":"record",`, ``), status: 400},
		{name: "missing resource.id", body: sub(`,"id":"record-1"`, ``), status: 400},
		{name: "subject is a string", body: sub(`{"type":"user","id":"alice"}`, `"alice"`), status: 400},
		{name: "action.name is a number", body: sub(`"read"`, `123`), status: 400},
	}, wrongForms(valid, allowed)...) {
		t.Run(c.name, func(t *testing.T) { c.run(t, s, PathEvaluation) })
	}
}

// The decisions of the fixture that Roles express; the suite's batch cases want
// alice to read record-2, too.
func TestCertificationFixture(t *testing.T) {
	_, s := certified(t)
	for _, ask := range []struct {
		who, action, id string
		want            string
	}{
		{"alice", "read", "record-1", allowed},
		{"alice", "write", "record-1", allowed},
		{"alice", "delete", "record-1", allowed},
		{"alice", "read", "record-2", allowed},
		{"alice", "write", "record-2", denied},
		{"bob", "read", "record-1", allowed},
		{"bob", "write", "record-1", denied},
		{"bob", "delete", "record-1", denied},
		{"bob", "write", "record-2", allowed},
	} {
		body := strings.NewReplacer("alice", ask.who, `"read"`, `"`+ask.action+`"`, "record-1", ask.id).Replace(valid)
		if r := s.post(PathEvaluation, body); r.Body != ask.want {
			t.Errorf("%s %s %s = %s, want %s", ask.who, ask.action, ask.id, r.Body, ask.want)
		}
	}
}

func TestCertificationEvaluations(t *testing.T) {
	_, s := certified(t)
	const (
		rest   = `"subject":{"type":"user","id":"alice"},"action":{"name":"read"},"resource":{"type":"record","id":"record-1"}`
		bobs   = `"subject":{"type":"user","id":"bob"}`
		write  = `"action":{"name":"write"}`
		second = `"resource":{"type":"record","id":"record-2"}`
		fixed  = `"evaluations":[{` + write + `},{` + bobs + `,` + write + `}]`
	)
	list := func(items ...string) string { return `{"evaluations":[` + strings.Join(items, ",") + `]}` }
	failed := func(text string) string {
		return fmt.Sprintf(`{"decision":false,"context":{"error":{"status":400,"message":%q}}}`, text)
	}
	valid := `{` + rest + `,` + fixed + `}`
	for _, c := range append([]planCase{
		{name: "batch array", body: `{` + rest + `,"evaluations":[{},{` + second + `}]}`, status: 200, want: list(allowed, allowed)},
		{name: "fixture decisions", body: valid, status: 200, want: list(allowed, denied)},
		{name: "fully specified", body: `{"evaluations":[{` + rest + `},` + bobWrites + `]}`, status: 200, want: list(allowed, denied)},
		{name: "context inheritance", body: `{` + rest + `,"context":{"reason":"audit"},"evaluations":[{},{"context":{}}]}`, status: 200, want: list(allowed, allowed)},
		{name: "an evaluation overrides the default", body: `{` + bobs + `,` + write + `,"evaluations":[{"subject":{"type":"user","id":"alice"},"resource":{"type":"record","id":"record-1"}},{"resource":{"type":"record","id":"record-1"}}]}`, status: 200, want: list(allowed, denied)},
		{name: "execute_all is the default", body: `{` + rest + `,"evaluations":[{` + bobs + `,` + write + `},{},{}]}`, status: 200, want: list(denied, allowed, allowed)},
		{name: "execute_all", body: `{` + rest + `,"evaluations":[{` + bobs + `,` + write + `},{},{}],"options":{"evaluations_semantic":"execute_all"}}`, status: 200, want: list(denied, allowed, allowed)},
		{name: "deny_on_first_deny", body: `{` + rest + `,"evaluations":[{},{` + bobs + `,` + write + `},{}],"options":{"evaluations_semantic":"deny_on_first_deny"}}`, status: 200, want: list(allowed, denied)},
		{name: "permit_on_first_permit", body: `{` + rest + `,"evaluations":[{` + bobs + `,` + write + `},{},{}],"options":{"evaluations_semantic":"permit_on_first_permit"}}`, status: 200, want: list(denied, allowed)},
		{name: "unknown semantic", body: `{` + rest + `,"evaluations":[{}],"options":{"evaluations_semantic":"first"}}`, status: 400},
		{name: "missing array is a single evaluation", body: `{` + rest + `}`, status: 200, want: allowed},
		{name: "empty array is a single evaluation", body: `{` + rest + `,"evaluations":[]}`, status: 200, want: allowed},
		{name: "evaluation-level error, nothing to inherit", body: `{"subject":{"type":"user","id":"alice"},"action":{"name":"read"},"evaluations":[{"resource":{"type":"record","id":"record-1"}},{}]}`, status: 200, want: list(allowed, failed("resource is missing"))},
		{name: "evaluation-level error", body: `{` + rest + `,"evaluations":[{"resource":{"type":"record"}},{}]}`, status: 200, want: list(failed("resource.id is missing"), allowed)},
		{name: "missing subject", body: `{"evaluations":[{"action":{"name":"read"},` + second + `}]}`, status: 200, want: list(failed("subject is missing"))},
	}, wrongForms(valid, list(allowed, denied))...) {
		t.Run(c.name, func(t *testing.T) { c.run(t, s, PathEvaluations) })
	}
}

// An earlier form of the suite's case batch-with-default-value-merging expects
// the members of a default and of an item to be merged. The standard says that
// an item's entity replaces the default whole, so the first item lacks its type:
// we follow the standard. In its later form every item has a whole resource; that
// one is among the cases below.
func TestCertificationKnownDifferenceDefaultValueMerging(t *testing.T) {
	_, s := certified(t)
	r := s.post(PathEvaluations, `{"subject":{"type":"user","id":"alice"},"action":{"name":"read"},"resource":{"type":"record"},`+
		`"evaluations":[{"resource":{"id":"record-1"}},{"resource":{"type":"record","id":"record-1"}}]}`)
	want := `{"evaluations":[{"decision":false,"context":{"error":{"status":400,"message":"resource.type is missing"}}},` + allowed + `]}`
	if r.StatusCode != 200 || r.Body != want {
		t.Errorf("POST = %d %s, want %s", r.StatusCode, r.Body, want)
	}
}

// The cases of the level Properties speak of records as they stand in the
// fixture (record-1 is active, record-2 archived) and of bob as the admin that
// he is, so that grants on the records say the same, whatever properties come
// with a request. All but one pass.
func TestCertificationProperties(t *testing.T) {
	_, s := certified(t)
	const (
		aliceWrites = `"subject":{"type":"user","id":"alice"},"action":{"name":"write"}`
		active      = `"resource":{"type":"record","id":"record-1","properties":{"status":"active"}}`
		archived    = `"resource":{"type":"record","id":"record-2","properties":{"status":"archived"}}`
		bobAdmin    = `"subject":{"type":"user","id":"bob","properties":{"role":"admin"}}`
	)
	deletes := func(soft string) string {
		return object(aliceIs, `"action":{"name":"delete","properties":{"soft":`+soft+`}}`, record1)
	}
	for _, c := range []struct{ name, path, body, want string }{
		{"rule 5, deny based on properties of the resource", PathEvaluation, object(aliceWrites, archived), denied},
		{"rule 6, permit based on properties of the subject", PathEvaluation, object(bobAdmin, writes, archived), allowed},
		{"rule 7, permit based on properties of the action", PathEvaluation, deletes("true"), allowed},
		{"batch with properties", PathEvaluations, object(aliceWrites, `"evaluations":[{`+active+`},{`+archived+`}]`), answers(allowed, denied)},
		{"batch with properties of the subject", PathEvaluations, object(writes, archived, `"evaluations":[{`+aliceIs+`},{`+bobAdmin+`}]`), answers(denied, allowed)},
		{"batch with default value merging", PathEvaluations, object(aliceWrites, `"resource":{"type":"record"}`, `"evaluations":[{`+active+`},{`+archived+`}]`), answers(allowed, denied)},
		{"S4, subjects", PathSubjectSearch, object(anyUser, writes, archived), entities("user", "bob")},
		{"S5, resources", PathResourceSearch, object(bobAdmin, writes, records), entities("record", "record-2")},
		{"S6, actions", PathActionSearch, object(bobAdmin, archived), `{"results":[{"name":"read"},{"name":"write"}]}`},
		// The one that differs: a request's word that a delete is not soft changes nothing.
		{"rule 8 needs a condition", PathEvaluation, deletes("false"), allowed},
	} {
		t.Run(c.name, func(t *testing.T) { wantBody(t, s, c.path, c.body, c.want) })
	}
}

func TestCertificationSubjectSearch(t *testing.T) {
	_, s := certified(t)
	const valid = `{"subject":{"type":"user"},"action":{"name":"read"},"resource":{"type":"record","id":"record-1"}}`
	both := entities("user", "alice", "bob")
	for _, c := range append([]planCase{
		{name: "valid, id omitted", body: valid, status: 200, want: both},
		{name: "context", body: strings.Replace(valid, "}}", `},"context":{"ip":"::1"}}`, 1), status: 200, want: both},
		{name: "stray id ignored", body: strings.Replace(valid, `"user"`, `"user","id":"bob"`, 1), status: 200, want: both},
		{name: "unknown type", body: strings.Replace(valid, `"user"`, `"robot"`, 1), status: 200, want: `{"results":[]}`},
		{name: "unknown resource type", body: strings.Replace(valid, `"record"`, `"boat"`, 1), status: 200, want: `{"results":[]}`},
		{name: "unknown id: a record that nobody may read", body: strings.Replace(valid, "record-1", "record-9", 1), status: 200, want: `{"results":[]}`},
		{name: "unknown id: a feature that is not there", body: strings.Replace(valid, `"record","id":"record-1"`, `"feature","id":"none"`, 1), status: 200, want: `{"results":[]}`},
		{name: "unknown action", body: strings.Replace(valid, `"read"`, `"fly"`, 1), status: 200, want: `{"results":[]}`},
		{name: "unknown page field", body: strings.Replace(valid, "}}", `},"page":{"x":1}}`, 1), status: 200, want: `{"page":{"next_token":""},` + both[1:]},
		{name: "missing subject", body: strings.Replace(valid, `"subject":{"type":"user"},`, ``, 1), status: 400},
		{name: "missing subject.type", body: strings.Replace(valid, `"type":"user"`, ``, 1), status: 400},
		{name: "missing action", body: strings.Replace(valid, `"action":{"name":"read"},`, ``, 1), status: 400},
		{name: "action is a string", body: strings.Replace(valid, `{"name":"read"}`, `"read"`, 1), status: 400},
		{name: "missing action.name", body: strings.Replace(valid, `"name":"read"`, ``, 1), status: 400},
		{name: "missing resource", body: strings.Replace(valid, `,"resource":{"type":"record","id":"record-1"}`, ``, 1), status: 400},
		{name: "missing resource.type", body: strings.Replace(valid, `"type":"record",`, ``, 1), status: 400},
		{name: "missing resource.id", body: strings.Replace(valid, `,"id":"record-1"`, ``, 1), status: 400},
		{name: "resource is a string", body: strings.Replace(valid, `{"type":"record","id":"record-1"}`, `"record-1"`, 1), status: 400},
	}, wrongForms(valid, both)...) {
		t.Run(c.name, func(t *testing.T) { c.run(t, s, PathSubjectSearch) })
	}
	t.Run("page limit 1", func(t *testing.T) { pagesHold(t, s, PathSubjectSearch, valid, "alice", "bob") })
}

func TestCertificationResourceSearch(t *testing.T) {
	_, s := certified(t)
	const valid = `{"subject":{"type":"user","id":"alice"},"action":{"name":"read"},"resource":{"type":"record"}}`
	both := entities("record", "record-1", "record-2")
	for _, c := range append([]planCase{
		{name: "valid, id omitted", body: valid, status: 200, want: both},
		{name: "context", body: strings.Replace(valid, "}}", `},"context":{"ip":"::1"}}`, 1), status: 200, want: both},
		{name: "stray id ignored", body: strings.Replace(valid, `"record"`, `"record","id":"record-2"`, 1), status: 200, want: both},
		{name: "unknown type", body: strings.Replace(valid, `"record"`, `"boat"`, 1), status: 200, want: `{"results":[]}`},
		{name: "unknown id", body: strings.Replace(valid, "alice", "eve", 1), status: 200, want: `{"results":[]}`},
		{name: "missing subject", body: strings.Replace(valid, `"subject":{"type":"user","id":"alice"},`, ``, 1), status: 400},
		{name: "missing subject.type", body: strings.Replace(valid, `"type":"user",`, ``, 1), status: 400},
		{name: "missing subject.id", body: strings.Replace(valid, `,"id":"alice"`, ``, 1), status: 400},
		{name: "missing action", body: strings.Replace(valid, `"action":{"name":"read"},`, ``, 1), status: 400},
		{name: "missing action.name", body: strings.Replace(valid, `"name":"read"`, ``, 1), status: 400},
		{name: "missing resource", body: strings.Replace(valid, `,"resource":{"type":"record"}`, ``, 1), status: 400},
		{name: "missing resource.type", body: strings.Replace(valid, `"type":"record"`, ``, 1), status: 400},
		{name: "subject.id is a number", body: strings.Replace(valid, `"alice"`, `1`, 1), status: 400},
	}, wrongForms(valid, both)...) {
		t.Run(c.name, func(t *testing.T) { c.run(t, s, PathResourceSearch) })
	}
	t.Run("page limit 1", func(t *testing.T) { pagesHold(t, s, PathResourceSearch, valid, "record-1", "record-2") })
}

func TestCertificationActionSearch(t *testing.T) {
	_, s := certified(t)
	const valid = `{"subject":{"type":"user","id":"alice"},"resource":{"type":"record","id":"record-1"}}`
	const all = `{"results":[{"name":"read"},{"name":"write"},{"name":"delete"}]}`
	for _, c := range append([]planCase{
		{name: "valid", body: valid, status: 200, want: all},
		{name: "context", body: strings.Replace(valid, "}}", `},"context":{"ip":"::1"}}`, 1), status: 200, want: all},
		{name: "extra action ignored", body: strings.Replace(valid, "{", `{"action":{"name":"write"},`, 1), status: 200, want: all},
		{name: "unknown type", body: strings.Replace(valid, `"record"`, `"boat"`, 1), status: 200, want: `{"results":[]}`},
		{name: "unknown id", body: strings.Replace(valid, "alice", "eve", 1), status: 200, want: `{"results":[]}`},
		{name: "missing subject", body: `{"resource":{"type":"record","id":"record-1"}}`, status: 400},
		{name: "missing subject.type", body: strings.Replace(valid, `"type":"user",`, ``, 1), status: 400},
		{name: "missing subject.id", body: strings.Replace(valid, `,"id":"alice"`, ``, 1), status: 400},
		{name: "subject is a string", body: strings.Replace(valid, `{"type":"user","id":"alice"}`, `"alice"`, 1), status: 400},
		{name: "missing resource", body: `{"subject":{"type":"user","id":"alice"}}`, status: 400},
		{name: "missing resource.type", body: strings.Replace(valid, `"type":"record",`, ``, 1), status: 400},
		{name: "unknown resource id", body: strings.Replace(valid, "record-1", "record-9", 1), status: 200, want: `{"results":[]}`},
		{name: "missing resource.id", body: strings.Replace(valid, `,"id":"record-1"`, ``, 1), status: 400},
		{name: "resource.type is a number", body: strings.Replace(valid, `"record"`, `1`, 1), status: 400},
	}, wrongForms(valid, all)...) {
		t.Run(c.name, func(t *testing.T) { c.run(t, s, PathActionSearch) })
	}
	t.Run("page limit 1", func(t *testing.T) { pagesHold(t, s, PathActionSearch, valid, "read", "write", "delete") })
}

// A searchAnswer is an answer of any search.
type searchAnswer struct {
	Page *struct {
		Next *string `json:"next_token"`
	} `json:"page"`
	Results []struct{ Type, ID, Name string } `json:"results"`
}

// pages follows a search in pages of so many results.
func pages(t testing.TB, s server, path, body string, limit int) (all []string) {
	t.Helper()
	token := ""
	for range 1000 {
		page := fmt.Sprintf(`},"page":{"limit":%d,"token":%q}}`, limit, token)
		r := s.post(path, strings.TrimSuffix(body, "}}")+page)
		var a searchAnswer
		if err := json.Unmarshal([]byte(r.Body), &a); err != nil || r.StatusCode != 200 || a.Page == nil || a.Page.Next == nil {
			t.Fatalf("POST %s %s = %d %s, want a page", path, page, r.StatusCode, r.Body)
		}
		if !strings.HasPrefix(r.Body, `{"page":`) || len(a.Results) > limit {
			t.Errorf("POST %s %s = %s, want page as the first key and at most %d results", path, page, r.Body, limit)
		}
		for _, found := range a.Results {
			all = append(all, found.ID+found.Name)
		}
		if token = *a.Page.Next; token == "" {
			return all
		}
	}
	t.Fatalf("POST %s has no last page", path)
	return nil
}

func pagesHold(t *testing.T, s server, path, body string, want ...string) {
	t.Helper()
	if got := pages(t, s, path, body, 1); !slices.Equal(got, want) {
		t.Errorf("the pages of %s hold %q, want %q", path, got, want)
	}
}
