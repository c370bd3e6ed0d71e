package authz

import (
	"encoding/json"
	"fmt"
	"slices"

	"github.com/google/jsonschema-go/jsonschema"
	"github.com/usherd/usherd/directory"
)

// Schema is the JSON Schema (draft 2020-12) of policy files, for editors. It
// knows the shape only: [File.Validate] knows what refers to what. A file that
// the schema refuses is refused by [Parse] too, but for unusual spellings of
// single values, such as a number as a title.
func Schema() *jsonschema.Schema {
	privileges := map[string]*jsonschema.Schema{
		"access":      list(text("A feature's key.")),
		"role":        list(text("FEATURE:ACTION, or TYPE:ID:ACTION; the id * is every id.")),
		"output":      list(text("An output's key.")),
		"integration": described(&jsonschema.Schema{Type: "object", AdditionalProperties: oneOf("none", "viewer", "consumer", "admin")}, "Levels by connection; * is every connection."),
	}
	with := func(more map[string]*jsonschema.Schema) map[string]*jsonschema.Schema {
		for key, s := range privileges {
			more[key] = s.CloneSchemas()
		}
		return more
	}
	seat := object(map[string]*jsonschema.Schema{
		"monthly": {Types: []string{"number", "string"}, Description: "Price of a seat a month, e.g. 4.00."}, "currency": {Type: "string", Pattern: "^[A-Z]{3}$"},
	}, "monthly", "currency")
	grant := object(with(map[string]*jsonschema.Schema{
		"project": text("The grant counts in this project only."), "roles": list(text("A Role's name.")),
	}))
	group := object(map[string]*jsonschema.Schema{
		"dn": text("A distinguished name."), "id": text("The id that the source gives."),
		"name": text("The whole name."), "pattern": text("A glob with * and ?, for the whole name."),
	})
	group.MinProperties, group.MaxProperties = new(1), new(1)
	root := object(map[string]*jsonschema.Schema{
		"apiVersion":   {Const: new(any(APIVersion))},
		"projects":     described(list(catalogueItem(nil)), "Scopes inside the organization."),
		"features":     described(list(catalogueItem(map[string]*jsonschema.Schema{"actions": list(text("")), "seat": seat})), "In the order of the home page."),
		"outputs":      list(catalogueItem(map[string]*jsonschema.Schema{"feature": text("Access to this feature must count too.")})),
		"integrations": list(catalogueItem(nil)),
		"resources": described(&jsonschema.Schema{Type: "object", AdditionalProperties: object(map[string]*jsonschema.Schema{
			"actions": list(text("")), "ids": list(text("")),
		})}, "Any other thing that an application protects, by type."),
		"roles": list(object(with(map[string]*jsonschema.Schema{
			"name": text(""), "title": text(""), "rights": list(oneOf(slices.Concat(directory.OrganizationRights, directory.ProjectRights)...)),
		}), "name")),
		"default_role": text("Of standard users whom nothing gives a Role organization-wide."),
		"mappings": list(object(map[string]*jsonschema.Schema{
			"name":        text(""),
			"when":        object(map[string]*jsonschema.Schema{"source": text(""), "group": group}, "source", "group"),
			"disabled":    described(&jsonschema.Schema{Type: "boolean"}, "It gives nothing until it is enabled again; the groups that it is bound to stay."),
			"allow_admin": described(&jsonschema.Schema{Type: "boolean"}, "By name or pattern, it may give administration rights."),
			"grant":       {AnyOf: []*jsonschema.Schema{grant, list(grant.CloneSchemas())}},
		}, "name", "when", "grant")),
		"tests": list(testSchema()),
	}, "apiVersion")
	root.Schema = "https://json-schema.org/draft/2020-12/schema"
	root.Title = "usherd policy"
	root.Description = "A file manages the sections that it contains: what it lacks there is removed by an apply."
	return root
}

func testSchema() *jsonschema.Schema {
	named := object(map[string]*jsonschema.Schema{"source": text(""), "id": text(""), "dn": text(""), "name": text("")}, "source")
	asked := func() *jsonschema.Schema {
		return list(&jsonschema.Schema{Type: "string", Pattern: "^[^ ]+ [^/]+/.+$", Description: "ACTION TYPE/ID"})
	}
	return object(map[string]*jsonschema.Schema{
		"as": described(object(map[string]*jsonschema.Schema{
			"groups": list(&jsonschema.Schema{AnyOf: []*jsonschema.Schema{{Type: "string", Pattern: "^[^/]+/.+$"}, named}}),
		}), "A made-up member of these groups, each SOURCE/NAME or {source, id|dn}."),
		"user": text("A living user."), "project": text(""), "can": asked(), "cannot": asked(),
	})
}

// SchemaText is the schema as it is published.
func SchemaText() ([]byte, error) {
	text, err := json.MarshalIndent(Schema(), "", "  ")
	if err != nil {
		return nil, fmt.Errorf("encoding the schema: %w", err)
	}
	return append(text, '\n'), nil
}

func object(properties map[string]*jsonschema.Schema, required ...string) *jsonschema.Schema {
	return &jsonschema.Schema{
		Type: "object", Properties: properties, Required: required,
		AdditionalProperties: &jsonschema.Schema{Not: &jsonschema.Schema{}}, // an unknown key is an error
	}
}

// catalogueItem is an item of the catalogue.
func catalogueItem(more map[string]*jsonschema.Schema) *jsonschema.Schema {
	properties := map[string]*jsonschema.Schema{"key": text("Never renamed."), "title": text("")}
	for key, s := range more {
		properties[key] = s
	}
	return object(properties, "key")
}

func list(items *jsonschema.Schema) *jsonschema.Schema {
	return &jsonschema.Schema{Type: "array", Items: items}
}

func text(description string) *jsonschema.Schema {
	return &jsonschema.Schema{Type: "string", Description: description}
}

func described(s *jsonschema.Schema, description string) *jsonschema.Schema {
	s.Description = description
	return s
}

func oneOf[T ~string](values ...T) *jsonschema.Schema {
	s := &jsonschema.Schema{}
	for _, v := range values {
		s.Enum = append(s.Enum, string(v))
	}
	return s
}
