package main

import (
	"context"
	"crypto/hkdf"
	"crypto/sha256"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/usherd/usherd/admin"
	"github.com/usherd/usherd/authz"
	"github.com/usherd/usherd/authz/watch"
	"github.com/usherd/usherd/cache"
	"github.com/usherd/usherd/config"
	"github.com/usherd/usherd/console"
	"github.com/usherd/usherd/directory"
	"github.com/usherd/usherd/scim"
	"github.com/usherd/usherd/store"
	"go.uber.org/zap"
)

// How often the holder of one admin token may ask, a second and at once.
const (
	adminRate  = 50
	adminBurst = 500
)

// visibleWait is how long a write waits until this replica's checks see it.
const visibleWait = 10 * time.Second

// A daemon is everything that usherd serve runs. This file is where the parts
// meet.
type daemon struct {
	cfg     atomic.Pointer[config.Config] // replaced by a reload
	app     *app
	log     *zap.Logger
	level   zap.AtomicLevel
	metrics *prometheus.Registry

	levelUntil atomic.Pointer[time.Time] // when the level is as configured again; see console_tender.go

	store    *store.Store
	redis    *cache.Redis // nil without one
	cache    *cache.Cache[*authz.Snapshot]
	visible  *visibleStore
	keys     *keyring
	pdp      *pdp
	load     *checkLoad
	service  *admin.Service
	console  *console.Console
	embedded bool // inside a command, which says by itself how to get in
	sync     *syncer
	provlog  *provisioningLog
	work     *workMetrics

	decisions *decisionLog // nil without one
	bindings

	public, ops, socket *listening
	certs               certificate
	url                 string                                       // see publicURL
	managed             atomic.Pointer[map[directory.Section]string] // see managedSections
	state               atomic.Int32
	ready               chan struct{} // closed when it serves
	background          sync.WaitGroup
	reloading           sync.Mutex // held by the one reload
	reloadResult        prometheus.Gauge
	fault               atomic.Pointer[string] // see configurationFault
}

// The states of a daemon.
const (
	starting int32 = iota
	serving
	draining
)

// newDaemon opens the store and the listeners and puts the parts together.
// Nothing is answered before run.
func newDaemon(ctx context.Context, a *app, cfg *config.Config, level zap.AtomicLevel, log *zap.Logger) (*daemon, error) {
	d := &daemon{app: a, log: log, level: level, metrics: prometheus.NewRegistry(), ready: make(chan struct{})}
	d.cfg.Store(cfg)
	d.registerMetrics()
	if err := d.open(ctx, cfg); err != nil {
		return nil, errors.Join(err, d.closeParts())
	}
	return d, nil
}

// open opens the parts, the store first: its lock keeps other daemons out.
func (d *daemon) open(ctx context.Context, cfg *config.Config) (err error) {
	if d.store, err = openStore(ctx, cfg, d.log); err != nil {
		return err
	}
	root, err := d.store.RootKey(ctx)
	if err != nil {
		return fmt.Errorf("reading the root key: %w", err)
	}
	if err := d.openCache(cfg, root); err != nil {
		return err
	}
	if err := d.openListeners(ctx, cfg); err != nil {
		return err
	}
	return d.assemble(ctx, cfg, root)
}

// openCache makes the follower and the caches.
func (d *daemon) openCache(cfg *config.Config, root []byte) (err error) {
	if cfg.Redis.URL != "" {
		d.redis, err = cache.OpenRedis(cache.RedisConfig{
			URL: cfg.Redis.URL, Password: cfg.Redis.Password.Reveal(), Cluster: cfg.Redis.Cluster, RootKey: root,
			Timeout: time.Duration(cfg.Redis.Timeout), PoolSize: cfg.Redis.PoolSize,
		})
		if err != nil {
			return err
		}
	}
	d.cache, err = cache.New(cache.Config[*authz.Snapshot]{
		History: d.store,
		Build:   func(f directory.Facts) (*authz.Snapshot, error) { return authz.Compile(f), nil },
		Update: func(s *authz.Snapshot, st directory.Stretch) (*authz.Snapshot, error) {
			return s.Update(st), nil
		},
		Redis: d.redis, MaxStaleness: time.Duration(cfg.MaxStaleness), Log: d.log.Named("cache"), Metrics: d.metrics,
	})
	if err != nil {
		return err
	}
	d.provlog = newProvisioningLog(d.keepRequests, d.log.Named("provisioning"))
	d.visible = &visibleStore{Store: d.store, cache: d.cache, settle: d.provlog.settle, ran: d.work.run, wait: visibleWait}
	return nil
}

