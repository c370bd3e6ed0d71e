package ldapsync

import (
	"encoding/json"
	"fmt"

	"github.com/usherd/usherd/directory"
)

// A Snapshot is all that a directory has for us, read completely. Only
// [Collect] makes one, and only with the proof that nothing was left out.
// People are rows of fixed size; what the store does not have of them already is
// in a spool.
type Snapshot struct {
	Server string   // URL it came from
	Passed []string // what was wrong with the servers before it in the list
	Groups []Group
	// Attributes counts, for each mapped attribute, the people who have it.
	Attributes map[string]int

	have   *State // what the store has; people who are the same are told of there
	people column[personRow]
	byExt  index             // of people, by stable id
	byDN   index             // of people
	twins  map[dnKey][]int32 // people whose DNs fold alike; byDN has the first
	byUID  uidIndex
	groups map[dnKey][]int32
	sids   map[string]int32 // of primary groups, by number
	spool  *spool
	seen   []bool // rows of have who are there

	standing standing // in replication

	Mark    *Mark // where the next read of what changed begins; nil if none may be
	partial bool  // only what changed was read: nobody is missing
}

// A personRow is one entry of the directory that stands for a person.
type personRow struct {
	ext     key   // of the stable id
	dn      dnKey //
	name    key   // of the userName as names are compared; zero without a usable one
	record  int64 // a Person in the spool; nowhere for one who is as in the store
	login   int64 // Unix seconds of the last sign-in; 0 is none
	known   int32 // row of the state, or nowhere
	minted  int32 // in Plan.minted: the id of somebody new, or nowhere
	primary int32 // in Snapshot.sids, or nowhere
	changed changes
	active  bool
	reject  bool
}

// A Group is one entry of the directory that stands for a group.
type Group struct {
	ID       string // stable
	DN       string
	Name     string
	Rejected string // why it cannot be taken over; see Person.Rejected

	sid     string
	urls    []string  // that select members, still to be searched
	unknown string    // why its members could not be evaluated; they stay as they are
	people  []int32   // members in Snapshot.people
	others  []foreign // member DNs that name nobody in Snapshot.people
}

// A foreign is a member that is no person of the snapshot: a nested group, a
// dangling DN, or something outside what is read.
type foreign struct {
	key dnKey
	dn  string
}

func newSnapshot(have *State, sp *spool) *Snapshot {
	s := &Snapshot{
		Attributes: map[string]int{}, have: have, twins: map[dnKey][]int32{}, groups: map[dnKey][]int32{}, sids: map[string]int32{}, spool: sp,
		seen: make([]bool, have.people.len()), byUID: newUIDIndex(),
	}
	s.byExt = newIndex(func(i int32) key { return s.people.at(i).ext })
	s.byDN = newIndex(func(i int32) key { return key(s.people.at(i).dn) })
	return s
}

// add takes a person into the snapshot and reports whether that stable id was
// not there before.
func (s *Snapshot) add(dn dnKey, p *Person) (bool, error) {
	row := personRow{
		ext: keyOfText(p.Profile.ExternalID), dn: dn, record: nowhere, minted: nowhere, primary: nowhere,
		active: p.Profile.Active, reject: p.Rejected != "",
	}
	if !p.login.IsZero() {
		row.login = p.login.Unix()
	}
	row.name = nameKey(p.Profile.UserName)
	if p.primary != "" {
		row.primary = s.sid(p.primary)
	}
	if err := s.compare(&row, p); err != nil {
		return false, err
	}
	at := s.people.add(row)
	if s.byExt.add(at) != nowhere {
		return false, nil
	}
	if first := s.byDN.add(at); first != nowhere {
		if len(s.twins[dn]) == 0 {
			s.twins[dn] = []int32{first}
		}
		s.twins[dn] = append(s.twins[dn], at)
	}
	for _, uid := range p.uids {
		s.byUID.add(keyOfText(uid), at)
	}
	return true, nil
}

