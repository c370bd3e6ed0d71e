package admin

import (
	"cmp"
	"context"
	"fmt"
	"iter"
	"maps"
	"slices"

	"github.com/usherd/usherd/authz"
	"github.com/usherd/usherd/directory"
)

// A future is what the directory would be after some changes that are not
// performed: policy and groups as a snapshot, and how people differ.
type future struct {
	now, then *authz.Snapshot

	facts  directory.Facts // that then is compiled from
	groups map[directory.GroupID]int
	alter  map[directory.UserID][]func(*directory.Subject)
	born   map[directory.UserID]*directory.Subject
	shaken map[directory.GroupID]bool // groups that differ, so that whoever is in them may
	made   map[directory.GroupID]bool // groups that are not there yet
}

// foresee works out a future.
func (s *Service) foresee(ctx context.Context, facts directory.Facts, changes ...directory.Change) (*future, error) {
	f := &future{
		now: authz.Compile(facts), facts: facts, groups: map[directory.GroupID]int{},
		alter: map[directory.UserID][]func(*directory.Subject){}, born: map[directory.UserID]*directory.Subject{},
		shaken: map[directory.GroupID]bool{}, made: map[directory.GroupID]bool{},
	}
	f.facts.Groups = slices.Clone(facts.Groups)
	f.facts.Policy.Sources = slices.Clone(facts.Policy.Sources)
	for i, g := range f.facts.Groups {
		f.groups[g.ID] = i
	}
	for _, c := range changes {
		if err := s.imagine(ctx, f, c); err != nil {
			return nil, err
		}
	}
	f.then = authz.Compile(f.facts)
	return f, nil
}

// imagine takes one change over. What bears on nobody's rights (a rename, a
// token, a condition) alters nothing here.
func (s *Service) imagine(ctx context.Context, f *future, c directory.Change) error {
	switch c := c.(type) {
	case directory.SetPolicy:
		f.facts = authz.After(f.facts, c.Policy, c.Sections)
	case directory.SetSourceState:
		for i := range f.facts.Policy.Sources {
			if f.facts.Policy.Sources[i].Name == c.Source {
				f.facts.Policy.Sources[i].State = c.State
			}
		}
	case directory.CreateGroup:
		f.createGroup(c)
	case directory.DeleteGroup:
		f.group(c.ID, func(g *directory.GroupFacts) { g.Blocked, g.Grants, g.Parents = true, nil, nil })
	case directory.SetGroupStatus:
		f.group(c.Group, func(g *directory.GroupFacts) { g.Blocked = c.Status == directory.GroupBlocked })
	case directory.SetGroupScope:
		f.group(c.Group, func(g *directory.GroupFacts) { g.Project = c.Project })
	case directory.PutGrant:
		f.grant(c.Grant, true)
	case directory.EndGrant:
		f.grant(c.Grant, false)
	case directory.AddMembers, directory.RemoveMembers, directory.ReplaceMembers:
		return s.imagineMembers(ctx, f, c)
	default:
		return s.imagineUser(ctx, f, c)
	}
	return nil
}

// imagineUser takes over what alters one user.
func (s *Service) imagineUser(ctx context.Context, f *future, c directory.Change) error {
	switch c := c.(type) {
	case directory.CreateUser:
		f.born[c.ID] = &directory.Subject{
			Found: directory.One, ID: c.ID, Type: cmp.Or(c.Profile.Type, directory.Standard), Inactive: !c.Profile.Active,
			Sources: []directory.SourceName{c.Source},
		}
	case directory.ReplaceUser:
		return s.differs(ctx, f, c.ID, func(sub *directory.Subject) { sub.Inactive = sub.Inactive || !c.Profile.Active })
	case directory.SetPresence:
		return s.differs(ctx, f, c.ID, func(sub *directory.Subject) { sub.Inactive = c.Presence != directory.Present })
	case directory.DeleteUser:
		return s.differs(ctx, f, c.ID, func(sub *directory.Subject) { sub.Inactive = true })
	case directory.SetBlock:
		return s.differs(ctx, f, c.User, func(sub *directory.Subject) { sub.Blocked = c.Blocked })
	case directory.SetOverride:
		return s.differs(ctx, f, c.User, func(sub *directory.Subject) { f.override(sub, c) })
	case directory.EndOverride:
		return s.differs(ctx, f, c.User, func(sub *directory.Subject) { endOverride(sub, c) })
	}
	return nil
}

// differs notes how a user, named by an identity, will differ.
func (s *Service) differs(ctx context.Context, f *future, identity directory.UserID, alter func(*directory.Subject)) error {
	if sub := f.born[identity]; sub != nil {
		alter(sub)
		return nil
	}
	sub, err := s.subject(ctx, identity)
	if err != nil {
		return err
	}
	if sub.Found == directory.One {
		f.alter[sub.ID] = append(f.alter[sub.ID], alter)
	}
	return nil
}

func (s *Service) subject(ctx context.Context, id directory.UserID) (directory.Subject, error) {
	sub, err := s.Store.Subject(ctx, directory.SubjectKey{Kind: directory.KeyID, Value: string(id)}, directory.Stamp{})
	if err != nil {
		return sub, fmt.Errorf("looking up user: %w", err)
	}
	return sub, nil
}

