package authz

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"unicode"

	"github.com/usherd/usherd/directory"
)

// A Person is what an explanation says of its subject besides what decides.
type Person struct {
	Name     string               `json:"name,omitempty"`     // for people: "Ana Pérez"
	Handle   string               `json:"handle,omitempty"`   // by which commands name the user
	Blocked  string               `json:"blocked,omitempty"`  // by whom, when and why: "by root on 2026-11-22: lost laptop"
	Inactive []directory.Identity `json:"-"`                  // that say so
	Overrode []directory.Override `json:"overrode,omitempty"` // what replaces what the user has

	// Past says that the explanation is of a time that is over: there is nothing
	// to be done about it, and the name may be another person's by now.
	Past bool `json:"-"`
}

// moreWays bounds how many paths and fixes a text lists.
const moreWays = 5

// Text answers a colleague: whether the user may, why, and for a deny what is
// missing and what to do about it.
func (e *Explanation) Text() string {
	t := &teller{e: e, name: cmp.Or(e.Who.Name, "this user")}
	if e.Decision.Allow {
		t.yes()
	} else {
		t.no()
	}
	return t.String()
}

// teller writes an explanation for people.
type teller struct {
	strings.Builder
	e    *Explanation
	name string
}

// line writes a line. What names hold that is no letter or sign can't end it
// early, nor move the cursor of a terminal.
func (t *teller) line(format string, args ...any) {
	text := fmt.Sprintf(strings.TrimPrefix(format, "\n"), args...)
	if strings.HasPrefix(format, "\n") {
		t.WriteByte('\n')
	}
	t.WriteString(strings.Map(func(r rune) rune {
		if !unicode.IsPrint(r) {
			return unicode.ReplacementChar
		}
		return r
	}, text))
	t.WriteByte('\n')
}

// asked is what was asked, as the end of "may …".
func (t *teller) asked() string {
	req := &t.e.Request
	what := req.Action + " " + req.Type + " " + req.ID
	switch {
	case req.Type == TypeFeature, req.Type == TypeOutput:
		what = req.Action + " " + req.ID
	case req.Type == TypeIntegration && req.Action == ActionCreate && req.ID == Every:
		what = "create integrations"
	case req.Type == TypeIntegration && req.Action == ActionCreateSync:
		what = "create a sync on integration " + req.ID
	case req.Type == TypeProject && req.Action == ActionManageSyncs:
		what = "manage syncs of project " + req.ID
	}
	if p := cmp.Or(req.Project, req.AlsoProject); p != "" && req.Type != TypeProject {
		what += " in project " + string(p)
	}
	return what
}

func (t *teller) yes() {
	for i, part := range t.e.Parts {
		if len(part.Paths) == 0 {
			continue
		}
		if i == 0 {
			t.line("Yes - %s may %s, because they %s.", t.name, t.asked(), part.Paths[0].clause())
		} else {
			t.line("That takes %s too, which they have: they %s.", part.Asked, part.Paths[0].clause())
		}
	}
	for _, part := range t.e.Parts {
		t.otherWays(part)
	}
}

func (t *teller) otherWays(part Part) {
	if len(part.Paths) < 2 {
		return
	}
	t.line("\nOther ways to get %s:", part.Asked)
	rest := part.Paths[1:]
	for _, p := range rest[:min(len(rest), moreWays)] {
		t.line("  - they %s", p.clause())
	}
	switch more := len(rest) - moreWays; {
	case part.More:
		t.line("  - and many more")
	case more > 0:
		t.line("  - and %d more", more)
	}
}

