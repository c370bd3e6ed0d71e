package main

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/http"
	"strings"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/usherd/usherd/authz/authzen"
	"github.com/usherd/usherd/authz/extauthz"
	"github.com/usherd/usherd/authz/watch"
	"github.com/usherd/usherd/config"
	"github.com/usherd/usherd/directory"
	"go.uber.org/zap"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/keepalive"
)

// bindings are the ways to ask beside the check API: reverse proxies, and
// applications that watch.
type bindings struct {
	gate     *extauthz.Gate
	watchers *watch.Handler
	grpc     *grpc.Server // nil without a listener
	grpcNet  net.Listener
}

// openBindings makes the bindings of the daemon. The handlers are registered by
// publicHandler.
func (d *daemon) openBindings(ctx context.Context, cfg *config.Config) (err error) {
	b := &d.bindings
	proxied := prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "usherd_ext_authz_total", Help: "Requests judged for reverse proxies, by binding and reason.",
	}, []string{"binding", "reason"})
	d.metrics.MustRegister(proxied, prometheus.NewGaugeFunc(prometheus.GaugeOpts{
		Name: "usherd_watchers", Help: "Applications that watch.",
	}, func() float64 { return float64(b.watchers.Len()) }))
	b.gate, err = extauthz.New(extauthz.Config{
		Evaluator: d.pdp, Caller: d.keys.caller, Ready: d.answers, Record: d.decisions.recorder(), Log: d.log.Named("ext_authz"),
		Observe: func(binding, reason string) { proxied.WithLabelValues(binding, reason).Inc() },
	})
	if err != nil {
		return err
	}
	b.watchers, err = watch.New(watch.Config{History: d.store, Seen: d.seen, Admit: d.mayWatch, Log: d.log.Named("watch")})
	if err != nil {
		return err
	}
	if err := b.use(cfg); err != nil {
		return err
	}
	d.public.server.RegisterOnShutdown(b.watchers.Close)
	return b.listen(ctx, cfg, &d.certs)
}

// use takes over what a configuration says of proxies.
func (b *bindings) use(cfg *config.Config) error {
	if !cfg.ExtAuthz.Enabled() {
		b.gate.Off()
		return nil
	}
	s, faults := gateSettings(cfg)
	if len(faults) > 0 {
		return faults
	}
	return b.gate.Use(s)
}

// listen opens the gRPC listener, if there is one.
func (b *bindings) listen(ctx context.Context, cfg *config.Config, certs *certificate) (err error) {
	if cfg.GRPC.Listen == "" {
		return nil
	}
	if b.grpcNet, err = (&net.ListenConfig{}).Listen(ctx, "tcp", cfg.GRPC.Listen); err != nil {
		return cannotListen("grpc.listen", cfg.GRPC.Listen, err)
	}
	options := []grpc.ServerOption{
		grpc.MaxRecvMsgSize(extauthz.MaxMessage), grpc.MaxSendMsgSize(extauthz.MaxMessage), grpc.MaxHeaderListSize(maxHeader),
		grpc.MaxConcurrentStreams(1000), grpc.ConnectionTimeout(headerTimeout),
		grpc.KeepaliveParams(keepalive.ServerParameters{Time: idleTimeout, Timeout: 20 * time.Second}),
		grpc.KeepaliveEnforcementPolicy(keepalive.EnforcementPolicy{MinTime: 10 * time.Second, PermitWithoutStream: true}),
	}
	if cfg.TLS.Enabled() {
		options = append(options, grpc.Creds(credentials.NewTLS(&tls.Config{MinVersion: tls.VersionTLS12, GetCertificate: certs.get})))
	}
	b.grpc = grpc.NewServer(options...)
	b.gate.Register(b.grpc)
	return nil
}

// serveGRPC answers until the server is stopped.
func (b *bindings) serveGRPC() error {
	if b.grpc == nil {
		return nil
	}
	if err := b.grpc.Serve(b.grpcNet); err != nil && !errors.Is(err, grpc.ErrServerStopped) {
		return fmt.Errorf("grpc listener: %w", err)
	}
	return nil
}

