package authz

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/usherd/usherd/directory"
)

// maxPaths bounds how many paths an explanation lists.
const maxPaths = 100

// An Explanation tells why a decision is as it is.
type Explanation struct {
	User     directory.UserID `json:"user,omitempty"`
	Who      Person           `json:"who"` // for texts, see [Explanation.About]
	Request  Request          `json:"-"`
	Decision Decision         `json:"-"`

	// Parts are what must count for an allow: one privilege, or a privilege and
	// access to its feature, or the two halves of create_sync. There is none if
	// the subject or what is asked is unknown. If the user is blocked or inactive
	// there are only those that would not count for an active user either.
	Parts []Part `json:"parts,omitempty"`

	// Fixes are what would change a deny. Fixes of parts are with the parts.
	Fixes []Fix `json:"fixes,omitempty"`

	// Projects are those in which the answer would be yes, for a deny that is
	// no matter of the user's state.
	Projects []directory.ProjectKey `json:"projects,omitempty"`

	// Meant is what an unknown name was probably meant to be.
	Meant string `json:"meant,omitempty"`

	anywhere bool       // the answer would be yes without a project, and so in each
	fault    Code       // what is wrong with the question as a whole, if anything
	known    []string   // what could have been asked in the place of an unknown name
	next     [][]string // the commands of the shortest step to an allow
}

// A Part explains one privilege.
type Part struct {
	Asked  string `json:"asked"` // e.g. "access part-list"
	Code   Code   `json:"code"`
	Paths  []Path `json:"paths,omitempty"`  // those that count, the winning one first
	More   bool   `json:"more,omitempty"`   // there are more paths than are listed
	Misses []Path `json:"misses,omitempty"` // the nearest of each obstacle
	Fixes  []Fix  `json:"fixes,omitempty"`  // for a deny
}

// A Path runs from a user to a privilege or right. Without Groups it is an own
// grant, or the default Role.
type Path struct {
	Groups      []Step               `json:"groups,omitempty"` // the first has the user as a direct member
	Local       bool                 `json:"local,omitempty"`  // the membership was made here
	Mapping     string               `json:"mapping,omitempty"`
	Grant       *directory.Grant     `json:"grant,omitempty"`
	DefaultRole bool                 `json:"defaultRole,omitempty"`
	Role        directory.RoleName   `json:"role,omitempty"`
	Privilege   *directory.Privilege `json:"privilege,omitempty"`
	Right       directory.Right      `json:"right,omitempty"`
	Projects    []string             `json:"projects,omitempty"`  // all that limit the path
	Code        Code                 `json:"code"`                // granted, or the first obstacle
	Obstacles   []Code               `json:"obstacles,omitempty"` // all of a miss
	Wins        bool                 `json:"wins,omitempty"`
}

// A Step is a group on a path.
type Step struct {
	ID      directory.GroupID    `json:"id"`
	Num     directory.GroupNum   `json:"num"`
	Name    string               `json:"name"`
	Source  directory.SourceName `json:"source"`
	DN      string               `json:"dn,omitempty"`
	Project directory.ProjectKey `json:"project,omitempty"`
	Blocked bool                 `json:"blocked,omitempty"` // by its status
	// BlockedBy says who blocked it and when, where a caller has looked.
	BlockedBy string `json:"blockedBy,omitempty"`
	Off       bool   `json:"off,omitempty"` // its source is disabled
}

// level is what the path gives on a connection.
func (p *Path) level() directory.Level {
	if p.Privilege != nil {
		return p.Privilege.Level
	}
	return rightLevel(p.Right)
}

// Explain tells why Decide answers as it does.
func (s *Snapshot) Explain(subject *directory.Subject, req *Request) Explanation {
	e := Explanation{User: subject.ID, Request: *req, Decision: s.Decide(subject, req)}
	standing, a := s.standing(subject, req.SubjectType), ask{}
	if standing != Granted && standing != BlockedUser && standing != InactiveUser {
		e.answer(s, subject, standing)
		return e
	}
	x := &fixer{s: s, subject: subject, req: req, a: &a}
	if standing != Granted {
		e.Fixes = x.stands()
		x.freed(e.Fixes)
	}
	if code := s.resolve(req, &a); code != Granted {
		e.answer(s, subject, code)
		return e
	}
	free := trial{s, *subject}.after(x.free)
	parts := free.s.parts(&free.subject, &a)
	for _, part := range parts {
		x.counted = append(x.counted, part.Code == Granted)
	}
	for i, w := range a.wants() {
		if x.part = i; parts[i].Code != Granted {
			parts[i].Fixes = x.fixes(w, parts[i])
		}
	}
	if standing != Granted { // who may hold nothing has nothing that counts
		parts = slices.DeleteFunc(parts, func(p Part) bool { return p.Code == Granted })
	}
	e.Parts = parts
	if !e.Decision.Allow {
		e.next = x.shortest(e.Fixes, parts)
	}
	e.Projects = s.projectsOf(subject, req, e.Decision.Code)
	return e
}

