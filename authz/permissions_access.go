package authz

import (
	"slices"

	"github.com/usherd/usherd/directory"
)

// An Assignment is what a user or a group has on one connection in one scope,
// by their own assignment there and by everything else.
type Assignment struct {
	Here      *directory.Level `json:"here"`      // own assignment on this very connection in this scope; null if there is none
	Effective directory.Level  `json:"effective"` // the highest that counts
	Inherited directory.Level  `json:"inherited"` // what counts without the assignment, for an active user
	Via       []Path           `json:"via"`       // the ways to the effective level, the winning one first

	// Remove says that taking the assignment away leaves nothing; else Why says
	// where the rest comes from.
	Remove bool   `json:"remove"`
	Why    string `json:"why,omitempty"`
	// Reset says that there is an assignment to delete, Raises that it has an
	// effect: that it gives more than everything else does.
	Reset  bool `json:"reset"`
	Raises bool `json:"raises"`
}

// Shown reports whether there is anything to show.
func (a *Assignment) Shown() bool { return a.Here != nil || a.Effective > directory.NoLevel }

// AssignmentOf tells what a user has on a connection in checks of a project, or
// of none if it is empty.
func (s *Snapshot) AssignmentOf(subject *directory.Subject, key string, project directory.ProjectKey) Assignment {
	a := ask{scope: s.cat.scope(project), project: project}
	out := Assignment{Here: assigned(subject.Grants, key, project)}
	if s.cat.integrations[key] == 0 || a.scope == nowhere {
		return out
	}
	rest := *subject
	rest.Grants = slices.DeleteFunc(slices.Clone(subject.Grants), func(g directory.Grant) bool { return assigns(&g, key, project) })
	out.Inherited = s.levelOf(&rest, &a, key)
	if s.standing(subject, SubjectUser) == Granted {
		out.Effective = s.levelOf(subject, &a, key)
	}
	s.finish(&out, subject, &rest, &a, key)
	return out
}

// AssignmentOfGroup is AssignmentOf for the members of a group.
func (s *Snapshot) AssignmentOfGroup(num directory.GroupNum, key string, project directory.ProjectKey) Assignment {
	a := ask{scope: s.cat.scope(project), project: project}
	g := s.groups.get(uint32(num))
	if g == nil || s.cat.integrations[key] == 0 || a.scope == nowhere {
		return Assignment{}
	}
	out := Assignment{Here: assigned(g.facts.Grants, key, project)}
	member := MemberOf(num)
	out.Effective = s.levelOf(member, &a, key)
	var rest []Path
	w := s.wantOf(directory.Privilege{Kind: directory.IntegrationLevel, Key: key, Level: directory.Viewer})
	x := &explainer{s: s, subject: member, a: &a, w: &w}
	s.climb(num, &w, func(c *climber, at int) {
		for b := range s.gifts(c.group(at), &w) {
			if at == 0 && b.grant != nil && assigns(b.grant, key, project) {
				continue
			}
			if s.obstacleOf(member, &a, member.Memberships[0], c.steps[at].place, &b) == Granted {
				rest = append(rest, x.through(c, at, member.Memberships[0], &b, Granted))
			}
		}
	})
	for i := range rest {
		if l := rest[i].level(); l > out.Inherited {
			out.Inherited = l
			out.Why = rest[i].origin()
		}
	}
	s.finish(&out, member, nil, &a, key)
	return out
}

// finish fills in what may be done about an assignment. Without rest, Why is
// set already.
func (s *Snapshot) finish(out *Assignment, subject, rest *directory.Subject, a *ask, key string) {
	ways := func(subject *directory.Subject, l directory.Level) []Path {
		if l == directory.NoLevel {
			return nil
		}
		w := s.wantOf(directory.Privilege{Kind: directory.IntegrationLevel, Key: key, Level: l})
		return s.explain(subject, a, &w).Paths
	}
	out.Via = ways(subject, out.Effective)
	out.Reset, out.Raises = out.Here != nil, out.Here != nil && out.Effective > out.Inherited
	out.Remove = out.Here != nil && out.Inherited == directory.NoLevel
	if rest != nil && out.Inherited > directory.NoLevel {
		if from := ways(rest, out.Inherited); len(from) > 0 {
			out.Why = from[0].origin()
		}
	}
}

// origin says where access comes from that is no assignment here.
func (p *Path) origin() string {
	switch {
	case p.DefaultRole:
		return "from the default Role " + string(p.Role)
	case p.Role != "" && len(p.Groups) > 0:
		return "from Role " + string(p.Role) + " of group " + p.Groups[0].short()
	case p.Role != "":
		return "from Role " + string(p.Role)
	case len(p.Groups) > 0:
		return "from group " + p.Groups[len(p.Groups)-1].short()
	case p.Privilege != nil && p.Privilege.Key == Every:
		return "from an assignment on every connection"
	case len(p.Projects) == 0:
		return "from an assignment organization-wide"
	}
	return "from an assignment in project " + p.Projects[0]
}

// Origin says in a few words what a path comes from: "direct", "group x",
// "Role y", "default Role y".
func (p *Path) Origin() string {
	switch {
	case p.DefaultRole:
		return "default Role " + string(p.Role)
	case p.Role != "":
		return "Role " + string(p.Role)
	case len(p.Groups) > 0:
		return "group " + p.Groups[0].short()
	}
	return "direct"
}

// levelOf is the highest level that counts on a connection.
func (s *Snapshot) levelOf(subject *directory.Subject, a *ask, key string) directory.Level {
	for l := directory.Admin; l > directory.NoLevel; l-- {
		if w := wantLevel(key, s.cat.integrations[key], l); s.counts(subject, a, &w) {
			return l
		}
	}
	return directory.NoLevel
}

// assigns reports whether a grant is an assignment on a connection in a scope.
func assigns(g *directory.Grant, key string, project directory.ProjectKey) bool {
	return g.Role == "" && g.Privilege.Kind == directory.IntegrationLevel && g.Privilege.Key == key && g.Project == project
}

// assigned is the highest level that grants assign on a connection in a scope.
func assigned(grants []directory.Grant, key string, project directory.ProjectKey) (highest *directory.Level) {
	for i := range grants {
		if l := grants[i].Privilege.Level; assigns(&grants[i], key, project) && (highest == nil || l > *highest) {
			highest = &l
		}
	}
	return highest
}

// AssignedGroups lists the groups that have something to do with a connection in
// a scope: those whose members have a level there, and those with an assignment
// that gives nothing. They ascend by number.
func (s *Snapshot) AssignedGroups(key string, project directory.ProjectKey) (out []directory.GroupNum) {
	scope, first := s.cat.scope(project), s.cat.integrations[key]
	if first == 0 || scope == nowhere {
		return nil
	}
	w := wantLevel(key, first, directory.Viewer)
	for num, g := range s.groups.all() {
		if g != nil && (assigned(g.facts.Grants, key, project) != nil || hasAny(&g.raw, &w.ids) && g.gives(&w, scope)) {
			out = append(out, directory.GroupNum(num))
		}
	}
	return out
}
