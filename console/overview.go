package console

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"
	"time"

	"github.com/a-h/templ"
	"github.com/usherd/usherd/admin"
	"github.com/usherd/usherd/directory"
)

// overviewPages is the first page.
func (c *Console) overviewPages() { c.page("GET /{$}", c.overview) }

// A tileView is one number of the first page.
type tileView struct {
	Number, Words, Href string
	Tone                Tone // how urgent it is; empty: not at all
	Time                time.Time
	Timed               bool
}

// A stepView is one step of setting up.
type stepView struct {
	Words, Href string
	Done        bool
}

// An overviewView is the first page.
type overviewView struct {
	First  bool // no source is connected
	Source bool // the viewer may connect one
	People bool // the viewer may add people without one
	Tiles  []tileView
	Charts []chartView
	Seats  []chartView
	Trends []trendView
	Steps  []stepView // none when all are done
	Recent []auditRow
	Audit  bool
	Nobody bool // the viewer may see nothing of this

	NoChecks bool // nobody asked any yet, in this process
	Tokens   bool // the viewer may make the token that asks

	SeatsLater bool // Seats load themselves
}

// A trendView is how the last runs of a source went.
type trendView struct {
	Source directory.SourceName
	Spark  sparkView
}

// maxSeatCharts is of how many features the first page draws the seats.
const maxSeatCharts = 4

func (c *Console) overview(req request) (templ.Component, error) {
	v := overviewView{Audit: req.viewer.Can(admin.ReadAudit), Nobody: !req.viewer.Anywhere(admin.ReadDirectory), Tokens: req.viewer.Can(admin.WriteTokens)}
	v.Source, v.People = req.viewer.Can(admin.WriteSources), req.viewer.Can(admin.WriteUsers)
	parts := []func(request, *overviewView) error{c.tilesOfPeople, c.tilesOfChecks, c.tilesOfSources, c.tilesOfTokens, c.tilesOfSeats, c.steps}
	if req.URL.Query().Has("trend") && wantsPart(req.Request) { // the charts alone are taken out of the page
		parts, v.Audit = []func(request, *overviewView) error{c.tilesOfSeats}, false
	}
	for _, add := range parts {
		if err := add(req, &v); err != nil {
			return nil, err
		}
	}
	if v.Audit {
		page, err := c.Service.FindAuditHeads(req.Context(), admin.AuditQuery{Limit: 10})
		if err != nil {
			return nil, err
		}
		v.Recent = c.auditRows(req.Context(), page.Items)
	}
	return c.frame(req, "Overview", overviewTemplate(v)), nil
}

func (c *Console) tilesOfPeople(req request, v *overviewView) error {
	if v.Nobody {
		return nil
	}
	n, err := c.Service.PeopleCounts(req.Context())
	if err != nil {
		return err
	}
	for _, t := range []struct {
		n             int
		status, words string
	}{{n.Active, admin.StatusActive, "users active"}, {n.Blocked, admin.StatusBlocked, "blocked"}, {n.Inactive, admin.StatusInactive, "inactive"}} {
		v.Tiles = append(v.Tiles, tileView{Number: thousands(t.n), Words: t.words, Href: withQuery("/users", "status", t.status)})
	}
	groups, err := c.Service.Groups(req.Context(), admin.GroupFilter{Limit: 1})
	v.Tiles = append(v.Tiles, tileView{Number: thousands(groups.Total), Words: "groups", Href: "/groups"})
	return err
}

