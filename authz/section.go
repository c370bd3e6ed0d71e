package authz

import (
	"cmp"
	"fmt"
	"strings"

	"github.com/usherd/usherd/directory"
	"go.yaml.in/yaml/v4"
)

func (r *fileReader) project(n *yaml.Node, path string) (p directory.Project) {
	r.keys(n, path, []string{"key", "title"}, func(key string, v *yaml.Node) {
		text := r.text(v, joinPath(path, key))
		switch key {
		case "key":
			p.Key = directory.ProjectKey(text)
		case "title":
			p.Title = text
		}
	})
	return p
}

func (r *fileReader) feature(n *yaml.Node, path string) (f directory.Feature) {
	r.keys(n, path, []string{"key", "title", "actions", "seat"}, func(key string, v *yaml.Node) {
		at := joinPath(path, key)
		switch key {
		case "key":
			f.Key = r.text(v, at)
		case "title":
			f.Title = r.text(v, at)
		case "actions":
			f.Actions = r.texts(v, at)
		case "seat":
			f.Seat = r.seat(v, at)
		}
	})
	return f
}

func (r *fileReader) seat(n *yaml.Node, path string) *directory.Seat {
	var s directory.Seat
	r.keys(n, path, []string{"monthly", "currency"}, func(key string, v *yaml.Node) {
		text := r.text(v, joinPath(path, key))
		switch key {
		case "monthly":
			s.Monthly = text
		case "currency":
			s.Currency = text
		}
	})
	return &s
}

func (r *fileReader) output(n *yaml.Node, path string) (o directory.Output) {
	r.keys(n, path, []string{"key", "title", "feature"}, func(key string, v *yaml.Node) {
		text := r.text(v, joinPath(path, key))
		switch key {
		case "key":
			o.Key = text
		case "title":
			o.Title = text
		case "feature":
			o.Feature = text
		}
	})
	return o
}

func (r *fileReader) integration(n *yaml.Node, path string) (i directory.Integration) {
	r.keys(n, path, []string{"key", "title"}, func(key string, v *yaml.Node) {
		text := r.text(v, joinPath(path, key))
		switch key {
		case "key":
			i.Key = text
		case "title":
			i.Title = text
		}
	})
	return i
}

func (r *fileReader) resources(n *yaml.Node, path string) {
	p := &r.f.Policy
	r.table(n, path, func(key, v *yaml.Node) {
		at := fmt.Sprintf("%s[%d]", path, len(p.Resources))
		r.mark(key, at)
		t := directory.ResourceType{Type: key.Value}
		r.keys(v, at, []string{"actions", "ids"}, func(key string, v *yaml.Node) {
			switch key {
			case "actions":
				t.Actions = r.texts(v, joinPath(at, key))
			case "ids":
				t.IDs = r.texts(v, joinPath(at, key))
			}
		})
		p.Resources = append(p.Resources, t)
	})
}

// privilegeKeys are the keys under which privileges are listed, in the order in
// which they are kept.
var privilegeKeys = []string{"access", "role", "output", "integration"}

// privileges reads what stands under one of privilegeKeys into the list of its
// kind.
func (r *fileReader) privileges(lists map[string][]placed, key string, n *yaml.Node, path string) {
	if key != "integration" {
		for i, text := range r.texts(n, path) {
			at := r.f.at[fmt.Sprintf("%s[%d]", path, i)]
			kind := directory.PrivilegeKind(key)
			if kind == directory.RolePrivilege {
				text = directory.RoleKey(text)
			}
			lists[key] = append(lists[key], placed{directory.Privilege{Kind: kind, Key: text}, at})
		}
		return
	}
	r.table(n, path, func(k, v *yaml.Node) {
		p := directory.Privilege{Kind: directory.IntegrationLevel, Key: k.Value, Level: r.level(v, joinPath(path, k.Value))}
		lists[key] = append(lists[key], placed{p, mark{k.Line, k.Column}})
	})
}

// placed is a privilege and where it is written.
type placed struct {
	directory.Privilege
	at mark
}

// flatten puts the lists into one, and keeps the places by its indexes.
func (r *fileReader) flatten(lists map[string][]placed, path string) (out []directory.Privilege) {
	for _, key := range privilegeKeys {
		for _, p := range lists[key] {
			r.f.at[fmt.Sprintf("%s.privileges[%d]", path, len(out))] = p.at
			out = append(out, p.Privilege)
		}
	}
	return out
}

func (r *fileReader) role(n *yaml.Node, path string) (role directory.Role) {
	lists := map[string][]placed{}
	r.keys(n, path, append([]string{"name", "title", "rights"}, privilegeKeys...), func(key string, v *yaml.Node) {
		at := joinPath(path, key)
		switch key {
		case "name":
			role.Name = directory.RoleName(r.text(v, at))
		case "title":
			role.Title = r.text(v, at)
		case "rights":
			role.Rights = readList(r, v, at, func(n *yaml.Node, path string) directory.Right {
				return directory.Right(r.text(n, path))
			})
		default:
			r.privileges(lists, key, v, at)
		}
	})
	role.Privileges = r.flatten(lists, path)
	return role
}

