package console

import (
	"errors"
	"fmt"
	"net/http"
	"slices"

	"github.com/usherd/usherd/admin"
	"github.com/usherd/usherd/directory"
)

// A Viewer is the signed-in user that a page is for, with what the user may do.
// Pages ask it what to offer; whether something may be done, the service
// decides when it is asked.
type Viewer struct {
	*admin.Authority
	ID    directory.UserID
	Name  string
	prefs preferences
}

// Can reports whether the viewer may do something organization-wide.
func (v *Viewer) Can(action admin.Action) bool { return v.May(action, "") }

// sourceHref is the page of a source; empty for whom that page refuses.
func (v *Viewer) sourceHref(name directory.SourceName) string {
	if !v.Can(admin.ReadSources) {
		return ""
	}
	return sourcePath(name)
}

// actor is how the viewer appears in the audit trail.
func actor(user directory.UserID) directory.Actor {
	return directory.Actor{Kind: directory.ActorUser, Name: string(user)}
}

// viewer returns whom a request's session belongs to: a living, active user, as
// applications would be answered now. Else errNoSession.
func (c *Console) viewer(r *http.Request) (*Viewer, error) {
	s, err := c.current(r)
	if err != nil {
		return nil, err
	}
	ctx := admin.WithPrincipal(r.Context(), actor(s.User))
	authority, err := c.Service.Authority(ctx)
	if errors.Is(err, admin.ErrForbidden) {
		return nil, errNoSession
	}
	if err != nil {
		return nil, fmt.Errorf("looking up the signed-in user: %w", err)
	}
	v := &Viewer{Authority: authority, ID: authority.User(), prefs: readPreferences(r)}
	user, err := c.Service.User(ctx, string(v.ID))
	if errors.Is(err, directory.ErrNotFound) {
		return nil, errNoSession
	}
	if err != nil {
		return nil, fmt.Errorf("looking up the signed-in user: %w", err)
	}
	v.Name = displayName(user.User)
	return v, nil
}

// displayName is what a page calls a user.
func displayName(u directory.User) string {
	for _, of := range []func(directory.Identity) string{
		func(i directory.Identity) string { return i.DisplayName },
		func(i directory.Identity) string { return i.UserName },
	} {
		if at := slices.IndexFunc(u.Identities, func(i directory.Identity) bool { return of(i) != "" }); at >= 0 {
			return of(u.Identities[at])
		}
	}
	return string(u.ID)
}
