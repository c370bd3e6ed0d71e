package store

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"

	"github.com/usherd/usherd/audit"
	"github.com/usherd/usherd/directory"
)

// An effect is one entry of an audit record: what became different. It names
// things by id or by keys of the policy, and attributes by name, never by what
// they hold. Digest covers all of it: the same effect, with the same values, has
// the same digest.
type effect struct {
	Type       string   `json:"type"`
	Target     string   `json:"target,omitempty"`  // id, key or name of what changed
	Source     string   `json:"source,omitempty"`  // that owns the target
	Project    string   `json:"project,omitempty"` // scope
	Value      string   `json:"value,omitempty"`   // a state, Role, privilege or key
	Group      string   `json:"group,omitempty"`
	Attributes []string `json:"attributes,omitempty"`
	Added      []string `json:"added,omitempty"` // ids or keys; at most listedIDs
	Removed    []string `json:"removed,omitempty"`
	Counts     *counts  `json:"counts,omitempty"` // members, also those not listed
	Digest     string   `json:"digest"`           // SHA-256 of the values, hexadecimal
}

// counts are of members whose edges were added and removed. Pending ones are
// counted only: what was sent for them may be somebody's address.
type counts struct {
	Added          int `json:"added,omitempty"`
	Removed        int `json:"removed,omitempty"`
	PendingAdded   int `json:"pendingAdded,omitempty"`
	PendingRemoved int `json:"pendingRemoved,omitempty"`
}

// listedIDs is how many ids an effect lists on each side.
const listedIDs = 1000

// note adds an effect whose values are full, which is encoded as JSON.
func (e *edit) note(f effect, full any) error {
	b, err := json.Marshal(full)
	if err != nil {
		return fmt.Errorf("encoding the effect %s: %w", f.Type, err)
	}
	sum := sha256.Sum256(b)
	f.Digest = hex.EncodeToString(sum[:])
	e.effects = append(e.effects, f)
	return nil
}

// auditRecord returns the record of an edit, without its hash.
func auditRecord(rev, now int64, by directory.Actor, effects []effect) (audit.Record, error) {
	actor, err := json.Marshal(by)
	if err != nil {
		return audit.Record{}, fmt.Errorf("encoding the actor: %w", err)
	}
	changes, err := json.Marshal(effects)
	if err != nil {
		return audit.Record{}, fmt.Errorf("encoding the audit record: %w", err)
	}
	return audit.Record{Seq: rev, Time: now, Actor: string(actor), Changes: string(changes)}, nil
}
