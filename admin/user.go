package admin

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/usherd/usherd/directory"
)

// A UserPage is one user with groups, own grants and overrides, as far as the
// asker may see them.
type UserPage struct {
	directory.User
	Name      string                     `json:"name"` // what people call the user
	Status    string                     `json:"status"`
	Reason    string                     `json:"reason,omitempty"` // why they are not active
	Email     string                     `json:"email,omitempty"`
	Company   string                     `json:"company,omitempty"`
	ManagedBy []directory.SourceName     `json:"managedBy,omitempty"` // sources that own name and attributes: they are read-only here
	Groups    []UserGroup                `json:"groups"`
	Grants    []directory.Grant          `json:"grants"`
	Overrides []directory.Override       `json:"overrides"`
	Projects  []directory.ProjectKey     `json:"projects,omitempty"` // that a path of theirs is limited to
	SignIns   []SignIn                   `json:"signIns,omitempty"`  // accounts of identity providers that are bound, if the asker may release them
	MayChange bool                       `json:"mayChange"`          // whether the asker may edit, block and delete
	Identity  map[directory.UserID]int64 `json:"versions"`           // version of each identity, for an edit
}

// A UserGroup is a direct membership.
type UserGroup struct {
	ID        directory.GroupID     `json:"id"`
	Num       directory.GroupNum    `json:"num"`
	Name      string                `json:"name"`
	Source    directory.SourceName  `json:"source"`
	Project   directory.ProjectKey  `json:"project,omitempty"`
	Status    directory.GroupStatus `json:"status"`
	Removable bool                  `json:"removable"` // it can be taken away here; else only in the source
	Began
}

// User shows one user, or one who was deleted and is named by id: then there are
// no groups and grants.
func (s *Service) User(ctx context.Context, name string) (UserPage, error) {
	a, err := s.Authority(ctx)
	if err != nil {
		return UserPage{}, err
	}
	sub, err := s.seenUser(ctx, a, name)
	if errors.Is(err, directory.ErrNotFound) && directory.IsID(name) && a.May(ReadDirectory, "") {
		if page, err := s.userPage(ctx, a, &directory.Subject{ID: directory.UserID(strings.ToLower(name))}); err == nil && !page.DeletedSince.IsZero() {
			return page, nil
		}
	}
	if err != nil {
		return UserPage{}, err
	}
	if !a.readsUser(&sub) {
		return UserPage{}, a.require(ReadDirectory, "")
	}
	return s.userPage(ctx, a, &sub)
}

func (s *Service) userPage(ctx context.Context, a *Authority, sub *directory.Subject) (UserPage, error) {
	out := UserPage{Groups: []UserGroup{}, Grants: []directory.Grant{}, Overrides: []directory.Override{}, Identity: map[directory.UserID]int64{}}
	var err error
	if out.User, err = s.Store.User(ctx, sub.ID); err != nil {
		return UserPage{}, fmt.Errorf("user %s: %w", sub.ID, err)
	}
	withheldBy(a.view).cut(out.Identities)
	rows, err := s.Store.PersonRows(ctx, sub.ID)
	if err != nil {
		return UserPage{}, fmt.Errorf("user %s: %w", sub.ID, err)
	}
	if len(rows) == 1 {
		shown := shownUser(&rows[0], sub, disabledSources(a.view))
		out.Name, out.Status, out.Reason, out.Email, out.Company = shown.Name, shown.Status, shown.Reason, shown.Email, shown.Company
	}
	for _, id := range out.Identities {
		out.Identity[id.ID] = id.Version
		if id.Source != directory.Local && id.Presence != directory.Deleted {
			out.ManagedBy = append(out.ManagedBy, id.Source)
		}
	}
	sees := a.seesScope()
	for _, m := range sub.Memberships {
		if g, ok := a.view.Group(m.Group); ok && a.seesGroup(g.Num, g.Project) {
			out.Groups = append(out.Groups, userGroup(g, m))
		}
	}
	dated := make([]*UserGroup, len(out.Groups))
	for i := range out.Groups {
		dated[i] = &out.Groups[i]
	}
	if err := s.dateGroups(ctx, a.view, sub, dated); err != nil {
		return UserPage{}, err
	}
	for _, g := range sub.Grants {
		if sees(g.Project) {
			out.Grants = append(out.Grants, g)
		}
	}
	overrides, err := s.Store.Overrides(ctx, sub.ID)
	if err != nil {
		return UserPage{}, fmt.Errorf("overrides of user %s: %w", sub.ID, err)
	}
	for _, o := range overrides {
		if sees(o.Project) {
			out.Overrides = append(out.Overrides, o)
		}
	}
	for _, p := range a.view.Policy().Policy.Projects {
		if sees(p.Key) && reachesInto(a.view, sub, []directory.ProjectKey{p.Key}) {
			out.Projects = append(out.Projects, p.Key)
		}
	}
	if out.MayChange = a.May(WriteUsers, "") && a.mayChangeUser(sub) == nil; out.MayChange {
		if out.SignIns, err = s.signIns(ctx, sub.ID); err != nil {
			return UserPage{}, fmt.Errorf("accounts of user %s: %w", sub.ID, err)
		}
	}
	return out, nil
}

