package authzen

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"

	"pgregory.net/rapid"

	"github.com/usherd/usherd/directory"
)

// valid is a complete evaluation; tests alter it.
const valid = `{"subject":{"type":"user","id":"alice"},"action":{"name":"read"},"resource":{"type":"record","id":"record-1"}}`

func decoded(t testing.TB, body string) (evaluation, error) {
	t.Helper()
	var r request
	err := r.decode(body, 0)
	return r.top, err
}

func TestDecodeReadsWhatIsAsked(t *testing.T) {
	base := Query{Subject: directory.SubjectKey{Kind: directory.KeyUserName, Value: "alice"}}
	base.Request.SubjectType, base.Request.Action, base.Request.Type, base.Request.ID = "user", "read", "record", "record-1"
	with := func(alter func(*Query)) Query { q := base; alter(&q); return q }
	same := func(*Query) {}
	tests := []struct {
		name string
		body string
		want func(*Query)
	}{
		{"all in order", valid, same},
		{"members in another order", `{"resource":{"id":"record-1","type":"record"},"action":{"name":"read"},"subject":{"id":"alice","type":"user"}}`, same},
		{"white space", strings.NewReplacer(",", " ,\n\t", ":", " :\r ", "{", "{ ", "}", " }").Replace(valid) + "\n", same},
		{"unknown members anywhere", `{"x":[1,-0.5e+3,{"y":null}],"subject":{"type":"user","id":"alice","x":true},"action":{"name":"read","id":7,"type":{}},"resource":{"type":"record","id":"record-1","name":[]},"options":{"x":1},"evaluations":7,"page":""}`, same},
		{"escapes", strings.Replace(valid, "alice", `\u0061l\u0069ce`, 1), same},
		{"an escaped name is the same name", strings.Replace(valid, `"type"`, `"t\u0079pe"`, 1), same},
		{"names are case-sensitive", strings.Replace(valid, `{"subject"`, `{"Subject":{"type":"user","id":"eve"},"subject"`, 1), same},
		{"an empty context", strings.Replace(valid, `}}`, `},"context":{}}`, 1), same},
		{"null in place of what is optional", strings.Replace(valid, `}}`, `,"properties":null},"context":null}`, 1), same},
		{
			"a project on the resource", strings.Replace(valid, `}}`, `,"properties":{"project":"alpha","x":1}}}`, 1),
			func(q *Query) { q.Request.Project = "alpha" },
		},
		{
			"a project in the context", strings.Replace(valid, `}}`, `},"context":{"project":"beta"}}`, 1),
			func(q *Query) { q.Request.AlsoProject = "beta" },
		},
		{"an empty project names none", strings.Replace(valid, `}}`, `,"properties":{"project":""}},"context":{"project":""}}`, 1), same},
		{"a project on the subject is a property like any other", strings.Replace(valid, `"alice"`, `"alice","properties":{"project":7}`, 1), same},
		{"reasons are wanted", strings.Replace(valid, `}}`, `},"context":{"reason":true}}`, 1), func(q *Query) { q.Explain = true }},
		{"reasons are not wanted", strings.Replace(valid, `}}`, `},"context":{"reason":false}}`, 1), same},
		{"a reason that is a text is the application's own", strings.Replace(valid, `}}`, `},"context":{"reason":"audit"}}`, 1), same},
		{
			"a surrogate pair", strings.Replace(valid, "record-1", `\ud83d\ude00`, 1),
			func(q *Query) { q.Request.ID = "😀" },
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			e, err := decoded(t, tt.body)
			if err != nil || e.wrong(whole) != "" {
				t.Fatalf("decode(%s) = %v, fault %q", tt.body, err, e.wrong(whole))
			}
			if got, want := e.query(), with(tt.want); got != want {
				t.Errorf("decode(%s) = %+v, want %+v", tt.body, got, want)
			}
		})
	}
}

