package store

import (
	"context"
	"fmt"
	"slices"

	"github.com/usherd/usherd/directory"
)

type setOverride struct {
	user    directory.UserID
	project string
	group   directory.GroupID
	reason  string
	grants  []grantRow // without ids
}

func prepareSetOverride(c directory.SetOverride) (op, error) {
	o := setOverride{user: c.User, project: string(c.Project), group: c.Group, reason: c.Reason}
	if len(c.Grants) > 0 && c.Group != "" {
		return nil, fmt.Errorf("an override brings either grants or a group: %w", directory.ErrInvalid)
	}
	for _, set := range c.Grants {
		if set.Project != "" && set.Project != c.Project {
			return nil, fmt.Errorf("an override in project %q brings grants in %q: %w", c.Project, set.Project, directory.ErrInvalid)
		}
		for _, role := range set.Roles {
			if err := o.add(role, directory.Privilege{}); err != nil {
				return nil, err
			}
		}
		for _, p := range set.Privileges {
			if err := o.add("", p); err != nil {
				return nil, err
			}
		}
	}
	return o, checkText("reason", c.Reason, maxString)
}

// add adds a grant to those that the override brings; of two levels of one
// thing the higher stays.
func (o *setOverride) add(role directory.RoleName, p directory.Privilege) error {
	t, err := prepareThing(role, p)
	if err != nil {
		return err
	}
	g := grantRow{
		holder: "user", holderID: string(o.user), project: o.project, thing: t, level: int64(p.Level),
		origin: string(directory.ByOverride),
	}
	i := slices.IndexFunc(o.grants, func(h grantRow) bool { return h.thing == t })
	if i < 0 {
		o.grants = append(o.grants, g)
		return nil
	}
	o.grants[i].level = max(o.grants[i].level, g.level)
	return nil
}

func (o setOverride) run(ctx context.Context, e *edit) error {
	if err := e.livingUser(ctx, o.user); err != nil {
		return err
	}
	if err := e.knownProject(ctx, o.project); err != nil {
		return err
	}
	into, err := o.into(ctx, e)
	if err != nil {
		return err
	}
	if err := o.replaceMemberships(ctx, e, into); err != nil {
		return err
	}
	if err := o.replaceGrants(ctx, e); err != nil {
		return err
	}
	return o.write(ctx, e)
}

// into returns the edge into the group of the override, if it has one.
func (o setOverride) into(ctx context.Context, e *edit) ([]edge, error) {
	if o.group == "" {
		return nil, nil
	}
	g, err := e.ownGroup(ctx, o.group, directory.Local)
	if err != nil {
		return nil, err
	}
	if g.project != o.project {
		return nil, fmt.Errorf("group %s belongs to project %q, the override to %q: %w", g.id, g.project, o.project, directory.ErrInvalid)
	}
	return []edge{{
		group: g.id, groupNum: g.num, source: g.source, kind: directory.UserMember, member: string(o.user),
		value: string(o.user), via: directory.ViaMember,
	}}, nil
}

// replaceMemberships takes the local memberships in the scope away, and gives
// the one that the override brings.
func (o setOverride) replaceMemberships(ctx context.Context, e *edit, into []edge) error {
	have, err := e.edgesWhere(ctx, `member_id = $1 AND kind = 'user' AND source = 'local' AND group_id IN
		(SELECT id FROM groups WHERE project = $2)`, string(o.user), o.project)
	if err != nil {
		return err
	}
	extra := slices.DeleteFunc(slices.Clone(have), func(d edge) bool { return slices.Contains(into, d) })
	if err := e.closeEdges(ctx, extra); err != nil {
		return err
	}
	fresh := slices.DeleteFunc(into, func(d edge) bool { return slices.Contains(have, d) })
	return e.openEdges(ctx, fresh)
}

// replaceGrants takes own grants in the scope away, and gives those that the
// override brings.
func (o setOverride) replaceGrants(ctx context.Context, e *edit) error {
	have, err := e.grantsWhere(ctx, `holder_id = $1 AND holder = 'user' AND project = $2`, string(o.user), o.project)
	if err != nil {
		return err
	}
	for _, g := range have {
		if slices.ContainsFunc(o.grants, func(h grantRow) bool { return h.thing == g.thing }) {
			continue
		}
		if err := e.endGrantRow(ctx, g); err != nil {
			return err
		}
	}
	for _, g := range o.grants {
		if err := e.knownThing(ctx, g.thing, g.project); err != nil {
			return err
		}
		g.by = e.by.Name
		if err := e.putGrant(ctx, g); err != nil {
			return err
		}
	}
	return nil
}

