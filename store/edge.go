package store

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/usherd/usherd/directory"
)

// An edge is one row of membership that holds, without its revisions.
type edge struct {
	group     string
	groupNum  int64
	source    string // of the group
	kind      directory.MemberKind
	member    string // user or group id, "" while pending
	memberNum int64  // of a group
	value     string
	via       directory.Via
}

const edgeColumns = `group_id, group_num, source, kind, member_id, member_num, value, via`

// fewRows is up to how many rows are changed one by one, by their key. More are
// changed by one statement, for which a whole table may be read.
const fewRows = 10

func scanEdge(row scanner) (d edge, err error) {
	err = row.Scan(&d.group, &d.groupNum, &d.source, &d.kind, &d.member, &d.memberNum, &d.value, &d.via)
	return d, err
}

// row is the edge as a row of a JSON parameter, in the order of edgeColumns.
func (d edge) row() [8]any {
	return [8]any{d.group, d.groupNum, d.source, d.kind, d.member, d.memberNum, d.value, d.via}
}

func edgeTable(edges []edge) string {
	table := make([][8]any, len(edges))
	for i, d := range edges {
		table[i] = d.row()
	}
	return encodeTable(table)
}

// edgesWhere returns the edges that hold and fulfil a condition, in order.
func (e *edit) edgesWhere(ctx context.Context, where string, args ...any) ([]edge, error) {
	edges, err := collect(ctx, e.tx, scanEdge, `SELECT `+edgeColumns+` FROM membership WHERE `+isOpen+` AND `+where, args...)
	if err != nil {
		return nil, fmt.Errorf("reading memberships: %w", err)
	}
	return edges, nil
}

// openEdges opens edges of which none holds. What this edit closed before is as
// if it had not been.
func (e *edit) openEdges(ctx context.Context, edges []edge) error {
	var again, fresh []edge
	for _, d := range edges {
		if e.edges[d] < 0 {
			again = append(again, d)
			delete(e.edges, d)
		} else {
			fresh = append(fresh, d)
			e.edges[d]++
		}
	}
	for chunk := range slices.Chunk(again, listRows) {
		err := e.exec(ctx, `UPDATE membership SET until = $2 FROM `+e.edgeKeys("$1")+` WHERE `+sameEdge+
			` AND membership.kind = c.kind AND membership.member_id = c.member AND membership.until = $3`,
			edgeTable(chunk), int64(forever), e.rev)
		if err != nil {
			return fmt.Errorf("reopening memberships: %w", err)
		}
	}
	for chunk := range slices.Chunk(fresh, listRows) {
		err := e.exec(ctx, `INSERT INTO membership (`+edgeColumns+`, since, until)
			SELECT value ->> 0, CAST(value ->> 1 AS BIGINT), value ->> 2, value ->> 3, value ->> 4,
			CAST(value ->> 5 AS BIGINT), value ->> 6, value ->> 7, CAST($2 AS BIGINT), CAST($3 AS BIGINT)
			FROM `+e.rows("$1"), edgeTable(chunk), e.rev, int64(forever))
		if err != nil {
			return fmt.Errorf("writing memberships: %w", err)
		}
	}
	return nil
}

// closeEdges closes edges that hold. What this edit opened never was.
func (e *edit) closeEdges(ctx context.Context, edges []edge) error {
	var mine, old []edge
	for _, d := range edges {
		if e.edges[d] > 0 {
			mine = append(mine, d)
			delete(e.edges, d)
		} else {
			old = append(old, d)
			e.edges[d]--
		}
	}
	for _, d := range mine {
		err := e.exec(ctx, `DELETE FROM membership WHERE group_id = $1 AND value = $2 AND via = $3 AND since = $4`,
			d.group, d.value, string(d.via), e.rev)
		if err != nil {
			return fmt.Errorf("taking memberships back: %w", err)
		}
	}
	if len(old) <= fewRows {
		for _, d := range old {
			err := e.exec(ctx, `UPDATE membership SET until = $1 WHERE group_id = $2 AND value = $3 AND via = $4 AND `+isOpen,
				e.rev, d.group, d.value, string(d.via))
			if err != nil {
				return fmt.Errorf("ending memberships: %w", err)
			}
		}
		return nil
	}
	for chunk := range slices.Chunk(old, listRows) {
		err := e.exec(ctx, `UPDATE membership SET until = $2 FROM `+e.edgeKeys("$1")+` WHERE `+sameEdge+
			` AND membership.`+isOpen, edgeTable(chunk), e.rev)
		if err != nil {
			return fmt.Errorf("ending memberships: %w", err)
		}
	}
	return nil
}

