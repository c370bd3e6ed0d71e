package authz

import (
	"regexp"

	"github.com/usherd/usherd/directory"
	"go.yaml.in/yaml/v4"
)

// Export writes a policy as a file that [Parse] reads back. It contains the
// sections that hold something. Times are not part of it, and privileges are
// in the order access, role, output, integration.
func Export(p directory.Policy) []byte {
	root := newMap()
	root.put("apiVersion", plainNode(APIVersion))
	root.putList(string(directory.SectionProjects), nodes(p.Projects, projectNode))
	root.putList(string(directory.SectionFeatures), nodes(p.Features, featureNode))
	root.putList(string(directory.SectionOutputs), nodes(p.Outputs, outputNode))
	root.putList(string(directory.SectionIntegrations), nodes(p.Integrations, integrationNode))
	if len(p.Resources) > 0 {
		root.put(string(directory.SectionResources), resourcesNode(p.Resources))
	}
	root.putList(string(directory.SectionRoles), nodes(p.Roles, roleNode))
	root.putText(string(directory.SectionDefaultRole), string(p.DefaultRole))
	root.putList(string(directory.SectionMappings), nodes(p.Mappings, mappingNode))
	if tests, err := Tests(p); err == nil {
		root.putList(string(directory.SectionTests), nodes(tests, testNode))
	}
	text, err := yaml.Dump(root.node(0), yaml.WithLineWidth(-1))
	if err != nil {
		return nil // a node of plain texts has no way to fail
	}
	return text
}

// yamlMap builds a mapping in order, without what is empty.
type yamlMap struct{ content []*yaml.Node }

func newMap() *yamlMap { return &yamlMap{} }

func (m *yamlMap) put(key string, v *yaml.Node) {
	m.content = append(m.content, textNode(key), v)
}

func (m *yamlMap) putText(key, text string) {
	if text != "" {
		m.put(key, textNode(text))
	}
}

func (m *yamlMap) putList(key string, items []*yaml.Node) {
	if len(items) > 0 {
		m.put(key, &yaml.Node{Kind: yaml.SequenceNode, Tag: "!!seq", Content: items})
	}
}

func (m *yamlMap) putTexts(key string, texts []string) {
	if len(texts) > 0 {
		m.put(key, &yaml.Node{Kind: yaml.SequenceNode, Tag: "!!seq", Style: yaml.FlowStyle, Content: nodes(texts, textNode)})
	}
}

func (m *yamlMap) node(style yaml.Style) *yaml.Node {
	return &yaml.Node{Kind: yaml.MappingNode, Tag: "!!map", Style: style, Content: m.content}
}

func (m *yamlMap) flow() *yaml.Node { return m.node(yaml.FlowStyle) }

// textNode is a text, quoted where it must be.
func textNode(s string) *yaml.Node {
	n := &yaml.Node{}
	n.SetString(s)
	if n.Style == yaml.LiteralStyle || yaml11.MatchString(s) {
		n.Style = yaml.DoubleQuotedStyle // it may stand inside a flow
	}
	return n
}

// yaml11 are the plain texts that a reader of YAML 1.1 takes for something else,
// and one of YAML 1.2 does not: truth values, and numbers with _, in octal,
// binary or base 60, such as 12:30.
var yaml11 = regexp.MustCompile(`^(?i:y|yes|n|no|on|off|[-+]?0b[01_]+|[-+]?0x[0-9a-f_]+|[-+]?[0-9][0-9_]*(:[0-5]?[0-9])*(\.[0-9_]*)?(e[-+]?[0-9]+)?)$`)

// plainNode is a text that needs no quotes.
func plainNode(s string) *yaml.Node { return &yaml.Node{Kind: yaml.ScalarNode, Value: s} }

func nodes[T any](list []T, one func(T) *yaml.Node) []*yaml.Node {
	out := make([]*yaml.Node, len(list))
	for i, item := range list {
		out[i] = one(item)
	}
	return out
}

func toStrings[T ~string](list []T) []string {
	out := make([]string, len(list))
	for i, s := range list {
		out[i] = string(s)
	}
	return out
}

