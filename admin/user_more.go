package admin

import (
	"context"
	"slices"

	"github.com/usherd/usherd/directory"
)

// UserMore is what lists show of a user besides the row, on demand.
type UserMore struct {
	Groups []UserGroup          `json:"groups"` // direct memberships
	Roles  []directory.RoleName `json:"roles"`  // by a path that counts, in whatever scope
	Seats  []string             `json:"seats"`  // features that somebody pays for
}

// MoreOfUsers tells of some users what a list shows on demand, as far as the
// asker may see it. Whom the asker may not know is left out.
func (s *Service) MoreOfUsers(ctx context.Context, ids ...directory.UserID) (map[directory.UserID]UserMore, error) {
	a, people, err := s.someSeen(ctx, ids)
	if err != nil {
		return nil, err
	}
	scopes := []directory.ProjectKey{}
	if a.May(ReadDirectory, "") {
		scopes = append(scopes, "")
	}
	for _, p := range a.view.Policy().Policy.Projects {
		if a.May(ReadDirectory, p.Key) {
			scopes = append(scopes, p.Key)
		}
	}
	out := make(map[directory.UserID]UserMore, len(people))
	for id, p := range people {
		sub := p.sub
		var more UserMore
		for _, m := range sub.Memberships {
			if g, ok := a.view.Group(m.Group); ok && a.seesGroup(g.Num, g.Project) {
				more.Groups = append(more.Groups, userGroup(g, m))
			}
		}
		for _, scope := range scopes {
			more.Roles = append(more.Roles, a.view.RolesOf(&sub, scope)...)
		}
		slices.Sort(more.Roles)
		more.Roles = slices.Compact(more.Roles)
		if a.May(ReadDirectory, "") {
			more.Seats = a.view.Seats(&sub)
		}
		out[id] = more
	}
	return out, nil
}

// NamesOfUsers returns what people call some users. Whom the asker may not know
// is left out.
func (s *Service) NamesOfUsers(ctx context.Context, ids ...directory.UserID) (map[directory.UserID]string, error) {
	_, people, err := s.someSeen(ctx, ids)
	if err != nil {
		return nil, err
	}
	out := make(map[directory.UserID]string, len(people))
	for id, p := range people {
		out[id] = shownUser(&p.row, &p.sub, nil).Name
	}
	return out, nil
}

// someSeen finds users whom the asker may read about.
func (s *Service) someSeen(ctx context.Context, ids []directory.UserID) (*Authority, map[directory.UserID]*person, error) {
	a, err := s.reads(ctx, ReadDirectory)
	if err != nil {
		return nil, nil, err
	}
	if _, err := s.peopleBy(ctx, ""); err != nil {
		return nil, nil, err
	}
	out := make(map[directory.UserID]*person, len(ids))
	for _, id := range ids {
		if p := s.inRoster(id); p != nil && a.readsUser(&p.sub) {
			out[id] = p
		}
	}
	return a, out, nil
}

// A Belonging is one group that a user is in, directly or because a group of
// theirs is. Who is in it directly is in it since that began; else since the way
// through nesting that has held longest, which holds since its youngest link.
type Belonging struct {
	UserGroup
	Through string `json:"through,omitempty"` // SOURCE/NAME of the group that is in it; empty: direct
}

// Belongings lists the groups of a user: the direct ones, then those around them.
func (s *Service) Belongings(ctx context.Context, name string) ([]Belonging, error) {
	a, err := s.Authority(ctx)
	if err != nil {
		return nil, err
	}
	sub, err := s.seenUser(ctx, a, name)
	if err != nil {
		return nil, err
	}
	if !a.readsUser(&sub) {
		return nil, a.require(ReadDirectory, "")
	}
	out := []Belonging{}
	seen := map[directory.GroupNum]bool{}
	for _, m := range sub.Memberships {
		seen[m.Group] = true
		if g, ok := a.view.Group(m.Group); ok {
			out = append(out, Belonging{UserGroup: userGroup(g, m)})
		}
	}
	for i := 0; i < len(out); i++ { // grows
		g, _ := a.view.Group(out[i].Num)
		for _, parent := range g.Parents {
			if above, ok := a.view.Group(parent); ok && !seen[parent] {
				seen[parent] = true
				around := Belonging{UserGroup: userGroup(above, directory.Membership{}), Through: string(g.Source) + "/" + g.Name}
				out = append(out, around)
			}
		}
	}
	out = slices.DeleteFunc(out, func(b Belonging) bool { return !a.seesGroup(b.Num, b.Project) })
	dated := make([]*UserGroup, len(out))
	for i := range out {
		dated[i] = &out[i].UserGroup
	}
	return out, s.dateGroups(ctx, a.view, &sub, dated)
}

// A Hiding is one membership that an override of a scope would hide.
type Hiding struct {
	User  directory.UserID `json:"user"`
	Group UserGroup        `json:"group"`
}

// Hidden lists the memberships of some users that an override in one scope would
// hide, because they can't be removed there: rule 9 of the decision.
func (s *Service) Hidden(ctx context.Context, project directory.ProjectKey, ids ...directory.UserID) ([]Hiding, error) {
	a, people, err := s.someSeen(ctx, ids)
	if err != nil {
		return nil, err
	}
	leads := newNesting(a.view).of(func(num directory.GroupNum) bool { return givesIn(a, num, project) })
	var out []Hiding
	for _, id := range ids {
		p := people[id]
		if p == nil {
			continue
		}
		for _, m := range p.sub.Memberships {
			g, ok := a.view.Group(m.Group)
			if !ok || !leads[m.Group] || m.Local && g.Project == project || !a.seesGroup(g.Num, g.Project) {
				continue
			}
			out = append(out, Hiding{id, userGroup(g, m)})
		}
	}
	return out, nil
}

// givesIn reports whether a group is given something in exactly one scope.
func givesIn(a *Authority, num directory.GroupNum, project directory.ProjectKey) bool {
	g, ok := a.view.Group(num)
	if !ok {
		return false
	}
	for _, given := range a.view.Given(num) {
		if given.Project == project || given.Project == "" && g.Project == project {
			return true
		}
	}
	return false
}
