package ldapsync

import (
	"context"
	"encoding/binary"
	"fmt"
	"iter"
	"slices"

	"github.com/google/uuid"

	"github.com/usherd/usherd/directory"
)

// Facts is what a run reads of the store. A directory.Store has it.
type Facts interface {
	Identities(ctx context.Context, q directory.Query) (directory.Page[directory.Identity], error)
	Groups(ctx context.Context, q directory.Query) (directory.Page[directory.Group], error)
	Members(ctx context.Context, group directory.GroupID) iter.Seq2[directory.Member, error]
	Cursor(ctx context.Context, source directory.SourceName) ([]byte, error)
	Claims(ctx context.Context, source directory.SourceName, newcomers ...directory.Newcomer) ([]directory.Claim, error)
}

// A State is what the store has of one source. People are rows of fixed size;
// their texts are in a spool.
type State struct {
	Groups []KnownGroup
	Cursor Cursor

	people column[knownRow]
	byExt  index // of people, by stable id
	byID   index // of people, by identity id
	spool  *spool
}

// A knownRow is an identity in the store.
type knownRow struct {
	ext    key   // of the stable id
	id     key   // the identity's id
	dn     dnKey // zero without a DN
	print  key   // of all that is compared
	record int64 // a known in the spool
	active bool
	gone   bool
}

// counts reports whether the identity lets its user have anything.
func (k *knownRow) counts() bool { return k.active && !k.gone }

func (k *knownRow) userID() string { return uuid.UUID(k.id).String() }

// A known is what is told of an identity in the store, and what a person is
// compared with.
type known struct {
	ExternalID, UserName, DN, DisplayName, Emails, Attributes string
}

// texts are the fields in the order of the spool.
func (k *known) texts() [6]*string {
	return [...]*string{&k.ExternalID, &k.UserName, &k.DN, &k.DisplayName, &k.Emails, &k.Attributes}
}

// A KnownGroup is a group in the store.
type KnownGroup struct {
	ID         directory.GroupID
	ExternalID string
	Name       string
	DN         string
	members    []ref              // sorted
	odd        []directory.Member // members that are nobody in this source, as they are stored
}

// A ref names somebody who is or will be in the store, as a member of a group.
type ref struct {
	at   int32
	kind refKind
	via  via
}

type refKind uint8

const (
	refPerson   refKind = iota // a row of State.people
	refNewcomer                // a row of Snapshot.people who is not in the state
	refGroup                   // in State.Groups
	refNewGroup                // in Snapshot.Groups and not in the state
	refOdd                     // in KnownGroup.odd
)

func compareRefs(a, b ref) int {
	if a.kind != b.kind {
		return int(a.kind) - int(b.kind)
	}
	if a.at != b.at {
		return int(a.at) - int(b.at)
	}
	return int(a.via) - int(b.via)
}

// newState returns the state of a store that has nothing.
func newState(sp *spool) *State {
	s := &State{spool: sp}
	s.byExt = newIndex(func(i int32) key { return s.people.at(i).ext })
	s.byID = newIndex(func(i int32) key { return s.people.at(i).id })
	return s
}

// readState reads everything the store has of a source.
func readState(ctx context.Context, store Facts, source directory.SourceName, sp *spool) (*State, error) {
	s := newState(sp)
	text, err := store.Cursor(ctx, source)
	if err != nil {
		return nil, fmt.Errorf("reading the cursor: %w", err)
	}
	if s.Cursor, err = parseCursor(text); err != nil {
		return nil, err
	}
	if err := s.readPeople(ctx, store, source); err != nil {
		return nil, err
	}
	return s, s.readGroups(ctx, store, source)
}

func (s *State) readPeople(ctx context.Context, store Facts, source directory.SourceName) error {
	query := directory.Query{Source: source, Limit: 1000}
	for query.Limit > 0 {
		page, err := store.Identities(ctx, query)
		if err != nil {
			return fmt.Errorf("reading identities: %w", err)
		}
		for i := range page.Items {
			if err := s.addPerson(&page.Items[i]); err != nil {
				return err
			}
		}
		query = following(query, page.Items, func(i directory.Identity) directory.Place {
			return directory.Place{Created: i.Created, ID: string(i.ID)}
		})
	}
	return nil
}

func (s *State) addPerson(id *directory.Identity) error {
	if id.Presence == directory.Deleted {
		return nil
	}
	parsed, err := uuid.Parse(string(id.ID))
	if err != nil {
		return fmt.Errorf("identity %q: %w", id.ID, err)
	}
	k := knownRow{
		ext: keyOfText(id.ExternalID), id: key(parsed), print: printOf(&id.Profile), active: id.Active, gone: id.Presence == directory.Gone,
	}
	if id.DN != "" {
		k.dn = keyOfDN(id.DN)
	}
	text := known{id.ExternalID, id.UserName, id.DN, id.DisplayName, string(emailsText(&id.Profile)), string(id.Attributes)}
	if k.record, err = s.spool.put(text.encode()); err != nil {
		return err
	}
	row := s.people.add(k)
	s.byExt.add(row)
	s.byID.add(row)
	return nil
}

