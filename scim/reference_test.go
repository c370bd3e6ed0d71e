package scim

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/google/go-cmp/cmp"
)

// The reference is a naive reading of RFC 7644, section 3.5.2, on plain JSON,
// with what we promise beside it. It knows nothing of schemas, trees or types:
// what it must know of an attribute is in refAttrs.

// A refAttr is an attribute that the reference knows.
type refAttr struct {
	urn, name string
	kind      byte     // s: a string, b: a boolean, c: complex, m: a list of complex values, t: a list of strings
	subs      []string // strings, but for primary
}

const appURN = "urn:corp:My_App:2.0:User"

var refAttrs = []refAttr{
	{name: "title", kind: 's'},
	{name: "userName", kind: 's'},
	{name: "active", kind: 'b'},
	{name: "name", kind: 'c', subs: []string{"givenName", "familyName"}},
	{name: "emails", kind: 'm', subs: []string{"value", "type", "display", "primary"}},
	{name: "phoneNumbers", kind: 'm', subs: []string{"value", "type", "primary"}},
	{name: "addresses", kind: 'm', subs: []string{"locality", "region", "type", "primary"}},
	{urn: enterpriseURN, name: "department", kind: 's'},
	{urn: enterpriseURN, name: "manager", kind: 'c', subs: []string{"value", "$ref"}},
	{urn: appURN, name: "tags", kind: 't'},
}

// A refFilter is a filter of the values of an attribute.
type refFilter struct {
	op   string // and, or, not, pr, or a comparison
	sub  string
	want any
	args []refFilter
}

func (f refFilter) text() string {
	switch f.op {
	case "and", "or":
		return "(" + f.args[0].text() + ") " + f.op + " (" + f.args[1].text() + ")"
	case "not":
		return "not (" + f.args[0].text() + ")"
	case "pr":
		return f.sub + " pr"
	}
	want, _ := json.Marshal(f.want) // a string or a boolean
	return fmt.Sprintf("%s %s %s", f.sub, f.op, want)
}

func (f refFilter) match(v map[string]any) bool {
	has, there := v[f.sub]
	if s, ok := has.(string); ok {
		has = strings.ToLower(s)
	}
	want := f.want
	if s, ok := want.(string); ok {
		want = strings.ToLower(s)
	}
	a, _ := has.(string)
	b, _ := want.(string)
	switch f.op {
	case "and":
		return f.args[0].match(v) && f.args[1].match(v)
	case "or":
		return f.args[0].match(v) || f.args[1].match(v)
	case "not":
		return !f.args[0].match(v)
	case "pr":
		return there
	case "eq":
		return there && has == want
	case "ne":
		return !there || has != want
	case "co":
		return there && strings.Contains(a, b)
	case "sw":
		return there && strings.HasPrefix(a, b)
	case "ew":
		return there && strings.HasSuffix(a, b)
	case "gt":
		return there && a > b
	case "ge":
		return there && a >= b
	case "lt":
		return there && a < b
	}
	return there && a <= b
}

// described returns what f says by equalities, and whether that is all it says.
func (f refFilter) described() (map[string]any, bool) {
	switch f.op {
	case "eq":
		return map[string]any{f.sub: f.want}, true
	case "and":
		a, all := f.args[0].described()
		b, all2 := f.args[1].described()
		maps.Copy(a, b)
		return a, all && all2
	}
	return map[string]any{}, false
}

// A refOp is an operation on one attribute.
type refOp struct {
	op    string // add, replace or remove
	attr  refAttr
	where *refFilter
	sub   string
	value any // nil with remove: no value
}

// path is the path of o as it is sent.
func (o refOp) path(spell func(string) string) string {
	path := spell(o.attr.name)
	if o.attr.urn != "" {
		path = spell(o.attr.urn) + ":" + path
	}
	if o.where != nil {
		path += "[" + o.where.text() + "]"
	}
	if o.sub != "" {
		path += "." + spell(o.sub)
	}
	return path
}

// apply is the reference. It returns false if the operation is an error.
func (o refOp) apply(doc map[string]any) bool {
	if o.value == nil || o.value == "" {
		o.op, o.value = "remove", nil
	}
	if o.attr.name == "userName" && o.op == "remove" {
		return false
	}
	holder := doc
	if o.attr.urn != "" {
		holder, _ = doc[o.attr.urn].(map[string]any)
		if holder == nil {
			holder = map[string]any{}
		}
	}
	after, ok := o.outcome(holder[o.attr.name])
	if !ok {
		return false
	}
	if list, isList := after.([]any); after == nil || isList && len(list) == 0 {
		delete(holder, o.attr.name)
	} else {
		holder[o.attr.name] = after
	}
	if o.attr.urn != "" {
		if doc[o.attr.urn] = holder; len(holder) == 0 {
			delete(doc, o.attr.urn)
		}
	}
	return true
}

