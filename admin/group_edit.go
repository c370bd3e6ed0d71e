package admin

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/usherd/usherd/directory"
)

// NewGroup describes a local group to make.
type NewGroup struct {
	Name        string               `json:"name"`
	Project     directory.ProjectKey `json:"project,omitempty"`
	Description string               `json:"description,omitempty"`
	Members     []string             `json:"members,omitempty"` // see Service.AddMembers
	Grants      []GrantSpec          `json:"grants,omitempty"`
}

// A MadeGroup is a new group.
type MadeGroup struct {
	ID   directory.GroupID `json:"id"`
	Name string            `json:"name"` // SOURCE/NAME
	Outcome
}

// CreateGroup makes a local group, organization-wide or in a project, with
// members and grants if they are given: all or nothing.
func (s *Service) CreateGroup(ctx context.Context, by directory.Actor, n NewGroup) (MadeGroup, error) {
	a, err := s.allowed(ctx, by, WriteGroups, n.Project)
	if err != nil {
		return MadeGroup{}, err
	}
	if err := checkProject(&a.view.Policy().Policy, n.Project); err != nil {
		return MadeGroup{}, err
	}
	if err := a.mayBeNamed(n.Name, n.Project); err != nil {
		return MadeGroup{}, err
	}
	id := directory.GroupID(directory.NewID())
	changes := []directory.Change{directory.CreateGroup{
		ID: id, Source: directory.Local, Name: n.Name, Project: n.Project, Description: n.Description,
	}}
	for _, spec := range n.Grants {
		more, err := s.grantsOfNew(a, id, n.Project, spec)
		if err != nil {
			return MadeGroup{}, err
		}
		changes = append(changes, more...)
	}
	if len(n.Members) > 0 {
		values, err := s.memberValues(ctx, a, n.Members)
		if err != nil {
			return MadeGroup{}, err
		}
		changes = append(changes, directory.AddMembers{Group: id, Source: directory.Local, Values: values})
	}
	out, err := s.keepingAnOwner(ctx, by, changes...)
	if errors.Is(err, directory.ErrExists) {
		err = fmt.Errorf("%w: there is a local group %q%s already", directory.ErrExists, n.Name, in(n.Project))
	}
	if err != nil {
		return MadeGroup{}, err
	}
	return MadeGroup{id, string(directory.Local) + "/" + n.Name, out}, nil
}

// grantsOfNew are the grants of a group that is not there yet. In a group of a
// project they are of that project.
func (s *Service) grantsOfNew(a *Authority, id directory.GroupID, project directory.ProjectKey, spec GrantSpec) ([]directory.Change, error) {
	if spec.Project == "" {
		spec.Project = project
	}
	if err := a.require(WriteGrants, spec.Project); err != nil {
		return nil, err
	}
	set, err := a.givable(spec)
	if err != nil {
		return nil, err
	}
	return s.groupGrants(a.Actor, id, []directory.GrantSet{set}), nil
}

// GroupEdit says what to change of a group; what is nil stays. Name belongs to
// the source that owns the group; the rest is ours on any group.
type GroupEdit struct {
	Name        *string                `json:"name,omitempty"`
	Description *string                `json:"description,omitempty"`
	Status      *directory.GroupStatus `json:"status,omitempty"`
	Project     *directory.ProjectKey  `json:"project,omitempty"`
	Version     int64                  `json:"version,omitempty"` // 0: any
}

// EditGroup changes a group.
func (s *Service) EditGroup(ctx context.Context, by directory.Actor, name string, e GroupEdit) (Outcome, error) {
	action := WriteGroups
	if e.Name == nil && e.Description == nil && e.Project == nil && e.Status != nil {
		action = BlockGroups
	}
	a, g, err := s.groupToChange(ctx, by, name, action)
	if err != nil {
		return Outcome{}, err
	}
	changes := required(string(g.ID), e.Version)
	if e.Name != nil && *e.Name != g.Name {
		if g.Source != directory.Local {
			return Outcome{}, ownedGroup(g, "its name")
		}
		if err := a.mayBeNamed(*e.Name, g.Project); err != nil {
			return Outcome{}, err
		}
		changes = append(changes, directory.UpdateGroup{ID: g.ID, Source: g.Source, Name: e.Name})
	}
	if e.Description != nil {
		changes = append(changes, directory.SetGroupDescription{Group: g.ID, Description: *e.Description})
	}
	if e.Status != nil {
		if *e.Status != directory.GroupActive && *e.Status != directory.GroupBlocked {
			return Outcome{}, invalid("status %q is not one of active, blocked", *e.Status)
		}
		changes = append(changes, directory.SetGroupStatus{Group: g.ID, Status: *e.Status})
	}
	if e.Project != nil && *e.Project != g.Project {
		if err := checkProject(&a.view.Policy().Policy, *e.Project); err != nil {
			return Outcome{}, err
		}
		if err := errors.Join(a.require(WriteGroups, *e.Project), a.mayMoveGroup(g, *e.Project)); err != nil {
			return Outcome{}, err
		}
		changes = append(changes, directory.SetGroupScope{Group: g.ID, Project: *e.Project})
	}
	out, err := s.keepingAnOwner(ctx, by, changes...)
	if errors.Is(err, directory.ErrExists) {
		err = fmt.Errorf("%w: there is a group of that name already", directory.ErrExists)
	}
	return out, err
}

