package authz

import (
	"iter"
	"slices"

	"github.com/usherd/usherd/directory"
)

// A gift is one thing that a group is given: an edge at the end of paths.
type gift struct {
	scope   scopeID
	project directory.ProjectKey
	grant   *directory.Grant // nil if a mapping gives it
	mapped  mapped
	role    *role               // nil for a plain privilege
	priv    directory.Privilege // if no right
	right   directory.Right
}

// gifts yields what a group itself is given that contains w.
func (s *Snapshot) gifts(g *group, w *want) iter.Seq[gift] {
	return func(yield func(gift) bool) {
		for i := range g.facts.Grants {
			grant := &g.facts.Grants[i]
			if !s.ownGifts(grant, w, yield) {
				return
			}
		}
		for _, m := range g.mappings {
			for i := range m.gives {
				set := m.gives[i].set
				base := gift{scope: m.gives[i].scope, project: set.Project, mapped: m}
				for _, name := range set.Roles {
					if !roleGifts(base, s.cat.roles[name], w, yield) {
						return
					}
				}
				for _, p := range set.Privileges {
					base.priv = p
					if w.givenBy(p) && !yield(base) {
						return
					}
				}
			}
		}
	}
}

// ownGifts yields what one grant gives that contains w.
func (s *Snapshot) ownGifts(grant *directory.Grant, w *want, yield func(gift) bool) bool {
	base := gift{scope: s.cat.scope(grant.Project), project: grant.Project, grant: grant}
	if grant.Role != "" {
		return roleGifts(base, s.cat.roles[grant.Role], w, yield)
	}
	base.priv = grant.Privilege
	return !w.givenBy(grant.Privilege) || yield(base)
}

func roleGifts(base gift, r *role, w *want, yield func(gift) bool) bool {
	if r == nil {
		return true
	}
	base.role = r
	for _, p := range r.Privileges {
		base.priv = p
		if w.givenBy(p) && !yield(base) {
			return false
		}
	}
	base.priv = directory.Privilege{}
	for _, right := range r.Rights {
		base.right = right
		if w.givenByRight(right) && !yield(base) {
			return false
		}
	}
	return true
}

// end is the scope of a whole path that reaches a gift in scope.
func (b *gift) end(scope scopeID) scopeID {
	scope = join(scope, b.scope)
	if scope != organization && b.right.IsOrganization() {
		return nowhere // an organization right counts only on a path without a project
	}
	return scope
}

// place is where a path has come to: a group, and what it has met.
type place struct {
	num     directory.GroupNum
	blocked bool
	scope   scopeID
}

// step is a place and the step before it; -1 at a membership.
type step struct {
	place
	from int
}

// maxExact bounds how many places are visited path by path, so that no nesting,
// however knotted, makes a check slow. maxDive does so for explanations.
const (
	maxExact = 1_000
	maxDive  = 20_000
)

// climber visits, nearest first, every place that paths from a direct
// membership come to on the way to w. No path visits a group twice.
//
// Places of groups that are on no cycle are visited once: how a path goes on
// from there does not depend on how it came. The first maxExact places on cycles
// are visited by every path that comes there, later ones once too, even if by a
// path that visits a group twice.
type climber struct {
	s       *Snapshot
	w       *want
	steps   []step
	seen    map[place]bool
	every   bool // see dive
	stopped bool // there were too many places to visit
}

func (s *Snapshot) climb(start directory.GroupNum, w *want, visit func(c *climber, at int)) {
	(&climber{s: s, w: w, seen: map[place]bool{}}).climb(start, visit)
}

func (c *climber) climb(start directory.GroupNum, visit func(c *climber, at int)) {
	c.enter(start, -1)
	for i := 0; i < len(c.steps); i++ {
		visit(c, i)
		for _, parent := range c.group(i).facts.Parents {
			c.enter(parent, i)
		}
	}
}

// dive visits every place by every path, one path after the other, until visit
// has enough.
func (c *climber) dive(num directory.GroupNum, from int, visit func(c *climber, at int) (enough bool)) (enough bool) {
	at := len(c.steps)
	c.enter(num, from)
	if at == len(c.steps) {
		return c.stopped
	}
	if visit(c, at) {
		return true
	}
	for _, parent := range c.group(at).facts.Parents {
		if c.dive(parent, at, visit) {
			return true
		}
	}
	return false
}

func (c *climber) enter(num directory.GroupNum, from int) {
	g := c.s.groups.get(uint32(num))
	if g == nil || !hasAny(&g.raw, &c.w.ids) {
		return
	}
	p := place{num, g.blocked, g.scope}
	if from >= 0 {
		p.blocked = p.blocked || c.steps[from].blocked
		p.scope = join(c.steps[from].scope, p.scope)
	}
	switch {
	case c.every && len(c.steps) >= maxDive:
		c.stopped = true
		return
	case c.every || g.cyclic && len(c.steps) < maxExact:
		if c.on(num, from) {
			return
		}
	case c.seen[p]:
		return
	}
	c.seen[p] = true
	c.steps = append(c.steps, step{p, from})
}

// on reports whether the path that ends at a step has been at a group.
func (c *climber) on(num directory.GroupNum, at int) bool {
	for ; at >= 0; at = c.steps[at].from {
		if c.steps[at].num == num {
			return true
		}
	}
	return false
}

// group is that of a step.
func (c *climber) group(at int) *group { return c.s.groups.get(uint32(c.steps[at].num)) }

// obstacle gives the first code of all paths that end in w, none of which
// counts.
func (s *Snapshot) obstacle(subject directory.Subject, a ask, w want) Code {
	first := NoGrant
	for i := range subject.Grants {
		s.ownGifts(&subject.Grants[i], &w, func(b gift) bool {
			first = min(first, OtherProject)
			return true
		})
	}
	for _, m := range subject.Memberships {
		s.climb(m.Group, &w, func(c *climber, at int) {
			for b := range s.gifts(c.group(at), &w) {
				first = min(first, s.obstacleOf(&subject, &a, m, c.steps[at].place, &b))
			}
		})
	}
	if first == Granted {
		return NoGrant // never: what counts was found before
	}
	return first
}

// obstacleOf judges one path; Granted means that it counts.
func (s *Snapshot) obstacleOf(subject *directory.Subject, a *ask, m directory.Membership, p place, b *gift) Code {
	scope := b.end(p.scope)
	switch {
	case p.blocked:
		return BlockedGroup
	case scope != organization && scope != a.scope:
		return OtherProject
	case s.hides(subject, a, m, scope):
		return HiddenByOverride
	case b.mapped.suspended:
		return SuspendedMapping
	}
	return Granted
}

// hides reports whether an override hides a path of a scope that starts with m.
func (s *Snapshot) hides(subject *directory.Subject, a *ask, m directory.Membership, scope scopeID) bool {
	if scope == organization {
		return !m.Local && slices.Contains(subject.Overrides, "")
	}
	g := s.groups.get(uint32(m.Group))
	return (!m.Local || g == nil || g.scope == organization) && slices.Contains(subject.Overrides, a.project)
}
