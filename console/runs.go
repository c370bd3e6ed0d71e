package console

import (
	"cmp"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/a-h/templ"
	"github.com/usherd/usherd/admin"
	"github.com/usherd/usherd/directory"
)

// runPages are the pages about runs of LDAP sources and what they hold.
func (c *Console) runPages() {
	c.page("GET /runs", c.runs)
	c.page("GET /runs/{id}", c.run)
	c.page("POST /runs/{id}/cancel", c.cancelRun)
	c.page("GET /holds", c.holds)
	c.page("GET /holds/{name}", c.hold)
	c.page("POST /holds/{name}/approve", c.approveHold)
	c.page("POST /holds/{name}/discard", c.discardHold)
}

// keptRuns is how many runs of a source are looked through.
const keptRuns = 500

var runList = ListSpec{
	Name: "runs", Title: "Runs", Noun: "runs",
	Columns: []Column{
		{Key: "start", Title: "Started", Default: true},
		{Key: "source", Title: "Source", Default: true},
		{Key: "trigger", Title: "Trigger", Default: true},
		{Key: "mode", Title: "Read", Default: true},
		{Key: "created", Title: "Created", Default: true, Number: true},
		{Key: "updated", Title: "Updated", Default: true, Number: true},
		{Key: "gone", Title: "Gone", Default: true, Number: true},
		{Key: "members", Title: "Memberships", Default: true},
		{Key: "issues", Title: "Issues", Default: true, Number: true},
		{Key: "took", Title: "Took", Default: true},
		{Key: "result", Title: "Result", Default: true},
		{Key: "by", Title: "Asked for by"},
		{Key: "message", Title: "Message"},
		{Key: "id", Title: "Run"},
	},
	Filters: []Filter{
		{Key: "source", Title: "Source"},
		{Key: "result", Title: "Result", Options: []Option{
			{"applied", "Applied"},
			{"unchanged", "Unchanged"},
			{"held", "Held"},
			{"incomplete", "Incomplete"},
			{"failed", "Failed"},
			{"cancelled", "Cancelled"},
			{"running", "Running"},
		}},
		{Key: "trigger", Title: "Trigger", Options: triggerTitles},
		{Key: "from", Title: "From", Day: true},
		{Key: "to", Title: "To", Day: true},
	},
}

func (c *Console) runs(req request) (templ.Component, error) {
	l := List{ListSpec: runList, State: c.state(req, runList)}
	sources, err := c.readSources(req)
	if err != nil {
		return nil, err
	}
	l.Filters = slices.Clone(l.Filters)
	l.Filters[0].Options = sources
	if len(sources) == 0 {
		l.Filters = l.Filters[1:]
	}
	from, to, err := days(l.Filter["from"], l.Filter["to"])
	if err != nil {
		return c.misread(req, l, err)
	}
	status, err := c.Service.SyncStatus(req.Context(), directory.SourceName(l.Filter["source"]), keptRuns)
	if err != nil {
		return nil, err
	}
	var all []directory.Run
	for _, s := range status {
		all = append(all, s.Runs...)
	}
	slices.SortFunc(all, func(a, b directory.Run) int { return cmp.Or(b.Started.Compare(a.Started), cmp.Compare(a.ID, b.ID)) })
	all = slices.DeleteFunc(all, func(r directory.Run) bool {
		result, trigger := l.Filter["result"], l.Filter["trigger"]
		return result != "" && result != string(r.Result) || trigger != "" && trigger != string(r.Trigger) || !from.IsZero() && r.Started.Before(from) || !to.IsZero() && !r.Started.Before(to)
	})
	page := pageOf(&l, all)
	asker := c.asker(req.Context(), page...)
	for _, r := range page {
		row := runRow(r)
		row.Cells["by"] = Text(asker(r.By))
		l.Rows = append(l.Rows, row)
	}
	l.Empty = noRuns()
	return c.list(req, l)
}

// readSources are the sources that have runs, to choose from.
func (c *Console) readSources(req request) (out []Option, err error) {
	status, err := c.Service.SyncStatus(req.Context(), "", 1)
	for _, s := range status {
		out = append(out, Option{string(s.Source), string(s.Source)})
	}
	return out, err
}

