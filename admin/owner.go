package admin

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/usherd/usherd/authz"
	"github.com/usherd/usherd/directory"
)

// ErrLastOwner says that nobody active would hold the Role owner any more.
var ErrLastOwner = errors.New("the last active owner")

// keepingAnOwner applies changes unless they would leave the organization
// without an active owner. A deployment that has no owner yet may do anything.
func (s *Service) keepingAnOwner(ctx context.Context, by directory.Actor, changes ...directory.Change) (Outcome, error) {
	if gathered(ctx, changes) {
		return Outcome{}, nil
	}
	s.guard.Lock()
	defer s.guard.Unlock()
	return s.keepOwner(ctx, by, changes...)
}

// keepOwner is keepingAnOwner with the guard held.
func (s *Service) keepOwner(ctx context.Context, by directory.Actor, changes ...directory.Change) (out Outcome, err error) {
	for range turnTries {
		turn, err := s.takeTurn(ctx, changes)
		if err != nil {
			return Outcome{}, err
		}
		lost, err := s.LosesOwner(ctx, changes...)
		if err != nil {
			return Outcome{}, err
		}
		if lost {
			return Outcome{}, errLastOwner()
		}
		if out, err = s.apply(ctx, by, append(turn, changes...)...); !errors.Is(err, directory.ErrFenced) {
			return out, err
		}
		s.turn.until = time.Time{} // another replica had its turn meanwhile
	}
	return Outcome{}, errNoTurn
}

func errLastOwner() error {
	return fmt.Errorf("%w: afterwards no active user would hold the Role owner; give it to somebody else first (usherd user grant USER --role owner)", ErrLastOwner)
}

// LosesOwner reports whether changes would leave an organization that has an
// active owner without one.
func (s *Service) LosesOwner(ctx context.Context, changes ...directory.Change) (bool, error) {
	if takes, err := s.mayTakeAny(ctx, changes); err != nil || !takes {
		return false, err
	}
	f, err := s.foresee(ctx, changes...)
	if err != nil {
		return false, err
	}
	return s.leavesNoOwner(ctx, f)
}

// mayTakeAny is mayTake of any of changes.
func (s *Service) mayTakeAny(ctx context.Context, changes []directory.Change) (bool, error) {
	snapshot, err := s.present(ctx)
	if err != nil {
		return false, err
	}
	return slices.ContainsFunc(changes, func(c directory.Change) bool { return mayTake(snapshot, c) }), nil
}

// leavesNoOwner reports whether there is an active owner now and none then.
func (s *Service) leavesNoOwner(ctx context.Context, f *future) (bool, error) {
	has, err := s.ownedThen(ctx, f)
	if err != nil || has {
		return false, err
	}
	return s.ownedNow(ctx, f)
}

// PreviewWithOwner is [Service.Preview] and [Service.LosesOwner] at once: the
// directory performs the changes one time for both, which keeps other writers
// waiting half as long.
func (s *Service) PreviewWithOwner(ctx context.Context, changes ...directory.Change) (d authz.Difference, noOwner bool, err error) {
	f, err := s.foresee(ctx, changes...)
	if err != nil {
		return d, false, err
	}
	if noOwner, err = s.leavesNoOwner(ctx, f); err != nil {
		return d, false, err
	}
	d, err = s.difference(ctx, f, PeopleList{}, countedPeople)
	return d, noOwner, err
}

// mayTake reports whether a change can take a right from anybody. What the first
// read of a large directory does can not: it creates users and adds members.
func mayTake(s *authz.Snapshot, c directory.Change) bool {
	p := &s.Policy().Policy
	if role, _ := s.Role(p.DefaultRole); slices.Contains(role.Rights, directory.OrganizationOwn) {
		return true // who gets another Role loses the default one
	}
	switch c := c.(type) {
	case directory.CreateUser, directory.AddMembers, directory.PutGrant, directory.ConfirmMapping, directory.SetGroupDescription, directory.SetCursor:
		return false
	case directory.SetGroupStatus:
		return c.Status != directory.GroupActive
	case directory.SetSourceState:
		return c.State == directory.SourceDisabled
	case directory.ReplaceUser:
		return !c.Profile.Active
	case directory.SetPresence:
		return c.Presence != directory.Present
	case directory.CreateGroup: // a mapping by a name that two groups have gives nothing
		return slices.ContainsFunc(p.Mappings, func(m directory.Mapping) bool { return m.When.Name != "" && m.When.Source == c.Source })
	}
	return true
}

// owns reports whether a subject is an active owner.
func owns(s *authz.Snapshot, sub directory.Subject) bool {
	return s.Has(&sub, directory.OrganizationOwn, "").Allow
}

// ownerPage is how many people are asked at once whether they are an owner.
const ownerPage = 500

// ownedThen reports whether somebody owns the organization after the changes. It
// asks those who may: who differs, and whom a grant or a group gives the right.
func (s *Service) ownedThen(ctx context.Context, f *future) (found bool, err error) {
	for _, sub := range f.People {
		if owns(f.then, sub) {
			return true, nil
		}
	}
	err = s.others(ctx, f, f.then.RightCandidates(directory.OrganizationOwn, ""), ownerPage, func(sub *directory.Subject) bool {
		found = owns(f.then, *sub)
		return !found
	})
	return found, err
}

// ownedNow reports whether somebody owns the organization.
func (s *Service) ownedNow(ctx context.Context, f *future) (found bool, err error) {
	err = s.pages(ctx, f.now.RightCandidates(directory.OrganizationOwn, ""), f.Base, ownerPage, func(sub *directory.Subject) bool {
		found = owns(f.now, *sub)
		return !found
	})
	return found, err
}

// Owned reports whether somebody active owns the organization. Directories are
// obeyed, even if they take the last owner away: then somebody must be told.
func (s *Service) Owned(ctx context.Context) (found bool, err error) {
	view, err := s.present(ctx)
	if err != nil {
		return false, err
	}
	err = s.pages(ctx, view.RightCandidates(directory.OrganizationOwn, ""), view.At(), ownerPage, func(sub *directory.Subject) bool {
		found = owns(view, *sub)
		return !found
	})
	return found, err
}

// madeUp is somebody who is in one group and no more.
func madeUp(num directory.GroupNum) directory.Subject {
	return directory.Subject{
		Found: directory.One, ID: "made-up", Type: directory.Standard,
		Memberships: []directory.Membership{{Group: num, Local: true}},
	}
}

// AdminGroups returns the groups of a source whose members hold an
// administration right by that alone, by whatever path, in whatever project.
func (s *Service) AdminGroups(ctx context.Context, source directory.SourceName) (map[directory.GroupID]bool, error) {
	snapshot, err := s.present(ctx)
	if err != nil {
		return nil, err
	}
	out := map[directory.GroupID]bool{}
	for g := range snapshot.Groups() {
		if g.Source == source && snapshot.Administers(g.Num) {
			out[g.ID] = true
		}
	}
	return out, nil
}
