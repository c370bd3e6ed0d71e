package authz

import (
	"slices"

	"github.com/usherd/usherd/directory"
)

// Candidates selects everybody for whom Decide could allow req at the revision
// of s, and usually few others: read them with [directory.History.Subjects] as
// of s.At and decide for each. It selects nobody if req asks for something that
// does not exist. How req names the subject does not matter.
//
// The selection is by groups with a path that counts, own grants whatever they
// are, and everybody if the default Role gives what is asked. After and Limit
// are for the caller to set; who is selected comes in the order of ids.
func (s *Snapshot) Candidates(req *Request) directory.People {
	var a ask
	if s == nil || req == nil || s.resolve(req, &a) != Granted {
		return directory.People{}
	}
	who := s.candidates(&a.first, a.scope)
	if a.also != alsoNothing {
		who = fewer(who, s.candidates(&a.second, a.scope))
	}
	return who
}

// CandidatesAnywhere is Candidates for checks that name any project, or none.
func (s *Snapshot) CandidatesAnywhere(req *Request) directory.People {
	var a ask
	if s == nil || req == nil || s.resolveAction(req, &a) != Granted {
		return directory.People{}
	}
	who := s.candidates(&a.first, anyScope)
	if a.also != alsoNothing {
		who = fewer(who, s.candidates(&a.second, anyScope))
	}
	return who
}

// RightCandidates is Candidates for a right, in checks that name the project or
// none if it is empty: see [Snapshot.Has].
func (s *Snapshot) RightCandidates(right directory.Right, project directory.ProjectKey) directory.People {
	w, scope := wantRight(right), s.cat.scope(project)
	if w.ids[0] == 0 || scope == nowhere {
		return directory.People{}
	}
	return s.candidates(&w, scope)
}

// RoleCandidates selects everybody to whom some path gives a Role, in whatever
// scope, and perhaps others: see [Snapshot.RolesOf].
func (s *Snapshot) RoleCandidates(name directory.RoleName) directory.People {
	if s.cat.roles[name] == nil {
		return directory.People{}
	}
	if r := s.cat.defaultRole; r != nil && r.Name == name {
		return directory.People{Everyone: true}
	}
	var given []directory.GroupNum
	for num, g := range s.groups.all() {
		if g == nil || !g.raw.has(anyRole) {
			continue
		}
		for r := range g.roles(s.cat) {
			if r.name == name {
				given = append(given, directory.GroupNum(num))
				break
			}
		}
	}
	return directory.People{Groups: s.withNested(given), Granted: true}
}

// withNested adds all groups that are nested in these, and sorts.
func (s *Snapshot) withNested(list []directory.GroupNum) []directory.GroupNum {
	seen := map[directory.GroupNum]bool{}
	for _, num := range list {
		seen[num] = true
	}
	for i := 0; i < len(list); i++ {
		for _, child := range s.children.get(uint32(list[i])) {
			if !seen[child] {
				seen[child] = true
				list = append(list, child)
			}
		}
	}
	slices.Sort(list)
	return list
}

// candidates selects who could have one privilege in a scope.
func (s *Snapshot) candidates(w *want, scope scopeID) directory.People {
	if r := s.cat.defaultRole; r != nil && hasAny(&r.org, &w.ids) {
		return directory.People{Everyone: true}
	}
	found, n := s.index.lookup(&w.ids)
	who := directory.People{Granted: true}
	for _, r := range found[:n] {
		for num := range r.raw.all() {
			if g := s.groups.get(uint32(num)); g != nil && g.gives(w, scope) {
				who.Groups = append(who.Groups, num)
			}
		}
	}
	slices.Sort(who.Groups)
	who.Groups = slices.Compact(who.Groups)
	return who
}

// anyScope stands for all scopes when candidates are looked for.
const anyScope = nowhere - 1

// gives reports whether a path from g to w counts in a scope, or would but for
// an override.
func (g *group) gives(w *want, scope scopeID) bool {
	if hasAny(&g.org, &w.ids) {
		return true
	}
	if scope == anyScope {
		return slices.ContainsFunc(g.in, func(in scopedSet) bool { return hasAny(&in.set, &w.ids) })
	}
	in := g.within(scope)
	return scope != organization && in != nil && hasAny(in, &w.ids)
}

// fewer is the narrower of two selections that both hold everybody asked for.
func fewer(a, b directory.People) directory.People {
	if a.Everyone || !b.Everyone && len(b.Groups) < len(a.Groups) {
		return b
	}
	return a
}
