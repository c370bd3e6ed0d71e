package scim

import (
	"iter"
	"net/http"
	"strings"

	"github.com/usherd/usherd/scim/filter"
)

// A projection says which attributes a client wants (RFC 7644, section 3.9).
// The zero projection is the default: all that are returned by default.
type projection struct {
	only    []filter.Ref // not nil: these and the ones that are always returned
	without []filter.Ref
}

// projection reads the query parameters of c.
func (c *call) projection() (projection, error) {
	return c.rt.projection(words(c.param("attributes")), words(c.param("excludedAttributes")))
}

func (rt *resourceType) projection(only, without []string) (projection, error) {
	if n := max(len(only), len(without)); n > mostNames {
		return projection{}, badValue("%d attributes are named; the limit is %d", n, mostNames)
	}
	if len(only) > 0 && len(without) > 0 {
		return projection{}, fault(http.StatusBadRequest, "invalidValue", "attributes and excludedAttributes exclude each other")
	}
	p := projection{without: rt.refs(without)}
	if len(only) > 0 {
		p.only = append([]filter.Ref{}, rt.refs(only)...)
	}
	return p, nil
}

// mostNames is how many attributes a request may ask for by name.
const mostNames = 1_000

// refs resolves attribute names, each once; unknown ones name nothing.
func (rt *resourceType) refs(names []string) []filter.Ref {
	var refs []filter.Ref
	seen := make(map[string]bool, len(names))
	for _, name := range names {
		path, err := filter.ParsePath(name)
		if err != nil || path.Filter != nil {
			continue
		}
		ref, err := rt.def.Resolve(path.Attr)
		if err != nil {
			continue
		}
		if name := refName(ref); !seen[name] {
			seen[name] = true
			refs = append(refs, ref)
		}
	}
	return refs
}

// words splits a list parameter.
func words(s string) []string {
	return strings.FieldsFunc(s, func(r rune) bool { return r == ',' || r == ' ' })
}

// returns tells whether a core attribute is wanted, or a part of it.
func (p projection) returns(name string) bool {
	if p.only != nil {
		for _, ref := range p.only {
			if ref.Extension == "" && ref.Attr.Name == name {
				return true
			}
		}
		return false
	}
	for _, ref := range p.without {
		if ref.Extension == "" && ref.Attr.Name == name && ref.Sub == nil {
			return false
		}
	}
	return true
}

func alwaysReturned(ref filter.Ref) bool {
	return ref.Attr != nil && ref.Extension == "" && (ref.Attr.Name == "id" || ref.Attr.Name == "schemas")
}

// apply returns the part of doc that is wanted. It may share memory with doc.
func (p projection) apply(doc map[string]any) map[string]any {
	if p.only == nil {
		for _, ref := range p.without {
			if !alwaysReturned(ref) {
				drop(doc, ref)
			}
		}
		return doc
	}
	out := map[string]any{"id": doc["id"], "schemas": doc["schemas"]}
	for _, ref := range p.only {
		pick(out, doc, ref)
	}
	return out
}

func drop(doc map[string]any, ref filter.Ref) {
	holder := doc
	if ref.Extension != "" {
		ext, ok := doc[ref.Extension].(map[string]any)
		if !ok || ref.Attr == nil {
			delete(doc, ref.Extension)
			return
		}
		holder = ext
	}
	if ref.Sub == nil {
		delete(holder, ref.Attr.Name)
		return
	}
	eachValue(holder[ref.Attr.Name], func(v map[string]any) { delete(v, ref.Sub.Name) })
}

func pick(out, doc map[string]any, ref filter.Ref) {
	if ref.Extension != "" {
		ext, ok := doc[ref.Extension].(map[string]any)
		if !ok {
			return
		}
		if ref.Attr == nil {
			out[ref.Extension] = ext
			return
		}
		if _, ok := ext[ref.Attr.Name]; !ok {
			return
		}
		out, doc = child(out, ref.Extension), ext
	}
	v, ok := doc[ref.Attr.Name]
	if !ok {
		return
	}
	if ref.Sub == nil {
		out[ref.Attr.Name] = v
		return
	}
	out[ref.Attr.Name] = pickSub(out[ref.Attr.Name], v, ref.Sub.Name)
}

// pickSub adds one sub-attribute of v to what is already picked of it.
func pickSub(picked, v any, sub string) any {
	switch v := v.(type) {
	case map[string]any:
		out, ok := picked.(map[string]any)
		if !ok {
			out = map[string]any{}
		}
		if s, ok := v[sub]; ok {
			out[sub] = s
		}
		return out
	case []any:
		out, ok := picked.([]any)
		if !ok {
			out = make([]any, len(v))
		}
		for i := range v {
			out[i] = pickSub(out[i], v[i], sub)
		}
		return out
	}
	return v
}

func eachValue(v any, f func(map[string]any)) {
	switch v := v.(type) {
	case map[string]any:
		f(v)
	case []any:
		for _, e := range v {
			eachValue(e, f)
		}
	}
}

// members is apply for the members of a group, which are not in its document.
func (p projection) members(all iter.Seq2[map[string]any, error]) iter.Seq2[map[string]any, error] {
	if !p.returns("members") {
		return nil
	}
	refs, only := p.without, false
	if p.only != nil {
		refs, only = p.only, true
	}
	subs := map[string]bool{}
	for _, ref := range refs {
		if ref.Extension == "" && ref.Attr.Name == "members" {
			if ref.Sub == nil {
				return all // as a whole: excluded ones do not come here
			}
			subs[ref.Sub.Name] = true
		}
	}
	if len(subs) == 0 {
		return all
	}
	return func(yield func(map[string]any, error) bool) {
		for m, err := range all {
			for name := range m {
				if subs[name] != only {
					delete(m, name)
				}
			}
			if !yield(m, err) {
				return
			}
		}
	}
}
