package ldapsync

import (
	"encoding/json"
	"fmt"
	"iter"
	"slices"
	"time"

	"github.com/google/uuid"

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
	Was        string   `json:"was,omitempty"` // the name before, if that is another
	DN         string   `json:"dn,omitempty"`
	Fields     []string `json:"fields,omitempty"` // that an update alters
	Add        []Ref    `json:"add,omitempty"`    // members
	Remove     []Ref    `json:"remove,omitempty"`

	Joins directory.UserID `json:"joins,omitempty"` // whose identity a new one becomes, because linking allows it

	profile directory.Profile // of a user
	present bool              // a restored user is otherwise unaltered
}

// A Ref names a member of a group.
type Ref struct {
	Value      string        `json:"value"`                // as the store has it
	ExternalID string        `json:"externalId,omitempty"` // as the directory has it
	Name       string        `json:"name,omitempty"`       // userName, or the group's name
	Via        directory.Via `json:"via,omitempty"`
}

// An Issue is an entry that could not be taken over as it is. Nobody is
// removed because of one.
type Issue struct {
	ExternalID string `json:"externalId"`
	Kind       string `json:"kind,omitempty"`      // KindUser or KindGroup
	Name       string `json:"name,omitempty"`      // userName, or the group's name; the DN of an entry that has none
	Attribute  string `json:"attribute,omitempty"` // that stands in the way, as usherd calls it
	What       string `json:"what"`
}

// maxIssues bounds what a plan tells of; Counts has the number.
const maxIssues = 100

// A Plan is what a run would do. It is data: nothing has been done. What it
// does to people is kept as rows, and told as Items one at a time.
type Plan struct {
	Source directory.SourceName
	Counts map[string]int64
	Issues []Issue

	have   *State
	want   *Snapshot
	people column[personItem]
	groups []groupItem
	minted column[key] // ids of newcomers
	next   Cursor
	shape  shape
	claims claimed
}

// A personItem is one thing that a plan does to a person. There may be a million.
type personItem struct {
	at       int32 // in Snapshot.people, or nowhere for one who is missing
	known    int32 // in State.people, or nowhere for a newcomer
	op       opCode
	changed  changes
	keepName bool // the userName stays as it is
}

// An opCode stands for an Op in one byte.
type opCode uint8

// opCodes are the operations on people.
var opCodes = [...]Op{OpCreate, OpUpdate, OpDisable, OpEnable, OpRestore, OpGone, OpDelete}

func codeOf(op Op) opCode { return opCode(slices.Index(opCodes[:], op)) }

func (i *personItem) Op() Op { return opCodes[i.op] }

// A groupItem is one thing that a plan does to a group.
type groupItem struct {
	Item   // without members
	add    []ref
	remove []ref
	known  int32 // in State.Groups, or nowhere
	size   int   // direct members before, if it loses some
}

// and is what both parts mean.
func (p part) and(q part) part {
	return part{
		func(i *personItem) bool { return p.person(i) && q.person(i) },
		func(g *groupItem) (groupItem, bool) {
			kept, is := p.group(g)
			if !is {
				return kept, false
			}
			return q.group(&kept)
		},
	}
}

// len counts the items.
func (p *Plan) len() int { return p.people.len() + len(p.groups) }

// edges counts the memberships that change.
func (p *Plan) edges() int {
	n := 0
	for i := range p.groups {
		n += len(p.groups[i].add) + len(p.groups[i].remove)
	}
	return n
}

// Items yields what the plan does. An error, of the spool, ends it.
func (p *Plan) Items() iter.Seq2[Item, error] { return p.items(everything) }

// A part says which items of a plan are meant.
type part struct {
	person func(*personItem) bool
	group  func(*groupItem) (groupItem, bool) // may leave out some members
}

var everything = part{func(*personItem) bool { return true }, func(g *groupItem) (groupItem, bool) { return *g, true }}

func (p *Plan) items(of part) iter.Seq2[Item, error] {
	return func(yield func(Item, error) bool) {
		for i := range int32(p.people.len()) {
			if !of.person(p.people.at(i)) {
				continue
			}
			item, err := p.personItem(p.people.at(i))
			if !yield(item, err) || err != nil {
				return
			}
		}
		for i := range p.groups {
			g, ok := of.group(&p.groups[i])
			if !ok {
				continue
			}
			item := g.Item
			var err error
			if item.Add, err = p.refs(&g, g.add); err == nil {
				item.Remove, err = p.refs(&g, g.remove)
			}
			if !yield(item, err) || err != nil {
				return
			}
		}
	}
}

// personItem tells of a person.
func (p *Plan) personItem(i *personItem) (Item, error) {
	item := Item{Op: i.Op(), Kind: KindUser, Fields: i.changed.names(), present: i.changed == 0}
	var had known
	if i.known != nowhere {
		var err error
		if had, err = p.have.known(i.known); err != nil {
			return item, err
		}
		item.ID, item.ExternalID, item.Name, item.DN = p.have.people.at(i.known).userID(), had.ExternalID, had.UserName, had.DN
	}
	if i.at == nowhere {
		return item, nil
	}
	who, err := p.want.person(i.at)
	if err != nil {
		return item, err
	}
	item.profile = who.Profile
	if i.known == nowhere {
		item.Joins = p.claims[i.at].user
		item.ID = uuid.UUID(*p.minted.at(p.want.people.at(i.at).minted)).String()
	} else if i.keepName {
		item.profile.UserName = had.UserName
	}
	item.ExternalID, item.Name, item.DN = item.profile.ExternalID, item.profile.UserName, item.profile.DN
	if had.UserName != item.Name {
		item.Was = had.UserName // nothing, of a newcomer
	}
	return item, nil
}