// days are a range of days: from the beginning of one to the end of another.
func days(from, to string) (begin, end time.Time, err error) {
	for _, d := range []struct {
		text string
		set  *time.Time
		add  int
	}{{from, &begin, 0}, {to, &end, 1}} {
		if d.text == "" {
			continue
		}
		at, err := time.Parse(time.DateOnly, d.text)
		if err != nil {
			return begin, end, fmt.Errorf("%w: %q is not a day; write days as 2026-03-31", directory.ErrInvalid, d.text)
		}
		*d.set = at.AddDate(0, 0, d.add)
	}
	return begin, end, nil
}

// misread shows a list none of which is shown, since a filter can't be read: what
// is wrong, and all that was typed. A file says it by its status alone.
func (c *Console) misread(req request, l List, err error) (templ.Component, error) {
	text, typed := refused(err)
	if !typed || req.URL.Query().Get("format") != "" {
		return nil, err
	}
	l.Above, l.Asof = message(text), c.Now()
	c.show(req.w, req.Request, http.StatusBadRequest, c.frame(req, l.Title, listTemplate(l)))
	return nil, nil //nolint:nilnil // it is shown
}

// resultTone is how a result of a run looks.
func resultTone(r directory.RunResult) Tone {
	switch r {
	case directory.RunApplied, directory.RunUnchanged:
		return Good
	case directory.RunHeld, directory.RunIncomplete:
		return Warn
	case directory.RunFailed:
		return Bad
	case directory.RunRunning, directory.RunCancelled:
	}
	return Info
}

// took says how long something took, for people.
func took(d time.Duration) string {
	switch {
	case d < time.Millisecond:
		return "< 1 ms"
	case d < time.Second:
		return fmt.Sprintf("%d ms", d.Milliseconds())
	case d < time.Minute:
		return fmt.Sprintf("%.1f s", d.Seconds())
	}
	return fmt.Sprintf("%d min %d s", int(d.Minutes()), int(d.Seconds())%60)
}

// opTone is how an operation of a plan looks.
func opTone(op string) Tone {
	switch op {
	case "gone", "delete", "disable":
		return Bad
	case "create", "enable", "restore":
		return Good
	}
	return Neutral
}

func (n syncNamed) title() string { return cmp.Or(n.Name, n.Value) }

func runPath(r directory.Run) string { return "/runs/" + r.ID + "?source=" + string(r.Source) }

// sum adds up counts by what their names end in: users and groups together.
func sum(counts map[string]int64, ops ...string) int {
	n := 0
	for _, op := range ops {
		n += int(counts["users."+op] + counts["groups."+op])
	}
	return n
}

func runTook(r directory.Run) string {
	if r.Ended.IsZero() {
		return ""
	}
	return took(r.Ended.Sub(r.Started))
}

func runMembers(r directory.Run) string {
	return "+" + strconv.FormatInt(r.Counts["members.add"], 10) + " −" + strconv.FormatInt(r.Counts["members.remove"], 10)
}

func runRow(r directory.Run) Row {
	mode := "everything"
	if r.Counts["incremental"] > 0 {
		mode = "what changed"
	}
	return Row{ID: r.ID, Label: r.ID, Cells: map[string]Cell{
		"start": {Time: r.Started, kind: moment, Show: startTemplate(r)}, "source": Link(string(r.Source), sourcePath(r.Source)), "created": Number(sum(r.Counts, "create", "restore")),
		"updated": Number(sum(r.Counts, "update", "disable", "enable")), "gone": Number(sum(r.Counts, "gone", "delete")), "members": Text(runMembers(r)),
		"issues": Number(int(r.Counts["issues"])), "took": Text(runTook(r)), "result": Badge(capital(string(r.Result)), resultTone(r.Result)),
		"mode": Text(mode), "trigger": Text(triggerText(r.Trigger)), "message": Text(r.Message), "id": Text(r.ID),
	}}
}

// countPairs are counts in the order of their names.
func countPairs(counts map[string]int64) []pair {
	var out []pair
	for _, name := range slices.Sorted(maps.Keys(counts)) {
		if counts[name] != 0 {
			out = append(out, pair{name, thousands(int(counts[name]))})
		}
	}
	return out
}

// badges are what waits, by path of the menu.
func (c *Console) badges(req request) map[string]int {
	if req.viewer == nil || !req.viewer.Anywhere(admin.ReadSources) {
		return nil
	}
	held, err := c.Service.Holds(req.Context())
	if err != nil || len(held) == 0 {
		return nil // the page itself says what is wrong
	}
	return map[string]int{"/holds": len(held)}
}

// capital begins a text with a capital letter.
func capital(s string) string {
	if s == "" {
		return s
	}
	return strings.ToUpper(s[:1]) + s[1:]
}
