package console

import (
	"context"
	"encoding/json"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/a-h/templ"
	"github.com/usherd/usherd/admin"
	"github.com/usherd/usherd/directory"
)

// A sourceView is the page of a source.
type sourceView struct {
	standing
	Settings []pair // as they are set
	Times    []time.Time
	Tokens   []admin.ListedToken
	Usage    *admin.SourceUsage
	Requests []directory.Request
	Quirks   []pair
	Turns    []turn
	Operate  bool // may run it
	Manage   bool // may change it
	Mint     bool // may make tokens

	Safeguards []safeguard
	SetProfile string // of a SCIM source
	Tabs       []tab
}

// A pair is a word and what it says.
type pair struct{ Name, Value string }

// A turn is what can be done to a source.
type turn struct {
	Verb, Title string
	Danger      bool
	Preview     bool // asks first: people gain or lose something
}

// shownRequests is how much of the provisioning log a source's page shows.
const shownRequests = 50

func (c *Console) source(req request) (templ.Component, error) {
	name := directory.SourceName(req.PathValue("name"))
	page, err := c.Service.Source(req.Context(), name)
	if err != nil {
		return nil, err
	}
	v := sourceView{Tokens: page.Tokens, Usage: page.Usage, Settings: settingPairs(page.Settings)}
	v.Manage, v.Operate, v.Mint = req.viewer.Can(admin.WriteSources), req.viewer.Can(admin.OperateSync), req.viewer.Can(admin.WriteTokens)
	var status admin.SyncStatus
	if page.Kind == directory.KindLDAP {
		all, err := c.Service.SyncStatus(req.Context(), name, sparkRuns)
		if err != nil {
			return nil, err
		}
		if len(all) > 0 {
			status = all[0]
		}
		if v.Safeguards, err = safeguardsOf(page.Settings); err != nil {
			return nil, err
		}
		v.Settings = slices.DeleteFunc(v.Settings, func(p pair) bool { return p.Name == "thresholds" }) // the page lists them all
	} else {
		v.Requests, err = c.Service.FindLog(req.Context(), directory.RequestQuery{Source: name, Limit: shownRequests})
		if err != nil {
			return nil, err
		}
		v.Quirks = quirkPairs(page.Usage)
		v.SetProfile = "auto"
		v.Settings = slices.DeleteFunc(v.Settings, func(p pair) bool { // the page says it in words
			if p.Name == "profile" {
				v.SetProfile = p.Value
			}
			return p.Name == "profile"
		})
	}
	for _, t := range page.Tokens { // the page has no date of its own for it
		if t.Expires.After(page.TokenExpires) {
			page.TokenExpires = t.Expires
		}
	}
	v.standing = c.standing(page.ListedSource, status)
	v.Times = c.nextRuns(page.Source, 5)
	if v.Manage {
		v.Turns = turnsOf(page.State)
	}
	wrong, err := c.Service.SourceErrors(req.Context(), name)
	if err != nil {
		return nil, err
	}
	v.Tabs = sourceTabs(name, "", len(wrong))
	return c.frame(req, string(name), sourceTemplate(v)), nil
}

// settingPairs shows settings as they are set. They hold no secret: those are
// in files that they name.
func settingPairs(settings json.RawMessage) []pair {
	var all map[string]json.RawMessage
	if len(settings) == 0 || json.Unmarshal(settings, &all) != nil {
		return nil
	}
	out := make([]pair, 0, len(all))
	for key, value := range all {
		text := string(value)
		var word string
		var words []string
		switch {
		case json.Unmarshal(value, &word) == nil:
			text = word
		case json.Unmarshal(value, &words) == nil:
			text = strings.Join(words, "\n")
		}
		out = append(out, pair{key, text})
	}
	slices.SortFunc(out, func(a, b pair) int { return settingRank(a.Name) - settingRank(b.Name) })
	return out
}

// settingOrder puts first what people look for first.
var settingOrder = []string{"template", "urls", "startTLS", "serverName", "caFile", "bindDN", "passwordFile", "external", "base", "userBase", "groupBase", "userFilter", "groupFilter", "schedule", "fullEvery", "profile"}

func settingRank(name string) int {
	if i := slices.Index(settingOrder, name); i >= 0 {
		return i
	}
	return len(settingOrder) + int(name[0])
}

func quirkPairs(u *admin.SourceUsage) []pair {
	if u == nil {
		return nil
	}
	var out []pair
	for what, tally := range u.Quirks {
		out = append(out, pair{what, strconv.FormatInt(tally.Count, 10)})
	}
	slices.SortFunc(out, func(a, b pair) int { return strings.Compare(a.Name, b.Name) })
	return out
}

// turnsOf are what can be done to a source in a state.
func turnsOf(state directory.SourceState) []turn {
	disable := turn{"disable", "Disable", true, true}
	switch state {
	case directory.SourcePaused:
		return []turn{{"resume", "Resume", false, false}, disable}
	case directory.SourceDisabled:
		return []turn{{"enable", "Enable", false, true}, {"remove", "Remove", true, true}}
	case directory.SourceActive, directory.SourceRemoved:
	}
	return []turn{{"pause", "Pause", false, false}, disable}
}

// A turnView asks whether to go on.
type turnView struct {
	Source  directory.SourceName
	Verb    string
	About   string
	Keep    bool // of remove: keep the people
	Effects effectsView
	Problem string
}

// turnAbout says what a turn means.
var turnAbout = map[string]string{
	"pause":   "Nothing is read or accepted from it for a while; access stays as it is.",
	"resume":  "It is read and accepted again.",
	"disable": "Its groups give nothing and its people are inactive, until it is enabled again. Nothing is forgotten.",
	"enable":  "Its groups and people count again, as they were when it was last read.",
	"remove":  "The source, its tokens and its log end for good.",
}

