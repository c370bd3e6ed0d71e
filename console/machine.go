package console

import (
	"context"
	"encoding/json"
	"time"
)

// A Machine is what pages tell of the daemon itself. Whoever may see a page that
// uses it has been asked for the right first.
type Machine interface {
	// Diagnose looks for what is wrong, and says what to do.
	Diagnose(ctx context.Context) []Diagnosis
	// Facts are what the daemon is and how fast its parts answer, e.g. "Version"
	// or "Database answers in".
	Facts(ctx context.Context) []Fact
	// Settings are the configuration in force, without secrets.
	Settings() []Setting
}

// A Diagnosis is one thing that was looked at.
type Diagnosis struct {
	Check  string
	Result string // success, warning or failure
	Detail string
	Do     string // what to do about it
}

// A Fact is one thing that is told of the daemon.
type Fact struct{ Name, Value string }

// A Setting is one value of the configuration: of a secret, where it is.
type Setting struct {
	Key    string // "max_staleness"
	Value  string
	Origin string // file and line, variable, flag, or default
}

// NextRuns returns the next n times at which a source with these settings is
// read; fewer if it is not read by schedule.
type NextRuns func(settings json.RawMessage, n int) []time.Time
