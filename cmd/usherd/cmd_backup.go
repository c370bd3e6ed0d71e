package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"path/filepath"

	"github.com/spf13/cobra"
	"github.com/usherd/usherd/admin"
	"github.com/usherd/usherd/directory"
	"github.com/usherd/usherd/store"
	"go.uber.org/zap"
)

func (a *app) backupCommand() *cobra.Command {
	return &cobra.Command{
		Use: "backup FILE", Short: "Copy the embedded database into a new file, while it is in use", Args: cobra.ExactArgs(1),
		Long: `Copy the embedded database into a new file, while it is in use. The copy is one
moment of the store and holds its root key: keep it as you keep a password. To
restore it, stop the daemon and use usherd restore.`,
		Example: "  usherd backup /var/backups/usherd.db",
		RunE: func(cmd *cobra.Command, args []string) error {
			if a.server != "" {
				return usage("a backup is written on the machine of the daemon: leave --server out there")
			}
			path, err := filepath.Abs(args[0])
			if err != nil {
				return usage("%s: %w", args[0], err)
			}
			return a.ask(cmd.Context(), question{http.MethodPost, "/backup", map[string]any{"path": path}, "PATH=path", false})
		},
	}
}

// backupHandler writes a backup to where whoever reaches the socket says.
func backupHandler(st *store.Store, log *zap.Logger) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		var body struct {
			Path string `json:"path"`
		}
		err := json.NewDecoder(http.MaxBytesReader(w, r.Body, 1<<16)).Decode(&body)
		if err != nil || !filepath.IsAbs(body.Path) {
			writeProblem(w, &admin.Problem{Title: "Not valid", Detail: "path must be absolute", Status: http.StatusBadRequest})
			return
		}
		if err := backup(r.Context(), st, body.Path); err != nil {
			log.Error("backup", zap.Error(err))
			writeProblem(w, &admin.Problem{Title: "The backup was not written", Detail: err.Error(), Status: http.StatusConflict})
			return
		}
		log.Info("backup written", zap.String("path", body.Path))
		w.Header().Set("Content-Type", "application/json")
		if err := json.NewEncoder(w).Encode(map[string]string{"path": body.Path}); err != nil {
			log.Debug("writing an answer", zap.Error(err))
		}
	}
}

func backup(ctx context.Context, st *store.Store, path string) error {
	err := st.Backup(ctx, path)
	if errors.Is(err, store.ErrNoBackup) {
		return fmt.Errorf("%w: %w", directory.ErrInvalid, err)
	}
	return err
}
