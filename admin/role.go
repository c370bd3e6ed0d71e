package admin

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/usherd/usherd/directory"
)

// A ListedRole is a Role as a list shows it.
type ListedRole struct {
	directory.Role
	Builtin   bool     `json:"builtin"`
	Default   bool     `json:"default,omitempty"` // counts for whom no path gives a Role
	Groups    int      `json:"groups"`            // that are given it themselves
	Users     int      `json:"users"`             // who have it by a path that counts
	Mappings  []string `json:"mappings,omitempty"`
	Scope     string   `json:"scope"` // organization, or any: where it may be granted
	ManagedBy string   `json:"managed_by,omitempty"`
}

// Roles lists all Roles, built in and custom, in the order of the documentation
// and of the policy.
func (s *Service) Roles(ctx context.Context) ([]ListedRole, error) {
	a, err := s.reads(ctx, ReadPolicy)
	if err != nil {
		return nil, err
	}
	counted, err := s.census(ctx, a.view)
	if err != nil {
		return nil, err
	}
	given := map[directory.RoleName]int{}
	for g := range a.view.Groups() {
		seen := map[directory.RoleName]bool{}
		for _, what := range a.view.Given(g.Num) {
			if what.Role != "" && !seen[what.Role] && a.seesGroup(g.Num, g.Project) {
				seen[what.Role] = true
				given[what.Role]++
			}
		}
	}
	p := &a.view.Policy().Policy
	all, _ := a.Projects(ReadDirectory)
	sees, holders, below := a.sees(), counted.roles(), newNesting(a.view)
	out := []ListedRole{}
	for i, role := range slices.Concat(directory.BuiltinRoles(), p.Roles) {
		l := ListedRole{
			Role: role, Builtin: i < len(directory.BuiltinRoles()), Default: p.DefaultRole == role.Name, Groups: given[role.Name],
			Mappings: mappingsWith(p, role.Name), Scope: "any",
		}
		if role.HasOrganizationRight() {
			l.Scope = "organization"
		}
		if !all {
			l.Mappings = nil
		}
		if !l.Builtin {
			l.ManagedBy = s.managedBy(directory.SectionRoles)
		}
		if l.Users = len(holders[role.Name]); !all {
			l.Users = len(filtered(filtered(holders[role.Name], sees), holdersOf(a.view, below, role.Name, a.scopes()).holds))
		}
		out = append(out, l)
	}
	return out, nil
}

func mappingsWith(p *directory.Policy, role directory.RoleName) (names []string) {
	for _, m := range p.Mappings {
		if slices.ContainsFunc(m.Grants, func(set directory.GrantSet) bool { return slices.Contains(set.Roles, role) }) {
			names = append(names, m.Name)
		}
	}
	return names
}

// A RolePage is one Role with the groups that give it and the users who have
// it.
type RolePage struct {
	ListedRole
	GivenTo []ListedGroup       `json:"given_to"`
	Holders Listing[ListedUser] `json:"holders"` // the first of them by name
	Note    string              `json:"note,omitempty"`
}

// Role shows one Role.
func (s *Service) Role(ctx context.Context, name directory.RoleName, limit int) (RolePage, error) {
	roles, err := s.Roles(ctx)
	if err != nil {
		return RolePage{}, err
	}
	i := slices.IndexFunc(roles, func(r ListedRole) bool { return r.Name == name })
	if i < 0 {
		return RolePage{}, notFound("no Role %q%s", name, didYouMean(string(name), keysOf(roles, func(r ListedRole) string { return string(r.Name) })))
	}
	out := RolePage{ListedRole: roles[i], GivenTo: []ListedGroup{}, Holders: Listing[ListedUser]{Items: []ListedUser{}}}
	a, err := s.Authority(ctx)
	if err != nil || !a.Anywhere(ReadDirectory) {
		return out, err
	}
	groups, err := s.Groups(ctx, GroupFilter{Role: name, Sort: "name", Limit: maxPage})
	if err != nil {
		return RolePage{}, err
	}
	out.GivenTo = groups.Items
	if out.Holders, err = s.firstHolders(ctx, a, name, limit); err != nil {
		return RolePage{}, err
	}
	switch {
	case out.Holders.Total > 0:
	case len(out.Mappings) > 0 && len(out.GivenTo) == 0:
		out.Note = "nobody has this Role: its mappings match no group"
	case len(out.GivenTo) == 0:
		out.Note = "nobody has this Role: no grant and no mapping gives it"
	default:
		out.Note = "nobody has this Role: the groups that give it have no active members"
	}
	return out, nil
}

// firstHolders are the first of those who have a Role, by name.
func (s *Service) firstHolders(ctx context.Context, a *Authority, name directory.RoleName, limit int) (Listing[ListedUser], error) {
	if all, _ := a.Projects(ReadDirectory); !all {
		return s.Users(ctx, UserFilter{Role: name, Sort: "name", Limit: limit})
	}
	counted, err := s.census(ctx, a.view)
	if err != nil {
		return Listing[ListedUser]{}, err
	}
	page, err := s.pageOf(listIn("users", "name"), counted.roles()[name], "", 0, pageSize(limit), false, anybody)
	if err != nil {
		return Listing[ListedUser]{}, err
	}
	return s.freshRows(ctx, a, page)
}

