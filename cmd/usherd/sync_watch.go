package main

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"time"

	"github.com/mattn/go-isatty"
	"github.com/schollz/progressbar/v3"

	"github.com/usherd/usherd/directory"
)

// watchEvery is how often a run is asked how far it has come.
const watchEvery = time.Second

// watched puts a question that runs a source, and tells on stderr how far the
// run has come until there is an answer. Both go through one client: without a
// daemon the store is ours alone for as long as it is open.
func (a *app) watched(ctx context.Context, source string, q question) (text []byte, err error) {
	if err := a.checkFormat(); err != nil {
		return nil, err
	}
	c, err := a.connect(ctx, q.makes)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, c.close()) }()
	watching, enough := context.WithCancel(ctx)
	defer enough()
	done := make(chan struct{})
	go func() {
		defer close(done)
		a.watch(watching, c, source)
	}()
	text, err = c.call(ctx, q.method, q.path, q.body)
	enough()
	<-done
	return text, err
}

func (a *app) watch(ctx context.Context, c *client, source string) {
	tick := time.NewTicker(watchEvery)
	defer tick.Stop()
	show := newProgress(a.stderr)
	defer show.end()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		if run, ok := underWay(ctx, c, source); ok {
			show.tell(run)
		}
	}
}

// underWay returns the run of a source that is under way.
func underWay(ctx context.Context, c *client, source string) (directory.Run, bool) {
	text, err := c.call(ctx, http.MethodGet, "/api/v1/sync?runs=1&source="+url.QueryEscape(source), nil)
	var status struct {
		Items []struct {
			Last directory.Run `json:"last"`
		} `json:"items"`
	}
	if err != nil || json.Unmarshal(text, &status) != nil || len(status.Items) != 1 {
		return directory.Run{}, false // whoever asked for the run is told what is wrong
	}
	return status.Items[0].Last, status.Items[0].Last.Result == directory.RunRunning
}

// A progress shows counts: as a bar on a terminal, else line by line.
type progress struct {
	out  io.Writer
	bar  *progressbar.ProgressBar // nil without a terminal
	last string
}

func newProgress(out io.Writer) *progress {
	p := &progress{out: out}
	if f, ok := out.(*os.File); ok && isatty.IsTerminal(f.Fd()) {
		p.bar = progressbar.NewOptions64(-1, progressbar.OptionSetWriter(out), progressbar.OptionClearOnFinish(), progressbar.OptionShowCount(),
			progressbar.OptionSetDescription("reading"), progressbar.OptionThrottle(100*time.Millisecond))
	}
	return p
}

// phaseWords say what a run does when there is nothing to count.
var phaseWords = map[string]string{directory.PhaseConnect: "connecting", directory.PhaseCompare: "comparing", directory.PhaseJudge: "judging"}

func (p *progress) tell(run directory.Run) {
	counts, phase := run.Counts, ""
	if n := len(run.Phases); n > 0 {
		phase = phaseWords[run.Phases[n-1].Name]
	}
	read, applied, total := counts["progress.people"]+counts["progress.groups"], counts["progress.applied"], counts["progress.total"]
	if p.bar != nil {
		if total > 0 {
			p.bar.Describe("applying")
			p.bar.ChangeMax64(total)
			_ = p.bar.Set64(min(applied, total)) // a bar that cannot be drawn is no reason to stop
			return
		}
		p.bar.Describe(cmp.Or(phase, "reading"))
		_ = p.bar.Set64(read)
		return
	}
	line := fmt.Sprintf("read %d people and %d groups", counts["progress.people"], counts["progress.groups"])
	if total > 0 {
		line = fmt.Sprintf("applied %d of %s", applied, things(int(total)))
	}
	if phase != "" {
		line = phase
	}
	if line != p.last {
		p.last = line
		fmt.Fprintln(p.out, line)
	}
}

func (p *progress) end() {
	if p.bar != nil {
		_ = p.bar.Finish()
	}
}
