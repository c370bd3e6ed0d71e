package store

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
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
	want, err := e.resolve(ctx, g, o)
	if err != nil {
		return err
	}
	if o.mode == removeMembers {
		values := o.values[:len(o.values):len(o.values)] // what was sent, if it waits
		for value := range want {
			values = append(values, [2]string{value})
		}
		have, err := e.held(ctx, g, o.via, values)
		if err != nil {
			return err
		}
		return e.closeEdges(ctx, edgesOf(have))
	}
	have, err := o.present(ctx, e, g, want)
	if err != nil {
		return err
	}
	var extra, fresh []edge
	for value, d := range have {
		if _, stays := want[value]; !stays && o.mode == replaceMembers {
			extra = append(extra, d)
		}
	}
	for value, d := range want {
		if _, there := have[value]; !there {
			fresh = append(fresh, d)
		}
	}
	// In the order of the indexes, in which neighbours lie on the same page.
	slices.SortFunc(extra, compareEdges)
	slices.SortFunc(fresh, compareEdges)
	if err := e.closeEdges(ctx, extra); err != nil {
		return err
	}
	if err := e.openEdges(ctx, fresh); err != nil || o.mode != addMembers || g.source != string(directory.Local) {
		return err
	}
	return e.addedByHand(ctx, g, have)
}

// present returns the edges of a group that matter: all if the list is to be
// replaced, else those that are wanted.
func (o *changeMembers) present(ctx context.Context, e *edit, g groupRow, want map[string]edge) (map[string]edge, error) {
	if o.mode == addMembers {
		values := make([][2]string, 0, len(want))
		for value := range want {
			values = append(values, [2]string{value})
		}
		return e.held(ctx, g, o.via, values)
	}
	all, err := e.edgesWhere(ctx, `group_id = $1 AND via = $2`, g.id, string(o.via))
	have := make(map[string]edge, len(all))
	for _, d := range all {
		have[d.value] = d
	}
	return have, err
}

func edgesOf(all map[string]edge) []edge { return slices.SortedFunc(maps.Values(all), compareEdges) }

// stage puts the values of member changes into a temporary table.
func (e *edit) stage(ctx context.Context, ops []op) error {
	err := e.exec(ctx, `CREATE TEMPORARY TABLE member_stage (n BIGINT, sent `+e.d.name+`, id `+e.d.name+`)`)
	if err != nil {
		return fmt.Errorf("staging members: %w", err)
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

// unstage ends the temporary table: the connection goes on to others.
func (e *edit) unstage(ctx context.Context) error {
	if err := e.exec(ctx, `DROP TABLE member_stage`); err != nil {
		return fmt.Errorf("dropping staged members: %w", err)
	}
	return nil
}

// resolve returns the edges that the values of o mean in a group, by value:
// ids, else external ids, else what was sent is pending. A local group takes ids
// of any source and knows people by the id of the user.
//
// Each value is looked up by subqueries of its own. As a join the same question
// can be answered by reading all members for each value, and PostgreSQL does so
// when it has no statistics yet.
func (e *edit) resolve(ctx context.Context, g groupRow, o *changeMembers) (map[string]edge, error) {
	if len(o.values) == 0 {
		return nil, nil
	}
	from, values := `SELECT value ->> 0 AS sent, value ->> 1 AS id FROM `+e.rows("$1"), any(o.stage)
	if o.stage != 0 {
		from = `SELECT sent, id FROM member_stage WHERE n = $1`
	} else {
		values = encodeTable(o.values)
	}
	user, here := "id", "source = $2 AND "
	if g.source == string(directory.Local) {
		user, here = "user_id", ""
	}
	identity := `(SELECT ` + user + ` || ' user ' || user_id || ' 0' FROM identity WHERE presence <> 'deleted' AND `
	group := `(SELECT id || ' group ' || id || ' ' || CAST(num AS TEXT) FROM groups WHERE deleted = 0 AND `
	found, err := collect(ctx, e.tx, scanMeaning, `SELECT l.sent, COALESCE(`+
		identity+here+`id = l.id), `+group+here+`id = l.id), `+
		identity+`source = $2 AND external_id = l.sent LIMIT 1), `+
		group+`source = $2 AND external_id = l.sent LIMIT 1), '') FROM (`+from+`) l`, values, g.source)
	if err != nil {
		return nil, fmt.Errorf("resolving members of group %s: %w", g.id, err)
	}
	want := make(map[string]edge, len(found))
	for _, m := range found {
		d := edge{group: g.id, groupNum: g.num, source: g.source, via: o.via, kind: directory.PendingMember, value: m.value}
		if value, rest, found := strings.Cut(m.text, " "); found {
			d.value = value
			if err := d.parse(rest); err != nil {
				return nil, err
			}
		}
		want[d.value] = d
	}
	return want, nil
}

// A meaning is a value and a text of several columns that belong to it.
type meaning struct{ value, text string }

func scanMeaning(row scanner) (m meaning, err error) {
	err = row.Scan(&m.value, &m.text)
	return m, err
}

// parse reads "kind member number".
func (d *edge) parse(text string) error {
	kind, rest, _ := strings.Cut(text, " ")
	member, number, _ := strings.Cut(rest, " ")
	n, err := strconv.ParseInt(number, 10, 64)
	if err != nil {
		return errors.New("a membership reads otherwise than it was written")
	}
	d.kind, d.member, d.memberNum = directory.MemberKind(kind), member, n
	return nil
}

// held returns those edges of a group that hold for values, by value.
func (e *edit) held(ctx context.Context, g groupRow, via directory.Via, values [][2]string) (map[string]edge, error) {
	have := map[string]edge{}
	for chunk := range slices.Chunk(values, listRows) {
		found, err := collect(ctx, e.tx, scanMeaning, `SELECT l.v, COALESCE((SELECT m.kind || ' ' || m.member_id || ' ' || CAST(m.member_num AS TEXT)
			FROM membership m WHERE m.group_id = $2 AND m.value = l.v AND m.via = $3 AND m.`+isOpen+`), '')
			FROM (SELECT value ->> 0 AS v FROM `+e.rows("$1")+`) l`, encodeTable(chunk), g.id, string(via))
		if err != nil {
			return nil, fmt.Errorf("reading members of group %s: %w", g.id, err)
		}
		for _, m := range found {
			if m.text == "" {
				continue
			}
			d := edge{group: g.id, groupNum: g.num, source: g.source, via: via, value: m.value}
			if err := d.parse(m.text); err != nil {
				return nil, err
			}
			have[d.value] = d
		}
	}
	return have, nil
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
