package console

import (
	"encoding/json"
	"fmt"
	"slices"
	"time"

	"github.com/a-h/templ"
	"github.com/usherd/usherd/admin"
	"github.com/usherd/usherd/directory"
)

// A userView is the page of a user.
type userView struct {
	admin.UserPage
	Viewer  *Viewer
	Choices admin.Choices
	Path    string
	Tabs    []tab
	Source  []Cell // badges of the identities
	Local   *directory.Identity
	Gone    bool // deleted: a tombstone
	Problem string
	Typed   userTyped
}

// userTyped is what stands in the fields of an edit.
type userTyped struct {
	Name, UserName string
	Type           directory.UserType
	Version        int64
	Theirs         string // what somebody else made of it meanwhile
}

var userTabs = []string{"details", "groups", "access", "integrations", "identities", "home", "activity", "raw"}

// readUser fills what all tabs of a user show.
func (c *Console) readUser(req request) (userView, error) {
	id := req.PathValue("id")
	page, err := c.Service.User(req.Context(), id)
	v := userView{Viewer: req.viewer, Path: "/users/" + id}
	if err != nil {
		return v, err
	}
	v.UserPage, v.Path = page, "/users/"+string(page.ID)
	if req.viewer.Anywhere(admin.ReadDirectory) {
		if v.Choices, err = c.Service.Choices(req.Context()); err != nil {
			return v, err
		}
	}
	kinds := kindsOf(v.Choices.Sources)
	for i := range page.Identities {
		identity := &page.Identities[i]
		if identity.Presence != directory.Deleted {
			v.Source = append(v.Source, req.viewer.origin(identity.Source, kinds))
			if identity.Source == directory.Local {
				v.Local = identity
			}
		}
	}
	v.Gone = page.Status == admin.StatusDeleted
	tabs := slices.Clone(userTabs)
	if !req.viewer.Can(admin.ReadDirectory) && req.viewer.ID != page.ID {
		tabs = slices.DeleteFunc(tabs, func(t string) bool { return t == "raw" || t == "home" })
	}
	if !req.viewer.Can(admin.ReadAudit) {
		tabs = slices.DeleteFunc(tabs, func(t string) bool { return t == "activity" })
	}
	if v.Gone {
		tabs = slices.DeleteFunc(tabs, func(t string) bool { return slices.Contains([]string{"groups", "access", "integrations", "home"}, t) })
	}
	v.Tabs = tabsOf(v.Path, req.PathValue("tab"), tabs...)
	if v.Local != nil {
		v.Typed = userTyped{Name: v.Local.DisplayName, UserName: v.Local.UserName, Type: v.Type, Version: v.Local.Version}
	}
	return v, nil
}

// Editable says whether name and type can be changed here by this viewer.
func (v userView) Editable() bool { return v.MayChange && v.Local != nil && !v.Gone }

// Locked says why fields can't be changed, or nothing.
func (v userView) Locked() string {
	switch {
	case v.Gone:
		return "" // the page says it above
	case v.Local == nil && len(v.ManagedBy) > 0:
		return fmt.Sprintf("Managed by %s – change it there.", sourceWords(kindsOf(v.Choices.Sources), v.ManagedBy...))
	case !v.MayChange:
		return "You may not change this user."
	}
	return ""
}

func (c *Console) user(req request) (templ.Component, error) {
	v, err := c.readUser(req)
	if err != nil {
		return nil, err
	}
	return c.userTab(req, v)
}

// userTab shows one tab of a user.
func (c *Console) userTab(req request, v userView) (templ.Component, error) {
	body, err := c.userTabBody(req, v)
	if err != nil || body == nil {
		return nil, err
	}
	return c.frame(req, v.Name, userTemplate(v, body)), nil
}

func (c *Console) userTabBody(req request, v userView) (templ.Component, error) {
	switch req.PathValue("tab") {
	case "", "details":
		return userDetails(v), nil
	case "groups":
		return c.userGroups(req, v)
	case "access":
		return c.userAccess(req, v, "")
	case "integrations":
		return c.userAccess(req, v, string(directory.IntegrationLevel))
	case "identities":
		return userIdentities(v), nil
	case "home":
		h, err := c.homeOf(req, v.ID)
		return homeTemplate(h), err
	case "activity":
		return c.recent(req, string(v.ID))
	case "raw":
		return c.userRaw(req, v)
	case "block", "delete":
		return c.confirmUser(req, v, req.PathValue("tab"))
	case releaseVerb:
		return confirmRelease(v)
	case "follow":
		return c.followPreview(req, v)
	}
	return nil, errNoPage
}

// Origin is the badge of where a membership of the user comes from.
func (v userView) Origin(source directory.SourceName) Cell {
	return v.Viewer.origin(source, kindsOf(v.Choices.Sources))
}

// RestorableUntil is when a deleted user can no longer be restored.
func (v userView) RestorableUntil() time.Time { return v.DeletedSince.Add(directory.RestoreFor) }

// userRaw shows what the sources say, as they said it.
func (c *Console) userRaw(req request, v userView) (templ.Component, error) {
	if req.viewer.ID != v.ID {
		if err := req.viewer.Require(admin.ReadDirectory, ""); err != nil {
			return nil, err
		}
	}
	var parts []rawPart
	for _, id := range v.Identities {
		text, err := json.MarshalIndent(id, "", "  ")
		if err != nil {
			return nil, fmt.Errorf("showing an identity: %w", err)
		}
		parts = append(parts, rawPart{string(id.Source), string(text)})
	}
	return userRawTemplate(parts), nil
}

type rawPart struct{ Source, Text string }

// presence says what a source says of somebody.
func presence(id directory.Identity) Cell {
	switch {
	case id.Presence == directory.Deleted:
		return Badge("Deleted by the source", Neutral)
	case id.Presence == directory.Gone:
		return Badge("Gone from the source", Warn)
	case !id.Active:
		return Badge("Inactive", Warn)
	}
	return Badge("Active", Good)
}
