package ldaptest

import (
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"unicode/utf16"

	"github.com/go-ldap/ldap/v3"
)

const sambaPackages = "samba samba-ad-dc samba-ad-provision samba-dsdb-modules samba-vfs-modules winbind python3-samba ldb-tools acl attr"

// Names of the domain that [StartSamba] provisions.
const (
	SambaBase     = "DC=ad,DC=example,DC=test"
	SambaStaff    = "OU=Staff," + SambaBase
	SambaGroups   = "OU=Groups," + SambaBase
	sambaAdmin    = "administrator@ad.example.test"
	sambaAdminPW  = "Passw0rd!23"
	sambaReader   = "svc-sync@ad.example.test"
	sambaReaderPW = "Us3r!pass99"
)

// SambaConfig says what a domain controller holds beside its seed.
type SambaConfig struct {
	Sizes []int // a group "of N" for each, of contacts; see [SambaContact]
}

// A Samba is a running Active Directory domain controller.
type Samba struct {
	URL      string // ldaps://127.0.0.x
	BindDN   string // an ordinary account
	Password string
	Base     string
	Certs    Certs

	tb   testing.TB
	dir  string
	proc *process
}

// StartSamba runs a domain controller until the test ends: alice, bob (whose
// primary group is "primarygrp"), carol (disabled), zoe ("Duval, Zoë *(temp)"),
// erin (expired) and svc-sync; backend ⊂ engineering ⊂ all-staff ⊃ finance. It
// takes some seconds. It must be root, for Samba listens on ports that are
// fixed, so each server has a loopback address of its own.
func StartSamba(tb testing.TB, c SambaConfig) *Samba {
	tb.Helper()
	server := need(tb, "samba", sambaPackages)
	tool := need(tb, "samba-tool", sambaPackages)
	add, modify := need(tb, "ldbadd", sambaPackages), need(tb, "ldbmodify", sambaPackages)
	if os.Getuid() != 0 {
		missing(tb, "a Samba domain controller must be started as root")
	}
	dir := sambaDir(tb)
	ip := freeAddress(tb)
	s := &Samba{URL: "ldaps://" + ip, BindDN: sambaReader, Password: sambaReaderPW, Base: SambaBase, tb: tb, dir: dir}
	s.write("empty.conf", "")
	run(tb, tool, "domain", "provision", "-s", s.file("empty.conf"), "--targetdir="+dir, "--realm=AD.EXAMPLE.TEST", "--domain=ADTEST",
		"--server-role=dc", "--use-rfc2307", "--dns-backend=NONE", "--adminpass="+sambaAdminPW, "--host-name=dc1", "--host-ip=127.0.0.1",
		"--option=interfaces = "+ip+"/8", "--option=bind interfaces only = yes", "--option=log file = "+s.file("log"))
	s.Certs = WriteCerts(tb, dir, ip)
	conf := filepath.Join("etc", "smb.conf")
	s.write(conf, sambaConf(dir, ip, s.Certs))
	database := []string{"--configfile=" + s.file(conf), "--nosync", "-H", s.file("private/sam.ldb")}
	for i, chunk := range sambaSeed(c) { // one transaction each; it is quadratic in its size
		name := fmt.Sprintf("seed%d.ldif", i)
		s.write(name, chunk)
		run(tb, add, append(database, s.file(name))...)
	}
	s.write("primary.ldif", sambaPrimary)
	run(tb, modify, append(database, s.file("primary.ldif"))...)
	s.proc = start(tb, s.file("samba.log"), server, "-i", "--no-process-group", "-M", "single", "-s", s.file(conf))
	s.proc.ready(tb, func() error {
		conn, err := s.dial()
		if err != nil {
			return err
		}
		defer conn.Close()
		return conn.Bind(sambaReader, sambaReaderPW)
	})
	s.primary()
	return s
}

// sambaDir is a short path: Samba puts sockets in it. They are the reason for
// not using tb.TempDir.
func sambaDir(tb testing.TB) string {
	dir, err := os.MkdirTemp("", "ad") //nolint:usetesting // tb.TempDir is too long for the sockets
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { _ = os.RemoveAll(dir) })
	for _, sub := range []string{"run", "ncalrpc", "etc"} {
		if err := os.Mkdir(filepath.Join(dir, sub), 0o755); err != nil {
			tb.Fatal(err)
		}
	}
	return dir
}

// addresses counts the addresses that were tried, for servers that start at the
// same time.
var addresses atomic.Uint32

// freeAddress finds a loopback address on which nobody listens to LDAP.
func freeAddress(tb testing.TB) string {
	for range 240 {
		host := 10 + addresses.Add(1)%240
		ip := fmt.Sprintf("127.0.%d.%d", os.Getpid()%200+1, host)
		free := true
		for _, port := range []string{"389", "636", "88", "3268"} {
			l, err := net.Listen("tcp", net.JoinHostPort(ip, port))
			if err != nil {
				free = false
				break
			}
			_ = l.Close()
		}
		if free {
			return ip
		}
	}
	missing(tb, "no loopback address has the ports of a domain controller free")
	return ""
}

