package authz

import (
	"slices"

	"github.com/usherd/usherd/directory"
)

// reach is what the members of a group get, under construction.
type reach struct {
	raw, org privBits
	in       []scopedBits
}

type scopedBits struct {
	scope scopeID
	bits  privBits
}

func (r *reach) reset() {
	clear(r.raw)
	clear(r.org)
	r.in = r.in[:0]
}

// within is the set of a project, which it adds if it is missing.
func (r *reach) within(scope scopeID) *privBits {
	for i := range r.in {
		if r.in[i].scope == scope {
			return &r.in[i].bits
		}
	}
	r.in = append(r.in, scopedBits{scope: scope})
	return &r.in[len(r.in)-1].bits
}

// give adds what a grant or mapping gives in one scope.
func (r *reach) give(scope scopeID, ids []privID, suspended bool) {
	r.raw.addAll(ids)
	switch {
	case suspended || scope == nowhere:
	case scope == organization:
		r.org.addAll(ids)
	default:
		set := r.within(scope)
		set.addAll(ids)
		set.dropOrgOnly()
	}
}

// absorb adds what a finished group reaches, for a group nested in it.
func (r *reach) absorb(g *group) {
	r.raw.union(&g.raw)
	r.org.union(&g.org)
	for i := range g.in {
		r.within(g.in[i].scope).union(&g.in[i].set)
	}
}

// merge adds another reach and reports whether r grew.
func (r *reach) merge(other *reach) bool {
	grew := r.raw.or(other.raw)
	grew = r.org.or(other.org) || grew
	for i := range other.in {
		if !other.in[i].bits.empty() {
			grew = r.within(other.in[i].scope).or(other.in[i].bits) || grew
		}
	}
	return grew
}

// limit cuts r down to what passes through g.
func (r *reach) limit(g *group) {
	switch {
	case g.blocked || g.scope == nowhere:
		clear(r.org)
		r.in = r.in[:0]
	case g.scope != organization:
		set := r.within(g.scope)
		set.or(r.org)
		set.dropOrgOnly()
		clear(r.org)
		r.in = slices.DeleteFunc(r.in, func(s scopedBits) bool { return s.scope != g.scope })
	}
}

// freeze moves r into g.
func (r *reach) freeze(g *group) {
	g.raw, g.org, g.in = r.raw.freeze(), r.org.freeze(), nil
	if slices.Equal(g.raw.dense, g.org.dense) && slices.Equal(g.raw.sparse, g.org.sparse) {
		g.org = g.raw // most groups have no obstacle on any path
	}
	for _, s := range r.in {
		if !s.bits.empty() {
			g.in = append(g.in, scopedSet{s.scope, s.bits.freeze()})
		}
	}
}

// closer closes the nesting for some groups; all others are finished.
type closer struct {
	get   func(directory.GroupNum) *group
	own   func(*group, *reach) // adds what is granted to a group itself
	state map[directory.GroupNum]*visit
	stack []directory.GroupNum
	clock int
	work  reach
}

// visit is one group's place in Tarjan's search for cycles.
type visit struct {
	order, low int // order 0: not seen yet
	onStack    bool
}

// close works out what each of these groups reaches. A group comes after the
// groups that it is nested in; groups on a cycle come together.
func (c *closer) close(groups []directory.GroupNum) {
	c.state = make(map[directory.GroupNum]*visit, len(groups))
	for _, num := range groups {
		c.state[num] = &visit{}
	}
	for _, num := range groups {
		if c.state[num].order == 0 {
			c.visit(num)
		}
	}
}

func (c *closer) visit(num directory.GroupNum) *visit {
	v := c.state[num]
	c.clock++
	v.order, v.low, v.onStack = c.clock, c.clock, true
	c.stack = append(c.stack, num)
	if g := c.get(num); g != nil {
		for _, parent := range g.facts.Parents {
			p := c.state[parent]
			switch {
			case p == nil: // finished before, or not living
			case p.order == 0:
				v.low = min(v.low, c.visit(parent).low)
			case p.onStack:
				v.low = min(v.low, p.order)
			}
		}
	}
	if v.low == v.order {
		c.finish(num)
	}
	return v
}

// finish takes one strongly connected part off the stack.
func (c *closer) finish(num directory.GroupNum) {
	at := len(c.stack) - 1
	for c.stack[at] != num {
		at--
	}
	part := slices.Clone(c.stack[at:])
	c.stack = c.stack[:at]
	if len(part) == 1 {
		if g := c.get(num); g != nil {
			c.work.reset()
			c.step(g, nil)
			c.work.freeze(g)
		}
	} else {
		c.cycle(part)
	}
	for _, num := range part {
		c.state[num].onStack = false
	}
}

// step puts into c.work what g reaches, given what the groups of its cycle were
// found to reach so far.
func (c *closer) step(g *group, cycle map[directory.GroupNum]*reach) {
	c.own(g, &c.work)
	for _, parent := range g.facts.Parents {
		if found := cycle[parent]; found != nil {
			c.work.merge(found)
		} else if p := c.get(parent); p != nil && p != g {
			c.work.absorb(p)
			g.knotted = g.knotted || p.knotted
		}
	}
	c.work.limit(g)
}

// cycle goes round until nobody gets more. Sets only grow, so it ends.
func (c *closer) cycle(part []directory.GroupNum) {
	found := make(map[directory.GroupNum]*reach, len(part))
	for _, num := range part {
		if c.get(num) != nil {
			found[num] = &reach{}
		}
	}
	for grew := true; grew; {
		grew = false
		for _, num := range part {
			if r := found[num]; r != nil {
				c.work.reset()
				c.step(c.get(num), found)
				grew = r.merge(&c.work) || grew
			}
		}
	}
	for num, r := range found {
		g := c.get(num)
		g.cyclic, g.knotted = true, true
		r.freeze(g)
	}
}
