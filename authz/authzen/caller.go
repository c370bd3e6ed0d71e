package authzen

import (
	"net/http"
	"slices"
	"strings"

	"github.com/usherd/usherd/authz"
	"github.com/usherd/usherd/directory"
)

// An Authenticator says who asks. Its error wraps [ErrUnauthenticated] if the
// caller is nobody known; any other means that it cannot tell now.
type Authenticator interface {
	Authenticate(r *http.Request) (*Caller, error)
}

// The scopes of a check token. A token without any has ScopeEvaluate.
const (
	ScopeEvaluate    = "evaluate"
	ScopeSearch      = "search"
	ScopePermissions = "permissions"
	ScopeWatch       = "watch"
)

// A Caller is an application that may ask. Callers are shared between requests.
type Caller struct {
	ID string // of the token, for logs and limits

	scopes   []string
	types    []string // of resources; empty means any
	features []string // empty means any
}

// CallerOf returns the caller that a check token stands for. Among its scopes,
// "type:T" limits it to resources of type T and "feature:F" to the feature F;
// several of these add up.
func CallerOf(t directory.Token) *Caller {
	c := &Caller{ID: t.ID}
	for _, s := range t.Scopes {
		if typ, ok := strings.CutPrefix(s, "type:"); ok {
			c.types = append(c.types, typ)
		} else if feature, ok := strings.CutPrefix(s, "feature:"); ok {
			c.features = append(c.features, feature)
		} else {
			c.scopes = append(c.scopes, s)
		}
	}
	if len(c.scopes) == 0 {
		c.scopes = []string{ScopeEvaluate}
	}
	return c
}

// Has reports whether the caller may do what scope stands for.
func (c *Caller) Has(scope string) bool { return slices.Contains(c.scopes, scope) }

// MayAsk reports whether the caller may ask about a resource.
func (c *Caller) MayAsk(typ, id string) bool {
	if len(c.types) == 0 && len(c.features) == 0 {
		return true
	}
	return slices.Contains(c.types, typ) || typ == authz.TypeFeature && slices.Contains(c.features, id)
}