// answer completes an explanation about what nobody has, whoever asks.
func (e *Explanation) answer(s *Snapshot, subject *directory.Subject, code Code) {
	e.fault, e.known = code, s.known(&e.Request, code)
	e.Fixes = append(s.fixesOfAll(&e.Request, code), e.Fixes...)
	e.Meant = Nearest(named(&e.Request, code), e.known)
	e.Projects = s.projectsOf(subject, &e.Request, code)
	e.anywhere = len(e.Projects) > 0 && s.Decide(subject, e.Request.anywhere()).Allow
}

// wants are what must count for an allow.
func (a *ask) wants() []*want {
	if a.also == alsoNothing {
		return []*want{&a.first}
	}
	return []*want{&a.first, &a.second}
}

// parts explains each privilege that must count.
func (s *Snapshot) parts(subject *directory.Subject, a *ask) (out []Part) {
	for _, w := range a.wants() {
		out = append(out, s.explain(subject, a, w))
	}
	return out
}

// projectsOf lists the projects in which a request that names none, or another,
// would be allowed.
func (s *Snapshot) projectsOf(subject *directory.Subject, req *Request, code Code) (out []directory.ProjectKey) {
	switch code {
	case Granted, UnknownType, UnknownResource, UnknownAction:
		return nil
	}
	if req.Type == TypeProject || s.standing(subject, req.SubjectType) != Granted {
		return nil
	}
	for _, p := range s.cat.facts.Policy.Projects {
		there := *req
		there.Project, there.AlsoProject = p.Key, ""
		if (code <= ProjectRequired || s.limited(subject, p.Key)) && s.Decide(subject, &there).Allow {
			out = append(out, p.Key)
		}
	}
	return out
}

// anywhere is the same request, naming no project.
func (r *Request) anywhere() *Request {
	without := *r
	without.Project, without.AlsoProject = "", ""
	return &without
}

// limited reports whether the subject may have a path that is limited to a
// project; without one, nothing more counts there than elsewhere.
func (s *Snapshot) limited(subject *directory.Subject, project directory.ProjectKey) bool {
	scope := s.cat.scope(project)
	return slices.ContainsFunc(subject.Grants, func(g directory.Grant) bool { return g.Project == project }) ||
		slices.ContainsFunc(subject.Memberships, func(m directory.Membership) bool {
			g := s.groups.get(uint32(m.Group))
			return g != nil && g.within(scope) != nil
		})
}

// explain gathers the paths to one privilege.
func (s *Snapshot) explain(subject *directory.Subject, a *ask, w *want) Part {
	x := &explainer{s: s, subject: subject, a: a, w: w, nearest: map[Code]Path{}}
	part := Part{Asked: w.String(), Code: s.judge(subject, a, w)}
	x.own()
	x.nearestPaths()
	if part.Code == Granted {
		x.everyPath()
	}
	if w.level > directory.Viewer {
		x.tooLow()
	}
	slices.SortStableFunc(x.paths, func(p, q Path) int {
		return cmp.Or(cmp.Compare(q.level(), p.level()), cmp.Compare(len(p.Groups), len(q.Groups)))
	})
	if len(x.paths) > maxPaths {
		x.paths, x.more = x.paths[:maxPaths], true
	}
	if len(x.paths) > 0 {
		x.paths[0].Wins = true
	}
	part.Paths, part.More = x.paths, x.more
	for code := MissingAccess; code < Granted; code++ {
		if p, ok := x.nearest[code]; ok {
			part.Misses = append(part.Misses, p)
		}
	}
	return part
}

// explainer gathers the paths to one privilege.
type explainer struct {
	s       *Snapshot
	subject *directory.Subject
	a       *ask
	w       *want
	paths   []Path
	more    bool
	nearest map[Code]Path // by obstacle
}

// miss keeps the path with the fewest obstacles of those that meet the same one
// first, and of these the shortest.
func (x *explainer) miss(p Path) {
	old, ok := x.nearest[p.Code]
	if !ok || cmp.Or(cmp.Compare(len(p.Obstacles), len(old.Obstacles)), cmp.Compare(len(p.Groups), len(old.Groups))) < 0 {
		x.nearest[p.Code] = p
	}
}

// own looks at paths without a group.
func (x *explainer) own() {
	for i := range x.subject.Grants {
		x.s.ownGifts(&x.subject.Grants[i], x.w, func(b gift) bool {
			p := x.path(&b)
			p.Code = Granted
			if end := b.end(organization); end != organization && end != x.a.scope {
				p.Code, p.Obstacles = OtherProject, []Code{OtherProject}
				x.miss(p)
				return true
			}
			x.paths = append(x.paths, p)
			return true
		})
	}
	if r := x.s.cat.defaultRole; r != nil && x.s.hasDefaultRole(x.subject) {
		roleGifts(gift{}, r, x.w, func(b gift) bool {
			p := x.path(&b)
			p.DefaultRole, p.Code = true, Granted
			x.paths = append(x.paths, p)
			return true
		})
	}
}

