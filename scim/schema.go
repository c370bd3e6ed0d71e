package scim

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"

	liberrors "github.com/elimity-com/scim/errors"
	"github.com/elimity-com/scim/optional"
	"github.com/elimity-com/scim/schema"

	"github.com/usherd/usherd/directory"
	"github.com/usherd/usherd/scim/filter"
)

// The URNs that we name ourselves.
const (
	userURN       = schema.UserSchema
	groupURN      = schema.GroupSchema
	enterpriseURN = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User"
)

// A resourceType is User or Group as one source sees it: the definitions of
// the library, and the same as the filter package reads them.
type resourceType struct {
	name       string // "User"
	endpoint   string // "Users"
	core       schema.Schema
	extensions []schema.Schema
	def        *filter.Resource
	returning  returning
}

// A model is the set of resource types of a source.
type model struct {
	user, group *resourceType
	links       bool // people of other sources may be joined
}

// settings is the shape of directory.Source.Settings for SCIM sources.
type settings struct {
	// Schemas are extensions in the form of RFC 7643, section 7.
	Schemas []extension `json:"schemas"`
	// Profile says whose habits the client has; empty or auto: told from its
	// requests.
	Profile Profile `json:"profile"`
	// Link is read by who links; here it matters that it is there.
	Link json.RawMessage `json:"link"`
}

type extension struct {
	ResourceType string `json:"resourceType"` // "User" (default) or "Group"
	schema.Schema
}

// UnmarshalJSON reads resourceType beside what the library reads.
func (e *extension) UnmarshalJSON(data []byte) error {
	var own struct {
		ResourceType string `json:"resourceType"`
	}
	if err := json.Unmarshal(data, &own); err != nil {
		return err
	}
	e.ResourceType = own.ResourceType
	return e.Schema.UnmarshalJSON(data)
}

// CheckSettings reports what is wrong with the settings of a SCIM source.
func CheckSettings(raw json.RawMessage) error {
	if len(raw) == 0 {
		return nil
	}
	var set settings
	dec := json.NewDecoder(bytes.NewReader(raw))
	dec.DisallowUnknownFields()
	if err := dec.Decode(&set); err != nil {
		return fmt.Errorf("settings of a SCIM source: %w: %w", err, directory.ErrInvalid)
	}
	if !set.Profile.known() {
		return fmt.Errorf("profile %q is not one of %s: %w", set.Profile, ProfileNames(), directory.ErrInvalid)
	}
	_, err := newModel(raw)
	return err
}

func newModel(raw json.RawMessage) (*model, error) {
	var set settings
	if len(raw) > 0 {
		if err := json.Unmarshal(raw, &set); err != nil {
			return nil, fmt.Errorf("settings of a SCIM source: %w: %w", err, directory.ErrInvalid)
		}
	}
	user := []schema.Schema{enterpriseSchema()}
	var group []schema.Schema
	for _, e := range set.Schemas {
		switch {
		case !strings.Contains(e.ID, ":") || e.ID == userURN || e.ID == groupURN || e.ID == enterpriseURN:
			return nil, fmt.Errorf("extension schema %q: the id must be a URI of its own: %w", e.ID, directory.ErrInvalid)
		case e.ResourceType == "" || e.ResourceType == "User":
			user = append(user, e.Schema)
		case e.ResourceType == "Group":
			group = append(group, e.Schema)
		default:
			return nil, fmt.Errorf("extension schema %q: resourceType must be User or Group: %w", e.ID, directory.ErrInvalid)
		}
	}
	return &model{
		links: len(set.Link) > 0 && string(set.Link) != "null",
		user:  newResourceType("User", "Users", schema.CoreUserSchema(), user),
		group: newResourceType("Group", "Groups", groupSchema(), group),
	}, nil
}

// enterpriseSchema is the library's under the name that RFC 7643, section
// 8.7.1, gives it: clients make names of their own of it.
func enterpriseSchema() schema.Schema {
	s := schema.ExtensionEnterpriseUser()
	s.Name = optional.NewString("EnterpriseUser")
	return s
}

