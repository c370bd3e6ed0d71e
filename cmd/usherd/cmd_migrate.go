package main

import (
	"encoding/json"
	"fmt"

	"github.com/spf13/cobra"
	"github.com/usherd/usherd/store"
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
		Use: "status", Short: "Compare the schema of the store with what this program brings", Args: cobra.NoArgs,
		Example: "  usherd migrate status\n  usherd migrate status --store postgres://usherd@db/usherd -o json",
		RunE: func(cmd *cobra.Command, _ []string) error {
			cfg, err := a.load()
			if err != nil {
				return err
			}
			c, err := storeConfig(cfg, zap.NewNop())
			if err != nil {
				return err
			}
			schema, err := store.SchemaOf(cmd.Context(), c)
			if err != nil {
				return unreachable(err)
			}
			text, err := json.Marshal(schemaStatus(schema))
			if err != nil {
				return err
			}
			return a.print(text, columns("have=have newest=newest state=state"))
		},
	}
	return parent("migrate", "Bring the schema of the store up to date", up, status)
}

// schemaStatus says what to do about a schema.
func schemaStatus(s store.Schema) map[string]any {
	state := "up to date"
	switch {
	case s.Have == 0:
		state = "new: usherd serve or usherd migrate up makes it"
	case s.Have < s.Newest:
		state = "behind: usherd serve or usherd migrate up brings it up to date"
	case s.Have > s.Newest:
		state = "newer than this program: start a newer usherd"
	}
	return map[string]any{"have": s.Have, "newest": s.Newest, "state": state}
}
