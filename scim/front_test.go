package scim

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/usherd/usherd/directory"
)

// unread is a body that nobody may read.
type unread struct{ t *testing.T }

func (u unread) Read([]byte) (int, error) {
	u.t.Error("the body was read before the token was known to be good")
	return 0, io.EOF
}

func TestNoRouteWithoutToken(t *testing.T) {
	s := start(t)
	routes := []string{
		"GET /", "POST /.search", "POST /Bulk", "GET /Me", "GET /ServiceProviderConfig", "GET /Schemas", "GET /Schemas/x",
		"GET /ResourceTypes", "GET /ResourceTypes/x", "GET /Nope", "OPTIONS /Users", "HEAD /Users",
	}
	for _, r := range []string{"Users", "Groups"} {
		routes = append(routes, "GET /"+r, "POST /"+r, "POST /"+r+"/.search", "GET /"+r+"/x", "PUT /"+r+"/x", "PATCH /"+r+"/x", "DELETE /"+r+"/x")
	}
	for claim, headers := range map[string][]string{
		"no header":             nil,
		"an empty header":       {""},
		"an empty token":        {"Bearer "},
		"the word null":         {"Bearer null"},
		"another scheme":        {"Basic token-okta"},
		"a token without word":  {"token-okta"},
		"another source's":      {"Bearer token-entra"},
		"a token and more":      {"Bearer token-okta x"},
		"a token cut short":     {"Bearer token-okt"},
		"two headers":           {"Bearer token-okta", "Bearer token-okta"},
		"a list of credentials": {"Bearer token-okta, Bearer token-okta"},
	} {
		for _, route := range routes {
			method, path, _ := strings.Cut(route, " ")
			req := httptest.NewRequest(method, "/scim/okta/v2"+path+"?access_token=token-okta", unread{t})
			for _, v := range headers {
				req.Header.Add("Authorization", v)
			}
			w := httptest.NewRecorder()
			s.handler.ServeHTTP(w, req)
			if w.Code != 401 || w.Header().Get("WWW-Authenticate") == "" || !strings.Contains(w.Body.String(), `"detail"`) && method != "HEAD" {
				t.Errorf("%s with %s = %d %s, want a SCIM 401", route, claim, w.Code, w.Body)
			}
		}
	}
	if n := len(s.log); n != 0 {
		t.Errorf("%d entries in the provisioning log, want none: anybody could fill it", n)
	}
}

func TestUnknownSourcesAnswerAsWrongTokens(t *testing.T) {
	s := start(t)
	for _, path := range []string{"/scim/nobody/v2/Users", "/scim/", "/scim/okta", "/scim//v2/Users", "/scim/okta/v1/Users"} {
		req := httptest.NewRequest("GET", path, nil)
		req.Header.Set("Authorization", "Bearer token-nobody")
		w := httptest.NewRecorder()
		s.handler.ServeHTTP(w, req)
		if w.Code != 401 {
			t.Errorf("GET %s = %d, want 401", path, w.Code)
		}
	}
	req := httptest.NewRequest("GET", "/scim/okta/v1/Users", nil)
	req.Header.Set("Authorization", "bearer token-okta")
	w := httptest.NewRecorder()
	s.handler.ServeHTTP(w, req)
	if w.Code != 404 {
		t.Errorf("GET of another version = %d, want 404", w.Code)
	}
}

type authFunc func(context.Context, directory.SourceName, string) (Caller, error)

func (f authFunc) Authenticate(ctx context.Context, s directory.SourceName, b string) (Caller, error) {
	return f(ctx, s, b)
}

