package storetest

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
)

// shared is the one server of a test process.
var shared struct {
	sync.Mutex
	server *PostgresServer
	users  int  // tests that have a database of it
	main   bool // Main stops it, not the last user
	err    error
	count  int // databases made so far
}

// Main runs the tests of a package that uses [Postgres] and stops the server
// after them. Without it the server stops whenever no test uses it.
func Main(m *testing.M) int {
	shared.Lock()
	shared.main = true
	shared.Unlock()
	code := m.Run()
	shared.Lock()
	defer shared.Unlock()
	if shared.server == nil {
		return code
	}
	if err := shared.server.Close(); err != nil {
		fmt.Fprintln(os.Stderr, "storetest:", err)
		return max(code, 1)
	}
	return code
}

// Postgres returns the address of a new, empty database. It ends with the test.
// The server does not sync to disk: what a test commits survives a crash of the
// test, not of the machine. Without PostgreSQL the test is skipped, or fails if
// CI is true.
func Postgres(tb testing.TB) (dsn string) {
	tb.Helper()
	server := join(tb)
	shared.Lock()
	shared.count++
	name := "t" + strconv.Itoa(shared.count)
	shared.Unlock()
	if err := server.exec(tb.Context(), `CREATE DATABASE `+name+` TEMPLATE template0`); err != nil {
		tb.Fatalf("storetest: making a database: %v", err)
	}
	tb.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
		defer cancel()
		if err := server.exec(ctx, `DROP DATABASE `+name+` WITH (FORCE)`); err != nil {
			tb.Errorf("storetest: dropping a database: %v", err)
		}
	})
	return server.DSN(name)
}

// join starts the shared server for its first user.
func join(tb testing.TB) *PostgresServer {
	tb.Helper()
	shared.Lock()
	defer shared.Unlock()
	if shared.server == nil && shared.err == nil {
		shared.server, shared.err = startPostgres(PostgresConfig{})
	}
	if shared.err != nil {
		skipOrFail(tb, shared.err)
	}
	shared.users++
	tb.Cleanup(leave)
	return shared.server
}

func leave() {
	shared.Lock()
	defer shared.Unlock()
	shared.users--
	if shared.users > 0 || shared.main {
		return
	}
	_ = shared.server.Close()
	shared.server = nil
}

// errMissing says that PostgreSQL is not installed.
var errMissing = errors.New("PostgreSQL is not installed: apt-get install postgresql")

func skipOrFail(tb testing.TB, err error) {
	tb.Helper()
	if errors.Is(err, errMissing) && os.Getenv("CI") != "true" {
		tb.Skip("storetest:", err)
	}
	tb.Fatal("storetest: ", err)
}

// A PostgresConfig says how a server runs.
type PostgresConfig struct {
	Durable bool // sync to disk, as in production; the default does not
	TCP     bool // listen on a free port of 127.0.0.1, for tests with a proxy in front; the default is a Unix socket
}

// StartPostgres starts a server of its own for one test, which may stop and
// start it. It skips or fails as [Postgres] does.
func StartPostgres(tb testing.TB, c PostgresConfig) *PostgresServer {
	tb.Helper()
	s, err := startPostgres(c)
	if err != nil {
		skipOrFail(tb, err)
	}
	tb.Cleanup(func() {
		if err := s.Close(); err != nil {
			tb.Errorf("storetest: stopping PostgreSQL: %v", err)
		}
	})
	return s
}

// DSN returns the address of a database; "postgres" always exists.
func (s *PostgresServer) DSN(database string) string {
	u := url.URL{Scheme: "postgres", User: url.User("postgres"), Path: "/" + database}
	if s.port == 0 {
		u.RawQuery = url.Values{"host": {s.dir}}.Encode()
		return u.String()
	}
	u.Host, u.RawQuery = "127.0.0.1:"+strconv.Itoa(s.port), "sslmode=disable"
	return u.String()
}

// exec runs one statement outside of any transaction.
func (s *PostgresServer) exec(ctx context.Context, sql string) error {
	conn, err := pgx.Connect(ctx, s.DSN("postgres"))
	if err != nil {
		return err
	}
	_, err = conn.Exec(ctx, sql)
	return errors.Join(err, conn.Close(ctx))
}

// binaries returns the folder of the newest PostgreSQL that is installed.
func binaries() (string, error) {
	found, err := filepath.Glob("/usr/lib/postgresql/*/bin/postgres")
	if err != nil {
		return "", err
	}
	if path, err := os.Stat("/usr/local/pgsql/bin/postgres"); err == nil && !path.IsDir() {
		found = append(found, "/usr/local/pgsql/bin/postgres")
	}
	if len(found) == 0 {
		return "", errMissing
	}
	return filepath.Dir(slices.MaxFunc(found, func(a, b string) int { return major(a) - major(b) })), nil
}

// major returns the version in a path such as /usr/lib/postgresql/15/bin/postgres.
func major(path string) int {
	n, _ := strconv.Atoi(filepath.Base(filepath.Dir(filepath.Dir(path)))) // 0 if there is none
	return n
}
