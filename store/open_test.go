package store_test

import (
	"bytes"
	"context"
	"database/sql"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/usherd/usherd/directory"
	"github.com/usherd/usherd/store"
	"github.com/usherd/usherd/store/storetest"
)

func TestMain(m *testing.M) { os.Exit(storetest.Main(m)) }

// engines are the two ways to keep a directory.
var engines = []struct {
	name string
	dsn  func(testing.TB) string
}{
	{"SQLite", func(tb testing.TB) string { return "sqlite:" + filepath.Join(tb.TempDir(), "usherd.db") }},
	{"PostgreSQL", storetest.Postgres},
}

func open(tb testing.TB, dsn string) *store.Store {
	tb.Helper()
	s, err := store.Open(tb.Context(), store.Config{DSN: dsn})
	if err != nil {
		tb.Fatalf("Open = %v", err)
	}
	tb.Cleanup(func() {
		if err := s.Close(); err != nil {
			tb.Errorf("Close = %v", err)
		}
	})
	return s
}

func TestOpenKeepsTheRootKey(t *testing.T) {
	for _, engine := range engines {
		t.Run(engine.name, func(t *testing.T) {
			dsn := engine.dsn(t)
			s, err := store.Open(t.Context(), store.Config{DSN: dsn})
			if err != nil {
				t.Fatal(err)
			}
			first, err := s.RootKey(t.Context())
			if err != nil || len(first) != 32 {
				t.Fatalf("RootKey = %d bytes, %v; want 32", len(first), err)
			}
			if err := s.Close(); err != nil {
				t.Fatal(err)
			}
			second, err := open(t, dsn).RootKey(t.Context())
			if err != nil || !bytes.Equal(first, second) {
				t.Errorf("RootKey after reopening = %x, %v; want %x", second, err, first)
			}
		})
	}
}

func TestSQLiteBelongsToOneProcess(t *testing.T) {
	dsn := engines[0].dsn(t)
	open(t, dsn)
	s, err := store.Open(t.Context(), store.Config{DSN: dsn})
	if err == nil {
		_ = s.Close()
		t.Fatal("a second Open of the same file = nil, want an error")
	}
	if !strings.Contains(err.Error(), "another process has the database open") {
		t.Errorf("a second Open = %v, want a sentence that says what to do", err)
	}
}

func TestReplicasThatStartTogetherAgree(t *testing.T) {
	dsn := storetest.Postgres(t)
	const replicas = 6
	keys := make([][]byte, replicas)
	var all sync.WaitGroup
	for i := range replicas {
		all.Go(func() {
			s, err := store.Open(t.Context(), store.Config{DSN: dsn})
			if err != nil {
				t.Errorf("Open of replica %d = %v", i, err)
				return
			}
			defer s.Close()
			keys[i], err = s.RootKey(t.Context())
			if err != nil {
				t.Errorf("RootKey of replica %d = %v", i, err)
			}
		})
	}
	all.Wait()
	for i := range replicas {
		if !bytes.Equal(keys[i], keys[0]) {
			t.Errorf("replica %d has root key %x, replica 0 has %x", i, keys[i], keys[0])
		}
	}
}

func TestErrorsHoldNoPassword(t *testing.T) {
	for _, dsn := range []string{
		"postgres://usherd:s3cr3t@127.0.0.1:1/usherd",
		"postgres://usherd:s3cr3t/%zz@127.0.0.1:1/usherd",
		"postgres://usherd:s3cr3t@127.0.0.1:1/usherd?sslmode=perhaps",
		"mysql://usherd:s3cr3t@127.0.0.1/usherd",
	} {
		s, err := store.Open(t.Context(), store.Config{DSN: dsn})
		if err == nil {
			_ = s.Close()
			t.Errorf("Open(%q) = nil, want an error", dsn)
			continue
		}
		if strings.Contains(err.Error(), "s3cr3t") {
			t.Errorf("Open(%q) = %v, which holds the password", dsn, err)
		}
	}
	_, err := store.Open(t.Context(), store.Config{DSN: "postgres://usherd@127.0.0.1:1/usherd", Password: "s3cr3t"})
	if err == nil || strings.Contains(err.Error(), "s3cr3t") {
		t.Errorf("Open with a password apart = %v, want an error without it", err)
	}
}

