package admin

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"github.com/usherd/usherd/directory"
)

// NewUser describes a local user to make. E-mail address and company are fixed
// from then on.
type NewUser struct {
	UserName string             `json:"userName,omitempty"` // default the e-mail address
	Name     string             `json:"name,omitempty"`
	Email    string             `json:"email,omitempty"`
	Company  string             `json:"company,omitempty"`
	Type     directory.UserType `json:"type,omitempty"`   // default standard
	Groups   []string           `json:"groups,omitempty"` // local groups to be in
}

// A MadeUser is a new user. Note warns, e.g. of an address that somebody else
// has.
type MadeUser struct {
	ID directory.UserID `json:"id"`
	Outcome
}

const enterpriseURN = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User"

func (n *NewUser) profile() (directory.Profile, error) {
	n.UserName = cmp.Or(n.UserName, n.Email)
	n.Type = cmp.Or(n.Type, directory.Standard)
	if n.UserName == "" {
		return directory.Profile{}, invalidAt("/userName", "a user needs a userName or an e-mail address")
	}
	if err := plainName(n.UserName); err != nil {
		return directory.Profile{}, err
	}
	if n.Type != directory.Standard && n.Type != directory.Service {
		return directory.Profile{}, invalidAt("/type", "type %q is not one of standard, service", n.Type)
	}
	p := directory.Profile{UserName: n.UserName, DisplayName: n.Name, Type: n.Type, Active: true}
	attributes := map[string]any{"userName": n.UserName}
	if n.Name != "" {
		attributes["displayName"] = n.Name
	}
	if n.Email != "" {
		if at := strings.LastIndexByte(n.Email, '@'); at < 1 || at == len(n.Email)-1 {
			return p, invalidAt("/email", "%q is no e-mail address", n.Email)
		}
		p.Emails = []directory.Email{{Value: n.Email, Primary: true}}
		attributes["emails"] = p.Emails
	}
	if n.Company != "" {
		attributes[enterpriseURN] = map[string]any{"organization": n.Company}
	}
	var err error
	if p.Attributes, err = json.Marshal(attributes); err != nil {
		return p, fmt.Errorf("encoding attributes: %w", err)
	}
	return p, nil
}

// plainName refuses a userName by which nobody could be named.
func plainName(name string) error {
	if directory.IsID(name) || strings.HasPrefix(name, "email:") || strings.HasPrefix(name, "external:") || strings.HasPrefix(name, "group:") {
		return invalidAt("/userName", "userName %q would be taken for another way to name somebody", name)
	}
	return nil
}

// CreateUser makes a local user, in local groups if they are named.
func (s *Service) CreateUser(ctx context.Context, by directory.Actor, n NewUser) (MadeUser, error) {
	a, err := s.allowed(ctx, by, WriteUsers, "")
	if err != nil {
		return MadeUser{}, err
	}
	p, err := n.profile()
	if err != nil {
		return MadeUser{}, err
	}
	made := MadeUser{ID: directory.UserID(directory.NewID())}
	changes := []directory.Change{directory.CreateUser{ID: made.ID, Source: directory.Local, Profile: p}}
	for _, name := range n.Groups {
		_, g, err := s.membersToChange(ctx, by, name, []string{n.UserName})
		if err != nil {
			return MadeUser{}, err
		}
		changes = append(changes, directory.AddMembers{Group: g.ID, Source: directory.Local, Values: []string{string(made.ID)}})
	}
	note, err := s.addressTaken(ctx, a, n.Email)
	if err != nil {
		return MadeUser{}, err
	}
	made.Outcome, err = s.apply(ctx, by, changes...)
	if taken, ok := errors.AsType[*directory.TakenError](err); ok {
		detail := fmt.Sprintf("userName %q belongs to a user of source %s; choose another", n.UserName, taken.Source)
		err = &spotError{Fault{Pointer: new("/userName"), Detail: detail}, fmt.Errorf("%w: %s", directory.ErrExists, detail)}
	}
	if err != nil {
		return MadeUser{}, err
	}
	made.Note = note
	return made, nil
}

