package console

import (
	"cmp"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/a-h/templ"
	"github.com/usherd/usherd/admin"
	"github.com/usherd/usherd/directory"
)

// mappingPages are the list of mappings, a mapping, and its editor.
func (c *Console) mappingPages() {
	c.page("GET /mappings", c.mappings)
	c.page("GET /mappings/export", c.exportMappings)
	c.page("POST /mappings/test", c.testMappings)
	c.page("GET /mappings/new", c.newMapping)
	c.page("GET /mappings/group-names", c.groupNames)
	c.page("POST /mappings/preview", c.previewMapping)
	c.page("POST /mappings/apply", c.applyMapping)
	c.page("GET /mappings/{name}", c.mapping)
	c.page("GET /mappings/{name}/{do}", c.askMapping)
	c.page("POST /mappings/{name}/delete", c.deleteMapping)
	c.page("POST /mappings/{name}/confirm", c.confirmMapping)
	c.page("POST /mappings/{name}/enable", c.switchMapping(true))
	c.page("POST /mappings/{name}/disable", c.switchMapping(false))
	c.draftPages()
}

// askMapping is the pages of one mapping that ask before something is done. One
// pattern has them all, so that drafts have addresses beside them.
func (c *Console) askMapping(req request) (templ.Component, error) {
	switch req.PathValue("do") {
	case "edit":
		return c.editMapping(req)
	case "delete":
		return c.askDeleteMapping(req)
	case "confirm":
		return c.askConfirmMapping(req)
	case "enable":
		return c.askSwitch(req, true, nil)
	case "disable":
		return c.askSwitch(req, false, nil)
	}
	return nil, errNoPage
}

var mappingList = ListSpec{
	Name: "mappings", Title: "Mappings", Noun: "mappings", Searches: "name, group, what is granted",
	Columns: []Column{
		{Key: "name", Title: "Name", Default: true},
		{Key: "if", Title: "If in", Default: true},
		{Key: "then", Title: "Then", Default: true},
		{Key: "matches", Title: "Matches now", Default: true},
		{Key: "enabled", Title: "Enabled", Default: true},
		{Key: "managed", Title: "Managed by", Default: true},
		{Key: "updated", Title: "Updated", Default: true},
		{Key: "note", Title: "Note"},
	},
	Filters: []Filter{
		{Key: "source", Title: "Source", Options: []Option{{"", "any"}}},
		{Key: "state", Title: "State", Options: []Option{{"none", "matches nothing"}, {"suspended", "suspended"}, {"disabled", "disabled"}}},
	},
}

// A mappingHead is what the pages of mappings have in common.
type mappingHead struct {
	Managed string // the file that manages mappings; empty: none
	May     bool   // the viewer may change them
}

// reason says why nothing can be changed here; empty: it can.
func (h mappingHead) reason() string {
	switch {
	case h.Managed != "":
		return "Managed by " + h.Managed + "; change it there"
	case !h.May:
		return "Needs the right " + string(directory.PolicyManage)
	}
	return ""
}

func (c *Console) mappingHead(req request) (mappingHead, error) {
	cat, err := c.Service.Catalogue(req.Context())
	return mappingHead{cat.ManagedBy[directory.SectionMappings], req.viewer.Can(admin.WritePolicy)}, err
}

func (c *Console) mappings(req request) (templ.Component, error) {
	head, err := c.mappingHead(req)
	if err != nil {
		return nil, err
	}
	all, err := c.Service.Mappings(req.Context())
	if err != nil {
		return nil, err
	}
	times, err := c.Service.PolicyTimes(req.Context(), directory.SectionMappings)
	if err != nil {
		return nil, err
	}
	choices, err := c.Service.Choices(req.Context())
	if err != nil {
		return nil, err
	}
	spec := mappingList
	spec.Filters = slices.Clone(spec.Filters)
	spec.Filters[0].Options = sourceOptions(choices.Sources)
	l := List{ListSpec: spec, State: c.state(req, spec), Actions: mappingActions(head), Empty: noMappings(head)}
	for _, m := range all {
		row := mappingRow(m, head, times[m.Name], choices.Projects)
		if l.Filter["source"] != "" && l.Filter["source"] != string(m.When.Source) || !mappingStateIs(m, l.Filter["state"]) || !rowHas(row, l.Q) {
			continue
		}
		l.Rows = append(l.Rows, row)
	}
	l.Total = len(l.Rows)
	return c.list(req, l)
}

func sourceOptions(sources []directory.Source) (out []Option) {
	for _, s := range sources {
		if s.Name != directory.Local {
			out = append(out, Option{string(s.Name), string(s.Name)})
		}
	}
	return append(out, Option{string(directory.Local), "local"})
}

func mappingStateIs(m admin.ListedMapping, state string) bool {
	switch state {
	case "none":
		return len(m.Groups) == 0
	case "suspended":
		return suspended(m) > 0
	case "disabled":
		return m.Disabled
	}
	return true
}

