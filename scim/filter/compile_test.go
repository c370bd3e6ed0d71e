package filter

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"
)

// testUser is a small user resource with one extension.
var testUser = &Resource{
	Core: Schema{URN: "urn:core:User", Attributes: []Attribute{
		{Name: "id", Type: String, CaseExact: true},
		{Name: "externalId", Type: String, CaseExact: true},
		{Name: "meta", Type: Complex, Sub: []Attribute{{Name: "lastModified", Type: DateTime}}},
		{Name: "userName", Type: String},
		{Name: "title", Type: String},
		{Name: "active", Type: Boolean},
		{Name: "age", Type: Integer},
		{Name: "name", Type: Complex, Sub: []Attribute{{Name: "familyName", Type: String}}},
		{Name: "emails", Type: Complex, Multi: true, Sub: []Attribute{
			{Name: "value", Type: String}, {Name: "type", Type: String}, {Name: "primary", Type: Boolean},
		}},
		{Name: "photo", Type: Binary, CaseExact: true},
	}},
	Extensions: []Schema{{URN: "urn:ext_1:2.0:User", Attributes: []Attribute{
		{Name: "department", Type: String},
		{Name: "manager", Type: Complex, Sub: []Attribute{{Name: "value", Type: String}}},
	}}},
}

var testDoc = func() map[string]any {
	d := json.NewDecoder(strings.NewReader(`{
		"id": "7", "externalId": "EXT", "userName": "Kim@Corp.test", "title": "Straße  9", "active": true, "age": 41,
		"meta": {"lastModified": "2026-03-01T10:00:00+01:00"}, "name": {"familyName": "Ó Dálaigh"},
		"emails": [{"value": "kim@corp.test", "type": "work", "primary": true}, {"value": "k@home.test", "type": "home"}],
		"photo": "aGk=",
		"urn:ext_1:2.0:User": {"department": "Ops", "manager": {"value": "boss"}}}`))
	d.UseNumber()
	var doc map[string]any
	if err := d.Decode(&doc); err != nil {
		panic(err)
	}
	return doc
}()

func TestMatch(t *testing.T) {
	for _, c := range []struct {
		text string
		want bool
	}{
		{`userName eq "kim@corp.TEST"`, true},
		{`USERNAME Eq "kim@corp.test"`, true},
		{`urn:core:user:userName sw "KIM"`, true},
		{`userName ew ".test"`, true},
		{`userName co "@corp"`, true},
		{`externalId eq "ext"`, false},
		{`externalId eq "EXT"`, true},
		{`title eq "STRASSE 9"`, true},
		{`name.familyName eq "ó dálaigh"`, true},
		{`active eq true`, true},
		{`active eq "True"`, true},
		{`active ne true`, false},
		{`age gt 40 and age le 41`, true},
		{`age lt 41`, false},
		{`meta.lastModified eq "2026-03-01T09:00:00Z"`, true},
		{`meta.lastModified gt "2026-03-01T09:00:00Z"`, false},
		{`meta.lastModified ge "2026-03-01T09:00:00.000Z"`, true},
		{`meta.lastModified sw "2026"`, true},
		{`emails eq "k@home.test"`, true},
		{`emails.value eq "K@HOME.test"`, true},
		{`emails co "corp"`, true},
		{`emails[type eq "work" and value ew "home.test"]`, false},
		{`emails[type eq "home"].value eq "k@home.test"`, true},
		{`emails[primary eq "True"]`, true},
		{`emails[not (type eq "work")]`, true},
		{`emails.type ne "work"`, true},
		{`emails pr and emails.primary pr`, true},
		{`title ne "x"`, true},
		{`photo eq "aGk="`, true},
		{`urn:EXT_1:2.0:user:DEPARTMENT eq "ops"`, true},
		{`department eq "ops"`, true},
		{`manager eq "boss" and id eq "7"`, true},
		{`urn:ext_1:2.0:User:manager.value eq "boss"`, true},
		{`urn:ext_1:2.0:User pr`, true},
		{`not (userName eq "x") and (title pr or age pr)`, true},
		{`userName gt "kim"`, true},
		{`id eq 7`, true},
		{`userName ne null`, true},
		{`userName eq null`, false},
	} {
		x, err := Parse(c.text)
		if err != nil {
			t.Errorf("Parse(%s): %v", c.text, err)
			continue
		}
		p, err := Compile(x, testUser)
		if err != nil {
			t.Errorf("Compile(%s): %v", c.text, err)
			continue
		}
		if got := p.Match(testDoc); got != c.want {
			t.Errorf("Match(%s) = %v, want %v", c.text, got, c.want)
		}
	}
}

