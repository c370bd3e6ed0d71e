package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"

	"github.com/usherd/usherd/admin"
	"github.com/usherd/usherd/config"
	"github.com/usherd/usherd/store"
	"go.uber.org/zap"
)

// An offline is what commands act on when no daemon runs: the same handlers, on
// the store itself.
type offline struct {
	store   *store.Store
	service *admin.Service
	log     *zap.Logger
}

func newOffline(ctx context.Context, cfg *config.Config, log *zap.Logger) (*offline, error) {
	st, err := openStore(ctx, cfg, log)
	if err != nil {
		return nil, err
	}
	root, err := st.RootKey(ctx)
	if err != nil {
		return nil, errors.Join(fmt.Errorf("reading the root key: %w", err), st.Close())
	}
	key, err := admin.TokenKey(root)
	if err != nil {
		return nil, errors.Join(fmt.Errorf("deriving the token key: %w", err), st.Close())
	}
	hooks, err := webhookBook(st, root, cfg)
	if err != nil {
		return nil, errors.Join(err, st.Close())
	}
	sync := newSyncer(st, cfg.Data, log)
	service, err := admin.New(admin.Config{
		Store: st, TokenKey: key, BaseURL: func() string { return configuredURL(cfg) }, Sync: sync, CheckSettings: checkSettings,
		Webhooks: hooks,
	})
	if err != nil {
		return nil, errors.Join(err, st.Close())
	}
	sync.service = service
	return &offline{st, service, log}, nil
}

// configuredURL is where the daemon will be reached when it runs.
func configuredURL(cfg *config.Config) string {
	return publicURL(cfg, textAddr(cfg.Listen))
}

// A textAddr is an address as it is written.
type textAddr string

// Network implements [net.Addr].
func (textAddr) Network() string { return "tcp" }

// String implements [net.Addr].
func (a textAddr) String() string { return string(a) }

func (o *offline) socketHandler() http.Handler {
	mux := http.NewServeMux()
	(&admin.API{Service: o.service, Log: o.log}).Register(mux)
	mux.HandleFunc("POST /backup", backupHandler(o.store, o.log))
	return withRequestID(asLocalAdministrator(recovered(o.log, mux)))
}

func (o *offline) close() error { return o.store.Close() }
