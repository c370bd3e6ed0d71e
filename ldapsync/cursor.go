package ldapsync

import (
	"encoding/json"
	"fmt"
	"maps"
	"time"

	"github.com/usherd/usherd/directory"
)

// A Cursor is what one run leaves for the next, beside the facts: the part of
// a source's past that decides what the next complete read may do. It moves in
// the transaction of a run's last batch, and only after a complete read.
type Cursor struct {
	Version      int            `json:"version"`
	LastComplete time.Time      `json:"lastComplete"`
	Server       string         `json:"server,omitempty"` // URL that was read then
	People       int            `json:"people"`           // read then
	Groups       int            `json:"groups"`
	Attributes   map[string]int `json:"attributes,omitempty"` // people who had each

	// Aliases are dangling member DNs with the stable ids they stand for.
	Aliases map[dnKey]string `json:"aliases,omitempty"`
	// MissingPeople and MissingGroups are those gone from complete reads.
	MissingPeople map[string]Missing `json:"missingPeople,omitempty"`
	MissingGroups map[string]Missing `json:"missingGroups,omitempty"`
	// Contested are the userNames, as keys, that several entries had and none got:
	// a read of what changed sees one of them only.
	Contested []string `json:"contested,omitempty"`
	// Mark is where an incremental read may begin; nil if none may.
	Mark *Mark `json:"mark,omitempty"`
	// Replicated is how far the servers that were read had come in replication:
	// one that lags behind gives nothing back.
	Replicated Vector `json:"replicated,omitempty"`
	// Silent are the naming contexts of Replicated of which the server that was
	// read last did not say any more how far it is.
	Silent []string `json:"silent,omitempty"`
	// Window is what was taken away during the last 24 hours, without what an
	// administrator approved.
	Window []Taken `json:"window,omitempty"`
}

// Missing says since when, and from how many complete reads, an entry is gone.
type Missing struct {
	Since time.Time `json:"since"`
	Reads int       `json:"reads"`
}

// Taken is what one run took away.
type Taken struct {
	Time     time.Time                 `json:"time"`
	Disabled int                       `json:"disabled,omitempty"` // people
	Members  map[directory.GroupID]int `json:"members,omitempty"`  // by group
}

const cursorVersion = 1

func parseCursor(text []byte) (Cursor, error) {
	if len(text) == 0 {
		return Cursor{Version: cursorVersion}, nil
	}
	var c Cursor
	if err := json.Unmarshal(text, &c); err != nil {
		return Cursor{}, fmt.Errorf("cursor: %w", err)
	}
	if c.Version != cursorVersion {
		return Cursor{}, fmt.Errorf("cursor: version %d is not ours", c.Version)
	}
	return c, nil
}

// LastComplete is when the source of this cursor was last read to the end and
// dealt with; the zero time if the cursor does not say.
func LastComplete(cursor []byte) time.Time {
	c, err := parseCursor(cursor)
	if err != nil {
		return time.Time{}
	}
	return c.LastComplete
}

// slidingWindow is how long what was taken away counts towards the thresholds.
const slidingWindow = 24 * time.Hour

// recent sums what was taken during the 24 hours before now.
func (c Cursor) recent(now time.Time) Taken {
	sum := Taken{Members: map[directory.GroupID]int{}}
	for _, t := range c.Window {
		if now.Sub(t.Time) >= slidingWindow {
			continue
		}
		sum.Disabled += t.Disabled
		for g, n := range t.Members {
			sum.Members[g] += n
		}
	}
	return sum
}

// with returns c with t in its window and without what has left it. c stays.
func (c Cursor) with(t Taken) Cursor {
	var kept []Taken
	for _, old := range c.Window {
		if t.Time.Sub(old.Time) < slidingWindow && !old.Time.Equal(t.Time) {
			kept = append(kept, old)
		}
	}
	if t.Disabled > 0 || len(t.Members) > 0 {
		kept = append(kept, Taken{Time: t.Time, Disabled: t.Disabled, Members: maps.Clone(t.Members)})
	}
	c.Window = kept
	return c
}

// Retention says when what is gone from a directory is deleted for good: after
// so many complete reads without it, and so long.
type Retention struct {
	Reads int      `json:"reads,omitempty"` // default 3
	For   Duration `json:"for,omitempty"`   // default 168h
}

func (r Retention) withDefaults() Retention {
	fill(&r.Reads, 3)
	fill(&r.For, Duration(7*24*time.Hour))
	return r
}

func (r Retention) over(m Missing, now time.Time) bool {
	return m.Reads >= r.Reads && now.Sub(m.Since) >= time.Duration(r.For)
}

func (c Cursor) encode() (json.RawMessage, error) {
	text, err := json.Marshal(c)
	if err != nil {
		return nil, fmt.Errorf("cursor: %w", err)
	}
	return text, nil
}

func (t Taken) clone() Taken {
	t.Members = maps.Clone(t.Members)
	if t.Members == nil {
		t.Members = map[directory.GroupID]int{}
	}
	return t
}

// members sums what was taken from groups.
func (t Taken) members() int {
	n := 0
	for _, of := range t.Members {
		n += of
	}
	return n
}
