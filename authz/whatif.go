package authz

import (
	"reflect"
	"slices"

	"github.com/usherd/usherd/directory"
)

// A Comparison tells what a change of policy, groups and people does to people.
// [Compare] finds out what may differ at all, from groups and policy alone;
// [Comparison.People] is whom that can touch. These are then added one by one,
// and [Comparison.Difference] is the sum.
//
// What it costs grows with who is touched. People who have the same memberships
// in the groups that matter, and the same own grants, are worked out once.
//
// A Comparison is used by one goroutine.
type Comparison struct {
	before, after side
	lex           *lexicon
	who           directory.People
	relevant      map[directory.GroupNum]bool   // groups that can make a difference
	lone          map[directory.ProjectKey]bool // projects of one side only: own grants there begin or end
	whole         bool                          // every group is looked at, so that seats are counted in full
	classes       map[string]*verdict
	key           []byte

	tally
}

// Compare compares two snapshots. Either may be that of an Update of the other,
// or have been compiled by itself.
func Compare(before, after *Snapshot) *Comparison {
	lex := newLexicon()
	c := &Comparison{
		before: newSide(before, lex), after: newSide(after, lex), lex: lex,
		relevant: map[directory.GroupNum]bool{}, lone: map[directory.ProjectKey]bool{}, classes: map[string]*verdict{}, tally: newTally(),
	}
	d := delta{c: c, shared: sameCatalogue(before, after)}
	d.number()
	d.policy()
	d.groups()
	d.relate()
	slices.Sort(c.who.Groups)
	return c
}

// sameCatalogue reports whether privileges have the same numbers in both
// because one is made from the other.
func sameCatalogue(a, b *Snapshot) bool {
	return reflect.ValueOf(a.cat.roles).UnsafePointer() == reflect.ValueOf(b.cat.roles).UnsafePointer()
}

// People selects everybody for whom a decision may differ although what is known
// of them stays as it is. Who changes besides is known to the caller.
func (c *Comparison) People() directory.People { return c.who }

// Alters reports whether the two snapshots may decide differently at all.
func (c *Comparison) Alters() bool {
	p := c.who
	return len(p.Groups)+len(p.Sources) > 0 || p.Granted || p.Overridden || p.Everyone
}

// delta finds out what differs between two snapshots.
type delta struct {
	c             *Comparison
	shared        bool     // numbers mean the same on both sides
	to, from      []privID // the catalogue's numbers on the other side; 0: none, or it means something else there
	before, after privBits // what differs, by the numbers of each side
}

// number relates the numbers of the two catalogues.
func (d *delta) number() {
	if d.shared {
		return
	}
	a, b := d.c.before.cat, d.c.after.cat
	d.to, d.from = make([]privID, a.end), make([]privID, b.end)
	pair := func(p, q privID) { d.to[p], d.from[q] = q, p }
	sameKeys := len(a.integrations) == len(b.integrations)
	for key, first := range a.integrations {
		other, ok := b.integrations[key]
		if sameKeys = sameKeys && ok; ok {
			for l := range privID(directory.Admin) {
				pair(first+l, other+l)
			}
		}
	}
	for p := privID(1); p < firstNamed; p++ {
		onAll := p > firstReach && p < endOrgOnly || p > firstEvery
		if !onAll || sameKeys { // "on every connection" means more or fewer connections
			pair(p, p)
		}
	}
	for key, f := range a.features {
		if g := b.features[key]; g != nil {
			pair(f.access, g.access)
			pairVerbs(f.actions, g.actions, pair)
		}
	}
	for key, o := range a.outputs {
		if p := b.outputs[key]; p != nil && o.broken == p.broken && o.tie() == p.tie() {
			pair(o.id, p.id)
		}
	}
	for typ, verbs := range a.types {
		pairVerbs(verbs, b.types[typ], pair)
	}
}

func pairVerbs(a, b []verb, pair func(p, q privID)) {
	for _, v := range a {
		if w, ok := findVerb(b, v.name); ok {
			pair(v.id, w.id)
		}
	}
}

