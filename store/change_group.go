package store

import (
	"context"
	"fmt"
	"slices"

	"github.com/usherd/usherd/directory"
)

// A groupRow is a living group as it is kept, without what is counted.
type groupRow struct {
	id, source, name, nameKey, externalID, dn, dnKey string
	project, status, description, attributes         string
	num, version                                     int64
}

const groupColumns = `id, num, source, name, name_key, external_id, dn, dn_key, project, status, description, attributes, version`

func scanGroupRow(row scanner) (g groupRow, err error) {
	err = row.Scan(&g.id, &g.num, &g.source, &g.name, &g.nameKey, &g.externalID, &g.dn, &g.dnKey, &g.project, &g.status,
		&g.description, &g.attributes, &g.version)
	return g, err
}

// groupsWhere returns the living groups that fulfil a condition, by number.
func (e *edit) groupsWhere(ctx context.Context, where string, args ...any) ([]groupRow, error) {
	groups, err := collect(ctx, e.tx, scanGroupRow, `SELECT `+groupColumns+` FROM groups
		WHERE deleted = 0 AND `+where+` ORDER BY num`, args...)
	if err != nil {
		return nil, fmt.Errorf("reading groups: %w", err)
	}
	return groups, nil
}

// group returns a living group.
func (e *edit) group(ctx context.Context, id directory.GroupID) (groupRow, error) {
	found, err := e.groupsWhere(ctx, `id = $1`, string(id))
	if err == nil && len(found) == 0 {
		err = fmt.Errorf("group %s: %w", id, directory.ErrNotFound)
	}
	if err != nil {
		return groupRow{}, err
	}
	return found[0], nil
}

// ownGroup returns a living group that source may alter.
func (e *edit) ownGroup(ctx context.Context, id directory.GroupID, source directory.SourceName) (groupRow, error) {
	g, err := e.group(ctx, id)
	if err != nil {
		return g, err
	}
	return g, owned("group "+g.id, g.source, source)
}

// setNames takes over the names that are given.
func (g *groupRow) setNames(name, externalID, dn *string) error {
	if name != nil {
		key, err := directory.KeyOf(*name)
		if err != nil {
			return fmt.Errorf("displayName: %w", err)
		}
		g.name, g.nameKey = *name, string(key)
	}
	if externalID != nil {
		if err := checkText("externalId", *externalID, maxID); err != nil {
			return err
		}
		g.externalID = *externalID
	}
	if dn != nil {
		if err := checkText("dn", *dn, maxDN); err != nil {
			return err
		}
		g.dn, g.dnKey = *dn, dnKeyOf(*dn)
	}
	return nil
}

type createGroup struct{ groupRow }

func prepareCreateGroup(c directory.CreateGroup) (op, error) {
	g := groupRow{
		id: string(c.ID), source: string(c.Source), project: string(c.Project), version: 1,
		status: string(directory.GroupActive), description: c.Description,
	}
	if err := newID(g.id); err != nil {
		return nil, err
	}
	if err := g.setNames(&c.Name, &c.ExternalID, &c.DN); err != nil {
		return nil, err
	}
	if err := checkText("description", c.Description, maxString); err != nil {
		return nil, err
	}
	var err error
	g.attributes, err = compact("attributes", c.Attributes)
	return createGroup{g}, err
}

func (o createGroup) run(ctx context.Context, e *edit) error {
	g := o.groupRow
	if err := e.knownProject(ctx, g.project); err != nil {
		return err
	}
	if err := e.uniqueGroup(ctx, g); err != nil {
		return err
	}
	var used int64
	if _, err := e.find(ctx, []any{&used}, `SELECT count(*) FROM groups WHERE id = $1`, g.id); err != nil {
		return fmt.Errorf("asking whether id %s is used: %w", g.id, err)
	}
	if used > 0 {
		return fmt.Errorf("id %s was used before: %w", g.id, directory.ErrInvalid)
	}
	e.groupNum++
	g.num = e.groupNum
	err := e.exec(ctx, `INSERT INTO groups (`+groupColumns+`, member_count, pending_count, created, modified, deleted)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, 0, 0, $14, $14, 0)`,
		g.id, g.num, g.source, g.name, g.nameKey, g.externalID, g.dn, g.dnKey, g.project, g.status,
		g.description, g.attributes, g.version, e.now)
	if err != nil {
		return fmt.Errorf("writing group %s: %w", g.id, err)
	}
	e.created[g.id] = true
	if err := e.groupFact(ctx, g); err != nil {
		return err
	}
	if err := e.note(effect{Type: "group.created", Target: g.id, Source: g.source, Project: g.project}, g.values()); err != nil {
		return err
	}
	if err := e.resolvePending(ctx, g.source, g.id, g.externalID, directory.GroupMember, g.id, g.num); err != nil {
		return err
	}
	return e.bindGroup(ctx, g)
}

// uniqueGroup refuses a name or an external id that another living group has.
// Names may repeat in a directory, where the DN tells groups apart.
func (e *edit) uniqueGroup(ctx context.Context, g groupRow) error {
	source, err := e.source(ctx, directory.SourceName(g.source))
	if err != nil {
		return err
	}
	if g.externalID != "" {
		if err := e.freeGroup(ctx, "externalId", `source = $1 AND external_id = $2 AND id <> $3`, g.source, g.externalID, g.id); err != nil {
			return err
		}
	}
	switch source.Kind {
	case directory.KindSCIM:
		return e.freeGroup(ctx, "displayName", `source = $1 AND name_key = $2 AND id <> $3`, g.source, g.nameKey, g.id)
	case directory.KindLocal:
		return e.freeGroup(ctx, "displayName", `source = $1 AND name_key = $2 AND id <> $3 AND project = $4`,
			g.source, g.nameKey, g.id, g.project)
	case directory.KindLDAP:
	}
	return nil
}

