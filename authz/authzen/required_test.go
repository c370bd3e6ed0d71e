package authzen

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
)

// Each behaviour that AuthZEN 1.0 requires has a test of its name here, over
// HTTP.

var everyPath = []string{PathEvaluation, PathEvaluations, PathSubjectSearch, PathResourceSearch, PathActionSearch}

// full is a body that every endpoint takes.
const full = `{"subject":{"type":"user","id":"alice"},"action":{"name":"read"},"resource":{"type":"record","id":"record-1"}}`

// everywhere asks the same of all endpoints.
func everywhere(t *testing.T, s server, method, body string, status int, headers ...header) (all []reply) {
	t.Helper()
	for _, path := range everyPath {
		r := s.ask(method, path, body, headers...)
		if r.StatusCode != status {
			t.Errorf("%s %s %.200s %v = %d %s, want %d", method, path, body, headers, r.StatusCode, r.Body, status)
		}
		all = append(all, r)
	}
	return all
}

func TestE1ContentType(t *testing.T) {
	_, s := certified(t)
	for typ, status := range map[string]int{
		"application/json": 200, "application/json; charset=utf-8": 200, "application/json;charset=UTF-8": 200,
		"text/plain": 415, "application/x-www-form-urlencoded": 415, "application/jsonx": 415, "": 415,
	} {
		everywhere(t, s, http.MethodPost, full, status, header{"Content-Type", typ})
	}
}

func TestE2MalformedBodies(t *testing.T) {
	_, s := certified(t)
	for _, body := range []string{
		"", " ", "{", "[]", "[" + full + "]", `"x"`, "null", full + full, strings.Replace(full, "}}", "},}", 1),
		strings.Replace(full, `{"type":"record","id":"record-1"}`, `"record"`, 1),
		strings.Replace(full, `"record"`, `7`, 1),
	} {
		everywhere(t, s, http.MethodPost, body, 400)
	}
	for _, path := range []string{PathEvaluation, PathResourceSearch, PathActionSearch} {
		if r := s.post(path, strings.Replace(full, `{"type":"user","id":"alice"}`, `"alice"`, 1)); r.StatusCode != 400 {
			t.Errorf("POST %s with a subject that is a string = %d %s, want 400", path, r.StatusCode, r.Body)
		}
	}
	for _, path := range []string{PathEvaluation, PathSubjectSearch, PathResourceSearch} {
		if r := s.post(path, strings.Replace(full, `"read"`, `123`, 1)); r.StatusCode != 400 {
			t.Errorf("POST %s with a name that is a number = %d %s, want 400", path, r.StatusCode, r.Body)
		}
	}
}

func TestE3MissingMembers(t *testing.T) {
	_, s := certified(t)
	for without, says := range map[string]string{
		`"subject":{"type":"user","id":"alice"},`: "subject is missing", `"action":{"name":"read"},`: "action is missing",
		`,"resource":{"type":"record","id":"record-1"}`: "resource is missing", `"type":"user",`: "subject.type is missing",
		`,"id":"alice"`: "subject.id is missing", `"name":"read"`: "action.name is missing",
		`"type":"record",`: "resource.type is missing", `,"id":"record-1"`: "resource.id is missing",
	} {
		r := s.post(PathEvaluation, strings.Replace(full, without, "", 1))
		var message string
		if err := json.Unmarshal([]byte(r.Body), &message); err != nil || r.StatusCode != 400 || message != says {
			t.Errorf("without %s = %d %s, want 400 and the string %q", without, r.StatusCode, r.Body, says)
		}
	}
}

func TestE4Credentials(t *testing.T) {
	_, s := certified(t)
	for _, token := range []string{"", "Bearer eve", "Basic YWxsOmFsbA==", "all"} {
		for _, r := range everywhere(t, s, http.MethodPost, full, 401, header{"Authorization", token}) {
			if r.Header.Get("WWW-Authenticate") == "" {
				t.Errorf("a 401 for %q has no WWW-Authenticate", token)
			}
		}
	}
	for _, path := range []string{PathSubjectSearch, PathResourceSearch, PathActionSearch} {
		if r := s.post(path, full, header{"Authorization", "Bearer evaluate"}); r.StatusCode != 403 {
			t.Errorf("POST %s with a token that may not search = %d, want 403", path, r.StatusCode)
		}
	}
}

