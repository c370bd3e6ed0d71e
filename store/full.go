package store

import (
	"errors"
	"fmt"
	"path/filepath"
	"syscall"

	"github.com/usherd/usherd/directory"
	driver "modernc.org/sqlite"
	sqlite3 "modernc.org/sqlite/lib"
)

// diskFull is the SQLSTATE by which PostgreSQL says that its disk is full
// (PostgreSQL documentation, appendix A, class 53).
const diskFull = "53100"

// full makes an error that comes from a full disk say so, and where.
func (s *Store) full(err error) error {
	if err == nil || !isFull(err) {
		return err
	}
	where := "the data folder of the database server"
	if s.path != "" {
		where = filepath.Dir(s.path)
	}
	return fmt.Errorf("%w: free space in %s: %w", directory.ErrFull, where, err)
}

func isFull(err error) bool {
	const primary = 0xff // of an extended result code
	if e, ok := errors.AsType[*driver.Error](err); ok && e.Code()&primary == sqlite3.SQLITE_FULL {
		return true
	}
	var state interface{ SQLState() string }
	return errors.As(err, &state) && state.SQLState() == diskFull || errors.Is(err, syscall.ENOSPC)
}