func TestNoAnswerIsNoAdmission(t *testing.T) {
	src := directory.Source{Name: "okta", Kind: directory.KindSCIM, State: directory.SourceActive}
	for _, c := range []struct {
		claim string
		auth  authFunc
		want  int
		retry bool
	}{
		{"an authenticator that fails", func(context.Context, directory.SourceName, string) (Caller, error) {
			return Caller{}, errors.New("down")
		}, 503, true},
		{"a caller of another source", func(context.Context, directory.SourceName, string) (Caller, error) {
			return Caller{Source: directory.Source{Name: "entra", Kind: directory.KindSCIM, State: directory.SourceActive}}, nil
		}, 401, false},
		{"a source of another kind", func(context.Context, directory.SourceName, string) (Caller, error) {
			return Caller{Source: directory.Source{Name: "okta", Kind: directory.KindLDAP, State: directory.SourceActive}}, nil
		}, 401, false},
		{"a paused source", func(context.Context, directory.SourceName, string) (Caller, error) {
			paused := src
			paused.State = directory.SourcePaused
			return Caller{Source: paused}, nil
		}, 503, true},
		{"a removed source", func(context.Context, directory.SourceName, string) (Caller, error) {
			removed := src
			removed.State = directory.SourceRemoved
			return Caller{Source: removed}, nil
		}, 401, false},
		{"a disabled source is still told", func(context.Context, directory.SourceName, string) (Caller, error) {
			disabled := src
			disabled.State = directory.SourceDisabled
			return Caller{Source: disabled}, nil
		}, 200, false},
		{"an authenticator that panics", func(context.Context, directory.SourceName, string) (Caller, error) {
			panic("bug")
		}, 500, false},
	} {
		s := start(t, func(cfg *Config) { cfg.Auth = c.auth })
		r := s.do("GET", "/Users", "")
		if r.status != c.want || (r.header.Get("Retry-After") != "") != c.retry {
			t.Errorf("%s: status %d, Retry-After %q, want %d", c.claim, r.status, r.header.Get("Retry-After"), c.want)
		}
		if strings.Contains(r.raw, "down") || strings.Contains(r.raw, "bug") {
			t.Errorf("%s: the cause is in the answer: %s", c.claim, r.raw)
		}
	}
}

func TestLimits(t *testing.T) {
	s := start(t, func(cfg *Config) {
		cfg.Limits = Limits{UserBody: 400, GroupBody: 2000, Operations: 3, Members: 4, Page: 2, MaxPage: 3}
	})
	user := func(name string, size int) string {
		head := `{"schemas":[],"userName":"` + name + `","title":"`
		return head + strings.Repeat("x", size-len(head)-2) + `"}`
	}
	for _, size := range []int{399, 400} {
		s.do("POST", "/Users", user(fmt.Sprint("u", size), size)).want(t, fmt.Sprint(size, " bytes of user"), 201)
	}
	r := s.do("POST", "/Users", user("u401", 401)).want(t, "401 bytes of user", 413)
	if !strings.Contains(fmt.Sprint(r.at("detail")), "400") {
		t.Errorf("detail %v does not say the limit", r.at("detail"))
	}
	group := func(name string, members int) string {
		list := make([]string, members)
		for i := range list {
			list[i] = fmt.Sprintf(`{"value":"%s-%d"}`, name, i)
		}
		return `{"schemas":[],"displayName":"` + name + `","members":[` + strings.Join(list, ",") + `]}`
	}
	s.do("POST", "/Groups", group("g3", 3)).want(t, "3 members", 201)
	r = s.do("POST", "/Groups", group("g4", 4)).want(t, "4 members", 201)
	s.do("POST", "/Groups", group("g5", 5)).want(t, "5 members", 413)
	path := "/Groups/" + fmt.Sprint(r.at("id"))
	ops := func(n, each int) string {
		list := make([]string, n)
		for i := range list {
			values := make([]string, each)
			for j := range values {
				values[j] = fmt.Sprintf(`{"value":"o-%d-%d"}`, i, j)
			}
			list[i] = `{"op":"add","path":"members","value":[` + strings.Join(values, ",") + `]}`
		}
		return `{"Operations":[` + strings.Join(list, ",") + `]}`
	}
	s.do("PATCH", path, ops(2, 1)).want(t, "2 operations", 200)
	s.do("PATCH", path, ops(3, 1)).want(t, "3 operations", 200)
	s.do("PATCH", path, ops(4, 1)).want(t, "4 operations", 413)
	s.do("PATCH", path, ops(2, 2)).want(t, "4 members in operations", 200)
	s.do("PATCH", path, ops(1, 5)).want(t, "5 members in an operation", 413)
	s.do("POST", "/Bulk", `{"Operations":[{},{},{}]}`).want(t, "a bulk of 3", 200)
	s.do("POST", "/Bulk", `{"Operations":[{},{},{},{}]}`).want(t, "a bulk of 4", 413)

	for query, want := range map[string]int{"": 2, "?count=1": 1, "?count=3": 3, "?count=4": 3} {
		for _, n := range []string{"a", "b"} {
			s.do("POST", "/Users", `{"schemas":[],"userName":"page-`+n+`"}`) // 4 users in all
		}
		r := s.do("GET", "/Users"+query, "").want(t, "list"+query, 200)
		if got := len(r.at("Resources").([]any)); got != want {
			t.Errorf("GET /Users%s returns %d, want %d", query, got, want)
		}
	}
}

