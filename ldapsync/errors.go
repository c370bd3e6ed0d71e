package ldapsync

import (
	"context"
	"errors"
	"fmt"
	"net"
	"regexp"

	"github.com/go-ldap/ldap/v3"
)

// ErrIncomplete is wrapped by every error of a read that was not proven
// complete. Nothing may be inferred from what such a read did not show.
var ErrIncomplete = errors.New("incomplete read")

// A Cause says what kept a read from being complete.
type Cause string

// The causes.
const (
	CauseConfig     Cause = "config"     // the settings cannot work
	CauseConnect    Cause = "connect"    // no server answers
	CauseTLS        Cause = "tls"        // certificate, name or protocol
	CauseBind       Cause = "bind"       // credentials refused, or worth nothing
	CauseAccess     Cause = "access"     // the account may not read
	CauseBase       Cause = "base"       // a search base does not exist
	CauseLimit      Cause = "limit"      // a limit of the server, or one of ours
	CausePaging     Cause = "paging"     // the server does not page as RFC 2696 says
	CauseReferral   Cause = "referral"   // part of the tree is elsewhere
	CauseLost       Cause = "lost"       // the connection ended or fell silent
	CauseBusy       Cause = "busy"       // the server asks to come back later
	CauseLag        Cause = "lag"        // the server has not seen what was read before
	CauseRange      Cause = "range"      // values of a large attribute are missing
	CauseIdentity   Cause = "identity"   // an entry without a stable id
	CauseDuplicate  Cause = "duplicate"  // one stable id on two entries
	CauseEmpty      Cause = "empty"      // nobody at all was found
	CauseServer     Cause = "server"     // any other error of the server
	CauseCancelled  Cause = "cancelled"  // stopped by us: shutdown or time limit
	CauseMemberURLs Cause = "member-url" // a dynamic group cannot be evaluated
)

// An IncompleteError says why a read does not count. Its text tells an operator
// what happened and what to do; it names search bases and settings, no people.
type IncompleteError struct {
	Cause  Cause
	Server string // URL
	Advice string // what to do
	Err    error
}

func (e *IncompleteError) Error() string {
	text := e.Err.Error()
	if e.Server != "" {
		text = e.Server + ": " + text
	}
	if e.Advice != "" {
		text += ". " + e.Advice
	}
	return text
}

// Unwrap returns [ErrIncomplete] and what happened.
func (e *IncompleteError) Unwrap() []error { return []error{ErrIncomplete, e.Err} }

// elsewhere reports whether another server of the list may do better. A refused
// bind is not tried again anywhere: that locks accounts.
func (e *IncompleteError) elsewhere() bool {
	switch e.Cause {
	case CauseConnect, CauseLost, CauseBusy, CauseLag:
		return true
	}
	return false
}

func incomplete(cause Cause, advice, format string, args ...any) *IncompleteError {
	return &IncompleteError{Cause: cause, Advice: advice, Err: fmt.Errorf(format, args...)}
}

// adBindCode finds the reason that Active Directory hides in the diagnostic
// message of a refused bind.
var adBindCode = regexp.MustCompile(`data ([0-9a-fA-F]{2,8})\b`)

// adBindReasons puts the reasons of Active Directory into words.
var adBindReasons = map[string]string{
	"525": "the account does not exist",
	"52e": "the password is wrong",
	"530": "the account may not sign in at this time",
	"531": "the account may not sign in from this machine",
	"532": "the password has expired",
	"533": "the account is disabled",
	"701": "the account has expired",
	"773": "the password must be changed first",
	"775": "the account is locked out",
}

// bindError explains a failed bind.
func bindError(err error) *IncompleteError {
	const check = "Check bindDN and the password"
	var le *ldap.Error
	if !errors.As(err, &le) {
		return requestError("bind", err)
	}
	switch le.ResultCode {
	case ldap.LDAPResultInvalidCredentials, ldap.LDAPResultInappropriateAuthentication, ldap.LDAPResultNoSuchObject,
		ldap.LDAPResultInvalidDNSyntax, ldap.LDAPResultUnwillingToPerform, ldap.LDAPResultInsufficientAccessRights:
		advice := check
		if m := adBindCode.FindStringSubmatch(le.Error()); m != nil && adBindReasons[m[1]] != "" {
			advice = "The server says that " + adBindReasons[m[1]] + ". " + check
		}
		return incomplete(CauseBind, advice, "bind refused: %w", err)
	case ldap.LDAPResultStrongAuthRequired, ldap.LDAPResultConfidentialityRequired:
		return incomplete(CauseTLS, "The server takes passwords over TLS only: use an ldaps:// URL or startTLS", "bind refused: %w", err)
	case ldap.LDAPResultAuthMethodNotSupported:
		return incomplete(CauseBind, "The server does not offer this kind of bind; choose between bindDN and external", "bind refused: %w", err)
	}
	return requestError("bind", err)
}

