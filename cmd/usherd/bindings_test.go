package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	authv3 "github.com/envoyproxy/go-control-plane/envoy/service/auth/v3"
	goclient "github.com/usherd/usherd/client"
	"github.com/usherd/usherd/directory"
	"github.com/usherd/usherd/ldapsync/ldaptest"
	"github.com/usherd/usherd/store/storetest"
	"go.uber.org/zap"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/credentials/insecure"
	healthv1 "google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/metadata"
)

const proxyConfig = `apiVersion: v1
listen: 127.0.0.1:0
ops_listen: 127.0.0.1:0
grpc: {listen: 127.0.0.1:0}
ext_authz:
  identity: {name: X-Auth-Request-User}
  reasons: true
  routes:
    - match: GET /parts/{id}
      check: access feature/part-list
    - match: PUT /parts/{id}
      check: edit feature/part-list
    - match: /admin/{rest...}
      check: manage project/head-office
`

// startDaemon runs a daemon in this process until the test ends, or stop is
// called.
func startDaemon(t *testing.T, more ...string) (d *daemon, stop func()) {
	t.Helper()
	dir, err := os.MkdirTemp("", "usherd") //nolint:usetesting // short: the name of a socket has a limit
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	file := filepath.Join(dir, "usherd.yaml")
	text := proxyConfig + "data: " + filepath.Join(dir, "data") + "\n" + strings.Join(more, "\n")
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	a := &app{stdout: io.Discard, stderr: io.Discard, environ: []string{"HOME=" + dir}, configPath: file}
	cfg, err := a.load()
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	d, err = newDaemon(ctx, a, cfg, zap.NewAtomicLevel(), zap.NewNop())
	if err != nil {
		cancel()
		t.Fatal(err)
	}
	done := make(chan error, 1)
	go func() { done <- d.run(ctx) }()
	stopped := false
	stop = func() {
		if cancel(); !stopped {
			if err := <-done; err != nil {
				t.Errorf("run = %v", err)
			}
		}
		stopped = true
	}
	t.Cleanup(stop)
	select {
	case <-d.ready:
	case err := <-done:
		stopped = true
		t.Fatalf("run = %v before it was ready", err)
	case <-time.After(patience):
		t.Fatal("the daemon is not ready")
	}
	return d, stop
}

func apply(t *testing.T, d *daemon, changes ...directory.Change) directory.Stamp {
	t.Helper()
	out, err := d.visible.Apply(t.Context(), directory.Actor{Kind: "socket", Name: "test"}, changes...)
	if err != nil {
		t.Fatal(err)
	}
	return out.Stamp
}

// settle gives kim the part list, and returns kim's id and the grant.
func settle(t *testing.T, d *daemon) (kim directory.UserID, grant directory.Grant) {
	t.Helper()
	kim = directory.UserID(directory.NewID())
	grant = directory.Grant{ID: directory.NewID(), User: kim, Privilege: directory.Privilege{Kind: directory.Access, Key: "part-list"}, Origin: directory.ByHand}
	apply(t, d,
		directory.PutSource{Source: directory.Source{Name: "okta", Kind: directory.KindSCIM, State: directory.SourceActive}},
		directory.SetPolicy{
			Policy:   directory.Policy{Features: []directory.Feature{{Key: "part-list", Actions: []string{"edit"}}}},
			Sections: []directory.Section{directory.SectionFeatures},
		},
		directory.CreateUser{ID: kim, Source: "okta", Profile: directory.Profile{UserName: "kim", Active: true}},
		directory.PutGrant{Grant: grant},
	)
	return kim, grant
}

func newToken(t *testing.T, d *daemon, scopes ...string) (id, text string) {
	t.Helper()
	id, secret, text := directory.NewToken(directory.TokenCheck)
	now := time.Now()
	apply(t, d, directory.CreateToken{
		Token: directory.Token{ID: id, Kind: directory.TokenCheck, Name: "test", Scopes: scopes, Created: now, Expires: now.Add(time.Hour)},
		Hash:  directory.HashToken(d.keys.key, directory.TokenCheck, id, secret),
	})
	return id, text
}

