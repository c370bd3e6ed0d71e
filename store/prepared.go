package store

import (
	"context"
	"database/sql"
)

// keptStatements bounds how many statements are kept prepared.
const keptStatements = 300

// prepared keeps the statements of a SQLite writer, for which parsing costs as
// much as running. The driver of PostgreSQL does so by itself. It is the writer
// goroutine's alone.
type prepared struct {
	db      *sql.DB
	kept    map[string]*sql.Stmt
	missing []string // asked for, to be prepared when the connection is free
	// used are the statements of the transaction; nil is one that was asked for
	// once. The transaction's end closes them.
	used map[string]*sql.Stmt
}

func newPrepared(db *sql.DB, d dialect) *prepared {
	if d.engine != sqlite {
		return nil
	}
	return &prepared{db: db, kept: map[string]*sql.Stmt{}, used: map[string]*sql.Stmt{}}
}

// prepare prepares what was missing. What does not prepare, such as a statement
// on a temporary table, goes on to be parsed each time.
func (p *prepared) prepare(ctx context.Context) {
	if p == nil {
		return
	}
	clear(p.used)
	for _, query := range p.missing {
		if _, again := p.kept[query]; again || len(p.kept) == keptStatements {
			continue
		}
		stmt, err := p.db.PrepareContext(ctx, query) //nolint:sqlclosecheck // close closes it
		if err != nil {
			continue
		}
		p.kept[query] = stmt
	}
	p.missing = p.missing[:0]
}

func (p *prepared) close() {
	if p == nil {
		return
	}
	for _, stmt := range p.kept {
		_ = stmt.Close() // nothing is lost with it
	}
}

// A session is a transaction with its prepared statements.
type session struct {
	tx   *sql.Tx
	kept *prepared // nil: none
}

// statement returns the prepared form of a query, if there is one: what comes
// again in a transaction, as in a change of many, is prepared there and then.
func (s session) statement(ctx context.Context, query string) *sql.Stmt {
	if s.kept == nil {
		return nil
	}
	stmt, again := s.kept.used[query]
	if stmt != nil {
		return stmt
	}
	if kept, found := s.kept.kept[query]; found {
		stmt = s.tx.StmtContext(ctx, kept)
	} else if !again {
		s.kept.missing = append(s.kept.missing, query)
	} else if own, err := s.tx.PrepareContext(ctx, query); err == nil {
		stmt = own
	}
	s.kept.used[query] = stmt
	return stmt
}

// ExecContext runs a statement.
func (s session) ExecContext(ctx context.Context, query string, args ...any) (sql.Result, error) {
	if stmt := s.statement(ctx, query); stmt != nil { //nolint:sqlclosecheck // the transaction's end closes it
		return stmt.ExecContext(ctx, args...)
	}
	return s.tx.ExecContext(ctx, query, args...)
}

// QueryContext runs a query.
func (s session) QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error) {
	if stmt := s.statement(ctx, query); stmt != nil { //nolint:sqlclosecheck // the transaction's end closes it
		return stmt.QueryContext(ctx, args...)
	}
	return s.tx.QueryContext(ctx, query, args...)
}

// QueryRowContext runs a query for one row.
func (s session) QueryRowContext(ctx context.Context, query string, args ...any) *sql.Row {
	if stmt := s.statement(ctx, query); stmt != nil { //nolint:sqlclosecheck // the transaction's end closes it
		return stmt.QueryRowContext(ctx, args...)
	}
	return s.tx.QueryRowContext(ctx, query, args...)
}
