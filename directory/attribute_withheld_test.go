package directory_test

import (
	"encoding/json"
	"testing"

	"github.com/usherd/usherd/directory"
)

const withholding = `{"profile":"okta","schemas":[
	{"id":"urn:x:User","attributes":[
		{"name":"answer","type":"string","returned":"never"},
		{"name":"note","type":"string","returned":"request"},
		{"name":"hash","type":"string","mutability":"writeOnly"},
		{"name":"floor","type":"string","returned":"default"},
		{"name":"desk","type":"complex","subAttributes":[{"name":"colour","type":"string"},{"name":"code","type":"string","returned":"never"}]},
		{"name":"seats","type":"complex","multiValued":true,"subAttributes":[{"name":"value","type":"string"},{"name":"Code","type":"string","returned":"request"}]},
		{"name":"safe","type":"complex","subAttributes":[{"name":"code","type":"string","returned":"never"}]}]},
	{"id":"urn:y:User","resourceType":"User","attributes":[{"name":"hint","type":"string","returned":"never"}]},
	{"id":"urn:x:Group","resourceType":"Group","attributes":[{"name":"floor","type":"string","returned":"never"}]}]}`

func TestWhatASchemaDoesNotReturnIsCut(t *testing.T) {
	const enterprise = `{"urn:ietf:params:scim:schemas:extension:enterprise:2.0:User":{"department":"Bridges"}}`
	for name, c := range map[string]struct{ settings, attributes, want string }{
		"never":                        {withholding, `{"urn:x:User":{"answer":"42","floor":"3"}}`, `{"urn:x:User":{"floor":"3"}}`},
		"on request":                   {withholding, `{"urn:x:User":{"note":"n","floor":"3"}}`, `{"urn:x:User":{"floor":"3"}}`},
		"what is written alone":        {withholding, `{"urn:x:User":{"hash":"h","floor":"3"}}`, `{"urn:x:User":{"floor":"3"}}`},
		"in any case":                  {withholding, `{"URN:x:user":{"ANSWER":"42","floor":"3"}}`, `{"URN:x:user":{"floor":"3"}}`},
		"a part":                       {withholding, `{"urn:x:User":{"desk":{"colour":"red","code":"7"}}}`, `{"urn:x:User":{"desk":{"colour":"red"}}}`},
		"a part of several values":     {withholding, `{"urn:x:User":{"seats":[{"value":"a","code":"7"},{"code":"8"}]}}`, `{"urn:x:User":{"seats":[{"value":"a"},{}]}}`},
		"all parts":                    {withholding, `{"urn:x:User":{"safe":{"code":"7"},"floor":"3"}}`, `{"urn:x:User":{"floor":"3"}}`},
		"an extension of nothing else": {withholding, `{"title":"Boss","urn:y:User":{"hint":"h"}}`, `{"title":"Boss"}`},
		"of that schema alone":         {withholding, `{"answer":"mine","urn:y:User":{"floor":"3"}}`, `{"answer":"mine","urn:y:User":{"floor":"3"}}`},
		"null":                         {withholding, `{"urn:x:User":{"desk":null,"seats":null}}`, `{"urn:x:User":{"desk":null,"seats":null}}`},
		"no object":                    {withholding, `{"urn:x:User":7}`, `{"urn:x:User":7}`},
		"numbers as they were":         {withholding, `{"urn:x:User":{"floor":12345678901234567890}}`, `{"urn:x:User":{"floor":12345678901234567890}}`},
		"nothing without schemas":      {`{}`, `{"urn:x:User":{"answer":"42"}}`, `{"urn:x:User":{"answer":"42"}}`},
		"nothing without settings":     {``, `{"urn:x:User":{"answer":"42"}}`, `{"urn:x:User":{"answer":"42"}}`},
		"extensions of unread schemas": {`{"schemas":7}`, `{"title":"Boss","urn:x:User":{"floor":"3"}}`, `{"title":"Boss"}`},
		"never the enterprise":         {`{"schemas":7}`, enterprise, enterprise},
		"the stricter of two":          {`{"schemas":[{"id":"urn:x","attributes":[{"name":"a","returned":"never"},{"name":"a","subAttributes":[{"name":"b","returned":"never"},{"name":"c"}]}]}]}`, `{"urn:x":{"a":{"c":1}}}`, `{}`},
	} {
		t.Run(name, func(t *testing.T) {
			got := directory.WithheldBy(scimSource(c.settings)).Cut(json.RawMessage(c.attributes))
			if string(got) != c.want {
				t.Errorf("Cut(%s) = %s, want %s", c.attributes, got, c.want)
			}
		})
	}
}

func TestOfASourceThatIsGoneNoExtensionIsShown(t *testing.T) {
	local := directory.WithheldBy(&directory.Source{Name: directory.Local, Kind: directory.KindLocal})
	for name, w := range map[string]directory.Withheld{"a source that is gone": {}, "local": local} {
		if got := w.Cut(json.RawMessage(`{"title":"Boss","urn:x:User":{"floor":"3"}}`)); string(got) != `{"title":"Boss"}` {
			t.Errorf("of %s is shown %s", name, got)
		}
	}
	if (directory.Withheld{}).Hides("title") == false || local.Hides("title") {
		t.Error("lists show title of a source that is gone, or not of local")
	}
}

func scimSource(settings string) *directory.Source {
	return &directory.Source{Name: "okta", Kind: directory.KindSCIM, Settings: json.RawMessage(settings)}
}

func TestListsHideWhatASchemaDoesNotReturn(t *testing.T) {
	w := directory.WithheldBy(scimSource(withholding))
	for name, want := range map[string]bool{
		"answer": true, "Answer": true, "note": true, "hash": true, "safe": true, "hint": true,
		"floor": false, "desk": false, "seats": false, "title": false, "code": false,
	} {
		if got := w.Hides(name); got != want {
			t.Errorf("Hides(%s) = %t, want %t", name, got, want)
		}
	}
}

func FuzzCut(f *testing.F) {
	f.Add([]byte(withholding), []byte(rich))
	f.Add([]byte(`{"schemas":[{"id":"","attributes":[{}]}]}`), []byte(`{"":null}`))
	f.Fuzz(func(t *testing.T, settings, attributes []byte) {
		w := directory.WithheldBy(scimSource(string(settings)))
		cut := w.Cut(attributes)
		if json.Valid(attributes) && !json.Valid(cut) {
			t.Errorf("Cut(%s) = %s", attributes, cut)
		}
		if again := w.Cut(cut); string(again) != string(cut) {
			t.Errorf("Cut(%s) = %s and then %s", attributes, cut, again)
		}
	})
}