func TestEnvoyAsksADaemon(t *testing.T) {
	t.Parallel()
	d, stop := startDaemon(t)
	_, grant := settle(t, d)
	_, token := newToken(t, d)
	conn, err := grpc.NewClient(d.grpcAddress(), grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	check := func(method, path, who, token string) int32 {
		t.Helper()
		ctx := metadata.AppendToOutgoingContext(t.Context(), "authorization", "Bearer "+token)
		out, err := authv3.NewAuthorizationClient(conn).Check(ctx, &authv3.CheckRequest{Attributes: &authv3.AttributeContext{
			Request: &authv3.AttributeContext_Request{Http: &authv3.AttributeContext_HttpRequest{
				Method: method, Path: path, Headers: map[string]string{"x-auth-request-user": who},
			}},
		}})
		if err != nil {
			t.Fatal(err)
		}
		return out.GetStatus().GetCode()
	}
	for _, tt := range []struct {
		method, path, who, token string
		want                     int32
	}{
		{"GET", "/parts/7?x", "kim", token, 0},
		{"HEAD", "/parts/7", "kim", token, 0},
		{"PUT", "/parts/7", "kim", token, 7},
		{"GET", "/parts/7", "lee", token, 7},
		{"GET", "/parts/7", "", token, 7},
		{"GET", "/parts/%2e%2e/parts/7", "kim", token, 7},
		{"GET", "/parts/7", "kim", "bad", 16},
		{"GET", "/parts/7", "kim", token + "x", 16},
	} {
		if got := check(tt.method, tt.path, tt.who, tt.token); got != tt.want {
			t.Errorf("Check(%s %s as %q) = %d, want %d", tt.method, tt.path, tt.who, got, tt.want)
		}
	}
	apply(t, d, directory.EndGrant{Grant: grant})
	if got := check("GET", "/parts/7", "kim", token); got != 7 {
		t.Errorf("Check after the grant ended = %d, want 7", got)
	}
	health := healthv1.NewHealthClient(conn)
	if out, err := health.Check(t.Context(), &healthv1.HealthCheckRequest{}); err != nil || out.GetStatus() != healthv1.HealthCheckResponse_SERVING {
		t.Errorf("health = %v, %v", out, err)
	}
	stop()
	if out, err := health.Check(t.Context(), &healthv1.HealthCheckRequest{}); err == nil {
		t.Errorf("health after the end = %v, want an error", out)
	}
}

func TestTheGoClientAsksADaemon(t *testing.T) {
	t.Parallel()
	d, _ := startDaemon(t)
	kim, grant := settle(t, d)
	_, token := newToken(t, d, "evaluate", "search", "permissions")
	may := goclient.Request{Subject: goclient.User("kim"), Action: "access", Resource: goclient.Feature("part-list")}
	for name, coalesce := range map[string]time.Duration{"one by one": 0, "together": time.Millisecond} {
		c, err := goclient.New(goclient.Config{URL: d.url, Token: token, Coalesce: coalesce})
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		if allow, err := c.Check(t.Context(), may); !allow || err != nil {
			t.Errorf("%s: Check = %v, %v, want true", name, allow, err)
		}
		edit := may
		edit.Action = "edit"
		if allow, err := c.Check(t.Context(), edit); allow || err != nil {
			t.Errorf("%s: Check(edit) = %v, %v, want false", name, allow, err)
		}
	}
	c, err := goclient.New(goclient.Config{URL: d.url, Token: token})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if a, err := c.Explain(t.Context(), may); err != nil || !a.Allow || a.Code != "granted" || len(a.Path) == 0 {
		t.Errorf("Explain = %+v, %v", a, err)
	}
	many := make([]goclient.Request, 1001)
	for i := range many {
		many[i] = may
		if i%2 == 1 {
			many[i].Subject = goclient.User("lee")
		}
	}
	answers, err := c.CheckAll(t.Context(), many)
	if err != nil || len(answers) != len(many) || !answers[1000].Allow || answers[999].Allow {
		t.Errorf("CheckAll = %d answers, %v", len(answers), err)
	}
	found := fmt.Sprint(gathered(c.SearchResources(t.Context(), may.Subject, "access", "feature", "")), gathered(c.SearchActions(t.Context(), may.Subject, may.Resource, "")),
		gathered(c.SearchSubjects(t.Context(), "user", "access", may.Resource, "")))
	if found != "[{feature part-list}] [access] [{user kim}]" {
		t.Errorf("searches found %s", found)
	}
	if p, err := c.Permissions(t.Context(), "kim", ""); err != nil || p.User != string(kim) || fmt.Sprint(p.Access) != "[part-list]" {
		t.Errorf("Permissions = %+v, %v", p, err)
	}
	stamp := apply(t, d, directory.EndGrant{Grant: grant})
	if allow, err := c.Check(goclient.WithAtLeast(t.Context(), goclient.Stamp(stamp.String())), may); allow || err != nil {
		t.Errorf("Check at least %s = %v, %v, want false", stamp, allow, err)
	}
	lost := directory.Stamp{Revision: 1, Fingerprint: 1}
	if allow, err := c.Check(goclient.WithAtLeast(t.Context(), goclient.Stamp(lost.String())), may); allow || !errors.Is(err, goclient.ErrRevisionLost) {
		t.Errorf("Check at least %s = %v, %v, want ErrRevisionLost", lost, allow, err)
	}
}

// gathered are the results of a search; nil if it ends with an error.
func gathered[T any](results func(func(T, error) bool)) (all []T) {
	results(func(one T, err error) bool {
		if err != nil {
			all = nil
			return false
		}
		all = append(all, one)
		return true
	})
	return all
}

// TestWatchersOfTwoReplicas: what one replica writes, watchers of both are
// told; who was told by one goes on at the other.
func TestWatchersOfTwoReplicas(t *testing.T) {
	t.Parallel()
	shared := "store: " + storetest.Postgres(t)
	one, stopOne := startDaemon(t, shared)
	two, _ := startDaemon(t, shared)
	kim, grant := settle(t, one)
	id, token := newToken(t, one, "watch")
	_, wrong := newToken(t, one)
	at := apply(t, two, directory.SetBlock{User: kim, Blocked: true})
	for name, want := range map[string]int{wrong: 403, token + "x": 401} {
		c, err := goclient.New(goclient.Config{URL: one.url, Token: name})
		if err != nil {
			t.Fatal(err)
		}
		for _, err := range c.Watch(t.Context(), "") {
			if e, ok := errors.AsType[*goclient.Error](err); !ok || e.Status != want {
				t.Errorf("Watch with another token = %v, want %d", err, want)
			}
		}
	}
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	streams := map[string]chan goclient.Event{}
	for name, url := range map[string]string{"one": one.url, "two": two.url} {
		c, err := goclient.New(goclient.Config{URL: url, Token: token})
		if err != nil {
			t.Fatal(err)
		}
		events := make(chan goclient.Event, 100)
		streams[name] = events
		go func() {
			defer close(events)
			for e, err := range c.Watch(ctx, goclient.Stamp(at.String())) {
				if err != nil {
					events <- goclient.Event{Kind: err.Error()}
					return
				}
				events <- e
			}
		}()
	}
	next := func(name, kind string) goclient.Event {
		t.Helper()
		for {
			select {
			case e := <-streams[name]:
				if e.Kind == kind {
					return e
				}
				if e.Kind != goclient.EventHeartbeat {
					t.Fatalf("%s: %+v, want %s", name, e, kind)
				}
			case <-ctx.Done():
				t.Fatalf("%s: no %s", name, kind)
			}
		}
	}
	next("one", goclient.EventHeartbeat)
	next("two", goclient.EventHeartbeat)
	person := apply(t, one, directory.SetBlock{User: kim})
	policy := apply(t, two, directory.SetPolicy{
		Policy:   directory.Policy{Features: []directory.Feature{{Key: "part-list"}, {Key: "more"}}},
		Sections: []directory.Section{directory.SectionFeatures},
	})
	for name := range streams {
		if e := next(name, goclient.EventChange); string(e.Stamp) != person.String() || e.All || fmt.Sprint(e.Subjects) != fmt.Sprintf("[%s]", kim) {
			t.Errorf("%s: %+v, want %s of %s", name, e, person, kim)
		}
		if e := next(name, goclient.EventChange); string(e.Stamp) != policy.String() || !e.All {
			t.Errorf("%s: %+v, want %s of all", name, e, policy)
		}
	}
	// From the stamp that one told, two goes on, and knows what is lost.
	c, err := goclient.New(goclient.Config{URL: two.url, Token: token})
	if err != nil {
		t.Fatal(err)
	}
	for since, want := range map[string]string{person.String(): goclient.EventChange + policy.String(), "1-0000000000000001": goclient.EventReset + policy.String()} {
		for e, err := range c.Watch(ctx, goclient.Stamp(since)) {
			if e.Kind+string(e.Stamp) != want || err != nil {
				t.Errorf("since %s: %+v, %v, want %s", since, e, err, want)
			}
			break
		}
	}
	if got := one.watchers.Len(); got < 1 {
		t.Errorf("%d watch at one, want 1 or more", got)
	}
	stopOne() // its watcher comes back to nobody, and waits
	apply(t, two, directory.EndGrant{Grant: grant})
	next("two", goclient.EventChange)
	apply(t, two, directory.RevokeToken{ID: id})
	if e := <-streams["two"]; !strings.Contains(e.Kind, "401") {
		t.Errorf("after its token was revoked: %+v, want 401", e)
	}
}

// TestNginxAsksADaemon runs the real nginx with the configuration that
// deploy/proxies recommends.
func TestNginxAsksADaemon(t *testing.T) {
	t.Parallel()
	binary, err := exec.LookPath("nginx")
	if err != nil {
		const msg = "nginx is missing: apt-get install nginx-light"
		if os.Getenv("CI") == "true" {
			t.Fatal(msg)
		}
		t.Skip(msg)
	}
	d, _ := startDaemon(t)
	_, grant := settle(t, d)
	_, token := newToken(t, d)
	application := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprintf(w, "%s %s for %s", r.Method, r.RequestURI, r.Header.Get("X-Auth-Request-User"))
	}))
	defer application.Close()
	socket := startNginx(t, binary, map[string]string{
		"127.0.0.1:8080": d.public.net.Addr().String(), "127.0.0.1:3000": application.Listener.Addr().String(), "ush_chk_TOKEN": token,
	})
	ask := func(method, target, user string, more ...string) (int, string) {
		t.Helper()
		conn, err := (&net.Dialer{}).DialContext(t.Context(), "unix", socket)
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		head := method + " " + target + " HTTP/1.1\r\nHost: app.example.com\r\nConnection: close\r\nContent-Length: 0\r\n"
		if user != "" {
			head += "Authorization: Basic " + base64.StdEncoding.EncodeToString([]byte(user+":secret")) + "\r\n"
		}
		for _, h := range more {
			head += h + "\r\n"
		}
		if _, err := io.WriteString(conn, head+"\r\n"); err != nil {
			t.Fatal(err)
		}
		resp, err := http.ReadResponse(bufio.NewReader(conn), nil)
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		text, err := io.ReadAll(resp.Body)
		if err != nil {
			t.Fatal(err)
		}
		return resp.StatusCode, string(text)
	}
	for _, tt := range []struct {
		method, target, user string
		more                 []string
		status               int
		body                 string
	}{
		{"GET", "/parts/7?x=1", "kim", nil, 200, "GET /parts/7?x=1 for kim"},
		{"GET", "/parts/7", "kim", []string{"X-Auth-Request-User: lee"}, 200, "GET /parts/7 for kim"},
		{"GET", "/parts/7", "lee", []string{"X-Auth-Request-User: kim"}, 403, ""},
		{"GET", "/parts/7", "", []string{"X-Auth-Request-User: kim"}, 401, ""},
		{"PUT", "/parts/7", "kim", nil, 403, ""},
		{"PUT", "/parts/7", "kim", []string{"X-Original-Method: GET", "X-HTTP-Method-Override: GET"}, 403, ""},
		{"GET", "/admin", "kim", []string{"X-Original-URI: /parts/7", "X-Forwarded-Uri: /parts/7", "X-Forwarded-Method: GET"}, 403, ""},
		{"GET", "/parts/7", "kim", []string{"X-Forwarded-Uri: /parts/7", "X-Forwarded-Method: GET"}, 200, "GET /parts/7 for kim"},
		{"GET", "/parts/../parts/7", "kim", nil, 403, ""},
		{"GET", "/parts//7", "kim", nil, 403, ""},
		{"GET", "/parts/%2e%2e/parts/7", "kim", nil, 403, ""},
		{"GET", "/_usherd", "kim", nil, 404, ""},
	} {
		status, body := ask(tt.method, tt.target, tt.user, tt.more...)
		if status != tt.status || tt.body != "" && body != tt.body {
			t.Errorf("%s %s as %q %v = %d %s, want %d %s", tt.method, tt.target, tt.user, tt.more, status, body, tt.status, tt.body)
		}
	}
	apply(t, d, directory.EndGrant{Grant: grant})
	if status, _ := ask("GET", "/parts/7", "kim"); status != 403 {
		t.Errorf("after the grant ended: %d, want 403", status)
	}
}

