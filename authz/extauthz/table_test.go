package extauthz

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"testing"
	"unicode"

	"github.com/usherd/usherd/authz"
	"golang.org/x/text/cases"
)

// guarded is a table in which a careless reading of a path would be worth
// something: what is open lies beside what is not.
var guarded = []Rule{
	{Match: "/{rest...}", Check: "access feature/portal"},
	{Match: "GET /parts/{id}", Check: "access feature/part-list"},
	{Match: "PUT|PATCH /parts/{id}", Check: "edit feature/part-list"},
	{Match: "/admin/{rest...}", Check: "manage project/head-office"},
	{Match: "POST /projects/{project}/connections/{connection}/syncs", Check: "create_sync integration/{connection}", Project: "{project}"},
	{Match: "GET /projects/alpha", Check: "read project/alpha"},
	{Match: "GET /records/{id}", Check: "read record/{id}"},
	{Match: "GET /große/straße", Check: "access feature/streets"},
	{Match: "api.example.com/v1/{rest...}", Check: "access feature/api"},
	{Match: "GET /connections", Check: "create integration/*"},
}

func mustTable(t testing.TB, rules []Rule) *Table {
	t.Helper()
	table, faults := NewTable(rules)
	if len(faults) > 0 {
		t.Fatalf("NewTable = %v", faults)
	}
	return table
}

// short writes a question as a rule does.
func short(q authz.Request) string {
	s := q.Action + " " + q.Type + "/" + q.ID
	if q.Project != "" {
		s += " in " + string(q.Project)
	}
	return s
}