// nearestPaths finds for every obstacle the shortest path that meets it first,
// and for every place the shortest that counts.
func (x *explainer) nearestPaths() {
	for _, m := range x.subject.Memberships {
		x.s.climb(m.Group, x.w, func(c *climber, at int) {
			for b := range x.s.gifts(c.group(at), x.w) {
				switch code := x.s.obstacleOf(x.subject, x.a, m, c.steps[at].place, &b); {
				case code != Granted:
					p := x.through(c, at, m, &b, code)
					p.Obstacles = x.obstacles(m, c.steps[at].place, &b)
					x.miss(p)
				case len(x.paths) <= maxPaths:
					x.paths = append(x.paths, x.through(c, at, m, &b, code))
				}
			}
		})
	}
}

// obstacles are all that a path meets, in the order of the codes.
func (x *explainer) obstacles(m directory.Membership, p place, b *gift) (out []Code) {
	scope := b.end(p.scope)
	if p.blocked {
		out = append(out, BlockedGroup)
	}
	if scope != organization && scope != x.a.scope {
		out = append(out, OtherProject)
	} else if x.s.hides(x.subject, x.a, m, scope) {
		out = append(out, HiddenByOverride)
	}
	if b.mapped.suspended {
		out = append(out, SuspendedMapping)
	}
	return out
}

// everyPath adds the other paths through groups that count.
func (x *explainer) everyPath() {
	known := map[string]bool{}
	for _, p := range x.paths {
		known[p.key()] = true
	}
	for _, m := range x.subject.Memberships {
		c := &climber{s: x.s, w: x.w, seen: map[place]bool{}, every: true}
		c.dive(m.Group, -1, func(c *climber, at int) (enough bool) {
			for b := range x.s.gifts(c.group(at), x.w) {
				if x.s.obstacleOf(x.subject, x.a, m, c.steps[at].place, &b) != Granted {
					continue
				}
				if p := x.through(c, at, m, &b, Granted); !known[p.key()] {
					x.paths = append(x.paths, p)
				}
			}
			return len(x.paths) > maxPaths
		})
		x.more = x.more || c.stopped
	}
}

// key tells paths apart that lead over other groups or end otherwise.
func (p *Path) key() string {
	var b strings.Builder
	for _, g := range p.Groups {
		fmt.Fprintf(&b, "%d ", g.Num)
	}
	fmt.Fprintf(&b, "%p %q %s %s %v", p.Grant, p.Mapping, p.Role, p.Right, p.Projects)
	if p.Privilege != nil {
		b.WriteString(p.Privilege.String())
	}
	return b.String()
}

// tooLow looks for the best path that counts at a lower level.
func (x *explainer) tooLow() {
	low := x.w.atViewer()
	part := x.s.explain(x.subject, x.a, &low)
	for _, p := range part.Paths {
		if p.level() < x.w.level {
			p.Code, p.Obstacles, p.Wins = LevelTooLow, []Code{LevelTooLow}, false
			x.miss(p)
			return
		}
	}
}

// path begins a path by its end.
func (x *explainer) path(b *gift) Path {
	p := Path{Grant: b.grant, Right: b.right}
	if b.mapped.mapping != nil {
		p.Mapping = b.mapped.Name
	}
	if b.role != nil {
		p.Role = b.role.Name
	}
	if b.right == "" {
		priv := b.priv
		p.Privilege = &priv
	}
	if b.project != "" {
		p.Projects = []string{string(b.project)}
	}
	return p
}

// through is the path over the groups that a climber came by.
func (x *explainer) through(c *climber, at int, m directory.Membership, b *gift, code Code) Path {
	p := x.path(b)
	p.Local, p.Code = m.Local, code
	for i := at; i >= 0; i = c.steps[i].from {
		f := c.group(i).facts
		p.Groups = append(p.Groups, x.s.stepOf(f))
		if f.Project != "" && !slices.Contains(p.Projects, string(f.Project)) {
			p.Projects = append(p.Projects, string(f.Project))
		}
	}
	slices.Reverse(p.Groups)
	slices.Reverse(p.Projects)
	return p
}

// stepOf is a group as paths show it.
func (s *Snapshot) stepOf(f *directory.GroupFacts) Step {
	return Step{
		ID: f.ID, Num: f.Num, Name: f.Name, Source: f.Source, DN: f.DN, Project: f.Project,
		Blocked: f.Blocked, Off: !s.cat.counts(f.Source),
	}
}
