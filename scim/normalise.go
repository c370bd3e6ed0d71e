package scim

import (
	"github.com/usherd/usherd/scim/filter"
)

// normalise turns the body of a POST or PUT into a document in canonical
// names: no nulls, no read-only attributes, no password, no schemas, every
// value of the type that its attribute has. Unknown attributes are ignored
// (RFC 7643, section 3.3). Members are taken out; nil means that the body has
// none.
func (rt *resourceType) normalise(body any, q *quirks) (doc map[string]any, members []string, err error) {
	obj, ok := body.(map[string]any)
	if !ok {
		return nil, nil, badSyntax("the body must be a JSON object")
	}
	n := normaliser{rt: rt, quirks: q, doc: map[string]any{}, seen: map[string]bool{}}
	if err := n.object(obj); err != nil {
		return nil, nil, err
	}
	keepOnePrimary(n.doc, q)
	return n.doc, n.members, nil
}

type normaliser struct {
	rt      *resourceType
	quirks  *quirks
	doc     map[string]any
	seen    map[string]bool // canonical paths that are set
	members []string
}

func (n *normaliser) object(obj map[string]any) error {
	schemas := false
	for _, key := range sortedKeys(obj) {
		if foldEqual(key, "schemas") {
			schemas = true
			if err := n.schemas(obj[key]); err != nil {
				return err
			}
			continue
		}
		if inner, ok := obj[key].(map[string]any); ok && foldEqual(key, n.rt.core.ID) {
			n.quirks.add("core attributes under their URN")
			for _, name := range sortedKeys(inner) {
				if err := n.attribute(name, inner[name]); err != nil {
					return err
				}
			}
			continue
		}
		if err := n.attribute(key, obj[key]); err != nil {
			return err
		}
	}
	if !schemas {
		n.quirks.add("schemas missing")
	}
	return nil
}

// schemas looks at the list for the log only: which schemas a document uses is
// told by its attributes, and Entra ID adds URNs of its own.
func (n *normaliser) schemas(v any) error {
	list, ok := v.([]any)
	if !ok {
		if v != nil {
			return badSyntax("schemas must be a list")
		}
		n.quirks.add("schemas missing")
		return nil
	}
	for _, e := range list {
		urn, ok := e.(string)
		if !ok {
			return badSyntax("schemas must be a list of strings")
		}
		if !foldEqual(urn, n.rt.core.ID) && n.rt.def.Extension(urn) == nil {
			n.quirks.add("unknown schema ignored")
		}
	}
	return nil
}

func (n *normaliser) attribute(key string, v any) error {
	if ext := n.rt.def.Extension(key); ext != nil {
		return n.extension(ext, v)
	}
	path, err := filter.ParsePath(key)
	if err != nil || path.Filter != nil {
		n.quirks.add("unknown attribute ignored")
		return nil
	}
	ref, err := n.rt.def.Resolve(path.Attr)
	if err != nil {
		n.quirks.add("unknown attribute ignored")
		return nil
	}
	if ref.Bare {
		n.quirks.add("extension attribute without its URN")
	}
	return n.set(ref, v)
}

func (n *normaliser) extension(ext *filter.Schema, v any) error {
	obj, ok := v.(map[string]any)
	if !ok {
		if v == nil {
			return nil
		}
		return badValue("%s must be an object", ext.URN)
	}
	for _, key := range sortedKeys(obj) {
		a := ext.Attribute(key)
		if a == nil {
			n.quirks.add("unknown attribute ignored")
			continue
		}
		if err := n.set(filter.Ref{Extension: ext.URN, Attr: a}, obj[key]); err != nil {
			return err
		}
	}
	return nil
}

func (n *normaliser) set(ref filter.Ref, v any) error {
	name := refName(ref)
	if n.seen[name] {
		return badSyntax("the name %q is repeated", name)
	}
	n.seen[name] = true
	attr := ref.Attr
	if ref.Sub != nil {
		attr = ref.Sub
	}
	switch {
	case ref.Attr.Mutability == "readOnly" || attr.Mutability == "readOnly":
		return nil
	case ref.Extension == "" && ref.Attr.Name == "members" && ref.Sub == nil:
		return n.setMembers(v)
	}
	c, err := coerce(attr, v, n.quirks)
	if err != nil || c == nil || attr.Mutability == "writeOnly" {
		return err // a password is checked and dropped
	}
	if list, ok := c.([]any); ok && len(list) == 0 {
		return nil // an empty list is no value (RFC 7643, section 2.5)
	}
	put(n.doc, ref, c)
	return nil
}

func (n *normaliser) setMembers(v any) error {
	if v == nil {
		return nil
	}
	var err error
	n.members, err = memberValues(v, n.quirks)
	return err
}

// put sets the value at ref, in a complex attribute that has one value or
// none.
func put(doc map[string]any, ref filter.Ref, v any) {
	if ref.Extension != "" {
		doc = child(doc, ref.Extension)
	}
	if ref.Sub == nil {
		doc[ref.Attr.Name] = v
		return
	}
	if ref.Attr.Multi {
		doc[ref.Attr.Name] = []any{map[string]any{ref.Sub.Name: v}}
		return
	}
	child(doc, ref.Attr.Name)[ref.Sub.Name] = v
}

func child(doc map[string]any, name string) map[string]any {
	obj, ok := doc[name].(map[string]any)
	if !ok {
		obj = map[string]any{}
		doc[name] = obj
	}
	return obj
}

// refName is the full canonical name of an attribute.
func refName(ref filter.Ref) string {
	if ref.Attr == nil {
		return ref.Extension
	}
	p := filter.AttrPath{URN: ref.Extension, Name: ref.Attr.Name}
	if ref.Sub != nil {
		p.Sub = ref.Sub.Name
	}
	return p.String()
}

// keepOnePrimary lets the first primary value of each attribute stand (RFC
// 7643, section 2.4: primary is true no more than once).
func keepOnePrimary(doc map[string]any, q *quirks) {
	for name, v := range doc {
		switch v := v.(type) {
		case map[string]any:
			keepOnePrimary(v, q)
		case []any:
			primary := false
			for _, e := range v {
				value, ok := e.(map[string]any)
				if !ok || value["primary"] != true {
					continue
				}
				if primary {
					value["primary"] = false
					q.add(name + " with two primary values: the first kept")
				}
				primary = true
			}
		}
	}
}
