package admin

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/usherd/usherd/directory"
)

// ErrLastOwner: nobody active would hold the Role owner any more.
var ErrLastOwner = errors.New("the last active owner")

// keepingAnOwner applies changes unless they would leave the organization
// without an active user who may own it. A deployment that has no owner yet
// may do anything.
func (s *Service) keepingAnOwner(ctx context.Context, by directory.Actor, changes ...directory.Change) (Outcome, error) {
	s.guard.Lock()
	defer s.guard.Unlock()
	facts, err := s.Store.Facts(ctx, 0)
	if err != nil {
		return Outcome{}, fmt.Errorf("reading facts: %w", err)
	}
	if err := s.keepsOwner(ctx, newFuture(facts), newFuture(facts, changes...)); err != nil {
		return Outcome{}, err
	}
	return s.apply(ctx, by, changes...)
}

// keepsOwner is the test of keepingAnOwner.
func (s *Service) keepsOwner(ctx context.Context, now, then *future) error {
	had, err := s.anOwner(ctx, now)
	if err != nil || !had {
		return err
	}
	has, err := s.anOwner(ctx, then)
	if err != nil || has {
		return err
	}
	return fmt.Errorf("%w: afterwards no active user would hold the Role owner; give it to somebody else first (usherd user grant USER --role owner)", ErrLastOwner)
}

// A future is the facts as they will be after some changes, as far as they bear
// on who owns the organization.
type future struct {
	policy directory.PolicyFacts
	gives  map[directory.GroupNum]bool // groups whose members own
	ids    map[directory.GroupNum]directory.GroupID
	alter  map[directory.UserID][]func(*directory.Subject)
}

func newFuture(facts directory.Facts, changes ...directory.Change) *future {
	f := &future{
		policy: facts.Policy, gives: map[directory.GroupNum]bool{}, ids: map[directory.GroupNum]directory.GroupID{},
		alter: map[directory.UserID][]func(*directory.Subject){},
	}
	f.policy.Sources = slices.Clone(f.policy.Sources)
	groups := slices.Clone(facts.Groups)
	for i := range groups {
		groups[i].Grants = slices.Clone(groups[i].Grants)
	}
	for _, c := range changes {
		f.perform(c, groups)
	}
	f.close(groups)
	return f
}

// perform takes over the changes that can end somebody's ownership; others
// alter nothing here.
func (f *future) perform(c directory.Change, groups []directory.GroupFacts) {
	group := func(id directory.GroupID) *directory.GroupFacts {
		if i := slices.IndexFunc(groups, func(g directory.GroupFacts) bool { return g.ID == id }); i >= 0 {
			return &groups[i]
		}
		return &directory.GroupFacts{}
	}
	change := func(user directory.UserID, alter func(*directory.Subject)) {
		f.alter[user] = append(f.alter[user], alter)
	}
	switch c := c.(type) {
	case directory.SetBlock:
		change(c.User, func(s *directory.Subject) { s.Blocked = c.Blocked })
	case directory.SetGroupStatus:
		group(c.Group).Blocked = c.Status == directory.GroupBlocked
	case directory.SetGroupScope:
		group(c.Group).Project = c.Project
	case directory.EndGrant:
		if c.Grant.Group != "" {
			g := group(c.Grant.Group)
			g.Grants = slices.DeleteFunc(g.Grants, func(h directory.Grant) bool { return sameThing(h, c.Grant) })
			return
		}
		change(c.Grant.User, func(s *directory.Subject) {
			s.Grants = slices.DeleteFunc(slices.Clone(s.Grants), func(h directory.Grant) bool { return sameThing(h, c.Grant) })
		})
	case directory.SetOverride:
		change(c.User, func(s *directory.Subject) { override(s, c) })
	case directory.EndOverride:
		change(c.User, func(s *directory.Subject) { endOverride(s, c) })
	case directory.SetSourceState:
		for i := range f.policy.Sources {
			if f.policy.Sources[i].Name == c.Source {
				f.policy.Sources[i].State = c.State
			}
		}
	}
}

// override does to a subject what SetOverride does, in its own scope.
func override(s *directory.Subject, c directory.SetOverride) {
	s.Overrides = append(slices.Clone(s.Overrides), c.Project)
	s.Grants = slices.DeleteFunc(slices.Clone(s.Grants), func(g directory.Grant) bool { return g.Project == c.Project })
	if c.Project == "" {
		s.Memberships = slices.DeleteFunc(slices.Clone(s.Memberships), func(m directory.Membership) bool { return m.Local })
	}
	for _, set := range c.Grants {
		for _, role := range set.Roles {
			s.Grants = append(s.Grants, directory.Grant{User: c.User, Project: c.Project, Role: role, Origin: directory.ByOverride})
		}
	}
}

