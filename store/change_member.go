package store

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/usherd/usherd/directory"
)

// stagedRows is how many member values an Apply may carry with it; more are
// put into a temporary table before the revision is taken, so that other
// writers do not wait for the transfer.
const stagedRows = 1000

type memberMode uint8

const (
	addMembers memberMode = iota + 1
	removeMembers
	replaceMembers
)

type changeMembers struct {
	mode   memberMode
	group  directory.GroupID
	source directory.SourceName
	via    directory.Via
	values [][2]string // as sent, and the id that it may be
	stage  int64       // 1 and up: the values are in member_stage under this number
}

func prepareMembers(mode memberMode, group directory.GroupID, source directory.SourceName, values []string, via directory.Via) (op, error) {
	o := &changeMembers{mode: mode, group: group, source: source, via: via}
	switch via {
	case directory.ViaMember, directory.ViaPrimaryGroup:
	case "":
		o.via = directory.ViaMember
	default:
		return nil, fmt.Errorf("members via %q: %w", via, directory.ErrInvalid)
	}
	seen := make(map[string]struct{}, len(values))
	for _, v := range values {
		if v == "" {
			return nil, fmt.Errorf("a member value is empty: %w", directory.ErrInvalid)
		}
		if err := checkText("member value", v, maxID); err != nil {
			return nil, err
		}
		if _, again := seen[v]; again {
			continue
		}
		seen[v] = struct{}{}
		id := ""
		if directory.IsID(v) {
			id = strings.ToLower(v)
		}
		o.values = append(o.values, [2]string{v, id})
	}
	return o, nil
}

func (o *changeMembers) run(ctx context.Context, e *edit) error {
	g, err := e.ownGroup(ctx, o.group, o.source)
	if err != nil {
		return err
	}
	r, err := e.resolve(ctx, g, o)
	if err != nil {
		return err
	}
	if o.mode == removeMembers {
		edges, err := e.namedEdges(ctx, g, r)
		if err != nil {
			return err
		}
		return e.closeEdges(ctx, edges)
	}
	fresh, err := e.missingEdges(ctx, g, o, r)
	if err != nil {
		return err
	}
	if o.mode == replaceMembers {
		extra, err := e.extraEdges(ctx, g, o, r)
		if err != nil {
			return err
		}
		if err := e.closeEdges(ctx, extra); err != nil {
			return err
		}
	}
	return e.openEdges(ctx, fresh)
}

// stage puts the values of member changes into temporary tables.
func (e *edit) stage(ctx context.Context, ops []op) error {
	for _, table := range []string{
		`CREATE TEMPORARY TABLE member_stage (n BIGINT, sent ` + e.d.name + `, id ` + e.d.name + `)`,
		`CREATE TEMPORARY TABLE member_known (n BIGINT, value ` + e.d.name + `, kind TEXT, member_id ` + e.d.name + `, member_num BIGINT, sent ` + e.d.name + `)`,
	} {
		if err := e.exec(ctx, table); err != nil {
			return fmt.Errorf("staging members: %w", err)
		}
	}
	for i, o := range ops {
		m, ok := o.(*changeMembers)
		if !ok {
			continue
		}
		m.stage = int64(i + 1)
		for chunk := range slices.Chunk(m.values, listRows) {
			err := e.exec(ctx, `INSERT INTO member_stage (n, sent, id)
				SELECT CAST($2 AS BIGINT), value ->> 0, value ->> 1 FROM `+e.rows("$1"), encodeTable(chunk), m.stage)
			if err != nil {
				return fmt.Errorf("staging members: %w", err)
			}
		}
	}
	return nil
}

// unstage ends the temporary tables: the connection goes on to others.
func (e *edit) unstage(ctx context.Context) error {
	for _, table := range []string{"member_stage", "member_known"} {
		if err := e.exec(ctx, `DROP TABLE `+table); err != nil {
			return fmt.Errorf("dropping staged members: %w", err)
		}
	}
	return nil
}

// A resolution is a table of whom the values of a change mean in a group, with
// columns sent, value, kind, member_id and member_num. $1 is the group, $2 via,
// and the rest belongs to the text.
type resolution struct {
	text string
	args []any
}

// resolve says what the values of o mean: ids, else external ids, else they are
// pending. Staged values are looked up once, others by each use of the text.
func (e *edit) resolve(ctx context.Context, g groupRow, o *changeMembers) (resolution, error) {
	local := g.source == string(directory.Local)
	if o.stage == 0 {
		from := `SELECT value ->> 0 AS sent, value ->> 1 AS id FROM ` + e.rows("$3")
		values := o.values
		if values == nil {
			values = [][2]string{}
		}
		return resolution{meaning(from, "$4", local), []any{g.id, string(o.via), encodeTable(values), g.source}}, nil
	}
	err := e.exec(ctx, `INSERT INTO member_known (n, sent, value, kind, member_id, member_num)
		SELECT CAST($1 AS BIGINT), sent, value, kind, member_id, member_num FROM (`+
		meaning(`SELECT sent, id FROM member_stage WHERE n = $1`, "$2", local)+`) r`, o.stage, g.source)
	if err != nil {
		return resolution{}, fmt.Errorf("resolving members of group %s: %w", g.id, err)
	}
	return resolution{`SELECT sent, value, kind, member_id, member_num FROM member_known WHERE n = $3`,
		[]any{g.id, string(o.via), o.stage}}, nil
}

