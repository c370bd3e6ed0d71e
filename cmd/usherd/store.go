package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"syscall"
	"time"

	"github.com/usherd/usherd/admin"
	"github.com/usherd/usherd/authz"
	"github.com/usherd/usherd/cache"
	"github.com/usherd/usherd/config"
	"github.com/usherd/usherd/directory"
	"github.com/usherd/usherd/store"
	"go.uber.org/zap"
)

const databaseName = "usherd.db"

// errLocked says that another process has the embedded database.
var errLocked = errors.New("a daemon or another command uses this data folder")

// storeConfig translates what the configuration says of the store.
func storeConfig(cfg *config.Config, log *zap.Logger) (store.Config, error) {
	c := store.Config{DSN: cfg.Store.URL, Log: log.Named("store"), HistoryKeep: time.Duration(cfg.History.Keep), AuditKeep: time.Duration(cfg.Audit.Retention)}
	if cfg.Store.SQLite() {
		c.DSN = "sqlite:" + filepath.Join(cfg.Data, databaseName)
	} else if !cfg.Store.Password.IsZero() {
		c.Password = cfg.Store.Password.Reveal()
	}
	if cfg.KeyFile != "" {
		secret, err := os.ReadFile(cfg.KeyFile)
		if err != nil {
			return c, fmt.Errorf("key_file: %w", err)
		}
		c.KeySecret = bytes.TrimRight(secret, "\r\n")
	}
	return c, nil
}

// openStore opens the database that the configuration names.
func openStore(ctx context.Context, cfg *config.Config, log *zap.Logger) (*store.Store, error) {
	c, err := storeConfig(cfg, log)
	if err != nil {
		return nil, err
	}
	if err := os.MkdirAll(cfg.Data, 0o700); err != nil {
		return nil, fmt.Errorf("making the data folder: %w", err)
	}
	st, err := store.Open(ctx, c)
	if err != nil && cfg.Store.SQLite() && isLocked(filepath.Join(cfg.Data, databaseName+".lock")) {
		err = fmt.Errorf("%w: %s; stop it first, name another folder with --data, or use PostgreSQL to run several daemons", errLocked, cfg.Data)
	}
	return st, err
}

// isLocked reports whether another process holds the lock beside the database.
func isLocked(path string) bool {
	f, err := os.Open(path)
	if err != nil {
		return false
	}
	defer f.Close()
	return errors.Is(syscall.Flock(int(f.Fd()), syscall.LOCK_SH|syscall.LOCK_NB), syscall.EWOULDBLOCK)
}

// A visibleStore is a store whose Apply returns only when this replica's checks
// are answered from a view that contains the change.
type visibleStore struct {
	directory.Store
	cache  *cache.Cache[*authz.Snapshot]
	settle func(ctx context.Context) // writes what the provisioning log has queued
	ran    func(directory.Run)       // is told of runs
	wait   time.Duration
}

// Requests implements [directory.Journal].
func (s *visibleStore) Requests(ctx context.Context, source directory.SourceName, limit int) ([]directory.Request, error) {
	s.settle(ctx)
	return s.Store.Requests(ctx, source, limit)
}

// FindRequests implements [directory.Journal].
func (s *visibleStore) FindRequests(ctx context.Context, q directory.RequestQuery) ([]directory.Request, error) {
	s.settle(ctx)
	return s.Store.FindRequests(ctx, q)
}

// EraseRequests implements [directory.Journal].
func (s *visibleStore) EraseRequests(ctx context.Context, ids []directory.UserID, texts []string) (int, error) {
	s.settle(ctx)
	return s.Store.EraseRequests(ctx, ids, texts)
}

// PutRun implements [directory.Journal].
func (s *visibleStore) PutRun(ctx context.Context, run directory.Run) error {
	if err := s.Store.PutRun(ctx, run); err != nil {
		return err
	}
	s.ran(run)
	return nil
}

// Apply implements [directory.Writer]. If the change is committed but does not
// become visible in time, the error says so: nobody is told that something
// holds while checks here may still say otherwise.
func (s *visibleStore) Apply(ctx context.Context, by directory.Actor, changes ...directory.Change) (directory.Applied, error) {
	done, err := s.Store.Apply(ctx, by, changes...)
	if err != nil {
		return done, err
	}
	s.cache.Announce(done.Stamp)
	ctx, cancel := context.WithTimeout(ctx, s.wait)
	defer cancel()
	if _, err := s.cache.Wait(ctx, done.Stamp); err != nil {
		return done, fmt.Errorf("committed as revision %s and not yet visible here: %w: %w", done.Stamp, admin.ErrUnavailable, err)
	}
	return done, nil
}