// group alters the facts of a group.
func (f *future) group(id directory.GroupID, alter func(*directory.GroupFacts)) {
	if i, ok := f.groups[id]; ok {
		alter(&f.facts.Groups[i])
		f.shaken[id] = true
	}
}

func (f *future) createGroup(c directory.CreateGroup) {
	num := directory.GroupNum(1)
	if n := len(f.facts.Groups); n > 0 {
		num = f.facts.Groups[n-1].Num + 1
	}
	key, err := directory.KeyOf(c.Name)
	if err != nil {
		return // the store refuses it
	}
	f.groups[c.ID], f.made[c.ID] = len(f.facts.Groups), true
	f.facts.Groups = append(f.facts.Groups, directory.GroupFacts{
		ID: c.ID, Num: num, Source: c.Source, Name: c.Name, NameKey: key, ExternalID: c.ExternalID, DN: c.DN, Project: c.Project,
	})
}

// grant gives a thing to its holder, or takes it away.
func (f *future) grant(g directory.Grant, give bool) {
	put := func(held []directory.Grant) []directory.Grant {
		held = slices.DeleteFunc(slices.Clone(held), func(h directory.Grant) bool { return sameThing(h, g) })
		if give {
			held = append(held, g)
		}
		return held
	}
	if g.Group != "" {
		f.group(g.Group, func(facts *directory.GroupFacts) { facts.Grants = put(facts.Grants) })
		return
	}
	f.alter[g.User] = append(f.alter[g.User], func(s *directory.Subject) { s.Grants = put(s.Grants) })
}

// override does to a subject what SetOverride does, in its own scope.
func (f *future) override(s *directory.Subject, c directory.SetOverride) {
	s.Overrides = append(slices.Clone(s.Overrides), c.Project)
	s.Grants = slices.DeleteFunc(slices.Clone(s.Grants), func(g directory.Grant) bool { return g.Project == c.Project })
	s.Memberships = slices.DeleteFunc(slices.Clone(s.Memberships), func(m directory.Membership) bool {
		g, ok := f.now.Group(m.Group)
		return ok && m.Local && g.Project == c.Project
	})
	if i, ok := f.groups[c.Group]; ok {
		join(s, f.facts.Groups[i].Num, true)
	}
	for _, set := range c.Grants {
		set.Project = c.Project
		for _, g := range grants(set, directory.Actor{}, c.User, "") {
			g.Origin = directory.ByOverride
			s.Grants = append(s.Grants, g)
		}
	}
}

func endOverride(s *directory.Subject, c directory.EndOverride) {
	s.Overrides = slices.DeleteFunc(slices.Clone(s.Overrides), func(p directory.ProjectKey) bool { return p == c.Project })
	s.Grants = slices.DeleteFunc(slices.Clone(s.Grants), func(g directory.Grant) bool {
		return g.Project == c.Project && g.Origin == directory.ByOverride
	})
}

// join makes a subject a direct member; memberships stay ascending.
func join(s *directory.Subject, num directory.GroupNum, local bool) {
	leave(s, num)
	s.Memberships = append(s.Memberships, directory.Membership{Group: num, Local: local})
	slices.SortFunc(s.Memberships, func(a, b directory.Membership) int { return cmp.Compare(a.Group, b.Group) })
}

func leave(s *directory.Subject, num directory.GroupNum) {
	s.Memberships = slices.DeleteFunc(slices.Clone(s.Memberships), func(m directory.Membership) bool { return m.Group == num })
}

// imagineMembers takes over who comes and goes.
func (s *Service) imagineMembers(ctx context.Context, f *future, c directory.Change) error {
	var group directory.GroupID
	var source directory.SourceName
	var come, leaves []string
	switch c := c.(type) {
	case directory.AddMembers:
		group, source, come = c.Group, c.Source, c.Values
	case directory.RemoveMembers:
		group, source, leaves = c.Group, c.Source, c.Values
	case directory.ReplaceMembers:
		group, source, come = c.Group, c.Source, c.Values
		stay := map[string]bool{}
		for _, v := range c.Values {
			stay[v] = true
		}
		for m, err := range s.members(ctx, f, c.Group) {
			if err != nil {
				return err
			}
			if m.Via == cmp.Or(c.Via, directory.ViaMember) && !stay[m.Value] {
				leaves = append(leaves, m.Value)
			}
		}
	}
	for _, value := range come {
		if err := s.imagineMember(ctx, f, group, source, value, true); err != nil {
			return err
		}
	}
	for _, value := range leaves {
		if err := s.imagineMember(ctx, f, group, source, value, false); err != nil {
			return err
		}
	}
	return nil
}

// members yields the present members of a group; one that is not there yet has
// none.
func (s *Service) members(ctx context.Context, f *future, group directory.GroupID) iter.Seq2[directory.Member, error] {
	return func(yield func(directory.Member, error) bool) {
		if f.made[group] {
			return
		}
		for m, err := range s.Store.Members(ctx, group) {
			if err != nil {
				yield(m, fmt.Errorf("members of group %s: %w", group, err))
				return
			}
			if !yield(m, nil) {
				return
			}
		}
	}
}

