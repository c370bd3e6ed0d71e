package storetest

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"runtime"
	"strconv"
	"syscall"
	"time"

	"github.com/jackc/pgx/v5"
)

// A PostgresServer is a private server in a folder of its own.
type PostgresServer struct {
	bin, dir string
	port     int // 0: Unix socket in dir
	config   PostgresConfig
	account  *syscall.Credential // PostgreSQL refuses to run as root

	process *os.Process // nil while stopped
	ended   chan error
}

// startPostgres makes a cluster and starts it.
func startPostgres(c PostgresConfig) (*PostgresServer, error) {
	bin, err := binaries()
	if err != nil {
		return nil, err
	}
	account, err := postgresAccount()
	if err != nil {
		return nil, err
	}
	dir, err := os.MkdirTemp(parent(c), "usherd-pg-")
	if err != nil {
		return nil, err
	}
	s := &PostgresServer{bin: bin, dir: dir, config: c, account: account}
	if err := errors.Join(s.initialise(), s.choosePort()); err != nil {
		return nil, errors.Join(err, os.RemoveAll(dir))
	}
	if err := s.Start(); err != nil {
		return nil, errors.Join(err, s.Close())
	}
	return s, nil
}

// parent returns where the server's folder is made: in memory if what is
// committed need not survive the machine, for a new database is some hundred
// files.
func parent(c PostgresConfig) string {
	const memory, need = "/dev/shm", 1 << 30
	var space syscall.Statfs_t
	if err := syscall.Statfs(memory, &space); c.Durable || err != nil || space.Bavail*uint64(space.Bsize) < need {
		return ""
	}
	return memory
}

// postgresAccount returns whom the server runs as: the account postgres if we
// are root, else ourselves.
func postgresAccount() (*syscall.Credential, error) {
	if os.Geteuid() != 0 {
		return nil, nil
	}
	u, err := user.Lookup("postgres")
	if err != nil {
		return nil, fmt.Errorf("%w (%w)", errMissing, err)
	}
	uid, err1 := strconv.ParseUint(u.Uid, 10, 32)
	gid, err2 := strconv.ParseUint(u.Gid, 10, 32)
	return &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}, errors.Join(err1, err2)
}

func (s *PostgresServer) initialise() error {
	if s.account != nil {
		if err := os.Chown(s.dir, int(s.account.Uid), int(s.account.Gid)); err != nil {
			return err
		}
	}
	cmd := exec.Command(filepath.Join(s.bin, "initdb"), "--no-sync", "--no-instructions", "--auth=trust",
		"--username=postgres", "--encoding=UTF8", "--locale=C.UTF-8", "--pgdata="+s.data())
	cmd.Dir = s.dir
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: s.account}
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("initdb: %w: %s", err, out)
	}
	return nil
}

func (s *PostgresServer) data() string { return filepath.Join(s.dir, "data") }

// choosePort finds a free port if one is asked for.
func (s *PostgresServer) choosePort() error {
	if !s.config.TCP {
		return nil
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	s.port = l.Addr().(*net.TCPAddr).Port
	return l.Close()
}

func (s *PostgresServer) args() []string {
	settings := []string{"max_connections=300", "dynamic_shared_memory_type=mmap", "shared_buffers=64MB", "unix_socket_directories=" + s.dir, "listen_addresses="}
	if s.port != 0 {
		settings = append(settings, "listen_addresses=127.0.0.1", "port="+strconv.Itoa(s.port))
	}
	if !s.config.Durable {
		settings = append(settings, "fsync=off", "full_page_writes=off", "autovacuum_naptime=10min", "max_wal_size=4GB")
	}
	args := []string{"-D", s.data()}
	for _, setting := range settings {
		args = append(args, "-c", setting)
	}
	return args
}

// Start starts a stopped server and waits until it accepts connections.
func (s *PostgresServer) Start() error {
	started := make(chan error, 1)
	s.ended = make(chan error, 1)
	// The server is told to end when the thread that started it does, so that a
	// killed test leaves nothing behind. This goroutine keeps the thread.
	go func() {
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		cmd, err := s.run()
		started <- err
		if err == nil {
			s.ended <- cmd.Wait()
		}
	}()
	if err := <-started; err != nil {
		return err
	}
	return s.awaitReady()
}

func (s *PostgresServer) run() (*exec.Cmd, error) {
	log, err := os.Create(filepath.Join(s.dir, "log"))
	if err != nil {
		return nil, err
	}
	defer log.Close()
	cmd := exec.Command(filepath.Join(s.bin, "postgres"), s.args()...)
	cmd.Dir, cmd.Stdout, cmd.Stderr = s.dir, log, log
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: s.account, Pdeathsig: syscall.SIGQUIT}
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	s.process = cmd.Process
	return cmd, nil
}

// awaitReady waits until a connection succeeds or the server ends.
func (s *PostgresServer) awaitReady() error {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for {
		conn, err := pgx.Connect(ctx, s.DSN("postgres"))
		if err == nil {
			return conn.Close(ctx)
		}
		select {
		case <-tick.C:
		case end := <-s.ended:
			s.process = nil
			log, _ := os.ReadFile(filepath.Join(s.dir, "log")) // best effort, for people
			return fmt.Errorf("PostgreSQL ended: %w: %s", errors.Join(end, err), log)
		case <-ctx.Done():
			return fmt.Errorf("PostgreSQL does not accept connections: %w", err)
		}
	}
}

// Stop ends the server at once, as a crash would if immediate is set; else it
// ends sessions and writes everything out. The data stay.
func (s *PostgresServer) Stop(immediate bool) error {
	if s.process == nil {
		return nil
	}
	signal := syscall.SIGINT
	if immediate {
		signal = syscall.SIGQUIT
	}
	if err := s.process.Signal(signal); err != nil {
		return err
	}
	select {
	case err := <-s.ended:
		s.process = nil
		if _, exited := errors.AsType[*exec.ExitError](err); exited && immediate {
			return nil
		}
		return err
	case <-time.After(30 * time.Second):
		return errors.Join(errors.New("PostgreSQL does not stop"), s.process.Kill())
	}
}

// Signal sends the server's main process a signal.
func (s *PostgresServer) Signal(signal os.Signal) error { return s.process.Signal(signal) }

// Close stops the server and removes its data.
func (s *PostgresServer) Close() error {
	return errors.Join(s.Stop(!s.config.Durable), os.RemoveAll(s.dir))
}
