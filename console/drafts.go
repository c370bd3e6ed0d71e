package console

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/a-h/templ"
	"github.com/usherd/usherd/admin"
	"github.com/usherd/usherd/authz"
	"github.com/usherd/usherd/directory"
)

// draftPages are the list of saved changes of the policy, and their editor.
func (c *Console) draftPages() {
	c.page("GET /mappings/drafts", c.drafts)
	c.page("GET /mappings/drafts/new", c.newDraft)
	c.page("POST /mappings/drafts/preview", c.previewDraft)
	c.page("POST /mappings/drafts/save", c.saveDraft)
	c.page("POST /mappings/drafts/mapping", c.saveMappingDraft)
	c.page("POST /mappings/{name}/draft-deletion", c.saveDeletionDraft)
	c.page("GET /mappings/drafts/{id}", c.draft)
	c.page("GET /mappings/drafts/{id}/mapping", c.editDraftMapping)
	c.page("GET /mappings/drafts/{id}/people", c.exportDraft)
	c.page("POST /mappings/drafts/{id}/apply", c.applyDraft)
	c.page("POST /mappings/drafts/{id}/rebase", c.rebaseDraft)
	c.page("POST /mappings/drafts/{id}/discard", c.discardDraft)
}

const draftsPath = "/mappings/drafts"

func draftPath(id string) string { return draftsPath + "/" + id }

var draftList = ListSpec{
	Name: "drafts", Title: "Drafts", Noun: "drafts", Searches: "title, note, what it changes",
	Columns: []Column{
		{Key: "title", Title: "Draft", Default: true},
		{Key: "state", Title: "State", Default: true},
		{Key: "changes", Title: "Changes", Default: true},
		{Key: "gain", Title: "Gain", Default: true, Number: true},
		{Key: "lose", Title: "Lose", Default: true, Number: true},
		{Key: "money", Title: "A month", Default: true},
		{Key: "asserted", Title: "Assertions", Default: true},
		{Key: "author", Title: "Author", Default: true},
		{Key: "modified", Title: "Changed", Default: true},
		{Key: "created", Title: "Made"},
		{Key: "note", Title: "Note"},
	},
	Filters: []Filter{{Key: "state", Title: "State", Options: []Option{{string(admin.DraftOpen), "open"}, {string(admin.DraftApplied), "applied"}}}},
}

// A draftRow is a draft and what it would do, as lists show it.
type draftRow struct {
	admin.Draft
	Plan    *admin.DraftPlan // nil: it is applied, or was not worked out
	Problem string           // why there is no plan
	Later   templ.SafeURL    // where the row is with what it would do; empty: here
}

// allDrafts is what a page is asked for to work out all drafts before it answers.
const allDrafts = "all"

// draftRows lists drafts. What a draft would do takes a while to work out of many
// people, so a page does it of the one draft that it is asked for, or of all, and
// the rows of the others load themselves from where at says.
func (c *Console) draftRows(req request, wanted string, at func(id string) templ.SafeURL) ([]draftRow, error) {
	ctx := req.Context()
	all, err := c.Service.Drafts(ctx)
	if err != nil {
		return nil, err
	}
	if wanted != "" && wanted != allDrafts && wantsPart(req.Request) { // one row is taken out of the page
		all = slices.DeleteFunc(all, func(d admin.Draft) bool { return d.ID != wanted })
	}
	out := make([]draftRow, len(all))
	for i, d := range all {
		switch out[i].Draft = d; {
		case d.State != admin.DraftOpen:
			continue
		case wanted != allDrafts && wanted != d.ID:
			out[i].Later = at(d.ID)
			continue
		}
		plan, err := c.Service.PlanDraft(ctx, d.ID, admin.PeopleList{Limit: 1})
		if said, ours := problems(err); ours {
			out[i].Problem = strings.Join(said, "; ")
			continue
		}
		if err != nil {
			return nil, err
		}
		out[i].Plan = &plan
	}
	return out, nil
}

// anchor is the id of the row of a draft in a page.
func (d draftRow) anchor() string { return "draft-" + d.ID }

func (c *Console) drafts(req request) (templ.Component, error) {
	l := List{ListSpec: draftList, State: c.state(req, draftList), Actions: draftActions(), Empty: noDrafts()}
	wanted := req.URL.Query().Get("plan")
	if l.CSV {
		wanted = allDrafts
	}
	all, err := c.draftRows(req, wanted, func(id string) templ.SafeURL { return l.With("plan", id) })
	if err != nil {
		return nil, err
	}
	name := c.namer(req.Context())
	for _, d := range all {
		if l.Filter["state"] != "" && l.Filter["state"] != string(d.State) || !d.mentions(l.Q) {
			continue
		}
		l.Rows = append(l.Rows, d.row(name))
	}
	l.Total = len(l.Rows)
	return c.list(req, l)
}

// mentions reports whether a draft has a text, in any case: what is worked out
// later is not searched, so that a row stays when it comes.
func (d draftRow) mentions(q string) bool {
	return slices.ContainsFunc(append([]string{d.Title, d.Note}, d.Changes...), func(text string) bool {
		return strings.Contains(strings.ToLower(text), strings.ToLower(q))
	})
}

