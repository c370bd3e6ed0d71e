package config

import (
	"errors"
	"fmt"
	"maps"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/go-ldap/ldap/v3"
	"github.com/robfig/cron/v3"
)

// attributeNames are what LDAP.Attributes can map.
var attributeNames = []string{
	"id", "userName", "displayName", "givenName", "familyName", "email",
	"company", "lastLogin", "groupName", "groupDescription", "member",
}

// schemes are the ways to reach an LDAP server.
var schemes = []string{"ldaps", "ldap", "ldapi", "ldap+srv", "ldaps+srv"}

func (v *validation) ldap(path string, l *LDAP) {
	if len(l.URLs) == 0 {
		v.fault(path+".urls", "", "missing")
	}
	plain := false
	for i, u := range l.URLs {
		plain = v.server(fmt.Sprintf("%s.urls[%d]", path, i), u) || plain
	}
	v.ldapAuth(path, l, plain && !l.StartTLS)
	v.ldapNames(path, l)
	v.ldapFilter(path+".user_filter", l.UserFilter)
	v.ldapFilter(path+".group_filter", l.GroupFilter)
	for _, name := range slices.Sorted(maps.Keys(l.Attributes)) {
		if !slices.Contains(attributeNames, name) {
			v.fault(path+".attributes."+clip(name), didYouMean(name, attributeNames), "no such attribute of ours")
		}
	}
	if l.Template == "custom" && (l.UserFilter == "" || l.GroupFilter == "") {
		v.fault(path+".template", "active-directory, openldap, 389ds or freeipa; or write user_filter and group_filter", "missing")
	}
	if err := CheckSchedule(l.Schedule); err != nil {
		v.fault(path+".schedule", "", "%v", err)
	}
}

// server checks the address of a server and tells whether it is without TLS.
func (v *validation) server(path, text string) (plain bool) {
	u, err := url.Parse(text)
	switch {
	case err != nil || !slices.Contains(schemes, u.Scheme) || (u.Scheme != "ldapi" && u.Hostname() == ""):
		v.fault(path, "", "want ldaps://host, ldap://host, ldapi:///path or ldap+srv://domain")
		return false
	case u.User != nil:
		v.fault(path, "use bind_dn and bind_password", "a user in the address")
	case u.RawQuery != "" || u.Fragment != "" || (u.Scheme != "ldapi" && strings.Trim(u.Path, "/") != ""):
		v.fault(path, "use base", "only scheme, host and port belong here")
	}
	return u.Scheme == "ldap" || u.Scheme == "ldap+srv"
}

// ldapAuth: an empty password would bind as anonymous and read less than is
// there; a password in clear text is everybody's.
func (v *validation) ldapAuth(path string, l *LDAP, plain bool) {
	switch {
	case l.BindDN != "" && l.BindPassword.IsZero():
		v.fault(path+".bind_password", "", "missing; bind_dn is set")
	case l.BindDN == "" && !l.BindPassword.IsZero():
		v.fault(path+".bind_dn", "", "missing; bind_password is set")
	case l.BindDN != "" && plain && !l.PlaintextOK:
		v.fault(path+".urls", "use ldaps://, start_tls: true, or allow_plaintext_bind: true", "the password would cross the network unprotected")
	}
	switch {
	case l.ClientCert != "" && l.ClientKey == "":
		v.fault(path+".client_key", "", "missing; client_cert is set")
	case l.ClientCert == "" && l.ClientKey != "":
		v.fault(path+".client_cert", "", "missing; client_key is set")
	case l.ClientCert != "" && plain:
		v.fault(path+".client_cert", "use ldaps:// or start_tls: true", "a certificate needs TLS")
	}
}

func (v *validation) ldapNames(path string, l *LDAP) {
	if l.Base == "" && (len(l.UserBases) == 0 || len(l.GroupBases) == 0) {
		v.fault(path+".base", "", "missing")
	}
	v.dn(path+".base", l.Base)
	for key, dns := range map[string][]string{"user_bases": l.UserBases, "group_bases": l.GroupBases, "ignore_referrals": l.IgnoredRefs} {
		for i, dn := range dns {
			v.dn(fmt.Sprintf("%s.%s[%d]", path, key, i), dn)
		}
	}
	// Active Directory takes user@domain and DOMAIN\user besides a DN.
	if !strings.ContainsAny(l.BindDN, `@\`) || strings.Contains(l.BindDN, "=") {
		v.dn(path+".bind_dn", l.BindDN)
	}
}

func (v *validation) dn(path, dn string) {
	if _, err := ldap.ParseDN(dn); err != nil {
		v.fault(path, "", "%q is not a distinguished name", clip(dn))
	}
}

func (v *validation) ldapFilter(path, filter string) {
	const most = 4 << 10
	switch {
	case filter == "":
	case len(filter) > most:
		v.fault(path, "", "longer than %d bytes", most)
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
