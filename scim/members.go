package scim

import (
	"encoding/json"
	"slices"
	"strings"

	"github.com/usherd/usherd/directory"
	"github.com/usherd/usherd/scim/filter"
)

// maxExternalID is the longest externalId, and so the longest value of a member
// that may turn out to be one, in bytes.
const maxExternalID = 1_024

// memberValues reads a list of members. What counts of a member is its value;
// display, type and $ref are ours to say.
func memberValues(v any, q *quirks) ([]string, error) {
	list, ok := v.([]any)
	if !ok && v != nil {
		q.add("members value to list")
		list = []any{v}
	}
	values := make([]string, 0, len(list))
	seen := make(map[string]bool, len(list))
	for _, e := range list {
		if e == nil {
			continue
		}
		value, err := memberValue(e, q)
		if err != nil {
			return nil, err
		}
		if !seen[value] {
			seen[value] = true
			values = append(values, value)
		}
	}
	return values, nil
}

// tooMany refuses a list of members by its length, before anything is made of it.
func (l Limits) tooMany(members any) error {
	if list, ok := members.([]any); ok && len(list) > l.Members {
		return tooLarge("%d members; the limit is %d", len(list), l.Members)
	}
	return nil
}

func memberValue(e any, q *quirks) (string, error) {
	obj, ok := e.(map[string]any)
	if !ok {
		q.add("members string to value")
	} else {
		e = lookup(obj, "value")
		if ref, ok := lookup(obj, "$ref").(string); ok && e == nil {
			q.add("members $ref to value")
			e = ref[strings.LastIndexByte(ref, '/')+1:]
		}
	}
	if n, ok := e.(json.Number); ok {
		q.add("members number to string")
		e = n.String()
	}
	value, ok := e.(string)
	if !ok || value == "" {
		return "", badValue("a member needs a value that is a string and not empty")
	}
	if len(value) > maxExternalID {
		return "", badValue("the value of a member is longer than %d bytes", maxExternalID)
	}
	return value, nil
}

// addMembers appends the operation on members that t and value mean. It never
// falls through to "all members": that takes a replace, or a remove that names
// neither a filter nor values.
func (p *patchReader) addMembers(op string, t target, value any) error {
	if t.ref.Sub != nil {
		return p.addMemberSub(op, t, value)
	}
	if t.where != nil {
		return p.addSelectedMembers(op, t, value)
	}
	if err := p.limits.tooMany(value); err != nil {
		return err
	}
	o := operation{op: op, ref: t.ref, members: []string{}}
	if op == opRemove && value == nil {
		o.op = opReplace // by nothing
		p.ops = append(p.ops, o)
		return nil
	}
	var err error
	o.members, err = memberValues(value, p.quirks)
	p.ops = append(p.ops, o)
	return err
}

// addMemberSub is about one sub-attribute of members. All of them are
// immutable; those that we compute are ignored when they come.
func (p *patchReader) addMemberSub(op string, t target, value any) error {
	if t.ref.Sub.Name != "value" {
		p.quirks.add("members " + t.ref.Sub.Name + " ignored")
		return nil
	}
	if t.where != nil || op == opReplace || value == nil {
		return readOnly("members.value")
	}
	values, err := memberValues(value, p.quirks)
	whole := t.ref
	whole.Sub = nil
	p.ops = append(p.ops, operation{op: op, ref: whole, members: values})
	return err
}

func (p *patchReader) addSelectedMembers(op string, t target, value any) error {
	selected, known := equalValues(t.where)
	if op == opRemove {
		o := operation{op: op, ref: t.ref, members: selected}
		if !known {
			o = operation{op: op, ref: t.ref, where: t.where, match: t.match}
		}
		p.ops = append(p.ops, o)
		return nil
	}
	if !known {
		return fault(400, "noTarget", "members can be added by their values only")
	}
	values, err := memberValues(value, p.quirks)
	if err != nil {
		return err
	}
	if op == opReplace {
		p.ops = append(p.ops, operation{op: opRemove, ref: t.ref, members: selected})
	} else if len(values) == 0 {
		values = selected
	}
	p.ops = append(p.ops, operation{op: opAdd, ref: t.ref, members: values})
	return nil
}

