package directory

import (
	"encoding/json"
	"time"
)

// A SourceName names where people and groups come from. Names are lower-case
// letters, digits and hyphens.
type SourceName string

// Local is the source of what is made here.
const Local SourceName = "local"

// A SourceKind says how a source delivers.
type SourceKind string

// The kinds of source.
const (
	KindLocal SourceKind = "local" // made here
	KindSCIM  SourceKind = "scim"  // an identity provider pushes
	KindLDAP  SourceKind = "ldap"  // a directory is polled
)

// A SourceState says what is accepted from a source and what it counts for.
type SourceState string

// The states of a source.
const (
	SourceActive   SourceState = "active"
	SourcePaused   SourceState = "paused"   // nothing is read or accepted; access stays
	SourceDisabled SourceState = "disabled" // its groups give nothing, its identities say inactive
	SourceRemoved  SourceState = "removed"
)

// A Source is where people and groups come from. Settings is a JSON object
// whose shape belongs to the kind; it holds no secret.
type Source struct {
	Name     SourceName      `json:"name"`
	Kind     SourceKind      `json:"kind"`
	State    SourceState     `json:"state"`
	Rank     int             `json:"rank"` // lower shows its attributes first
	Settings json.RawMessage `json:"settings,omitempty"`
	Created  time.Time       `json:"created"`
	Modified time.Time       `json:"modified"`
}