func endOverride(s *directory.Subject, c directory.EndOverride) {
	s.Overrides = slices.DeleteFunc(slices.Clone(s.Overrides), func(p directory.ProjectKey) bool { return p == c.Project })
	s.Grants = slices.DeleteFunc(slices.Clone(s.Grants), func(g directory.Grant) bool {
		return g.Project == c.Project && g.Origin == directory.ByOverride
	})
}

// owning reports whether a Role makes its holder an owner.
func (f *future) owning(name directory.RoleName) bool {
	r, ok := f.policy.Policy.Role(name)
	return ok && slices.Contains(r.Rights, directory.OrganizationOwn)
}

// close finds the groups whose members own the organization: by a grant or a
// mapping of their own, or through a group that they are nested in. A blocked
// group, and one of a project, cuts the path.
func (f *future) close(groups []directory.GroupFacts) {
	counts := map[directory.SourceName]bool{directory.Local: true}
	for _, src := range f.policy.Sources {
		counts[src.Name] = src.State != directory.SourceDisabled && src.State != directory.SourceRemoved
	}
	open := func(g *directory.GroupFacts) bool { return !g.Blocked && g.Project == "" && counts[g.Source] }
	for i := range groups {
		g := &groups[i]
		f.ids[g.Num] = g.ID
		if open(g) && (f.granted(g) || f.mapped(g)) {
			f.gives[g.Num] = true
		}
	}
	for grown := true; grown; {
		grown = false
		for i := range groups {
			g := &groups[i]
			if !f.gives[g.Num] && open(g) && slices.ContainsFunc(g.Parents, func(p directory.GroupNum) bool { return f.gives[p] }) {
				f.gives[g.Num], grown = true, true
			}
		}
	}
}

func (f *future) granted(g *directory.GroupFacts) bool {
	return slices.ContainsFunc(g.Grants, func(h directory.Grant) bool { return h.Project == "" && f.owning(h.Role) })
}

// mapped reports whether a mapping makes the members of g owners. What gives an
// administration right always binds.
func (f *future) mapped(g *directory.GroupFacts) bool {
	for _, m := range f.policy.Policy.Mappings {
		owns := slices.ContainsFunc(m.Grants, func(set directory.GrantSet) bool {
			return set.Project == "" && slices.ContainsFunc(set.Roles, f.owning)
		})
		if !owns {
			continue
		}
		bound := slices.ContainsFunc(f.policy.Bindings, func(b directory.Binding) bool {
			return b.Mapping == m.Name && b.Num == g.Num && b.State == directory.Bound
		})
		if bound {
			return true
		}
	}
	return false
}

// owns reports whether a subject is an active owner then.
func (f *future) owns(sub directory.Subject) bool {
	for _, alter := range f.alter[sub.ID] {
		alter(&sub)
	}
	if sub.Found != directory.One || sub.Blocked || sub.Inactive {
		return false
	}
	for _, name := range sub.Sources {
		i := slices.IndexFunc(f.policy.Sources, func(s directory.Source) bool { return s.Name == name })
		if i >= 0 && f.policy.Sources[i].State == directory.SourceDisabled {
			return false
		}
	}
	hidden := slices.Contains(sub.Overrides, "")
	return slices.ContainsFunc(sub.Grants, func(g directory.Grant) bool { return g.Project == "" && f.owning(g.Role) }) ||
		slices.ContainsFunc(sub.Memberships, func(m directory.Membership) bool { return f.gives[m.Group] && (m.Local || !hidden) })
}

// anOwner reports whether somebody owns the organization then. It asks about
// those who may: who has a grant of an owning Role, and the members of groups
// that give one.
func (s *Service) anOwner(ctx context.Context, f *future) (bool, error) {
	ask := func(id directory.UserID) (bool, error) {
		sub, err := s.Store.Subject(ctx, directory.SubjectKey{Kind: directory.KeyID, Value: string(id)}, directory.Stamp{})
		if err != nil {
			return false, fmt.Errorf("looking up an owner: %w", err)
		}
		return f.owns(sub), nil
	}
	held, err := s.Store.Grants(ctx, "", "")
	if err != nil {
		return false, fmt.Errorf("reading grants: %w", err)
	}
	for _, g := range held {
		if g.User == "" || g.Project != "" || !f.owning(g.Role) {
			continue
		}
		if owns, err := ask(g.User); err != nil || owns {
			return owns, err
		}
	}
	for num := range f.gives {
		for m, err := range s.Store.Members(ctx, f.ids[num]) {
			if err != nil {
				return false, fmt.Errorf("members of an owning group: %w", err)
			}
			if m.Kind != directory.UserMember {
				continue
			}
			if owns, err := ask(directory.UserID(m.ID)); err != nil || owns {
				return owns, err
			}
		}
	}
	return false, nil
}
