package authz

import (
	"cmp"
	"slices"
	"strings"

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

	// Enough says that this alone makes what it is listed under count.
	Enough bool `json:"enough,omitempty"`

	args []string // of the command

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
	out     []Fix
}

func (x *fixer) add(f Fix, right directory.Right, command ...string) {
	f.Right, f.Roles, f.args, f.Command = right, x.s.holders(right), command, commandLine(command, "USER")
	same := func(o Fix) bool { return o.Kind == f.Kind && o.Do == f.Do }
	if !slices.ContainsFunc(x.out, same) {
		x.out = append(x.out, f)
	}
}

// fixesOfAll lists what would change a deny that is about the user or the
// question as a whole.
func (s *Snapshot) fixesOfAll(subject *directory.Subject, req *Request, code Code) []Fix {
	x := &fixer{s: s, subject: subject}
	switch code {
	case UnknownSubject:
		x.add(Fix{Kind: FixNameUser, Do: "look for another name of theirs; perhaps no directory has delivered them yet"},
			directory.DirectoryRead, "user", "list", "--q", userArg)
	case AmbiguousSubject:
		x.add(Fix{Kind: FixNameUser, Do: "name one of them by userName or id"}, directory.DirectoryRead, "user", "list", "--q", userArg)
	case BlockedUser:
		x.add(Fix{Kind: FixUnblockUser, Do: "unblock the user", Enough: true}, directory.UsersManage, "user", "unblock", userArg)
	case InactiveUser:
		for _, source := range subject.Sources {
			if !s.cat.counts(source) {
				x.enable(source, len(subject.Sources) == 1 && !subject.Inactive)
			}
		}
		if subject.Inactive {
			x.add(Fix{Kind: FixActivateUser, Do: "activate the user in the source that says inactive"}, "")
			x.add(Fix{Kind: FixDetach, Do: "detach the identity that says inactive"}, directory.UsersManage)
		}
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

func (x *fixer) enable(source directory.SourceName, enough bool) {
	x.add(Fix{Kind: FixEnableSource, Do: "enable the source " + string(source), Source: source, Enough: enough},
		directory.SourcesManage, "source", "enable", string(source))
}

// fixes lists what would change a part that does not count, the shortest step
// first.
func (s *Snapshot) fixes(subject *directory.Subject, a *ask, w *want, part Part) []Fix {
	x := &fixer{s: s, subject: subject}
	for _, miss := range part.Misses {
		x.miss(miss, a.project)
	}
	x.grant(a, w)
	for _, g := range s.givers(subject, a, w) {
		where, right := "; that is done in "+string(g.Source)+", which keeps its members", directory.Right("")
		if g.Source == directory.Local {
			where, right = "", directory.GroupsManage
		}
		x.add(Fix{Kind: FixJoinGroup, Do: "put the user in " + g.short() + where, Source: g.Source, Group: &g, Enough: true}, right)
	}
	slices.SortStableFunc(x.out, func(f, g Fix) int { return cmp.Compare(f.rank(), g.rank()) })
	return x.out
}

// rank orders fixes: what is prepared already, then a grant, then the rest.
func (f Fix) rank() int {
	switch {
	case f.Enough && f.Command != "" && f.Kind != FixGrant && f.Kind != FixEndOverride:
		return 0
	case f.Kind == FixGrant:
		return 1
	case f.Enough:
		return 2
	}
	return 3
}

// miss lists what takes the obstacles off a path.
func (x *fixer) miss(miss Path, project directory.ProjectKey) {
	alone := len(miss.Obstacles) == 1
	for _, code := range miss.Obstacles {
		switch code {
		case BlockedGroup:
			x.unblock(miss, alone)
		case HiddenByOverride:
			scope := directory.ProjectKey("")
			if len(miss.Projects) > 0 {
				scope = project
			}
			x.endOverride(scope, alone)
		case SuspendedMapping:
			g := miss.Groups[len(miss.Groups)-1]
			x.add(Fix{
				Kind: FixConfirmMapping, Do: "confirm mapping " + miss.Mapping + " for " + g.short(),
				Mapping: miss.Mapping, Group: &g, Source: g.Source, Enough: alone,
			}, directory.PolicyManage, "mapping", "confirm", miss.Mapping, g.arg())
		}
	}
}

// unblock lists what opens the groups of a path.
func (x *fixer) unblock(miss Path, alone bool) {
	shut := 0
	var off []directory.SourceName
	for _, g := range miss.Groups {
		if g.Blocked {
			shut++
		}
		if g.Off && !slices.Contains(off, g.Source) {
			off = append(off, g.Source)
			shut++
		}
	}
	for _, g := range miss.Groups {
		if g.Blocked {
			x.add(Fix{Kind: FixUnblockGroup, Do: "unblock the group " + g.short(), Group: &g, Source: g.Source, Enough: alone && shut == 1},
				directory.GroupsManage, "group", "unblock", g.arg())
		}
		if g.Off {
			x.enable(g.Source, alone && shut == 1)
		}
	}
}

func (x *fixer) endOverride(scope directory.ProjectKey, alone bool) {
	command, where := []string{"override", "end", userArg}, "organization-wide"
	if scope != "" {
		command, where = append(command, "--project", string(scope)), "in project "+string(scope)
	}
	x.add(Fix{Kind: FixEndOverride, Do: "end the override " + where + ", so that the user follows the directory again", Enough: alone},
		directory.GrantsManage, command...)
}

// grant lists the grants that would do.
func (x *fixer) grant(a *ask, w *want) {
	flags, right := x.flags(a, w), directory.GrantsManage
	if flags == nil {
		return
	}
	scoped := a.scope != organization && !w.right.IsOrganization()
	if w.right == directory.OrganizationOwn {
		right = w.right
	}
	command := append([]string{"user", "grant", userArg}, flags...)
	what, where := w.String(), "organization-wide"
	wide, but := false, ""
	if len(flags) == 2 && flags[0] == "--role" {
		what = "the Role " + flags[1]
		if wide = x.administers(directory.RoleName(flags[1]), w.right); wide {
			what, but = "a Role with the right "+string(w.right), "; "+flags[1]+", the smallest that there is, administers too"
		}
	}
	if scoped {
		command, where = append(command, "--project", string(a.project)), "in project "+string(a.project)
		right = directory.ProjectManage
	}
	x.add(Fix{Kind: FixGrant, Do: "grant " + what + " " + where + " to the user or to a group of the user" + but, Enough: true, wide: wide}, right, command...)
}

// flags are those of the command that grants w; nil if nothing can.
func (x *fixer) flags(a *ask, w *want) []string {
	switch w.kind {
	case directory.Access:
		return []string{"--access", w.id}
	case directory.OutputPrivilege:
		return []string{"--output", w.id}
	case directory.IntegrationLevel:
		return []string{"--integration", w.id + "=" + w.level.String()}
	case directory.RolePrivilege:
		if w.typ == TypeFeature {
			return []string{"--privilege", w.id + ":" + w.action}
		}
		return []string{"--privilege", w.typ + ":" + w.id + ":" + w.action}
	}
	if name := x.leastRole(w.right, a.scope); name != "" {
		return []string{"--role", string(name)}
	}
	return nil
}

// administers reports whether a Role gives administration rights besides one.
func (x *fixer) administers(name directory.RoleName, besides directory.Right) bool {
	r, _ := x.s.Role(name)
	return slices.ContainsFunc(r.Rights, func(o directory.Right) bool { return o != besides && o.IsAdministration() })
}

// leastRole is the Role with the fewest rights that holds a right and may be
// granted in a scope; one that gives no administration right besides goes before
// all that do.
func (x *fixer) leastRole(right directory.Right, scope scopeID) (least directory.RoleName) {
	fewest := 0
	for _, name := range x.s.holders(right) {
		r, _ := x.s.Role(name)
		if scope != organization && right.IsProject() && r.HasOrganizationRight() {
			continue
		}
		n := len(r.Rights)
		if x.administers(name, right) {
			n += len(directory.OrganizationRights) + len(directory.ProjectRights)
		}
		if least == "" || n < fewest {
			least, fewest = name, n
		}
	}
	return least
}

// maxGivers bounds how many groups a fix proposes.
const maxGivers = 3

// givers lists groups that a new member would get w through, those with the
// fewest grants first, and those whose members administer something last. A source has groups of its own people only, so the user
// must be of the group's source, unless the group is made here.
func (s *Snapshot) givers(subject *directory.Subject, a *ask, w *want) (out []Step) {
	type giver struct {
		facts *directory.GroupFacts
		rules bool // its members administer something
		more  int  // what it is given
	}
	var found []giver
	orgHidden, inHidden := hidden(subject, a.project)
	rs, n := s.index.lookup(&w.ids)
	for _, r := range rs[:n] {
		for num := range r.raw.all() {
			g := s.groups.get(uint32(num))
			if g == nil || g.facts.Source != directory.Local && !slices.Contains(subject.Sources, g.facts.Source) {
				continue
			}
			m := directory.Membership{Group: num, Local: g.facts.Source == directory.Local}
			if (m.Local || !orgHidden) && anyOrg(rs[:n], num) ||
				a.scope != organization && s.countsIn(subject, a, w, &m, orgHidden, inHidden) {
				found = append(found, giver{g.facts, s.Administers(num), len(g.facts.Grants) + len(g.mappings) + 100*len(g.facts.Parents)})
			}
		}
	}
	slices.SortFunc(found, func(f, g giver) int {
		if f.rules != g.rules {
			return map[bool]int{true: 1, false: -1}[f.rules]
		}
		return cmp.Or(cmp.Compare(f.more, g.more), strings.Compare(string(f.facts.NameKey), string(g.facts.NameKey)), cmp.Compare(f.facts.Num, g.facts.Num))
	})
	found = slices.CompactFunc(found, func(f, g giver) bool { return f.facts == g.facts })
	for _, f := range found[:min(len(found), maxGivers)] {
		out = append(out, s.stepOf(f.facts))
	}
	return out
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

// named is the name in a request that a code says is unknown.
func named(req *Request, code Code) string {
	switch code {
	case UnknownType:
		return req.Type
	case UnknownResource:
		return req.ID
	case UnknownAction:
		return req.Action
	case UnknownProject:
		return string(cmp.Or(req.Project, req.AlsoProject))
	}
	return ""
}

// known lists what could have been asked in the place of an unknown name.
func (s *Snapshot) known(req *Request, code Code) (names []string) {
	p := &s.cat.facts.Policy
	switch code {
	case UnknownType:
		names = []string{TypeFeature, TypeOutput, TypeIntegration, TypeProject}
		for _, t := range p.Resources {
			names = append(names, t.Type)
		}
	case UnknownResource:
		names, _ = s.IDs(req.Type)
	case UnknownAction:
		names = s.Actions(req.Type, req.ID)
	case UnknownProject:
		for i := range p.Projects {
			names = append(names, string(p.Projects[i].Key))
		}
	}
	return names
}

// Nearest is the known word that a mistyped one is like, or nothing.
func Nearest(got string, known []string) string {
	if got == "" {
		return ""
	}
	best, least := "", 1+len(got)/3
	for _, k := range known {
		if d := distance(strings.ToLower(got), strings.ToLower(k)); d <= least {
			best, least = k, d-1
		}
	}
	return best
}

// commandLine is a command to paste into a shell, about a user.
func commandLine(args []string, user string) string {
	if len(args) == 0 {
		return ""
	}
	quoted := make([]string, len(args))
	for i, arg := range args {
		if quoted[i] = shellWord(arg); arg == userArg {
			quoted[i] = user
		}
	}
	return "usherd " + strings.Join(quoted, " ")
}

// shellWord quotes what a shell would not take as one plain word.
func shellWord(s string) string {
	plain := func(r rune) bool {
		return r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || strings.ContainsRune("-_./:=@%+,", r)
	}
	if s != "" && !strings.ContainsFunc(s, func(r rune) bool { return !plain(r) }) {
		return s
	}
	return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'"
}

// About says whom an explanation is about, in its texts and commands. One of the
// past has no commands.
func (e *Explanation) About(who Person) {
	e.Who = who
	if who.Handle == "" && !who.Past {
		return
	}
	name := func(fixes []Fix) {
		for i := range fixes {
			if who.Past {
				fixes[i].Command = ""
				continue
			}
			fixes[i].Command = commandLine(fixes[i].args, shellWord(who.Handle))
		}
	}
	name(e.Fixes)
	for i := range e.Parts {
		name(e.Parts[i].Fixes)
	}
}

// Next is the shortest step to an allow: the commands, one for each part that
// does not count, unless the same one does for several. It is empty if there is
// none that can be made here, or none that does not give administration rights
// that nobody asked for.
func (e *Explanation) Next() (commands []string) {
	first := func(fixes []Fix) {
		for _, f := range fixes {
			if f.Enough && f.Command != "" && !f.wide {
				if !slices.Contains(commands, f.Command) {
					commands = append(commands, f.Command)
				}
				return
			}
		}
	}
	first(e.Fixes)
	for _, p := range e.Parts {
		first(p.Fixes)
	}
	return commands
}
