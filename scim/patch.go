package scim

import (
	"maps"
	"net/http"
	"reflect"
	"strings"

	"github.com/usherd/usherd/scim/filter"
)

// applyPatch performs ops in order on doc and returns the outcome. It is pure:
// doc stays as it was, also when an operation fails. Operations on members are
// not its business.
func applyPatch(doc map[string]any, ops []operation) (map[string]any, error) {
	out := clone(doc).(map[string]any)
	for _, o := range ops {
		if err := o.apply(out); err != nil {
			return nil, err
		}
	}
	return out, nil
}

func (o operation) apply(doc map[string]any) error {
	if o.ref.Attr == nil {
		delete(doc, o.ref.Extension)
		return nil
	}
	holder := doc
	if o.ref.Extension != "" {
		holder = child(doc, o.ref.Extension)
	}
	err := o.applyTo(holder)
	if o.ref.Extension != "" && len(holder) == 0 {
		delete(doc, o.ref.Extension)
	}
	return err
}

// applyTo works on the object that holds the attribute: the resource or an
// extension of it.
func (o operation) applyTo(holder map[string]any) error {
	name := o.ref.Attr.Name
	if o.op == opRemove && (o.ref.Attr.Required && o.ref.Sub == nil || o.ref.Sub != nil && o.ref.Sub.Required) {
		return fault(http.StatusBadRequest, "mutability", "attribute %q is required and cannot be removed", refName(o.ref))
	}
	v, err := o.outcome(holder[name])
	if err != nil {
		return err
	}
	if v == nil {
		delete(holder, name)
	} else {
		holder[name] = v
	}
	return nil
}

// outcome returns what the attribute has after the operation; nil is nothing.
func (o operation) outcome(old any) (any, error) {
	switch {
	case o.ref.Attr.Multi:
		list, _ := old.([]any)
		list, err := o.list(list)
		if len(list) == 0 {
			return nil, err
		}
		return list, err
	case o.where != nil:
		return o.selected(old)
	case o.ref.Sub != nil:
		return o.sub(old), nil
	case o.op == opRemove:
		return nil, nil
	}
	return merged(old, o.value), nil
}

// selected treats a complex attribute with one value as a list of one, since
// nothing forbids to filter it.
func (o operation) selected(old any) (any, error) {
	var list []any
	if old != nil {
		list = []any{old}
	}
	list, err := o.filtered(list)
	if len(list) == 0 {
		return nil, err
	}
	return list[0], err
}

// merged puts the sub-attributes of a complex value over those that are there
// (RFC 7644, section 3.5.2.3: what is not specified is left unchanged).
func merged(old, v any) any {
	oldObj, ok := old.(map[string]any)
	obj, isObj := v.(map[string]any)
	if !ok || !isObj {
		return clone(v)
	}
	maps.Copy(oldObj, clone(obj).(map[string]any))
	return oldObj
}

// sub sets or removes a sub-attribute of a value.
func (o operation) sub(old any) any {
	obj, ok := old.(map[string]any)
	if !ok {
		obj = map[string]any{}
	}
	if o.op == opRemove {
		delete(obj, o.ref.Sub.Name)
		if hollow(obj) {
			return nil
		}
		return obj
	}
	obj[o.ref.Sub.Name] = clone(o.value)
	return obj
}

// hollow tells whether nothing is left in a value but what describes it.
func hollow(obj map[string]any) bool {
	for name := range obj {
		if name != "type" && name != "primary" && name != "display" {
			return false
		}
	}
	return true
}

// list performs an operation on a multi-valued attribute.
func (o operation) list(list []any) ([]any, error) {
	switch {
	case o.where != nil:
		return o.filtered(list)
	case o.ref.Sub != nil:
		return o.everySub(list), nil
	case o.op == opRemove && o.value == nil:
		return nil, nil
	case o.op == opRemove:
		return without(list, o.value.([]any)), nil
	}
	values := clone(o.value).([]any)
	if o.op == opReplace {
		return settlePrimary(nil, values), nil
	}
	return added(list, values), nil
}

// everySub sets or removes a sub-attribute of all values, and makes a value
// for it if there is none.
func (o operation) everySub(list []any) []any {
	if len(list) == 0 && o.op != opRemove {
		list = []any{map[string]any{}}
	}
	out := list[:0]
	for _, e := range list {
		if e = o.sub(e); e != nil {
			out = append(out, e)
		}
	}
	return settlePrimary(nil, out)
}

// filtered performs an operation on the values that the filter selects. If it
// selects none, a removal is done; anything else makes a value that the filter
// would select, which is what Entra ID expects of emails[type eq "work"].value.
func (o operation) filtered(list []any) ([]any, error) {
	out, touched := make([]any, 0, len(list)+1), []any(nil)
	hit := false
	for _, e := range list {
		if !o.match(e) {
			out = append(out, e)
			continue
		}
		hit = true
		if e = o.one(e); e != nil {
			out = append(out, e)
			touched = append(touched, e)
		}
	}
	if !hit && o.op != opRemove {
		e, err := o.made()
		if err != nil {
			return nil, err
		}
		out, touched = append(out, e), append(touched, e)
	}
	return settlePrimary(out, touched), nil
}

