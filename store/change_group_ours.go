package store

import (
	"context"
	"fmt"

	"github.com/usherd/usherd/directory"
)

type setGroupStatus struct {
	group  directory.GroupID
	status string
}

func prepareSetGroupStatus(c directory.SetGroupStatus) (op, error) {
	if c.Status != directory.GroupActive && c.Status != directory.GroupBlocked {
		return nil, fmt.Errorf("group status %q: %w", c.Status, directory.ErrInvalid)
	}
	return setGroupStatus{c.Group, string(c.Status)}, nil
}

func (o setGroupStatus) run(ctx context.Context, e *edit) error {
	old, err := e.group(ctx, o.group)
	if err != nil || old.status == o.status {
		return err
	}
	g := old
	g.status = o.status
	return e.updateGroupRow(ctx, old, g, effect{Type: "group.status", Value: g.status})
}

type setGroupScope struct {
	group   directory.GroupID
	project directory.ProjectKey
}

func (o setGroupScope) run(ctx context.Context, e *edit) error {
	old, err := e.group(ctx, o.group)
	if err != nil || old.project == string(o.project) {
		return err
	}
	g := old
	g.project = string(o.project)
	if err := e.knownProject(ctx, g.project); err != nil {
		return err
	}
	if err := e.uniqueGroup(ctx, g); err != nil {
		return err
	}
	return e.updateGroupRow(ctx, old, g, effect{Type: "group.scope", Project: g.project})
}

type setGroupDescription struct {
	group directory.GroupID
	text  string
}

func prepareSetGroupDescription(c directory.SetGroupDescription) (op, error) {
	return setGroupDescription{c.Group, c.Description}, checkText("description", c.Description, maxString)
}

func (o setGroupDescription) run(ctx context.Context, e *edit) error {
	old, err := e.group(ctx, o.group)
	if err != nil || old.description == o.text {
		return err
	}
	g := old
	g.description = o.text
	return e.updateGroupRow(ctx, old, g, effect{Type: "group.description"})
}

type deleteGroup struct {
	id     directory.GroupID
	source directory.SourceName
}

func (o deleteGroup) run(ctx context.Context, e *edit) error {
	g, err := e.ownGroup(ctx, o.id, o.source)
	if err != nil {
		return err
	}
	return e.deleteGroup(ctx, g)
}

// deleteGroup ends a group. Users who were members are not touched: a number
// that no snapshot knows gives nothing, whatever cached subjects hold.
func (e *edit) deleteGroup(ctx context.Context, g groupRow) error {
	if err := e.exec(ctx, `UPDATE groups SET deleted = $2, modified = $2, version = version + 1,
		member_count = 0, pending_count = 0 WHERE id = $1`, g.id, e.now); err != nil {
		return fmt.Errorf("deleting group %s: %w", g.id, err)
	}
	e.touchGroup(g.num)
	nested, err := e.edgesWhere(ctx, `group_id = $1 AND kind = 'group'`, g.id)
	if err != nil {
		return err
	}
	for _, d := range nested {
		e.touchGroup(d.memberNum)
	}
	above, err := e.edgesWhere(ctx, `member_id = $1`, g.id)
	if err != nil {
		return err
	}
	if err := e.closeEdges(ctx, above); err != nil {
		return err
	}
	for _, table := range []struct{ name, column string }{
		{"membership", "group_id"}, {"group_fact", "group_id"}, {"grants", "holder_id"},
	} {
		if err := e.end(ctx, table.name, table.column+" = $1", g.id); err != nil {
			return err
		}
	}
	e.forgetEdges(g.id)
	if err := e.unbindGroup(ctx, g); err != nil {
		return err
	}
	return e.note(effect{Type: "group.deleted", Target: g.id, Source: g.source}, g.values())
}

// forgetEdges leaves the members of a group that ended to the effect that says
// so, except that whoever was touched is.
func (e *edit) forgetEdges(group string) {
	for d := range e.edges {
		if d.group != group {
			continue
		}
		switch d.kind {
		case directory.UserMember:
			e.touchUser(d.member)
		case directory.GroupMember:
			e.touchGroup(d.memberNum)
		case directory.PendingMember: // gives nothing to anybody
		}
		delete(e.edges, d)
	}
}
