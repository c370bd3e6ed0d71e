package admin

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/usherd/usherd/directory"
)

// maxOverride is how many users one edit may select.
const maxOverride = 1000

// NewOverride is an edit of selected users in one scope: rule 9 of the
// decision.
type NewOverride struct {
	Users    []string             `json:"users"`
	Project  directory.ProjectKey `json:"project,omitempty"`
	Grants   []GrantSpec          `json:"grants"`
	NewGroup string               `json:"new_group,omitempty"` // make a local group of this name; else unique permissions
	Group    string               `json:"group,omitempty"`     // assign this local group of the scope instead of Grants
	Reason   string               `json:"reason,omitempty"`
	// Everywhere replaces what they have in every project too: by nothing there,
	// since what is organization-wide counts everywhere.
	Everywhere bool `json:"everywhere,omitempty"`
}

// A MadeOverride is the outcome of an edit.
type MadeOverride struct {
	Users []directory.UserID `json:"users"`
	Group directory.GroupID  `json:"group,omitempty"` // the group that was made
	Outcome
}

// SetOverride replaces what the selected users have in one scope, by own grants
// or by a new local group.
func (s *Service) SetOverride(ctx context.Context, by directory.Actor, n NewOverride) (MadeOverride, error) {
	a, err := s.allowed(ctx, by, WriteGrants, n.Project)
	if err == nil && n.NewGroup != "" {
		err = a.require(WriteGroups, n.Project)
	}
	if err != nil {
		return MadeOverride{}, err
	}
	sets, err := s.overrideGrants(ctx, n)
	if err != nil {
		return MadeOverride{}, err
	}
	for _, set := range sets {
		if err := a.mayGiveSet(&a.view.Policy().Policy, set); err != nil {
			return MadeOverride{}, err
		}
	}
	made := MadeOverride{}
	if made.Group, err = s.assigned(ctx, by, n); err != nil {
		return MadeOverride{}, err
	}
	if made.Users, err = s.userIDs(ctx, a, n.Users, n.Project); err != nil {
		return MadeOverride{}, err
	}
	var changes []directory.Change
	if n.NewGroup != "" {
		if err := a.mayBeNamed(n.NewGroup, n.Project); err != nil {
			return MadeOverride{}, err
		}
		made.Group = directory.GroupID(directory.NewID())
		changes = append(changes, directory.CreateGroup{ID: made.Group, Source: directory.Local, Name: n.NewGroup, Project: n.Project})
		changes = append(changes, s.groupGrants(by, made.Group, sets)...)
		sets = nil
	}
	for _, user := range made.Users {
		changes = append(changes, directory.SetOverride{User: user, Project: n.Project, Grants: sets, Group: made.Group, Reason: n.Reason})
	}
	if n.Everywhere {
		more, err := s.nothingInProjects(ctx, a, n, made.Users)
		if err != nil {
			return MadeOverride{}, err
		}
		changes = append(changes, more...)
	}
	made.Outcome, err = s.keepingAnOwner(ctx, by, changes...)
	if err != nil {
		return MadeOverride{}, err
	}
	return made, nil
}

// nothingInProjects replaces what some users have in every project by nothing.
func (s *Service) nothingInProjects(ctx context.Context, a *Authority, n NewOverride, users []directory.UserID) ([]directory.Change, error) {
	if n.Project != "" {
		return nil, invalid("an edit everywhere names no project")
	}
	var changes []directory.Change
	for _, p := range a.view.Policy().Policy.Projects {
		if err := a.require(WriteGrants, p.Key); err != nil {
			return nil, err
		}
		if _, err := s.userIDs(ctx, a, n.Users, p.Key); err != nil {
			return nil, err
		}
		for _, user := range users {
			changes = append(changes, directory.SetOverride{User: user, Project: p.Key, Reason: n.Reason})
		}
	}
	return changes, nil
}

// assigned finds the existing group that an edit assigns, if it does.
func (s *Service) assigned(ctx context.Context, by directory.Actor, n NewOverride) (directory.GroupID, error) {
	if n.Group == "" {
		return "", nil
	}
	if n.NewGroup != "" || len(n.Grants) > 0 {
		return "", invalid("an edit gives a group, or grants, not both")
	}
	_, g, err := s.groupToChange(ctx, by, n.Group, WriteGroups)
	switch {
	case err != nil:
		return "", err
	case g.Source != directory.Local:
		return "", ownedGroup(g, "who is in it")
	case g.Project != n.Project:
		return "", invalid("group %s/%s is%s, and the edit%s: assign a group of the same scope", g.Source, g.Name, in(g.Project), in(n.Project))
	}
	return g.ID, nil
}

