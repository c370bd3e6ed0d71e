package authz_test

import (
	"slices"

	"github.com/usherd/usherd/authz"
	"github.com/usherd/usherd/directory"
)

// This file decides a second time, straight from the rules of the domain: it
// lists every path of a person and judges each. It is naive on purpose and
// shares no code with package authz but the names of the codes.

// refPath is one path of a person to one privilege, right or Role.
type refPath struct {
	first     *directory.Membership // nil for an own grant and the default Role
	groups    []*directory.GroupFacts
	projects  []directory.ProjectKey // of every limit on it
	suspended bool
	role      directory.RoleName // through which it goes
	byDefault bool
	privilege directory.Privilege
	right     directory.Right
}

type refWorld struct {
	facts    directory.Facts
	disabled map[directory.SourceName]bool // or unknown
	groups   map[directory.GroupNum]*directory.GroupFacts
}

func newRefWorld(f directory.Facts) *refWorld {
	w := &refWorld{f, map[directory.SourceName]bool{}, map[directory.GroupNum]*directory.GroupFacts{}}
	for i := range f.Groups {
		w.groups[f.Groups[i].Num] = &f.Groups[i]
		w.disabled[f.Groups[i].Source] = f.Groups[i].Source != directory.Local
	}
	for _, s := range f.Policy.Sources {
		w.disabled[s.Name] = s.State == directory.SourceDisabled
	}
	return w
}

// give makes the paths that continue base by one grant.
func (w *refWorld) give(base refPath, project directory.ProjectKey, roles []directory.RoleName, privileges []directory.Privilege) (out []refPath) {
	base.projects = append(slices.Clone(base.projects), project)
	for _, name := range roles {
		if role, ok := w.facts.Policy.Policy.Role(name); ok {
			base.role = name
			out = append(out, base) // the Role itself
			out = append(out, w.give(base, "", nil, role.Privileges)...)
			for _, r := range role.Rights {
				path := base
				path.right = r
				out = append(out, path)
			}
		}
	}
	for _, p := range privileges {
		base.privilege = p
		out = append(out, base)
	}
	return out
}

// reaches says whether a mapping means a group, and whether it is suspended.
func (w *refWorld) reaches(m directory.Mapping, g *directory.GroupFacts) (yes, suspended bool) {
	if w.facts.Policy.Policy.Binds(m) {
		for _, b := range w.facts.Policy.Bindings {
			if b.Mapping == m.Name && b.Num == g.Num && m.When.Source == g.Source {
				return true, b.State == directory.Suspended
			}
		}
		return false, false
	}
	matches := func(g *directory.GroupFacts) bool {
		return m.When.Matches(g.Source, g.ExternalID, g.DN, g.NameKey)
	}
	n := 0
	for _, other := range w.groups {
		if matches(other) {
			n++
		}
	}
	return matches(g) && (m.When.Name == "" || n == 1), false
}

// paths lists every path of a person but those of the default Role.
func (w *refWorld) paths(s *directory.Subject) (out []refPath) {
	grant := func(base refPath, g directory.Grant) {
		if g.Role != "" {
			out = append(out, w.give(base, g.Project, []directory.RoleName{g.Role}, nil)...)
		} else {
			out = append(out, w.give(base, g.Project, nil, []directory.Privilege{g.Privilege})...)
		}
	}
	for _, g := range s.Grants {
		grant(refPath{}, g)
	}
	queue := []refPath{}
	for i := range s.Memberships {
		if g := w.groups[s.Memberships[i].Group]; g != nil {
			queue = append(queue, refPath{first: &s.Memberships[i], groups: []*directory.GroupFacts{g}})
		}
	}
	for ; len(queue) > 0; queue = queue[1:] {
		base := queue[0]
		last := base.groups[len(base.groups)-1]
		base.projects = append(slices.Clone(base.projects), last.Project)
		for _, g := range last.Grants {
			grant(base, g)
		}
		for _, m := range w.facts.Policy.Policy.Mappings {
			if yes, suspended := w.reaches(m, last); yes {
				for _, set := range m.Grants {
					path := base
					path.suspended = suspended
					out = append(out, w.give(path, set.Project, set.Roles, set.Privileges)...)
				}
			}
		}
		for _, num := range last.Parents {
			if parent := w.groups[num]; parent != nil && !slices.Contains(base.groups, parent) {
				next := base
				next.groups = append(slices.Clone(base.groups), parent)
				queue = append(queue, next)
			}
		}
	}
	if w.defaultRole(s, out) {
		out = append(out, w.give(refPath{byDefault: true}, "", []directory.RoleName{w.facts.Policy.Policy.DefaultRole}, nil)...)
	}
	return out
}

