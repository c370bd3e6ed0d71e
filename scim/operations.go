package scim

import (
	"strings"

	"github.com/usherd/usherd/scim/filter"
)

const patchOpURN = "urn:ietf:params:scim:api:messages:2.0:PatchOp"

// The kinds of PATCH operation.
const (
	opAdd     = "add"
	opReplace = "replace"
	opRemove  = "remove"
)

// An operation is one PATCH operation in canonical form: its target resolved,
// its value of the target's type. One operation of the wire becomes several
// when it has no path.
type operation struct {
	op    string
	ref   filter.Ref
	where filter.Expr // nil: all values
	match func(value any) bool
	value any // nil for remove, but for a list of values to remove

	members []string // for operations on members, instead of value
}

// target is the path of o in canonical names, for the log.
func (o operation) target() string {
	if o.where == nil {
		return refName(o.ref)
	}
	whole := o.ref
	whole.Sub = nil
	s := refName(whole) + "[" + o.where.String() + "]"
	if o.ref.Sub != nil {
		s += "." + o.ref.Sub.Name
	}
	return s
}

// operations reads a PatchOp message (RFC 7644, section 3.5.2) and normalises
// what identity providers are known to send.
func (rt *resourceType) operations(body any, limits Limits, q *quirks) ([]operation, error) {
	msg, ok := body.(map[string]any)
	if !ok {
		return nil, badSyntax("the body must be a JSON object")
	}
	if err := checkNames(msg); err != nil {
		return nil, err
	}
	schemas, _ := lookup(msg, "schemas").([]any)
	if !containsFold(schemas, patchOpURN) {
		q.add("PatchOp without its schema")
	}
	list, ok := lookup(msg, "Operations").([]any)
	if !ok || len(list) == 0 {
		return nil, badSyntax("Operations must be a list of at least one operation")
	}
	if len(list) > limits.Operations {
		return nil, tooLarge("%d operations; the limit is %d", len(list), limits.Operations)
	}
	p := patchReader{rt: rt, quirks: q, limits: limits}
	for _, e := range list {
		if err := p.operation(e); err != nil {
			return nil, err
		}
	}
	return p.ops, nil
}

type patchReader struct {
	rt     *resourceType
	quirks *quirks
	limits Limits
	ops    []operation
}

func (p *patchReader) operation(e any) error {
	obj, ok := e.(map[string]any)
	if !ok {
		return badSyntax("an operation must be an object")
	}
	if err := checkNames(obj); err != nil {
		return err
	}
	name, ok := lookup(obj, "op").(string)
	op := strings.ToLower(name)
	if !ok || op != opAdd && op != opReplace && op != opRemove {
		return badSyntax("op must be add, replace or remove")
	}
	if op != name {
		p.quirks.add("op in capital letters")
	}
	path, ok := lookup(obj, "path").(string)
	if !ok && lookup(obj, "path") != nil {
		return badPath("path must be a string")
	}
	value, given := lookupOK(obj, "value")
	if op != opRemove && !given {
		return badValue("%s needs a value", op)
	}
	if path == "" {
		return p.withoutPath(op, value, map[string]bool{})
	}
	return p.withPath(op, path, value)
}

// withoutPath takes an object of attributes, whose names may be paths
// themselves: dotted, with a URN, with a value filter. What is read-only or
// unknown in it is ignored, since clients send whole resources this way. Seen
// are the targets that the operation has named: in two ways is twice.
func (p *patchReader) withoutPath(op string, value any, seen map[string]bool) error {
	if op == opRemove {
		return fault(400, "noTarget", "remove needs a path")
	}
	obj, ok := value.(map[string]any)
	if !ok {
		return badValue("%s without path needs an object as its value", op)
	}
	for _, key := range sortedKeys(obj) {
		switch {
		case foldEqual(key, "schemas"):
			continue
		case foldEqual(key, p.rt.core.ID):
			if err := p.wholeCore(op, obj[key], seen); err != nil {
				return err
			}
			continue
		}
		target, err := p.resolve(key)
		if err != nil {
			p.quirks.add("unknown attribute ignored")
			continue
		}
		if target.readOnly() {
			p.quirks.add("read-only attribute ignored")
			continue
		}
		name := operation{ref: target.ref, where: target.where}.target()
		if seen[name] {
			return badSyntax("the name %q is repeated", clip(name))
		}
		seen[name] = true
		if err := p.add(op, target, obj[key]); err != nil {
			return err
		}
	}
	return nil
}

