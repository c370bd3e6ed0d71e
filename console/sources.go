package console

import (
	"slices"
	"strings"
	"time"

	"github.com/a-h/templ"
	"github.com/usherd/usherd/admin"
	"github.com/usherd/usherd/directory"
)

// sourcePages are the pages about sources.
func (c *Console) sourcePages() {
	c.page("GET /sources", c.sources)
	c.page("GET /sources/new", c.newSource)
	c.page("POST /sources/new", c.addSource)
	c.page("GET /sources/{name}", c.source)
	c.page("GET /sources/{name}/requests/{id}", c.sourceRequest)
	c.page("POST /sources/{name}/requests/{id}/replay", c.replayRequest)
	c.page("POST /sources/{name}/test", c.testSource)
	c.page("POST /sources/{name}/plan", c.planSource)
	c.page("POST /sources/{name}/sync", c.syncSource)
	c.page("GET /sources/{name}/edit", c.editSource)
	c.page("POST /sources/{name}/edit", c.saveSource)
	c.page("POST /sources/{name}/profile", c.saveProfile)
	c.page("GET /sources/{name}/safeguards", c.safeguards)
	c.page("POST /sources/{name}/safeguards", c.saveSafeguards)
	c.page("GET /sources/{name}/servers", c.sourceServers)
	c.page("GET /sources/{name}/requests", c.sourceRequests)
	c.page("GET /sources/{name}/errors", c.sourceErrors)
	c.page("GET /sources/{name}/{turn}", c.previewTurn)
	c.page("POST /sources/{name}/{turn}", c.turnSource)
}

var sourceList = ListSpec{
	Name: "sources", Title: "Sources", Noun: "sources", Searches: "by name",
	Columns: []Column{
		{Key: "name", Title: "Name", Default: true},
		{Key: "kind", Title: "Kind", Default: true},
		{Key: "state", Title: "State", Default: true},
		{Key: "success", Title: "Last success", Default: true},
		{Key: "next", Title: "Next run", Default: true},
		{Key: "users", Title: "Users", Default: true, Number: true},
		{Key: "groups", Title: "Groups", Default: true, Number: true},
		{Key: "lag", Title: "Lag", Default: true},
		{Key: "trend", Title: "Durations", Default: true, Here: true},
		{Key: "took", Title: "Last run took"},
		{Key: "expires", Title: "Token expires"},
		{Key: "managed", Title: "Managed by"},
		{Key: "created", Title: "Added"},
		{Key: "menu", Title: "Actions", Default: true, Here: true},
	},
	Filters: []Filter{
		{Key: "kind", Title: "Kind", Options: []Option{{"scim", "SCIM"}, {"ldap", "LDAP"}}},
		{Key: "state", Title: "State", Options: []Option{
			{"OK", "OK"}, {"Degraded", "Degraded"}, {"Held", "Held"}, {"Cancelled", "Cancelled"}, {"Never", "Never"}, {"Paused", "Paused"}, {"Disabled", "Disabled"},
		}},
	},
}

// kindTitles are what people call the kinds of source.
var kindTitles = map[directory.SourceKind]string{directory.KindSCIM: "SCIM", directory.KindLDAP: "LDAP", directory.KindLocal: "Local"}

// A standing is a source and how it is doing.
type standing struct {
	admin.ListedSource
	Health  string // OK, Degraded, Held, Never, Paused or Disabled
	Tone    Tone
	Success time.Time // of the last run, or the last request
	Next    time.Time
	Took    time.Duration
	Lag     time.Duration // since the directory was last read to the end
	Held    string
	Runs    []directory.Run
}

func (c *Console) sources(req request) (templ.Component, error) {
	l := List{ListSpec: sourceList, State: c.state(req, sourceList)}
	all, err := c.standings(req)
	if err != nil {
		return nil, err
	}
	for _, s := range all {
		if kind := l.Filter["kind"]; kind != "" && kind != string(s.Kind) {
			continue
		}
		if state := l.Filter["state"]; state != "" && state != s.Health {
			continue
		}
		if strings.Contains(string(s.Name), strings.ToLower(l.Q)) {
			l.Rows = append(l.Rows, sourceRow(req.viewer, s))
		}
	}
	l.Total = len(l.Rows)
	if may := req.viewer.Can(admin.WriteSources); may {
		l.Actions = linkButton("Add a source", "/sources/new")
		l.Empty = noSources()
	}
	return c.list(req, l)
}

