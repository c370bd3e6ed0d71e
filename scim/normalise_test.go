package scim

import (
	"errors"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// testModel has, beside the standard schemas, one that a source declares.
func testModel(t testing.TB) *model {
	t.Helper()
	m, err := newModel([]byte(`{"schemas":[{"id":"urn:corp:My_App:2.0:User","name":"App","attributes":[
		{"name":"badge","type":"string","multiValued":false,"mutability":"immutable","returned":"default","uniqueness":"none"},
		{"name":"level","type":"integer","multiValued":false,"mutability":"readWrite","returned":"default","uniqueness":"none"},
		{"name":"tags","type":"string","multiValued":true,"mutability":"readWrite","returned":"default","uniqueness":"none"}]}]}`))
	if err != nil {
		t.Fatal(err)
	}
	return m
}

func parse(t testing.TB, text string) any {
	t.Helper()
	v, err := decode([]byte(text))
	if err != nil {
		t.Fatalf("decode(%s): %v", text, err)
	}
	return v
}

func TestNormaliseUser(t *testing.T) {
	m := testModel(t)
	for _, c := range []struct{ claim, body, want, quirk string }{
		{"names get their canonical spelling", `{"schemas":[],"USERNAME":"a","Name":{"GIVENNAME":"G"}}`, `{"userName":"a","name":{"givenName":"G"}}`, ""},
		{"id, meta and groups are not the client's", `{"schemas":[],"userName":"a","id":"x","meta":{},"groups":[]}`, `{"userName":"a"}`, ""},
		{"a password is dropped", `{"schemas":[],"userName":"a","password":"p"}`, `{"userName":"a"}`, ""},
		{"nulls and empty lists are no values", `{"schemas":[],"userName":"a","title":null,"roles":[],"emails":[null]}`, `{"userName":"a"}`, ""},
		{"unknown attributes are ignored", `{"schemas":[],"userName":"a","colour":"red"}`, `{"userName":"a"}`, "unknown attribute ignored"},
		{"a boolean may be a string", `{"schemas":[],"userName":"a","active":"False"}`, `{"userName":"a","active":false}`, "active string to boolean"},
		{"inside values too", `{"schemas":[],"userName":"a","roles":[{"value":"r","primary":"TRUE"}]}`, `{"userName":"a","roles":[{"value":"r","primary":true}]}`, "primary string to boolean"},
		{"a value may stand for a list", `{"schemas":[],"userName":"a","emails":{"value":"m"}}`, `{"userName":"a","emails":[{"value":"m"}]}`, "emails value to list"},
		{"a string may stand for a value", `{"schemas":[],"userName":"a","emails":["m"]}`, `{"userName":"a","emails":[{"value":"m"}]}`, "emails string to value"},
		{"a value that is empty is none", `{"schemas":[],"userName":"a","emails":[{"value":"","type":"work"}]}`, `{"userName":"a"}`, "emails empty value to no value"},
		{"a number may stand for a string", `{"schemas":[],"userName":"a","title":7}`, `{"userName":"a","title":"7"}`, "title number to string"},
		{
			"the URN of an extension in any case", `{"schemas":[],"userName":"a","URN:ietf:params:scim:schemas:extension:ENTERPRISE:2.0:user":{"Department":"D"}}`,
			`{"userName":"a","` + enterpriseURN + `":{"department":"D"}}`, "",
		},
		{"an attribute by its full name", `{"schemas":[],"userName":"a","` + enterpriseURN + `:department":"D"}`, `{"userName":"a","` + enterpriseURN + `":{"department":"D"}}`, ""},
		{"a dotted name", `{"schemas":[],"userName":"a","name.familyName":"F"}`, `{"userName":"a","name":{"familyName":"F"}}`, ""},
		{"a manager that is a string", `{"schemas":[],"userName":"a","` + enterpriseURN + `":{"manager":"m"}}`, `{"userName":"a","` + enterpriseURN + `":{"manager":{"value":"m"}}}`, "manager string to value"},
		{
			"a manager that is a list", `{"schemas":[],"userName":"a","manager":[{"value":"m","displayName":"ours to say"}]}`,
			`{"userName":"a","` + enterpriseURN + `":{"manager":{"value":"m"}}}`, "extension attribute without its URN",
		},
		{"a manager that is empty", `{"schemas":[],"userName":"a","` + enterpriseURN + `":{"manager":"","department":"D"}}`, `{"userName":"a","` + enterpriseURN + `":{"department":"D"}}`, "manager empty string to no value"},
		{"a null manager in the core", `{"schemas":[],"userName":"a","manager":null}`, `{"userName":"a"}`, ""},
		{
			"one primary value", `{"schemas":[],"userName":"a","emails":[{"value":"x","primary":true},{"value":"y","primary":true}]}`,
			`{"userName":"a","emails":[{"value":"x","primary":true},{"value":"y","primary":false}]}`, "emails with two primary values: the first kept",
		},
		{"no schemas", `{"userName":"a"}`, `{"userName":"a"}`, "schemas missing"},
		{"a schema that nobody knows", `{"schemas":["urn:scim:schemas:core:1.0"],"userName":"a"}`, `{"userName":"a"}`, "unknown schema ignored"},
		{
			"a schema of the source", `{"schemas":[],"userName":"a","urn:corp:my_app:2.0:user":{"badge":"7","level":3,"tags":["x"]}}`,
			`{"userName":"a","urn:corp:My_App:2.0:User":{"badge":"7","level":3,"tags":["x"]}}`, "",
		},
	} {
		var q quirks
		got, _, err := m.user.normalise(parse(t, c.body), &q)
		if err != nil {
			t.Errorf("%s: normalise(%s): %v", c.claim, c.body, err)
			continue
		}
		if d := cmp.Diff(parse(t, c.want), any(got)); d != "" {
			t.Errorf("%s: normalise(%s) (-want +got):\n%s", c.claim, c.body, d)
		}
		if c.quirk != "" && !slices.Contains(q.list, c.quirk) {
			t.Errorf("%s: quirks %q, want %q among them", c.claim, q.list, c.quirk)
		}
	}
}

func TestNormaliseRefuses(t *testing.T) {
	m := testModel(t)
	for _, c := range []struct{ claim, body, scimType string }{
		{"a list", `[]`, "invalidSyntax"},
		{"schemas that are no list", `{"schemas":7,"userName":"a"}`, "invalidSyntax"},
		{"the same name twice in other case", `{"userName":"a","USERNAME":"b"}`, "invalidSyntax"},
		{"the same sub-name twice", `{"userName":"a","name":{"givenName":"x","givenname":"y"}}`, "invalidSyntax"},
		{"the same name by two ways", `{"userName":"a","department":"x","` + enterpriseURN + `":{"department":"y"}}`, "invalidSyntax"},
		{"a boolean that is another word", `{"userName":"a","active":"yes"}`, "invalidValue"},
		{"a boolean that is empty", `{"userName":"a","active":""}`, "invalidValue"},
		{"a boolean that is a number", `{"userName":"a","active":1}`, "invalidValue"},
		{"a string that is a boolean", `{"userName":true}`, "invalidValue"},
		{"a string that is an object", `{"userName":{"value":"a"}}`, "invalidValue"},
		{"two values for one", `{"userName":["a","b"]}`, "invalidValue"},
		{"an object that is a number", `{"userName":"a","name":5}`, "invalidValue"},
		{"an extension that is a string", `{"userName":"a","` + enterpriseURN + `":"x"}`, "invalidValue"},
		{"a password that is no string", `{"userName":"a","password":{"a":1}}`, "invalidValue"},
		{"an integer with a fraction", `{"userName":"a","urn:corp:My_App:2.0:User":{"level":1.5}}`, "invalidValue"},
	} {
		_, _, err := m.user.normalise(parse(t, c.body), &quirks{})
		if e, ok := errors.AsType[*Error](err); !ok || e.ScimType != c.scimType {
			t.Errorf("%s: normalise(%s) = %v, want %s", c.claim, c.body, err, c.scimType)
		}
	}
}

func TestNormaliseMembers(t *testing.T) {
	m := testModel(t)
	for _, c := range []struct {
		claim, body string
		want        []string // nil: no members in the body
	}{
		{"none", `{"displayName":"g"}`, nil},
		{"null", `{"displayName":"g","members":null}`, nil},
		{"an empty list", `{"displayName":"g","members":[]}`, []string{}},
		{"objects", `{"displayName":"g","MEMBERS":[{"value":"a","display":"A","$ref":null},{"VALUE":"b"}]}`, []string{"a", "b"}},
		{"strings", `{"displayName":"g","members":["a"]}`, []string{"a"}},
		{"one object", `{"displayName":"g","members":{"value":"a"}}`, []string{"a"}},
		{"references", `{"displayName":"g","members":[{"$ref":"https://h/scim/s/v2/Users/a"}]}`, []string{"a"}},
		{"repeated ones once", `{"displayName":"g","members":[{"value":"a"},{"value":"a"}]}`, []string{"a"}},
	} {
		doc, got, err := m.group.normalise(parse(t, c.body), &quirks{})
		if err != nil || !slices.Equal(got, c.want) || (got == nil) != (c.want == nil) || doc["members"] != nil {
			t.Errorf("%s: normalise(%s) = %v, %q, %v, want members %q", c.claim, c.body, doc, got, err, c.want)
		}
	}
	for _, bad := range []string{`[{"display":"x"}]`, `[{"value":""}]`, `[""]`, `[7, true]`, `[{"value":{"a":1}}]`} {
		if _, got, err := m.group.normalise(parse(t, `{"displayName":"g","members":`+bad+`}`), &quirks{}); err == nil {
			t.Errorf("members %s = %q, want an error", bad, got)
		}
	}
}

func TestValidate(t *testing.T) {
	m := testModel(t)
	for _, c := range []struct {
		claim, doc string
		ok         bool
	}{
		{"a whole user", `{"userName":"a","active":true,"emails":[{"value":"x","primary":true}],"` + enterpriseURN + `":{"manager":{"value":"m"}}}`, true},
		{"userName is required", `{"displayName":"a"}`, false},
		{"a certificate must be base64", `{"userName":"a","x509Certificates":[{"value":"%%"}]}`, false},
		{"the source's own types", `{"userName":"a","urn:corp:My_App:2.0:User":{"level":"x"}}`, false},
	} {
		err := m.user.validate(parse(t, c.doc).(map[string]any))
		if (err == nil) != c.ok {
			t.Errorf("%s: validate(%s) = %v", c.claim, c.doc, err)
		}
	}
}

func TestSettingsAreChecked(t *testing.T) {
	for _, bad := range []string{
		`{"schemas":[{"id":"nourn","attributes":[]}]}`,
		`{"schemas":[{"id":"` + userURN + `","attributes":[]}]}`,
		`{"schemas":[{"id":"urn:a:b","resourceType":"Thing","attributes":[]}]}`,
		`{"schemas":[{"id":"urn:a:b","attributes":[{"name":"x","type":"colour"}]}]}`,
		`{"schemas":7}`,
	} {
		if err := CheckSettings([]byte(bad)); err == nil {
			t.Errorf("CheckSettings(%s) = nil, want an error", bad)
		}
	}
	if err := CheckSettings(nil); err != nil {
		t.Errorf("CheckSettings(nil) = %v", err)
	}
}
