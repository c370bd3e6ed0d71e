package store

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/usherd/usherd/audit"
	"github.com/usherd/usherd/directory"
	"github.com/usherd/usherd/store/storetest"
)

// eachEngine runs a test on a new store of each engine.
func eachEngine(t *testing.T, test func(t *testing.T, s *Store)) {
	t.Helper()
	for _, engine := range []struct {
		name string
		dsn  func(testing.TB) string
	}{
		{"SQLite", func(tb testing.TB) string { return filepath.Join(tb.TempDir(), "usherd.db") }},
		{"PostgreSQL", storetest.Postgres},
	} {
		t.Run(engine.name, func(t *testing.T) {
			t.Parallel()
			test(t, openAt(t, engine.dsn(t)))
		})
	}
}

func openAt(t *testing.T, dsn string) *Store {
	t.Helper()
	s, err := Open(t.Context(), Config{DSN: dsn})
	if err != nil {
		t.Fatalf("Open = %v", err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Errorf("Close = %v", err)
		}
	})
	return s
}

// system is an actor who may ask for anything.
var system = directory.Actor{Kind: "system", Name: "test"}

func mustApply(t *testing.T, s *Store, changes ...directory.Change) directory.Applied {
	t.Helper()
	a, err := s.Apply(t.Context(), system, changes...)
	if err != nil {
		t.Fatalf("Apply(%T…) = %v", changes[0], err)
	}
	return a
}

// createLocal is a change that makes a local user.
func createLocal(name string) directory.CreateUser {
	return directory.CreateUser{
		ID: directory.UserID(directory.NewID()), Source: directory.Local,
		Profile: directory.Profile{UserName: name, Active: true},
	}
}

func createLocalGroup(name string) directory.CreateGroup {
	return directory.CreateGroup{ID: directory.GroupID(directory.NewID()), Source: directory.Local, Name: name}
}

// checkHistory checks that revisions are dense in the feed and in the audit
// trail, that the chain holds, and that both end at the head.
func checkHistory(t *testing.T, s *Store) {
	t.Helper()
	head, err := s.Head(t.Context(), directory.Stamp{})
	if err != nil {
		t.Fatal(err)
	}
	var at audit.Point
	records, err := collect(t.Context(), s.read, func(row scanner) (r audit.Record, err error) {
		var hash string
		if err = row.Scan(&r.Seq, &r.Time, &r.Actor, &r.Changes, &hash); err != nil {
			return r, err
		}
		r.Hash, err = audit.ParseHash(hash)
		return r, err
	}, `SELECT revision, time, actor, changes, hash FROM audit ORDER BY revision`)
	if err != nil {
		t.Fatal(err)
	}
	at, err = audit.Verify(at, func(yield func(audit.Record, error) bool) {
		for _, r := range records {
			if !yield(r, nil) {
				return
			}
		}
	})
	end := directory.Stamp{Revision: directory.Revision(at.Seq), Fingerprint: directory.FingerprintOf(at.Hash)}
	if at.Seq == 0 {
		end = directory.Stamp{}
	}
	if err != nil || end != head.Stamp {
		t.Errorf("the audit trail ends at %v, %v; the head is %v", end, err, head.Stamp)
	}
	var n, last int64
	if err := s.read.QueryRowContext(t.Context(), `SELECT count(*), COALESCE(max(revision), 0) FROM feed`).Scan(&n, &last); err != nil {
		t.Fatal(err)
	}
	if n != last || last != int64(head.Stamp.Revision) {
		t.Errorf("the feed has %d records up to %d; the head is %v", n, last, head.Stamp)
	}
}

