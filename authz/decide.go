package authz

import (
	"slices"

	"github.com/usherd/usherd/directory"
)

// Decide answers whether a subject may do what is asked. It is pure and total:
// what is unknown, unclear or not granted is denied with a reason.
func (s *Snapshot) Decide(subject *directory.Subject, req *Request) Decision {
	if s == nil || subject == nil || req == nil {
		return Decision{}
	}
	if code := s.standing(subject, req.SubjectType); code != Granted {
		return decided(code)
	}
	var a ask
	if code := s.resolve(req, &a); code != Granted {
		return decided(code)
	}
	code := s.judge(subject, &a, &a.first)
	switch a.also {
	case alsoHalf:
		code = min(code, s.judge(subject, &a, &a.second)) // Granted is the last code
	case alsoAccess:
		if code == Granted && !s.counts(subject, &a, &a.second) {
			code = MissingAccess
		}
	}
	return decided(code)
}

// standing judges the subject alone. Granted means that it may hold something.
func (s *Snapshot) standing(subject *directory.Subject, asked string) Code {
	switch asked {
	case SubjectUser, SubjectEmail, SubjectExternal, SubjectService:
	default:
		return UnknownSubjectType
	}
	switch {
	case subject.Found == directory.Ambiguous:
		return AmbiguousSubject
	case subject.Found != directory.One, asked == SubjectService && subject.Type != directory.Service:
		return UnknownSubject
	case subject.Blocked:
		return BlockedUser
	case subject.Inactive:
		return InactiveUser
	}
	for _, source := range subject.Sources {
		if !slices.Contains(s.cat.counting, source) {
			return InactiveUser
		}
	}
	return Granted
}

// An ask is a resolved request.
type ask struct {
	first, second want
	also          also
	scope         scopeID
	project       directory.ProjectKey
}

// also says what second is for.
type also uint8

const (
	alsoNothing also = iota
	alsoAccess       // first counts only together with access to a feature
	alsoHalf         // both must count, each for itself
)

// resolve finds what req asks for. Granted means that it exists.
func (s *Snapshot) resolve(req *Request, a *ask) Code {
	code := s.resolveAction(req, a)
	if code != Granted {
		return code
	}
	if code := s.resolveProject(req, a); code != Granted {
		return code
	}
	if a.also == alsoHalf && a.scope == organization {
		return ProjectRequired
	}
	return Granted
}

func (s *Snapshot) resolveAction(req *Request, a *ask) Code {
	switch req.Type {
	case TypeFeature:
		return s.resolveFeature(req, a)
	case TypeOutput:
		return s.resolveOutput(req, a)
	case TypeIntegration:
		return s.resolveIntegration(req, a)
	case TypeProject:
		return s.resolveProjectAction(req, a)
	}
	verbs, ok := s.cat.types[req.Type]
	if !ok || Reserved(req.Type) {
		return UnknownType
	}
	if req.ID == "" || req.ID == Every {
		return UnknownResource
	}
	v, ok := findVerb(verbs, req.Action)
	if !ok {
		return UnknownAction
	}
	a.first = want{
		kind: directory.RolePrivilege, typ: req.Type, id: req.ID, action: req.Action,
		ids: [3]privID{v.id, s.things.find(thing{v.number, req.ID})},
	}
	return Granted
}

func (s *Snapshot) resolveFeature(req *Request, a *ask) Code {
	found := s.cat.byFeature.get(req.ID)
	if found == nil {
		return UnknownResource
	}
	f, access := *found, &a.first
	if req.Action != ActionAccess {
		v, ok := findVerb(f.actions, req.Action)
		if !ok {
			return UnknownAction
		}
		role := &a.first
		role.kind, role.typ, role.id, role.action, role.ids[0] = directory.RolePrivilege, TypeFeature, f.key, v.name, v.id
		access, a.also = &a.second, alsoAccess
	}
	access.kind, access.id, access.ids[0] = directory.Access, f.key, f.access
	return Granted
}

