package admin

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/usherd/usherd/directory"
)

// GrantSpec says what to grant or take back in one scope, in the words of a
// mapping's grant.
type GrantSpec struct {
	Project     directory.ProjectKey `json:"project,omitempty" yaml:"project"`
	Roles       []directory.RoleName `json:"roles,omitempty" yaml:"roles"`
	Access      []string             `json:"access,omitempty" yaml:"access"`
	Role        []string             `json:"role,omitempty" yaml:"role"` // role privileges: "feature:action" or "type:id:action"
	Output      []string             `json:"output,omitempty" yaml:"output"`
	Integration map[string]string    `json:"integration,omitempty" yaml:"integration"` // connection to level
}

// set checks the spec against the policy and returns it in the store's form.
func (g GrantSpec) set(p *directory.Policy) (directory.GrantSet, error) {
	out := directory.GrantSet{Project: g.Project, Roles: g.Roles}
	if err := checkProject(p, g.Project); err != nil {
		return out, err
	}
	for _, name := range g.Roles {
		if err := checkRole(p, name, g.Project); err != nil {
			return out, err
		}
	}
	for _, key := range g.Access {
		out.Privileges = append(out.Privileges, directory.Privilege{Kind: directory.Access, Key: key})
	}
	for _, key := range g.Role {
		out.Privileges = append(out.Privileges, directory.Privilege{Kind: directory.RolePrivilege, Key: directory.RoleKey(key)})
	}
	for _, key := range g.Output {
		out.Privileges = append(out.Privileges, directory.Privilege{Kind: directory.OutputPrivilege, Key: key})
	}
	for _, key := range slices.Sorted(maps.Keys(g.Integration)) {
		level, err := directory.ParseLevel(g.Integration[key])
		if err != nil {
			return out, fmt.Errorf("integration %s: %w", key, err)
		}
		out.Privileges = append(out.Privileges, directory.Privilege{Kind: directory.IntegrationLevel, Key: key, Level: level})
	}
	for _, privilege := range out.Privileges {
		if err := checkPrivilege(p, privilege); err != nil {
			return out, err
		}
	}
	if len(out.Roles)+len(out.Privileges) == 0 {
		return out, invalid("say what to grant: a Role, access, a privilege, an output or an integration")
	}
	return out, nil
}

// checkRole refuses an unknown Role, and a Role with an organization right in a
// project.
func checkRole(p *directory.Policy, name directory.RoleName, project directory.ProjectKey) error {
	role, ok := p.Role(name)
	if !ok {
		var known []string
		for _, r := range slices.Concat(p.Roles, directory.BuiltinRoles()) {
			known = append(known, string(r.Name))
		}
		return invalid("no Role %q%s", name, didYouMean(string(name), known))
	}
	if project != "" && role.HasOrganizationRight() {
		return invalid("Role %s holds organization rights: it is granted organization-wide only, not in project %s", name, project)
	}
	return nil
}

// checkPrivilege refuses a key that the catalogue does not have.
func checkPrivilege(p *directory.Policy, privilege directory.Privilege) error {
	switch privilege.Kind {
	case directory.Access:
		return known("feature", privilege.Key, featureKeys(p))
	case directory.OutputPrivilege:
		return known("output", privilege.Key, keysOf(p.Outputs, func(o directory.Output) string { return o.Key }))
	case directory.IntegrationLevel:
		if privilege.Key == "*" {
			return nil
		}
		return known("integration", privilege.Key, keysOf(p.Integrations, func(i directory.Integration) string { return i.Key }))
	case directory.RolePrivilege:
		return checkRolePrivilege(p, privilege.Key)
	}
	return invalid("privilege kind %q is not one of access, role, output, integration", privilege.Kind)
}

func checkRolePrivilege(p *directory.Policy, key string) error {
	typ, id, action, ok := directory.SplitRoleKey(key)
	if !ok {
		return invalid("privilege %q: write FEATURE:ACTION or TYPE:ID:ACTION", key)
	}
	if typ == "feature" {
		if err := known("feature", id, featureKeys(p)); err != nil {
			return err
		}
		i := slices.IndexFunc(p.Features, func(f directory.Feature) bool { return f.Key == id })
		return known("action of feature "+id, action, p.Features[i].Actions)
	}
	if err := known("resource type", typ, keysOf(p.Resources, func(r directory.ResourceType) string { return r.Type })); err != nil {
		return err
	}
	i := slices.IndexFunc(p.Resources, func(r directory.ResourceType) bool { return r.Type == typ })
	return known("action of "+typ, action, p.Resources[i].Actions)
}

