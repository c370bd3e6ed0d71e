package store

import (
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/usherd/usherd/directory"
)

// TestSubjectIsReadByIndexes: however large the tables, no look-up of a subject
// walks one. SQLite has no statistics here, as in a store that nobody analysed.
func TestSubjectIsReadByIndexes(t *testing.T) {
	s, err := Open(t.Context(), Config{DSN: filepath.Join(t.TempDir(), "usherd.db")})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	walk := regexp.MustCompile(`^SCAN (head|meta|feed|audit|user_fact|identity_fact|email|membership|group_fact|grants|overrides|[a-eg-vx-z])\b`)
	for kind := range whoSQL {
		steps, err := collect(t.Context(), s.read, scanStep, `EXPLAIN QUERY PLAN `+subjectSQL(kind), 0, "x", "y")
		if err != nil {
			t.Fatal(err)
		}
		if len(steps) < 10 {
			t.Errorf("the plan for keys of kind %d has %d steps only: %q", kind, len(steps), steps)
		}
		for _, step := range steps {
			if walk.MatchString(step) { // f and w are the few users found
				t.Errorf("a look-up by a key of kind %d walks a table: %s", kind, step)
			}
		}
	}
}

func scanStep(row scanner) (detail string, err error) {
	var id, parent, unused int
	err = row.Scan(&id, &parent, &unused, &detail)
	return detail, err
}

// TestWhoIsNamedIsFoundByAnIndex: a query that names somebody or something
// walks neither a table nor a source, and one that does not is read in order.
func TestWhoIsNamedIsFoundByAnIndex(t *testing.T) {
	s, err := Open(t.Context(), Config{DSN: filepath.Join(t.TempDir(), "usherd.db")})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	plan := func(from string, sel selection) []string {
		steps, err := collect(t.Context(), s.read, scanStep, `EXPLAIN QUERY PLAN SELECT t.* FROM `+from+sel.where+sel.rest, sel.pageArgs...)
		if err != nil {
			t.Fatal(err)
		}
		return steps
	}
	walks := func(step string) bool {
		return strings.HasPrefix(step, "SCAN t") || strings.HasPrefix(step, "SEARCH t") && strings.HasSuffix(step, "_order (source=?)")
	}
	eq := func(attr directory.Attribute, v string) directory.Expr {
		return directory.Compare{Attr: attr, Op: directory.Eq, Value: v}
	}
	for _, source := range []directory.SourceName{"", "okta"} {
		for _, where := range []directory.Expr{
			eq(directory.AttrID, "x"), eq(directory.AttrUserName, "x"), eq(directory.AttrName, "x"), eq(directory.AttrExternalID, "x"),
			eq(directory.AttrEmail, "x"), eq(directory.AttrMemberOf, "x"),
			directory.And{directory.Not{Term: eq(directory.AttrID, "x")}, eq(directory.AttrUserName, "x")},
			directory.Or{eq(directory.AttrUserName, "x"), eq(directory.AttrUserName, "y")},
			directory.Or{eq(directory.AttrExternalID, "x"), eq(directory.AttrExternalID, "y")},
		} {
			sel, err := identities.lower(s.d, directory.Query{Source: source, Where: where, Limit: 10}, mark{})
			if steps := plan("identity t", sel); err != nil || slices.ContainsFunc(steps, walks) {
				t.Errorf("people of %q where %v: %v, %q", source, where, err, steps)
			}
		}
		for _, where := range []directory.Expr{
			eq(directory.AttrID, "x"), eq(directory.AttrName, "x"), eq(directory.AttrExternalID, "x"), eq(directory.AttrMember, "x"),
		} {
			sel, err := groups.lower(s.d, directory.Query{Source: source, Where: where, Limit: 10}, mark{})
			if steps := plan("groups t", sel); err != nil || slices.ContainsFunc(steps, walks) {
				t.Errorf("groups of %q where %v: %v, %q", source, where, err, steps)
			}
		}
		sel, err := identities.lower(s.d, directory.Query{Source: source, Limit: 10}, mark{})
		sorts := func(step string) bool { return strings.Contains(step, "ORDER BY") }
		if steps := plan("identity t", sel); err != nil || slices.ContainsFunc(steps, sorts) {
			t.Errorf("the people of %q are sorted for a page: %v, %q", source, err, steps)
		}
	}
}

// TestAPageBeginsAtItsMark: from a mark on, a list is read by the index that has
// its order, and nothing before it.
func TestAPageBeginsAtItsMark(t *testing.T) {
	s, err := Open(t.Context(), Config{DSN: filepath.Join(t.TempDir(), "usherd.db")})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	sel, err := identities.lower(s.d, directory.Query{Source: "okta", Limit: 10, Offset: 110, Total: true}, mark{offset: 100})
	if err != nil {
		t.Fatal(err)
	}
	steps, err := collect(t.Context(), s.read, scanStep, `EXPLAIN QUERY PLAN `+sel.page(identities.from, identities.columns), sel.pageArgs...)
	if err != nil {
		t.Fatal(err)
	}
	if !slices.ContainsFunc(steps, func(step string) bool {
		return strings.Contains(step, "COVERING INDEX identity_order (source=? AND ") && strings.Contains(step, "created")
	}) {
		t.Errorf("the plan is %q", steps)
	}
}
