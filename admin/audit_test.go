package admin_test

import (
	"database/sql"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	_ "github.com/jackc/pgx/v5/stdlib"
	_ "modernc.org/sqlite"

	"github.com/usherd/usherd/admin"
	"github.com/usherd/usherd/audit"
	"github.com/usherd/usherd/directory"
	"github.com/usherd/usherd/store"
	"github.com/usherd/usherd/store/storetest"
)

// tampered is a service over a store whose database somebody else can write.
func tampered(t *testing.T, dsn, driver, raw string) (*admin.Service, func(statement string)) {
	t.Helper()
	st, err := store.Open(t.Context(), store.Config{DSN: dsn})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = st.Close() })
	s, err := admin.New(admin.Config{Store: st, TokenKey: make([]byte, 32), BaseURL: func() string { return "" }, Principal: by})
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"a", "b", "c", "d", "e", "f"} {
		by := by
		if name == "f" { // what older versions wrote has no address
			by.Address = "192.0.2.7"
		}
		_, err := st.Apply(t.Context(), by, directory.CreateUser{ID: directory.UserID(directory.NewID()), Source: directory.Local, Profile: directory.Profile{UserName: name, Active: true}})
		if err != nil {
			t.Fatal(err)
		}
	}
	db, err := sql.Open(driver, raw)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = db.Close() })
	return s, func(statement string) {
		t.Helper()
		if _, err := db.ExecContext(t.Context(), statement); err != nil {
			t.Fatalf("%s: %v", statement, err)
		}
	}
}

func TestTamperingWithTheAuditTrailShows(t *testing.T) {
	engines := map[string]func(*testing.T) (*admin.Service, func(string)){
		"SQLite": func(t *testing.T) (*admin.Service, func(string)) {
			path := filepath.Join(t.TempDir(), "usherd.db")
			return tampered(t, "sqlite:"+path, "sqlite", path)
		},
		"PostgreSQL": func(t *testing.T) (*admin.Service, func(string)) {
			dsn := storetest.Postgres(t)
			return tampered(t, dsn, "pgx", dsn)
		},
	}
	for engine, open := range engines {
		t.Run(engine, func(t *testing.T) {
			for _, tt := range []struct {
				name       string
				statements []string
				checkpoint bool // needed to see it
				detail     string
			}{
				{"nothing", nil, false, ""},
				{"an edited record", []string{`UPDATE audit SET changes = '[]' WHERE revision = 3`}, false, "record 3"},
				{"an edited actor", []string{`UPDATE audit SET actor = '{"kind":"system"}' WHERE revision = 3`}, false, "record 3"},
				{"a deleted record", []string{`DELETE FROM audit WHERE revision = 3`}, false, "record 3"},
				{"swapped records", []string{
					`UPDATE audit SET revision = 1003 WHERE revision = 3`, `UPDATE audit SET revision = 3 WHERE revision = 4`, `UPDATE audit SET revision = 4 WHERE revision = 1003`,
				}, false, "record 3"},
				{"another summary", []string{`UPDATE audit_head SET types = ' user.created', changes = 99 WHERE revision = 3`}, false, "record 3"},
				{"a summary taken away", []string{`DELETE FROM audit_head WHERE revision = 3`}, false, "record 3"},
				{"a name taken away", []string{`DELETE FROM audit_name WHERE revision = 3`}, false, "record 3"},
				{"a name of nothing", []string{`INSERT INTO audit_name (name, revision) VALUES ('x', 3)`}, false, "record 3"},
				{"an address that was put in", []string{`UPDATE audit SET actor = '{"kind":"socket","name":"local","address":"192.0.2.1"}' WHERE revision = 3`}, false, "record 3"},
				{"an address that was taken out", []string{`UPDATE audit SET actor = replace(actor, ',"address":"192.0.2.7"', '') WHERE revision = 6`}, false, "record 6"},
				{"an actor that does not read", []string{`UPDATE audit SET actor = '{broken' WHERE revision = 3`}, false, "record 3"},
				{"a hash that does not read", []string{`UPDATE audit SET hash = 'zz' WHERE revision = 3`}, false, "record 3"},
				{"a cut end", []string{`DELETE FROM audit WHERE revision > 4`}, false, "cut off"},
			} {
				if engine != "SQLite" && tt.name != "nothing" && tt.name != "swapped records" {
					continue // what the chain shows does not depend on the engine
				}
				t.Run(tt.name, func(t *testing.T) {
					s, tamper := open(t)
					point, err := s.AuditCheckpoint(t.Context())
					if err != nil {
						t.Fatal(err)
					}
					for _, statement := range tt.statements {
						tamper(statement)
					}
					v, err := s.VerifyAudit(t.Context())
					if err != nil || v.OK != (tt.statements == nil) || v.BrokenAt == 0 != v.OK {
						t.Errorf("VerifyAudit = %+v, %v", v, err)
					}
					mendable := strings.Contains(tt.name, "summary") || strings.Contains(tt.name, "name ")
					if v.Mendable != mendable || strings.Contains(v.Detail, "usherd audit reindex") != mendable {
						t.Errorf("VerifyAudit = %+v; want that it can be mended: %t", v, mendable)
					}
					defer func() {
						made, err := s.ReindexAudit(t.Context(), by)
						if err != nil || made.OK != (mendable || tt.statements == nil) || made.Mended > 0 != mendable {
							t.Errorf("ReindexAudit = %+v, %v; want that it mends: %t", made, err, mendable)
						}
					}()
					hash, err := audit.ParseHash(point.Hash)
					if err != nil {
						t.Fatal(err)
					}
					v, err = s.VerifyAuditFrom(t.Context(), audit.Point{Seq: int64(point.Revision), Hash: hash})
					if err != nil || v.OK != (tt.statements == nil) {
						t.Errorf("VerifyAuditFrom = %+v, %v", v, err)
					}
				})
			}
		})
	}
}

