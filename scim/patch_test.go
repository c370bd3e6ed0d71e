package scim

import (
	"errors"
	"reflect"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/usherd/usherd/directory"
)

const kim = `{"userName":"kim","active":true,"title":"T","name":{"givenName":"Kim","familyName":"F"},
	"emails":[{"value":"w","type":"work","primary":true},{"value":"h","type":"home"}],
	"urn:ietf:params:scim:schemas:extension:enterprise:2.0:User":{"department":"D","manager":{"value":"boss"}}}`

// patch applies the operations of a message whose envelope is added here.
func patch(t *testing.T, doc, ops string) (map[string]any, *quirks, error) {
	t.Helper()
	q := &quirks{}
	body := parse(t, `{"schemas":["`+patchOpURN+`"],"Operations":[`+ops+`]}`)
	list, err := testModel(t).user.operations(body, Limits{}.withDefaults(), q)
	if err != nil {
		return nil, q, err
	}
	before := parse(t, doc).(map[string]any)
	after, err := applyPatch(before, list)
	if d := cmp.Diff(parse(t, doc), any(before)); d != "" {
		t.Errorf("patch %s altered its input:\n%s", ops, d)
	}
	return after, q, err
}

func TestPatchUser(t *testing.T) {
	const ent = enterpriseURN
	for _, c := range []struct{ claim, doc, ops, want string }{
		{"replace without path", `{"userName":"a","active":true}`, `{"op":"replace","value":{"active":false}}`, `{"userName":"a","active":false}`},
		{"a capital letter and a string boolean", `{"userName":"a","active":true}`, `{"op":"Replace","path":"active","value":"False"}`, `{"userName":"a","active":false}`},
		{
			"a filtered value is changed, the others are not", `{"userName":"a","emails":[{"value":"w","type":"work","primary":true},{"value":"h","type":"home"}]}`,
			`{"op":"Replace","path":"emails[type eq \"work\"].value","value":"n"}`,
			`{"userName":"a","emails":[{"value":"n","type":"work","primary":true},{"value":"h","type":"home"}]}`,
		},
		{"a filtered value that is missing is made", `{"userName":"a"}`, `{"op":"Add","path":"emails[type eq \"work\"].value","value":"n"}`, `{"userName":"a","emails":[{"type":"work","value":"n"}]}`},
		{"by replace too", `{"userName":"a"}`, `{"op":"replace","path":"emails[type eq \"work\"].value","value":"n"}`, `{"userName":"a","emails":[{"type":"work","value":"n"}]}`},
		{"a boolean as a string in a path", `{"userName":"a"}`, `{"op":"Add","path":"roles[primary eq \"True\"].value","value":"auditor"}`, `{"userName":"a","roles":[{"primary":true,"value":"auditor"}]}`},
		{
			"dotted and full names without path", `{"userName":"a"}`,
			`{"op":"replace","value":{"name.givenName":"G","` + ent + `:department":"D","emails[type eq \"work\"].value":"n"}}`,
			`{"userName":"a","name":{"givenName":"G"},"emails":[{"type":"work","value":"n"}],"` + ent + `":{"department":"D"}}`,
		},
		{"an extension nested without path", `{"userName":"a","` + ent + `":{"division":"V"}}`, `{"op":"add","value":{"` + ent + `":{"department":"D"}}}`, `{"userName":"a","` + ent + `":{"department":"D","division":"V"}}`},
		{"an extension as path, schemas repeated", `{"userName":"a"}`, `{"op":"add","path":"` + ent + `","value":{"schemas":["` + ent + `"],"department":"D"}}`, `{"userName":"a","` + ent + `":{"department":"D"}}`},
		{"the same as an element of the core URN", `{"userName":"a"}`, `{"op":"replace","path":"URN:ietf:params:scim:schemas:core:2.0:user:TITLE","value":"T"}`, `{"userName":"a","title":"T"}`},
		{"an underscore in a URN", `{"userName":"a"}`, `{"op":"replace","path":"urn:corp:My_App:2.0:User:badge","value":"7"}`, `{"userName":"a","urn:corp:My_App:2.0:User":{"badge":"7"}}`},
		{"a manager as a string", `{"userName":"a"}`, `{"op":"Add","path":"` + ent + `:manager","value":"m"}`, `{"userName":"a","` + ent + `":{"manager":{"value":"m"}}}`},
		{"a manager as a list at the bare name", `{"userName":"a"}`, `{"op":"Add","path":"manager","value":[{"$ref":"r","value":"m"}]}`, `{"userName":"a","` + ent + `":{"manager":{"value":"m","$ref":"r"}}}`},
		{"an empty manager is removed", `{"userName":"a","` + ent + `":{"manager":{"value":"m"},"department":"D"}}`, `{"op":"Replace","path":"` + ent + `:manager","value":""}`, `{"userName":"a","` + ent + `":{"department":"D"}}`},
		{"the last attribute takes the extension along", `{"userName":"a","` + ent + `":{"manager":{"value":"m"}}}`, `{"op":"remove","path":"` + ent + `:manager"}`, `{"userName":"a"}`},
		{"a whole extension can be removed", `{"userName":"a","` + ent + `":{"department":"D"}}`, `{"op":"remove","path":"` + ent + `"}`, `{"userName":"a"}`},
		{"null without path removes", `{"userName":"a","title":"T"}`, `{"op":"replace","value":{"title":null,"displayName":"x"}}`, `{"userName":"a","displayName":"x"}`},
		{"null at a path removes", `{"userName":"a","title":"T"}`, `{"op":"replace","path":"title","value":null}`, `{"userName":"a"}`},
		{"an empty string removes", `{"userName":"a","title":"T"}`, `{"op":"replace","path":"title","value":""}`, `{"userName":"a"}`},
		{"whole-resource values: what is ours is ignored", `{"userName":"a"}`, `{"op":"replace","value":{"schemas":["x"],"id":"1","meta":{},"groups":[],"displayName":"D"}}`, `{"userName":"a","displayName":"D"}`},
		{"unknown names without path are ignored", `{"userName":"a"}`, `{"op":"add","value":{"colour":"red","title":"T"}}`, `{"userName":"a","title":"T"}`},
		{"a password is taken and dropped", `{"userName":"a"}`, `{"op":"replace","path":"password","value":"p"}`, `{"userName":"a"}`},
		{"a value that is there is not repeated", `{"userName":"a","emails":[{"value":"h","type":"home"}]}`, `{"op":"add","path":"emails","value":[{"value":"h","type":"home"}]}`, `{"userName":"a","emails":[{"value":"h","type":"home"}]}`},
		{"it takes over what is new of it", `{"userName":"a","emails":[{"value":"h","type":"home"}]}`, `{"op":"add","path":"emails","value":{"value":"h","display":"H"}}`, `{"userName":"a","emails":[{"value":"h","type":"home","display":"H"}]}`},
		{"the same address with another type is another value", `{"userName":"a","emails":[{"value":"h","type":"home"}]}`, `{"op":"add","path":"emails","value":[{"value":"h","type":"work"}]}`, `{"userName":"a","emails":[{"value":"h","type":"home"},{"value":"h","type":"work"}]}`},
		{"a new primary value is the only one", `{"userName":"a","emails":[{"value":"x","primary":true}]}`, `{"op":"add","path":"emails","value":[{"value":"y","primary":true}]}`, `{"userName":"a","emails":[{"value":"x","primary":false},{"value":"y","primary":true}]}`},
		{"replace replaces all values", `{"userName":"a","emails":[{"value":"x"},{"value":"y"}]}`, `{"op":"replace","path":"emails","value":[{"value":"z"}]}`, `{"userName":"a","emails":[{"value":"z"}]}`},
		{"replace by an empty list removes", `{"userName":"a","emails":[{"value":"x"}]}`, `{"op":"replace","path":"emails","value":[]}`, `{"userName":"a"}`},
		{"add of an empty list adds nothing", `{"userName":"a","emails":[{"value":"x"}]}`, `{"op":"add","path":"emails","value":[]}`, `{"userName":"a","emails":[{"value":"x"}]}`},
		{"a selected value is replaced as a whole", `{"userName":"a","emails":[{"value":"x","type":"work","display":"X"}]}`, `{"op":"replace","path":"emails[type eq \"work\"]","value":{"value":"y"}}`, `{"userName":"a","emails":[{"value":"y","type":"work"}]}`},
		{"add to a selected value merges", `{"userName":"a","emails":[{"value":"x","type":"work","display":"X"}]}`, `{"op":"add","path":"emails[type eq \"work\"]","value":{"value":"y"}}`, `{"userName":"a","emails":[{"value":"y","type":"work","display":"X"}]}`},
		{"a selected value is removed", `{"userName":"a","emails":[{"value":"x","type":"work"},{"value":"y"}]}`, `{"op":"remove","path":"emails[type eq \"WORK\"]"}`, `{"userName":"a","emails":[{"value":"y"}]}`},
		{"removing what is not there succeeds", `{"userName":"a","emails":[{"value":"y"}]}`, `{"op":"remove","path":"emails[type eq \"pager\"]"},{"op":"remove","path":"title"}`, `{"userName":"a","emails":[{"value":"y"}]}`},
		{"remove with a list removes these only", `{"userName":"a","roles":[{"value":"x"},{"value":"y"}]}`, `{"op":"Remove","path":"roles","value":[{"value":"x"}]}`, `{"userName":"a","roles":[{"value":"y"}]}`},
		{"remove with an empty list removes none", `{"userName":"a","roles":[{"value":"x"}]}`, `{"op":"Remove","path":"roles","value":[]}`, `{"userName":"a","roles":[{"value":"x"}]}`},
		{"a value without its point goes", `{"userName":"a","emails":[{"value":"x","type":"work"}]}`, `{"op":"remove","path":"emails[type eq \"work\"].value"}`, `{"userName":"a"}`},
		{"a complex attribute keeps what is not named", `{"userName":"a","name":{"givenName":"G","familyName":"F"}}`, `{"op":"replace","path":"name","value":{"familyName":"N"}}`, `{"userName":"a","name":{"givenName":"G","familyName":"N"}}`},
		{"a sub-attribute is removed", `{"userName":"a","name":{"givenName":"G","familyName":"F"}}`, `{"op":"remove","path":"name.givenName"}`, `{"userName":"a","name":{"familyName":"F"}}`},
		{"operations are in order", `{"userName":"a"}`, `{"op":"add","path":"title","value":"1"},{"op":"replace","path":"title","value":"2"},{"op":"remove","path":"title"},{"op":"add","path":"title","value":"3"}`, `{"userName":"a","title":"3"}`},
		{"removing active leaves an inactive user", `{"userName":"a","active":true}`, `{"op":"remove","path":"active"}`, `{"userName":"a"}`},
		{"keys of an operation in any case", `{"userName":"a"}`, `{"OP":"ADD","Path":"title","VALUE":"T"}`, `{"userName":"a","title":"T"}`},
		{"an empty path is no path", `{"userName":"a"}`, `{"op":"add","path":"","value":{"title":"T"}}`, `{"userName":"a","title":"T"}`},
		{"a plain list of strings", `{"userName":"a","urn:corp:My_App:2.0:User":{"tags":["x"]}}`, `{"op":"add","path":"urn:corp:My_App:2.0:User:tags","value":["x","y"]}`, `{"userName":"a","urn:corp:My_App:2.0:User":{"tags":["x","y"]}}`},
		{"a sub-attribute of all values", `{"userName":"a","emails":[{"value":"x"},{"value":"y"}]}`, `{"op":"replace","path":"emails.type","value":"work"}`, `{"userName":"a","emails":[{"value":"x","type":"work"},{"value":"y","type":"work"}]}`},
	} {
		got, q, err := patch(t, c.doc, c.ops)
		if err != nil {
			t.Errorf("%s: patch %s: %v", c.claim, c.ops, err)
			continue
		}
		if d := cmp.Diff(parse(t, c.want), any(got)); d != "" {
			t.Errorf("%s: patch %s (-want +got, quirks %q):\n%s", c.claim, c.ops, q.list, d)
		}
	}
}

