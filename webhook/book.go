package webhook

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/usherd/usherd/directory"
)

// Where endpoints and deliveries are kept.
const (
	endpointSpace = "webhook"         // by id; "place" is where the sender is
	pendingSpace  = "webhook-pending" // by endpoint/time-message
	doneSpace     = "webhook-done"
	placeKey      = "place"
	doneLife      = 30 * 24 * time.Hour
	rotationGrace = 24 * time.Hour
	maxEndpoints  = 50
)

// The states of an endpoint.
const (
	Active   = "active"
	Disabled = "disabled"
)

// An Endpoint is somewhere that events go.
type Endpoint struct {
	ID      string    `json:"id"`
	URL     string    `json:"url"`
	Events  []string  `json:"events,omitempty"` // empty: all
	State   string    `json:"state"`
	Reason  string    `json:"reason,omitempty"` // why it is disabled
	Created time.Time `json:"created"`
	// How many secrets sign: two for a day after one was rotated.
	Secrets int `json:"secrets"`
	// Of the newest attempt, and since when none was answered with 2xx.
	LastStatus int       `json:"last_status,omitempty"`
	LastTry    time.Time `json:"last_try,omitzero"`
	FailsSince time.Time `json:"fails_since,omitzero"`
}

// A MadeEndpoint is an endpoint with its secret, which is shown this once.
type MadeEndpoint struct {
	Endpoint
	Secret string `json:"secret"`
}

// keptEndpoint is an endpoint as it is kept.
type keptEndpoint struct {
	Endpoint
	Sealed []sealedSecret `json:"sealed"` // the newest first
}

type sealedSecret struct {
	Text  []byte    `json:"text"`
	Until time.Time `json:"until,omitzero"`
}

// The states of a delivery.
const (
	Pending   = "pending"
	Delivered = "delivered"
	Failed    = "failed" // was tried for a day
)

// A Delivery is one event on its way to one endpoint.
type Delivery struct {
	ID       string          `json:"id"` // the key of its record
	Message  string          `json:"message"`
	Endpoint string          `json:"endpoint"`
	Event    string          `json:"event"`
	State    string          `json:"state"`
	Attempts int             `json:"attempts"`
	Status   int             `json:"status,omitempty"` // of the newest attempt
	Error    string          `json:"error,omitempty"`
	Took     int64           `json:"took_ms,omitempty"`
	Created  time.Time       `json:"created"`
	Next     time.Time       `json:"next,omitzero"` // when it is tried again
	Ended    time.Time       `json:"ended,omitzero"`
	Body     json.RawMessage `json:"body"`
}

// A Book keeps endpoints and deliveries. Its methods are safe for concurrent
// use, in several processes too.
type Book struct {
	Keeper directory.Keeper
	Key    []byte           // seals secrets: 32 bytes
	Now    func() time.Time // default time.Now
	Client *Client          // says which addresses are allowed
}

func (b *Book) now() time.Time {
	if b.Now != nil {
		return b.Now().UTC()
	}
	return time.Now().UTC()
}

// Add makes an endpoint.
func (b *Book) Add(ctx context.Context, address string, events []string) (MadeEndpoint, error) {
	if err := b.checkURL(address); err != nil {
		return MadeEndpoint{}, err
	}
	if err := checkTypes(events); err != nil {
		return MadeEndpoint{}, err
	}
	all, err := b.Endpoints(ctx)
	if err != nil {
		return MadeEndpoint{}, err
	}
	if len(all) >= maxEndpoints {
		return MadeEndpoint{}, fmt.Errorf("%w: there are %d endpoints already; remove one first", directory.ErrInUse, len(all))
	}
	e := keptEndpoint{Endpoint: Endpoint{ID: "wh_" + strings.ReplaceAll(directory.NewID(), "-", ""), URL: address, Events: events, State: Active, Created: b.now().Truncate(time.Millisecond)}}
	raw, text, err := newSecret()
	if err != nil {
		return MadeEndpoint{}, err
	}
	if err := e.prepend(b, raw); err != nil {
		return MadeEndpoint{}, err
	}
	_, err = b.put(ctx, directory.Kept{Space: endpointSpace, Key: e.ID}, e)
	return MadeEndpoint{b.shown(e), text}, err
}

func (e *keptEndpoint) prepend(b *Book, raw []byte) error {
	sealed, err := seal(b.Key, e.ID, raw)
	e.Sealed = slices.Insert(e.Sealed, 0, sealedSecret{Text: sealed})
	return err
}