func TestE5InternalErrors(t *testing.T) {
	s := overHTTP(t, serve(t, evaluator(func(*Query) (Answer, error) { return Answer{}, errors.New("dial tcp: refused") }), nil))
	for _, path := range []string{PathEvaluation, PathEvaluations} {
		r := s.post(path, full, header{"Authorization", "Bearer app"})
		if r.StatusCode != 500 || strings.Contains(r.Body, "decision") || strings.Contains(r.Body, "dial") {
			t.Errorf("POST %s = %d %s, want 500, no decision and no details", path, r.StatusCode, r.Body)
		}
	}
}

func TestE6DenyIsAnAnswer(t *testing.T) {
	_, s := certified(t)
	for _, body := range []string{bobWrites, strings.Replace(full, "alice", "eve", 1), strings.Replace(full, `"record"`, `"boat"`, 1), strings.Replace(full, "read", "fly", 1)} {
		if r := s.post(PathEvaluation, body); r.StatusCode != 200 || r.Body != denied {
			t.Errorf("POST %s = %d %s, want 200 %s", body, r.StatusCode, r.Body, denied)
		}
	}
}

func TestE7OtherMethods(t *testing.T) {
	_, s := certified(t)
	for _, method := range []string{http.MethodGet, http.MethodPut, http.MethodDelete, http.MethodPatch, http.MethodHead, http.MethodOptions} {
		for _, r := range everywhere(t, s, method, full, 405) {
			if r.Header.Get("Allow") != "POST" {
				t.Errorf("%s: Allow %q, want POST", method, r.Header.Get("Allow"))
			}
		}
	}
}

func TestE8UnknownFieldsAndOrder(t *testing.T) {
	_, s := certified(t)
	for _, body := range []string{
		`{"resource":{"id":"record-1","x":1,"type":"record"},"y":{"decision":false},"action":{"x":[],"name":"read"},"subject":{"id":"alice","name":"bob","type":"user"}}`,
		strings.Replace(full, "}}", `},"page":{"x":1},"options":{"y":2},"context":{}}`, 1),
	} {
		if r := s.post(PathEvaluation, body); r.StatusCode != 200 || r.Body != allowed {
			t.Errorf("POST %s = %d %s, want %s", body, r.StatusCode, r.Body, allowed)
		}
	}
	everywhere(t, s, http.MethodPost, strings.Replace(full, "}}", `},"page":{"x":1},"options":{"y":2}}`, 1), 200)
}

func TestE9RequestID(t *testing.T) {
	_, s := certified(t)
	for _, ask := range []struct {
		method, body string
		status       int
		header       header
	}{
		{http.MethodPost, full, 200, header{"Accept", "*/*"}},
		{http.MethodPost, "{", 400, header{"Accept", "*/*"}},
		{http.MethodPost, full, 401, header{"Authorization", ""}},
		{http.MethodGet, "", 405, header{"Accept", "*/*"}},
		{http.MethodPost, full, 415, header{"Content-Type", "text/plain"}},
		{http.MethodPost, strings.Repeat(" ", 1<<20+1), 413, header{"Accept", "*/*"}},
	} {
		for _, id := range []string{"bfe9eb29-ab87-4ca3-be83-a1d5d8305716", "req_1/2:3=", strings.Repeat("x", 128)} {
			for _, r := range everywhere(t, s, ask.method, ask.body, ask.status, ask.header, header{"X-Request-ID", id}) {
				if got := r.Header.Get("X-Request-ID"); got != id {
					t.Errorf("status %d has X-Request-ID %q, want %q", ask.status, got, id)
				}
			}
		}
	}
	everywhere(t, s, http.MethodPost, full, 200, header{"X-Request-ID", ""})
}

func TestE10ResponsesAreJSON(t *testing.T) {
	_, s := certified(t)
	for body, status := range map[string]int{full: 200, "{": 400} {
		for _, r := range everywhere(t, s, http.MethodPost, body, status) {
			if r.Header.Get("Content-Type") != "application/json" || !json.Valid([]byte(r.Body)) {
				t.Errorf("status %d: %s %s, want JSON", status, r.Header.Get("Content-Type"), r.Body)
			}
		}
	}
}

