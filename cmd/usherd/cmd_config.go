package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/spf13/cobra"
	"github.com/usherd/usherd/config"
)

func (a *app) configCommand() *cobra.Command {
	var origins bool
	check := &cobra.Command{
		Use: "check", Short: "Check the configuration (exit code 3 if it is not valid)", Args: cobra.NoArgs,
		Example: "  usherd config check --config /etc/usherd/usherd.yaml",
		RunE: func(*cobra.Command, []string) error {
			cfg, err := a.load()
			if err != nil {
				return err
			}
			for _, w := range cfg.Warnings() {
				fmt.Fprintln(a.stderr, "warning: "+w.Error())
			}
			fmt.Fprintln(a.stderr, "configuration is valid")
			return nil
		},
	}
	show := &cobra.Command{
		Use: "print", Short: "Print the configuration that files, variables and flags make", Args: cobra.NoArgs,
		Example: "  usherd config print --origins",
		RunE: func(*cobra.Command, []string) error {
			cfg, err := a.load()
			if err != nil {
				return err
			}
			text, err := cfg.Print(origins)
			if err != nil {
				return err
			}
			return a.printFile(text)
		},
	}
	show.Flags().BoolVar(&origins, "origins", false, "say where each value was set")
	schema := &cobra.Command{
		Use: "schema", Short: "Print the JSON Schema of the configuration file", Example: "  usherd config schema > usherd.schema.json", Args: cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error {
			text, err := json.MarshalIndent(config.Schema(), "", "  ")
			if err != nil {
				return fmt.Errorf("printing the schema: %w", err)
			}
			_, err = fmt.Fprintf(a.stdout, "%s\n", text)
			return err
		},
	}
	return parent("config", "Check, print and begin the configuration", check, show, schema, a.configInit())
}

// beginning is what usherd config init writes.
const beginning = `apiVersion: v1

# Folder of the database and of the socket that commands talk to.
data: usherd-data

# Identity providers, applications and administrators. Beyond loopback it needs
# tls, or insecure_http: true behind a proxy that ends TLS.
listen: 127.0.0.1:8080

# Probes and metrics.
ops_listen: 127.0.0.1:9090

# Where clients reach the daemon, if not at http://LISTEN.
# url: https://usherd.example.com

# To run several replicas:
# store: postgres://usherd@db.example.com:5432/usherd?sslmode=verify-full
# redis: rediss://cache.example.com:6379

# All keys: usherd config schema
`

func (a *app) configInit() *cobra.Command {
	return &cobra.Command{
		Use: "init [FILE]", Short: "Write a configuration file to begin with (default usherd.yaml)", Args: cobra.MaximumNArgs(1),
		Example: "  usherd config init /etc/usherd/usherd.yaml",
		RunE: func(_ *cobra.Command, args []string) error {
			name := "usherd.yaml"
			if len(args) > 0 {
				name = args[0]
			}
			if name == "-" {
				_, err := io.WriteString(a.stdout, beginning)
				return err
			}
			f, err := os.OpenFile(name, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o644)
			if err != nil {
				return fmt.Errorf("beginning a configuration: %w", err)
			}
			if _, err := io.WriteString(f, beginning); err != nil {
				return errors.Join(fmt.Errorf("writing %s: %w", name, err), f.Close())
			}
			fmt.Fprintln(a.stderr, "wrote "+name)
			return f.Close()
		},
	}
}