func TestConcurrentWritersMakeDenseRevisions(t *testing.T) {
	eachEngine(t, func(t *testing.T, s *Store) {
		g := createLocalGroup("all")
		mustApply(t, s, g)
		const writers, each = 50, 4
		var wait sync.WaitGroup
		for w := range writers {
			wait.Go(func() {
				for i := range each {
					u := createLocal(fmt.Sprintf("user-%d-%d", w, i))
					if _, err := s.Apply(t.Context(), system, u,
						directory.AddMembers{Group: g.ID, Source: directory.Local, Values: []string{string(u.ID)}}); err != nil {
						t.Errorf("Apply of writer %d = %v", w, err)
					}
					// One in two callers also asks for what is refused, in the same batches.
					if _, err := s.Apply(t.Context(), system, createLocal(fmt.Sprintf("dead-%d-%d", w, i)), u); !errors.Is(err, directory.ErrExists) {
						t.Errorf("Apply of a taken userName = %v, want ErrExists", err)
					}
				}
			})
		}
		wait.Wait()
		var users, members, count, version int64
		if err := s.read.QueryRowContext(t.Context(), `SELECT (SELECT count(*) FROM users),
			(SELECT count(*) FROM membership WHERE until = $1), member_count, version FROM groups`, int64(forever)).
			Scan(&users, &members, &count, &version); err != nil {
			t.Fatal(err)
		}
		const want = writers * each
		if users != want || members != want || count != want || version != want+1 {
			t.Errorf("there are %d users, %d members, counted as %d, version %d; want %d, %[5]d, %[5]d, %d",
				users, members, count, version, want, want+1)
		}
		head, err := s.Head(t.Context(), directory.Stamp{})
		if err != nil || head.Stamp.Revision != want+1 {
			t.Errorf("Head = %v, %v; want revision %d", head.Stamp, err, want+1)
		}
		checkHistory(t, s)
	})
}

// TestReplicasShareOneHistory lets two processes, as it were, write at once.
func TestReplicasShareOneHistory(t *testing.T) {
	dsn := storetest.Postgres(t)
	replicas := []*Store{openAt(t, dsn), openAt(t, dsn)}
	const writers, each = 10, 5
	var wait sync.WaitGroup
	for w := range writers {
		wait.Go(func() {
			for i := range each {
				if _, err := replicas[w%2].Apply(t.Context(), system, createLocal(fmt.Sprintf("u-%d-%d", w, i))); err != nil {
					t.Errorf("Apply of writer %d = %v", w, err)
				}
			}
		})
	}
	wait.Wait()
	head, err := replicas[0].Head(t.Context(), directory.Stamp{})
	if err != nil || head.Stamp.Revision != writers*each {
		t.Errorf("Head = %v, %v; want revision %d", head.Stamp, err, writers*each)
	}
	checkHistory(t, replicas[1])
}

// batchOf hands jobs to a writer's transaction as one batch, which needs no
// luck with the timing of callers.
func batchOf(t *testing.T, s *Store, applies ...[]directory.Change) []answer {
	t.Helper()
	w := &writer{db: s.write, d: s.d, now: s.now}
	var jobs []*job
	for _, changes := range applies {
		j := &job{by: system, answer: make(chan answer, 1)}
		for _, c := range changes {
			o, err := prepare(c)
			if err != nil {
				t.Fatal(err)
			}
			j.ops = append(j.ops, o)
		}
		jobs = append(jobs, j)
	}
	w.perform(jobs)
	var answers []answer
	for _, j := range jobs {
		answers = append(answers, <-j.answer)
	}
	return answers
}

