package console

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/a-h/templ"
	"github.com/usherd/usherd/admin"
	"github.com/usherd/usherd/directory"
)

const (
	pickPage    = 20   // how many are found at once
	pickAll     = 1000 // how many can be picked by one filter
	pickPreview = 200  // up to how many picked ones the bill is worked out
)

// A picking is what the form of the member selector holds.
type picking struct {
	Q       string   // what is searched
	Kind    string   // users of every type, standard, service; or groups
	Source  string   // where they come from; empty: anywhere
	Picked  []string // as AddMembers names them: an id or group:ID
	Unknown []string // pasted, and nobody's
	Problem string
}

// A candidate is somebody whom a search found.
type candidate struct {
	Value, Name, About string
	In, Picked         bool // in the group already; picked
}

// A selectorView is the member selector.
type selectorView struct {
	groupView
	picking
	Found  []candidate
	Total  int
	Chosen []candidate
	Bill   string
	Gain   int
}

// selector shows the member selector.
func (c *Console) selector(req request, v groupView, p picking) (templ.Component, error) {
	if !v.MayChange || !v.Local() {
		return nil, fmt.Errorf("%w: to change the members of this group", admin.ErrForbidden)
	}
	s := selectorView{groupView: v, picking: p}
	if err := c.find(req, &s); err != nil {
		return nil, err
	}
	var err error
	if s.Chosen, err = c.chosen(req, p.Picked); err != nil {
		return nil, err
	}
	if n := len(p.Picked); n > 0 && n <= pickPreview {
		out, err := c.Service.AddMembers(admin.WithDryRun(req.Context()), req.by, string(v.ID), p.Picked)
		if text, ok := refused(err); ok {
			s.Problem = text
		} else if err != nil {
			return nil, err
		} else if out.Preview != nil {
			s.Bill, s.Gain = billSentence(*out.Preview), out.Preview.Gaining
		}
	}
	return selectorTemplate(s), nil
}

// pickKinds are whom the selector searches.
var pickKinds = []Option{{"users", "Users"}, {"standard", "Standard users"}, {"service", "Service users"}, {"groups", "Groups"}}

// sources are where those who are searched may come from.
func (s selectorView) sources() []Option {
	kinds, out := kindsOf(s.Choices.Sources), []Option{{"", "Any source"}}
	for _, from := range s.Choices.Sources {
		out = append(out, Option{string(from.Name), sourceWords(kinds, from.Name)})
	}
	return append(out, Option{string(directory.Local), "Local"})
}

// userFilter is which users are searched.
func (p picking) userFilter(limit int) admin.UserFilter {
	f := admin.UserFilter{Q: p.Q, Source: directory.SourceName(p.Source), Sort: "name", Limit: limit}
	if p.Kind == "standard" || p.Kind == "service" {
		f.Type = directory.UserType(p.Kind)
	}
	return f
}

// find searches users or groups, and says who of them is in the group already.
func (c *Console) find(req request, s *selectorView) error {
	if err := c.candidates(req, s); err != nil {
		return err
	}
	ids := make([]string, len(s.Found))
	for i, f := range s.Found {
		ids[i] = strings.TrimPrefix(f.Value, "group:")
	}
	in, err := c.Service.MembersAmong(req.Context(), string(s.ID), ids...)
	for i := range s.Found {
		s.Found[i].In = in[ids[i]]
	}
	return err
}

// candidates finds users or groups.
func (c *Console) candidates(req request, s *selectorView) error {
	if s.Kind == "groups" {
		page, err := c.Service.Groups(req.Context(), admin.GroupFilter{Q: s.Q, Source: directory.SourceName(s.Source), Sort: "name", Limit: pickPage})
		if err != nil {
			return err
		}
		s.Total = page.Total
		for _, g := range page.Items {
			value := "group:" + string(g.ID)
			if g.ID != s.ID {
				s.Found = append(s.Found, candidate{Value: value, Name: g.Name, About: string(g.Source), Picked: slices.Contains(s.Picked, value)})
			}
		}
		return nil
	}
	page, err := c.Service.Users(req.Context(), s.userFilter(pickPage))
	if err != nil {
		return err
	}
	s.Total = page.Total
	for _, u := range page.Items {
		value := string(u.ID)
		about := u.UserName
		if about == u.Name {
			about = ""
		}
		s.Found = append(s.Found, candidate{Value: value, Name: u.Name, About: about, Picked: slices.Contains(s.Picked, value)})
	}
	return nil
}

