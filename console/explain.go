package console

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/a-h/templ"
	"github.com/usherd/usherd/admin"
	"github.com/usherd/usherd/authz"
	"github.com/usherd/usherd/directory"
)

// explainPages answer why somebody may do something, or may not.
func (c *Console) explainPages() {
	c.page("GET /explain", c.explain)
	c.page("POST /explain/forget", c.forgetCached)
	c.page("POST /explain/find", c.findLive)
}

// suggested is how many people and things a search offers.
const suggested = 12

// An explainView is the form with what was asked, and the answer.
type explainView struct {
	User, What, Project, At string
	Projects                []directory.Project
	People, Things          []Option // that the texts may mean
	Partly                  bool     // the viewer may ask in projects only, and is not told why
	Elsewhere               bool     // what was asked is not about one of these
	Problem                 string
	Answer                  *answerView
	Fresh                   *freshView
	Link, JSON              string
	Find                    bool // the viewer may look for them in the directories
	Live                    *admin.LiveSearch
	LiveProblem             string
}

// unknown reports whether nobody is called as somebody typed, so that others are
// offered who may be meant.
func (v explainView) unknown() bool {
	if v.Answer != nil {
		return v.Answer.Code == authz.UnknownSubject.String()
	}
	return v.Problem != "" && !v.Elsewhere && !slices.ContainsFunc(v.People, func(o Option) bool { return strings.EqualFold(o.Value, v.User) })
}

// An answerView is an explanation as a page shows it.
type answerView struct {
	Allow    bool
	Sentence string
	Also     string // the other sentences, if there are any
	Code     string
	Moment   admin.Moment
	Parts    []answerPart
	Fixes    []fixView
	Next     []string // commands
	Projects []Cell   // in which the answer would be yes
}

// An answerPart is one thing that the answer needs.
type answerPart struct {
	Asked  string
	Counts bool
	Chains []chainView
	More   bool
	Misses []chainView
	Fixes  []fixView
}

// A fixView is one way out, with who can take it.
type fixView struct {
	Do, Who, Command string
	Href             string
	Enough           bool
}

func (c *Console) explain(req request) (templ.Component, error) {
	return c.showExplain(req, req.URL.Query(), nil)
}

// findLive looks for somebody whom nobody here is called in the directories. It
// is a form that is sent, so that no address keeps the name and no page asks
// directories by being looked at again.
func (c *Console) findLive(req request) (templ.Component, error) {
	found, err := c.Service.FindLive(req.Context(), req.PostForm.Get("user"))
	text, typed := refused(err)
	if p := admin.ProblemOf(err); err != nil && p.Status == http.StatusTooManyRequests {
		text, typed = p.Error(), true
	}
	if err != nil && !typed {
		return nil, err
	}
	return c.showExplain(req, req.PostForm, func(v *explainView) {
		if v.LiveProblem = text; err == nil {
			v.Live = &found
		}
	})
}

// showExplain shows the form with what was asked, and the answer.
func (c *Console) showExplain(req request, q url.Values, change func(*explainView)) (templ.Component, error) {
	v := explainView{
		User: strings.TrimSpace(q.Get("user")), What: strings.TrimSpace(q.Get("what")), Project: q.Get("project"), At: strings.TrimSpace(q.Get("at")),
	}
	choices, err := c.Service.Choices(req.Context())
	if err != nil {
		return nil, err
	}
	v.Projects = choices.Projects
	if v.What == "" && !req.viewer.Can(admin.AskChecks) && len(v.Projects) > 0 && !q.Has("project") {
		v.Project = string(v.Projects[0].Key) // where the viewer may ask
	}
	if v.User != "" && v.What != "" && !wantsSuggestions(req.Request) {
		asked, err := c.answer(req, &v)
		if err != nil {
			return nil, err
		}
		if asked != nil && q.Get("format") == "json" {
			return nil, writeJSON(req.w, asked)
		}
		if asked != nil {
			v.Answer = answerOf(*asked, chainer{req.viewer, kindsOf(choices.Sources), choices.Projects}, v)
			if v.Fresh, err = c.freshness(req, asked.User); err != nil {
				return nil, err
			}
		}
	}
	if err := c.suggest(req, &v); err != nil {
		return nil, err
	}
	v.Find = req.viewer.Can(admin.OperateSync) && v.At == "" && v.unknown() && slices.ContainsFunc(choices.Sources, func(s directory.Source) bool { return s.Kind == directory.KindLDAP })
	if change != nil {
		change(&v)
	}
	return c.frame(req, "Explain", explainTemplate(v)), nil
}

