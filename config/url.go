package config

import (
	"fmt"
	"net"
	"net/url"
	"strings"
)

// splitURL moves a password from an address into the secret beside it, so that
// the address can be logged. A file must not hold one at all.
func (l *loader) splitURL(path string, address *string, password *Secret) {
	u, err := url.Parse(*address)
	if err != nil {
		if strings.Contains(*address, "@") {
			// What cannot be parsed cannot be cleaned; no one may print it.
			*address = "[not a URL]"
		}
		return
	}
	if u.User == nil {
		return
	}
	inURL, has := u.User.Password()
	if !has {
		return
	}
	u.User = url.User(u.User.Username())
	*address = u.String()
	block := parent(path)
	switch origin := l.origins[path]; {
	case origin.Line > 0:
		l.fault(path, "a password in the address", "use "+block+".password: file:/run/secrets/name")
	case inURL == "":
		l.fault(path, "the password in the address is empty", "")
	case !password.IsZero():
		l.fault(path, "a password in the address, and "+block+".password is set too", "")
	default:
		*password = NewSecret(inURL)
		if strings.HasPrefix(origin.From, "--") {
			l.cfg.warnings = append(l.cfg.warnings, Error{File: origin.From, Path: path, Msg: "every user of the machine can read the password", Hint: fmt.Sprintf("use $%s%s_PASSWORD_FILE", envPrefix, strings.ToUpper(block))})
		}
	}
}

// warn collects what is allowed and probably not meant.
func (l *loader) warn() {
	c := l.cfg
	add := func(path, msg, hint string) {
		c.warnings = append(c.warnings, l.place(Error{Path: path, Msg: msg, Hint: hint}))
	}
	if host := hostOf(c.OpsListen); !isLoopback(host) {
		add("ops_listen", "metrics can be read from elsewhere", "keep it inside the cluster")
	}
	if c.Insecure && isLoopback(hostOf(c.Listen)) {
		add("insecure_http", "has no effect on loopback", "")
	}
	if c.Insecure && len(c.Proxies) == 0 && !isLoopback(hostOf(c.Listen)) {
		add("insecure_http", "no trusted_proxies: the proxy's address is taken for the client's", "")
	}
	for i, s := range c.Sources {
		if s.LDAP != nil && s.LDAP.PlaintextBind {
			add(fmt.Sprintf("sources[%d].ldap.allow_plaintext_bind", i), "the password may cross the network unprotected", "")
		}
	}
}

// hostOf is the host of host:port, empty if there is none.
func hostOf(addr string) string {
	host, _, err := net.SplitHostPort(addr)
	if err != nil {
		return ""
	}
	return host
}