// compare sees what the store has of a person, and keeps what it has not.
func (s *Snapshot) compare(row *personRow, p *Person) error {
	row.known = s.have.byExt.find(row.ext)
	if row.known != nowhere {
		s.seen[row.known] = true
		k := s.have.people.at(row.known)
		if p.Rejected == "" && printOf(&p.Profile) == k.print {
			return nil
		}
		had, err := s.have.known(row.known)
		if err != nil {
			return err
		}
		row.changed = had.changed(k.active, &p.Profile)
		if row.changed == 0 && p.Rejected == "" {
			return nil
		}
	}
	text, err := json.Marshal(p)
	if err != nil {
		return fmt.Errorf("entry %s: %w", p.Profile.ExternalID, err)
	}
	row.record, err = s.spool.put(text)
	return err
}

// settle lets go of what only served to find the members of groups.
func (s *Snapshot) settle() {
	s.byDN, s.byUID, s.twins = index{}, uidIndex{}, nil
}

func (s *Snapshot) sid(text string) int32 {
	n, ok := s.sids[text]
	if !ok {
		n = int32(len(s.sids))
		s.sids[text] = n
	}
	return n
}

// person tells of a row. Of one who is as in the store only what names the
// person.
func (s *Snapshot) person(row int32) (Person, error) {
	r := s.people.at(row)
	if r.record == nowhere {
		k, err := s.have.known(r.known)
		return Person{Profile: directory.Profile{UserName: k.UserName, ExternalID: k.ExternalID, DN: k.DN, Active: r.active}}, err
	}
	text, err := s.spool.get(r.record)
	if err != nil {
		return Person{}, err
	}
	var p Person
	if err := json.Unmarshal(text, &p); err != nil {
		return Person{}, fmt.Errorf("reading the spool: %w", err)
	}
	return p, nil
}

// personAt returns the person with a DN, given with its key. What two entries
// share finds neither, for membership is never given by guessing; between DNs
// that fold alike the spelling decides.
func (s *Snapshot) personAt(k dnKey, dn string) (int32, bool, error) {
	at := s.byDN.find(key(k))
	if at == nowhere || len(s.twins[k]) == 0 {
		return at, at != nowhere, nil
	}
	spelled := spellDN(dn)
	for _, twin := range s.twins[k] {
		p, err := s.person(twin)
		if err != nil {
			return nowhere, false, err
		}
		if p.Profile.DN == spelled {
			return twin, true, nil
		}
	}
	return nowhere, false, nil
}

// A uidIndex finds people by uid, of whom there may be several a person. What
// two share finds neither.
type uidIndex struct {
	rows  *column[uidRow]
	index index
}

type uidRow struct {
	uid key
	at  int32
}

const ambiguous = -2

func newUIDIndex() uidIndex {
	rows := &column[uidRow]{}
	return uidIndex{rows, newIndex(func(i int32) key { return rows.at(i).uid })}
}

func (x *uidIndex) add(uid key, at int32) {
	row := x.rows.add(uidRow{uid, at})
	if taken := x.index.add(row); taken != nowhere {
		x.rows.at(taken).at = ambiguous
	}
}

// find returns the row of the one person with a uid.
func (x *uidIndex) find(uid string) (int32, bool) {
	row := x.index.find(keyOfText(uid))
	if row == nowhere || x.rows.at(row).at == ambiguous {
		return nowhere, false
	}
	return x.rows.at(row).at, true
}

// An edge leads from a group to a direct member in the same list of people or
// groups.
type edge struct {
	at    int32
	group bool // at counts groups, not people
	via   via
	past  bool // by a DN that the member had before
}

type via uint8

const (
	viaMember via = iota
	viaPrimary
)

func (v via) name() directory.Via {
	if v == viaPrimary {
		return directory.ViaPrimaryGroup
	}
	return directory.ViaMember
}
