package admin

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"github.com/usherd/usherd/authz"
	"github.com/usherd/usherd/directory"
)

// The ways to tell that two identities are one person.
const (
	LinkByUserName = "userName"
	LinkByEmail    = "email"
)

// LinkSettings are the link key of a source's settings: whose users new
// identities of this source join. By e-mail, both sources list the domain as
// theirs.
type LinkSettings struct {
	With    []directory.SourceName `json:"with"`
	By      string                 `json:"by"`
	Domains []string               `json:"domains,omitempty"`
}

// linkSettings reads the link key; nil says that the source links nobody.
func linkSettings(settings json.RawMessage) (*LinkSettings, error) {
	if len(settings) == 0 {
		return nil, nil //nolint:nilnil // no settings are no linking
	}
	var set struct {
		Link *LinkSettings `json:"link"`
	}
	if err := json.Unmarshal(settings, &set); err != nil {
		return nil, invalid("settings: %w", err)
	}
	return set.Link, nil
}

// checkLink refuses link settings that link nobody, or whom nobody meant.
func (s *Service) checkLink(ctx context.Context, name directory.SourceName, settings json.RawMessage) error {
	link, err := linkSettings(settings)
	if err != nil || link == nil {
		return err
	}
	if link.By != "" && link.By != LinkByUserName && link.By != LinkByEmail {
		return invalid("link.by %q is not one of userName, email", link.By)
	}
	if link.By == LinkByEmail && len(link.Domains) == 0 {
		return invalid("linking by e-mail needs link.domains, the domains that are this source's own")
	}
	for _, d := range link.Domains {
		if d != strings.ToLower(d) || !strings.Contains(d, ".") || strings.ContainsAny(d, "@*/ ") {
			return invalid("link.domains: %q is not a domain in lower case, such as corp.example", d)
		}
	}
	for _, with := range link.With {
		if with == name {
			return invalid("link.with names the source itself")
		}
		if _, err := s.source(ctx, with); err != nil {
			return err
		}
	}
	return nil
}

// LinkFor returns the user whom a new identity of a source joins because
// linking of the two sources is on; none if it is off, if nobody or more than
// one fits, or if the user has an administration right, now or as soon as a
// block ends, or had an identity of that source which was detached: such a user
// is linked by hand.
func (s *Service) LinkFor(ctx context.Context, source directory.SourceName, p directory.Profile) (directory.UserID, error) {
	sources, err := s.Store.Sources(ctx)
	if err != nil {
		return "", fmt.Errorf("reading sources: %w", err)
	}
	links := map[directory.SourceName]*LinkSettings{}
	for _, src := range sources {
		if links[src.Name], err = linkSettings(src.Settings); err != nil {
			return "", fmt.Errorf("source %s: %w", src.Name, err)
		}
	}
	mine := links[source]
	if mine == nil || len(mine.With) == 0 {
		return "", nil
	}
	sub, err := s.linkCandidate(ctx, mine, p)
	if err != nil || sub.Found != directory.One {
		return "", err
	}
	u, err := s.Store.User(ctx, sub.ID)
	if err != nil {
		return "", fmt.Errorf("user %s: %w", sub.ID, err)
	}
	if slices.Contains(u.Detached, source) {
		return "", nil
	}
	if !slices.ContainsFunc(u.Identities, func(i directory.Identity) bool { return mine.fits(i, links[i.Source], p) }) {
		return "", nil
	}
	view, err := s.present(ctx)
	if err != nil || mayAdminister(view, sub) {
		return "", err
	}
	return sub.ID, nil
}

// linkCandidate finds the one user whom the keys of a profile name.
func (s *Service) linkCandidate(ctx context.Context, link *LinkSettings, p directory.Profile) (directory.Subject, error) {
	var keys []directory.SubjectKey
	if cmp.Or(link.By, LinkByUserName) == LinkByUserName {
		if key, err := directory.KeyOf(p.UserName); err == nil {
			keys = append(keys, directory.SubjectKey{Kind: directory.KeyUserName, Value: string(key)})
		}
	} else {
		for _, e := range p.Emails {
			if key, ok := link.own(e); ok {
				keys = append(keys, directory.SubjectKey{Kind: directory.KeyEmail, Value: string(key)})
			}
		}
	}
	var found directory.Subject
	for _, key := range keys {
		sub, err := s.Store.Subject(ctx, key, directory.Stamp{})
		switch {
		case err != nil:
			return found, fmt.Errorf("looking up whom to link: %w", err)
		case sub.Found == directory.Unknown:
		case sub.Found == directory.Ambiguous || found.Found == directory.One && found.ID != sub.ID:
			return directory.Subject{Found: directory.Ambiguous}, nil
		default:
			found = sub
		}
	}
	return found, nil
}

// own returns the key of an address whose domain the source lists as its own.
func (l *LinkSettings) own(e directory.Email) (directory.NameKey, bool) {
	key, err := directory.KeyOf(e.Value)
	at := strings.LastIndexByte(string(key), '@')
	return key, err == nil && at > 0 && slices.Contains(l.Domains, string(key)[at+1:])
}

// fits tells whether a profile is linked to that identity of another source.
func (l *LinkSettings) fits(i directory.Identity, other *LinkSettings, p directory.Profile) bool {
	if i.Presence == directory.Deleted || !slices.Contains(l.With, i.Source) {
		return false
	}
	if cmp.Or(l.By, LinkByUserName) == LinkByUserName {
		a, err := directory.KeyOf(i.UserName)
		b, err2 := directory.KeyOf(p.UserName)
		return err == nil && err2 == nil && a == b
	}
	if other == nil {
		return false
	}
	for _, have := range i.Emails {
		key, ok := other.own(have)
		if ok && slices.ContainsFunc(p.Emails, func(e directory.Email) bool { k, mine := l.own(e); return mine && k == key }) {
			return true
		}
	}
	return false
}

// mayAdminister tells whether somebody has an administration right by any path,
// whatever blocks it now.
func mayAdminister(view *authz.Snapshot, sub directory.Subject) bool {
	sub.Blocked, sub.Inactive = false, false
	projects := []directory.ProjectKey{""}
	for _, p := range view.Policy().Policy.Projects {
		projects = append(projects, p.Key)
	}
	for _, right := range slices.Concat(directory.OrganizationRights, directory.ProjectRights) {
		has := func(p directory.ProjectKey) bool { return view.Has(&sub, right, p).Allow }
		if right.IsAdministration() && slices.ContainsFunc(projects, has) {
			return true
		}
	}
	for held := range rolesOfUser(view, &sub) {
		role, _ := view.Role(held.role)
		if slices.ContainsFunc(role.Rights, directory.Right.IsAdministration) {
			return true
		}
	}
	return false
}
