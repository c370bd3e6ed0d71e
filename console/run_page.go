package console

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/a-h/templ"
	"github.com/usherd/usherd/admin"
	"github.com/usherd/usherd/directory"
)

// A runView is the page of a run.
type runView struct {
	directory.Run
	Asker     string // whose By is, for people
	Canceller string // whose CancelledBy is
	Counts    []pair
	Phases    []phaseView
	Changes   []auditRow
	Audit     bool // whether the viewer may see what it changed
	More      bool
	Manage    bool
}

// UnderWay reports whether the run has not ended.
func (v runView) UnderWay() bool { return v.Result == directory.RunRunning }

func (v runView) yet() string {
	if v.UnderWay() {
		return " yet"
	}
	return ""
}

// A phaseView is a phase of a run, in words.
type phaseView struct {
	Title    string
	Started  time.Time
	Took     string
	Counts   string
	UnderWay bool
}

// phaseTitles are what people call the phases of a run.
var phaseTitles = map[string]string{
	directory.PhaseConnect: "Connect", directory.PhasePeople: "Read people", directory.PhaseGroups: "Read groups", directory.PhaseCompare: "Compare",
	directory.PhaseJudge: "Judge", directory.PhaseApply: "Apply",
}

func phasesOf(r directory.Run, now time.Time) []phaseView {
	out := make([]phaseView, len(r.Phases))
	for i, p := range r.Phases {
		end := cmp.Or(p.Ended, r.Ended, now)
		out[i] = phaseView{
			Title: cmp.Or(phaseTitles[p.Name], p.Name), Started: p.Started, Took: took(max(0, end.Sub(p.Started))), Counts: phaseCounts(p.Counts),
			UnderWay: p.Ended.IsZero() && r.Ended.IsZero(),
		}
	}
	return out
}

// phaseCounts are the counts of a phase in a line: "1,500 people".
func phaseCounts(counts map[string]int64) string {
	if total, ok := counts["total"]; ok {
		return fmt.Sprintf("%s of %s applied", thousands(int(counts["applied"])), thousands(int(total)))
	}
	var parts []string
	for _, name := range slices.Sorted(maps.Keys(counts)) {
		parts = append(parts, thousands(int(counts[name]))+" "+name)
	}
	return cmp.Or(strings.Join(parts, ", "), "--")
}

// triggerTitles are what people call the triggers of a run.
var triggerTitles = []Option{
	{string(directory.TriggerSchedule), "Schedule"},
	{string(directory.TriggerCatchUp), "Catch-up"},
	{string(directory.TriggerManual), "By hand"},
	{string(directory.TriggerApproval), "Approval"},
}

// triggerText says why a run began; "--" of one that did not keep it.
func triggerText(t directory.RunTrigger) string {
	return cmp.Or(Filter{Options: triggerTitles}.title(string(t)), "--")
}

// asker returns a function that says whom "kind:name" means. Who asked for some
// runs is read at once.
func (c *Console) asker(ctx context.Context, runs ...directory.Run) func(by string) string {
	var ids []directory.UserID
	for _, r := range runs {
		if id, ok := strings.CutPrefix(r.By, directory.ActorUser+":"); ok {
			ids = append(ids, directory.UserID(id))
		}
	}
	name := c.namer(ctx, ids...)
	return func(by string) string {
		kind, who, ok := strings.Cut(by, ":")
		switch {
		case !ok:
			return by
		case kind == directory.ActorUser:
			return name(directory.UserID(who))
		case kind == directory.ActorSocket:
			return "the command line"
		}
		return strings.TrimSuffix(kind+" "+who, " ")
	}
}

// runsLooked are how many runs of a source are looked through for one: one that
// is under way, whose page asks again and again, is among the first.
var runsLooked = []int{10, keptRuns}

// findRun is the run that an address names.
func (c *Console) findRun(req request) (directory.Run, error) {
	name := directory.SourceName(req.URL.Query().Get("source"))
	for _, n := range runsLooked {
		status, err := c.Service.SyncStatus(req.Context(), name, n)
		if err != nil {
			return directory.Run{}, err
		}
		for _, s := range status {
			if i := slices.IndexFunc(s.Runs, func(r directory.Run) bool { return r.ID == req.PathValue("id") }); i >= 0 {
				return s.Runs[i], nil
			}
		}
	}
	return directory.Run{}, errNoPage
}

