package console

import (
	"cmp"
	"context"
	"slices"
	"strings"

	"github.com/a-h/templ"
	"github.com/usherd/usherd/admin"
)

// searchPages are what the palette asks.
func (c *Console) searchPages() { c.page("GET /search", c.search) }

// A found is one thing that the palette offers.
type found struct{ Kind, Title, Detail, Href string }

// foundPerKind is how many of each kind the palette offers.
const foundPerKind = 6

// actions are what the palette offers besides pages, for whoever may do them.
var actions = []struct {
	found
	For admin.Action
}{
	{found{"Action", "Add a user", "", "/users/new"}, admin.WriteUsers},
	{found{"Action", "New group", "", "/groups/new"}, admin.WriteGroups},
	{found{"Action", "Connect a source", "", "/sources/new"}, admin.WriteSources},
	{found{"Action", "New token", "", "/settings/tokens/new"}, admin.WriteTokens},
	{found{"Action", "My features", "", "/home"}, admin.SignedIn},
}

// search finds pages, actions, users, groups, Roles and integrations. Without
// words it offers all pages.
func (c *Console) search(req request) (templ.Component, error) {
	q := strings.TrimSpace(req.URL.Query().Get("q"))
	out := c.foundPages(req.viewer, q)
	if q != "" {
		for _, look := range []func(context.Context, *Viewer, string) ([]found, error){c.foundUsers, c.foundGroups, c.foundPolicy} {
			some, err := look(req.Context(), req.viewer, q)
			if err != nil {
				return nil, err
			}
			out = append(out, some...)
		}
	}
	if wantsPart(req.Request) {
		return searchResults("palette-results", q, out), nil
	}
	return c.frame(req, "Search", searchTemplate(q, out)), nil
}

// foundPages offers pages and actions whose title holds the words.
func (c *Console) foundPages(v *Viewer, q string) (out []found) {
	q = strings.ToLower(q)
	for _, g := range c.menuFor(v) {
		for _, item := range g.Items {
			if strings.Contains(strings.ToLower(item.Title), q) {
				out = append(out, found{"Page", item.Title, g.Title, item.Path})
			}
		}
	}
	for _, a := range actions {
		if v.Anywhere(a.For) && c.serves(a.Href) && strings.Contains(strings.ToLower(a.Title), q) {
			out = append(out, a.found)
		}
	}
	return out
}

func (c *Console) foundUsers(ctx context.Context, v *Viewer, q string) ([]found, error) {
	if !v.Anywhere(admin.ReadDirectory) {
		return nil, nil
	}
	users, err := c.Service.Users(ctx, admin.UserFilter{Q: q, Limit: foundPerKind})
	if err != nil {
		return nil, err
	}
	var out []found
	for _, u := range users.Items {
		out = append(out, found{"User", u.Name, u.UserName, "/users/" + string(u.ID)})
	}
	return out, nil
}

func (c *Console) foundGroups(ctx context.Context, v *Viewer, q string) ([]found, error) {
	if !v.Anywhere(admin.ReadDirectory) {
		return nil, nil
	}
	groups, err := c.Service.Groups(ctx, admin.GroupFilter{Q: q, Limit: foundPerKind})
	if err != nil {
		return nil, err
	}
	var out []found
	for _, g := range groups.Items {
		out = append(out, found{"Group", g.Name, string(g.Source), "/groups/" + string(g.ID)})
	}
	return out, nil
}

// foundPolicy finds Roles and integrations.
func (c *Console) foundPolicy(ctx context.Context, v *Viewer, q string) ([]found, error) {
	q = strings.ToLower(q)
	has := func(texts ...string) bool {
		return slices.ContainsFunc(texts, func(s string) bool { return strings.Contains(strings.ToLower(s), q) })
	}
	var out []found
	if v.Anywhere(admin.ReadPolicy) {
		roles, err := c.Service.Roles(ctx)
		if err != nil {
			return nil, err
		}
		for _, r := range roles {
			if has(string(r.Name)) && len(out) < foundPerKind {
				out = append(out, found{"Role", string(r.Name), "", "/roles/" + string(r.Name)})
			}
		}
	}
	connections, err := c.Service.Integrations(ctx)
	if err != nil {
		return nil, err
	}
	n := 0
	for _, i := range connections {
		if has(i.Key, i.Title) && n < foundPerKind {
			out = append(out, found{"Integration", cmp.Or(i.Title, i.Key), i.Key, "/integrations/" + i.Key})
			n++
		}
	}
	return out, nil
}
