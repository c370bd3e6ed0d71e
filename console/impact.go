package console

import (
	"context"
	"slices"
	"strconv"

	"github.com/usherd/usherd/admin"
	"github.com/usherd/usherd/authz"
	"github.com/usherd/usherd/directory"
)

// An impactView is what a change would lead to, as it is shown before.
type impactView struct {
	Plan                      string // of a draft; empty: nothing can be applied by it
	Gaining, Losing, Changing int
	Unchanged                 int // -1: not known
	Admins                    int
	Seats                     []authz.SeatShift
	Money                     []authz.Money
	Raises                    bool
	People                    []impactPerson
	More                      int
	Groups                    []admin.MappedGroup
	Tests                     int
	Failing, Warnings         []string
	Problems                  []string // why there is no preview, or no apply
	NoOwner                   bool
}

// An impactPerson is what one person had before and has after, and why.
type impactPerson struct {
	Name, Href    string
	Before, After []string
	Because       []string
	Admin         bool
}

const (
	impactShown = 50  // people whom a page tells one by one
	typedAbove  = 100 // people above which their number has to be typed
)

// typed reports whether it is so much that the number of people has to be typed.
func (v impactView) typed() bool { return v.Changing > typedAbove || v.Admins > 0 }

// confirmed reports whether a form holds the number that has to be typed.
func (v impactView) confirmed(req request) bool {
	return !v.typed() || req.PostForm.Get("count") == strconv.Itoa(v.Changing)
}

// nothing reports whether nobody gains or loses anything.
func (v impactView) nothing() bool { return v.Changing == 0 }

// failed reports whether there are only problems to show: nobody knows what it
// would lead to.
func (v impactView) failed() bool { return len(v.Problems) > 0 && v.Unchanged < 0 && v.Changing == 0 }

// costs reports whether some currency costs more or less.
func (v impactView) costs() bool {
	return slices.ContainsFunc(v.Money, moves)
}

// impactOfPlan shows the plan of a policy.
func (c *Console) impactOfPlan(ctx context.Context, p admin.MappingPlan) impactView {
	v := impactView{
		Plan: p.Plan, Gaining: p.Gaining, Losing: p.Losing, Changing: len(p.People) + p.More, Admins: len(p.Administrators), Seats: p.Seats,
		Money: p.Money, Raises: p.Raises, Groups: p.Groups, Tests: p.Tests, Failing: details(p.Failing), Warnings: details(p.Warnings), NoOwner: p.NoOwner,
	}
	v.Unchanged = c.unchanged(ctx, v.Changing)
	for _, b := range p.Binds {
		v.Warnings = append(v.Warnings, b.String())
	}
	admins := map[directory.UserID]bool{}
	for _, person := range p.Administrators {
		admins[person.User] = true
	}
	for _, person := range p.People[:min(impactShown, len(p.People))] {
		name := person.UserName
		if name == "" {
			name = string(person.User)
		}
		v.People = append(v.People, impactPerson{
			Name: name, Href: "/users/" + string(person.User), Before: person.Loses, After: person.Gains,
			Because: slices.Compact(slices.Sorted(slices.Values(slices.Concat(person.WhyGains, person.WhyLoses)))), Admin: admins[person.User],
		})
	}
	v.More = v.Changing - len(v.People)
	return v
}

// impactOf shows a difference.
func (c *Console) impactOf(ctx context.Context, d authz.Difference) (impactView, error) {
	v := impactView{
		Gaining: d.Gaining, Losing: d.Losing, Changing: d.People, Admins: len(d.Administrators), Seats: d.Seats, Money: d.Money,
		Raises: d.RaisesBill(), Problems: d.Refused, Unchanged: c.unchanged(ctx, d.People),
	}
	shifts := d.Shifts[:min(impactShown, len(d.Shifts))]
	var ids []directory.UserID
	for _, s := range shifts {
		ids = append(ids, s.User)
	}
	names, err := c.Service.NamesOfUsers(ctx, ids...)
	if err != nil {
		return v, err
	}
	for _, s := range shifts {
		p := impactPerson{Name: names[s.User], Href: "/users/" + string(s.User), Admin: s.Administers()}
		if p.Name == "" {
			p.Name = string(s.User)
		}
		p.Before, p.After = holdingNames(s.Loses), holdingNames(s.Gains)
		for _, why := range slices.Concat(s.WhyGains, s.WhyLoses) {
			if !slices.Contains(p.Because, why.Text) {
				p.Because = append(p.Because, why.Text)
			}
		}
		v.People = append(v.People, p)
	}
	v.More = v.Changing - len(v.People)
	return v, nil
}

// tried is what an action would lead to; it is called for a trial only.
func (c *Console) tried(req request, action func(ctx context.Context) (admin.Outcome, error)) (impactView, error) {
	out, err := action(admin.WithDryRun(req.Context()))
	if err != nil || out.Preview == nil {
		return impactView{Unchanged: -1}, err
	}
	return c.impactOf(req.Context(), *out.Preview)
}

// unchanged is how many active users a change leaves as they are.
func (c *Console) unchanged(ctx context.Context, changing int) int {
	all, err := c.Service.Users(ctx, admin.UserFilter{Status: admin.StatusActive, Limit: 1})
	if err != nil || all.Total < changing {
		return -1
	}
	return all.Total - changing
}

func details(faults []admin.Fault) (out []string) {
	for _, f := range faults {
		out = append(out, f.Detail)
	}
	return out
}

// problems are what is wrong with what somebody asked for, if an error is about
// that: each fault by itself.
func problems(err error) ([]string, bool) {
	if err == nil {
		return nil, false
	}
	if p := admin.ProblemOf(err); len(p.Faults) > 0 {
		return details(p.Faults), true
	}
	text, typed := refused(err)
	return []string{text}, typed
}
