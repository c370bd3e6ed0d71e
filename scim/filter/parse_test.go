package filter

import (
	"errors"
	"reflect"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

func TestParse(t *testing.T) {
	for _, c := range []struct{ claim, text, want string }{
		{"a comparison", `userName eq "bjensen"`, `userName eq "bjensen"`},
		{"operators ignore case", `userName Eq "b" AND NOT (title PR)`, `userName eq "b" and not (title pr)`},
		{"and binds tighter than or", `a pr or b pr and c pr`, `a pr or (b pr and c pr)`},
		{"parentheses group", `(a pr or b pr) and c pr`, `(a pr or b pr) and c pr`},
		{"parentheses that group nothing vanish", `((a pr))`, `a pr`},
		{"the last colon ends a URN", `urn:a:2.0:User:name.givenName sw "x"`, `urn:a:2.0:User:name.givenName sw "x"`},
		{"a URN may hold an underscore", `urn:x:My_App:2.0:User:badge eq "7"`, `urn:x:My_App:2.0:User:badge eq "7"`},
		{"a schema may be a web address", `http://corp.test/User:badge eq "7"`, `http://corp.test/User:badge eq "7"`},
		{"a value path", `emails[type eq "work" and value co "@"]`, `emails[type eq "work" and value co "@"]`},
		{"Entra's sub-attribute after a value path", `emails[type eq "work"].value eq "a"`, `emails[type eq "work" and value eq "a"]`},
		{"the same after an or", `emails[type eq "a" or type eq "b"].value eq "c"`, `emails[(type eq "a" or type eq "b") and value eq "c"]`},
		{"escapes are decoded", `a eq "\u00e9\"\\\/\ud83d\ude00"`, `a eq "é\"\\/😀"`},
		{"upper-case hex too", `a eq "\u00E9"`, `a eq "é"`},
		{"literals that are no strings", `a eq true and b eq FALSE and c eq null and d ge -1.5e3`, `a eq true and b eq false and c eq null and d ge -1.5e3`},
		{"$ref is a name", `manager.$ref eq "x"`, `manager.$ref eq "x"`},
		{"white space may repeat", "  a \t pr  ", `a pr`},
	} {
		x, err := Parse(c.text)
		if err != nil {
			t.Errorf("%s: Parse(%q): %v", c.claim, c.text, err)
			continue
		}
		if got := x.String(); got != c.want {
			t.Errorf("%s: Parse(%q) = %s, want %s", c.claim, c.text, got, c.want)
		}
	}
}

func TestParseRefuses(t *testing.T) {
	for _, c := range []struct{ claim, text string }{
		{"nothing", ``},
		{"an attribute alone", `userName`},
		{"an unknown operator", `userName zz "x"`},
		{"an operator without value", `userName eq`},
		{"a word for a value", `userName eq bob`},
		{"text after the end", `a pr b pr`},
		{"a parenthesis too many", `(a pr))`},
		{"a parenthesis too few", `((a pr)`},
		{"not without parentheses", `not a pr`},
		{"an empty value path", `emails[]`},
		{"a value path on a sub-attribute", `emails.value[type eq "x"]`},
		{"a string without end", `a eq "x`},
		{"half a surrogate pair", `a eq "\ud800"`},
		{"a NUL", `a eq "\u0000"`},
		{"a control character", "a eq \"\x01\""},
		{"an escape that JSON does not have", `a eq "\x41"`},
		{"bytes that are not UTF-8", "a eq \"\xff\""},
		{"an empty sub-attribute", `a. pr`},
		{"an empty URN", `:a pr`},
		{"a Kelvin sign in a name", "\u212aey pr"},
		{"a sign in hex digits", `a eq "\u+041"`},
	} {
		x, err := Parse(c.text)
		if _, ok := errors.AsType[*Error](err); !ok {
			t.Errorf("%s: Parse(%q) = %v, %v, want an *Error", c.claim, c.text, x, err)
		}
	}
}

func TestParseLimits(t *testing.T) {
	terms := func(n int) string { return strings.TrimSuffix(strings.Repeat("a pr or ", n), " or ") }
	nested := func(n int) string { return strings.Repeat("(", n) + "a pr" + strings.Repeat(")", n) }
	long := func(n int) string { return `a eq "` + strings.Repeat("x", n-len(`a eq ""`)) + `"` }
	for _, c := range []struct {
		claim string
		text  string
		ok    bool
	}{
		{"64 terms pass", terms(DefaultTerms), true},
		{"65 terms do not", terms(DefaultTerms + 1), false},
		{"depth 16 passes", nested(DefaultDepth), true},
		{"depth 17 does not", nested(DefaultDepth + 1), false},
		{"4 KiB pass", long(DefaultLength), true},
		{"a byte more does not", long(DefaultLength + 1), false},
		{"100,000 parentheses are refused unread", strings.Repeat("(", 100_000), false},
		{"nested nots count", strings.Repeat("not (", 17) + "a pr" + strings.Repeat(")", 17), false},
	} {
		if _, err := Parse(c.text); (err == nil) != c.ok {
			t.Errorf("%s: error %v", c.claim, err)
		}
	}
	if _, _, err := (Parser{Terms: 2}).Parse("a pr and b pr and c pr"); err == nil {
		t.Error("Parser{Terms: 2} accepts three terms")
	}
}

func TestParseLoose(t *testing.T) {
	x, bent, err := Parser{Loose: true}.Parse(`userName eq bob and active eq true`)
	if err != nil || x.String() != `userName eq "bob" and active eq true` || len(bent) != 1 {
		t.Errorf("loose Parse = %v, %q, %v, want a quoted bob and one note", x, bent, err)
	}
}

func TestParsePath(t *testing.T) {
	for _, c := range []struct {
		claim, text string
		want        Path
	}{
		{"an attribute", `members`, Path{Attr: AttrPath{Name: "members"}}},
		{"a sub-attribute", `name.familyName`, Path{Attr: AttrPath{Name: "name", Sub: "familyName"}}},
		{"selected values", `members[value eq "u-1"]`, Path{
			Attr:   AttrPath{Name: "members"},
			Filter: Compare{Attr: AttrPath{Name: "value"}, Op: Eq, Value: "u-1"},
		}},
		{"a sub-attribute of selected values", `emails[primary eq true].value`, Path{
			Attr:   AttrPath{Name: "emails"},
			Filter: Compare{Attr: AttrPath{Name: "primary"}, Op: Eq, Value: true}, Sub: "value",
		}},
		{"an attribute of an extension", `urn:e:2.0:User:manager.value`, Path{
			Attr: AttrPath{URN: "urn:e:2.0:User", Name: "manager", Sub: "value"},
		}},
	} {
		got, err := ParsePath(c.text)
		if err != nil || !reflect.DeepEqual(got, c.want) {
			t.Errorf("%s: ParsePath(%q) = %+v, %v, want %+v", c.claim, c.text, got, err, c.want)
		}
	}
	for _, bad := range []string{``, `[type eq "x"]`, `emails[type eq "x"].`, `emails[type eq "x"]value`, `a b`, `a[b pr][c pr]`, `"a"`, `a.b.c`} {
		if got, err := ParsePath(bad); err == nil {
			t.Errorf("ParsePath(%q) = %+v, want an error", bad, got)
		}
	}
}

// genExpr draws a filter that the parser can produce.
func genExpr(depth int) *rapid.Generator[Expr] {
	name := rapid.StringMatching(`[a-z][A-Za-z0-9_-]{0,6}`)
	attr := rapid.Custom(func(t *rapid.T) AttrPath {
		return AttrPath{
			URN:  rapid.SampledFrom([]string{"", "urn:x:y_z:2.0:User"}).Draw(t, "urn"),
			Name: name.Filter(func(s string) bool { return s != "not" }).Draw(t, "name"),
			Sub:  rapid.SampledFrom([]string{"", "value", "$ref"}).Draw(t, "sub"),
		}
	})
	leaf := rapid.Custom(func(t *rapid.T) Expr {
		if rapid.Bool().Draw(t, "present") {
			return Present{Attr: attr.Draw(t, "attr")}
		}
		text := rapid.String().Filter(func(s string) bool { return !strings.ContainsRune(s, 0) })
		value := rapid.OneOf(text.AsAny(), rapid.Bool().AsAny(), rapid.Just[any](nil))
		op := rapid.SampledFrom([]Op{Eq, Ne, Co, Sw, Ew, Gt, Ge, Lt, Le})
		return Compare{Attr: attr.Draw(t, "attr"), Op: op.Draw(t, "op"), Value: value.Draw(t, "value")}
	})
	if depth == 0 {
		return leaf
	}
	inner := genExpr(depth - 1)
	return rapid.OneOf(leaf, rapid.Custom(func(t *rapid.T) Expr {
		list := rapid.SliceOfN(inner, 2, 3)
		switch rapid.IntRange(0, 3).Draw(t, "kind") {
		case 0:
			return And(list.Draw(t, "and"))
		case 1:
			return Or(list.Draw(t, "or"))
		case 2:
			return Not{X: inner.Draw(t, "not")}
		}
		return Has{Attr: AttrPath{Name: name.Draw(t, "of")}, X: inner.Draw(t, "has")}
	}))
}

func TestPrintThenParseIsIdentity(t *testing.T) {
	p := Parser{Length: 1 << 20, Depth: 100, Terms: 1000}
	rapid.Check(t, func(t *rapid.T) {
		x := genExpr(3).Draw(t, "filter")
		got, _, err := p.Parse(x.String())
		if err != nil {
			t.Fatalf("Parse(%s): %v", x, err)
		}
		if !reflect.DeepEqual(got, x) {
			t.Fatalf("Parse(%s) = %#v, want %#v", x, got, x)
		}
	})
}

func FuzzParse(f *testing.F) {
	for _, s := range []string{
		`userName eq "a" and not (emails[type eq "work"].value co "\u00e9" or x.y pr)`,
		`urn:a:b_c:2.0:User:manager.$ref ne null`, `((((`, `a eq "\ud83d\ude00"`, `a eq -0.5e+1`, `a eq bob`,
	} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		x, _, err := Parser{Loose: true}.Parse(text)
		if err != nil {
			return
		}
		// Printing may add parentheses and quotation marks.
		again, _, err := Parser{Length: 1 << 20, Depth: 100}.Parse(x.String())
		if err != nil || !reflect.DeepEqual(again, x) {
			t.Fatalf("Parse(%q) prints %q, which parses as %#v, %v", text, x, again, err)
		}
		if p, err := Compile(x, testUser); err == nil {
			p.Match(testDoc)
		}
	})
}

func FuzzParsePath(f *testing.F) {
	for _, s := range []string{`members[value eq "u-1"]`, `urn:a:2.0:User:manager.value`, `emails[type eq "work"].value`, `a.b`} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		p, err := ParsePath(text)
		if err != nil {
			return
		}
		again, err := Parser{Length: 1 << 20, Depth: 100}.ParsePath(p.String())
		if err != nil || !reflect.DeepEqual(again, p) {
			t.Fatalf("ParsePath(%q) prints %q, which parses as %+v, %v", text, p, again, err)
		}
	})
}
