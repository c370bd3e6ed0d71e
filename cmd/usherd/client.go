package main

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"strings"
	"time"

	"github.com/usherd/usherd/admin"
)

// A client calls the administration API: of a daemon through its socket, of a
// daemon elsewhere, or of the handlers in this process when no daemon runs.
type client struct {
	http   *http.Client
	base   string
	token  string
	reason string
	where  string // for people
	close  func() error
}

// maxAnswer bounds what is read of an answer.
const maxAnswer = 64 << 20

// remote is a client of a daemon elsewhere.
func (a *app) remote() (*client, error) {
	u, err := url.Parse(a.server)
	if err != nil || u.Host == "" || (u.Scheme != "http" && u.Scheme != "https") {
		return nil, usage("--server: %q is not an address such as https://usherd.example.com", a.server)
	}
	token := a.token
	if token == "" && a.tokenFile != "" {
		text, err := os.ReadFile(a.tokenFile)
		if err != nil {
			return nil, usage("--token-file: %w", err)
		}
		token = strings.TrimSpace(string(text))
	}
	token = cmp.Or(token, a.getenv("USHERD_TOKEN"))
	if token == "" {
		return nil, usage("--server needs an admin token: --token-file FILE, $USHERD_TOKEN or --token TOKEN")
	}
	return &client{
		http: &http.Client{Transport: http.DefaultTransport}, base: strings.TrimRight(a.server, "/"), token: token,
		reason: a.reason, where: a.server, close: func() error { return nil },
	}, nil
}

// overSocket is a client of the daemon behind a socket.
func (a *app) overSocket(path string) *client {
	dial := func(ctx context.Context, _, _ string) (net.Conn, error) { return dialSocket(ctx, path) }
	return &client{
		http: &http.Client{Transport: &http.Transport{DialContext: dial}}, base: "http://usherd", reason: a.reason,
		where: "the daemon at " + path, close: func() error { return nil },
	}
}

// inProcess is a client of a handler.
func (a *app) inProcess(h http.Handler, end func() error) *client {
	return &client{
		http: &http.Client{Transport: handlerTransport{h}}, base: "http://usherd", reason: a.reason,
		where: "the store", close: end,
	}
}

// A handlerTransport answers requests by a handler in this process.
type handlerTransport struct{ handler http.Handler }

// RoundTrip implements [http.RoundTripper].
func (t handlerTransport) RoundTrip(r *http.Request) (*http.Response, error) {
	if r.Body == nil {
		r.Body = http.NoBody
	}
	w := &recorder{header: http.Header{}, status: http.StatusOK}
	t.handler.ServeHTTP(w, r)
	return &http.Response{
		StatusCode: w.status, Status: http.StatusText(w.status), Header: w.header, Request: r,
		Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
		Body: io.NopCloser(&w.body), ContentLength: int64(w.body.Len()),
	}, nil
}

type recorder struct {
	header http.Header
	status int
	body   bytes.Buffer
}

func (w *recorder) Header() http.Header         { return w.header }
func (w *recorder) WriteHeader(status int)      { w.status = status }
func (w *recorder) Write(p []byte) (int, error) { return w.body.Write(p) }

// call sends body, if there is one, and returns the answer's JSON. An answer
// that is no success is an *admin.Problem.
func (c *client) call(ctx context.Context, method, path string, body any) (json.RawMessage, error) {
	text, err := c.fetch(ctx, method, path, body)
	return bytes.TrimSpace(text), err
}

// fetch is call for an answer of any kind.
func (c *client) fetch(ctx context.Context, method, path string, body any) ([]byte, error) {
	var send io.Reader
	if body != nil {
		text, err := json.Marshal(body)
		if err != nil {
			return nil, fmt.Errorf("encoding the request: %w", err)
		}
		send = bytes.NewReader(text)
	}
	req, err := http.NewRequestWithContext(ctx, method, c.base+path, send)
	if err != nil {
		return nil, fmt.Errorf("making the request: %w", err)
	}
	if body != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	if c.token != "" {
		req.Header.Set("Authorization", "Bearer "+c.token)
	}
	if method == http.MethodPut {
		req.Header.Set("If-Match", "*") // a command replaces whatever is there
	}
	if c.reason != "" {
		req.Header.Set("Usherd-Reason", c.reason)
	}
	return c.do(req)
}

func (c *client) do(req *http.Request) ([]byte, error) {
	resp, err := c.http.Do(req)
	if err != nil {
		if uerr, ok := errors.AsType[*url.Error](err); ok {
			err = uerr.Err
		}
		return nil, unreachable(fmt.Errorf("%s: %w", c.where, err))
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(io.LimitReader(resp.Body, maxAnswer))
	if err != nil {
		return nil, unreachable(fmt.Errorf("reading the answer of %s: %w", c.where, err))
	}
	if resp.StatusCode >= 300 {
		return nil, problem(resp, text)
	}
	return text, nil
}

// problem reads the problem in an answer.
func problem(resp *http.Response, text []byte) error {
	p := &admin.Problem{}
	if err := json.Unmarshal(text, p); err != nil || p.Title == "" {
		p = &admin.Problem{Title: "the daemon answers " + resp.Status}
	}
	p.Status = resp.StatusCode
	if p.Status == http.StatusInternalServerError && p.Detail == "" {
		p.Detail = "internal error; the daemon's log says more"
	}
	return p
}

// dialSocket connects to a socket whose path may be longer than the system
// allows.
func dialSocket(ctx context.Context, path string) (net.Conn, error) {
	short, done, err := shortSocketPath(path)
	if err != nil {
		return nil, err
	}
	defer done()
	d := net.Dialer{Timeout: 5 * time.Second}
	return d.DialContext(ctx, "unix", short)
}