func (t *teller) no() {
	t.line("No - %s may not %s: %s.", t.name, t.asked(), t.why())
	switch {
	case t.e.Meant != "":
		t.line("Did you mean %s?", t.e.Meant)
	case len(t.e.known) > 0 && (t.e.fault == UnknownType || t.e.fault == UnknownAction):
		// Names of things and projects are not for everybody who may ask about themselves.
		t.line("One can ask for %s.", listSome(t.e.known))
	}
	for _, part := range t.e.Parts {
		if part.Code != Granted {
			t.missing(part)
		}
	}
	switch {
	case t.e.anywhere:
		t.line("\nThey may without a project, and so in each that there is.")
	case len(t.e.Projects) > 0:
		t.line("\nThey may in project %s.", listSome(t.e.Projects))
	}
	t.fixes()
}

// why is the reason of a deny: what is wrong with the question goes before what
// is the matter with the user.
func (t *teller) why() string {
	code, fault := t.e.Decision.Code, t.e.fault
	if fault != Undecided && fault != code {
		return t.because(fault) + ", and " + t.because(code)
	}
	return t.because(code)
}

func (t *teller) because(code Code) string {
	switch code {
	case BlockedUser:
		if t.e.Who.Blocked != "" {
			return "they are blocked here, " + t.e.Who.Blocked
		}
	case InactiveUser:
		if says := t.inactive(); says != "" {
			return says
		}
	case UnknownResource:
		if what := kinds[t.e.Request.Type]; what != "" {
			return "there is no such " + what
		}
	case UnknownAction:
		return t.noAction()
	}
	return obstacles[code]
}

// kinds are the reserved types of resource in words.
var kinds = map[string]string{TypeFeature: "feature", TypeOutput: "output", TypeIntegration: "connection", TypeProject: "project"}

// noAction says what the action that was asked is not one of.
func (t *teller) noAction() string {
	req := &t.e.Request
	if req.Type == TypeFeature {
		return "the feature " + req.ID + " has no such action"
	}
	return "no " + cmp.Or(kinds[req.Type], req.Type) + " has such an action"
}

// inactive says which sources keep the user from being active.
func (t *teller) inactive() string {
	var says []string
	for _, id := range t.e.Who.Inactive {
		what := " says that they are inactive"
		switch id.Presence {
		case directory.Gone:
			what = " no longer lists them"
		case directory.Deleted:
			what = " deleted them"
		case directory.Present:
		}
		says = append(says, string(id.Source)+what)
	}
	for _, f := range t.e.Fixes {
		if f.Kind == FixEnableSource {
			says = append(says, "the source "+string(f.Source)+" is disabled")
		}
	}
	return strings.Join(says, ", and ")
}

// missing says what a part lacks and how near the user is to it.
func (t *teller) missing(part Part) {
	if code := t.e.Decision.Code; code == BlockedUser || code == InactiveUser {
		t.line("\nMissing besides: %s.", part.Asked)
	} else {
		t.line("\nMissing: %s.", part.Asked)
	}
	for _, p := range part.Misses {
		why := make([]string, len(p.Obstacles))
		for i, code := range p.Obstacles {
			why[i] = t.obstacle(code, p)
		}
		t.line("  - they %s; but %s", p.clause(), strings.Join(why, ", and "))
	}
}

// obstacle says why a path does not count.
func (t *teller) obstacle(code Code, p Path) string {
	switch code {
	case BlockedGroup:
		var shut []string
		for _, g := range p.Groups {
			if g.Blocked {
				text := g.short() + " is blocked"
				if g.BlockedBy != "" {
					text += " " + g.BlockedBy
				}
				shut = append(shut, text)
			}
			if off := "the source " + string(g.Source) + " is disabled"; g.Off && !slices.Contains(shut, off) {
				shut = append(shut, off)
			}
		}
		return strings.Join(shut, ", and ")
	case OtherProject:
		switch {
		case len(p.Projects) > 1:
			return "no check is in " + strings.Join(p.Projects, " and ") + " at once"
		case p.Right.IsOrganization():
			return "that right counts organization-wide only"
		case len(p.Projects) == 1:
			return "only in project " + p.Projects[0]
		}
	case HiddenByOverride:
		return "an override hides that" + t.override(p)
	case SuspendedMapping:
		return "that mapping waits for somebody to confirm the group"
	case LevelTooLow:
		return "that level is too low"
	}
	return obstacles[code]
}

