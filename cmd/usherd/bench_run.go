package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
)

// printBench runs a benchmark in a folder of its own and prints its result.
func (a *app) printBench(run func(dir string) (any, error), cols string) error {
	dir, err := os.MkdirTemp("", "usherd-bench-")
	if err != nil {
		return fmt.Errorf("making a folder: %w", err)
	}
	result, err := run(dir)
	if err := errors.Join(err, os.RemoveAll(dir)); err != nil {
		return err
	}
	text, err := json.Marshal(result)
	if err != nil {
		return fmt.Errorf("printing: %w", err)
	}
	return a.print(text, columns(cols))
}

// runEmbedded makes a daemon as [app.embedded] does and runs it until stop is
// called, which returns how it ended.
func (a *app) runEmbedded(ctx context.Context, e embedding) (d *daemon, stop func() error, err error) {
	if d, err = a.embedded(ctx, e); err != nil {
		return nil, nil, err
	}
	ctx, cancel := context.WithCancel(ctx)
	ended := make(chan error, 1)
	go func() { ended <- d.run(ctx) }()
	select {
	case <-d.ready:
		return d, func() error { cancel(); return <-ended }, nil
	case err := <-ended:
		cancel()
		return nil, nil, err
	}
}
