package console

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"sync"
	"time"

	"github.com/a-h/templ"
	"github.com/usherd/usherd/admin"
	"github.com/usherd/usherd/directory"
	"go.uber.org/zap"
)

const (
	spaceJob = "console-job"
	jobLife  = 24 * time.Hour
	jobNote  = 500 * time.Millisecond // how often progress is kept
	jobLost  = 30 * time.Second       // without progress for so long, nobody works on it
	jobWait  = 2 * time.Second        // how long a browser waits before it sees progress
)

var errTyped = fmt.Errorf("%w: the number typed is another", directory.ErrInvalid)

// jobWords are what the page of a job says: "37 users disabled".
type jobWords struct {
	Noun string `json:"noun"`
	Done string `json:"done"`
	Back string `json:"back"` // where to go on
}

// A job is something done with many, while it runs and for a day after. It is
// kept, so that every replica can show it.
type job struct {
	By       directory.UserID `json:"by"`
	Says     jobWords         `json:"says"`
	Total    int              `json:"total"`
	Done     int              `json:"done"`
	Failed   []admin.BulkItem `json:"failed,omitempty"`
	Ended    bool             `json:"ended"`
	Error    string           `json:"error,omitempty"`
	Modified time.Time        `json:"-"`
}

// maxFailures is how many single failures the page of a job has.
const maxFailures = 1000

// start begins a job and goes on to where it leads if it is done soon, else to
// its page. It runs on if the browser leaves.
func (c *Console) start(req request, says jobWords, total int, work func(ctx context.Context, each func(admin.BulkItem)) error) (templ.Component, error) {
	key := newSecret()
	run := &running{job: job{By: req.viewer.ID, Says: says, Total: total}, kept: directory.Kept{Space: spaceJob, Key: key}, c: c}
	ctx := context.WithoutCancel(req.Context())
	if err := run.note(ctx); err != nil {
		return nil, err
	}
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		run.work(ctx, work)
	}()
	select {
	case <-ended:
		if j := run.now(); len(j.Failed) == 0 && j.Error == "" {
			return c.redirect(req, says.Back, fmt.Sprintf("%s %s %s.", thousands(j.Done), plural(j.Done, says.Noun[:len(says.Noun)-1], says.Noun), says.Done))
		}
	case <-time.After(jobWait):
	}
	http.Redirect(req.w, req.Request, "/jobs/"+key, http.StatusSeeOther)
	return nil, nil //nolint:nilnil // the browser goes on
}

// running is a job that this process works on.
type running struct {
	c    *Console
	mu   sync.Mutex
	job  job
	kept directory.Kept
	last time.Time
}

func (r *running) now() job {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.job
}

func (r *running) work(ctx context.Context, work func(context.Context, func(admin.BulkItem)) error) {
	err := work(ctx, func(item admin.BulkItem) {
		r.mu.Lock()
		if item.OK {
			r.job.Done++
		} else if len(r.job.Failed) < maxFailures {
			r.job.Failed = append(r.job.Failed, item)
		}
		r.mu.Unlock()
		if time.Since(r.last) > jobNote {
			r.last = time.Now()
			if err := r.note(ctx); err != nil {
				r.c.Log.Warn("keeping the progress of a job", zap.Error(err))
			}
		}
	})
	r.mu.Lock()
	r.job.Ended = true
	if err != nil {
		r.job.Error = admin.ProblemOf(err).Error()
	}
	r.mu.Unlock()
	if err := r.note(ctx); err != nil {
		r.c.Log.Warn("keeping the end of a job", zap.Error(err))
	}
}

// note keeps how far a job is.
func (r *running) note(ctx context.Context) error {
	value, err := json.Marshal(r.now())
	if err != nil {
		return fmt.Errorf("keeping a job: %w", err)
	}
	r.kept.Value, r.kept.Expires = value, r.c.Now().Add(jobLife)
	r.kept, err = r.c.Keeper.PutKept(ctx, r.kept)
	if err != nil {
		return fmt.Errorf("keeping a job: %w", err)
	}
	return nil
}

// jobPage shows a job of the viewer, or its failures as CSV.
func (c *Console) jobPage(req request) (templ.Component, error) {
	kept, err := c.Keeper.Kept(req.Context(), spaceJob, req.PathValue("job"))
	if errors.Is(err, directory.ErrNotFound) {
		return nil, errNoPage
	}
	if err != nil {
		return nil, fmt.Errorf("looking up a job: %w", err)
	}
	var j job
	if err := json.Unmarshal(kept.Value, &j); err != nil || j.By != req.viewer.ID {
		return nil, errNoPage
	}
	j.Modified = kept.Modified
	if !j.Ended && c.Now().Sub(j.Modified) > jobLost {
		j.Ended, j.Error = true, "It was interrupted. What was done stays; do it again for the rest."
	}
	for i := range j.Failed {
		j.Failed[i].Name = c.nameFor(req, j.Failed[i].Name)
	}
	if req.URL.Query().Get("format") == "csv" {
		l := List{ListSpec: failureList, State: c.state(req, failureList)}
		var rows []Row
		for _, f := range j.Failed {
			rows = append(rows, Row{Cells: map[string]Cell{"name": Text(f.Name), "error": Text(f.Error)}})
		}
		c.csv(req, l, rowSeq(rows))
		return nil, nil //nolint:nilnil // the file is sent
	}
	return c.frame(req, "Progress", jobTemplate(req.URL.Path, j)), nil
}

var failureList = ListSpec{Name: "failures", Columns: []Column{{Key: "name", Title: "Name", Default: true}, {Key: "error", Title: "Why", Default: true}}}

// text says how far a job is.
func (j job) text() string {
	text := fmt.Sprintf("%s of %s %s %s", thousands(j.Done), thousands(j.Total), j.Says.Noun, j.Says.Done)
	if len(j.Failed) > 0 {
		text += fmt.Sprintf(", %s failed", thousands(len(j.Failed)))
	}
	return text
}
