package console

import (
	"fmt"
	"math/big"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/a-h/templ"
	"github.com/usherd/usherd/admin"
)

// billingPages show seats and money.
func (c *Console) billingPages() {
	c.page("GET /billing", c.billing)
	c.page("GET /billing/{feature}", c.seatHolders)
}

// The trend that the page shows.
const (
	trendOver   = 30 * 24 * time.Hour
	trendPoints = 7
)

var billList = ListSpec{
	Name: "billing", Title: "Seats and usage", Noun: "billable features",
	Columns: []Column{
		{Key: "feature", Title: "Feature", Default: true},
		{Key: "seats", Title: "Seats", Default: true, Number: true},
		{Key: "monthly", Title: "A seat a month", Default: true, Number: true},
		{Key: "cost", Title: "Cost a month", Default: true, Number: true},
		{Key: "currency", Title: "Currency", Default: true},
		{Key: "idle", Title: "Idle for 90 days", Default: true, Number: true},
		{Key: "idlecost", Title: "Cost of the idle", Default: true, Number: true},
	},
}

// A chartView is how the seats of one feature went.
type chartView struct {
	Title, Points string // the points of a line, as SVG has them
	Words         string // the same for who does not see it
	First, Last   string
	Most          string
}

func (c *Console) billing(req request) (templ.Component, error) {
	bill, err := c.Service.Bill(req.Context())
	if err != nil {
		return nil, err
	}
	l := List{ListSpec: billList, State: c.state(req, billList), Total: len(bill.Features)}
	idle, err := c.Service.IdleSeats(req.Context())
	if err != nil {
		return nil, err
	}
	for _, f := range bill.Features {
		l.Rows = append(l.Rows, Row{ID: f.Key, Label: f.Key, Cells: map[string]Cell{
			"feature": Link(titleFor(f.Title, f.Key), "/billing/"+f.Key), "seats": Number(f.Seats), "monthly": Text(f.Monthly), "cost": Text(f.Cost),
			"currency": Text(f.Currency), "idlecost": Text(times(f.Monthly, idle[f.Key])),
			"idle": {Text: strconv.Itoa(idle[f.Key]), Href: withQuery("/billing/"+f.Key, "login", admin.IdleLogin), kind: number},
		}})
	}
	if l.CSV {
		c.csv(req, l, eachRow(l.Rows))
		return nil, nil
	}
	trend, err := c.trend(req)
	if err != nil {
		return nil, err
	}
	v := billingView{List: l, Bill: bill, Charts: trend.charts(bill.Features, "")}
	if req.viewer.Can(admin.WritePolicy) {
		all, err := c.draftRows(req, req.URL.Query().Get("plan"), func(id string) templ.SafeURL { return l.With("plan", id) })
		if err != nil {
			return nil, err
		}
		all = slices.DeleteFunc(all, func(d draftRow) bool { return d.State != admin.DraftOpen })
		v.Drafts = billingDrafts(all, bill.Features)
	}
	v.Asof = c.Now()
	return c.frame(req, l.Title, billingTemplate(v)), nil
}

// A billingView is the page of seats and money.
type billingView struct {
	List
	Bill   admin.Bill
	Charts []chartView // none: they load themselves
	Drafts templ.Component
}

// A seatTrend is how seats went, if it is known.
type seatTrend []admin.BillPoint

// trend counts the seats of the last 30 days if the page is asked to, which takes
// a while of many people. Otherwise it returns none, unless all were counted
// already.
func (c *Console) trend(req request) (seatTrend, error) {
	if req.URL.Query().Has("trend") {
		return c.Service.BillTrend(req.Context(), trendOver, trendPoints)
	}
	points, whole, err := c.Service.KnownBillTrend(req.Context(), trendOver, trendPoints)
	if !whole {
		points = nil
	}
	return points, err
}

// charts draws the seats of features.
func (t seatTrend) charts(features []admin.BilledFeature, prefix string) (out []chartView) {
	if len(t) == 0 {
		return nil
	}
	for _, f := range features {
		out = append(out, chartOf(prefix+titleFor(f.Title, f.Key), f.Key, t))
	}
	return out
}

// times is an amount so many times.
func times(amount string, n int) string {
	price, ok := new(big.Rat).SetString(amount)
	if !ok {
		return ""
	}
	return price.Mul(price, new(big.Rat).SetInt64(int64(n))).FloatString(2)
}

// chartOf draws the seats of a feature over time, 300 by 60.
func chartOf(title, key string, trend []admin.BillPoint) chartView {
	v := chartView{Title: title}
	var seats []int
	most := 1
	for _, p := range trend {
		n := 0
		for _, f := range p.Features {
			if f.Key == key {
				n = f.Seats
			}
		}
		seats = append(seats, n)
		most = max(most, n)
	}
	begin, span := trend[0].Time, trend[len(trend)-1].Time.Sub(trend[0].Time)
	var points, said []string
	for i, n := range seats {
		x := 300.0
		if span > 0 {
			x = 300 * float64(trend[i].Time.Sub(begin)) / float64(span)
		}
		points = append(points, fmt.Sprintf("%.1f,%.1f", x, 58-54*float64(n)/float64(most)))
		said = append(said, fmt.Sprintf("%s: %d", trend[i].Time.UTC().Format("2 Jan"), n))
	}
	if len(points) == 1 {
		_, y, _ := strings.Cut(points[0], ",")
		points = append([]string{"0," + y}, points...) // nothing is known of before
	}
	v.Points, v.Words, v.Most = strings.Join(points, " "), strings.Join(said, ", "), strconv.Itoa(slices.Max(seats))
	v.First, v.Last = begin.UTC().Format("2 Jan"), trend[len(trend)-1].Time.UTC().Format("2 Jan")
	return v
}

var seatList = ListSpec{
	Name: "seats", Title: "Who takes a seat", Noun: "users",
	Columns: []Column{
		{Key: "name", Title: "Name", Default: true},
		{Key: "userName", Title: "userName", Default: true},
		{Key: "login", Title: "Last login", Default: true},
		{Key: "why", Title: "Why", Default: true},
	},
	Filters: []Filter{{Key: "login", Title: "Last login", Options: []Option{{admin.IdleLogin, "not for 90 days, or never"}, {"never", "never"}}}},
}

// seatHolders lists who takes a seat of a feature, each with the way to see why.
func (c *Console) seatHolders(req request) (templ.Component, error) {
	key := req.PathValue("feature")
	l := List{ListSpec: seatList, State: c.state(req, seatList)}
	l.Title = "Who takes a seat of " + key
	offset, err := strconv.Atoi(l.Cursor)
	if err != nil || offset < 0 {
		offset = 0
	}
	limit := l.Size
	if l.CSV {
		offset, limit = 0, 1_000_000
	}
	found, err := c.Service.FindSeats(req.Context(), admin.SeatsQuery{Feature: key, Login: l.Filter["login"], Offset: offset, Limit: limit})
	if err != nil {
		return nil, err
	}
	for _, u := range found.Items {
		why := "/explain?" + queryOf("user", handleOf(u)) + "&" + queryOf("what", "access feature/"+key)
		l.Rows = append(l.Rows, Row{ID: string(u.ID), Label: u.Name, Cells: map[string]Cell{
			"name": Link(u.Name, "/users/"+string(u.ID)), "userName": Text(u.UserName), "login": Time(u.LastLogin), "why": Link("Explain", why),
		}})
	}
	if l.Total = found.Total; offset+len(found.Items) < found.Total {
		l.Next = strconv.Itoa(offset + len(found.Items))
	}
	return c.list(req, l)
}