func TestDecodeRefuses(t *testing.T) {
	twice := func(member string) string { return strings.Replace(valid, member, member+","+member, 1) }
	tests := []struct {
		name, body, says string
	}{
		{"an empty body", "", "the body is empty"},
		{"white space alone", " \n", "the body is empty"},
		{"an array", "[" + valid + "]", "the body must be a JSON object"},
		{"a string", `"x"`, "the body must be a JSON object"},
		{"half an object", valid[:len(valid)-1], "a comma or the end"},
		{"two objects", valid + valid, "something follows"},
		{"a NUL after it", valid + "\x00", "something follows"},
		{"a comma before the end", strings.Replace(valid, "}}", "},}", 1), "a name in double quotes is missing"},
		{"single quotes", strings.ReplaceAll(valid, `"`, `'`), "a name in double quotes is missing"},
		{"a comment", "/* */" + valid, "must be a JSON object"},
		{"a byte order mark", "\ufeff" + valid, "must be a JSON object"},
		{"invalid UTF-8", strings.Replace(valid, "alice", "al\xffice", 1), "UTF-8"},
		{"half a surrogate pair", strings.Replace(valid, "alice", `\ud83d`, 1), "half a surrogate pair"},
		{"two high surrogates", strings.Replace(valid, "alice", `\ud83d\ud83d`, 1), "half a surrogate pair"},
		{"a low surrogate alone", strings.Replace(valid, "alice", `\ude00`, 1), "half a surrogate pair"},
		{"an escaped NUL", strings.Replace(valid, "alice", `\u0000`, 1), "NUL"},
		{"a raw line feed in a string", strings.Replace(valid, "alice", "a\nb", 1), "control character"},
		{"an unknown escape", strings.Replace(valid, "alice", `\x41`, 1), "unknown escape"},
		{"a bad number", strings.Replace(valid, `}}`, `},"x":01}`, 1), "a comma"},
		{"a number without digits", strings.Replace(valid, `}}`, `},"x":1.}`, 1), "number"},
		{"subject twice", twice(`"subject":{"type":"user","id":"alice"}`), "twice"},
		{"action twice", twice(`"action":{"name":"read"}`), "twice"},
		{"resource twice", twice(`"resource":{"type":"record","id":"record-1"}`), "twice"},
		{"type twice", twice(`"type":"user"`), "twice"},
		{"id twice", twice(`"id":"alice"`), "twice"},
		{"name twice", twice(`"name":"read"`), "twice"},
		{"a name twice, once escaped", strings.Replace(valid, `"id":"alice"`, `"id":"alice","\u0069d":"eve"`, 1), "twice"},
		{"an unknown name twice", strings.Replace(valid, `}}`, `},"x":1,"x":2}`, 1), "twice"},
		{"a name twice in a large object", strings.Replace(valid, `}}`, `},"x":{`+members(100)+`,"m7":1}}`, 1), "twice"},
		{"too many members", strings.Replace(valid, `}}`, `},"x":{`+members(maxMembers+1)+`}}`, 1), "too many members"},
		{"values nested too deeply", strings.Replace(valid, `}}`, `},"x":`+strings.Repeat("[", maxDepth)+strings.Repeat("]", maxDepth)+`}`, 1), "nested too deeply"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			_, err := decoded(t, tt.body)
			if err == nil || !strings.Contains(toFailure(err).text, tt.says) || toFailure(err).status != 400 {
				t.Errorf("decode(%.80q…) = %v, want 400 that says %q", tt.body, err, tt.says)
			}
		})
	}
	for name, body := range map[string]string{
		"as many members as allowed":  strings.Replace(valid, `}}`, `},"x":{`+members(maxMembers)+`}}`, 1),
		"nested as deeply as allowed": strings.Replace(valid, `}}`, `},"x":`+strings.Repeat("[", maxDepth-1)+strings.Repeat("]", maxDepth-1)+`}`, 1),
	} {
		if _, err := decoded(t, body); err != nil {
			t.Errorf("%s: decode = %v", name, err)
		}
	}
}

// members returns n members of an object with different names.
func members(n int) string {
	var b strings.Builder
	for i := range n {
		if i > 0 {
			b.WriteByte(',')
		}
		b.WriteString(`"m`)
		b.WriteString(strings.Repeat("0", i%3))
		b.WriteString(string(rune('A'+i%26)) + strings.Repeat("x", i/26) + `":0`)
	}
	return strings.Replace(b.String(), `"mA":0`, `"m7":0`, 1)
}

