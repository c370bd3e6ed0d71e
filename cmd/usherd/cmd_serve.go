package main

import (
	"context"
	"fmt"
	"os"
	"syscall"

	"github.com/redis/go-redis/v9"
	"github.com/spf13/cobra"
	"github.com/usherd/usherd/config"
	"go.uber.org/zap"
)

func (a *app) serveCommand() *cobra.Command {
	var check bool
	cmd := &cobra.Command{
		Use:   "serve",
		Short: "Run the daemon",
		Long: `Run the daemon. With nothing configured it keeps its database in ./usherd-data,
listens on 127.0.0.1:8080 for identity providers and applications and on
127.0.0.1:9090 for probes and metrics.

SIGTERM stops it after what is under way; a second one stops it at once. SIGHUP,
or a changed configuration file, reloads: a bad file changes nothing.`,
		Example: `  usherd serve
  usherd serve --data /var/lib/usherd --listen 127.0.0.1:8080 --ops-listen 127.0.0.1:9090
  usherd serve --store postgres://usherd@db/usherd --redis redis://cache:6379
  usherd serve --config /etc/usherd/usherd.yaml --check-config`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			cfg, err := a.load()
			if err != nil {
				return err
			}
			for _, w := range cfg.Warnings() {
				fmt.Fprintln(a.stderr, "warning: "+w.Error())
			}
			if check {
				fmt.Fprintln(a.stderr, "configuration is valid")
				return nil
			}
			return a.serve(cmd.Context(), cfg)
		},
	}
	a.keyFlags(cmd, map[string]string{
		"listen":        "`address` for identity providers, applications and administrators",
		"ops-listen":    "`address` for probes and metrics",
		"redis":         "`url` of the cache that replicas share",
		"url":           "`url` under which clients reach the daemon",
		"tls-cert":      "`file` with the certificate chain, PEM",
		"tls-key":       "`file` with the private key, PEM",
		"max-staleness": "oldest answer that a check gives",
		"drain-delay":   "wait between not ready and closing the listeners",
		"log-level":     "debug, info, warn or error",
		"log-format":    "json, console or auto",
		"policy-file":   "policy `file` to apply at start and when it changes",
		"insecure-http": "allow plain HTTP beyond loopback, behind a proxy that ends TLS",
	})
	cmd.Flags().BoolVar(&check, "check-config", false, "only check the configuration (exit code 3 if it is not valid)")
	return cmd
}

// keys are the keys of the configuration behind the flags of serve.
var keys = map[string]string{
	"listen": "listen", "ops-listen": "ops_listen", "redis": "redis", "url": "url", "tls-cert": "tls.cert", "tls-key": "tls.key",
	"max-staleness": "max_staleness", "drain-delay": "drain_delay", "log-level": "log.level", "log-format": "log.format",
	"policy-file": "policy.file", "insecure-http": "insecure_http",
}

func (a *app) keyFlags(cmd *cobra.Command, uses map[string]string) {
	for name, use := range uses {
		k := a.key(keys[name])
		if name == "insecure-http" {
			k.typ = "bool"
			cmd.Flags().VarPF(k, name, "", use).NoOptDefVal = "true"
			continue
		}
		cmd.Flags().Var(k, name, use)
	}
}

// serve runs the daemon until a signal ends it.
func (a *app) serve(ctx context.Context, cfg *config.Config) error {
	level := zap.NewAtomicLevel()
	log := newLog(cfg.Log, level)
	defer func() { _ = log.Sync() }() // stderr may be a terminal, which can't be synced
	redis.SetLogger(redisLog{log.Named("redis")})
	for _, name := range config.SecretVariables(os.Environ(), cfg) {
		if err := os.Unsetenv(name); err != nil {
			return fmt.Errorf("forgetting $%s: %w", name, err)
		}
	}
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	d, err := newDaemon(ctx, a, cfg, level, log)
	if err != nil {
		return err
	}
	go a.obey(ctx, stop, d)
	return d.run(ctx)
}

// obey acts on signals until ctx ends, and on a second order to stop even then.
func (a *app) obey(ctx context.Context, stop func(), d *daemon) {
	for sig := range a.signals {
		if sig == syscall.SIGHUP {
			d.reload(ctx)
			continue
		}
		if ctx.Err() != nil {
			d.log.Warn("stopping at once", zap.Stringer("signal", sig))
			os.Exit(exitFailed)
		}
		stop()
	}
}