// override says who made the override that hides a path.
func (t *teller) override(p Path) string {
	scope := directory.ProjectKey("")
	if len(p.Projects) > 0 {
		scope = t.e.project()
	}
	for _, o := range t.e.Who.Overrode {
		if o.Project != scope {
			continue
		}
		text := ", made"
		if o.By != "" {
			text += " by " + o.By
		}
		text += " on " + o.Created.UTC().Format("2006-01-02")
		if o.Reason != "" {
			text += " (" + o.Reason + ")"
		}
		return text
	}
	return ""
}

// project is the one that the request names, in whatever place.
func (e *Explanation) project() directory.ProjectKey {
	if e.Request.Type == TypeProject {
		return directory.ProjectKey(e.Request.ID)
	}
	return cmp.Or(e.Request.Project, e.Request.AlsoProject)
}

// fixes says what would change a deny, and the shortest step.
func (t *teller) fixes() {
	all := slices.Clone(t.e.Fixes)
	for _, p := range t.e.Parts {
		all = append(all, p.Fixes...)
	}
	if len(all) == 0 {
		return
	}
	if t.e.Who.Past {
		t.line("\nWhat would have helped:")
	} else {
		t.line("\nWhat would help:")
	}
	var said []string
	for _, f := range all {
		text := f.Do
		if f.Right != "" {
			text += fmt.Sprintf(" (takes %s: %s)", f.Right, joinNames(f.Roles))
		}
		if f.Kind == FixNameUser && f.Command != "" {
			text = f.Do + " (" + f.Command + ")" // it changes nothing, and anybody who may ask may look
		}
		if slices.Contains(said, text) {
			continue // the same group can stand in the way of several parts
		}
		said = append(said, text)
		t.line("  - %s", text)
	}
	if next := t.e.Next(); len(next) > 0 {
		t.line("\nShortest step:")
		for _, command := range next {
			t.line("  %s", command)
		}
	}
}

// listSome lists the first names of a list.
func listSome[T ~string](names []T) string {
	if len(names) > moreWays {
		return fmt.Sprintf("%s and %d more", joinNames(names[:moreWays]), len(names)-moreWays)
	}
	return joinNames(names)
}

// clause is the path as the end of "they …".
func (p *Path) clause() string {
	var b strings.Builder
	for i, g := range p.Groups {
		if i == 0 {
			b.WriteString("are in ")
		} else {
			b.WriteString(", which is in ")
		}
		b.WriteString(g.short())
		if g.Project != "" {
			b.WriteString(" of project " + string(g.Project))
		}
	}
	given := p.given()
	switch {
	case p.DefaultRole:
		b.WriteString("have by default " + given)
	case len(p.Groups) == 0 && p.Grant != nil && p.Grant.Origin == directory.ByOverride:
		b.WriteString("have by an override " + given)
	case len(p.Groups) == 0:
		b.WriteString("were themselves granted " + given)
	case p.Mapping != "":
		b.WriteString(", to which mapping " + p.Mapping + " gives " + given)
	default:
		b.WriteString(", which was granted " + given)
	}
	return b.String()
}

// given is what the end of a path gives, and where.
func (p *Path) given() string {
	what := "the right " + string(p.Right)
	if p.Privilege != nil {
		what = p.Privilege.String()
		if p.Privilege.Kind == directory.IntegrationLevel {
			what = p.Privilege.Level.String() + " on " + p.Privilege.Key
			if p.Privilege.Key == Every {
				what = p.Privilege.Level.String() + " on every connection"
			}
		}
	}
	where := ""
	if len(p.Projects) > 0 {
		where = " in project " + strings.Join(p.Projects, " and project ")
	}
	if p.Role != "" {
		return "the Role " + string(p.Role) + where + ", which has " + what
	}
	return what + where
}