// standings lists all sources with how they are doing.
func (c *Console) standings(req request) ([]standing, error) {
	all, err := c.Service.Sources(req.Context())
	if err != nil {
		return nil, err
	}
	const runs = 20
	status, err := c.Service.SyncStatus(req.Context(), "", runs)
	if err != nil {
		return nil, err
	}
	out := []standing{}
	for _, s := range all {
		if s.Name == directory.Local {
			continue // no source that people add
		}
		st := admin.SyncStatus{}
		if i := slices.IndexFunc(status, func(x admin.SyncStatus) bool { return x.Source == s.Name }); i >= 0 {
			st = status[i]
		}
		out = append(out, c.standing(s, st))
	}
	return out, nil
}

// standing judges how a source is doing.
func (c *Console) standing(s admin.ListedSource, st admin.SyncStatus) standing {
	out := standing{ListedSource: s, Held: st.Held, Runs: st.Runs, Success: s.LastRequest}
	for _, r := range st.Runs {
		if r.Result == directory.RunApplied || r.Result == directory.RunUnchanged {
			out.Success, out.Lag = r.Ended, c.Now().Sub(r.Started)
			break
		}
	}
	if len(st.Runs) > 0 && !st.Runs[0].Ended.IsZero() {
		out.Took = st.Runs[0].Ended.Sub(st.Runs[0].Started)
	}
	if next := c.nextRuns(s.Source, 1); len(next) > 0 {
		out.Next = next[0]
	}
	out.Health, out.Tone = health(s, st, c.Now())
	return out
}

func health(s admin.ListedSource, st admin.SyncStatus, now time.Time) (string, Tone) {
	switch {
	case s.State == directory.SourcePaused:
		return "Paused", Warn
	case s.State == directory.SourceDisabled:
		return "Disabled", Neutral
	case st.Held != "":
		return "Held", Warn
	case s.Kind == directory.KindSCIM && s.TokenExpires.Before(now) && !s.TokenExpires.IsZero():
		return "Degraded", Bad
	case s.Kind == directory.KindSCIM && s.LastRequest.IsZero(), s.Kind == directory.KindLDAP && st.Last == nil:
		return "Never", Info
	case fails(st):
		return "Degraded", Bad
	case st.AllCancelled():
		return "Cancelled", Warn
	}
	return "OK", Good
}

// nextRuns tells when an active LDAP source is read.
func (c *Console) nextRuns(s directory.Source, n int) []time.Time {
	if c.NextRuns == nil || s.Kind != directory.KindLDAP || s.State != directory.SourceActive {
		return nil
	}
	return c.NextRuns(s.Settings, n)
}

// sourceMenu is what can be done with a source without opening its page.
func sourceMenu(v *Viewer, s standing) []menuItem {
	items := []menuItem{{Title: "Open", Href: sourcePath(s.Name)}}
	if s.Kind == directory.KindLDAP && s.State == directory.SourceActive && v.Can(admin.OperateSync) {
		items = append(items, menuItem{Title: "Sync now", Href: sourcePath(s.Name) + "/sync", Post: true})
	}
	if v.Can(admin.WriteSources) {
		for _, t := range turnsOf(s.State) {
			if !t.Preview {
				items = append(items, menuItem{Title: t.Title, Href: sourcePath(s.Name) + "/" + t.Verb, Post: true})
			}
		}
	}
	return items
}

func sourceRow(v *Viewer, s standing) Row {
	last := ""
	if s.Took > 0 {
		last = took(s.Took)
	}
	return Row{ID: string(s.Name), Label: string(s.Name), Cells: map[string]Cell{
		"name": Link(string(s.Name), sourcePath(s.Name)), "kind": Text(kindTitles[s.Kind]), "state": Badge(s.Health, s.Tone),
		"success": Time(s.Success), "next": Time(s.Next), "users": Number(s.Users), "groups": Number(s.Groups), "took": Text(last),
		"lag": Text(lagText(s)), "trend": {Text: last, Show: sparkTemplate(sparkOf(s.Runs))},
		"expires": Time(s.TokenExpires), "managed": Text(s.ManagedBy), "created": Time(s.Created),
		"menu": {Show: rowMenu(string(s.Name), string(s.Name), sourceMenu(v, s))},
	}}
}

func sourcePath(name directory.SourceName) string { return "/sources/" + string(name) }
