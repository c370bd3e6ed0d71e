package console

import (
	"context"
	"errors"
	"net/url"
	"strconv"
	"strings"

	"github.com/a-h/templ"
	"github.com/usherd/usherd/admin"
	"github.com/usherd/usherd/directory"
)

// maxSets bounds how many scopes one form grants in.
const maxSets = 20

// A mappingForm is the editor of a mapping.
type mappingForm struct {
	mappingHead
	Was        string // the mapping that is edited; empty: a new one
	Name       string
	Source, By string
	Value      string // of the group's name, pattern, DN or id
	AllowAdmin bool
	Sets       []grantFields
	Sources    []Option
	Names      []string // of groups that may be meant
	Impact     *impactView
	Stale      []string // what differs from what was looked at
	Draft      draftRef // that it is part of, or is to be; the zero value: none
}

func (f mappingForm) path() string {
	if f.Draft.ID != "" {
		return draftPath(f.Draft.ID)
	}
	if f.Was == "" {
		return "/mappings"
	}
	return mappingPath(f.Was)
}

// named reports whether the mapping has its name already.
func (f mappingForm) named() bool { return f.Was != "" || f.Draft.Fixed }

func (f mappingForm) title() string {
	if f.Draft.ID != "" {
		return strings.TrimSpace("Mapping "+f.Name) + " of the draft " + f.Draft.Title
	}
	if f.Was == "" {
		return "New mapping"
	}
	return "Edit mapping " + f.Was
}

// selectors are the ways to say which group is meant.
var selectors = []Option{{"name", "has the name"}, {"pattern", "has a name like (* and ?)"}, {"dn", "has the DN"}, {"id", "has the id in the source"}}

// editor fills the editor with a draft.
func (c *Console) editor(req request, was string, m admin.MappingSpec) (mappingForm, error) {
	f := mappingForm{Was: was, Name: m.Name, Source: string(m.When.Source), By: "name", AllowAdmin: m.AllowAdmin}
	var err error
	if f.mappingHead, err = c.mappingHead(req); err != nil {
		return f, err
	}
	choices, err := c.Service.Choices(req.Context())
	if err != nil {
		return f, err
	}
	f.Sources = sourceOptions(choices.Sources)
	if f.Source == "" {
		f.Source = f.Sources[0].Value
	}
	for by, value := range map[string]string{"name": m.When.Name, "pattern": m.When.Pattern, "dn": m.When.DN, "id": m.When.ID} {
		if value != "" {
			f.By, f.Value = by, value
		}
	}
	if len(m.Grant) == 0 {
		m.Grant = []admin.GrantSpec{{}}
	}
	for i, set := range m.Grant {
		fields := grantFieldsOf("g"+strconv.Itoa(i)+".", choices, set).withScope(choices, set)
		fields.Title = "Then they get"
		if i > 0 {
			fields.Title = "and in another scope"
		}
		f.Sets = append(f.Sets, fields)
	}
	f.Names, err = c.groupsLike(req, f.Source, f.By, f.Value)
	return f, err
}

// groupsLike are names of groups of a source, as a way of naming them has it.
func (c *Console) groupsLike(req request, source, by, text string) (out []string, err error) {
	filter := admin.GroupFilter{Source: directory.SourceName(source), Sort: "name", Limit: 50}
	if by == "name" {
		filter.Name = text
	} else if by != "pattern" {
		filter.Q = text
	}
	all, err := c.Service.Groups(req.Context(), filter)
	for _, g := range all.Items {
		value := map[string]string{"name": g.Name, "pattern": g.Name, "dn": g.DN, "id": g.ExternalID}[by]
		if value != "" {
			out = append(out, value)
		}
	}
	return out, err
}

