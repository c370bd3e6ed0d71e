package authz

import (
	"cmp"
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/usherd/usherd/directory"
)

// checkReferences finds what in a whole policy points to something that is not
// there, or to something that may not stand there.
func checkReferences(p *directory.Policy, sources []directory.Source) []Problem {
	r := &referrer{
		checker: checker{p: p},
		cat:     compileCatalogue(directory.PolicyFacts{Policy: *p, Sources: sources}, &thingsEdit{}),
		sources: []directory.SourceName{directory.Local},
	}
	for _, s := range sources {
		if s.State != directory.SourceRemoved {
			r.sources = append(r.sources, s.Name)
		}
	}
	for i, o := range p.Outputs {
		if o.Feature != "" && r.cat.features[o.Feature] == nil {
			r.unknown(fmt.Sprintf("outputs[%d].feature", i), "feature", o.Feature, r.features())
		}
	}
	for i, role := range p.Roles {
		at := fmt.Sprintf("roles[%d]", i)
		for j, right := range role.Rights {
			if rightID(right) == 0 {
				known := slices.Concat(directory.OrganizationRights, directory.ProjectRights)
				r.problem(fmt.Sprintf("%s.rights[%d]", at, j), didYouMean(string(right), known), "unknown right %q", clip(string(right)))
			}
		}
		r.privileges(at, role.Privileges)
	}
	if p.DefaultRole != "" && r.cat.roles[p.DefaultRole] == nil {
		r.unknown("default_role", "Role", string(p.DefaultRole), r.roleNames())
	}
	for i := range p.Mappings {
		r.mapping(fmt.Sprintf("mappings[%d]", i), &p.Mappings[i])
	}
	return r.problems
}

// referrer checks against a compiled policy.
type referrer struct {
	checker
	cat     *catalogue
	sources []directory.SourceName
}

func (r *referrer) unknown(path, what, got string, known []string) {
	r.problem(path, didYouMean(got, known), "unknown %s %q", what, clip(got))
}

func (r *referrer) features() (out []string) {
	for _, f := range r.p.Features {
		out = append(out, f.Key)
	}
	return out
}

func (r *referrer) roleNames() (out []string) {
	for _, role := range slices.Concat(directory.BuiltinRoles(), r.p.Roles) {
		out = append(out, string(role.Name))
	}
	return out
}

func (r *referrer) mapping(at string, m *directory.Mapping) {
	if m.When.Source != "" && !slices.Contains(r.sources, m.When.Source) {
		r.problem(at+".when.source", addSource(m.When.Source, r.sources), "unknown source %q", clip(string(m.When.Source)))
	}
	admin := false
	for j, set := range m.Grants {
		in := fmt.Sprintf("%s.grant[%d]", at, j)
		if set.Project != "" && r.cat.scope(set.Project) == nowhere {
			var known []directory.ProjectKey
			for _, p := range r.p.Projects {
				known = append(known, p.Key)
			}
			r.problem(in+".project", didYouMean(string(set.Project), known), "unknown project %q", clip(string(set.Project)))
		}
		for k, name := range set.Roles {
			path := fmt.Sprintf("%s.roles[%d]", in, k)
			role := r.cat.roles[name]
			if role == nil {
				r.unknown(path, "Role", string(name), r.roleNames())
				continue
			}
			admin = admin || role.HasAdministrationRight()
			if set.Project != "" && role.HasOrganizationRight() {
				r.problem(path, "leave project out, or use a Role with project rights only",
					"the Role %q holds an organization right, so it can only be granted organization-wide", name)
			}
		}
		r.privileges(in, set.Privileges)
	}
	if admin && !m.AllowAdmin && (m.When.Name != "" || m.When.Pattern != "") {
		r.problem(at, "write allow_admin: true if you mean it; the mapping is then bound to the groups that it matches when applied",
			"the mapping follows names and gives an administration right")
	}
}

