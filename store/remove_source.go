package store

import (
	"context"
	"fmt"

	"github.com/usherd/usherd/directory"
)

type removeSource struct {
	name directory.SourceName
	keep bool
}

func (o removeSource) run(ctx context.Context, e *edit) error {
	s, err := e.source(ctx, o.name)
	if err != nil {
		return err
	}
	if s.State != directory.SourceDisabled {
		return fmt.Errorf("source %s is %s and must be disabled first: %w", o.name, s.State, directory.ErrInvalid)
	}
	people, err := e.identitiesOf(ctx, o.name)
	if err != nil {
		return err
	}
	groups, err := e.groupsWhere(ctx, `source = $1`, string(o.name))
	if err != nil {
		return err
	}
	if o.keep {
		err = e.makeLocal(ctx, o.name, people, groups)
	} else {
		err = e.removeAll(ctx, people, groups)
	}
	if err != nil {
		return err
	}
	if err := e.dropSource(ctx, o.name); err != nil {
		return err
	}
	value := "deleted"
	if o.keep {
		value = "kept"
	}
	f := effect{Type: "source.removed", Target: string(o.name), Value: value}
	return e.sourceFact(ctx, f, o.name, string(s.Kind), string(directory.SourceRemoved), s.Rank, "")
}

// dropSource ends what belongs to a source itself: its tokens, its cursor, and
// the plan that waits for somebody to approve it.
func (e *edit) dropSource(ctx context.Context, name directory.SourceName) error {
	err := e.exec(ctx, `UPDATE source SET state = 'removed', modified = $2 WHERE name = $1`, string(name), e.now)
	if err == nil {
		err = e.exec(ctx, `UPDATE token SET revoked = $2 WHERE source = $1 AND revoked = 0`, string(name), e.now)
	}
	if err == nil {
		err = e.exec(ctx, `DELETE FROM source_cursor WHERE source = $1`, string(name))
	}
	if err == nil {
		err = e.exec(ctx, `DELETE FROM hold WHERE source = $1`, string(name))
	}
	if err == nil {
		err = e.exec(ctx, `DELETE FROM link WHERE source = $1`, string(name))
	}
	if err == nil {
		err = e.exec(ctx, `DELETE FROM detached WHERE source = $1`, string(name))
	}
	if err != nil {
		return fmt.Errorf("removing source %s: %w", name, err)
	}
	// Deleted identities say that a person is inactive until the source goes.
	freed, err := e.identitiesWhere(ctx, `id IN (SELECT identity_id FROM identity_fact WHERE source = $1 AND presence = 'deleted' AND `+isOpen+`)`, string(name))
	if err != nil {
		return err
	}
	for _, r := range freed {
		e.touchUser(r.user)
		e.touchKey(directory.KeyID, "", r.id) // the rest of its names ended with it
	}
	return e.end(ctx, "identity_fact", "source = $1 AND presence = 'deleted'", string(name))
}

func (e *edit) removeAll(ctx context.Context, people []identityRow, groups []groupRow) error {
	for _, g := range groups {
		if err := e.deleteGroup(ctx, g); err != nil {
			return err
		}
	}
	return e.deleteIdentities(ctx, people)
}

// makeLocal gives people and groups of a source to the local one. Nobody gains
// a membership, or loses one but by an override, but it can be removed here from
// now on.
func (e *edit) makeLocal(ctx context.Context, from directory.SourceName, people []identityRow, groups []groupRow) error {
	for _, r := range people {
		e.touchUser(r.user)
		e.touchNames(r)
		r.source = string(directory.Local)
		e.touchNames(r)
		if r.externalID == "" {
			continue
		}
		if err := e.free(ctx, directory.Local, "externalId", `source = 'local' AND external_id = $1`, r.externalID); err != nil {
			return err
		}
	}
	if err := e.moveIdentities(ctx, from); err != nil {
		return err
	}
	if err := e.endOverridden(ctx, from); err != nil {
		return err
	}
	if err := e.moveMemberships(ctx, from); err != nil {
		return err
	}
	for _, g := range groups {
		g.source = string(directory.Local)
		if err := e.moveGroup(ctx, g); err != nil {
			return err
		}
	}
	return nil
}