// doTurn returns what performs a turn, or tries it, as the context says.
func (c *Console) doTurn(req request, verb string, r admin.Removal) (func(context.Context) (admin.Outcome, error), bool) {
	name := directory.SourceName(req.PathValue("name"))
	state := func(to, from directory.SourceState) func(context.Context) (admin.Outcome, error) {
		return func(ctx context.Context) (admin.Outcome, error) {
			return c.Service.SetSourceState(ctx, req.by, name, to, from)
		}
	}
	switch verb {
	case "pause":
		return state(directory.SourcePaused, directory.SourceActive), true
	case "resume":
		return state(directory.SourceActive, directory.SourcePaused), true
	case "disable":
		return state(directory.SourceDisabled, ""), true
	case "enable":
		return state(directory.SourceActive, directory.SourceDisabled), true
	case "remove":
		return func(ctx context.Context) (admin.Outcome, error) {
			return c.Service.RemoveSource(ctx, req.by, name, r)
		}, true
	}
	return nil, false
}

func (c *Console) previewTurn(req request) (templ.Component, error) {
	return c.askTurn(req, req.PathValue("turn"), req.URL.Query().Get("keep") != "", "")
}

// askTurn shows what a turn would do, and a button that does it.
func (c *Console) askTurn(req request, verb string, keep bool, problem string) (templ.Component, error) {
	do, ok := c.doTurn(req, verb, admin.Removal{KeepPeople: keep})
	if !ok {
		return nil, errNoPage
	}
	effects, err := c.previewOfTurn(req, verb, do)
	if err != nil {
		return nil, err
	}
	v := turnView{directory.SourceName(req.PathValue("name")), verb, turnAbout[verb], keep, effects, problem}
	return c.frame(req, string(v.Source), turnTemplate(v)), nil
}

// previewOfTurn is a preview. Nobody takes a removal for something that gives:
// if it does, it is asked for in so many words.
func (c *Console) previewOfTurn(req request, verb string, do func(context.Context) (admin.Outcome, error)) (effectsView, error) {
	v, err := c.preview(req, do)
	v.Ask = v.Ask || verb == "remove" && v.Gaining > 0
	return v, err
}

func (c *Console) turnSource(req request) (templ.Component, error) {
	verb, keep := req.PathValue("turn"), req.PostForm.Get("keep") != ""
	do, ok := c.doTurn(req, verb, admin.Removal{KeepPeople: keep})
	if !ok {
		return nil, errNoPage
	}
	if verb != "pause" && verb != "resume" {
		effects, err := c.previewOfTurn(req, verb, do)
		switch {
		case err != nil:
			return nil, err
		case req.PostForm.Get("seen") != strconv.Itoa(effects.Count):
			return c.askTurn(req, verb, keep, "What this does has changed since the page was shown. Look at it again.")
		case !effects.confirmed(req):
			return c.askTurn(req, verb, keep, "Type the number of people that this touches.")
		}
		do, _ = c.doTurn(req, verb, admin.Removal{KeepPeople: keep, Gaining: effects.Gaining})
	}
	if _, err := do(req.Context()); err != nil {
		return nil, err
	}
	name := req.PathValue("name")
	if verb == "remove" {
		return c.redirect(req, "/sources", "Removed source "+name+".")
	}
	done := map[string]string{"pause": "Paused", "resume": "Resumed", "disable": "Disabled", "enable": "Enabled"}
	return c.redirect(req, "/sources/"+name, done[verb]+" source "+name+".")
}

// A requestView is a request of the provisioning log, and what came of trying it
// again.
type requestView struct {
	admin.LoggedRequest
	Text     string // the body, for people
	Diff     string // what it changed
	MayTry   bool
	Replayed *admin.Replayed
	Would    string
	Problem  string
}

func (c *Console) sourceRequest(req request) (templ.Component, error) {
	v, err := c.loggedRequest(req)
	if err != nil {
		return nil, err
	}
	return c.frame(req, "Request "+v.ID, requestTemplate(v)), nil
}

func (c *Console) loggedRequest(req request) (requestView, error) {
	entry, err := c.Service.LoggedRequest(req.Context(), directory.SourceName(req.PathValue("name")), req.PathValue("id"))
	if err != nil {
		return requestView{}, err
	}
	return requestView{LoggedRequest: entry, Text: indented(entry.Body), Diff: indented(entry.Changes), MayTry: req.viewer.Can(admin.WriteSources)}, nil
}

// replayRequest tries a request again: without changing anything, or for good.
func (c *Console) replayRequest(req request) (templ.Component, error) {
	v, err := c.loggedRequest(req)
	if err != nil {
		return nil, err
	}
	done, err := c.Service.Replay(req.Context(), req.by, v.Source, v.ID, req.PostForm.Get("repeat") == "")
	if err != nil {
		if v.Problem, err = asked(err); err != nil {
			return nil, err
		}
	} else {
		v.Replayed, v.Would = &done, strings.TrimPrefix(indented(done.Changes), "[]")
	}
	return c.frame(req, "Request "+v.ID, requestTemplate(v)), nil
}

// asked is what to tell whoever asked for what failed. What they can't help is
// an error.
func asked(err error) (string, error) {
	if text, typed := refused(err); typed {
		return text, nil
	}
	p := admin.ProblemOf(err)
	if p.Status == http.StatusInternalServerError {
		return "", err
	}
	return p.Error(), nil
}

// indented is JSON for people.
func indented(text json.RawMessage) string {
	if len(text) == 0 {
		return ""
	}
	var value any
	if json.Unmarshal(text, &value) != nil {
		return string(text)
	}
	out, err := json.MarshalIndent(value, "", "  ")
	if err != nil {
		return string(text)
	}
	return string(out)
}
