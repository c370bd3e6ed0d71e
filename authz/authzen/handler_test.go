package authzen

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/usherd/usherd/authz"
	"github.com/usherd/usherd/directory"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// evaluator answers by a function of one query.
type evaluator func(q *Query) (Answer, error)

var now = Point{directory.Stamp{Revision: 12, Fingerprint: 0xabc}, 3 * time.Millisecond}

func (f evaluator) Evaluate(_ context.Context, atLeast directory.Stamp, queries []Query, answers []Answer) (Point, error) {
	switch {
	case atLeast.Revision == 99:
		return Point{}, fmt.Errorf("looking: %w", directory.ErrHistoryLost)
	case atLeast.Revision > now.Stamp.Revision:
		return Point{}, again{}
	}
	for i := range queries {
		var err error
		if answers[i], err = f(&queries[i]); err != nil {
			return Point{}, err
		}
	}
	return now, nil
}

// again is an error that may not come again.
type again struct{}

func (again) Error() string             { return "stale" }
func (again) RetryAfter() time.Duration { return 1500 * time.Millisecond }

// fixture decides as the AuthZEN certification scenario's Core rules do.
func fixture(q *Query) (Answer, error) {
	may := map[string]string{"alice": "read write", "bob": "read"}[q.Subject.Value]
	if q.Request.Type == "record" && q.Request.ID == "broken" {
		return Answer{Err: errors.New("dial tcp 10.0.0.7: refused")}, nil
	}
	if q.Request.Type == "record" && slices.Contains(strings.Fields(may), q.Request.Action) {
		return Answer{Decision: authz.Decision{Allow: true, Code: authz.Granted}, Path: []string{"user alice", "group \"eng\""}}, nil
	}
	return Answer{Decision: authz.Decision{Code: authz.NoGrant}}, nil
}

// callers authenticates by a name in place of a token.
type callers map[string]*Caller

func (c callers) Authenticate(r *http.Request) (*Caller, error) {
	name, ok := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer ")
	switch by := c[name]; {
	case name == "unready":
		return nil, again{}
	case !ok || by == nil:
		return nil, fmt.Errorf("token %q: %w", name, ErrUnauthenticated)
	default:
		return by, nil
	}
}

var everybody = callers{
	"app":      CallerOf(directory.Token{ID: "1"}),
	"searcher": CallerOf(directory.Token{ID: "2", Scopes: []string{ScopeSearch}}),
	"records":  CallerOf(directory.Token{ID: "3", Scopes: []string{ScopeEvaluate, "type:record", "feature:part-list"}}),
	"limited":  CallerOf(directory.Token{ID: "4", Scopes: []string{"type:record"}}),
}

func serve(t testing.TB, ev Evaluator, alter func(*Config)) http.Handler {
	t.Helper()
	cfg := Config{Evaluator: ev, Authenticator: everybody}
	if alter != nil {
		alter(&cfg)
	}
	h, err := New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	mux := http.NewServeMux()
	h.Register(mux)
	return mux
}

// A reply is what came back.
type reply struct {
	StatusCode int
	Header     http.Header
	Body       string
}

// do lets h answer r.
func do(h http.Handler, r *http.Request) reply {
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return reply{w.Code, w.Header(), w.Body.String()}
}

// post sends body as the application "app" does.
func post(t testing.TB, h http.Handler, path, body string, alter func(*http.Request)) reply {
	t.Helper()
	r := httptest.NewRequest(http.MethodPost, path, strings.NewReader(body))
	r.Header.Set("Content-Type", "application/json")
	r.Header.Set("Authorization", "Bearer app")
	if alter != nil {
		alter(r)
	}
	return do(h, r)
}

