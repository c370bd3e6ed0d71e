package directory

import (
	"encoding/json"
	"time"
)

// A Request is one entry of the provisioning log: what a source asked for, in
// normalised form and redacted, and what came of it.
type Request struct {
	ID       string          `json:"id"` // request id
	Source   SourceName      `json:"source"`
	Time     time.Time       `json:"time"`
	Method   string          `json:"method"`
	Path     string          `json:"path"`
	Status   int             `json:"status"`
	Detail   string          `json:"detail,omitempty"`
	Quirks   []string        `json:"quirks,omitempty"` // what was bent, e.g. "manager string to value"
	Body     json.RawMessage `json:"body,omitempty"`   // normalised, redacted
	Revision Revision        `json:"revision,omitempty"`
	Took     time.Duration   `json:"took"`
	Agent    string          `json:"agent,omitempty"`   // User-Agent
	Token    string          `json:"token,omitempty"`   // id of the token
	Replays  string          `json:"replays,omitempty"` // id of the entry that this request repeats
}

// A RequestQuery selects entries of the provisioning log.
type RequestQuery struct {
	Source SourceName
	ID     string    // this one
	Failed bool      // those answered with 400 or more
	Since  time.Time // those at this time or later
	Before *Place    // those that come after this place: its Created is a time, in whole milliseconds
	Limit  int       // at most so many; 0 means none
}

// A RunResult says how a synchronisation run ended.
type RunResult string

// The results of a run.
const (
	RunRunning    RunResult = "running"
	RunApplied    RunResult = "applied"
	RunUnchanged  RunResult = "unchanged"
	RunHeld       RunResult = "held"       // a plan waits for approval
	RunIncomplete RunResult = "incomplete" // the read was not proven complete: nothing was removed
	RunFailed     RunResult = "failed"     // nothing was read, or applying broke off
	RunCancelled  RunResult = "cancelled"  // somebody stopped it: what it had applied stays, the next run goes on
)

// A RunTrigger says why a run began. An empty one was not kept: the run is from
// before they were.
type RunTrigger string

// The triggers of a run.
const (
	TriggerSchedule RunTrigger = "schedule" // its time had come
	TriggerCatchUp  RunTrigger = "catch-up" // its time had passed while nobody read the source
	TriggerManual   RunTrigger = "manual"   // somebody asked for it
	TriggerApproval RunTrigger = "approval" // somebody approved what was held
)

// The phases of a run, in their order. A run that had to turn to another server,
// or to read everything after all, has some of them more than once.
const (
	PhaseConnect = "connect" // to a server, and reading what is known of the source
	PhasePeople  = "people"
	PhaseGroups  = "groups" // with their members
	PhaseCompare = "compare"
	PhaseJudge   = "judge" // what it would mean, and whether some of it waits
	PhaseApply   = "apply"
)

// A RunPhase is a part of a run. Without an end it is under way.
type RunPhase struct {
	Name    string           `json:"name"`
	Started time.Time        `json:"started"`
	Ended   time.Time        `json:"ended,omitzero"`
	Counts  map[string]int64 `json:"counts,omitempty"` // people, groups, changes, held, applied, total
}

// A Run is one synchronisation of one LDAP source. Counts are by name, e.g.
// "users.created"; Message says in words what happened and what to do.
type Run struct {
	ID       string           `json:"id"`
	Source   SourceName       `json:"source"`
	Started  time.Time        `json:"started"`
	Ended    time.Time        `json:"ended,omitzero"`
	Result   RunResult        `json:"result"`
	Message  string           `json:"message,omitempty"`
	Counts   map[string]int64 `json:"counts,omitempty"`
	Plan     string           `json:"plan,omitempty"` // hash of the held plan
	Revision Revision         `json:"revision,omitempty"`

	Trigger     RunTrigger `json:"trigger,omitempty"`
	By          string     `json:"by,omitempty"` // who asked for it or approved, as "kind:name"
	Phases      []RunPhase `json:"phases,omitempty"`
	CancelledBy string     `json:"cancelled_by,omitempty"` // as "kind:name"
}

// A Hold is a plan, or a part of one, that waits for an administrator.
type Hold struct {
	Source   SourceName      `json:"source"`
	Hash     string          `json:"hash"`
	Reasons  []string        `json:"reasons"`
	Plan     json.RawMessage `json:"plan"` // what is held, for people and for approval
	Created  time.Time       `json:"created"`
	Approved time.Time       `json:"approved,omitzero"`
	By       string          `json:"by,omitempty"`
}

// A Lease makes one replica the only one to do a thing. Epoch grows with every
// change of holder.
type Lease struct {
	Name    string    `json:"name"`
	Holder  string    `json:"holder"`
	Epoch   int64     `json:"epoch"`
	Expires time.Time `json:"expires"` // by the database's clock
}

// An AuditRecord is one record of the audit chain. There is exactly one for
// every revision, and its number is the revision.
type AuditRecord struct {
	Revision Revision        `json:"revision"`
	Time     time.Time       `json:"time"`
	Actor    Actor           `json:"actor"`
	Changes  json.RawMessage `json:"changes"` // a list of {"type", "target", …}: ids and names of attributes, no personal data
	Hash     []byte          `json:"hash"`    // SHA-256 chained over the predecessor
}