func TestBatchKeepsAppliesApart(t *testing.T) {
	eachEngine(t, func(t *testing.T, s *Store) {
		ann, bob, g := createLocal("ann"), createLocal("bob"), createLocalGroup("g")
		answers := batchOf(t, s,
			[]directory.Change{ann},
			[]directory.Change{g, createLocal("ANN")},            // the group must not stay
			[]directory.Change{directory.SetBlock{User: ann.ID}}, // alters nothing
			[]directory.Change{bob},
			[]directory.Change{directory.SetCursor{Source: directory.Local, Cursor: []byte(`{"at": 1}`)}},
			[]directory.Change{directory.SetGroupStatus{Group: g.ID, Status: directory.GroupBlocked}},
		)
		want := []struct {
			revision directory.Revision
			changed  bool
			err      error
		}{{1, true, nil}, {0, false, directory.ErrExists}, {1, false, nil}, {2, true, nil}, {2, false, nil}, {0, false, directory.ErrNotFound}}
		for i, w := range want {
			a := answers[i]
			if a.applied.Stamp.Revision != w.revision || a.applied.Changed != w.changed || !errors.Is(a.err, w.err) {
				t.Errorf("Apply %d = %+v, %v; want revision %d, changed %v, %v", i, a.applied, a.err, w.revision, w.changed, w.err)
			}
		}
		if answers[2].applied.Stamp != answers[0].applied.Stamp {
			t.Errorf("an Apply without effect answers %v, want the head %v", answers[2].applied.Stamp, answers[0].applied.Stamp)
		}
		if cursor, err := s.Cursor(t.Context(), directory.Local); err != nil || string(cursor) != `{"at":1}` {
			t.Errorf("Cursor = %s, %v; want what was set", cursor, err)
		}
		checkHistory(t, s)
	})
}

// breakTx ends its transaction behind the writer's back, as a full disk does.
type breakTx struct{ times *int }

func (o breakTx) run(ctx context.Context, e *edit) error {
	if *o.times--; *o.times < 0 {
		return nil
	}
	_, err := e.tx.ExecContext(ctx, "ROLLBACK")
	return errors.Join(err, errors.New("disk full"))
}

func TestBrokenTransactionIsRunAgainAlone(t *testing.T) {
	eachEngine(t, func(t *testing.T, s *Store) {
		w := &writer{db: s.write, d: s.d, now: s.now}
		times := 1
		var jobs []*job
		for i := range 5 {
			o, err := prepare(createLocal(fmt.Sprint("user", i)))
			if err != nil {
				t.Fatal(err)
			}
			j := &job{by: system, ops: []op{o}, answer: make(chan answer, 1)}
			if i == 2 {
				j.ops = append(j.ops, breakTx{&times})
			}
			jobs = append(jobs, j)
		}
		w.perform(jobs)
		for i, j := range jobs {
			a := <-j.answer
			if a.err != nil || a.applied.Stamp.Revision != directory.Revision(i+1) {
				t.Errorf("Apply %d = %+v, %v; want revision %d", i, a.applied, a.err, i+1)
			}
		}
		checkHistory(t, s)
	})
}

func TestBrokenApplyHarmsNoOther(t *testing.T) {
	eachEngine(t, func(t *testing.T, s *Store) {
		w := &writer{db: s.write, d: s.d, now: s.now}
		times := 100
		bad := &job{by: system, ops: []op{breakTx{&times}}, answer: make(chan answer, 1)}
		o, err := prepare(createLocal("ann"))
		if err != nil {
			t.Fatal(err)
		}
		good := &job{by: system, ops: []op{o}, answer: make(chan answer, 1)}
		w.perform([]*job{bad, good})
		if a := <-bad.answer; a.err == nil || a.applied.Changed {
			t.Errorf("the broken Apply = %+v, %v; want an error", a.applied, a.err)
		}
		if a := <-good.answer; a.err != nil || a.applied.Stamp.Revision != 1 {
			t.Errorf("the other Apply = %+v, %v; want revision 1", a.applied, a.err)
		}
		checkHistory(t, s)
	})
}

// waits is an op that tells when it runs and goes on when it is told to.
type waits struct{ running, goOn chan struct{} }

func (o waits) run(context.Context, *edit) error {
	o.running <- struct{}{}
	<-o.goOn
	return nil
}