func (s *Samba) file(name string) string { return filepath.Join(s.dir, name) }

func (s *Samba) write(name, text string) {
	if err := os.WriteFile(s.file(name), []byte(text), 0o600); err != nil {
		s.tb.Fatal(err)
	}
}

func (s *Samba) dial() (*ldap.Conn, error) {
	pem, err := os.ReadFile(s.Certs.CA)
	if err != nil {
		return nil, err
	}
	pool := x509.NewCertPool()
	pool.AppendCertsFromPEM(pem)
	return ldap.DialURL(s.URL, ldap.DialWithTLSConfig(&tls.Config{RootCAs: pool, MinVersion: tls.VersionTLS12}))
}

// Admin returns a connection bound as the domain administrator; the test closes
// it when it ends.
func (s *Samba) Admin() *ldap.Conn {
	s.tb.Helper()
	conn, err := s.dial()
	if err != nil {
		s.tb.Fatalf("dial %s: %v", s.URL, err)
	}
	s.tb.Cleanup(func() { _ = conn.Close() })
	if err := conn.Bind(sambaAdmin, sambaAdminPW); err != nil {
		s.tb.Fatalf("bind: %v", err)
	}
	return conn
}

// Rename gives an entry, with all below it, a new RDN and, unless superior is
// empty, a new parent.
func (s *Samba) Rename(dn, rdn, superior string) {
	s.tb.Helper()
	if err := s.Admin().ModifyDN(ldap.NewModifyDNRequest(dn, rdn, true, superior)); err != nil {
		s.tb.Fatalf("rename %s: %v", dn, err)
	}
}

// Add adds an entry.
func (s *Samba) Add(dn string, attributes map[string][]string) {
	s.tb.Helper()
	req := ldap.NewAddRequest(dn, nil)
	for name, values := range attributes {
		req.Attribute(name, values)
	}
	if err := s.Admin().Add(req); err != nil {
		s.tb.Fatalf("add %s: %v", dn, err)
	}
}

// Delete deletes an entry.
func (s *Samba) Delete(dn string) {
	s.tb.Helper()
	if err := s.Admin().Del(ldap.NewDelRequest(dn, nil)); err != nil {
		s.tb.Fatalf("delete %s: %v", dn, err)
	}
}

// Replace sets the values of an attribute; none deletes it.
func (s *Samba) Replace(dn, attribute string, values ...string) {
	s.tb.Helper()
	req := ldap.NewModifyRequest(dn, nil)
	req.Replace(attribute, values)
	if err := s.Admin().Modify(req); err != nil {
		s.tb.Fatalf("modify %s: %v", dn, err)
	}
}

// primary makes primarygrp the primary group of bob, who then is no longer
// listed in its member attribute.
func (s *Samba) primary() {
	s.tb.Helper()
	found, err := s.Admin().Search(ldap.NewSearchRequest("CN=primarygrp,"+SambaGroups, ldap.ScopeBaseObject, 0, 0, 0, false,
		"(objectClass=*)", []string{"primaryGroupToken"}, nil))
	if err != nil || len(found.Entries) != 1 {
		s.tb.Fatalf("reading primarygrp: %v", err)
	}
	s.Replace("CN=Bob Brook,OU=Engineering,"+SambaStaff, "primaryGroupID", found.Entries[0].GetAttributeValue("primaryGroupToken"))
}

// sambaPassword is the form that unicodePwd takes, for LDIF.
func sambaPassword(text string) string {
	var raw []byte
	for _, u := range utf16.Encode([]rune(`"` + text + `"`)) {
		raw = append(raw, byte(u), byte(u>>8))
	}
	return base64.StdEncoding.EncodeToString(raw)
}

func sambaConf(dir, ip string, c Certs) string {
	return strings.NewReplacer("DIR", dir, "IP", ip, "CA", c.CA, "CERT", c.Server, "KEY", c.ServerKey).Replace(`[global]
  netbios name = DC1
  realm = AD.EXAMPLE.TEST
  workgroup = ADTEST
  server role = active directory domain controller
  server services = ldap, cldap, kdc
  interfaces = IP/8
  bind interfaces only = yes
  private dir = DIR/private
  state directory = DIR/state
  cache directory = DIR/cache
  lock directory = DIR
  binddns dir = DIR/bind-dns
  pid directory = DIR/run
  ncalrpc dir = DIR/ncalrpc
  log file = DIR/log.%m
  tls keyfile = KEY
  tls certfile = CERT
  tls cafile = CA
  idmap_ldb:use rfc2307 = yes
  allow dns updates = disabled
[sysvol]
  path = DIR/state/sysvol
`)
}
