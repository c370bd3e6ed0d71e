package ldapsync

import (
	"bytes"
	"fmt"
	"net"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/usherd/usherd/directory"
	"github.com/usherd/usherd/ldapsync/ldaptest"
)

// A realm is a domain whose servers DNS names. They are proxies before one
// slapd, and known as dc1, dc2 and so on.
type testRealm struct {
	*testing.T
	dns     *ldaptest.DNS
	server  *ldaptest.Slapd
	proxies []*ldaptest.Proxy
}

func startRealm(t *testing.T, servers int) *testRealm {
	t.Helper()
	r := &testRealm{T: t, dns: ldaptest.StartDNS(t), server: ldaptest.Start(t, ldaptest.Config{Users: 60, TLS: true})}
	for i := range servers {
		proxy := ldaptest.StartProxy(t, "127.0.0.1"+strings.TrimPrefix(r.server.TLSURL, "ldaps://localhost"))
		proxy.Heal()
		r.proxies = append(r.proxies, proxy)
		r.dns.SetHost(r.host(i), "127.0.0.1")
	}
	return r
}

// host is the name of a server, counted from 0.
func (r *testRealm) host(i int) string { return fmt.Sprintf("dc%d.%s", i+1, ldaptest.Realm) }

func (r *testRealm) port(i int) uint16 {
	r.Helper()
	addr, err := net.ResolveTCPAddr("tcp", r.proxies[i].Addr)
	if err != nil {
		r.Fatal(err)
	}
	return uint16(addr.Port)
}

func (r *testRealm) url(i int) string { return fmt.Sprintf("ldaps://%s:%d", r.host(i), r.port(i)) }

func (r *testRealm) record(i int, priority, weight uint16) net.SRV {
	return net.SRV{Target: r.host(i), Port: r.port(i), Priority: priority, Weight: weight}
}

// publish sets the records of _ldaps._tcp of the realm.
func (r *testRealm) publish(records ...net.SRV) {
	r.dns.SetSRV("_ldaps._tcp."+ldaptest.Realm, records...)
}

func (r *testRealm) settings() Settings {
	r.Helper()
	return Settings{
		URLs: []string{"ldaps+srv://" + ldaptest.Realm}, CAFile: r.server.Certs.CA, BindDN: r.server.BindDN, PasswordFile: secretFile(r, r.server.Password),
		Template: "openldap", Base: []string{r.server.Base}, PageSize: 10, RequestTimeout: Duration(10 * time.Second), resolver: r.dns.Resolver(),
	}.withDefaults()
}

// deadPort is a port on which nobody listens.
func deadPort(t *testing.T) uint16 {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return uint16(l.Addr().(*net.TCPAddr).Port)
}

