package admin

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/usherd/usherd/directory"
)

// identityName takes SOURCE/ID apart.
func identityName(name string) (directory.SourceName, string, error) {
	source, id, ok := strings.Cut(name, "/")
	if !ok || source == "" || id == "" {
		return "", "", invalid("name an identity by SOURCE/ID, where ID is its externalId, not %q", name)
	}
	return directory.SourceName(source), id, nil
}

// LinkUser says by hand that the identity which a source will deliver with an
// externalId, or a userName, joins a user: identity is SOURCE/ID. The empty
// user takes that back.
func (s *Service) LinkUser(ctx context.Context, by directory.Actor, identity, user string) (Outcome, error) {
	source, value, err := identityName(identity)
	if err != nil {
		return Outcome{}, err
	}
	change := directory.LinkUser{Source: source, Value: value}
	if user == "" {
		if _, err := s.allowed(ctx, by, WriteUsers, ""); err != nil {
			return Outcome{}, err
		}
		return s.apply(ctx, by, change)
	}
	a, sub, err := s.userToChange(ctx, by, user, WriteUsers)
	if err != nil {
		return Outcome{}, err
	}
	if _, err := s.source(ctx, source); err != nil {
		return Outcome{}, err
	}
	if err := a.maySpeakFor(source); err != nil { // the identity may come with any of its groups
		return Outcome{}, err
	}
	change.User = sub.ID
	out, err := s.apply(ctx, by, change)
	if taken, ok := errors.AsType[*directory.TakenError](err); ok {
		if taken.Attribute == "identity" {
			return out, fmt.Errorf("%w: the user has, or had, an identity %s of source %s; detach it first (usherd user detach %s/%s)",
				directory.ErrExists, taken.Holder, source, source, taken.Holder)
		}
		return out, fmt.Errorf("%w: source %s has delivered somebody with that %s, %s; users are not merged: let the source delete that one, and then deliver it again",
			directory.ErrExists, source, taken.Attribute, taken.Holder)
	}
	if err == nil {
		out.Note = fmt.Sprintf("it is linked when source %s next delivers it", source)
	}
	return out, err
}

// DetachUser takes an identity, SOURCE/ID, away from its user for good.
func (s *Service) DetachUser(ctx context.Context, by directory.Actor, identity string) (Outcome, error) {
	a, err := s.allowed(ctx, by, WriteUsers, "")
	if err != nil {
		return Outcome{}, err
	}
	source, value, err := identityName(identity)
	if err != nil {
		return Outcome{}, err
	}
	// Whom it bears upon can be told from a living identity only; a deleted one
	// is known by its id.
	sub, own, err := s.identified(ctx, source, value)
	if err != nil {
		return Outcome{}, err
	}
	if own != "" {
		value = own
	} else if !a.Root() {
		return Outcome{}, notFound("no identity %s; name a deleted one by its own id (usherd user show USER)", identity)
	}
	if err := a.mayChangeUser(&sub); err != nil {
		return Outcome{}, err
	}
	out, err := s.keepingAnOwner(ctx, by, directory.DetachUser{Source: source, Value: value})
	if err != nil {
		return out, err
	}
	out.Note = fmt.Sprintf("if source %[1]s delivers it again, no rule links it to that user; to link it: usherd user link %[1]s/EXTERNAL-ID USER", source)
	return out, nil
}

// identified finds the identity of a source that a value names, and its user.
// The externalIds of most directories have the form of our ids.
func (s *Service) identified(ctx context.Context, source directory.SourceName, value string) (sub directory.Subject, id string, err error) {
	keys := []directory.SubjectKey{{Kind: directory.KeyExternal, Source: source, Value: value}}
	if directory.IsID(value) {
		keys = append(keys, directory.SubjectKey{Kind: directory.KeyID, Value: strings.ToLower(value)})
	}
	for _, key := range keys {
		if sub, err = s.Store.Subject(ctx, key, directory.Stamp{}); err != nil {
			return sub, "", fmt.Errorf("looking up identity: %w", err)
		}
		if sub.Found != directory.One {
			continue
		}
		u, err := s.Store.User(ctx, sub.ID)
		if err != nil {
			return sub, "", fmt.Errorf("user %s: %w", sub.ID, err)
		}
		for _, i := range u.Identities {
			if i.Source == source && (string(i.ID) == key.Value || i.ExternalID == key.Value && i.Presence != directory.Deleted) {
				return sub, string(i.ID), nil
			}
		}
	}
	return directory.Subject{}, "", nil
}

