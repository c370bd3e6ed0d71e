package main

import (
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"syscall"
)

const (
	socketName = "usherd.sock"
	// longestSocket is what fits into the address of a socket on every system
	// we run on.
	longestSocket = 100
)

// shortSocketPath returns a name of the socket that fits into an address. The
// name holds until done is called.
func shortSocketPath(path string) (short string, done func(), err error) {
	if len(path) <= longestSocket || runtime.GOOS != "linux" {
		return path, func() {}, nil
	}
	dir, err := os.Open(filepath.Dir(path))
	if err != nil {
		return "", nil, fmt.Errorf("opening the data folder: %w", err)
	}
	short = "/proc/self/fd/" + strconv.Itoa(int(dir.Fd())) + "/" + filepath.Base(path)
	return short, func() { _ = dir.Close() }, nil
}

// listenSocket listens on the socket that commands talk to. Only the owner of
// the daemon reaches it: the folder is the owner's alone, and so is the socket.
// A socket that a killed daemon left behind is replaced; the store's lock has
// shown that no other daemon runs here.
func listenSocket(path string) (net.Listener, error) {
	if err := os.Remove(path); err != nil && !errors.Is(err, os.ErrNotExist) {
		return nil, fmt.Errorf("replacing the socket: %w", err)
	}
	short, done, err := shortSocketPath(path)
	if err != nil {
		return nil, err
	}
	defer done()
	old := syscall.Umask(0o177)
	l, err := net.Listen("unix", short)
	syscall.Umask(old)
	if err != nil {
		return nil, fmt.Errorf("listening on the socket %s: %w", path, err)
	}
	l.(*net.UnixListener).SetUnlinkOnClose(false) // by the long name, see below
	return &socketListener{l, path}, nil
}

// A socketListener removes its file when it is closed.
type socketListener struct {
	net.Listener
	path string
}

// Close stops listening.
func (l *socketListener) Close() error {
	return errors.Join(os.Remove(l.path), l.Listener.Close())
}
