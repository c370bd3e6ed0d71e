package authz_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/usherd/usherd/authz"
	"github.com/usherd/usherd/directory"
	"pgregory.net/rapid"
)

// A cutter takes links out of facts, of which it has a copy.
type cutter struct {
	facts   directory.Facts
	subject directory.Subject
}

func newCutter(f *directory.Facts, s *directory.Subject) *cutter {
	c := &cutter{*f, *s}
	c.facts.Groups = slices.Clone(f.Groups)
	c.facts.Policy.Policy.Mappings = slices.Clone(f.Policy.Policy.Mappings)
	c.facts.Policy.Policy.Roles = slices.Clone(f.Policy.Policy.Roles)
	return c
}

func (c *cutter) group(num directory.GroupNum) *directory.GroupFacts {
	i := slices.IndexFunc(c.facts.Groups, func(g directory.GroupFacts) bool { return g.Num == num })
	return &c.facts.Groups[i]
}

// links lists the ways to cut a path, each by taking away one link that the path
// names.
func (c *cutter) links(p *authz.Path) (cuts []func()) {
	for i, g := range p.Groups {
		if i == 0 {
			cuts = append(cuts, func() { c.leave(g.Num) })
		} else {
			cuts = append(cuts, func() { c.unnest(p.Groups[i-1].Num, g.Num) })
		}
	}
	switch {
	case p.DefaultRole:
		cuts = append(cuts, func() { c.facts.Policy.Policy.DefaultRole = "" })
	case p.Mapping != "":
		cuts = append(cuts, func() {
			c.facts.Policy.Policy.Mappings = slices.DeleteFunc(c.facts.Policy.Policy.Mappings, func(m directory.Mapping) bool { return m.Name == p.Mapping })
		})
	case len(p.Groups) > 0:
		cuts = append(cuts, func() {
			g := c.group(p.Groups[len(p.Groups)-1].Num)
			g.Grants = without(g.Grants, p.Grant)
		})
	default:
		cuts = append(cuts, func() { c.subject.Grants = without(c.subject.Grants, p.Grant) })
	}
	if custom := p.Role == "r1" || p.Role == "r2"; custom { // the rest are built in
		cuts = append(cuts, func() { c.take(p.Role, p) })
	}
	return cuts
}

func (c *cutter) leave(num directory.GroupNum) {
	c.subject.Memberships = slices.DeleteFunc(slices.Clone(c.subject.Memberships), func(m directory.Membership) bool { return m.Group == num })
}

func (c *cutter) unnest(child, parent directory.GroupNum) {
	g := c.group(child)
	g.Parents = slices.DeleteFunc(slices.Clone(g.Parents), func(n directory.GroupNum) bool { return n == parent })
}

// without takes all grants like one away: the same may be given twice.
func without(grants []directory.Grant, like *directory.Grant) []directory.Grant {
	return slices.DeleteFunc(slices.Clone(grants), func(g directory.Grant) bool { return g == *like })
}

// take takes what a path ends in, a privilege or a right, out of a Role.
func (c *cutter) take(name directory.RoleName, p *authz.Path) {
	for i := range c.facts.Policy.Policy.Roles {
		if r := &c.facts.Policy.Policy.Roles[i]; r.Name == name {
			r.Privileges = slices.DeleteFunc(slices.Clone(r.Privileges), func(o directory.Privilege) bool { return p.Privilege != nil && o == *p.Privilege })
			r.Rights = slices.DeleteFunc(slices.Clone(r.Rights), func(o directory.Right) bool { return o == p.Right })
		}
	}
}

// cutOthers cuts every path of a part but one.
func (c *cutter) cutOthers(t *rapid.T, part *authz.Part, but int) {
	for j := range part.Paths {
		if j != but {
			cuts := c.links(&part.Paths[j])
			cuts[upTo(t, len(cuts), "link")]()
		}
	}
}

