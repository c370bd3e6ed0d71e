package authz

import (
	"cmp"
	"iter"
	"math/bits"
	"slices"

	"github.com/usherd/usherd/directory"
)

// Permissions are everything that a subject may do, in one check's scope. A list
// without anything in it is empty, never nil: whoever reads the JSON may count on
// an array.
type Permissions struct {
	User    directory.UserID     `json:"user,omitempty"`
	Project directory.ProjectKey `json:"project,omitempty"`

	// Code is granted, or says why the subject has nothing at all.
	Code Code `json:"code"`

	Access      []string             `json:"access"`      // features in the order of the catalogue: the home page
	Role        []string             `json:"role"`        // "feature:action" in that order, then "type:id:action"
	Output      []string             `json:"output"`      // in the order of the catalogue
	Integration []Connection         `json:"integration"` // in the order of the catalogue, above none
	Rights      []directory.Right    `json:"rights"`      // in the order of the documentation
	Roles       []directory.RoleName `json:"roles"`       // given by a path that counts, by name
	DefaultRole directory.RoleName   `json:"defaultRole,omitempty"`
}

// A Connection is the highest level on an integration.
type Connection struct {
	Key   string          `json:"key"`
	Level directory.Level `json:"level"`
}

// Permissions lists everything that a subject may do in checks that name the
// project, or none if it is empty.
func (s *Snapshot) Permissions(subject *directory.Subject, project directory.ProjectKey) Permissions {
	p := s.permissions(subject, project)
	if p.Code == Granted {
		p.Roles = append(p.Roles, s.RolesOf(subject, project)...)
		if r := s.cat.defaultRole; r != nil && s.hasDefaultRole(subject) {
			p.DefaultRole = r.Name
		}
	}
	return p
}

// permissions is Permissions without the names of Roles.
func (s *Snapshot) permissions(subject *directory.Subject, project directory.ProjectKey) Permissions {
	p := Permissions{
		User: subject.ID, Project: project, Code: s.standing(subject, SubjectUser),
		Access: []string{}, Role: []string{}, Output: []string{}, Integration: []Connection{}, Rights: []directory.Right{}, Roles: []directory.RoleName{},
	}
	a := ask{scope: s.cat.scope(project), project: project}
	if p.Code == Granted && a.scope == nowhere {
		p.Code = UnknownProject
	}
	if p.Code != Granted {
		return p
	}
	l := &lister{s: s, subject: subject, a: &a, things: s.things.edit()}
	l.candidates()
	l.features(&p)
	for _, o := range s.cat.facts.Policy.Outputs {
		l.output(&p, s.cat.outputs[o.Key])
	}
	l.integrations(&p)
	for _, right := range slices.Concat(directory.OrganizationRights, directory.ProjectRights) {
		if l.may.has(rightID(right)) && l.counts(wantRight(right)) {
			p.Rights = append(p.Rights, right)
		}
	}
	return p
}

// Has decides whether a subject holds a right in checks that name the project,
// or none if it is empty. It is how administration asks; the codes are those of
// any decision.
func (s *Snapshot) Has(subject *directory.Subject, right directory.Right, project directory.ProjectKey) Decision {
	if s == nil || subject == nil {
		return Decision{}
	}
	if code := s.standing(subject, SubjectUser); code != Granted {
		return decided(code)
	}
	a := ask{scope: s.cat.scope(project), project: project}
	w := wantRight(right)
	switch {
	case w.ids[0] == 0:
		return decided(UnknownAction)
	case a.scope == nowhere:
		return decided(UnknownProject)
	}
	return decided(s.judge(subject, &a, &w))
}

// lister asks for everything that may count.
type lister struct {
	s       *Snapshot
	subject *directory.Subject
	a       *ask
	things  *thingsEdit
	may     privBits // what some path ends in
}

func (l *lister) counts(w want) bool { return l.s.counts(l.subject, l.a, &w) }

// candidates gathers what some path ends in, whatever the obstacle.
func (l *lister) candidates() {
	for _, m := range l.subject.Memberships {
		if g := l.s.groups.get(uint32(m.Group)); g != nil {
			l.may.union(&g.raw)
		}
	}
	for i := range l.subject.Grants {
		g := &l.subject.Grants[i]
		if r := l.s.cat.roles[g.Role]; r != nil {
			l.may.addAll(r.ids)
		} else if g.Role == "" {
			l.may.addAll(l.s.cat.appendPrivilege(nil, g.Privilege, l.things))
		}
	}
	if r := l.s.cat.defaultRole; r != nil {
		l.may.addAll(r.ids)
	}
}

