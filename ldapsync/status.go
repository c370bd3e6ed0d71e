package ldapsync

import (
	"strconv"
	"strings"
	"time"
)

// A StatusRule tells from one attribute whether an account is disabled. A
// lockout after wrong passwords is temporary and disables nobody.
type StatusRule string

// The rules.
const (
	UserAccountControl   StatusRule = "userAccountControl"   // Active Directory: bit 2 is ACCOUNTDISABLE
	AccountExpires       StatusRule = "accountExpires"       // Active Directory: 100 ns since 1601; 0 and the maximum are never
	NSAccountLock        StatusRule = "nsAccountLock"        // 389, FreeIPA: TRUE
	PwdAccountLockedTime StatusRule = "pwdAccountLockedTime" // OpenLDAP ppolicy: 000001010000Z is for good
	ShadowExpire         StatusRule = "shadowExpire"         // RFC 2307: days since 1970, negative is never
	LoginDisabled        StatusRule = "loginDisabled"        // eDirectory and others: TRUE
)

// Attribute is the name of the attribute the rule reads.
func (r StatusRule) Attribute() string { return string(r) }

// disables reports whether value disables the account at now. absent says that
// the entry has no such attribute: every account of Active Directory has a
// userAccountControl, so one without is one that we may not see into, and
// nobody is let in because of that. A value that cannot be read disables.
func (r StatusRule) disables(value string, absent bool, now time.Time) bool {
	if absent {
		return r == UserAccountControl
	}
	switch r {
	case UserAccountControl:
		const accountDisable = 2
		flags, err := strconv.ParseInt(value, 10, 64)
		return err != nil || flags&accountDisable != 0
	case AccountExpires:
		return expired(value, now)
	case NSAccountLock, LoginDisabled:
		return !strings.EqualFold(value, "FALSE")
	case PwdAccountLockedTime:
		return value == "000001010000Z"
	case ShadowExpire:
		days, err := strconv.ParseInt(value, 10, 64)
		return err != nil || days >= 0 && days < now.Unix()/86400
	}
	return true // an unknown rule lets nobody in
}

// Windows file times count 100 ns since 1601.
const (
	never        = 1<<63 - 1
	windowsEpoch = 116444736000000000 // 1970
)

// expired reads a Windows file time.
func expired(value string, now time.Time) bool {
	ticks, err := strconv.ParseInt(value, 10, 64)
	if err != nil || ticks < 0 {
		return true
	}
	if ticks == 0 || ticks == never {
		return false
	}
	return ticks < now.Unix()*10_000_000+windowsEpoch
}

// expires is when the value of a rule begins to disable the account; zero is
// never.
func (r StatusRule) expires(value string) time.Time {
	n, err := strconv.ParseInt(value, 10, 64)
	switch {
	case err != nil || n < 0:
	case r == ShadowExpire && n < 1<<31:
		return time.Unix((n+1)*86400, 0)
	case r == AccountExpires && n > windowsEpoch && n != never:
		return time.Unix((n-windowsEpoch)/10_000_000+1, 0)
	}
	return time.Time{}
}