func (s *Service) imagineMember(ctx context.Context, f *future, group directory.GroupID, source directory.SourceName, value string, comes bool) error {
	i, ok := f.groups[group]
	if !ok {
		return nil
	}
	num := f.facts.Groups[i].Num
	if _, nested := f.groups[directory.GroupID(value)]; nested {
		f.group(directory.GroupID(value), func(g *directory.GroupFacts) {
			g.Parents = slices.DeleteFunc(slices.Clone(g.Parents), func(p directory.GroupNum) bool { return p == num })
			if comes {
				g.Parents = append(g.Parents, num)
				slices.Sort(g.Parents)
			}
		})
		return nil
	}
	id := directory.UserID(value)
	if !directory.IsID(value) {
		key := directory.SubjectKey{Kind: directory.KeyExternal, Source: source, Value: value}
		sub, err := s.Store.Subject(ctx, key, directory.Stamp{})
		if err != nil {
			return fmt.Errorf("looking up a member: %w", err)
		}
		id = sub.ID
	}
	return s.differs(ctx, f, id, func(sub *directory.Subject) {
		if comes {
			join(sub, num, source == directory.Local)
			return
		}
		leave(sub, num)
	})
}

// people yields everybody whom the future may touch, as they are and as they
// will be.
func (s *Service) people(ctx context.Context, f *future) (iter.Seq2[directory.Subject, directory.Subject], error) {
	ids := map[directory.UserID]bool{}
	for id := range f.alter {
		ids[id] = true
	}
	if err := s.addMembers(ctx, f, ids); err != nil {
		return nil, err
	}
	subjects := make([]directory.Subject, 0, len(ids))
	for _, id := range slices.Sorted(maps.Keys(ids)) {
		sub, err := s.subject(ctx, id)
		if err != nil {
			return nil, err
		}
		subjects = append(subjects, sub)
	}
	return func(yield func(directory.Subject, directory.Subject) bool) {
		for _, sub := range subjects {
			if !yield(sub, f.of(sub)) {
				return
			}
		}
		for _, id := range slices.Sorted(maps.Keys(f.born)) {
			if !yield(directory.Subject{}, *f.born[id]) {
				return
			}
		}
	}, nil
}

// of is a subject as it will be.
func (f *future) of(sub directory.Subject) directory.Subject {
	for _, alter := range f.alter[sub.ID] {
		alter(&sub)
	}
	return sub
}

// addMembers adds to ids who is in a group that differs, or in one nested in
// it.
func (s *Service) addMembers(ctx context.Context, f *future, ids map[directory.UserID]bool) error {
	below := map[directory.GroupNum][]directory.GroupID{}
	for _, g := range f.facts.Groups {
		for _, p := range g.Parents {
			below[p] = append(below[p], g.ID)
		}
	}
	todo := slices.Collect(maps.Keys(f.shaken))
	seen := maps.Clone(f.shaken)
	for len(todo) > 0 {
		id := todo[len(todo)-1]
		todo = todo[:len(todo)-1]
		for m, err := range s.members(ctx, f, id) {
			if err != nil {
				return err
			}
			if m.Kind == directory.UserMember {
				ids[directory.UserID(m.ID)] = true
			}
		}
		for _, child := range below[f.facts.Groups[f.groups[id]].Num] {
			if !seen[child] {
				seen[child] = true
				todo = append(todo, child)
			}
		}
	}
	return nil
}

// Preview says who would gain and lose what by changes, in seats and money too,
// counted over those whom the changes touch.
func (s *Service) Preview(ctx context.Context, changes ...directory.Change) (authz.Difference, error) {
	facts, err := s.Store.Facts(ctx, 0)
	if err != nil {
		return authz.Difference{}, fmt.Errorf("reading facts: %w", err)
	}
	f, err := s.foresee(ctx, facts, changes...)
	if err != nil {
		return authz.Difference{}, err
	}
	people, err := s.people(ctx, f)
	if err != nil {
		return authz.Difference{}, err
	}
	return authz.DiffPairs(f.now, f.then, people), nil
}

// everybody yields all living users, read in pages. An error ends it and is
// kept in err.
func (s *Service) everybody(ctx context.Context, err *error) iter.Seq[directory.Subject] {
	return func(yield func(directory.Subject) bool) {
		seen := map[directory.UserID]bool{}
		for q := (directory.Query{Limit: maxPage}); ; {
			page, perr := s.Store.Identities(ctx, q)
			if perr != nil {
				*err = fmt.Errorf("reading users: %w", perr)
				return
			}
			for _, id := range page.Items {
				if seen[id.User] {
					continue
				}
				seen[id.User] = true
				sub, serr := s.subject(ctx, id.User)
				if serr != nil {
					*err = serr
					return
				}
				if !yield(sub) {
					return
				}
			}
			if len(page.Items) < maxPage {
				return
			}
			last := page.Items[len(page.Items)-1]
			q.After = &directory.Place{Created: last.Created, ID: string(last.ID)}
		}
	}
}
