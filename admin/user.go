package admin

import (
	"context"
	"fmt"
	"time"

	"github.com/usherd/usherd/directory"
)

// UserFilter says which users to list.
type UserFilter struct {
	Source directory.SourceName
	Name   string // contained in the userName
	After  *directory.Place
	Limit  int // default 100, at most 1000
}

// A ListedUser is one identity of a user with what is ours on the user.
type ListedUser struct {
	ID          directory.UserID     `json:"id"` // the user's
	Identity    directory.UserID     `json:"identity"`
	Source      directory.SourceName `json:"source"`
	UserName    string               `json:"userName"`
	DisplayName string               `json:"displayName,omitempty"`
	ExternalID  string               `json:"externalId,omitempty"`
	Type        directory.UserType   `json:"type"`
	Status      string               `json:"status"` // active, inactive, gone, deleted or blocked
	Reason      string               `json:"reason,omitempty"`

	created time.Time // of the identity: its place in the list
}

// Users lists identities in the order in which they were made.
func (s *Service) Users(ctx context.Context, f UserFilter) ([]ListedUser, error) {
	q := directory.Query{Source: f.Source, After: f.After, Limit: pageSize(f.Limit)}
	if f.Name != "" {
		q.Where = directory.Compare{Attr: directory.AttrUserName, Op: directory.Co, Value: f.Name}
	}
	page, err := s.Store.Identities(ctx, q)
	if err != nil {
		return nil, fmt.Errorf("listing users: %w", err)
	}
	out := make([]ListedUser, 0, len(page.Items))
	for _, id := range page.Items {
		u, err := s.Store.User(ctx, id.User)
		if err != nil {
			return nil, fmt.Errorf("user %s: %w", id.User, err)
		}
		out = append(out, listed(id, u))
	}
	return out, nil
}

func listed(id directory.Identity, u directory.User) ListedUser {
	l := ListedUser{
		ID: u.ID, Identity: id.ID, Source: id.Source, UserName: id.UserName, DisplayName: id.DisplayName,
		ExternalID: id.ExternalID, Type: u.Type, Status: "active", Reason: u.BlockReason, created: id.Created,
	}
	switch {
	case u.Blocked:
		l.Status = "blocked"
	case id.Presence != directory.Present:
		l.Status = string(id.Presence)
	case !id.Active:
		l.Status = "inactive"
	}
	return l
}

// A UserPage is one user with own grants, groups and overrides.
type UserPage struct {
	directory.User
	Groups    []directory.GroupRef `json:"groups"`
	Grants    []directory.Grant    `json:"grants"`
	Overrides []directory.Override `json:"overrides"`
}

// User shows one user.
func (s *Service) User(ctx context.Context, name string) (UserPage, error) {
	sub, err := s.user(ctx, name)
	if err != nil {
		return UserPage{}, err
	}
	out := UserPage{Groups: []directory.GroupRef{}}
	if out.User, err = s.Store.User(ctx, sub.ID); err != nil {
		return UserPage{}, fmt.Errorf("user %s: %w", sub.ID, err)
	}
	for _, id := range out.Identities {
		groups, err := s.Store.GroupsOf(ctx, id.Source, id.ID)
		if err != nil {
			return UserPage{}, fmt.Errorf("groups of user %s: %w", sub.ID, err)
		}
		out.Groups = append(out.Groups, groups[id.ID]...)
	}
	out.Grants = append([]directory.Grant{}, sub.Grants...)
	overrides, err := s.Store.Overrides(ctx, sub.ID)
	if err != nil {
		return UserPage{}, fmt.Errorf("overrides of user %s: %w", sub.ID, err)
	}
	out.Overrides = append([]directory.Override{}, overrides...)
	return out, nil
}

// SetBlock sets or clears our own switch on a user.
func (s *Service) SetBlock(ctx context.Context, by directory.Actor, name string, blocked bool, reason string) (Outcome, error) {
	sub, err := s.user(ctx, name)
	if err != nil {
		return Outcome{}, err
	}
	change := directory.SetBlock{User: sub.ID, Blocked: blocked, Reason: reason}
	if !blocked {
		return s.apply(ctx, by, change)
	}
	return s.keepingAnOwner(ctx, by, change)
}

// GrantToUser grants by hand to a user.
func (s *Service) GrantToUser(ctx context.Context, by directory.Actor, name string, spec GrantSpec) (Outcome, error) {
	sub, err := s.user(ctx, name)
	if err != nil {
		return Outcome{}, err
	}
	return s.grant(ctx, by, holder{user: sub.ID}, spec)
}

// RevokeFromUser takes back what was granted to a user by hand.
func (s *Service) RevokeFromUser(ctx context.Context, by directory.Actor, name string, spec GrantSpec) (Outcome, error) {
	sub, err := s.user(ctx, name)
	if err != nil {
		return Outcome{}, err
	}
	return s.revoke(ctx, by, holder{user: sub.ID}, spec)
}
