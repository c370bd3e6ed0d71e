package directory

import (
	"encoding/json"
	"slices"
	"strings"
	"time"
)

// An AuditHead is what a list shows of an audit record. To read it costs the
// same whatever the record holds.
type AuditHead struct {
	Revision Revision        `json:"revision"`
	Time     time.Time       `json:"time"`
	Actor    Actor           `json:"actor"`
	Types    []string        `json:"types"`   // of the changes, each once, ascending
	Changes  int             `json:"changes"` // how many there are
	First    json.RawMessage `json:"first"`   // the first of them; of each list in it at most [HeadListed]
	Listed   int             `json:"listed"`  // entries of the first change's lists of added, attributes and removed, all of them
}

// HeadListed is how many entries of a list the head of an audit record has.
const HeadListed = 5

// AuditUnreadable is the type of the one change that stands for those of a record
// whose kept text does not read. Its value is AuditUnreadableHint.
const (
	AuditUnreadable     = "unreadable"
	AuditUnreadableHint = "its kept text is damaged: usherd audit verify says more"
)

// An AuditFault says that what is kept beside an audit record, to list and find
// it, is not what the record says.
type AuditFault struct {
	Revision Revision
	Detail   string
}

// An AuditSearch selects heads of audit records. What is empty selects all.
type AuditSearch struct {
	After Revision // those after this one
	Upto  Revision // those up to this one; 0 means all
	// Actor is the kind, name, source or token's id of who did it, in any case.
	Actor   string
	Request string // id of the request or run
	Action  string // a change's type begins so
	// About selects records with a change that has one of these as target,
	// group, source or value, or among what it lists as added or removed. It
	// need not be the change that Action means.
	About  []string
	Oldest bool // the oldest first; else the newest
	Limit  int  // at most so many; 0 means none
}

// Called reports whether text is the kind, name, source or token's id of an
// actor, in any case.
func (a Actor) Called(text string) bool {
	return slices.ContainsFunc([]string{a.Kind, a.Name, string(a.Source), a.Token}, func(s string) bool { return strings.EqualFold(s, text) })
}
