package console

import (
	"fmt"
	"strconv"

	"github.com/a-h/templ"
	"github.com/usherd/usherd/admin"
	"github.com/usherd/usherd/directory"
)

var errorList = ListSpec{
	Name: "source-errors", Title: "Errors", Noun: "errors", Searches: "object, attribute, message",
	Columns: []Column{
		{Key: "object", Title: "Object", Default: true},
		{Key: "kind", Title: "Kind", Default: true},
		{Key: "attribute", Title: "Attribute", Default: true},
		{Key: "message", Title: "Message", Default: true},
		{Key: "first", Title: "First seen", Default: true},
		{Key: "last", Title: "Last seen", Default: true},
		{Key: "count", Title: "Times", Default: true, Number: true},
		{Key: "retry", Title: "Retry", Default: true, Here: true},
		{Key: "id", Title: "Id"},
	},
	Filters: []Filter{{Key: "kind", Title: "Kind", Options: []Option{
		{"user", "user"}, {"group", "group"}, {admin.ErrorOfRun, "run"}, {admin.ErrorOfRequest, "request"},
	}}},
}

// sourceErrors lists what of a source could not be taken over.
func (c *Console) sourceErrors(req request) (templ.Component, error) {
	name := directory.SourceName(req.PathValue("name"))
	l := List{ListSpec: errorList, State: c.state(req, errorList)}
	l.Title = "Errors of " + string(name)
	all, err := c.Service.SourceErrors(req.Context(), name)
	if err != nil {
		return nil, err
	}
	var rows []Row
	for i, e := range all {
		kind := l.Filter["kind"]
		if row := errorRow(name, i, e); (kind == "" || kind == e.Kind) && rowHas(row, l.Q) {
			rows = append(rows, row)
		}
	}
	l.Rows = pageOf(&l, rows)
	l.Actions = backTo("Source "+string(name), sourcePath(name))
	return c.list(req, l)
}

func errorRow(name directory.SourceName, n int, e admin.SourceError) Row {
	object, retry := Text(e.Object), Text("")
	switch e.Kind {
	case admin.ErrorOfRun:
		object = Link(e.Object, "/runs/"+e.ID)
	case admin.ErrorOfRequest:
		object = Link(e.Object, sourcePath(name)+"/requests/"+e.ID)
	}
	switch e.Retry {
	case admin.RetryRun:
		retry = Link("Read the source again", sourcePath(name))
	case admin.RetryReplay:
		retry = Link("Try the request again", sourcePath(name)+"/requests/"+e.ID)
	}
	return Row{ID: strconv.Itoa(n), Label: e.Object, Cells: map[string]Cell{
		"object": object, "kind": Text(e.Kind), "attribute": Text(e.Attribute), "message": Text(e.Message), "first": Time(e.First), "last": Time(e.Last),
		"count": Number(int(e.Count)), "retry": retry, "id": Text(e.ID),
	}}
}

// sourceTabs are the parts of the page of a source.
func sourceTabs(name directory.SourceName, here string, errors int) []tab {
	title := "Errors"
	if errors > 0 {
		title = fmt.Sprintf("Errors (%d)", errors)
	}
	path := string(sourcePath(name))
	return []tab{{Title: "Source", Href: path, Here: here == ""}, {Title: title, Href: path + "/errors", Here: here == "errors"}}
}
