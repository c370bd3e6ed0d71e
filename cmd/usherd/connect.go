package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"github.com/usherd/usherd/config"
	"go.uber.org/zap"
)

// A question is one call of the API and how its answer is printed.
type question struct {
	method string
	path   string
	body   any
	cols   string // see columns
	makes  bool   // may make a new store where there is none
}

// ask puts a question to the daemon and prints the answer.
func (a *app) ask(ctx context.Context, q question) error {
	text, err := a.answer(ctx, q)
	if err != nil {
		return err
	}
	return a.print(text, columns(q.cols))
}

// answer puts a question to the daemon.
func (a *app) answer(ctx context.Context, q question) (text []byte, err error) {
	if err := a.checkFormat(); err != nil {
		return nil, err
	}
	c, err := a.connect(ctx, q.makes)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, c.close()) }()
	return c.call(ctx, q.method, q.path, q.body)
}

// connect finds whom to talk to: the daemon that --server names, the one behind
// the socket of the data folder, or, if none runs there, the store itself.
func (a *app) connect(ctx context.Context, makes bool) (*client, error) {
	if err := checkReason(a.reason); err != nil {
		return nil, err
	}
	if a.server != "" {
		return a.remote()
	}
	cfg, err := a.load()
	if err != nil {
		return nil, err
	}
	path := filepath.Join(cfg.Data, socketName)
	if _, err := os.Stat(cfg.Data); errors.Is(err, fs.ErrNotExist) && cfg.Store.SQLite() && !makes {
		return nil, unreachable(fmt.Errorf("no daemon and no data in %s; name the folder with --data, or start one with usherd serve", cfg.Data))
	}
	return a.connectLocal(ctx, cfg, path)
}

// connectLocal waits a little while a daemon is starting or another command has
// the store.
func (a *app) connectLocal(ctx context.Context, cfg *config.Config, path string) (*client, error) {
	deadline := time.Now().Add(10 * time.Second)
	for {
		conn, err := dialSocket(ctx, path)
		if err == nil {
			return a.overSocket(path), conn.Close()
		}
		c, err := a.openStore(ctx, cfg)
		if err == nil {
			return c, nil
		}
		if !errors.Is(err, errLocked) || time.Now().After(deadline) {
			return nil, unreachable(err)
		}
		select {
		case <-ctx.Done():
			return nil, ctx.Err()
		case <-time.After(50 * time.Millisecond):
		}
	}
}

// openStore serves the API in this process, on the store itself.
func (a *app) openStore(ctx context.Context, cfg *config.Config) (*client, error) {
	s, err := newOffline(ctx, cfg, zap.NewNop())
	if err != nil {
		return nil, err
	}
	return a.inProcess(s.socketHandler(), s.close), nil
}
