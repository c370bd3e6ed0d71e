package ldapsync

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"iter"
	"maps"
	"time"

	"github.com/usherd/usherd/directory"
)

// Facts is what a run reads of the store. A directory.Store has it.
type Facts interface {
	Identities(ctx context.Context, q directory.Query) (directory.Page[directory.Identity], error)
	Groups(ctx context.Context, q directory.Query) (directory.Page[directory.Group], error)
	Members(ctx context.Context, group directory.GroupID) iter.Seq2[directory.Member, error]
	Cursor(ctx context.Context, source directory.SourceName) ([]byte, error)
}

// A State is what the store has of one source.
type State struct {
	People []Known
	Groups []KnownGroup
	Cursor Cursor
}

// A Known is an identity in the store, without what only comparing needs.
type Known struct {
	ID         directory.UserID
	ExternalID string
	UserName   string
	DN         string
	Active     bool
	Presence   directory.Presence
	GoneSince  time.Time
	digest     digest
}

// counts reports whether the identity lets its user have anything.
func (k Known) counts() bool { return k.Active && k.Presence == directory.Present }

// A KnownGroup is a group in the store.
type KnownGroup struct {
	ID         directory.GroupID
	ExternalID string
	Name       string
	DN         string
	members    []edge
	odd        []directory.Member // members that are nobody in this source, as they are stored
}

// readState reads everything the store has of a source.
func readState(ctx context.Context, store Facts, source directory.SourceName) (State, error) {
	var s State
	text, err := store.Cursor(ctx, source)
	if err != nil {
		return s, fmt.Errorf("reading the cursor: %w", err)
	}
	if s.Cursor, err = parseCursor(text); err != nil {
		return s, err
	}
	values := map[string]edge{} // of members, by value
	query := directory.Query{Source: source, Limit: 1000}
	for query.Limit > 0 {
		page, err := store.Identities(ctx, query)
		if err != nil {
			return s, fmt.Errorf("reading identities: %w", err)
		}
		for _, id := range page.Items {
			if id.Presence == directory.Deleted {
				continue
			}
			values[string(id.ID)] = edge{at: int32(len(s.People))}
			s.People = append(s.People, known(id))
		}
		query = following(query, page.Items, func(i directory.Identity) directory.Place {
			return directory.Place{Created: i.Created, ID: string(i.ID)}
		})
	}
	query = directory.Query{Source: source, Limit: 1000}
	for query.Limit > 0 {
		page, err := store.Groups(ctx, query)
		if err != nil {
			return s, fmt.Errorf("reading groups: %w", err)
		}
		for _, g := range page.Items {
			values[string(g.ID)] = edge{at: int32(len(s.Groups)), group: true}
			s.Groups = append(s.Groups, KnownGroup{ID: g.ID, ExternalID: g.ExternalID, Name: g.Name, DN: g.DN})
		}
		query = following(query, page.Items, func(g directory.Group) directory.Place { return directory.Place{Created: g.Created, ID: string(g.ID)} })
	}
	for i := range s.Groups {
		if err := s.Groups[i].readMembers(ctx, store, values); err != nil {
			return s, err
		}
	}
	return s, nil
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

func (g *KnownGroup) readMembers(ctx context.Context, store Facts, values map[string]edge) error {
	for m, err := range store.Members(ctx, g.ID) {
		if err != nil {
			return fmt.Errorf("reading members of group %s: %w", g.ID, err)
		}
		e, ok := values[m.Value]
		if !ok {
			g.odd = append(g.odd, m)
			continue
		}
		if m.Via == directory.ViaPrimaryGroup {
			e.via = viaPrimary
		}
		g.members = append(g.members, e)
	}
	return nil
}

func known(id directory.Identity) Known {
	return Known{
		ID: id.ID, ExternalID: id.ExternalID, UserName: id.UserName, DN: id.DN, Active: id.Active, Presence: id.Presence,
		GoneSince: id.GoneSince, digest: digestOf(id.Profile),
	}
}

// A digest stands for the fields of a profile that are compared but not kept.
type digest struct{ displayName, emails, attributes [16]byte }

func digestOf(p directory.Profile) digest {
	var d digest
	d.displayName = sum([]byte(p.DisplayName))
	emails, _ := json.Marshal(append([]directory.Email{}, p.Emails...)) // strings and bools always marshal
	d.emails = sum(emails)
	d.attributes = sum(canonicalJSON(p.Attributes))
	return d
}

func sum(b []byte) [16]byte {
	full := sha256.Sum256(b)
	return [16]byte(full[:16])
}

// canonicalJSON makes the order of keys and white space not matter.
func canonicalJSON(text json.RawMessage) []byte {
	dec := json.NewDecoder(bytes.NewReader(text))
	dec.UseNumber()
	var v any
	if dec.Decode(&v) != nil {
		return text
	}
	out, err := json.Marshal(v)
	if err != nil {
		return text
	}
	return out
}

// changed names the fields in which p differs from what is known.
func (k Known) changed(p directory.Profile) []string {
	var fields []string
	d := digestOf(p)
	for _, f := range []struct {
		name    string
		differs bool
	}{
		{"userName", k.UserName != p.UserName},
		{"active", k.Active != p.Active},
		{"dn", k.DN != p.DN},
		{"displayName", k.digest.displayName != d.displayName},
		{"emails", k.digest.emails != d.emails},
		{"attributes", k.digest.attributes != d.attributes},
	} {
		if f.differs {
			fields = append(fields, f.name)
		}
	}
	return fields
}

// same reports whether somebody is in the store exactly as read, and if so
// leaves of what was read what the state holds already.
func (s State) same() func(*directory.Profile) bool {
	index := make(map[string]int32, len(s.People))
	for i, k := range s.People {
		index[k.ExternalID] = int32(i)
	}
	return func(p *directory.Profile) bool {
		i, known := index[p.ExternalID]
		if !known || len(s.People[i].changed(*p)) > 0 {
			return false
		}
		k := s.People[i]
		*p = directory.Profile{UserName: k.UserName, ExternalID: k.ExternalID, DN: k.DN, Active: k.Active}
		return true
	}
}

// past finds by DN whom the store knew, and whom the cursor remembers. Between
// somebody who is gone and somebody who is there under one DN, the latter is
// meant; between two who are there, neither.
func (s State) past() past {
	ids := make(map[dnKey]string, len(s.People)+len(s.Groups))
	for _, p := range s.People {
		if p.Presence == directory.Gone && p.DN != "" {
			ids[keyOfDN(p.DN)] = p.ExternalID
		}
	}
	there := map[dnKey]string{}
	add := func(dn, id string) {
		if dn == "" {
			return
		}
		key := keyOfDN(dn)
		if _, taken := there[key]; taken {
			id = ""
		}
		there[key] = id
	}
	for _, p := range s.People {
		if p.Presence != directory.Gone {
			add(p.DN, p.ExternalID)
		}
	}
	for _, g := range s.Groups {
		add(g.DN, g.ExternalID)
	}
	maps.Copy(ids, there)
	return func(key dnKey) (string, bool) {
		id := ids[key]
		if _, known := ids[key]; !known {
			id = s.Cursor.Aliases[key]
		}
		return id, id != ""
	}
}
