package webhook

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/usherd/usherd/directory"
)

// The bounds of one attempt.
const (
	attemptTimeout = 15 * time.Second
	answerRead     = 4 << 10
)

// A Client sends deliveries, to public addresses and to those in Allow.
type Client struct {
	Allow    []netip.Prefix
	Resolver interface {
		LookupNetIP(ctx context.Context, network, host string) ([]netip.Addr, error)
	} // default net.DefaultResolver
	Timeout time.Duration // of one attempt; default 15 s
	Agent   string        // User-Agent
	Now     func() time.Time
}

// never are addresses that are public in form only, or lead to others.
var never = []netip.Prefix{
	netip.MustParsePrefix("0.0.0.0/8"), netip.MustParsePrefix("100.64.0.0/10"), netip.MustParsePrefix("192.0.0.0/24"),
	netip.MustParsePrefix("192.0.2.0/24"), netip.MustParsePrefix("192.88.99.0/24"), netip.MustParsePrefix("198.18.0.0/15"),
	netip.MustParsePrefix("198.51.100.0/24"), netip.MustParsePrefix("203.0.113.0/24"), netip.MustParsePrefix("240.0.0.0/4"),
	netip.MustParsePrefix("64:ff9b::/96"), netip.MustParsePrefix("64:ff9b:1::/48"), netip.MustParsePrefix("100::/64"),
	netip.MustParsePrefix("2001::/23"), netip.MustParsePrefix("2001:db8::/32"), netip.MustParsePrefix("2002::/16"),
	netip.MustParsePrefix("fec0::/10"), netip.MustParsePrefix("::/96"),
}

// permits reports whether an address may be connected to.
func (c *Client) permits(a netip.Addr) bool {
	a = a.Unmap().WithZone("")
	in := func(p netip.Prefix) bool { return p.Contains(a) }
	if slices.ContainsFunc(c.Allow, in) {
		return true
	}
	return a.IsValid() && a.IsGlobalUnicast() && !a.IsPrivate() && !a.IsLoopback() && !a.IsLinkLocalUnicast() && !slices.ContainsFunc(never, in)
}

var errGuarded = fmt.Errorf("%w: the address is not public; webhooks.allow in the configuration names others that may be used", directory.ErrInvalid)

// checkLiteral refuses a host that is an address which may not be used.
func (c *Client) checkLiteral(host string) error {
	if a, err := netip.ParseAddr(host); err == nil && !c.permits(a) {
		return errGuarded
	}
	return nil
}

// allowsPlain reports whether http without TLS may go to a host: one that is an
// address in Allow.
func (c *Client) allowsPlain(host string) bool {
	a, err := netip.ParseAddr(host)
	return err == nil && slices.ContainsFunc(c.Allow, func(p netip.Prefix) bool { return p.Contains(a.Unmap()) })
}

// dial resolves a name, checks the addresses and connects to one of those that
// were checked.
func (c *Client) dial(ctx context.Context, network, address string) (net.Conn, error) {
	host, port, err := net.SplitHostPort(address)
	if err != nil {
		return nil, err
	}
	resolve := net.DefaultResolver.LookupNetIP
	if c.Resolver != nil {
		resolve = c.Resolver.LookupNetIP
	}
	addrs, err := resolve(ctx, "ip", host)
	if err != nil {
		return nil, errors.New("the name does not resolve")
	}
	err = errGuarded
	for _, a := range addrs {
		if !c.permits(a) {
			return nil, errGuarded // a name that leads inside at all is not to be trusted
		}
	}
	for _, a := range addrs {
		var conn net.Conn
		d := net.Dialer{Timeout: 5 * time.Second}
		if conn, err = d.DialContext(ctx, network, net.JoinHostPort(a.Unmap().String(), port)); err == nil {
			return conn, nil
		}
	}
	return nil, err
}

// An attempt is what came of sending once.
type attempt struct {
	status int
	took   time.Duration
	err    error
}

func (a attempt) ok() bool { return a.err == nil && a.status >= 200 && a.status < 300 }

// problem says in words what went wrong, without anything of the answer.
func (a attempt) problem() string {
	switch {
	case a.ok():
		return ""
	case errors.Is(a.err, errGuarded):
		return "refused here: the address is not public"
	case errors.Is(a.err, context.DeadlineExceeded):
		return "no answer in time"
	case a.err != nil:
		return "not reached: " + kindOfError(a.err)
	case a.status >= 300 && a.status < 400:
		return "answered with a redirect, which is not followed"
	}
	return "answered " + strconv.Itoa(a.status)
}

// kindOfError keeps addresses and names out of what is kept.
func kindOfError(err error) string {
	text := err.Error()
	for _, known := range []string{"connection refused", "certificate", "does not resolve", "connection reset", "no route to host", "timeout", "EOF"} {
		if strings.Contains(text, known) {
			return known
		}
	}
	return "connecting failed"
}

// send makes one attempt. secrets are the newest first.
func (c *Client) send(ctx context.Context, address, id string, body []byte, secrets [][]byte) attempt {
	timeout := c.Timeout
	if timeout == 0 {
		timeout = attemptTimeout
	}
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	now := time.Now
	if c.Now != nil {
		now = c.Now
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, address, bytes.NewReader(body))
	if err != nil {
		return attempt{err: err}
	}
	at := now()
	var signatures []string
	for _, secret := range secrets {
		signatures = append(signatures, Sign(secret, id, at, body))
	}
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("User-Agent", c.Agent)
	req.Header.Set("Webhook-Id", id)
	req.Header.Set("Webhook-Timestamp", strconv.FormatInt(at.Unix(), 10))
	req.Header.Set("Webhook-Signature", strings.Join(signatures, " "))
	transport := &http.Transport{DialContext: c.dial, DisableKeepAlives: true, MaxResponseHeaderBytes: 16 << 10, TLSHandshakeTimeout: 10 * time.Second}
	defer transport.CloseIdleConnections()
	client := &http.Client{Transport: transport, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	begun := time.Now()
	resp, err := client.Do(req)
	if err != nil {
		if ctx.Err() != nil {
			err = context.DeadlineExceeded
		}
		return attempt{took: time.Since(begun), err: err}
	}
	defer resp.Body.Close()
	_, _ = io.CopyN(io.Discard, resp.Body, answerRead) // what it says is of no interest
	return attempt{status: resp.StatusCode, took: time.Since(begun)}
}
