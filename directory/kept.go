package directory

import (
	"context"
	"encoding/json"
	"time"
)

// MaxKept is the most that the value of a kept record may hold, in bytes.
const MaxKept = 1 << 20

// A Kept is a small record that is no fact: a session, a login link, the answer
// to an idempotency key, a job, a webhook and its deliveries, somebody's
// preferences. Whoever owns a Space decides what its keys and values are.
//
// A kept record makes no revision and no audit record, and decides nothing: what
// somebody may do is never in one.
type Kept struct {
	Space    string          `json:"space"`
	Key      string          `json:"key"`
	Value    json.RawMessage `json:"value"`
	Version  int64           `json:"version"` // from 1, grows with every PutKept
	Expires  time.Time       `json:"expires,omitzero"`
	Modified time.Time       `json:"modified"`
}

// A Keeper keeps what is no fact. Secrets belong in none of its records: keep
// their hash.
type Keeper interface {
	// PutKept writes a record if its version is still Version, and returns it
	// as it is kept, with its new version. Version 0 means that there must be
	// none. Else nothing is written and the error is ErrVersion. Modified is
	// filled in. A record that has expired counts as none.
	PutKept(ctx context.Context, record Kept) (Kept, error)

	// Kept returns a record, or ErrNotFound.
	Kept(ctx context.Context, space, key string) (Kept, error)

	// ListKept returns the records of a space whose keys come after one,
	// ascending bytewise by key, at most limit.
	ListKept(ctx context.Context, space, after string, limit int) ([]Kept, error)

	// DropKept forgets a record. ErrNotFound if there is none: of several that
	// drop one record, one succeeds.
	DropKept(ctx context.Context, space, key string) error
}
