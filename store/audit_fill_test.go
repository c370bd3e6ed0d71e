package store

import (
	"reflect"
	"slices"
	"testing"

	"github.com/usherd/usherd/directory"
	"github.com/usherd/usherd/store/storetest"
)

// TestAuditRecordsWithoutSummaryAreFound takes summaries away, as if an older
// version had written the records, and has them made again.
func TestAuditRecordsWithoutSummaryAreFound(t *testing.T) {
	for name, dsn := range map[string]string{"SQLite": "sqlite:" + t.TempDir() + "/usherd.db", "PostgreSQL": storetest.Postgres(t)} {
		t.Run(name, func(t *testing.T) {
			s, err := Open(t.Context(), Config{DSN: dsn})
			if err != nil {
				t.Fatal(err)
			}
			defer s.Close()
			g := createLocalGroup("Staff")
			user := createLocal("ann")
			for _, changes := range [][]directory.Change{
				{g},
				{user, createLocal("bob")},
				{directory.AddMembers{Group: g.ID, Source: directory.Local, Values: []string{string(user.ID)}}},
				{directory.SetBlock{User: user.ID, Blocked: true}},
				{directory.SetBlock{User: user.ID}},
				{createLocal("cleo")},
			} {
				if _, err := s.Apply(t.Context(), system, changes...); err != nil {
					t.Fatal(err)
				}
			}
			searches := []directory.AuditSearch{
				{Limit: 10},
				{Limit: 10, Oldest: true},
				{Limit: 3},
				{Limit: 10, About: []string{string(user.ID)}},
				{Limit: 2, About: []string{string(user.ID)}},
				{Limit: 3, About: []string{string(user.ID)}, Oldest: true},
				{Limit: 10, About: []string{string(user.ID), string(g.ID)}},
				{Limit: 10, Action: "user."},
				{Limit: 2, Action: "user."},
				{Limit: 1, Action: "user.", After: 2, Oldest: true},
				{Limit: 10, Action: "user.blocked", About: []string{string(user.ID)}},
				{Limit: 10, Actor: "SYSTEM"},
				{Limit: 10, Actor: "nobody", Action: "user."},
			}
			look := func() (all [][]directory.AuditHead) {
				t.Helper()
				for _, q := range searches {
					heads, err := s.AuditHeads(t.Context(), q)
					if err != nil {
						t.Fatalf("AuditHeads(%+v) = %v", q, err)
					}
					all = append(all, heads)
				}
				return all
			}
			want := look()
			if len(want[0]) != 6 || len(want[3]) != 4 || len(want[4]) != 2 {
				t.Fatalf("AuditHeads = %d of all, %d and %d about ann; want 6, 4 and 2", len(want[0]), len(want[3]), len(want[4]))
			}
			for _, which := range []string{"revision % 2 = 0", "revision > 0"} {
				for _, statement := range []string{`DELETE FROM audit_head WHERE `, `DELETE FROM audit_name WHERE `, `UPDATE audit SET headed = NULL WHERE `} {
					if _, err := s.write.ExecContext(t.Context(), statement+which); err != nil {
						t.Fatal(err)
					}
				}
				for i, got := range look() {
					if !reflect.DeepEqual(got, want[i]) {
						t.Errorf("without summaries where %s: AuditHeads(%+v) = %+v; want %+v", which, searches[i], got, want[i])
					}
				}
			}
			if _, err := s.write.ExecContext(t.Context(), `INSERT INTO audit (revision, time, actor, changes, hash) VALUES (7, 0, '{bad', '[{broken', 'zz')`); err != nil {
				t.Fatal(err)
			}
			if err := s.fillHeads(t.Context()); err == nil {
				t.Error("fillHeads says nothing of a damaged record")
			}
			var missing, heads int
			err = s.read.QueryRowContext(t.Context(), `SELECT (SELECT COUNT(*) FROM audit WHERE headed IS NULL), (SELECT COUNT(*) FROM audit_head)`).Scan(&missing, &heads)
			if err != nil || missing != 1 || heads != 6 {
				t.Errorf("after fillHeads %d records have no summary and %d have, %v; want the damaged one and 6", missing, heads, err)
			}
			for _, q := range []directory.AuditSearch{{Limit: 1}, {Limit: 9, Action: "unread"}} {
				heads, err := s.AuditHeads(t.Context(), q)
				if err != nil || len(heads) != 1 || heads[0].Revision != 7 || !slices.Equal(heads[0].Types, []string{directory.AuditUnreadable}) || heads[0].Changes != 1 {
					t.Errorf("AuditHeads(%+v) = %+v, %v; want the damaged record 7", q, heads, err)
				}
			}
			if records, err := s.Audit(t.Context(), 5, 10); err != nil || len(records) != 2 || string(records[1].Changes) != "[{broken" || records[1].Hash != nil {
				t.Errorf("Audit = %+v, %v; want 6 and the damaged record 7", records, err)
			}
			for i := range searches {
				searches[i].Upto = 6
			}
			for i, got := range look() {
				if !reflect.DeepEqual(got, want[i]) {
					t.Errorf("with summaries made anew: AuditHeads(%+v) = %+v; want %+v", searches[i], got, want[i])
				}
			}
		})
	}
}