func keyed(key, title string) *yamlMap {
	m := newMap()
	m.putText("key", key)
	m.putText("title", title)
	return m
}

func projectNode(p directory.Project) *yaml.Node { return keyed(string(p.Key), p.Title).flow() }

func featureNode(f directory.Feature) *yaml.Node {
	m := keyed(f.Key, f.Title)
	m.putTexts("actions", f.Actions)
	if f.Seat != nil {
		seat := newMap()
		seat.put("monthly", plainNode(f.Seat.Monthly))
		seat.putText("currency", f.Seat.Currency)
		m.put("seat", seat.flow())
	}
	return m.flow()
}

func outputNode(o directory.Output) *yaml.Node {
	m := keyed(o.Key, o.Title)
	m.putText("feature", o.Feature)
	return m.flow()
}

func integrationNode(i directory.Integration) *yaml.Node { return keyed(i.Key, i.Title).flow() }

func resourcesNode(list []directory.ResourceType) *yaml.Node {
	m := newMap()
	for _, r := range list {
		t := newMap()
		t.putTexts("actions", r.Actions)
		t.putTexts("ids", r.IDs)
		m.put(r.Type, t.flow())
	}
	return m.node(0)
}

// putPrivileges writes each kind under its key.
func (m *yamlMap) putPrivileges(list []directory.Privilege) {
	for _, key := range privilegeKeys {
		var texts []string
		levels := newMap()
		for _, p := range list {
			switch {
			case string(p.Kind) != key:
			case p.Kind == directory.IntegrationLevel:
				levels.put(p.Key, textNode(p.Level.String()))
			default:
				texts = append(texts, p.Key)
			}
		}
		m.putTexts(key, texts)
		if len(levels.content) > 0 {
			m.put(key, levels.flow())
		}
	}
}

func roleNode(r directory.Role) *yaml.Node {
	m := newMap()
	m.putText("name", string(r.Name))
	m.putText("title", r.Title)
	m.putTexts("rights", toStrings(r.Rights))
	m.putPrivileges(r.Privileges)
	return m.node(0)
}

func mappingNode(mp directory.Mapping) *yaml.Node {
	m, when := newMap(), newMap()
	m.putText("name", mp.Name)
	when.putText("source", string(mp.When.Source))
	when.put("group", selectorMap(mp.When).flow())
	m.put("when", when.flow())
	if mp.AllowAdmin {
		m.put("allow_admin", plainNode("true"))
	}
	if mp.Disabled {
		m.put("disabled", plainNode("true"))
	}
	m.putList("grant", nodes(mp.Grants, func(g directory.GrantSet) *yaml.Node {
		set := newMap()
		set.putText("project", string(g.Project))
		set.putTexts("roles", toStrings(g.Roles))
		set.putPrivileges(g.Privileges)
		return set.flow()
	}))
	return m.node(0)
}

func selectorMap(s directory.Selector) *yamlMap {
	m := newMap()
	m.putText("dn", s.DN)
	m.putText("id", s.ID)
	m.putText("name", s.Name)
	m.putText("pattern", s.Pattern)
	return m
}

func testNode(t Test) *yaml.Node {
	m := newMap()
	if t.MadeUp {
		as := newMap()
		as.put("groups", &yaml.Node{Kind: yaml.SequenceNode, Tag: "!!seq", Style: yaml.FlowStyle, Content: nodes(t.Groups, testGroupNode)})
		m.put("as", as.flow())
	}
	m.putText("user", t.User)
	m.putText("project", string(t.Project))
	ask := func(a TestAsk) string { return a.String() }
	m.putTexts("can", mapTexts(t.Can, ask))
	m.putTexts("cannot", mapTexts(t.Cannot, ask))
	return m.flow()
}

func testGroupNode(s directory.Selector) *yaml.Node {
	if s.Name != "" {
		return textNode(string(s.Source) + "/" + s.Name)
	}
	m := newMap()
	m.putText("source", string(s.Source))
	m.putText("dn", s.DN)
	m.putText("id", s.ID)
	return m.flow()
}

func mapTexts[T any](list []T, f func(T) string) []string {
	out := make([]string, len(list))
	for i, item := range list {
		out[i] = f(item)
	}
	return out
}
