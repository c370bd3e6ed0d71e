package ldapsync

import (
	"bytes"
	"cmp"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"net/url"
	"os"
	"strings"
	"sync"
	"syscall"
	"time"

	ber "github.com/go-asn1-ber/asn1-ber"
	"github.com/go-ldap/ldap/v3"
)

// A session is one connection to one server, bound, used by one goroutine.
type session struct {
	settings Settings
	server   string       // URL
	who      string       // whom the server takes us for, if it says
	ended    func() error // why the run was stopped, if it was
	conn     *ldap.Conn
	wire     *wire
	close    func()
}

// connect opens a session with the server at a URL of settings. When ctx ends,
// the socket is closed and whatever waits on it fails.
func connect(ctx context.Context, s Settings, server string) (*session, error) {
	u, err := url.Parse(server)
	if err != nil {
		return nil, incomplete(CauseConfig, "Correct urls", "%w", err)
	}
	raw, err := dialRaw(ctx, s, u)
	if err != nil {
		return nil, at(server, incomplete(CauseConnect, "See whether the server runs and can be reached from here", "%w", err))
	}
	stop := context.AfterFunc(ctx, func() { _ = raw.Close() })
	secure, isTLS, err := encrypt(ctx, s, u, raw)
	if err != nil {
		stop()
		_ = raw.Close()
		return nil, at(server, err)
	}
	w := &wire{Conn: secure, idle: time.Duration(s.RequestTimeout)}
	conn := ldap.NewConn(w, isTLS)
	conn.Start()
	ses := &session{settings: s, server: server, conn: conn, wire: w}
	ses.ended = func() error { return context.Cause(ctx) }
	ses.close = sync.OnceFunc(func() {
		stop()
		_ = raw.Close() // first: the close of go-ldap waits for its reader and writer
		_ = conn.Close()
	})
	if err := ses.bind(); err != nil {
		ses.close()
		return nil, at(server, err)
	}
	return ses, nil
}

// at names the server in an error, and makes one of any.
func at(server string, err error) *IncompleteError {
	var in *IncompleteError
	if !errors.As(err, &in) {
		in = incomplete(CauseServer, "", "%w", err)
	}
	named := *in
	named.Server = server
	return &named
}

// ofRead is at for an error of a read: what it advises names the account.
func (s *session) ofRead(err error) *IncompleteError {
	in := at(s.server, err)
	if account := cmp.Or(s.settings.BindDN, strings.TrimPrefix(s.who, "dn:")); account != "" {
		in.Advice = strings.ReplaceAll(in.Advice, "<bindDN>", account)
	}
	return in
}

func dialRaw(ctx context.Context, s Settings, u *url.URL) (net.Conn, error) {
	d := net.Dialer{Timeout: time.Duration(s.DialTimeout), KeepAlive: 15 * time.Second, Resolver: s.resolver}
	if u.Scheme == "ldapi" {
		path, err := url.PathUnescape(strings.TrimPrefix(u.Opaque+u.Host+u.Path, "//"))
		if err != nil {
			return nil, err
		}
		return d.DialContext(ctx, "unix", path)
	}
	port := u.Port()
	if port == "" {
		port = map[string]string{"ldap": ldap.DefaultLdapPort, "ldaps": ldap.DefaultLdapsPort}[u.Scheme]
	}
	return d.DialContext(ctx, "tcp", net.JoinHostPort(u.Hostname(), port))
}

// encrypt puts TLS on raw as the URL and settings ask. It speaks StartTLS
// itself, before go-ldap has the connection: so the handshake has a deadline,
// and not a byte of what came in the clear is taken for an answer later.
func encrypt(ctx context.Context, s Settings, u *url.URL, raw net.Conn) (net.Conn, bool, error) {
	if u.Scheme != "ldaps" && !s.StartTLS {
		return raw, u.Scheme == "ldapi", nil
	}
	cfg, err := tlsConfig(s, u.Hostname())
	if err != nil {
		return nil, false, incomplete(CauseTLS, "Correct caFile, certFile or keyFile", "%w", err)
	}
	_ = raw.SetDeadline(time.Now().Add(time.Duration(s.RequestTimeout)))
	if u.Scheme == "ldap" {
		if err := startTLS(raw); err != nil {
			return nil, false, tlsError("StartTLS", "The server does not offer StartTLS: see its TLS settings, or use ldaps://", err)
		}
	}
	conn := tls.Client(raw, cfg)
	if err := conn.HandshakeContext(ctx); err != nil {
		return nil, false, tlsError("TLS handshake", tlsAdvice(err), err)
	}
	return conn, true, raw.SetDeadline(time.Time{})
}

// tlsError explains why there is no TLS. A server that says nothing, or hangs
// up, is one that does not answer, and another may; what a server says that is
// wrong is to be mended and not evaded.
func tlsError(what, advice string, err error) *IncompleteError {
	ne, ok := errors.AsType[net.Error](err)
	switch silent := ok && ne.Timeout(); {
	case silent, errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF), errors.Is(err, syscall.ECONNRESET), errors.Is(err, syscall.EPIPE):
		return incomplete(CauseConnect, "It took the connection and said nothing: see whether the server runs, and whether the port speaks TLS",
			"%s: %w", what, err)
	}
	return incomplete(CauseTLS, advice, "%s: %w", what, err)
}