// RoleSpec describes a custom Role in the words of a policy file.
type RoleSpec struct {
	Name        directory.RoleName `json:"name"`
	Title       string             `json:"title,omitempty"`
	Rights      []directory.Right  `json:"rights,omitempty"`
	Access      []string           `json:"access,omitempty"`
	Role        []string           `json:"role,omitempty"`
	Output      []string           `json:"output,omitempty"`
	Integration map[string]string  `json:"integration,omitempty"`
}

func (r RoleSpec) role(p *directory.Policy) (directory.Role, error) {
	out := directory.Role{Name: r.Name, Title: r.Title, Rights: r.Rights}
	for _, right := range r.Rights {
		if !right.IsOrganization() && !right.IsProject() {
			var known []string
			for _, k := range slices.Concat(directory.OrganizationRights, directory.ProjectRights) {
				known = append(known, string(k))
			}
			return out, invalid("no right %q%s", right, didYouMean(string(right), known))
		}
	}
	spec := GrantSpec{Access: r.Access, Role: r.Role, Output: r.Output, Integration: r.Integration}
	if len(spec.Access)+len(spec.Role)+len(spec.Output)+len(spec.Integration) == 0 {
		return out, nil
	}
	set, err := spec.set(p)
	out.Privileges = set.Privileges
	return out, err
}

// CreateRole adds a custom Role.
func (s *Service) CreateRole(ctx context.Context, by directory.Actor, r RoleSpec) (Outcome, error) {
	return s.editPolicy(ctx, by, policyEdit{WritePolicy, directory.SectionRoles, 0, func(_ *Authority, p *directory.Policy) error {
		if _, there := p.Role(r.Name); there {
			return alreadyThere("a Role", string(r.Name))
		}
		role, err := r.role(p)
		p.Roles = append(p.Roles, role)
		return err
	}})
}

// EditRole replaces title, rights and privileges of a custom Role.
func (s *Service) EditRole(ctx context.Context, by directory.Actor, r RoleSpec, ifRevision directory.Revision) (Outcome, error) {
	return s.editPolicy(ctx, by, policyEdit{WritePolicy, directory.SectionRoles, ifRevision, func(_ *Authority, p *directory.Policy) error {
		i, err := customRole(p, r.Name)
		if err != nil {
			return err
		}
		role, err := r.role(p)
		role.Modified = p.Roles[i].Modified
		p.Roles[i] = role
		return err
	}})
}

// DeleteRole removes a custom Role that nothing uses.
func (s *Service) DeleteRole(ctx context.Context, by directory.Actor, name directory.RoleName, ifRevision directory.Revision) (Outcome, error) {
	return s.editPolicy(ctx, by, policyEdit{WritePolicy, directory.SectionRoles, ifRevision, func(a *Authority, p *directory.Policy) error {
		i, err := customRole(p, name)
		if err != nil {
			return err
		}
		if used := a.usedBy(p, name); used != "" {
			return fmt.Errorf("%w: Role %s is given by %s; take it from there first", directory.ErrInUse, name, used)
		}
		p.Roles = slices.Delete(p.Roles, i, i+1)
		return nil
	}})
}

func customRole(p *directory.Policy, name directory.RoleName) (int, error) {
	i := slices.IndexFunc(p.Roles, func(r directory.Role) bool { return r.Name == name })
	if i >= 0 {
		return i, nil
	}
	if _, builtin := p.Role(name); builtin {
		return 0, invalid("Role %s is built in and can't be changed; make a custom one like it (usherd role create)", name)
	}
	return 0, notFound("no Role %q%s", name, didYouMean(string(name), keysOf(p.Roles, roleKey)))
}

// usedBy names what gives a Role.
func (a *Authority) usedBy(p *directory.Policy, name directory.RoleName) string {
	var by []string
	if p.DefaultRole == name {
		by = append(by, "the default Role")
	}
	for _, m := range mappingsWith(p, name) {
		by = append(by, "mapping "+m)
	}
	for g := range a.view.Groups() {
		if slices.ContainsFunc(g.Grants, func(grant directory.Grant) bool { return grant.Role == name }) {
			by = append(by, fmt.Sprintf("group %s/%s", g.Source, g.Name))
		}
	}
	const some = 5
	if len(by) > some {
		by = append(by[:some], fmt.Sprintf("%d more", len(by)-some))
	}
	return strings.Join(by, ", ")
}

// SetDefaultRole names the Role that counts for whom no path gives one, or none
// if the name is empty.
func (s *Service) SetDefaultRole(ctx context.Context, by directory.Actor, name directory.RoleName, ifRevision directory.Revision) (Outcome, error) {
	return s.editPolicy(ctx, by, policyEdit{WritePolicy, directory.SectionDefaultRole, ifRevision, func(_ *Authority, p *directory.Policy) error {
		if name != "" {
			if err := checkRole(p, name, ""); err != nil {
				return err
			}
		}
		p.DefaultRole = name
		return nil
	}})
}
