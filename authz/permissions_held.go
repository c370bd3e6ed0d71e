package authz

import (
	"cmp"
	"slices"

	"github.com/usherd/usherd/directory"
)

// A Held is one thing that a subject may do or has the right to.
type Held struct {
	Project   directory.ProjectKey `json:"project,omitempty"` // empty: in every check
	Privilege directory.Privilege  `json:"privilege,omitzero"`
	Right     directory.Right      `json:"right,omitempty"`
	Own       bool                 `json:"own,omitempty"` // an own grant is among the ways
	Via       []Path               `json:"via,omitempty"` // the ways that count, the winning one first
	More      bool                 `json:"more,omitempty"`
}

// String names what is held: "access part-list in project alpha".
func (h *Held) String() string {
	text := "the right " + string(h.Right)
	if h.Right == "" {
		text = h.Privilege.String()
		if h.Privilege.Kind == directory.IntegrationLevel {
			text = h.Privilege.Level.String() + " on " + h.Privilege.Key
		}
	}
	if h.Project != "" {
		text += " in project " + string(h.Project)
	}
	return text
}

// Held lists what [Snapshot.Permissions] lists, a row each: privileges by kind,
// then rights; of a connection the highest level. With ways above 0 each row
// has so many of its paths.
func (s *Snapshot) Held(subject *directory.Subject, project directory.ProjectKey, ways int) []Held {
	p := s.permissions(subject, project)
	out := p.rows()
	if ways > 0 {
		a := ask{scope: s.cat.scope(project), project: project}
		for i := range out {
			s.addWays(subject, &a, &out[i], ways)
		}
	}
	return out
}

// HeldAnywhere lists what a subject may do in every check, and then what is
// more in checks of each project, by project.
func (s *Snapshot) HeldAnywhere(subject *directory.Subject, ways int) []Held {
	out := s.Held(subject, "", ways)
	everywhere := len(out)
	for _, p := range s.cat.facts.Policy.Projects {
		if !s.limited(subject, p.Key) {
			continue
		}
		for _, h := range s.Held(subject, p.Key, 0) {
			if slices.ContainsFunc(out[:everywhere], func(o Held) bool {
				return h.Privilege == o.Privilege && h.Right == o.Right
			}) {
				continue
			}
			h.Project = p.Key
			if ways > 0 {
				s.addWays(subject, &ask{scope: s.cat.scope(p.Key), project: p.Key}, &h, ways)
			}
			out = append(out, h)
		}
	}
	return out
}

// rows are the privileges and rights, one by one.
func (p *Permissions) rows() []Held {
	out := make([]Held, 0, len(p.Access)+len(p.Role)+len(p.Output)+len(p.Integration)+len(p.Rights))
	add := func(kind directory.PrivilegeKind, keys []string) {
		for _, key := range keys {
			out = append(out, Held{Privilege: directory.Privilege{Kind: kind, Key: key}})
		}
	}
	add(directory.Access, p.Access)
	add(directory.RolePrivilege, p.Role)
	add(directory.OutputPrivilege, p.Output)
	for _, c := range p.Integration {
		out = append(out, Held{Privilege: directory.Privilege{Kind: directory.IntegrationLevel, Key: c.Key, Level: c.Level}})
	}
	for _, r := range p.Rights {
		out = append(out, Held{Right: r})
	}
	return out
}

// addWays adds to a row the paths by which it is held.
func (s *Snapshot) addWays(subject *directory.Subject, a *ask, h *Held, ways int) {
	w := s.wantOf(h.Privilege)
	if h.Right != "" {
		w = wantRight(h.Right)
	}
	part := s.explain(subject, a, &w)
	h.Own = slices.ContainsFunc(part.Paths, func(p Path) bool { return len(p.Groups) == 0 && !p.DefaultRole })
	h.Via, h.More = part.Paths, part.More
	if len(h.Via) > ways {
		h.Via, h.More = h.Via[:ways], true
	}
}