func TestEvaluation(t *testing.T) {
	h := serve(t, evaluator(fixture), nil)
	sub := func(old, new string) string { return strings.Replace(valid, old, new, 1) }
	tests := []struct {
		name, body string
		status     int
		want       string
	}{
		{"an allow is exactly this", valid, 200, `{"decision":true}`},
		{"a deny is an answer", sub("alice", "bob2"), 200, `{"decision":false}`},
		{"an unknown action is a deny", sub("read", "fly"), 200, `{"decision":false}`},
		{
			"reasons when they are wanted", sub("}}", `},"context":{"reason":true}}`), 200,
			`{"decision":true,"context":{"reason":{"code":"granted","path":["user alice","group \"eng\""]},"revision":"12-0000000000000abc","age_ms":3}}`,
		},
		{
			"reasons of a deny", strings.Replace(sub("}}", `},"context":{"reason":true}}`), "read", "fly", 1), 200,
			`{"decision":false,"context":{"reason":{"code":"no_grant"},"revision":"12-0000000000000abc","age_ms":3}}`,
		},
		{"a member is missing", sub(`"type":"user",`, ``), 400, `"subject.type is missing"` + "\n"},
		{"malformed JSON", "{", 400, `"the body is not valid JSON: a name in double quotes is missing at byte 1"` + "\n"},
		{"an internal error is no decision", sub("record-1", "broken"), 500, `"there is no answer"` + "\n"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			r := post(t, h, PathEvaluation, tt.body, nil)
			got := r.Body
			if r.StatusCode != tt.status || got != tt.want || r.Header.Get("Content-Type") != "application/json" {
				t.Errorf("POST %s = %d %s (%s), want %d %s", tt.body, r.StatusCode, got, r.Header.Get("Content-Type"), tt.status, tt.want)
			}
			if !json.Valid([]byte(got)) {
				t.Errorf("POST %s = %s, which is no JSON", tt.body, got)
			}
			if rev := r.Header.Get("Usherd-Revision"); (rev == now.Stamp.String()) != (tt.status == 200) {
				t.Errorf("POST %s has Usherd-Revision %q with status %d", tt.body, rev, tt.status)
			}
		})
	}
}

func TestHTTP(t *testing.T) {
	h := serve(t, evaluator(fixture), nil)
	header := func(name string, values ...string) func(*http.Request) {
		return func(r *http.Request) {
			r.Header.Del(name)
			for _, v := range values {
				r.Header.Add(name, v)
			}
		}
	}
	bearer := func(token string) func(*http.Request) {
		return func(r *http.Request) { r.Header.Set("Authorization", "Bearer "+token) }
	}
	tests := []struct {
		name   string
		alter  func(*http.Request)
		status int
	}{
		{"as it should be", nil, 200},
		{"a charset", header("Content-Type", "application/json; charset=utf-8"), 200},
		{"a charset in capitals", header("Content-Type", `Application/JSON;charset="UTF-8"`), 200},
		{"another charset", header("Content-Type", "application/json; charset=latin1"), 415},
		{"plain text", header("Content-Type", "text/plain"), 415},
		{"no content type", header("Content-Type"), 415},
		{"two content types", header("Content-Type", "application/json", "text/plain"), 415},
		{"a compressed body", header("Content-Encoding", "gzip"), 415},
		{"GET", func(r *http.Request) { r.Method = http.MethodGet }, 405},
		{"PUT", func(r *http.Request) { r.Method = http.MethodPut }, 405},
		{"no credentials", header("Authorization"), 401},
		{"a token that nobody knows", bearer("eve"), 401},
		{"tokens can't be looked up now", bearer("unready"), 503},
		{"a token of another scope", bearer("searcher"), 403},
		{"a token that is limited to this", bearer("records"), 200},
		{"a limit alone is for evaluation", bearer("limited"), 200},
		{"a revision that is reached", header("Usherd-At-Least", now.Stamp.String()), 200},
		{"a revision that is not reached", header("Usherd-At-Least", "13-0000000000000abc"), 503},
		{"a revision of a lost history", header("Usherd-At-Least", "99-0000000000000abc"), 409},
		{"no revision at all", header("Usherd-At-Least", "12"), 400},
		{"two revisions", header("Usherd-At-Least", now.Stamp.String(), now.Stamp.String()), 400},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			r := post(t, h, PathEvaluation, valid, func(r *http.Request) {
				r.Header.Set("X-Request-ID", "a-1")
				if tt.alter != nil {
					tt.alter(r)
				}
			})
			if r.StatusCode != tt.status {
				t.Errorf("status %d %s, want %d", r.StatusCode, r.Body, tt.status)
			}
			if r.Header.Get("X-Request-ID") != "a-1" || r.Header.Get("Content-Type") != "application/json" {
				t.Errorf("headers %v, want the request's id and JSON whatever the status", r.Header)
			}
			for name, on := range map[string]int{"Retry-After": 503, "WWW-Authenticate": 401, "Allow": 405} {
				if (r.Header.Get(name) != "") != (tt.status == on) {
					t.Errorf("status %d with %s: %q", tt.status, name, r.Header.Get(name))
				}
			}
		})
	}
	if r := post(t, h, PathEvaluation, valid, header("Usherd-At-Least", "13-0000000000000abc")); r.Header.Get("Retry-After") != "2" {
		t.Errorf("Retry-After %q, want 2: seconds, rounded up", r.Header.Get("Retry-After"))
	}
	if r := post(t, h, PathEvaluation, valid, header("Usherd-At-Least", "99-0000000000000abc")); r.Body != "\"revision_lost\"\n" {
		t.Error("the body of a 409 does not say revision_lost")
	}
	if r := post(t, h, PathEvaluation, valid, header("X-Request-Id", "a\x7fb")); r.Header.Get("X-Request-Id") != "" || r.StatusCode != 200 {
		t.Errorf("a request id that is no text is repeated: %q", r.Header.Get("X-Request-Id"))
	}
}

