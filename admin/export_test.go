package admin

import (
	"fmt"
	"maps"
	"reflect"
	"slices"

	"github.com/google/jsonschema-go/jsonschema"
	"github.com/usherd/usherd/directory"
)

// Patterns lists the routes of the API.
func (a *API) Patterns() []string {
	all := map[string]handler{}
	for _, routes := range a.tables() {
		maps.Copy(all, routes)
	}
	return slices.Sorted(maps.Keys(all))
}

// OperationPatterns lists the operations that the document has.
func OperationPatterns() []string { return slices.Sorted(maps.Keys(operations)) }

// An AnswerSchema checks answers strictly: no member but those that the document
// names.
type AnswerSchema struct {
	resolved map[string]*jsonschema.Resolved
}

// NewAnswerSchema makes the schemas of the answers of all routes, and of
// problems.
func NewAnswerSchema() (*AnswerSchema, error) {
	out := &AnswerSchema{map[string]*jsonschema.Resolved{}}
	for pattern, op := range operations {
		if err := out.add(pattern, op.answer); err != nil {
			return nil, err
		}
		for status, body := range op.also {
			if err := out.add(fmt.Sprintf("%s %d", pattern, status), body); err != nil {
				return nil, err
			}
		}
	}
	return out, out.add("problem", Problem{})
}

func (a *AnswerSchema) add(name string, body any) (err error) {
	s := newSchemas(true)
	s.prefix = "#/$defs/"
	root := *s.of(reflect.TypeOf(body))
	root.Defs = s.components
	a.resolved[name], err = root.Resolve(nil)
	return err
}

// Check says what is wrong with an answer; a status of 400 or more is a problem.
func (a *AnswerSchema) Check(pattern string, status int, body any) error {
	name := pattern
	if status >= 400 {
		name = "problem"
	} else if a.resolved[fmt.Sprintf("%s %d", pattern, status)] != nil {
		name = fmt.Sprintf("%s %d", pattern, status)
	}
	return a.resolved[name].Validate(body)
}

// PolicySections names the sections whose items can be told apart, put and
// dropped.
func PolicySections() []directory.Section {
	var out []directory.Section
	for _, s := range policySections {
		out = append(out, s.name)
	}
	return out
}