func (s *State) readGroups(ctx context.Context, store Facts, source directory.SourceName) error {
	groups := map[string]int32{} // by id
	query := directory.Query{Source: source, Limit: 1000}
	for query.Limit > 0 {
		page, err := store.Groups(ctx, query)
		if err != nil {
			return fmt.Errorf("reading groups: %w", err)
		}
		for _, g := range page.Items {
			groups[string(g.ID)] = int32(len(s.Groups))
			s.Groups = append(s.Groups, KnownGroup{ID: g.ID, ExternalID: g.ExternalID, Name: g.Name, DN: g.DN})
		}
		query = following(query, page.Items, func(g directory.Group) directory.Place { return directory.Place{Created: g.Created, ID: string(g.ID)} })
	}
	for i := range s.Groups {
		if err := s.readMembers(ctx, store, &s.Groups[i], groups); err != nil {
			return err
		}
	}
	s.byID = index{} // no more ids will be looked up
	return nil
}

// following asks for the page after items; a Limit of 0 means there is none.
func following[T any](q directory.Query, items []T, place func(T) directory.Place) directory.Query {
	if len(items) < q.Limit {
		q.Limit = 0
		return q
	}
	after := place(items[len(items)-1])
	q.After = &after
	return q
}

func (s *State) readMembers(ctx context.Context, store Facts, g *KnownGroup, groups map[string]int32) error {
	for m, err := range store.Members(ctx, g.ID) {
		if err != nil {
			return fmt.Errorf("reading members of group %s: %w", g.ID, err)
		}
		r := ref{kind: refOdd, at: int32(len(g.odd))}
		if m.Via == directory.ViaPrimaryGroup {
			r.via = viaPrimary
		}
		if at, ok := groups[m.Value]; ok {
			r.kind, r.at = refGroup, at
		} else if id, err := uuid.Parse(m.Value); err == nil {
			if at := s.byID.find(key(id)); at != nowhere {
				r.kind, r.at = refPerson, at
			}
		}
		if r.kind == refOdd {
			g.odd = append(g.odd, m)
		}
		g.members = append(g.members, r)
	}
	slices.SortFunc(g.members, compareRefs)
	return nil
}

// known tells of a row.
func (s *State) known(row int32) (known, error) {
	record, err := s.spool.get(s.people.at(row).record)
	if err != nil {
		return known{}, err
	}
	return decodeKnown(record)
}

func (k *known) encode() []byte {
	var b []byte
	for _, text := range k.texts() {
		b = binary.AppendUvarint(b, uint64(len(*text)))
		b = append(b, *text...)
	}
	return b
}

func decodeKnown(b []byte) (k known, err error) {
	for _, text := range k.texts() {
		n, head := binary.Uvarint(b)
		if head <= 0 || n > uint64(len(b)-head) {
			return known{}, errSpool
		}
		*text, b = string(b[head:head+int(n)]), b[head+int(n):]
	}
	return k, nil
}

// personOf finds somebody by stable id.
func (s *State) personOf(stableID string) int32 { return s.byExt.find(keyOfText(stableID)) }

// standsAt reports whether the store has somebody, or a group, under a DN.
func (s *State) standsAt(stableID string, k dnKey) bool {
	if row := s.personOf(stableID); row != nowhere {
		return s.people.at(row).dn == k
	}
	return slices.ContainsFunc(s.Groups, func(g KnownGroup) bool { return g.ExternalID == stableID && keyOfDN(g.DN) == k })
}

// A past finds whom a DN named before: in the last complete read, or in an
// earlier one if a group has listed that DN ever since.
type past func(dnKey) (stableID string, ok bool, err error)

// past finds by DN whom the store knew, and whom the cursor remembers. Between
// somebody who is gone and somebody who is there under one DN, the latter is
// meant; between two who are there, neither.
func (s *State) past() past {
	var there, gone index
	var twins map[dnKey]bool
	groups := map[dnKey]string{}
	prepare := func() { // costly, and rarely wanted
		there, gone, twins = s.byDN()
		for i := range s.Groups {
			if s.Groups[i].DN == "" {
				continue
			}
			k := keyOfDN(s.Groups[i].DN)
			if _, taken := groups[k]; taken || there.find(key(k)) != nowhere {
				twins[k] = true
			}
			groups[k] = s.Groups[i].ExternalID
		}
	}
	return func(k dnKey) (string, bool, error) {
		if twins == nil {
			prepare()
		}
		if twins[k] {
			return "", false, nil
		}
		if id, ok := groups[k]; ok {
			return id, true, nil
		}
		row := there.find(key(k))
		if row == nowhere {
			row = gone.find(key(k))
		}
		if row == nowhere {
			id := s.Cursor.Aliases[k]
			return id, id != "", nil
		}
		who, err := s.known(row)
		return who.ExternalID, err == nil, err
	}
}

// byDN indexes people by DN: those who are there, and those who are gone. Two
// who are there under one DN are twins.
func (s *State) byDN() (there, gone index, twins map[dnKey]bool) {
	dnAt := func(i int32) key { return key(s.people.at(i).dn) }
	there, gone, twins = newIndex(dnAt), newIndex(dnAt), map[dnKey]bool{}
	for i := range int32(s.people.len()) {
		k := s.people.at(i)
		switch {
		case k.dn == dnKey{}:
		case k.gone:
			gone.add(i)
		case there.add(i) != nowhere:
			twins[k.dn] = true
		}
	}
	return there, gone, twins
}