func TestEmailsAreLimited(t *testing.T) {
	s := start(t, func(cfg *Config) { cfg.Limits.Emails = 3 })
	user := func(n int) string {
		list := make([]string, n)
		for i := range list {
			list[i] = fmt.Sprintf(`{"value":"a%d@corp.test"}`, i)
		}
		return fmt.Sprintf(`{"schemas":[],"userName":"has%d","emails":[%s]}`, n, strings.Join(list, ","))
	}
	s.do("POST", "/Users", user(2)).want(t, "2 e-mail addresses", 201)
	path := "/Users/" + fmt.Sprint(s.do("POST", "/Users", user(3)).want(t, "3 e-mail addresses", 201).at("id"))
	for _, r := range []reply{
		s.do("POST", "/Users", user(4)), s.do("PUT", path, user(4)),
		s.do("PATCH", path, `{"Operations":[{"op":"add","path":"emails","value":[{"value":"one@corp.test"}]}]}`),
	} {
		if r.status != 400 || r.at("scimType") != "invalidValue" || !strings.Contains(fmt.Sprint(r.at("detail")), "limit is 3") {
			t.Errorf("4 e-mail addresses = %d %s, want a 400 with the limit", r.status, r.raw)
		}
	}
}

func TestScanIsLimited(t *testing.T) {
	s := start(t, func(cfg *Config) { cfg.Limits.Scan = 3 })
	for i := range 3 {
		s.do("POST", "/Users", fmt.Sprintf(`{"schemas":[],"userName":"scan%d"}`, i)).want(t, "POST", 201)
	}
	s.do("GET", "/Users?filter=title%20pr", "").want(t, "a scan at the limit", 200)
	s.do("POST", "/Users", `{"schemas":[],"userName":"scan3"}`).want(t, "POST", 201)
	r := s.do("GET", "/Users?filter=title%20pr", "").want(t, "a scan over the limit", 400)
	if r.at("scimType") != "tooMany" {
		t.Errorf("scimType %v, want tooMany", r.at("scimType"))
	}
	s.do("GET", "/Users?filter=userName%20eq%20%22scan1%22", "").want(t, "an indexed filter", 200)
}

func TestSelectionsOfMembersAreLimited(t *testing.T) {
	s := start(t)
	group := s.do("POST", "/Groups", `{"displayName":"eng","members":[{"value":"later"}]}`).want(t, "a group", 201).at("id").(string)
	ops := func(n int) string {
		one := `{"op":"remove","path":"members[display eq \"nobody\"]"}`
		return `{"Operations":[` + strings.TrimSuffix(strings.Repeat(one+",", n), ",") + `]}`
	}
	s.do("PATCH", "/Groups/"+group, ops(maxSelections)).want(t, "as many as may be", 200)
	s.do("PATCH", "/Groups/"+group, ops(maxSelections+1)).want(t, "one more", 413)
	late := `{"Operations":[{"op":"add","path":"members","value":[{"value":"a"}]},{"op":"remove","path":"members[%s]"}]}`
	s.do("PATCH", "/Groups/"+group, fmt.Sprintf(late, `value sw \"a\"`)).want(t, "of a value that the request adds", 200)
	s.do("PATCH", "/Groups/"+group, fmt.Sprintf(late, `type eq \"User\"`)).want(t, "of who is not known yet", 400)
}

func TestBodyCutShortIsNoBody(t *testing.T) {
	s := start(t)
	body := `{"schemas":[],"userName":"cut"}`
	req := httptest.NewRequest("POST", "/scim/okta/v2/Users", io.MultiReader(strings.NewReader(body), errorReader{}))
	req.ContentLength = int64(len(body)) + 5
	req.Header.Set("Authorization", "Bearer token-okta")
	req.Header.Set("Content-Type", "application/json")
	w := httptest.NewRecorder()
	s.handler.ServeHTTP(w, req)
	if w.Code != 400 {
		t.Errorf("POST of a body that breaks off = %d, want 400", w.Code)
	}
	if r := s.do("GET", "/Users?filter=userName%20eq%20%22cut%22", ""); fmt.Sprint(r.at("totalResults")) != "0" {
		t.Errorf("a body that broke off made a user: %s", r.raw)
	}
}