// startNginx runs nginx unprivileged on a socket, with the recommended server
// and other addresses.
func startNginx(t *testing.T, binary string, replace map[string]string) (socket string) {
	t.Helper()
	dir, err := os.MkdirTemp("", "nginx") //nolint:usetesting // likewise
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	text, err := os.ReadFile("../../deploy/proxies/nginx.conf")
	if err != nil {
		t.Fatal(err)
	}
	socket = filepath.Join(dir, "s")
	server := strings.Replace(string(text), "listen 8000;", "listen unix:"+socket+";", 1)
	server = strings.Replace(server, "/etc/nginx/users", filepath.Join(dir, "users"), 1)
	for from, to := range replace {
		if !strings.Contains(server, from) {
			t.Fatalf("deploy/proxies/nginx.conf does not mention %s", from)
		}
		server = strings.ReplaceAll(server, from, to)
	}
	main := "daemon off; master_process off; pid " + dir + "/pid; error_log " + dir + "/log warn;\nevents {}\nhttp {\naccess_log off;\n"
	for _, use := range []string{"client_body", "proxy", "fastcgi", "uwsgi", "scgi"} {
		main += use + "_temp_path " + dir + "/" + use + ";\n"
	}
	for name, content := range map[string]string{"users": "kim:{PLAIN}secret\nlee:{PLAIN}secret\n", "nginx.conf": main + server + "}\n"} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	ctx, cancel := context.WithCancel(context.Background())
	cmd := exec.CommandContext(ctx, binary, "-p", dir, "-e", dir+"/log", "-c", dir+"/nginx.conf")
	var out bytes.Buffer
	cmd.Stderr = &out
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { cancel(); _ = cmd.Wait() }) // it was killed
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for late := time.After(patience); ; {
		if conn, err := (&net.Dialer{}).DialContext(t.Context(), "unix", socket); err == nil {
			_ = conn.Close()
			return socket
		}
		select {
		case <-tick.C:
		case <-late:
			t.Fatalf("nginx does not start: %s", out.String())
		}
	}
}

