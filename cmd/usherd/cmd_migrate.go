package main

import (
	"fmt"
	"path/filepath"

	"github.com/spf13/cobra"
	"go.uber.org/zap"
)

func (a *app) migrateCommand() *cobra.Command {
	up := &cobra.Command{
		Use: "up", Short: "Bring the schema of the store up to date", Args: cobra.NoArgs,
		Long: `Bring the schema of the store up to date. The daemon does so itself when it
starts; with PostgreSQL it may be done before, while replicas of the version
before go on. A schema newer than this program is refused.`,
		Example: "  usherd migrate up --store postgres://usherd@db/usherd",
		RunE: func(cmd *cobra.Command, _ []string) error {
			cfg, err := a.load()
			if err != nil {
				return err
			}
			st, err := openStore(cmd.Context(), cfg, zap.NewNop())
			if err != nil {
				return unreachable(err)
			}
			fmt.Fprintln(a.stderr, "the schema is up to date")
			return st.Close()
		},
	}
	status := &cobra.Command{
		Use: "status", Short: "Say whether a daemon has the schema up to date", Args: cobra.NoArgs,
		Example: "  usherd migrate status",
		RunE: func(cmd *cobra.Command, _ []string) error {
			cfg, err := a.load()
			if err != nil {
				return err
			}
			conn, err := dialSocket(cmd.Context(), filepath.Join(cfg.Data, socketName))
			if err != nil {
				return unreachable(fmt.Errorf("no daemon runs on %s; usherd migrate up brings the schema up to date", cfg.Data))
			}
			fmt.Fprintln(a.stdout, "up to date: a daemon runs on it")
			return conn.Close()
		},
	}
	return parent("migrate", "Bring the schema of the store up to date", up, status)
}