func (r *referrer) privileges(at string, list []directory.Privilege) {
	for k, p := range list {
		path := fmt.Sprintf("%s.privileges[%d]", at, k)
		switch p.Kind {
		case directory.Access:
			if r.cat.features[p.Key] == nil {
				r.unknown(path, "feature", p.Key, r.features())
			}
		case directory.OutputPrivilege:
			if r.cat.outputs[p.Key] == nil {
				var known []string
				for _, o := range r.p.Outputs {
					known = append(known, o.Key)
				}
				r.unknown(path, "output", p.Key, known)
			}
		case directory.IntegrationLevel:
			if p.Key != Every && r.cat.integrations[p.Key] == 0 {
				known := []string{}
				for _, i := range r.p.Integrations {
					known = append(known, i.Key)
				}
				r.unknown(path, "integration", p.Key, known)
			}
			if p.Level > directory.Admin {
				r.problem(path, "", "unknown level")
			}
		case directory.RolePrivilege:
			r.roleKey(path, p.Key)
		default:
			r.problem(path, "", "unknown kind of privilege %q", clip(string(p.Kind)))
		}
	}
}

// roleKey checks "feature:action" or "type:id:action".
func (r *referrer) roleKey(path, key string) {
	typ, id, action, ok := directory.SplitRoleKey(key)
	if r.cat.roles[directory.RoleName(key)] != nil && !strings.HasPrefix(path, "roles") {
		r.problem(path, fmt.Sprintf("did you mean roles: [%s]?", key), "%q is a Role, not a role privilege", key)
		return
	}
	if !ok {
		r.problem(path, `write "feature:action", or "type:id:action" for anything else`, "%q is not a role privilege", clip(key))
		return
	}
	if strings.Count(key, ":") == 1 {
		f := r.cat.features[id]
		switch {
		case f == nil:
			r.unknown(path, "feature", id, r.features())
		case action == ActionAccess:
			r.problem(path, "write access: ["+id+"]", "access is a privilege of its own kind")
		default:
			r.action(path, "feature "+id, action, f.actions)
		}
		return
	}
	verbs, known := r.cat.types[typ]
	switch {
	case typ == TypeFeature:
		r.problem(path, fmt.Sprintf("write %q", id+":"+action), "%q names a feature in the form of other things", clip(key))
	case !known:
		var types []string
		for _, t := range r.p.Resources {
			types = append(types, t.Type)
		}
		r.unknown(path, "type", typ, types)
	case id != Every && strings.Contains(id, Every):
		r.problem(path, "", "%q: * stands for every id and not for a part of one", clip(key))
	default:
		r.action(path, "type "+typ, action, verbs)
	}
}

func (r *referrer) action(path, of, action string, verbs []verb) {
	if _, ok := findVerb(verbs, action); ok {
		return
	}
	var known []string
	for _, v := range verbs {
		known = append(known, v.name)
	}
	r.problem(path, didYouMean(action, known), "the %s declares no action %q", of, clip(action))
}

// Validate checks a file against what the store holds: the sections that the
// file lacks are those of the store. The error is [Faults], those that Parse
// found among them.
func (f *File) Validate(current directory.PolicyFacts) error {
	whole := *f
	whole.faults = slices.Clone(f.faults)
	policy := f.Over(current.Policy)
	for _, p := range checkReferences(&policy, current.Sources) {
		whole.reference(p)
	}
	s := build(directory.Stamp{}, directory.PolicyFacts{Policy: policy, Sources: current.Sources}, nil)
	for i, t := range f.Tests {
		whole.checkTest(fmt.Sprintf("tests[%d]", i), t, s)
	}
	return whole.faults.err()
}

// inFile drops from a path what a file does not say.
var inFile = regexp.MustCompile(`\.privileges\[[0-9]+\]`)

// reference enters a problem. One in a section that the file does not manage is
// the file's doing all the same: it removed what that section points to.
func (f *File) reference(p Problem) {
	section, _, _ := strings.Cut(p.Path, "[")
	if !f.Has(directory.Section(section)) {
		p.Msg = fmt.Sprintf("%s (in the section %s, which this file does not manage)", p.Msg, section)
		p.Hint = "keep what it needs, or add the section to the file"
	}
	f.fault(p)
}

// addSource is what to do about a source that nobody knows, as a hint.
func addSource(name directory.SourceName, known []directory.SourceName) string {
	return cmp.Or(didYouMean(string(name), known), "it comes first: usherd source add "+shellWord(clip(string(name)))+" --kind scim (or ldap)")
}