// TestAReloadTakesTheRoutesOver, over TLS: a good file as a whole, a bad one not
// at all.
func TestAReloadTakesTheRoutesOver(t *testing.T) {
	t.Parallel()
	certs := ldaptest.WriteCerts(t, t.TempDir())
	d, _ := startDaemon(t, "tls: {cert: "+certs.Server+", key: "+certs.ServerKey+"}")
	settle(t, d)
	_, token := newToken(t, d)
	creds, err := credentials.NewClientTLSFromFile(certs.CA, "localhost")
	if err != nil {
		t.Fatal(err)
	}
	conn, err := grpc.NewClient(d.grpcAddress(), grpc.WithTransportCredentials(creds))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	check := func(path string) int32 {
		t.Helper()
		ctx := metadata.AppendToOutgoingContext(t.Context(), "authorization", "Bearer "+token)
		out, err := authv3.NewAuthorizationClient(conn).Check(ctx, &authv3.CheckRequest{Attributes: &authv3.AttributeContext{
			Request: &authv3.AttributeContext_Request{Http: &authv3.AttributeContext_HttpRequest{
				Method: "GET", Path: path, Headers: map[string]string{"x-auth-request-user": "kim"},
			}},
		}})
		if err != nil {
			t.Fatal(err)
		}
		return out.GetStatus().GetCode()
	}
	rewrite := func(from, to string) {
		t.Helper()
		text, err := os.ReadFile(d.app.configPath)
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(d.app.configPath, []byte(strings.Replace(string(text), from, to, 1)), 0o600); err != nil {
			t.Fatal(err)
		}
		d.reload(t.Context())
	}
	if a, b := check("/parts/7"), check("/pieces/7"); a != 0 || b != 7 {
		t.Fatalf("Check = %d, %d, want 0, 7", a, b)
	}
	rewrite("GET /parts/{id}", "GET /parts/{id}/")
	if a, b := check("/parts/7"), check("/pieces/7"); a != 0 || b != 7 {
		t.Errorf("after a bad file: Check = %d, %d, want 0, 7", a, b)
	}
	rewrite("GET /parts/{id}/", "GET /pieces/{id}")
	if a, b := check("/parts/7"), check("/pieces/7"); a != 7 || b != 0 {
		t.Errorf("after a good file: Check = %d, %d, want 7, 0", a, b)
	}
	rewrite("GET /pieces/{id}", "GET /parts/{id}")
	plain, err := grpc.NewClient(d.grpcAddress(), grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		t.Fatal(err)
	}
	defer plain.Close()
	if out, err := healthv1.NewHealthClient(plain).Check(t.Context(), &healthv1.HealthCheckRequest{}); err == nil {
		t.Errorf("health without TLS = %v, want an error", out)
	}
}

func TestFaultsOfRoutesHaveAPlace(t *testing.T) {
	file := filepath.Join(t.TempDir(), "usherd.yaml")
	text := "apiVersion: v1\next_authz:\n  identity: {name: Authorization}\n  routes:\n    - match: GET /a/{x}\n      check: access feature/{y}\n    - {match: /b/, check: access feature/b}\n"
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	_, err := (&app{environ: []string{}, configPath: file}).load()
	want := "FILE:3:20: ext_authz.identity.name: \"Authorization\" can't be a header of its own\n" +
		"FILE:6:14: ext_authz.routes[0].check: the path has no segment {y}\n" +
		"FILE:7:15: ext_authz.routes[1].match: leave out the slash at the end: /b and /b/ are judged alike"
	if err == nil || strings.ReplaceAll(err.Error(), file, "FILE") != want || exitCode(err) != exitInvalid {
		t.Errorf("load =\n%v\nwant\n%s", err, want)
	}
}
