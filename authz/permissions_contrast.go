package authz

import (
	"slices"

	"github.com/usherd/usherd/directory"
)

// A Side is one of two that are compared: a subject and what it is judged by.
type Side struct {
	Snapshot *Snapshot
	Subject  *directory.Subject
}

// A Contrast is what two users, or one at two revisions, do not have in common.
type Contrast struct {
	First  []Held `json:"first"`  // that the first may and the second may not, with the ways
	Second []Held `json:"second"` // the other way round
	Common int    `json:"common"` // how many rows of the first the second has too

	// FirstGroups and SecondGroups are direct memberships that only one has.
	FirstGroups  []Step `json:"firstGroups"`
	SecondGroups []Step `json:"secondGroups"`

	// FirstCode and SecondCode are granted, or say why one has nothing at all.
	FirstCode  Code `json:"firstCode"`
	SecondCode Code `json:"secondCode"`
}

// Empty reports whether there is no difference.
func (c *Contrast) Empty() bool {
	return len(c.First)+len(c.Second)+len(c.FirstGroups)+len(c.SecondGroups) == 0 && c.FirstCode == c.SecondCode
}

// Contrasted compares what two sides hold, in every check and in each project. A
// level that one has higher is among what that one has; what is held in every
// check is held in each project too. Each row has so many ways.
func Contrasted(first, second Side, ways int) Contrast {
	held, other := first.held(), second.held()
	c := Contrast{
		First: lacking(held, other), Second: lacking(other, held),
		FirstGroups: first.groupsBeside(second), SecondGroups: second.groupsBeside(first),
		FirstCode:  first.Snapshot.standing(first.Subject, SubjectUser),
		SecondCode: second.Snapshot.standing(second.Subject, SubjectUser),
	}
	c.Common = len(held) - len(c.First)
	first.addWays(c.First, ways)
	second.addWays(c.Second, ways)
	return c
}

func (s Side) held() []Held { return s.Snapshot.HeldAnywhere(s.Subject, 0) }

func (s Side) addWays(rows []Held, ways int) {
	for i := range rows {
		if ways > 0 {
			a := ask{scope: s.Snapshot.cat.scope(rows[i].Project), project: rows[i].Project}
			s.Snapshot.addWays(s.Subject, &a, &rows[i], ways)
		}
	}
}

// lacking lists the rows that the other does not have.
func lacking(rows, other []Held) []Held {
	out := []Held{}
	for _, h := range rows {
		if !slices.ContainsFunc(other, func(o Held) bool { return o.covers(&h) }) {
			out = append(out, h)
		}
	}
	return out
}

// covers reports whether whoever holds o holds h.
func (h Held) covers(o *Held) bool {
	return (h.Project == "" || h.Project == o.Project) && h.Right == o.Right &&
		h.Privilege.Kind == o.Privilege.Kind && h.Privilege.Level >= o.Privilege.Level &&
		(h.Privilege.Key == o.Privilege.Key || h.Privilege.Kind == directory.RolePrivilege && everyThing(h.Privilege.Key, o.Privilege.Key))
}

// everyThing reports whether a role privilege is that on every thing of the type
// of another, with its action.
func everyThing(all, one string) bool {
	typ, id, action, ok := directory.SplitRoleKey(all)
	otherType, _, otherAction, other := directory.SplitRoleKey(one)
	return ok && other && id == Every && typ == otherType && action == otherAction
}

// groupsBeside lists the groups of which s is a direct member and the other is
// not.
func (s Side) groupsBeside(other Side) []Step {
	out := []Step{}
	for _, m := range s.Subject.Memberships {
		g := s.Snapshot.groups.get(uint32(m.Group))
		if g != nil && !slices.ContainsFunc(other.Subject.Memberships, func(o directory.Membership) bool { return o.Group == m.Group }) {
			out = append(out, s.Snapshot.stepOf(g.facts))
		}
	}
	return out
}