func TestNewerSchemaIsRefused(t *testing.T) {
	for _, engine := range engines {
		t.Run(engine.name, func(t *testing.T) {
			dsn := engine.dsn(t)
			s, err := store.Open(t.Context(), store.Config{DSN: dsn})
			if err != nil {
				t.Fatal(err)
			}
			if err := s.Close(); err != nil {
				t.Fatal(err)
			}
			pretendNewer(t, dsn)
			s, err = store.Open(t.Context(), store.Config{DSN: dsn})
			if err == nil {
				_ = s.Close()
				t.Fatal("Open of a newer schema = nil, want an error")
			}
			if !strings.Contains(err.Error(), "start a newer usherd") {
				t.Errorf("Open of a newer schema = %v, want a sentence that says what to do", err)
			}
		})
	}
}

// pretendNewer records a migration that this program does not have.
func pretendNewer(t *testing.T, dsn string) {
	t.Helper()
	driver := "pgx"
	if path, ok := strings.CutPrefix(dsn, "sqlite:"); ok {
		driver, dsn = "sqlite", path
	}
	db, err := sql.Open(driver, dsn)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	if _, err := db.Exec(`INSERT INTO goose_db_version (version_id, is_applied) VALUES (9999, true)`); err != nil {
		t.Fatal(err)
	}
}

func TestBadConfigSaysWhatIsWrong(t *testing.T) {
	for name, c := range map[string]store.Config{
		"no address":         {},
		"another engine":     {DSN: "mysql://x"},
		"negative history":   {DSN: "sqlite:x.db", HistoryKeep: -1},
		"a feed of an hour":  {DSN: "sqlite:x.db", FeedKeep: time.Hour},
		"negative log":       {DSN: "sqlite:x.db", LogKeep: -1},
		"a folder as a file": {DSN: "sqlite:" + t.TempDir()},
	} {
		s, err := store.Open(t.Context(), c)
		if err == nil {
			_ = s.Close()
			t.Errorf("Open with %s = nil, want an error", name)
		}
	}
}

func TestSQLiteFileIsForItsOwnerAlone(t *testing.T) {
	dsn := engines[0].dsn(t)
	open(t, dsn)
	path := strings.TrimPrefix(dsn, "sqlite:")
	for _, file := range []string{path, path + "-wal", path + ".lock"} {
		info, err := os.Stat(file)
		if err != nil || info.Mode().Perm()&0o077 != 0 {
			t.Errorf("%s has mode %v, %v; want none for others", file, info.Mode(), err)
		}
	}
}

func TestSQLitePathsAreTakenAsTheyAre(t *testing.T) {
	path := filepath.Join(t.TempDir(), "a b?c#d%20e", "usherd.db")
	open(t, path)
	if _, err := os.Stat(path); err != nil {
		t.Errorf("the file of %q: %v", path, err)
	}
}

// TestReplicasShareOneHistory: what one replica applies another reads at once,
// and a lease has one holder among them.
func TestReplicasShareOneHistory(t *testing.T) {
	dsn := storetest.Postgres(t)
	a, b := open(t, dsn), open(t, dsn)
	for i, s := range []*store.Store{a, b, a} {
		c := createUser(fmt.Sprint("user", i))
		stamp := apply(t, s, c)
		for _, other := range []*store.Store{a, b} {
			sub, err := other.Subject(t.Context(), directory.SubjectKey{Kind: directory.KeyID, Value: string(c.ID)}, stamp)
			if err != nil || sub.ID != c.ID {
				t.Errorf("Subject of user %d as of %s = %+v, %v; want it", i, stamp, sub, err)
			}
		}
	}
	if _, ok, err := a.AcquireLease(t.Context(), "ldap", "a", time.Hour); err != nil || !ok {
		t.Fatalf("AcquireLease by a = %v, %v", ok, err)
	}
	if l, ok, err := b.AcquireLease(t.Context(), "ldap", "b", time.Hour); err != nil || ok || l.Holder != "a" {
		t.Errorf("AcquireLease by b = %+v, %v, %v; want a as its holder", l, ok, err)
	}
}

// TestReadersDoNotWaitForTheWriter: a transaction that writes keeps nobody from
// reading.
func TestReadersDoNotWaitForTheWriter(t *testing.T) {
	s := open(t, engines[0].dsn(t))
	c := createUser("ann")
	apply(t, s, c)
	var readers sync.WaitGroup
	ctx, cancel := context.WithCancel(t.Context())
	for range 3 {
		readers.Go(func() {
			for ctx.Err() == nil {
				_, err := s.Subject(t.Context(), directory.SubjectKey{Kind: directory.KeyID, Value: string(c.ID)}, directory.Stamp{})
				if err != nil {
					t.Errorf("Subject while writing = %v", err)
					return
				}
			}
		})
	}
	for i := range 15 {
		apply(t, s, createUser(fmt.Sprint("user", i)))
	}
	cancel()
	readers.Wait()
}