// wholeCore takes the attributes that a client puts under the URN of the core
// schema, as if that were an extension.
func (p *patchReader) wholeCore(op string, value any, seen map[string]bool) error {
	obj, ok := value.(map[string]any)
	if op == opRemove || !ok || lookup(obj, p.rt.core.ID) != nil {
		return badPath("%s is the resource itself: name an attribute", p.rt.core.ID)
	}
	p.quirks.add("core attributes under their URN")
	return p.withoutPath(op, obj, seen)
}

// knowsSchemas tells whether v lists schemas of the resource type and no others.
// Clients of Ping's library send them along with the first attribute of an
// extension; which ones a resource has is told by its attributes.
func (p *patchReader) knowsSchemas(v any) bool {
	list, ok := v.([]any)
	for _, e := range list {
		urn, _ := e.(string)
		ok = ok && (foldEqual(urn, p.rt.core.ID) || p.rt.def.Extension(urn) != nil)
	}
	return ok
}

func (p *patchReader) withPath(op, path string, value any) error {
	switch {
	case foldEqual(path, p.rt.core.ID):
		return p.wholeCore(op, value, map[string]bool{})
	case foldEqual(path, "schemas") && op != opRemove && p.knowsSchemas(value):
		p.quirks.add("schemas in a path ignored")
		return nil
	}
	target, err := p.resolve(path)
	if err != nil {
		return err
	}
	if target.readOnly() {
		return readOnly(refName(target.ref))
	}
	return p.add(op, target, value)
}

// A target is where an operation goes, before its value is known.
type target struct {
	ref   filter.Ref
	where filter.Expr
	match func(any) bool
}

// readOnly tells whether t is not the client's to write. What is so of members
// is ignored, because clients send it along.
func (t target) readOnly() bool {
	if t.ref.Attr == nil {
		return false
	}
	sub := t.ref.Sub != nil && t.ref.Sub.Mutability == "readOnly" && t.ref.Attr.Name != "members"
	return sub || t.ref.Attr.Mutability == "readOnly"
}

func (p *patchReader) resolve(path string) (target, error) {
	if ext := p.rt.def.Extension(path); ext != nil { // http://… is no path by the grammar
		return target{ref: filter.Ref{Extension: ext.URN}}, nil
	}
	parsed, err := filter.ParsePath(path)
	if err != nil {
		return target{}, badPath("path %q: %v", clip(path), err)
	}
	if parsed.Filter != nil {
		parsed.Attr.Sub = parsed.Sub
	}
	ref, err := p.rt.def.Resolve(parsed.Attr)
	if err != nil {
		return target{}, badPath("path %q: %v", clip(path), err)
	}
	if ref.Bare {
		p.quirks.add("extension attribute without its URN")
	}
	t := target{ref: ref, where: parsed.Filter}
	if t.where == nil {
		return t, nil
	}
	if ref.Attr == nil || ref.Attr.Type != filter.Complex {
		return target{}, badPath("path %q selects values of an attribute that has none to select", clip(path))
	}
	if t.match, err = filter.CompileValues(t.where, ref.Attr); err != nil {
		return target{}, badPath("path %q: %v", clip(path), err)
	}
	return t, nil
}

// add appends the operation for t, or those for its parts if t is a whole
// extension.
func (p *patchReader) add(op string, t target, value any) error {
	switch {
	case t.ref.Attr == nil:
		return p.addExtension(op, t, value)
	case t.ref.Attr.Name == "members" && t.ref.Extension == "":
		return p.addMembers(op, t, value)
	}
	o := operation{op: op, ref: t.ref, where: t.where, match: t.match}
	var err error
	if op == opRemove {
		// Entra ID names the values to remove beside the path.
		if value != nil && t.where == nil && t.ref.Sub == nil && t.ref.Attr.Multi {
			o.value, err = coerce(t.ref.Attr, value, p.quirks)
		}
		p.ops = append(p.ops, o)
		return err
	}
	attr := t.leaf()
	if parts, ok := value.(map[string]any); ok && attr.Type == filter.Complex && !attr.Multi && t.where == nil {
		if v, given := lookupOK(parts, "value"); !given || v != nil { // a manager without value is none
			p.clearParts(t, parts)
			if silent(&attr, parts) {
				return nil
			}
		}
	}
	if o.value, err = coerce(&attr, value, p.quirks); err != nil || attr.Mutability == "writeOnly" {
		return err // a password is checked and dropped
	}
	if o.value == nil || o.value == "" && !attr.Required {
		if value == nil {
			p.quirks.add("null to remove")
		} else {
			p.quirks.add("empty value to remove")
		}
		o.op, o.value = opRemove, nil
	}
	p.ops = append(p.ops, o)
	return nil
}

