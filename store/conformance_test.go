package store_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/usherd/usherd/directory"
	"github.com/usherd/usherd/store/storetest"
)

func TestConformance(t *testing.T) {
	t.Run("SQLite", func(t *testing.T) {
		empty := emptyFile(t)
		storetest.Run(t, func(tb testing.TB) directory.Store {
			path := filepath.Join(tb.TempDir(), "usherd.db")
			if err := os.WriteFile(path, empty, 0o600); err != nil {
				tb.Fatal(err)
			}
			return open(tb, path)
		})
	})
	t.Run("PostgreSQL", func(t *testing.T) {
		storetest.Run(t, func(tb testing.TB) directory.Store { return open(tb, storetest.Postgres(tb)) })
	})
}

// emptyFile returns the file of a new store: to migrate one for each case takes
// longer than most cases.
func emptyFile(t *testing.T) []byte {
	t.Helper()
	dsn := engines[0].dsn(t)
	if err := open(t, dsn).Close(); err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(strings.TrimPrefix(dsn, "sqlite:"))
	if err != nil {
		t.Fatal(err)
	}
	return text
}