func (l *lister) features(p *Permissions) {
	cat := l.s.cat
	for i := range cat.facts.Policy.Features {
		f := cat.features[cat.facts.Policy.Features[i].Key]
		if !l.may.has(f.access) || !l.counts(want{kind: directory.Access, id: f.key, ids: [3]privID{f.access}}) {
			continue
		}
		p.Access = append(p.Access, f.key)
		for _, v := range f.actions {
			w := want{kind: directory.RolePrivilege, typ: TypeFeature, id: f.key, action: v.name, ids: [3]privID{v.id}}
			if l.may.has(v.id) && l.counts(w) {
				p.Role = append(p.Role, f.key+":"+v.name)
			}
		}
	}
	var things []string
	for i := range cat.facts.Policy.Resources {
		typ := cat.facts.Policy.Resources[i].Type
		for _, v := range cat.types[typ] {
			if l.may.has(v.id) && l.counts(want{kind: directory.RolePrivilege, typ: typ, id: Every, action: v.name, ids: [3]privID{v.id}}) {
				things = append(things, typ+":"+Every+":"+v.name)
			}
		}
	}
	for id := range l.may.from(cat.end) {
		if t := l.things.name(id); t != nil {
			on := cat.verbs[t.verb]
			w := want{kind: directory.RolePrivilege, typ: on.typ, id: t.id, action: on.action, ids: [3]privID{id}}
			if !slices.Contains(things, on.typ+":"+Every+":"+on.action) && l.counts(w) {
				things = append(things, on.typ+":"+t.id+":"+on.action)
			}
		}
	}
	slices.Sort(things)
	p.Role = append(p.Role, things...)
}

// from yields the members that are not below first.
func (b privBits) from(first privID) iter.Seq[privID] {
	return func(yield func(privID) bool) {
		for i := int(first >> 6); i < len(b); i++ {
			for word := b[i]; word != 0; word &= word - 1 {
				id := privID(i*64 + bits.TrailingZeros64(word))
				if id >= first && !yield(id) {
					return
				}
			}
		}
	}
}

func (l *lister) output(p *Permissions, o *output) {
	if !l.may.has(o.id) || o.broken || !l.counts(want{kind: directory.OutputPrivilege, id: o.key, ids: [3]privID{o.id}}) {
		return
	}
	if f := o.feature; f == nil || slices.Contains(p.Access, f.key) {
		p.Output = append(p.Output, o.key)
	}
}

func (l *lister) integrations(p *Permissions) {
	for _, i := range l.s.cat.facts.Policy.Integrations {
		first := l.s.cat.integrations[i.Key]
		for level := directory.Admin; level > directory.NoLevel; level-- {
			w := wantLevel(i.Key, first, level)
			if slices.ContainsFunc(w.ids[:], l.may.has) && l.counts(w) {
				p.Integration = append(p.Integration, Connection{i.Key, level})
				break
			}
		}
	}
}

// RolesOf lists, by name, the Roles that a path that counts gives the subject
// in checks that name the project, or none if it is empty. The default Role is
// not among them.
func (s *Snapshot) RolesOf(subject *directory.Subject, project directory.ProjectKey) []directory.RoleName {
	a := ask{scope: s.cat.scope(project), project: project}
	held := map[directory.RoleName]bool{}
	for i := range subject.Grants {
		if g := &subject.Grants[i]; (g.Project == "" || g.Project == project) && s.cat.roles[g.Role] != nil {
			held[g.Role] = true
		}
	}
	for _, m := range subject.Memberships {
		c := &climber{s: s, w: &want{ids: [3]privID{anyRole}}, seen: map[place]bool{}}
		c.climb(m.Group, func(c *climber, at int) {
			for given := range c.group(at).roles(s.cat) {
				b := given.gift
				if s.obstacleOf(subject, &a, m, c.steps[at].place, &b) == Granted {
					held[given.name] = true
				}
			}
		})
	}
	names := make([]directory.RoleName, 0, len(held))
	for name := range held {
		names = append(names, name)
	}
	slices.SortFunc(names, cmp.Compare)
	return names
}

// givenRole is a Role that a grant or a mapping gives to a group.
type givenRole struct {
	gift
	name directory.RoleName
}

// roles yields the Roles that are given to the group itself.
func (g *group) roles(cat *catalogue) iter.Seq[givenRole] {
	return func(yield func(givenRole) bool) {
		for i := range g.facts.Grants {
			grant := &g.facts.Grants[i]
			b := gift{scope: cat.scope(grant.Project), project: grant.Project, grant: grant, role: cat.roles[grant.Role]}
			if b.role != nil && !yield(givenRole{b, grant.Role}) {
				return
			}
		}
		for _, m := range g.mappings {
			for _, give := range m.gives {
				for _, name := range give.set.Roles {
					b := gift{scope: give.scope, project: give.set.Project, mapped: m, role: cat.roles[name]}
					if b.role != nil && !yield(givenRole{b, name}) {
						return
					}
				}
			}
		}
	}
}
