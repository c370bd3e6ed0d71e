package authz

import (
	"fmt"
	"slices"

	"github.com/usherd/usherd/directory"
	"go.yaml.in/yaml/v4"
)

// mark keeps where a path is.
func (r *fileReader) mark(n *yaml.Node, path string) { r.f.at[path] = mark{n.Line, n.Column} }

// keys calls f for each known key of a mapping, once.
func (r *fileReader) keys(n *yaml.Node, path string, known []string, f func(key string, v *yaml.Node)) {
	r.table(n, path, func(key, v *yaml.Node) {
		if known != nil && !slices.Contains(known, key.Value) {
			r.fault(key, path, didYouMean(key.Value, known), "unknown key %q", clip(key.Value))
			return
		}
		r.mark(key, joinPath(path, key.Value))
		f(key.Value, v)
	})
}

// table calls f for each key of a mapping, once.
func (r *fileReader) table(n *yaml.Node, path string, f func(key, v *yaml.Node)) {
	if !r.plain(n, path) {
		return
	}
	if n.Kind != yaml.MappingNode {
		r.fault(n, path, "", "want keys and values, got %s", kindOf(n))
		return
	}
	if _, ok := r.f.at[path]; !ok {
		r.mark(n, path)
	}
	seen := map[string]int{}
	for i := 0; i+1 < len(n.Content); i += 2 {
		key, v := n.Content[i], n.Content[i+1]
		if key.Kind != yaml.ScalarNode || key.Anchor != "" || key.Tag == "!!merge" || key.Tag == "!!null" {
			r.fault(key, path, "", "want a plain key, got %s", kindOf(key))
			continue
		}
		if line, twice := seen[key.Value]; twice {
			r.fault(key, path, "", "key %q is given twice, first in line %d", clip(key.Value), line)
			continue
		}
		seen[key.Value] = key.Line
		f(key, v)
	}
}

// plain refuses aliases, anchors and tags: a policy says what it says where it
// says it.
func (r *fileReader) plain(n *yaml.Node, path string) bool {
	switch {
	case n.Kind == yaml.AliasNode || n.Anchor != "":
		r.fault(n, path, "write the value out", "anchors and aliases are not supported")
	case n.Style&yaml.TaggedStyle != 0:
		r.fault(n, path, "", "tags are not supported")
	default:
		return true
	}
	return false
}

// readList reads each item of a list.
func readList[T any](r *fileReader, n *yaml.Node, path string, item func(n *yaml.Node, path string) T) (out []T) {
	if !r.plain(n, path) {
		return nil
	}
	if n.Kind != yaml.SequenceNode {
		r.fault(n, path, "write it as a list: [a, b]", "want a list, got %s", kindOf(n))
		return nil
	}
	for i, v := range n.Content {
		at := fmt.Sprintf("%s[%d]", path, i)
		r.mark(v, at)
		out = append(out, item(v, at))
	}
	return out
}

// text reads a single value.
func (r *fileReader) text(n *yaml.Node, path string) string {
	if !r.plain(n, path) {
		return ""
	}
	if n.Kind != yaml.ScalarNode || n.Tag == "!!null" {
		r.fault(n, path, "", "want a single value, got %s", kindOf(n))
		return ""
	}
	if _, ok := r.f.at[path]; !ok {
		r.mark(n, path)
	}
	return n.Value
}

// texts reads a list of single values.
func (r *fileReader) texts(n *yaml.Node, path string) []string { return readList(r, n, path, r.text) }

func (r *fileReader) flag(n *yaml.Node, path string) bool {
	switch v := r.text(n, path); v {
	case "true":
		return true
	case "false", "":
	default:
		r.fault(n, path, "write true or false", "%q is neither true nor false", clip(v))
	}
	return false
}

func (r *fileReader) level(n *yaml.Node, path string) directory.Level {
	text := r.text(n, path)
	l, err := directory.ParseLevel(text)
	if err != nil && text != "" {
		names := []string{"none", "viewer", "consumer", "admin"}
		r.fault(n, path, didYouMean(text, names), "level %q is not one of none, viewer, consumer, admin", clip(text))
	}
	return l
}

func joinPath(path, key string) string {
	if path == "" {
		return key
	}
	return path + "." + key
}

func kindOf(n *yaml.Node) string {
	switch {
	case n.Kind == yaml.MappingNode:
		return "keys and values"
	case n.Kind == yaml.SequenceNode:
		return "a list"
	case n.Kind == yaml.AliasNode:
		return "an alias"
	case n.Tag == "!!null":
		return "nothing"
	}
	return "a single value"
}
