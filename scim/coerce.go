package scim

import (
	"encoding/json"
	"strconv"
	"strings"

	"github.com/usherd/usherd/scim/filter"
)

// quirks collects what was bent to understand a client, each kind once. It
// never holds values.
type quirks struct{ list []string }

func (q *quirks) add(what string) {
	const most = 32
	for _, w := range q.list {
		if w == what {
			return
		}
	}
	if len(q.list) < most {
		q.list = append(q.list, what)
	}
}

// coerce returns v as attr wants it, in canonical names and without nulls, and
// lists in q what it bent. A nil result means that there is no value. What is
// of the wrong type and not known to be sent by anybody is an error.
func coerce(attr *filter.Attribute, v any, q *quirks) (any, error) {
	if v == nil {
		return nil, nil
	}
	list, isList := v.([]any)
	if !attr.Multi {
		if !isList {
			return coerceOne(attr, v, q)
		}
		switch len(list) {
		case 0:
			return nil, nil
		case 1:
			q.add(attr.Name + " list to value")
			return coerceOne(attr, list[0], q)
		}
		return nil, badValue("attribute %q has one value, not %d", attr.Name, len(list))
	}
	if !isList {
		q.add(attr.Name + " value to list")
		list = []any{v}
	}
	out := make([]any, 0, len(list))
	for _, e := range list {
		c, err := coerceOne(attr, e, q)
		if err != nil {
			return nil, err
		}
		if c != nil {
			out = append(out, c)
		}
	}
	return out, nil
}

func coerceOne(attr *filter.Attribute, v any, q *quirks) (any, error) {
	if v == nil {
		return nil, nil
	}
	switch attr.Type {
	case filter.Complex:
		return coerceComplex(attr, v, q)
	case filter.Boolean:
		return coerceBool(attr, v, q)
	case filter.Integer, filter.Decimal:
		return coerceNumber(attr, v, q)
	case filter.String, filter.Reference, filter.Binary, filter.DateTime:
	}
	switch v := v.(type) {
	case string:
		return v, nil
	case json.Number:
		if attr.Type == filter.String {
			q.add(attr.Name + " number to string")
			return v.String(), nil
		}
	}
	return nil, badValue("attribute %q must be a string", attr.Name)
}

func coerceBool(attr *filter.Attribute, v any, q *quirks) (any, error) {
	switch v := v.(type) {
	case bool:
		return v, nil
	case string:
		if b, ok := filter.ParseBool(v); ok {
			q.add(attr.Name + " string to boolean")
			return b, nil
		}
	}
	return nil, badValue("attribute %q must be true or false", attr.Name)
}

func coerceNumber(attr *filter.Attribute, v any, q *quirks) (any, error) {
	switch v := v.(type) {
	case json.Number:
		if attr.Type == filter.Integer && strings.ContainsAny(v.String(), ".eE") {
			break
		}
		return v, nil
	case string:
		if _, err := strconv.ParseInt(v, 10, 64); err == nil {
			q.add(attr.Name + " string to number")
			return json.Number(strings.TrimPrefix(v, "+")), nil
		}
	}
	return nil, badValue("attribute %q must be a number", attr.Name)
}

// coerceComplex takes an object; a bare string becomes its "value", which is
// how Entra ID sends manager and others send members.
func coerceComplex(attr *filter.Attribute, v any, q *quirks) (any, error) {
	obj, ok := v.(map[string]any)
	if !ok {
		sub := attr.SubAttribute("value")
		s, isString := v.(string)
		switch {
		case isString && s == "":
			q.add(attr.Name + " empty string to no value")
			return nil, nil
		case isString && sub != nil:
			q.add(attr.Name + " string to value")
			return map[string]any{sub.Name: s}, nil
		}
		return nil, badValue("attribute %q must be an object", attr.Name)
	}
	out, seen := make(map[string]any, len(obj)), make(map[string]bool, len(obj))
	for _, name := range sortedKeys(obj) {
		sub := attr.SubAttribute(name)
		if sub == nil {
			continue // ignored, as unknown attributes are
		}
		if seen[sub.Name] {
			return nil, badSyntax("the name %q is repeated", sub.Name)
		}
		seen[sub.Name] = true
		if sub.Mutability == "readOnly" {
			continue
		}
		c, err := coerce(sub, obj[name], q)
		if err != nil {
			return nil, err
		}
		if c != nil {
			out[sub.Name] = c
		}
	}
	if out["value"] == "" {
		q.add(attr.Name + " empty value to no value")
		return nil, nil
	}
	if len(out) == 0 {
		return nil, nil
	}
	return out, nil
}
