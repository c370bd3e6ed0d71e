package ldapsync

import (
	"context"
	"crypto/tls"
	"net/url"
	"time"
)

// A Certificate is what one server of a source proves itself by.
type Certificate struct {
	Server  string    `json:"server"` // URL
	TLS     bool      `json:"tls"`
	Expires time.Time `json:"expires,omitzero"` // the earliest end of the chain that it shows
	Subject string    `json:"subject,omitempty"`
	Issuer  string    `json:"issuer,omitempty"`
	Error   string    `json:"error,omitempty"` // why it can't be told, with what to do
}

// Certificates connects to every server of settings, sees how each proves itself
// and leaves without a bind. The error says that no server can be found.
func Certificates(ctx context.Context, s Settings) ([]Certificate, error) {
	urls, err := servers(ctx, s)
	if err != nil {
		return nil, err
	}
	out := make([]Certificate, len(urls))
	for i, u := range urls {
		out[i].Server = u
		if err := out[i].look(ctx, s); err != nil {
			out[i].Error = err.Error()
		}
	}
	return out, nil
}

func (c *Certificate) look(ctx context.Context, s Settings) error {
	u, err := url.Parse(c.Server)
	if err != nil {
		return err
	}
	raw, err := dialRaw(ctx, s, u)
	if err != nil {
		return incomplete(CauseConnect, "See whether the server runs and can be reached from here", "%w", err)
	}
	defer raw.Close()
	secure, _, err := encrypt(ctx, s, u, raw)
	if err != nil {
		return err
	}
	conn, ok := secure.(*tls.Conn)
	if !ok {
		return nil
	}
	c.TLS = true
	for i, cert := range conn.ConnectionState().PeerCertificates {
		if i == 0 {
			c.Subject, c.Issuer = cert.Subject.String(), cert.Issuer.String()
		}
		if c.Expires.IsZero() || cert.NotAfter.Before(c.Expires) {
			c.Expires = cert.NotAfter
		}
	}
	return nil
}
