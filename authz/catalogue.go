package authz

import (
	"slices"
	"strings"

	"github.com/usherd/usherd/directory"
)

// A scopeID numbers a project inside a catalogue, from 1 up; 0 is the whole
// organization.
type scopeID uint32

const (
	organization scopeID = 0
	nowhere      scopeID = ^scopeID(0) // two projects at once, or an unknown one
)

// join is the scope of a path that is limited to both a and b.
func join(a, b scopeID) scopeID {
	switch {
	case b == organization, a == b:
		return a
	case a == organization:
		return b
	}
	return nowhere
}

// Privileges with fixed numbers. Those before endOrgOnly count only on a path
// without a project.
const (
	anyRole          privID = 1                                        // the path gives a Role
	firstOrgRight    privID = 2                                        // in the order of directory.OrganizationRights
	numOrgRights            = 14                                       // a test compares
	firstReach              = firstOrgRight + numOrgRights - privID(1) // + level: a right gives the level on every connection
	endOrgOnly              = firstReach + privID(directory.Admin) + 1 // exclusive
	firstProject            = endOrgOnly                               // in the order of directory.ProjectRights
	firstEvery              = firstProject + numProjectRights - 1      // + level: at least the level on *
	firstNamed              = firstEvery + privID(directory.Admin) + 1 // the catalogue's own begin here
	numProjectRights        = 3                                        // a test compares
	orgOnlyMask      uint64 = 1<<endOrgOnly - 1                        // in word 0 of a set
)

// catalogue is a compiled policy: everything but groups.
type catalogue struct {
	facts        directory.PolicyFacts
	features     map[string]*feature
	byFeature    table[*feature] // features, for checks
	outputs      map[string]*output
	integrations map[string]privID // + level - 1: at least the level
	types        map[string][]verb
	projects     map[directory.ProjectKey]scopeID
	roles        map[directory.RoleName]*role
	defaultRole  *role
	counting     []directory.SourceName // sources that are known and not disabled
	mappings     mappings
	verbs        []actionOn // by number
	end          privID     // all numbers below are taken
}

// actionOn is an action of a type of things.
type actionOn struct{ typ, action string }

type feature struct {
	key     string
	access  privID
	actions []verb
}

type output struct {
	key     string
	id      privID
	feature *feature // nil if it is tied to none
	broken  bool     // tied to a feature that is not in the catalogue
}

// A verb is a declared action. For a type of things, id is the privilege on
// every thing, and number tells the verbs of all types apart.
type verb struct {
	name   string
	id     privID
	number uint32
}

func findVerb(verbs []verb, name string) (verb, bool) {
	for i := range verbs {
		if verbs[i].name == name {
			return verbs[i], true
		}
	}
	return verb{}, false
}

// A role is a compiled Role. On a path with a project only inProject counts.
type role struct {
	directory.Role
	ids       []privID
	org       set[privID]
	inProject set[privID]
}

// compileCatalogue compiles f. What things Roles and mappings name is added to
// t.
func compileCatalogue(f directory.PolicyFacts, t *thingsEdit) *catalogue {
	c := &catalogue{
		facts:        f,
		features:     make(map[string]*feature, len(f.Policy.Features)),
		outputs:      make(map[string]*output, len(f.Policy.Outputs)),
		integrations: make(map[string]privID, len(f.Policy.Integrations)),
		types:        make(map[string][]verb, len(f.Policy.Resources)),
		projects:     make(map[directory.ProjectKey]scopeID, len(f.Policy.Projects)),
		roles:        make(map[directory.RoleName]*role, len(f.Policy.Roles)+10),
		end:          firstNamed,
	}
	c.number()
	t.next = c.end
	for _, r := range slices.Concat(directory.BuiltinRoles(), f.Policy.Roles) {
		c.roles[r.Name] = c.compileRole(r, t)
	}
	c.defaultRole = c.roles[f.Policy.DefaultRole]
	c.counting = counting(f.Sources)
	c.mappings = c.compileMappings(t)
	return c
}

// counting lists the sources whose groups give something and whose identities
// are not inactive, sorted. What is made here counts even if nobody says so.
func counting(sources []directory.Source) []directory.SourceName {
	list := []directory.SourceName{directory.Local}
	for _, s := range sources {
		switch {
		case s.State == directory.SourceActive, s.State == directory.SourcePaused:
			list = append(list, s.Name)
		case s.Name == directory.Local:
			list = slices.DeleteFunc(list, func(n directory.SourceName) bool { return n == directory.Local })
		}
	}
	slices.Sort(list)
	return slices.Compact(list)
}