// TestServersNamedByDNS: records are tried by priority, targets outside the
// domain are not believed, and each server must prove the name that DNS gave.
func TestServersNamedByDNS(t *testing.T) {
	t.Parallel()
	r := startRealm(t, 2)
	s := r.settings()
	dead := net.SRV{Target: r.host(0), Port: deadPort(t), Priority: 1}
	for _, c := range []struct {
		name    string
		records []net.SRV
		from    string // "" if nothing can be read
		says    string
	}{
		{"the lower priority comes first", []net.SRV{r.record(0, 20, 100), r.record(1, 10, 0)}, r.url(1), ""},
		{"whatever the weight", []net.SRV{r.record(0, 10, 0), r.record(1, 20, 100)}, r.url(0), ""},
		{"a dead server is passed over, and told of", []net.SRV{dead, r.record(1, 2, 0)}, r.url(1), "connection refused"},
		{"a host that DNS does not know is passed over", []net.SRV{{Target: "gone." + ldaptest.Realm, Port: 636}, r.record(1, 2, 0)}, r.url(1), "no such host"},
		{"a target outside the domain is not tried", []net.SRV{{Target: "evil.test", Port: r.port(0)}, r.record(1, 2, 0)}, r.url(1), ""},
		{"nor if there is no other", []net.SRV{{Target: "evil.test", Port: r.port(0)}}, "", "no server inside"},
		{"the service is decidedly not there", []net.SRV{{Target: "."}}, "", "no server inside"},
		{"no records", nil, "", "SRV records"},
		{"all are dead", []net.SRV{dead, {Target: r.host(1), Port: dead.Port, Priority: 2}}, "", "before that"},
	} {
		t.Run(c.name, func(t *testing.T) {
			r.publish(c.records...)
			snap, err := Collect(t.Context(), s, time.Now(), nil)
			if c.from == "" {
				if err == nil || !strings.Contains(err.Error(), c.says) {
					t.Errorf("Collect: %v, want an error with %q", err, c.says)
				}
				return
			}
			if err != nil {
				t.Fatalf("Collect: %v", err)
			}
			if told := strings.Join(snap.Passed, " "); snap.Server != c.from || !strings.Contains(told, c.says) || (told == "") != (c.says == "") {
				t.Errorf("read from %s and told %q, want %s and %q", snap.Server, told, c.from, c.says)
			}
		})
	}

	t.Run("Active Directory has records of ldap only, and of sites", func(t *testing.T) {
		r.publish()
		r.dns.SetSRV("_ldap._tcp.paris._sites."+ldaptest.Realm, net.SRV{Target: r.host(0), Port: 389})
		s := s
		s.URLs = []string{"ldaps+srv://paris._sites." + ldaptest.Realm}
		got, err := servers(t.Context(), s)
		if want := []string{"ldaps://" + r.host(0) + ":636"}; err != nil || !slices.Equal(got, want) {
			t.Errorf("servers = %v, %v, want %v", got, err, want)
		}
	})
	t.Run("records and URLs may stand side by side", func(t *testing.T) {
		r.publish()
		s := s
		s.URLs = append(s.URLs, r.url(1))
		if snap, err := Collect(t.Context(), s, time.Now(), nil); err != nil || snap.Server != r.url(1) {
			t.Errorf("Collect = %v, want a read of the second", err)
		}
	})
	t.Run("a server must prove the name that DNS gave", func(t *testing.T) {
		r.publish(net.SRV{Target: "a.b." + ldaptest.Realm, Port: r.port(0), Priority: 1}, r.record(1, 2, 0))
		r.dns.SetHost("a.b."+ldaptest.Realm, "127.0.0.1")
		_, err := Collect(t.Context(), s, time.Now(), nil)
		var in *IncompleteError
		if !asIncomplete(err, &in) || in.Cause != CauseTLS {
			t.Errorf("Collect = %v, want what is wrong with the certificate", err)
		}
	})
}

// TestTheServerThatWasReadIsReadAgain: among servers that DNS names as equals
// one is as good as another, but they lag behind one another.
func TestTheServerThatWasReadIsReadAgain(t *testing.T) {
	t.Parallel()
	r := startRealm(t, 3)
	r.publish(r.record(0, 5, 10), r.record(1, 5, 10), r.record(2, 5, 10))
	s, store := r.settings(), newMapStore()
	p := pollerOf(t, s, store)
	runs(t, p, directory.RunApplied)
	server := func() string {
		t.Helper()
		c, err := parseCursor(store.cursor)
		if err != nil {
			t.Fatal(err)
		}
		return c.Server
	}
	first := server()
	for range 6 {
		if runs(t, p, directory.RunUnchanged); server() != first {
			t.Fatalf("read from %s, and then from %s", first, server())
		}
	}
	at := slices.Index([]string{r.url(0), r.url(1), r.url(2)}, first)
	r.publish(r.record(at, 9, 0), r.record((at+1)%3, 5, 0), r.record((at+2)%3, 7, 0))
	if runs(t, p, directory.RunUnchanged); server() != r.url((at+1)%3) {
		t.Errorf("read from %s, want the one that comes before by priority", server())
	}
}

