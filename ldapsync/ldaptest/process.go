package ldaptest

import (
	"context"
	"fmt"
	"net"
	"os"
	"os/exec"
	"syscall"
	"testing"
	"time"
)

// patience bounds every wait of this package.
const patience = 3 * time.Minute

// need returns the path of the binary name, and ends the test when it is not
// installed: packages is what to install.
func need(tb testing.TB, name, packages string) string {
	tb.Helper()
	for _, path := range []string{name, "/usr/sbin/" + name, "/usr/local/sbin/" + name, "/usr/libexec/" + name} {
		if found, err := exec.LookPath(path); err == nil {
			return found
		}
	}
	missing(tb, fmt.Sprintf("%s is not installed: apt-get install --no-install-recommends %s", name, packages))
	return ""
}

// missing ends a test that the machine cannot run.
func missing(tb testing.TB, why string) {
	tb.Helper()
	if os.Getenv("CI") == "true" {
		tb.Fatal(why)
	}
	tb.Skip(why)
}

// A process is a server started by a test.
type process struct {
	cmd  *exec.Cmd
	done chan struct{} // closed when the process has ended
	log  string        // file with what it printed
}

func start(tb testing.TB, log, path string, args ...string) *process {
	tb.Helper()
	return startAs(tb, log, nil, path, args...)
}

// startAs starts a server as another user.
func startAs(tb testing.TB, log string, who *syscall.Credential, path string, args ...string) *process {
	tb.Helper()
	out, err := os.Create(log)
	if err != nil {
		tb.Fatal(err)
	}
	defer out.Close()
	cmd := exec.Command(path, args...)
	cmd.Stdout, cmd.Stderr = out, out
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Credential: who}
	if err := cmd.Start(); err != nil {
		tb.Fatalf("start %s: %v", path, err)
	}
	p := &process{cmd: cmd, done: make(chan struct{}), log: log}
	go func() {
		_ = cmd.Wait()
		close(p.done)
	}()
	tb.Cleanup(func() { p.end(syscall.SIGTERM) })
	return p
}

// end sends sig and waits for the process to go; one that does not go is killed.
func (p *process) end(sig syscall.Signal) {
	_ = p.cmd.Process.Signal(syscall.SIGCONT)
	_ = p.cmd.Process.Signal(sig)
	select {
	case <-p.done:
	case <-time.After(10 * time.Second):
		_ = p.cmd.Process.Kill()
		<-p.done
	}
}

// ready polls probe until it succeeds, the process dies or patience ends.
func (p *process) ready(tb testing.TB, probe func() error) {
	tb.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	for {
		err := probe()
		if err == nil {
			return
		}
		select {
		case <-time.After(20 * time.Millisecond):
		case <-p.done:
			said, _ := os.ReadFile(p.log)
			tb.Fatalf("server ended before it answered: %v\n%s", err, said)
		case <-ctx.Done():
			tb.Fatalf("server does not answer: %v", err)
		}
	}
}

// freePort returns a TCP port of loopback that nobody listened on just now.
func freePort(tb testing.TB) int {
	tb.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		tb.Fatal(err)
	}
	defer l.Close()
	return l.Addr().(*net.TCPAddr).Port
}

// run runs a tool to its end, and ends the test if it fails.
func run(tb testing.TB, path string, args ...string) {
	tb.Helper()
	if out, err := exec.Command(path, args...).CombinedOutput(); err != nil {
		tb.Fatalf("%s %v: %v\n%s", path, args, err, out)
	}
}
