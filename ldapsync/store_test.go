package ldapsync

import (
	"cmp"
	"context"
	"fmt"
	"iter"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/usherd/usherd/directory"
)

// mapStore is the little of a store that a poller needs, in maps. It refuses
// what the contract refuses and counts what was taken away.
type mapStore struct {
	mu       sync.Mutex
	people   map[directory.UserID]directory.Identity
	names    map[directory.NameKey]directory.UserID // may be of names given up
	groups   map[directory.GroupID]directory.Group
	members  map[directory.GroupID]map[Ref]bool
	cursor   []byte
	runs     map[string]directory.Run
	holds    map[directory.SourceName]directory.Hold
	lease    directory.Lease
	logins   map[directory.UserID]time.Time
	revision directory.Revision
	applies  int

	gone, disabled, deleted, groupsDeleted, membersTaken int

	failAfter int // Applies that succeed before all fail; 0 is never
}

func newMapStore() *mapStore {
	return &mapStore{
		people: map[directory.UserID]directory.Identity{}, names: map[directory.NameKey]directory.UserID{}, groups: map[directory.GroupID]directory.Group{},
		members: map[directory.GroupID]map[Ref]bool{}, runs: map[string]directory.Run{}, logins: map[directory.UserID]time.Time{}, holds: map[directory.SourceName]directory.Hold{},
	}
}

// removals is everything that was ever taken from anybody.
func (s *mapStore) removals() int {
	return s.gone + s.disabled + s.deleted + s.groupsDeleted + s.membersTaken
}

func (s *mapStore) clone() *mapStore {
	s.mu.Lock()
	defer s.mu.Unlock()
	c := newMapStore()
	c.people, c.names, c.groups = maps.Clone(s.people), maps.Clone(s.names), maps.Clone(s.groups)
	for g, m := range s.members {
		c.members[g] = maps.Clone(m)
	}
	c.cursor, c.revision = slices.Clone(s.cursor), s.revision
	return c
}

func (s *mapStore) Identities(_ context.Context, q directory.Query) (directory.Page[directory.Identity], error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	all := slices.SortedFunc(maps.Values(s.people), func(a, b directory.Identity) int { return cmp.Compare(a.ID, b.ID) })
	all = slices.DeleteFunc(all, func(i directory.Identity) bool {
		return i.Source != q.Source || q.After != nil && string(i.ID) <= q.After.ID
	})
	return directory.Page[directory.Identity]{Items: all[:min(len(all), q.Limit)], Total: -1}, nil
}

func (s *mapStore) Groups(_ context.Context, q directory.Query) (directory.Page[directory.Group], error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	all := slices.SortedFunc(maps.Values(s.groups), func(a, b directory.Group) int { return cmp.Compare(a.ID, b.ID) })
	all = slices.DeleteFunc(all, func(g directory.Group) bool { return q.After != nil && string(g.ID) <= q.After.ID })
	return directory.Page[directory.Group]{Items: all[:min(len(all), q.Limit)], Total: -1}, nil
}

func (s *mapStore) Members(_ context.Context, group directory.GroupID) iter.Seq2[directory.Member, error] {
	s.mu.Lock()
	defer s.mu.Unlock()
	refs := slices.SortedFunc(maps.Keys(s.members[group]), func(a, b Ref) int { return cmp.Compare(a.Value, b.Value) })
	return func(yield func(directory.Member, error) bool) {
		for _, r := range refs {
			if !yield(directory.Member{Kind: directory.UserMember, ID: r.Value, Value: r.Value, Via: r.Via}, nil) {
				return
			}
		}
	}
}

func (s *mapStore) Cursor(context.Context, directory.SourceName) ([]byte, error) {
	return s.cursor, nil
}

func (s *mapStore) Claims(_ context.Context, _ directory.SourceName, newcomers ...directory.Newcomer) ([]directory.Claim, error) {
	return make([]directory.Claim, len(newcomers)), nil // it has one source
}

