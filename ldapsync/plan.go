package ldapsync

import (
	"time"

	"github.com/usherd/usherd/directory"
)

// An Op is what a plan does to one object.
type Op string

// The operations.
const (
	OpCreate  Op = "create"
	OpUpdate  Op = "update"
	OpDisable Op = "disable" // the directory says that the account is disabled
	OpEnable  Op = "enable"
	OpRestore Op = "restore" // was gone and is back
	OpGone    Op = "gone"    // missing from a complete read: a user has nothing, a group nobody
	OpDelete  Op = "delete"  // gone for long enough, or the name went to a new entry
	OpMembers Op = "members" // direct members of a group
)

// The kinds of object.
const (
	KindUser  = "user"
	KindGroup = "group"
)

// An Item is one thing that a plan does.
type Item struct {
	Op         Op       `json:"op"`
	Kind       string   `json:"kind"`
	ID         string   `json:"id"` // of the identity or group
	ExternalID string   `json:"externalId"`
	Name       string   `json:"name"`
	DN         string   `json:"dn,omitempty"`
	Fields     []string `json:"fields,omitempty"` // that an update alters
	Add        []Ref    `json:"add,omitempty"`    // members
	Remove     []Ref    `json:"remove,omitempty"`

	profile directory.Profile // of a user
	present bool              // a restored user is otherwise unaltered
}

// A Ref names a member of a group.
type Ref struct {
	Value      string        `json:"value"`                // as the store has it
	ExternalID string        `json:"externalId,omitempty"` // as the directory has it
	Via        directory.Via `json:"via,omitempty"`
}

// An Issue is an entry that could not be taken over as it is. Nobody is
// removed because of one.
type Issue struct {
	ExternalID string `json:"externalId"`
	What       string `json:"what"`
}

// maxIssues bounds what a plan tells of; Counts has the number.
const maxIssues = 100

// A Plan is what a run would do. It is data: nothing has been done.
type Plan struct {
	Source directory.SourceName `json:"source"`
	Items  []Item               `json:"items"`
	Counts map[string]int64     `json:"counts"`
	Issues []Issue              `json:"issues,omitempty"`

	next  Cursor
	shape shape
}

// A shape is what the gate looks at beside the items.
type shape struct {
	active       map[string]bool // identities that let their user have anything, before
	peopleBefore int             // people who are there
	groupsBefore int
	peopleNow    int
	groupsNow    int
	renewed      int          // people under a DN that had another stable id
	readBefore   int          // people in the last complete read
	groups       []KnownGroup // before
	attributes   [2]map[string]int
	sizes        map[string]int               // direct members before, of groups that lose some, by id
	graphs       func() (before, after graph) // costly, and rarely wanted
}

// A graph lists the direct members of each group by stable id.
type graph struct {
	people map[string][]string
	groups map[string][]string
}

// reach returns the people who are members of a group, directly or through
// nested groups, and the groups on the way, the group itself included. Cycles
// end.
func (g graph) reach(group string) (people, groups map[string]bool) {
	people, groups = map[string]bool{}, map[string]bool{group: true}
	for queue := []string{group}; len(queue) > 0; queue = queue[1:] {
		for _, id := range g.people[queue[0]] {
			people[id] = true
		}
		for _, id := range g.groups[queue[0]] {
			if !groups[id] {
				groups[id] = true
				queue = append(queue, id)
			}
		}
	}
	return people, groups
}

// DiffConfig is what a comparison depends on beside what it compares.
type DiffConfig struct {
	Source    directory.SourceName
	Now       time.Time
	Retention Retention
	NewID     func() string // ids of what is created
}

// Diff compares what the store has of a source with what a complete read found
// and returns what would make the first like the second. It is pure, and Diff
// of a state with the snapshot that led to it is empty.
func Diff(have State, want *Snapshot, c DiffConfig) *Plan {
	d := &differ{
		DiffConfig: c, have: have, want: want, edges: resolve(want, have.past()),
		plan:       &Plan{Source: c.Source, Counts: map[string]int64{}},
		knownUser:  make(map[string]int, len(have.People)),
		knownGroup: make(map[string]int, len(have.Groups)),
	}
	for i, p := range have.People {
		d.knownUser[p.ExternalID] = i
	}
	for i, g := range have.Groups {
		d.knownGroup[g.ExternalID] = i
	}
	d.plan.next = Cursor{
		Version: cursorVersion, LastComplete: c.Now, People: len(want.People), Groups: len(want.Groups), Attributes: want.Attributes,
		Aliases: d.edges.aliases, MissingPeople: map[string]Missing{}, MissingGroups: map[string]Missing{}, Window: have.Cursor.Window,
	}
	d.plan.shape.sizes = map[string]int{}
	d.people()
	d.groups()
	d.measure()
	return d.plan
}

// A differ makes one plan.
type differ struct {
	DiffConfig
	have       State
	want       *Snapshot
	edges      edges
	plan       *Plan
	knownUser  map[string]int // by stable id
	knownGroup map[string]int // by stable id

	userIDs  []string // of want.People; empty for one that is not taken over
	groupIDs []string // of want.Groups
}

func (d *differ) add(i Item) {
	d.plan.Items = append(d.plan.Items, i)
	d.count(i.Kind+"s."+string(i.Op), 1)
}

func (d *differ) count(name string, n int) {
	if n > 0 {
		d.plan.Counts[name] += int64(n)
	}
}

func (d *differ) issue(id, what string) {
	d.count("issues", 1)
	if len(d.plan.Issues) < maxIssues {
		d.plan.Issues = append(d.plan.Issues, Issue{ExternalID: id, What: what})
	}
}

// missing counts one more complete read without an entry.
func (d *differ) missing(before map[string]Missing, id string) Missing {
	m, seen := before[id]
	if !seen {
		m.Since = d.Now
	}
	m.Reads++
	return m
}