func TestCancelledCallerLosesTheAnswerNotTheChange(t *testing.T) {
	eachEngine(t, func(t *testing.T, s *Store) {
		hold := waits{make(chan struct{}), make(chan struct{})}
		ops := func(c directory.Change) []op {
			o, err := prepare(c)
			if err != nil {
				t.Fatal(err)
			}
			return []op{o}
		}
		ctx, leave := context.WithCancel(t.Context())
		left := make(chan error, 1)
		go func() {
			j := &job{by: system, ops: append(ops(createLocal("ann")), hold), answer: make(chan answer, 1)}
			_, err := s.w.apply(ctx, j)
			left <- err
		}()
		<-hold.running
		leave()
		if err := <-left; !errors.Is(err, context.Canceled) {
			t.Errorf("apply of a caller who left = %v, want Canceled", err)
		}
		close(hold.goOn)
		if a := mustApply(t, s, createLocal("bob")); a.Stamp.Revision != 2 {
			t.Errorf("Apply after it = %v, want revision 2: the change stays", a.Stamp)
		}
		if _, err := s.Apply(ctx, system, createLocal("cid")); !errors.Is(err, context.Canceled) {
			t.Errorf("Apply with an ended context = %v, want Canceled", err)
		}
		checkHistory(t, s)
	})
}

func TestCloseEndsWaitingCallers(t *testing.T) {
	s, err := Open(t.Context(), Config{DSN: filepath.Join(t.TempDir(), "usherd.db")})
	if err != nil {
		t.Fatal(err)
	}
	mustApply(t, s, createLocal("ann"))
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Apply(t.Context(), system, createLocal("bob")); !errors.Is(err, errClosed) {
		t.Errorf("Apply after Close = %v, want errClosed", err)
	}
}

func TestReopenedStoreGoesOn(t *testing.T) {
	dsn := filepath.Join(t.TempDir(), "usherd.db")
	for i := range 3 {
		s, err := Open(t.Context(), Config{DSN: dsn})
		if err != nil {
			t.Fatal(err)
		}
		a := mustApply(t, s, createLocal(fmt.Sprint("user", i)))
		if a.Stamp.Revision != directory.Revision(i+1) {
			t.Errorf("Apply after reopening = %v, want revision %d", a.Stamp, i+1)
		}
		checkHistory(t, s)
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
	}
}

// TestLostDatabaseAnswersSoon stops the server: callers get errors, nobody a
// success, and the store goes on when it is back.
func TestLostDatabaseAnswersSoon(t *testing.T) {
	server := storetest.StartPostgres(t, storetest.PostgresConfig{})
	s := openAt(t, server.DSN("postgres"))
	mustApply(t, s, createLocal("before"))
	if err := server.Stop(true); err != nil {
		t.Fatal(err)
	}
	var wait sync.WaitGroup
	for i := range 20 {
		wait.Go(func() {
			if a, err := s.Apply(t.Context(), system, createLocal(fmt.Sprint("lost", i))); err == nil {
				t.Errorf("Apply without a database = %v, want an error", a)
			}
		})
	}
	wait.Wait()
	if err := server.Start(); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	for {
		a, err := s.Apply(ctx, system, createLocal("after"))
		if err == nil && a.Stamp.Revision == 2 {
			break
		}
		if ctx.Err() != nil || err == nil {
			t.Fatalf("Apply with the database back = %v, %v; want revision 2", a.Stamp, err)
		}
	}
	checkHistory(t, s)
}

func TestErrorsHoldNoPersonalData(t *testing.T) {
	eachEngine(t, func(t *testing.T, s *Store) {
		mustApply(t, s, createLocal("canary@example.com"))
		_, err := s.Apply(t.Context(), system, createLocal("Canary@example.com"))
		if err == nil || strings.Contains(strings.ToLower(err.Error()), "canary") {
			t.Errorf("Apply of a taken userName = %v, want an error without it", err)
		}
		var audited string
		if err := s.read.QueryRowContext(t.Context(), `SELECT changes FROM audit`).Scan(&audited); err != nil {
			t.Fatal(err)
		}
		if strings.Contains(audited, "canary") || !strings.Contains(audited, `"type":"user.created"`) {
			t.Errorf("the audit record is %s, want the type and no names", audited)
		}
	})
}
