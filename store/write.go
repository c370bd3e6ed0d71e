package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"github.com/usherd/usherd/directory"
)

const (
	batchSize  = 50              // PostgreSQL is slow with many savepoints
	batchLimit = 3 * time.Minute // for one transaction; statements have limits of their own
	attempts   = 5               // of an Apply that the database asks to repeat
)

// errClosed says that the store no longer accepts changes.
var errClosed = errors.New("the store is closed")

// A writer performs changes one after the other, in a goroutine of its own that
// close stops. Callers that wait while it commits share its next transaction,
// and so its flush to disk.
type writer struct {
	db   *sql.DB
	d    dialect
	now  func() time.Time
	kept *prepared
	jobs chan *job
	quit chan struct{} // closed when no job is accepted any more
	done chan struct{} // closed when the goroutine has ended
}

// A job is one Apply. It shares no memory with its caller, who may have left.
type job struct {
	by     directory.Actor
	ops    []op
	staged bool // large: it has a transaction of its own
	answer chan answer

	rehearsed *[]effect // if set, takes the effects, and nothing is kept
}

type answer struct {
	applied directory.Applied
	err     error
}

// newWriter starts a writer.
func newWriter(db *sql.DB, d dialect, now func() time.Time) *writer {
	w := &writer{
		db: db, d: d, now: now, kept: newPrepared(db, d), jobs: make(chan *job),
		quit: make(chan struct{}), done: make(chan struct{}),
	}
	go w.run()
	return w
}

// close ends the writer after the transaction it is in. It is called once.
func (w *writer) close() {
	close(w.quit)
	<-w.done
}

// apply hands a job over and waits for its answer.
func (w *writer) apply(ctx context.Context, j *job) (directory.Applied, error) {
	if err := ctx.Err(); err != nil {
		return directory.Applied{}, fmt.Errorf("waiting for the writer: %w", err)
	}
	select {
	case w.jobs <- j:
	case <-w.quit:
		return directory.Applied{}, errClosed
	case <-ctx.Done():
		return directory.Applied{}, fmt.Errorf("waiting for the writer: %w", ctx.Err())
	}
	select {
	case a := <-j.answer:
		return a.applied, a.err
	case <-ctx.Done():
		return directory.Applied{}, fmt.Errorf("waiting for the commit, which may come: %w", ctx.Err())
	}
}

func (w *writer) run() {
	defer close(w.done)
	defer w.kept.close()
	for {
		select {
		case <-w.quit:
			return
		case j := <-w.jobs:
			batch, alone := w.gather(j)
			w.perform(batch)
			w.perform(alone)
		}
	}
}

// gather takes the jobs that wait now. One that is staged has a transaction of
// its own, after those that came before it.
func (w *writer) gather(j *job) (batch, alone []*job) {
	for {
		if j.staged {
			return batch, []*job{j}
		}
		if batch = append(batch, j); len(batch) == batchSize {
			return batch, nil
		}
		select {
		case j = <-w.jobs:
		default:
			return batch, nil
		}
	}
}

// perform does jobs in one transaction and answers them. If the transaction
// does not stand, nobody was answered and each job is done again alone.
func (w *writer) perform(jobs []*job) {
	if len(jobs) < 2 {
		w.eachAlone(jobs)
		return
	}
	answers, err := w.transact(jobs)
	if broken, ok := errors.AsType[*brokenError](err); ok && broken.when == whileApplying {
		w.eachAlone(jobs)
		return
	}
	var again []*job
	for i, j := range jobs {
		switch {
		case err != nil:
			j.answer <- answer{err: err}
		case mayRepeat(answers[i].err):
			again = append(again, j)
		default:
			j.answer <- answers[i]
		}
	}
	w.eachAlone(again)
}

// eachAlone does each job in a transaction of its own. If the database can't be
// reached for one, the others need not find that out one by one.
func (w *writer) eachAlone(jobs []*job) {
	var lost error
	for _, j := range jobs {
		if lost != nil {
			j.answer <- answer{err: lost}
			continue
		}
		a := w.alone(j)
		if broken, ok := errors.AsType[*brokenError](a.err); ok && broken.when == whileBeginning {
			lost = a.err
		}
		j.answer <- a
	}
}

// alone does one job, again if the database asks for that.
func (w *writer) alone(j *job) answer {
	for n := 1; ; n++ {
		var a answer
		answers, err := w.transact([]*job{j})
		if err != nil {
			a.err = err
		} else {
			a = answers[0]
		}
		if n == attempts || !mayRepeat(a.err) {
			return a
		}
	}
}

// A brokenError says that a transaction does not stand.
type brokenError struct {
	when phase
	err  error
}

// A phase says how far a transaction came.
type phase string

const (
	whileBeginning phase = "beginning"
	whileApplying  phase = "applying"
	// The commit may have happened. It is not tried again: what was done would
	// be refused the second time.
	whileCommitting phase = "committing, outcome unknown"
)

func (e *brokenError) Error() string { return string(e.when) + ": " + e.err.Error() }

func (e *brokenError) Unwrap() error { return e.err }

// transact does jobs in one transaction, on a context that is no caller's: a
// caller who leaves must not roll back what the others did. The error is a
// *brokenError; without one every job has its answer, true as of now.
func (w *writer) transact(jobs []*job) ([]answer, error) {
	ctx, cancel := context.WithTimeout(context.Background(), batchLimit)
	defer cancel()
	defer func() { w.kept.prepare(ctx) }() // after the rollback, which frees the connection
	tx, err := w.db.BeginTx(ctx, nil)
	if err != nil {
		return nil, &brokenError{whileBeginning, err}
	}
	defer tx.Rollback() // after a commit it does nothing, and else there is nothing to lose
	answers, wrote := make([]answer, len(jobs)), false
	for i, j := range jobs {
		did, err := w.one(ctx, session{tx, w.kept}, j, len(jobs) > 1, &answers[i])
		if err != nil {
			return nil, err
		}
		wrote = wrote || did
	}
	if !wrote {
		return answers, nil
	}
	if err := tx.Commit(); err != nil {
		return nil, &brokenError{whileCommitting, err}
	}
	return answers, nil
}

// one does one job, in a savepoint if it shares the transaction. What fails or
// alters nothing is rolled back, its revision number with it; that the savepoint
// is still there shows that the transaction stands.
func (w *writer) one(ctx context.Context, tx session, j *job, shared bool, a *answer) (wrote bool, err error) {
	if shared {
		if _, err := tx.ExecContext(ctx, "SAVEPOINT job"); err != nil {
			return false, &brokenError{whileApplying, err}
		}
	}
	a.applied, wrote, a.err = w.edit(ctx, tx, j)
	if broken, ok := errors.AsType[*brokenError](a.err); ok {
		return false, broken
	}
	if !shared {
		return wrote && a.err == nil, nil
	}
	if !wrote || a.err != nil {
		wrote = false
		if _, err := tx.ExecContext(ctx, "ROLLBACK TO SAVEPOINT job"); err != nil {
			return false, &brokenError{whileApplying, errors.Join(a.err, err)}
		}
	}
	if _, err := tx.ExecContext(ctx, "RELEASE SAVEPOINT job"); err != nil {
		return false, &brokenError{whileApplying, errors.Join(a.err, err)}
	}
	return wrote, nil
}

// mayRepeat reports whether PostgreSQL asks to repeat a transaction that it has
// rolled back: a deadlock with rows that are no facts, or a conflict.
func mayRepeat(err error) bool {
	var state interface{ SQLState() string }
	return errors.As(err, &state) && (state.SQLState() == "40P01" || state.SQLState() == "40001")
}
