package scim

import (
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"strings"
	"testing"
)

func TestDecode(t *testing.T) {
	nested := func(n int) string { return strings.Repeat("[", n) + strings.Repeat("]", n) }
	object := func(n int) string {
		parts := make([]string, n)
		for i := range parts {
			parts[i] = fmt.Sprintf(`"k%d":0`, i)
		}
		return "{" + strings.Join(parts, ",") + "}"
	}
	str := func(n int) string { return `"` + strings.Repeat("x", n-2) + `"` }
	for _, c := range []struct {
		claim, text string
		ok          bool
	}{
		{"an object", ` {"a": [1, -2.5e3, true, false, null, "x"]} `, true},
		{"an empty list", `[]`, true},
		{"escapes", `"\u00e9\ud83d\ude00\n"`, true},
		{"a repeated name", `{"a":1,"a":2}`, false},
		{"a name repeated by an escape", `{"a":1,"\u0061":2}`, false},
		{"names that differ in case are two names", `{"a":1,"A":2}`, true},
		{"text after the end", `{} {}`, false},
		{"bytes that are not UTF-8", "\"\xff\"", false},
		{"half a surrogate pair", `"\ud800"`, false},
		{"the wrong half", `"\udc00\ud800"`, false},
		{"NUL", `"\u0000"`, false},
		{"a raw NUL", "\"\x00\"", false},
		{"a control character", "\"\n\"", false},
		{"an unknown escape", `"\x"`, false},
		{"a string without end", `"abc`, false},
		{"an escape at the end", `"abc\`, false},
		{"a trailing comma", `[1,]`, false},
		{"a comma in an empty object", `{,}`, false},
		{"a name without quotation marks", `{a:1}`, false},
		{"a leading zero", `01`, false},
		{"a lone minus", `-`, false},
		{"a word", `nothing`, false},
		{"NaN", `NaN`, false},
		{"nothing", ``, false},
		{"a byte order mark", "\ufeff{}", false},
		{"depth 32", nested(maxDepth), true},
		{"depth 33", nested(maxDepth + 1), false},
		{"1,000 names", object(maxKeys), true},
		{"1,001 names", object(maxKeys + 1), false},
		{"64 KiB of string", str(maxString), true},
		{"a byte more", str(maxString + 1), false},
		{"nine thousand brackets", nested(9000), false},
	} {
		v, err := decode([]byte(c.text))
		if (err == nil) != c.ok {
			t.Errorf("%s: decode = %.60v, error %v", c.claim, v, err)
		}
		if e, ok := errors.AsType[*Error](err); err != nil && (!ok || e.Status != 400 || e.ScimType != "invalidSyntax") {
			t.Errorf("%s: error %v, want a 400 invalidSyntax", c.claim, err)
		}
	}
}

func TestDecodeLimitsValues(t *testing.T) {
	list := func(n int) []byte { return []byte("[" + strings.Repeat("0,", n-2) + "0]") } // n values, the list included
	if _, err := decode(list(maxValues)); err != nil {
		t.Errorf("decode of %d values: %v", maxValues, err)
	}
	_, err := decode(list(maxValues + 1))
	if e, ok := errors.AsType[*Error](err); !ok || e.Status != 413 {
		t.Errorf("decode of a value more = %v, want a 413", err)
	}
}

func TestDecodeLimitsObjects(t *testing.T) {
	list := func(n int) []byte { return []byte("[" + strings.Repeat("{},", n-1) + "{}]") }
	if _, err := decode(list(maxObjects)); err != nil {
		t.Errorf("decode of %d objects: %v", maxObjects, err)
	}
	if _, err := decode(list(maxObjects + 1)); err == nil {
		t.Errorf("decode of %d objects is accepted", maxObjects+1)
	}
}

func FuzzDecode(f *testing.F) {
	for _, s := range []string{
		`{"schemas":["urn:x"],"userName":"a\u00e9","active":"True","emails":[{"value":"x","primary":true}]}`,
		`{"Operations":[{"op":"Add","path":"emails[type eq \"work\"].value","value":null}]}`,
		`[1e5,-0,{"a":{}}]`, "\"\xed\xa0\x80\"",
	} {
		f.Add([]byte(s))
	}
	m, err := newModel(nil)
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		v, err := decode(body)
		if err != nil {
			return
		}
		d := json.NewDecoder(strings.NewReader(string(body)))
		d.UseNumber()
		var want any
		if err := d.Decode(&want); err != nil || !reflect.DeepEqual(v, want) {
			t.Fatalf("decode(%q) = %#v; encoding/json says %#v, %v", body, v, want, err)
		}
		// Whatever is decoded is normalised or refused, and a normalised
		// document stays as it is.
		var q quirks
		doc, _, err := m.user.normalise(v, &q)
		if err == nil {
			again, _, err := m.user.normalise(clone(doc), &q)
			if err != nil || !reflect.DeepEqual(again, doc) {
				t.Fatalf("normalise(%v) = %v, %v", doc, again, err)
			}
		}
		if ops, err := m.user.operations(v, Limits{}.withDefaults(), &q); err == nil {
			_, _ = applyPatch(map[string]any{"userName": "x"}, ops)
		}
	})
}
