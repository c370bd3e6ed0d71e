package store

import (
	"context"
	"database/sql"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/usherd/usherd/directory"
)

// LogRequests adds entries to the provisioning log.
func (s *Store) LogRequests(ctx context.Context, entries ...directory.Request) error {
	const columns = 4
	for part := range slices.Chunk(entries, maxParams/columns) {
		var values []string
		var args []any
		for _, e := range part {
			body, err := keep("request", e)
			if err != nil {
				return err
			}
			values = append(values, "("+params(len(args)+1, columns)+")")
			args = append(args, e.ID, string(e.Source), ms(e.Time), body)
		}
		_, err := s.write.ExecContext(ctx, `INSERT INTO request_log (id, source, time, body) VALUES `+strings.Join(values, ", ")+
			` ON CONFLICT DO NOTHING`, args...)
		if err != nil {
			return fmt.Errorf("logging requests: %w", err)
		}
	}
	return nil
}

// Requests returns the newest entries of the provisioning log, newest first.
// The empty source means all.
func (s *Store) Requests(ctx context.Context, source directory.SourceName, limit int) ([]directory.Request, error) {
	return bodies[directory.Request](ctx, s.read, "request", `SELECT body FROM request_log`, source, ` ORDER BY time DESC, id DESC`, limit)
}

// PutRun keeps a run, in place of one with the same ID.
func (s *Store) PutRun(ctx context.Context, run directory.Run) error {
	body, err := keep("run", run)
	if err != nil {
		return err
	}
	_, err = s.write.ExecContext(ctx, `INSERT INTO sync_run (id, source, started, body) VALUES ($1, $2, $3, $4)
		ON CONFLICT (id) DO UPDATE SET source = excluded.source, started = excluded.started, body = excluded.body`,
		run.ID, string(run.Source), ms(run.Started), body)
	if err != nil {
		return fmt.Errorf("keeping run %s: %w", run.ID, s.full(err))
	}
	return nil
}

// Runs returns the newest runs, newest first. The empty source means all.
func (s *Store) Runs(ctx context.Context, source directory.SourceName, limit int) ([]directory.Run, error) {
	return bodies[directory.Run](ctx, s.read, "run", `SELECT body FROM sync_run`, source, ` ORDER BY started DESC, id DESC`, limit)
}

// PutHold keeps the hold of a source, in place of the one it has.
func (s *Store) PutHold(ctx context.Context, hold directory.Hold) error {
	body, err := keep("hold", hold)
	if err != nil {
		return err
	}
	_, err = s.write.ExecContext(ctx, `INSERT INTO hold (source, hash, body) VALUES ($1, $2, $3)
		ON CONFLICT (source) DO UPDATE SET hash = excluded.hash, body = excluded.body`, string(hold.Source), hold.Hash, body)
	if err != nil {
		return fmt.Errorf("keeping the hold of %s: %w", hold.Source, err)
	}
	return nil
}

// Holds returns all holds by source.
func (s *Store) Holds(ctx context.Context) ([]directory.Hold, error) {
	all, err := collect(ctx, s.read, scanBody[directory.Hold]("hold"), `SELECT body FROM hold ORDER BY source`)
	if err != nil {
		return nil, fmt.Errorf("reading holds: %w", err)
	}
	return all, nil
}

// EndHold ends the hold of a source. ErrNotFound if it has none with that hash.
func (s *Store) EndHold(ctx context.Context, source directory.SourceName, hash string) error {
	res, err := s.write.ExecContext(ctx, `DELETE FROM hold WHERE source = $1 AND hash = $2`, string(source), hash)
	if err != nil {
		return fmt.Errorf("ending the hold of %s: %w", source, err)
	}
	if n, err := res.RowsAffected(); err != nil || n == 0 {
		return errors.Join(err, fmt.Errorf("hold %s of %s: %w", hash, source, directory.ErrNotFound))
	}
	return nil
}

// AcquireLease takes or renews a lease for ttl by the database's clock. Whoever
// lets a lease run out gets a new epoch too: another may have had it meanwhile.
func (s *Store) AcquireLease(ctx context.Context, name, holder string, ttl time.Duration) (lease directory.Lease, ok bool, err error) {
	if name == "" || holder == "" || ttl < time.Millisecond {
		return lease, false, fmt.Errorf("lease %q for %q and %v: %w", name, holder, ttl, directory.ErrInvalid)
	}
	lease = directory.Lease{Name: name, Holder: holder}
	var expires int64
	now := s.d.clock
	err = s.write.QueryRowContext(ctx, `INSERT INTO lease (name, holder, epoch, expires) VALUES ($1, $2, 1, `+now+` + $3)
		ON CONFLICT (name) DO UPDATE SET holder = excluded.holder, expires = excluded.expires,
			epoch = lease.epoch + CASE WHEN lease.holder = excluded.holder AND lease.expires > `+now+` THEN 0 ELSE 1 END
			WHERE lease.holder = excluded.holder OR lease.expires <= `+now+`
		RETURNING epoch, expires`, name, holder, ttl.Milliseconds()).Scan(&lease.Epoch, &expires)
	if errors.Is(err, sql.ErrNoRows) {
		lease, err = s.lease(ctx, name)
		return lease, false, err
	}
	if err != nil {
		return lease, false, fmt.Errorf("acquiring lease %s: %w", name, err)
	}
	lease.Expires = fromMS(expires)
	return lease, true, nil
}