func suspended(m admin.ListedMapping) (n int) {
	for _, g := range m.Groups {
		if g.State == directory.Suspended {
			n++
		}
	}
	return n
}

// rowHas reports whether some cell of a row has a text, in any case.
func rowHas(row Row, q string) bool {
	if q == "" {
		return true
	}
	for _, cell := range row.Cells {
		if strings.Contains(strings.ToLower(cell.plain()), strings.ToLower(q)) {
			return true
		}
	}
	return false
}

func mappingRow(m admin.ListedMapping, head mappingHead, updated time.Time, projects []directory.Project) Row {
	var then []Cell
	for _, set := range m.Grants {
		for _, line := range setLines(set, projects) {
			then = append(then, Badge(line, Neutral))
		}
	}
	n, waiting := len(m.Groups), suspended(m)
	matches := []Cell{Text(fmt.Sprintf("%d %s", n-waiting, groupWord(n-waiting)))}
	if n == 0 {
		matches = []Cell{Badge("no group", Warn)}
	}
	if waiting > 0 {
		matches = append(matches, Badge(fmt.Sprintf("%d suspended", waiting), Warn))
	}
	enabled := Badge("Enabled", Good)
	if m.Disabled {
		enabled = Badge("Disabled", Neutral)
	}
	return Row{ID: m.Name, Label: m.Name, Cells: map[string]Cell{
		"enabled": enabled,
		"name":    Link(m.Name, mappingPath(m.Name)), "if": Text(whenText(m.When)), "then": Cells(then...), "matches": Cells(matches...),
		"managed": Text(cmp.Or(head.Managed, "here")), "updated": Time(updated), "note": Text(m.Note),
	}}
}

func groupWord(n int) string {
	if n == 1 {
		return "group"
	}
	return "groups"
}

// whenText says which groups a mapping means.
func whenText(w directory.Selector) string {
	for _, by := range []struct{ what, value string }{{"name", w.Name}, {"names like", w.Pattern}, {"DN", w.DN}, {"id", w.ID}} {
		if by.value != "" {
			return fmt.Sprintf("%s: %s %s", w.Source, by.what, by.value)
		}
	}
	return string(w.Source)
}

// exportMappings sends the mappings as a policy file.
func (c *Console) exportMappings(req request) (templ.Component, error) {
	text, err := c.Service.ExportMappings(req.Context(), req.URL.Query()["name"]...)
	if err != nil {
		return nil, err
	}
	h := req.w.Header()
	h.Set("Content-Type", "application/yaml; charset=utf-8")
	h.Set("Content-Disposition", `attachment; filename="mappings.yaml"`)
	req.w.WriteHeader(http.StatusOK)
	_, _ = req.w.Write([]byte(text)) // whoever asked may have left
	return nil, nil
}

// testMappings runs the tests of the policy as it is.
func (c *Console) testMappings(req request) (templ.Component, error) {
	p, err := c.Service.ExportPolicy(req.Context())
	if err != nil {
		return nil, err
	}
	done, err := c.Service.TestPolicy(req.Context(), admin.PolicyFile{Name: "policy", Text: p.Text})
	v := impactView{Tests: done.Tests, Warnings: details(done.Warnings)}
	if failed, ours := problems(err); ours {
		v.Failing = failed
	} else if err != nil {
		return nil, err
	}
	return c.frame(req, "Tests of the policy", testsTemplate(v)), nil
}

// A mappingView is the page of one mapping.
type mappingView struct {
	admin.ListedMapping
	mappingHead
	Path  string
	When  string
	Then  []string
	YAML  string
	Times time.Time
}

// find returns a mapping.
func (c *Console) findMapping(req request) (admin.ListedMapping, error) {
	all, err := c.Service.Mappings(req.Context())
	if err != nil {
		return admin.ListedMapping{}, err
	}
	i := slices.IndexFunc(all, func(m admin.ListedMapping) bool { return m.Name == req.PathValue("name") })
	if i < 0 {
		return admin.ListedMapping{}, fmt.Errorf("mapping %q: %w", req.PathValue("name"), directory.ErrNotFound)
	}
	return all[i], nil
}

func (c *Console) mapping(req request) (templ.Component, error) {
	m, err := c.findMapping(req)
	if err != nil {
		return nil, err
	}
	v := mappingView{ListedMapping: m, Path: mappingPath(m.Name), When: whenText(m.When)}
	if v.mappingHead, err = c.mappingHead(req); err != nil {
		return nil, err
	}
	choices, err := c.Service.Choices(req.Context())
	if err != nil {
		return nil, err
	}
	for _, set := range m.Grants {
		v.Then = append(v.Then, setLines(set, choices.Projects)...)
	}
	if v.YAML, err = c.Service.ExportMappings(req.Context(), m.Name); err != nil {
		return nil, err
	}
	times, err := c.Service.PolicyTimes(req.Context(), directory.SectionMappings)
	v.Times = times[m.Name]
	return c.frame(req, m.Name, mappingTemplate(v)), err
}
