package store

import (
	"context"
	"crypto/cipher"
	"database/sql"
	"errors"
	"io"
	"math"
	"sync"
	"time"

	"go.uber.org/zap"

	"github.com/usherd/usherd/directory"
)

// A Config says where the directory is kept.
type Config struct {
	// DSN is "sqlite:PATH", a plain path to a SQLite file, or a postgres:// URL.
	// Behind a pooler that shares sessions between transactions the URL ends
	// with default_query_exec_mode=exec. Required.
	DSN string

	// Password of PostgreSQL; it wins over one in DSN.
	Password string

	// KeySecret wraps the root key that is kept in the database, so that a copy
	// of the database alone opens nothing. At least 32 bytes; the default keeps
	// the root key bare.
	KeySecret []byte

	// Now is the clock of what is written. The default is time.Now.
	Now func() time.Time

	// Log defaults to a no-op logger.
	Log *zap.Logger

	// HistoryKeep is how long closed rows are kept. The default is 400 days.
	HistoryKeep time.Duration

	// FeedKeep is how long feed records are kept. The default is 48 hours, the
	// least 24 hours.
	FeedKeep time.Duration

	// AuditKeep is how long audit records are kept, at least as long as
	// HistoryKeep; 0 is for ever.
	AuditKeep time.Duration

	// LogKeep is how long the provisioning log and runs are kept. The default
	// is 30 days.
	LogKeep time.Duration
}

// A Store keeps the directory in SQL. See [directory.Store].
type Store struct {
	write  *sql.DB // SQLite: one connection
	read   *sql.DB // read only
	totals totals  // of lists
	marks  marks   // where pages of lists begin
	d      dialect
	w      *writer
	now    func() time.Time
	log    *zap.Logger

	wrap cipher.AEAD // of the root key, or nil

	subject map[directory.KeyKind]*sql.Stmt // prepared; empty on PostgreSQL

	historyKeep, feedKeep, logKeep, auditKeep time.Duration

	path    string    // of the SQLite file
	lock    io.Closer // what keeps other processes out, or nil
	closing sync.Once
	closed  error // of Close
}

// forever is the until of rows that hold.
const forever = math.MaxInt64

// Close ends the store after what is being applied. Closing again does nothing.
func (s *Store) Close() error {
	s.closing.Do(func() { s.closed = s.close() })
	return s.closed
}

func (s *Store) close() error {
	if s.w != nil {
		s.w.close()
	}
	var errs []error
	for _, prepared := range s.subject {
		errs = append(errs, prepared.Close())
	}
	errs = append(errs, s.read.Close(), s.write.Close())
	if s.lock != nil {
		errs = append(errs, s.lock.Close())
	}
	return errors.Join(errs...)
}

// querier is a database, a connection or a transaction.
type querier interface {
	QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error)
	QueryRowContext(ctx context.Context, query string, args ...any) *sql.Row
}

// execer is a transaction that writes.
type execer interface {
	ExecContext(ctx context.Context, query string, args ...any) (sql.Result, error)
}

// ms returns t in milliseconds since 1970; the zero time is 0.
func ms(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return t.UnixMilli()
}

// fromMS is the inverse of ms, in UTC.
func fromMS(n int64) time.Time {
	if n == 0 {
		return time.Time{}
	}
	return time.UnixMilli(n).UTC()
}

// feedBody is the JSON in feed.body.
type feedBody struct {
	Keys   []directory.SubjectKey `json:"k,omitempty"`
	Groups []directory.GroupNum   `json:"g,omitempty"`
}
