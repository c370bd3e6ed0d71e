package store

import (
	"context"
	"errors"
	"fmt"
	"sort"
	"strconv"
	"time"

	"github.com/usherd/usherd/directory"
)

// pruneBatch is how many rows one transaction of Prune deletes: a write that
// waits behind it does not wait long.
const pruneBatch = 2000

// historical are the tables whose rows hold for a range of revisions.
var historical = []string{
	"membership", "identity_fact", "email", "user_fact", "group_fact", "grants", "overrides", "policy_item", "binding", "source_fact",
}

// Prune forgets what is older than is to be kept: rows that ended, feed
// records, log entries, kept records that have expired, and audit records if
// there is an end to keeping them. It also sums up audit records that an older
// version wrote. Call it once a day; any number of replicas may.
func (s *Store) Prune(ctx context.Context) error {
	now := s.now()
	horizon, err := s.revisionAt(ctx, now.Add(-s.historyKeep))
	if err != nil {
		return fmt.Errorf("finding what to forget: %w", err)
	}
	if err := s.pruneHistory(ctx, horizon); err != nil {
		return fmt.Errorf("forgetting history: %w", err)
	}
	feed, err := s.revisionAt(ctx, now.Add(-s.feedKeep))
	if err != nil {
		return fmt.Errorf("finding what to forget: %w", err)
	}
	var trail error
	if s.auditKeep > 0 {
		trail = s.pruneAudit(ctx, now.Add(-s.auditKeep), horizon)
	}
	return errors.Join(trail,
		s.fillHeads(ctx),
		s.deleteSome(ctx, "feed", "revision <= $1", int64(feed)),
		s.deleteSome(ctx, "request_log", "time < $1", ms(now.Add(-s.logKeep))),
		s.pruneLongLogs(ctx),
		s.deleteSome(ctx, "sync_run", "started < $1", ms(now.Add(-s.logKeep))),
		s.deleteSome(ctx, "kept", "expires > 0 AND expires <= $1", ms(now)),
	)
}

// pruneHistory says first what can no longer be read, and deletes then.
func (s *Store) pruneHistory(ctx context.Context, horizon directory.Revision) error {
	if horizon == 0 {
		return nil
	}
	_, err := s.write.ExecContext(ctx, `INSERT INTO meta (name, value) VALUES ($1, $2)
		ON CONFLICT (name) DO UPDATE SET value = excluded.value
		WHERE CAST(meta.value AS BIGINT) < CAST(excluded.value AS BIGINT)`, horizonName, strconv.FormatInt(int64(horizon), 10))
	if err != nil {
		return err
	}
	for _, table := range historical {
		if err := s.deleteSome(ctx, table, "until <= $1 AND until < 9223372036854775807", int64(horizon)); err != nil {
			return err
		}
	}
	return nil
}

// deleteSome deletes rows in batches until none is left.
func (s *Store) deleteSome(ctx context.Context, table, where string, args ...any) error {
	for {
		res, err := s.write.ExecContext(ctx, `DELETE FROM `+table+` WHERE `+s.d.row+` IN
			(SELECT `+s.d.row+` FROM `+table+` WHERE `+where+` LIMIT `+strconv.Itoa(pruneBatch)+`)`, args...)
		if err != nil {
			return fmt.Errorf("deleting from %s: %w", table, err)
		}
		if n, err := res.RowsAffected(); err != nil || n < pruneBatch {
			return err
		}
	}
}

// longLog is how many entries of the provisioning log a source has at most.
const longLog = 1_000_000

// pruneLongLogs forgets the oldest entries of sources that have too many.
func (s *Store) pruneLongLogs(ctx context.Context) error {
	sources, err := s.Sources(ctx)
	if err != nil {
		return err
	}
	for _, src := range sources {
		var last int64
		err := s.read.QueryRowContext(ctx, `SELECT COALESCE((SELECT time FROM request_log WHERE source = $1
			ORDER BY time DESC LIMIT 1 OFFSET $2), 0)`, string(src.Name), longLog).Scan(&last)
		if err != nil {
			return fmt.Errorf("counting the log of %s: %w", src.Name, err)
		}
		if last == 0 {
			continue
		}
		if err := s.deleteSome(ctx, "request_log", "time <= $1 AND source = $2", last, string(src.Name)); err != nil {
			return err
		}
	}
	return nil
}

// revisionAt returns the last revision before a time. Revisions are dense and
// their times grow, so that few records are looked at.
func (s *Store) revisionAt(ctx context.Context, at time.Time) (directory.Revision, error) {
	head, err := s.Head(ctx, directory.Stamp{})
	if err != nil {
		return 0, err
	}
	var gone int // the oldest records may be forgotten
	if err := s.read.QueryRowContext(ctx, `SELECT COALESCE(MIN(revision), 1) - 1 FROM audit`).Scan(&gone); err != nil {
		return 0, err
	}
	var failed error
	later := sort.Search(int(head.Stamp.Revision)-gone, func(i int) bool {
		var t int64
		err := s.read.QueryRowContext(ctx, `SELECT time FROM audit WHERE revision = $1`, gone+i+1).Scan(&t)
		failed = errors.Join(failed, err)
		return t >= ms(at)
	})
	return directory.Revision(gone + later), failed
}
