package ldapsync

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"net/url"
	"strings"
	"time"

	"github.com/go-ldap/ldap/v3"
)

// Settings describe one LDAP source: where its servers are and what to read. It
// is the JSON object in directory.Source.Settings. It holds no secret, only the
// name of the file that does. The zero value of a field means the default.
type Settings struct {
	URLs               []string `json:"urls"`                         // required; tried in order: ldap://, ldaps://, ldapi://, ldap+srv://DOMAIN, ldaps+srv://DOMAIN
	StartTLS           bool     `json:"startTLS,omitempty"`           // on ldap:// URLs
	ServerName         string   `json:"serverName,omitempty"`         // name in the certificate; default the host of the URL
	CAFile             string   `json:"caFile,omitempty"`             // PEM; default the system's authorities
	CertFile           string   `json:"certFile,omitempty"`           // client certificate, PEM
	KeyFile            string   `json:"keyFile,omitempty"`            // its key, PEM
	BindDN             string   `json:"bindDN,omitempty"`             // for a simple bind; Active Directory also takes user@domain
	PasswordFile       string   `json:"passwordFile,omitempty"`       // read at each connection, so that a new password needs no restart
	External           bool     `json:"external,omitempty"`           // SASL EXTERNAL by the client certificate, instead of a simple bind
	AllowPlaintextBind bool     `json:"allowPlaintextBind,omitempty"` // send the password without TLS to another machine

	Template    string   `json:"template"`              // required: "openldap", "active-directory" or "389ds"
	Base        []string `json:"base,omitempty"`        // search bases of people and groups
	UserBase    []string `json:"userBase,omitempty"`    // default base
	GroupBase   []string `json:"groupBase,omitempty"`   // default base
	UserFilter  string   `json:"userFilter,omitempty"`  // default the template's
	GroupFilter string   `json:"groupFilter,omitempty"` // default the template's
	Attributes  *Mapping `json:"attributes,omitempty"`  // fields that are set win over the template's

	// IgnoreReferrals lists the DNs of continuation references that do not make
	// a read incomplete; "*" ignores all. They are never followed.
	IgnoreReferrals []string `json:"ignoreReferrals,omitempty"`

	// Link is how people of other sources are linked; ldapsync does not read it.
	Link json.RawMessage `json:"link,omitempty"`

	PageSize       int      `json:"pageSize,omitempty"`       // people a page; default 1000
	GroupPageSize  int      `json:"groupPageSize,omitempty"`  // groups a page; default 10, their members come along
	MaxEntries     int      `json:"maxEntries,omitempty"`     // people, and groups; default 1,000,000
	MaxMembers     int      `json:"maxMembers,omitempty"`     // of one group; default 1,000,000
	DialTimeout    Duration `json:"dialTimeout,omitempty"`    // default 10s
	RequestTimeout Duration `json:"requestTimeout,omitempty"` // silence of a server that owes an answer; default 30s
	RunTimeout     Duration `json:"runTimeout,omitempty"`     // of a whole run; default 10m

	// FullEvery lets runs in between read only what changed. Such a run adds and
	// updates and removes nobody. 0, the default, makes every run a complete read.
	FullEvery Duration `json:"fullEvery,omitempty"`

	Lease      Duration   `json:"lease,omitempty"`    // how long a replica that fell silent keeps others out; default 30s
	Schedule   string     `json:"schedule,omitempty"` // cron, five fields, UTC; default "*/15 * * * *"
	Thresholds Thresholds `json:"thresholds,omitzero"`
	Retention  Retention  `json:"retention,omitzero"`

	resolver *net.Resolver // of names; nil is the system's
}

// A Duration is a time.Duration written as in Go: "30s", "10m".
type Duration time.Duration

// MarshalText writes the form of time.Duration.
func (d Duration) MarshalText() ([]byte, error) { return []byte(time.Duration(d).String()), nil }

// UnmarshalText reads the form of time.Duration.
func (d *Duration) UnmarshalText(text []byte) error {
	v, err := time.ParseDuration(string(text))
	*d = Duration(v)
	return err
}

