package main

import (
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"strings"

	"github.com/spf13/cobra"
	"github.com/usherd/usherd/admin"
)

func (a *app) supportCommand() *cobra.Command {
	return parent("support", "See into a running daemon", a.supportBundle(), a.supportLogLevel())
}

func (a *app) supportBundle() *cobra.Command {
	return &cobra.Command{
		Use: "bundle FILE", Short: "Write what helps to find a fault into a file, as tar.gz", Args: cobra.ExactArgs(1),
		Long: `Write what helps to find a fault into a file, as tar.gz: what the daemon is,
what doctor says of it, its configuration, how its sources stand, its metrics
and what it is doing. There is no secret in it and nothing about people. FILE
must not be there; - is standard output.`,
		Example: "  usherd support bundle support.tar.gz\n  usherd support bundle - > support.tar.gz",
		RunE: func(cmd *cobra.Command, args []string) (err error) {
			c, err := a.connect(cmd.Context(), false)
			if err != nil {
				return err
			}
			defer func() { err = errors.Join(err, c.close()) }()
			archive, err := c.fetch(cmd.Context(), http.MethodGet, "/api/v1/daemon/support-bundle", nil)
			if err != nil {
				return err
			}
			if args[0] == "-" {
				_, err := a.stdout.Write(archive)
				return err
			}
			return writeNew(args[0], archive)
		},
	}
}

// writeNew writes a file that is not there yet, for its owner alone.
func writeNew(path string, text []byte) (err error) {
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return fmt.Errorf("writing the archive: %w", err)
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	if _, err := f.Write(text); err != nil {
		return fmt.Errorf("writing the archive: %w", err)
	}
	return nil
}

func (a *app) supportLogLevel() *cobra.Command {
	return &cobra.Command{
		Use: "log-level [LEVEL]", Short: "Show what a daemon writes to its log, or write more for 15 minutes", Args: cobra.MaximumNArgs(1),
		Long: `Show what a daemon writes to its log, or have it write more or less for 15
minutes: ` + strings.Join(admin.LogLevels, ", ") + `. Then it is as configured again.
Other replicas are not touched.`,
		Example: "  usherd support log-level\n  usherd support log-level debug",
		RunE: func(cmd *cobra.Command, args []string) error {
			q := question{http.MethodGet, "/api/v1/daemon/log-level", nil, "LEVEL=level UNTIL=until", false}
			if len(args) == 1 {
				q.method, q.body = http.MethodPut, map[string]any{"level": args[0]}
			}
			return a.ask(cmd.Context(), q)
		},
	}
}

func (a *app) sourceCertificates() *cobra.Command {
	return &cobra.Command{
		Use: "certificates NAME", Short: "Connect to the servers of an LDAP source and show how they prove themselves", Args: cobra.ExactArgs(1),
		Example: "  usherd source certificates corp\n  usherd source certificates corp -o json",
		RunE: func(cmd *cobra.Command, args []string) error {
			return a.ask(cmd.Context(), question{
				http.MethodGet, sourcePath(args[0]) + "/certificates", nil, "SERVER=server TLS=tls EXPIRES=expires ISSUER=issuer ERROR=error", false,
			})
		},
	}
}

func (a *app) userFreshness() *cobra.Command {
	forget := false
	cmd := &cobra.Command{
		Use: "freshness USER", Short: "Show where an answer about a user comes from, and how old it is", Args: cobra.ExactArgs(1),
		Long: `Show where an answer about a user comes from: since when what the daemon holds
of the user is known, whether that differs from the store, and when each source
spoke of the user. --forget drops what is held, so that the next check reads
the store.`,
		Example: "  usherd user freshness ann@example.com\n  usherd user freshness ann@example.com --forget",
		RunE: func(cmd *cobra.Command, args []string) error {
			path := "/api/v1/users/" + url.PathEscape(args[0])
			if forget {
				return a.ask(cmd.Context(), question{http.MethodPost, path + "/forget", nil, "FORGOTTEN=forgotten", false})
			}
			return a.ask(cmd.Context(), question{
				http.MethodGet, path + "/freshness", nil, "USER=user REVISION=revision HELD=held DIFFERS=differs SOURCES=sources", false,
			})
		},
	}
	cmd.Flags().BoolVar(&forget, "forget", false, "drop what this daemon holds of the user; nobody gains or loses anything")
	return cmd
}
