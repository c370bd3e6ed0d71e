package webhook

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"slices"
	"time"

	"github.com/usherd/usherd/directory"
)

// The types of event.
const (
	UserDeactivated  = "user.deactivated"
	PermissionLost   = "permission.lost"
	PermissionGained = "permission.gained"
	GroupBlocked     = "group.blocked"
	PlanHeld         = "plan.held"
	TokenExpiring    = "token.expiring"
	Test             = "webhook.test" // on demand, to one endpoint
)

// Types are the events that an endpoint may ask for.
func Types() []string {
	return []string{UserDeactivated, PermissionLost, PermissionGained, GroupBlocked, PlanHeld, TokenExpiring}
}

// An Event is something that happened. Key tells it from all others, and is the
// same when the event is made again after a crash.
type Event struct {
	Type string
	Key  string
	Time time.Time
	Data any // becomes the member data of the body
}

// ID is the webhook-id of the event.
func (e Event) ID() string {
	sum := sha256.Sum256([]byte(e.Type + "\x00" + e.Key))
	return "msg_" + hex.EncodeToString(sum[:12])
}

// body is what is sent.
func (e Event) body() (json.RawMessage, error) {
	text, err := json.Marshal(struct {
		Type string    `json:"type"`
		Time time.Time `json:"timestamp"`
		Data any       `json:"data"`
	}{e.Type, e.Time.UTC(), e.Data})
	if err != nil {
		return nil, fmt.Errorf("encoding event %s: %w", e.Type, err)
	}
	return text, nil
}

// A Source makes events.
type Source interface {
	// Events returns what happened after a place, and the place up to which it
	// looked. The empty place is now: whoever begins is told nothing of before.
	Events(ctx context.Context, after json.RawMessage) ([]Event, json.RawMessage, error)
}

// checkTypes refuses events that there are not. None means all.
func checkTypes(types []string) error {
	for _, t := range types {
		if !slices.Contains(Types(), t) {
			return fmt.Errorf("%w: event %q is not one of %v", directory.ErrInvalid, t, Types())
		}
	}
	return nil
}
