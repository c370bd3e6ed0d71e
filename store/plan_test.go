package store

import (
	"path/filepath"
	"regexp"
	"testing"
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
