package config

import (
	"bytes"
	"cmp"
	"fmt"
	"maps"
	"path/filepath"
	"reflect"
	"slices"
	"strings"

	"go.yaml.in/yaml/v4"
)

// Print returns c as a configuration file. A secret is shown as the place it
// came from, file names are absolute, and the result loads to an equal Config.
// With origins, each value is followed by a comment that says where it was set.
func (c *Config) Print(origins bool) ([]byte, error) {
	p := printer{c, origins}
	root := p.block(reflect.ValueOf(c).Elem(), "")
	var b bytes.Buffer
	enc, err := yaml.NewDumper(&b, yaml.WithIndent(2), yaml.WithLineWidth(-1))
	if err != nil {
		return nil, fmt.Errorf("printing the configuration: %w", err)
	}
	if err := enc.Dump(root); err != nil {
		return nil, fmt.Errorf("printing the configuration: %w", err)
	}
	if err := enc.Close(); err != nil {
		return nil, fmt.Errorf("printing the configuration: %w", err)
	}
	return b.Bytes(), nil
}

type printer struct {
	c       *Config
	origins bool
}

func (p printer) block(v reflect.Value, path string) *yaml.Node {
	n := &yaml.Node{Kind: yaml.MappingNode, Tag: "!!map"}
	for _, f := range fieldsOf(v.Type()) {
		if value := p.value(v.Field(f.index), f, join(path, f.key)); value != nil {
			n.Content = append(n.Content, scalar(f.key), value)
		}
	}
	if len(n.Content) == 0 {
		return nil
	}
	return n
}

// value is nil for what has no value: it is not printed.
func (p printer) value(v reflect.Value, f field, path string) *yaml.Node {
	switch {
	case v.Kind() == reflect.Pointer:
		if v.IsNil() {
			return nil
		}
		return p.block(v.Elem(), path)
	case isBlock(v.Type()):
		return p.block(v, path)
	case v.Kind() == reflect.Slice:
		return p.list(v, f, path)
	}
	s := text(v)
	if s == "" {
		return nil
	}
	n := scalar(f.absolute(v, s))
	if v.Kind() == reflect.Bool || v.Kind() == reflect.Int {
		n.Tag, n.Style = "", 0
	}
	p.comment(n, path)
	return n
}

// absolute makes the file name s independent of where it is written.
func (f field) absolute(v reflect.Value, s string) string {
	scheme, name := "", s
	if v.Type() == reflect.TypeFor[Secret]() && strings.HasPrefix(s, refFile) {
		scheme, name = refFile, strings.TrimPrefix(s, refFile)
	} else if !f.path {
		return s
	}
	abs, err := filepath.Abs(name)
	if err != nil {
		return s
	}
	return scheme + abs
}

func (p printer) list(v reflect.Value, f field, path string) *yaml.Node {
	if v.Len() == 0 {
		return nil
	}
	n := &yaml.Node{Kind: yaml.SequenceNode, Tag: "!!seq"}
	for i := range v.Len() {
		if item := p.value(v.Index(i), f, fmt.Sprintf("%s[%d]", path, i)); item != nil {
			n.Content = append(n.Content, item)
		}
	}
	return n
}

// comment says where the value at path was set. An item of a list that was set
// as a whole came from where the list did.
func (p printer) comment(n *yaml.Node, path string) {
	if !p.origins {
		return
	}
	o, ok := p.c.origins[path]
	if !ok && strings.HasSuffix(path, "]") {
		o = p.c.origins[parent(path)]
	}
	n.LineComment = "# " + o.String()
}

// scalar is a string that reads back as one, quoted where it must be.
func scalar(s string) *yaml.Node {
	return &yaml.Node{Kind: yaml.ScalarNode, Tag: "!!str", Value: s}
}

// A Change is a key that differs between two configurations.
type Change struct {
	Path     string
	Old, New string // secrets as their place, lists with their separator
	Restart  bool   // a reload cannot apply it
}

// Diff lists what changed from old to c, by key. A secret whose place is the
// same and whose value is not counts as changed.
func (c *Config) Diff(old *Config) []Change {
	was, is := flatten(old), flatten(c)
	paths := slices.Collect(maps.Keys(was))
	for p := range is {
		if _, ok := was[p]; !ok {
			paths = append(paths, p)
		}
	}
	slices.Sort(paths)
	var changes []Change
	for _, p := range paths {
		if o, n := was[p], is[p]; o.text != n.text || o.secret != n.secret {
			changes = append(changes, Change{p, o.text, n.text, o.restart || n.restart})
		}
	}
	return changes
}

// shown is the value of a key as text.
type shown struct {
	text, secret string
	restart      bool
}

func flatten(c *Config) map[string]shown {
	all := map[string]shown{}
	for leaf := range leaves(c) {
		v := leaf.value()
		s := shown{restart: leaf.restart}
		switch x := v.Interface().(type) {
		case Secret:
			s.text, s.secret = cmp.Or(x.Ref(), x.String()), x.Reveal()
		default:
			s.text = flatText(v, leaf.sep)
		}
		all[leaf.path] = s
	}
	return all
}

func flatText(v reflect.Value, sep string) string {
	if v.Kind() != reflect.Slice {
		return text(v)
	}
	var s string
	for i := range v.Len() {
		s += text(v.Index(i)) + sep
	}
	return s
}