// wantsSuggestions reports whether only what the texts may mean is looked at.
func wantsSuggestions(r *http.Request) bool {
	return wantsPart(r) && r.URL.Query().Get("suggest") != ""
}

// answer asks. What nobody can answer is said beside the form.
func (c *Console) answer(req request, v *explainView) (*admin.Explained, error) {
	question, ok := questionOf(*v)
	if !ok {
		v.Problem = "Write what is asked as ACTION TYPE/ID, for example: access feature/part-list"
		return nil, nil
	}
	out, err := c.Service.Explain(req.Context(), question)
	if errors.Is(err, admin.ErrForbidden) && req.viewer.Anywhere(admin.AskChecks) {
		return nil, c.answerPartly(req, v, question)
	}
	if text, typed := refused(err); typed {
		v.Problem = text
		return nil, nil
	}
	if p := admin.ProblemOf(err); err != nil && (p.Status == http.StatusGone || p.Status == http.StatusNotFound) {
		v.Problem = p.Error()
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	values := url.Values{"user": {v.User}, "what": {v.What}}
	for key, value := range map[string]string{"project": v.Project, "at": v.At} {
		if value != "" {
			values.Set(key, value)
		}
	}
	v.Link = c.URL() + "/explain?" + values.Encode()
	values.Set("format", "json")
	v.JSON = "/explain?" + values.Encode()
	return &out, nil
}

// answerPartly answers whoever may ask in projects only: what holds there now,
// and not why, since that would tell of other scopes.
func (c *Console) answerPartly(req request, v *explainView, q admin.Question) error {
	v.Partly = true
	if !req.viewer.May(admin.AskChecks, q.Project) || q.At != "" {
		v.Elsewhere = true
		v.Problem = "Choose one of your projects, and leave the time empty: what holds elsewhere or held before needs the right " + string(directory.DirectoryRead) + "."
		return nil
	}
	a, err := c.Service.Check(req.Context(), q)
	if text, typed := refused(err); typed {
		v.Problem = text
		return nil
	}
	if p := admin.ProblemOf(err); err != nil && p.Status == http.StatusNotFound {
		v.Problem = p.Error()
		return nil
	}
	if err != nil {
		return err
	}
	who, verb := v.User, "may not"
	if u, err := c.Service.User(req.Context(), v.User); err == nil {
		who = displayName(u.User)
	}
	if a.Decision {
		verb = "may"
	}
	v.Answer = &answerView{
		Allow: a.Decision, Code: a.Code.String(), Moment: admin.Moment{Revision: a.Revision},
		Sentence: fmt.Sprintf("%s %s %s %s/%s in %s", who, verb, q.Action, q.Resource.Type, q.Resource.ID, scopeName(q.Project, v.Projects)),
	}
	v.Link = c.URL() + "/explain?" + url.Values{"user": {v.User}, "what": {v.What}, "project": {v.Project}}.Encode()
	return nil
}

// questionOf reads "ACTION TYPE/ID"; "access" and the type may be left out for
// a feature.
func questionOf(v explainView) (admin.Question, bool) {
	q := admin.Question{User: v.User, Project: directory.ProjectKey(v.Project), At: v.At}
	action, thing, ok := strings.Cut(v.What, " ")
	if !ok {
		action, thing = authz.ActionAccess, v.What
	}
	q.Action = action
	if q.Resource.Type, q.Resource.ID, ok = strings.Cut(strings.TrimSpace(thing), "/"); !ok {
		q.Resource.Type, q.Resource.ID = authz.TypeFeature, strings.TrimSpace(thing)
	}
	return q, q.Action != "" && q.Resource.Type != "" && q.Resource.ID != ""
}

// suggest fills in whom and what the texts may mean.
func (c *Console) suggest(req request, v *explainView) error {
	people, err := c.Service.Users(req.Context(), admin.UserFilter{Q: v.User, Sort: "name", Limit: suggested})
	if err != nil {
		return err
	}
	if len(people.Items) == 0 && v.unknown() { // perhaps mistyped: whose name begins alike
		begins := string([]rune(v.User)[:min(3, len([]rune(v.User)))])
		if people, err = c.Service.Users(req.Context(), admin.UserFilter{Q: begins, Sort: "name", Limit: suggested}); err != nil {
			return err
		}
	}
	for _, u := range people.Items {
		v.People = append(v.People, Option{handleOf(u), strings.TrimSuffix(u.Name+" · "+u.Email, " · ")})
	}
	asks, err := c.Service.Askable(req.Context())
	if err != nil {
		return err
	}
	words := strings.Fields(strings.ToLower(v.What))
	for _, ask := range asks {
		if text := strings.ToLower(ask.String() + " " + ask.Title); len(v.Things) < 4*suggested && containsAll(text, words) {
			v.Things = append(v.Things, Option{ask.String(), ask.Title})
		}
	}
	return nil
}

func containsAll(text string, words []string) bool {
	for _, w := range words {
		if !strings.Contains(text, w) {
			return false
		}
	}
	return true
}

// handleOf is what names a user in questions: the userName, unless it would be
// read as something else.
func handleOf(u admin.ListedUser) string {
	if key, err := admin.SubjectKey(u.UserName); err != nil || key.Kind != directory.KeyUserName {
		return string(u.ID)
	}
	return u.UserName
}

func answerOf(e admin.Explained, ch chainer, asked explainView) *answerView {
	lead, _, _ := strings.Cut(e.Explanation.Text(), "\n\n")
	first, rest, _ := strings.Cut(strings.TrimSpace(lead), "\n")
	_, first, _ = strings.Cut(first, " - ")
	a := &answerView{
		Allow: e.Answer.Decision, Sentence: first, Also: strings.TrimSpace(rest + "\n" + e.Note), Code: e.Code.String(), Moment: e.Moment, Next: e.Next,
		Fixes: fixesOf(e.Fixes),
	}
	who := chainLink{Label: "user", Text: cmp.Or(e.Who.Name, e.Asked.User), Href: "/users/" + string(e.User)}
	if e.User == "" {
		who.Href = ""
	}
	for _, part := range e.Parts {
		p := answerPart{Asked: part.Asked, Counts: part.Code == authz.Granted, More: part.More, Fixes: fixesOf(part.Fixes)}
		for _, path := range part.Paths {
			p.Chains = append(p.Chains, ch.chain(who, path, nil))
		}
		for _, path := range part.Misses {
			p.Misses = append(p.Misses, ch.chain(who, path, e.Why(path)))
		}
		a.Parts = append(a.Parts, p)
	}
	for _, project := range e.Projects {
		values := url.Values{"user": {asked.User}, "what": {asked.What}, "project": {string(project)}}
		a.Projects = append(a.Projects, Link(scopeName(project, ch.projects), "/explain?"+values.Encode()))
	}
	return a
}

func fixesOf(all []authz.Fix) (out []fixView) {
	for _, f := range all {
		v := fixView{Do: f.Do, Command: f.Command, Enough: f.Enough}
		switch {
		case f.Right != "":
			v.Who = fmt.Sprintf("who has the right %s: %s", f.Right, words(f.Roles))
		case f.Source != "":
			v.Who = "whoever manages " + string(f.Source)
		}
		switch {
		case f.Group != nil:
			v.Href = "/groups/" + string(f.Group.ID)
		case f.Mapping != "":
			v.Href = mappingPath(f.Mapping)
		case f.Source != "":
			v.Href = "/sources/" + string(f.Source)
		}
		out = append(out, v)
	}
	return out
}

func writeJSON(w http.ResponseWriter, v any) error {
	text, err := json.MarshalIndent(v, "", "  ")
	if err != nil {
		return fmt.Errorf("encoding: %w", err)
	}
	w.Header().Set("Content-Type", "application/json")
	_, _ = w.Write(append(text, '\n')) // whoever asked may have left
	return nil
}

// queryOf is one value of a query.
func queryOf(key, value string) string { return url.Values{key: {value}}.Encode() }
