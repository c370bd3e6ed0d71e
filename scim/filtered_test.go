package scim

import (
	"encoding/json"
	"fmt"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"golang.org/x/text/cases"
	"golang.org/x/text/unicode/norm"
	"pgregory.net/rapid"
)

// This file compares what lists answer with the naive reading of RFC 7644,
// section 3.4.2.2, on the documents that a client can see, attribute by
// attribute as the published schemas define them. Neither the filters nor their
// reading come from package filter.

// A leaf is something that a filter can name.
type leaf struct {
	ext, attr, sub string // ext is a URN; sub may be empty
	typ            string
	exact, multi   bool
	subs           []leaf // of a complex attribute that can be filtered
}

func (l leaf) path() string {
	p := l.attr
	if l.ext != "" {
		p = strings.TrimSuffix(l.ext+":"+p, ":")
	}
	if l.sub != "" {
		p += "." + l.sub
	}
	return p
}

// leavesOf reads the schemas that a source publishes for a resource type.
func leavesOf(t *testing.T, s *server, source, core string, ext ...string) []leaf {
	text := func(name string, sub string) leaf {
		return leaf{attr: name, sub: sub, typ: "string", exact: true}
	}
	date := func(sub string) leaf { return leaf{attr: "meta", sub: sub, typ: "dateTime"} }
	out := []leaf{
		text("id", ""), text("externalId", ""), text("meta", "version"), text("meta", "location"), text("meta", "resourceType"),
		date("created"), date("lastModified"),
		{attr: "meta", typ: "complex"},
	}
	for _, urn := range append([]string{core}, ext...) {
		r := s.as(source, "GET", "/Schemas/"+urn, "").want(t, "a published schema", 200)
		in := urn
		if urn == core {
			in = ""
		} else {
			out = append(out, leaf{ext: urn, typ: "complex"})
		}
		for _, a := range r.at("attributes").([]any) {
			out = append(out, leaves(in, "", a.(map[string]any))...)
		}
	}
	return out
}

func leaves(ext, parent string, a map[string]any) []leaf {
	exact, _ := a["caseExact"].(bool)
	multi, _ := a["multiValued"].(bool)
	l := leaf{ext: ext, attr: a["name"].(string), typ: a["type"].(string), exact: exact, multi: multi}
	if parent != "" {
		l.attr, l.sub = parent, l.attr
	}
	out := []leaf{l}
	if list, ok := a["subAttributes"].([]any); ok {
		for _, e := range list {
			out = append(out, leaves(ext, l.attr, e.(map[string]any))...)
		}
		out[0].subs = slices.Clone(out[1:])
	}
	return out
}

// A term is a filter.
type term struct {
	kind  string // and, or, not, pr, has, or an operator
	of    leaf
	bare  bool // print the sub-attribute alone, as in a value path
	value any  // string, bool, json.Number or nil
	kids  []term
	then  *term // has: the comparison behind the bracket
}

// String prints the filter, with what may vary drawn from its own text.
func (x term) String() string {
	name := x.of.path()
	if x.bare {
		name = x.of.sub
	}
	if len(name)%3 == 0 {
		name = strings.ToUpper(name)
	}
	switch x.kind {
	case "and", "or":
		var parts []string
		for _, k := range x.kids {
			parts = append(parts, "("+k.String()+")")
		}
		return strings.Join(parts, " "+x.kind+" ")
	case "not":
		return "not (" + x.kids[0].String() + ")"
	case "pr":
		return name + " PR"
	case "has":
		s := name + "[" + x.kids[0].String() + "]"
		if x.then != nil {
			s += "." + x.then.String()
		}
		return s
	}
	raw, err := json.Marshal(x.value)
	if err != nil {
		panic(err)
	}
	return name + " " + x.kind + " " + string(raw)
}