func TestPatchUserRefuses(t *testing.T) {
	for _, c := range []struct{ claim, ops, scimType string }{
		{"remove without path", `{"op":"remove"}`, "noTarget"},
		{"an unknown op", `{"op":"move","path":"title","value":"x"}`, "invalidSyntax"},
		{"an op that is missing", `{"path":"title","value":"x"}`, "invalidSyntax"},
		{"a value that is missing", `{"op":"replace","path":"title"}`, "invalidValue"},
		{"no path and no object", `{"op":"add","value":"x"}`, "invalidValue"},
		{"a path that is no string", `{"op":"add","path":7,"value":"x"}`, "invalidPath"},
		{"an unknown attribute", `{"op":"replace","path":"nosuch","value":"x"}`, "invalidPath"},
		{"an unknown schema", `{"op":"replace","path":"urn:x:Other_App:2.0:User:badge","value":"x"}`, "invalidPath"},
		{"a path that does not parse", `{"op":"replace","path":"emails[type eq]","value":"x"}`, "invalidPath"},
		{"a filter on a plain attribute", `{"op":"replace","path":"title[value eq \"x\"]","value":"x"}`, "invalidPath"},
		{"groups are ours", `{"op":"replace","path":"groups","value":[{"value":"g"}]}`, "mutability"},
		{"so is the id", `{"op":"replace","path":"id","value":"x"}`, "mutability"},
		{"and meta", `{"op":"remove","path":"meta.created"}`, "mutability"},
		{"and schemas", `{"op":"add","path":"schemas","value":["urn:x"]}`, "mutability"},
		{"and the manager's name", `{"op":"replace","path":"manager.displayName","value":"x"}`, "mutability"},
		{"userName cannot be removed", `{"op":"remove","path":"userName"}`, "mutability"},
		{"nor by null", `{"op":"replace","value":{"userName":null}}`, "mutability"},
		{"a type that is wrong", `{"op":"replace","path":"active","value":"maybe"}`, "invalidValue"},
		{"a filter that describes no value", `{"op":"replace","path":"emails[type ne \"x\" and type eq \"pager\"].value","value":"x"}`, "noTarget"},
		{"an attribute in two ways", `{"op":"replace","value":{"active":false,"` + userURN + `":{"active":true}}}`, "invalidSyntax"},
		{"names of other languages' prototypes", `{"op":"add","path":"__proto__.x","value":1}`, "invalidPath"},
		{"constructor", `{"op":"add","path":"constructor","value":{"a":1}}`, "invalidPath"},
	} {
		got, _, err := patch(t, kim, c.ops)
		if e, ok := errors.AsType[*Error](err); !ok || e.Status != 400 || e.ScimType != c.scimType {
			t.Errorf("%s: patch %s = %v, %v, want a 400 %s", c.claim, c.ops, got, err, c.scimType)
		}
	}
}