func (s *Service) groupGrants(by directory.Actor, group directory.GroupID, sets []directory.GrantSet) []directory.Change {
	var changes []directory.Change
	for _, set := range sets {
		for _, g := range grants(set, by, "", group) {
			g.ID, g.Created = directory.NewID(), s.Now()
			changes = append(changes, directory.PutGrant{Grant: g})
		}
	}
	return changes
}

// overrideGrants checks the edited grants; all are of the override's scope.
func (s *Service) overrideGrants(ctx context.Context, n NewOverride) ([]directory.GrantSet, error) {
	facts, err := s.Store.Policy(ctx)
	if err != nil {
		return nil, fmt.Errorf("reading policy: %w", err)
	}
	if err := checkProject(&facts.Policy, n.Project); err != nil {
		return nil, err
	}
	var sets []directory.GrantSet
	for _, spec := range n.Grants {
		if spec.Project != "" && spec.Project != n.Project {
			return nil, invalid("a grant names project %s, but the override is%s; make one override for each scope",
				spec.Project, in(n.Project))
		}
		spec.Project = n.Project
		set, err := spec.set(&facts.Policy)
		if err != nil {
			return nil, err
		}
		sets = append(sets, set)
	}
	return sets, nil
}

func (s *Service) userIDs(ctx context.Context, a *Authority, names []string, project directory.ProjectKey) ([]directory.UserID, error) {
	if len(names) == 0 || len(names) > maxOverride {
		return nil, invalid("select from 1 to %d users", maxOverride)
	}
	ids := make([]directory.UserID, 0, len(names))
	seen := map[directory.UserID]bool{}
	for _, name := range names {
		sub, err := s.user(ctx, name)
		if err == nil {
			err = a.mayOverride(&sub, name, project)
		}
		if err != nil {
			return nil, err
		}
		if !seen[sub.ID] {
			ids = append(ids, sub.ID)
		}
		seen[sub.ID] = true
	}
	return ids, nil
}

// EndOverride lets a user follow the directory again in one scope.
func (s *Service) EndOverride(ctx context.Context, by directory.Actor, name string, project directory.ProjectKey) (Outcome, error) {
	a, err := s.allowed(ctx, by, WriteGrants, project)
	if err != nil {
		return Outcome{}, err
	}
	sub, err := s.user(ctx, name)
	if err == nil {
		err = a.mayOverride(&sub, name, project)
	}
	if err != nil {
		return Outcome{}, err
	}
	out, err := s.keepingAnOwner(ctx, by, directory.EndOverride{User: sub.ID, Project: project})
	if errors.Is(err, directory.ErrNotFound) {
		return Outcome{}, notFound("%s has no override%s (usherd override list)", name, in(project))
	}
	if err != nil {
		return Outcome{}, fmt.Errorf("override of %s%s: %w", name, in(project), err)
	}
	return out, nil
}

// EndOverrides lets a user follow the directory again in every scope at once:
// in all of them, or in none if one of them may not be changed.
func (s *Service) EndOverrides(ctx context.Context, by directory.Actor, name string) (Outcome, error) {
	a, err := s.allowed(ctx, by, WriteGrants, "")
	if err != nil {
		return Outcome{}, err
	}
	sub, err := s.user(ctx, name)
	if err == nil {
		err = a.mayOverride(&sub, name, "")
	}
	if err != nil {
		return Outcome{}, err
	}
	overrides, err := s.Store.Overrides(ctx, sub.ID)
	if err != nil {
		return Outcome{}, fmt.Errorf("reading overrides: %w", err)
	}
	var changes []directory.Change
	for _, o := range overrides {
		if err := a.require(WriteGrants, o.Project); err != nil {
			return Outcome{}, err
		}
		if err := a.mayOverride(&sub, name, o.Project); err != nil {
			return Outcome{}, err
		}
		changes = append(changes, directory.EndOverride{User: sub.ID, Project: o.Project})
	}
	if len(changes) == 0 {
		return Outcome{}, notFound("%s has no override (usherd override list)", name)
	}
	out, err := s.keepingAnOwner(ctx, by, changes...)
	if err != nil {
		return Outcome{}, fmt.Errorf("overrides of %s: %w", name, err)
	}
	return out, nil
}

// Overrides lists the overrides of a user, or of everybody if name is empty.
func (s *Service) Overrides(ctx context.Context, name string) ([]directory.Override, error) {
	a, err := s.reads(ctx, ReadDirectory)
	if err != nil {
		return nil, err
	}
	var id directory.UserID
	if name != "" {
		sub, err := s.seenUser(ctx, a, name)
		if err != nil {
			return nil, err
		}
		id = sub.ID
	}
	overrides, err := s.Store.Overrides(ctx, id)
	if err != nil {
		return nil, fmt.Errorf("reading overrides: %w", err)
	}
	sees := a.seesScope()
	overrides = slices.DeleteFunc(overrides, func(o directory.Override) bool { return !sees(o.Project) })
	return overrides, nil
}
