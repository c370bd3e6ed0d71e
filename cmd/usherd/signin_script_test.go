package main

import (
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"
	"github.com/usherd/usherd/console/oidctest"
)

// providers are the identity providers of stories, by the address that they are.
type providers struct {
	running sync.Map // of *oidctest.Provider
}

// start starts an identity provider: oidc VARIABLE, which becomes its issuer.
func (p *providers) start(ts *testscript.TestScript, t *testing.T, args []string) {
	if len(args) != 1 {
		ts.Fatalf("usage: oidc VARIABLE")
	}
	started := oidctest.Start(t)
	p.running.Store(started.URL, started)
	ts.Setenv(args[0], started.URL)
}

// signIn signs in to the console as a subject whom the provider calls by a name,
// and checks the status of the end of it. The page goes to stdout, and the cookie
// of the session to a variable: signin STATUS URL SUBJECT NAME [VARIABLE].
func (p *providers) signIn(ts *testscript.TestScript, neg bool, args []string) {
	if len(args) < 4 || len(args) > 5 || neg {
		ts.Fatalf("usage: signin STATUS URL SUBJECT NAME [VARIABLE]")
	}
	jar, err := cookiejar.New(nil)
	ts.Check(err)
	browser := &http.Client{Jar: jar, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	sent, err := browser.PostForm(args[1]+"/login/oidc", nil)
	ts.Check(err)
	ts.Check(sent.Body.Close())
	at, err := sent.Location()
	ts.Check(err)
	running, ok := p.running.Load(at.Scheme + "://" + at.Host)
	if !ok {
		ts.Fatalf("the browser is sent to %s, where no provider is", at)
	}
	provider := running.(*oidctest.Provider)
	provider.Claims = map[string]any{"sub": args[2], "preferred_username": args[3]}
	resp, err := browser.Get(provider.Consent(at.String()))
	ts.Check(err)
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	ts.Check(err)
	_, err = ts.Stdout().Write(append(text, '\n'))
	ts.Check(err)
	if strconv.Itoa(resp.StatusCode) != args[0] {
		ts.Fatalf("signing in as %s: status %s, want %s: %s", args[2], resp.Status, args[0], text)
	}
	if len(args) == 5 {
		console, err := url.Parse(args[1])
		ts.Check(err)
		var held []string
		for _, c := range jar.Cookies(console) {
			held = append(held, c.Name+"="+c.Value)
		}
		ts.Setenv(args[4], strings.Join(held, "; "))
	}
}
