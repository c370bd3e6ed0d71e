package admin

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/usherd/usherd/authz"
	"github.com/usherd/usherd/directory"
)

// How the limits of a check token begin among its scopes.
const (
	typeLimit    = "type:"
	featureLimit = "feature:"
)

// IsTokenLimit reports whether a scope of a check token limits what it may ask
// about, "type:T" or "feature:F", as opposed to what it may ask.
func IsTokenLimit(scope string) bool {
	return strings.HasPrefix(scope, typeLimit) || strings.HasPrefix(scope, featureLimit)
}

// checkScopes checks the scopes of a new check token, and completes those of one
// that names limits alone: it may evaluate. A limit to what the catalogue lacks
// is refused: the token would answer 403 to everything.
func (s *Service) checkScopes(ctx context.Context, n *NewToken) error {
	limits := slices.DeleteFunc(slices.Clone(n.Scopes), func(scope string) bool { return !IsTokenLimit(scope) })
	for _, scope := range n.Scopes {
		if !IsTokenLimit(scope) && !slices.Contains(CheckScopes, scope) {
			return invalid("scope %q is not one of %s, nor a limit: type:TYPE or feature:KEY", scope, strings.Join(CheckScopes, ", "))
		}
	}
	if len(limits) == 0 {
		return nil
	}
	if slices.Contains(n.Scopes, "permissions") {
		return invalid("the scope permissions tells of everything that somebody may do: it has no limits")
	}
	facts, err := s.Store.Policy(ctx)
	if err != nil {
		return fmt.Errorf("reading the catalogue: %w", err)
	}
	for _, limit := range limits {
		if err := knownLimit(&facts.Policy, limit); err != nil {
			return err
		}
	}
	if len(limits) == len(n.Scopes) {
		n.Scopes = append([]string{CheckScopes[0]}, n.Scopes...)
	}
	return nil
}

// knownLimit refuses a limit to what the catalogue lacks.
func knownLimit(p *directory.Policy, limit string) error {
	kind, key, _ := strings.Cut(limit, ":")
	var known []string
	if kind == "type" {
		known = []string{authz.TypeFeature, authz.TypeOutput, authz.TypeIntegration, authz.TypeProject}
		for _, t := range p.Resources {
			known = append(known, t.Type)
		}
	} else {
		for _, f := range p.Features {
			known = append(known, f.Key)
		}
	}
	if slices.Contains(known, key) {
		return nil
	}
	if near := authz.Nearest(key, known); near != "" {
		return invalid("scope %q: the catalogue has no %s %q; did you mean %s:%s?", limit, kind, key, kind, near)
	}
	return invalid("scope %q: the catalogue has no %s %q (usherd catalogue show)", limit, kind, key)
}
