package ldapsync

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"
	"time"

	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"

	"github.com/usherd/usherd/directory"
	"github.com/usherd/usherd/ldapsync/ldaptest"
)

// TestThePasswordIsSeenByNobody: whoever listens on the wire hears no password,
// whatever is wrong with TLS, and no log, run or report repeats it.
func TestThePasswordIsSeenByNobody(t *testing.T) {
	t.Parallel()
	const canary = "canary-4f1d-password"
	secure := ldaptest.Start(t, ldaptest.Config{TLS: true})
	plain := ldaptest.Start(t, ldaptest.Config{})
	secure.Replace(secure.BindDN, "userPassword", canary)
	plain.Replace(plain.BindDN, "userPassword", canary)
	for _, c := range []struct {
		name   string
		server *ldaptest.Slapd
		ldaps  bool
		alter  func(*Settings)
		result directory.RunResult
		heard  bool
	}{
		{"in the clear, as the settings allow", plain, false, func(s *Settings) { s.AllowPlaintextBind = true }, directory.RunApplied, true},
		{"StartTLS", secure, false, func(s *Settings) { s.StartTLS = true }, directory.RunApplied, false},
		{"LDAPS", secure, true, nil, directory.RunApplied, false},
		{"a server that does not know StartTLS", plain, false, func(s *Settings) { s.StartTLS, s.AllowPlaintextBind = true, true }, directory.RunIncomplete, false},
		{"StartTLS with a certificate of another name", secure, false, func(s *Settings) { s.StartTLS, s.ServerName = true, "ldap.example.com" }, directory.RunIncomplete, false},
		{"StartTLS with an unknown authority", secure, false, func(s *Settings) { s.StartTLS, s.CAFile = true, "" }, directory.RunIncomplete, false},
		{"LDAPS with a certificate of another name", secure, true, func(s *Settings) { s.ServerName = "ldap.example.com" }, directory.RunIncomplete, false},
		{"LDAPS with an unknown authority", secure, true, func(s *Settings) { s.CAFile = "" }, directory.RunIncomplete, false},
		{"LDAPS to a port that speaks no TLS", plain, true, nil, directory.RunIncomplete, false},
		{"a refused bind", secure, false, func(s *Settings) { s.StartTLS, s.BindDN = true, "cn=nobody,"+ldaptest.Base }, directory.RunIncomplete, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			target := c.server.Addr
			if c.ldaps && c.server.TLSURL != "" {
				target = strings.Replace(strings.TrimPrefix(c.server.TLSURL, "ldaps://"), "localhost", "127.0.0.1", 1)
			}
			proxy := ldaptest.StartProxy(t, target)
			s := settingsOf(t, c.server)
			s.URLs, s.AllowPlaintextBind, s.CAFile = []string{proxy.URL}, false, secure.Certs.CA
			if c.ldaps {
				s.URLs = []string{strings.Replace(proxy.URL, "ldap://", "ldaps://", 1)}
			}
			s.PasswordFile, s.RequestTimeout = secretFile(t, canary), Duration(5*time.Second)
			if c.alter != nil {
				c.alter(&s)
			}
			var logged bytes.Buffer
			log := zap.New(zapcore.NewCore(zapcore.NewJSONEncoder(zap.NewProductionEncoderConfig()), zapcore.AddSync(&logged), zap.DebugLevel))
			store := newMapStore()
			p, err := New(Config{Source: "corp", Settings: s, Store: store, Log: log})
			if err != nil {
				t.Fatal(err)
			}
			r := runs(t, p, c.result)
			if heard := bytes.Contains(proxy.Heard(), []byte(canary)); heard != c.heard {
				t.Errorf("the password went over the wire in the clear = %v, want %v (%s)", heard, c.heard, r.Message)
			}
			told, err := json.Marshal([]any{r, store.runs, store.holds, p.Try(t.Context()), p.Settings()})
			if err != nil {
				t.Fatal(err)
			}
			if bytes.Contains(told, []byte(canary)) || bytes.Contains(logged.Bytes(), []byte(canary)) {
				t.Errorf("the password is told: %s\n%s", told, logged.Bytes())
			}
		})
	}
}
