package extauthz

import (
	"fmt"
	"net/http"
	"regexp"
	"slices"
	"strings"

	"github.com/usherd/usherd/authz"
)

// Where a proxy says who is signed in.
const (
	FromHeader    = "header"    // a header of the request
	FromPrincipal = "principal" // Envoy: the peer's certificate
	FromMetadata  = "metadata"  // Envoy: what a filter found out, as a JWT's claims
)

// An Identity says where the name of the user is and what kind of name it is.
type Identity struct {
	From     string   // FromHeader, FromPrincipal or FromMetadata; required
	Header   string   // FromHeader: its name
	Metadata []string // FromMetadata: the filter's namespace, then the path to the value
	Type     string   // authz.SubjectUser, SubjectEmail or SubjectExternal; required
	Source   string   // SubjectExternal: whose ids these are
}

// Reason codes of requests that don't say who is signed in.
const (
	NoIdentity        = "no_identity"
	AmbiguousIdentity = "ambiguous_identity"
)

var headerForm = regexp.MustCompile(`^[A-Za-z0-9-]{1,64}$`)

// taken are headers that say something else.
var taken = []string{
	"Authorization", "Host", "Cookie", "Connection", "Content-Length", "Transfer-Encoding",
	"X-Forwarded-Method", "X-Forwarded-Host", "X-Forwarded-Uri", "X-Forwarded-For", "X-Forwarded-Proto",
	"X-Original-Method", "X-Original-Host", "X-Original-Uri", "Usherd-Reason",
}

// wrong says what keeps i from naming anybody; empty if nothing does.
func (i *Identity) wrong() string {
	switch i.From {
	case FromHeader:
		if !usableHeader(i.Header) {
			return fmt.Sprintf("%q can't be a header of its own", i.Header)
		}
	case FromMetadata:
		if len(i.Metadata) < 2 || slices.Contains(i.Metadata, "") {
			return "a namespace and a path are needed"
		}
	case FromPrincipal:
	default:
		return fmt.Sprintf("no identity is from %q", i.From)
	}
	switch i.Type {
	case authz.SubjectUser, authz.SubjectEmail:
	case authz.SubjectExternal:
		if i.Source == "" || strings.Contains(i.Source, "/") {
			return "an external id needs its source"
		}
	default:
		return fmt.Sprintf("an identity is no %q", i.Type)
	}
	return ""
}

func usableHeader(name string) bool {
	return headerForm.MatchString(name) && !slices.Contains(taken, http.CanonicalHeaderKey(name))
}

// subject is what the check is told of the name in values. Exactly one is
// wanted. A comma may be the place where a proxy joined two headers into one, so
// that no name with a comma is taken.
func (i *Identity) subject(values []string) (id, reason string) {
	if len(values) > 1 {
		return "", AmbiguousIdentity
	}
	if len(values) == 0 {
		return "", NoIdentity
	}
	name := strings.Trim(values[0], " \t")
	switch {
	case name == "":
		return "", NoIdentity
	case i.From == FromHeader && strings.Contains(name, ","):
		return "", AmbiguousIdentity
	case i.Type == authz.SubjectExternal:
		return i.Source + "/" + name, ""
	}
	return name, ""
}
