package authz

import (
	"fmt"
	"strings"

	"github.com/usherd/usherd/directory"
)

// String names a group for people: "source/name", with its DN if it has one.
func (g Step) String() string {
	text := string(g.Source) + "/" + g.Name
	if g.DN != "" {
		text += " (" + g.DN + ")"
	}
	return text
}

// String names what is wanted: "access part-list", "consumer on aws-prod".
func (w *want) String() string {
	switch w.kind {
	case directory.Access:
		return "access " + w.id
	case directory.OutputPrivilege:
		return "output " + w.id
	case directory.IntegrationLevel:
		return w.level.String() + " on " + w.id
	case directory.RolePrivilege:
		if w.typ == TypeFeature {
			return "role " + w.id + ":" + w.action
		}
		return "role " + w.typ + ":" + w.id + ":" + w.action
	}
	if w.right != "" {
		return "the right " + string(w.right)
	}
	return "something that does not exist"
}

// short names a group for people: "name (source)".
func (g Step) short() string { return g.Name + " (" + string(g.Source) + ")" }

// arg names a group in commands.
func (g Step) arg() string { return string(g.Source) + "/" + g.Name }

// String is the path in one line, from the membership to the privilege.
func (p Path) String() string {
	var b strings.Builder
	for i, g := range p.Groups {
		switch {
		case i > 0:
			b.WriteString(", which is nested in ")
		case p.Local:
			b.WriteString("local member of ")
		default:
			b.WriteString("member of ")
		}
		b.WriteString(g.String())
		b.WriteString(g.marks())
	}
	if len(p.Groups) > 0 {
		b.WriteString(", ")
	}
	b.WriteString(p.gives())
	if len(p.Projects) > 0 {
		b.WriteString(" in project " + strings.Join(p.Projects, " and project "))
	}
	return b.String()
}

// marks says what is special about a group.
func (g Step) marks() string {
	var marks []string
	if g.Project != "" {
		marks = append(marks, "of project "+string(g.Project))
	}
	if g.Blocked {
		marks = append(marks, "blocked")
	}
	if g.Off {
		marks = append(marks, "its source is disabled")
	}
	if marks == nil {
		return ""
	}
	return " [" + strings.Join(marks, ", ") + "]"
}

// gives says by what the path ends in what.
func (p Path) gives() string {
	by := "own grant of"
	switch {
	case p.DefaultRole:
		by = "by default"
	case p.Mapping != "":
		by = fmt.Sprintf("to which mapping %q gives", p.Mapping)
	case len(p.Groups) > 0:
		by = "to which is granted"
	}
	what := string(p.Right)
	if p.Privilege != nil {
		what = p.Privilege.String()
	}
	if p.Role != "" {
		what = fmt.Sprintf("the Role %s with %s", p.Role, what)
	}
	return by + " " + what
}

// obstacles are the codes in words, for the end of a sentence.
var obstacles = map[Code]string{
	UnknownSubjectType: "the check names the subject by a type that does not exist",
	AmbiguousSubject:   "more than one living user has that name",
	UnknownSubject:     "nobody living has that name",
	BlockedUser:        "the user is blocked here",
	InactiveUser:       "a source says that the user is inactive, or is disabled itself",
	UnknownType:        "there is no such type of resource",
	UnknownResource:    "the catalogue has no such resource",
	UnknownAction:      "the catalogue declares no such action",
	UnknownProject:     "there is no such project",
	AmbiguousProject:   "the check names different projects",
	ProjectRequired:    "this can only be asked in a project",
	MissingAccess:      "access to the feature is missing",
	LevelTooLow:        "the level is too low",
	BlockedGroup:       "a group on the way is blocked",
	OtherProject:       "it counts in another project only",
	HiddenByOverride:   "an override hides it",
	SuspendedMapping:   "the mapping waits for a confirmation",
	NoGrant:            "nothing gives it",
}

// joinNames lists names: "a, b".
func joinNames[T ~string](names []T) string { return strings.Join(toStrings(names), ", ") }
