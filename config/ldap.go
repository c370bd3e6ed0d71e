package config

import (
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/go-ldap/ldap/v3"
	"github.com/robfig/cron/v3"
)

// schemes are the ways to reach an LDAP server.
var schemes = []string{"ldaps", "ldap", "ldapi", "ldap+srv", "ldaps+srv"}

func (v *validation) ldap(path string, l *LDAP) {
	if l.Template == "" {
		v.fault(path+".template", "openldap, active-directory or 389ds", "missing")
	}
	v.servers(path, l)
	v.ldapAuth(path, l)
	v.ldapBases(path, l)
	v.ldapFilter(path+".user_filter", l.UserFilter)
	v.ldapFilter(path+".group_filter", l.GroupFilter)
	if err := CheckSchedule(l.Schedule); err != nil {
		v.fault(path+".schedule", "", "%v", err)
	}
}

// servers checks the addresses and whether they protect what is sent.
func (v *validation) servers(path string, l *LDAP) {
	if len(l.URLs) == 0 {
		v.fault(path+".urls", "e.g. ldaps://ldap.example.com", "missing")
	}
	for i, text := range l.URLs {
		at := fmt.Sprintf("%s.urls[%d]", path, i)
		switch scheme := v.server(at, text); {
		case strings.HasPrefix(scheme, "ldaps") && l.StartTLS:
			v.fault(at, "remove start_tls", "is TLS already")
		case (scheme == "ldap" || scheme == "ldap+srv") && l.External && !l.StartTLS:
			v.fault(at, "use ldaps:// or start_tls: true", "a certificate needs TLS")
		case (scheme == "ldap" || scheme == "ldap+srv") && !l.External && !l.StartTLS && !l.PlaintextBind:
			v.fault(at, "use ldaps://, start_tls: true, or allow_plaintext_bind: true", "the password would cross the network unprotected")
		}
	}
}

// server checks the address of a server and returns its scheme, empty if it is
// none.
func (v *validation) server(path, text string) string {
	u, err := url.Parse(text)
	switch {
	case err != nil || !slices.Contains(schemes, u.Scheme) || (u.Scheme != "ldapi" && u.Hostname() == ""):
		v.fault(path, "", "want ldaps://host, ldap://host, ldapi:///path or ldaps+srv://domain")
		return ""
	case u.User != nil:
		v.fault(path, "use bind_dn and bind_password", "a user in the address")
	case u.RawQuery != "" || u.Fragment != "" || (u.Scheme != "ldapi" && strings.Trim(u.Path, "/") != ""):
		v.fault(path, "use base", "only scheme, host and port belong here")
	}
	return u.Scheme
}

// ldapAuth: an anonymous read, or one with an empty password, sees whatever the
// server cares to show, so that nothing it lacks proves anything.
func (v *validation) ldapAuth(path string, l *LDAP) {
	switch {
	case l.External && (l.BindDN != "" || !l.BindPass.IsZero()):
		v.fault(path+".external", "", "bind_dn and bind_password are for a simple bind")
	case l.External && l.ClientCert == "":
		v.fault(path+".client_cert", "", "missing; external is set")
	case !l.External && l.BindDN == "":
		v.fault(path+".bind_dn", "or external: true with a client certificate", "missing")
	case l.BindDN != "" && l.BindPass.IsZero():
		v.fault(path+".bind_password", "", "missing; bind_dn is set")
	case !l.BindPass.IsZero() && l.BindPass.Path() == "":
		v.fault(path+".bind_password", "use file: or credential:", "must be in a file, which is read at each connection")
	}
	switch {
	case l.ClientCert != "" && l.ClientKey == "":
		v.fault(path+".client_key", "", "missing; client_cert is set")
	case l.ClientCert == "" && l.ClientKey != "":
		v.fault(path+".client_cert", "", "missing; client_key is set")
	}
}

func (v *validation) ldapBases(path string, l *LDAP) {
	if len(l.Base) == 0 && (len(l.UserBase) == 0 || len(l.GroupBase) == 0) {
		v.fault(path+".base", "e.g. dc=example,dc=com", "missing")
	}
	v.bases(path+".base", l.Base)
	v.bases(path+".user_base", l.UserBase)
	v.bases(path+".group_base", l.GroupBase)
	for i, dn := range l.IgnoreReferrals {
		if _, err := ldap.ParseDN(dn); dn != "*" && err != nil {
			v.fault(fmt.Sprintf("%s.ignore_referrals[%d]", path, i), "", "%q is neither a distinguished name nor *", clip(dn))
		}
	}
}

// bases refuses what is no DN, and DNs of which one contains the other: an
// entry that is read twice would make every read incomplete.
func (v *validation) bases(path string, dns []string) {
	parsed := make([]*ldap.DN, len(dns))
	for i, text := range dns {
		at := fmt.Sprintf("%s[%d]", path, i)
		dn, err := ldap.ParseDN(text)
		if err != nil || len(dn.RDNs) == 0 {
			v.fault(at, "", "%q is not a distinguished name", clip(text))
			continue
		}
		parsed[i] = dn
		for _, other := range parsed[:i] {
			if other != nil && (other.EqualFold(dn) || other.AncestorOfFold(dn) || dn.AncestorOfFold(other)) {
				v.fault(at, "", "overlaps with another base")
				break
			}
		}
	}
}

// ldapFilter bounds a filter before it is compiled: the compiler of go-ldap
// takes seconds and gigabytes for a deeply nested one.
func (v *validation) ldapFilter(path, filter string) {
	const most, deepest = 4 << 10, 32 // bytes, brackets
	if filter == "" {
		return
	}
	depth, worst := 0, 0
	for _, c := range filter {
		switch c {
		case '(':
			depth++
		case ')':
			depth--
		}
		worst = max(worst, depth)
	}
	switch {
	case len(filter) > most:
		v.fault(path, "", "longer than %d bytes", most)
	case worst > deepest:
		v.fault(path, "", "nested deeper than %d", deepest)
	default:
		if _, err := ldap.CompileFilter(filter); err != nil {
			v.fault(path, "e.g. (objectClass=person)", "not an LDAP filter")
		}
	}
}

// CheckSchedule reports whether s is five cron fields or an @every that come
// due. The cron library panics on some zones and accepts days that never come.
func CheckSchedule(s string) (err error) {
	defer func() {
		if recover() != nil {
			err = fmt.Errorf("%q is not a schedule", clip(s))
		}
	}()
	schedule, err := cron.ParseStandard(s)
	if err != nil {
		return fmt.Errorf("%q is not a schedule such as */5 * * * * or @every 10m", clip(s))
	}
	if every, ok := strings.CutPrefix(s, "@every "); ok {
		if d, err := time.ParseDuration(every); err != nil || d < 10*time.Second {
			return errors.New("more often than every 10s")
		}
	}
	if schedule.Next(time.Date(2001, 1, 1, 0, 0, 0, 0, time.UTC)).IsZero() {
		return fmt.Errorf("%q never comes due", clip(s))
	}
	return nil
}