// one performs an operation on one selected value; nil means that it is gone.
func (o operation) one(e any) any {
	switch {
	case o.ref.Sub != nil:
		return o.sub(e)
	case o.op == opRemove:
		return nil
	case o.op == opAdd:
		return merged(e, o.value)
	}
	// The whole value is replaced (RFC 7644, section 3.5.2.3), but goes on to
	// be what the filter asked for.
	fresh, _ := implied(o.where, o.ref.Attr)
	return merged(fresh, o.value)
}

// made builds the value that the filter describes and the operation fills.
func (o operation) made() (any, error) {
	e, ok := implied(o.where, o.ref.Attr)
	if !ok {
		return nil, fault(http.StatusBadRequest, "noTarget", "no value of %q matches the filter", refName(o.ref))
	}
	if o.ref.Sub != nil {
		return o.sub(e), nil
	}
	return merged(e, o.value), nil
}

// implied returns what a filter says by equalities that a value has. ok is false
// if it says anything else besides.
func implied(x filter.Expr, attr *filter.Attribute) (value map[string]any, ok bool) {
	switch x := x.(type) {
	case filter.And:
		value, ok = map[string]any{}, true
		for _, t := range x {
			v, all := implied(t, attr)
			maps.Copy(value, v)
			ok = ok && all
		}
		return value, ok
	case filter.Compare:
		sub := attr.SubAttribute(x.Attr.Name)
		if sub == nil || x.Op != filter.Eq {
			return map[string]any{}, false
		}
		v, err := coerceOne(sub, x.Value, &quirks{})
		if err != nil || v == nil {
			return map[string]any{}, false
		}
		return map[string]any{sub.Name: v}, true
	case filter.Or, filter.Not, filter.Present, filter.Has:
	}
	return map[string]any{}, false
}

// added appends values. One that is there already is not repeated (RFC 7644,
// section 3.5.2.1); it takes over what the new one says besides.
func added(list, values []any) []any {
	var touched []any
	for _, v := range values {
		i := indexOf(list, v)
		if i < 0 {
			list = append(list, v)
			i = len(list) - 1
		} else {
			list[i] = merged(list[i], v)
		}
		touched = append(touched, list[i])
	}
	return settlePrimary(list, touched)
}

func without(list, values []any) []any {
	out := list[:0]
	for _, e := range list {
		if indexOf(values, e) < 0 {
			out = append(out, e)
		}
	}
	return out
}

// indexOf finds the value that v is: an equal one, or one with the same value
// and no other type.
func indexOf(list []any, v any) int {
	for i, e := range list {
		if same(e, v) {
			return i
		}
	}
	return -1
}

func same(a, b any) bool {
	x, ok := a.(map[string]any)
	y, ok2 := b.(map[string]any)
	if !ok || !ok2 {
		return reflect.DeepEqual(a, b)
	}
	if x["value"] == nil || y["value"] == nil {
		return reflect.DeepEqual(a, b)
	}
	return reflect.DeepEqual(x["value"], y["value"]) && (x["type"] == nil || y["type"] == nil || sameText(x["type"], y["type"]))
}

func sameText(a, b any) bool {
	x, ok := a.(string)
	y, ok2 := b.(string)
	return ok && ok2 && strings.EqualFold(x, y)
}

// settlePrimary makes the last primary value of touched the only one of the
// list (RFC 7644, section 3.5.2). With a nil list, touched is the whole list,
// and its first primary value stays.
func settlePrimary(list, touched []any) []any {
	var keep map[string]any
	for _, e := range touched {
		if v, ok := e.(map[string]any); ok && v["primary"] == true && (list != nil || keep == nil) {
			keep = v
		}
	}
	if list == nil {
		list = touched
	}
	if keep == nil {
		return list
	}
	for _, e := range list {
		if v, ok := e.(map[string]any); ok && v["primary"] == true {
			v["primary"] = false
		}
	}
	keep["primary"] = true
	return list
}

// clone copies a JSON value deeply.
func clone(v any) any {
	switch v := v.(type) {
	case map[string]any:
		out := make(map[string]any, len(v))
		for k, e := range v {
			out[k] = clone(e)
		}
		return out
	case []any:
		out := make([]any, len(v))
		for i, e := range v {
			out[i] = clone(e)
		}
		return out
	}
	return v
}

// checkImmutable refuses a change of an attribute that may only be set once.
func (rt *resourceType) checkImmutable(before, after map[string]any) error {
	if err := unchanged(rt.def.Core.Attributes, before, after); err != nil {
		return err
	}
	for _, e := range rt.def.Extensions {
		x, _ := before[e.URN].(map[string]any)
		y, _ := after[e.URN].(map[string]any)
		if err := unchanged(e.Attributes, x, y); err != nil {
			return err
		}
	}
	return nil
}

// unchanged looks at the attributes of a resource or of an extension, and at the
// parts of those that have one value.
func unchanged(attrs []filter.Attribute, before, after map[string]any) error {
	for _, a := range attrs {
		old, ok := before[a.Name]
		if ok && a.Mutability == "immutable" && !reflect.DeepEqual(old, after[a.Name]) {
			return readOnly(a.Name)
		}
		x, ok := old.(map[string]any)
		if y, still := after[a.Name].(map[string]any); ok && still {
			if err := unchanged(a.Sub, x, y); err != nil {
				return err
			}
		}
	}
	return nil
}