func TestE11InternetJSON(t *testing.T) {
	d, s := certified(t)
	for name, body := range map[string]string{
		"subject twice":         strings.Replace(full, `"action"`, `"subject":{"type":"user","id":"bob"},"action"`, 1),
		"action twice":          strings.Replace(full, `"action"`, `"action":{"name":"write"},"action"`, 1),
		"resource twice":        strings.Replace(full, `"action"`, `"resource":{"type":"record","id":"record-2"},"action"`, 1),
		"type twice":            strings.Replace(full, `"type":"record"`, `"type":"record","type":"record"`, 1),
		"id twice":              strings.Replace(full, `"id":"record-1"`, `"id":"record-1","id":"record-2"`, 1),
		"name twice":            strings.Replace(full, `"name":"read"`, `"name":"read","name":"write"`, 1),
		"a name twice, escaped": strings.Replace(full, `"name":"read"`, `"name":"read","n\u0061me":"write"`, 1),
		"properties twice":      strings.Replace(full, `"record-1"`, `"record-1","properties":{"a":1,"a":2}`, 1),
		"invalid UTF-8":         strings.Replace(full, "record-1", "record\xff", 1),
		"an overlong encoding":  strings.Replace(full, "record-1", "record\xc0\xaf", 1),
		"a lone high surrogate": strings.Replace(full, "record-1", `\ud800`, 1),
		"a lone low surrogate":  strings.Replace(full, "record-1", `\udc00x`, 1),
		"surrogates in UTF-8":   strings.Replace(full, "record-1", "\xed\xa0\x80", 1),
	} {
		for i, r := range everywhere(t, s, http.MethodPost, body, 400) {
			if strings.Contains(r.Body, "decision") {
				t.Errorf("%s at %s = %s", name, everyPath[i], r.Body)
			}
		}
	}
	d.own(d.user("emil"), "record:\U0001F600:read")
	r := s.post(PathEvaluation, strings.NewReplacer("alice", "emil", "record-1", `\ud83d\ude00`).Replace(full))
	if r.Body != allowed {
		t.Errorf("a pair of surrogates = %d %s, want %s", r.StatusCode, r.Body, allowed)
	}
}

func TestE12Limits(t *testing.T) {
	_, s := certified(t)
	padded := func(n int) string { return full + strings.Repeat(" ", n-len(full)) }
	for _, path := range everyPath {
		limit := 64 << 10
		if path == PathEvaluations {
			limit = 1 << 20
		}
		for n, status := range map[int]int{limit: 200, limit + 1: 413} {
			if r := s.post(path, padded(n)); r.StatusCode != status {
				t.Errorf("POST %s with %d bytes = %d, want %d", path, n, r.StatusCode, status)
			}
		}
	}
	for n, status := range map[int]int{500: 200, 501: 400} {
		body := strings.Replace(full, "{", `{"evaluations":[{}`+strings.Repeat(",{}", n-1)+`],`, 1)
		if r := s.post(PathEvaluations, body); r.StatusCode != status || status == 200 && strings.Count(r.Body, "true") != n {
			t.Errorf("a batch of %d = %d %.100s, want %d", n, r.StatusCode, r.Body, status)
		}
	}
	for depth, status := range map[int]int{maxDepth - 1: 200, maxDepth: 400, 10_000: 400} {
		body := strings.Replace(full, "{", `{"x":`+strings.Repeat("[", depth)+strings.Repeat("]", depth)+`,`, 1)
		everywhere(t, s, http.MethodPost, body, status)
	}
}