// groupSchema is the library's, but that the name is unique in the source, and
// members are what they are here: known by exact values, and with a display that
// no client may write.
func groupSchema() schema.Schema {
	s := schema.CoreGroupSchema()
	text := func(name, description string, m schema.AttributeMutability, canonical ...string) schema.SimpleParams {
		return schema.SimpleStringParams(schema.StringParams{
			Name: name, Description: optional.NewString(description), Mutability: m, CanonicalValues: canonical,
			CaseExact: name == "value", // as ids and external ids are
		})
	}
	members := schema.ComplexCoreAttribute(schema.ComplexParams{
		Name: "members", Description: optional.NewString("The members of the group."), MultiValued: true,
		SubAttributes: []schema.SimpleParams{
			text("value", "The id of the member, or its externalId until somebody has that.", schema.AttributeMutabilityImmutable()),
			schema.SimpleReferenceParams(schema.ReferenceParams{
				Name: "$ref", Description: optional.NewString("The address of the member."),
				Mutability: schema.AttributeMutabilityImmutable(), ReferenceTypes: []schema.AttributeReferenceType{"User", "Group"},
			}),
			text("type", "What the member is.", schema.AttributeMutabilityImmutable(), "User", "Group"),
			text("display", "Accepted and ignored.", schema.AttributeMutabilityReadOnly()),
		},
	})
	name := schema.SimpleCoreAttribute(schema.SimpleStringParams(schema.StringParams{
		Name: "displayName", Description: optional.NewString("The name of the group, unique in its source."), Required: true,
		Uniqueness: schema.AttributeUniquenessServer(),
	}))
	s.Attributes = schema.Attributes{name, members}
	return s
}

func newResourceType(name, endpoint string, core schema.Schema, ext []schema.Schema) *resourceType {
	def := &filter.Resource{Core: definition(core)}
	def.Core.Attributes = append(commonAttributes(), def.Core.Attributes...)
	for _, e := range ext {
		def.Extensions = append(def.Extensions, definition(e))
	}
	return &resourceType{name: name, endpoint: endpoint, core: core, extensions: ext, def: def, returning: returningOf(def)}
}

// commonAttributes are those of RFC 7643, section 3.1, and schemas. The
// library has them without the sub-attributes of meta.
func commonAttributes() []filter.Attribute {
	str := func(name, mutability, returned string) filter.Attribute {
		return filter.Attribute{Name: name, Type: filter.String, CaseExact: true, Mutability: mutability, Returned: returned}
	}
	date := func(name string) filter.Attribute {
		return filter.Attribute{Name: name, Type: filter.DateTime, Mutability: "readOnly", Returned: "default"}
	}
	schemas := str("schemas", "readOnly", "always")
	schemas.Multi = true
	return []filter.Attribute{
		schemas,
		str("id", "readOnly", "always"),
		str("externalId", "readWrite", "default"),
		{Name: "meta", Type: filter.Complex, Mutability: "readOnly", Returned: "default", Sub: []filter.Attribute{
			str("resourceType", "readOnly", "default"), date("created"), date("lastModified"),
			str("location", "readOnly", "default"), str("version", "readOnly", "default"),
		}},
	}
}

func definition(s schema.Schema) filter.Schema {
	return filter.Schema{URN: s.ID, Attributes: attributes(s.Attributes)}
}

func attributes(as schema.Attributes) []filter.Attribute {
	out := make([]filter.Attribute, 0, len(as))
	for _, a := range as {
		out = append(out, filter.Attribute{
			Name: a.Name(), Type: filter.Type(a.AttributeType()), Multi: a.MultiValued(), CaseExact: a.CaseExact(),
			Required: a.Required(), Mutability: a.Mutability(), Returned: a.Returned(), Sub: attributes(a.SubAttributes()),
		})
	}
	return out
}

// validate checks a whole document in canonical names against the library's
// definitions: the types of all values, and that what is required is there.
func (rt *resourceType) validate(doc map[string]any) error {
	core := maps.Clone(doc)
	core["schemas"] = []any{rt.core.ID}
	delete(core, "members") // rows, checked one by one
	if _, err := rt.core.Validate(core); err != nil {
		return invalid(err, rt.core.Attributes, core)
	}
	for _, e := range rt.extensions {
		ext, ok := doc[e.ID].(map[string]any)
		if !ok {
			continue
		}
		if _, err := e.ValidateExtension(ext); err != nil {
			return invalid(err, e.Attributes, ext)
		}
	}
	return nil
}

// invalid names the attribute that the library found wrong without saying so.
func invalid(err *liberrors.ScimError, attrs schema.Attributes, doc map[string]any) error {
	for _, a := range attrs {
		v, ok := doc[a.Name()]
		if !ok && a.Required() {
			return badValue("attribute %q is required", a.Name())
		}
		one := schema.Schema{Attributes: schema.Attributes{a}}
		if _, bad := one.ValidateExtension(map[string]any{a.Name(): v}); bad != nil {
			return badValue("attribute %q has a value that it cannot have", a.Name())
		}
	}
	return fault(err.Status, string(err.ScimType), "%s", err.Detail)
}

// schemasOf lists the URNs of the schemas that doc uses.
func (rt *resourceType) schemasOf(doc map[string]any) []any {
	urns := []any{rt.core.ID}
	for _, e := range rt.extensions {
		if _, ok := doc[e.ID]; ok {
			urns = append(urns, e.ID)
		}
	}
	return urns
}

// sortedKeys makes the order in which an object is worked through certain.
func sortedKeys(m map[string]any) []string { return slices.Sorted(maps.Keys(m)) }