// mappingOf reads the editor.
func mappingOf(form url.Values) (was string, m admin.MappingSpec) {
	m.Name, m.AllowAdmin = form.Get("name"), form.Get("allow_admin") != ""
	m.When.Source = directory.SourceName(form.Get("source"))
	switch value := form.Get("value"); form.Get("by") {
	case "pattern":
		m.When.Pattern = value
	case "dn":
		m.When.DN = value
	case "id":
		m.When.ID = value
	default:
		m.When.Name = value
	}
	n, err := strconv.Atoi(form.Get("sets"))
	if err != nil {
		n = 1
	}
	for i := range min(n, maxSets) {
		prefix := "g" + strconv.Itoa(i) + "."
		if set := grantSpecOf(form, prefix); !emptyGrant(set) || i == 0 {
			m.Grant = append(m.Grant, set)
		}
	}
	return form.Get("was"), m
}

func (c *Console) newMapping(req request) (templ.Component, error) {
	q := req.URL.Query()
	m := admin.MappingSpec{When: directory.Selector{Source: directory.SourceName(q.Get("source")), Name: q.Get("group")}}
	return c.showEditor(req, "", m, nil)
}

func (c *Console) editMapping(req request) (templ.Component, error) {
	m, err := c.findMapping(req)
	if err != nil {
		return nil, err
	}
	return c.showEditor(req, m.Name, mappingSpecOf(m.Mapping), nil)
}

func (c *Console) showEditor(req request, was string, m admin.MappingSpec, change func(*mappingForm)) (templ.Component, error) {
	f, err := c.editor(req, was, m)
	if err != nil {
		return nil, err
	}
	if change != nil {
		change(&f)
	}
	return c.frame(req, f.title(), mappingEditor(f)), nil
}

// groupNames offers the groups of a source while somebody types.
func (c *Console) groupNames(req request) (templ.Component, error) {
	q := req.URL.Query()
	names, err := c.groupsLike(req, q.Get("source"), q.Get("by"), q.Get("value"))
	return groupNamesTemplate(names), err
}

// previewMapping shows what a draft would lead to. It is asked for while
// somebody types, so that what is not finished is said and no error.
func (c *Console) previewMapping(req request) (templ.Component, error) {
	was, m := mappingOf(req.PostForm)
	if req.PostForm.Get("more") != "" && len(m.Grant) < maxSets {
		m.Grant = append(m.Grant, admin.GrantSpec{})
	}
	impact, err := c.foresee(req, was, m)
	if err != nil {
		return nil, err
	}
	return c.showEditor(req, was, m, func(f *mappingForm) { f.Impact, f.Draft = &impact, draftRefOf(req.PostForm) })
}

// foresee is the impact of a draft, or what is wrong with it.
func (c *Console) foresee(req request, was string, m admin.MappingSpec) (impactView, error) {
	plan, err := c.Service.PlanMapping(req.Context(), admin.MappingDraft{Name: was, To: &m})
	if said, ours := problems(err); ours {
		return impactView{Problems: said, Unchanged: -1}, nil
	}
	if err != nil {
		return impactView{}, err
	}
	return c.impactOfPlan(req.Context(), plan), nil
}

// applyMapping does what the preview showed. What would be more is refused, and
// the editor shows the difference beside a new preview.
func (c *Console) applyMapping(req request) (templ.Component, error) {
	was, m := mappingOf(req.PostForm)
	impact, err := c.foresee(req, was, m)
	if err != nil {
		return nil, err
	}
	again := func(stale ...string) (templ.Component, error) {
		return c.showEditor(req, was, m, func(f *mappingForm) { f.Impact, f.Stale = &impact, stale })
	}
	if !impact.confirmed(req) {
		return again("Type the number of people that this touches, then apply.")
	}
	_, err = c.Service.ApplyMapping(req.Context(), req.by, admin.MappingDraft{Name: was, To: &m}, req.PostForm.Get("plan"))
	if said, ours := problems(err); ours {
		if !errors.Is(err, admin.ErrStale) {
			impact.Problems, said = said, nil
		}
		return again(said...)
	}
	if err != nil {
		return nil, err
	}
	return c.redirect(req, mappingPath(m.Name), "Mapping "+m.Name+" applied.")
}