// equalValues returns the values that a filter of the form
// value eq "a" or value eq "b" selects.
func equalValues(x filter.Expr) ([]string, bool) {
	switch x := x.(type) {
	case filter.Compare:
		s, ok := x.Value.(string)
		return []string{s}, ok && x.Op == filter.Eq && foldEqual(x.Attr.Name, "value")
	case filter.Or:
		var all []string
		for _, t := range x {
			vs, ok := equalValues(t)
			if !ok {
				return nil, false
			}
			all = append(all, vs...)
		}
		return all, true
	case filter.And, filter.Not, filter.Present, filter.Has:
	}
	return nil, false
}

// onMembers tells whether o is an operation on members rather than on the
// group's own attributes.
func (o operation) onMembers() bool {
	return o.ref.Attr != nil && o.ref.Extension == "" && o.ref.Attr.Name == "members"
}

// countMembers returns how many members ops name.
func countMembers(ops []operation) int {
	n := 0
	for _, o := range ops {
		n += len(o.members)
	}
	return n
}

// checkSelections refuses more filters than may look for members, and one that
// would have to know of a member that the same request adds what only the
// directory knows: the member would stay though the filter means it.
func checkSelections(ops []operation) error {
	n, added := 0, false
	for _, o := range ops {
		switch {
		case !o.onMembers():
		case o.match == nil:
			added = added || o.op != opRemove && len(o.members) > 0
		case added && !onlyOfValue(o.where):
			return fault(400, "noTarget", "members that the same request adds can be selected by their values only")
		default:
			n++
		}
	}
	if n > maxSelections {
		return tooLarge("%d operations select members by other than their values; the limit is %d", n, maxSelections)
	}
	return nil
}

// onlyOfValue tells whether a filter asks for nothing but the value.
func onlyOfValue(x filter.Expr) bool {
	all := func(terms []filter.Expr) bool {
		return !slices.ContainsFunc(terms, func(t filter.Expr) bool { return !onlyOfValue(t) })
	}
	switch x := x.(type) {
	case filter.And:
		return all(x)
	case filter.Or:
		return all(x)
	case filter.Not:
		return onlyOfValue(x.X)
	case filter.Compare:
		return foldEqual(x.Attr.Name, "value")
	case filter.Present:
		return foldEqual(x.Attr.Name, "value")
	case filter.Has:
	}
	return false
}

// memberChanges turns operations on members into changes, in order. Neighbours
// of the same kind become one change. Selected finds the members that a filter
// matches; it is only asked for filters that do not name values.
func memberChanges(g directory.GroupID, src directory.SourceName, ops []operation, selected func(operation) ([]string, error)) ([]directory.Change, error) {
	var out []directory.Change
	for _, o := range ops {
		if !o.onMembers() {
			continue
		}
		values := o.members
		if o.match != nil {
			var err error
			if values, err = selected(o); err != nil {
				return nil, err
			}
		}
		out = appendMembers(out, g, src, o.op, values)
	}
	return out, nil
}

func appendMembers(out []directory.Change, g directory.GroupID, src directory.SourceName, op string, values []string) []directory.Change {
	if op == opReplace {
		return append(out, directory.ReplaceMembers{Group: g, Source: src, Values: values})
	}
	if len(values) == 0 {
		return out
	}
	var last directory.Change
	if len(out) > 0 {
		last = out[len(out)-1]
	}
	if op == opAdd {
		if add, ok := last.(directory.AddMembers); ok {
			add.Values = append(add.Values, values...)
			out[len(out)-1] = add
			return out
		}
		return append(out, directory.AddMembers{Group: g, Source: src, Values: append([]string(nil), values...)})
	}
	if remove, ok := last.(directory.RemoveMembers); ok {
		remove.Values = append(remove.Values, values...)
		out[len(out)-1] = remove
		return out
	}
	return append(out, directory.RemoveMembers{Group: g, Source: src, Values: append([]string(nil), values...)})
}
