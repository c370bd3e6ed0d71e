package config

import (
	"fmt"
	"net"
	"net/netip"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// Validate reports what is wrong with c as a whole; what is wrong with a single
// value was found when it was read. [Load] has done both.
func (c *Config) Validate() Errors {
	v := &validation{c: c}
	v.listeners()
	v.proxies()
	v.console()
	v.address()
	v.store()
	v.redis()
	for i := range c.Sources {
		v.source(i)
	}
	return v.errs
}

type validation struct {
	c    *Config
	errs Errors
}

func (v *validation) fault(path, hint, format string, args ...any) {
	v.errs = append(v.errs, Error{Path: path, Msg: fmt.Sprintf(format, args...), Hint: hint})
}

func (v *validation) listeners() {
	c := v.c
	switch {
	case c.TLS.Cert != "" && c.TLS.Key == "":
		v.fault("tls.key", "", "missing; tls.cert is set")
	case c.TLS.Cert == "" && c.TLS.Key != "":
		v.fault("tls.cert", "", "missing; tls.key is set")
	case c.TLS.Enabled() && c.Insecure:
		v.fault("insecure_http", "remove one of the two", "tls is set")
	}
	if local, ok := v.listen("listen", c.Listen); ok && !local && c.TLS.Cert == "" && c.TLS.Key == "" && !c.Insecure {
		v.fault("listen", "set tls.cert and tls.key, or insecure_http: true behind a proxy that ends TLS",
			"%s is reachable from elsewhere and would speak plain HTTP", c.Listen)
	}
	if local, ok := v.listen("ops_listen", c.OpsListen); ok && !local && c.PProf {
		v.fault("pprof", "", "profiles are served on loopback only, and ops_listen is %s", c.OpsListen)
	}
	if c.Listen == c.OpsListen && !strings.HasSuffix(c.Listen, ":0") {
		v.fault("ops_listen", "", "the same as listen")
	}
}

// listen checks a listening address and tells whether it is on loopback.
func (v *validation) listen(path, addr string) (local, ok bool) {
	host, port, err := net.SplitHostPort(addr)
	if err != nil {
		v.fault(path, "", "%q is not host:port", clip(addr))
		return false, false
	}
	if n, err := strconv.ParseUint(port, 10, 16); err != nil || strconv.FormatUint(n, 10) != port {
		v.fault(path, "", "%q is not a port number", clip(port))
		return false, false
	}
	return isLoopback(host), true
}

// isLoopback reports whether only this machine reaches host. An empty host
// listens everywhere.
func isLoopback(host string) bool {
	if strings.EqualFold(host, "localhost") {
		return true
	}
	ip, err := netip.ParseAddr(host)
	return err == nil && ip.Unmap().IsLoopback()
}

func (v *validation) address() {
	if v.c.URL == "" {
		return
	}
	u, err := url.Parse(v.c.URL)
	switch {
	case err != nil || u.Host == "" || (u.Scheme != "https" && u.Scheme != "http"):
		v.fault("url", "", "not an address such as https://usherd.example.com")
	case u.User != nil || u.RawQuery != "" || u.Fragment != "" || u.ForceQuery:
		v.fault("url", "", "only scheme, host and port belong here")
	case u.Path != "" && u.Path != "/":
		v.fault("url", "give usherd a host name of its own", "a path is not supported")
	}
}

func (v *validation) store() {
	s := v.c.Store
	if s.SQLite() {
		if !s.Password.IsZero() {
			v.fault("store.password", "", "SQLite has none")
		}
		return
	}
	u, err := url.Parse(s.URL)
	switch {
	case err != nil || (u.Scheme != "postgres" && u.Scheme != "postgresql"):
		v.fault("store.url", "", "want sqlite or postgres://user@host:5432/database")
	case u.Query().Has("password") || u.Query().Has("sslpassword") || u.Query().Has("passfile"):
		v.fault("store.url", "use store.password", "a password in the query")
	case strings.Trim(u.Path, "/") == "" && !u.Query().Has("dbname"):
		v.fault("store.url", "postgres://user@host:5432/database", "no database named")
	}
}

func (v *validation) redis() {
	r := v.c.Redis
	if r.URL == "" {
		if !r.Password.IsZero() {
			v.fault("redis.url", "", "missing; redis.password is set")
		}
		return
	}
	u, err := url.Parse(r.URL)
	switch {
	case err != nil || !slices.Contains([]string{"redis", "rediss", "unix"}, u.Scheme):
		v.fault("redis.url", "", "want redis://host:6379, rediss://host:6379 or unix:///path")
	case u.Scheme == "unix" && u.Path == "", u.Scheme != "unix" && u.Host == "":
		v.fault("redis.url", "redis://host:6379", "no host named")
	case u.Query().Has("password"):
		v.fault("redis.url", "use redis.password", "a password in the query")
	case r.Cluster && u.Scheme == "unix":
		v.fault("redis.cluster", "", "a cluster is not reached through a socket")
	}
}

var sourceName = regexp.MustCompile(`^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$`)

func (v *validation) source(i int) {
	s, path := v.c.Sources[i], fmt.Sprintf("sources[%d]", i)
	switch {
	case s.Name == "":
		v.fault(path+".name", "", "missing")
	case s.Name == "local":
		v.fault(path+".name", "", "local is the source of what is made here")
	case !sourceName.MatchString(s.Name):
		v.fault(path+".name", "", "%q is not 1 to 63 lower-case letters, digits and inner hyphens", clip(s.Name))
	}
	for j := range i {
		if v.c.Sources[j].Name == s.Name && s.Name != "" {
			v.fault(path+".name", "", "%q is the name of sources[%d] too", clip(s.Name), j)
		}
	}
	switch {
	case s.Kind == "":
		v.fault(path+".kind", "scim or ldap", "missing")
	case s.Kind == "scim" && s.LDAP != nil:
		v.fault(path+".ldap", "", "the kind is scim")
	case s.Kind == "ldap" && s.LDAP == nil:
		v.fault(path+".ldap", "", "missing; the kind is ldap")
	case s.Kind == "ldap" && s.Profile != "" && s.Profile != "auto":
		v.fault(path+".profile", "", "the kind is ldap")
	}
	if s.Kind == "ldap" && s.LDAP != nil {
		v.ldap(path+".ldap", s.LDAP)
	}
}
