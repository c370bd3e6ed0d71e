package console

import (
	"cmp"
	"fmt"
	"net/url"
	"slices"
	"strings"

	"github.com/usherd/usherd/admin"
	"github.com/usherd/usherd/authz"
	"github.com/usherd/usherd/directory"
)

// A grantToken is one thing that can be granted, in a form's words:
// "access:part-list", "role:part-list:edit", "output:pdf", "roles:releaser" or
// "integration:aws-prod=viewer".
type grantToken = string

// The parts of an editor of privileges, in the order of its tabs.
var privilegeKinds = []Option{
	{"access", "Access"}, {"role", "Role"}, {"output", "Output"}, {"integration", "Integration"}, {"roles", "Roles"},
}

// A privilegeNode is one line of a tree of what can be granted. Without a value
// it is a branch.
type privilegeNode struct {
	Value       grantToken
	Title, Hint string
	Key         string // shown beside the title; empty: it is the title
	Checked     bool
	Level       string // of an integration: what is chosen
	Levels      bool   // chosen by level
	Locked      string // why it can't be changed here
	Href        string // where it can
	Nodes       []privilegeNode
}

// A privilegeTree is what can be granted of one kind in one scope, with what is.
type privilegeTree struct {
	Kind, Title string
	Nodes       []privilegeNode
}

// held is what of a tree is granted: by hand, so that it can be taken back, or
// by a mapping.
type held struct {
	hand    map[grantToken]string // with the level of an integration
	mapping map[grantToken]string // with the name of the mapping
}

// levels of an integration, as they are chosen.
var levels = []Option{{"", "not assigned"}, {"none", "none"}, {"viewer", "viewer"}, {"consumer", "consumer"}, {"admin", "admin"}}

// trees makes the trees of some kinds.
func trees(ch admin.Choices, project directory.ProjectKey, has held, kinds ...string) []privilegeTree {
	makers := map[string]func(admin.Choices, directory.ProjectKey, held) []privilegeNode{
		"access": accessNodes, "role": roleNodes, "output": outputNodes, "integration": integrationNodes, "roles": rolesNodes,
	}
	var out []privilegeTree
	for _, k := range privilegeKinds {
		if slices.Contains(kinds, k.Value) {
			out = append(out, privilegeTree{k.Value, k.Title, makers[k.Value](ch, project, has)})
		}
	}
	return out
}

// node makes a line that is ticked or not.
func (h held) node(token grantToken, title, hint string) privilegeNode {
	n := privilegeNode{Value: token, Title: title, Hint: hint}
	if kind, key, _ := strings.Cut(token, ":"); key != title && kind != "role" {
		n.Key = key
	}
	_, n.Checked = h.hand[token]
	if m, ok := h.mapping[token]; ok && !n.Checked {
		n.Checked, n.Locked, n.Href = true, "From mapping "+m+" – change it there", "/mappings/"+url.PathEscape(m)+"/edit"
	}
	return n
}

func accessNodes(ch admin.Choices, _ directory.ProjectKey, has held) []privilegeNode {
	var out []privilegeNode
	for _, f := range ch.Features {
		out = append(out, has.node("access:"+f.Key, titleOr(f.Title, f.Key), price(f.Seat)))
	}
	return out
}

// price says what a seat costs.
func price(s *directory.Seat) string {
	if s == nil {
		return ""
	}
	return fmt.Sprintf("%s %s a seat a month", s.Monthly, s.Currency)
}

func roleNodes(ch admin.Choices, _ directory.ProjectKey, has held) []privilegeNode {
	var out []privilegeNode
	for _, f := range ch.Features {
		branch := privilegeNode{Title: titleOr(f.Title, f.Key)}
		for _, action := range f.Actions {
			branch.Nodes = append(branch.Nodes, has.node("role:"+directory.RoleKey(f.Key+":"+action), action, ""))
		}
		if len(branch.Nodes) > 0 {
			out = append(out, branch)
		}
	}
	for _, r := range ch.Resources {
		branch := privilegeNode{Title: r.Type}
		for _, id := range resourceIDs(r, has) {
			under := privilegeNode{Title: cmp.Or(map[string]string{"*": "every " + r.Type}[id], id)}
			for _, action := range r.Actions {
				under.Nodes = append(under.Nodes, has.node("role:"+directory.RoleKey(r.Type+":"+id+":"+action), action, ""))
			}
			branch.Nodes = append(branch.Nodes, under)
		}
		out = append(out, branch)
	}
	return out
}

// resourceIDs are the ids of a type that the catalogue names, and those granted.
func resourceIDs(r directory.ResourceType, has held) []string {
	ids := append([]string{"*"}, r.IDs...)
	for _, of := range []map[grantToken]string{has.hand, has.mapping} {
		for token := range of {
			key, _ := strings.CutPrefix(token, "role:")
			if typ, id, _, ok := directory.SplitRoleKey(key); ok && typ == r.Type && !slices.Contains(ids, id) {
				ids = append(ids, id)
			}
		}
	}
	slices.Sort(ids[1:])
	return ids
}

func outputNodes(ch admin.Choices, _ directory.ProjectKey, has held) []privilegeNode {
	var out []privilegeNode
	for _, f := range append(slices.Clone(ch.Features), directory.Feature{Title: "Of no feature"}) {
		branch := privilegeNode{Title: titleOr(f.Title, f.Key)}
		for _, o := range ch.Outputs {
			if o.Feature == f.Key {
				hint := ""
				if f.Key != "" {
					hint = "needs access to the feature too"
				}
				branch.Nodes = append(branch.Nodes, has.node("output:"+o.Key, titleOr(o.Title, o.Key), hint))
			}
		}
		if len(branch.Nodes) > 0 {
			out = append(out, branch)
		}
	}
	return out
}