// A mappingAsk is a page that asks before a mapping is altered.
type mappingAsk struct {
	mappingHead
	Title, Text, Path, Back, Do string
	Later                       string // where it is saved as a draft; empty: nowhere
	Danger                      bool
	Fields                      map[string]string
	Impact                      impactView
	Stale                       []string
}

func (c *Console) askDeleteMapping(req request) (templ.Component, error) { return c.deletion(req, nil) }

// deletion asks whether a mapping is to go.
func (c *Console) deletion(req request, stale []string) (templ.Component, error) {
	name := req.PathValue("name")
	v := mappingAsk{
		Title: "Delete mapping " + name, Text: "What it gives ends for everybody who has it by this mapping alone.", Do: "Delete",
		Path: mappingPath(name) + "/delete", Back: mappingPath(name), Danger: true, Stale: stale,
		Later: mappingPath(name) + "/draft-deletion",
	}
	var err error
	if v.mappingHead, err = c.mappingHead(req); err != nil {
		return nil, err
	}
	plan, err := c.Service.PlanMapping(req.Context(), admin.MappingDraft{Name: name})
	if said, ours := problems(err); ours {
		v.Impact = impactView{Problems: said, Unchanged: -1}
	} else if err != nil {
		return nil, err
	} else {
		v.Impact = c.impactOfPlan(req.Context(), plan)
	}
	v.Fields = map[string]string{"plan": v.Impact.Plan}
	return c.frame(req, v.Title, mappingAskTemplate(v)), nil
}

func (c *Console) deleteMapping(req request) (templ.Component, error) {
	name := req.PathValue("name")
	plan, err := c.Service.PlanMapping(req.Context(), admin.MappingDraft{Name: name})
	if err != nil {
		return nil, err
	}
	if !c.impactOfPlan(req.Context(), plan).confirmed(req) {
		return c.deletion(req, []string{"Type the number of people that this touches."})
	}
	_, err = c.Service.ApplyMapping(req.Context(), req.by, admin.MappingDraft{Name: name}, req.PostForm.Get("plan"))
	if said, ours := problems(err); ours {
		return c.deletion(req, said)
	}
	if err != nil {
		return nil, err
	}
	return c.redirect(req, "/mappings", "Mapping "+name+" deleted.")
}

func (c *Console) askConfirmMapping(req request) (templ.Component, error) {
	return c.confirmation(req, req.URL.Query().Get("group"), nil)
}

// confirmation asks whether a mapping is to reach a group for which it waits.
func (c *Console) confirmation(req request, group string, stale []string) (templ.Component, error) {
	name := req.PathValue("name")
	v := mappingAsk{
		Title: "Confirm mapping " + name, Text: "The mapping gives an administration right or is bound to one group, so it waits before it reaches another.",
		Do: "Confirm", Path: mappingPath(name) + "/confirm", Back: mappingPath(name), Fields: map[string]string{"group": group}, Stale: stale,
	}
	var err error
	if v.mappingHead, err = c.mappingHead(req); err != nil {
		return nil, err
	}
	v.Managed = "" // confirming is no change of the file
	v.Impact, err = c.tried(req, func(ctx context.Context) (admin.Outcome, error) {
		return c.Service.ConfirmMapping(ctx, req.by, name, group)
	})
	if err != nil {
		return nil, err
	}
	return c.frame(req, v.Title, mappingAskTemplate(v)), nil
}

func (c *Console) confirmMapping(req request) (templ.Component, error) {
	name, group := req.PathValue("name"), req.PostForm.Get("group")
	impact, err := c.tried(req, func(ctx context.Context) (admin.Outcome, error) {
		return c.Service.ConfirmMapping(ctx, req.by, name, group)
	})
	if err != nil {
		return nil, err
	}
	if !impact.confirmed(req) {
		return c.confirmation(req, group, []string{"Type the number of people that this touches."})
	}
	if _, err := c.Service.ConfirmMapping(req.Context(), req.by, name, group); err != nil {
		return nil, err
	}
	return c.redirect(req, mappingPath(name), "Mapping "+name+" confirmed.")
}