// tie is the key of the feature that an output belongs to.
func (o *output) tie() string {
	if o.feature == nil {
		return ""
	}
	return o.feature.key
}

// across is a number of one side in the numbers of the other; 0 is none.
func (d *delta) across(from, to *side, table []privID, p privID) privID {
	if d.shared {
		return p
	}
	if int(p) < len(table) {
		return table[p]
	}
	t := from.things.name(p)
	if t == nil {
		return 0
	}
	on := from.cat.verbs[t.verb]
	v, ok := findVerb(to.cat.types[on.typ], on.action)
	if !ok {
		return 0
	}
	return to.Snapshot.things.find(thing{v.number, t.id})
}

func (d *delta) there(p privID) privID { return d.across(&d.c.before, &d.c.after, d.to, p) }
func (d *delta) back(q privID) privID  { return d.across(&d.c.after, &d.c.before, d.from, q) }

// compare notes in what two sets differ, and whether they do.
func (d *delta) compare(a, b *set[privID]) (differ bool) {
	if d.shared && a.equal(b) {
		return false
	}
	for p := range a.all() {
		if q := d.there(p); q == 0 || !b.has(q) {
			d.before.add(p)
			d.after.add(q)
			differ = true
		}
	}
	for q := range b.all() {
		if p := d.back(q); p == 0 || !a.has(p) {
			d.before.add(p)
			d.after.add(q)
			differ = true
		}
	}
	return differ
}

// policy finds what differs apart from groups.
func (d *delta) policy() {
	if d.shared {
		return
	}
	c, a, b := d.c, d.c.before.cat, d.c.after.cat
	for _, source := range slices.Concat(a.counting, b.counting) {
		if a.counts(source) != b.counts(source) && !slices.Contains(c.who.Sources, source) {
			c.who.Sources = append(c.who.Sources, source)
		}
	}
	none := &role{}
	for name, r := range a.roles {
		other := b.roles[name]
		if other == nil {
			other = none
		}
		c.who.Granted = d.compare(&r.org, &other.org) || c.who.Granted
	}
	for name, r := range b.roles {
		if a.roles[name] == nil {
			c.who.Granted = d.compare(&none.org, &r.org) || c.who.Granted
		}
	}
	d.unpaired()
	before, after := a.defaultRole, b.defaultRole
	if before == nil {
		before = none
	}
	if after == nil {
		after = none
	}
	c.who.Everyone = d.compare(&before.org, &after.org)
}

// unpaired notes what only one of the catalogues has. Own grants may name it.
func (d *delta) unpaired() {
	a, b := d.c.before.cat, d.c.after.cat
	for p := privID(1); p < a.end; p++ {
		if d.to[p] == 0 {
			d.before.add(p)
			d.c.who.Granted = true
		}
	}
	for q := privID(1); q < b.end; q++ {
		if d.from[q] == 0 {
			d.after.add(q)
			d.c.who.Granted = true
		}
	}
	for key := range a.projects {
		if b.projects[key] == 0 {
			d.c.lone[key] = true
		}
	}
	for key := range b.projects {
		if a.projects[key] == 0 {
			d.c.lone[key] = true
		}
	}
	d.c.who.Granted = d.c.who.Granted || len(d.c.lone) > 0
}

// groups finds the groups through which people get something else.
func (d *delta) groups() {
	c := d.c
	before, after := &c.before.groups, &c.after.groups
	for i := range max(len(before.pages), len(after.pages)) {
		if d.shared && i < len(before.pages) && i < len(after.pages) && before.pages[i] == after.pages[i] {
			continue
		}
		for num := uint32(i) * pageSize; num < uint32(i+1)*pageSize; num++ {
			a, b := before.get(num), after.get(num)
			if a == b && d.shared {
				continue
			}
			// A path is looked at by itself only where groups are nested in a
			// circle and an override hides; see verify.
			c.who.Overridden = c.who.Overridden || a != nil && a.knotted || b != nil && b.knotted
			if d.group(a, b) {
				c.who.Groups = append(c.who.Groups, directory.GroupNum(num))
				c.relevant[directory.GroupNum(num)] = true
			}
		}
	}
}

