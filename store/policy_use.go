package store

import (
	"context"
	"fmt"

	"github.com/usherd/usherd/directory"
)

// known reports whether the policy has an item.
func (e *edit) known(ctx context.Context, section directory.Section, key string) (bool, error) {
	var one int64
	found, err := e.find(ctx, []any{&one}, `SELECT 1 FROM policy_item WHERE section = $1 AND key = $2 AND `+isOpen,
		string(section), key)
	if err != nil {
		return false, fmt.Errorf("reading the policy: %w", err)
	}
	return found, nil
}

func (e *edit) mustKnow(ctx context.Context, section directory.Section, key string) error {
	found, err := e.known(ctx, section, key)
	if err == nil && !found {
		err = fmt.Errorf("the policy has no %s %q: %w", section, key, directory.ErrInvalid)
	}
	return err
}

// knownProject refuses a project that the policy lacks; none is the whole
// organization.
func (e *edit) knownProject(ctx context.Context, project string) error {
	if project == "" {
		return nil
	}
	return e.mustKnow(ctx, directory.SectionProjects, project)
}

// knownThing refuses to grant what the policy lacks: a key that is made later
// must find no grants that wait for it.
func (e *edit) knownThing(ctx context.Context, t thing, project string) error {
	if err := e.knownProject(ctx, project); err != nil {
		return err
	}
	if t.role != "" {
		return e.knownRole(ctx, t.role, project)
	}
	switch section, key := t.uses(); {
	case section == directory.SectionIntegrations && key == "*":
		return nil
	default:
		return e.mustKnow(ctx, section, key)
	}
}

// knownRole refuses a Role that there is none of, and one with an organization
// right in a project.
func (e *edit) knownRole(ctx context.Context, name, project string) error {
	all, err := e.policy(ctx)
	if err != nil {
		return err
	}
	role, found := all.policy.Role(directory.RoleName(name))
	switch {
	case !found:
		return fmt.Errorf("the policy has no Role %q: %w", name, directory.ErrInvalid)
	case project != "" && role.HasOrganizationRight():
		return fmt.Errorf("a Role with an organization right, %s, is granted organization-wide only: %w", name, directory.ErrInvalid)
	}
	return nil
}

// uses returns the item of the policy without which a thing is nothing.
func (t thing) uses() (directory.Section, string) {
	switch directory.PrivilegeKind(t.kind) {
	case directory.Access:
		return directory.SectionFeatures, t.key
	case directory.OutputPrivilege:
		return directory.SectionOutputs, t.key
	case directory.IntegrationLevel:
		return directory.SectionIntegrations, t.key
	case directory.RolePrivilege:
		typ, id, _, _ := directory.SplitRoleKey(t.key)
		if typ == "feature" {
			return directory.SectionFeatures, id
		}
		return directory.SectionResources, typ
	}
	return directory.SectionRoles, t.role
}

// saidUses is how many uses of an item a refusal names.
const saidUses = 5

// unused refuses to remove items of the policy that are in use when all changes
// of the edit are done. The error is a [*directory.UseError].
func (e *edit) unused(ctx context.Context) error {
	if len(e.removed) == 0 {
		return nil
	}
	grants, err := e.grantsWhere(ctx, `1 = 1`)
	if err != nil {
		return err
	}
	refused := &directory.UseError{}
	for _, key := range e.removed {
		if found, err := e.known(ctx, key.section, key.key); err != nil || found {
			if err != nil {
				return err
			}
			continue // a later change brought it back
		}
		uses := inGrants(key, grants)
		if key.section == directory.SectionProjects {
			more, err := e.inProject(ctx, key.key)
			if err != nil {
				return err
			}
			uses = append(uses, more...)
		}
		if len(uses) == 0 {
			continue
		}
		said, err := e.named(ctx, uses[:min(len(uses), saidUses)])
		if err != nil {
			return err
		}
		refused.Items = append(refused.Items, directory.UsedItem{Section: key.section, Key: key.key, Uses: said, More: len(uses) - len(said)})
	}
	if len(refused.Items) == 0 {
		return nil
	}
	return refused
}

// A use of an item of the policy: who, and how.
type use struct{ holder, id, how string }

// inGrants lists the grants that use an item.
func inGrants(key ruleKey, grants []grantRow) []use {
	var uses []use
	for _, g := range grants {
		section, name := g.uses()
		if key == (ruleKey{section, name}) || key == (ruleKey{directory.SectionProjects, g.project}) {
			uses = append(uses, use{g.holder, g.holderID, "has a grant of " + g.String()})
		}
	}
	return uses
}

// inProject lists the groups and overrides of a project.
func (e *edit) inProject(ctx context.Context, project string) (uses []use, err error) {
	groups, err := e.groupsWhere(ctx, `project = $1`, project)
	if err != nil {
		return nil, err
	}
	for _, g := range groups {
		uses = append(uses, use{"group", g.id, "belongs to it"})
	}
	users, err := collect(ctx, e.tx, scanText, `SELECT user_id FROM overrides WHERE project = $1 AND `+isOpen+` ORDER BY user_id`, project)
	if err != nil {
		return nil, fmt.Errorf("reading overrides in project %s: %w", project, err)
	}
	for _, u := range users {
		uses = append(uses, use{"user", u, "has an override in it"})
	}
	return uses, nil
}

// named says uses with the names of the groups.
func (e *edit) named(ctx context.Context, uses []use) ([]string, error) {
	said := make([]string, len(uses))
	for i, u := range uses {
		if u.holder == "group" {
			g, err := e.group(ctx, directory.GroupID(u.id))
			if err != nil {
				return nil, err
			}
			u.id = g.source + "/" + g.name
		}
		said[i] = u.holder + " " + u.id + " " + u.how
	}
	return said, nil
}
