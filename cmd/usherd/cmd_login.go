package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"path/filepath"

	"github.com/spf13/cobra"
)

func (a *app) loginCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "login [USER]",
		Short: "Make a link that signs a user in to the web console",
		Long: `Make a link that signs a user in to the web console, once, within ten minutes.
It is made by the daemon on this machine, through its socket: whoever reaches
that may sign in as anybody, and it is written to the audit trail of what they
do.

Without USER, in an organization that nobody owns yet, the link makes whoever
opens it the first owner.`,
		Example: `  usherd login ana@example.com
  usherd login --data /var/lib/usherd`,
		Args: cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if a.server != "" {
				return usage("login links are made on the machine of the daemon, by its socket, and not with --server")
			}
			cfg, err := a.load()
			if err != nil {
				return err
			}
			var body struct {
				User string `json:"user"`
			}
			if len(args) > 0 {
				body.User = args[0]
			}
			out, err := a.overSocket(filepath.Join(cfg.Data, socketName)).call(cmd.Context(), http.MethodPost, "/login-link", body)
			if err != nil {
				if _, ok := errors.AsType[*exitError](err); ok {
					return fmt.Errorf("%w; login needs a running daemon: usherd serve --data %s", err, cfg.Data)
				}
				return err
			}
			if a.format != "table" {
				return a.print(out, columns("URL=url USER=user VALID=valid"))
			}
			var link loginLink
			if err := json.Unmarshal(out, &link); err != nil {
				return fmt.Errorf("reading the answer: %w", err)
			}
			fmt.Fprintln(a.stdout, link.URL)
			return nil
		},
	}
}