// holds is the naive reading on one document.
func (x term) holds(doc map[string]any) bool {
	switch x.kind {
	case "and":
		return !slices.ContainsFunc(x.kids, func(k term) bool { return !k.holds(doc) })
	case "or":
		return slices.ContainsFunc(x.kids, func(k term) bool { return k.holds(doc) })
	case "not":
		return !x.kids[0].holds(doc)
	case "has":
		return slices.ContainsFunc(asList(x.of.in(doc)), func(e any) bool {
			v, ok := e.(map[string]any)
			return ok && x.kids[0].holds(v) && (x.then == nil || x.then.holds(v))
		})
	}
	vs := x.values(doc)
	switch {
	case x.kind == "pr":
		return len(vs) > 0
	case x.value == nil:
		return (len(vs) == 0) == (x.kind == "eq")
	case len(vs) == 0:
		return x.kind == "ne"
	}
	return slices.ContainsFunc(vs, x.matches)
}

// values returns what the document has, empty values left out.
func (x term) values(doc map[string]any) []any {
	var out []any
	holders := []any{doc[x.of.sub]}
	if !x.bare {
		holders = asList(x.of.in(doc))
	}
	for _, v := range holders {
		if obj, ok := v.(map[string]any); ok && !x.bare {
			switch {
			case x.of.sub != "":
				v = obj[x.of.sub]
			case x.kind != "pr":
				v = obj["value"]
			case len(obj) == 0:
				v = nil
			}
		}
		if v != nil && v != "" {
			out = append(out, v)
		}
	}
	return out
}

// in returns what a document has at the attribute of a leaf.
func (l leaf) in(doc map[string]any) any {
	if l.ext == "" {
		return doc[l.attr]
	}
	ext, _ := doc[l.ext].(map[string]any)
	if l.attr == "" {
		if ext == nil {
			return nil
		}
		return ext
	}
	return ext[l.attr]
}

func asList(v any) []any {
	if list, ok := v.([]any); ok {
		return list
	}
	return []any{v}
}

func (x term) matches(v any) bool {
	switch x.of.typ {
	case "boolean":
		return (v == x.value) == (x.kind == "eq")
	case "integer", "decimal":
		a, err := v.(json.Number).Float64()
		b, err2 := x.value.(json.Number).Float64()
		return err == nil && err2 == nil && relation(x.kind, a, b)
	case "dateTime":
		if x.kind == "co" || x.kind == "sw" || x.kind == "ew" {
			return textual(x.kind, v.(string), x.value.(string))
		}
		a, err := time.Parse(time.RFC3339Nano, v.(string))
		b, err2 := time.Parse(time.RFC3339Nano, x.value.(string))
		return err == nil && err2 == nil && relation(x.kind, float64(a.UnixMicro()), float64(b.UnixMicro()))
	}
	a, b := v.(string), x.value.(string)
	if !x.of.exact {
		fold := func(s string) string { return norm.NFKC.String(cases.Fold().String(norm.NFKC.String(s))) }
		a, b = fold(a), fold(b)
		if x.kind == "eq" || x.kind == "ne" { // white space counts once there
			a, b = strings.Join(strings.Fields(a), " "), strings.Join(strings.Fields(b), " ")
		}
	}
	return textual(x.kind, a, b)
}

func textual(op, a, b string) bool {
	switch op {
	case "co":
		return strings.Contains(a, b)
	case "sw":
		return strings.HasPrefix(a, b)
	case "ew":
		return strings.HasSuffix(a, b)
	}
	return relation(op, float64(strings.Compare(a, b)), 0)
}

func relation(op string, a, b float64) bool {
	switch op {
	case "eq":
		return a == b
	case "ne":
		return a != b
	case "gt":
		return a > b
	case "ge":
		return a >= b
	case "lt":
		return a < b
	case "le":
		return a <= b
	}
	return false
}

var operatorsOf = map[string][]string{
	"string":    {"eq", "ne", "co", "sw", "ew", "gt", "ge", "lt", "le"},
	"reference": {"eq", "ne", "co", "sw", "ew", "gt", "ge", "lt", "le"},
	"dateTime":  {"eq", "ne", "co", "sw", "gt", "ge", "lt", "le"},
	"integer":   {"eq", "ne", "gt", "ge", "lt", "le"},
	"decimal":   {"eq", "ne", "gt", "ge", "lt", "le"},
	"boolean":   {"eq", "ne"},
	"binary":    {"eq", "ne"},
}