func (s *Snapshot) resolveOutput(req *Request, a *ask) Code {
	o := s.cat.outputs[req.ID]
	if o == nil {
		return UnknownResource
	}
	if req.Action != ActionGenerate {
		return UnknownAction
	}
	a.first = want{kind: directory.OutputPrivilege, id: req.ID, ids: [3]privID{o.id}}
	if o.feature != nil {
		a.second = want{kind: directory.Access, id: o.feature.key, ids: [3]privID{o.feature.access}}
		a.also = alsoAccess
	} else if o.broken { // access to what does not exist never counts
		a.second, a.also = want{}, alsoAccess
	}
	return Granted
}

func (s *Snapshot) resolveIntegration(req *Request, a *ask) Code {
	if req.ID == Every {
		if req.Action == ActionCreate {
			a.first = wantRight(directory.IntegrationsCreate)
			return Granted
		}
		return UnknownResource
	}
	first := s.cat.integrations[req.ID]
	if first == 0 {
		return UnknownResource
	}
	switch req.Action {
	case ActionView:
		a.first = wantLevel(req.ID, first, directory.Viewer)
	case ActionUse:
		a.first = wantLevel(req.ID, first, directory.Consumer)
	case ActionManage:
		a.first = wantLevel(req.ID, first, directory.Admin)
	case ActionCreateSync:
		a.first = wantLevel(req.ID, first, directory.Consumer)
		a.second, a.also = wantRight(directory.ManageSyncs), alsoHalf
	default:
		return UnknownAction
	}
	return Granted
}

func (s *Snapshot) resolveProjectAction(req *Request, a *ask) Code {
	if s.cat.projects[directory.ProjectKey(req.ID)] == 0 {
		return UnknownResource
	}
	switch req.Action {
	case ActionRead:
		a.first = wantRight(directory.ProjectRead)
	case ActionManageSyncs:
		a.first = wantRight(directory.ManageSyncs)
	case ActionManage:
		a.first = wantRight(directory.ProjectManage)
	default:
		return UnknownAction
	}
	return Granted
}

// resolveProject finds the one project that all places of req name.
func (s *Snapshot) resolveProject(req *Request, a *ask) Code {
	if req.Project == "" && req.AlsoProject == "" && req.Type != TypeProject {
		return Granted
	}
	named := [3]directory.ProjectKey{req.Project, req.AlsoProject}
	if req.Type == TypeProject {
		named[2] = directory.ProjectKey(req.ID)
	}
	agree := true
	for _, key := range named {
		if key == "" {
			continue
		}
		scope := s.cat.scope(key)
		if scope == nowhere {
			return UnknownProject
		}
		if a.scope != organization && a.scope != scope {
			agree = false
		}
		a.scope, a.project = scope, key
	}
	if !agree {
		return AmbiguousProject
	}
	return Granted
}

func wantRight(r directory.Right) want {
	return want{right: r, ids: [3]privID{rightID(r)}}
}

// wantLevel asks for a level on the connection whose levels begin at first.
func wantLevel(id string, first privID, level directory.Level) want {
	at := func(l directory.Level) [3]privID {
		return [3]privID{first + privID(l-directory.Viewer), firstEvery + privID(l), firstReach + privID(l)}
	}
	return want{kind: directory.IntegrationLevel, id: id, level: level, ids: at(level), lower: at(directory.Viewer)}
}

// judge gives the code for one privilege of an ask.
func (s *Snapshot) judge(subject *directory.Subject, a *ask, w *want) Code {
	reached, counts := s.search(subject, a, w)
	switch {
	case counts:
		return Granted
	case w.level > directory.Viewer:
		if low := w.atViewer(); s.counts(subject, a, &low) {
			return LevelTooLow
		}
	}
	if !reached && len(subject.Grants) == 0 {
		return NoGrant
	}
	return s.obstacle(*subject, *a, *w)
}

func (s *Snapshot) counts(subject *directory.Subject, a *ask, w *want) bool {
	_, counts := s.search(subject, a, w)
	return counts
}

