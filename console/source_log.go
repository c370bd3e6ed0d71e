package console

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/a-h/templ"
	"github.com/usherd/usherd/admin"
	"github.com/usherd/usherd/directory"
)

// keptRequests is how much of the provisioning log a list looks through.
const keptRequests = 5000

var requestList = ListSpec{
	Name: "requests", Title: "Provisioning log", Noun: "requests", Searches: "method, path, detail",
	Columns: []Column{
		{Key: "time", Title: "Time", Default: true},
		{Key: "request", Title: "Request", Default: true},
		{Key: "status", Title: "Status", Default: true},
		{Key: "detail", Title: "Detail", Default: true},
		{Key: "took", Title: "Took", Default: true, Number: true},
		{Key: "changed", Title: "Changed", Default: true},
		{Key: "quirks", Title: "Quirks"},
		{Key: "agent", Title: "Client"},
		{Key: "token", Title: "Token"},
		{Key: "id", Title: "Request id"},
	},
	Filters: []Filter{
		{Key: "result", Title: "Result", Options: []Option{{"failed", "refused or failed"}}},
		{Key: "from", Title: "From", Day: true},
	},
}

// sourceRequests lists what a provider asked.
func (c *Console) sourceRequests(req request) (templ.Component, error) {
	if err := req.viewer.Require(admin.ReadSources, ""); err != nil {
		return nil, err
	}
	name := directory.SourceName(req.PathValue("name"))
	l := List{ListSpec: requestList, State: c.state(req, requestList)}
	l.Title = "Provisioning log of " + string(name)
	from, _, err := days(l.Filter["from"], "")
	if err != nil {
		return c.misread(req, l, err)
	}
	q := directory.RequestQuery{Source: name, Failed: l.Filter["result"] == "failed", Since: from, Limit: keptRequests}
	all, err := c.Service.FindLog(req.Context(), q)
	if err != nil {
		return nil, err
	}
	l.More = len(all) == keptRequests
	var rows []Row
	for _, r := range all {
		if row := requestRow(r); rowHas(row, l.Q) {
			rows = append(rows, row)
		}
	}
	l.Rows = pageOf(&l, rows)
	l.Actions = backTo("Source "+string(name), sourcePath(name))
	return c.list(req, l)
}

func requestRow(r directory.Request) Row {
	changed := Text("")
	if r.Revision > 0 {
		changed = Link(fmt.Sprintf("revision %d", r.Revision), auditPath(r.Revision))
	}
	return Row{ID: r.ID, Label: r.Method + " " + r.Path, Cells: map[string]Cell{
		"time": Time(r.Time), "request": Link(r.Method+" "+r.Path, sourcePath(r.Source)+"/requests/"+r.ID), "status": Badge(strconv.Itoa(r.Status), statusTone(r.Status)),
		"detail": Text(r.Detail), "took": Text(took(r.Took)), "changed": changed, "quirks": Text(strings.Join(r.Quirks, ", ")),
		"agent": Text(r.Agent), "token": Text(r.Token), "id": Text(r.ID),
	}}
}

// statusTone is how the status of an answer looks.
func statusTone(status int) Tone {
	switch {
	case status < 300:
		return Good
	case status < 400:
		return Neutral
	}
	return Bad
}