// chosen names who was picked.
func (c *Console) chosen(req request, picked []string) ([]candidate, error) {
	ids := make([]directory.UserID, 0, len(picked))
	for _, p := range picked {
		if directory.IsID(p) {
			ids = append(ids, directory.UserID(p))
		}
	}
	names, err := c.Service.NamesOfUsers(req.Context(), ids...)
	if err != nil {
		return nil, err
	}
	out := make([]candidate, len(picked))
	for i, p := range picked {
		out[i] = candidate{Value: p, Name: names[directory.UserID(p)], Picked: true}
		if id, ok := strings.CutPrefix(p, "group:"); ok {
			g, err := c.Service.Group(req.Context(), id, -1)
			if err != nil {
				return nil, err
			}
			out[i].Name = "Group " + string(g.Source) + "/" + g.Name
		}
		if out[i].Name == "" {
			out[i].Name = p
		}
	}
	return out, nil
}

// pick does what the form of the member selector asks for: search, read a pasted
// list, pick all that match, or add who was picked.
func (c *Console) pick(req request) (templ.Component, error) {
	v, err := c.readGroup(req)
	if err != nil {
		return nil, err
	}
	form := req.PostForm
	p := picking{Q: strings.TrimSpace(form.Get("q")), Kind: form.Get("kind"), Source: form.Get("source")}
	for _, value := range form["pick"] {
		if value != "" && !slices.Contains(p.Picked, value) {
			p.Picked = append(p.Picked, value)
		}
	}
	switch form.Get("do") {
	case "paste":
		err = c.paste(req, v, &p, form.Get("paste"))
	case "all":
		err = c.pickMatching(req, v, &p)
	case "add":
		return c.addPicked(req, v, p)
	}
	if err != nil {
		return nil, err
	}
	body, err := c.selector(req, v, p)
	if err != nil {
		return nil, err
	}
	return c.frame(req, v.Name, groupTemplate(v, body)), nil
}

// paste picks everybody on a list of e-mail addresses, userNames or ids.
func (c *Console) paste(req request, v groupView, p *picking, text string) error {
	for _, name := range strings.FieldsFunc(text, func(r rune) bool { return strings.ContainsRune(",;\n\r\t", r) }) {
		if name = strings.TrimSpace(name); name == "" {
			continue
		}
		id, err := c.whoIs(req, v, name)
		if errors.Is(err, directory.ErrNotFound) || errors.Is(err, directory.ErrInvalid) {
			p.Unknown = append(p.Unknown, name)
			continue
		}
		if err != nil {
			return err
		}
		if !slices.Contains(p.Picked, id) {
			p.Picked = append(p.Picked, id)
		}
	}
	return nil
}

// whoIs finds whom a pasted name means. Who manages a project may name people
// whom they can't read about: then the name stays as it is.
func (c *Console) whoIs(req request, v groupView, name string) (string, error) {
	var failed error
	for _, as := range []string{name, "email:" + name} {
		if strings.HasPrefix(as, "group:") {
			return as, nil
		}
		u, err := c.Service.User(req.Context(), as)
		if err == nil {
			return string(u.ID), nil
		}
		if _, err = c.Service.AddMembers(admin.WithDryRun(req.Context()), req.by, string(v.ID), []string{as}); err == nil {
			return as, nil
		}
		failed = err
	}
	return "", failed
}

// pickMatching picks all whom the search finds.
func (c *Console) pickMatching(req request, v groupView, p *picking) error {
	page, err := c.Service.Users(req.Context(), p.userFilter(pickAll))
	if err != nil {
		return err
	}
	ids := make([]string, len(page.Items))
	for i, u := range page.Items {
		ids[i] = string(u.ID)
	}
	in, err := c.Service.MembersAmong(req.Context(), string(v.ID), ids...)
	if err != nil {
		return err
	}
	if page.Total > pickAll {
		p.Problem = fmt.Sprintf("The first %s are picked; narrow the search for the others.", thousands(pickAll))
	}
	for _, id := range ids {
		if !in[id] && !slices.Contains(p.Picked, id) {
			p.Picked = append(p.Picked, id)
		}
	}
	return nil
}

func (c *Console) addPicked(req request, v groupView, p picking) (templ.Component, error) {
	_, err := c.Service.AddMembers(req.Context(), req.by, string(v.ID), p.Picked)
	if text, ok := refused(err); ok {
		p.Problem = text
		body, err := c.selector(req, v, p)
		if err != nil {
			return nil, err
		}
		return c.frame(req, v.Name, groupTemplate(v, body)), nil
	}
	if err != nil {
		return nil, err
	}
	return c.redirect(req, v.Path, fmt.Sprintf("%d %s added to %s.", len(p.Picked), plural(len(p.Picked), "member", "members"), v.Name))
}

// shows reports whether somebody picked is among the found.
func (s selectorView) shows(value string) bool {
	return slices.ContainsFunc(s.Found, func(f candidate) bool { return f.Value == value && !f.In })
}