func TestPatchMessage(t *testing.T) {
	m := testModel(t)
	limits := Limits{Operations: 2}.withDefaults()
	for _, c := range []struct {
		claim, body string
		status      int // 0: accepted
	}{
		{"without schemas", `{"Operations":[{"op":"add","path":"title","value":"x"}]}`, 0},
		{"with a small letter", `{"operations":[{"op":"add","path":"title","value":"x"}]}`, 0},
		{"without operations", `{"schemas":["` + patchOpURN + `"]}`, 400},
		{"with none", `{"Operations":[]}`, 400},
		{"that is a list", `[]`, 400},
		{"with an operation that is a string", `{"Operations":["x"]}`, 400},
		{"at the limit", `{"Operations":[{"op":"remove","path":"title"},{"op":"remove","path":"title"}]}`, 0},
		{"over the limit", `{"Operations":[{"op":"remove","path":"title"},{"op":"remove","path":"title"},{"op":"remove","path":"title"}]}`, 413},
	} {
		_, err := m.user.operations(parse(t, c.body), limits, &quirks{})
		e, _ := errors.AsType[*Error](err)
		if (err == nil) != (c.status == 0) || e != nil && e.Status != c.status {
			t.Errorf("a message %s: %v, want status %d", c.claim, err, c.status)
		}
	}
}

