package authz

import (
	"strings"

	"github.com/usherd/usherd/directory"
)

// A Cause says why somebody gains or loses something: the path that gives it, or
// gave it, and what came in its way.
type Cause struct {
	Text    string            `json:"because"`           // for people
	Mapping string            `json:"mapping,omitempty"` // that the path leads over
	Group   directory.GroupID `json:"group,omitempty"`   // to which it is given
	Code    Code              `json:"code,omitzero"`     // what kept it away before, or keeps it away now
}

// whyGained names the path that counts now.
func (d *differ) whyGained(h Holding) Cause {
	if code := d.c.before.standing(d.before, SubjectUser); code != Granted {
		c := d.c.after.path(d.after, h, d.was.of(h.Project), d.c)
		c.Code = code
		c.Text = "was " + words(code) + ", and " + c.Text
		return c
	}
	return d.c.after.path(d.after, h, d.was.of(h.Project), d.c)
}

// whyLost names the path that counted, and the first obstacle on it now.
func (d *differ) whyLost(h Holding) Cause {
	c := d.c.before.path(d.before, h, d.is.of(h.Project), d.c)
	c.Code = d.c.after.standing(d.after, SubjectUser)
	if c.Code != Granted {
		c.Text += "; is " + words(c.Code)
		return c
	}
	c.Code = d.c.after.obstacleTo(d.after, h)
	c.Text += "; now " + words(c.Code)
	return c
}

// words is a code for people.
func words(c Code) string {
	switch c {
	case UnknownSubject:
		return "not there"
	case BlockedUser:
		return "blocked"
	case InactiveUser:
		return "inactive"
	case BlockedGroup:
		return "the group is blocked or its source disabled"
	case OtherProject:
		return "limited to another project"
	case HiddenByOverride:
		return "hidden by an override"
	case SuspendedMapping:
		return "the mapping waits for a confirmation"
	case MissingAccess:
		return "access to the feature is missing"
	case UnknownResource, UnknownAction, UnknownType, UnknownProject:
		return "not in the catalogue"
	}
	return "nothing gives it"
}

// request is what a check for a holding asks; false for what no check asks.
func (h Holding) request() (Request, bool) {
	q := Request{SubjectType: SubjectUser, Project: h.Project, ID: h.Privilege.Key}
	switch h.Privilege.Kind {
	case directory.Access:
		q.Type, q.Action = TypeFeature, ActionAccess
	case directory.OutputPrivilege:
		q.Type, q.Action = TypeOutput, ActionGenerate
	case directory.IntegrationLevel:
		q.Type, q.Action = TypeIntegration, [...]string{"", ActionView, ActionUse, ActionManage}[h.Privilege.Level]
	case directory.RolePrivilege:
		q.Type, q.ID, q.Action, _ = directory.SplitRoleKey(h.Privilege.Key)
	default:
		return q, false
	}
	return q, true
}

// ask is a holding as a resolved request. ok is false if it is not in the
// catalogue.
func (s *Snapshot) ask(h Holding) (a ask, ok bool) {
	q, asked := h.request()
	switch {
	case !asked:
		a = ask{first: wantRight(h.Right), scope: s.cat.scope(h.Project), project: h.Project}
		return a, a.scope != nowhere
	case q.ID == Every && q.Type != TypeIntegration:
		v, known := findVerb(s.cat.types[q.Type], q.Action)
		a.first = want{kind: directory.RolePrivilege, typ: q.Type, id: Every, action: q.Action, ids: [3]privID{v.id}}
		a.scope, a.project = s.cat.scope(h.Project), h.Project
		return a, known && a.scope != nowhere
	}
	return a, s.resolve(&q, &a) == Granted
}

// path finds a path that counts to what a subject holds, and had is without. Of
// two halves it names that which had lacks.
func (x *side) path(sub *directory.Subject, h Holding, without privBits, c *Comparison) Cause {
	a, ok := x.ask(h)
	if !ok {
		return Cause{Text: "no longer told apart"}
	}
	w := a.first
	if a.also == alsoAccess && !without.has(c.lex.privilege(directory.Access, a.second.id, 0)) {
		w = a.second
	}
	for i := range sub.Grants {
		g := &sub.Grants[i]
		if (g.Project == "" || g.Project == a.project) && x.gives(g, &w) {
			return Cause{Text: "own grant" + through(g.Role, g.Project)}
		}
	}
	var found *Cause
	for _, m := range sub.Memberships {
		if g := x.groups.get(uint32(m.Group)); g == nil || !hasAny(&g.raw, &w.ids) {
			continue
		}
		x.climb(m.Group, &w, func(cl *climber, at int) {
			if found != nil {
				return
			}
			for b := range x.gifts(cl.group(at), &w) {
				if x.obstacleOf(sub, &a, m, cl.steps[at].place, &b) == Granted {
					found = new(causeOf(cl.group(at), x.groups.get(uint32(m.Group)), &b))
					return
				}
			}
		})
		if found != nil {
			return *found
		}
	}
	if r := x.cat.defaultRole; r != nil && hasAny(&r.org, &w.ids) {
		return Cause{Text: "default Role " + string(r.Name)}
	}
	return Cause{Text: "another path"}
}

// causeOf names what is given to a group, reached from a direct one.
func causeOf(giving, direct *group, b *gift) Cause {
	c := Cause{Group: giving.facts.ID}
	role := directory.RoleName("")
	if b.role != nil {
		role = b.role.Name
	}
	name := string(giving.facts.Source) + "/" + giving.facts.Name
	if b.mapped.mapping != nil {
		c.Mapping = b.mapped.Name
		c.Text = "mapping " + c.Mapping + through(role, b.project) + " for group " + name
	} else {
		c.Text = "grant" + through(role, b.project) + " to group " + name
	}
	if direct != giving {
		c.Text += ", in which " + string(direct.facts.Source) + "/" + direct.facts.Name + " is nested"
	}
	return c
}

func through(role directory.RoleName, project directory.ProjectKey) string {
	var b strings.Builder
	if role != "" {
		b.WriteString(" of Role " + string(role))
	}
	if project != "" {
		b.WriteString(" in project " + string(project))
	}
	return b.String()
}

// obstacleTo is why a subject does not hold something. The subject may hold
// something.
func (x *side) obstacleTo(sub *directory.Subject, h Holding) Code {
	a, ok := x.ask(h)
	if !ok {
		return UnknownResource
	}
	code := x.judge(sub, &a, &a.first)
	if code == Granted && a.also == alsoAccess {
		return MissingAccess
	}
	return code
}