// run shows a run, or what it changed as CSV.
func (c *Console) run(req request) (templ.Component, error) {
	r, err := c.findRun(req)
	if err != nil {
		return nil, err
	}
	if req.URL.Query().Get("format") == "csv" {
		return nil, c.exportRun(req, r)
	}
	asker := c.asker(req.Context(), r)
	v := runView{
		Run: r, Asker: asker(r.By), Counts: countPairs(r.Counts), Phases: phasesOf(r, c.Now()),
		Audit: req.viewer.Can(admin.ReadAudit), Manage: req.viewer.Can(admin.OperateSync),
	}
	if v.UnderWay() {
		if v.CancelledBy, err = c.Service.Cancelled(req.Context(), r.ID); err != nil {
			return nil, err
		}
	}
	v.Canceller = asker(v.CancelledBy)
	if v.Audit {
		q := changesOf(r)
		q.Limit = 50
		page, err := c.Service.FindAuditHeads(req.Context(), q)
		if err != nil {
			return nil, err
		}
		v.Changes, v.More = c.auditRows(req.Context(), page.Items), page.Next > 0
	}
	if !v.UnderWay() && wantsPart(req.Request) {
		req.w.Header().Set("HX-Refresh", "true") // the page was of a run under way
	}
	return c.frame(req, "Run of "+string(r.Source), runTemplate(v)), nil
}

// changesOf asks for the audit records of a run.
func changesOf(r directory.Run) admin.AuditQuery {
	q := admin.AuditQuery{Request: r.ID, From: r.Started}
	if !r.Ended.IsZero() {
		q.To = r.Ended.Add(time.Minute)
	}
	return q
}

var runChangeList = ListSpec{Name: "run-changes", Columns: []Column{
	{Key: "time", Title: "Time", Default: true},
	{Key: "revision", Title: "Revision", Default: true},
	{Key: "action", Title: "Action", Default: true},
	{Key: "target", Title: "Target", Default: true},
	{Key: "targetid", Title: "Target's id", Default: true},
	{Key: "attributes", Title: "Attributes", Default: true},
	{Key: "added", Title: "Added", Default: true},
	{Key: "removed", Title: "Removed", Default: true},
}}

// exportRun sends what a run changed as CSV, one line for each object.
func (c *Console) exportRun(req request, r directory.Run) error {
	q := changesOf(r)
	q.Limit = 1000
	if _, err := c.Service.FindAuditHeads(req.Context(), admin.AuditQuery{Limit: 1}); err != nil {
		return err // while a status can still be sent
	}
	l := List{ListSpec: runChangeList, State: c.state(req, runChangeList)}
	c.csv(req, l, func(yield func(Row, error) bool) {
		for records, err := range c.eachAudit(req.Context(), q) {
			if err != nil {
				yield(Row{}, err)
				return
			}
			for _, record := range records {
				if !c.changeRows(req.Context(), record, yield) {
					return
				}
			}
		}
	})
	return nil
}

// changeRows yields the changes of a record, and reports whether more are wanted.
func (c *Console) changeRows(ctx context.Context, r directory.AuditRecord, yield func(Row, error) bool) bool {
	changes, err := admin.AuditedChanges(r)
	if err != nil {
		yield(Row{}, err)
		return false
	}
	named := c.targetNamer(ctx, targetsOf(changes)...)
	join := func(ids []string) Cell {
		names := make([]string, len(ids))
		for i, id := range ids {
			names[i], _ = named("", id)
		}
		return Text(strings.Join(names, ", "))
	}
	for _, ch := range changes {
		name, _ := named(ch.Type, ch.Target)
		row := Row{Cells: map[string]Cell{
			"time": Time(r.Time), "revision": Text(strconv.FormatInt(int64(r.Revision), 10)), "action": Text(ch.Type), "target": Text(name),
			"targetid": Text(ch.Target), "attributes": Text(strings.Join(ch.Attributes, ", ")), "added": join(ch.Added), "removed": join(ch.Removed),
		}}
		if !yield(row, nil) {
			return false
		}
	}
	return true
}

// cancelRun stops a run that is under way.
func (c *Console) cancelRun(req request) (templ.Component, error) {
	name := directory.SourceName(req.PostForm.Get("source"))
	run, err := c.Service.CancelSync(req.Context(), req.by, name, req.PathValue("id"))
	if err != nil {
		return nil, err
	}
	says := map[directory.RunResult]string{
		directory.RunCancelled: "The run was cancelled.", directory.RunRunning: "The run stops at its next step.",
	}
	return c.redirect(req, runPath(run.Run), cmp.Or(says[run.Result], "The run had come to its end: "+string(run.Result)+"."))
}