func TestWrongNamesTheMember(t *testing.T) {
	sub := func(old, new string) string { return strings.Replace(valid, old, new, 1) }
	tests := []struct{ body, says string }{
		{`{}`, "subject is missing"},
		{sub(`"subject":{"type":"user","id":"alice"},`, ``), "subject is missing"},
		{sub(`"action":{"name":"read"},`, ``), "action is missing"},
		{sub(`,"resource":{"type":"record","id":"record-1"}`, ``), "resource is missing"},
		{sub(`"type":"user",`, ``), "subject.type is missing"},
		{sub(`,"id":"alice"`, ``), "subject.id is missing"},
		{sub(`"name":"read"`, ``), "action.name is missing"},
		{sub(`"type":"record",`, ``), "resource.type is missing"},
		{sub(`,"id":"record-1"`, ``), "resource.id is missing"},
		{sub(`"alice"`, `""`), "subject.id is missing"},
		{sub(`{"type":"user","id":"alice"}`, `"alice"`), "subject must be an object"},
		{sub(`{"type":"user","id":"alice"}`, `null`), "subject must be an object"},
		{sub(`{"type":"user","id":"alice"}`, `[]`), "subject must be an object"},
		{sub(`"user"`, `1`), "subject.type must be a string"},
		{sub(`"alice"`, `["alice"]`), "subject.id must be a string"},
		{sub(`"read"`, `123`), "action.name must be a string"},
		{sub(`"record-1"`, `{"a":1}`), "resource.id must be a string"},
		{sub(`"record-1"`, `"record-1","properties":[]`), "resource.properties must be an object"},
		{sub(`"record-1"`, `"record-1","properties":{"project":7}`), "resource.properties.project must be a string"},
		{sub(`"record-1"`, `"record-1","properties":{"project":null}`), "resource.properties.project must be a string"},
		{sub(`}}`, `},"context":"x"}`), "context must be an object"},
		{sub(`}}`, `},"context":{"project":["a"]}}`), "context.project must be a string"},
	}
	for _, tt := range tests {
		if e, err := decoded(t, tt.body); err != nil || e.wrong(whole) != tt.says {
			t.Errorf("wrong(%s) = %q, %v; want %q", tt.body, e.wrong(whole), err, tt.says)
		}
	}
}

func TestSubjectKey(t *testing.T) {
	const id = "0190f3a4-7c1e-7a2b-8c3d-4e5f6a7b8c9d"
	none := directory.SubjectKey{}
	tests := []struct {
		name, typ, id string
		want          directory.SubjectKey
	}{
		{"a userName", "user", "alice", userKey("alice")},
		{"a userName in capitals", "user", "ALICE", userKey("alice")},
		{"a userName with a Kelvin sign", "user", "\u212aim", userKey("kim")},
		{"a userName that looks like a number", "user", "1", userKey("1")},
		{"an id of ours", "user", id, directory.SubjectKey{Kind: directory.KeyID, Value: id}},
		{"an id in capitals", "user", strings.ToUpper(id), directory.SubjectKey{Kind: directory.KeyID, Value: id}},
		{"an id without hyphens is a userName", "user", strings.ReplaceAll(id, "-", ""), userKey(strings.ReplaceAll(id, "-", ""))},
		{"a name that nobody can have", "user", "al\u200eice", none},
		{"an e-mail address", "email", "Alice@Example.COM", directory.SubjectKey{Kind: directory.KeyEmail, Value: "alice@example.com"}},
		{"an external id keeps its case", "external", "okta/00uA/b", directory.SubjectKey{Kind: directory.KeyExternal, Source: "okta", Value: "00uA/b"}},
		{"an external id without a source", "external", "00u1", none},
		{"an external id of an empty source", "external", "/00u1", none},
		{"a service account", "service", "Build", userKey("build")},
		{"an unknown type", "device", "alice", none},
		{"a type in capitals", "User", "alice", none},
	}
	for _, tt := range tests {
		if got := subjectKey(tt.typ, tt.id); got != tt.want {
			t.Errorf("%s: subjectKey(%q, %q) = %+v, want %+v", tt.name, tt.typ, tt.id, got, tt.want)
		}
	}
}