// meaning looks values up: as ids, then as external ids. A local group takes
// ids of any source and knows people by the id of the user.
func meaning(from, source string, local bool) string {
	user, of := "id", func(table string) string { return " AND " + table + ".source = " + source }
	if local {
		user, of = "user_id", func(string) string { return "" }
	}
	return `SELECT l.sent AS sent, COALESCE(i.` + user + `, g.id, x.` + user + `, y.id, l.sent) AS value,
		CASE WHEN i.id IS NOT NULL THEN 'user' WHEN g.id IS NOT NULL THEN 'group'
			WHEN x.id IS NOT NULL THEN 'user' WHEN y.id IS NOT NULL THEN 'group' ELSE 'pending' END AS kind,
		COALESCE(i.user_id, g.id, x.user_id, y.id, '') AS member_id,
		CASE WHEN i.id IS NOT NULL THEN 0 WHEN g.id IS NOT NULL THEN g.num
			WHEN x.id IS NOT NULL THEN 0 ELSE COALESCE(y.num, 0) END AS member_num
		FROM (` + from + `) l
		LEFT JOIN identity i ON i.id = l.id AND i.presence <> 'deleted'` + of("i") + `
		LEFT JOIN groups g ON g.id = l.id AND g.deleted = 0` + of("g") + `
		LEFT JOIN identity x ON x.source = ` + source + ` AND x.external_id = l.sent AND x.presence <> 'deleted'
		LEFT JOIN groups y ON y.source = ` + source + ` AND y.external_id = l.sent AND y.deleted = 0`
}

// missingEdges returns the edges that the values mean and that do not hold.
func (e *edit) missingEdges(ctx context.Context, g groupRow, o *changeMembers, r resolution) ([]edge, error) {
	edges, err := collect(ctx, e.tx, func(row scanner) (d edge, err error) {
		d = edge{group: g.id, groupNum: g.num, source: g.source, via: o.via}
		err = row.Scan(&d.value, &d.kind, &d.member, &d.memberNum)
		return d, err
	}, `SELECT r.value, r.kind, r.member_id, r.member_num FROM (`+r.text+`) r LEFT JOIN membership m
		ON m.group_id = $1 AND m.value = r.value AND m.via = $2 AND m.`+isOpen+` WHERE m.value IS NULL`, r.args...)
	if err != nil {
		return nil, fmt.Errorf("resolving members of group %s: %w", g.id, err)
	}
	// Two values may mean one member: its id and its external id.
	slices.SortFunc(edges, compareEdges)
	return slices.CompactFunc(edges, func(a, b edge) bool { return a.value == b.value }), nil
}

// extraEdges returns the edges of a group that the values do not mean.
func (e *edit) extraEdges(ctx context.Context, g groupRow, o *changeMembers, r resolution) ([]edge, error) {
	if len(o.values) == 0 {
		return e.edgesWhere(ctx, `group_id = $1 AND via = $2`, g.id, string(o.via))
	}
	edges, err := collect(ctx, e.tx, scanEdge, `SELECT `+edgeColumnsOfM+` FROM membership m LEFT JOIN (`+r.text+`) r
		ON r.value = m.value WHERE m.group_id = $1 AND m.via = $2 AND m.`+isOpen+` AND r.value IS NULL`, r.args...)
	if err != nil {
		return nil, fmt.Errorf("reading members of group %s: %w", g.id, err)
	}
	return edges, nil
}

// namedEdges returns the edges of a group that the values mean, or that wait
// under what was sent.
func (e *edit) namedEdges(ctx context.Context, g groupRow, r resolution) ([]edge, error) {
	edges, err := collect(ctx, e.tx, scanEdge, `SELECT `+edgeColumnsOfM+` FROM (`+r.text+`) r JOIN membership m
		ON m.group_id = $1 AND m.value IN (r.value, r.sent) AND m.via = $2 AND m.`+isOpen, r.args...)
	if err != nil {
		return nil, fmt.Errorf("reading members of group %s: %w", g.id, err)
	}
	slices.SortFunc(edges, compareEdges)
	return slices.Compact(edges), nil
}

// resolvePending makes members of those who wait under the id or the external
// id of somebody who came.
func (e *edit) resolvePending(ctx context.Context, source, id, externalID string, kind directory.MemberKind, member string, num int64) error {
	waiting, err := e.edgesWhere(ctx, `kind = 'pending' AND value IN ($1, $2) AND source IN ($3, 'local')`, id, externalID, source)
	if err != nil {
		return err
	}
	// An external id counts in its own source only.
	waiting = slices.DeleteFunc(waiting, func(d edge) bool { return d.source != source && d.value != id })
	if err := e.closeEdges(ctx, waiting); err != nil {
		return err
	}
	for _, d := range waiting {
		d.kind, d.member, d.memberNum, d.value = kind, member, num, id
		if kind == directory.UserMember && d.source == string(directory.Local) {
			d.value = member
		}
		have, err := e.edgesWhere(ctx, `group_id = $1 AND value = $2 AND via = $3`, d.group, d.value, string(d.via))
		if err != nil {
			return err
		}
		if len(have) > 0 {
			continue
		}
		if err := e.openEdges(ctx, []edge{d}); err != nil {
			return err
		}
	}
	return nil
}