// ParseSettings reads Settings, refuses what it does not know, fills in
// defaults and checks the result.
func ParseSettings(text []byte) (Settings, error) {
	dec := json.NewDecoder(bytes.NewReader(text))
	dec.DisallowUnknownFields()
	var s Settings
	if err := dec.Decode(&s); err != nil {
		return Settings{}, fmt.Errorf("ldap settings: %w", err)
	}
	if dec.More() {
		return Settings{}, errors.New("ldap settings: more than one JSON value")
	}
	s = s.withDefaults()
	return s, s.Validate()
}

func (s Settings) withDefaults() Settings {
	fill(&s.PageSize, 1000)
	fill(&s.GroupPageSize, 10)
	fill(&s.MaxEntries, 1_000_000)
	fill(&s.MaxMembers, 1_000_000)
	fill(&s.DialTimeout, Duration(10*time.Second))
	fill(&s.RequestTimeout, Duration(30*time.Second))
	fill(&s.RunTimeout, Duration(10*time.Minute))
	fill(&s.Lease, Duration(30*time.Second))
	fill(&s.Schedule, "*/15 * * * *")
	if len(s.UserBase) == 0 {
		s.UserBase = s.Base
	}
	if len(s.GroupBase) == 0 {
		s.GroupBase = s.Base
	}
	s.Thresholds = s.Thresholds.withDefaults()
	s.Retention = s.Retention.withDefaults()
	return s
}

func fill[T comparable](field *T, value T) {
	var zero T
	if *field == zero {
		*field = value
	}
}

// Validate reports every fault of s. Defaults must have been filled in.
func (s Settings) Validate() error {
	errs := append(s.connectionFaults(), s.readFaults()...)
	if _, err := ParseSchedule(s.Schedule); err != nil {
		errs = append(errs, err)
	}
	if len(errs) > 0 {
		return fmt.Errorf("ldap settings: %w", errors.Join(errs...))
	}
	return nil
}

func (s Settings) connectionFaults() (errs []error) {
	if len(s.URLs) == 0 {
		errs = append(errs, errors.New("urls: name at least one server, such as ldaps://ldap.example.com"))
	}
	for _, u := range s.URLs {
		errs = append(errs, s.urlFaults(u)...)
	}
	switch {
	case s.External && s.BindDN != "":
		errs = append(errs, errors.New("external and bindDN exclude each other"))
	case s.External && s.CertFile == "" && !strings.HasPrefix(strings.Join(s.URLs, ""), "ldapi:"):
		errs = append(errs, errors.New("external needs certFile and keyFile"))
	case !s.External && s.BindDN == "":
		errs = append(errs, errors.New("bindDN: required; an anonymous read sees whatever the server cares to show, so it is never complete"))
	}
	if (s.CertFile == "") != (s.KeyFile == "") {
		errs = append(errs, errors.New("certFile and keyFile go together"))
	}
	if time.Duration(s.Lease) < 3*time.Second || time.Duration(s.Lease) > 10*time.Minute {
		errs = append(errs, errors.New("lease: must be from 3s to 10m"))
	}
	if s.DialTimeout < 0 || s.RequestTimeout < 0 || s.RunTimeout < 0 || s.FullEvery < 0 {
		errs = append(errs, errors.New("timeouts: must not be negative"))
	}
	return errs
}

// onThisMachine reports whether what is sent to the server of u crosses no
// network.
func onThisMachine(u *url.URL) bool {
	ip, err := netip.ParseAddr(u.Hostname())
	return u.Scheme == "ldap" && (strings.EqualFold(u.Hostname(), "localhost") || err == nil && ip.Unmap().IsLoopback())
}

