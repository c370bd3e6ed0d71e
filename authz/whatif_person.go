package authz

import (
	"encoding/binary"
	"slices"

	"github.com/usherd/usherd/directory"
)

// maxClasses bounds how many classes of people are remembered at once.
const maxClasses = 20_000

// A verdict is what a change does to one class of people.
type verdict struct {
	gains, loses       []Holding
	whyGains, whyLoses []Cause
	was, is            []privID // seats
	people             int
}

func (v *verdict) nothing() bool { return len(v.gains)+len(v.loses) == 0 }

// Add adds one person, as before and as after. One who is not there has
// Found Unknown. It returns what the person gains and loses.
func (c *Comparison) Add(before, after *directory.Subject) Shift {
	same := before == after
	v := c.judge(before, after, same)
	v.people++
	shift := Shift{User: after.ID, Gains: v.gains, Loses: v.loses, WhyGains: v.whyGains, WhyLoses: v.whyLoses}
	if shift.User == "" {
		shift.User = before.ID
	}
	if !same {
		c.settle(v)
	}
	c.list(shift)
	return shift
}

// Weigh works out what one person gains and loses without adding it.
func (c *Comparison) Weigh(before, after *directory.Subject) Shift {
	v := c.judge(before, after, before == after)
	return Shift{User: after.ID, Gains: v.gains, Loses: v.loses, WhyGains: v.whyGains, WhyLoses: v.whyLoses}
}

// judge finds the verdict on a person: for those who stay as they are, that of
// their class.
func (c *Comparison) judge(before, after *directory.Subject, same bool) *verdict {
	if !same {
		return c.work(before, after)
	}
	sub := before
	if len(sub.Overrides) == 0 && !c.whole && !c.grantedAlone(sub) && c.before.standing(sub, SubjectUser) == c.after.standing(sub, SubjectUser) {
		small := *sub
		small.Memberships = make([]directory.Membership, 0, 8)
		for _, m := range sub.Memberships {
			if c.relevant[m.Group] {
				small.Memberships = append(small.Memberships, directory.Membership{Group: m.Group})
			}
		}
		sub = &small
	}
	c.key = classKey(c.key[:0], sub)
	if v := c.classes[string(c.key)]; v != nil {
		return v
	}
	if len(c.classes) >= maxClasses {
		c.settleAll()
	}
	v := c.work(sub, sub)
	c.classes[string(c.key)] = v
	return v
}

// grantedAlone reports whether an own grant begins or ends with its project.
// Whatever it gives may be held by other ways too, through whatever group.
func (c *Comparison) grantedAlone(sub *directory.Subject) bool {
	return slices.ContainsFunc(sub.Grants, func(g directory.Grant) bool { return c.lone[g.Project] })
}

// classKey is all of a subject that decisions depend on.
func classKey(key []byte, sub *directory.Subject) []byte {
	text := func(s string) {
		key = binary.AppendUvarint(key, uint64(len(s)))
		key = append(key, s...)
	}
	flags := byte(sub.Found)
	for i, set := range []bool{sub.Blocked, sub.Inactive, sub.Type == directory.Service} {
		if set {
			flags |= 16 << i
		}
	}
	key = append(key, flags)
	key = binary.AppendUvarint(key, uint64(len(sub.Sources)))
	for _, s := range sub.Sources {
		text(string(s))
	}
	key = binary.AppendUvarint(key, uint64(len(sub.Memberships)))
	for _, m := range sub.Memberships {
		num := uint64(m.Group) << 1
		if m.Local {
			num |= 1
		}
		key = binary.AppendUvarint(key, num)
	}
	key = binary.AppendUvarint(key, uint64(len(sub.Overrides)))
	for _, p := range sub.Overrides {
		text(string(p))
	}
	for _, g := range sub.Grants {
		text(string(g.Project))
		text(string(g.Role))
		text(string(g.Privilege.Kind))
		text(g.Privilege.Key)
		key = append(key, byte(g.Privilege.Level))
	}
	return key
}

// work compares what a person holds.
func (c *Comparison) work(before, after *directory.Subject) *verdict {
	projects := c.after.limited(after, c.before.limited(before, nil))
	was, is := c.before.stock(before, projects), c.after.stock(after, projects)
	v := &verdict{was: c.before.seats(before, was), is: c.after.seats(after, is)}
	gained, lost := c.added(was.base, is.base), c.added(is.base, was.base)
	d := differ{c: c, before: before, after: after, was: was, is: is, v: v}
	d.take("", gained, lost)
	for _, p := range projects {
		pw, pi := was.of(p), is.of(p)
		d.take(p, minus(c.added(pw, pi), gained), minus(c.added(pi, pw), lost))
	}
	return v
}

// of is what is held in checks of a project.
func (s stock) of(p directory.ProjectKey) privBits {
	if in, ok := s.in[p]; ok {
		return in
	}
	return s.base
}

// added is what a second stock has and the first has not.
func (c *Comparison) added(was, is privBits) (more privBits) {
	for n := range minus(is, was).from(1) {
		if !c.lex.without(n, was, is) {
			more.add(n)
		}
	}
	return more
}

func minus(a, b privBits) privBits {
	out := slices.Clone(a)
	for i := range min(len(a), len(b)) {
		out[i] &^= b[i]
	}
	return out
}

// differ writes down what one person gains and loses, and why.
type differ struct {
	c             *Comparison
	before, after *directory.Subject
	was, is       stock
	v             *verdict
}

func (d *differ) take(project directory.ProjectKey, gained, lost privBits) {
	d.v.gains, d.v.whyGains = d.spell(d.v.gains, d.v.whyGains, project, gained, d.whyGained)
	d.v.loses, d.v.whyLoses = d.spell(d.v.loses, d.v.whyLoses, project, lost, d.whyLost)
}

func (d *differ) spell(list []Holding, whys []Cause, project directory.ProjectKey, set privBits, why func(Holding) Cause) ([]Holding, []Cause) {
	first := len(list)
	for n := range set.from(1) {
		h := d.c.lex.list[n]
		h.Project = project
		list = append(list, h)
	}
	slices.SortFunc(list[first:], compareHoldings)
	for _, h := range list[first:] {
		whys = append(whys, why(h))
	}
	return list, whys
}