// A filterGen draws filters about what documents have and lack.
type filterGen struct {
	all, had []leaf // of had, some document has a value
	values   map[string][]any
}

func newFilterGen(all []leaf, docs []any) filterGen {
	g := filterGen{all: all, values: map[string][]any{}}
	for _, l := range all {
		for _, d := range docs {
			vs := term{kind: "eq", of: l}.values(d.(map[string]any))
			g.values[l.path()] = append(g.values[l.path()], vs...)
			if len(vs) > 0 && (len(g.had) == 0 || g.had[len(g.had)-1].path() != l.path()) {
				g.had = append(g.had, l)
			}
		}
	}
	return g
}

func (g filterGen) draw(t *rapid.T, depth int) term {
	kinds := []string{"leaf", "leaf", "leaf", "has", "and", "or", "not"}
	if depth == 0 {
		kinds = kinds[:4]
	}
	switch kind := rapid.SampledFrom(kinds).Draw(t, "kind"); kind {
	case "and", "or":
		x := term{kind: kind}
		for range rapid.IntRange(2, 3).Draw(t, "terms") {
			x.kids = append(x.kids, g.draw(t, depth-1))
		}
		return x
	case "not":
		return term{kind: "not", kids: []term{g.draw(t, depth-1)}}
	case "has":
		var complexes []leaf
		for _, l := range g.all {
			if len(l.subs) > 0 {
				complexes = append(complexes, l)
			}
		}
		l := rapid.SampledFrom(complexes).Draw(t, "complex")
		x := term{kind: "has", of: l, kids: []term{g.inside(t, l, min(depth, 1))}}
		if rapid.IntRange(0, 3).Draw(t, "then") == 0 {
			then := g.inside(t, l, 0)
			x.then = &then
		}
		return x
	}
	from := g.had
	if rapid.IntRange(0, 4).Draw(t, "any") == 0 {
		from = g.all
	}
	return g.leaf(t, rapid.SampledFrom(from).Draw(t, "leaf"), false)
}

// inside draws what stands in a value path.
func (g filterGen) inside(t *rapid.T, of leaf, depth int) term {
	if depth > 0 && rapid.Bool().Draw(t, "group") {
		x := term{kind: rapid.SampledFrom([]string{"and", "or", "not"}).Draw(t, "group kind")}
		x.kids = []term{g.inside(t, of, depth-1)}
		if x.kind != "not" {
			x.kids = append(x.kids, g.inside(t, of, depth-1))
		}
		return x
	}
	return g.leaf(t, rapid.SampledFrom(of.subs).Draw(t, "sub"), true)
}

func (g filterGen) leaf(t *rapid.T, l leaf, bare bool) term {
	x := term{kind: "pr", of: l, bare: bare}
	if l.typ == "complex" {
		i := slices.IndexFunc(l.subs, func(s leaf) bool { return s.sub == "value" })
		if i < 0 || rapid.Bool().Draw(t, "pr of complex") {
			return x
		}
		l = l.subs[i] // emails co "x" is about its values
		x.of.typ, x.of.exact = l.typ, l.exact
	}
	if rapid.IntRange(0, 6).Draw(t, "pr") == 0 {
		return x
	}
	if rapid.IntRange(0, 9).Draw(t, "null") == 0 {
		x.kind = rapid.SampledFrom([]string{"eq", "ne"}).Draw(t, "op with null")
		return x
	}
	x.kind = rapid.SampledFrom(operatorsOf[l.typ]).Draw(t, "op")
	x.value = g.literal(t, l, x.kind)
	return x
}