// Who is not known learns nothing of what would be wrong with the request.
func TestTheCallerComesFirst(t *testing.T) {
	h := serve(t, evaluator(fixture), nil)
	body := &countingReader{Reader: strings.NewReader("{")}
	r := httptest.NewRequest(http.MethodPost, PathEvaluation, body)
	r.ContentLength = 1 << 40
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	if w.Code != 401 || body.n > 0 {
		t.Errorf("status %d after %d reads, want 401 after none", w.Code, body.n)
	}
}

type countingReader struct {
	io.Reader
	n int
}

func (c *countingReader) Read(p []byte) (int, error) { c.n++; return c.Reader.Read(p) }

func TestBodyLimits(t *testing.T) {
	h := serve(t, evaluator(fixture), func(c *Config) { c.MaxBody, c.MaxBatchBody = 1000, 2000 })
	padded := func(n int) string { return valid + strings.Repeat(" ", n-len(valid)) }
	for _, tt := range []struct {
		path   string
		bytes  int
		status int
	}{{PathEvaluation, 999, 200}, {PathEvaluation, 1000, 200}, {PathEvaluation, 1001, 413}, {PathEvaluations, 2000, 200}, {PathEvaluations, 2001, 413}} {
		for _, chunked := range []bool{false, true} {
			r := post(t, h, tt.path, padded(tt.bytes), func(r *http.Request) {
				if chunked {
					r.ContentLength = -1
				}
			})
			if r.StatusCode != tt.status {
				t.Errorf("%s with %d bytes, chunked %v: status %d, want %d", tt.path, tt.bytes, chunked, r.StatusCode, tt.status)
			}
		}
	}
}

func TestATokenLimitedToResources(t *testing.T) {
	h := serve(t, evaluator(fixture), nil)
	for _, tt := range []struct {
		typ, id string
		status  int
	}{{"record", "record-1", 200}, {"feature", "part-list", 200}, {"feature", "orders", 403}, {"output", "part-list", 403}} {
		body := fmt.Sprintf(`{"subject":{"type":"user","id":"alice"},"action":{"name":"read"},"resource":{"type":%q,"id":%q}}`, tt.typ, tt.id)
		r := post(t, h, PathEvaluation, body, func(r *http.Request) { r.Header.Set("Authorization", "Bearer records") })
		if r.StatusCode != tt.status {
			t.Errorf("%s %s: status %d, want %d", tt.typ, tt.id, r.StatusCode, tt.status)
		}
	}
}