// keepOnly leaves nothing but the links of one path.
func (c *cutter) keepOnly(p *authz.Path) {
	c.subject.Memberships, c.subject.Grants = nil, nil
	if !p.DefaultRole {
		c.facts.Policy.Policy.DefaultRole = ""
	}
	mappings := c.facts.Policy.Policy.Mappings
	c.facts.Policy.Policy.Mappings = nil
	for _, m := range mappings {
		if m.Name == p.Mapping {
			c.facts.Policy.Policy.Mappings = []directory.Mapping{m}
		}
	}
	if len(p.Groups) == 0 && p.Grant != nil {
		c.subject.Grants = []directory.Grant{*p.Grant}
	}
	for i := range c.facts.Groups {
		g := &c.facts.Groups[i]
		g.Parents, g.Grants = nil, nil
		at := slices.IndexFunc(p.Groups, func(s authz.Step) bool { return s.Num == g.Num })
		if at >= 0 && at < len(p.Groups)-1 {
			g.Parents = []directory.GroupNum{p.Groups[at+1].Num}
		}
		if at >= 0 && at == len(p.Groups)-1 && p.Grant != nil {
			g.Grants = []directory.Grant{*p.Grant}
		}
	}
	if len(p.Groups) > 0 {
		c.subject.Memberships = []directory.Membership{{Group: p.Groups[0].Num, Local: p.Local}}
	}
}

func (c *cutter) explain(q *authz.Request) authz.Explanation {
	return authz.Compile(c.facts).Explain(&c.subject, q)
}

// TestThePathsAreAllThatAllows removes one link of every path, at random, and
// the answer is no: of one path each of its links in turn. It keeps the links of
// one path alone, and the answer is yes.
func TestThePathsAreAllThatAllows(t *testing.T) {
	organizations(t, 3, func(t *rapid.T) {
		f := randomFacts(t)
		s := randomSubject(t)
		snap := authz.Compile(f)
		for _, q := range asked {
			for _, q.Project = range []directory.ProjectKey{"", "p"} {
				if !snap.Decide(&s, &q).Allow {
					continue
				}
				e := snap.Explain(&s, &q)
				for i, part := range e.Parts {
					if part.More {
						continue
					}
					for j := range part.Paths {
						p := &part.Paths[j]
						alone := newCutter(&f, &s)
						alone.keepOnly(p)
						if now := alone.explain(&q); now.Parts[i].Code != authz.Granted {
							t.Fatalf("%+v: %s does not suffice alone: %v\nsubject: %s\nfacts: %s", q, p, now.Parts[i].Code, text(s), text(f))
						}
					}
					one := upTo(t, len(part.Paths), "path")
					for link := range newCutter(&f, &s).links(&part.Paths[one]) {
						c := newCutter(&f, &s)
						if !slices.ContainsFunc(part.Paths, func(p authz.Path) bool { return p.DefaultRole }) {
							c.facts.Policy.Policy.DefaultRole = "" // taking a Role away would bring it in
						}
						c.cutOthers(t, &part, one)
						c.links(&part.Paths[one])[link]()
						if now := c.explain(&q); now.Decision.Allow || now.Parts[i].Code == authz.Granted {
							t.Fatalf("%+v: with link %d of %s and one of every other path gone it is still allowed, by %s\npaths: %s\nsubject: %s\nfacts: %s",
								q, link, text(part.Paths[one]), now.Parts[i].Paths[0], text(part.Paths), text(s), text(f))
						}
					}
				}
			}
		}
	})
}

// TestWhatIsEnoughIsEnough does what fixes say is enough, and what is said to be
// the shortest step, until each kind of fix was tried. Nothing is lost by it
// unless it is said.
func TestWhatIsEnoughIsEnough(t *testing.T) {
	kinds := []authz.FixKind{
		authz.FixUnblockUser, authz.FixConfirmMapping, authz.FixUnblockGroup, authz.FixEndOverride, authz.FixJoinGroup, authz.FixEnableSource, authz.FixGrant,
	}
	done := map[authz.FixKind]int{}
	untried := func(kind authz.FixKind) bool { return done[kind] == 0 }
	for round := 0; round < 50 && (round < 3 || slices.ContainsFunc(kinds, untried)); round++ {
		rapid.Check(t, func(t *rapid.T) {
			f := randomFacts(t)
			s := randomSubject(t)
			for i, g := range s.Grants {
				if slices.Contains(s.Overrides, g.Project) && chance(t, 50) {
					s.Grants[i].Origin = directory.ByOverride
				}
			}
			for range 10 {
				q := pick(t, asked...)
				q.Project = pick[directory.ProjectKey](t, "", "p")
				newTryout(t, f, s, q).all(done)
			}
		})
	}
	if slices.ContainsFunc(kinds, untried) {
		t.Errorf("tried %v, want each of %v", done, kinds)
	}
}

