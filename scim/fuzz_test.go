package scim

import (
	"reflect"
	"testing"
)

// FuzzPatchPath performs operations at any path with any value. What is not
// the client's to write must stay away from the document, and a document that
// was accepted must come through the normaliser as it is.
func FuzzPatchPath(f *testing.F) {
	m, err := newModel(nil)
	if err != nil {
		f.Fatal(err)
	}
	for _, s := range [][3]string{
		{"add", `emails[type eq "work"].value`, `"a"`},
		{"replace", `urn:ietf:params:scim:schemas:extension:enterprise:2.0:User:manager`, `"m"`},
		{"remove", `emails[value sw "w" or not (primary eq "True")]`, `null`},
		{"replace", `name`, `{"givenName":"x","familyName":null}`},
		{"add", ``, `{"emails[type eq \"x\"].display":"d","groups":[{"value":"g"}]}`},
		{"add", `__proto__.x`, `1`},
		{"replace", `meta.version`, `"1"`},
		{"add", `roles`, `[{"value":"a","primary":true},{"primary":"True"}]`},
	} {
		f.Add(s[0], s[1], s[2])
	}
	start, err := decode([]byte(kim))
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, op, path, value string) {
		v, err := decode([]byte(value))
		if err != nil {
			return
		}
		msg := map[string]any{"Operations": []any{map[string]any{"op": op, "path": path, "value": v}}}
		ops, err := m.user.operations(msg, Limits{}.withDefaults(), &quirks{})
		if err != nil {
			return
		}
		before := clone(start)
		doc, err := applyPatch(start.(map[string]any), ops)
		if !reflect.DeepEqual(before, start) {
			t.Fatalf("%s %q %s altered its input", op, path, value)
		}
		if err != nil {
			return
		}
		for _, ours := range []string{"id", "meta", "groups", "schemas", "password", "__proto__", "members"} {
			if _, ok := doc[ours]; ok {
				t.Fatalf("%s %q %s wrote %s: %v", op, path, value, ours, doc)
			}
		}
		for name, v := range doc {
			if m.user.def.Core.Attribute(name) == nil && m.user.def.Extension(name) == nil {
				t.Fatalf("%s %q %s made an unknown attribute %q", op, path, value, name)
			}
			if list, ok := v.([]any); v == nil || ok && len(list) == 0 {
				t.Fatalf("%s %q %s left an empty %q", op, path, value, name)
			}
		}
		if m.user.validate(doc) != nil {
			return
		}
		again, _, err := m.user.normalise(clone(doc), &quirks{})
		if err != nil || !reflect.DeepEqual(again, doc) {
			t.Fatalf("%s %q %s gives %v, which is normalised to %v, %v", op, path, value, doc, again, err)
		}
	})
}
