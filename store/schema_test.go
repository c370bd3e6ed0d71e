package store

import (
	"path/filepath"
	"testing"

	"github.com/usherd/usherd/store/storetest"
)

func TestSchemaOf(t *testing.T) {
	for engine, dsn := range map[string]string{
		"SQLite":     "sqlite:" + filepath.Join(t.TempDir(), "usherd.db"),
		"PostgreSQL": storetest.Postgres(t),
	} {
		t.Run(engine, func(t *testing.T) {
			c := Config{DSN: dsn}
			before, err := SchemaOf(t.Context(), c)
			if err != nil || before.Have != 0 || before.Newest < 1 {
				t.Fatalf("SchemaOf(new store) = %+v, %v, want nothing yet", before, err)
			}
			s, err := Open(t.Context(), c)
			if err != nil {
				t.Fatal(err)
			}
			defer s.Close()
			if now, err := SchemaOf(t.Context(), c); err != nil || now.Have != before.Newest || now.Newest != before.Newest {
				t.Errorf("SchemaOf(store in use) = %+v, %v, want both %d", now, err, before.Newest)
			}
		})
	}
}
