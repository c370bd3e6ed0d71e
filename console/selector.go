package console

import (
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strings"

	"github.com/a-h/templ"
	"github.com/usherd/usherd/admin"
	"github.com/usherd/usherd/directory"
)

// A choosing is a page on which users and groups are searched and picked.
type choosing struct {
	integrationView
	Q       string
	Level   string
	Picked  []pick
	Found   []pick
	Already map[string]bool // values that are members
	Problem string
}

// chosenMost is how many of each kind a search shows.
const chosenMost = 20

func (c *Console) chooseMembers(req request) (templ.Component, error) {
	return c.showChoosing(req, req.URL.Query(), "")
}

func (c *Console) showChoosing(req request, form url.Values, problem string) (templ.Component, error) {
	v := choosing{Q: strings.TrimSpace(form.Get("q")), Level: form.Get("level"), Already: map[string]bool{}, Problem: problem}
	if v.Level == "" {
		v.Level = directory.Viewer.String()
	}
	var err error
	if v.integrationView, err = c.integrationView(req, "members"); err != nil {
		return nil, err
	}
	members, err := c.Service.ConnectionMembers(req.Context(), v.Key)
	if err != nil {
		return nil, err
	}
	for _, m := range members {
		if m.Own != nil {
			v.Already[memberOf(m).Who] = true
		}
	}
	if v.Picked, err = c.named(req, form["pick"]); err != nil {
		return nil, err
	}
	found, err := c.searchMembers(req, v.Q)
	if err != nil {
		return nil, err
	}
	for _, p := range found {
		if !slices.Contains(form["pick"], p.Value) {
			p.Checked = v.Already[p.Value]
			v.Found = append(v.Found, p)
		}
	}
	return c.frame(req, "Add to "+v.Name, choosingTemplate(v)), nil
}

// searchMembers finds groups and users by a text.
func (c *Console) searchMembers(req request, q string) (out []pick, err error) {
	groups, err := c.Service.Groups(req.Context(), admin.GroupFilter{Q: q, Sort: "name", Limit: chosenMost})
	if err != nil {
		return nil, err
	}
	for _, g := range groups.Items {
		out = append(out, pick{Value: "group:" + string(g.ID), Title: string(g.Source) + "/" + g.Name, Note: fmt.Sprintf("group, %d members", g.Members)})
	}
	users, err := c.Service.Users(req.Context(), admin.UserFilter{Q: q, Sort: "name", Limit: chosenMost})
	for _, u := range users.Items {
		out = append(out, pick{Value: string(u.ID), Title: u.Name, Note: u.UserName})
	}
	return out, err
}

// named are picked ones with what they are called.
func (c *Console) named(req request, picked []string) (out []pick, err error) {
	for _, value := range slices.Compact(slices.Sorted(slices.Values(picked))) {
		p := pick{Value: value, Title: value, Checked: true}
		if id, isGroup := strings.CutPrefix(value, "group:"); isGroup {
			g, err := c.Service.Group(req.Context(), id, 1)
			if errors.Is(err, directory.ErrNotFound) {
				continue
			}
			if err != nil {
				return nil, err
			}
			p.Title, p.Note = string(g.Source)+"/"+g.Name, "group"
		} else {
			u, err := c.Service.User(req.Context(), value)
			if errors.Is(err, directory.ErrNotFound) {
				continue
			}
			if err != nil {
				return nil, err
			}
			p.Title = displayName(u.User)
		}
		out = append(out, p)
	}
	return out, nil
}

// addMembers assigns a level to all that were picked.
func (c *Console) addMembers(req request) (templ.Component, error) {
	level, err := directory.ParseLevel(req.PostForm.Get("level"))
	if err != nil {
		return nil, err
	}
	picked := req.PostForm["pick"]
	if len(picked) == 0 {
		return c.showChoosing(req, req.PostForm, "Tick somebody first.")
	}
	for _, who := range picked {
		_, err := c.Service.SetConnectionMember(req.Context(), req.by, req.PathValue("key"), who, level)
		if text, typed := refused(err); typed {
			return c.showChoosing(req, req.PostForm, text)
		}
		if err != nil {
			return nil, err
		}
	}
	return c.redirect(req, integrationPath(req.PathValue("key"))+"/members", fmt.Sprintf("%d added as %s.", len(picked), levelName(level)))
}
