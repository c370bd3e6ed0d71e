package console

import (
	"context"
	"net/url"
	"slices"
	"strings"

	"github.com/usherd/usherd/admin"
	"github.com/usherd/usherd/directory"
)

// A narrowing is of whom the table of a draft tells: of a kind, and of those who
// have a Role or gain or lose something by it. Each may be empty.
type narrowing struct{ Show, Role string }

func narrowingOf(q url.Values) narrowing { return narrowing{q.Get("show"), q.Get("role")} }

// at is an address with the narrowing in it.
func (n narrowing) at(path string) string {
	q := url.Values{}
	for name, value := range map[string]string{"show": n.Show, "role": n.Role} {
		if value != "" {
			q.Set(name, value)
		}
	}
	return string(address(path, q))
}

// of are those people of a plan of whom it tells.
func (n narrowing) of(ctx context.Context, c *Console, plan *admin.DraftPlan) ([]admin.PlannedPerson, error) {
	have := map[directory.UserID]bool{}
	if n.Role != "" {
		var err error
		if have, err = c.Service.HaveRole(ctx, directory.RoleName(n.Role)); err != nil {
			return nil, err
		}
	}
	return slices.DeleteFunc(slices.Clone(plan.People), func(p admin.PlannedPerson) bool {
		switch n.Show {
		case "gain":
			if len(p.Gains) == 0 {
				return true
			}
		case "lose":
			if len(p.Loses) == 0 {
				return true
			}
		case "admin":
			if !slices.ContainsFunc(plan.Administrators, func(a admin.PlannedPerson) bool { return a.User == p.User }) {
				return true
			}
		}
		return n.Role != "" && !have[p.User] && !slices.ContainsFunc(slices.Concat(p.WhyGains, p.WhyLoses), n.byRole)
	}), nil
}

// byRole reports whether a cause is a path over the Role.
func (n narrowing) byRole(because string) bool {
	for _, after := range strings.Split(because, "Role ")[1:] {
		if rest, ok := strings.CutPrefix(after, n.Role); ok && (rest == "" || strings.ContainsAny(rest[:1], " ,;:)")) {
			return true
		}
	}
	return false
}