func TestFind(t *testing.T) {
	table := mustTable(t, guarded)
	for _, tt := range []struct{ claim, method, host, target, want string }{
		{"a variable stands for one segment", "GET", "", "/parts/7", "access feature/part-list"},
		{"the query is not looked at", "GET", "", "/parts/7?x=/../admin&_method=DELETE", "access feature/part-list"},
		{"the slash at the end does not matter", "GET", "", "/parts/7/", "access feature/part-list"},
		{"a rule may name methods", "PATCH", "", "/parts/7", "edit feature/part-list"},
		{"HEAD asks what GET asks", "HEAD", "", "/parts/7", "access feature/part-list"},
		{"another method of a path that is named falls to no other rule", "DELETE", "", "/parts/7", NoRoute},
		{"the rest may be empty", "GET", "", "/admin", "manage project/head-office"},
		{"the rest may be a slash", "GET", "", "/admin/", "manage project/head-office"},
		{"the rest may be long", "POST", "", "/admin/a/b/c", "manage project/head-office"},
		{"ids and projects come from the path", "POST", "", "/projects/alpha/connections/aws-prod/syncs", "create_sync integration/aws-prod in alpha"},
		{"what is encoded without need is the same", "GET", "", "/p%61rts/7", "access feature/part-list"},
		{"a value is decoded once", "GET", "", "/records/a%20b", "read record/a b"},
		{"a literal comes before a variable", "GET", "", "/projects/alpha", "read project/alpha"},
		{"the root", "GET", "", "/", "access feature/portal"},
		{"the root with a query", "GET", "", "/?a=//b", "access feature/portal"},
		{"letters beyond ASCII", "GET", "", "/gro%C3%9Fe/stra%C3%9Fe", "access feature/streets"},
		{"a host that is named has rules of its own", "GET", "api.example.com", "/v1/x", "access feature/api"},
		{"and no others", "GET", "api.example.com", "/parts/7", NoRoute},
		{"whatever its case, port and dot", "GET", "API.example.com.:8443", "/parts/7", NoRoute},
		{"other hosts share the rest", "GET", "app.example.com:443", "/parts/7", "access feature/part-list"},
		{"everything at once is asked by a rule only", "GET", "", "/connections", "create integration/*"},
		{"and not by a path", "GET", "", "/records/*", BadPath},
		{"nor by an encoded one", "GET", "", "/records/%2a", BadPath},

		{"an encoded slash", "GET", "", "/parts/..%2fadmin", BadPath},
		{"an encoded slash in a value", "GET", "", "/records/a%2Fb", BadPath},
		{"a dot segment", "GET", "", "/parts/../admin", BadPath},
		{"a single dot", "GET", "", "/./admin", BadPath},
		{"an encoded dot segment", "GET", "", "/parts/%2e%2e/admin", BadPath},
		{"half an encoded dot segment", "GET", "", "/parts/.%2e/admin", BadPath},
		{"a double encoding", "GET", "", "/parts/%252e%252e/admin", BadPath},
		{"a double encoding of a letter", "GET", "", "/%2561dmin", BadPath},
		{"a double slash", "GET", "", "//admin", BadPath},
		{"a double slash inside", "GET", "", "/parts//7", BadPath},
		{"a double slash at the end", "GET", "", "/parts/7//", BadPath},
		{"a backslash", "GET", "", `/parts\..\admin`, BadPath},
		{"an encoded backslash", "GET", "", "/parts/..%5cadmin", BadPath},
		{"a NUL", "GET", "", "/admin%00.html", BadPath},
		{"a control character", "GET", "", "/admin%0d%0a", BadPath},
		{"a path parameter", "GET", "", "/admin;x=1/users", BadPath},
		{"a path parameter with dots", "GET", "", "/parts/..;/admin", BadPath},
		{"an encoded path parameter", "GET", "", "/admin%3bx", BadPath},
		{"an encoded question mark", "GET", "", "/admin%3fx", BadPath},
		{"a fragment", "GET", "", "/admin#x", BadPath},
		{"a truncated encoding", "GET", "", "/admin%2", BadPath},
		{"a wrong encoding", "GET", "", "/admin%zz", BadPath},
		{"a raw space", "GET", "", "/admin /", BadPath},
		{"raw bytes beyond ASCII", "GET", "", "/straße", BadPath},
		{"not UTF-8", "GET", "", "/parts/%ff", BadPath},
		{"an overlong slash", "GET", "", "/parts/..%c0%afadmin", BadPath},
		{"another case", "GET", "", "/Admin/users", BadPath},
		{"another case, encoded", "GET", "", "/%41dmin/users", BadPath},
		{"a dotted capital I", "GET", "", "/adm%C4%B0n/x", BadPath},
		{"a dotless i", "GET", "", "/adm%C4%B1n/x", BadPath},
		{"a dot at the end", "GET", "", "/admin./users", BadPath},
		{"a space at the end", "GET", "", "/admin%20/users", BadPath},
		{"wide letters", "GET", "", "/%EF%BD%81dmin/users", BadPath},
		{"an invisible character", "GET", "", "/ad%E2%80%8Bmin/users", BadPath},
		{"a wide slash", "GET", "", "/parts/..%EF%BC%8Fadmin", BadPath},
		{"a wide dot segment", "GET", "", "/parts/%EF%BC%8E%EF%BC%8E/admin", BadPath},
		{"a decomposed letter", "GET", "", "/records/e%CC%81", BadPath},
		{"another spelling of a word", "GET", "", "/gro%C3%9Fe/strasse", BadPath},
		{"no path", "OPTIONS", "", "*", BadPath},
		{"an absolute target", "GET", "", "http://elsewhere/parts/7", BadPath},
		{"an empty target", "GET", "", "", BadPath},
		{"a target that is too long", "GET", "", "/" + strings.Repeat("a", maxTarget), BadPath},
		{"too many segments", "GET", "", strings.Repeat("/a", maxSegments+1), BadPath},
		{"a method in small letters", "get", "", "/parts/7", BadMethod},
		{"no method", "", "", "/parts/7", BadMethod},
		{"a method with a space", "GET /", "", "/parts/7", BadMethod},
		{"a host with a user", "GET", "x@api.example.com", "/parts/7", BadHost},
		{"two hosts", "GET", "app.example.com,api.example.com", "/parts/7", BadHost},
	} {
		host := tt.host
		if host == "" {
			host = "app.example.com"
		}
		q, reason := table.Find(tt.method, host, tt.target)
		got := reason
		if got == "" {
			got = short(q)
		}
		if got != tt.want {
			t.Errorf("%s: Find(%q, %q, %.60q) = %s, want %s", tt.claim, tt.method, host, tt.target, got, tt.want)
		}
		if reason != "" && q != (authz.Request{}) {
			t.Errorf("%s: Find(%.60q) has a question beside the reason %s", tt.claim, tt.target, reason)
		}
	}
}

