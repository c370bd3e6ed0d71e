package ldaptest

import (
	"io"
	"net"
	"slices"
	"sync"
	"testing"
)

// A Cut says how a [Proxy] ends or spoils a connection.
type Cut int

// Kinds of Cut.
const (
	Close Cut = iota // orderly end (FIN)
	Reset            // abrupt end (RST)
	Stall            // stay open and say nothing more
)

// A Proxy passes TCP connections on to a server, until told to harm them.
type Proxy struct {
	Addr string
	URL  string // ldap://Addr

	target string
	mu     sync.Mutex // guards what follows
	after  int64      // bytes from the server that pass; negative is all
	cut    Cut
	passed int64
	conns  []net.Conn
	heard  []byte        // from clients
	hit    chan struct{} // closed when the cut has happened
}

// StartProxy listens on loopback for connections to target until the test ends.
func StartProxy(tb testing.TB, target string) *Proxy {
	tb.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		tb.Fatal(err)
	}
	p := &Proxy{Addr: l.Addr().String(), URL: "ldap://" + l.Addr().String(), target: target, after: -1, hit: make(chan struct{})}
	go p.accept(l)
	tb.Cleanup(func() {
		_ = l.Close()
		p.drop()
	})
	return p
}

// Write keeps what a client said.
func (p *Proxy) Write(said []byte) (int, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.heard = append(p.heard, said...)
	return len(said), nil
}

// Heard is all that clients have said, as it went over the wire.
func (p *Proxy) Heard() []byte {
	p.mu.Lock()
	defer p.mu.Unlock()
	return slices.Clone(p.heard)
}

// CutAfter lets n more bytes pass from the server to clients, and then cuts.
func (p *Proxy) CutAfter(n int64, how Cut) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.after, p.cut, p.passed, p.hit = n, how, 0, make(chan struct{})
}

// Heal passes everything again.
func (p *Proxy) Heal() {
	p.drop()
	p.CutAfter(-1, Close)
}

// Passed is the number of bytes from the server since the last CutAfter or Heal.
func (p *Proxy) Passed() int64 {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.passed
}

// Hit is closed when the cut last asked for has happened.
func (p *Proxy) Hit() <-chan struct{} {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.hit
}

func (p *Proxy) drop() {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, c := range p.conns {
		_ = c.Close()
	}
	p.conns = nil
}

func (p *Proxy) accept(l net.Listener) {
	for {
		client, err := l.Accept()
		if err != nil {
			return
		}
		server, err := net.Dial("tcp", p.target)
		if err != nil {
			_ = client.Close()
			continue
		}
		p.mu.Lock()
		p.conns = append(p.conns, client, server)
		p.mu.Unlock()
		go func() {
			_, _ = io.Copy(server, io.TeeReader(client, p))
			_ = server.Close()
		}()
		go p.downstream(client, server)
	}
}

// downstream passes what the server says, byte-exact up to the cut.
func (p *Proxy) downstream(client, server net.Conn) {
	buf := make([]byte, 16<<10)
	for {
		n, err := server.Read(buf)
		allowed, cut := p.take(n)
		if allowed > 0 {
			if _, werr := client.Write(buf[:allowed]); werr != nil {
				return
			}
		}
		if cut {
			p.sever(client)
			return
		}
		if err != nil {
			_ = client.Close()
			return
		}
	}
}

// take returns how many of n bytes may pass and whether the cut comes after.
func (p *Proxy) take(n int) (int, bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.after < 0 || p.passed+int64(n) < p.after {
		p.passed += int64(n)
		return n, false
	}
	allowed := int(p.after - p.passed)
	p.passed = p.after
	return max(allowed, 0), true
}

func (p *Proxy) sever(client net.Conn) {
	p.mu.Lock()
	how, hit := p.cut, p.hit
	select {
	case <-hit:
	default:
		close(hit)
	}
	p.mu.Unlock()
	switch how {
	case Stall:
		return
	case Reset:
		_ = client.(*net.TCPConn).SetLinger(0)
	case Close:
	}
	_ = client.Close()
}