// search reports whether some path to w counts, and if not, whether one from a
// membership ends in it at all.
func (s *Snapshot) search(subject *directory.Subject, a *ask, w *want) (reached, counts bool) {
	orgHidden, inHidden := hidden(subject, a.project)
	found, n := s.index.lookup(&w.ids)
	rs, ms := found[:n], subject.Memberships
	for i := next(rs, ms, 0); i < len(ms); i = next(rs, ms, i+1) {
		reached = true
		m := &ms[i]
		if (m.Local || !orgHidden) && anyOrg(rs, m.Group) {
			return true, true
		}
		if a.scope != organization && s.countsIn(subject, a, w, m, orgHidden, inHidden) {
			return true, true
		}
	}
	for i := range subject.Grants {
		if g := &subject.Grants[i]; (g.Project == "" || g.Project == a.project) && s.gives(g, w) {
			return true, true
		}
	}
	return reached, s.defaultGives(subject, w)
}

// countsIn reports whether a path that begins with m and is limited to the
// project of the check counts.
func (s *Snapshot) countsIn(subject *directory.Subject, a *ask, w *want, m *directory.Membership, orgHidden, inHidden bool) bool {
	g := s.groups.get(uint32(m.Group))
	if g == nil || inHidden && (!m.Local || g.scope == organization) {
		return false
	}
	in := g.within(a.scope)
	if in == nil || !hasAny(in, &w.ids) {
		return false
	}
	return !orgHidden || m.Local || !g.knotted || s.verify(*subject, *a, *w, *m)
}

// verify looks again for a path from m that counts, now path by path. The sets
// of a snapshot go round cycles of groups, so that what comes from an
// organization-wide path seems to come also from the same path with a detour
// through a project. That makes a difference only if an override hides the
// organization-wide path.
//
// Like obstacle it takes copies, so that those of the fast path stay off the
// heap.
func (s *Snapshot) verify(subject directory.Subject, a ask, w want, m directory.Membership) (counts bool) {
	s.climb(m.Group, &w, func(c *climber, at int) {
		for b := range s.gifts(c.group(at), &w) {
			counts = counts || at < maxExact && s.obstacleOf(&subject, &a, m, c.steps[at].place, &b) == Granted
		}
	})
	return counts
}

// hidden reports for which scopes overrides hide memberships.
func hidden(subject *directory.Subject, project directory.ProjectKey) (org, in bool) {
	for _, scope := range subject.Overrides {
		org = org || scope == ""
		in = in || scope != "" && scope == project
	}
	return org, in
}

// gives reports whether an own grant gives w in its scope.
func (s *Snapshot) gives(g *directory.Grant, w *want) bool {
	if g.Role == "" {
		return w.givenBy(g.Privilege)
	}
	r := s.cat.roles[g.Role]
	switch {
	case r == nil:
		return false
	case g.Project == "":
		return hasAny(&r.org, &w.ids)
	}
	return hasAny(&r.inProject, &w.ids)
}

// defaultGives reports whether the default Role counts for the subject and
// gives w.
func (s *Snapshot) defaultGives(subject *directory.Subject, w *want) bool {
	r := s.cat.defaultRole
	return r != nil && hasAny(&r.org, &w.ids) && s.hasDefaultRole(subject)
}

// hasDefaultRole reports whether the default Role, if there is one, counts for
// an active subject: no organization-wide path gives a Role, and no override
// replaces what the subject has there.
func (s *Snapshot) hasDefaultRole(subject *directory.Subject) bool {
	if subject.Type != directory.Standard || slices.Contains(subject.Overrides, "") {
		return false
	}
	for i := range subject.Memberships {
		if g := s.groups.get(uint32(subject.Memberships[i].Group)); g != nil && g.org.has(anyRole) {
			return false
		}
	}
	for i := range subject.Grants {
		if g := &subject.Grants[i]; g.Project == "" && s.cat.roles[g.Role] != nil {
			return false
		}
	}
	return true
}
