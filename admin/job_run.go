package admin

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/usherd/usherd/directory"
)

// A waitingJob is a job in the memory of the daemon.
type waitingJob struct {
	job  keptJob
	kept directory.Kept
	work jobWork
}

// A jobQueue hands jobs to whoever runs them.
type jobQueue struct {
	mu      sync.Mutex
	open    bool // somebody runs jobs
	waiting []*waitingJob
	wake    chan struct{}
	current string
	stop    context.CancelFunc // ends the current job
}

// put makes a job and queues it.
func (q *jobQueue) put(prepare func() (*waitingJob, error)) error {
	q.mu.Lock()
	defer q.mu.Unlock()
	switch {
	case !q.open:
		return fmt.Errorf("%w: jobs need the running daemon", ErrUnavailable)
	case len(q.waiting) >= jobsWaiting:
		return fmt.Errorf("%w: %d jobs are waiting", errTooMany, len(q.waiting))
	}
	job, err := prepare()
	if err != nil {
		return err
	}
	q.waiting = append(q.waiting, job)
	select {
	case q.wake <- struct{}{}:
	default:
	}
	return nil
}

// take returns the next job and its context; nil if there is none.
func (q *jobQueue) take(ctx context.Context) (*waitingJob, context.Context, context.CancelFunc) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if len(q.waiting) == 0 {
		return nil, nil, nil
	}
	next := q.waiting[0]
	q.waiting = q.waiting[1:]
	ctx, stop := context.WithCancel(ctx)
	q.current, q.stop = next.job.ID, stop
	return next, ctx, stop
}

// cancel stops the current job if it is this one. One that waits finds out when
// its turn comes.
func (q *jobQueue) cancel(id string) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.current == id && q.stop != nil {
		q.stop()
	}
}

// RunJobs runs the jobs of this process, one after the other, and lets other work
// go on behind requests, until ctx ends; what is not over then is interrupted. It
// is called once.
func (s *Service) RunJobs(ctx context.Context, report func(error)) {
	s.jobs.mu.Lock()
	s.jobs.open, s.jobs.wake = true, make(chan struct{}, 1)
	s.jobs.mu.Unlock()
	defer s.behind.open(ctx, report)()
	for ctx.Err() == nil {
		if next, jobCtx, stop := s.jobs.take(ctx); next != nil {
			if err := s.runJob(ctx, jobCtx, next); err != nil {
				report(fmt.Errorf("job %s: %w", next.job.ID, err))
			}
			stop()
			continue
		}
		select {
		case <-ctx.Done():
		case <-s.jobs.wake:
		}
	}
	s.jobs.mu.Lock()
	defer s.jobs.mu.Unlock()
	s.jobs.open = false
	for _, left := range s.jobs.waiting {
		r := jobRun{service: s, waitingJob: left}
		if err := r.end(context.WithoutCancel(ctx), JobInterrupted, nil); err != nil {
			report(err)
		}
	}
	s.jobs.waiting = nil
}

// A jobRun is a job that is being done. Its methods are called by the job and
// by its heartbeat.
type jobRun struct {
	service *Service
	*waitingJob
	mu      sync.Mutex
	items   []BulkItem // of the chunk that is not full
	chunk   int
	partial directory.Kept // the record of that chunk
	failed  error
	cancel  context.CancelFunc
}

