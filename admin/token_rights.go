package admin

import (
	"fmt"
	"slices"

	"github.com/usherd/usherd/authz"
	"github.com/usherd/usherd/directory"
)

// The scopes of an admin token are the rights that it holds, organization-wide.
// One without any, from before tokens had rights, holds all but ownership.

// defaultTokenRights are all rights but organization.own.
func defaultTokenRights() []directory.Right {
	all := slices.Concat(directory.OrganizationRights, directory.ProjectRights)
	return slices.DeleteFunc(all, func(r directory.Right) bool { return r == directory.OrganizationOwn })
}

// tokenRights are the rights of a kept token.
func tokenRights(t directory.Token) []directory.Right {
	if len(t.Scopes) == 0 {
		return defaultTokenRights()
	}
	rights := make([]directory.Right, len(t.Scopes))
	for i, scope := range t.Scopes {
		rights[i] = directory.Right(scope)
	}
	return rights
}

// rightsOfToken returns what the holder of an admin token may do. A token that
// is unknown, revoked or expired opens nothing.
func (s *Service) rightsOfToken(view *authz.Snapshot, id string) (map[directory.Right]bool, error) {
	for _, t := range view.Policy().Tokens {
		if t.ID != id {
			continue
		}
		if t.Kind != directory.TokenAdmin || !t.Revoked.IsZero() || !s.Now().Before(t.Expires) {
			break
		}
		held := map[directory.Right]bool{}
		for _, right := range tokenRights(t.Token) {
			held[right] = true
		}
		return held, nil
	}
	return nil, fmt.Errorf("%w: the admin token is not valid any more", ErrForbidden)
}

// mayMakeToken completes the rights of a new admin token, from its Role or its
// list, and refuses what its maker lacks.
func (a *Authority) mayMakeToken(n *NewToken) error {
	if n.Kind != directory.TokenAdmin {
		if n.Role != "" {
			return invalid("only an admin token holds a Role's rights")
		}
		return nil
	}
	rights := make([]directory.Right, 0, len(n.Scopes))
	for _, name := range n.Scopes {
		rights = append(rights, directory.Right(name))
	}
	chosen := n.Role != "" || len(rights) > 0
	if n.Role != "" {
		role, ok := a.view.Role(n.Role)
		if !ok {
			return invalid("no Role %q", n.Role)
		}
		rights = append(rights, role.Rights...)
		if len(role.Rights) == 0 {
			return invalid("the Role %s holds no right", n.Role)
		}
	}
	if !chosen {
		// The default is as much as the maker has.
		rights = slices.DeleteFunc(defaultTokenRights(), func(r directory.Right) bool { return !a.Has(r, "") })
	}
	n.Scopes = nil
	for _, right := range rights {
		switch {
		case !right.IsOrganization() && !right.IsProject():
			return invalid("%q is no right", right)
		case !a.Has(right, ""):
			return fmt.Errorf("%w: a token never holds a right that its maker lacks: %s", ErrForbidden, right)
		case !slices.Contains(n.Scopes, string(right)):
			n.Scopes = append(n.Scopes, string(right))
		}
	}
	return nil
}
