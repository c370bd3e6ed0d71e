package store

import (
	"cmp"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strings"
	"time"

	"go.uber.org/zap"

	"github.com/usherd/usherd/directory"
)

const (
	defaultHistoryKeep = 400 * 24 * time.Hour
	defaultFeedKeep    = 48 * time.Hour
	leastFeedKeep      = 24 * time.Hour
	defaultLogKeep     = 30 * 24 * time.Hour
)

// Open opens the store that c describes, makes it if it is new, and brings its
// schema up to date. A schema newer than this program is refused. No error
// holds the password.
func Open(ctx context.Context, c Config) (*Store, error) {
	if err := c.complete(); err != nil {
		return nil, fmt.Errorf("store: bad config: %w", err)
	}
	s := &Store{
		now: c.Now, log: c.Log, historyKeep: c.HistoryKeep, feedKeep: c.FeedKeep, logKeep: c.LogKeep, auditKeep: c.AuditKeep,
		subject: make(map[directory.KeyKind]*sql.Stmt),
	}
	var err error
	if s.wrap, err = newWrap(c.KeySecret); err != nil {
		return nil, fmt.Errorf("opening the store: %w", err)
	}
	connect := s.openSQLite
	if isPostgres(c.DSN) {
		connect = s.openPostgres
	}
	if err := connect(ctx, c); err != nil {
		return nil, fmt.Errorf("opening the store: %w", err)
	}
	if err := errors.Join(s.makeRootKey(ctx), s.prepareSubject(ctx)); err != nil {
		return nil, errors.Join(fmt.Errorf("opening the store: %w", err), s.Close())
	}
	s.w = newWriter(s.write, s.d, s.now)
	return s, nil
}

// complete fills in defaults and reports every fault.
func (c *Config) complete() error {
	var errs []error
	if c.DSN == "" {
		errs = append(errs, errors.New("missing DSN"))
	}
	if strings.Contains(c.DSN, "://") && !isPostgres(c.DSN) {
		errs = append(errs, errors.New("DSN is neither sqlite:PATH nor a postgres:// URL"))
	}
	if n := len(c.KeySecret); n > 0 && n < rootKeyLen {
		errs = append(errs, fmt.Errorf("KeySecret has %d bytes: %d or more are needed", n, rootKeyLen))
	}
	if c.HistoryKeep < 0 || c.LogKeep < 0 || c.AuditKeep < 0 {
		errs = append(errs, fmt.Errorf("negative HistoryKeep %v, LogKeep %v or AuditKeep %v", c.HistoryKeep, c.LogKeep, c.AuditKeep))
	}
	c.HistoryKeep = cmp.Or(c.HistoryKeep, defaultHistoryKeep)
	c.LogKeep = cmp.Or(c.LogKeep, defaultLogKeep)
	c.FeedKeep = cmp.Or(c.FeedKeep, defaultFeedKeep)
	if c.FeedKeep < leastFeedKeep {
		errs = append(errs, fmt.Errorf("FeedKeep %v is less than %v", c.FeedKeep, leastFeedKeep))
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	if c.Log == nil {
		c.Log = zap.NewNop()
	}
	return errors.Join(errs...)
}

func isPostgres(dsn string) bool {
	return strings.HasPrefix(dsn, "postgres://") || strings.HasPrefix(dsn, "postgresql://")
}