func TestEvaluations(t *testing.T) {
	h := serve(t, evaluator(fixture), func(c *Config) { c.MaxBatch = 5 })
	const (
		yes   = `{"decision":true}`
		no    = `{"decision":false}`
		alice = `"subject":{"type":"user","id":"alice"}`
		read1 = `"action":{"name":"read"}`
		write = `"action":{"name":"write"}`
		bob   = `"subject":{"type":"user","id":"bob"}`
		rec   = `"resource":{"type":"record","id":"record-1"}`
		rest  = alice + `,` + read1 + `,` + rec
	)
	fault := func(status int, text string) string {
		return fmt.Sprintf(`{"decision":false,"context":{"error":{"status":%d,"message":%q}}}`, status, text)
	}
	list := func(items ...string) string { return `{"evaluations":[` + strings.Join(items, ",") + `]}` }
	refused := func(text string) string { return fmt.Sprintf("%q\n", text) }
	tests := []struct {
		name, body string
		status     int
		want       string
	}{
		{"no evaluations are one evaluation", `{` + rest + `}`, 200, yes},
		{"an empty list is one evaluation", `{` + rest + `,"evaluations":[]}`, 200, yes},
		{"null is no list", `{` + rest + `,"evaluations":null}`, 200, yes},
		{"a key of an item replaces the default whole", `{` + rest + `,"evaluations":[{},{` + bob + `,` + write + `},{` + write + `}]}`, 200, list(yes, no, yes)},
		{"members are not merged", `{` + rest + `,"evaluations":[{"resource":{"id":"record-2"}},{}]}`, 200, list(fault(400, "resource.type is missing"), yes)},
		{"defaults may be incomplete", `{"resource":{},"evaluations":[{` + rest + `}]}`, 200, list(yes)},
		{"defaults may be of the wrong type", `{"resource":7,"evaluations":[{` + rest + `},{` + alice + `,` + read1 + `}]}`, 200, list(yes, fault(400, "resource must be an object"))},
		{"defaults may be absent", `{"evaluations":[{` + rest + `},{` + rest + `}]}`, 200, list(yes, yes)},
		{"items before defaults", `{"evaluations":[{},{` + bob + `}],` + rest + `}`, 200, list(yes, yes)},
		{"a lone item that can't be resolved", `{"evaluations":[{` + read1 + `,` + rec + `}]}`, 200, list(fault(400, "subject is missing"))},
		{"an item that is no object", `{` + rest + `,"evaluations":[7,{}]}`, 200, list(fault(400, "an evaluation must be an object"), yes)},
		{"an item that fails is a deny, others go on", `{` + rest + `,"evaluations":[{},{"resource":{"type":"record","id":"broken"}},{}]}`, 200, list(yes, fault(500, "there is no answer"), yes)},
		{"reasons of one item", `{` + rest + `,"evaluations":[{"context":{"reason":true},` + bob + `,` + write + `},{}]}`, 200, list(`{"decision":false,"context":{"reason":{"code":"no_grant"},"revision":"12-0000000000000abc","age_ms":3}}`, yes)},
		{"execute_all", `{` + rest + `,"evaluations":[{` + bob + `,` + write + `},{}],"options":{"evaluations_semantic":"execute_all"}}`, 200, list(no, yes)},
		{"unknown options", `{` + rest + `,"evaluations":[{}],"options":{"x":1}}`, 200, list(yes)},
		{"deny_on_first_deny ends after the deny", `{` + rest + `,"evaluations":[{},{` + bob + `,` + write + `},{}],"options":{"evaluations_semantic":"deny_on_first_deny"}}`, 200, list(yes, no)},
		{"deny_on_first_deny ends after an error", `{` + rest + `,"evaluations":[{},{"subject":{}},{}],"options":{"evaluations_semantic":"deny_on_first_deny"}}`, 200, list(yes, fault(400, "subject.type is missing"))},
		{"deny_on_first_deny of allows", `{` + rest + `,"evaluations":[{},{}],"options":{"evaluations_semantic":"deny_on_first_deny"}}`, 200, list(yes, yes)},
		{"permit_on_first_permit ends after the permit", `{` + rest + `,"evaluations":[{` + bob + `,` + write + `},{"subject":{}},{},{}],"options":{"evaluations_semantic":"permit_on_first_permit"}}`, 200, list(no, fault(400, "subject.type is missing"), yes)},
		{"an unknown semantic", `{` + rest + `,"evaluations":[{}],"options":{"evaluations_semantic":"any"}}`, 400, refused("options.evaluations_semantic must be execute_all, deny_on_first_deny or permit_on_first_permit")},
		{"a list that is none", `{` + rest + `,"evaluations":{}}`, 400, refused("evaluations must be an array")},
		{"as many as allowed", `{` + rest + `,"evaluations":[{},{},{},{},{}]}`, 200, list(yes, yes, yes, yes, yes)},
		{"too many", `{` + rest + `,"evaluations":[{},{},{},{},{},{}]}`, 400, refused("there are too many evaluations")},
		{"an item with a name twice", `{` + rest + `,"evaluations":[{` + alice + `,` + bob + `}]}`, 400, ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			r := post(t, h, PathEvaluations, tt.body, nil)
			got := r.Body
			if r.StatusCode != tt.status || tt.want != "" && got != tt.want {
				t.Errorf("POST %s = %d %s, want %d %s", tt.body, r.StatusCode, got, tt.status, tt.want)
			}
			if !json.Valid([]byte(got)) {
				t.Errorf("POST %s = %s, which is no JSON", tt.body, got)
			}
		})
	}
	limited := post(t, h, PathEvaluations, `{`+rest+`,"evaluations":[{},{"resource":{"type":"output","id":"x"}}]}`,
		func(r *http.Request) { r.Header.Set("Authorization", "Bearer records") })
	if got, want := limited.Body, list(yes, fault(403, "the token does not allow to ask this")); got != want {
		t.Errorf("a batch beyond the token's limits = %s, want %s", got, want)
	}
}

