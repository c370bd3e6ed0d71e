package filter

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/usherd/usherd/directory"
)

func TestLower(t *testing.T) {
	eq := func(a directory.Attribute, v any) directory.Compare {
		return directory.Compare{Attr: a, Op: directory.Eq, Value: v}
	}
	noon := time.Date(2026, 1, 2, 12, 0, 0, 0, time.UTC)
	for _, c := range []struct {
		claim, text string
		where       directory.Expr
		rest        string // empty: nothing left
	}{
		{"an indexed equality is decided", `USERNAME eq "Kim"`, eq(directory.AttrUserName, "Kim"), ""},
		{"an id is compared as it is", `id eq "7" and externalId eq "E"`, directory.And{eq(directory.AttrID, "7"), eq(directory.AttrExternalID, "E")}, ""},
		{"e-mail addresses are indexed", `emails eq "a@b"`, eq(directory.AttrEmail, "a@b"), ""},
		{"a boolean string is a boolean", `active eq "True"`, eq(directory.AttrActive, true), ""},
		{"false narrows, since the store has no absent boolean", `active eq false`, eq(directory.AttrActive, false), `active eq false`},
		{
			"a date is a time", `meta.lastModified gt "2026-01-02T13:00:00+01:00"`,
			directory.Compare{Attr: directory.AttrModified, Op: directory.Gt, Value: noon},
			"",
		},
		{"a date between milliseconds is left", `meta.lastModified gt "2026-01-02T12:00:00.0005Z"`, nil, `meta.lastModified gt "2026-01-02T12:00:00.0005Z"`},
		{"what has no index is left", `title eq "x"`, nil, `title eq "x"`},
		{"and narrows by what it can", `userName eq "a" and title eq "x"`, eq(directory.AttrUserName, "a"), `title eq "x"`},
		{"or needs an index on every side", `userName eq "a" or title eq "x"`, nil, `userName eq "a" or title eq "x"`},
		{"or of indexed terms is decided", `userName eq "a" or id eq "b"`, directory.Or{eq(directory.AttrUserName, "a"), eq(directory.AttrID, "b")}, ""},
		{"parts of a name narrow", `userName sw "ki"`, directory.Compare{Attr: directory.AttrUserName, Op: directory.Sw, Value: "ki"}, `userName sw "ki"`},
		{"but not when folding could tear them", `userName co "a b"`, nil, `userName co "a b"`},
		{"negations are left", `not (userName eq "a")`, nil, `not (userName eq "a")`},
		{"so is ne", `userName ne "a"`, nil, `userName ne "a"`},
		{"and null", `externalId eq null`, nil, `externalId eq null`},
		{"a name that cannot be is left", `userName eq ""`, nil, `userName eq ""`},
		{"a value path of the value alone is decided", `emails[value eq "a@b"]`, eq(directory.AttrEmail, "a@b"), ""},
		{"a value path with more narrows", `emails[type eq "work" and value eq "a@b"]`, eq(directory.AttrEmail, "a@b"), `emails[type eq "work" and value eq "a@b"]`},
		{"a value path without value is left", `emails[type eq "work"]`, nil, `emails[type eq "work"]`},
		{"an extension attribute is left", `urn:ext_1:2.0:User:department eq "x"`, nil, `urn:ext_1:2.0:User:department eq "x"`},
	} {
		x, err := Parse(c.text)
		if err != nil {
			t.Fatal(err)
		}
		where, rest := Lower(x, testUser)
		got := ""
		if rest != nil {
			got = rest.String()
		}
		if d := cmp.Diff(c.where, where); d != "" || got != c.rest {
			t.Errorf("%s: Lower(%s) rest = %q, want %q; where (-want +got):\n%s", c.claim, c.text, got, c.rest, d)
		}
	}
}

func TestMentions(t *testing.T) {
	for text, want := range map[string]bool{
		`emails eq "a"`:                           true,
		`not (EMAILS[type eq "x"])`:               true,
		`title pr or (userName pr and emails pr)`: true,
		`title eq "emails"`:                       false,
		`urn:ext_1:2.0:User:department eq "x"`:    false,
	} {
		x, err := Parse(text)
		if err != nil {
			t.Fatal(err)
		}
		if got := Mentions(x, testUser, "emails"); got != want {
			t.Errorf("Mentions(%s, emails) = %v, want %v", text, got, want)
		}
	}
}