func featureKeys(p *directory.Policy) []string {
	return keysOf(p.Features, func(f directory.Feature) string { return f.Key })
}

func keysOf[T any](items []T, key func(T) string) []string {
	keys := make([]string, len(items))
	for i, item := range items {
		keys[i] = key(item)
	}
	return keys
}

func known(what, key string, all []string) error {
	if slices.Contains(all, key) {
		return nil
	}
	return invalid("no %s %q in the catalogue%s", what, key, didYouMean(key, all))
}

// grants spells a set out as one grant a thing, for one holder.
func grants(set directory.GrantSet, by directory.Actor, user directory.UserID, group directory.GroupID) []directory.Grant {
	base := directory.Grant{User: user, Group: group, Project: set.Project, Origin: directory.ByHand, By: by.Kind + ":" + by.Name}
	var out []directory.Grant
	for _, role := range set.Roles {
		g := base
		g.Role = role
		out = append(out, g)
	}
	for _, privilege := range set.Privileges {
		g := base
		g.Privilege = privilege
		out = append(out, g)
	}
	return out
}

// A holder is the user or the group that a grant goes to.
type holder struct {
	user  directory.UserID
	group directory.GroupID
}

func (s *Service) grant(ctx context.Context, by directory.Actor, a *Authority, to holder, spec GrantSpec) (Outcome, error) {
	facts, err := s.Store.Policy(ctx)
	if err != nil {
		return Outcome{}, fmt.Errorf("reading policy: %w", err)
	}
	set, err := spec.set(&facts.Policy)
	if err != nil {
		return Outcome{}, err
	}
	if err := a.mayGiveSet(&facts.Policy, set); err != nil {
		return Outcome{}, err
	}
	var changes []directory.Change
	for _, g := range grants(set, by, to.user, to.group) {
		g.ID, g.Created = directory.NewID(), s.Now()
		changes = append(changes, directory.PutGrant{Grant: g})
	}
	return s.keepingAnOwner(ctx, by, changes...) // a Role takes the default one's place
}

// revoke takes back what was granted by hand. What a mapping, a nesting or an
// override gives is taken back where it comes from.
func (s *Service) revoke(ctx context.Context, by directory.Actor, a *Authority, from holder, spec GrantSpec) (Outcome, error) {
	held, err := s.Store.Grants(ctx, from.user, from.group)
	if err != nil {
		return Outcome{}, fmt.Errorf("reading grants: %w", err)
	}
	var changes []directory.Change
	for _, g := range spec.things(by, from) {
		i := slices.IndexFunc(held, func(h directory.Grant) bool { return sameThing(h, g) })
		if i < 0 {
			return Outcome{}, notFound("%s is not granted by hand%s; what there is by hand: %s",
				thing(g), in(g.Project), describe(held))
		}
		if err := a.mayGiveGrants(held[i : i+1]); err != nil {
			return Outcome{}, err
		}
		changes = append(changes, directory.EndGrant{Grant: held[i]})
	}
	if len(changes) == 0 {
		return Outcome{}, invalid("say what to revoke: a Role, access, a privilege, an output or an integration")
	}
	return s.keepingAnOwner(ctx, by, changes...)
}

// things are the grants that a spec names, without their levels, whatever the
// catalogue says now.
func (g GrantSpec) things(by directory.Actor, to holder) []directory.Grant {
	set := directory.GrantSet{Project: g.Project, Roles: g.Roles}
	for kind, keys := range map[directory.PrivilegeKind][]string{
		directory.Access: g.Access, directory.RolePrivilege: g.Role, directory.OutputPrivilege: g.Output,
		directory.IntegrationLevel: slices.Collect(maps.Keys(g.Integration)),
	} {
		for _, key := range keys {
			set.Privileges = append(set.Privileges, directory.Privilege{Kind: kind, Key: key})
		}
	}
	return grants(set, by, to.user, to.group)
}

func sameThing(a, b directory.Grant) bool {
	return a.Project == b.Project && a.Role == b.Role && a.Privilege.Kind == b.Privilege.Kind && a.Privilege.Key == b.Privilege.Key
}

func thing(g directory.Grant) string {
	if g.Role != "" {
		return "Role " + string(g.Role)
	}
	return string(g.Privilege.Kind) + " " + g.Privilege.Key
}

func in(project directory.ProjectKey) string {
	if project == "" {
		return " organization-wide"
	}
	return " in project " + string(project)
}

func describe(grants []directory.Grant) string {
	if len(grants) == 0 {
		return "nothing"
	}
	names := make([]string, len(grants))
	for i, g := range grants {
		names[i] = thing(g) + in(g.Project)
	}
	return strings.Join(names, ", ")
}
