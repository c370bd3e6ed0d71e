package config

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"reflect"
	"strings"

	"go.yaml.in/yaml/v4"
)

// decoder moves one file's YAML into a Config and remembers where each value
// was. It goes on after a fault, so that all of them are reported.
type decoder struct {
	file    string
	origins map[string]Origin
	errs    Errors
}

func (d *decoder) fault(n *yaml.Node, path, hint, format string, args ...any) {
	d.errs = append(d.errs, Error{File: d.file, Line: n.Line, Column: n.Column, Path: path, Msg: fmt.Sprintf(format, args...), Hint: hint})
}

// parse reads text as exactly one YAML document; nil if it is not one.
func (d *decoder) parse(text []byte) *yaml.Node {
	var doc, more yaml.Node
	start := &yaml.Node{Line: 1, Column: 1}
	loader, err := yaml.NewLoader(bytes.NewReader(text))
	if err == nil {
		err = loader.Load(&doc)
	}
	switch {
	case errors.Is(err, io.EOF) || err == nil && len(doc.Content) == 0:
		d.fault(start, "", "", "the file is empty")
		return nil
	case err != nil:
		d.notYAML(err)
		return nil
	}
	switch err := loader.Load(&more); {
	case err == nil:
		d.fault(&more, "", "use conf.d for more files", "a second document")
		return nil
	case !errors.Is(err, io.EOF):
		d.notYAML(err)
		return nil
	}
	return doc.Content[0]
}

func (d *decoder) notYAML(err error) {
	at, msg := &yaml.Node{Line: 1, Column: 1}, err.Error()
	if bad, ok := errors.AsType[*yaml.LoadError](err); ok {
		at.Line, at.Column, msg = max(bad.Mark.Line, 1), max(bad.Mark.Column, 1), bad.Message
	}
	d.fault(at, "", "", "not YAML: %s", clip(strings.TrimPrefix(msg, "yaml: ")))
}

// value decodes n into v. Blocks are merged, lists of blocks appended, all
// else is replaced.
func (d *decoder) value(v reflect.Value, f field, n *yaml.Node, path string) {
	switch {
	case n.Kind == yaml.AliasNode || n.Anchor != "":
		d.fault(n, path, "write the value out", "anchors and aliases are not supported")
	case n.Kind == yaml.ScalarNode && n.Tag == "!!null":
		d.fault(n, path, "remove the key to get the default", "no value")
	case v.Kind() == reflect.Pointer:
		if v.IsNil() {
			v.Set(reflect.New(v.Type().Elem()))
		}
		d.value(v.Elem(), f, n, path)
	case isBlock(v.Type()):
		d.block(v, f, n, path)
	case v.Kind() == reflect.Slice:
		d.list(v, f, n, path)
	default:
		d.single(v, f, n, path)
	}
}

// block decodes a mapping with known keys, or the plain value that is short for
// one.
func (d *decoder) block(v reflect.Value, f field, n *yaml.Node, path string) {
	fields := fieldsOf(v.Type())
	if n.Kind == yaml.ScalarNode && f.shorthand != "" {
		for _, sub := range fields {
			if sub.key == f.shorthand {
				d.single(v.Field(sub.index), sub, n, join(path, sub.key))
			}
		}
		return
	}
	d.eachKey(n, path, func(key, value *yaml.Node) {
		for _, sub := range fields {
			if sub.key == key.Value {
				d.value(v.Field(sub.index), sub, value, join(path, sub.key))
				return
			}
		}
		d.fault(key, path, suggestKey(key.Value, fields), "unknown key %q", clip(key.Value))
	})
}

