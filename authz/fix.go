package authz

import (
	"cmp"
	"slices"

	"github.com/usherd/usherd/directory"
)

// A Fix is something that would change a deny, and who may do it.
type Fix struct {
	Kind    FixKind              `json:"kind"`
	Do      string               `json:"do"`                // in words
	Command string               `json:"command,omitempty"` // that does it; empty if it is done elsewhere
	Right   directory.Right      `json:"right,omitempty"`   // that it takes; empty if it is done elsewhere
	Roles   []directory.RoleName `json:"roles,omitempty"`   // that hold the right
	Source  directory.SourceName `json:"source,omitempty"`  // where it is done, or that it is about
	Group   *Step                `json:"group,omitempty"`   // that it is about
	Mapping string               `json:"mapping,omitempty"` // that it is about

	// Enough says that this alone makes what it is listed under count, and that
	// all that counted still does. It was found out by deciding again.
	Enough bool `json:"enough,omitempty"`

	args []string // of the command

	// ways are what may come of it, one as well as another; none for what can't
	// be tried.
	ways [][]remedy

	// costs says that it takes something away, as Do says.
	costs bool

	// wide says that it gives administration rights that nobody asked for: true,
	// but not what a colleague would do first.
	wide bool
}

// A FixKind tells fixes apart.
type FixKind string

// The kinds of fix.
const (
	FixNameUser       FixKind = "name_user" // otherwise than was asked
	FixUnblockUser    FixKind = "unblock_user"
	FixActivateUser   FixKind = "activate_user"   // in the source that says inactive
	FixDetach         FixKind = "detach_identity" // that says inactive
	FixEnableSource   FixKind = "enable_source"
	FixCatalogue      FixKind = "extend_catalogue"
	FixNameProject    FixKind = "name_project"
	FixConfirmMapping FixKind = "confirm_mapping"
	FixUnblockGroup   FixKind = "unblock_group"
	FixEndOverride    FixKind = "end_override"
	FixJoinGroup      FixKind = "join_group"
	FixGrant          FixKind = "grant"
)

// userArg stands for the user in arguments; in commands it is USER until
// [Explanation.About] names somebody.
const userArg = "\x00"

// fixer lists what would change a deny.
type fixer struct {
	s       *Snapshot
	subject *directory.Subject
	req     *Request
	a       *ask
	free    []remedy // make the user active, for fixes of parts
	part    int      // whose fixes are listed
	counted []bool   // of the parts
	out     []Fix
}

func (x *fixer) add(f Fix, right directory.Right, command ...string) {
	f.Right, f.Roles, f.args, f.Command = right, x.s.holders(right), command, commandLine(command, "USER")
	same := func(o Fix) bool { return o.Kind == f.Kind && o.Do == f.Do }
	if !slices.ContainsFunc(x.out, same) {
		x.out = append(x.out, f)
	}
}

// try finds out by deciding again whether a fix of a part is enough, and says
// what it takes away.
func (x *fixer) try(f Fix, ways ...[]remedy) Fix {
	f.ways, f.Enough = ways, true
	before, ends := trial{x.s, *x.subject}.after(x.free), false
	for _, way := range ways {
		t := trial{x.s, *x.subject}.after(way).after(x.free)
		for i, w := range x.a.wants() {
			if (i == x.part || x.counted[i]) && !t.s.counts(&t.subject, x.a, w) {
				f.Enough = false
			}
		}
		ends = ends || lostDefault(&before, &t)
	}
	if ends {
		f.costs = true
		f.Do += "; that ends the default Role " + string(x.s.cat.defaultRole.Name) + ", which counts only while there is no other"
	}
	return f
}

// fixesOfAll lists what would change a deny that is about the user or the
// question as a whole.
func (s *Snapshot) fixesOfAll(req *Request, code Code) []Fix {
	x := &fixer{s: s}
	switch code {
	case UnknownSubject:
		x.add(Fix{Kind: FixNameUser, Do: "look for another name of theirs; perhaps no directory has delivered them yet"},
			directory.DirectoryRead, "user", "list", "--q", userArg)
	case AmbiguousSubject:
		x.add(Fix{Kind: FixNameUser, Do: "name one of them by userName or id"}, directory.DirectoryRead, "user", "list", "--q", userArg)
	case UnknownAction:
		if req.Type != TypeOutput && req.Type != TypeIntegration && req.Type != TypeProject { // theirs are what they are
			x.extend()
		}
	case UnknownType, UnknownResource, UnknownProject:
		x.extend()
	case ProjectRequired, AmbiguousProject:
		x.add(Fix{Kind: FixNameProject, Do: "name one project when asking", Enough: false}, "")
	}
	return x.out
}

func (x *fixer) extend() {
	x.add(Fix{Kind: FixCatalogue, Do: "add it to the policy, unless it is a slip"}, directory.PolicyManage)
}

