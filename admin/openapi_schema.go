package admin

import (
	"encoding"
	"encoding/json"
	"reflect"
	"strings"
	"time"

	"github.com/google/jsonschema-go/jsonschema"
	"github.com/usherd/usherd/directory"
)

// schemas turns Go types into JSON Schemas. A struct with a name becomes a
// component that others refer to.
type schemas struct {
	components map[string]*jsonschema.Schema
	types      map[string]reflect.Type // by component
	prefix     string                  // of references
	strict     bool                    // no member but those that are named
}

func newSchemas(strict bool) *schemas {
	return &schemas{map[string]*jsonschema.Schema{}, map[string]reflect.Type{}, "#/components/schemas/", strict}
}

// closedSets are the types whose values are all known.
var closedSets = map[reflect.Type][]any{
	reflect.TypeFor[directory.SourceKind]():    {directory.KindLocal, directory.KindSCIM, directory.KindLDAP},
	reflect.TypeFor[directory.SourceState]():   {directory.SourceActive, directory.SourcePaused, directory.SourceDisabled, directory.SourceRemoved},
	reflect.TypeFor[directory.GroupStatus]():   {directory.GroupActive, directory.GroupBlocked},
	reflect.TypeFor[DraftState]():              {DraftOpen, DraftApplied},
	reflect.TypeFor[directory.UserType]():      {directory.Standard, directory.Service},
	reflect.TypeFor[directory.TokenKind]():     {directory.TokenSCIM, directory.TokenCheck, directory.TokenAdmin},
	reflect.TypeFor[directory.Level]():         {"none", "viewer", "consumer", "admin"},
	reflect.TypeFor[directory.PrivilegeKind](): {directory.Access, directory.RolePrivilege, directory.OutputPrivilege, directory.IntegrationLevel},
}

var (
	textMarshaler = reflect.TypeFor[encoding.TextMarshaler]()
	jsonMarshaler = reflect.TypeFor[json.Marshaler]()
)

// of is the schema of a type.
func (s *schemas) of(t reflect.Type) *jsonschema.Schema {
	if set, ok := closedSets[t]; ok {
		return &jsonschema.Schema{Type: "string", Enum: asStrings(set)}
	}
	switch {
	case t == reflect.TypeFor[time.Time]():
		return &jsonschema.Schema{Type: "string", Format: "date-time"}
	case t == reflect.TypeFor[time.Duration]():
		return &jsonschema.Schema{Type: "integer", Description: "nanoseconds"}
	case t == reflect.TypeFor[json.RawMessage](), t.Implements(jsonMarshaler):
		return &jsonschema.Schema{}
	case t.Implements(textMarshaler):
		return &jsonschema.Schema{Type: "string"}
	}
	return s.ofKind(t)
}

func (s *schemas) ofKind(t reflect.Type) *jsonschema.Schema {
	switch t.Kind() {
	case reflect.Bool:
		return &jsonschema.Schema{Type: "boolean"}
	case reflect.String:
		return &jsonschema.Schema{Type: "string"}
	case reflect.Float32, reflect.Float64:
		return &jsonschema.Schema{Type: "number"}
	case reflect.Pointer:
		return s.of(t.Elem())
	case reflect.Slice, reflect.Array:
		if t.Elem().Kind() == reflect.Uint8 {
			return &jsonschema.Schema{Type: "string", ContentEncoding: "base64"}
		}
		return &jsonschema.Schema{Type: "array", Items: s.of(t.Elem())}
	case reflect.Map:
		return &jsonschema.Schema{Type: "object", AdditionalProperties: s.of(t.Elem())}
	case reflect.Struct:
		return s.component(t)
	case reflect.Interface:
		return &jsonschema.Schema{}
	}
	return &jsonschema.Schema{Type: "integer"}
}

func asStrings(set []any) []any {
	out := make([]any, len(set))
	for i, v := range set {
		out[i] = reflect.ValueOf(v).String()
	}
	return out
}

