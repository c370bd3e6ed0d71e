package store

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"github.com/usherd/usherd/directory"
)

// A summary is what is kept beside an audit record: what lists show of it, and
// what it can be found by. It holds nothing that the record does not.
type summary struct {
	types   []string
	changes int
	listed  int
	first   string
	names   []string // what the changes are about
}

// summaryOf sums effects up, of which there is at least one.
func summaryOf(effects []effect) (summary, error) {
	sum := summary{changes: len(effects)}
	for i := range effects {
		f := &effects[i]
		sum.types = append(sum.types, f.Type)
		sum.names = append(sum.names, f.Target, f.Group, f.Source, f.Value)
		sum.names = append(append(sum.names, f.Added...), f.Removed...)
	}
	sum.types, sum.names = each(sum.types), each(sum.names)
	if len(effects) == 0 {
		sum.first = "{}"
		return sum, nil
	}
	f := effects[0]
	sum.listed = len(f.Added) + len(f.Attributes) + len(f.Removed)
	for _, list := range []*[]string{&f.Added, &f.Attributes, &f.Removed} {
		*list = (*list)[:min(directory.HeadListed, len(*list))]
	}
	first, err := json.Marshal(f)
	if err != nil {
		return sum, fmt.Errorf("encoding the head of an audit record: %w", err)
	}
	sum.first = string(first)
	return sum, nil
}

// each returns the values that are not empty, each once, ascending.
func each(values []string) []string {
	slices.Sort(values)
	values = slices.Compact(values)
	if len(values) > 0 && values[0] == "" {
		values = values[1:]
	}
	return values
}

// maxIndexed is how long a name is that the index holds itself.
const maxIndexed = 100

// indexed is a name as the index holds it: long ones, and those that no engine
// takes, by their digest.
func indexed(name string) string {
	if len(name) <= maxIndexed && storable(name) {
		return name
	}
	sum := sha256.Sum256([]byte(name))
	return "sha256:" + hex.EncodeToString(sum[:])
}

// writeSummary keeps the summary of a record. A row of the record that is there
// already stays as it is.
func (d dialect) writeSummary(ctx context.Context, tx execer, rev int64, sum summary) error {
	res, err := tx.ExecContext(ctx, `INSERT INTO audit_head (revision, types, changes, listed, first) VALUES ($1, $2, $3, $4, $5)
		ON CONFLICT (revision) DO NOTHING`, rev, typesText(sum.types), sum.changes, sum.listed, sum.first)
	if err != nil {
		return fmt.Errorf("writing the head of the audit record: %w", err)
	}
	if n, err := res.RowsAffected(); err != nil || n == 0 {
		return err // another replica made up for it
	}
	for part := range slices.Chunk(sum.names, listRows) {
		rows := make([][1]string, len(part))
		for i, name := range part {
			rows[i][0] = indexed(name)
		}
		text, err := json.Marshal(rows)
		if err != nil {
			return fmt.Errorf("encoding names of the audit record: %w", err)
		}
		_, err = tx.ExecContext(ctx, `INSERT INTO audit_name (name, revision)
			SELECT value ->> 0, CAST($2 AS BIGINT) FROM `+d.rows("$1"), string(text), rev)
		if err != nil {
			return fmt.Errorf("writing names of the audit record: %w", err)
		}
	}
	return nil
}

// typesText is a list of types as it is kept: a type begins behind a space.
func typesText(types []string) string {
	var b strings.Builder
	for _, t := range types {
		b.WriteString(" " + t)
	}
	return b.String()
}