// Advice for limits, in the words of each server's configuration.
const (
	sizeAdvice = "The server allows this account fewer entries than there are. " +
		`OpenLDAP: limits dn.exact="<bindDN>" size=unlimited size.prtotal=unlimited; ` +
		"389 Directory Server and FreeIPA: nsSizeLimit: -1 and nsLookThroughLimit: -1 on the bind entry; " +
		"Active Directory: pageSize at most MaxPageSize (1000)"
	timeAdvice = "The server stopped searching. " +
		`OpenLDAP: limits dn.exact="<bindDN>" time=unlimited; 389 Directory Server and FreeIPA: nsTimeLimit: -1 on the bind entry; ` +
		"Active Directory: a smaller pageSize, or MaxQueryDuration; and see that what the filter names is indexed"
	adminAdvice = "The server gave up after looking at too many entries. " +
		"389 Directory Server and FreeIPA: nsLookThroughLimit: -1 and nsPagedLookThroughLimit: -1 on the bind entry; " +
		`OpenLDAP: limits dn.exact="<bindDN>" size.unchecked=unlimited; and see that what the filter names is indexed`
)

// requestError explains why a request to a server that took our bind failed.
func requestError(what string, err error) *IncompleteError {
	var le *ldap.Error
	if !errors.As(err, &le) || le.ResultCode >= ldap.ErrorNetwork {
		return lostError(what, err)
	}
	switch le.ResultCode {
	case ldap.LDAPResultSizeLimitExceeded:
		return incomplete(CauseLimit, sizeAdvice, "%s: size limit: %w", what, err)
	case ldap.LDAPResultTimeLimitExceeded:
		return incomplete(CauseLimit, timeAdvice, "%s: time limit: %w", what, err)
	case ldap.LDAPResultAdminLimitExceeded:
		return incomplete(CauseLimit, adminAdvice, "%s: administrative limit: %w", what, err)
	case ldap.LDAPResultNoSuchObject:
		return incomplete(CauseBase, "Check the base; it does not exist on this server, or the account may not see it", "%s: %w", what, err)
	case ldap.LDAPResultInvalidDNSyntax:
		return incomplete(CauseBase, "Check the base; it is not a distinguished name", "%s: %w", what, err)
	case ldap.LDAPResultReferral:
		return incomplete(CauseReferral, "The base is held by another server: name that server in urls", "%s: %w", what, err)
	case ldap.LDAPResultBusy, ldap.LDAPResultUnavailable:
		return incomplete(CauseBusy, "The next run tries again", "%s: %w", what, err)
	case ldap.LDAPResultUnwillingToPerform:
		return incomplete(CauseServer, "See the server's log; a page cookie that the server forgot looks like this, too", "%s: %w", what, err)
	case ldap.LDAPResultInsufficientAccessRights, ldap.LDAPResultOperationsError:
		return incomplete(CauseAccess, "Give the bind account read access to the bases and attributes", "%s: %w", what, err)
	case ldap.LDAPResultUnavailableCriticalExtension:
		return incomplete(CausePaging, "The server does not offer paged results (RFC 2696) to this account", "%s: %w", what, err)
	}
	return incomplete(CauseServer, "See the server's log", "%s: %w", what, err)
}

// lostError explains an error that is not an answer of the server.
func lostError(what string, err error) *IncompleteError {
	if errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) {
		return incomplete(CauseCancelled, "", "%s: %w", what, err)
	}
	if errors.Is(err, errFraming) {
		return incomplete(CauseLost, "See whether it is an LDAP server that answers, and whether the port is the one for TLS", "%s: %w", what, err)
	}
	var ne net.Error
	if errors.As(err, &ne) && ne.Timeout() {
		return incomplete(CauseLost, "The server fell silent: see whether it is overloaded, or raise requestTimeout", "%s: %w", what, err)
	}
	return incomplete(CauseLost, "The connection ended in the middle of the read: see whether the server runs and what is between", "%s: %w", what, err)
}