// runJob does one job. life is that of the daemon, ctx that of the job.
func (s *Service) runJob(life, ctx context.Context, next *waitingJob) error {
	ctx, cancel := context.WithCancel(WithPrincipal(ctx, next.job.Actor))
	defer cancel()
	r := &jobRun{service: s, waitingJob: next, cancel: cancel}
	keep := context.WithoutCancel(life)
	r.job.State, r.job.Started = JobRunning, s.Now().UTC().Truncate(time.Millisecond)
	if err := r.note(keep); err != nil {
		return err
	}
	beating := make(chan struct{})
	var heart sync.WaitGroup
	heart.Go(func() { r.beat(keep, beating) })
	var err error
	var out BulkResult
	if !r.cancelled() {
		out, err = next.work(ctx, next.job.Actor, func(item BulkItem) { r.take(keep, item) })
	}
	close(beating)
	heart.Wait()
	r.job.Revision = out.Revision
	if nerr := r.note(keep); nerr != nil { // and learn whether it was cancelled
		return nerr
	}
	switch {
	case r.cancelled():
		return r.end(keep, JobCancelled, nil)
	case life.Err() != nil:
		return r.end(keep, JobInterrupted, nil)
	case ctx.Err() != nil || r.failed != nil:
		return r.end(keep, JobFailed, errors.Join(err, r.failed))
	case err != nil:
		return r.end(keep, JobFailed, err)
	}
	return r.end(keep, JobDone, nil)
}

func (r *jobRun) cancelled() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.job.Cancel
}

// take notes what came of one item. What can't be noted ends the job: nobody
// would know what it did.
func (r *jobRun) take(ctx context.Context, item BulkItem) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.items = append(r.items, item); item.OK {
		r.job.Done++
	} else {
		r.job.Failed++
	}
	if len(r.items) < jobChunk {
		return
	}
	if err := r.flush(ctx); err != nil {
		r.failed = err
		r.cancel()
		return
	}
	r.items, r.chunk, r.partial = nil, r.chunk+1, directory.Kept{}
}

// beat says that the job is alive, and how far it is.
func (r *jobRun) beat(ctx context.Context, end <-chan struct{}) {
	tick := time.NewTicker(jobHeartbeat / 3)
	defer tick.Stop()
	for {
		select {
		case <-end:
			return
		case <-tick.C:
		}
		r.mu.Lock()
		err := r.flush(ctx)
		if err == nil {
			err = r.noteLocked(ctx)
		}
		if err != nil {
			r.failed = err
			r.cancel()
		}
		r.mu.Unlock()
	}
}

// flush keeps the results of the chunk that is not full.
func (r *jobRun) flush(ctx context.Context) error {
	if len(r.items) == 0 {
		return nil
	}
	value, err := json.Marshal(r.items)
	if err != nil {
		return fmt.Errorf("encoding results: %w", err)
	}
	record := r.partial
	record.Space, record.Key = jobItemsSpace, fmt.Sprintf("%s/%06d", r.job.ID, r.chunk)
	record.Value, record.Expires = value, r.service.Now().Add(jobLife)
	r.partial, err = r.service.Store.PutKept(ctx, record)
	return err
}

func (r *jobRun) note(ctx context.Context) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.noteLocked(ctx)
}

// noteLocked keeps how far the job is. Somebody may have asked meanwhile to
// cancel it.
func (r *jobRun) noteLocked(ctx context.Context) error {
	for {
		kept, err := r.service.keepJob(ctx, r.kept, &r.job)
		if err == nil {
			r.kept = kept
			return nil
		}
		if !errors.Is(err, directory.ErrVersion) {
			return err
		}
		if r.kept, err = r.service.Store.Kept(ctx, jobSpace, r.job.ID); err != nil {
			return err
		}
		var theirs keptJob
		if err := json.Unmarshal(r.kept.Value, &theirs); err != nil {
			return fmt.Errorf("reading a job: %w", err)
		}
		if theirs.Cancel && !r.job.Cancel {
			r.job.Cancel = true
			if r.cancel != nil {
				r.cancel()
			}
		}
	}
}

// end keeps how the job ended.
func (r *jobRun) end(ctx context.Context, state JobState, why error) error {
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	r.mu.Lock()
	defer r.mu.Unlock()
	if err := r.flush(ctx); err != nil {
		return err
	}
	r.job.State, r.job.Ended = state, r.service.Now().UTC().Truncate(time.Millisecond)
	if why != nil {
		r.job.Error = ProblemOf(why).Error()
	}
	return r.noteLocked(ctx)
}