func (c *Console) tilesOfSources(req request, v *overviewView) error {
	if !req.viewer.Can(admin.ReadSources) {
		return nil
	}
	sources, err := c.Service.UncountedSources(req.Context())
	if err != nil {
		return err
	}
	runs, err := c.Service.SyncStatus(req.Context(), "", sparkRuns)
	if err != nil {
		return err
	}
	last := map[directory.SourceName]directory.Run{}
	for _, s := range runs {
		if s.Last != nil {
			last[s.Source] = *s.Last
		}
		if spark := sparkOf(s.Runs); len(spark.Bars) > 0 {
			v.Trends = append(v.Trends, trendView{s.Source, spark})
		}
	}
	v.First = true
	for _, s := range sources {
		if s.Name == directory.Local {
			continue
		}
		v.First = false
		t := tileView{Words: "last heard of " + string(s.Name), Href: "/sources/" + string(s.Name), Timed: true, Time: s.LastRequest}
		if run, ok := last[s.Name]; ok {
			t.Time, t.Words = run.Ended, "last read of "+string(s.Name)
		}
		if s.State != directory.SourceActive {
			t.Words, t.Tone = t.Words+" ("+string(s.State)+")", Warn
		}
		v.Tiles = append(v.Tiles, t)
	}
	holds, err := c.Service.Holds(req.Context())
	t := tileView{Number: strconv.Itoa(len(holds)), Words: "changes held", Href: "/holds"}
	if len(holds) > 0 {
		t.Tone = Warn
	}
	v.Tiles = append(v.Tiles, t)
	return err
}

func (c *Console) tilesOfTokens(req request, v *overviewView) error {
	if !req.viewer.Can(admin.ReadTokens) {
		return nil
	}
	tokens, err := c.Service.Tokens(req.Context())
	n := 0
	for _, t := range tokens {
		if t.State == admin.TokenActive && t.Expires.Before(c.Now().Add(expiringWithin)) {
			n++
		}
	}
	tile := tileView{Number: strconv.Itoa(n), Words: "tokens that expire within " + inDays(expiringWithin), Href: "/settings/tokens"}
	if n > 0 {
		tile.Tone = Warn
	}
	v.Tiles = append(v.Tiles, tile)
	return err
}

func (c *Console) tilesOfSeats(req request, v *overviewView) error {
	if !req.viewer.Can(admin.ReadDirectory) {
		return nil
	}
	bill, err := c.Service.Bill(req.Context())
	for _, f := range bill.Features {
		v.Tiles = append(v.Tiles, tileView{Number: thousands(f.Seats), Words: "seats of " + cmp.Or(f.Title, f.Key), Href: "/billing"})
	}
	if err != nil || len(bill.Features) == 0 {
		return err
	}
	trend, err := c.trend(req)
	v.Seats = trend.charts(bill.Features[:min(maxSeatCharts, len(bill.Features))], "Seats of ")
	v.SeatsLater = len(trend) == 0
	return err
}

// steps are what is left of setting up, in order. Whoever can't do it is not
// told.
func (c *Console) steps(req request, v *overviewView) error {
	if !req.viewer.Can(admin.WritePolicy) || !req.viewer.Can(admin.WriteSources) {
		return nil
	}
	choices, err := c.Service.Choices(req.Context())
	if err != nil {
		return err
	}
	mappings, err := c.Service.Mappings(req.Context())
	if err != nil {
		return err
	}
	roles, err := c.Service.Roles(req.Context())
	if err != nil {
		return err
	}
	owners := roles[slices.IndexFunc(roles, func(r admin.ListedRole) bool { return r.Name == directory.RoleOwner })].Users
	reached := false
	for _, m := range mappings {
		reached = reached || len(m.Groups) > 0
	}
	all := []stepView{
		{"Connect a source of people and groups", "/sources/new", !v.First},
		{"Say what there is: a feature that applications protect", "/catalogue", len(choices.Features)+len(choices.Resources)+len(choices.Integrations) > 0},
		{"Map a group of the directory onto it", "/mappings/new", reached},
		{"See why somebody may open it", "/explain", reached},
		{fmt.Sprintf("Have a second owner (there is %d)", owners), "/settings/admins", owners > 1},
	}
	for _, s := range all {
		if !s.Done && s.Href != "/explain" {
			v.Steps = all
		}
	}
	return nil
}