// component describes a struct once and returns a reference to it.
func (s *schemas) component(t reflect.Type) *jsonschema.Schema {
	if t.Name() == "" {
		return s.object(t)
	}
	name := s.nameOf(t)
	if _, ok := s.components[name]; !ok {
		s.components[name], s.types[name] = &jsonschema.Schema{}, t // it may refer to itself
		*s.components[name] = *s.object(t)
	}
	return &jsonschema.Schema{Ref: s.prefix + name}
}

// nameOf is the name of a type without those of packages: Listing[admin.X] is
// ListingX. A second type of that name has its package in front.
func (s *schemas) nameOf(t reflect.Type) string {
	name := t.Name()
	if base, arg, ok := strings.Cut(name, "["); ok {
		arg = strings.TrimSuffix(arg, "]")
		name = base + arg[strings.LastIndexByte(arg, '.')+1:]
	}
	name = strings.ToUpper(name[:1]) + name[1:]
	if have, ok := s.types[name]; ok && have != t {
		pkg := t.PkgPath()[strings.LastIndexByte(t.PkgPath(), '/')+1:]
		name = strings.ToUpper(pkg[:1]) + pkg[1:] + name
	}
	return name
}

func (s *schemas) object(t reflect.Type) *jsonschema.Schema {
	out := &jsonschema.Schema{Type: "object", Properties: map[string]*jsonschema.Schema{}}
	s.members(t, out)
	if s.strict {
		out.AdditionalProperties = &jsonschema.Schema{Not: &jsonschema.Schema{}}
	}
	return out
}

// members adds the members that encoding/json writes; those of the outer struct
// hide those of embedded ones.
func (s *schemas) members(t reflect.Type, out *jsonschema.Schema) {
	for f := range fieldsOf(t) {
		name, options, _ := strings.Cut(f.Tag.Get("json"), ",")
		if name == "-" || out.Properties[name] != nil {
			continue
		}
		if name == "" {
			name = f.Name
		}
		prop := s.of(f.Type)
		optional := strings.Contains(options, "omitempty") || strings.Contains(options, "omitzero")
		if kind := f.Type.Kind(); !optional && (kind == reflect.Slice || kind == reflect.Map || kind == reflect.Pointer) {
			prop = orNull(prop)
		}
		if doc := f.Tag.Get("doc"); doc != "" {
			prop.Description = doc
		}
		out.Properties[name] = prop
		out.PropertyOrder = append(out.PropertyOrder, name)
		if !optional {
			out.Required = append(out.Required, name)
		}
	}
}

// orNull is a schema that takes null besides.
func orNull(s *jsonschema.Schema) *jsonschema.Schema {
	switch {
	case s.Ref != "":
		return &jsonschema.Schema{AnyOf: []*jsonschema.Schema{s, {Type: "null"}}}
	case s.Type != "":
		s.Types, s.Type = []string{s.Type, "null"}, ""
	}
	if s.Enum != nil {
		s.Enum = append(s.Enum, nil)
	}
	return s
}

// fieldsOf yields the fields that encoding/json writes, the outer ones first.
func fieldsOf(t reflect.Type) func(func(reflect.StructField) bool) {
	return func(yield func(reflect.StructField) bool) {
		var embedded []reflect.Type
		for i := range t.NumField() {
			f := t.Field(i)
			if f.Anonymous && f.Tag.Get("json") == "" {
				inner := f.Type
				if inner.Kind() == reflect.Pointer {
					inner = inner.Elem()
				}
				if inner.Kind() == reflect.Struct {
					embedded = append(embedded, inner)
					continue
				}
			}
			if f.IsExported() && !yield(f) {
				return
			}
		}
		for _, inner := range embedded {
			for f := range fieldsOf(inner) {
				if !yield(f) {
					return
				}
			}
		}
	}
}