// edgeKeys is the text of a table c of the edges in a JSON parameter.
func (e *edit) edgeKeys(param string) string {
	return `(SELECT value ->> 0 AS group_id, value ->> 3 AS kind, value ->> 4 AS member, value ->> 6 AS value,
		value ->> 7 AS via FROM ` + e.rows(param) + `) AS c`
}

const sameEdge = `membership.group_id = c.group_id AND membership.value = c.value AND membership.via = c.via`

// A memberDelta is what an edit did to the members of one group.
type memberDelta struct {
	group, source  string
	added, removed []string // ids of users and groups
	counts         counts
	lines          [][5]any // what an audit digest covers: every edge
}

// finishMembers notes, for each group, what all changes of members come to, and
// names who is touched by it.
func (e *edit) finishMembers(ctx context.Context) error {
	deltas := map[string]*memberDelta{}
	for _, d := range slices.SortedFunc(maps.Keys(e.edges), compareEdges) {
		delta := deltas[d.group]
		if delta == nil {
			delta = &memberDelta{group: d.group, source: d.source}
			deltas[d.group] = delta
		}
		delta.add(d, e.edges[d])
		switch d.kind {
		case directory.UserMember:
			e.touchUser(d.member)
		case directory.GroupMember:
			e.touchGroup(d.memberNum)
		case directory.PendingMember: // gives nothing to anybody
		}
	}
	if err := e.countMembers(ctx, deltas); err != nil {
		return err
	}
	for _, group := range slices.Sorted(maps.Keys(deltas)) {
		d := deltas[group]
		f := effect{
			Type: "group.members", Target: group, Source: d.source, Counts: &d.counts,
			Added: d.added[:min(len(d.added), listedIDs)], Removed: d.removed[:min(len(d.removed), listedIDs)],
		}
		if err := e.note(f, d.lines); err != nil {
			return err
		}
	}
	return nil
}

func compareEdges(a, b edge) int {
	return cmp.Or(strings.Compare(a.group, b.group), strings.Compare(a.value, b.value), cmp.Compare(a.via, b.via),
		cmp.Compare(a.kind, b.kind), strings.Compare(a.member, b.member))
}

func (m *memberDelta) add(d edge, n int) {
	m.lines = append(m.lines, [5]any{d.value, d.via, d.kind, d.member, n})
	switch {
	case d.kind == directory.PendingMember && n > 0:
		m.counts.PendingAdded++
	case d.kind == directory.PendingMember:
		m.counts.PendingRemoved++
	case n > 0:
		m.counts.Added++
		m.added = append(m.added, d.member)
	default:
		m.counts.Removed++
		m.removed = append(m.removed, d.member)
	}
}

// countMembers moves the counters of groups.
func (e *edit) countMembers(ctx context.Context, deltas map[string]*memberDelta) error {
	var table [][3]any
	for _, group := range slices.Sorted(maps.Keys(deltas)) {
		e.groups[group] = struct{}{}
		c := deltas[group].counts
		table = append(table, [3]any{group, c.Added - c.Removed, c.PendingAdded - c.PendingRemoved})
	}
	if len(table) <= fewRows {
		for _, row := range table {
			err := e.exec(ctx, `UPDATE groups SET member_count = member_count + $2, pending_count = pending_count + $3 WHERE id = $1`,
				row[0], row[1], row[2])
			if err != nil {
				return fmt.Errorf("counting members: %w", err)
			}
		}
		return nil
	}
	for chunk := range slices.Chunk(table, listRows) {
		err := e.exec(ctx, `UPDATE groups SET member_count = member_count + c.members, pending_count = pending_count + c.pending
			FROM (SELECT value ->> 0 AS id, CAST(value ->> 1 AS BIGINT) AS members, CAST(value ->> 2 AS BIGINT) AS pending
			FROM `+e.rows("$1")+`) AS c WHERE groups.id = c.id`, encodeTable(chunk))
		if err != nil {
			return fmt.Errorf("counting members: %w", err)
		}
	}
	return nil
}

// finishGroups moves the version of each touched group, once; those that the
// edit created keep their first one.
func (e *edit) finishGroups(ctx context.Context) error {
	maps.DeleteFunc(e.groups, func(id string, _ struct{}) bool { return e.created[id] })
	for chunk := range slices.Chunk(slices.Sorted(maps.Keys(e.groups)), listRows) {
		err := e.exec(ctx, `UPDATE groups SET version = version + 1, modified = $2
			WHERE deleted = 0 AND `+e.in("id", "$1"), list(chunk), e.now)
		if err != nil {
			return fmt.Errorf("moving versions of groups: %w", err)
		}
	}
	return nil
}