func TestHostsDoNotMatterWhereNoRuleNamesOne(t *testing.T) {
	table := mustTable(t, guarded[:2])
	if q, reason := table.Find("GET", "what ever,", "/parts/1"); reason != "" || short(q) != "access feature/part-list" {
		t.Errorf("Find = %v, %s", q, reason)
	}
}

func TestTheZeroTableLetsNothingPass(t *testing.T) {
	for _, table := range []*Table{nil, mustTable(t, nil)} {
		if q, reason := table.Find("GET", "app.example.com", "/"); reason != NoRoute {
			t.Errorf("Find = %v, %q, want %s", q, reason, NoRoute)
		}
	}
}

func TestTheOrderOfRulesDoesNotMatter(t *testing.T) {
	forward, back := mustTable(t, guarded), slices.Clone(guarded)
	slices.Reverse(back)
	backward := mustTable(t, back)
	for _, target := range []string{"/", "/parts/7", "/admin/x", "/projects/alpha", "/projects/beta", "/x/y/z", "/parts/7/8"} {
		for _, method := range []string{"GET", "POST", "PATCH"} {
			a, whyA := forward.Find(method, "h", target)
			b, whyB := backward.Find(method, "h", target)
			if a != b || whyA != whyB {
				t.Errorf("%s %s: %v %s in one order, %v %s in the other", method, target, a, whyA, b, whyB)
			}
		}
	}
}

