package store

import (
	"context"
	"fmt"
	"slices"

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

// unused refuses to remove items of the policy that are in use when all changes
// of the edit are done.
func (e *edit) unused(ctx context.Context) error {
	if len(e.removed) == 0 {
		return nil
	}
	grants, err := e.grantsWhere(ctx, `1 = 1`)
	if err != nil {
		return err
	}
	for _, key := range e.removed {
		if found, err := e.known(ctx, key.section, key.key); err != nil || found {
			if err != nil {
				return err
			}
			continue // a later change brought it back
		}
		if err := inGrant(key, grants); err != nil {
			return err
		}
		if key.section == directory.SectionProjects {
			if err := e.unusedProject(ctx, key.key); err != nil {
				return err
			}
		}
	}
	return nil
}

func inGrant(key ruleKey, grants []grantRow) error {
	i := slices.IndexFunc(grants, func(g grantRow) bool {
		section, name := g.uses()
		return key == ruleKey{section, name} || key == ruleKey{directory.SectionProjects, g.project}
	})
	if i < 0 {
		return nil
	}
	g := grants[i]
	return fmt.Errorf("%s: %s %s has a grant of %s: %w", key, g.holder, g.holderID, g.thing, directory.ErrInUse)
}

func (e *edit) unusedProject(ctx context.Context, project string) error {
	groups, err := e.groupsWhere(ctx, `project = $1`, project)
	if err != nil {
		return err
	}
	if len(groups) > 0 {
		return fmt.Errorf("project %s: group %s belongs to it: %w", project, groups[0].id, directory.ErrInUse)
	}
	var user string
	found, err := e.find(ctx, []any{&user}, `SELECT user_id FROM overrides WHERE project = $1 AND `+isOpen+` LIMIT 1`, project)
	if err != nil {
		return fmt.Errorf("reading overrides in project %s: %w", project, err)
	}
	if found {
		return fmt.Errorf("project %s: user %s has an override in it: %w", project, user, directory.ErrInUse)
	}
	return nil
}