// clearParts appends removals of the sub-attributes of a value that are null:
// the rest of a complex attribute is left as it is, but they are not (RFC 7643,
// section 2.5).
func (p *patchReader) clearParts(t target, parts map[string]any) {
	for _, name := range sortedKeys(parts) {
		sub := t.ref.Attr.SubAttribute(name)
		if sub == nil || parts[name] != nil || sub.Mutability == "readOnly" {
			continue
		}
		part := t.ref
		part.Sub = sub
		p.quirks.add("null to remove")
		p.ops = append(p.ops, operation{op: opRemove, ref: part})
	}
}

// silent tells whether a value says nothing of attr: it has no sub-attribute
// that is known and not null. To add or replace nothing changes nothing.
func silent(attr *filter.Attribute, parts map[string]any) bool {
	for name, v := range parts {
		if sub := attr.SubAttribute(name); sub != nil && sub.Mutability != "readOnly" && v != nil {
			return false
		}
	}
	return true
}

// leaf is the definition of what an operation on t has as its value. A filter
// selects single values of an attribute.
func (t target) leaf() filter.Attribute {
	if t.ref.Sub != nil {
		return *t.ref.Sub
	}
	attr := *t.ref.Attr
	attr.Multi = attr.Multi && t.where == nil
	return attr
}

// addExtension takes the attributes of an extension one by one. Schemas, which
// some clients repeat inside, is not one of them.
func (p *patchReader) addExtension(op string, t target, value any) error {
	if op == opRemove || value == nil {
		p.ops = append(p.ops, operation{op: opRemove, ref: t.ref})
		return nil
	}
	obj, ok := value.(map[string]any)
	if !ok {
		return badValue("%s must be an object", t.ref.Extension)
	}
	ext := p.rt.def.Extension(t.ref.Extension)
	for _, key := range sortedKeys(obj) {
		a := ext.Attribute(key)
		if a == nil {
			if !foldEqual(key, "schemas") {
				p.quirks.add("unknown attribute ignored")
			}
			continue
		}
		inner := target{ref: filter.Ref{Extension: ext.URN, Attr: a}}
		if inner.readOnly() {
			p.quirks.add("read-only attribute ignored")
			continue
		}
		if err := p.add(op, inner, obj[key]); err != nil {
			return err
		}
	}
	return nil
}

// lookup finds a name of a message in any case, as long as it is ASCII.
func lookup(obj map[string]any, name string) any {
	v, _ := lookupOK(obj, name)
	return v
}

func lookupOK(obj map[string]any, name string) (any, bool) {
	if v, ok := obj[name]; ok {
		return v, true
	}
	first := ""
	for k := range obj {
		if foldEqual(k, name) && (first == "" || k < first) {
			first = k
		}
	}
	if first == "" {
		return nil, false
	}
	return obj[first], true
}

// checkNames refuses a message that has a name twice but for its case: which one
// counts, two readers could understand differently.
func checkNames(msg map[string]any) error {
	seen := make(map[string]bool, len(msg))
	for _, name := range sortedKeys(msg) {
		fold := strings.ToLower(name)
		if seen[fold] {
			return badSyntax("the name %q is repeated", clip(name))
		}
		seen[fold] = true
	}
	return nil
}

func containsFold(list []any, want string) bool {
	for _, e := range list {
		if s, ok := e.(string); ok && foldEqual(s, want) {
			return true
		}
	}
	return false
}

// foldEqual compares names. Equal length keeps letters out that only Unicode
// folds to ASCII, such as the Kelvin sign.
func foldEqual(a, b string) bool { return len(a) == len(b) && strings.EqualFold(a, b) }