func TestFaultsOfATable(t *testing.T) {
	for _, tt := range []struct {
		claim string
		rules []Rule
		want  string // index field message, in part
	}{
		{"a path is needed", []Rule{{Match: "GET parts", Check: "access feature/x"}}, "0 match has no path"},
		{"methods are capital", []Rule{{Match: "get /", Check: "access feature/x"}}, "0 match not a method"},
		{"hosts are small", []Rule{{Match: "GET App.example.com/", Check: "access feature/x"}}, "0 match not a host name"},
		{"hosts have no port", []Rule{{Match: "app.example.com:80/", Check: "access feature/x"}}, "0 match not a host name"},
		{"no slash at the end", []Rule{{Match: "/a/", Check: "access feature/x"}}, "0 match leave out the slash"},
		{"no empty segment", []Rule{{Match: "/a//b", Check: "access feature/x"}}, "0 match can't be matched"},
		{"no dot segment", []Rule{{Match: "/a/../b", Check: "access feature/x"}}, "0 match can't be matched"},
		{"literals are decoded", []Rule{{Match: "/a%20b", Check: "access feature/x"}}, "0 match can't be matched"},
		{"no wildcard", []Rule{{Match: "/a/*", Check: "access feature/x"}}, "0 match can't be matched"},
		{"a variable is a whole segment", []Rule{{Match: "/a/x{id}", Check: "access feature/x"}}, "0 match can't be matched"},
		{"a variable has a name", []Rule{{Match: "/a/{}", Check: "access feature/x"}}, "0 match not of the form"},
		{"a variable is closed", []Rule{{Match: "/a/{id", Check: "access feature/x"}}, "0 match not of the form"},
		{"a variable is given once", []Rule{{Match: "/{id}/{id}", Check: "access feature/x"}}, "0 match given twice"},
		{"the rest is last", []Rule{{Match: "/{r...}/x", Check: "access feature/x"}}, "0 match last segment"},
		{"a check has three parts", []Rule{{Match: "/", Check: "feature/x"}}, "0 check not of the form"},
		{"a check has a type", []Rule{{Match: "/", Check: "access x"}}, "0 check not of the form"},
		{"a check has an id", []Rule{{Match: "/", Check: "access feature/"}}, "0 check not of the form"},
		{"the action is no variable", []Rule{{Match: "/{a}", Check: "{a} feature/x"}}, "0 check not of the form"},
		{"a variable of a check is one of the path", []Rule{{Match: "/{id}", Check: "access feature/{key}"}}, "0 check no segment {key}"},
		{"the rest is no value", []Rule{{Match: "/{id...}", Check: "access feature/{id}"}}, "0 check no segment {id}"},
		{"text and variables don't mix", []Rule{{Match: "/{id}", Check: "access feature/x-{id}"}}, "0 check mixes"},
		{"nor two variables", []Rule{{Match: "/{a}/{b}", Check: "access feature/{a}{b}"}}, "0 check mixes"},
		{"a project is one of the path", []Rule{{Match: "/{id}", Check: "access feature/x", Project: "{p}"}}, "0 project no segment {p}"},
		{"a path is given once", []Rule{{Match: "GET /{a}", Check: "access feature/x"}, {Match: "POST|GET /{b}", Check: "access feature/y"}}, "1 match GET is matched by routes[0]"},
		{"for any method too", []Rule{{Match: "/a", Check: "access feature/x"}, {Match: "/a", Check: "access feature/y"}}, "1 match every method is matched by routes[0]"},
		{"no two rules cross", []Rule{{Match: "/a/{x}", Check: "access feature/x"}, {Match: "/{y}/b", Check: "access feature/y"}}, "1 match shares paths with routes[0]"},
		{"nor by the rest", []Rule{{Match: "/a/{x...}", Check: "access feature/x"}, {Match: "/{y}/b", Check: "access feature/y"}}, "1 match shares paths with routes[0]"},
		{"a table has an end", make([]Rule, MaxRules+1), "2000  more than 2000"},
	} {
		table, faults := NewTable(tt.rules)
		if table != nil || len(faults) == 0 {
			t.Errorf("%s: NewTable(%v) = %v, %v, want a fault", tt.claim, tt.rules, table, faults)
			continue
		}
		f, want := faults[0], strings.SplitN(tt.want, " ", 3)
		if strconv.Itoa(f.Rule) != want[0] || f.Field != want[1] || !strings.Contains(f.Msg, want[2]) {
			t.Errorf("%s: NewTable = %+v, want %s", tt.claim, f, tt.want)
		}
	}
}

func TestWhatMayStandInOneTable(t *testing.T) {
	for _, pair := range [][2]string{
		{"/a", "/{x}"},
		{"/a/{x...}", "/{y...}"},
		{"/a", "/a/{x...}"},
		{"GET /a", "POST /a"},
		{"GET /a", "/a"},
		{"GET /{x}", "POST /{y}"},
		{"h/a/{x}", "/{y}/b"},
		{"/a/b", "/{x}/c"},
		{"/a/{x}/c", "/a/{x}/{y}"},
	} {
		mustTable(t, []Rule{{Match: pair[0], Check: "access feature/x"}, {Match: pair[1], Check: "access feature/y"}})
	}
}

