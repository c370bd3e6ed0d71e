package ldaptest

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/go-ldap/ldap/v3"
)

// Names of the directory that [Start] seeds.
const (
	Base      = "dc=example,dc=test"
	People    = "ou=people," + Base
	Groups    = "ou=groups," + Base
	AdminDN   = "cn=admin," + Base
	ReaderDN  = "cn=reader," + Base  // no limits unless Config.SizeLimit says so
	LimitedDN = "cn=limited," + Base // at most 50 entries a search, all pages together
	adminPW   = "secret"
	readerPW  = "userpw"
)

// Config says what a slapd holds. The zero value is the small seed of people
// and groups that doc comment of [Start] lists.
type Config struct {
	Users     int    // bulk users uid=u0001… in ou=bulk below [People]
	Groups    int    // bulk groups cn=g0001…, each with up to 100 bulk users
	Whole     bool   // a group cn=everybody of all bulk users
	SizeLimit int    // of the reader in entries, pages together; 0 is none
	TLS       bool   // also listen for ldaps and offer StartTLS
	Referral  bool   // hold a referral entry below the base
	MemberOf  bool   // keep memberOf of entries by the memberof overlay
	Extra     string // LDIF added to the seed

	ServerID int    // of a provider of replication; 0 is none
	Provider *Slapd // replicate what it holds, instead of the seed
}

// A Slapd is a running OpenLDAP server. Its exported fields are what a client
// needs to connect as the reader.
type Slapd struct {
	URL      string // ldap://127.0.0.1:port
	TLSURL   string // ldaps://localhost:port, when Config.TLS
	BindDN   string // the reader
	Password string
	Base     string
	Certs    Certs // when Config.TLS
	Addr     string

	tb   testing.TB
	dir  string
	path string
	urls string
	proc *process
}

// Start runs a slapd until the test ends. It holds alice, bob and dave (locked)
// in ou=Engineering and carol (expired) and zoe ("Duval, Zoë *(temp)") in
// ou=Finance, and the groups backend ⊂ engineering ⊂ all-staff and finance,
// where finance and all-staff contain each other; posix-eng (memberUid),
// unique-fin (uniqueMember), dyn-eng (memberURL) and "platform team".
func Start(tb testing.TB, c Config) *Slapd {
	tb.Helper()
	path := need(tb, "slapd", "slapd ldap-utils")
	add := need(tb, "slapadd", "slapd ldap-utils")
	dir := tb.TempDir()
	if err := os.Mkdir(filepath.Join(dir, "db"), 0o700); err != nil {
		tb.Fatal(err)
	}
	port := freePort(tb)
	s := &Slapd{
		URL: fmt.Sprintf("ldap://127.0.0.1:%d", port), Addr: fmt.Sprintf("127.0.0.1:%d", port),
		BindDN: ReaderDN, Password: readerPW, Base: Base, tb: tb, dir: dir, path: path,
	}
	s.urls = s.URL + "/"
	if c.TLS {
		s.Certs = WriteCerts(tb, dir)
		s.TLSURL = fmt.Sprintf("ldaps://localhost:%d", freePort(tb))
		s.urls += " " + strings.Replace(s.TLSURL, "localhost", "127.0.0.1", 1) + "/"
	}
	s.write("slapd.conf", slapdConf(dir, c, s.Certs))
	if c.Provider == nil {
		s.seed(c)
		run(tb, add, "-q", "-f", s.file("slapd.conf"), "-l", s.file("seed.ldif"))
	}
	s.Restart()
	if c.Provider != nil {
		s.CatchUp(c.Provider)
	}
	return s
}

func (s *Slapd) file(name string) string { return filepath.Join(s.dir, name) }

func (s *Slapd) write(name, text string) {
	if err := os.WriteFile(s.file(name), []byte(text), 0o600); err != nil {
		s.tb.Fatal(err)
	}
}

// seed writes the LDIF that fills the server. It may be larger than memory
// should be asked to hold.
func (s *Slapd) seed(c Config) {
	s.tb.Helper()
	f, err := os.OpenFile(s.file("seed.ldif"), os.O_CREATE|os.O_WRONLY, 0o600)
	if err != nil {
		s.tb.Fatal(err)
	}
	if err := writeSeed(f, c); err != nil {
		s.tb.Fatal(err)
	}
	if err := f.Close(); err != nil {
		s.tb.Fatal(err)
	}
}

