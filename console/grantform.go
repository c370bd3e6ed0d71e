package console

import (
	"fmt"
	"net/url"
	"slices"
	"strings"

	"github.com/usherd/usherd/admin"
	"github.com/usherd/usherd/authz"
	"github.com/usherd/usherd/directory"
)

// A pick is something to tick.
type pick struct {
	Value, Title, Note string
	Checked            bool
}

// A grantFields is the part of a form that says what to grant in one scope. Its
// fields begin with Prefix.
type grantFields struct {
	Prefix   string
	Title    string
	Scopes   []Option // none: the form has no scope and no Roles
	Project  string
	Roles    []pick
	Access   []pick
	Role     []pick
	Output   []pick
	Levels   []levelPick
	MoreRole string // role privileges that no pick names
}

// A levelPick is the level on one connection.
type levelPick struct{ Key, Title, Level string }

// levelNames are what a connection's level can be.
var levelNames = []string{"none", "viewer", "consumer", "admin"}

// grantFieldsOf fills a form with what a set grants.
func grantFieldsOf(prefix string, ch admin.Choices, set admin.GrantSpec) grantFields {
	g := grantFields{Prefix: prefix, Project: string(set.Project)}
	for _, f := range ch.Features {
		note := ""
		if f.Seat != nil {
			note = f.Seat.Monthly + " " + f.Seat.Currency + " a seat"
		}
		g.Access = append(g.Access, pick{f.Key, titleFor(f.Title, f.Key), note, slices.Contains(set.Access, f.Key)})
		for _, action := range f.Actions {
			key := f.Key + ":" + action
			g.Role = append(g.Role, pick{key, titleFor(f.Title, f.Key) + ": " + action, "", slices.Contains(set.Role, key)})
		}
	}
	for _, r := range ch.Resources {
		for _, id := range append([]string{authz.Every}, r.IDs...) {
			for _, action := range r.Actions {
				key := r.Type + ":" + id + ":" + action
				g.Role = append(g.Role, pick{key, key, "", slices.Contains(set.Role, key)})
			}
		}
	}
	var more []string
	for _, key := range set.Role {
		if !slices.ContainsFunc(g.Role, func(p pick) bool { return p.Value == key }) {
			more = append(more, key)
		}
	}
	g.MoreRole = strings.Join(more, "\n")
	for _, o := range ch.Outputs {
		note := ""
		if o.Feature != "" {
			note = "with access to " + o.Feature
		}
		g.Output = append(g.Output, pick{o.Key, titleFor(o.Title, o.Key), note, slices.Contains(set.Output, o.Key)})
	}
	g.Levels = append(g.Levels, levelPick{authz.Every, "every connection", set.Integration[authz.Every]})
	for _, i := range ch.Integrations {
		g.Levels = append(g.Levels, levelPick{i.Key, titleFor(i.Title, i.Key), set.Integration[i.Key]})
	}
	return g
}

// withScope adds the scope and the Roles, which a mapping's grant has and a
// Role has not.
func (g grantFields) withScope(ch admin.Choices, set admin.GrantSpec) grantFields {
	g.Scopes = []Option{{"", "Organization"}}
	for _, p := range ch.Projects {
		g.Scopes = append(g.Scopes, Option{string(p.Key), scopeName(p.Key, ch.Projects)})
	}
	for _, r := range ch.Roles {
		note := ""
		if r.HasAdministrationRight() {
			note = "administration"
		}
		g.Roles = append(g.Roles, pick{string(r.Name), titleFor(r.Title, string(r.Name)), note, slices.Contains(set.Roles, r.Name)})
	}
	return g
}

// grantSpecOf reads what grantFieldsOf's form sent.
func grantSpecOf(form url.Values, prefix string) admin.GrantSpec {
	g := admin.GrantSpec{
		Project: directory.ProjectKey(form.Get(prefix + "project")), Access: form[prefix+"access"], Output: form[prefix+"output"],
		Role: append(slices.Clone(form[prefix+"role"]), strings.Fields(form.Get(prefix+"more"))...),
	}
	for _, name := range form[prefix+"roles"] {
		g.Roles = append(g.Roles, directory.RoleName(name))
	}
	for field := range form {
		if key, ok := strings.CutPrefix(field, prefix+"level."); ok && form.Get(field) != "" {
			if g.Integration == nil {
				g.Integration = map[string]string{}
			}
			g.Integration[key] = form.Get(field)
		}
	}
	return g
}

// specOf is a set in the words of a form.
func specOf(set directory.GrantSet) admin.GrantSpec {
	g := admin.GrantSpec{Project: set.Project, Roles: set.Roles}
	for _, p := range set.Privileges {
		switch p.Kind {
		case directory.Access:
			g.Access = append(g.Access, p.Key)
		case directory.RolePrivilege:
			g.Role = append(g.Role, p.Key)
		case directory.OutputPrivilege:
			g.Output = append(g.Output, p.Key)
		case directory.IntegrationLevel:
			if g.Integration == nil {
				g.Integration = map[string]string{}
			}
			g.Integration[p.Key] = p.Level.String()
		}
	}
	return g
}

// empty reports whether nothing is granted.
func emptyGrant(g admin.GrantSpec) bool {
	return len(g.Roles)+len(g.Access)+len(g.Role)+len(g.Output)+len(g.Integration) == 0
}

// setLines says in words what a set grants.
func setLines(set directory.GrantSet, projects []directory.Project) (out []string) {
	where := ""
	if set.Project != "" {
		where = " in " + scopeName(set.Project, projects)
	}
	for _, r := range set.Roles {
		out = append(out, "Role "+string(r)+where)
	}
	for _, p := range set.Privileges {
		text := p.String()
		if p.Kind == directory.IntegrationLevel {
			text = fmt.Sprintf("%s on %s", p.Level, p.Key)
		}
		out = append(out, text+where)
	}
	return out
}

func titleFor(title, key string) string {
	if title == "" {
		return key
	}
	return title
}