// RestoreUser brings back a user, named by id, who was deleted within 30 days.
// What memberships and grants they had has ended.
func (s *Service) RestoreUser(ctx context.Context, by directory.Actor, id string) (Outcome, error) {
	if _, err := s.allowed(ctx, by, WriteUsers, ""); err != nil {
		return Outcome{}, err
	}
	if !directory.IsID(id) {
		return Outcome{}, invalid("a deleted user is named by id (usherd user list --status deleted)")
	}
	out, err := s.apply(ctx, by, directory.RestoreUser{User: directory.UserID(strings.ToLower(id))})
	if taken, ok := errors.AsType[*directory.TakenError](err); ok {
		return out, fmt.Errorf("%w: the %s of that user belongs to %s of source %s now", directory.ErrExists, taken.Attribute, taken.Holder, taken.Source)
	}
	if err == nil && out.Changed {
		out.Note = "memberships and grants ended with the deletion; a directory brings its memberships again, grants are given anew"
	}
	return out, err
}

// Erased says what came of erasing somebody.
type Erased struct {
	Outcome
	Requests int `json:"requests"` // entries of the provisioning log that lost their bodies
}

// EraseUser takes the personal data of a deleted user, named by id, out of the
// store and the provisioning log. A user who lives in no directory is deleted
// with it. Audit records hold ids and digests only, and stay.
func (s *Service) EraseUser(ctx context.Context, by directory.Actor, id string) (Erased, error) {
	a, err := s.allowed(ctx, by, WriteUsers, "")
	if err != nil {
		return Erased{}, err
	}
	if !directory.IsID(id) {
		return Erased{}, invalid("who is erased is named by id (usherd user list --status deleted)")
	}
	u, err := s.Store.User(ctx, directory.UserID(strings.ToLower(id)))
	if err != nil {
		return Erased{}, fmt.Errorf("user %s: %w", id, err)
	}
	changes, err := s.deletions(ctx, a, u)
	if err != nil {
		return Erased{}, err
	}
	ids, texts := []directory.UserID{u.ID}, []string{}
	for _, i := range u.Identities {
		ids = append(ids, i.ID)
		texts = append(texts, i.UserName, i.ExternalID, i.DN, i.DisplayName)
		for _, e := range i.Emails {
			texts = append(texts, e.Value)
		}
	}
	slices.Sort(texts)
	var out Erased
	if !dryRun(ctx) {
		if out.Requests, err = s.Store.EraseRequests(ctx, ids, slices.Compact(texts)); err != nil {
			return out, fmt.Errorf("erasing log entries: %w", err)
		}
		if err = s.eraseErrors(ctx, u.Identities); err != nil {
			return out, fmt.Errorf("erasing errors of sources: %w", err)
		}
	}
	out.Outcome, err = s.keepingAnOwner(ctx, by, append(changes, directory.EraseUser{User: u.ID})...)
	if err == nil && !dryRun(ctx) {
		err = s.dropBonds(ctx, u.ID)
	}
	return out, err
}

// deletions deletes a user who is not deleted yet, if no directory has them.
func (s *Service) deletions(ctx context.Context, a *Authority, u directory.User) ([]directory.Change, error) {
	if !u.DeletedSince.IsZero() {
		return nil, nil
	}
	sub, err := s.Store.Subject(ctx, directory.SubjectKey{Kind: directory.KeyID, Value: string(u.ID)}, directory.Stamp{})
	if err != nil {
		return nil, fmt.Errorf("looking up user: %w", err)
	}
	if err := a.mayChangeUser(&sub); err != nil {
		return nil, err
	}
	var changes []directory.Change
	for _, i := range u.Identities {
		switch {
		case i.Presence == directory.Deleted:
		case i.Source != directory.Local:
			return nil, fmt.Errorf("%w: source %s still has this person and would bring them again; let it delete them first", directory.ErrInUse, i.Source)
		default:
			changes = append(changes, directory.DeleteUser{ID: i.ID, Source: i.Source})
		}
	}
	return changes, nil
}
