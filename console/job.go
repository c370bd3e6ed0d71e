package console

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"time"

	"github.com/a-h/templ"
	"github.com/usherd/usherd/admin"
	"github.com/usherd/usherd/directory"
)

// How long a browser waits before it sees the progress of a job, and how often
// the job is looked at meanwhile.
const (
	jobWait = 2 * time.Second
	jobLook = 20 * time.Millisecond
)

var errTyped = fmt.Errorf("%w: the number typed is another", directory.ErrInvalid)

// jobWords are what the page of a job says: "37 users disabled".
type jobWords struct{ Noun, Done, Back string }

// wordsOf are what is said of a job that did something to users or groups.
func wordsOf(do, of string) jobWords {
	w := jobWords{Noun: "users", Done: "changed", Back: "/users"}
	switch do {
	case "import":
		w.Done = "added"
	case "revert":
		w = jobWords{Noun: "changes", Done: "taken back", Back: "/jobs/" + of}
	case "assign":
		w.Done = "added"
	case "unassign":
		w.Done = "taken out"
	default:
		if says, ok := bulkWords[do]; ok {
			w.Done = says.done
		}
	}
	return w
}

// A jobView is a job, with what failed.
type jobView struct {
	admin.Job
	Path   string
	Says   jobWords
	Failed []admin.BulkItem
	Ended  bool
	Mine   bool // the viewer may cancel it
	Revert bool // what it did can be looked at to be taken back
	Broken string
}

// started goes on from a job that was started: to where it leads if it is done
// soon, else to its page. It runs on if the browser leaves.
func (c *Console) started(req request, job admin.Job, says jobWords) (templ.Component, error) {
	ctx, cancel := context.WithTimeout(req.Context(), jobWait)
	defer cancel()
	look := time.NewTicker(jobLook)
	defer look.Stop()
	for ctx.Err() == nil && !over(job) {
		select {
		case <-ctx.Done():
		case <-look.C:
			now, err := c.Service.Job(req.Context(), job.ID)
			if err != nil {
				return nil, err
			}
			job = now
		}
	}
	if job.State == admin.JobDone && job.Failed == 0 {
		return c.redirect(req, says.Back, fmt.Sprintf("%s %s %s.", thousands(job.Done), plural(job.Done, says.Noun[:len(says.Noun)-1], says.Noun), says.Done))
	}
	http.Redirect(req.w, req.Request, "/jobs/"+job.ID+"?"+queryOf("of", says.Noun), http.StatusSeeOther)
	return nil, nil //nolint:nilnil // the browser goes on
}

func over(j admin.Job) bool { return j.State != admin.JobQueued && j.State != admin.JobRunning }

// jobOf reads the job that an address names.
func (c *Console) jobOf(req request) (jobView, error) {
	job, err := c.Service.Job(req.Context(), req.PathValue("job"))
	if err != nil {
		return jobView{}, err
	}
	v := jobView{Job: job, Path: "/jobs/" + job.ID, Says: wordsOf(job.Do, job.Of), Ended: over(job)}
	if req.URL.Query().Get("of") == "groups" {
		v.Says.Noun, v.Says.Back = "groups", "/groups"
		if says, ok := groupBulkWords[job.Do]; ok {
			v.Says.Done = says.done
		}
		v.Path += "?of=groups"
	}
	v.Mine = !v.Ended && job.By == req.by.Kind+":"+req.by.Name
	v.Revert = v.Ended && job.Done > 0 && job.Do != "revert"
	switch job.State {
	case admin.JobInterrupted:
		v.Broken = "It was interrupted. What was done stays; do it again for the rest."
	case admin.JobCancelled:
		v.Broken = "It was cancelled. What was done stays."
	case admin.JobFailed:
		v.Broken = "It broke off: " + job.Error
	}
	if job.Failed == 0 {
		return v, nil
	}
	items, err := c.Service.JobItems(req.Context(), job.ID)
	v.Failed = slices.DeleteFunc(items, func(i admin.BulkItem) bool { return i.OK })
	return v, err
}

// shownFailures is how many failures a page lists; the CSV has all.
const shownFailures = 200

// jobPage shows a job, or its failures as CSV.
func (c *Console) jobPage(req request) (templ.Component, error) {
	v, err := c.jobOf(req)
	if err != nil {
		return nil, err
	}
	if req.URL.Query().Get("format") == "csv" {
		l := List{ListSpec: failureList, State: c.state(req, failureList)}
		var rows []Row
		for _, f := range v.Failed {
			rows = append(rows, Row{Cells: map[string]Cell{"name": Text(c.nameFor(req, f.Name)), "error": Text(withoutKind(f.Error))}})
		}
		c.csv(req, l, eachRow(rows))
		return nil, nil //nolint:nilnil // the file is sent
	}
	v.Failed = v.Failed[:min(shownFailures, len(v.Failed))]
	for i := range v.Failed {
		v.Failed[i].Name, v.Failed[i].Error = c.nameFor(req, v.Failed[i].Name), withoutKind(v.Failed[i].Error)
	}
	return c.frame(req, "Progress", jobTemplate(v)), nil
}

var failureList = ListSpec{Name: "failures", Columns: []Column{{Key: "name", Title: "Name", Default: true}, {Key: "error", Title: "Why", Default: true}}}

// text says how far a job is.
func (v jobView) text() string {
	text := fmt.Sprintf("%s of %s %s %s", thousands(v.Done), thousands(v.Total), v.Says.Noun, v.Says.Done)
	if v.Job.Failed > 0 {
		text += fmt.Sprintf(", %s failed", thousands(v.Job.Failed))
	}
	return text
}

// csvPath is where the failures are as CSV.
func (v jobView) csvPath() string {
	return "/jobs/" + v.ID + "?" + queryOf("format", "csv") + "&" + queryOf("of", v.Says.Noun)
}

// cancelJob stops a job after what it is at.
func (c *Console) cancelJob(req request) (templ.Component, error) {
	job, err := c.Service.CancelJob(req.Context(), req.PathValue("job"))
	if err != nil {
		return nil, err
	}
	return c.redirect(req, "/jobs/"+job.ID, "")
}

// revertPage shows what taking back what a job did would lead to.
func (c *Console) revertPage(req request) (templ.Component, error) {
	job, err := c.Service.Job(req.Context(), req.PathValue("job"))
	if err != nil {
		return nil, err
	}
	preview, err := c.Service.PreviewRevert(req.Context(), req.by, job.ID)
	if err != nil {
		return nil, err
	}
	n := len(preview.Items) - preview.Failed
	v := bulkView{
		Title: fmt.Sprintf("Take back %s %s", thousands(n), plural(n, "change", "changes")), N: n, Button: "Take back",
		Action: "/jobs/" + job.ID + "/revert", Back: "/jobs/" + job.ID,
		Warning: "Each change is taken back by itself, unless somebody changed it again since.",
	}
	return c.showPreview(req, v, preview)
}

func (c *Console) revertJob(req request) (templ.Component, error) {
	id := req.PathValue("job")
	preview, err := c.Service.PreviewRevert(req.Context(), req.by, id)
	if err != nil {
		return nil, err
	}
	n := len(preview.Items) - preview.Failed
	if err := c.confirmed(req, preview, n); err != nil {
		return nil, err
	}
	job, err := c.Service.StartRevert(req.Context(), req.by, id)
	if err != nil {
		return nil, err
	}
	return c.started(req, job, wordsOf("revert", id))
}
