package console

import (
	"github.com/a-h/templ"
	"github.com/usherd/usherd/admin"
	"github.com/usherd/usherd/directory"
)

// sourcePages are the pages about sources.
func (c *Console) sourcePages() {
	c.page("GET /sources", c.sources)
}

var sourceList = ListSpec{
	Name: "sources", Title: "Sources", Noun: "sources", Searches: "by name",
	Columns: []Column{
		{Key: "name", Title: "Name", Default: true},
		{Key: "kind", Title: "Kind", Default: true},
		{Key: "state", Title: "State", Default: true},
	},
	Filters: []Filter{{Key: "kind", Title: "Kind", Options: []Option{{"scim", "SCIM"}, {"ldap", "LDAP"}}}},
}

func (c *Console) sources(req request) (templ.Component, error) {
	l := List{ListSpec: sourceList, State: c.state(req, sourceList)}
	all, err := c.Service.Sources(req.Context())
	if err != nil {
		return nil, err
	}
	for _, s := range all {
		if kind := l.Filter["kind"]; kind == "" || kind == string(s.Kind) {
			l.Rows = append(l.Rows, sourceRow(s))
		}
	}
	l.Total = len(l.Rows)
	return c.list(req, l)
}

func sourceRow(s admin.ListedSource) Row {
	tone := Good
	if s.State != directory.SourceActive {
		tone = Warn
	}
	return Row{ID: string(s.Name), Label: string(s.Name), Cells: map[string]Cell{
		"name": Link(string(s.Name), "/sources/"+string(s.Name)), "kind": Text(string(s.Kind)), "state": Badge(string(s.State), tone),
	}}
}
