package filter

// A Type is the data type of an attribute (RFC 7643, section 2.3).
type Type string

// The data types.
const (
	String    Type = "string"
	Boolean   Type = "boolean"
	Decimal   Type = "decimal"
	Integer   Type = "integer"
	DateTime  Type = "dateTime"
	Binary    Type = "binary"
	Reference Type = "reference"
	Complex   Type = "complex"
)

// An Attribute is the definition of an attribute (RFC 7643, section 2.2).
type Attribute struct {
	Name       string // canonical spelling
	Type       Type
	Multi      bool // multi-valued
	CaseExact  bool
	Required   bool
	Mutability string // readOnly, readWrite, immutable or writeOnly
	Returned   string // always, never, default or request
	Sub        []Attribute
}

// SubAttribute returns the sub-attribute of that name, in any case, or nil.
func (a *Attribute) SubAttribute(name string) *Attribute { return find(a.Sub, name) }

// A Schema is a named set of attributes.
type Schema struct {
	URN        string
	Attributes []Attribute
}

// Attribute returns the attribute of that name, in any case, or nil.
func (s *Schema) Attribute(name string) *Attribute { return find(s.Attributes, name) }

func find(attrs []Attribute, name string) *Attribute {
	for i := range attrs {
		if foldEqual(attrs[i].Name, name) {
			return &attrs[i]
		}
	}
	return nil
}

// A Resource is what a filter is asked about: the core schema of a resource
// type, common attributes included, and its extensions.
type Resource struct {
	Core       Schema
	Extensions []Schema
}

// A Ref is an attribute of a resource.
type Ref struct {
	Extension string     // URN of the extension that holds it; empty: the core
	Attr      *Attribute // nil: the extension as a whole
	Sub       *Attribute // nil: the attribute as a whole

	// Bare says that the client left out the URN of the extension, as Entra ID
	// does for manager.
	Bare bool
}

// Extension returns the extension with that URN, in any case, or nil.
func (r *Resource) Extension(urn string) *Schema {
	for i := range r.Extensions {
		if foldEqual(r.Extensions[i].URN, urn) {
			return &r.Extensions[i]
		}
	}
	return nil
}

// Resolve finds the attribute that p names. URNs and names match in any case
// (RFC 7644, section 3.10).
func (r *Resource) Resolve(p AttrPath) (Ref, error) {
	if p.URN != "" {
		if ext := r.Extension(p.String()); ext != nil {
			return Ref{Extension: ext.URN}, nil
		}
	}
	ref, ok := r.attribute(p)
	if !ok {
		return Ref{}, errorf("unknown attribute %q", clip(p.String()))
	}
	if p.Sub == "" {
		return ref, nil
	}
	if ref.Sub = ref.Attr.SubAttribute(p.Sub); ref.Sub == nil {
		return Ref{}, errorf("attribute %q has no sub-attribute %q", ref.Attr.Name, clip(p.Sub))
	}
	return ref, nil
}

func (r *Resource) attribute(p AttrPath) (Ref, bool) {
	if p.URN != "" && !foldEqual(p.URN, r.Core.URN) {
		ext := r.Extension(p.URN)
		if ext == nil {
			return Ref{}, false
		}
		a := ext.Attribute(p.Name)
		return Ref{Extension: ext.URN, Attr: a}, a != nil
	}
	if a := r.Core.Attribute(p.Name); a != nil {
		return Ref{Attr: a}, true
	}
	if p.URN != "" {
		return Ref{}, false
	}
	for i := range r.Extensions {
		if a := r.Extensions[i].Attribute(p.Name); a != nil {
			return Ref{Extension: r.Extensions[i].URN, Attr: a, Bare: true}, true
		}
	}
	return Ref{}, false
}