// refs tells of members.
func (p *Plan) refs(g *groupItem, refs []ref) ([]Ref, error) {
	if len(refs) == 0 {
		return nil, nil
	}
	out := make([]Ref, len(refs))
	for i, r := range refs {
		out[i] = Ref{Value: p.value(g, r), Via: r.via.name()}
		switch r.kind {
		case refPerson:
			k, err := p.have.known(r.at)
			if err != nil {
				return nil, err
			}
			out[i].ExternalID, out[i].Name = k.ExternalID, k.UserName
		case refNewcomer:
			who, err := p.want.person(r.at)
			if err != nil {
				return nil, err
			}
			out[i].ExternalID, out[i].Name = who.Profile.ExternalID, who.Profile.UserName
		case refGroup:
			out[i].ExternalID, out[i].Name = p.have.Groups[r.at].ExternalID, p.have.Groups[r.at].Name
		case refNewGroup:
			out[i].ExternalID, out[i].Name = p.want.Groups[r.at].ID, p.want.Groups[r.at].Name
		case refOdd:
		}
	}
	return out, nil
}

// value is how the store names a member.
func (p *Plan) value(g *groupItem, r ref) string {
	switch r.kind {
	case refPerson:
		return p.have.people.at(r.at).userID()
	case refNewcomer:
		return uuid.UUID(*p.minted.at(p.want.people.at(r.at).minted)).String()
	case refGroup:
		return string(p.have.Groups[r.at].ID)
	case refNewGroup:
		return p.shape.newGroups[r.at]
	case refOdd:
	}
	return p.have.Groups[g.known].odd[r.at].Value
}

// MaxShown bounds the items, and the members of one item, that a plan shows as
// JSON. Counts has the numbers.
const MaxShown = 5000

// MarshalJSON shows the plan: counts, the first items, and how many there are.
func (p *Plan) MarshalJSON() ([]byte, error) {
	items, err := first(p.Items(), MaxShown)
	if err != nil {
		return nil, err
	}
	return json.Marshal(struct {
		Source directory.SourceName `json:"source"`
		Counts map[string]int64     `json:"counts"`
		Items  []Item               `json:"items"`
		Total  int                  `json:"total"`
		Issues []Issue              `json:"issues,omitempty"`
	}{p.Source, p.Counts, items, p.len(), p.Issues})
}

// first returns the first items of a plan, and the first members of each.
func first(items iter.Seq2[Item, error], limit int) ([]Item, error) {
	out := []Item{}
	for item, err := range items {
		if err != nil {
			return nil, err
		}
		if len(out) == limit {
			break
		}
		item.Add, item.Remove = item.Add[:min(limit, len(item.Add))], item.Remove[:min(limit, len(item.Remove))]
		out = append(out, item)
	}
	return out, nil
}

// DiffConfig is what a comparison depends on beside what it compares.
type DiffConfig struct {
	Source    directory.SourceName
	Now       time.Time
	Retention Retention
	NewID     func() string // ids of what is created; UUIDs

	claims claimed // what other sources have to say of newcomers
}

// Diff compares what the store has of a source with what a complete read found
// and returns what would make the first like the second. Want must have been
// collected against have. Diff of a state with the snapshot that led to it is
// empty. The error is one of the spool.
func Diff(have *State, want *Snapshot, c DiffConfig) (*Plan, error) {
	edges, err := resolve(want, have.past())
	if err != nil {
		return nil, err
	}
	d := &differ{
		DiffConfig: c, have: have, want: want, edges: edges,
		plan:       &Plan{Source: c.Source, Counts: map[string]int64{}, have: have, want: want, claims: c.claims},
		knownGroup: make(map[string]int32, len(have.Groups)),
	}
	for i, g := range have.Groups {
		d.knownGroup[g.ExternalID] = int32(i)
	}
	d.plan.next = Cursor{
		Version: cursorVersion, LastComplete: c.Now, Server: want.Server, People: want.people.len(), Groups: len(want.Groups), Attributes: want.Attributes,
		Aliases: d.edges.aliases, MissingPeople: map[string]Missing{}, MissingGroups: map[string]Missing{}, Window: have.Cursor.Window,
		Mark: want.Mark, Replicated: want.replicated(), Silent: want.standing.silent,
	}
	if want.partial {
		d.plan.next = d.partialCursor()
	}
	if err := d.people(); err != nil {
		return nil, err
	}
	d.groups()
	d.measure()
	if want.unproven() && d.plan.waiting() > 0 {
		d.plan.next.Mark = nil // what waits is in no read of what changed
	}
	return d.plan, nil
}

// A differ makes one plan.
type differ struct {
	DiffConfig
	have       *State
	want       *Snapshot
	edges      edges
	plan       *Plan
	knownGroup map[string]int32 // by stable id
}

func (d *differ) addPerson(i personItem) {
	d.plan.people.add(i)
	d.count(KindUser+"s."+string(i.Op()), 1)
}

func (d *differ) addGroup(i groupItem) {
	d.plan.groups = append(d.plan.groups, i)
	d.count(KindGroup+"s."+string(i.Op), 1)
	d.count("members.add", len(i.add))
	d.count("members.remove", len(i.remove))
}

func (d *differ) count(name string, n int) {
	if n > 0 {
		d.plan.Counts[name] += int64(n)
	}
}

func (d *differ) issue(i Issue) {
	d.count("issues", 1)
	if len(d.plan.Issues) < maxIssues {
		d.plan.Issues = append(d.plan.Issues, i)
	}
}

// mint makes the id of somebody new.
func (d *differ) mint() (key, error) {
	id, err := uuid.Parse(d.NewID())
	if err != nil {
		return key{}, fmt.Errorf("making an id: %w", err)
	}
	return key(id), nil
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