// checkURL refuses what can't be a receiver. Where its name leads is looked at
// with every attempt.
func (b *Book) checkURL(address string) error {
	u, err := url.Parse(address)
	switch {
	case err != nil || u.Host == "" || u.Scheme != "https" && u.Scheme != "http":
		return fmt.Errorf("%w: %q is not an address such as https://example.com/hooks", directory.ErrInvalid, address)
	case u.User != nil || u.Fragment != "":
		return fmt.Errorf("%w: an address without user and fragment is needed: what must be secret is the signature", directory.ErrInvalid)
	case u.Scheme == "http" && !b.Client.allowsPlain(u.Hostname()):
		return fmt.Errorf("%w: http is for addresses that webhooks.allow names; use https", directory.ErrInvalid)
	}
	return b.Client.checkLiteral(u.Hostname())
}

func (b *Book) put(ctx context.Context, record directory.Kept, v any) (directory.Kept, error) {
	value, err := json.Marshal(v)
	if err != nil {
		return record, fmt.Errorf("encoding a webhook: %w", err)
	}
	record.Value = value
	return b.Keeper.PutKept(ctx, record)
}

// shown is an endpoint without its secrets.
func (b *Book) shown(e keptEndpoint) Endpoint {
	e.Secrets = 0
	for _, s := range e.Sealed {
		if s.valid(b.now()) {
			e.Secrets++
		}
	}
	return e.Endpoint
}

func (s sealedSecret) valid(now time.Time) bool { return s.Until.IsZero() || now.Before(s.Until) }

// kept returns an endpoint as it is kept.
func (b *Book) kept(ctx context.Context, id string) (e keptEndpoint, record directory.Kept, err error) {
	if id == placeKey {
		return e, record, fmt.Errorf("%w: no webhook %s", directory.ErrNotFound, id)
	}
	record, err = b.Keeper.Kept(ctx, endpointSpace, id)
	if errors.Is(err, directory.ErrNotFound) {
		return e, record, fmt.Errorf("%w: no webhook %s (usherd webhook list)", directory.ErrNotFound, id)
	}
	if err == nil {
		err = json.Unmarshal(record.Value, &e)
	}
	return e, record, err
}

// Endpoint returns one endpoint.
func (b *Book) Endpoint(ctx context.Context, id string) (Endpoint, error) {
	e, _, err := b.kept(ctx, id)
	return b.shown(e), err
}

// Endpoints lists the endpoints, the oldest first.
func (b *Book) Endpoints(ctx context.Context) ([]Endpoint, error) {
	out := []Endpoint{}
	return out, b.each(ctx, endpointSpace, "wh_", func(record directory.Kept) error {
		var e keptEndpoint
		if err := json.Unmarshal(record.Value, &e); err != nil {
			return fmt.Errorf("reading a webhook: %w", err)
		}
		out = append(out, b.shown(e))
		return nil
	})
}

// change edits an endpoint, again if somebody else does at the same time.
func (b *Book) change(ctx context.Context, id string, edit func(*keptEndpoint) error) (Endpoint, error) {
	for {
		e, record, err := b.kept(ctx, id)
		if err != nil {
			return Endpoint{}, err
		}
		if err := edit(&e); err != nil {
			return Endpoint{}, err
		}
		if _, err = b.put(ctx, record, e); !errors.Is(err, directory.ErrVersion) {
			return b.shown(e), err
		}
	}
}

// Rotate makes a new secret. The old one signs too for a day.
func (b *Book) Rotate(ctx context.Context, id string) (MadeEndpoint, error) {
	raw, text, err := newSecret()
	if err != nil {
		return MadeEndpoint{}, err
	}
	e, err := b.change(ctx, id, func(e *keptEndpoint) error {
		e.Sealed = slices.DeleteFunc(e.Sealed, func(s sealedSecret) bool { return !s.Until.IsZero() })
		for i := range e.Sealed {
			e.Sealed[i].Until = b.now().Add(rotationGrace)
		}
		return e.prepend(b, raw)
	})
	return MadeEndpoint{e, text}, err
}

// SetState enables or disables an endpoint. What is pending waits meanwhile.
func (b *Book) SetState(ctx context.Context, id, state, reason string) (Endpoint, error) {
	return b.change(ctx, id, func(e *keptEndpoint) error {
		e.State, e.Reason = state, reason
		if state == Active {
			e.Reason, e.FailsSince = "", time.Time{}
		}
		return nil
	})
}