// openListeners opens the public and the operations address and the socket.
func (d *daemon) openListeners(ctx context.Context, cfg *config.Config) error {
	if err := d.certs.load(cfg.TLS); err != nil {
		return err
	}
	public, err := publicListener(ctx, cfg, &d.certs)
	if err != nil {
		return err
	}
	d.public = &listening{"public", public, newServer(nil, d.log)}
	ops, err := opsListener(ctx, cfg)
	if err != nil {
		return err
	}
	d.ops = &listening{"operations", ops, newServer(nil, d.log)}
	path := filepath.Join(cfg.Data, socketName)
	if conn, err := dialSocket(ctx, path); err == nil {
		return errors.Join(fmt.Errorf("another daemon runs on %s", cfg.Data), conn.Close())
	}
	socket, err := listenSocket(path)
	if err != nil {
		return err
	}
	d.socket = &listening{"socket", socket, newServer(nil, d.log)}
	d.url = publicURL(cfg, public.Addr())
	return nil
}

// assemble makes the handlers.
func (d *daemon) assemble(ctx context.Context, cfg *config.Config, root []byte) error {
	tokenKey, err := admin.TokenKey(root)
	if err != nil {
		return fmt.Errorf("deriving the token key: %w", err)
	}
	seal, err := hkdf.Key(sha256.New, root, nil, "usherd cursor seal v1", 32)
	if err != nil {
		return fmt.Errorf("deriving the cursor key: %w", err)
	}
	d.keys = &keyring{key: tokenKey, cache: d.cache, now: time.Now}
	digests, err := hkdf.Key(sha256.New, root, nil, "usherd decision log v1", 32)
	if err != nil {
		return fmt.Errorf("deriving the key of the decision log: %w", err)
	}
	if d.decisions, err = newDecisionLog(cfg, digests, d.metrics, d.log.Named("decisions")); err != nil {
		return err
	}
	d.pdp = &pdp{cache: d.cache, metrics: newCheckMetrics(d.metrics)}
	d.load = newCheckLoad(d.pdp.metrics, time.Now())
	if err := d.openBindings(ctx, cfg); err != nil {
		return err
	}
	d.sync = newSyncer(d.visible, cfg.Data, d.log.Named("ldap"))
	hooks, err := webhookBook(d.store, root, cfg)
	if err != nil {
		return err
	}
	d.service, err = admin.New(admin.Config{
		Store: d.visible, TokenKey: tokenKey, BaseURL: func() string { return d.url }, Sync: d.sync, PDP: d.pdp,
		CheckSettings: checkSettings, ManagedBy: d.managedBy, ManagedSections: d.managedSections, Webhooks: hooks,
		SecretFolder: d.cfg.Load().Console.SecretFolder, Tender: machine{d},
	})
	if err != nil {
		return err
	}
	d.sync.service = d.service
	if err := d.openConsole(root); err != nil {
		return err
	}
	front, err := scim.New(scim.Config{
		URL: d.url, Auth: d.keys, Read: d.store, Apply: d.visible, Seal: seal, Record: d.recordRequest, Log: d.log.Named("scim"),
		Limits: scimLimits(d.cfg.Load().SCIM), Link: d.service, Try: d.store,
	})
	if err != nil {
		return err
	}
	d.service.Provisioning = replayer{front}
	public, err := d.publicHandler(front, root)
	if err != nil {
		return err
	}
	d.public.server.Handler, d.public.server.WriteTimeout = d.withFarewell(public), answerTimeout
	d.socket.server.Handler = d.socketHandler()
	d.ops.server.Handler = d.opsHandler()
	return nil
}

// publicHandler is what identity providers, applications and remote
// administrators reach.
func (d *daemon) publicHandler(front *scim.Handler, root []byte) (http.Handler, error) {
	mux := http.NewServeMux()
	if err := d.registerChecks(mux, root); err != nil {
		return nil, err
	}
	api := http.NewServeMux()
	served := &admin.API{Service: d.service, Log: d.log.Named("api"), Limiter: &admin.Limiter{Rate: adminRate, Burst: adminBurst}}
	served.Register(api)
	documents := http.NewServeMux()
	served.RegisterDocument(documents)
	mux.Handle("GET "+admin.DocumentPath, withRequestID(documents))
	mux.Handle("GET /docs/api", withRequestID(documents))
	mux.Handle("/api/v1/", withRequestID(d.keys.adminOnly(patient(logged(d.log.Named("api"), recovered(d.log, api))))))
	mux.Handle("/", withRequestID(logged(d.log.Named("console"), recovered(d.log, fromAddress(d.console.Handler())))))
	mux.Handle(watch.Path, withRequestID(d.watchers))
	return d.withProxies(d.withClient(front.Before(mux))), nil
}

