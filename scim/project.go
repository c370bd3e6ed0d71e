package scim

import (
	"iter"
	"net/http"
	"slices"
	"strings"

	"github.com/usherd/usherd/scim/filter"
)

// A projection says which attributes a client wants (RFC 7644, section 3.9).
// The zero projection is the default: all that are returned by default.
type projection struct {
	rt      *resourceType
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
	p := projection{rt: rt, without: rt.refs(without)}
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
		ref, ok := rt.ref(name)
		if !ok {
			continue
		}
		if name := refName(ref); !seen[name] {
			seen[name] = true
			refs = append(refs, ref)
		}
	}
	return refs
}

// ref resolves the name of an attribute, or of an extension as a whole.
func (rt *resourceType) ref(name string) (filter.Ref, bool) {
	if ext := rt.def.Extension(name); ext != nil {
		return filter.Ref{Extension: ext.URN}, true
	}
	path, err := filter.ParsePath(name)
	if err != nil || path.Filter != nil {
		return filter.Ref{}, false
	}
	ref, err := rt.def.Resolve(path.Attr)
	return ref, err == nil
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

// A returning lists the attributes that are not returned by default (RFC 7643,
// section 2.2).
type returning struct {
	always, never, request []filter.Ref
}

func returningOf(def *filter.Resource) returning {
	var out returning
	add := func(ref filter.Ref, returned string) {
		switch returned {
		case "always":
			out.always = append(out.always, ref)
		case "never":
			out.never = append(out.never, ref)
		case "request":
			out.request = append(out.request, ref)
		}
	}
	for _, s := range append([]filter.Schema{def.Core}, def.Extensions...) {
		urn := s.URN
		if urn == def.Core.URN {
			urn = ""
		}
		for i := range s.Attributes {
			ref := filter.Ref{Extension: urn, Attr: &s.Attributes[i]}
			add(ref, ref.Attr.Returned)
			for k := range ref.Attr.Sub {
				ref.Sub = &ref.Attr.Sub[k]
				add(ref, ref.Sub.Returned)
			}
		}
	}
	return out
}

// apply returns the part of doc that is wanted. It may share memory with doc.
func (p projection) apply(doc map[string]any) map[string]any {
	always := map[string]any{}
	for _, ref := range p.rt.returning.always {
		pick(always, doc, ref)
	}
	out := doc
	if p.only == nil {
		for _, ref := range p.without {
			drop(out, ref)
		}
	} else {
		out = map[string]any{}
		for _, ref := range p.only {
			pick(out, doc, ref)
		}
	}
	for _, ref := range p.rt.returning.request {
		if !p.asks(ref) {
			drop(out, ref)
		}
	}
	for _, ref := range p.rt.returning.never {
		drop(out, ref)
	}
	for _, ref := range p.rt.returning.always {
		pick(out, always, ref)
	}
	return out
}

// asks tells whether an attribute is asked for by its own name.
func (p projection) asks(ref filter.Ref) bool {
	return slices.ContainsFunc(p.only, func(o filter.Ref) bool { return refName(o) == refName(ref) })
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
		if ref.Extension != "" && len(holder) == 0 {
			delete(doc, ref.Extension)
		}
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