func TestMatchAbsent(t *testing.T) {
	for text, want := range map[string]bool{
		`title pr`:               false,
		`not (title pr)`:         true,
		`title ne "x"`:           true,
		`title eq null`:          true,
		`title ne null`:          false,
		`title eq "x"`:           false,
		`age gt 1`:               false,
		`emails ne "a"`:          true,
		`emails[type ne "work"]`: false,
		`emails.value eq null`:   true,
		`department ne "Ops"`:    true,
		`urn:ext_1:2.0:User pr`:  false,
		`active ne true`:         true,
		`meta.lastModified lt "2030-01-01T00:00:00Z"`: false,
	} {
		x, err := Parse(text)
		if err != nil {
			t.Fatal(err)
		}
		p, err := Compile(x, testUser)
		if err != nil {
			t.Fatal(err)
		}
		for _, doc := range []map[string]any{{}, {"title": nil, "emails": []any{}, "age": nil}} {
			if got := p.Match(doc); got != want {
				t.Errorf("Match(%s) on %v = %v, want %v", text, doc, got, want)
			}
		}
	}
}

func TestCompileRefuses(t *testing.T) {
	for _, c := range []struct{ claim, text string }{
		{"an unknown attribute", `nosuch eq "x"`},
		{"an unknown sub-attribute", `name.nosuch eq "x"`},
		{"an unknown schema", `urn:none:title eq "x"`},
		{"a sub-attribute of a string", `title.x pr`},
		{"an order on a boolean", `active gt true`},
		{"a boolean compared with other text", `active eq "yes"`},
		{"a number compared with a string", `age eq "x"`},
		{"text of a number", `age co 4`},
		{"a date that is none", `meta.lastModified gt "yesterday"`},
		{"an order on binary", `photo gt "x"`},
		{"a complex attribute without value", `name eq "x"`},
		{"a whole extension compared", `urn:ext_1:2.0:User eq "x"`},
		{"an order on null", `title gt null`},
		{"a value path on a string", `title[value eq "x"]`},
		{"an attribute outside the value path", `emails[userName eq "x"]`},
		{"a value path in a value path", `emails[type[value eq "x"]]`},
	} {
		x, err := Parse(c.text)
		if err != nil {
			t.Errorf("Parse(%s): %v", c.text, err)
			continue
		}
		_, err = Compile(x, testUser)
		if _, ok := errors.AsType[*Error](err); !ok {
			t.Errorf("%s: Compile(%s) = %v, want an *Error", c.claim, c.text, err)
		}
	}
}

func TestCompileValues(t *testing.T) {
	x, err := Parse(`type eq "WORK" and primary eq "True"`)
	if err != nil {
		t.Fatal(err)
	}
	match, err := CompileValues(x, testUser.Core.Attribute("EMAILS"))
	if err != nil {
		t.Fatal(err)
	}
	emails := testDoc["emails"].([]any)
	if !match(emails[0]) || match(emails[1]) || match("work") {
		t.Errorf("match = %v, %v, %v, want true, false, false", match(emails[0]), match(emails[1]), match("work"))
	}
}

func TestErrorsEchoLittle(t *testing.T) {
	_, err := Parse(strings.Repeat("x", 4000) + " zz")
	if err == nil || len(err.Error()) > 200 {
		t.Errorf("error of %d bytes: %v", len(err.Error()), err)
	}
	_, err = Parse(`a eq "\q` + strings.Repeat("é", 1500) + `"`)
	if err == nil || len(err.Error()) > 200 {
		t.Errorf("error of %d bytes: %v", len(err.Error()), err)
	}
}
