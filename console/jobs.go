package console

import (
	"slices"
	"strings"

	"github.com/a-h/templ"
	"github.com/usherd/usherd/admin"
	"github.com/usherd/usherd/directory"
)

var jobList = ListSpec{
	Name: "jobs", Title: "Jobs", Noun: "jobs",
	Columns: []Column{
		{Key: "created", Title: "Begun", Default: true},
		{Key: "what", Title: "What", Default: true},
		{Key: "by", Title: "By", Default: true},
		{Key: "state", Title: "State", Default: true},
		{Key: "total", Title: "Of", Default: true, Number: true},
		{Key: "done", Title: "Done", Default: true, Number: true},
		{Key: "failed", Title: "Failed", Default: true, Number: true},
		{Key: "took", Title: "Took"},
		{Key: "id", Title: "Job"},
	},
	Filters: []Filter{{Key: "state", Title: "State", Options: []Option{
		{string(admin.JobQueued), "Queued"},
		{string(admin.JobRunning), "Running"},
		{string(admin.JobDone), "Done"},
		{string(admin.JobFailed), "Failed"},
		{string(admin.JobCancelled), "Cancelled"},
		{string(admin.JobInterrupted), "Interrupted"},
	}}},
}

// jobs lists the bulk work that the viewer may see, the newest first.
func (c *Console) jobs(req request) (templ.Component, error) {
	l := List{ListSpec: jobList, State: c.state(req, jobList), Empty: noJobs()}
	all, err := c.Service.Jobs(req.Context())
	if err != nil {
		return nil, err
	}
	slices.Reverse(all)
	if state := l.Filter["state"]; state != "" {
		all = slices.DeleteFunc(all, func(j admin.Job) bool { return string(j.State) != state })
	}
	for _, j := range pageOf(&l, all) {
		l.Rows = append(l.Rows, c.jobRow(req, j))
	}
	return c.list(req, l)
}

func (c *Console) jobRow(req request, j admin.Job) Row {
	kind, by, _ := strings.Cut(j.By, ":")
	if kind == directory.ActorUser {
		by = c.nameFor(req, by)
	}
	lasted := ""
	if !j.Ended.IsZero() {
		lasted = took(j.Ended.Sub(j.Created))
	}
	return Row{ID: j.ID, Label: j.Do, Cells: map[string]Cell{
		"created": Time(j.Created), "what": Link(capital(j.Do), "/jobs/"+j.ID), "by": Text(by), "state": Badge(capital(string(j.State)), jobTone(j)),
		"total": Number(j.Total), "done": Number(j.Done), "failed": Number(j.Failed), "took": Text(lasted), "id": Text(j.ID),
	}}
}

// jobTone is how the state of a job looks.
func jobTone(j admin.Job) Tone {
	switch j.State {
	case admin.JobDone:
		if j.Failed > 0 {
			return Warn
		}
		return Good
	case admin.JobFailed:
		return Bad
	case admin.JobCancelled, admin.JobInterrupted:
		return Warn
	case admin.JobQueued, admin.JobRunning:
	}
	return Info
}
