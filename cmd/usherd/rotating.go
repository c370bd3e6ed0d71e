package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strconv"
)

// A rotatingFile is a file that is put aside when it is full: FILE becomes
// FILE.1, that FILE.2, and so on; the oldest goes. It may be removed or renamed
// from outside at any time: the next write makes it anew.
type rotatingFile struct {
	path string
	most int64 // bytes
	keep int   // files put aside

	file *os.File
	info fs.FileInfo
	size int64
}

// openRotating opens the file to append to it. Only its owner can read it.
func openRotating(path string, most int64, keep int) (*rotatingFile, error) {
	r := &rotatingFile{path: path, most: most, keep: keep}
	return r, r.open()
}

func (r *rotatingFile) open() error {
	file, err := os.OpenFile(r.path, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	info, err := file.Stat()
	if err == nil && !info.Mode().IsRegular() {
		err = fmt.Errorf("%s is not a file", r.path)
	}
	if err != nil {
		return errors.Join(err, file.Close())
	}
	r.file, r.info, r.size = file, info, info.Size()
	return nil
}

// Write appends whole lines.
func (r *rotatingFile) Write(p []byte) (int, error) {
	if err := r.prepare(int64(len(p))); err != nil {
		return 0, err
	}
	n, err := r.file.Write(p)
	r.size += int64(n)
	return n, err
}

// prepare has a file open that takes n more bytes.
func (r *rotatingFile) prepare(n int64) error {
	if r.file != nil {
		if now, err := os.Stat(r.path); err != nil || !os.SameFile(now, r.info) {
			if err := r.Close(); err != nil { // somebody moved it
				return err
			}
		}
	}
	if r.file != nil && r.size > 0 && r.size+n > r.most {
		if err := errors.Join(r.Close(), r.shift()); err != nil {
			return err
		}
	}
	if r.file == nil {
		return r.open()
	}
	return nil
}

// shift puts the file aside.
func (r *rotatingFile) shift() error {
	name := func(i int) string {
		if i == 0 {
			return r.path
		}
		return r.path + "." + strconv.Itoa(i)
	}
	for i := r.keep - 1; i >= 0; i-- {
		if err := os.Rename(name(i), name(i+1)); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	return nil
}

// Close implements [io.Closer].
func (r *rotatingFile) Close() error {
	if r.file == nil {
		return nil
	}
	file := r.file
	r.file = nil
	return file.Close()
}