func (o setOverride) write(ctx context.Context, e *edit) error {
	var group, reason string
	found, err := e.find(ctx, []any{&group, &reason}, `SELECT group_id, reason FROM overrides
		WHERE user_id = $1 AND project = $2 AND `+isOpen, string(o.user), o.project)
	if err != nil {
		return fmt.Errorf("reading the override of %s: %w", o.user, err)
	}
	if found && group == string(o.group) && reason == o.reason {
		return nil
	}
	if err := e.end(ctx, "overrides", "user_id = $1 AND project = $2", string(o.user), o.project); err != nil {
		return err
	}
	err = e.exec(ctx, `INSERT INTO overrides (user_id, project, group_id, by_actor, reason, created, since, until)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8)`,
		string(o.user), o.project, string(o.group), e.by.Name, o.reason, e.now, e.rev, int64(forever))
	if err != nil {
		return fmt.Errorf("writing the override of %s: %w", o.user, err)
	}
	e.touchUser(string(o.user))
	f := effect{Type: "override.set", Target: string(o.user), Project: o.project, Group: string(o.group)}
	return e.note(f, []any{o.user, o.project, o.group, o.reason})
}

// addedByHand makes members of a local group, whom somebody adds though an
// override put them there, ordinary ones: the membership no longer ends with the
// override. Grants become by hand in the same way.
func (e *edit) addedByHand(ctx context.Context, g groupRow, have map[string]edge) error {
	if len(have) == 0 {
		return nil
	}
	brought, err := collect(ctx, e.tx, scanBringing, `SELECT user_id, project, by_actor, reason, created FROM overrides
		WHERE group_id = $1 AND `+isOpen+` ORDER BY user_id`, g.id)
	if err != nil {
		return fmt.Errorf("reading overrides that bring members to group %s: %w", g.id, err)
	}
	for _, o := range brought {
		if d, added := have[o.user]; !added || d.kind != directory.UserMember {
			continue
		}
		if err := e.end(ctx, "overrides", "user_id = $1 AND project = $2", o.user, o.project); err != nil {
			return err
		}
		err := e.exec(ctx, `INSERT INTO overrides (user_id, project, group_id, by_actor, reason, created, since, until)
			VALUES ($1, $2, '', $3, $4, $5, $6, $7)`, o.user, o.project, o.by, o.reason, o.created, e.rev, int64(forever))
		if err != nil {
			return fmt.Errorf("writing the override of %s: %w", o.user, err)
		}
		e.touchUser(o.user)
		if err := e.note(effect{Type: "override.set", Target: o.user, Project: o.project}, []any{o.user, o.project, "", o.reason}); err != nil {
			return err
		}
	}
	return nil
}

// A bringing is an override that brings a membership.
type bringing struct {
	user, project, by, reason string
	created                   int64
}

func scanBringing(row scanner) (b bringing, err error) {
	err = row.Scan(&b.user, &b.project, &b.by, &b.reason, &b.created)
	return b, err
}

type endOverride struct {
	user    directory.UserID
	project directory.ProjectKey
}

func (o endOverride) run(ctx context.Context, e *edit) error {
	var group string
	found, err := e.find(ctx, []any{&group}, `SELECT group_id FROM overrides
		WHERE user_id = $1 AND project = $2 AND `+isOpen, string(o.user), string(o.project))
	if err != nil {
		return fmt.Errorf("reading the override of %s: %w", o.user, err)
	}
	if !found {
		return fmt.Errorf("an override of %s in project %q: %w", o.user, o.project, directory.ErrNotFound)
	}
	if err := e.end(ctx, "overrides", "user_id = $1 AND project = $2", string(o.user), string(o.project)); err != nil {
		return err
	}
	brought, err := e.grantsWhere(ctx, `holder_id = $1 AND holder = 'user' AND project = $2 AND origin = $3`,
		string(o.user), string(o.project), string(directory.ByOverride))
	if err != nil {
		return err
	}
	for _, g := range brought {
		if err := e.endGrantRow(ctx, g); err != nil {
			return err
		}
	}
	if group != "" {
		edges, err := e.edgesWhere(ctx, `group_id = $1 AND member_id = $2 AND kind = 'user'`, group, string(o.user))
		if err != nil {
			return err
		}
		if err := e.closeEdges(ctx, edges); err != nil {
			return err
		}
	}
	e.touchUser(string(o.user))
	return e.note(effect{Type: "override.ended", Target: string(o.user), Project: string(o.project), Group: group},
		[]any{o.user, o.project, group})
}
