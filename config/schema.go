package config

import (
	"encoding/json"
	"fmt"
	"reflect"
	"strconv"

	"github.com/google/jsonschema-go/jsonschema"
)

// Schema returns the JSON Schema (draft 2020-12) of a configuration file, for
// editors: put
//
//	# yaml-language-server: $schema=usherd.schema.json
//
// on the first line. It knows single values and shapes; [Load] checks more.
func Schema() *jsonschema.Schema {
	s := blockSchema(reflect.TypeFor[Config]())
	s.Schema = "https://json-schema.org/draft/2020-12/schema"
	s.Title = "Configuration of usherd"
	s.Required = []string{"apiVersion"}
	return s
}

func blockSchema(t reflect.Type) *jsonschema.Schema {
	s := &jsonschema.Schema{
		Type:                 "object",
		Properties:           map[string]*jsonschema.Schema{},
		AdditionalProperties: &jsonschema.Schema{Not: &jsonschema.Schema{}},
	}
	for _, f := range fieldsOf(t) {
		s.Properties[f.key] = f.schema()
		s.PropertyOrder = append(s.PropertyOrder, f.key)
	}
	switch t {
	case reflect.TypeFor[Source]():
		s.Required = []string{"name", "kind"}
	case reflect.TypeFor[LDAP]():
		s.Required = []string{"template", "urls"}
	case reflect.TypeFor[Route]():
		s.Required = []string{"match", "check"}
	}
	return s
}

func (f field) schema() *jsonschema.Schema {
	s := f.typeSchema(f.typ)
	if f.shorthand != "" {
		s = &jsonschema.Schema{AnyOf: []*jsonschema.Schema{{Type: "string"}, s}}
	}
	s.Description = f.doc
	if def, ok := f.defaultJSON(); ok {
		s.Default = def
	}
	return s
}

func (f field) typeSchema(t reflect.Type) *jsonschema.Schema {
	switch {
	case t.Kind() == reflect.Pointer:
		return blockSchema(t.Elem())
	case isBlock(t):
		return blockSchema(t)
	case t.Kind() == reflect.Slice:
		list := &jsonschema.Schema{Type: "array", Items: f.typeSchema(t.Elem())}
		if isBlock(t.Elem()) {
			return list
		}
		return &jsonschema.Schema{AnyOf: []*jsonschema.Schema{f.typeSchema(t.Elem()), list}}
	}
	return f.singleSchema(t)
}

func (f field) singleSchema(t reflect.Type) *jsonschema.Schema {
	switch t {
	case reflect.TypeFor[Secret]():
		return &jsonschema.Schema{Type: "string", Pattern: "^(file|credential|env):.+$"}
	case reflect.TypeFor[Duration]():
		return &jsonschema.Schema{Type: "string", Pattern: `^([0-9]+d|([0-9.]+(ns|us|µs|ms|s|m|h))+|0)$`}
	case reflect.TypeFor[Prefix]():
		return &jsonschema.Schema{Type: "string"}
	}
	switch t.Kind() {
	case reflect.Bool:
		return &jsonschema.Schema{Type: "boolean"}
	case reflect.Int:
		return &jsonschema.Schema{Type: "integer", Minimum: number(f.min), Maximum: number(f.max)}
	case reflect.String:
		s := &jsonschema.Schema{Type: "string", MinLength: jsonschema.Ptr(1)}
		if f.enum != nil {
			s.Enum = anys(f.enum)
		}
		return s
	}
	panic(fmt.Sprintf("config: no schema for a %s", t))
}

// defaultJSON is the tag's default as JSON.
func (f field) defaultJSON() (json.RawMessage, bool) {
	switch {
	case f.def == "":
		return nil, false
	case f.typ.Kind() == reflect.Int && f.typ != reflect.TypeFor[Duration](), f.typ.Kind() == reflect.Bool:
		return json.RawMessage(f.def), true
	}
	return json.RawMessage(strconv.Quote(f.def)), true
}

func number(s string) *float64 {
	n, err := strconv.ParseFloat(s, 64)
	if err != nil {
		return nil
	}
	return &n
}

func anys(list []string) []any {
	out := make([]any, len(list))
	for i, s := range list {
		out[i] = s
	}
	return out
}