// Remove forgets an endpoint and its deliveries.
func (b *Book) Remove(ctx context.Context, id string) error {
	if _, _, err := b.kept(ctx, id); err != nil {
		return err
	}
	if err := b.Keeper.DropKept(ctx, endpointSpace, id); err != nil {
		return err
	}
	for _, space := range []string{pendingSpace, doneSpace} {
		var keys []string
		err := b.each(ctx, space, id+"/", func(record directory.Kept) error {
			keys = append(keys, record.Key)
			return nil
		})
		if err != nil {
			return err
		}
		for _, key := range keys {
			if err := b.Keeper.DropKept(ctx, space, key); err != nil && !errors.Is(err, directory.ErrNotFound) {
				return err
			}
		}
	}
	return nil
}

// Deliveries lists the deliveries of an endpoint, the newest first.
func (b *Book) Deliveries(ctx context.Context, id string) ([]Delivery, error) {
	if _, _, err := b.kept(ctx, id); err != nil {
		return nil, err
	}
	out := []Delivery{}
	for _, space := range []string{pendingSpace, doneSpace} {
		err := b.each(ctx, space, id+"/", func(record directory.Kept) error {
			var d Delivery
			if err := json.Unmarshal(record.Value, &d); err != nil {
				return fmt.Errorf("reading a delivery: %w", err)
			}
			out = append(out, d)
			return nil
		})
		if err != nil {
			return nil, err
		}
	}
	slices.SortFunc(out, func(a, b Delivery) int { return cmp.Compare(b.ID, a.ID) })
	return out, nil
}

// Put queues an event for the endpoints that want it; to, if it is not empty, is
// the only one. An event that is there already is not queued again.
func (b *Book) Put(ctx context.Context, e Event, to string) ([]Delivery, error) {
	all, err := b.Endpoints(ctx)
	if err != nil {
		return nil, err
	}
	body, err := e.body()
	if err != nil {
		return nil, err
	}
	var out []Delivery
	for _, end := range all {
		wants := to == end.ID
		if to == "" {
			wants = end.State == Active && (len(end.Events) == 0 || slices.Contains(end.Events, e.Type))
		}
		if !wants {
			continue
		}
		d := Delivery{
			ID: fmt.Sprintf("%s/%012x-%s", end.ID, e.Time.UnixMilli(), e.ID()), Message: e.ID(), Endpoint: end.ID,
			Event: e.Type, State: Pending, Created: b.now(), Next: b.now(), Body: body,
		}
		if _, err := b.Keeper.Kept(ctx, doneSpace, d.ID); err == nil {
			continue
		}
		if _, err := b.put(ctx, directory.Kept{Space: pendingSpace, Key: d.ID}, d); err != nil && !errors.Is(err, directory.ErrVersion) {
			return out, err
		}
		out = append(out, d)
	}
	return out, nil
}

// Resend queues a delivery again, whatever came of it.
func (b *Book) Resend(ctx context.Context, id string) (Delivery, error) {
	for _, space := range []string{doneSpace, pendingSpace} {
		record, err := b.Keeper.Kept(ctx, space, id)
		if errors.Is(err, directory.ErrNotFound) {
			continue
		}
		var d Delivery
		if err == nil {
			err = json.Unmarshal(record.Value, &d)
		}
		if err != nil {
			return d, err
		}
		d.State, d.Attempts, d.Next, d.Ended = Pending, 0, b.now(), time.Time{}
		if space == pendingSpace {
			_, err = b.put(ctx, record, d)
			return d, err
		}
		if _, err = b.put(ctx, directory.Kept{Space: pendingSpace, Key: id}, d); err != nil {
			return d, err
		}
		return d, b.Keeper.DropKept(ctx, doneSpace, id)
	}
	return Delivery{}, fmt.Errorf("%w: no delivery %s (usherd webhook deliveries)", directory.ErrNotFound, id)
}

// each calls f for the records of a space whose keys begin with a prefix.
func (b *Book) each(ctx context.Context, space, prefix string, f func(directory.Kept) error) error {
	const page = 100
	for after := prefix; ; {
		records, err := b.Keeper.ListKept(ctx, space, after, page)
		if err != nil {
			return err
		}
		for _, record := range records {
			if after = record.Key; !strings.HasPrefix(after, prefix) {
				return nil
			}
			if err := f(record); err != nil {
				return err
			}
		}
		if len(records) < page {
			return nil
		}
	}
}