// TestAHistoryThatWasCutShowsAgainstACheckpoint restores an older database: it
// is whole in itself, and only who kept a checkpoint can tell.
func TestAHistoryThatWasCutShowsAgainstACheckpoint(t *testing.T) {
	path := filepath.Join(t.TempDir(), "usherd.db")
	s, _ := tampered(t, "sqlite:"+path, "sqlite", path)
	other := filepath.Join(t.TempDir(), "usherd.db")
	rewritten, _ := tampered(t, "sqlite:"+other, "sqlite", other)
	point, err := s.AuditCheckpoint(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	hash, err := audit.ParseHash(point.Hash)
	if err != nil {
		t.Fatal(err)
	}
	kept := audit.Point{Seq: int64(point.Revision), Hash: hash}
	if v, err := s.VerifyAuditFrom(t.Context(), kept); err != nil || !v.OK || v.Checkpoint == "" {
		t.Errorf("against its own checkpoint: %+v, %v", v, err)
	}
	if v, err := rewritten.VerifyAuditFrom(t.Context(), kept); err != nil || v.OK || !strings.Contains(v.Detail, "written anew") {
		t.Errorf("another history against the checkpoint: %+v, %v", v, err)
	}
	kept.Seq += 3
	if v, err := s.VerifyAuditFrom(t.Context(), kept); err != nil || v.OK || !strings.Contains(v.Detail, "cut off") {
		t.Errorf("an older history against the checkpoint: %+v, %v", v, err)
	}
}

func TestAuditRecordsAreFiltered(t *testing.T) {
	w := newWorld(t)
	w.policy(catalogue)
	begun := time.Now().Add(-time.Second).UTC().Format(time.RFC3339)
	ann := w.user("ann")
	w.group("Staff", ann)
	other := directory.Actor{Kind: directory.ActorToken, Name: "okta"}
	if _, err := w.store.Apply(t.Context(), other, directory.SetBlock{User: ann, Blocked: true}); err != nil {
		t.Fatal(err)
	}
	srv := w.server(true)
	count := func(query string) int {
		t.Helper()
		a := call(t, srv, "GET", "/api/v1/audit?"+query, "")
		items, _ := a.body["items"].([]any)
		if a.status != 200 {
			t.Errorf("%s = %d %v", query, a.status, a.body)
		}
		return len(items)
	}
	for query, want := range map[string]int{
		"actor=okta": 1, "actor=ADMIN": 1, "actor=nobody": 0, "target=" + string(ann) + "&actor=okta": 1, "until=2001-01-01T00:00:00Z": 0,
		"since=2999-01-01T00:00:00Z": 0, "until=2999-01-01T00:00:00Z": count(""),
		"action=group": 2, "action=group.&after=100000": 0, "since=" + begun: count(""), "limit=1": 1,
	} {
		if got := count(query); got != want {
			t.Errorf("%s lists %d records, want %d", query, got, want)
		}
	}
	var seen []string
	for path := "/api/v1/audit?limit=2"; path != ""; {
		a := call(t, srv, "GET", path, "")
		for _, item := range a.body["items"].([]any) {
			seen = append(seen, item.(map[string]any)["hash"].(string))
		}
		path, _, _ = strings.Cut(strings.TrimPrefix(a.header.Get("Link"), "<"), ">")
	}
	if len(seen) != count("") || len(slices.Compact(slices.Clone(seen))) != len(seen) {
		t.Errorf("the pages have %d records, want %d", len(seen), count(""))
	}
}

// TestAPrunedChainIsVerifiedFromItsRest forgets old records: the rest is whole,
// and says from where, and what is taken away beyond that shows.
func TestAPrunedChainIsVerifiedFromItsRest(t *testing.T) {
	day, now := 24*time.Hour, time.Now()
	path := filepath.Join(t.TempDir(), "usherd.db")
	open := func() (*store.Store, *admin.Service) {
		st, err := store.Open(t.Context(), store.Config{DSN: "sqlite:" + path, Now: func() time.Time { return now }, HistoryKeep: day, AuditKeep: 10 * day})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = st.Close() })
		s, err := admin.New(admin.Config{Store: st, TokenKey: make([]byte, 32), BaseURL: func() string { return "" }, Principal: by, Now: func() time.Time { return now }})
		if err != nil {
			t.Fatal(err)
		}
		return st, s
	}
	st, s := open()
	add := func(n int) {
		for range n {
			if _, err := st.Apply(t.Context(), by, directory.CreateUser{ID: directory.UserID(directory.NewID()), Source: directory.Local, Profile: directory.Profile{UserName: directory.NewID(), Active: true}}); err != nil {
				t.Fatal(err)
			}
		}
	}
	checkpoint := func() audit.Point {
		p, err := s.AuditCheckpoint(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		hash, err := audit.ParseHash(p.Hash)
		if err != nil {
			t.Fatal(err)
		}
		return audit.Point{Seq: int64(p.Revision), Hash: hash}
	}
	add(1)
	old := checkpoint()
	add(1)
	edge := checkpoint()
	add(1) // can be decided as of, and stays
	now = now.Add(11 * day)
	add(3)
	recent := checkpoint()
	if err := st.Prune(t.Context()); err != nil {
		t.Fatal(err)
	}
	wrong := edge
	wrong.Hash[0]++
	for name, tt := range map[string]struct {
		kept audit.Point
		ok   bool
		says string
	}{
		"no checkpoint":                     {audit.Point{}, true, ""},
		"one of what was forgotten":         {old, true, "says nothing"},
		"one of the last that was":          {edge, true, "contains"},
		"another history's":                 {wrong, false, ""},
		"one of what is kept":               {recent, true, "contains"},
		"one of more than there is records": {audit.Point{Seq: 99}, false, ""},
	} {
		v, err := s.VerifyAuditFrom(t.Context(), tt.kept)
		if err != nil || v.OK != tt.ok || v.From != 3 || !strings.Contains(v.Checkpoint, tt.says) {
			t.Errorf("against %s: %+v, %v", name, v, err)
		}
	}
	if err := st.Close(); err != nil {
		t.Fatal(err)
	}
	db, err := sql.Open("sqlite", path)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := db.ExecContext(t.Context(), `DELETE FROM audit WHERE revision = 3`); err != nil {
		t.Fatal(err)
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	_, s = open()
	if v, err := s.VerifyAudit(t.Context()); err != nil || v.OK || v.BrokenAt != 3 {
		t.Errorf("with one more taken away: %+v, %v; want it broken at 3", v, err)
	}
}

// TestADamagedRecordIsListedAsOne damages one record in several ways: all others
// can be read as ever.
func TestADamagedRecordIsListedAsOne(t *testing.T) {
	for name, statements := range map[string][]string{
		"no summary":     {`UPDATE audit SET changes = '[{broken', headed = NULL WHERE revision = 3`, `DELETE FROM audit_head WHERE revision = 3`, `DELETE FROM audit_name WHERE revision = 3`},
		"a lost summary": {`UPDATE audit SET changes = '[{broken' WHERE revision = 3`, `DELETE FROM audit_head WHERE revision = 3`},
		"another value":  {`UPDATE audit SET changes = '[5]', headed = NULL WHERE revision = 3`, `DELETE FROM audit_head WHERE revision = 3`},
		"all of it":      {`UPDATE audit SET changes = '', actor = '{', hash = '-', headed = NULL WHERE revision = 3`, `DELETE FROM audit_head WHERE revision = 3`},
	} {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "usherd.db")
			s, tamper := tampered(t, "sqlite:"+path, "sqlite", path)
			for _, statement := range statements {
				tamper(statement)
			}
			heads, err := s.FindAuditHeads(t.Context(), admin.AuditQuery{})
			if err != nil || len(heads.Items) != 6 {
				t.Fatalf("FindAuditHeads = %d heads, %v; want 6", len(heads.Items), err)
			}
			for _, h := range heads.Items {
				if damaged := slices.Equal(h.Types, []string{directory.AuditUnreadable}); damaged != (h.Revision == 3) {
					t.Errorf("the types of record %d are %v", h.Revision, h.Types)
				}
			}
			if found, err := s.FindAuditHeads(t.Context(), admin.AuditQuery{Action: directory.AuditUnreadable}); name != "a lost summary" && (err != nil || len(found.Items) != 1) {
				t.Errorf("FindAuditHeads of what is unreadable = %+v, %v; want the one", found.Items, err)
			}
			r, err := s.AuditRecord(t.Context(), 3)
			if err != nil {
				t.Fatal(err)
			}
			changes, err := admin.AuditedChanges(r)
			if err != nil || len(changes) != 1 || changes[0].Type != directory.AuditUnreadable || !strings.Contains(changes[0].Value, "usherd audit verify") {
				t.Errorf("AuditedChanges = %+v, %v; want that they do not read", changes, err)
			}
			srv := (&world{Service: s, t: t}).server(true)
			if a := call(t, srv, "GET", "/api/v1/audit", ""); a.status != 200 || len(a.body["items"].([]any)) != 6 {
				t.Errorf("GET /audit = %d %v; want 6 records", a.status, a.body)
			}
			for _, format := range []string{"csv", "jsonl"} {
				if status, _, text := send(t, srv, "GET", "/api/v1/audit?action=user&format="+format, ""); status != 200 || strings.Count(text, "user.created") != 5 {
					t.Errorf("GET /audit as %s = %d %s; want the 5 others", format, status, text)
				}
			}
			if v, err := s.VerifyAudit(t.Context()); err != nil || v.OK || v.BrokenAt != 3 {
				t.Errorf("VerifyAudit = %+v, %v; want it broken at 3", v, err)
			}
		})
	}
}