func (d draftRow) row(name func(directory.UserID) string) Row {
	cells := map[string]Cell{
		"title": Link(d.Title, draftPath(d.ID)), "state": d.stateCell(), "author": Text(writerName(d.Author, name)),
		"changes": Text(touched(d.Changes)), "modified": Time(d.Modified), "created": Time(d.Created), "note": Text(d.Note),
	}
	if p := d.Plan; p != nil {
		cells["gain"], cells["lose"] = Number(p.Gaining), Number(p.Losing)
		cells["money"], cells["asserted"] = Text(moneyText(p.Money)), assertedCell(p.Assertions)
	}
	if d.Later != "" {
		cells["money"] = Link("Work out", string(d.Later))
	}
	return Row{ID: d.ID, Label: d.Title, Cells: cells, Anchor: d.anchor(), Later: d.Later}
}

// stateCell says how far a draft is from being applied.
func (d draftRow) stateCell() Cell {
	switch {
	case d.State == admin.DraftApplied:
		return Badge("Applied", Neutral)
	case d.Problem != "":
		return Cells(Badge("No longer valid", Bad), Text(d.Problem))
	case d.Plan != nil && d.Plan.Moved():
		return Badge("Others changed the same", Warn)
	case d.Plan != nil && (len(d.Plan.Failing) > 0 || !d.Plan.Holds()):
		return Badge("Does not hold", Bad)
	case d.Later != "":
		return Badge("Open", Neutral)
	}
	return Badge("Open", Good)
}

// touched names what a draft changes.
func touched(items []string) string {
	if more := len(items) - 5; more > 0 {
		items = append(slices.Clone(items[:5]), fmt.Sprintf("and %d more", more))
	}
	return strings.Join(items, ", ")
}

// moneyText is what costs more or less a month.
func moneyText(all []authz.Money) string {
	var out []string
	for _, m := range all {
		if strings.Trim(m.Delta, "+-0.") != "" {
			out = append(out, m.Delta+" "+m.Currency)
		}
	}
	return cmp.Or(strings.Join(out, ", "), "as now")
}

// seatsText is which seats come and go.
func seatsText(all []authz.SeatShift) string {
	var out []string
	for _, s := range all {
		if s.Delta != 0 {
			out = append(out, withSign(s.Delta)+" "+s.Feature)
		}
	}
	return cmp.Or(strings.Join(out, ", "), "as now")
}

func assertedCell(all []admin.AssertionResult) Cell {
	failed := 0
	for _, a := range all {
		if a.Status == authz.Failed {
			failed++
		}
	}
	switch {
	case len(all) == 0:
		return Text("")
	case failed > 0:
		return Badge(fmt.Sprintf("%d of %d fail", failed, len(all)), Bad)
	}
	return Badge(fmt.Sprintf("%d of %d hold", len(all), len(all)), Good)
}

// writerName is what people call whoever wrote a draft.
func writerName(writer string, name func(directory.UserID) string) string {
	kind, who, _ := strings.Cut(writer, ":")
	if kind == directory.ActorUser {
		return name(directory.UserID(who))
	}
	return strings.TrimSpace(cmp.Or(vias[kind], kind) + " " + who)
}

var draftPeople = ListSpec{
	Name: "draft", Title: "Who gains and loses", Noun: "people",
	Columns: []Column{
		{Key: "user", Title: "User", Default: true},
		{Key: "before", Title: "Before", Default: true},
		{Key: "after", Title: "After", Default: true},
		{Key: "because", Title: "Because", Default: true},
	},
}

// exportDraft writes everybody whom a draft touches as CSV.
func (c *Console) exportDraft(req request) (templ.Component, error) {
	const most = 100_000
	plan, err := c.Service.PlanDraft(req.Context(), req.PathValue("id"), admin.PeopleList{Limit: most})
	if err != nil {
		return nil, err
	}
	people, err := narrowingOf(req.URL.Query()).of(req.Context(), c, &plan)
	if err != nil {
		return nil, err
	}
	l := List{ListSpec: draftPeople, State: State{Chosen: []string{"user", "before", "after", "because"}}}
	for _, p := range people {
		why := slices.Compact(slices.Sorted(slices.Values(slices.Concat(p.WhyGains, p.WhyLoses))))
		l.Rows = append(l.Rows, Row{Cells: map[string]Cell{
			"user": Text(cmp.Or(p.UserName, string(p.User))), "before": Text(strings.Join(p.Loses, ", ")),
			"after": Text(strings.Join(p.Gains, ", ")), "because": Text(strings.Join(why, "; ")),
		}})
	}
	c.csv(req, l, eachRow(l.Rows))
	return nil, nil
}

func (c *Console) rebaseDraft(req request) (templ.Component, error) {
	id := req.PathValue("id")
	version, err := draftVersion(req)
	if err == nil {
		_, err = c.Service.RebaseDraft(req.Context(), req.by, id, version)
	}
	if said, ours := problems(err); ours {
		return c.savedDraft(req, id, said...)
	}
	if err != nil {
		return nil, err
	}
	return c.redirect(req, draftPath(id), "The draft is over the policy of now.")
}

func (c *Console) discardDraft(req request) (templ.Component, error) {
	id := req.PathValue("id")
	version, err := draftVersion(req)
	if err != nil {
		return nil, err
	}
	d, err := c.Service.DiscardDraft(req.Context(), req.by, id, version)
	if errors.Is(err, directory.ErrVersion) {
		said, _ := problems(err)
		return c.savedDraft(req, id, said...)
	}
	if err != nil {
		return nil, err
	}
	return c.redirect(req, draftsPath, "Discarded the draft "+d.Title+".")
}

// draftVersion is the version of a draft that a form was filled with.
func draftVersion(req request) (int64, error) {
	n, err := strconv.ParseInt(req.PostForm.Get("version"), 10, 64)
	if err != nil || n < 0 {
		return 0, errForm
	}
	return n, nil
}
