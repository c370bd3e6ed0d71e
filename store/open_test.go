package store_test

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

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
		s.Close()
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
			s.Close()
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
