package store

import (
	"reflect"
	"strings"
	"testing"

	"github.com/usherd/usherd/directory"
	"github.com/usherd/usherd/store/storetest"
)

// TestAlteredSummariesAreFound alters what is kept beside audit records behind
// the store's back.
func TestAlteredSummariesAreFound(t *testing.T) {
	for engine, dsn := range map[string]string{"SQLite": "sqlite:" + t.TempDir() + "/usherd.db", "PostgreSQL": storetest.Postgres(t)} {
		t.Run(engine, func(t *testing.T) {
			s, err := Open(t.Context(), Config{DSN: dsn})
			if err != nil {
				t.Fatal(err)
			}
			defer s.Close()
			user := createLocal("ann")
			for _, changes := range [][]directory.Change{
				{user, createLocal("bob")},
				{directory.SetBlock{User: user.ID, Blocked: true}},
				{directory.Note{Action: "export.read", Target: "<&\u2028>", Attributes: []string{"<&\u2028>"}}},
				{directory.SetBlock{User: user.ID}},
			} {
				if _, err := s.Apply(t.Context(), system, changes...); err != nil {
					t.Fatal(err)
				}
			}
			check := func(forgotten directory.Revision) []directory.AuditFault {
				t.Helper()
				faults, err := s.CheckAuditHeads(t.Context(), forgotten)
				if err != nil {
					t.Fatal(err)
				}
				return faults
			}
			run := func(statements ...string) {
				t.Helper()
				for _, text := range statements {
					if _, err := s.write.ExecContext(t.Context(), text); err != nil {
						t.Fatal(err)
					}
				}
			}
			if faults := check(0); len(faults) > 0 {
				t.Fatalf("what nobody altered has faults: %+v", faults)
			}
			run(`CREATE TABLE kept_head AS SELECT * FROM audit_head`, `CREATE TABLE kept_name AS SELECT * FROM audit_name`, `CREATE TABLE kept_audit AS SELECT * FROM audit`)
			for _, tt := range []struct {
				claim, statement string
				at               directory.Revision
				detail           string
			}{
				{"a type is altered", `UPDATE audit_head SET types = ' user.created' WHERE revision = 2`, 2, "what lists show"},
				{"a count is altered", `UPDATE audit_head SET changes = 1 WHERE revision = 1`, 1, "what lists show"},
				{"the entries are counted wrong", `UPDATE audit_head SET listed = 7 WHERE revision = 1`, 1, "what lists show"},
				{"the first change is altered", `UPDATE audit_head SET first = replace(first, 'blocked', 'created') WHERE revision = 2`, 2, "what lists show"},
				{"the first change does not read", `UPDATE audit_head SET first = '{' WHERE revision = 4`, 4, "what lists show"},
				{"a head is gone", `DELETE FROM audit_head WHERE revision = 2`, 2, "missing"},
				{"a head is of no record", `INSERT INTO audit_head (revision, types, changes, listed, first) VALUES (99, ' user.created', 1, 0, '{}')`, 99, "no record"},
				{"a head is of a record before all", `INSERT INTO audit_head (revision, types, changes, listed, first) VALUES (-3, ' user.created', 1, 0, '{}')`, -3, "no record"},
				{"a head of an older version's record is made up", `UPDATE audit SET headed = NULL WHERE revision = 2`, 0, ""},
				{"a made up head is wrong", `UPDATE audit SET headed = NULL WHERE revision = 2; UPDATE audit_head SET types = '' WHERE revision = 2`, 2, "what lists show"},
				{"a name is gone", `DELETE FROM audit_name WHERE revision = 2`, 2, "lacks"},
				{"a name is added", `INSERT INTO audit_name (name, revision) VALUES ('bob', 2)`, 2, "does not mention"},
				{"a name is there twice", `INSERT INTO audit_name (name, revision) SELECT name, revision FROM audit_name WHERE revision = 2`, 2, "does not mention"},
				{"a name is altered", `UPDATE audit_name SET name = 'bob' WHERE revision = 2`, 2, "other names"},
				{"a name is of no record", `INSERT INTO audit_name (name, revision) VALUES ('bob', 99)`, 99, "does not mention"},
				{"a name is moved", `UPDATE audit_name SET revision = 4 WHERE revision = 2`, 2, "lacks"},
				{"an older version's record has a name", `UPDATE audit SET headed = NULL WHERE revision = 2; DELETE FROM audit_head WHERE revision = 2`, 2, "does not mention"},
				{"a record does not read", `UPDATE audit SET changes = '[{broken' WHERE revision = 2`, 2, "do not read"},
			} {
				t.Run(tt.claim, func(t *testing.T) {
					run(strings.Split(tt.statement, "; ")...)
					faults := check(0)
					if tt.at == 0 && len(faults) > 0 || tt.at != 0 && (len(faults) == 0 || faults[0].Revision != tt.at || !strings.Contains(faults[0].Detail, tt.detail)) {
						t.Errorf("CheckAuditHeads = %+v; want first that of %d, %q", faults, tt.at, tt.detail)
					}
					before, err := s.Audit(t.Context(), 0, 100)
					if err != nil {
						t.Fatal(err)
					}
					mended, err := s.MendAuditHeads(t.Context(), 0)
					if damaged := tt.detail == "do not read"; err != nil || mended > 0 != (tt.at != 0 && !damaged) || len(check(0)) > 0 != damaged {
						t.Errorf("MendAuditHeads = %d, %v; then CheckAuditHeads = %+v", mended, err, check(0))
					}
					if after, err := s.Audit(t.Context(), 0, 100); err != nil || !reflect.DeepEqual(after, before) {
						t.Errorf("MendAuditHeads altered records: %+v, %v; want %+v", after, err, before)
					}
					run(`DELETE FROM audit_head`, `DELETE FROM audit_name`, `DELETE FROM audit`,
						`INSERT INTO audit_head SELECT * FROM kept_head`, `INSERT INTO audit_name SELECT * FROM kept_name`,
						`INSERT INTO audit SELECT * FROM kept_audit`)
				})
			}
			run(`DELETE FROM audit_head WHERE revision <= 2`, `DELETE FROM audit_name WHERE revision = 1`)
			if faults := check(2); len(faults) > 0 {
				t.Errorf("records that are being forgotten have faults: %+v", faults)
			}
			run(`DELETE FROM audit WHERE revision <= 2`)
			if faults := check(2); len(faults) != 1 || faults[0].Revision != 2 {
				t.Errorf("CheckAuditHeads = %+v; want that a name of the forgotten record 2 is left", faults)
			}
		})
	}
}
