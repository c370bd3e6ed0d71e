package authzen

import (
	"context"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/usherd/usherd/authz"
	"github.com/usherd/usherd/cache"
	"github.com/usherd/usherd/directory"
	"github.com/usherd/usherd/store"
)

// A deployment is what the daemon has for checks: a store, the cache that
// follows it, and the handler behind a listener.
type deployment struct {
	t     testing.TB
	store *store.Store
	eval  cachedEvaluator
}

// A server is a handler that is asked over HTTP.
type server struct {
	t   testing.TB
	url string
}

// overHTTP puts a handler behind a listener.
func overHTTP(t testing.TB, h http.Handler) server {
	t.Helper()
	s := httptest.NewServer(h)
	t.Cleanup(func() { http.DefaultClient.CloseIdleConnections(); s.Close() })
	return server{t, s.URL}
}

// A header alters a request.
type header struct{ name, value string }

// ask sends one request as the token "all", which may evaluate and search. A
// header with an empty value is left out.
func (s server) ask(method, path, body string, headers ...header) reply {
	s.t.Helper()
	r, err := http.NewRequestWithContext(context.Background(), method, s.url+path, strings.NewReader(body))
	if err != nil {
		s.t.Fatal(err)
	}
	r.Header.Set("Content-Type", "application/json")
	r.Header.Set("Authorization", "Bearer all")
	for _, h := range headers {
		if r.Header.Del(h.name); h.value != "" {
			r.Header.Set(h.name, h.value)
		}
	}
	resp, err := http.DefaultClient.Do(r)
	if err != nil {
		s.t.Fatal(err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		s.t.Fatal(err)
	}
	return reply{resp.StatusCode, resp.Header, string(text)}
}

func (s server) post(path, body string, headers ...header) reply {
	s.t.Helper()
	return s.ask(http.MethodPost, path, body, headers...)
}

// allScopes are the tokens of the tests over HTTP.
var allScopes = callers{
	"all":      CallerOf(directory.Token{ID: "1", Scopes: []string{ScopeEvaluate, ScopeSearch}}),
	"another":  CallerOf(directory.Token{ID: "2", Scopes: []string{ScopeEvaluate, ScopeSearch}}),
	"evaluate": CallerOf(directory.Token{ID: "3"}),
}

// deploy makes an organization in a SQLite store. Its policy is one of
// testdata, unless the name is empty.
func deploy(t testing.TB, policy string) (*deployment, server) {
	t.Helper()
	st, err := store.Open(t.Context(), store.Config{DSN: filepath.Join(t.TempDir(), "usherd.db")})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := st.Close(); err != nil {
			t.Error(err)
		}
	})
	d := &deployment{t: t, store: st}
	c, err := cache.New(cache.Config[*authz.Snapshot]{
		History: st,
		Build:   func(f directory.Facts) (*authz.Snapshot, error) { return authz.Compile(f), nil },
		Update:  func(s *authz.Snapshot, st directory.Stretch) (*authz.Snapshot, error) { return s.Update(st), nil },
	})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() { defer close(done); c.Run(ctx) }()
	t.Cleanup(func() { cancel(); <-done })
	d.eval = cachedEvaluator{c}
	if policy != "" {
		d.policy(policy)
	}
	h, err := New(Config{
		Evaluator: d.eval, Viewer: cachedViewer{d.eval}, People: st, Authenticator: allScopes, URL: "https://pdp.example.com",
	})
	if err != nil {
		t.Fatal(err)
	}
	mux := http.NewServeMux()
	h.Register(mux)
	return d, overHTTP(t, mux)
}

// cachedViewer is what the daemon has for searches.
type cachedViewer struct{ cachedEvaluator }

func (v cachedViewer) View(ctx context.Context, atLeast directory.Stamp) (View, error) {
	view, err := v.AtLeast(ctx, atLeast)
	return cachedView{v.cachedEvaluator, view}, err
}

type cachedView struct {
	cachedEvaluator
	view *cache.View[*authz.Snapshot]
}

func (v cachedView) Snapshot() *authz.Snapshot { return v.view.Snapshot }

