package cache

import (
	"fmt"

	"github.com/maypok86/otter/v2"

	"github.com/usherd/usherd/directory"
)

// subjects is the first level, in process: one record a subject, and apart
// from it which key leads to whom. Subjects that nobody knows, or that a key
// does not tell apart, have a place of their own, so that a flood of made-up
// names cannot push out real ones.
//
// What it returns is shared and must not be altered.
type subjects struct {
	byID    *otter.Cache[directory.UserID, *directory.Subject]
	keys    *otter.Cache[directory.SubjectKey, pointer]
	unknown *otter.Cache[directory.SubjectKey, *directory.Subject]
}

// A pointer says whom a key named when it was read.
type pointer struct {
	id directory.UserID
	at directory.Revision
}

func newSubjects(known, unknown int) (*subjects, error) {
	s := &subjects{}
	var err error
	if s.byID, err = otter.New(&otter.Options[directory.UserID, *directory.Subject]{MaximumSize: known}); err != nil {
		return nil, fmt.Errorf("making the cache of subjects: %w", err)
	}
	// A subject is asked for by its id, which needs no pointer, and by a userName
	// or an e-mail address as well.
	if s.keys, err = otter.New(&otter.Options[directory.SubjectKey, pointer]{MaximumSize: 2 * known}); err != nil {
		return nil, fmt.Errorf("making the cache of keys: %w", err)
	}
	if s.unknown, err = otter.New(&otter.Options[directory.SubjectKey, *directory.Subject]{MaximumSize: unknown}); err != nil {
		return nil, fmt.Errorf("making the cache of unknown keys: %w", err)
	}
	return s, nil
}

// get returns what a key leads to at revision at, or nil. Every entry holds
// from its own revision to the newest published one; one that was read later
// than at may have missed what held then.
func (s *subjects) get(key directory.SubjectKey, at directory.Revision) *directory.Subject {
	if key.Kind == directory.KeyID {
		if sub, ok := s.byID.GetIfPresent(directory.UserID(key.Value)); ok && sub.At.Revision <= at {
			return sub
		}
	}
	if p, ok := s.keys.GetIfPresent(key); ok {
		if p.at > at {
			return nil
		}
		if sub, ok := s.byID.GetIfPresent(p.id); ok && sub.At.Revision <= at {
			return sub
		}
		return nil
	}
	if sub, ok := s.unknown.GetIfPresent(key); ok && sub.At.Revision <= at {
		return sub
	}
	return nil
}

// put keeps an admitted entry. An entry that is there already is as valid, and
// holds for longer.
func (s *subjects) put(key directory.SubjectKey, sub *directory.Subject) {
	if sub.Found != directory.One {
		s.unknown.SetIfAbsent(key, sub)
		return
	}
	s.byID.SetIfAbsent(sub.ID, sub)
	if key != idKey(sub.ID) {
		s.keys.SetIfAbsent(key, pointer{sub.ID, sub.At.Revision})
	}
}

// drop forgets whatever key leads to, and returns how many entries went.
func (s *subjects) drop(key directory.SubjectKey) (n int) {
	key = normal(key)
	if key.Kind == directory.KeyID {
		n += count(s.byID.Invalidate(directory.UserID(key.Value)))
	}
	n += count(s.keys.Invalidate(key))
	return n + count(s.unknown.Invalidate(key))
}

func count[V any](_ V, was bool) int {
	if was {
		return 1
	}
	return 0
}