// A call's memory is used again: nothing of one request may show in another.
func TestCallsShareNothing(t *testing.T) {
	h := serve(t, evaluator(fixture), nil)
	bodies := []string{
		valid, strings.Replace(valid, "alice", "bob", 1), `{"subject":{"type":"user"}}`, `{`, "",
		`{"evaluations":[` + valid + `,` + strings.Replace(valid, "read", "fly", 1) + `,7]}`, `{"evaluations":[{}]}`,
		strings.Replace(valid, "}}", `},"context":{"reason":true}}`, 1),
	}
	type result struct{ path, body, want string }
	var all []result
	for _, path := range []string{PathEvaluation, PathEvaluations} {
		for _, b := range bodies {
			all = append(all, result{path, b, post(t, serve(t, evaluator(fixture), nil), path, b, nil).Body})
		}
	}
	for i := range 20 * len(all) {
		a := all[i*7%len(all)]
		if got := post(t, h, a.path, a.body, nil).Body; got != a.want {
			t.Fatalf("POST %s %s = %s after others, want %s", a.path, a.body, got, a.want)
		}
	}
}

func TestRecordIsToldOfEveryDecision(t *testing.T) {
	var told []string
	h := serve(t, evaluator(fixture), func(c *Config) {
		c.Record = func(_ context.Context, by *Caller, q *Query, a *Answer, p Point) {
			told = append(told, fmt.Sprintf("%s %s %v %d", by.ID, q.Request.Action, a.Decision.Allow, p.Stamp.Revision))
		}
	})
	post(t, h, PathEvaluation, valid, nil)
	post(t, h, PathEvaluation, "{", nil)
	if want := []string{"1 read true 12"}; !slices.Equal(told, want) {
		t.Errorf("Record was told %q, want %q", told, want)
	}
}

func TestNewNamesWhatIsMissing(t *testing.T) {
	if _, err := New(Config{}); err == nil {
		t.Error("New(empty) = nil, want an error")
	}
}
