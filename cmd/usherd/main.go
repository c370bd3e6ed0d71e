// Command usherd keeps users and groups in step with identity providers and
// directories, maps groups to privileges, and answers permission checks.
//
// usherd serve runs the daemon; every other command acts on it through a socket
// in its data folder, on the store itself when no daemon runs, or on another
// machine's daemon with --server. What a command prints on stdout is data, what
// it has to say to a person goes to stderr.
//
// The exit codes are 0 done, 1 failed, 2 wrong usage, 3 configuration or policy
// not valid, 4 nobody to talk to and, where --exit-code asks for it, 5 denied, 6
// held until an administrator decides, and 7 an incomplete read of a directory.
//
// The parts of the daemon meet in daemon.go only.
package main

import (
	"context"
	"os"
	"os/signal"
	"syscall"
)

func main() { os.Exit(run()) }

// run is main with an exit code.
func run() int {
	a := &app{
		stdin: os.Stdin, stdout: os.Stdout, stderr: os.Stderr,
		environ: os.Environ(), signals: make(chan os.Signal, 4),
	}
	signal.Notify(a.signals, syscall.SIGINT, syscall.SIGTERM, syscall.SIGHUP)
	defer signal.Stop(a.signals)
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	return a.run(ctx, os.Args[1:])
}
