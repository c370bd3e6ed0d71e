package ldaptest

import (
	"context"
	"net"
	"net/netip"
	"strings"
	"sync"
	"testing"

	"golang.org/x/net/dns/dnsmessage"
)

// A DNS is a name server that knows addresses and SRV records, and nothing else.
type DNS struct {
	Addr string

	mu    sync.Mutex // guards what follows
	srv   map[string][]net.SRV
	hosts map[string]netip.Addr
}

// StartDNS runs a name server on loopback until the test ends.
func StartDNS(tb testing.TB) *DNS {
	tb.Helper()
	conn, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		tb.Fatal(err)
	}
	d := &DNS{Addr: conn.LocalAddr().String(), srv: map[string][]net.SRV{}, hosts: map[string]netip.Addr{}}
	var serving sync.WaitGroup
	serving.Go(func() { d.serve(conn) })
	tb.Cleanup(func() {
		_ = conn.Close()
		serving.Wait()
	})
	return d
}

// SetSRV sets the records of a name such as _ldap._tcp.example.test; none makes
// it a name that does not exist.
func (d *DNS) SetSRV(name string, records ...net.SRV) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.srv[name] = records
}

// SetHost sets the address of a host.
func (d *DNS) SetHost(name, addr string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.hosts[name] = netip.MustParseAddr(addr)
}

// Resolver returns a resolver that asks this server alone.
func (d *DNS) Resolver() *net.Resolver {
	return &net.Resolver{PreferGo: true, Dial: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return (&net.Dialer{}).DialContext(ctx, "udp", d.Addr)
	}}
}

func (d *DNS) serve(conn net.PacketConn) {
	buf := make([]byte, 4096)
	for {
		n, from, err := conn.ReadFrom(buf)
		if err != nil {
			return
		}
		if answer, err := d.answer(buf[:n]); err == nil {
			_, _ = conn.WriteTo(answer, from)
		}
	}
}

// answer answers the one question of a query.
func (d *DNS) answer(query []byte) ([]byte, error) {
	var m dnsmessage.Message
	if err := m.Unpack(query); err != nil || len(m.Questions) != 1 {
		return nil, err
	}
	q := m.Questions[0]
	name := strings.ToLower(strings.TrimSuffix(q.Name.String(), "."))
	m.Header = dnsmessage.Header{ID: m.ID, Response: true, Authoritative: true, RecursionAvailable: true}
	m.Additionals = nil
	d.mu.Lock()
	defer d.mu.Unlock()
	add := func(body dnsmessage.ResourceBody) {
		m.Answers = append(m.Answers, dnsmessage.Resource{Header: dnsmessage.ResourceHeader{Name: q.Name, Class: q.Class}, Body: body})
	}
	switch addr, known := d.hosts[name]; {
	case q.Type == dnsmessage.TypeSRV && len(d.srv[name]) > 0:
		for _, r := range d.srv[name] {
			target, err := dnsmessage.NewName(strings.TrimSuffix(r.Target, ".") + ".")
			if err != nil {
				return nil, err
			}
			add(&dnsmessage.SRVResource{Priority: r.Priority, Weight: r.Weight, Port: r.Port, Target: target})
		}
	case q.Type == dnsmessage.TypeA && known:
		add(&dnsmessage.AResource{A: addr.As4()})
	case !known:
		m.RCode = dnsmessage.RCodeNameError
	}
	return m.Pack()
}
