package admin

import (
	"github.com/usherd/usherd/authz"
	"github.com/usherd/usherd/directory"
)

// What somebody may not see does not exist for them: asking for it by name gives
// the answer of what was never there, and lists leave it out. What they see and
// may not change is refused in words.

// inProject reports whether a group belongs to a project: it is limited to it,
// or is given something in it.
func inProject(view *authz.Snapshot, num directory.GroupNum, project directory.ProjectKey) bool {
	g, ok := view.Group(num)
	if !ok {
		return false
	}
	if g.Project != "" {
		return g.Project == project
	}
	for _, given := range view.Given(num) {
		if given.Project == project {
			return true
		}
	}
	return false
}

// seesGroup reports whether a may know of a group.
func (a *Authority) seesGroup(num directory.GroupNum, project directory.ProjectKey) bool {
	for _, action := range []Action{ReadDirectory, WriteGroups, WriteGrants, BlockGroups} {
		if a.May(action, project) {
			return true
		}
	}
	_, projects := a.Projects(ReadDirectory)
	for _, p := range projects {
		if inProject(a.view, num, p) {
			return true
		}
	}
	return false
}

// scopes are those of which a may read what counts there: somebody's Role in a
// project of others is not told.
func (a *Authority) scopes() []directory.ProjectKey {
	all, in := a.Projects(ReadDirectory)
	if all {
		return everyScope(a.view)
	}
	return in
}

// seesUser reports whether a may know of a user: by a right over the whole
// organization, because a path of theirs leads into a project of a, or because
// it is a themselves.
func (a *Authority) seesUser(sub *directory.Subject) bool {
	for _, action := range []Action{ReadDirectory, WriteUsers, BlockUsers, WriteGrants, WriteGroups} {
		if a.May(action, "") {
			return true
		}
	}
	return a.readsUser(sub)
}

// readsUser reports whether a may read what is known of a user. Who may change
// somebody may name them, and does not read them by that.
func (a *Authority) readsUser(sub *directory.Subject) bool {
	all, projects := a.Projects(ReadDirectory)
	return all || a.isSelf(sub) || reachesInto(a.view, sub, projects)
}

// reachesInto reports whether some path of a user is limited to one of the
// projects, or an override is.
func reachesInto(view *authz.Snapshot, sub *directory.Subject, projects []directory.ProjectKey) bool {
	for _, p := range projects {
		for _, g := range sub.Grants {
			if g.Project == p {
				return true
			}
		}
		for _, o := range sub.Overrides {
			if o == p {
				return true
			}
		}
		seen := map[directory.GroupNum]bool{}
		var todo []directory.GroupNum
		for _, m := range sub.Memberships {
			todo = append(todo, m.Group)
		}
		for len(todo) > 0 {
			num := todo[len(todo)-1]
			todo = todo[:len(todo)-1]
			if seen[num] {
				continue
			}
			seen[num] = true
			if inProject(view, num, p) {
				return true
			}
			if g, ok := view.Group(num); ok {
				todo = append(todo, g.Parents...)
			}
		}
	}
	return false
}