// lenient reads a path as the most careless application does: it decodes until
// nothing changes, takes every kind of slash for one, drops parameters, dots,
// case and width, and resolves dot segments.
func lenient(target string) []string {
	path, _, _ := strings.Cut(target, "?")
	for range 4 {
		var b strings.Builder
		for i := 0; i < len(path); i++ {
			if path[i] == '%' && i+2 < len(path) && unhex(path[i+1]) < 16 && unhex(path[i+2]) < 16 {
				b.WriteByte(unhex(path[i+1])<<4 | unhex(path[i+2]))
				i += 2
				continue
			}
			b.WriteByte(path[i])
		}
		path = b.String()
	}
	path, _, _ = strings.Cut(path, "\x00")
	path, _, _ = strings.Cut(path, "#")
	var out []string
	for _, s := range strings.FieldsFunc(path, func(r rune) bool { return r == '/' || r == '\\' || r == '／' }) {
		s, _, _ = strings.Cut(s, ";")
		switch _, s = near(s); s {
		case "":
			if len(out) > 0 { // . or .. or what Windows takes for one
				out = out[:len(out)-1]
			}
		default:
			out = append(out, s)
		}
	}
	return out
}

// FuzzFind: whatever the spelling, a path that the most careless application
// takes for one under /admin is never judged by a rule for anything else.
func FuzzFind(f *testing.F) {
	for _, target := range []string{
		"/admin", "/Admin/", "/parts/../admin", "/parts/%2e%2e/admin", "//admin", "/admin;x", "/ADMIN%2f", "/%61dmin", "/a%64min?x",
		"/parts/..%5cadmin", "/%EF%BD%81dmin", "/admin%20", "/admin.", "/parts/7", "/x/%252e%252e/admin", "/admin%00", "/./admin", "/adm%C4%B0n/x", "/adm%C4%B1n",
	} {
		f.Add(target)
	}
	table := mustTable(f, guarded)
	f.Fuzz(func(t *testing.T, target string) {
		q, reason := table.Find("GET", "app.example.com", target)
		if reason != "" {
			if q != (authz.Request{}) {
				t.Fatalf("Find(%q) = %v beside %s", target, q, reason)
			}
			return
		}
		read := lenient(target)
		underAdmin := len(read) > 0 && read[0] == "admin"
		if asked := short(q) == "manage project/head-office"; asked != underAdmin {
			t.Fatalf("Find(%q) = %s, and an application reads %q", target, short(q), read)
		}
		// One spelling is judged like any other of the same segments.
		segs, ok := segments(target)
		if !ok {
			t.Fatalf("Find(%q) = %s for a path that is refused", target, short(q))
		}
		if again, why := table.Find("GET", "app.example.com", spell(segs)); again != q || why != "" {
			t.Fatalf("Find(%q) = %s, Find(%q) = %s %s", target, short(q), spell(segs), short(again), why)
		}
	})
}

// spell encodes every byte of every segment.
func spell(segs []string) string {
	var b strings.Builder
	for _, s := range segs {
		b.WriteByte('/')
		for i := range len(s) {
			fmt.Fprintf(&b, "%%%02X", s[i])
		}
	}
	if b.Len() == 0 {
		return "/"
	}
	return b.String()
}

// TestWhatOneCaseMakesEqualIsNear takes every letter: whatever has a lower
// letter, an upper letter or a folding in common with another is near to it.
func TestWhatOneCaseMakesEqualIsNear(t *testing.T) {
	type reading struct{ how, as string }
	type spelt struct{ as, folded, mapped string }
	equal := map[reading][]spelt{}
	for r := rune(0x21); r <= unicode.MaxRune; r++ {
		s := "x" + string(r)
		if !unicode.In(r, unicode.L, unicode.M, unicode.Nl, unicode.So) || unicode.Is(unicode.Lo, r) || !plainSegment(s) {
			continue
		}
		folded, mapped := near(s)
		for _, way := range []reading{{"lower", strings.ToLower(s)}, {"upper", strings.ToUpper(s)}, {"fold", cases.Fold().String(s)}} {
			for _, o := range equal[way] {
				if o.folded != folded && o.folded != mapped && o.mapped != folded && o.mapped != mapped {
					t.Errorf("%q and %q are %q in %s, and not near", o.as, s, way.as, way.how)
				}
			}
			equal[way] = append(equal[way], spelt{s, folded, mapped})
		}
	}
}
