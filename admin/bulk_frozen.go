package admin

import (
	"context"
	"sync"

	"github.com/usherd/usherd/directory"
)

// A frozenStore answers what a preview of many asks for each of them from one
// reading: the newest stamp, the policy, and users by id and userName. Whatever
// else is asked goes to the store.
type frozenStore struct {
	Store
	head   directory.Head
	policy func() (directory.PolicyFacts, error)
	facts  func() (directory.Facts, error)
	people map[directory.SubjectKey]*directory.Subject
}

// frozen is s for one preview.
func (s *Service) frozen(ctx context.Context) (*Service, error) {
	everybody, err := s.peopleBy(ctx, "")
	if err != nil {
		return nil, err
	}
	head, err := s.Store.Head(ctx, directory.Stamp{})
	if err != nil {
		return nil, err
	}
	f := &frozenStore{
		Store: s.Store, head: head, people: make(map[directory.SubjectKey]*directory.Subject, 2*len(everybody)),
		policy: sync.OnceValues(func() (directory.PolicyFacts, error) { return s.Store.Policy(ctx) }),
		facts:  sync.OnceValues(func() (directory.Facts, error) { return s.Store.Facts(ctx, 0) }),
	}
	for _, p := range everybody {
		if p.sub.Found != directory.One {
			continue
		}
		f.people[directory.SubjectKey{Kind: directory.KeyID, Value: string(p.row.ID)}] = &p.sub
		for i := range p.row.Identities {
			id := &p.row.Identities[i]
			f.people[directory.SubjectKey{Kind: directory.KeyID, Value: string(id.ID)}] = &p.sub
			if id.Presence != directory.Deleted {
				f.people[directory.SubjectKey{Kind: directory.KeyUserName, Value: string(id.UserNameKey)}] = &p.sub
			}
		}
	}
	c := s.Config
	c.Store = f
	return New(c)
}

// Head implements [directory.History].
func (f *frozenStore) Head(ctx context.Context, mine directory.Stamp) (directory.Head, error) {
	if mine == (directory.Stamp{}) {
		return f.head, nil
	}
	return f.Store.Head(ctx, mine)
}

// Policy implements [directory.Catalog].
func (f *frozenStore) Policy(context.Context) (directory.PolicyFacts, error) { return f.policy() }

// Facts implements [directory.History].
func (f *frozenStore) Facts(ctx context.Context, at directory.Revision) (directory.Facts, error) {
	if at == 0 {
		return f.facts()
	}
	return f.Store.Facts(ctx, at)
}

// Subject implements [directory.History].
func (f *frozenStore) Subject(ctx context.Context, key directory.SubjectKey, at directory.Stamp) (directory.Subject, error) {
	if sub := f.people[key]; sub != nil && at == (directory.Stamp{}) {
		return *sub, nil
	}
	return f.Store.Subject(ctx, key, at)
}