func TestE13MetadataFromConfiguration(t *testing.T) {
	_, s := certified(t)
	r := s.ask(http.MethodGet, PathMetadata, "", header{"Authorization", ""}, header{"X-Forwarded-Host", "evil.example.com"}, header{"Forwarded", "host=evil.example.com"})
	var doc map[string]string
	if err := json.Unmarshal([]byte(r.Body), &doc); err != nil || r.StatusCode != 200 || len(doc) != 6 {
		t.Fatalf("GET %s = %d %s", PathMetadata, r.StatusCode, r.Body)
	}
	for key, path := range map[string]string{
		"access_evaluation_endpoint": PathEvaluation, "access_evaluations_endpoint": PathEvaluations,
		"search_subject_endpoint": PathSubjectSearch, "search_resource_endpoint": PathResourceSearch, "search_action_endpoint": PathActionSearch,
	} {
		if want := "https://pdp.example.com" + path; doc[key] != want || !strings.Contains(want, "/v1/") {
			t.Errorf("%s is %q, want %q", key, doc[key], want)
		}
	}
}

func TestE14MetadataIdentifier(t *testing.T) {
	for base, at := range map[string]string{
		"https://pdp.example.com":              PathMetadata,
		"https://pdp.example.com/":             PathMetadata,
		"https://example.com:8443/auth/usherd": PathMetadata + "/auth/usherd",
	} {
		w := certification()
		s := overHTTP(t, serveWorld(t, w, func(c *Config) { c.URL = base }))
		r := s.ask(http.MethodGet, at, "")
		var doc map[string]any
		if err := json.Unmarshal([]byte(r.Body), &doc); err != nil || r.StatusCode != 200 {
			t.Fatalf("GET %s = %d %s", at, r.StatusCode, r.Body)
		}
		if doc["policy_decision_point"] != strings.TrimRight(base, "/") || !strings.Contains(r.Header.Get("Cache-Control"), "max-age") {
			t.Errorf("the identifier of %s is %v, cached %q", base, doc["policy_decision_point"], r.Header.Get("Cache-Control"))
		}
		for key, value := range doc {
			if value == "" || value == nil {
				t.Errorf("%s has no value", key)
			}
		}
		for _, other := range []string{at + "/tenant", PathMetadata + "/other"} {
			if r := s.ask(http.MethodGet, other, ""); r.StatusCode != 404 {
				t.Errorf("GET %s = %d, want 404: there is one identifier", other, r.StatusCode)
			}
		}
	}
	for _, base := range []string{"http://pdp.example.com", "", "https://", "https://pdp.example.com/?x=1", "https://user@pdp.example.com", "https://pdp.example.com/#a"} {
		s := overHTTP(t, serveWorld(t, certification(), func(c *Config) { c.URL = base }))
		if r := s.ask(http.MethodGet, PathMetadata, ""); r.StatusCode != 404 {
			t.Errorf("metadata of %q = %d %s, want 404", base, r.StatusCode, r.Body)
		}
	}
}

// items makes a batch over defaults.
func items(defaults string, evaluations ...string) string {
	return "{" + defaults + `,"evaluations":[` + strings.Join(evaluations, ",") + `]}`
}

const (
	aliceReads1 = aliceIs + "," + reads + "," + record1
	record2     = `"resource":{"type":"record","id":"record-2"}`
	wrongItem   = `{"decision":false,"context":{"error":{"status":400,"message":"%s"}}}`
)

func answers(items ...string) string { return `{"evaluations":[` + strings.Join(items, ",") + `]}` }

func wantBody(t *testing.T, s server, path, body, want string) {
	t.Helper()
	if r := s.post(path, body); r.StatusCode != 200 || r.Body != want {
		t.Errorf("POST %s %s\n  = %d %s\nwant 200 %s", path, body, r.StatusCode, r.Body, want)
	}
}

func TestB1NoEvaluationsAreOne(t *testing.T) {
	_, s := certified(t)
	wantBody(t, s, PathEvaluations, "{"+aliceReads1+"}", allowed)
	wantBody(t, s, PathEvaluations, items(aliceReads1), allowed)
	if r := s.post(PathEvaluations, `{"evaluations":[]}`); r.StatusCode != 400 {
		t.Errorf("nothing at all = %d %s, want 400", r.StatusCode, r.Body)
	}
}