// stands lists what would make a user active.
func (x *fixer) stands() []Fix {
	whole := func(f Fix, do remedy) Fix {
		t := do(trial{x.s, *x.subject})
		f.ways, f.Enough = [][]remedy{{do}}, t.s.Decide(&t.subject, x.req).Allow
		return f
	}
	if x.subject.Blocked {
		x.add(whole(Fix{Kind: FixUnblockUser, Do: "unblock the user"}, unblockUser), directory.UsersManage, "user", "unblock", userArg)
	}
	for _, source := range x.subject.Sources {
		if !x.s.cat.counts(source) {
			x.enable(whole(Fix{Source: source}, enableSource(source)))
		}
	}
	if x.subject.Inactive {
		x.add(Fix{Kind: FixActivateUser, Do: "activate the user in the source that says inactive"}, "")
		x.add(Fix{Kind: FixDetach, Do: "detach the identity that says inactive"}, directory.UsersManage)
	}
	return x.out
}

// enable completes a fix that enables its source.
func (x *fixer) enable(f Fix) {
	f.Kind, f.Do = FixEnableSource, "enable the source "+string(f.Source)+f.Do
	x.add(f, directory.SourcesManage, "source", "enable", string(f.Source))
}

// fixes lists what would change a part that does not count, the shortest step
// first.
func (x *fixer) fixes(w *want, part Part) []Fix {
	x.out = nil
	for _, miss := range part.Misses {
		x.miss(miss)
	}
	x.grant(w)
	for _, f := range x.givers(w) {
		right := directory.Right("")
		if f.Source == directory.Local {
			right = directory.GroupsManage
		}
		x.add(f, right)
	}
	slices.SortStableFunc(x.out, func(f, g Fix) int { return cmp.Compare(f.rank(), g.rank()) })
	return x.out
}

// rank orders fixes: what is prepared already, then a grant, then the rest; what
// takes something away after what does not.
func (f Fix) rank() int {
	switch {
	case !f.Enough:
		return 4
	case f.costs:
		return 3
	case f.Kind == FixGrant:
		return 1
	case f.Command != "" && f.Kind != FixEndOverride:
		return 0
	}
	return 2
}

// miss lists what takes the obstacles off a path.
func (x *fixer) miss(miss Path) {
	for _, code := range miss.Obstacles {
		switch code {
		case BlockedGroup:
			x.unblock(miss)
		case HiddenByOverride:
			scope := directory.ProjectKey("")
			if len(miss.Projects) > 0 {
				scope = x.a.project
			}
			x.endOverride(scope)
		case SuspendedMapping:
			g := miss.Groups[len(miss.Groups)-1]
			f := Fix{
				Kind: FixConfirmMapping, Do: "confirm mapping " + miss.Mapping + " for " + g.short(),
				Mapping: miss.Mapping, Group: &g, Source: g.Source,
			}
			x.add(x.try(f, []remedy{confirmMapping(miss.Mapping, g.Num)}), directory.PolicyManage, "mapping", "confirm", miss.Mapping, g.arg())
		}
	}
}

// unblock lists what opens the groups of a path.
func (x *fixer) unblock(miss Path) {
	for _, g := range miss.Groups {
		if g.Blocked {
			f := Fix{Kind: FixUnblockGroup, Do: "unblock the group " + g.short(), Group: &g, Source: g.Source}
			x.add(x.try(f, []remedy{unblockGroup(g.Num)}), directory.GroupsManage, "group", "unblock", g.arg())
		}
		if g.Off {
			x.enable(x.try(Fix{Source: g.Source}, []remedy{enableSource(g.Source)}))
		}
	}
}

// endOverride lists ending an override. Whether it brought one of the local
// memberships in its scope, and which, is not known here.
func (x *fixer) endOverride(scope directory.ProjectKey) {
	command, where := []string{"override", "end", userArg}, "organization-wide"
	if scope != "" {
		command, where = append(command, "--project", string(scope)), "in project "+string(scope)
	}
	ways := [][]remedy{{endOverrideIn(scope, 0)}}
	for _, m := range x.subject.Memberships {
		if g := x.s.groups.get(uint32(m.Group)); g != nil && m.Local && g.facts.Project == scope {
			ways = append(ways, []remedy{endOverrideIn(scope, m.Group)})
		}
	}
	f := Fix{Kind: FixEndOverride, Do: "end the override " + where + ", so that the user follows the directory again"}
	if len(ways) > 1 || slices.ContainsFunc(x.subject.Grants, func(g directory.Grant) bool { return broughtIn(scope, &g) }) {
		f.Do += " and loses what it brought"
		f.costs = true
	}
	x.add(x.try(f, ways...), directory.GrantsManage, command...)
}

// holders lists the Roles that hold a right, built-in ones first.
func (s *Snapshot) holders(right directory.Right) (out []directory.RoleName) {
	if right == "" {
		return nil
	}
	for _, roles := range [][]directory.Role{directory.BuiltinRoles(), s.cat.facts.Policy.Roles} {
		for _, r := range roles {
			if slices.Contains(r.Rights, right) {
				out = append(out, r.Name)
			}
		}
	}
	return out
}