func (e *edit) freeGroup(ctx context.Context, attribute, where string, args ...any) error {
	taken := &directory.TakenError{Attribute: attribute, Active: true}
	found, err := e.find(ctx, []any{&taken.Holder, &taken.Source}, `SELECT id, source FROM groups
		WHERE deleted = 0 AND `+where+` LIMIT 1`, args...)
	if err != nil {
		return fmt.Errorf("asking whether %s is taken: %w", attribute, err)
	}
	if found {
		return taken
	}
	return nil
}

// groupFact writes the history of a group and names it in the feed.
func (e *edit) groupFact(ctx context.Context, g groupRow) error {
	e.touchGroup(g.num)
	err := e.exec(ctx, `UPDATE group_fact SET until = $2 WHERE group_id = $1 AND since < $2 AND `+isOpen, g.id, e.rev)
	if err == nil {
		err = e.exec(ctx, `INSERT INTO group_fact
			(group_id, num, source, name, name_key, external_id, dn, project, status, since, until)
			VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)
			ON CONFLICT (group_id, since) DO UPDATE SET source = excluded.source, name = excluded.name,
			name_key = excluded.name_key, external_id = excluded.external_id, dn = excluded.dn,
			project = excluded.project, status = excluded.status`,
			g.id, g.num, g.source, g.name, g.nameKey, g.externalID, g.dn, g.project, g.status, e.rev, int64(forever))
	}
	if err != nil {
		return fmt.Errorf("writing the history of group %s: %w", g.id, err)
	}
	return nil
}

// values is all that an audit digest covers of a group.
func (g groupRow) values() []any {
	return []any{g.id, g.num, g.source, g.name, g.externalID, g.dn, g.project, g.status, g.description, g.attributes}
}

type updateGroup struct {
	id                   directory.GroupID
	source               directory.SourceName
	version              int64
	name, externalID, dn *string
	attributes           string
	hasAttributes        bool
}

func prepareUpdateGroup(c directory.UpdateGroup) (op, error) {
	attributes, err := compact("attributes", c.Attributes)
	if err != nil {
		return nil, err
	}
	o := updateGroup{c.ID, c.Source, c.IfVersion, own(c.Name), own(c.ExternalID), own(c.DN), attributes, c.Attributes != nil}
	return o, (&groupRow{}).setNames(o.name, o.externalID, o.dn)
}

// own returns a copy of what the caller may alter.
func own(s *string) *string {
	if s == nil {
		return nil
	}
	return new(*s)
}

func (o updateGroup) run(ctx context.Context, e *edit) error {
	old, err := e.ownGroup(ctx, o.id, o.source)
	if err != nil {
		return err
	}
	if o.version != 0 && o.version != old.version {
		return fmt.Errorf("group %s has version %d and not %d: %w", old.id, old.version, o.version, directory.ErrVersion)
	}
	g := old
	if err := g.setNames(o.name, o.externalID, o.dn); err != nil {
		return err
	}
	if o.hasAttributes {
		g.attributes = o.attributes
	}
	changed := g.differences(old)
	if len(changed) == 0 {
		return nil
	}
	if err := e.uniqueGroup(ctx, g); err != nil {
		return err
	}
	if err := e.updateGroupRow(ctx, old, g, effect{Type: "group.updated", Attributes: changed}); err != nil {
		return err
	}
	if g.externalID != old.externalID {
		if err := e.resolvePending(ctx, g.source, g.id, g.externalID, directory.GroupMember, g.id, g.num); err != nil {
			return err
		}
	}
	return e.bindGroup(ctx, g)
}

// differences names the attributes in which two states of a group differ.
func (g groupRow) differences(old groupRow) []string {
	var names []string
	if g.name != old.name {
		names = append(names, "displayName")
	}
	if g.externalID != old.externalID {
		names = append(names, "externalId")
	}
	if g.dn != old.dn {
		names = append(names, "dn")
	}
	for _, name := range differentMembers(g.attributes, old.attributes) {
		if !slices.Contains(names, name) {
			names = append(names, name)
		}
	}
	return names
}

// updateGroupRow writes a group that changed, its history and an effect.
func (e *edit) updateGroupRow(ctx context.Context, old, g groupRow, f effect) error {
	err := e.exec(ctx, `UPDATE groups SET name = $2, name_key = $3, external_id = $4, dn = $5, dn_key = $6, project = $7,
		status = $8, description = $9, attributes = $10 WHERE id = $1`,
		g.id, g.name, g.nameKey, g.externalID, g.dn, g.dnKey, g.project, g.status, g.description, g.attributes)
	if err != nil {
		return fmt.Errorf("writing group %s: %w", g.id, err)
	}
	e.groups[g.id] = struct{}{}
	decides := old
	decides.description, decides.attributes = g.description, g.attributes
	if g != decides {
		if err := e.groupFact(ctx, g); err != nil {
			return err
		}
	}
	f.Target, f.Source = g.id, g.source
	return e.note(f, g.values())
}
