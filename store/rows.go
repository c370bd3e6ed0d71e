package store

import (
	"context"
	"database/sql"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/usherd/usherd/directory"
)

// scanner is one row.
type scanner interface{ Scan(dest ...any) error }

// collect runs a query and returns what scan makes of its rows.
func collect[T any](ctx context.Context, q querier, scan func(scanner) (T, error), query string, args ...any) ([]T, error) {
	rows, err := q.QueryContext(ctx, query, args...)
	if err != nil {
		return nil, err
	}
	return drain(rows, scan)
}

// drain returns what scan makes of rows and closes them.
func drain[T any](rows *sql.Rows, scan func(scanner) (T, error)) ([]T, error) {
	defer rows.Close()
	var all []T
	for rows.Next() {
		one, err := scan(rows)
		if err != nil {
			return nil, err
		}
		all = append(all, one)
	}
	return all, rows.Err()
}

// snapshot calls f with a transaction that sees one state of the database.
func (s *Store) snapshot(ctx context.Context, f func(querier) error) error {
	isolation := sql.LevelRepeatableRead
	if s.d.engine == sqlite {
		isolation = sql.LevelDefault // a read transaction sees one state as it is
	}
	tx, err := s.read.BeginTx(ctx, &sql.TxOptions{Isolation: isolation, ReadOnly: true})
	if err != nil {
		return fmt.Errorf("beginning to read: %w", err)
	}
	defer tx.Rollback() // nothing was written
	return f(tx)
}

// maxParams is how many values one list in a statement holds at most.
const maxParams = 500

// params returns "$n, $n+1, …" for count values, n being first.
func params(first, count int) string {
	var b strings.Builder
	for i := range count {
		if i > 0 {
			b.WriteString(", ")
		}
		b.WriteString("$" + strconv.Itoa(first+i))
	}
	return b.String()
}

// anys returns values as arguments of a statement, after those in front.
func anys[T any](values []T, front ...any) []any {
	for _, v := range values {
		front = append(front, v)
	}
	return front
}

// fingerprintOf reads a chain hash as it is kept in a column.
func fingerprintOf(chain string) (directory.Fingerprint, error) {
	var sum [32]byte
	if n, err := hex.Decode(sum[:], []byte(chain)); err != nil || n != len(sum) {
		return 0, errors.New("a kept chain hash is damaged")
	}
	return directory.FingerprintOf(sum), nil
}

// unmarshal reads a JSON column. What does not read is damage, and its content
// may be personal: the error says only where.
func unmarshal(column, text string, into any) error {
	if err := json.Unmarshal([]byte(text), into); err != nil {
		return fmt.Errorf("a kept %s is damaged", column)
	}
	return nil
}

// raw returns a JSON column as it is; empty is nil.
func raw(text string) json.RawMessage {
	if text == "" {
		return nil
	}
	return json.RawMessage(text)
}
