package authz

import (
	"slices"

	"github.com/usherd/usherd/directory"
)

// grant lists the grants that would do.
func (x *fixer) grant(w *want) {
	g, ok := x.least(w)
	if !ok {
		return
	}
	right, where := directory.GrantsManage, "organization-wide"
	if w.right == directory.OrganizationOwn {
		right = w.right
	}
	command := append([]string{"user", "grant", userArg}, grantFlags(&g)...)
	if x.a.scope != organization && !w.right.IsOrganization() {
		g.Project = x.a.project
		command, where = append(command, "--project", string(g.Project)), "in project "+string(g.Project)
		right = directory.ProjectManage
	}
	f, what, but := Fix{Kind: FixGrant}, w.String(), ""
	if g.Role != "" {
		what = "the Role " + string(g.Role)
		if f.wide = x.administers(g.Role, w.right); f.wide {
			what, but = "a Role with the right "+string(w.right), "; "+string(g.Role)+", the smallest that there is, administers too"
		}
	}
	f.Do = "grant " + what + " " + where + " to the user or to a group of the user" + but
	x.add(x.try(f, []remedy{addGrant(g)}), right, command...)
}

// least is the smallest grant that contains w, without a scope; false if there
// is none.
func (x *fixer) least(w *want) (directory.Grant, bool) {
	g := directory.Grant{Origin: directory.ByHand}
	switch p := &g.Privilege; w.kind {
	case directory.Access, directory.OutputPrivilege:
		*p = directory.Privilege{Kind: w.kind, Key: w.id}
	case directory.IntegrationLevel:
		*p = directory.Privilege{Kind: w.kind, Key: w.id, Level: w.level}
	case directory.RolePrivilege:
		*p = directory.Privilege{Kind: w.kind, Key: w.typ + ":" + w.id + ":" + w.action}
		if w.typ == TypeFeature {
			p.Key = w.id + ":" + w.action
		}
	default:
		g.Role = x.leastRole(w.right, x.a.scope)
		return g, g.Role != ""
	}
	return g, true
}

// grantFlags are those of the command that makes a grant.
func grantFlags(g *directory.Grant) []string {
	switch p := &g.Privilege; p.Kind {
	case directory.Access:
		return []string{"--access", p.Key}
	case directory.OutputPrivilege:
		return []string{"--output", p.Key}
	case directory.IntegrationLevel:
		return []string{"--integration", p.Key + "=" + p.Level.String()}
	case directory.RolePrivilege:
		return []string{"--privilege", p.Key}
	}
	return []string{"--role", string(g.Role)}
}

// administers reports whether a Role gives administration rights besides one.
func (x *fixer) administers(name directory.RoleName, besides directory.Right) bool {
	r, _ := x.s.Role(name)
	return slices.ContainsFunc(r.Rights, func(o directory.Right) bool { return o != besides && o.IsAdministration() })
}

// leastRole is the Role with the fewest rights that holds a right and may be
// granted in a scope; one that gives no administration right besides goes before
// all that do.
func (x *fixer) leastRole(right directory.Right, scope scopeID) (least directory.RoleName) {
	fewest := 0
	for _, name := range x.s.holders(right) {
		r, _ := x.s.Role(name)
		if scope != organization && right.IsProject() && r.HasOrganizationRight() {
			continue
		}
		n := len(r.Rights)
		if x.administers(name, right) {
			n += len(directory.OrganizationRights) + len(directory.ProjectRights)
		}
		if least == "" || n < fewest {
			least, fewest = name, n
		}
	}
	return least
}
