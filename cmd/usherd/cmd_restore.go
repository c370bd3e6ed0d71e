package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
	"time"

	"github.com/spf13/cobra"
	"github.com/usherd/usherd/admin"
	"github.com/usherd/usherd/config"
	"github.com/usherd/usherd/store"
	"go.uber.org/zap"
)

func (a *app) restoreCommand() *cobra.Command {
	return &cobra.Command{
		Use: "restore FILE", Short: "Put a backup in the place of the embedded database", Args: cobra.ExactArgs(1),
		Long: `Put a backup in the place of the embedded database. The daemon must not run. The
backup is copied, its schema brought up to date and its audit chain verified
before anything is replaced; the database of before stays beside it. Tokens,
sources and policy are those of the backup afterwards.`,
		Example: "  usherd restore /var/backups/usherd.db",
		RunE: func(cmd *cobra.Command, args []string) error {
			if a.server != "" {
				return usage("a backup is restored on the machine of the daemon: leave --server out there")
			}
			if err := a.checkFormat(); err != nil {
				return err
			}
			cfg, err := a.load()
			if err != nil {
				return err
			}
			if !cfg.Store.SQLite() {
				return usage("PostgreSQL is restored by its own tools, such as pg_restore")
			}
			text, err := restore(cmd.Context(), cfg, args[0])
			if err != nil {
				return err
			}
			return a.print(text, columns("PATH=path RECORDS=records KEPT=kept"))
		},
	}
}

// restore replaces the database while nobody has it.
func restore(ctx context.Context, cfg *config.Config, from string) ([]byte, error) {
	if err := os.MkdirAll(cfg.Data, 0o700); err != nil {
		return nil, fmt.Errorf("making the data folder: %w", err)
	}
	if conn, err := dialSocket(ctx, filepath.Join(cfg.Data, socketName)); err == nil {
		return nil, errors.Join(fmt.Errorf("the daemon on %s runs: stop it first", cfg.Data), conn.Close())
	}
	path := filepath.Join(cfg.Data, databaseName)
	release, err := lockDatabase(path)
	if err != nil {
		return nil, err
	}
	defer release()
	fresh := path + ".restoring"
	defer removeDatabase(fresh) // what is left of it, if something fails
	removeDatabase(fresh)
	if err := copyFile(from, fresh); err != nil {
		return nil, err
	}
	records, err := proveDatabase(ctx, cfg, fresh)
	if err != nil {
		return nil, fmt.Errorf("%s: %w; nothing was replaced", from, err)
	}
	kept, err := setAside(path)
	if err != nil {
		return nil, err
	}
	if err := os.Rename(fresh, path); err != nil {
		return nil, fmt.Errorf("putting the backup in place: %w; the database of before is %s", err, kept)
	}
	return fmt.Appendf(nil, `{"path":%q,"records":%d,"kept":%q}`, path, records, kept), syncFolder(cfg.Data)
}

// lockDatabase takes the lock that daemons and commands take.
func lockDatabase(path string) (release func(), err error) {
	f, err := os.OpenFile(path+".lock", os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, fmt.Errorf("locking the database: %w", err)
	}
	if err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		return nil, errors.Join(fmt.Errorf("%w: stop the daemon, or wait for the other command", errLocked), f.Close())
	}
	return func() { _ = f.Close() }, nil
}

func copyFile(from, to string) error {
	in, err := os.Open(from)
	if err != nil {
		return usage("%w", err)
	}
	defer in.Close()
	out, err := os.OpenFile(to, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600) // it holds the root key
	if err != nil {
		return fmt.Errorf("copying the backup: %w", err)
	}
	if _, err = io.Copy(out, in); err == nil {
		err = out.Sync()
	}
	if err = errors.Join(err, out.Close()); err != nil {
		return fmt.Errorf("copying the backup: %w", err)
	}
	return nil
}

// proveDatabase opens a copy, which brings its schema up to date or refuses it,
// and verifies its audit chain.
func proveDatabase(ctx context.Context, cfg *config.Config, path string) (records int64, err error) {
	c, err := storeConfig(cfg, zap.NewNop())
	if err != nil {
		return 0, err
	}
	c.DSN = "sqlite:" + path
	st, err := store.Open(ctx, c)
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, st.Close()) }()
	root, err := st.RootKey(ctx)
	if err != nil {
		return 0, fmt.Errorf("reading the root key: %w", err)
	}
	key, err := admin.TokenKey(root)
	if err != nil {
		return 0, fmt.Errorf("deriving the token key: %w", err)
	}
	service, err := admin.New(admin.Config{Store: st, TokenKey: key, BaseURL: func() string { return "" }, Principal: bySystem})
	if err != nil {
		return 0, err
	}
	v, err := service.VerifyAudit(ctx)
	if err == nil && !v.OK {
		err = fmt.Errorf("its audit chain is broken at record %d: %s", v.BrokenAt, v.Detail)
	}
	return v.Records, err
}

// setAside renames the database of before, with what belongs to it.
func setAside(path string) (kept string, err error) {
	kept = path + ".before-" + time.Now().UTC().Format("20060102T150405.000Z")
	for _, part := range []string{"-wal", "-shm", ""} {
		if err := os.Rename(path+part, kept+part); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return "", fmt.Errorf("setting the database of before aside: %w", err)
		} else if err != nil && part == "" {
			return "", nil // there was none
		}
	}
	return kept, nil
}

func removeDatabase(path string) {
	for _, part := range []string{"", "-wal", "-shm", ".lock"} {
		_ = os.Remove(path + part) // mostly there is none
	}
}

func syncFolder(path string) error {
	f, err := os.Open(path)
	if err != nil {
		return fmt.Errorf("syncing the data folder: %w", err)
	}
	if err := errors.Join(f.Sync(), f.Close()); err != nil {
		return fmt.Errorf("syncing the data folder: %w", err)
	}
	return nil
}
