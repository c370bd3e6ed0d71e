package console

import (
	"context"
	"slices"
	"strconv"
	"strings"

	"github.com/usherd/usherd/admin"
	"github.com/usherd/usherd/authz"
	"github.com/usherd/usherd/directory"
)

// An effectsView is who would gain and lose what, as a page shows it.
type effectsView struct {
	authz.Difference
	People  []personShift
	Hidden  int  // people of whom it tells in numbers only
	Ask     bool // it is so much that the number has to be typed
	Count   int  // that number
	Unknown bool // nobody worked it out
}

// A personShift is what one person gains and loses.
type personShift struct {
	Name, Href   string
	Gains, Loses []thing
	Admin        bool
}

// shownShifts is of how many people a page tells one by one.
const shownShifts = 50

// askAbove is how many people may be touched before their number has to be
// typed.
const askAbove = 100

// effects prepares a difference; names may hold some that are no users yet.
func (c *Console) effects(ctx context.Context, d authz.Difference, names map[directory.UserID]string) effectsView {
	v := effectsView{Difference: d, Count: d.People}
	v.Ask = d.People > askAbove || len(d.Administrators) > 0 ||
		slices.ContainsFunc(d.Totals, func(t authz.Total) bool { return t.Right.IsAdministration() && t.Lose > 0 })
	ch, err := c.Service.Choices(ctx)
	if err != nil {
		ch = admin.Choices{} // everything is told by its key
	}
	shifts := d.Shifts[:min(shownShifts, len(d.Shifts))]
	ids := make([]directory.UserID, len(shifts))
	for i, s := range shifts {
		ids[i] = s.User
	}
	name := c.namer(ctx, ids...)
	for _, s := range shifts {
		p := personShift{Name: names[s.User], Href: "/users/" + string(s.User), Gains: thingsOf(s.Gains, ch), Loses: thingsOf(s.Loses, ch)}
		if p.Name == "" {
			p.Name = name(s.User)
		}
		p.Admin = slices.ContainsFunc(slices.Concat(s.Gains, s.Loses), func(h authz.Holding) bool { return h.Right.IsAdministration() })
		v.People = append(v.People, p)
	}
	v.Hidden = d.People - len(v.People)
	return v
}

// confirmed reports whether a form says what has to be typed.
func (v effectsView) confirmed(req request) bool {
	return !v.Ask || req.PostForm.Get("count") == strconv.Itoa(v.Count)
}

func holdingNames(all []authz.Holding) (out []string) {
	for _, h := range highest(all) {
		out = append(out, h.String())
	}
	return out
}

// highest leaves out what another of the holdings says besides.
func highest(all []authz.Holding) []authz.Holding {
	return slices.DeleteFunc(slices.Clone(all), func(h authz.Holding) bool {
		return slices.ContainsFunc(all, func(o authz.Holding) bool { return above(o, h) })
	})
}

// above reports whether a holding says all that another of the same connection
// says, and more.
func above(h, than authz.Holding) bool {
	return h.Project == than.Project && h.Privilege.Kind == directory.IntegrationLevel && than.Privilege.Kind == directory.IntegrationLevel &&
		h.Privilege.Key == than.Privilege.Key && h.Privilege.Level > than.Privilege.Level
}

// moves reports whether an amount of money is not nothing.
func moves(m authz.Money) bool { return strings.Trim(m.Delta, "+-0.") != "" }

// namer returns a function that names users, each asked for once. Those of ids
// are named all at once, by what lists have; others cost a read each. What can't
// be named is called by its id.
func (c *Console) namer(ctx context.Context, ids ...directory.UserID) func(directory.UserID) string {
	known := map[directory.UserID]string{}
	if len(ids) > 0 {
		if names, err := c.Service.NamesOfUsers(ctx, ids...); err == nil {
			known = names
		}
	}
	return func(id directory.UserID) string {
		if known[id] == "" {
			known[id] = string(id)
			if u, err := c.Service.User(ctx, string(id)); err == nil {
				known[id] = displayName(u.User)
			}
		}
		return known[id]
	}
}

// preview is what an action would do, which is called for a trial only.
func (c *Console) preview(req request, action func(ctx context.Context) (admin.Outcome, error)) (effectsView, error) {
	out, err := action(admin.WithDryRun(req.Context()))
	if err != nil {
		return effectsView{}, err
	}
	if out.Preview == nil {
		return effectsView{}, nil
	}
	return c.effects(req.Context(), *out.Preview, nil), nil
}
