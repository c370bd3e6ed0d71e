package scim

import (
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

var (
	refText  = rapid.StringMatching(`[a-z0-9é]{1,3}`)
	refTypes = []string{"work", "home", "other"}
)

// drawPart draws the value of a sub-attribute. Few values meet often.
func drawPart(t *rapid.T, sub string) any {
	switch sub {
	case "primary":
		return rapid.Bool().Draw(t, sub)
	case "type":
		return rapid.SampledFrom(refTypes).Draw(t, sub)
	}
	return rapid.OneOf(rapid.SampledFrom([]string{"a", "b", "ab"}), refText).Draw(t, sub)
}

// drawValue draws one complex value, with at least one part that is more than a
// description. Nulls are parts that are to be taken away.
func drawValue(t *rapid.T, a refAttr, nulls bool) map[string]any {
	v := map[string]any{a.subs[0]: drawPart(t, a.subs[0])}
	for _, sub := range a.subs[1:] {
		switch n := rapid.IntRange(0, 3).Draw(t, "has "+sub); {
		case n == 0 && nulls:
			v[sub] = nil
		case n > 1:
			v[sub] = drawPart(t, sub)
		}
	}
	return v
}

func drawFilter(t *rapid.T, a refAttr, depth int) *refFilter {
	kinds := []string{"eq", "eq", "eq", "ne", "pr", "co", "sw", "ew", "gt", "ge", "lt", "le", "and", "and", "or", "not"}
	if depth == 0 {
		kinds = kinds[:12]
	}
	f := &refFilter{op: rapid.SampledFrom(kinds).Draw(t, "op")}
	switch f.op {
	case "and", "or":
		f.args = []refFilter{*drawFilter(t, a, depth-1), *drawFilter(t, a, depth-1)}
		return f
	case "not":
		f.args = []refFilter{*drawFilter(t, a, depth-1)}
		return f
	}
	f.sub = rapid.SampledFrom(a.subs).Draw(t, "by")
	if f.sub == "primary" && f.op != "pr" && f.op != "ne" {
		f.op = "eq" // booleans have no order and no parts
	}
	if f.op != "pr" {
		f.want = drawPart(t, f.sub)
	}
	return f
}

// drawOp draws an operation of the whole path grammar.
func drawOp(t *rapid.T, a refAttr) refOp {
	o := refOp{op: rapid.SampledFrom([]string{"add", "replace", "remove"}).Draw(t, "op"), attr: a}
	if a.kind == 'm' && rapid.Bool().Draw(t, "filtered") {
		o.where = drawFilter(t, a, 2)
	}
	if len(a.subs) > 0 && rapid.Bool().Draw(t, "part") {
		o.sub = rapid.SampledFrom(a.subs).Draw(t, "sub")
	}
	if o.op == "remove" {
		if (a.kind == 'm' || a.kind == 't') && o.where == nil && o.sub == "" && rapid.Bool().Draw(t, "with values") {
			o.value = drawWhole(t, a, false)
		}
		return o
	}
	switch {
	case a.name != "userName" && rapid.IntRange(0, 9).Draw(t, "nothing") == 0:
		// null takes away
	case o.sub != "":
		o.value = drawPart(t, o.sub)
	case o.where != nil:
		o.value = drawValue(t, a, false)
	default:
		o.value = drawWhole(t, a, true)
	}
	return o
}

func drawWhole(t *rapid.T, a refAttr, nulls bool) any {
	switch a.kind {
	case 'b':
		return rapid.Bool().Draw(t, "value")
	case 'c':
		return drawValue(t, a, nulls)
	case 's':
		return refText.Draw(t, "value")
	}
	list := []any{}
	for range rapid.IntRange(0, 3).Draw(t, "n") {
		if a.kind == 't' {
			list = append(list, refText.Draw(t, "value"))
			continue
		}
		list = append(list, drawValue(t, a, false))
	}
	return list
}

// drawSpelling draws how names are written: attribute names and URNs are the
// same in any case.
func drawSpelling(t *rapid.T) func(string) string {
	return rapid.SampledFrom([]func(string) string{
		func(s string) string { return s }, strings.ToUpper, strings.ToLower,
	}).Draw(t, "spelling")
}

// drawMessage draws one operation of the wire: for one path, or for several
// without a path.
func drawMessage(t *rapid.T) (ops []refOp, msg map[string]any) {
	spell := drawSpelling(t)
	if rapid.IntRange(0, 3).Draw(t, "without path") > 0 {
		o := drawOp(t, rapid.SampledFrom(refAttrs).Draw(t, "attr"))
		path := o.path(spell)
		if o.attr.urn == "" && rapid.IntRange(0, 3).Draw(t, "full name") == 0 {
			path = spell(userURN) + ":" + path
		}
		msg = map[string]any{"op": spell(o.op), "path": path}
		if o.op != "remove" || o.value != nil {
			msg["value"] = o.value
		}
		return []refOp{o}, msg
	}
	op := rapid.SampledFrom([]string{"add", "replace"}).Draw(t, "op")
	value := map[string]any{"id": "read-only", "nosuch": "ignored"}
	for _, a := range rapid.SliceOfNDistinct(rapid.SampledFrom(refAttrs), 1, 3, func(a refAttr) string { return a.name }).Draw(t, "attrs") {
		o := drawOp(t, a)
		if o.op = op; o.op != "remove" && a.kind == 'm' && o.where == nil && o.sub == "" && o.value == nil {
			o.value = []any{}
		}
		if o.value == nil && a.name == "userName" {
			o.value = "u"
		}
		ops = append(ops, o)
		value[o.path(spell)] = o.value
	}
	return ops, map[string]any{"op": op, "value": value}
}

// TestPatchAgreesWithReference: all operations in their order or none, over
// the whole grammar of paths.
func TestPatchAgreesWithReference(t *testing.T) {
	m := testModel(t)
	rapid.Check(t, func(t *rapid.T) {
		start := map[string]any{"userName": "kim", "active": true}
		for _, a := range refAttrs {
			if a.kind == 'm' && rapid.Bool().Draw(t, "has "+a.name) {
				list := drawWhole(t, a, false).([]any)
				if list = onePrimary(list, firstPrimary(list)); len(list) > 0 {
					start[a.name] = list
				}
			}
		}
		want, ok := plain(t, start), true
		var wire []any
		for range rapid.IntRange(1, 6).Draw(t, "ops") {
			ops, msg := drawMessage(t)
			wire = append(wire, msg)
			for _, o := range ops {
				ok = ok && o.apply(want)
			}
		}
		body := plain(t, map[string]any{"schemas": []any{patchOpURN}, "Operations": wire})
		before := plain(t, start)
		list, err := m.user.operations(body, Limits{}.withDefaults(), &quirks{})
		var got map[string]any
		if err == nil {
			got, err = applyPatch(before, list)
		}
		if d := cmp.Diff(plain(t, start), before); d != "" {
			t.Fatalf("PATCH %s altered what it was given:\n%s", jsonText(body), d)
		}
		if e, isOurs := errors.AsType[*Error](err); err != nil {
			if ok || !isOurs || e.Status != 400 || !slices.Contains([]string{"noTarget", "mutability"}, e.ScimType) {
				t.Fatalf("PATCH %s of %s: %v; the reference takes it: %v", jsonText(body), jsonText(before), err, ok)
			}
			return
		}
		if !ok {
			t.Fatalf("PATCH %s of %s = %s; the reference refuses it", jsonText(body), jsonText(before), jsonText(got))
		}
		if d := cmp.Diff(plain(t, want), plain(t, got)); d != "" {
			t.Fatalf("PATCH %s of %s (-reference +got):\n%s", jsonText(body), jsonText(before), d)
		}
	})
}

// plain makes a JSON document of its own of v, as it comes over the wire.
func plain(t *rapid.T, v map[string]any) map[string]any {
	out, err := decode([]byte(jsonText(v)))
	if err != nil {
		t.Fatal(err)
	}
	return out.(map[string]any)
}

func jsonText(v any) string {
	raw, err := json.Marshal(v)
	if err != nil {
		return err.Error()
	}
	return string(raw)
}