func TestB2AKeyReplacesTheDefaultWhole(t *testing.T) {
	_, s := certified(t)
	wantBody(t, s, PathEvaluations, items(aliceReads1, `{}`, `{`+bobIs+`}`, `{`+bobIs+`,`+writes+`}`, `{`+writes+`,`+record2+`}`),
		answers(allowed, allowed, denied, denied))
	wantBody(t, s, PathEvaluations, items(aliceReads1, `{"subject":{"id":"bob"}}`, `{"resource":{"id":"record-2"}}`),
		answers(fmt.Sprintf(wrongItem, "subject.type is missing"), fmt.Sprintf(wrongItem, "resource.type is missing")))
	// so does the context: the item's has no project that could be unknown
	wantBody(t, s, PathEvaluations, items(aliceReads1+`,"context":{"project":"nowhere"}`, `{}`, `{"context":{}}`, `{"context":null}`), answers(denied, allowed, allowed))
}

func TestB3DefaultsAreValidatedAfterMerging(t *testing.T) {
	_, s := certified(t)
	for _, defaults := range []string{`"resource":{}`, `"resource":7`, `"subject":{}`, `"action":{}`, `"subject":null`} {
		wantBody(t, s, PathEvaluations, items(defaults, `{`+aliceReads1+`}`, `{`+bobIs+`,`+writes+`,`+record1+`}`), answers(allowed, denied))
	}
	wantBody(t, s, PathEvaluations, `{"evaluations":[{`+aliceReads1+`}]}`, answers(allowed))
}

func TestB4AnItemThatFailsIsADeny(t *testing.T) {
	_, s := certified(t)
	wantBody(t, s, PathEvaluations, items(aliceReads1, `{}`, `{"subject":{"type":"user"}}`, `{"action":{"name":9}}`, `7`, `{}`), answers(
		allowed, fmt.Sprintf(wrongItem, "subject.id is missing"), fmt.Sprintf(wrongItem, "action.name must be a string"),
		fmt.Sprintf(wrongItem, "an evaluation must be an object"), allowed))
	wantBody(t, s, PathEvaluations, `{"evaluations":[{`+reads+`,`+record1+`}]}`, answers(fmt.Sprintf(wrongItem, "subject is missing")))
}

func TestB5Semantics(t *testing.T) {
	_, s := certified(t)
	for semantic, status := range map[string]int{
		`"execute_all"`: 200, `"deny_on_first_deny"`: 200, `"permit_on_first_permit"`: 200,
		`"any"`: 400, `""`: 400, `"EXECUTE_ALL"`: 400, `7`: 400, `null`: 400,
	} {
		body := items(aliceReads1+`,"options":{"evaluations_semantic":`+semantic+`}`, `{}`)
		if r := s.post(PathEvaluations, body); r.StatusCode != status {
			t.Errorf("evaluations_semantic %s = %d %s, want %d", semantic, r.StatusCode, r.Body, status)
		}
	}
}

func TestB6TheTriggerIsTheLast(t *testing.T) {
	_, s := certified(t)
	with := func(semantic string, list ...string) string {
		return items(aliceReads1+`,"options":{"evaluations_semantic":"`+semantic+`"}`, list...)
	}
	deny, bad := `{`+bobIs+`,`+writes+`}`, `{"subject":{"type":"user"}}`
	failed := fmt.Sprintf(wrongItem, "subject.id is missing")
	wantBody(t, s, PathEvaluations, with("execute_all", deny, bad, `{}`), answers(denied, failed, allowed))
	wantBody(t, s, PathEvaluations, with("deny_on_first_deny", `{}`, deny, `{}`), answers(allowed, denied))
	wantBody(t, s, PathEvaluations, with("deny_on_first_deny", `{}`, bad, `{}`), answers(allowed, failed))
	wantBody(t, s, PathEvaluations, with("deny_on_first_deny", `{}`, `{}`), answers(allowed, allowed))
	wantBody(t, s, PathEvaluations, with("permit_on_first_permit", deny, bad, `{}`, `{}`), answers(denied, failed, allowed))
	wantBody(t, s, PathEvaluations, with("permit_on_first_permit", deny, deny), answers(denied, denied))
}