func TestImmutableAttributes(t *testing.T) {
	m := testModel(t)
	with := func(badge string) map[string]any {
		return parse(t, `{"userName":"a","urn:corp:My_App:2.0:User":{"badge":"`+badge+`"}}`).(map[string]any)
	}
	if err := m.user.checkImmutable(map[string]any{}, with("7")); err != nil {
		t.Errorf("setting an immutable attribute once: %v", err)
	}
	if err := m.user.checkImmutable(with("7"), with("7")); err != nil {
		t.Errorf("leaving it as it is: %v", err)
	}
	err := m.user.checkImmutable(with("7"), with("8"))
	if e, ok := errors.AsType[*Error](err); !ok || e.ScimType != "mutability" {
		t.Errorf("changing it = %v, want mutability", err)
	}
}

func TestMemberChanges(t *testing.T) {
	type add = directory.AddMembers
	type remove = directory.RemoveMembers
	type replace = directory.ReplaceMembers
	for _, c := range []struct {
		claim, ops string
		want       []directory.Change
	}{
		{"add", `{"op":"Add","path":"members","value":[{"$ref":null,"value":"a"}]}`, []directory.Change{add{Values: []string{"a"}}}},
		{"one operation per member is one change", `{"op":"add","path":"members","value":[{"value":"a"}]},{"op":"add","path":"members","value":[{"value":"b"}]}`, []directory.Change{add{Values: []string{"a", "b"}}}},
		{
			"order is kept", `{"op":"add","path":"members","value":[{"value":"a"}]},{"op":"remove","path":"members[value eq \"a\"]"},{"op":"add","path":"members","value":[{"value":"b"}]}`,
			[]directory.Change{add{Values: []string{"a"}}, remove{Values: []string{"a"}}, add{Values: []string{"b"}}},
		},
		{"remove by a filter", `{"op":"remove","path":"members[value eq \"a\"]"}`, []directory.Change{remove{Values: []string{"a"}}}},
		{"remove by a filter of several", `{"op":"remove","path":"members[value eq \"a\" or value eq \"b\"]"}`, []directory.Change{remove{Values: []string{"a", "b"}}}},
		{"remove with a list removes these only", `{"op":"Remove","path":"members","value":[{"$ref":null,"value":"a"}]}`, []directory.Change{remove{Values: []string{"a"}}}},
		{"remove with an empty list removes none", `{"op":"Remove","path":"members","value":[]}`, nil},
		{"remove of all", `{"op":"remove","path":"members"}`, []directory.Change{replace{Values: []string{}}}},
		{"replace", `{"op":"replace","path":"members","value":[{"value":"a"}]}`, []directory.Change{replace{Values: []string{"a"}}}},
		{"replace by nobody", `{"op":"replace","path":"members","value":[]}`, []directory.Change{replace{Values: []string{}}}},
		{"members without path", `{"op":"replace","value":{"members":[{"value":"a"}]}}`, []directory.Change{replace{Values: []string{"a"}}}},
		{"add without path", `{"op":"add","value":{"members":["a"]}}`, []directory.Change{add{Values: []string{"a"}}}},
		{"a rename says nothing of members", `{"op":"replace","value":{"id":"g","displayName":"n"}}`, nil},
		{"a display name of a member is ours", `{"op":"replace","path":"members[value eq \"a\"].display","value":"A"}`, nil},
		{"a selected member is exchanged", `{"op":"replace","path":"members[value eq \"a\"]","value":{"value":"b"}}`, []directory.Change{remove{Values: []string{"a"}}, add{Values: []string{"b"}}}},
	} {
		body := parse(t, `{"schemas":["`+patchOpURN+`"],"Operations":[`+c.ops+`]}`)
		ops, err := testModel(t).group.operations(body, Limits{}.withDefaults(), &quirks{})
		if err != nil {
			t.Errorf("%s: %v", c.claim, err)
			continue
		}
		got, err := memberChanges("", "", ops, func(operation) ([]string, error) {
			return nil, errors.New("the member list was read")
		})
		if err != nil || !reflect.DeepEqual(got, c.want) {
			t.Errorf("%s: changes of %s = %+v, %v, want %+v", c.claim, c.ops, got, err, c.want)
		}
	}
	for claim, op := range map[string]string{
		"a member without value":    `{"op":"remove","path":"members","value":[{"display":"x"}]}`,
		"another value by its path": `{"op":"replace","path":"members[value eq \"a\"].value","value":"b"}`,
		"a filter that adds":        `{"op":"add","path":"members[type eq \"User\"]","value":{"value":"b"}}`,
		"replace without value":     `{"op":"replace","path":"members"}`,
	} {
		body := parse(t, `{"Operations":[`+op+`]}`)
		if ops, err := testModel(t).group.operations(body, Limits{}.withDefaults(), &quirks{}); err == nil {
			t.Errorf("%s is accepted: %+v", claim, ops)
		}
	}
}