// Restart starts the server, over the data it had when it was stopped.
func (s *Slapd) Restart() {
	s.tb.Helper()
	s.proc = start(s.tb, s.file("slapd.log"), s.path, "-d", "0", "-h", s.urls, "-f", s.file("slapd.conf"))
	s.proc.ready(s.tb, func() error {
		conn, err := ldap.DialURL(s.URL)
		if err != nil {
			return err
		}
		return conn.Close()
	})
}

// Stop ends the server in an orderly way, Kill without warning.
func (s *Slapd) Stop() { s.proc.end(syscall.SIGTERM) }

// Kill ends the server without warning.
func (s *Slapd) Kill() { s.proc.end(syscall.SIGKILL) }

// Pause makes the server fall silent with its connections open; Resume ends it.
func (s *Slapd) Pause() { _ = s.proc.cmd.Process.Signal(syscall.SIGSTOP) }

// Resume lets a paused server go on.
func (s *Slapd) Resume() { _ = s.proc.cmd.Process.Signal(syscall.SIGCONT) }

// Admin returns a connection bound as the administrator; the test closes it
// when it ends.
func (s *Slapd) Admin() *ldap.Conn {
	s.tb.Helper()
	return bound(s.tb, s.URL, AdminDN, adminPW)
}

func bound(tb testing.TB, url, dn, password string, opts ...ldap.DialOpt) *ldap.Conn {
	tb.Helper()
	conn, err := ldap.DialURL(url, opts...)
	if err != nil {
		tb.Fatalf("dial %s: %v", url, err)
	}
	tb.Cleanup(func() { _ = conn.Close() })
	if err := conn.Bind(dn, password); err != nil {
		tb.Fatalf("bind %s: %v", dn, err)
	}
	return conn
}

func (s *Slapd) do(what string, f func(*ldap.Conn) error) {
	s.tb.Helper()
	conn := s.Admin()
	defer conn.Close()
	if err := f(conn); err != nil {
		s.tb.Fatalf("%s: %v", what, err)
	}
}

// Add adds an entry.
func (s *Slapd) Add(dn string, attributes map[string][]string) {
	s.tb.Helper()
	req := ldap.NewAddRequest(dn, nil)
	for name, values := range attributes {
		req.Attribute(name, values)
	}
	s.do("add "+dn, func(c *ldap.Conn) error { return c.Add(req) })
}

// Replace sets the values of an attribute; none deletes it.
func (s *Slapd) Replace(dn, attribute string, values ...string) {
	s.tb.Helper()
	req := ldap.NewModifyRequest(dn, nil)
	req.Replace(attribute, values)
	s.do("modify "+dn, func(c *ldap.Conn) error { return c.Modify(req) })
}

// AddValues adds values to an attribute, such as members to a group.
func (s *Slapd) AddValues(dn, attribute string, values ...string) {
	s.tb.Helper()
	req := ldap.NewModifyRequest(dn, nil)
	req.Add(attribute, values)
	s.do("modify "+dn, func(c *ldap.Conn) error { return c.Modify(req) })
}

// DeleteValues takes values from an attribute.
func (s *Slapd) DeleteValues(dn, attribute string, values ...string) {
	s.tb.Helper()
	req := ldap.NewModifyRequest(dn, nil)
	req.Delete(attribute, values)
	s.do("modify "+dn, func(c *ldap.Conn) error { return c.Modify(req) })
}

// Delete deletes an entry without children.
func (s *Slapd) Delete(dn string) {
	s.tb.Helper()
	s.do("delete "+dn, func(c *ldap.Conn) error { return c.Del(ldap.NewDelRequest(dn, nil)) })
}

// Rename gives an entry, with all below it, a new RDN and, unless superior is
// empty, a new parent. Its entryUUID stays; members of groups do not follow.
func (s *Slapd) Rename(dn, rdn, superior string) {
	s.tb.Helper()
	s.do("rename "+dn, func(c *ldap.Conn) error {
		return c.ModifyDN(ldap.NewModifyDNRequest(dn, rdn, true, superior))
	})
}