func (s *mapStore) Apply(ctx context.Context, _ directory.Actor, changes ...directory.Change) (directory.Applied, error) {
	if err := ctx.Err(); err != nil {
		return directory.Applied{}, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.applies++
	if s.failAfter > 0 && s.applies > s.failAfter {
		return directory.Applied{}, fmt.Errorf("the store is down")
	}
	for _, c := range changes { // first see whether all can be performed
		if err := s.refusal(c); err != nil {
			return directory.Applied{}, err
		}
	}
	changed := false
	for _, c := range changes {
		changed = s.perform(c) || changed
	}
	if changed {
		s.revision++
	}
	return directory.Applied{Stamp: directory.Stamp{Revision: s.revision}, Changed: changed}, nil
}

func (s *mapStore) refusal(c directory.Change) error {
	switch c := c.(type) {
	case directory.CreateUser:
		return s.taken(c.ID, c.Profile)
	case directory.ReplaceUser:
		if _, ok := s.people[c.ID]; !ok {
			return directory.ErrNotFound
		}
		return s.taken(c.ID, c.Profile)
	case directory.RequireLease:
		if s.lease.Epoch != c.Epoch {
			return directory.ErrFenced
		}
	}
	return nil
}

func (s *mapStore) taken(id directory.UserID, p directory.Profile) error {
	key, err := directory.KeyOf(p.UserName)
	if err != nil {
		return err
	}
	if other, ok := s.names[key]; ok && other != id {
		if k, _ := directory.KeyOf(s.people[other].UserName); k == key { // else the name was given up
			return &directory.TakenError{Attribute: "userName", Holder: string(other), Source: s.people[other].Source}
		}
	}
	return nil
}

func (s *mapStore) put(id directory.Identity) {
	s.people[id.ID] = id
	if key, err := directory.KeyOf(id.UserName); err == nil {
		s.names[key] = id.ID
	}
}

func (s *mapStore) perform(c directory.Change) bool {
	switch c := c.(type) {
	case directory.CreateUser:
		s.put(directory.Identity{ID: c.ID, User: c.ID, Source: c.Source, Presence: directory.Present, Profile: c.Profile})
	case directory.ReplaceUser:
		id := s.people[c.ID]
		if id.Active && !c.Profile.Active {
			s.disabled++
		}
		id.Profile, id.Presence = c.Profile, directory.Present
		s.put(id)
	case directory.SetPresence:
		id := s.people[c.ID]
		if c.Presence == directory.Gone {
			s.gone++
		}
		id.Presence = c.Presence
		s.people[c.ID] = id
	case directory.DeleteUser:
		s.deleted++
		delete(s.people, c.ID)
		for _, m := range s.members {
			maps.DeleteFunc(m, func(r Ref, _ bool) bool { return r.Value == string(c.ID) })
		}
	case directory.CreateGroup:
		s.groups[c.ID] = directory.Group{ID: c.ID, Source: c.Source, Name: c.Name, ExternalID: c.ExternalID, DN: c.DN}
	case directory.UpdateGroup:
		g := s.groups[c.ID]
		g.Name, g.DN = *c.Name, *c.DN
		s.groups[c.ID] = g
	case directory.DeleteGroup:
		s.groupsDeleted++
		delete(s.groups, c.ID)
		delete(s.members, c.ID)
	case directory.AddMembers:
		if s.members[c.Group] == nil {
			s.members[c.Group] = map[Ref]bool{}
		}
		for _, v := range c.Values {
			s.members[c.Group][Ref{Value: v, Via: c.Via}] = true
		}
	case directory.RemoveMembers:
		for _, v := range c.Values {
			delete(s.members[c.Group], Ref{Value: v, Via: c.Via})
			s.membersTaken++
		}
	case directory.SetCursor:
		s.cursor = c.Cursor
		return false
	case directory.RequireLease:
		return false
	}
	return true
}

func (s *mapStore) PutRun(_ context.Context, r directory.Run) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.runs[r.ID] = r
	return nil
}

func (s *mapStore) Runs(_ context.Context, _ directory.SourceName, limit int) ([]directory.Run, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	all := slices.SortedFunc(maps.Values(s.runs), func(a, b directory.Run) int { return b.Started.Compare(a.Started) })
	return all[:min(len(all), limit)], nil
}

func (s *mapStore) PutHold(_ context.Context, h directory.Hold) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.holds[h.Source] = h
	return nil
}

func (s *mapStore) Holds(context.Context) ([]directory.Hold, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Collect(maps.Values(s.holds)), nil
}

func (s *mapStore) EndHold(_ context.Context, source directory.SourceName, hash string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.holds[source].Hash == hash {
		delete(s.holds, source)
	}
	return nil
}

func (s *mapStore) NoteLogins(_ context.Context, logins map[directory.UserID]time.Time) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	maps.Copy(s.logins, logins)
	return nil
}

func (s *mapStore) AcquireLease(_ context.Context, name, holder string, _ time.Duration) (directory.Lease, bool, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.lease.Holder != "" && s.lease.Holder != holder {
		return s.lease, false, nil
	}
	if s.lease.Holder == "" {
		s.lease = directory.Lease{Name: name, Holder: holder, Epoch: s.lease.Epoch + 1}
	}
	return s.lease, true, nil
}

func (s *mapStore) RenewLease(_ context.Context, l directory.Lease, _ time.Duration) (bool, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.lease.Holder == l.Holder && s.lease.Epoch == l.Epoch, nil
}

func (s *mapStore) ReleaseLease(context.Context, string, string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.lease.Holder = ""
	return nil
}
