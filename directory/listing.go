package directory

import (
	"context"
	"encoding/json"
	"time"
)

// A PersonRow is a user as lists show it.
type PersonRow struct {
	ID          UserID           `json:"id"`
	Type        UserType         `json:"type"`
	Blocked     bool             `json:"blocked,omitempty"`
	BlockReason string           `json:"blockReason,omitempty"`
	LastLogin   time.Time        `json:"lastLogin,omitzero"`
	Created     time.Time        `json:"created"`
	Deleted     time.Time        `json:"deleted,omitzero"`
	Identities  []PersonIdentity `json:"identities"` // in the order of their sources
}

// A PersonIdentity is an identity as lists show it.
type PersonIdentity struct {
	ID          UserID     `json:"id"`
	Source      SourceName `json:"source"`
	Presence    Presence   `json:"presence"`
	UserName    string     `json:"userName"`
	UserNameKey NameKey    `json:"-"`
	DisplayName string     `json:"displayName,omitempty"`
	DisplayKey  NameKey    `json:"-"`
	ExternalID  string     `json:"externalId,omitempty"`
	Active      bool       `json:"active"`
	Email       string     `json:"email,omitempty"`   // the primary one, else the first
	Company     string     `json:"company,omitempty"` // the enterprise organization
	Version     int64      `json:"version"`
	Attributes  []string   `json:"-"` // names, see [AttributeNames]; shared
}

// A Lister reads many users or groups at once, for lists.
type Lister interface {
	// PersonRows returns users, living or deleted within [RestoreFor], ascending
	// by id: those that one of the ids names, the user's or an identity's; with
	// no id at all everybody.
	PersonRows(ctx context.Context, ids ...UserID) ([]PersonRow, error)

	// Attributes returns Profile.Attributes of those of some identities that there
	// are.
	Attributes(ctx context.Context, identities ...UserID) (map[UserID]json.RawMessage, error)

	// LastLogins returns when users, or without any all living ones, were last
	// known to sign in, of whom that is known: what no revision tells.
	LastLogins(ctx context.Context, users ...UserID) (map[UserID]time.Time, error)

	// GroupVersions returns the versions of all living groups: who keeps groups
	// reads again those whose version is another.
	GroupVersions(ctx context.Context) (map[GroupID]int64, error)

	// GroupRows returns those of some groups that live, in no order.
	GroupRows(ctx context.Context, ids ...GroupID) ([]Group, error)
}