func (w *refWorld) defaultRole(s *directory.Subject, paths []refPath) bool {
	return s.Type == directory.Standard && !slices.Contains(s.Overrides, "") && !slices.ContainsFunc(paths, func(p refPath) bool {
		return p.role != "" && !slices.ContainsFunc(p.projects, limits) && w.judge(s, p, "") == authz.Granted
	})
}

func limits(p directory.ProjectKey) bool { return p != "" }

// judge gives the first obstacle of a path in a check.
func (w *refWorld) judge(s *directory.Subject, p refPath, check directory.ProjectKey) authz.Code {
	projects := slices.DeleteFunc(slices.Clone(p.projects), func(k directory.ProjectKey) bool { return k == "" })
	slices.Sort(projects)
	projects = slices.Compact(projects)
	scope := directory.ProjectKey("")
	if len(projects) > 0 {
		scope = projects[0]
	}
	fixed := p.first != nil && (!p.first.Local || scope != "" && p.groups[0].Project == "")
	switch {
	case slices.ContainsFunc(p.groups, func(g *directory.GroupFacts) bool { return g.Blocked || w.disabled[g.Source] }):
		return authz.BlockedGroup
	case len(projects) > 1, scope != "" && scope != check, scope != "" && p.right.IsOrganization():
		return authz.OtherProject
	case fixed && slices.Contains(s.Overrides, scope):
		return authz.HiddenByOverride
	case p.suspended:
		return authz.SuspendedMapping
	}
	return authz.Granted
}

// ref decides for one person.
type ref struct {
	*refWorld
	s      *directory.Subject
	paths  []refPath
	judged map[directory.ProjectKey][]authz.Code // of each path
}

func newRef(w *refWorld, s *directory.Subject) ref {
	return ref{w, s, w.paths(s), map[directory.ProjectKey][]authz.Code{}}
}

// best is the first code of all paths for which asked holds.
func (r ref) best(check directory.ProjectKey, asked func(refPath) bool) authz.Code {
	if r.judged[check] == nil {
		for _, p := range r.paths {
			r.judged[check] = append(r.judged[check], r.judge(r.s, p, check))
		}
	}
	code := authz.NoGrant
	for i, p := range r.paths {
		if asked(p) {
			if r.judged[check][i] == authz.Granted {
				return authz.Granted
			}
			code = min(code, r.judged[check][i])
		}
	}
	return code
}

func (r ref) has(check directory.ProjectKey, kind directory.PrivilegeKind, keys ...string) authz.Code {
	return r.best(check, func(p refPath) bool { return p.privilege.Kind == kind && slices.Contains(keys, p.privilege.Key) })
}

func (r ref) right(check directory.ProjectKey, right directory.Right) authz.Code {
	return r.best(check, func(p refPath) bool { return p.right == right })
}

var refLevels = map[directory.Right]directory.Level{
	directory.IntegrationsViewAll: directory.Viewer, directory.IntegrationsUseAll: directory.Consumer, directory.IntegrationsManageAll: directory.Admin,
}

func (r ref) level(check directory.ProjectKey, id string, level directory.Level) authz.Code {
	atLeast := func(l directory.Level) authz.Code {
		return r.best(check, func(p refPath) bool {
			gives := refLevels[p.right]
			if p.privilege.Kind == directory.IntegrationLevel && (p.privilege.Key == id || p.privilege.Key == "*") {
				gives = p.privilege.Level
			}
			return gives >= l
		})
	}
	code := atLeast(level)
	if code != authz.Granted && atLeast(directory.Viewer) == authz.Granted {
		return authz.LevelTooLow
	}
	return code
}

// with is code unless it is granted and access is not.
func (r ref) with(check directory.ProjectKey, feature string, code authz.Code) authz.Code {
	if code == authz.Granted && r.has(check, directory.Access, feature) != authz.Granted {
		return authz.MissingAccess
	}
	return code
}

