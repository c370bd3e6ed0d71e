package admin

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"strings"

	"go.yaml.in/yaml/v4"
)

// ParseGrants reads a file with one entry in the form of a mapping's grant, or
// a list of them. Unknown and repeated keys are errors with line and column.
func ParseGrants(name string, text []byte) ([]GrantSpec, error) {
	var root yaml.Node
	dec := yaml.NewDecoder(bytes.NewReader(text))
	if err := dec.Decode(&root); err != nil {
		if errors.Is(err, io.EOF) {
			return nil, fmt.Errorf("%w: %s is empty", ErrPolicy, name)
		}
		return nil, fmt.Errorf("%w: %s: %w", ErrPolicy, name, err)
	}
	if err := dec.Decode(new(yaml.Node)); !errors.Is(err, io.EOF) {
		return nil, fmt.Errorf("%w: %s holds more than one document", ErrPolicy, name)
	}
	nodes := root.Content
	if len(nodes) == 1 && nodes[0].Kind == yaml.SequenceNode {
		nodes = nodes[0].Content
	}
	var out []GrantSpec
	for _, n := range nodes {
		spec, err := grantEntry(name, n)
		if err != nil {
			return nil, err
		}
		out = append(out, spec)
	}
	return out, nil
}

// grantKeys are the keys of an entry.
var grantKeys = []string{"project", "roles", "access", "role", "output", "integration"}

func grantEntry(name string, n *yaml.Node) (GrantSpec, error) {
	fault := func(at *yaml.Node, format string, args ...any) error {
		return &FaultsError{ErrPolicy, []Fault{{File: name, Line: at.Line, Column: at.Column, Detail: fmt.Sprintf(format, args...)}}}
	}
	var spec GrantSpec
	if n.Kind != yaml.MappingNode {
		return spec, fault(n, "want an entry with the keys %s", strings.Join(grantKeys, ", "))
	}
	seen := map[string]bool{}
	for i := 0; i+1 < len(n.Content); i += 2 {
		key, value := n.Content[i], n.Content[i+1]
		if seen[key.Value] {
			return spec, fault(key, "%q is given twice", key.Value)
		}
		seen[key.Value] = true
		into, ok := map[string]any{
			"project": &spec.Project, "roles": &spec.Roles, "access": &spec.Access, "role": &spec.Role,
			"output": &spec.Output, "integration": &spec.Integration,
		}[key.Value]
		if !ok {
			return spec, fault(key, "unknown key %q%s", key.Value, didYouMean(key.Value, grantKeys))
		}
		if err := value.Decode(into); err != nil {
			return spec, fault(value, "%s: not what belongs there", key.Value)
		}
	}
	return spec, nil
}