// RenewLease makes a lease end ttl from now by the database's clock, if it is
// still the one that was acquired. One that ran out may be renewed: had another
// taken it, its epoch were a higher one.
func (s *Store) RenewLease(ctx context.Context, lease directory.Lease, ttl time.Duration) (bool, error) {
	res, err := s.write.ExecContext(ctx, `UPDATE lease SET expires = `+s.d.clock+` + $1 WHERE name = $2 AND holder = $3 AND epoch = $4`,
		ttl.Milliseconds(), lease.Name, lease.Holder, lease.Epoch)
	if err != nil {
		return false, fmt.Errorf("renewing lease %s: %w", lease.Name, err)
	}
	n, err := res.RowsAffected()
	return n == 1, err
}

// lease returns a lease that another holds.
func (s *Store) lease(ctx context.Context, name string) (directory.Lease, error) {
	l := directory.Lease{Name: name}
	var expires int64
	err := s.read.QueryRowContext(ctx, `SELECT holder, epoch, expires FROM lease WHERE name = $1`, name).Scan(&l.Holder, &l.Epoch, &expires)
	if err != nil {
		return l, fmt.Errorf("reading lease %s: %w", name, err)
	}
	l.Expires = fromMS(expires)
	return l, nil
}

// ReleaseLease ends a lease at once if the holder has it. The row stays, so
// that epochs never come back.
func (s *Store) ReleaseLease(ctx context.Context, name, holder string) error {
	_, err := s.write.ExecContext(ctx, `UPDATE lease SET holder = '', expires = 0 WHERE name = $1 AND holder = $2`, name, holder)
	if err != nil {
		return fmt.Errorf("releasing lease %s: %w", name, err)
	}
	return nil
}

// Audit returns the records after a revision in order, at most limit. An actor
// or a hash that does not read is empty: no chain has a record like that.
func (s *Store) Audit(ctx context.Context, after directory.Revision, limit int) ([]directory.AuditRecord, error) {
	all, err := collect(ctx, s.read, scanAudit, `SELECT revision, time, actor, changes, hash FROM audit
		WHERE revision > $1 ORDER BY revision LIMIT $2`, int64(after), max(limit, 0))
	if err != nil {
		return nil, fmt.Errorf("reading the audit trail: %w", err)
	}
	return all, nil
}

func scanAudit(row scanner) (r directory.AuditRecord, err error) {
	var at int64
	var actor, changes, hash string
	if err = row.Scan(&r.Revision, &at, &actor, &changes, &hash); err != nil {
		return r, err
	}
	r.Time, r.Changes = fromMS(at), raw(changes)
	if r.Hash, err = hex.DecodeString(hash); err != nil {
		r.Hash = nil
	}
	if unmarshal("actor", actor, &r.Actor) != nil {
		r.Actor = directory.Actor{}
	}
	return r, nil
}

// bodies returns the decoded bodies of the rows of one source, or of all.
func bodies[T any](ctx context.Context, q querier, what, query string, source directory.SourceName, order string, limit int) ([]T, error) {
	args := []any{max(limit, 0)}
	if source != "" {
		query, args = query+" WHERE source = $2", append(args, string(source))
	}
	all, err := collect(ctx, q, scanBody[T](what), query+order+" LIMIT $1", args...)
	if err != nil {
		return nil, fmt.Errorf("reading %ss: %w", what, err)
	}
	return all, nil
}

func scanBody[T any](what string) func(scanner) (T, error) {
	return func(row scanner) (v T, err error) {
		var body string
		if err = row.Scan(&body); err != nil {
			return v, err
		}
		err = unmarshal(what, body, &v)
		return v, err
	}
}

// keep returns v as it is kept.
func keep(what string, v any) (string, error) {
	body, err := json.Marshal(v)
	if err != nil {
		return "", fmt.Errorf("%s: %w: %w", what, err, directory.ErrInvalid)
	}
	return string(body), nil
}
