package main

import (
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"
	"github.com/usherd/usherd/ldapsync/ldaptest"
)

// A stalling is the proxies of stories that let a directory fall silent.
type stalling struct {
	mu      sync.Mutex // guards proxies
	proxies map[string]*ldaptest.Proxy
}

// stall puts a proxy before the directory at $LDAP_URL, as $STALLED_URL, that
// says nothing more after so many bytes: stall BYTES.
func (s *stalling) stall(ts *testscript.TestScript, t *testing.T, args []string) {
	if len(args) != 1 {
		ts.Fatalf("usage: stall BYTES")
	}
	n, err := strconv.ParseInt(args[0], 10, 64)
	ts.Check(err)
	p := ldaptest.StartProxy(t, strings.TrimPrefix(ts.Getenv("LDAP_URL"), "ldap://"))
	p.CutAfter(n, ldaptest.Stall)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.proxies[p.URL] = p
	ts.Setenv("STALLED_URL", p.URL)
}

// unstall lets it speak again.
func (s *stalling) unstall(ts *testscript.TestScript, _ bool, _ []string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.proxies[ts.Getenv("STALLED_URL")].Heal()
}
