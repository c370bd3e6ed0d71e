package directory

import (
	"cmp"
	"slices"
	"time"
)

// A Seat is what one active standard user with access to a feature costs.
// Monthly is a decimal number as written in the policy.
type Seat struct {
	Monthly  string `json:"monthly"`
	Currency string `json:"currency"`
}

// A Feature is something that a user may open and act in.
type Feature struct {
	Key     string   `json:"key"`
	Title   string   `json:"title,omitempty"`
	Actions []string `json:"actions,omitempty"`
	Seat    *Seat    `json:"seat,omitempty"`
}

// An Output is a production output; Feature, if set, must be accessible too.
type Output struct {
	Key     string `json:"key"`
	Title   string `json:"title,omitempty"`
	Feature string `json:"feature,omitempty"`
}

// An Integration is one connection of the catalogue.
type Integration struct {
	Key   string `json:"key"`
	Title string `json:"title,omitempty"`
}

// A ResourceType is any other type of thing that applications protect. IDs are
// those that searches list; a check takes any id.
type ResourceType struct {
	Type    string   `json:"type"`
	Actions []string `json:"actions,omitempty"`
	IDs     []string `json:"ids,omitempty"`
}

// A Project is a named scope inside the organization.
type Project struct {
	Key   ProjectKey `json:"key"`
	Title string     `json:"title,omitempty"`
}

// A Role is a named set of rights and privileges. Modified is zero until
// somebody changes the Role.
type Role struct {
	Name       RoleName    `json:"name"`
	Title      string      `json:"title,omitempty"`
	Rights     []Right     `json:"rights,omitempty"`
	Privileges []Privilege `json:"privileges,omitempty"`
	Modified   time.Time   `json:"modified,omitzero"`
}

// HasOrganizationRight reports whether r may be granted organization-wide only.
func (r Role) HasOrganizationRight() bool { return slices.ContainsFunc(r.Rights, Right.IsOrganization) }

// HasAdministrationRight reports whether r lets its holder administer.
func (r Role) HasAdministrationRight() bool {
	return slices.ContainsFunc(r.Rights, Right.IsAdministration)
}

// A Selector says which groups of one source a mapping means. Exactly one of
// DN, ID, Name and Pattern is set. ID is the id that the source gives, never
// ours. Pattern is a glob over the whole canonical name.
type Selector struct {
	Source  SourceName `json:"source"`
	DN      string     `json:"dn,omitempty"`
	ID      string     `json:"id,omitempty"`
	Name    string     `json:"name,omitempty"`
	Pattern string     `json:"pattern,omitempty"`
}

// A GrantSet is what one mapping or edit grants in one scope.
type GrantSet struct {
	Project    ProjectKey  `json:"project,omitempty"`
	Roles      []RoleName  `json:"roles,omitempty"`
	Privileges []Privilege `json:"privileges,omitempty"`
}

// A Mapping grants to the directory groups that its selector means.
type Mapping struct {
	Name       string     `json:"name"`
	When       Selector   `json:"when"`
	AllowAdmin bool       `json:"allowAdmin,omitempty"`
	Disabled   bool       `json:"disabled,omitempty"` // gives nothing; what it is bound to stays
	Grants     []GrantSet `json:"grants"`
}

// A BindingState says whether a mapping reaches a group.
type BindingState string

// The states of a binding.
const (
	Bound     BindingState = "bound"
	Suspended BindingState = "suspended" // waits for a confirmation; gives nothing
)

// A Binding ties a mapping to the stable id of a group. Mappings by id and dn
// have bindings, and those by name and pattern that give an administration
// right; other mappings by name and pattern follow names and have none.
type Binding struct {
	Mapping string       `json:"mapping"`
	Group   GroupID      `json:"group"`
	Num     GroupNum     `json:"num"`
	State   BindingState `json:"state"`
}

// A Section is a top-level part of the policy that a file manages as a whole.
type Section string

// The sections of a policy.
const (
	SectionProjects     Section = "projects"
	SectionFeatures     Section = "features"
	SectionOutputs      Section = "outputs"
	SectionIntegrations Section = "integrations"
	SectionResources    Section = "resources"
	SectionRoles        Section = "roles"
	SectionDefaultRole  Section = "default_role"
	SectionMappings     Section = "mappings"
	SectionTests        Section = "tests"
)

// A Policy is the catalogue, projects, Roles and mappings. Order is meaningful
// for features (home page) and kept for the rest. Tests is the YAML text of
// the tests section, kept so that export gives it back.
type Policy struct {
	Projects     []Project      `json:"projects,omitempty"`
	Features     []Feature      `json:"features,omitempty"`
	Outputs      []Output       `json:"outputs,omitempty"`
	Integrations []Integration  `json:"integrations,omitempty"`
	Resources    []ResourceType `json:"resources,omitempty"`
	Roles        []Role         `json:"roles,omitempty"` // custom Roles only
	DefaultRole  RoleName       `json:"defaultRole,omitempty"`
	Mappings     []Mapping      `json:"mappings,omitempty"`
	Tests        string         `json:"tests,omitempty"`
}

// Role returns the Role of that name, custom or built in.
func (p *Policy) Role(name RoleName) (Role, bool) {
	for _, roles := range [][]Role{p.Roles, BuiltinRoles()} {
		for _, r := range roles {
			if r.Name == name {
				return r, true
			}
		}
	}
	return Role{}, false
}

// GivesAdministration reports whether m grants a Role with an administration
// right under p.
func (p *Policy) GivesAdministration(m Mapping) bool {
	for _, set := range m.Grants {
		for _, name := range set.Roles {
			if r, ok := p.Role(name); ok && r.HasAdministrationRight() {
				return true
			}
		}
	}
	return false
}

// Binds reports whether m is tied to groups by [Binding] rows under p, rather
// than following names.
func (p *Policy) Binds(m Mapping) bool {
	return m.When.ID != "" || m.When.DN != "" || p.GivesAdministration(m)
}

// Matches reports whether the selector means a group with these names. DNs are
// compared by the key that the LDAP package stores, see [Group.DN].
func (s Selector) Matches(source SourceName, externalID, dn string, name NameKey) bool {
	switch {
	case s.Source != source:
		return false
	case s.ID != "":
		return s.ID == externalID
	case s.DN != "":
		return dn != "" && EqualDN(s.DN, dn)
	case s.Name != "":
		key, err := KeyOf(s.Name)
		return err == nil && key == name
	}
	return s.Pattern != "" && MatchGlob(s.Pattern, name)
}

// String names the selector for people: "source/what".
func (s Selector) String() string {
	return string(s.Source) + "/" + cmp.Or(s.DN, s.ID, s.Name, s.Pattern)
}