// eachKey calls f for each key of a mapping, once.
func (d *decoder) eachKey(n *yaml.Node, path string, f func(key, value *yaml.Node)) {
	if n.Kind != yaml.MappingNode {
		d.fault(n, path, "", "want keys and values, got %s", kindOf(n))
		return
	}
	if path != "" {
		d.origins[path] = Origin{d.file, n.Line, n.Column}
	}
	seen := map[string]int{}
	for i := 0; i+1 < len(n.Content); i += 2 {
		key, value := n.Content[i], n.Content[i+1]
		if key.Kind != yaml.ScalarNode || key.Anchor != "" || key.Tag == "!!merge" {
			d.fault(key, path, "", "want a plain key, got %s", kindOf(key))
			continue
		}
		if line, twice := seen[key.Value]; twice {
			d.fault(key, join(path, clip(key.Value)), "", "given twice, first in line %d", line)
			continue
		}
		seen[key.Value] = key.Line
		f(key, value)
	}
}

// list decodes a list; a single value is a list of one.
func (d *decoder) list(v reflect.Value, f field, n *yaml.Node, path string) {
	if n.Kind == yaml.ScalarNode && !isBlock(v.Type().Elem()) {
		v.Set(reflect.MakeSlice(v.Type(), 1, 1))
		d.value(v.Index(0), f, n, path)
		return
	}
	if n.Kind != yaml.SequenceNode {
		d.fault(n, path, "write it as a list: [a, b]", "want a list, got %s", kindOf(n))
		return
	}
	d.origins[path] = Origin{d.file, n.Line, n.Column}
	if !isBlock(v.Type().Elem()) {
		v.SetZero()
	}
	for _, item := range n.Content {
		v.Set(reflect.Append(v, reflect.Zero(v.Type().Elem())))
		last := v.Len() - 1
		d.value(v.Index(last), f, item, fmt.Sprintf("%s[%d]", path, last))
	}
}

func (d *decoder) single(v reflect.Value, f field, n *yaml.Node, path string) {
	if n.Kind != yaml.ScalarNode || n.Style&yaml.TaggedStyle != 0 {
		d.fault(n, path, "", "want a single value, got %s", kindOf(n))
		return
	}
	d.origins[path] = Origin{d.file, n.Line, n.Column}
	if err := f.setText(v, n.Value); err != nil {
		hint := ""
		if errors.Is(err, errLiteralSecret) {
			hint = "say where it is: file:/run/secrets/name, credential:name or env:NAME"
		}
		d.fault(n, path, hint, "%v", err)
		return
	}
	d.relative(v, f)
}

// relative makes a file name in a file relative to the folder of that file.
func (d *decoder) relative(v reflect.Value, f field) {
	dir := filepath.Dir(d.file)
	switch p := v.Addr().Interface().(type) {
	case *string:
		if f.path && !filepath.IsAbs(*p) {
			*p = filepath.Join(dir, *p)
		}
	case *Secret:
		if name, ok := strings.CutPrefix(p.ref, refFile); ok && !filepath.IsAbs(name) {
			p.ref = refFile + filepath.Join(dir, name)
		}
	}
}

// suggestKey looks for a near key among the siblings, then for the same key in
// a block below.
func suggestKey(got string, fields []field) string {
	if hint := didYouMean(got, keysOf(fields)); hint != "" {
		return hint
	}
	for _, f := range fields {
		if !isBlock(f.typ) {
			continue
		}
		for _, sub := range fieldsOf(f.typ) {
			if sub.key == got {
				return fmt.Sprintf("did you mean %q?", f.key+"."+sub.key)
			}
		}
	}
	return ""
}

func join(path, key string) string {
	if path == "" {
		return key
	}
	return path + "." + key
}

// clip bounds how much of a stranger's text an error repeats.
func clip(s string) string {
	const most = 64
	if len(s) <= most {
		return s
	}
	return strings.ToValidUTF8(s[:most], "") + "…"
}

func kindOf(n *yaml.Node) string {
	switch {
	case n.Kind == yaml.MappingNode:
		return "keys and values"
	case n.Kind == yaml.SequenceNode:
		return "a list"
	case n.Kind == yaml.AliasNode:
		return "an alias"
	case n.Style&yaml.TaggedStyle != 0:
		return "a value with the tag " + clip(n.Tag)
	case n.Tag == "!!merge":
		return "a merge"
	}
	return "a single value"
}