// socketHandler is what commands on this machine reach.
func (d *daemon) socketHandler() http.Handler {
	mux := http.NewServeMux()
	(&admin.API{Service: d.service, Log: d.log.Named("api")}).Register(mux)
	mux.HandleFunc("GET /daemon", d.describe)
	mux.HandleFunc("POST /login-link", d.makeLoginLink)
	mux.HandleFunc("POST /backup", backupHandler(d.store, d.log))
	return withRequestID(asLocalAdministrator(logged(d.log.Named("api"), recovered(d.log, mux))))
}

// run answers until ctx ends, and then drains.
func (d *daemon) run(ctx context.Context) error {
	work, stop := context.WithCancel(context.WithoutCancel(ctx))
	defer stop()
	failed := make(chan error, 4)
	for _, l := range []*listening{d.public, d.ops, d.socket} {
		d.background.Go(func() {
			if err := l.serve(); err != nil {
				failed <- err
			}
		})
	}
	d.background.Go(func() {
		if err := d.serveGRPC(); err != nil {
			failed <- err
		}
	})
	d.background.Go(func() { d.cache.Run(work) })
	d.background.Go(func() { d.watchers.Run(work) })
	d.background.Go(func() { d.provlog.run(work) })
	d.background.Go(func() { d.decisions.run(work) })
	err := d.start(ctx, work)
	if err == nil {
		select {
		case <-ctx.Done():
		case err = <-failed:
		}
	}
	return errors.Join(err, d.drain(stop))
}

// start waits for the first view, brings in what the configuration names and
// says that it is ready.
func (d *daemon) start(ctx, work context.Context) error {
	if _, err := d.cache.Wait(ctx, directory.Stamp{}); err != nil {
		if ctx.Err() != nil {
			return nil
		}
		return fmt.Errorf("loading the directory: %w", err)
	}
	if err := d.configureFirst(ctx, d.cfg.Load()); err != nil {
		return err
	}
	d.background.Go(func() { d.sync.follow(work, d.cache) })
	if err := d.writeAddresses(); err != nil {
		return err
	}
	if d.state.CompareAndSwap(starting, serving) {
		close(d.ready)
	}
	d.log.Info("serving", zap.String("url", d.url), zap.Stringer("listen", d.public.net.Addr()),
		zap.Stringer("ops_listen", d.ops.net.Addr()), zap.String("data", d.cfg.Load().Data), zap.String("version", version()))
	d.logGRPC(d.log)
	if err := d.offerFirstLink(admin.WithPrincipal(ctx, bySystem)); err != nil {
		d.log.Warn("no link for a first owner; use: usherd login", zap.Error(err))
	}
	notifyReady(d.log)
	d.background.Go(func() { watchdog(work, d.healthy) })
	d.background.Go(func() { d.watch(work) })
	d.background.Go(func() { d.housekeep(work) })
	d.background.Go(func() { d.countSeats(work) })
	d.background.Go(func() { d.load.run(work) })
	d.background.Go(func() { d.watchTokens(work) })
	d.background.Go(func() { d.sendWebhooks(work) })
	d.background.Go(func() { d.watchOwners(work) })
	d.background.Go(func() {
		if err := d.service.WarmLists(work); err != nil && work.Err() == nil {
			d.log.Warn("reading everybody for lists", zap.Error(err))
		}
	})
	d.background.Go(func() {
		d.service.RunJobs(work, func(err error) { d.log.Error("a job broke off", zap.Error(err)) })
	})
	return nil
}

// drain stops in the order in which others notice: not ready, no new runs, no
// new requests, then the parts.
func (d *daemon) drain(stop func()) error {
	d.state.Store(draining)
	notifyStopping(d.log)
	d.log.Info("stopping")
	time.Sleep(max(farewell, time.Duration(d.cfg.Load().DrainDelay)))
	limit, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	errs := []error{d.sync.stop(limit)}
	for _, l := range []*listening{d.public, d.socket, d.ops} {
		if err := l.server.Shutdown(limit); err != nil {
			errs = append(errs, fmt.Errorf("stopping the %s listener: %w", l.name, err), l.server.Close())
		}
	}
	d.stopGRPC(limit)
	stop()
	d.background.Wait()
	errs = append(errs, os.RemoveAll(d.addressFile()))
	return errors.Join(append(errs, d.closeParts())...)
}

// closeParts closes what newDaemon opened.
func (d *daemon) closeParts() error {
	var errs []error
	for _, l := range []*listening{d.public, d.ops, d.socket} {
		if l != nil && d.state.Load() == starting {
			errs = append(errs, l.net.Close())
		}
	}
	if d.state.Load() == starting {
		errs = append(errs, d.closeUnserved())
	}
	if d.redis != nil {
		errs = append(errs, d.redis.Close())
	}
	if d.store != nil {
		errs = append(errs, d.store.Close())
	}
	return errors.Join(errs...)
}
