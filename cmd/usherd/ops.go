package main

import (
	"context"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"net/http/pprof"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/prometheus/client_golang/prometheus/promhttp"
	"github.com/usherd/usherd/config"
	"go.uber.org/zap"
)

// opsListener opens the address of probes and metrics.
func opsListener(ctx context.Context, cfg *config.Config) (net.Listener, error) {
	l, err := (&net.ListenConfig{}).Listen(ctx, "tcp", cfg.OpsListen)
	if err != nil {
		return nil, cannotListen("ops_listen", cfg.OpsListen, err)
	}
	return l, nil
}

// opsHandler is what probes and scrapers reach.
func (d *daemon) opsHandler() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /livez", func(w http.ResponseWriter, _ *http.Request) { plain(w, http.StatusOK, "ok") })
	mux.HandleFunc("GET /healthz", d.readyz)
	mux.HandleFunc("GET /readyz", d.readyz)
	mux.Handle("GET /metrics", promhttp.HandlerFor(d.metrics, promhttp.HandlerOpts{ErrorLog: zap.NewStdLog(d.log)}))
	if d.cfg.Load().PProf {
		mux.HandleFunc("GET /debug/pprof/", pprof.Index)
		mux.HandleFunc("GET /debug/pprof/profile", pprof.Profile)
		mux.HandleFunc("GET /debug/pprof/symbol", pprof.Symbol)
		mux.HandleFunc("GET /debug/pprof/trace", pprof.Trace)
	}
	return recovered(d.log, mux)
}

func plain(w http.ResponseWriter, code int, text string) {
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	w.WriteHeader(code)
	fmt.Fprintln(w, text)
}

// A condition is one of the things that readiness hangs on.
type condition struct {
	name   string
	ok     bool
	needed bool // not ready without it; otherwise only degraded
	detail string
}

// conditions says how the daemon stands.
func (d *daemon) conditions(ctx context.Context) []condition {
	state := d.state.Load()
	list := []condition{{"process", state == serving, true, [...]string{"starting", "serving", "draining"}[state]}}
	view, err := d.cache.View()
	if err != nil {
		return append(list, condition{"view", false, true, "not loaded yet"})
	}
	age, err := d.cache.Age(view)
	list = append(list, condition{"view", err == nil, true, fmt.Sprintf("revision %d, %d ms old", view.Stamp.Revision, age.Milliseconds())})
	ctx, cancel := context.WithTimeout(ctx, 2*time.Second)
	defer cancel()
	stored := condition{"store", true, true, "answers"}
	if _, err := d.store.Head(ctx, view.Stamp); err != nil {
		stored.ok, stored.detail = false, "does not answer"
	}
	list = append(list, stored)
	if d.redis != nil {
		list = append(list, condition{"redis", d.redis.Up(), false, map[bool]string{true: "answers", false: "does not answer: degraded"}[d.redis.Up()]})
	}
	if d.configurationFault() != "" {
		list = append(list, condition{"configuration", false, false, "not taken over, the last one is in force: usherd doctor"})
	}
	return list
}

func (d *daemon) readyz(w http.ResponseWriter, r *http.Request) {
	code, word := http.StatusOK, "ok"
	var lines []string
	for _, c := range d.conditions(r.Context()) {
		mark := "[+]"
		switch {
		case !c.ok && c.needed:
			code, word, mark = http.StatusServiceUnavailable, "not ready", "[-]"
		case !c.ok:
			mark = "[!]"
			if code == http.StatusOK {
				word = "degraded"
			}
		}
		lines = append(lines, mark+" "+c.name+": "+c.detail)
	}
	if r.URL.Query().Has("verbose") || code != http.StatusOK {
		word = strings.Join(append(lines, word), "\n")
	}
	plain(w, code, word)
}

// healthy is what the watchdog of systemd hangs on: the process does its work,
// whatever the state of its surroundings.
func (d *daemon) healthy() bool { return d.state.Load() != draining }

// addresses is where a running daemon is reached. It is what GET /daemon on the
// socket answers, and what the file usherd.addr in the data folder holds.
type addresses struct {
	URL       string `json:"url"`
	Listen    string `json:"listen"`
	OpsListen string `json:"ops_listen"`
	GRPC      string `json:"grpc_listen,omitempty"`
	PID       int    `json:"pid"`
	Version   string `json:"version"`
}

func (d *daemon) addresses() addresses {
	return addresses{d.url, d.public.net.Addr().String(), d.ops.net.Addr().String(), d.grpcAddress(), os.Getpid(), version()}
}

func (d *daemon) describe(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Type", "application/json")
	said := struct {
		addresses
		Fault string `json:"configuration_fault,omitempty"` // see reloadFailed
	}{d.addresses(), d.configurationFault()}
	if err := json.NewEncoder(w).Encode(said); err != nil {
		d.log.Debug("writing an answer", zap.Error(err))
	}
}

func (d *daemon) addressFile() string { return filepath.Join(d.cfg.Load().Data, "usherd.addr") }

// writeAddresses records the addresses, which are not the configured ones where
// the port is 0.
func (d *daemon) writeAddresses() error {
	text, err := json.Marshal(d.addresses())
	if err != nil {
		return fmt.Errorf("recording the addresses: %w", err)
	}
	tmp := d.addressFile() + ".new"
	if err := os.WriteFile(tmp, append(text, '\n'), 0o600); err != nil {
		return fmt.Errorf("recording the addresses: %w", err)
	}
	if err := os.Rename(tmp, d.addressFile()); err != nil {
		return fmt.Errorf("recording the addresses: %w", err)
	}
	return nil
}
