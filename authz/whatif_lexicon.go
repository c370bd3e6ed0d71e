package authz

import (
	"slices"

	"github.com/usherd/usherd/directory"
)

// lexicon numbers everything that can be held, from 1 up, the same for both
// sides of a comparison. Projects are not part of it.
type lexicon struct {
	numbers map[Holding]privID
	list    []Holding
	star    map[privID]privID // an action on one thing → the same on every thing
}

func newLexicon() *lexicon {
	return &lexicon{map[Holding]privID{}, make([]Holding, 1), map[privID]privID{}}
}

func (l *lexicon) number(h Holding) privID {
	n, ok := l.numbers[h]
	if !ok {
		n = privID(len(l.list))
		l.numbers[h], l.list = n, append(l.list, h)
	}
	return n
}

func (l *lexicon) privilege(kind directory.PrivilegeKind, key string, level directory.Level) privID {
	return l.number(Holding{Privilege: directory.Privilege{Kind: kind, Key: key, Level: level}})
}

// without drops actions on single things where the same on every thing is in
// either set: gaining or losing that says it all.
func (l *lexicon) without(n privID, was, is privBits) bool {
	star := l.star[n]
	return star != 0 && (was.has(star) || is.has(star))
}

// A side is a snapshot as one side of a comparison.
type side struct {
	*Snapshot
	lex      *lexicon
	terms    []term
	billable []privID // access to features that cost something, by the lexicon
	things   *thingsEdit
	single   map[privID]privID // things → lexicon
}

// A term says when something of the lexicon is held: one of any counts, and
// with too, unless it is 0.
type term struct {
	number privID
	any    [3]privID
	with   privID
}

func newSide(s *Snapshot, lex *lexicon) side {
	x := side{Snapshot: s, lex: lex, things: s.things.edit(), single: map[privID]privID{}}
	p := &s.cat.facts.Policy
	for i := range p.Features {
		f := s.cat.features[p.Features[i].Key]
		access := lex.privilege(directory.Access, f.key, 0)
		x.term(access, 0, f.access)
		if p.Features[i].Seat != nil {
			x.billable = append(x.billable, access)
		}
		for _, v := range f.actions {
			x.term(lex.privilege(directory.RolePrivilege, f.key+":"+v.name, 0), f.access, v.id)
		}
	}
	for i := range p.Outputs {
		o := s.cat.outputs[p.Outputs[i].Key]
		switch n := lex.privilege(directory.OutputPrivilege, o.key, 0); {
		case o.broken: // access to what does not exist never counts
		case o.feature != nil:
			x.term(n, o.feature.access, o.id)
		default:
			x.term(n, 0, o.id)
		}
	}
	for i := range p.Integrations {
		key := p.Integrations[i].Key
		for level := directory.Viewer; level <= directory.Admin; level++ {
			w := wantLevel(key, s.cat.integrations[key], level)
			x.term(lex.privilege(directory.IntegrationLevel, key, level), 0, w.ids[:]...)
		}
	}
	for i := range p.Resources {
		for _, v := range s.cat.types[p.Resources[i].Type] {
			x.term(lex.privilege(directory.RolePrivilege, p.Resources[i].Type+":"+Every+":"+v.name, 0), 0, v.id)
		}
	}
	for _, r := range slices.Concat(directory.OrganizationRights, directory.ProjectRights) {
		x.term(lex.number(Holding{Right: r}), 0, rightID(r))
	}
	return x
}

func (x *side) term(number, with privID, ids ...privID) {
	t := term{number: number, with: with}
	copy(t.any[:], ids)
	x.terms = append(x.terms, t)
}

// holds turns what counts, by the snapshot's numbers, into what is held.
func (x *side) holds(counts privBits) (held privBits) {
	for i := range x.terms {
		t := &x.terms[i]
		if (counts.has(t.any[0]) || counts.has(t.any[1]) || counts.has(t.any[2])) && (t.with == 0 || counts.has(t.with)) {
			held.add(t.number)
		}
	}
	for p := range counts.from(x.cat.end) {
		held.add(x.thing(p))
	}
	return held
}

// thing is an action on one thing in the lexicon; 0 for none.
func (x *side) thing(p privID) privID {
	n, known := x.single[p]
	if known {
		return n
	}
	if t := x.things.name(p); t != nil {
		on := x.cat.verbs[t.verb]
		n = x.lex.privilege(directory.RolePrivilege, on.typ+":"+t.id+":"+on.action, 0)
		x.lex.star[n] = x.lex.privilege(directory.RolePrivilege, on.typ+":"+Every+":"+on.action, 0)
	}
	x.single[p] = n
	return n
}

// everywhere gathers what counts in every check. The subject may hold
// something.
func (x *side) everywhere(sub *directory.Subject) (counts privBits) {
	orgHidden, _ := hidden(sub, "")
	for i := range sub.Memberships {
		m := &sub.Memberships[i]
		if g := x.groups.get(uint32(m.Group)); g != nil && (m.Local || !orgHidden) {
			counts.union(&g.org)
		}
	}
	for i := range sub.Grants {
		if sub.Grants[i].Project == "" {
			x.own(&sub.Grants[i], &counts)
		}
	}
	if r := x.cat.defaultRole; r != nil && x.hasDefaultRole(sub) {
		counts.union(&r.org)
	}
	return counts
}

