package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"github.com/spf13/cobra"
	"github.com/usherd/usherd/config"
)

func (a *app) healthcheckCommand() *cobra.Command {
	var live bool
	cmd := &cobra.Command{
		Use: "healthcheck", Short: "Ask the daemon whether it is ready (exit code 0, 1 or 4)", Args: cobra.NoArgs,
		Long: `Ask the daemon whether it is ready. It is asked at its operations listener: the
one of the daemon on --data, or the address that --server names.`,
		Example: "  usherd healthcheck --data /var/lib/usherd\n  usherd healthcheck --server http://10.0.0.7:9090",
		RunE: func(cmd *cobra.Command, _ []string) error {
			path := "/readyz"
			if live {
				path = "/livez"
			}
			if a.server != "" {
				return a.readyAt(cmd.Context(), strings.TrimRight(a.server, "/")+path)
			}
			cfg, err := a.load()
			if err != nil {
				return err
			}
			if err := runsOn(cmd.Context(), cfg); err != nil {
				return err
			}
			return a.readyAt(cmd.Context(), "http://"+reachable(opsAddress(cfg))+path)
		},
	}
	cmd.Flags().BoolVar(&live, "live", false, "ask only whether the process lives")
	return cmd
}

// readyAt asks an operations listener.
func (a *app) readyAt(ctx context.Context, address string) error {
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	if err != nil {
		return usage("--server: %w", err)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return unreachable(err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(io.LimitReader(resp.Body, 64<<10))
	if err != nil {
		return unreachable(err)
	}
	if resp.StatusCode == http.StatusNotFound {
		return unreachable(fmt.Errorf("%s is no operations listener (ops_listen in the configuration)", address))
	}
	if resp.StatusCode != http.StatusOK {
		return errors.New("not ready\n" + strings.TrimSpace(string(text)))
	}
	return nil
}

// runsOn says so if no daemon runs on the data folder. Whoever listens on the
// default address then is somebody else. A daemon whose address is configured is
// asked there: its folder may be out of reach for who asks.
func runsOn(ctx context.Context, cfg *config.Config) error {
	if _, configured := cfg.Origins()["ops_listen"]; configured {
		return nil
	}
	conn, err := dialSocket(ctx, filepath.Join(cfg.Data, socketName))
	switch {
	case err == nil:
		return conn.Close()
	case errors.Is(err, fs.ErrNotExist) || errors.Is(err, syscall.ECONNREFUSED):
		return unreachable(fmt.Errorf("no daemon runs on %s; name its folder with --data, or start one with usherd serve", cfg.Data))
	}
	return nil // the socket is its owner's only
}

// opsAddress is the address that a running daemon recorded, else the configured
// one.
func opsAddress(cfg *config.Config) string {
	text, err := os.ReadFile(filepath.Join(cfg.Data, "usherd.addr"))
	var recorded addresses
	if err == nil && json.Unmarshal(text, &recorded) == nil && recorded.OpsListen != "" {
		return recorded.OpsListen
	}
	return cfg.OpsListen
}

// reachable turns an address that listens everywhere into one to connect to.
func reachable(addr string) string {
	host, port, err := net.SplitHostPort(addr)
	if ip := net.ParseIP(host); err == nil && (host == "" || ip != nil && ip.IsUnspecified()) {
		return net.JoinHostPort("localhost", port)
	}
	return addr
}
