package console

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"strings"

	"github.com/a-h/templ"
	"github.com/usherd/usherd/admin"
	"github.com/usherd/usherd/directory"
)

// spaceView is where the saved views of a user are kept, one record a user.
const spaceView = "console-view"

// maxViews is how many views a user may save.
const maxViews = 50

// A savedView is a filter of a list that somebody gave a name.
type savedView struct {
	List  string `json:"list"` // name of the list
	Name  string `json:"name"`
	Query string `json:"query"`
}

// A viewsView is what a list's page shows of saved views.
type viewsView struct {
	Path  string
	Query string // of the page; empty: nothing to save
	Saved []savedView
}

// href is the address of a saved view.
func (v viewsView) href(s savedView) templ.SafeURL { return templ.SafeURL(v.Path + "?" + s.Query) }

// allViews returns what a user saved, and the version of the record.
func (c *Console) allViews(req request) ([]savedView, int64, error) {
	kept, err := c.Keeper.Kept(req.Context(), spaceView, string(req.viewer.ID))
	if errors.Is(err, directory.ErrNotFound) {
		return nil, 0, nil
	}
	if err != nil {
		return nil, 0, fmt.Errorf("reading saved views: %w", err)
	}
	var all []savedView
	if err := json.Unmarshal(kept.Value, &all); err != nil {
		return nil, 0, fmt.Errorf("reading saved views: %w", err)
	}
	return all, kept.Version, nil
}

// views are the saved views of a list.
func (c *Console) views(req request, l List) (viewsView, error) {
	v := viewsView{Path: l.Path}
	if l.filtered() {
		values := l.values()
		values.Del("cursor")
		v.Query = values.Encode()
	}
	all, _, err := c.allViews(req)
	for _, s := range all {
		if s.List == l.Name {
			v.Saved = append(v.Saved, s)
		}
	}
	return v, err
}

// changeViews saves a view of a list under a name, or forgets it if query is
// empty.
func (c *Console) changeViews(req request, list, name, query string) error {
	all, version, err := c.allViews(req)
	if err != nil {
		return err
	}
	kept := []savedView{}
	for _, s := range all {
		if s.List != list || s.Name != name {
			kept = append(kept, s)
		}
	}
	if query != "" {
		kept = append(kept, savedView{list, name, query})
	}
	if len(kept) > maxViews {
		return fmt.Errorf("%w: at most %d views can be saved; forget one first", directory.ErrInvalid, maxViews)
	}
	text, err := json.Marshal(kept)
	if err != nil {
		return fmt.Errorf("encoding saved views: %w", err)
	}
	record := directory.Kept{Space: spaceView, Key: string(req.viewer.ID), Value: text, Version: version}
	if _, err := c.Keeper.PutKept(req.Context(), record); err != nil {
		return fmt.Errorf("saving views: %w", err)
	}
	return nil
}

// saveAuditView keeps a filter of the audit log.
func (c *Console) saveAuditView(req request) (templ.Component, error) {
	if err := req.viewer.Require(admin.ReadAudit, ""); err != nil {
		return nil, err
	}
	name := strings.TrimSpace(req.PostForm.Get("name"))
	values, err := url.ParseQuery(req.PostForm.Get("query"))
	if err != nil || name == "" || len(name) > 80 || len(values) == 0 {
		return nil, errForm
	}
	if err := c.changeViews(req, auditList.Name, name, values.Encode()); err != nil {
		return nil, err
	}
	return c.redirect(req, "/audit?"+values.Encode(), "Saved the view "+name+".")
}

// forgetAuditView forgets a saved filter.
func (c *Console) forgetAuditView(req request) (templ.Component, error) {
	if err := req.viewer.Require(admin.ReadAudit, ""); err != nil {
		return nil, err
	}
	if err := c.changeViews(req, auditList.Name, req.PostForm.Get("name"), ""); err != nil {
		return nil, err
	}
	return c.redirect(req, "/audit", "Forgot the view.")
}

// retention says how long audit records are kept; empty if nobody knows.
func (c *Console) retention() string {
	if c.Machine == nil {
		return ""
	}
	for _, s := range c.Machine.Settings() {
		if s.Key == "audit.retention" && s.Value != "" && s.Value != "0s" {
			return "Records are kept for " + s.Value + "."
		}
	}
	return "Records are kept for ever."
}