// own adds what an own grant gives.
func (x *side) own(g *directory.Grant, counts *privBits) {
	r := x.cat.roles[g.Role]
	switch {
	case g.Role == "":
		counts.addAll(x.cat.appendPrivilege(nil, g.Privilege, x.things))
	case r == nil:
	case g.Project == "":
		counts.union(&r.org)
	default:
		counts.union(&r.inProject)
	}
}

// inside adds to what counts in every check what counts besides in checks of a
// project. A project that is not in the catalogue adds nothing.
func (x *side) inside(sub *directory.Subject, project directory.ProjectKey, everywhere privBits) privBits {
	scope := x.cat.scope(project)
	counts := slices.Clone(everywhere)
	if scope == nowhere {
		return counts
	}
	_, inHidden := hidden(sub, project)
	for i := range sub.Memberships {
		m := &sub.Memberships[i]
		g := x.groups.get(uint32(m.Group))
		if g == nil || inHidden && (!m.Local || g.scope == organization) {
			continue
		}
		if in := g.within(scope); in != nil {
			counts.union(in)
		}
	}
	for i := range sub.Grants {
		if sub.Grants[i].Project == project {
			x.own(&sub.Grants[i], &counts)
		}
	}
	return counts
}

// limited lists the projects that a path of the subject is limited to.
func (x *side) limited(sub *directory.Subject, list []directory.ProjectKey) []directory.ProjectKey {
	add := func(key directory.ProjectKey) {
		if key != "" && !slices.Contains(list, key) {
			list = append(list, key)
		}
	}
	for i := range sub.Memberships {
		if g := x.groups.get(uint32(sub.Memberships[i].Group)); g != nil {
			for j := range g.in {
				add(x.cat.project(g.in[j].scope))
			}
		}
	}
	for i := range sub.Grants {
		add(sub.Grants[i].Project)
	}
	return list
}

// pathwise reports whether the sets of groups are not enough to judge a subject:
// see verify.
func (x *side) pathwise(sub *directory.Subject) bool {
	return slices.Contains(sub.Overrides, "") && slices.ContainsFunc(sub.Memberships, func(m directory.Membership) bool {
		g := x.groups.get(uint32(m.Group))
		return g != nil && g.knotted
	})
}

// listed is what Permissions lists, in the lexicon.
func (x *side) listed(sub *directory.Subject, project directory.ProjectKey) (held privBits) {
	if x.cat.scope(project) == nowhere {
		project = ""
	}
	p := x.permissions(sub, project)
	for _, key := range p.Access {
		held.add(x.lex.privilege(directory.Access, key, 0))
	}
	for _, key := range p.Role {
		n := x.lex.privilege(directory.RolePrivilege, key, 0)
		if typ, id, action, _ := directory.SplitRoleKey(key); typ != TypeFeature && id != Every {
			x.lex.star[n] = x.lex.privilege(directory.RolePrivilege, typ+":"+Every+":"+action, 0)
		}
		held.add(n)
	}
	for _, key := range p.Output {
		held.add(x.lex.privilege(directory.OutputPrivilege, key, 0))
	}
	for _, i := range p.Integration {
		for l := directory.Viewer; l <= i.Level; l++ {
			held.add(x.lex.privilege(directory.IntegrationLevel, i.Key, l))
		}
	}
	for _, r := range p.Rights {
		held.add(x.lex.number(Holding{Right: r}))
	}
	return held
}

// A stock is what one subject holds.
type stock struct {
	base privBits                          // in every check
	in   map[directory.ProjectKey]privBits // and besides, in checks of these projects; the base is part of each
}

// stock works out what a subject holds in every check and in some projects.
func (x *side) stock(sub *directory.Subject, projects []directory.ProjectKey) stock {
	out := stock{in: make(map[directory.ProjectKey]privBits, len(projects))}
	switch {
	case x.standing(sub, SubjectUser) != Granted:
	case x.pathwise(sub):
		out.base = x.listed(sub, "")
		for _, p := range projects {
			out.in[p] = x.listed(sub, p)
		}
	default:
		counts := x.everywhere(sub)
		out.base = x.holds(counts)
		for _, p := range projects {
			out.in[p] = x.holds(x.inside(sub, p, counts))
		}
	}
	return out
}

// seats lists the features for which a subject takes a seat: access by any path,
// in whatever scope.
func (x *side) seats(sub *directory.Subject, s stock) (list []privID) {
	if sub.Type != directory.Standard {
		return nil
	}
	for _, n := range x.billable {
		has := s.base.has(n)
		for _, in := range s.in {
			has = has || in.has(n)
		}
		if has {
			list = append(list, n)
		}
	}
	return list
}
