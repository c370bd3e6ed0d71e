package admin

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/usherd/usherd/directory"
)

// ErrOwned says that the organization has an owner already.
var ErrOwned = fmt.Errorf("%w: the organization has an owner", directory.ErrExists)

// firstSpace keeps that somebody is becoming the first owner.
const firstSpace = "first-owner"

// HasOwner reports whether some active user owns the organization.
func (s *Service) HasOwner(ctx context.Context) (bool, error) {
	snapshot, err := s.present(ctx)
	if err != nil {
		return false, err
	}
	who := snapshot.RightCandidates(directory.OrganizationOwn, "")
	who.Limit = 100
	for {
		some, err := s.Store.Subjects(ctx, who, snapshot.At())
		if err != nil {
			return false, fmt.Errorf("looking for an owner: %w", err)
		}
		for _, sub := range some {
			if owns(snapshot, sub) {
				return true, nil
			}
		}
		if len(some) < who.Limit {
			return false, nil
		}
		who.After = some[len(some)-1].ID
	}
}

// FirstOwner makes a local user who owns the organization, if nobody does. Of
// several callers, on whatever replica, one succeeds; the others get [ErrOwned].
func (s *Service) FirstOwner(ctx context.Context, userName string) (directory.UserID, error) {
	s.guard.Lock()
	defer s.guard.Unlock()
	if owned, err := s.HasOwner(ctx); err != nil || owned {
		if err == nil {
			err = ErrOwned
		}
		return "", err
	}
	_, err := s.Store.PutKept(ctx, directory.Kept{
		Space: firstSpace, Key: "owner", Value: json.RawMessage(`{}`), Expires: s.Now().Add(time.Minute),
	})
	if errors.Is(err, directory.ErrVersion) {
		return "", ErrOwned
	}
	if err != nil {
		return "", fmt.Errorf("making the first owner: %w", err)
	}
	id := directory.UserID(directory.NewID())
	by := directory.Actor{Kind: directory.ActorSystem, Name: "first link", Address: clientAddress(ctx)}
	_, err = s.apply(ctx, by,
		directory.CreateUser{ID: id, Source: directory.Local, Profile: directory.Profile{
			UserName: userName, DisplayName: userName, Type: directory.Standard, Active: true,
		}},
		directory.PutGrant{Grant: directory.Grant{User: id, Role: directory.RoleOwner, Origin: directory.ByHand, By: by.Name}},
	)
	if err != nil {
		return "", errors.Join(fmt.Errorf("making the first owner: %w", err), s.Store.DropKept(ctx, firstSpace, "owner"))
	}
	return id, nil
}