func (r ref) decide(q authz.Request) authz.Code {
	p := r.facts.Policy.Policy
	if code := r.person(q.SubjectType); code != authz.Granted {
		return code
	}
	feature := slices.IndexFunc(p.Features, func(f directory.Feature) bool { return f.Key == q.ID })
	output := slices.IndexFunc(p.Outputs, func(o directory.Output) bool { return o.Key == q.ID })
	connection := slices.IndexFunc(p.Integrations, func(i directory.Integration) bool { return i.Key == q.ID })
	typ := slices.IndexFunc(p.Resources, func(t directory.ResourceType) bool { return t.Type == q.Type })
	known := func(k directory.ProjectKey) bool {
		return slices.ContainsFunc(p.Projects, func(x directory.Project) bool { return x.Key == k })
	}
	type ask = func(check directory.ProjectKey) authz.Code
	asks := map[string]ask{}
	level := func(l directory.Level) ask {
		return func(c directory.ProjectKey) authz.Code { return r.level(c, q.ID, l) }
	}
	right := func(x directory.Right) ask {
		return func(c directory.ProjectKey) authz.Code { return r.right(c, x) }
	}
	switch {
	case q.Type == "feature" && feature >= 0:
		asks["access"] = func(c directory.ProjectKey) authz.Code { return r.has(c, directory.Access, q.ID) }
		for _, a := range p.Features[feature].Actions {
			asks[a] = func(c directory.ProjectKey) authz.Code {
				return r.with(c, q.ID, r.has(c, directory.RolePrivilege, q.ID+":"+a))
			}
		}
	case q.Type == "output" && output >= 0:
		asks["generate"] = func(c directory.ProjectKey) authz.Code {
			code := r.has(c, directory.OutputPrivilege, q.ID)
			if tied := p.Outputs[output].Feature; tied != "" {
				return r.with(c, tied, code)
			}
			return code
		}
	case q.Type == "integration" && q.ID == "*" && q.Action == "create":
		asks["create"] = right(directory.IntegrationsCreate)
	case q.Type == "integration" && connection >= 0:
		asks["view"], asks["use"], asks["manage"] = level(directory.Viewer), level(directory.Consumer), level(directory.Admin)
		asks["create_sync"] = func(c directory.ProjectKey) authz.Code {
			if c == "" {
				return authz.ProjectRequired
			}
			return min(r.right(c, directory.ManageSyncs), r.level(c, q.ID, directory.Consumer))
		}
	case q.Type == "project" && known(directory.ProjectKey(q.ID)):
		asks["read"], asks["manage_syncs"], asks["manage"] = right(directory.ProjectRead), right(directory.ManageSyncs), right(directory.ProjectManage)
	case slices.Contains([]string{"feature", "output", "integration", "project"}, q.Type), typ >= 0 && q.ID == "*":
		return authz.UnknownResource
	case typ < 0:
		return authz.UnknownType
	default:
		for _, a := range p.Resources[typ].Actions {
			asks[a] = func(c directory.ProjectKey) authz.Code {
				return r.has(c, directory.RolePrivilege, q.Type+":"+q.ID+":"+a, q.Type+":*:"+a)
			}
		}
	}
	judge := asks[q.Action]
	if judge == nil {
		return authz.UnknownAction
	}
	named := []directory.ProjectKey{q.Project, q.AlsoProject}
	if q.Type == "project" {
		named = append(named, directory.ProjectKey(q.ID))
	}
	named = slices.Compact(slices.Sorted(slices.Values(slices.DeleteFunc(named, func(k directory.ProjectKey) bool { return k == "" }))))
	switch {
	case slices.ContainsFunc(named, func(k directory.ProjectKey) bool { return !known(k) }):
		return authz.UnknownProject
	case len(named) > 1:
		return authz.AmbiguousProject
	case len(named) == 1:
		return judge(named[0])
	}
	return judge("")
}

// person judges the subject alone.
func (r ref) person(asked string) authz.Code {
	switch {
	case !slices.Contains([]string{"user", "email", "external", "service"}, asked):
		return authz.UnknownSubjectType
	case r.s.Found == directory.Ambiguous:
		return authz.AmbiguousSubject
	case r.s.Found == directory.Unknown, asked == "service" && r.s.Type != directory.Service:
		return authz.UnknownSubject
	case r.s.Blocked:
		return authz.BlockedUser
	case r.s.Inactive, slices.ContainsFunc(r.s.Sources, func(n directory.SourceName) bool { return r.disabled[n] }):
		return authz.InactiveUser
	}
	return authz.Granted
}