func (v cachedView) Subject(ctx context.Context, key directory.SubjectKey) (*directory.Subject, error) {
	s, _, err := v.cachedEvaluator.Subject(ctx, v.view, key)
	return s, err
}

func (v cachedView) Point() (Point, error) {
	age, err := v.Age(v.view)
	return Point{v.view.Stamp, age}, err
}

// apply performs changes and waits until checks know of them.
func (d *deployment) apply(changes ...directory.Change) {
	d.t.Helper()
	done, err := d.store.Apply(d.t.Context(), directory.Actor{Kind: "system", Name: "test"}, changes...)
	if err != nil {
		d.t.Fatal(err)
	}
	d.eval.Wake(done.Stamp)
	if _, err := d.eval.Wait(d.t.Context(), done.Stamp); err != nil {
		d.t.Fatal(err)
	}
}

// policy applies a policy file of testdata, whose own tests must pass.
func (d *deployment) policy(name string) {
	d.t.Helper()
	text, err := os.ReadFile(filepath.Join("testdata", name))
	if err != nil {
		d.t.Fatal(err)
	}
	f, err := authz.Parse(name, text)
	if err != nil {
		d.t.Fatal(err)
	}
	d.apply(directory.SetPolicy{Policy: f.Policy, Sections: f.Sections})
}

// user makes an active local user.
func (d *deployment) user(name string) directory.UserID {
	d.t.Helper()
	id := directory.UserID(directory.NewID())
	d.apply(directory.CreateUser{ID: id, Source: directory.Local, Profile: directory.Profile{UserName: name, Active: true}})
	return id
}

// group makes a local group with members.
func (d *deployment) group(name string, members ...directory.UserID) directory.GroupID {
	d.t.Helper()
	id := directory.GroupID(directory.NewID())
	add := directory.AddMembers{Group: id, Source: directory.Local}
	for _, m := range members {
		add.Values = append(add.Values, string(m))
	}
	d.apply(directory.CreateGroup{ID: id, Source: directory.Local, Name: name}, add)
	return id
}

// own gives a user role privileges.
func (d *deployment) own(user directory.UserID, keys ...string) {
	d.t.Helper()
	var changes []directory.Change
	for _, key := range keys {
		p := directory.Privilege{Kind: directory.RolePrivilege, Key: key}
		changes = append(changes, directory.PutGrant{Grant: directory.Grant{User: user, Privilege: p, Origin: directory.ByHand}})
	}
	d.apply(changes...)
}

// certified is the fixture of the certification scenario.
func certified(t testing.TB) (*deployment, server) {
	t.Helper()
	d, s := deploy(t, "certification.yaml")
	alice, bob := d.user("alice"), d.user("bob")
	d.group("Readers", alice, bob)
	d.group("Editors", alice)
	d.group("Archivists", bob)
	return d, s
}

// groupID finds a local group by its name.
func (d *deployment) groupID(name string) directory.GroupID {
	d.t.Helper()
	page, err := d.store.Groups(d.t.Context(), directory.Query{
		Source: directory.Local, Where: directory.Compare{Attr: directory.AttrName, Op: directory.Eq, Value: name}, Limit: 2,
	})
	if err != nil || len(page.Items) != 1 {
		d.t.Fatalf("group %s: %d, %v", name, len(page.Items), err)
	}
	return page.Items[0].ID
}

// grantRole gives a Role to a group.
func grantRole(group directory.GroupID, role directory.RoleName) directory.Change {
	return directory.PutGrant{Grant: directory.Grant{Group: group, Role: role, Origin: directory.ByHand}}
}

// directoryUserOf lets a group be a member where users are.
func directoryUserOf(group directory.GroupID) directory.UserID { return directory.UserID(group) }

// results counts those of a search.
func results(t testing.TB, r reply) int {
	t.Helper()
	var a searchAnswer
	if err := json.Unmarshal([]byte(r.Body), &a); err != nil || r.StatusCode != http.StatusOK {
		t.Fatalf("%d %.200s: %v", r.StatusCode, r.Body, err)
	}
	return len(a.Results)
}