func userGroup(g directory.GroupFacts, m directory.Membership) UserGroup {
	out := UserGroup{
		ID: g.ID, Num: g.Num, Name: g.Name, Source: g.Source, Project: g.Project, Status: directory.GroupActive, Removable: m.Local,
	}
	if g.Blocked {
		out.Status = directory.GroupBlocked
	}
	return out
}

// seesScope tells in which scopes a may see grants and overrides of a user. A
// signed-in user sees their own in all.
func (a *Authority) seesScope() func(directory.ProjectKey) bool {
	all, in := a.Projects(ReadDirectory)
	return func(p directory.ProjectKey) bool { return all || slices.Contains(in, p) }
}

// userToChange finds a user of whom the actor may do something that changes
// them.
func (s *Service) userToChange(ctx context.Context, by directory.Actor, name string, action Action) (*Authority, directory.Subject, error) {
	a, err := s.allowed(ctx, by, action, "")
	if err != nil {
		return nil, directory.Subject{}, err
	}
	sub, err := s.seenUser(ctx, a, name)
	if err != nil {
		return nil, sub, err
	}
	return a, sub, a.mayChangeUser(&sub)
}

// SetBlock sets or clears our own switch on a user.
func (s *Service) SetBlock(ctx context.Context, by directory.Actor, name string, blocked bool, reason string) (Outcome, error) {
	_, sub, err := s.userToChange(ctx, by, name, BlockUsers)
	if err != nil {
		return Outcome{}, err
	}
	change := directory.SetBlock{User: sub.ID, Blocked: blocked, Reason: reason}
	if blocked {
		return s.keepingAnOwner(ctx, by, change)
	}
	out, err := s.apply(ctx, by, change)
	if err == nil {
		out.Note, err = s.stillInactive(ctx, sub.ID)
	}
	return out, err
}

// stillInactive says why somebody whose block was cleared has nothing yet.
func (s *Service) stillInactive(ctx context.Context, id directory.UserID) (string, error) {
	u, err := s.Store.User(ctx, id)
	if err != nil {
		return "", fmt.Errorf("user %s: %w", id, err)
	}
	for _, i := range u.Identities {
		if i.Presence == directory.Present && i.Active {
			continue
		}
		return fmt.Sprintf("the user stays inactive: source %s says so", i.Source), nil
	}
	return "", nil
}

// userToGrant finds a user to whom, or from whom, the actor may grant in the
// scope of a spec. Who may grant in a project may name anybody there.
func (s *Service) userToGrant(ctx context.Context, by directory.Actor, name string, spec GrantSpec) (*Authority, directory.Subject, error) {
	a, err := s.allowed(ctx, by, WriteGrants, spec.Project)
	if err != nil {
		return nil, directory.Subject{}, err
	}
	sub, err := s.user(ctx, name)
	return a, sub, err
}

// GrantToUser grants by hand to a user.
func (s *Service) GrantToUser(ctx context.Context, by directory.Actor, name string, spec GrantSpec) (Outcome, error) {
	a, sub, err := s.userToGrant(ctx, by, name, spec)
	if err != nil {
		return Outcome{}, err
	}
	return s.grant(ctx, by, a, holder{user: sub.ID}, spec)
}

// RevokeFromUser takes back what was granted to a user by hand.
func (s *Service) RevokeFromUser(ctx context.Context, by directory.Actor, name string, spec GrantSpec) (Outcome, error) {
	a, sub, err := s.userToGrant(ctx, by, name, spec)
	if err != nil {
		return Outcome{}, err
	}
	return s.revoke(ctx, by, a, holder{user: sub.ID}, spec)
}
