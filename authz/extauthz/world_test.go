package extauthz

import (
	"context"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/usherd/usherd/authz"
	"github.com/usherd/usherd/authz/authzen"
	"github.com/usherd/usherd/directory"
)

// A world decides by a compiled snapshot in which kim may open the part list
// and nobody may do anything else.
type world struct {
	snapshot *authz.Snapshot
	subjects map[directory.SubjectKey]*directory.Subject
	down     error // there is no answer
	asked    int
}

var at = directory.Stamp{Revision: 7, Fingerprint: 0xabc}

func newWorld() *world {
	f := directory.Facts{At: at}
	f.Policy.Sources = []directory.Source{{Name: "ad", State: directory.SourceActive}}
	f.Policy.Policy.Features = []directory.Feature{{Key: "part-list", Actions: []string{"edit"}}, {Key: "portal"}}
	f.Policy.Policy.Projects = []directory.Project{{Key: "alpha"}}
	f.Groups = []directory.GroupFacts{{
		ID: "engineers", Num: 1, Source: "ad", Name: "engineers", NameKey: "engineers",
		Grants: []directory.Grant{{Group: "engineers", Privilege: directory.Privilege{Kind: directory.Access, Key: "part-list"}}},
	}}
	kim := &directory.Subject{
		Found: directory.One, ID: "kim", Type: directory.Standard, Sources: []directory.SourceName{"ad"},
		Memberships: []directory.Membership{{Group: 1}},
	}
	return &world{snapshot: authz.Compile(f), subjects: map[directory.SubjectKey]*directory.Subject{
		{Kind: directory.KeyUserName, Value: "kim"}:                kim,
		{Kind: directory.KeyEmail, Value: "kim@example.com"}:       kim,
		{Kind: directory.KeyExternal, Source: "ad", Value: "0042"}: kim,
	}}
}

// Evaluate implements [authzen.Evaluator].
func (w *world) Evaluate(_ context.Context, _ directory.Stamp, queries []authzen.Query, answers []authzen.Answer) (authzen.Point, error) {
	w.asked++
	for i := range queries {
		subject := w.subjects[queries[i].Subject]
		if subject == nil {
			subject = &directory.Subject{}
		}
		answers[i].Decision = w.snapshot.Decide(subject, &queries[i].Request)
	}
	return authzen.Point{Stamp: at}, w.down
}

// unready is what the cache says without a fresh view.
type unready struct{}

func (unready) Error() string             { return "too old" }
func (unready) RetryAfter() time.Duration { return 1500 * time.Millisecond }

// The tokens of the tests.
const (
	goodToken    = "good"
	limitedToken = "limited" // to the feature portal
	searchToken  = "search"  // may not evaluate
	downToken    = "down"    // nobody can tell
)

func callers(token string) (*authzen.Caller, error) {
	switch token {
	case goodToken:
		return authzen.CallerOf(directory.Token{ID: "good"}), nil
	case limitedToken:
		return authzen.CallerOf(directory.Token{ID: "limited", Scopes: []string{"feature:portal"}}), nil
	case searchToken:
		return authzen.CallerOf(directory.Token{ID: "search", Scopes: []string{authzen.ScopeSearch}}), nil
	case downToken:
		return nil, unready{}
	}
	return nil, authzen.ErrUnauthenticated
}

var byUser = Identity{From: FromHeader, Header: "x-auth-request-user", Type: authz.SubjectUser}

func newGate(t testing.TB, w *world, s Settings) *Gate {
	t.Helper()
	g, err := New(Config{Evaluator: w, Caller: callers})
	if err != nil {
		t.Fatal(err)
	}
	if s.Table == nil {
		s.Table = mustTable(t, guarded)
	}
	if err := g.Use(s); err != nil {
		t.Fatal(err)
	}
	return g
}

// ask sends a raw request to g: a mux or a client would clean the path.
func ask(g *Gate, method, target string, header http.Header) *httptest.ResponseRecorder {
	r := httptest.NewRequest(method, "/", nil)
	r.RequestURI, r.Header, r.Host = target, header, "app.example.com"
	w := httptest.NewRecorder()
	if !Handles(r) {
		w.WriteHeader(http.StatusNotFound)
		return w
	}
	g.ServeHTTP(w, r)
	return w
}

func headers(pairs ...string) http.Header {
	h := http.Header{}
	for i := 0; i < len(pairs); i += 2 {
		h.Add(pairs[i], pairs[i+1])
	}
	return h
}