// required is the condition that a version still holds; 0 is none.
func required(id string, version int64) []directory.Change {
	if version == 0 {
		return nil
	}
	return []directory.Change{directory.RequireVersion{ID: id, Version: version}}
}

// ownedGroup says why something of a group can't be changed here.
func ownedGroup(g directory.Group, what string) error {
	return fmt.Errorf("%w: %s of group %s/%s is managed by source %s; change it there", directory.ErrNotOwner, what, g.Source, g.Name, g.Source)
}

// DeleteGroup ends a local group with its memberships and grants.
func (s *Service) DeleteGroup(ctx context.Context, by directory.Actor, name string, version int64) (Outcome, error) {
	_, g, err := s.groupToChange(ctx, by, name, WriteGroups)
	if err != nil {
		return Outcome{}, err
	}
	if g.Source != directory.Local {
		return Outcome{}, fmt.Errorf("%w: group %s/%s is managed by source %s; delete it there, or block it here (usherd group block)",
			directory.ErrNotOwner, g.Source, g.Name, g.Source)
	}
	return s.keepingAnOwner(ctx, by, append(required(string(g.ID), version), directory.DeleteGroup{ID: g.ID, Source: directory.Local})...)
}

// maxMembers is how many members one call adds or removes.
const maxMembers = 10_000

// AddMembers puts users and groups into a local group. A user is named by id,
// userName, email:ADDRESS or external:SOURCE/ID, a group by group:SOURCE/NAME or
// group:ID. Who may change the group may name any user.
func (s *Service) AddMembers(ctx context.Context, by directory.Actor, group string, who []string) (Outcome, error) {
	a, g, err := s.membersToChange(ctx, by, group, who)
	if err != nil {
		return Outcome{}, err
	}
	values, err := s.memberValues(ctx, a, who)
	if err != nil {
		return Outcome{}, err
	}
	return s.keepingAnOwner(ctx, by, directory.AddMembers{Group: g.ID, Source: directory.Local, Values: values})
}

// RemoveMembers takes users and groups out of a local group.
func (s *Service) RemoveMembers(ctx context.Context, by directory.Actor, group string, who []string) (Outcome, error) {
	a, g, err := s.membersToChange(ctx, by, group, who)
	if err != nil {
		return Outcome{}, err
	}
	ids, err := s.memberValues(ctx, a, who)
	if err != nil {
		return Outcome{}, err
	}
	gone := map[string]bool{}
	for _, id := range ids {
		gone[id] = true
	}
	var values []string
	for m, err := range s.Store.Members(ctx, g.ID) {
		if err != nil {
			return Outcome{}, fmt.Errorf("members of group %s: %w", g.ID, err)
		}
		if gone[m.ID] || gone[m.Value] {
			values = append(values, m.Value)
			delete(gone, m.ID)
			delete(gone, m.Value)
		}
	}
	for i, id := range ids {
		if gone[id] {
			return Outcome{}, notFound("%s is no direct member of group %s/%s", who[i], g.Source, g.Name)
		}
	}
	return s.keepingAnOwner(ctx, by, directory.RemoveMembers{Group: g.ID, Source: directory.Local, Values: values})
}

func (s *Service) membersToChange(ctx context.Context, by directory.Actor, group string, who []string) (*Authority, directory.Group, error) {
	a, g, err := s.groupToChange(ctx, by, group, WriteGroups)
	switch {
	case err != nil:
		return nil, g, err
	case len(who) == 0 || len(who) > maxMembers:
		return nil, g, invalid("name from 1 to %d members", maxMembers)
	case g.Source != directory.Local:
		return nil, g, fmt.Errorf("%w: the members of group %s/%s are managed by source %s; change them there, or put people into a local group (usherd group create)",
			directory.ErrNotOwner, g.Source, g.Name, g.Source)
	}
	return a, g, nil
}

// memberValues are the ids of those who are named, in the same order.
func (s *Service) memberValues(ctx context.Context, a *Authority, who []string) ([]string, error) {
	out := make([]string, 0, len(who))
	for _, name := range who {
		if title, isGroup := strings.CutPrefix(name, "group:"); isGroup {
			g, err := s.seenGroup(ctx, a, title)
			if err != nil {
				return nil, err
			}
			out = append(out, string(g.ID))
			continue
		}
		sub, err := s.user(ctx, name)
		if err != nil {
			return nil, err
		}
		out = append(out, string(sub.ID))
	}
	if dup := firstTwice(out); dup >= 0 {
		return nil, invalid("%s is named twice", who[dup])
	}
	return out, nil
}

func firstTwice(all []string) int {
	for i, v := range all {
		if slices.Contains(all[:i], v) && len(all) <= 1000 {
			return i
		}
	}
	return -1
}