func (c *catalogue) counts(source directory.SourceName) bool {
	return slices.Contains(c.counting, source)
}

func (c *catalogue) take(n privID) privID {
	c.end += n
	return c.end - n
}

// number gives the catalogue's own things their numbers.
func (c *catalogue) number() {
	p := &c.facts.Policy
	for i, project := range p.Projects {
		c.projects[project.Key] = scopeID(i + 1)
	}
	declare := func(typ string, names []string) (list []verb) {
		for _, name := range names {
			list = append(list, verb{name, c.take(1), uint32(len(c.verbs))})
			c.verbs = append(c.verbs, actionOn{typ, name})
		}
		return list
	}
	for _, f := range p.Features {
		c.features[f.Key] = &feature{f.Key, c.take(1), declare(TypeFeature, f.Actions)}
	}
	var items []item[*feature]
	for key, f := range c.features {
		items = append(items, item[*feature]{key, f})
	}
	c.byFeature = newTable(items)
	for _, o := range p.Outputs {
		f := c.features[o.Feature]
		c.outputs[o.Key] = &output{key: o.Key, id: c.take(1), feature: f, broken: o.Feature != "" && f == nil}
	}
	for _, i := range p.Integrations {
		c.integrations[i.Key] = c.take(privID(directory.Admin))
	}
	for _, r := range p.Resources {
		c.types[r.Type] = declare(r.Type, r.Actions)
	}
}

// scope is where a key leads; a key that is not in the catalogue leads nowhere.
func (c *catalogue) scope(key directory.ProjectKey) scopeID {
	if key == "" {
		return organization
	}
	if s, ok := c.projects[key]; ok {
		return s
	}
	return nowhere
}

func (c *catalogue) compileRole(r directory.Role, t *thingsEdit) *role {
	out := &role{Role: r, ids: []privID{anyRole}}
	for _, right := range r.Rights {
		out.ids = append(out.ids, rightID(right))
		for l := directory.Viewer; l <= rightLevel(right); l++ {
			out.ids = append(out.ids, firstReach+privID(l))
		}
	}
	for _, p := range r.Privileges {
		out.ids = c.appendPrivilege(out.ids, p, t)
	}
	slices.Sort(out.ids)
	out.ids = slices.Compact(out.ids)
	var bits privBits
	bits.addAll(out.ids)
	out.org = bits.freeze()
	bits.dropOrgOnly()
	out.inProject = bits.freeze()
	return out
}

// dropOrgOnly takes out what counts only on a path without a project.
func (b privBits) dropOrgOnly() {
	if len(b) > 0 {
		b[0] &^= orgOnlyMask
	}
}

// rightID is 0 for what is no right.
func rightID(r directory.Right) privID {
	if i := slices.Index(directory.OrganizationRights, r); i >= 0 {
		return firstOrgRight + privID(i)
	}
	if i := slices.Index(directory.ProjectRights, r); i >= 0 {
		return firstProject + privID(i)
	}
	return 0
}

// appendPrivilege appends the numbers of everything that p contains. What the
// catalogue does not know has none: nobody can ask for it.
func (c *catalogue) appendPrivilege(ids []privID, p directory.Privilege, t *thingsEdit) []privID {
	switch p.Kind {
	case directory.Access:
		if f := c.features[p.Key]; f != nil {
			ids = append(ids, f.access)
		}
	case directory.OutputPrivilege:
		if o := c.outputs[p.Key]; o != nil {
			ids = append(ids, o.id)
		}
	case directory.IntegrationLevel:
		first := c.integrations[p.Key]
		if p.Key == Every {
			first = firstEvery + privID(directory.Viewer)
		}
		for l := directory.Viewer; first != 0 && l <= min(p.Level, directory.Admin); l++ {
			ids = append(ids, first+privID(l-directory.Viewer))
		}
	case directory.RolePrivilege:
		ids = c.appendRolePrivilege(ids, p.Key, t)
	}
	return ids
}

func (c *catalogue) appendRolePrivilege(ids []privID, key string, t *thingsEdit) []privID {
	typ, id, action, ok := directory.SplitRoleKey(key)
	if !ok {
		return ids
	}
	if strings.Count(key, ":") == 1 {
		if f := c.features[id]; f != nil {
			if v, ok := findVerb(f.actions, action); ok {
				ids = append(ids, v.id)
			}
		}
		return ids
	}
	v, ok := findVerb(c.types[typ], action)
	switch {
	case !ok || Reserved(typ):
	case id == Every:
		ids = append(ids, v.id)
	default:
		ids = append(ids, t.number(thing{v.number, id}))
	}
	return ids
}
