package client

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"time"
)

// A Config says which daemon is asked, and how.
type Config struct {
	// URL is where the daemon is: https://usherd.example.com. Required.
	URL string
	// Token is a check token. Required. Scopes beyond evaluate are needed for
	// searches (search), [Client.Permissions] (permissions) and [Client.Watch]
	// (watch).
	Token string

	// Timeout bounds each call with all its retries. Default 2 s.
	Timeout time.Duration
	// Retries is how often a call is repeated where that is safe. Default 2;
	// negative means never.
	Retries int
	// Connections is how many connections are kept open. Default 64.
	Connections int

	// Coalesce is how long a check waits for others to share a request with.
	// Default 0: not at all. A millisecond or less is worth it from some
	// thousand checks a second on.
	Coalesce time.Duration

	// Transport does the requests, e.g. one with a certificate of its own.
	// Default a pool of connections.
	Transport http.RoundTripper
}

// A Client asks one daemon.
type Client struct {
	cfg    Config
	http   *http.Client
	gather *gatherer // nil without Coalesce
}

// New checks cfg and returns a client. It does not connect.
func New(cfg Config) (*Client, error) {
	u, err := url.Parse(cfg.URL)
	switch {
	case err != nil || u.Host == "" || u.Scheme != "https" && u.Scheme != "http":
		return nil, errors.New("usherd client: Config.URL must be like https://usherd.example.com")
	case u.User != nil || u.RawQuery != "" || u.Fragment != "":
		return nil, errors.New("usherd client: Config.URL has more than an address")
	case cfg.Token == "" || strings.ContainsFunc(cfg.Token, func(r rune) bool { return r <= ' ' || r >= 0x7f }):
		return nil, errors.New("usherd client: Config.Token must be a check token")
	case cfg.Timeout < 0 || cfg.Coalesce < 0 || cfg.Connections < 0:
		return nil, errors.New("usherd client: Config has a negative limit")
	}
	cfg.URL = strings.TrimRight(cfg.URL, "/")
	cfg.Timeout, cfg.Retries = cmp.Or(cfg.Timeout, 2*time.Second), cmp.Or(cfg.Retries, 2)
	cfg.Connections = cmp.Or(cfg.Connections, 64)
	if cfg.Transport == nil {
		cfg.Transport = &http.Transport{
			Proxy: http.ProxyFromEnvironment, MaxIdleConns: cfg.Connections, MaxIdleConnsPerHost: cfg.Connections,
			IdleConnTimeout: 90 * time.Second, TLSHandshakeTimeout: 5 * time.Second, ForceAttemptHTTP2: true,
		}
	}
	c := &Client{cfg: cfg, http: &http.Client{
		Transport: cfg.Transport,
		// A daemon never redirects a question; the token goes nowhere else.
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}}
	if cfg.Coalesce > 0 {
		c.gather = &gatherer{client: c, open: map[string]*batch{}}
	}
	return c, nil
}

// Close closes connections that nobody uses.
func (c *Client) Close() { c.http.CloseIdleConnections() }

// A Stamp is one point of the daemon's history, as in the header
// Usherd-Revision. The empty stamp means none.
type Stamp string

type atLeastKey struct{}

// WithAtLeast makes calls under the returned context be answered from stamp or
// later. A daemon that has not seen stamp yet waits for it shortly; the call
// fails if that is not enough, and with [ErrRevisionLost] if the daemon's
// history no longer has it.
func WithAtLeast(ctx context.Context, stamp Stamp) context.Context {
	return context.WithValue(ctx, atLeastKey{}, stamp)
}

func atLeast(ctx context.Context) Stamp {
	s, _ := ctx.Value(atLeastKey{}).(Stamp)
	return s
}

// ErrRevisionLost says that the required stamp is of a history that the daemon
// no longer has, as after a restore.
var ErrRevisionLost = errors.New("usherd: the revision is lost")

// An Error is an answer that is none: the daemon refused the question, or has no
// answer now. It is neither an allow nor a deny.
type Error struct {
	Status  int           // of HTTP, or of one item of a batch
	Message string        // what the daemon said
	Retry   time.Duration // when to ask again; 0 if it didn't say
}

func (e *Error) Error() string {
	if e.Message == "" {
		return fmt.Sprintf("usherd: status %d", e.Status)
	}
	return fmt.Sprintf("usherd: status %d: %s", e.Status, e.Message)
}

// Is makes errors.Is(err, [ErrRevisionLost]) and errors.Is(err, [ErrTooLarge])
// hold for the status that says so.
func (e *Error) Is(target error) bool {
	return target == ErrRevisionLost && e.Status == http.StatusConflict ||
		target == ErrTooLarge && e.Status == http.StatusRequestEntityTooLarge
}

// errAnswer says that an answer is not in the form of the standard.
var errAnswer = errors.New("usherd: the answer is not one of the check API")
