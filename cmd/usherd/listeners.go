package main

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/http"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/usherd/usherd/config"
	"go.uber.org/zap"
)

// The limits of every listener.
const (
	headerTimeout = 5 * time.Second
	bodyTimeout   = 60 * time.Second
	answerTimeout = 60 * time.Second // of the public listener, for a client that does not read
	idleTimeout   = 120 * time.Second
	maxHeader     = 32 << 10
)

func newServer(h http.Handler, log *zap.Logger) *http.Server {
	return &http.Server{
		Handler: h, ReadHeaderTimeout: headerTimeout, ReadTimeout: bodyTimeout, IdleTimeout: idleTimeout, MaxHeaderBytes: maxHeader,
		ErrorLog: zap.NewStdLog(log.Named("http")),
	}
}

// A listening is one listener with its server.
type listening struct {
	name   string
	net    net.Listener
	server *http.Server
}

// serve answers until the server is shut down.
func (l *listening) serve() error {
	if err := l.server.Serve(l.net); !errors.Is(err, http.ErrServerClosed) {
		return fmt.Errorf("%s listener: %w", l.name, err)
	}
	return nil
}

// publicListener opens the public address, with TLS where it is configured.
func publicListener(ctx context.Context, cfg *config.Config, certs *certificate) (net.Listener, error) {
	l, err := (&net.ListenConfig{}).Listen(ctx, "tcp", cfg.Listen)
	if err != nil {
		return nil, cannotListen("listen", cfg.Listen, err)
	}
	if cfg.TLS.Enabled() {
		l = tls.NewListener(l, &tls.Config{
			MinVersion: tls.VersionTLS12, NextProtos: []string{"http/1.1"}, GetCertificate: certs.get,
		})
	}
	return l, nil
}

// cannotListen says why an address can't be listened on, and what to do.
func cannotListen(key, addr string, err error) error {
	if op, ok := errors.AsType[*net.OpError](err); ok {
		err = op.Err // it names the address, as we do
	}
	switch {
	case errors.Is(err, syscall.EADDRINUSE):
		return fmt.Errorf("%s: another process listens on %s; stop it, or set another address", key, addr)
	case errors.Is(err, syscall.EACCES):
		return fmt.Errorf("%s: this user may not listen on %s; choose a port above 1023, or give the process CAP_NET_BIND_SERVICE", key, addr)
	case errors.Is(err, syscall.EADDRNOTAVAIL):
		return fmt.Errorf("%s: %s is no address of this machine", key, addr)
	}
	return fmt.Errorf("%s: listening on %s: %w", key, addr, err)
}

// A certificate is read again when the configuration is reloaded.
type certificate struct {
	now atomic.Pointer[tls.Certificate]
}

func (c *certificate) load(cfg config.TLS) error {
	if !cfg.Enabled() {
		return nil
	}
	pair, err := tls.LoadX509KeyPair(cfg.Cert, cfg.Key)
	if err != nil {
		return fmt.Errorf("reading the certificate: %w", err)
	}
	c.now.Store(&pair)
	return nil
}

func (c *certificate) get(*tls.ClientHelloInfo) (*tls.Certificate, error) { return c.now.Load(), nil }

// publicURL is where clients reach the public listener, without a slash at the
// end. An address that listens everywhere is named by the machine.
func publicURL(cfg *config.Config, addr net.Addr) string {
	if cfg.URL != "" {
		return trimSlash(cfg.URL)
	}
	scheme := "http://"
	if cfg.TLS.Enabled() {
		scheme = "https://"
	}
	host, port, err := net.SplitHostPort(addr.String())
	if ip := net.ParseIP(host); err == nil && ip != nil && ip.IsUnspecified() {
		return scheme + net.JoinHostPort("localhost", port)
	}
	return scheme + addr.String()
}

func trimSlash(s string) string {
	for len(s) > 0 && s[len(s)-1] == '/' {
		s = s[:len(s)-1]
	}
	return s
}