type errorReader struct{}

func (errorReader) Read([]byte) (int, error) { return 0, io.ErrUnexpectedEOF }

type applyFunc func(context.Context, directory.Actor, ...directory.Change) (directory.Applied, error)

func (f applyFunc) Apply(ctx context.Context, by directory.Actor, cs ...directory.Change) (directory.Applied, error) {
	return f(ctx, by, cs...)
}

func TestBusySourceIsSlowedThenRefused(t *testing.T) {
	entered, release := make(chan struct{}), make(chan struct{})
	s := start(t, func(cfg *Config) {
		next := cfg.Apply
		cfg.Limits = Limits{Requests: 1, Wait: 20 * time.Millisecond}
		cfg.Apply = applyFunc(func(ctx context.Context, by directory.Actor, cs ...directory.Change) (directory.Applied, error) {
			close(entered)
			<-release
			return next.Apply(ctx, by, cs...)
		})
	})
	done := make(chan reply)
	go func() { done <- s.do("POST", "/Users", `{"schemas":[],"userName":"slow"}`) }()
	<-entered
	r := s.do("GET", "/Users", "")
	if r.status != 429 || r.header.Get("Retry-After") != "1" || r.at("status") != "429" {
		t.Errorf("a request beyond the share = %d, Retry-After %q, %s", r.status, r.header.Get("Retry-After"), r.raw)
	}
	if r := s.as("entra", "GET", "/Users", ""); r.status != 200 {
		t.Errorf("another source = %d, want 200: shares are apart", r.status)
	}
	close(release)
	(<-done).want(t, "the request before", 201)
	s.do("GET", "/Users", "").want(t, "afterwards", 200)
}

func TestProvisioningLog(t *testing.T) {
	s := start(t)
	s.do("POST", "/Users", `{"schemas":[],"userName":"log","password":"canary-secret","active":"True"}`, "X-Request-Id", "req-7", "User-Agent", "Okta SCIM Client 1.0.0")
	e := s.lastLog()
	if e.ID != "req-7" || e.Source != "okta" || e.Method != "POST" || e.Status != 201 || e.Revision == 0 || e.Agent != "Okta SCIM Client 1.0.0" {
		t.Errorf("entry = %+v", e)
	}
	if string(e.Body) != `{"active":true,"userName":"log"}` || fmt.Sprint(e.Quirks) != "[active string to boolean]" {
		t.Errorf("body %s, quirks %q", e.Body, e.Quirks)
	}
	r := s.do("PATCH", "/Users/none", `{"Operations":[{"op":"Replace","path":"password","value":"canary-secret"},{"op":"replace","path":"title","value":"T"}]}`)
	e = s.lastLog()
	if e.Status != 404 || e.Detail == "" || string(e.Body) != `[{"op":"replace","path":"title","value":"T"}]` || r.header.Get("X-Request-Id") != e.ID {
		t.Errorf("entry = %+v, body %s", e, e.Body)
	}
	s.do("POST", "/Users", `{"schemas":[],"userName":"x","password":"canary-secret",}`, "X-Request-Id", "bad id\"")
	if e = s.lastLog(); e.Status != 400 || !directory.IsID(e.ID) {
		t.Errorf("entry = %+v", e)
	}
	members := make([]string, 300)
	for i := range members {
		members[i] = fmt.Sprintf(`"m%d"`, i)
	}
	s.do("POST", "/Groups", `{"schemas":[],"displayName":"long","members":[`+strings.Join(members, ",")+`]}`).want(t, "POST", 201)
	if e = s.lastLog(); !strings.Contains(string(e.Body), `"count":300`) {
		t.Errorf("a long list is logged as %.200s", e.Body)
	}
	for _, e := range s.log {
		if strings.Contains(fmt.Sprintf("%+v %s", e, e.Body), "canary") {
			t.Errorf("a password is in the log: %+v", e)
		}
	}
}

func TestErrorsEchoLittle(t *testing.T) {
	s := start(t)
	long := strings.Repeat("x", 1500)
	for _, r := range []reply{
		s.do("GET", "/Users/"+long, ""),
		s.do("GET", "/Users?filter="+long+"%20eq%20%22a%22", ""),
		s.do("GET", "/Users?sortBy="+long, ""),
		s.do("PATCH", "/Users/x", `{"Operations":[{"op":"add","path":"`+long+`","value":1}]}`),
		s.do("POST", "/Users", `{"`+long+`":1,"`+long+`":2}`),
	} {
		if r.status < 400 || len(r.raw) > 500 {
			t.Errorf("status %d with %d bytes: %.200s", r.status, len(r.raw), r.raw)
		}
	}
}