// wantOf asks for a privilege as it is named. It is nothing for one that the
// catalogue does not have.
func (s *Snapshot) wantOf(p directory.Privilege) want {
	switch p.Kind {
	case directory.Access:
		if f := s.cat.features[p.Key]; f != nil {
			return want{kind: p.Kind, id: f.key, ids: [3]privID{f.access}}
		}
	case directory.OutputPrivilege:
		if o := s.cat.outputs[p.Key]; o != nil {
			return want{kind: p.Kind, id: o.key, ids: [3]privID{o.id}}
		}
	case directory.IntegrationLevel:
		if first := s.cat.integrations[p.Key]; first != 0 && p.Level > directory.NoLevel {
			return wantLevel(p.Key, first, p.Level)
		}
	case directory.RolePrivilege:
		return s.wantOfRole(p.Key)
	}
	return want{}
}

func (s *Snapshot) wantOfRole(key string) want {
	typ, id, action, ok := directory.SplitRoleKey(key)
	if !ok {
		return want{}
	}
	w := want{kind: directory.RolePrivilege, typ: typ, id: id, action: action}
	if typ == TypeFeature {
		if f := s.cat.features[id]; f != nil {
			if v, ok := findVerb(f.actions, action); ok {
				w.ids[0] = v.id
				return w
			}
		}
		return want{}
	}
	v, ok := findVerb(s.cat.types[typ], action)
	switch {
	case !ok:
		return want{}
	case id == Every:
		w.ids[0] = v.id
	default:
		w.ids = [3]privID{v.id, s.things.find(thing{v.number, id})}
	}
	return w
}

// MemberOf is a made-up member of one group, who has what the group gives and
// nothing else: what a group has is what its member may do.
func MemberOf(group directory.GroupNum) *directory.Subject {
	return &directory.Subject{Found: directory.One, Memberships: []directory.Membership{{Group: group, Local: true}}}
}

// A RoleUse is one way in which a subject has a Role.
type RoleUse struct {
	Role    directory.RoleName   `json:"role"`
	Project directory.ProjectKey `json:"project,omitempty"` // empty: organization-wide
	Via     Path                 `json:"via"`
}

// RoleUses lists how a subject has Roles: for each Role and scope the shortest
// path that counts, by Role and then by project. The default Role is among them
// if it counts.
func (s *Snapshot) RoleUses(subject *directory.Subject) []RoleUse {
	if s.standing(subject, SubjectUser) != Granted {
		return nil
	}
	var out []RoleUse
	add := func(u RoleUse) {
		same := func(o RoleUse) bool { return o.Role == u.Role && o.Project == u.Project }
		if i := slices.IndexFunc(out, same); i < 0 {
			out = append(out, u)
		} else if len(u.Via.Groups) < len(out[i].Via.Groups) {
			out[i] = u
		}
	}
	w := want{ids: [3]privID{anyRole}}
	x := &explainer{s: s, subject: subject, a: &ask{}, w: &w}
	for i := range subject.Grants {
		g := &subject.Grants[i]
		if s.cat.roles[g.Role] != nil && s.cat.scope(g.Project) != nowhere {
			add(RoleUse{g.Role, g.Project, Path{Grant: g, Role: g.Role, Code: Granted}})
		}
	}
	if r := s.cat.defaultRole; r != nil && s.hasDefaultRole(subject) {
		add(RoleUse{Role: r.Name, Via: Path{DefaultRole: true, Role: r.Name, Code: Granted}})
	}
	for _, m := range subject.Memberships {
		s.climb(m.Group, &w, func(c *climber, at int) {
			for given := range c.group(at).roles(s.cat) {
				b := given.gift
				end := b.end(c.steps[at].scope)
				project, known := s.cat.projectOf(end)
				if a := (ask{scope: end, project: project}); known && s.obstacleOf(subject, &a, m, c.steps[at].place, &b) == Granted {
					path := x.through(c, at, m, &b, Granted)
					path.Privilege = nil // it is about the Role itself
					add(RoleUse{given.name, project, path})
				}
			}
		})
	}
	slices.SortFunc(out, func(a, b RoleUse) int {
		return cmp.Or(cmp.Compare(a.Role, b.Role), cmp.Compare(a.Project, b.Project))
	})
	return out
}

// projectOf is the key of a scope; known is false if that is nowhere.
func (c *catalogue) projectOf(scope scopeID) (key directory.ProjectKey, known bool) {
	if scope == organization {
		return "", true
	}
	for _, p := range c.facts.Policy.Projects {
		if c.projects[p.Key] == scope {
			return p.Key, true
		}
	}
	return "", false
}