func integrationNodes(ch admin.Choices, _ directory.ProjectKey, has held) []privilegeNode {
	out := []privilegeNode{has.level("*", "Every integration", "those connected later too")}
	for _, i := range ch.Integrations {
		out = append(out, has.level(i.Key, titleOr(i.Title, i.Key), ""))
	}
	return out
}

// level makes a line of an integration.
func (h held) level(key, title, hint string) privilegeNode {
	n := privilegeNode{Value: "integration:" + key, Title: title, Hint: hint, Levels: true}
	if key != title && key != authz.Every {
		n.Key = key
	}
	n.Level, n.Checked = h.hand[n.Value], h.hand[n.Value] != ""
	if m, ok := h.mapping[n.Value]; ok {
		n.Hint = strings.TrimSpace(hint + " · has a level from mapping " + m + " too; the highest counts")
	}
	return n
}

func rolesNodes(ch admin.Choices, project directory.ProjectKey, has held) []privilegeNode {
	var out []privilegeNode
	for _, r := range ch.Roles {
		n := has.node("roles:"+string(r.Name), titleOr(r.Title, r.Name), "")
		if r.HasAdministrationRight() {
			n.Hint = "administration"
		}
		if project != "" && r.HasOrganizationRight() && n.Locked == "" {
			n.Locked, n.Href = "Holds organization rights: it is granted organization-wide only", "/roles/"+string(r.Name)
		}
		out = append(out, n)
	}
	return out
}

// heldBy sorts what a group is given in one scope.
func heldBy(g admin.GroupPage, project directory.ProjectKey) held {
	out := held{map[grantToken]string{}, map[grantToken]string{}}
	for _, grant := range g.Grants {
		if grant.Project == project {
			out.hand[tokenOf(grant.Role, grant.Privilege)] = grant.Privilege.Level.String()
		}
	}
	for _, given := range g.Given {
		if given.Project == project && given.Mapping != "" {
			out.mapping[tokenOf(given.Role, given.Privilege)] = given.Mapping
		}
	}
	return out
}

// tokenOf is the token of a grant, without a level.
func tokenOf(role directory.RoleName, p directory.Privilege) grantToken {
	if role != "" {
		return "roles:" + string(role)
	}
	return string(p.Kind) + ":" + p.Key
}

// was lists what is granted by hand of some kinds, with levels.
func (h held) was(kinds ...string) []grantToken {
	var out []grantToken
	for token, level := range h.hand {
		kind, _, _ := strings.Cut(token, ":")
		if !slices.Contains(kinds, kind) {
			continue
		}
		if kind == "integration" {
			token += "=" + level
		}
		out = append(out, token)
	}
	slices.Sort(out)
	return out
}

// wanted reads what a form has chosen.
func wanted(form url.Values) []grantToken {
	out := slices.Clone(form["g"])
	for field, values := range form {
		if strings.HasPrefix(field, "integration:") && values[0] != "" {
			out = append(out, field+"="+values[0])
		}
	}
	slices.Sort(out)
	return out
}

// without are the tokens of a that b lacks.
func without(a, b []grantToken) []grantToken {
	return slices.DeleteFunc(slices.Clone(a), func(t grantToken) bool { return slices.Contains(b, t) })
}

// thingOf is a token without its level.
func thingOf(token grantToken) grantToken {
	if strings.HasPrefix(token, "integration:") {
		if at := strings.LastIndexByte(token, '='); at >= 0 {
			return token[:at]
		}
	}
	return token
}

// changeOf is what has to be granted and taken back to get from what was to what
// is wanted. A new level takes nothing back.
func changeOf(was, want []grantToken) (grant, revoke []grantToken) {
	grant = without(want, was)
	revoke = slices.DeleteFunc(without(was, want), func(t grantToken) bool {
		return slices.ContainsFunc(want, func(w grantToken) bool { return thingOf(w) == thingOf(t) })
	})
	return grant, revoke
}

// tokenSpec turns tokens into what the service grants. A token of no kind is
// refused by it as a Role that there is not.
func tokenSpec(project directory.ProjectKey, tokens []grantToken) admin.GrantSpec {
	spec := admin.GrantSpec{Project: project, Integration: map[string]string{}}
	for _, token := range tokens {
		kind, key, _ := strings.Cut(token, ":")
		switch kind {
		case "access":
			spec.Access = append(spec.Access, key)
		case "role":
			spec.Role = append(spec.Role, key)
		case "output":
			spec.Output = append(spec.Output, key)
		case "integration":
			at := strings.LastIndexByte(key, '=')
			if at < 0 {
				at = len(key)
				key += "="
			}
			spec.Integration[key[:at]] = key[at+1:]
		default:
			spec.Roles = append(spec.Roles, directory.RoleName(key))
		}
	}
	return spec
}

// tokenWords says a token for people.
func tokenWords(token grantToken) string {
	kind, key, _ := strings.Cut(token, ":")
	if kind == "roles" {
		return "Role " + key
	}
	return kind + " " + strings.Replace(key, "=", ": ", 1)
}

// granted reports whether anything of a tree is.
func (t privilegeTree) granted() bool { return anyChecked(t.Nodes) }

func anyChecked(nodes []privilegeNode) bool {
	return slices.ContainsFunc(nodes, func(n privilegeNode) bool { return n.Checked || anyChecked(n.Nodes) })
}