// group compares what a group gives; nil gives nothing.
func (d *delta) group(a, b *group) (differ bool) {
	none := &group{}
	if a == nil {
		a = none
	}
	if b == nil {
		b = none
	}
	before, after := d.c.before.cat, d.c.after.cat
	differ = d.compare(&a.org, &b.org)
	for i := range a.in {
		other := b.within(after.scope(before.project(a.in[i].scope)))
		if other == nil {
			other = &none.org
		}
		differ = d.compare(&a.in[i].set, other) || differ
	}
	for i := range b.in {
		if a.within(before.scope(after.project(b.in[i].scope))) == nil {
			differ = d.compare(&none.org, &b.in[i].set) || differ
		}
	}
	// In which project a group is decides what an override hides.
	if a != none && b != none && before.project(a.scope) != after.project(b.scope) {
		d.c.who.Overridden = true
	}
	return differ
}

// project is the way back from a scope; empty for none.
func (c *catalogue) project(s scopeID) directory.ProjectKey {
	if s == organization || int(s) > len(c.facts.Policy.Projects) {
		return ""
	}
	return c.facts.Policy.Projects[s-1].Key
}

// relate finds the groups without which what differs can't be judged.
func (d *delta) relate() {
	defaults := d.c.before.cat.defaultRole != nil || d.c.after.cat.defaultRole != nil
	d.c.before.relate(d.before, defaults, d.c.relevant)
	d.c.after.relate(d.after, defaults, d.c.relevant)
}

// relate adds the groups that give something of what differs, or something that
// it depends on: access, the same by another way, what keeps the default Role
// away.
func (x *side) relate(differs privBits, defaults bool, groups map[directory.GroupNum]bool) {
	if differs.empty() {
		return
	}
	cat, all := x.cat, slices.Clone(differs)
	if r := cat.defaultRole; r != nil && differs.has(anyRole) {
		all.addAll(r.ids)
	}
	if defaults {
		all.add(anyRole)
	}
	d := slices.Clone(all)
	for _, f := range cat.features {
		if d.has(f.access) || slices.ContainsFunc(f.actions, func(v verb) bool { return d.has(v.id) }) {
			all.add(f.access)
			for _, v := range f.actions {
				all.add(v.id)
			}
		}
	}
	for _, o := range cat.outputs {
		if f := o.feature; f != nil && (d.has(o.id) || d.has(f.access)) {
			all.add(o.id)
			all.add(f.access)
		}
	}
	x.relateLevels(d, &all)
	for num, t := range x.Snapshot.things.names.all() {
		if t == nil {
			continue
		}
		on := cat.verbs[t.verb]
		if v, ok := findVerb(cat.types[on.typ], on.action); ok && (d.has(v.id) || d.has(privID(num))) {
			all.add(v.id)
			all.add(privID(num))
		}
	}
	for p := range all.from(1) {
		if r := x.index.get(uint32(p)); r != nil {
			for num := range r.raw.all() {
				groups[num] = true
			}
		}
	}
}

// relateLevels does so for connections.
func (x *side) relateLevels(d privBits, all *privBits) {
	onAll := false
	for l := directory.Viewer; l <= directory.Admin; l++ {
		onAll = onAll || d.has(firstReach+privID(l)) || d.has(firstEvery+privID(l))
	}
	for _, first := range x.cat.integrations {
		if onAll || d.has(first) || d.has(first+1) || d.has(first+2) {
			for l := directory.Viewer; l <= directory.Admin; l++ {
				all.add(first + privID(l-directory.Viewer))
				all.add(firstReach + privID(l))
				all.add(firstEvery + privID(l))
			}
		}
	}
}