// TestAServerThatCannotBeReadIsPassedOver: whatever is wrong with the first of
// two servers that is no mistake of the settings, the second is read whole.
func TestAServerThatCannotBeReadIsPassedOver(t *testing.T) {
	t.Parallel()
	r := startRealm(t, 1)
	good := r.settings()
	good.URLs = []string{r.url(0)}
	reference := newMapStore()
	runs(t, pollerOf(t, good, reference), directory.RunApplied)
	half := r.proxies[0].Passed() / 2
	for _, c := range []struct {
		name  string
		after int64
		cut   ldaptest.Cut
	}{
		{"hangs up in the handshake", 0, ldaptest.Close},
		{"resets in the handshake", 100, ldaptest.Reset},
		{"is silent from the first", 0, ldaptest.Stall},
		{"is silent in the handshake", 100, ldaptest.Stall},
		{"hangs up in the middle", half, ldaptest.Close},
		{"resets in the middle", half, ldaptest.Reset},
		{"is silent in the middle", half, ldaptest.Stall},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			bad := ldaptest.StartProxy(t, "127.0.0.1"+strings.TrimPrefix(r.server.TLSURL, "ldaps://localhost"))
			bad.CutAfter(c.after, c.cut)
			s := good
			s.URLs, s.RequestTimeout = []string{strings.Replace(bad.URL, "ldap:", "ldaps:", 1), r.url(0)}, Duration(4*time.Second)
			store := reference.clone()
			run := runs(t, pollerOf(t, s, store), directory.RunUnchanged)
			if !strings.Contains(run.Message, bad.Addr) || !strings.Contains(run.Message, "Read from "+r.url(0)) || store.removals() != 0 {
				t.Errorf("run: %s; want it to tell of both servers, and %d removals to be none", run.Message, store.removals())
			}
		})
	}

	t.Run("but not for a wrong password: that locks accounts", func(t *testing.T) {
		t.Parallel()
		other := ldaptest.StartProxy(t, r.server.Addr)
		other.Heal()
		s := good
		s.URLs, s.PasswordFile = []string{r.url(0), "ldap://" + other.Addr}, secretFile(t, "wrong")
		s.AllowPlaintextBind = true
		runs(t, pollerOf(t, s, reference.clone()), directory.RunIncomplete)
		if probe := Try(t.Context(), s, time.Now()); probe.OK() {
			t.Error("a source with a wrong password is said to be well")
		}
		if n := len(other.Heard()); n != 0 {
			t.Errorf("the second server was asked, too: %d bytes", n)
		}
	})
}

// TestACursorOfAnotherDomainController: update sequence numbers of one domain
// controller mean nothing to another. While the pinned one cannot be reached
// everything is read, and the one that was read is pinned then.
func TestACursorOfAnotherDomainController(t *testing.T) {
	t.Parallel()
	base := "DC=corp,DC=test"
	entries := []ldaptest.Entry{{DN: "CN=Ann," + base, Attrs: map[string][]string{
		"objectClass": {"user"}, "objectCategory": {"person"}, "objectGUID": {"0123456789abcdef"}, "sAMAccountName": {"ann"},
		"userAccountControl": {"512"}, "uSNChanged": {"7"},
	}}}
	var urls []string
	var proxies []*ldaptest.Proxy
	for i := range 2 {
		service := fmt.Sprintf("CN=NTDS Settings,CN=DC%d", i+1)
		fake := ldaptest.StartFake(t, ldaptest.FakeConfig{
			Entries:  append(slices.Clone(entries), ldaptest.Entry{DN: service, Attrs: map[string][]string{"invocationId": {fmt.Sprintf("invocation-%04d.", i)}}}),
			Contexts: []string{base}, RootDSE: map[string][]string{"dsServiceName": {service}, "highestCommittedUSN": {fmt.Sprint(1000 * (i + 1))}},
		})
		proxy := ldaptest.StartProxy(t, fake.Addr)
		proxy.Heal()
		proxies, urls = append(proxies, proxy), append(urls, proxy.URL)
	}
	s := Settings{
		URLs: urls, AllowPlaintextBind: true, BindDN: "reader@corp.test", PasswordFile: secretFile(t, "pw"), Template: "active-directory",
		Base: []string{base}, FullEvery: Duration(time.Hour),
	}.withDefaults()
	store := newMapStore()
	p := pollerOf(t, s, store)
	mark := func() Mark {
		t.Helper()
		c, err := parseCursor(store.cursor)
		if err != nil || c.Mark == nil {
			t.Fatalf("cursor: %v, mark %v", err, c.Mark)
		}
		return *c.Mark
	}
	runs(t, p, directory.RunApplied)
	if m := mark(); m.Server != urls[0] || m.Value != "1000" {
		t.Errorf("after a complete read the mark is %+v, want that of the first", m)
	}
	if !updated(t, p) {
		t.Error("the pinned one is there, and everything was read")
	}
	proxies[0].CutAfter(0, ldaptest.Close)
	if updated(t, p) {
		t.Error("the pinned one is gone, and another was asked what changed")
	}
	if m := mark(); m.Server != urls[1] || m.Value != "2000" {
		t.Errorf("after that the mark is %+v, want that of the second", m)
	}
	if !updated(t, p) {
		t.Error("the one that is pinned now is there, and everything was read")
	}
	proxies[0].Heal()
	if !updated(t, p) || mark().Server != urls[1] {
		t.Errorf("the first is there again: read of %s, want the pinned one to stay", mark().Server)
	}
	if !bytes.Contains(proxies[1].Heard(), []byte("uSNChanged")) || store.removals() != 0 {
		t.Errorf("%d removals, or the second was never asked what changed", store.removals())
	}
}