func TestB7ItemsAreIndependent(t *testing.T) {
	_, s := certified(t)
	list := []string{`{}`, `{` + bobIs + `,` + writes + `}`, `{` + record2 + `}`, `{` + writes + `,` + record2 + `}`}
	alone := map[string]string{}
	for _, one := range list {
		r := s.post(PathEvaluations, items(aliceReads1, one))
		alone[one] = strings.TrimSuffix(strings.TrimPrefix(r.Body, `{"evaluations":[`), `]}`)
	}
	for range len(list) {
		list = append(list[1:], list[0])
		var want []string
		for _, one := range list {
			want = append(want, alone[one])
		}
		wantBody(t, s, PathEvaluations, items(aliceReads1, list...), answers(want...))
	}
}

const anyUser = `"subject":{"type":"user"}`

func TestS1ResultsOfTheSearchedTypeOnly(t *testing.T) {
	d, s := certified(t)
	carol := d.user("carol") // through a group in a group
	inner := d.group("Inner", carol)
	readers := d.group("Also readers", directoryUserOf(inner))
	d.apply(grantRole(readers, "reader"))
	wantBody(t, s, PathSubjectSearch, object(anyUser, reads, record1), entities("user", "alice", "bob", "carol"))
	for _, none := range []string{
		object(`"subject":{"type":"robot"}`, reads, record1), object(`"subject":{"type":"email"}`, reads, record1),
		object(`"subject":{"type":"external"}`, reads, record1), object(`"subject":{"type":"service"}`, reads, record1),
		object(anyUser, `"action":{"name":"fly"}`, record1), object(anyUser, reads, `"resource":{"type":"boat","id":"1"}`),
		object(anyUser, reads, `"resource":{"type":"feature","id":"none"}`),
	} {
		wantBody(t, s, PathSubjectSearch, none, `{"results":[]}`)
	}
	for path, none := range map[string]string{
		PathResourceSearch: object(`"subject":{"type":"user","id":"eve"}`, reads, records),
		PathActionSearch:   object(aliceIs, `"resource":{"type":"boat","id":"1"}`),
	} {
		wantBody(t, s, path, none, `{"results":[]}`)
	}
}

func TestS2TheSearchedIDIsIgnored(t *testing.T) {
	_, s := certified(t)
	for _, id := range []string{`"id":"bob"`, `"id":"nobody"`, `"id":""`, `"properties":{"x":1}`} {
		wantBody(t, s, PathSubjectSearch, object(`"subject":{"type":"user",`+id+`}`, reads, record1), entities("user", "alice", "bob"))
		wantBody(t, s, PathResourceSearch, object(aliceIs, reads, `"resource":{"type":"record",`+id+`}`), entities("record", "record-1", "record-2"))
	}
	for path, bodies := range map[string][]string{
		PathSubjectSearch:  {object(anyUser, reads), object(anyUser, record1), object(anyUser, reads, records), object(reads, record1), object(anyUser, `"action":{}`, record1)},
		PathResourceSearch: {object(anyUser, reads, records), object(aliceIs, records), object(aliceIs, reads), object(aliceIs, reads, `"resource":{"id":"x"}`)},
		PathActionSearch:   {object(anyUser, record1), object(aliceIs, records), object(aliceIs), object(record1)},
	} {
		for _, body := range bodies {
			if r := s.post(path, body); r.StatusCode != 400 {
				t.Errorf("POST %s %s = %d %s, want 400", path, body, r.StatusCode, r.Body)
			}
		}
	}
}