func TestNewReportsEveryFault(t *testing.T) {
	_, err := New(Config{URL: "usherd.test"})
	for _, want := range []string{"URL", "Auth", "Seal"} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("New = %v, want %s named", err, want)
		}
	}
}

func TestErrorTable(t *testing.T) {
	for _, c := range []struct {
		err    error
		status int
	}{
		{fmt.Errorf("x: %w", directory.ErrNotFound), 404},
		{directory.ErrNotOwner, 404},
		{&directory.TakenError{Attribute: "userName"}, 409},
		{directory.ErrVersion, 412},
		{directory.ErrInvalid, 400},
		{directory.ErrInUse, 409},
		{directory.ErrPaused, 503},
		{context.DeadlineExceeded, 503},
		{errors.New("pq: secret"), 500},
	} {
		e := toError(c.err)
		if e.Status != c.status || strings.Contains(e.Detail, "secret") || !errors.Is(e, c.err) {
			t.Errorf("toError(%v) = %+v, want %d", c.err, e, c.status)
		}
	}
	if e := toError(badValue("x")); e.Status != http.StatusBadRequest || e.ScimType != "invalidValue" {
		t.Errorf("toError(badValue) = %+v", e)
	}
}

func TestTooLongIsHeardOf(t *testing.T) {
	s := start(t)
	body := `{"schemas":[],"userName":"long","title":"` + strings.Repeat("x", 3<<20) + `"}`
	s.do("POST", "/Users", body).want(t, "3 MiB", 413)
	req := httptest.NewRequest("POST", "/scim/okta/v2/Users", strings.NewReader(body))
	req.RequestURI, req.ContentLength = "", -1
	req.Header.Set("Authorization", "Bearer token-okta")
	req.Header.Set("Content-Type", "application/json")
	s.send(req).want(t, "3 MiB in chunks", 413)
}

func TestFilterAndDepthLimitsAreSettings(t *testing.T) {
	s := start(t, func(cfg *Config) {
		cfg.Limits.Depth = 3
		cfg.Limits.Filter.Terms = 2
	})
	s.do("POST", "/Users", `{"schemas":[],"userName":"d3","x":[[]]}`).want(t, "depth 3", 201)
	s.do("POST", "/Users", `{"schemas":[],"userName":"d4","x":[[[]]]}`).want(t, "depth 4", 400)
	s.do("GET", "/Users?filter=id%20pr%20and%20id%20pr", "").want(t, "2 terms", 200)
	s.do("GET", "/Users?filter=id%20pr%20and%20id%20pr%20and%20id%20pr", "").want(t, "3 terms", 400)
}

// A parameter that is left out silently changes the question: the existence
// check of one person would find everybody.
func TestQueriesAreReadStrictly(t *testing.T) {
	s := start(t)
	for _, doc := range []string{`{"userName":"kim","displayName":"a;b+c"}`, `{"userName":"sue","displayName":"other"}`} {
		if r := s.do("POST", "/Users", doc); r.status != 201 {
			t.Fatalf("POST: %d %s", r.status, r.raw)
		}
	}
	for _, tc := range []struct {
		claim, query string
		status       int
		total        string
	}{
		{"a semicolon belongs to its value", `filter=displayName%20eq%20%22a;b%2Bc%22`, 200, `"totalResults":1`},
		{"a plus is a space", `filter=userName+eq+%22sue%22`, 200, `"totalResults":1`},
		{"empty parts are nothing", `&filter=userName+pr&`, 200, `"totalResults":2`},
		{"a percent sign that is no escape is refused", `filter=displayName+eq+%22100%%22`, 400, `"invalidValue"`},
		{"one at the end, too", `filter=userName+pr&x=%4`, 400, `"invalidValue"`},
	} {
		t.Run(tc.claim, func(t *testing.T) {
			r := s.do("GET", "/Users?"+tc.query, "")
			if r.status != tc.status || !strings.Contains(r.raw, tc.total) {
				t.Errorf("GET /Users?%s: %d %s, want %d with %s", tc.query, r.status, r.raw, tc.status, tc.total)
			}
		})
	}
}
