package store

import (
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/jackc/pgx/v5/pgconn"

	"github.com/usherd/usherd/directory"
)

// TestAFullDiskIsSaidToBeFull: whoever writes is told what to do and where, what
// was there stays, and writing goes on once there is space.
func TestAFullDiskIsSaidToBeFull(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "usherd.db")
	s, err := Open(t.Context(), Config{DSN: path})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	limit := func(pages string) { // as a disk of that size has
		t.Helper()
		if _, err := s.write.ExecContext(t.Context(), "PRAGMA max_page_count = "+pages); err != nil {
			t.Fatal(err)
		}
	}
	by := directory.Actor{Kind: "socket", Name: "local"}
	n := 0
	add := func() error {
		n++
		_, err := s.Apply(t.Context(), by, directory.CreateUser{
			ID: directory.UserID(directory.NewID()), Source: directory.Local,
			Profile: directory.Profile{UserName: fmt.Sprintf("u%d", n), DisplayName: strings.Repeat("x", 500), Active: true},
		})
		return err
	}
	limit("1") // as small as it is now
	for err == nil && n < 1000 {
		err = add()
	}
	if !errors.Is(err, directory.ErrFull) || !strings.Contains(err.Error(), "disk is full: free space in "+filepath.Dir(path)) {
		t.Errorf("after %d users: %v, want that the disk is full", n, err)
	}
	_, err = s.PutKept(t.Context(), directory.Kept{Space: "s", Key: "k", Value: []byte(`"` + strings.Repeat("x", 100_000) + `"`)})
	if !errors.Is(err, directory.ErrFull) {
		t.Errorf("PutKept = %v, want that the disk is full", err)
	}
	if err := s.PutRun(t.Context(), directory.Run{ID: "r", Source: "corp", Message: strings.Repeat("x", 100_000)}); !errors.Is(err, directory.ErrFull) {
		t.Errorf("PutRun = %v, want that the disk is full", err)
	}
	limit("1000000")
	if err := add(); err != nil {
		t.Errorf("with space again: %v", err)
	}
}

func TestWhatIsAFullDisk(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		err  error
		want bool
	}{
		{&pgconn.PgError{Code: "53100"}, true},
		{fmt.Errorf("writing: %w", syscall.ENOSPC), true},
		{&pgconn.PgError{Code: "53200"}, false},
		{directory.ErrInUse, false},
	} {
		if got := isFull(c.err); got != c.want {
			t.Errorf("isFull(%v) = %v", c.err, got)
		}
	}
}