// A tryout does what an explanation says would help.
type tryout struct {
	t     *rapid.T
	facts directory.Facts
	s     directory.Subject
	q     authz.Request
	snap  *authz.Snapshot
	e     authz.Explanation
}

func newTryout(t *rapid.T, f directory.Facts, s directory.Subject, q authz.Request) *tryout {
	snap := authz.Compile(f)
	return &tryout{t, f, s, q, snap, snap.Explain(&s, &q)}
}

func (r *tryout) all(done map[authz.FixKind]int) {
	for _, fix := range r.e.Fixes {
		for _, c := range r.outcomes(fix) {
			done[fix.Kind]++
			if now := authz.Compile(c.facts).Decide(&c.subject, &r.q); !now.Allow {
				r.fail(fix.Do, now.Code)
			}
		}
	}
	for _, part := range r.e.Parts {
		for _, fix := range part.Fixes {
			for _, c := range r.outcomes(fix) {
				done[fix.Kind]++
				r.counts(part, fix, c)
				if !strings.Contains(fix.Do, "that ends the default Role") && !strings.Contains(fix.Do, "loses what it brought") {
					r.losesNothing(fix.Do, c)
				}
			}
		}
	}
	r.next()
}

func (r *tryout) fail(after string, code authz.Code) {
	r.t.Fatalf("%+v: after %q the answer is %v\nsubject: %s\nfacts: %s", r.q, after, code, text(r.s), text(r.facts))
}

// outcomes are what may come of a fix that is said to be enough.
func (r *tryout) outcomes(fix authz.Fix) (out []*cutter) {
	if !fix.Enough {
		return nil
	}
	c := newCutter(&r.facts, &r.s)
	if !c.fix(&fix, &r.q) {
		return nil
	}
	out = append(out, c)
	if fix.Kind != authz.FixEndOverride {
		return out
	}
	scope := overrideScope(&fix, &r.q)
	for _, m := range r.s.Memberships {
		if g, ok := r.snap.Group(m.Group); ok && m.Local && g.Project == scope { // which it may have brought
			d := *c
			d.leave(m.Group)
			out = append(out, &d)
		}
	}
	return out
}

// counts checks that after a fix the part counts, for an active user, and
// whatever did before; and that the decision is an allow if nothing else was
// missing.
func (r *tryout) counts(part authz.Part, fix authz.Fix, c *cutter) {
	free := *c
	free.subject.Blocked, free.subject.Inactive = false, false
	for _, source := range r.s.Sources {
		free.fix(&authz.Fix{Kind: authz.FixEnableSource, Source: source}, &r.q)
	}
	now := free.explain(&r.q)
	for _, p := range now.Parts {
		denied := slices.ContainsFunc(r.e.Parts, func(o authz.Part) bool { return o.Asked == p.Asked && o.Code != authz.Granted })
		if (p.Asked == part.Asked || !denied) && p.Code != authz.Granted {
			r.fail(fix.Do+" for "+part.Asked, p.Code)
		}
	}
	missing := 0
	for _, p := range r.e.Parts {
		if p.Code != authz.Granted {
			missing++
		}
	}
	if missing == 1 && !now.Decision.Allow {
		r.fail(fix.Do, now.Decision.Code)
	}
}

func (r *tryout) losesNothing(do string, c *cutter) {
	after := authz.Compile(c.facts)
	for _, q := range asked {
		for _, q.Project = range []directory.ProjectKey{"", "p"} {
			if r.snap.Decide(&r.s, &q).Allow && !after.Decide(&c.subject, &q).Allow {
				r.t.Fatalf("%+v: %q takes away %+v\nsubject: %s\nfacts: %s", r.q, do, q, text(r.s), text(r.facts))
			}
		}
	}
}