// addressTaken warns that somebody else has an address: then a check that names
// it is about nobody.
func (s *Service) addressTaken(ctx context.Context, a *Authority, address string) (string, error) {
	if address == "" {
		return "", nil
	}
	key, err := SubjectKey("email:" + address)
	if err != nil {
		return "", err
	}
	sub, err := s.Store.Subject(ctx, key, directory.Stamp{})
	if err != nil || sub.Found == directory.Unknown {
		return "", err
	}
	whose := "another user has"
	if rows, err := s.Store.PersonRows(ctx, sub.ID); sub.Found == directory.One && a.seesUser(&sub) && err == nil && len(rows) == 1 {
		u := shownUser(&rows[0], &sub, nil)
		whose = fmt.Sprintf("%s of source %s has", u.UserName, u.Source)
	}
	return fmt.Sprintf("%s the address %s already: checks that name it are refused as ambiguous", whose, address), nil
}

// UserEdit says what to change of a user; what is nil stays. Only what is kept
// locally can be changed, and neither the e-mail address nor the company.
type UserEdit struct {
	Name     *string             `json:"name,omitempty"`
	UserName *string             `json:"userName,omitempty"`
	Type     *directory.UserType `json:"type,omitempty"`
	Version  int64               `json:"version,omitempty"` // of the local identity; 0: any
}

// EditUser changes the local identity of a user.
func (s *Service) EditUser(ctx context.Context, by directory.Actor, name string, e UserEdit) (Outcome, error) {
	_, sub, err := s.userToChange(ctx, by, name, WriteUsers)
	if err != nil {
		return Outcome{}, err
	}
	local, err := s.localIdentity(ctx, sub.ID, name)
	if err != nil {
		return Outcome{}, err
	}
	p := local.Profile
	if e.Name != nil {
		p.DisplayName = *e.Name
	}
	if e.UserName != nil {
		if err := plainName(*e.UserName); err != nil {
			return Outcome{}, err
		}
		p.UserName = *e.UserName
	}
	if e.Type != nil {
		if *e.Type != directory.Standard && *e.Type != directory.Service {
			return Outcome{}, invalid("type %q is not one of standard, service", *e.Type)
		}
		p.Type = *e.Type
	}
	out, err := s.keepingAnOwner(ctx, by, directory.ReplaceUser{ID: local.ID, Source: directory.Local, IfVersion: e.Version, Profile: p})
	if taken, ok := errors.AsType[*directory.TakenError](err); ok {
		err = fmt.Errorf("%w: that userName belongs to a user of source %s", directory.ErrExists, taken.Source)
	}
	return out, err
}

// localIdentity returns what is kept locally of a user.
func (s *Service) localIdentity(ctx context.Context, id directory.UserID, name string) (directory.Identity, error) {
	u, err := s.Store.User(ctx, id)
	if err != nil {
		return directory.Identity{}, fmt.Errorf("user %s: %w", id, err)
	}
	var owner directory.SourceName
	for _, i := range u.Identities {
		if i.Presence == directory.Deleted {
			continue
		}
		if i.Source == directory.Local {
			return i, nil
		}
		owner = cmp.Or(owner, i.Source)
	}
	return directory.Identity{}, fmt.Errorf("%w: name and attributes of %s are managed by source %s; change them there", directory.ErrNotOwner, name, owner)
}

// DeleteUser deletes a user: names are free, memberships and grants end. Whom a
// source still delivers is deleted only if force says so, because the source may
// bring them back.
func (s *Service) DeleteUser(ctx context.Context, by directory.Actor, name string, version int64, force bool) (Outcome, error) {
	_, sub, err := s.userToChange(ctx, by, name, WriteUsers)
	if err != nil {
		return Outcome{}, err
	}
	u, err := s.Store.User(ctx, sub.ID)
	if err != nil {
		return Outcome{}, fmt.Errorf("user %s: %w", sub.ID, err)
	}
	var changes []directory.Change
	for _, i := range u.Identities {
		if i.Presence == directory.Deleted {
			continue
		}
		if i.Source != directory.Local && !force {
			return Outcome{}, fmt.Errorf("%w: %s comes from source %s, which may bring them back; disable them instead (usherd user disable), or insist with --force",
				directory.ErrNotOwner, name, i.Source)
		}
		if i.Source == directory.Local {
			changes = append(changes, required(string(i.ID), version)...)
		}
		changes = append(changes, directory.DeleteUser{ID: i.ID, Source: i.Source})
	}
	return s.keepingAnOwner(ctx, by, changes...)
}
