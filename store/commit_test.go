package store

import (
	"bytes"
	"errors"
	"io"
	"net"
	"net/url"
	"sync/atomic"
	"testing"

	"github.com/usherd/usherd/directory"
	"github.com/usherd/usherd/store/storetest"
)

// A cutter passes connections on to a server. When it is armed, it cuts the
// one on which a commit is asked for, before or after the server gets to know.
type cutter struct {
	addr  string
	armed atomic.Int32 // 0: no, 1: cut before, 2: cut after
}

const (
	cutBefore = 1
	cutAfter  = 2
)

func newCutter(t *testing.T, server string) *cutter {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	c := &cutter{addr: l.Addr().String()}
	go func() {
		for {
			client, err := l.Accept()
			if err != nil {
				return
			}
			behind, err := net.Dial("tcp", server)
			if err != nil {
				_ = client.Close()
				continue
			}
			go c.pass(client, behind)
		}
	}()
	return c
}

// pass passes bytes on. How connections end is of no interest to it.
func (c *cutter) pass(client, server net.Conn) {
	done := make(chan struct{})
	go func() {
		defer close(done)
		_, _ = io.Copy(client, server)
		_ = client.Close()
	}()
	buf := make([]byte, 1<<16)
	for {
		n, err := client.Read(buf)
		how := int32(0)
		if bytes.Contains(bytes.ToLower(buf[:n]), []byte("commit\x00")) {
			how = c.armed.Swap(0)
		}
		if how != 0 {
			_ = client.Close() // the answer finds nobody
		}
		if how == cutBefore || err != nil {
			break
		}
		if _, err := server.Write(buf[:n]); err != nil || how == cutAfter {
			break
		}
	}
	if half, ok := server.(*net.TCPConn); ok {
		_ = half.CloseWrite() // the server does what it was sent
	}
	<-done
	_ = server.Close()
}

// TestUnknownOutcomeIsNoSuccess cuts the connection around a commit. The answer
// is an error; there is all of the change or nothing; asking again tells which.
func TestUnknownOutcomeIsNoSuccess(t *testing.T) {
	server := storetest.StartPostgres(t, storetest.PostgresConfig{TCP: true})
	dsn, err := url.Parse(server.DSN("postgres"))
	if err != nil {
		t.Fatal(err)
	}
	cut := newCutter(t, dsn.Host)
	dsn.Host = cut.addr
	s := openAt(t, dsn.String())
	mustApply(t, s, createLocal("before"))
	for _, tt := range []struct {
		name string
		how  int32
		then error // of the same change again
	}{{"lost", cutBefore, nil}, {"committed", cutAfter, directory.ErrExists}} {
		t.Run(tt.name, func(t *testing.T) {
			u := createLocal(tt.name)
			cut.armed.Store(tt.how)
			a, err := s.Apply(t.Context(), system, u)
			broken, ok := errors.AsType[*brokenError](err)
			if !ok || broken.when != whileCommitting || a.Changed {
				t.Fatalf("Apply with the connection cut = %+v, %v; want an error of unknown outcome", a, err)
			}
			if cut.armed.Load() != 0 {
				t.Fatal("no commit was cut")
			}
			_, err = s.Apply(t.Context(), system, u)
			if !errors.Is(err, tt.then) {
				t.Errorf("Apply of the same again = %v, want %v", err, tt.then)
			}
			if taken, ok := errors.AsType[*directory.TakenError](err); ok && taken.Holder != string(u.ID) {
				t.Errorf("Apply of the same again = %v, want it taken by %s itself", err, u.ID)
			}
			checkHistory(t, s)
		})
	}
}
