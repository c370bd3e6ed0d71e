package scim

import (
	"context"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/zap/zaptest"

	"github.com/usherd/usherd/directory"
	"github.com/usherd/usherd/store"
	"github.com/usherd/usherd/store/storetest"
)

// A server is the real handler over a real store and a real listener.
type server struct {
	t       *testing.T
	store   *store.Store
	handler *Handler
	url     string

	mu      sync.Mutex // guards what follows
	sources map[directory.SourceName]directory.Source
	log     []directory.Request
	ids     []string // of users that a benchmark has made
}

// start serves the sources okta and entra; the token of a source is "token-"
// and its name.
func start(t *testing.T, change ...func(*Config)) *server {
	t.Helper()
	return startOn(t, openStore(t), change...)
}

// startOn is start on a store that others may have too.
func startOn(t *testing.T, st *store.Store, change ...func(*Config)) *server {
	t.Helper()
	s := &server{t: t, store: st, sources: map[directory.SourceName]directory.Source{}}
	s.addSource("okta", "")
	s.addSource("entra", "")
	cfg := Config{
		URL: "https://usherd.test", Auth: s, Read: s.store, Apply: s.store, Seal: make([]byte, 32),
		Record: s.record, Log: zaptest.NewLogger(t),
	}
	for _, f := range change {
		f(&cfg)
	}
	var err error
	if s.handler, err = New(cfg); err != nil {
		t.Fatal(err)
	}
	hs := httptest.NewServer(s.handler.Before(http.NotFoundHandler()))
	t.Cleanup(hs.Close)
	s.url = hs.URL
	return s
}

func (s *server) addSource(name directory.SourceName, settings string) {
	src := directory.Source{Name: name, Kind: directory.KindSCIM, State: directory.SourceActive, Settings: []byte(settings)}
	if settings == "" {
		src.Settings = nil
	}
	if _, err := s.store.Apply(s.t.Context(), directory.Actor{Kind: "system", Name: "test"}, directory.PutSource{Source: src}); err != nil {
		s.t.Fatalf("PutSource(%s): %v", name, err)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.sources[name] = src
}

// Authenticate knows the tokens of the test.
func (s *server) Authenticate(_ context.Context, source directory.SourceName, bearer string) (Caller, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	src, ok := s.sources[source]
	if !ok || bearer != "token-"+string(source) {
		return Caller{}, ErrUnauthorized
	}
	return Caller{Source: src, Token: "t1"}, nil
}

func (s *server) record(r directory.Request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.log = append(s.log, r)
}

// lastLog returns the newest entry of the provisioning log.
func (s *server) lastLog() directory.Request {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.log) == 0 {
		return directory.Request{}
	}
	return s.log[len(s.log)-1]
}

// A reply is a response with its body decoded.
type reply struct {
	status int
	header http.Header
	raw    string
	doc    any
}

// as sends a request with the token of a source. Headers come as name, value.
func (s *server) as(source, method, path, body string, headers ...string) reply {
	s.t.Helper()
	req := httptest.NewRequest(method, "/scim/"+source+"/v2"+path, strings.NewReader(body))
	req.RequestURI = ""
	req.Header.Set("Authorization", "Bearer token-"+source)
	if body != "" {
		req.Header.Set("Content-Type", "application/scim+json")
	}
	for i := 0; i+1 < len(headers); i += 2 {
		if req.Header.Del(headers[i]); headers[i+1] != "" {
			req.Header.Set(headers[i], headers[i+1])
		}
	}
	return s.send(req)
}

func (s *server) do(method, path, body string, headers ...string) reply {
	s.t.Helper()
	return s.as("okta", method, path, body, headers...)
}

func (s *server) send(req *http.Request) reply {
	s.t.Helper()
	out, err := http.NewRequestWithContext(s.t.Context(), req.Method, s.url+req.URL.RequestURI(), req.Body)
	if err != nil {
		s.t.Fatal(err)
	}
	out.Header, out.ContentLength = req.Header, req.ContentLength
	client := http.Client{Timeout: 30 * time.Second}
	resp, err := client.Do(out)
	if err != nil {
		s.t.Fatalf("%s %s: %v", req.Method, req.URL.Path, err)
	}
	defer resp.Body.Close()
	var raw strings.Builder
	if _, err := copyBody(&raw, resp.Body); err != nil {
		s.t.Fatalf("%s %s: reading the body: %v", req.Method, req.URL.Path, err)
	}
	r := reply{status: resp.StatusCode, header: resp.Header, raw: raw.String()}
	if r.raw != "" {
		if r.doc, err = decode([]byte(r.raw)); err != nil {
			s.t.Fatalf("%s %s: %v in %.200s", req.Method, req.URL.Path, err, r.raw)
		}
	}
	return r
}

// at follows a path such as emails/0/value.
func (r reply) at(path string) any {
	return at(r.doc, path)
}

// want fails the test unless the status is one of these.
func (r reply) want(t *testing.T, claim string, statuses ...int) reply {
	t.Helper()
	for _, s := range statuses {
		if r.status == s {
			return r
		}
	}
	t.Fatalf("%s: status %d, want %v: %.300s", claim, r.status, statuses, r.raw)
	return r
}

// openStore opens a new store, closed when the test ends: SQLite, or the
// PostgreSQL database that the test was run for.
func openStore(t *testing.T) *store.Store {
	t.Helper()
	dsn := "sqlite:" + filepath.Join(t.TempDir(), "usherd.db")
	if strings.HasSuffix(t.Name(), onPostgres) || strings.Contains(t.Name(), onPostgres+"/") {
		dsn = storetest.Postgres(t)
	}
	st, err := store.Open(t.Context(), store.Config{DSN: dsn})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := st.Close(); err != nil {
			t.Error(err)
		}
	})
	return st
}

const onPostgres = "/postgres"

func TestMain(m *testing.M) { os.Exit(storetest.Main(m)) }

// onBoth runs a test once for each engine.
func onBoth(t *testing.T, f func(t *testing.T)) {
	t.Run("sqlite", f)
	t.Run(strings.TrimPrefix(onPostgres, "/"), f)
}
