package console

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
)

// A heldPlace is a part of the directory of which a held plan takes away.
type heldPlace struct {
	DN    string
	Count int
}

// shownPlaces is how many parts of a directory a held plan's page names.
const shownPlaces = 8

// places counts what a plan takes away, by the container that it is or was in,
// the fullest first.
func places(items []syncItem) []heldPlace {
	var out []heldPlace
	for _, i := range items {
		if !i.takesAway() {
			continue
		}
		at := container(i.DN)
		if n := slices.IndexFunc(out, func(p heldPlace) bool { return strings.EqualFold(p.DN, at) }); n >= 0 {
			out[n].Count++
			continue
		}
		out = append(out, heldPlace{at, 1})
	}
	slices.SortStableFunc(out, func(a, b heldPlace) int { return cmp.Compare(b.Count, a.Count) })
	return out
}

// takesAway reports whether an item ends somebody's access.
func (i syncItem) takesAway() bool {
	return slices.Contains([]string{"gone", "delete", "disable"}, i.Op)
}

// renamed counts those that get another name.
func renamed(items []syncItem) (n int) {
	for _, i := range items {
		if i.Was != "" {
			n++
		}
	}
	return n
}

// container is a DN without its first part. A comma after a backslash belongs to
// the part (RFC 4514, section 2.4).
func container(dn string) string {
	for i := 0; i < len(dn); i++ {
		switch dn[i] {
		case '\\':
			i++
		case ',':
			return strings.TrimSpace(dn[i+1:])
		}
	}
	return ""
}

// likely says what such a plan mostly comes from, and where to look. It guesses
// from the shape alone; empty if the shape says nothing, or if the plan is of a
// server that lags behind: what that has, any shape, is only old.
func likely(reasons []string, p syncPlan) string {
	if slices.ContainsFunc(reasons, func(r string) bool { return strings.Contains(r, "lags behind") }) {
		return ""
	}
	ops := map[string]int{}
	for _, i := range p.Items {
		ops[i.Op]++
	}
	taken, all := ops["gone"]+ops["delete"]+ops["disable"], places(p.Items)
	switch {
	case taken == 0 && renamed(p.Items) > len(p.Items)/2:
		return "The same people, or groups, have other names: the attribute that names them was changed in the settings of the source, or in the directory. Applications that know people by name will not know them."
	case taken == 0 && ops["members"] > 0:
		return "Only memberships change: somebody rebuilt a group, or a script emptied or filled one. Ask who changed the groups below."
	case taken == 0:
		return ""
	case ops["disable"] > taken/2:
		return "The directory says itself that these accounts are disabled: a script or somebody there switched them off."
	case len(all) == 1 && all[0].DN != "":
		return fmt.Sprintf("All of them were in one place, %s: it was moved, renamed or deleted, is no longer under the search base, or the bind account may no longer read it.", all[0].DN)
	case len(all) > 1 && all[0].Count*10 >= taken*8:
		return fmt.Sprintf("Most of them were in one place, %s: it was moved, is no longer under the search base, or the bind account may no longer read it.", all[0].DN)
	case ops["create"] >= taken/2 && ops["create"] > 0:
		return "About as many are new as are missing: the directory was restored or copied, and its entries have new ids."
	}
	return "They were in many places: the filter or the search base was changed, the bind account lost rights, or the server shows only a part of the directory."
}
