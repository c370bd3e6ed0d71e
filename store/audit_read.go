package store

import (
	"cmp"
	"context"
	"database/sql"
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/usherd/usherd/directory"
)

// AuditHeads returns heads of audit records.
func (s *Store) AuditHeads(ctx context.Context, q directory.AuditSearch) ([]directory.AuditHead, error) {
	heads := []directory.AuditHead{}
	for len(heads) < q.Limit {
		some, err := s.someHeads(ctx, q)
		if err != nil {
			return nil, fmt.Errorf("reading heads of the audit trail: %w", err)
		}
		for _, h := range some {
			if len(heads) < q.Limit && headMatches(q, h) {
				heads = append(heads, h)
			}
		}
		if len(some) < q.Limit {
			break
		}
		last := some[len(some)-1].Revision
		if q.Oldest {
			q.After = last
		} else if q.Upto = last - 1; q.Upto == 0 {
			break // 0 would mean all
		}
	}
	return heads, nil
}

// headMatches finishes what the statement only narrows: the engines have no one
// notion of case, and look into the text of an actor as a whole.
func headMatches(q directory.AuditSearch, h directory.AuditHead) bool {
	return (q.Actor == "" || h.Actor.Called(q.Actor)) && (q.Request == "" || h.Actor.Request == q.Request) &&
		(q.Action == "" || slices.ContainsFunc(h.Types, func(t string) bool { return strings.HasPrefix(t, q.Action) }))
}

// someHeads returns the first q.Limit heads that match, and maybe others. What
// has no summary is read first: if it gets one meanwhile, it is there twice and
// not never.
func (s *Store) someHeads(ctx context.Context, q directory.AuditSearch) ([]directory.AuditHead, error) {
	var more []directory.AuditHead
	var err error
	if q.Action != "" || len(q.About) > 0 {
		if more, err = s.headless(ctx, q); err != nil {
			return nil, err
		}
	}
	l := &headQuery{AuditSearch: q, d: s.d}
	heads, err := collect(ctx, s.read, scanHead, l.statement(), l.args...)
	if err != nil {
		return nil, err
	}
	for i := range heads {
		if heads[i].First != nil {
			continue
		}
		if err := s.workOut(ctx, &heads[i]); err != nil {
			return nil, err
		}
	}
	if len(more) == 0 {
		return heads, nil
	}
	heads = slices.Concat(heads, more)
	slices.SortFunc(heads, func(a, b directory.AuditHead) int {
		if q.Oldest {
			a, b = b, a
		}
		return cmp.Compare(b.Revision, a.Revision)
	})
	heads = slices.CompactFunc(heads, func(a, b directory.AuditHead) bool { return a.Revision == b.Revision })
	return heads[:min(q.Limit, len(heads))], nil
}

// A headQuery is a search as SQL.
type headQuery struct {
	directory.AuditSearch
	d    dialect
	args []any
}

func (l *headQuery) param(v any) string {
	l.args = append(l.args, v)
	return "$" + strconv.Itoa(len(l.args))
}

// statement reads heads: the revisions first, then what is shown of them. The
// limit is written out: of a parameter PostgreSQL would expect a tenth of the
// trail, and read all of it for that.
func (l *headQuery) statement() string {
	return `SELECT a.revision, a.time, a.actor, h.types, h.changes, h.listed, h.first
		FROM (` + l.revisions() + ` ORDER BY r.revision` + l.down() + ` LIMIT ` + strconv.Itoa(l.Limit) + `) p
		JOIN audit a ON a.revision = p.revision LEFT JOIN audit_head h ON h.revision = p.revision
		ORDER BY p.revision` + l.down()
}

// revisions selects from the narrowest table that there is: the index of names,
// the heads, or the trail.
func (l *headQuery) revisions() string {
	switch {
	case len(l.About) > 0:
		return "SELECT DISTINCT r.revision FROM audit_name r WHERE r.name" + l.names() + " AND " + l.span() +
			beside("audit_head", l.typed("b")) + beside("audit", l.done("b"))
	case l.Action != "" && l.Actor == "" && l.Request == "":
		return "SELECT r.revision FROM audit_head r WHERE " + l.span() + l.typed("r")
	}
	return "SELECT r.revision FROM audit r WHERE " + l.span() + l.done("r") + beside("audit_head", l.typed("b"))
}

// beside is a condition on the row of a table that is of the revision of r.
func beside(table, condition string) string {
	if condition == "" {
		return ""
	}
	return " AND EXISTS (SELECT 1 FROM " + table + " b WHERE b.revision = r.revision" + condition + ")"
}

func (l *headQuery) down() string {
	if l.Oldest {
		return ""
	}
	return " DESC"
}

// span is the condition on the revisions of r.
func (l *headQuery) span() string {
	text := "r.revision > " + l.param(int64(l.After))
	if l.Upto > 0 {
		text += " AND r.revision <= " + l.param(int64(l.Upto))
	}
	return text
}