// stopGRPC lets calls under way end, until ctx does.
func (b *bindings) stopGRPC(ctx context.Context) {
	if b.grpc == nil {
		return
	}
	done := make(chan struct{})
	go func() { defer close(done); b.grpc.GracefulStop() }()
	select {
	case <-done:
	case <-ctx.Done():
		b.grpc.Stop()
		<-done
	}
}

// closeUnserved closes what was opened and never served.
func (b *bindings) closeUnserved() error {
	if b.grpcNet == nil {
		return nil
	}
	return b.grpcNet.Close()
}

// withProxies takes the requests of proxies before next sees them: a mux would
// clean the paths that are to be judged.
func (b *bindings) withProxies(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if b.gate.On() && extauthz.Handles(r) {
			b.gate.ServeHTTP(w, r)
			return
		}
		next.ServeHTTP(w, r)
	})
}

// answers reports whether there is a view that is fresh enough, and no end in
// sight.
func (d *daemon) answers() bool {
	_, err := d.seen()
	return err == nil && d.state.Load() == serving
}

// seen is the stamp that checks are answered from.
func (d *daemon) seen() (directory.Stamp, error) {
	view, err := d.cache.View()
	if err != nil {
		return directory.Stamp{}, err
	}
	if _, err := d.cache.Age(view); err != nil {
		return directory.Stamp{}, err
	}
	return view.Stamp, nil
}

// mayWatch lets holders of a check token with the scope watch in.
func (d *daemon) mayWatch(r *http.Request) error {
	by, err := d.keys.caller(bearerOf(r))
	switch {
	case errors.Is(err, authzen.ErrUnauthenticated):
		return watch.ErrUnauthenticated
	case err != nil:
		return err
	case !by.Has(authzen.ScopeWatch):
		return watch.ErrForbidden
	}
	return nil
}

// gateSettings translates what the configuration says of proxies. Faults say
// where in its files they are.
func gateSettings(cfg *config.Config) (s extauthz.Settings, faults config.Errors) {
	e := cfg.ExtAuthz
	s = extauthz.Settings{
		Identity: extauthz.Identity{From: e.Identity.From, Type: e.Identity.Type, Source: e.Identity.Source},
		Reasons:  e.Reasons, TokenHeader: e.TokenHeader,
	}
	switch e.Identity.From {
	case extauthz.FromHeader:
		s.Identity.Header = e.Identity.Name
	case extauthz.FromMetadata:
		s.Identity.Metadata = strings.Split(e.Identity.Name, "/")
	}
	rules := make([]extauthz.Rule, len(e.Routes))
	for i, r := range e.Routes {
		rules[i] = extauthz.Rule{Match: r.Match, Check: r.Check, Project: r.Project}
	}
	var wrong []extauthz.Fault
	s.Table, wrong = extauthz.NewTable(rules)
	for _, f := range append(s.Faults(), wrong...) {
		path := "ext_authz." + f.Field
		if f.Field == "identity" {
			path += ".name"
		}
		if f.Rule >= 0 {
			path = fmt.Sprintf("ext_authz.routes[%d].%s", f.Rule, f.Field)
		}
		faults = append(faults, placed(cfg, config.Error{Path: path, Msg: f.Msg, Hint: f.Hint}))
	}
	return s, faults
}

// routeFaults lists what is wrong with what the configuration says of proxies.
func routeFaults(cfg *config.Config) config.Errors {
	if !cfg.ExtAuthz.Enabled() {
		return nil
	}
	_, faults := gateSettings(cfg)
	return faults
}

// placed says where the key of a fault, or the block around it, was set.
func placed(cfg *config.Config, e config.Error) config.Error {
	for at := e.Path; at != ""; at = at[:max(0, strings.LastIndexAny(at, ".["))] {
		if o, ok := cfg.Origins()[at]; ok {
			e.File, e.Line, e.Column = o.From, o.Line, o.Column
			break
		}
	}
	return e
}

// grpcAddress is where the gRPC listener is; empty without one.
func (b *bindings) grpcAddress() string {
	if b.grpcNet == nil {
		return ""
	}
	return b.grpcNet.Addr().String()
}

// logGRPC says where proxies reach the daemon.
func (b *bindings) logGRPC(log *zap.Logger) {
	if b.grpcNet != nil {
		log.Info("serving gRPC", zap.Stringer("listen", b.grpcNet.Addr()))
	}
}