func (r *fileReader) mapping(n *yaml.Node, path string) (m directory.Mapping) {
	r.keys(n, path, []string{"name", "when", "allow_admin", "disabled", "grant"}, func(key string, v *yaml.Node) {
		at := joinPath(path, key)
		switch key {
		case "name":
			m.Name = r.text(v, at)
		case "when":
			m.When = r.when(v, at)
		case "allow_admin":
			m.AllowAdmin = r.flag(v, at)
		case "disabled":
			m.Disabled = r.flag(v, at)
		case "grant":
			if v.Kind == yaml.MappingNode {
				m.Grants = []directory.GrantSet{r.grantSet(v, at+"[0]")}
				return
			}
			m.Grants = readList(r, v, at, r.grantSet)
		}
	})
	return m
}

func (r *fileReader) grantSet(n *yaml.Node, path string) (g directory.GrantSet) {
	lists := map[string][]placed{}
	r.keys(n, path, append([]string{"project", "roles"}, privilegeKeys...), func(key string, v *yaml.Node) {
		at := joinPath(path, key)
		switch key {
		case "project":
			g.Project = directory.ProjectKey(r.text(v, at))
		case "roles":
			g.Roles = readList(r, v, at, func(n *yaml.Node, path string) directory.RoleName {
				return directory.RoleName(r.text(n, path))
			})
		default:
			r.privileges(lists, key, v, at)
		}
	})
	g.Privileges = r.flatten(lists, path)
	return g
}

func (r *fileReader) when(n *yaml.Node, path string) (s directory.Selector) {
	r.keys(n, path, []string{"source", "group"}, func(key string, v *yaml.Node) {
		at := joinPath(path, key)
		if key == "source" {
			s.Source = directory.SourceName(r.text(v, at))
			return
		}
		r.keys(v, at, []string{"dn", "id", "name", "pattern"}, func(key string, v *yaml.Node) {
			setSelector(&s, key, r.text(v, joinPath(at, key)))
		})
	})
	return s
}

func setSelector(s *directory.Selector, key, text string) {
	switch key {
	case "dn":
		s.DN = text
	case "id":
		s.ID = text
	case "name":
		s.Name = text
	case "pattern":
		s.Pattern = text
	}
}

func (r *fileReader) test(n *yaml.Node, path string) (t Test) {
	t.Line, t.Column = n.Line, n.Column
	r.keys(n, path, []string{"as", "user", "project", "can", "cannot"}, func(key string, v *yaml.Node) {
		at := joinPath(path, key)
		switch key {
		case "as":
			t.MadeUp = true
			r.keys(v, at, []string{"groups"}, func(key string, v *yaml.Node) {
				t.Groups = readList(r, v, joinPath(at, key), r.testGroup)
			})
		case "user":
			t.User = r.text(v, at)
		case "project":
			t.Project = directory.ProjectKey(r.text(v, at))
		case "can":
			t.Can = readList(r, v, at, r.testAsk)
		case "cannot":
			t.Cannot = readList(r, v, at, r.testAsk)
		}
	})
	switch {
	case t.MadeUp == (t.User != ""):
		r.fault(n, path, "", "a test has exactly one of as and user")
	case len(t.Can)+len(t.Cannot) == 0:
		r.fault(n, path, `write can: ["access feature/…"]`, "the test says nothing that can or cannot be done")
	}
	return t
}

// testGroup reads "source/name", or {source, id|dn}.
func (r *fileReader) testGroup(n *yaml.Node, path string) (s directory.Selector) {
	if n.Kind == yaml.MappingNode {
		r.keys(n, path, []string{"source", "id", "dn", "name"}, func(key string, v *yaml.Node) {
			text := r.text(v, joinPath(path, key))
			if key == "source" {
				s.Source = directory.SourceName(text)
			} else {
				setSelector(&s, key, text)
			}
		})
	} else {
		source, name, _ := strings.Cut(r.text(n, path), "/")
		s.Source, s.Name = directory.SourceName(source), name
	}
	if s.Source == "" || cmp.Or(s.ID, s.DN, s.Name) == "" || countSet(s) != 1 {
		r.fault(n, path, "write source/name, or {source: …, id: …}, or {source: …, dn: …}", "does not name one group")
	}
	return s
}

// testAsk reads "action type/id".
func (r *fileReader) testAsk(n *yaml.Node, path string) (a TestAsk) {
	text := r.text(n, path)
	action, resource, ok := strings.Cut(text, " ")
	typ, id, ok2 := strings.Cut(strings.TrimSpace(resource), "/")
	if !ok || !ok2 || action == "" || typ == "" || id == "" {
		r.fault(n, path, `write "action type/id", e.g. "access feature/part-list"`, "%q does not say what is asked", clip(text))
	}
	return TestAsk{action, typ, id}
}
