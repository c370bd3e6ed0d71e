package scim

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

// A refOp is a PATCH operation of the reference: the naive reading of RFC
// 7644, section 3.5.2, on plain JSON, for the operations that genPatch draws.
type refOp struct {
	op, attr, typ, sub string // typ: the filter [type eq typ]
	value              any
}

func (o refOp) json() string {
	path := o.attr
	if o.typ != "" {
		path += fmt.Sprintf(`[type eq %q]`, o.typ)
	}
	if o.sub != "" {
		path += "." + o.sub
	}
	msg := map[string]any{"op": o.op, "path": path}
	if o.op != "remove" {
		msg["value"] = o.value
	}
	raw, err := json.Marshal(msg)
	if err != nil {
		panic(err)
	}
	return string(raw)
}

// apply is the reference. Phone numbers carry value and type only, so that no
// rule about primary values comes in.
func (o refOp) apply(doc map[string]any) {
	switch {
	case o.attr == "title" && o.op == "remove":
		delete(doc, "title")
	case o.attr == "title":
		doc["title"] = o.value
	case o.attr == "name":
		o.applyName(doc)
	default:
		o.applyPhones(doc)
	}
}

func (o refOp) applyName(doc map[string]any) {
	name, _ := doc["name"].(map[string]any)
	if name == nil {
		name = map[string]any{}
	}
	switch {
	case o.op == "remove" && o.sub == "":
		name = map[string]any{}
	case o.op == "remove":
		delete(name, o.sub)
	case o.sub != "":
		name[o.sub] = o.value
	default:
		maps.Copy(name, o.value.(map[string]any))
	}
	doc["name"] = name
	if len(name) == 0 {
		delete(doc, "name")
	}
}

func (o refOp) applyPhones(doc map[string]any) {
	old, _ := doc["phoneNumbers"].([]any)
	var next []any
	switch {
	case o.typ == "" && o.op == "remove":
	case o.typ == "" && o.op == "replace":
		next = o.value.([]any)
	case o.typ == "":
		next = slices.Clone(old)
		for _, v := range o.value.([]any) {
			if !slices.ContainsFunc(next, func(e any) bool { return cmp.Equal(e, v) }) {
				next = append(next, v)
			}
		}
	default:
		hit := false
		for _, e := range old {
			phone := maps.Clone(e.(map[string]any))
			if phone["type"] == o.typ {
				hit = true
				if o.op == "remove" {
					continue
				}
				phone["value"] = o.value
			}
			next = append(next, phone)
		}
		if !hit && o.op != "remove" {
			next = append(next, map[string]any{"type": o.typ, "value": o.value})
		}
	}
	doc["phoneNumbers"] = next
	if len(next) == 0 {
		delete(doc, "phoneNumbers")
	}
}

func genPatch(t *rapid.T) refOp {
	text := rapid.StringMatching(`[a-z0-9é]{1,4}`)
	o := refOp{op: rapid.SampledFrom([]string{"add", "replace", "remove"}).Draw(t, "op")}
	o.attr = rapid.SampledFrom([]string{"title", "name", "phoneNumbers"}).Draw(t, "attr")
	types := []string{"work", "home", "fax"}
	switch o.attr {
	case "title":
		o.value = text.Draw(t, "value")
	case "name":
		if o.sub = rapid.SampledFrom([]string{"", "givenName", "familyName"}).Draw(t, "sub"); o.sub != "" {
			o.value = text.Draw(t, "value")
			break
		}
		o.value = map[string]any{"familyName": text.Draw(t, "value")}
	default:
		if o.typ = rapid.SampledFrom(append(types, "")).Draw(t, "type"); o.typ != "" {
			o.sub, o.value = "value", text.Draw(t, "value")
			if o.op == "remove" {
				o.sub = ""
			}
			break
		}
		list := []any{}
		for range rapid.IntRange(1, 3).Draw(t, "n") {
			list = append(list, map[string]any{"value": text.Draw(t, "value"), "type": rapid.SampledFrom(types).Draw(t, "of")})
		}
		o.value = list
	}
	return o
}

func TestPatchAgreesWithReference(t *testing.T) {
	m, err := newModel(nil)
	if err != nil {
		t.Fatal(err)
	}
	rapid.Check(t, func(t *rapid.T) {
		want := map[string]any{"userName": "kim"}
		var ops []any
		for range rapid.IntRange(1, 6).Draw(t, "ops") {
			o := genPatch(t)
			op, err := decode([]byte(o.json()))
			if err != nil {
				t.Fatal(err)
			}
			ops = append(ops, op)
			o.apply(want)
		}
		list, err := m.user.operations(map[string]any{"Operations": ops}, Limits{}.withDefaults(), &quirks{})
		if err != nil {
			t.Fatalf("operations(%v): %v", ops, err)
		}
		got, err := applyPatch(map[string]any{"userName": "kim"}, list)
		if err != nil {
			t.Fatalf("applyPatch(%v): %v", ops, err)
		}
		if d := cmp.Diff(want, got); d != "" {
			t.Fatalf("applyPatch(%v) (-reference +got):\n%s", ops, d)
		}
		// Performing replacements and removals again changes nothing.
		if slices.ContainsFunc(list, func(o operation) bool { return o.op == opAdd }) {
			return
		}
		again, err := applyPatch(got, list)
		if d := cmp.Diff(got, again); err != nil || d != "" {
			t.Fatalf("applyPatch(%v) twice: %v\n%s", ops, err, d)
		}
	})
}