func TestS3TokensAreBoundToTheirRequest(t *testing.T) {
	_, s := certified(t)
	for path, parts := range map[string][]string{
		PathSubjectSearch:  {anyUser, reads, record1},
		PathResourceSearch: {aliceIs, reads, records},
		PathActionSearch:   {aliceIs, record1},
	} {
		page := func(token, more string) string { return fmt.Sprintf(`"page":{"limit":1,"token":%q%s}`, token, more) }
		var first searchAnswer
		r := s.post(path, object(append(slices.Clone(parts), page("", ""))...))
		if err := json.Unmarshal([]byte(r.Body), &first); err != nil || first.Page == nil || first.Page.Next == nil || *first.Page.Next == "" {
			t.Fatalf("POST %s = %d %s, want a page that is not the last", path, r.StatusCode, r.Body)
		}
		token := *first.Page.Next
		same := append(slices.Clone(parts), page(token, ""))
		slices.Reverse(same)
		if r := s.post(path, strings.ReplaceAll(object(same...), ",", " ,\n")); r.StatusCode != 200 {
			t.Errorf("POST %s, the same in another order = %d %s, want 200", path, r.StatusCode, r.Body)
		}
		refused := func(what string, r reply) {
			t.Helper()
			if r.StatusCode != 400 {
				t.Errorf("POST %s with %s = %d %s, want 400", path, what, r.StatusCode, r.Body)
			}
		}
		body := object(append(slices.Clone(parts), page(token, ""))...)
		refused("another limit", s.post(path, strings.Replace(body, `"limit":1`, `"limit":2`, 1)))
		refused("no limit", s.post(path, strings.Replace(body, `"limit":1,`, ``, 1)))
		refused("properties of the page", s.post(path, object(append(slices.Clone(parts), page(token, `,"properties":{"x":1}`))...)))
		refused("a context", s.post(path, strings.Replace(body, "{", `{"context":{"ip":"::1"},`, 1)))
		refused("properties of the resource", s.post(path, strings.Replace(body, `"record"`, `"record","properties":{"x":1}`, 1)))
		refused("another type", s.post(path, strings.Replace(body, `"record"`, `"boat"`, 1)))
		refused("another type of subject", s.post(path, strings.Replace(body, `"user"`, `"service"`, 1)))
		if path != PathActionSearch {
			refused("another action", s.post(path, strings.Replace(body, `"read"`, `"write"`, 1)))
		}
		refused("another caller", s.post(path, body, header{"Authorization", "Bearer another"}))
		for i := range token {
			tampered := token[:i] + string(rune('A'+(token[i]-'A'+1)%26)) + token[i+1:]
			refused("a token that was altered", s.post(path, strings.Replace(body, token, tampered, 1)))
		}
		refused("a token cut short", s.post(path, strings.Replace(body, token, token[:len(token)-2], 1)))
		refused("a token that is a number", s.post(path, strings.Replace(body, `"`+token+`"`, "7", 1)))
	}
	for _, page := range []string{`{"limit":-1}`, `{"limit":"1"}`, `{"limit":1.5}`, `{"limit":1e3}`, `[]`, `"x"`} {
		if r := s.post(PathSubjectSearch, object(anyUser, reads, record1, `"page":`+page)); r.StatusCode != 400 {
			t.Errorf("page %s = %d %s, want 400", page, r.StatusCode, r.Body)
		}
	}
	for _, page := range []string{`{}`, `{"limit":0}`, `{"token":""}`, `{"limit":99999999999999999999}`} {
		wantBody(t, s, PathSubjectSearch, object(anyUser, reads, record1, `"page":`+page), `{"page":{"next_token":""},`+entities("user", "alice", "bob")[1:])
	}
}

func TestS4PagesOfOneHoldAll(t *testing.T) {
	_, s := certified(t)
	pagesHold(t, s, PathSubjectSearch, object(anyUser, reads, record1), "alice", "bob")
	pagesHold(t, s, PathResourceSearch, `{`+aliceIs+`,`+reads+`,`+records+`}`, "record-1", "record-2")
	pagesHold(t, s, PathActionSearch, object(aliceIs, record1), "read", "write", "delete")
}

func TestS5TheSameTwice(t *testing.T) {
	d, s := certified(t)
	for _, name := range []string{"zoe", "ann", "mia"} { // made in another order than that of names
		d.group("Readers of "+name, d.user(name))
	}
	for _, name := range []string{"zoe", "ann", "mia"} {
		d.apply(grantRole(d.groupID("Readers of "+name), "reader"))
	}
	for path, body := range map[string]string{
		PathSubjectSearch: object(anyUser, reads, record1), PathResourceSearch: object(aliceIs, reads, records), PathActionSearch: object(aliceIs, record1),
	} {
		first := s.post(path, body)
		for range 3 {
			wantBody(t, s, path, body, first.Body)
		}
	}
	wantBody(t, s, PathSubjectSearch, object(anyUser, reads, record1), entities("user", "alice", "ann", "bob", "mia", "zoe"))
}