func TestSelectedMembersAreAskedFor(t *testing.T) {
	body := parse(t, `{"Operations":[{"op":"remove","path":"members[type eq \"Group\"]"}]}`)
	ops, err := testModel(t).group.operations(body, Limits{}.withDefaults(), &quirks{})
	if err != nil {
		t.Fatal(err)
	}
	got, err := memberChanges("g", "s", ops, func(o operation) ([]string, error) {
		var out []string
		for _, m := range []map[string]any{{"value": "a", "type": "User"}, {"value": "b", "type": "group"}} {
			if o.match(m) {
				out = append(out, m["value"].(string))
			}
		}
		return out, nil
	})
	want := []directory.Change{directory.RemoveMembers{Group: "g", Source: "s", Values: []string{"b"}}}
	if err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("changes = %+v, %v, want %+v", got, err, want)
	}
}

func TestQuirksAreListed(t *testing.T) {
	_, q, err := patch(t, kim, `{"op":"Replace","path":"active","value":"False"},{"op":"add","path":"manager","value":"m"},{"op":"replace","path":"title","value":null}`)
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"op in capital letters", "active string to boolean", "extension attribute without its URN", "manager string to value", "null to remove"} {
		if !slices.Contains(q.list, want) {
			t.Errorf("quirks = %q, want %q among them", q.list, want)
		}
	}
}