// endOverridden takes away the memberships that overrides hide because a
// directory owns them. An override takes away those that are local, as these
// would have been; if they became so and stayed, nothing would hide them.
func (e *edit) endOverridden(ctx context.Context, from directory.SourceName) error {
	edges, err := e.edgesWhere(ctx, `kind = 'user' AND source = $1 AND EXISTS (SELECT 1 FROM overrides o, groups g
		WHERE o.user_id = membership.member_id AND o.`+isOpen+` AND g.id = membership.group_id AND g.project = o.project)`, string(from))
	if err != nil {
		return err
	}
	return e.closeEdges(ctx, edges)
}

// moveIdentities moves all identities of a source at once.
func (e *edit) moveIdentities(ctx context.Context, from directory.SourceName) error {
	old, rev := string(from), e.rev
	for _, s := range []struct {
		text string
		args []any
	}{
		{`INSERT INTO identity_fact (identity_id, user_id, source, user_name_key, external_id, active, presence, since, until)
			SELECT id, user_id, 'local', user_name_key, external_id, active, presence, CAST($2 AS BIGINT), CAST($3 AS BIGINT)
			FROM identity WHERE source = $1 AND presence <> 'deleted'
			ON CONFLICT (identity_id, since) DO UPDATE SET source = excluded.source`, []any{old, rev, int64(forever)}},
		{`UPDATE identity_fact SET until = $2 WHERE source = $1 AND presence <> 'deleted' AND ` + isOpen, []any{old, rev}},
		{`UPDATE email SET source = 'local' WHERE source = $1 AND since = $2`, []any{old, rev}},
		{`INSERT INTO email (identity_id, user_id, source, value_key, since, until)
			SELECT identity_id, user_id, 'local', value_key, CAST($2 AS BIGINT), CAST($3 AS BIGINT)
			FROM email WHERE source = $1 AND ` + isOpen, []any{old, rev, int64(forever)}},
		{`UPDATE email SET until = $2 WHERE source = $1 AND ` + isOpen, []any{old, rev}},
		{`UPDATE identity SET source = 'local', version = version + 1, modified = $2
			WHERE source = $1 AND presence <> 'deleted'`, []any{old, e.now}},
	} {
		if err := e.exec(ctx, s.text, s.args...); err != nil {
			return fmt.Errorf("making the people of source %s local: %w", from, err)
		}
	}
	return nil
}

// moveMemberships makes all memberships of a source local. A local group knows
// people by the id of the user.
func (e *edit) moveMemberships(ctx context.Context, from directory.SourceName) error {
	old, rev := string(from), e.rev
	for _, s := range []struct {
		text string
		args []any
	}{
		{`UPDATE membership SET source = 'local' WHERE source = $1 AND since = $2 AND ` + isOpen, []any{old, rev}},
		{`INSERT INTO membership (` + edgeColumns + `, since, until)
			SELECT group_id, group_num, 'local', kind, member_id, member_num,
			CASE WHEN kind = 'user' THEN member_id ELSE value END, via, CAST($2 AS BIGINT), CAST($3 AS BIGINT)
			FROM membership WHERE source = $1 AND ` + isOpen, []any{old, rev, int64(forever)}},
		{`UPDATE membership SET until = $2 WHERE source = $1 AND ` + isOpen, []any{old, rev}},
	} {
		if err := e.exec(ctx, s.text, s.args...); err != nil {
			return fmt.Errorf("making the memberships of source %s local: %w", from, err)
		}
	}
	return nil
}

func (e *edit) moveGroup(ctx context.Context, g groupRow) error {
	if err := e.uniqueGroup(ctx, g); err != nil {
		return err
	}
	if err := e.exec(ctx, `UPDATE groups SET source = $2 WHERE id = $1`, g.id, g.source); err != nil {
		return fmt.Errorf("making group %s local: %w", g.id, err)
	}
	e.groups[g.id] = struct{}{}
	if err := e.groupFact(ctx, g); err != nil {
		return err
	}
	if err := e.loosenGroup(ctx, g); err != nil {
		return err
	}
	return e.bindGroup(ctx, g)
}
