package ldapsync_test

import (
	"strings"
	"testing"
	"time"

	"github.com/usherd/usherd/ldapsync"
	"github.com/usherd/usherd/ldapsync/ldaptest"
)

func TestCertificatesTellHowServersProveThemselves(t *testing.T) {
	s := ldaptest.Start(t, ldaptest.Config{TLS: true})
	settings := ldapsync.Settings{
		URLs: []string{s.TLSURL, "ldaps://127.0.0.1:1"}, CAFile: s.Certs.CA,
		DialTimeout: ldapsync.Duration(10 * time.Second), RequestTimeout: ldapsync.Duration(10 * time.Second),
	}
	got, err := ldapsync.Certificates(t.Context(), settings)
	if err != nil || len(got) != 2 {
		t.Fatalf("Certificates = %+v, %v; want one for each server", got, err)
	}
	if c := got[0]; !c.TLS || c.Error != "" || !c.Expires.After(time.Now()) || c.Issuer == "" {
		t.Errorf("of a server with a certificate it tells %+v", c)
	}
	if c := got[1]; !strings.Contains(c.Error, "can be reached") || !c.Expires.IsZero() {
		t.Errorf("of a server that is not there it tells %+v", c)
	}
	settings.URLs, settings.CAFile = settings.URLs[:1], ""
	got, err = ldapsync.Certificates(t.Context(), settings)
	if err != nil || len(got) != 1 || !strings.Contains(got[0].Error, "caFile") {
		t.Errorf("of a server whose authority nobody trusts it tells %+v, %v; want what to set", got, err)
	}
}