func (g filterGen) literal(t *rapid.T, l leaf, op string) any {
	switch l.typ {
	case "boolean":
		return rapid.Bool().Draw(t, "bool")
	case "integer", "decimal":
		return json.Number(strconv.FormatFloat(float64(rapid.IntRange(-4, 8).Draw(t, "number"))/2, 'f', -1, 64))
	case "dateTime":
		if op == "co" || op == "sw" {
			return rapid.SampledFrom([]string{"2026", "20", "T1", "Z", ""}).Draw(t, "part of a date")
		}
	}
	if known := g.values[l.path()]; len(known) > 0 && rapid.IntRange(0, 3).Draw(t, "known") > 0 {
		v := rapid.SampledFrom(known).Draw(t, "value").(string)
		if l.typ == "dateTime" {
			return v
		}
		switch rapid.IntRange(0, 4).Draw(t, "change") {
		case 0:
			v = strings.ToUpper(v)
		case 1:
			v = v[:len(v)/2]
		case 2:
			v = v[len(v)/2:]
		}
		return strings.ToValidUTF8(v, "")
	}
	if l.typ == "dateTime" {
		return rapid.SampledFrom([]string{"2026-03-01T10:00:00Z", "2026-03-01T11:00:00.5+01:00", "2001-01-01T00:00:00Z"}).Draw(t, "date")
	}
	return rapid.SampledFrom(oddWords).Draw(t, "word")
}

// Words that folding, white space and quoting treat each in their way.
var oddWords = []string{"a", "A", "ab", "AB c", "ab  C", "é", "É", "straße", "STRASSE", "ﬁne", "fine", "x\"y", `x\y`, "K", "k", "100%", "_", "'", "é"}

const oddSchema = `{"schemas":[{"id":"urn:corp:odd:2.0:User","name":"Odd","description":"","attributes":[
	{"name":"code","type":"string","multiValued":false,"caseExact":true,"mutability":"readWrite","returned":"default","uniqueness":"none"},
	{"name":"flag","type":"boolean","multiValued":false,"mutability":"readWrite","returned":"default"},
	{"name":"level","type":"integer","multiValued":false,"mutability":"readWrite","returned":"default","uniqueness":"none"},
	{"name":"rate","type":"decimal","multiValued":false,"mutability":"readWrite","returned":"default","uniqueness":"none"},
	{"name":"since","type":"dateTime","multiValued":false,"mutability":"readWrite","returned":"default"},
	{"name":"tags","type":"string","multiValued":true,"caseExact":false,"mutability":"readWrite","returned":"default","uniqueness":"none"},
	{"name":"seats","type":"complex","multiValued":true,"mutability":"readWrite","returned":"default","subAttributes":[
		{"name":"value","type":"string","multiValued":false,"caseExact":true,"mutability":"readWrite","returned":"default","uniqueness":"none"},
		{"name":"floor","type":"integer","multiValued":false,"mutability":"readWrite","returned":"default","uniqueness":"none"}]}]}]}`

// oddUser draws a user with some of everything.
func oddUser(t *rapid.T, n int) map[string]any {
	word := func(label string) string { return rapid.SampledFrom(oddWords).Draw(t, label) }
	maybe := func(doc map[string]any, name string, draw func() any) {
		if rapid.Bool().Draw(t, "has "+name) {
			doc[name] = draw()
		}
	}
	list := func(one func() any) any {
		out := []any{}
		for range rapid.IntRange(1, 3).Draw(t, "length") {
			out = append(out, one())
		}
		return out
	}
	text := func() any { return word("text") }
	value := func() any {
		v := map[string]any{"value": word("value")}
		maybe(v, "type", text)
		maybe(v, "display", text)
		maybe(v, "primary", func() any { return rapid.Bool().Draw(t, "primary") })
		return v
	}
	doc := map[string]any{"schemas": []any{userURN}, "userName": fmt.Sprintf("%s%d", word("userName"), n), "active": rapid.Bool().Draw(t, "active")}
	maybe(doc, "externalId", func() any { return fmt.Sprintf("%s-%d", word("externalId"), n) })
	for _, name := range []string{"displayName", "title", "nickName", "locale"} {
		maybe(doc, name, text)
	}
	maybe(doc, "profileUrl", func() any { return "https://h.test/" + url.PathEscape(word("url")) })
	maybe(doc, "name", func() any { return map[string]any{"familyName": word("family"), "givenName": word("given")} })
	for _, name := range []string{"emails", "phoneNumbers", "roles"} {
		maybe(doc, name, func() any { return list(value) })
	}
	maybe(doc, "x509Certificates", func() any { return []any{map[string]any{"value": "aGk="}} })
	maybe(doc, enterpriseURN, func() any {
		return map[string]any{"department": word("department"), "manager": map[string]any{"value": word("manager")}}
	})
	maybe(doc, "urn:corp:odd:2.0:User", func() any {
		odd := map[string]any{}
		maybe(odd, "code", text)
		maybe(odd, "flag", func() any { return rapid.Bool().Draw(t, "flag") })
		maybe(odd, "level", func() any { return rapid.IntRange(-2, 4).Draw(t, "level") })
		maybe(odd, "rate", func() any { return float64(rapid.IntRange(-4, 8).Draw(t, "rate")) / 2 })
		maybe(odd, "since", func() any {
			return rapid.SampledFrom([]string{"2026-03-01T10:00:00Z", "2026-03-01T11:00:00+01:00", "2020-12-31T23:59:59.5Z"}).Draw(t, "since")
		})
		maybe(odd, "tags", func() any { return list(text) })
		maybe(odd, "seats", func() any {
			return list(func() any {
				return map[string]any{"value": word("seat"), "floor": rapid.IntRange(0, 3).Draw(t, "floor")}
			})
		})
		odd["code"] = word("code")
		return odd
	})
	return doc
}