func userKey(name string) directory.SubjectKey {
	return directory.SubjectKey{Kind: directory.KeyUserName, Value: name}
}

// What is taken for its own canonical key is.
func TestPlainNamesAreTheirOwnKeys(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		name := rapid.OneOf(rapid.StringOfN(rapid.RuneFrom(nil, unicode.ASCII_Hex_Digit, &unicode.RangeTable{R16: []unicode.Range16{{Lo: 0x20, Hi: 0x7f, Stride: 1}}}), 0, 20, -1), rapid.String()).Draw(t, "name")
		key, err := directory.KeyOf(name)
		if plain(name) && (err != nil || string(key) != name) {
			t.Fatalf("plain(%q) = true, KeyOf = %q, %v", name, key, err)
		}
	})
}

// FuzzDecode compares with encoding/json: what it refuses is refused here, and
// what is accepted here it reads in the same way.
func FuzzDecode(f *testing.F) {
	f.Add(valid)
	f.Add(`{"evaluations":[{"subject":{"type":"user","id":"\ud83d\ude00"}},{}],"options":{"evaluations_semantic":"execute_all"}}`)
	f.Add(`{"context":{"reason":true,"project":"a"},"resource":{"properties":{"project":"b"}}}`)
	f.Add(`{"a":[[[{"b":-1.5e-7}]]],"a":"\u0000"}`)
	f.Fuzz(func(t *testing.T, body string) {
		var r request
		err := r.decode(body, 8)
		if err == nil != (r.decode(body, 8) == nil) {
			t.Fatalf("decode(%q) is of two minds", body)
		}
		if err != nil {
			if text := toFailure(err).text; toFailure(err).status != 400 || !utf8.ValidString(text) {
				t.Errorf("decode(%q) = %d %q", body, toFailure(err).status, text)
			}
			return
		}
		if !json.Valid([]byte(body)) {
			t.Fatalf("decode(%q) = nil, and it is no JSON", body)
		}
		var ref struct {
			Subject, Action, Resource json.RawMessage
			Evaluations               json.RawMessage
		}
		strict := map[string]json.RawMessage{}
		if err := json.Unmarshal([]byte(body), &strict); err != nil {
			t.Fatalf("decode(%q) = nil, encoding/json: %v", body, err)
		}
		ref.Subject, ref.Action, ref.Resource, ref.Evaluations = strict["subject"], strict["action"], strict["resource"], strict["evaluations"]
		agree(t, body, ref.Subject, &r.top.subject, "id")
		agree(t, body, ref.Action, &r.top.action, "name")
		agree(t, body, ref.Resource, &r.top.resource, "id")
		var items []json.RawMessage
		if json.Unmarshal(ref.Evaluations, &items) == nil && len(items) != len(r.items) {
			t.Errorf("decode(%q) has %d evaluations, want %d", body, len(r.items), len(items))
		}
	})
}

func agree(t *testing.T, body string, ref json.RawMessage, e *entity, id string) {
	t.Helper()
	if e.given != (ref != nil) {
		t.Fatalf("decode(%q): given %v, want %v", body, e.given, ref != nil)
	}
	var members map[string]any
	if e.fault != "" || json.Unmarshal(ref, &members) != nil {
		return
	}
	typ, _ := members["type"].(string)
	name, _ := members[id].(string)
	if e.typ != typ && id == "id" || e.id != name {
		t.Errorf("decode(%q) = %q, %q; want %q, %q", body, e.typ, e.id, typ, name)
	}
}

func TestDecodingAllocatesNothing(t *testing.T) {
	var r request
	if n := testing.AllocsPerRun(100, func() {
		if err := r.decode(valid, 0); err != nil || r.top.wrong(whole) != "" {
			t.Fatal(err, r.top.wrong(whole))
		}
	}); n > 0 {
		t.Errorf("decode allocates %v times, want 0", n)
	}
}

func TestUnknownErrorsAreInternal(t *testing.T) {
	f := toFailure(errors.New("pq: relation users does not exist"))
	if f.status != 500 || strings.Contains(f.text, "users") {
		t.Errorf("toFailure(unknown) = %d %q, want 500 and no words of the database", f.status, f.text)
	}
}