// next does what the shortest step says, command by command.
func (r *tryout) next() {
	all := slices.Clone(r.e.Fixes)
	for _, part := range r.e.Parts {
		all = append(all, part.Fixes...)
	}
	commands := r.e.Next()
	c := newCutter(&r.facts, &r.s)
	for _, command := range commands {
		same := func(f authz.Fix) bool { return f.Command == command }
		i := slices.IndexFunc(all, same)
		if n := len(slices.DeleteFunc(slices.Clone(all), func(f authz.Fix) bool { return !same(f) || f.Enough })); i < 0 {
			r.t.Fatalf("%+v: the step %q is no fix", r.q, command)
		} else if n > 0 && all[i].Group != nil {
			return // two groups of one name: the command means one of them
		}
		c.fix(&all[i], &r.q)
	}
	if len(commands) == 0 {
		return
	}
	if now := authz.Compile(c.facts).Decide(&c.subject, &r.q); !now.Allow {
		r.fail(strings.Join(commands, "; "), now.Code)
	}
	r.losesNothing(strings.Join(commands, "; "), c)
}

// overrideScope is that of the override that a fix ends.
func overrideScope(fix *authz.Fix, q *authz.Request) directory.ProjectKey {
	switch {
	case !slices.Contains(strings.Fields(fix.Command), "--project"):
		return ""
	case q.Type == "project":
		return directory.ProjectKey(q.ID)
	}
	return q.Project
}

// fix does what a fix says; false if it is not one of those that are tried.
func (c *cutter) fix(fix *authz.Fix, q *authz.Request) bool {
	switch fix.Kind {
	case authz.FixUnblockUser:
		c.subject.Blocked = false
	case authz.FixConfirmMapping:
		c.facts.Policy.Bindings = slices.Clone(c.facts.Policy.Bindings)
		for i := range c.facts.Policy.Bindings {
			if b := &c.facts.Policy.Bindings[i]; b.Mapping == fix.Mapping && b.Num == fix.Group.Num {
				b.State = directory.Bound
			}
		}
	case authz.FixUnblockGroup:
		c.group(fix.Group.Num).Blocked = false
	case authz.FixEnableSource:
		c.facts.Policy.Sources = slices.Clone(c.facts.Policy.Sources)
		for i := range c.facts.Policy.Sources {
			if src := &c.facts.Policy.Sources[i]; src.Name == fix.Source {
				src.State = directory.SourceActive
			}
		}
		return slices.ContainsFunc(c.facts.Policy.Sources, func(s directory.Source) bool { return s.Name == fix.Source })
	case authz.FixEndOverride:
		scope := overrideScope(fix, q)
		c.subject.Overrides = slices.DeleteFunc(slices.Clone(c.subject.Overrides), func(p directory.ProjectKey) bool { return p == scope })
		c.subject.Grants = slices.DeleteFunc(slices.Clone(c.subject.Grants), func(g directory.Grant) bool {
			return g.Project == scope && g.Origin == directory.ByOverride
		})
	case authz.FixJoinGroup:
		c.subject.Memberships = append(slices.Clone(c.subject.Memberships), directory.Membership{Group: fix.Group.Num, Local: fix.Group.Source == directory.Local})
		slices.SortFunc(c.subject.Memberships, func(a, b directory.Membership) int { return int(a.Group) - int(b.Group) })
	case authz.FixGrant:
		return c.grant(strings.Fields(fix.Command))
	default:
		return false
	}
	return true
}

// grant does what the words of a command say: usherd user grant USER --FLAG
// VALUE [--project PROJECT].
func (c *cutter) grant(command []string) bool {
	g := directory.Grant{}
	if len(command) == 8 {
		g.Project = directory.ProjectKey(command[7])
	}
	switch value := command[5]; command[4] {
	case "--role":
		g.Role = directory.RoleName(value)
	case "--access":
		g.Privilege = directory.Privilege{Kind: directory.Access, Key: value}
	case "--output":
		g.Privilege = directory.Privilege{Kind: directory.OutputPrivilege, Key: value}
	case "--privilege":
		g.Privilege = directory.Privilege{Kind: directory.RolePrivilege, Key: value}
	case "--integration":
		for l := directory.Viewer; l <= directory.Admin; l++ {
			if key, ok := strings.CutSuffix(value, "="+l.String()); ok {
				g.Privilege = directory.Privilege{Kind: directory.IntegrationLevel, Key: key, Level: l}
			}
		}
	}
	c.subject.Grants = append(slices.Clone(c.subject.Grants), g)
	return true
}
