package console

import (
	"encoding/json"
	"fmt"
	"time"

	"github.com/a-h/templ"
	"github.com/usherd/usherd/directory"
)

// A serverView is how one server of an LDAP source proves itself, as the service
// tells it.
type serverView struct {
	Server  string    `json:"server"`
	TLS     bool      `json:"tls"`
	Expires time.Time `json:"expires"`
	Issuer  string    `json:"issuer"`
	Error   string    `json:"error"`
	Soon    bool      `json:"-"`
}

// expiresSoon is when a certificate is worth a warning.
const expiresSoon = 30 * 24 * time.Hour

// sourceServers connects to the servers of a source and shows their certificates.
func (c *Console) sourceServers(req request) (templ.Component, error) {
	name := directory.SourceName(req.PathValue("name"))
	text, err := c.Service.SourceCertificates(req.Context(), name)
	problem := ""
	var all []serverView
	if err != nil {
		if problem, err = asked(err); err != nil {
			return nil, err
		}
	} else if err := json.Unmarshal(text, &all); err != nil {
		return nil, fmt.Errorf("reading the certificates of %s: %w", name, err)
	}
	for i, s := range all {
		all[i].Soon = s.Expires.Sub(c.Now()) < expiresSoon
	}
	return c.frame(req, "Servers of "+string(name), serversPage(name, all, problem)), nil
}