func TestListsFindWhatFiltersMean(t *testing.T) { onBoth(t, testListsFindWhatFiltersMean) }

func testListsFindWhatFiltersMean(t *testing.T) {
	s := start(t)
	s.addSource("corp", oddSchema)
	s.fillOdd(t)
	for _, of := range []struct {
		endpoint string
		leaves   []leaf
	}{
		{"/Users", leavesOf(t, s, "corp", userURN, enterpriseURN, "urn:corp:odd:2.0:User")},
		{"/Groups", leavesOf(t, s, "corp", groupURN)},
	} {
		docs := s.as("corp", "GET", of.endpoint+"?count=1000", "").want(t, "all", 200).at("Resources").([]any)
		g := newFilterGen(of.leaves, docs)
		rapid.Check(t, func(rt *rapid.T) {
			x := g.draw(rt, 2)
			r := s.as("corp", "GET", of.endpoint+"?count=1000&attributes=id&filter="+url.QueryEscape(x.String()), "")
			if r.status != 200 {
				rt.Fatalf("%s = %d %s", x, r.status, r.raw)
			}
			var want, got []string
			for _, d := range docs {
				if x.holds(d.(map[string]any)) {
					want = append(want, d.(map[string]any)["id"].(string))
				}
			}
			for _, d := range r.at("Resources").([]any) {
				got = append(got, d.(map[string]any)["id"].(string))
			}
			if !slices.Equal(got, want) || fmt.Sprint(r.at("totalResults")) != strconv.Itoa(len(want)) {
				rt.Fatalf("%s\nfinds %v, total %v\nwant  %v in\n%s", x, got, r.at("totalResults"), want, mustJSON(docs))
			}
		})
	}
}

func mustJSON(v any) string {
	raw, err := json.Marshal(v)
	if err != nil {
		return err.Error()
	}
	return string(raw)
}

// fillOdd makes users and groups of one drawing, the same in every run.
func (s *server) fillOdd(t *testing.T) {
	gen := rapid.Custom(func(t *rapid.T) []map[string]any {
		var all []map[string]any
		for n := range 24 {
			all = append(all, oddUser(t, n))
		}
		return all
	})
	var members []string
	for _, doc := range gen.Example(7) {
		r := s.as("corp", "POST", "/Users", mustJSON(doc)).want(t, "POST", 201)
		members = append(members, fmt.Sprint(r.at("id")), fmt.Sprint("pending-", len(members)))
	}
	for n, word := range oddWords {
		body := map[string]any{"schemas": []any{}, "displayName": fmt.Sprint(word, n), "members": members[n : n+n%5]}
		if n%2 == 0 {
			body["externalId"] = word
		}
		if n%7 == 0 {
			members = append(members, fmt.Sprint(s.as("corp", "POST", "/Groups", mustJSON(body)).want(t, "POST", 201).at("id")))
			continue
		}
		r := s.as("corp", "POST", "/Groups", mustJSON(body))
		r.want(t, "POST", 201, 409)
	}
}
