package admin

import (
	"context"
	"crypto/hkdf"
	"crypto/sha256"
	"errors"
	"fmt"
	"strings"

	"github.com/usherd/usherd/directory"
	"github.com/usherd/usherd/webhook"
)

// WebhookKey derives the key that seals secrets of webhooks from the root key.
func WebhookKey(root []byte) ([]byte, error) {
	return hkdf.Key(sha256.New, root, nil, "usherd webhook seal v1", 32)
}

// webhooks is the gate of everything about webhooks: they tell other systems
// about people and permissions, and make the daemon connect to somewhere.
func (s *Service) webhooks(ctx context.Context, by *directory.Actor, action Action) (*webhook.Book, error) {
	var err error
	if by == nil {
		_, err = s.reads(ctx, action)
	} else {
		_, err = s.allowed(ctx, *by, action, "")
	}
	if err == nil && s.Webhooks == nil {
		err = fmt.Errorf("%w: this daemon sends no webhooks", ErrUnavailable)
	}
	return s.Webhooks, err
}

// AddWebhook adds an endpoint for events; none means all.
func (s *Service) AddWebhook(ctx context.Context, by directory.Actor, url string, events []string) (webhook.MadeEndpoint, error) {
	book, err := s.webhooks(ctx, &by, ManageWebhooks)
	if err != nil {
		return webhook.MadeEndpoint{}, err
	}
	if dryRun(ctx) {
		return webhook.MadeEndpoint{Endpoint: webhook.Endpoint{URL: url, Events: events, State: webhook.Active}}, nil
	}
	made, err := book.Add(ctx, url, events)
	if err != nil {
		return webhook.MadeEndpoint{}, err
	}
	if err := s.note(ctx, by, webhookAdded, made.ID, events...); err != nil {
		return webhook.MadeEndpoint{}, errors.Join(err, book.Remove(ctx, made.ID))
	}
	return made, nil
}

// ListWebhooks lists the endpoints.
func (s *Service) ListWebhooks(ctx context.Context) ([]webhook.Endpoint, error) {
	book, err := s.webhooks(ctx, nil, ReadWebhooks)
	if err != nil {
		return nil, err
	}
	return book.Endpoints(ctx)
}

// Webhook returns one endpoint.
func (s *Service) Webhook(ctx context.Context, id string) (webhook.Endpoint, error) {
	book, err := s.webhooks(ctx, nil, ReadWebhooks)
	if err != nil {
		return webhook.Endpoint{}, err
	}
	return book.Endpoint(ctx, id)
}

// SetWebhookState enables or disables an endpoint.
func (s *Service) SetWebhookState(ctx context.Context, by directory.Actor, id, state string) (webhook.Endpoint, error) {
	book, err := s.webhooks(ctx, &by, ManageWebhooks)
	if err != nil {
		return webhook.Endpoint{}, err
	}
	if state != webhook.Active && state != webhook.Disabled {
		return webhook.Endpoint{}, invalidAt("/state", "state %q is not one of active, disabled", state)
	}
	if dryRun(ctx) {
		return book.Endpoint(ctx, id)
	}
	action := webhookEnabled
	if state == webhook.Disabled {
		action = webhookDisabled
	}
	if err := s.noteKnown(ctx, by, book, action, id); err != nil {
		return webhook.Endpoint{}, err
	}
	return book.SetState(ctx, id, state, "by "+by.Kind+":"+by.Name)
}

// RotateWebhook makes a new secret; the old one signs too for a day.
func (s *Service) RotateWebhook(ctx context.Context, by directory.Actor, id string) (webhook.MadeEndpoint, error) {
	book, err := s.webhooks(ctx, &by, ManageWebhooks)
	if err != nil {
		return webhook.MadeEndpoint{}, err
	}
	if dryRun(ctx) {
		e, err := book.Endpoint(ctx, id)
		return webhook.MadeEndpoint{Endpoint: e}, err
	}
	if err := s.noteKnown(ctx, by, book, webhookRotated, id); err != nil {
		return webhook.MadeEndpoint{}, err
	}
	return book.Rotate(ctx, id)
}

// RemoveWebhook forgets an endpoint and its deliveries.
func (s *Service) RemoveWebhook(ctx context.Context, by directory.Actor, id string) error {
	book, err := s.webhooks(ctx, &by, ManageWebhooks)
	if err != nil {
		return err
	}
	if dryRun(ctx) {
		_, err := book.Endpoint(ctx, id)
		return err
	}
	if err := s.noteKnown(ctx, by, book, webhookRemoved, id); err != nil {
		return err
	}
	return book.Remove(ctx, id)
}

// noteKnown notes what is about to be done to an endpoint that there is: what
// can't be noted is not done.
func (s *Service) noteKnown(ctx context.Context, by directory.Actor, book *webhook.Book, action, id string) error {
	if _, err := book.Endpoint(ctx, id); err != nil {
		return err
	}
	return s.note(ctx, by, action, id)
}

// TestWebhook queues an event that says nothing.
func (s *Service) TestWebhook(ctx context.Context, by directory.Actor, id string) (webhook.Delivery, error) {
	book, err := s.webhooks(ctx, &by, ManageWebhooks)
	if err != nil {
		return webhook.Delivery{}, err
	}
	e, err := book.Endpoint(ctx, id)
	switch {
	case err != nil:
		return webhook.Delivery{}, err
	case e.State != webhook.Active:
		return webhook.Delivery{}, fmt.Errorf("%w: the webhook is disabled; enable it first (usherd webhook enable %s)", directory.ErrInUse, id)
	case dryRun(ctx):
		return webhook.Delivery{Endpoint: id, Event: webhook.Test, State: webhook.Pending}, nil
	}
	event := webhook.Event{Type: webhook.Test, Key: directory.NewID(), Time: s.Now(), Data: map[string]string{"webhook": id}}
	if err := s.note(ctx, by, webhookTested, id); err != nil {
		return webhook.Delivery{}, err
	}
	made, err := book.Put(ctx, event, id)
	if err == nil && len(made) == 0 {
		err = errors.New("the test was not queued")
	}
	if err != nil {
		return webhook.Delivery{}, err
	}
	return made[0], nil
}

// WebhookDeliveries lists the deliveries to an endpoint, the newest first.
func (s *Service) WebhookDeliveries(ctx context.Context, id string) ([]webhook.Delivery, error) {
	book, err := s.webhooks(ctx, nil, ReadWebhooks)
	if err != nil {
		return nil, err
	}
	return book.Deliveries(ctx, id)
}

// ResendWebhook queues a delivery again.
func (s *Service) ResendWebhook(ctx context.Context, by directory.Actor, delivery string) (webhook.Delivery, error) {
	book, err := s.webhooks(ctx, &by, ManageWebhooks)
	if err != nil {
		return webhook.Delivery{}, err
	}
	if dryRun(ctx) {
		return webhook.Delivery{ID: delivery, State: webhook.Pending}, nil
	}
	endpoint, _, _ := strings.Cut(delivery, "/")
	if err := s.noteKnown(ctx, by, book, webhookResent, endpoint); err != nil {
		return webhook.Delivery{}, err
	}
	return book.Resend(ctx, delivery)
}
