package console

import (
	"net/http"
	"net/url"
	"strings"

	"github.com/a-h/templ"
	"github.com/usherd/usherd/admin"
	"github.com/usherd/usherd/directory"
)

// A navItem is one page of the menu.
type navItem struct {
	Title, Path string
	Key         string       // after g, goes there
	For         admin.Action // offered to whoever may do this somewhere
	Whole       bool         // only if that is in the whole organization
}

// A navGroup is a part of the menu.
type navGroup struct {
	Title string
	Items []navItem
}

// menu is all pages in the order in which they are offered.
var menu = []navGroup{
	{"", []navItem{{"Overview", "/", "o", admin.SignedIn, false}, {"Home", "/home", "h", admin.SignedIn, false}}},
	{"Directory", []navItem{
		{"Users", "/users", "u", admin.ReadDirectory, false},
		{"Groups", "/groups", "g", admin.ReadDirectory, false},
		{"Projects", "/projects", "p", admin.ReadDirectory, false},
	}},
	{"Access", []navItem{
		{"Roles", "/roles", "r", admin.ReadPolicy, false},
		{"Integrations", "/integrations", "i", admin.ReadPolicy, false},
		{"Catalogue", "/catalogue", "c", admin.ReadPolicy, false},
		{"Mappings", "/mappings", "m", admin.ReadPolicy, true},
		{"Explain", "/explain", "e", admin.AskChecks, false},
	}},
	{"Sync", []navItem{
		{"Sources", "/sources", "s", admin.ReadSources, false},
		{"Runs", "/runs", "n", admin.ReadSources, false},
		{"Held changes", "/holds", "d", admin.ReadSources, false},
	}},
	{"Activity", []navItem{{"Audit log", "/audit", "a", admin.ReadAudit, false}, {"Webhooks", "/webhooks", "w", admin.ReadWebhooks, false}}},
	{"Billing", []navItem{{"Seats and usage", "/billing", "b", admin.ReadDirectory, true}}},
	{"Settings", []navItem{
		{"Tokens", "/settings/tokens", "t", admin.ReadTokens, false},
		{"Admins and sign-in", "/settings/admins", "", admin.ReadDirectory, true},
		{"General", "/settings/general", "", admin.ReadPolicy, true},
		{"Diagnostics", "/settings/diagnostics", "", admin.ReadSources, false},
	}},
}

// menuFor leaves out what the viewer may never see, and what no page is for.
func (c *Console) menuFor(v *Viewer) []navGroup {
	var out []navGroup
	for _, g := range menu {
		kept := navGroup{Title: g.Title}
		for _, item := range g.Items {
			if (v.Can(item.For) || !item.Whole && v.Anywhere(item.For)) && c.serves(item.Path) {
				kept.Items = append(kept.Items, item)
			}
		}
		if len(kept.Items) > 0 {
			out = append(out, kept)
		}
	}
	return out
}

// serves reports whether there is a page at a path.
func (c *Console) serves(path string) bool {
	_, pattern := c.mux.Handler(&http.Request{Method: http.MethodGet, URL: &url.URL{Path: path}})
	return pattern != "/"
}

// A frameView is what surrounds every page.
type frameView struct {
	Title       string
	Path        string
	Viewer      *Viewer
	Menu        []navGroup
	Notice      string
	Environment string
	Revision    directory.Revision
	HasRevision bool
	Badges      map[string]int // what waits, by path of the menu
	Sync        Cell           // how directories are doing that are read; empty: none is
}

// here reports whether a page of the menu is shown, or one below it.
func (f frameView) here(item navItem) bool {
	return f.Path == item.Path || item.Path != "/" && strings.HasPrefix(f.Path, item.Path+"/")
}

// frame puts a page into what surrounds it.
func (c *Console) frame(req request, title string, body templ.Component) templ.Component {
	f := frameView{
		Title: title, Path: req.URL.Path, Viewer: req.viewer, Menu: c.menuFor(req.viewer), Notice: c.takeNotice(req.w, req.Request),
		Environment: c.Environment,
	}
	f.Badges = c.badges(req)
	f.Sync = c.syncHealth(req, f.Badges["/holds"])
	if c.Revision != nil {
		f.Revision, f.HasRevision = c.Revision(), true
	}
	return frameTemplate(f, body)
}
