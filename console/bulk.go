package console

import (
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/a-h/templ"
	"github.com/usherd/usherd/admin"
	"github.com/usherd/usherd/directory"
)

// A bulkView asks before something is done to many.
type bulkView struct {
	Title, Action, Button, Back, Warning string
	N                                    int
	Group                                string // chosen to be joined
	Groups                               []Option
	Choose                               bool // a group has to be chosen first
	Failed                               []admin.BulkItem
	Refused                              int    // how many failed, of which Failed are some
	Text                                 string // of a file
	NoOwner                              bool
	Preview                              effectsView
	Selection                            string
	Problem                              string
}

// Ends says whether it takes something away, as the buttons of one do.
func (v bulkView) Ends() bool {
	return v.Button == "Delete" || v.Button == "Block" || v.Button == "Disable"
}

// bulkWords are what pages say of doing something with many.
var bulkWords = map[string]struct{ verb, done, warning string }{
	"block":   {"Disable", "disabled", "Whoever is disabled has nothing, whatever a directory says, until they are enabled."},
	"unblock": {"Enable", "enabled", "Our blocks end. Whom a directory has inactive stays inactive."},
	"delete":  {"Delete", "deleted", "Memberships and grants end. For " + inDays(directory.RestoreFor) + " users can be restored, without them. Whom a directory delivers will return at the next sync: disable them instead."},
	"assign":  {"Add to a group", "added", "They keep what they have besides."},
}

// groupBulkWords are bulkWords for groups.
var groupBulkWords = map[string]struct{ verb, done, warning string }{
	"block":   {"Block", "blocked", "A blocked group gives nothing, to its members or through nesting, until it is unblocked."},
	"unblock": {"Unblock", "unblocked", "Unblocking restores exactly what the groups gave."},
	"delete":  {"Delete", "deleted", "Memberships and grants end for good."},
}

// tickUsers keeps the ticked users and goes on to what is to be done with them.
func (c *Console) tickUsers(req request) (templ.Component, error) {
	if req.PostForm.Has("sel") { // ticked before, and confirmed now
		return c.runBulkUsers(req)
	}
	key, err := c.ticked(req, func(req request, values url.Values, yield func(string) error) error {
		if project := req.URL.Query().Get("project"); project != "" { // the list of a project
			values.Set("project", project)
		}
		return c.matchingUsers(req, values, yield)
	})
	if err != nil {
		return nil, err
	}
	values := url.Values{"sel": {key}}
	if scope := req.URL.Query().Get("scope"); scope != "" {
		values.Set("scope", scope)
	}
	http.Redirect(req.w, req.Request, "/users/bulk/"+req.PathValue("do")+"?"+values.Encode(), http.StatusSeeOther)
	return nil, nil //nolint:nilnil // the browser goes on
}

func (c *Console) bulkUsers(req request) (templ.Component, error) {
	ids, err := c.selection(req, req.URL.Query().Get("sel"))
	if err != nil {
		return nil, err
	}
	do := req.PathValue("do")
	if do == "permissions" {
		return c.permissions(req, ids)
	}
	says, ok := bulkWords[do]
	if !ok {
		return nil, errNoPage
	}
	v := bulkView{
		Title: fmt.Sprintf("%s %s %s", says.verb, thousands(len(ids)), plural(len(ids), "user", "users")), N: len(ids),
		Action: "/users/bulk/" + do, Button: says.verb, Back: "/users", Warning: says.warning,
		Selection: req.URL.Query().Get("sel"), Group: req.URL.Query().Get("group"),
	}
	if do == "assign" {
		v.Title = fmt.Sprintf("Add %s %s to a group", thousands(len(ids)), plural(len(ids), "user", "users"))
		if v.Groups, err = c.localGroups(req, nil); err != nil {
			return nil, err
		}
		if v.Choose = v.Group == ""; v.Choose {
			return c.frame(req, v.Title, bulkTemplate(v)), nil
		}
	}
	return c.showBulk(req, v, admin.Bulk{Do: do, Users: ids, Group: v.Group, Force: true})
}

// showBulk previews an action on many.
func (c *Console) showBulk(req request, v bulkView, b admin.Bulk) (templ.Component, error) {
	preview, err := c.Service.PreviewBulk(req.Context(), req.by, b)
	if err != nil {
		return nil, err
	}
	return c.showPreview(req, v, preview)
}

// showPreview asks whether many things that were previewed are to be done.
func (c *Console) showPreview(req request, v bulkView, preview admin.BulkPreview) (templ.Component, error) {
	v.NoOwner = preview.NoOwner
	v.Failed = slices.DeleteFunc(preview.Items, func(i admin.BulkItem) bool { return i.OK })
	v.Refused = len(v.Failed)
	v.Failed = v.Failed[:min(shownFailures, len(v.Failed))]
	v.Preview = c.effects(req.Context(), preview.Difference, nil)
	v.Preview.Ask, v.Preview.Count = v.Preview.Ask || v.N > askAbove, v.N
	if v.Text != "" {
		v.Preview.People = nil // they are new and have no page yet
	}
	for i := range v.Failed {
		v.Failed[i].Name, v.Failed[i].Error = c.nameFor(req, v.Failed[i].Name), withoutKind(v.Failed[i].Error)
	}
	return c.frame(req, v.Title, bulkTemplate(v)), nil
}

// nameFor names a user or group by id, for people.
func (c *Console) nameFor(req request, id string) string {
	if u, err := c.Service.User(req.Context(), id); err == nil {
		return u.Name
	}
	if g, err := c.Service.Group(req.Context(), id, 1); err == nil {
		return string(g.Source) + "/" + g.Name
	}
	return id
}

func (c *Console) runBulkUsers(req request) (templ.Component, error) {
	ids, err := c.selection(req, req.PostForm.Get("sel"))
	if err != nil {
		return nil, err
	}
	do := req.PathValue("do")
	if do == "permissions" {
		return c.applyPermissions(req, ids)
	}
	says, ok := bulkWords[do]
	if !ok {
		return nil, errNoPage
	}
	b := admin.Bulk{Do: do, Users: ids, Group: req.PostForm.Get("group"), Force: true, Reason: strings.TrimSpace(req.PostForm.Get("reason"))}
	return c.runBulk(req, b, jobWords{"users", says.done, "/users"}, len(ids))
}

// runBulk does something with many, as a job with a page.
func (c *Console) runBulk(req request, b admin.Bulk, says jobWords, n int) (templ.Component, error) {
	preview, err := c.Service.PreviewBulk(req.Context(), req.by, b)
	if err != nil {
		return nil, err
	}
	if err := c.confirmed(req, preview, n); err != nil {
		return nil, err
	}
	job, err := c.Service.StartBulk(req.Context(), req.by, b)
	if err != nil {
		return nil, err
	}
	return c.started(req, job, says)
}

// confirmed refuses what touches so much that its number has to be typed, unless
// it was.
func (c *Console) confirmed(req request, preview admin.BulkPreview, n int) error {
	v := c.effects(req.Context(), preview.Difference, nil)
	v.Ask, v.Count = v.Ask || n > askAbove, n
	if !v.confirmed(req) {
		return errCount(n)
	}
	return nil
}

func errCount(n int) error {
	return fmt.Errorf("%w: type %d to go on", errTyped, n)
}