func (s Settings) urlFaults(text string) (errs []error) {
	u, err := url.Parse(text)
	if err != nil {
		return []error{errors.New("urls: an entry is not a URL")} // the error would repeat the text, and a password in it
	}
	switch u.Scheme {
	case "ldap", "ldap+srv":
		if !s.StartTLS && !s.AllowPlaintextBind && !s.External && !onThisMachine(u) {
			errs = append(errs, fmt.Errorf("urls: %s would send the password in the clear: use ldaps://, or startTLS, or say allowPlaintextBind", u.Redacted()))
		}
		if !s.StartTLS && s.External {
			errs = append(errs, fmt.Errorf("urls: external on %s needs startTLS", u.Redacted()))
		}
	case "ldaps", "ldaps+srv":
		if s.StartTLS {
			errs = append(errs, fmt.Errorf("urls: startTLS on %s: it is TLS already", u.Redacted()))
		}
	case "ldapi":
	default:
		errs = append(errs, fmt.Errorf("urls: %s: the scheme must be ldap, ldaps, ldapi, ldap+srv or ldaps+srv", u.Redacted()))
	}
	if u.User != nil {
		errs = append(errs, errors.New("urls: no user or password in a URL"))
	}
	if u.Host == "" && u.Scheme != "ldapi" {
		errs = append(errs, fmt.Errorf("urls: %s names no host", u.Redacted()))
	}
	return errs
}

func (s Settings) readFaults() (errs []error) {
	t, ok := TemplateNamed(s.Template)
	if !ok {
		errs = append(errs, fmt.Errorf("template: %q is not one of %s", s.Template, strings.Join(TemplateNames(), ", ")))
	} else if err := t.with(s).Mapping.validate(); err != nil {
		errs = append(errs, err)
	}
	errs = append(errs, baseFaults("userBase", s.UserBase)...)
	errs = append(errs, baseFaults("groupBase", s.GroupBase)...)
	for name, filter := range map[string]string{"userFilter": s.UserFilter, "groupFilter": s.GroupFilter} {
		if err := checkFilter(filter); filter != "" && err != nil {
			errs = append(errs, fmt.Errorf("%s: %w", name, err))
		}
	}
	if s.PageSize < 1 || s.PageSize > 10_000 || s.GroupPageSize < 1 || s.GroupPageSize > 1000 {
		errs = append(errs, errors.New("pageSize must be from 1 to 10000, groupPageSize from 1 to 1000"))
	}
	if s.MaxEntries < 1 || s.MaxMembers < 1 {
		errs = append(errs, errors.New("maxEntries and maxMembers must be positive"))
	}
	return append(errs, s.Thresholds.faults()...)
}

// baseFaults refuses bases that are no DNs or contain one another: an entry
// read twice would make every read incomplete.
func baseFaults(name string, bases []string) (errs []error) {
	if len(bases) == 0 {
		return []error{fmt.Errorf("%s: required, or base, such as dc=example,dc=com", name)}
	}
	parsed := make([]*ldap.DN, len(bases))
	for i, base := range bases {
		dn, err := ldap.ParseDN(base)
		if err != nil || len(dn.RDNs) == 0 {
			errs = append(errs, fmt.Errorf("%s: %q is not a distinguished name", name, base))
			continue
		}
		parsed[i] = dn
		for _, other := range parsed[:i] {
			if other != nil && (other.EqualFold(dn) || other.AncestorOfFold(dn) || dn.AncestorOfFold(other)) {
				errs = append(errs, fmt.Errorf("%s: %q overlaps with another base", name, base))
			}
		}
	}
	return errs
}

// checkFilter bounds a filter before it is compiled: the compiler of go-ldap
// takes seconds and gigabytes for a deeply nested one.
func checkFilter(filter string) error {
	const maxLen, maxDepth = 4096, 32
	if len(filter) > maxLen {
		return fmt.Errorf("filter is longer than %d bytes", maxLen)
	}
	depth := 0
	for _, c := range []byte(filter) {
		switch c {
		case '(':
			depth++
		case ')':
			depth--
		}
		if depth > maxDepth {
			return fmt.Errorf("filter is nested deeper than %d", maxDepth)
		}
	}
	if _, err := ldap.CompileFilter(filter); err != nil {
		return fmt.Errorf("filter: %w", err)
	}
	return nil
}