// names is the condition on a name. One is looked up in the order of revisions.
func (l *headQuery) names() string {
	var all []string
	for _, name := range l.About {
		all = append(all, l.param(indexed(name)))
	}
	if len(all) == 1 {
		return " = " + all[0]
	}
	return " IN (" + strings.Join(all, ", ") + ")"
}

// typed is the condition that a type begins with the action.
func (l *headQuery) typed(table string) string {
	if l.Action == "" {
		return ""
	}
	return l.contains(table+".types", " "+l.Action)
}

// done is the condition on who did something, of which the text is JSON as
// encoding/json writes it. The letters that the Kelvin sign and the long s are
// equal to in another case are the only ones that matter for a text in ASCII.
func (l *headQuery) done(table string) string {
	text := ""
	if l.Request != "" {
		text += l.contains(table+".actor", `"request":`+quoted(l.Request))
	}
	if l.Actor != "" && isASCII(l.Actor) {
		text += l.contains("lower(replace(replace("+table+".actor, '\u212a', 'k'), '\u017f', 's'))", strings.ToLower(quoted(l.Actor)))
	}
	return text
}

// contains is the condition that a column contains a text.
func (l *headQuery) contains(column, text string) string {
	if !storable(text) {
		return "" // Go looks for it
	}
	return " AND " + l.d.find + "(" + column + ", " + l.param(text) + ") > 0"
}

// quoted is a text as it is in a record.
func quoted(text string) string {
	b, _ := json.Marshal(text) // a string always encodes
	return string(b)
}

func isASCII(text string) bool {
	return !strings.ContainsFunc(text, func(r rune) bool { return r >= 0x80 })
}

// headless returns what matches of the records that have no summary yet. Each
// is read whole, one after the other.
func (s *Store) headless(ctx context.Context, q directory.AuditSearch) (heads []directory.AuditHead, err error) {
	l := &headQuery{AuditSearch: q, d: s.d}
	text := "SELECT r.revision, r.time, r.actor, r.changes FROM audit r WHERE r.headed IS NULL AND " + l.span() + l.done("r")
	if q.Action != "" && !strings.HasPrefix(directory.AuditUnreadable, q.Action) {
		text += l.contains("r.changes", strings.TrimSuffix(`"type":`+quoted(q.Action), `"`))
	}
	if len(q.About) == 1 {
		text += l.contains("r.changes", quoted(q.About[0]))
	}
	rows, err := s.read.QueryContext(ctx, text+" ORDER BY r.revision"+l.down(), l.args...)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	for len(heads) < q.Limit && rows.Next() {
		var h directory.AuditHead
		var changes string
		if err := scanTold(rows, &h, &changes); err != nil {
			return nil, err
		}
		sum := shownSummary(changes)
		sum.fill(&h)
		about := func(name string) bool { return slices.Contains(q.About, name) }
		if headMatches(q, h) && (len(q.About) == 0 || slices.ContainsFunc(sum.names, about)) {
			heads = append(heads, h)
		}
	}
	return heads, rows.Err()
}

// workOut makes the head of a record that has no summary.
func (s *Store) workOut(ctx context.Context, h *directory.AuditHead) error {
	var changes string
	if err := s.read.QueryRowContext(ctx, `SELECT changes FROM audit WHERE revision = $1`, int64(h.Revision)).Scan(&changes); err != nil {
		return err
	}
	shownSummary(changes).fill(h)
	return nil
}

// shownSummary sums up changes as they are kept. Of those that do not read it is
// that they don't: a list goes on.
func shownSummary(changes string) summary {
	sum, err := readSummary(changes)
	if err != nil {
		sum, _ = summaryOf([]effect{{Type: directory.AuditUnreadable, Value: directory.AuditUnreadableHint}}) // texts always encode
	}
	return sum
}

// readSummary sums up changes as they are kept.
func readSummary(changes string) (summary, error) {
	var effects []effect
	if err := unmarshal("audit record", changes, &effects); err != nil {
		return summary{}, err
	}
	return summaryOf(effects)
}

func (sum summary) fill(h *directory.AuditHead) {
	h.Types, h.Changes, h.Listed, h.First = sum.types, sum.changes, sum.listed, raw(sum.first)
}

func scanHead(row scanner) (h directory.AuditHead, err error) {
	var types, first sql.NullString
	var changes, listed sql.NullInt64
	if err := scanTold(row, &h, &types, &changes, &listed, &first); err != nil || !first.Valid {
		return h, err
	}
	h.Types, h.Changes, h.Listed, h.First = strings.Fields(types.String), int(changes.Int64), int(listed.Int64), raw(first.String)
	return h, nil
}

// scanTold scans when and by whom something was done, and what comes behind. An
// actor that does not read is empty.
func scanTold(row scanner, h *directory.AuditHead, dest ...any) error {
	var at int64
	var actor string
	if err := row.Scan(append([]any{&h.Revision, &at, &actor}, dest...)...); err != nil {
		return err
	}
	h.Time = fromMS(at)
	if unmarshal("actor", actor, &h.Actor) != nil {
		h.Actor = directory.Actor{}
	}
	return nil
}
