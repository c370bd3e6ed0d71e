package main

import (
	"context"
	"fmt"
	"time"

	"github.com/usherd/usherd/admin"
	"github.com/usherd/usherd/config"
	"github.com/usherd/usherd/directory"
	"github.com/usherd/usherd/webhook"
	"go.uber.org/zap"
)

// webhookBook is where webhooks are kept.
func webhookBook(keeper directory.Keeper, root []byte, cfg *config.Config) (*webhook.Book, error) {
	key, err := admin.WebhookKey(root)
	if err != nil {
		return nil, fmt.Errorf("deriving the key of webhooks: %w", err)
	}
	client := &webhook.Client{Agent: "usherd/" + version()}
	for _, p := range cfg.Webhooks.Allow {
		client.Allow = append(client.Allow, p.Prefix)
	}
	return &webhook.Book{Keeper: keeper, Key: key, Client: client}, nil
}

// sendWebhooks sends webhooks while this replica is the one that does, until ctx
// ends.
func (d *daemon) sendWebhooks(ctx context.Context) {
	log := d.log.Named("webhook")
	sender := &webhook.Sender{
		Book: d.service.Webhooks, Source: &admin.Events{Service: d.service}, Leases: d.store, Holder: directory.NewID(), Every: time.Second,
		Report: func(msg, endpoint string, err error) { log.Warn(msg, zap.String("webhook", endpoint), zap.Error(err)) },
	}
	sender.Run(admin.WithPrincipal(ctx, bySystem))
}