func tlsAdvice(err error) string {
	var name x509.HostnameError
	var authority x509.UnknownAuthorityError
	var invalid x509.CertificateInvalidError
	switch {
	case errors.As(err, &name):
		return "Use the name in the server's certificate in the URL, or set serverName"
	case errors.As(err, &authority):
		return "Set caFile to the authority that signed the server's certificate"
	case errors.As(err, &invalid):
		return "Renew the server's certificate"
	}
	return "See whether the port speaks TLS 1.2 or newer (ldaps:// is usually on 636, startTLS on 389)"
}

func tlsConfig(s Settings, host string) (*tls.Config, error) {
	cfg := &tls.Config{ServerName: host, MinVersion: tls.VersionTLS12}
	if s.ServerName != "" {
		cfg.ServerName = s.ServerName
	}
	if s.CAFile != "" {
		text, err := os.ReadFile(s.CAFile)
		if err != nil {
			return nil, fmt.Errorf("caFile: %w", err)
		}
		cfg.RootCAs = x509.NewCertPool()
		if !cfg.RootCAs.AppendCertsFromPEM(text) {
			return nil, fmt.Errorf("caFile: %s holds no certificate", s.CAFile)
		}
	}
	if s.CertFile != "" {
		cert, err := tls.LoadX509KeyPair(s.CertFile, s.KeyFile)
		if err != nil {
			return nil, fmt.Errorf("certFile: %w", err)
		}
		cfg.Certificates = []tls.Certificate{cert}
	}
	return cfg, nil
}

// startTLS asks for TLS (RFC 4511, section 4.14) and reads exactly one answer.
func startTLS(raw net.Conn) error {
	packet := ber.Encode(ber.ClassUniversal, ber.TypeConstructed, ber.TagSequence, nil, "LDAPMessage")
	packet.AppendChild(ber.NewInteger(ber.ClassUniversal, ber.TypePrimitive, ber.TagInteger, 1, "messageID"))
	request := ber.Encode(ber.ClassApplication, ber.TypeConstructed, ldap.ApplicationExtendedRequest, nil, "extendedReq")
	request.AppendChild(ber.NewString(ber.ClassContext, ber.TypePrimitive, 0, "1.3.6.1.4.1.1466.20037", "requestName"))
	packet.AppendChild(request)
	if _, err := raw.Write(packet.Bytes()); err != nil {
		return err
	}
	answer, err := ber.ReadPacket(raw)
	if err != nil {
		return err
	}
	return ldap.GetLDAPError(answer)
}

// bind proves who we are, and that the server agrees that we are somebody.
func (s *session) bind() error {
	err := s.do(func() error {
		if s.settings.External {
			return s.conn.ExternalBind()
		}
		password, err := readPassword(s.settings.PasswordFile)
		if err != nil {
			return err
		}
		return s.conn.Bind(s.settings.BindDN, password)
	})
	if err != nil {
		var in *IncompleteError
		if errors.As(err, &in) {
			return in
		}
		return bindError(err)
	}
	return s.knownToServer()
}

// knownToServer asks who we are (RFC 4532). A server without the extension is
// believed: it took a password that is not empty.
func (s *session) knownToServer() error {
	var me *ldap.WhoAmIResult
	err := s.do(func() (err error) {
		me, err = s.conn.WhoAmI(nil)
		return err
	})
	var le *ldap.Error
	switch {
	case err == nil && (me.AuthzID == "" || me.AuthzID == "dn:" || me.AuthzID == "u:"):
		return incomplete(CauseBind, "The server took the bind but treats the connection as anonymous: check bindDN and the password, or the mapping of the certificate",
			"bind is anonymous")
	case err != nil && (!errors.As(err, &le) || le.ResultCode >= ldap.ErrorNetwork):
		return lostError("who am I", err)
	}
	if err == nil {
		s.who = me.AuthzID
	}
	return nil
}

// readPassword reads a secret as it is but for the newline at its end. Nothing
// but white space is no password: servers take an empty one as anonymous (RFC
// 4513, section 5.1.2).
func readPassword(file string) (string, error) {
	if file == "" {
		return "", incomplete(CauseConfig, "Set passwordFile", "no password")
	}
	text, err := os.ReadFile(file)
	if err != nil {
		return "", incomplete(CauseConfig, "See that the file exists and the daemon may read it", "passwordFile: %w", err)
	}
	text = bytes.TrimRight(text, "\r\n")
	if len(bytes.TrimSpace(text)) == 0 || len(text) > 4096 {
		return "", incomplete(CauseConfig, "Write the password into it", "passwordFile %s: empty, or longer than 4096 bytes", file)
	}
	return string(text), nil
}

// do runs one request: while it does, the server owes an answer. A message
// that go-ldap could not deliver to anybody makes even a success a failure.
func (s *session) do(request func() error) error {
	s.wire.arm(true)
	defer s.wire.arm(false)
	err := request()
	if cause := s.ended(); cause != nil {
		return cause
	}
	if err == nil {
		err = s.conn.GetLastError()
	}
	var answer *ldap.Error
	if errors.As(err, &answer) && answer.ResultCode < ldap.ErrorNetwork {
		return err
	}
	if broke := s.wire.failure(); err != nil && broke != nil {
		return broke
	}
	return err
}
