package authz

import (
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/usherd/usherd/directory"
)

// A Problem is one thing wrong with a policy, wherever it came from. Path names
// the place as a policy file would: mappings[0].grant[1].project. Privileges
// are counted in the order in which they are kept: roles[0].privileges[2].
type Problem struct {
	Path string
	Msg  string
	Hint string
}

// Check lists all that is wrong with a whole policy, given the sources that
// there are. A policy without problems may be put into the store.
func Check(p *directory.Policy, sources []directory.Source) []Problem {
	return append(checkOwn(p), checkReferences(p, sources)...)
}

// checker gathers problems.
type checker struct {
	p        *directory.Policy
	problems []Problem
}

func (c *checker) problem(path, hint, format string, args ...any) {
	c.problems = append(c.problems, Problem{path, fmt.Sprintf(format, args...), hint})
}

// name checks a key or name. Of the characters in not, it may hold none.
func (c *checker) name(path, name, not string) {
	at := strings.IndexAny(name, not)
	_, err := directory.KeyOf(name)
	switch {
	case name == "":
		c.problem(path, "", "is missing")
	case err != nil:
		msg := strings.TrimSuffix(err.Error(), ": "+directory.ErrInvalid.Error())
		c.problem(path, "", "%s", strings.TrimPrefix(msg, "name "))
	case strings.TrimSpace(name) != name:
		c.problem(path, "", "%q begins or ends with white space", clip(name))
	case at >= 0:
		c.problem(path, "", "%q holds %q, which is not allowed here", clip(name), name[at])
	}
}

// unique reports what comes twice in a list.
func unique[T any](c *checker, path string, list []T, key func(T) string, place string) {
	seen := map[string]int{}
	for i, item := range list {
		k := key(item)
		if first, twice := seen[k]; twice && k != "" {
			c.problem(fmt.Sprintf("%s[%d]%s", path, i, place), "", "%q is given twice, first as %s[%d]", clip(k), path, first)
			continue
		}
		seen[k] = i
	}
}

func itself[T ~string](s T) string { return string(s) }

// checkOwn finds what is wrong with each section by itself.
func checkOwn(p *directory.Policy) []Problem {
	c := &checker{p: p}
	c.catalogue()
	for i, r := range p.Resources {
		at := fmt.Sprintf("resources[%d]", i)
		c.name(at, r.Type, ": /*")
		if Reserved(r.Type) {
			c.problem(at, "choose another", "the type %q is reserved", r.Type)
		}
		c.actions(at, r.Actions)
		for j, id := range r.IDs {
			c.name(fmt.Sprintf("%s.ids[%d]", at, j), id, "*")
		}
		unique(c, at+".ids", r.IDs, itself, "")
	}
	unique(c, "resources", p.Resources, func(r directory.ResourceType) string { return r.Type }, "")
	c.roles()
	for i := range p.Mappings {
		c.mapping(fmt.Sprintf("mappings[%d]", i), &p.Mappings[i])
	}
	unique(c, "mappings", p.Mappings, func(m directory.Mapping) string { return m.Name }, ".name")
	return c.problems
}

func (c *checker) catalogue() {
	p := c.p
	for i, project := range p.Projects {
		c.name(fmt.Sprintf("projects[%d].key", i), string(project.Key), "*")
	}
	unique(c, "projects", p.Projects, func(p directory.Project) string { return string(p.Key) }, ".key")
	for i, f := range p.Features {
		at := fmt.Sprintf("features[%d]", i)
		c.name(at+".key", f.Key, ":*")
		c.actions(at, f.Actions)
		if j := slices.Index(f.Actions, ActionAccess); j >= 0 {
			c.problem(fmt.Sprintf("%s.actions[%d]", at, j), "leave it out", "every feature has the action access")
		}
		if f.Seat != nil {
			c.seat(at+".seat", f.Seat)
		}
	}
	unique(c, "features", p.Features, func(f directory.Feature) string { return f.Key }, ".key")
	for i, o := range p.Outputs {
		c.name(fmt.Sprintf("outputs[%d].key", i), o.Key, "*")
	}
	unique(c, "outputs", p.Outputs, func(o directory.Output) string { return o.Key }, ".key")
	for i, n := range p.Integrations {
		c.name(fmt.Sprintf("integrations[%d].key", i), n.Key, "*")
	}
	unique(c, "integrations", p.Integrations, func(i directory.Integration) string { return i.Key }, ".key")
}

var (
	amount   = regexp.MustCompile(`^(0|[1-9][0-9]{0,11})(\.[0-9]{1,6})?$`)
	currency = regexp.MustCompile(`^[A-Z]{3}$`)
)

func (c *checker) seat(at string, s *directory.Seat) {
	if !amount.MatchString(s.Monthly) {
		c.problem(at+".monthly", "write e.g. 4.00", "%q is not an amount of money", clip(s.Monthly))
	}
	if !currency.MatchString(s.Currency) {
		c.problem(at+".currency", "write e.g. EUR", "%q is not a currency of three capital letters", clip(s.Currency))
	}
}

func (c *checker) actions(at string, actions []string) {
	for j, a := range actions {
		c.name(fmt.Sprintf("%s.actions[%d]", at, j), a, ": *")
	}
	unique(c, at+".actions", actions, itself, "")
}

func (c *checker) roles() {
	builtin := directory.BuiltinRoles()
	for i, r := range c.p.Roles {
		at := fmt.Sprintf("roles[%d]", i)
		c.name(at+".name", string(r.Name), "")
		if slices.ContainsFunc(builtin, func(b directory.Role) bool { return b.Name == r.Name }) {
			c.problem(at+".name", "choose another name", "the Role %q is built in", r.Name)
		}
		unique(c, at+".rights", r.Rights, itself, "")
		c.uniquePrivileges(at, r.Privileges)
	}
	unique(c, "roles", c.p.Roles, func(r directory.Role) string { return string(r.Name) }, ".name")
}

func (c *checker) uniquePrivileges(at string, list []directory.Privilege) {
	unique(c, at+".privileges", list, func(p directory.Privilege) string { return string(p.Kind) + " " + p.Key }, "")
}

// countSet counts how a selector says which group it means.
func countSet(s directory.Selector) (n int) {
	for _, by := range []string{s.DN, s.ID, s.Name, s.Pattern} {
		if by != "" {
			n++
		}
	}
	return n
}

func (c *checker) mapping(at string, m *directory.Mapping) {
	c.name(at+".name", m.Name, "")
	if m.When.Source == "" {
		c.problem(at+".when", "write when: {source: …, group: {dn: …}}", "a mapping names its source")
	}
	if countSet(m.When) != 1 {
		c.problem(at+".when.group", "", "want exactly one of dn, id, name and pattern")
	}
	if by := m.When.Name + m.When.Pattern; by != "" && m.When.ID == "" && m.When.DN == "" {
		c.name(at+".when.group", by, "")
	}
	if m.When.DN != "" && !strings.Contains(m.When.DN, "=") {
		c.problem(at+".when.group.dn", `write e.g. "CN=Engineering,OU=Groups,DC=example,DC=com"`, "%q is not a distinguished name", clip(m.When.DN))
	}
	if len(m.Grants) == 0 {
		c.problem(at, "write grant: {access: […]}", "a mapping grants something")
	}
	for j, set := range m.Grants {
		in := fmt.Sprintf("%s.grant[%d]", at, j)
		if len(set.Roles)+len(set.Privileges) == 0 {
			c.problem(in, "", "grants nothing")
		}
		unique(c, in+".roles", set.Roles, itself, "")
		c.uniquePrivileges(in, set.Privileges)
	}
}
