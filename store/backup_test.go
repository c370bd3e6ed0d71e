package store_test

import (
	"errors"
	"os"
	"path/filepath"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/usherd/usherd/directory"
	"github.com/usherd/usherd/store"
	"github.com/usherd/usherd/store/storetest"
)

func TestBackupIsOneMomentOfTheStore(t *testing.T) {
	s := open(t, engines[0].dsn(t))
	ann := createUser("ann")
	before := apply(t, s, ann)
	var writer sync.WaitGroup
	writer.Go(func() {
		for range 10 {
			if _, err := s.Apply(t.Context(), root, createUser("x"+directory.NewID())); err != nil {
				t.Errorf("Apply during a backup = %v", err)
			}
		}
	})
	path := filepath.Join(t.TempDir(), "backup.db")
	if err := s.Backup(t.Context(), path); err != nil {
		t.Fatalf("Backup = %v", err)
	}
	writer.Wait()
	info, err := os.Stat(path)
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("the backup has mode %v, %v; want it for its owner alone", info.Mode(), err)
	}
	restored := open(t, path)
	h, err := restored.Head(t.Context(), before)
	if err != nil || !h.Known {
		t.Fatalf("Head of the backup = %+v, %v; want a history with %s", h, err, before)
	}
	if h, err := s.Head(t.Context(), h.Stamp); err != nil || !h.Known {
		t.Errorf("the store does not know the backup's stamp: %+v, %v", h, err)
	}
	then, err1 := s.Facts(t.Context(), h.Stamp.Revision)
	now, err2 := restored.Facts(t.Context(), 0)
	if d := cmp.Diff(then, now); errors.Join(err1, err2) != nil || d != "" {
		t.Errorf("facts of the backup: %v, %v (-store +backup):\n%s", err1, err2, d)
	}
	key1, err1 := s.RootKey(t.Context())
	key2, err2 := restored.RootKey(t.Context())
	if errors.Join(err1, err2) != nil || string(key1) != string(key2) {
		t.Errorf("the backup has another root key: %v, %v", err1, err2)
	}
	// What the two do from here on are two histories, though the numbers agree.
	other := apply(t, restored, createUser("after"))
	if h, err := s.Head(t.Context(), other); err != nil || h.Known {
		t.Errorf("the store knows %s of its backup's own history: %+v, %v", other, h, err)
	}
}

func TestBackupOverwritesNothing(t *testing.T) {
	s := open(t, engines[0].dsn(t))
	path := filepath.Join(t.TempDir(), "there")
	if err := os.WriteFile(path, []byte("precious"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := s.Backup(t.Context(), path); err == nil {
		t.Error("Backup into a file that is there = nil, want an error")
	}
	if text, err := os.ReadFile(path); err != nil || string(text) != "precious" {
		t.Errorf("the file now holds %q, %v", text, err)
	}
}

func TestBackupOfPostgresIsNotOurs(t *testing.T) {
	s := open(t, storetest.Postgres(t))
	if err := s.Backup(t.Context(), filepath.Join(t.TempDir(), "x")); !errors.Is(err, store.ErrNoBackup) {
		t.Errorf("Backup = %v, want ErrNoBackup", err)
	}
}
