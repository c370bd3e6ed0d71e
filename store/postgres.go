package store

import (
	"cmp"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"runtime"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/stdlib"
)

// The settings of a session, unless the URL has its own.
var (
	readSettings = map[string]string{
		"application_name":                    "usherd",
		"statement_timeout":                   "30s",
		"idle_in_transaction_session_timeout": "60s",
		// What is read has one good plan, by indexes; planning takes longer than it.
		"plan_cache_mode": "force_generic_plan",
	}
	writeSettings = map[string]string{
		"application_name":                    "usherd",
		"statement_timeout":                   "60s",
		"lock_timeout":                        "20s",
		"idle_in_transaction_session_timeout": "60s",
	}
	schemaSettings = map[string]string{
		"application_name":                    "usherd migrate",
		"statement_timeout":                   "0",
		"lock_timeout":                        "0",
		"idle_in_transaction_session_timeout": "0",
	}
)

// openPostgres checks the server, migrates it and makes the two pools.
func (s *Store) openPostgres(ctx context.Context, c Config) error {
	schema, err := postgresPool(c, schemaSettings, 3)
	if err != nil {
		return err
	}
	defer schema.Close()
	if err := checkPostgres(ctx, schema); err != nil {
		return fmt.Errorf("connecting to PostgreSQL: %w", err)
	}
	if err := migrateAlone(ctx, schema); err != nil {
		return err
	}
	write, err := postgresPool(c, writeSettings, 4)
	if err != nil {
		return err
	}
	read, err := postgresPool(c, readSettings, max(8, 4*runtime.GOMAXPROCS(0)))
	if err != nil {
		return errors.Join(err, write.Close())
	}
	s.d, s.write, s.read = postgresDialect, write, read
	return nil
}

func postgresPool(c Config, settings map[string]string, size int) (*sql.DB, error) {
	cfg, err := pgx.ParseConfig(c.DSN)
	if err != nil {
		// The cause may quote a part of the URL that holds the password.
		return nil, errors.New("the address is not a valid postgres:// URL: characters such as / @ # % " +
			"in a user or password must be percent-encoded")
	}
	cfg.Password = cmp.Or(c.Password, cfg.Password)
	cfg.ConnectTimeout = cmp.Or(cfg.ConnectTimeout, 5*time.Second)
	if cfg.ValidateConnect == nil {
		// A standby lags, and what it lacks may be a revocation.
		cfg.ValidateConnect = pgconn.ValidateConnectTargetSessionAttrsReadWrite
	}
	for name, value := range settings {
		if _, given := cfg.RuntimeParams[name]; !given && !pooled(cfg) {
			cfg.RuntimeParams[name] = value
		}
	}
	db := stdlib.OpenDB(*cfg, stdlib.OptionAfterConnect(durable))
	db.SetMaxOpenConns(size)
	db.SetMaxIdleConns(size)
	db.SetConnMaxIdleTime(5 * time.Minute)
	db.SetConnMaxLifetime(time.Hour)
	return db, nil
}

// pooled reports whether the URL says, by default_query_exec_mode, that a
// pooler stands before the database which gives every transaction another
// session. It refuses settings of a session and forgets prepared statements.
func pooled(cfg *pgx.ConnConfig) bool {
	return cfg.DefaultQueryExecMode == pgx.QueryExecModeExec || cfg.DefaultQueryExecMode == pgx.QueryExecModeSimpleProtocol
}

// durable makes a commit mean stable storage on a server that is set not to.
func durable(ctx context.Context, conn *pgx.Conn) error {
	_, err := conn.Exec(ctx, `SELECT set_config('synchronous_commit', 'on', false)
		WHERE current_setting('synchronous_commit') = 'off'`)
	return err
}

// leastPostgres is the oldest version that is tried.
const leastPostgres = 130000

func checkPostgres(ctx context.Context, db *sql.DB) error {
	var version int
	var encoding string
	err := db.QueryRowContext(ctx, `SELECT CAST(current_setting('server_version_num') AS INT), current_setting('server_encoding')`).
		Scan(&version, &encoding)
	if err != nil {
		return err
	}
	if version < leastPostgres {
		return fmt.Errorf("the server has version %d: %d or later is needed", version, leastPostgres)
	}
	if encoding != "UTF8" {
		return fmt.Errorf("the database has encoding %s: UTF8 is needed", encoding)
	}
	return nil
}