func (o refOp) outcome(old any) (any, bool) {
	switch {
	case o.attr.kind == 'm' || o.attr.kind == 't':
		list, _ := old.([]any)
		return o.list(list)
	case o.attr.kind == 'c' && o.sub != "":
		return o.part(old), true
	case o.op == "remove":
		return nil, true
	case o.attr.kind == 'c':
		return refMerged(old, o.value), true
	}
	return o.value, true
}

// part sets or takes one sub-attribute of a value. A value that only says of
// what kind it would be is none.
func (o refOp) part(old any) any {
	obj, _ := old.(map[string]any)
	obj = maps.Clone(obj)
	if obj == nil {
		obj = map[string]any{}
	}
	if o.op != "remove" {
		obj[o.sub] = o.value
		return obj
	}
	delete(obj, o.sub)
	for name := range obj {
		if !slices.Contains([]string{"type", "primary", "display"}, name) {
			return obj
		}
	}
	return nil
}

// refMerged puts the parts of v over those of old; a null takes one away.
func refMerged(old, v any) any {
	obj, _ := old.(map[string]any)
	obj = maps.Clone(obj)
	if obj == nil {
		obj = map[string]any{}
	}
	for name, part := range v.(map[string]any) {
		if obj[name] = part; part == nil {
			delete(obj, name)
		}
	}
	if len(obj) == 0 {
		return nil
	}
	return obj
}

func (o refOp) list(old []any) (any, bool) {
	values, _ := o.value.([]any)
	switch {
	case o.where != nil:
		return o.selected(old)
	case o.sub != "":
		var next []any
		if len(old) == 0 && o.op != "remove" {
			old = []any{map[string]any{}}
		}
		for _, e := range old {
			if e := o.part(e); e != nil {
				next = append(next, e)
			}
		}
		return onePrimary(next, firstPrimary(next)), true
	case o.op == "remove" && o.value == nil:
		return nil, true
	case o.op == "remove":
		return slices.DeleteFunc(slices.Clone(old), func(e any) bool {
			return slices.ContainsFunc(values, func(v any) bool { return refSame(e, v) })
		}), true
	case o.op == "replace":
		return onePrimary(values, firstPrimary(values)), true
	}
	next, touched := slices.Clone(old), []int(nil)
	for _, v := range values {
		i := slices.IndexFunc(next, func(e any) bool { return refSame(e, v) })
		if i < 0 {
			i, next = len(next), append(next, v)
		} else if o.attr.kind == 'm' {
			next[i] = refMerged(next[i], v)
		}
		touched = append(touched, i)
	}
	winner := -1
	for _, i := range touched {
		if isPrimary(next[i]) {
			winner = i
		}
	}
	return onePrimary(next, winner), true
}

// selected is an operation on the values that the filter finds. One that finds
// none makes the value that the filter describes, if it describes one.
func (o refOp) selected(old []any) (any, bool) {
	says, all := o.where.described()
	hit, winner := false, -1
	var next []any
	for _, e := range old {
		if o.where.match(e.(map[string]any)) {
			hit = true
			if e = o.one(e, says); e == nil {
				continue
			}
			if isPrimary(e) {
				winner = len(next)
			}
		}
		next = append(next, e)
	}
	if !hit && o.op != "remove" {
		if !all {
			return nil, false
		}
		e := o.one(any(says), says)
		if isPrimary(e) {
			winner = len(next)
		}
		next = append(next, e)
	}
	return onePrimary(next, winner), true
}

func (o refOp) one(e any, says map[string]any) any {
	switch {
	case o.sub != "":
		return o.part(e)
	case o.op == "remove":
		return nil
	case o.op == "replace":
		return refMerged(says, o.value)
	}
	return refMerged(e, o.value)
}

// refSame tells whether two values are the same one: the same value, and no
// other type; or else equal.
func refSame(a, b any) bool {
	x, ok := a.(map[string]any)
	y, ok2 := b.(map[string]any)
	if !ok || !ok2 || x["value"] == nil || y["value"] == nil {
		return cmp.Equal(a, b)
	}
	return x["value"] == y["value"] && (x["type"] == nil || y["type"] == nil || x["type"] == y["type"])
}

func isPrimary(e any) bool {
	obj, _ := e.(map[string]any)
	return obj["primary"] == true
}

func firstPrimary(list []any) int { return slices.IndexFunc(list, isPrimary) }

// onePrimary leaves the value at winner the only primary one.
func onePrimary(list []any, winner int) []any {
	out := slices.Clone(list)
	for i, e := range out {
		if winner >= 0 && i != winner && isPrimary(e) {
			obj := maps.Clone(e.(map[string]any))
			obj["primary"] = false
			out[i] = obj
		}
	}
	return out
}
