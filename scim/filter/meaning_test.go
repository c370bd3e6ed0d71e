package filter

import (
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/usherd/usherd/directory"
)

// The words are few, so that filters and documents meet.
var someWords = rapid.SampledFrom([]string{"a", "A", "ab", "b", "é", "É", "a b"})

func genDoc(t *rapid.T) map[string]any {
	doc := map[string]any{"id": someWords.Draw(t, "id"), "userName": someWords.Draw(t, "userName")}
	if rapid.Bool().Draw(t, "has title") {
		doc["title"] = someWords.Draw(t, "title")
	}
	if rapid.Bool().Draw(t, "has active") {
		doc["active"] = rapid.Bool().Draw(t, "active")
	}
	var emails []any
	for range rapid.IntRange(0, 2).Draw(t, "emails") {
		emails = append(emails, map[string]any{"value": someWords.Draw(t, "value"), "type": someWords.Draw(t, "type")})
	}
	if emails != nil {
		doc["emails"] = emails
	}
	return doc
}

func genQuery(depth int) *rapid.Generator[Expr] {
	leaf := rapid.Custom(func(t *rapid.T) Expr {
		name := rapid.SampledFrom([]string{"id", "userName", "title", "active", "emails", "emails.type"}).Draw(t, "attr")
		var attr AttrPath
		attr.Name, attr.Sub, _ = strings.Cut(name, ".")
		switch {
		case rapid.IntRange(0, 4).Draw(t, "pr") == 0:
			return Present{Attr: attr}
		case name == "active":
			return Compare{Attr: attr, Op: rapid.SampledFrom([]Op{Eq, Ne}).Draw(t, "op"), Value: rapid.Bool().Draw(t, "bool")}
		case name == "emails" && rapid.Bool().Draw(t, "path"):
			x := Expr(Compare{Attr: AttrPath{Name: "value"}, Op: Eq, Value: someWords.Draw(t, "value")})
			if rapid.Bool().Draw(t, "typed") {
				x = And{Compare{Attr: AttrPath{Name: "type"}, Op: Eq, Value: someWords.Draw(t, "type")}, x}
			}
			return Has{Attr: attr, X: x}
		}
		op := rapid.SampledFrom([]Op{Eq, Ne, Co, Sw, Ew, Gt, Ge, Lt, Le}).Draw(t, "op")
		return Compare{Attr: attr, Op: op, Value: someWords.Draw(t, "word")}
	})
	if depth == 0 {
		return leaf
	}
	inner := genQuery(depth - 1)
	return rapid.OneOf(leaf, rapid.Custom(func(t *rapid.T) Expr {
		list := rapid.SliceOfN(inner, 2, 3)
		switch rapid.IntRange(0, 2).Draw(t, "kind") {
		case 0:
			return And(list.Draw(t, "and"))
		case 1:
			return Or(list.Draw(t, "or"))
		}
		return Not{X: inner.Draw(t, "not")}
	}))
}

// naive evaluates a filter in the plainest way, on the documents of genDoc.
func naive(x Expr, doc map[string]any) bool {
	switch x := x.(type) {
	case And:
		return !slices.ContainsFunc(x, func(t Expr) bool { return !naive(t, doc) })
	case Or:
		return slices.ContainsFunc(x, func(t Expr) bool { return naive(t, doc) })
	case Not:
		return !naive(x.X, doc)
	case Present:
		return len(valuesOf(doc, x.Attr)) > 0
	case Has:
		list, _ := doc[x.Attr.Name].([]any)
		return slices.ContainsFunc(list, func(e any) bool { return naive(x.X, e.(map[string]any)) })
	case Compare:
		vs := valuesOf(doc, x.Attr)
		if len(vs) == 0 {
			return x.Op == Ne
		}
		return slices.ContainsFunc(vs, func(v any) bool { return naiveCompare(v, x) })
	}
	return false
}

func valuesOf(doc map[string]any, p AttrPath) []any {
	v, ok := doc[p.Name]
	list, isList := v.([]any)
	if !ok {
		return nil
	}
	if !isList {
		return []any{v}
	}
	sub := p.Sub
	if sub == "" {
		sub = "value"
	}
	var out []any
	for _, e := range list {
		out = append(out, e.(map[string]any)[sub])
	}
	return out
}

func naiveCompare(v any, x Compare) bool {
	if b, ok := v.(bool); ok {
		return (b == x.Value) == (x.Op == Eq)
	}
	a, b := v.(string), x.Value.(string)
	if x.Attr.Name != "id" {
		a, b = strings.ToLower(a), strings.ToLower(b)
	}
	switch x.Op {
	case Eq:
		return a == b
	case Ne:
		return a != b
	case Co:
		return strings.Contains(a, b)
	case Sw:
		return strings.HasPrefix(a, b)
	case Ew:
		return strings.HasSuffix(a, b)
	case Gt:
		return a > b
	case Ge:
		return a >= b
	case Lt:
		return a < b
	case Le:
		return a <= b
	}
	return false
}

// stored evaluates what was lowered, as the contract of directory.Expr says.
func stored(x directory.Expr, doc map[string]any) bool {
	switch x := x.(type) {
	case nil:
		return true
	case directory.And:
		return !slices.ContainsFunc(x, func(t directory.Expr) bool { return !stored(t, doc) })
	case directory.Or:
		return slices.ContainsFunc(x, func(t directory.Expr) bool { return stored(t, doc) })
	case directory.Not:
		return !stored(x.Term, doc)
	case directory.Compare:
		var p AttrPath
		p.Name, p.Sub, _ = strings.Cut(string(x.Attr), ".")
		return slices.ContainsFunc(valuesOf(doc, p), func(v any) bool {
			return naiveCompare(v, Compare{Attr: p, Op: Op(x.Op), Value: x.Value})
		})
	}
	return false
}

func TestMatchAgreesWithNaive(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		x, doc := genQuery(2).Draw(t, "filter"), genDoc(t)
		p, err := Compile(x, testUser)
		if err != nil {
			t.Fatalf("Compile(%s): %v", x, err)
		}
		if got, want := p.Match(doc), naive(x, doc); got != want {
			t.Fatalf("Match(%s) on %v = %v, want %v", x, doc, got, want)
		}
	})
}

func TestLowerKeepsTheMeaning(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		x, doc := genQuery(2).Draw(t, "filter"), genDoc(t)
		where, rest := Lower(x, testUser)
		got := stored(where, doc)
		if rest != nil {
			got = got && naive(rest, doc)
		}
		if want := naive(x, doc); got != want {
			t.Fatalf("%s on %v: lowered to %v and %v, which give %v, want %v", x, doc, where, rest, got, want)
		}
	})
}
