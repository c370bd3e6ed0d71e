package admin

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/usherd/usherd/authz"
	"github.com/usherd/usherd/directory"
)

// ErrLastOwner says that nobody active would hold the Role owner any more.
var ErrLastOwner = errors.New("the last active owner")

// keepingAnOwner applies changes unless they would leave the organization
// without an active owner. A deployment that has no owner yet may do anything.
func (s *Service) keepingAnOwner(ctx context.Context, by directory.Actor, changes ...directory.Change) (Outcome, error) {
	s.guard.Lock()
	defer s.guard.Unlock()
	lost, err := s.LosesOwner(ctx, changes...)
	if err != nil {
		return Outcome{}, err
	}
	if lost {
		return Outcome{}, errLastOwner()
	}
	return s.apply(ctx, by, changes...)
}

func errLastOwner() error {
	return fmt.Errorf("%w: afterwards no active user would hold the Role owner; give it to somebody else first (usherd user grant USER --role owner)", ErrLastOwner)
}

// LosesOwner reports whether changes would leave an organization that has an
// active owner without one.
func (s *Service) LosesOwner(ctx context.Context, changes ...directory.Change) (bool, error) {
	facts, err := s.Store.Facts(ctx, 0)
	if err != nil {
		return false, fmt.Errorf("reading facts: %w", err)
	}
	f, err := s.foresee(ctx, facts, changes...)
	if err != nil {
		return false, err
	}
	had, err := s.anOwner(ctx, f, f.now, func(sub directory.Subject) directory.Subject { return sub })
	if err != nil || !had {
		return false, err
	}
	has, err := s.anOwner(ctx, f, f.then, f.of)
	return !has, err
}

// owns reports whether a subject is an active owner.
func owns(s *authz.Snapshot, sub directory.Subject) bool {
	return s.Has(&sub, directory.OrganizationOwn, "").Allow
}

// anOwner reports whether somebody owns the organization. It asks about those
// who may: who has a grant of an owning Role, and who is in a group that gives
// one.
func (s *Service) anOwner(ctx context.Context, f *future, snapshot *authz.Snapshot, as func(directory.Subject) directory.Subject) (bool, error) {
	ask := func(id directory.UserID) (bool, error) {
		sub, err := s.subject(ctx, id)
		return err == nil && owns(snapshot, as(sub)), err
	}
	held, err := s.Store.Grants(ctx, "", "")
	if err != nil {
		return false, fmt.Errorf("reading grants: %w", err)
	}
	for _, g := range held {
		role, _ := snapshot.Role(g.Role)
		if g.User == "" || !slices.Contains(role.Rights, directory.OrganizationOwn) {
			continue
		}
		if yes, err := ask(g.User); err != nil || yes {
			return yes, err
		}
	}
	for g := range snapshot.Groups() {
		if !owns(snapshot, madeUp(g.Num)) {
			continue
		}
		for m, err := range s.members(ctx, f, g.ID) {
			if err != nil {
				return false, err
			}
			if m.Kind != directory.UserMember {
				continue
			}
			if yes, err := ask(directory.UserID(m.ID)); err != nil || yes {
				return yes, err
			}
		}
	}
	return false, nil
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
	facts, err := s.Store.Facts(ctx, 0)
	if err != nil {
		return nil, fmt.Errorf("reading facts: %w", err)
	}
	snapshot := authz.Compile(facts)
	projects := []directory.ProjectKey{""}
	for _, p := range facts.Policy.Policy.Projects {
		projects = append(projects, p.Key)
	}
	out := map[directory.GroupID]bool{}
	for _, g := range facts.Groups {
		if g.Source == source && administers(snapshot, madeUp(g.Num), projects) {
			out[g.ID] = true
		}
	}
	return out, nil
}

func administers(snapshot *authz.Snapshot, sub directory.Subject, projects []directory.ProjectKey) bool {
	for _, project := range projects {
		for _, right := range slices.Concat(directory.OrganizationRights, directory.ProjectRights) {
			if right.IsAdministration() && snapshot.Has(&sub, right, project).Allow {
				return true
			}
		}
	}
	return false
}
