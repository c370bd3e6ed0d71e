package ldapsync

import (
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"syscall"

	"github.com/usherd/usherd/directory"
)

// A spool keeps records outside of memory: in a file that has no name, so that
// it is gone when the run is, however that ends. The zero spool keeps them in
// memory.
type spool struct {
	file    *os.File
	pending []byte // not yet in the file
	size    int64  // with what is pending
	err     error  // of writing; every later call has it
}

var errSpool = errors.New("the spool does not hold what was put there")

// spoolBuffer is how much is gathered for one write.
const spoolBuffer = 64 << 10

// newSpool makes a spool in a folder, the system's for temporary files if it is
// empty.
func newSpool(folder string) (*spool, error) {
	f, err := os.CreateTemp(folder, "usherd-spool-*") // 0600
	if err != nil {
		return nil, fmt.Errorf("making a spool file: %w", err)
	}
	if err := os.Remove(f.Name()); err != nil {
		_ = f.Close()
		return nil, fmt.Errorf("making a spool file: %w", err)
	}
	return &spool{file: f}, nil
}

// put keeps a record and returns where.
func (s *spool) put(record []byte) (int64, error) {
	at := s.size
	before := len(s.pending)
	s.pending = binary.AppendUvarint(s.pending, uint64(len(record)))
	s.pending = append(s.pending, record...)
	s.size += int64(len(s.pending) - before)
	if s.file != nil && len(s.pending) >= spoolBuffer {
		s.flush()
	}
	return at, s.err
}

func (s *spool) flush() {
	if s.err != nil || len(s.pending) == 0 {
		return
	}
	if _, err := s.file.Write(s.pending); err != nil {
		s.err = fmt.Errorf("writing the spool: %w", err)
		if errors.Is(err, syscall.ENOSPC) {
			s.err = fmt.Errorf("writing the spool: %w: free space in %s", directory.ErrFull, filepath.Dir(s.file.Name()))
		}
	}
	s.pending = s.pending[:0]
}

// get returns the record that put kept at a place.
func (s *spool) get(at int64) ([]byte, error) {
	if s.file == nil {
		n, head := binary.Uvarint(s.pending[at:])
		at += int64(head)
		return s.pending[at : at+int64(n)], nil
	}
	if s.flush(); s.err != nil {
		return nil, s.err
	}
	const guess = 1024 // most records are shorter
	buf := make([]byte, min(guess, s.size-at))
	if _, err := s.file.ReadAt(buf, at); err != nil {
		return nil, fmt.Errorf("reading the spool: %w", err)
	}
	n, head := binary.Uvarint(buf)
	if head <= 0 || int64(n) > s.size-at-int64(head) {
		return nil, errSpool
	}
	if whole := head + int(n); whole <= len(buf) {
		return buf[head:whole], nil
	}
	record := make([]byte, n)
	if _, err := s.file.ReadAt(record, at+int64(head)); err != nil {
		return nil, fmt.Errorf("reading the spool: %w", err)
	}
	return record, nil
}

func (s *spool) close() {
	if s.file != nil {
		_ = s.file.Close()
	}
}
