package admin

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/usherd/usherd/directory"
)

// Where jobs and their results are kept, and for how long.
const (
	jobSpace      = "job"
	jobItemsSpace = "job-items"
	jobLife       = 30 * 24 * time.Hour
	jobsWaiting   = 20  // at most, in one process
	jobChunk      = 500 // results in one kept record
	jobHeartbeat  = 3 * time.Second
	jobSilence    = 5 * jobHeartbeat // after which whoever ran a job has ended
)

// A JobState says how far a job is.
type JobState string

// The states of a job.
const (
	JobQueued      JobState = "queued"
	JobRunning     JobState = "running"
	JobDone        JobState = "done" // every item was tried; some may have failed
	JobFailed      JobState = "failed"
	JobCancelled   JobState = "cancelled"
	JobInterrupted JobState = "interrupted" // the daemon stopped; the rest was not tried
)

// A Job is bulk work that the daemon does. What it has done stays done if it is
// cancelled or interrupted.
type Job struct {
	ID       string             `json:"id"`
	Do       string             `json:"do"`
	Of       string             `json:"of,omitempty"` // the job that a revert takes back
	State    JobState           `json:"state"`
	By       string             `json:"by"`
	Total    int                `json:"total"`
	Done     int                `json:"done"`
	Failed   int                `json:"failed"`
	Revision directory.Revision `json:"revision,omitempty"` // the last one that was made
	Created  time.Time          `json:"created"`
	Started  time.Time          `json:"started,omitzero"`
	Ended    time.Time          `json:"ended,omitzero"`
	Error    string             `json:"error,omitempty"`
}

// A keptJob is a job as it is kept. What it is to do is in the memory of the
// daemon alone: jobs do not survive it.
type keptJob struct {
	Job
	Actor  directory.Actor `json:"actor"`
	Cancel bool            `json:"cancel,omitempty"` // somebody asked for it
}

func (k *keptJob) over() bool { return k.State != JobQueued && k.State != JobRunning }

// StartBulk gives bulk work to the daemon as a job.
func (s *Service) StartBulk(ctx context.Context, by directory.Actor, b Bulk) (Job, error) {
	if err := b.check(); err != nil {
		return Job{}, err
	}
	if err := s.mayTryBulk(ctx, by, b); err != nil {
		return Job{}, err
	}
	return s.startJob(ctx, by, b.Do, "", len(b.Users)+len(b.Groups), func(ctx context.Context, by directory.Actor, each func(BulkItem)) (BulkResult, error) {
		return s.RunBulk(ctx, by, b, each)
	})
}

// A jobWork is what a job does; it tells each of every result.
type jobWork func(ctx context.Context, by directory.Actor, each func(BulkItem)) (BulkResult, error)

// startJob queues work. Its audit records have the job's id as their request.
func (s *Service) startJob(ctx context.Context, by directory.Actor, do, of string, total int, work jobWork) (Job, error) {
	id := directory.NewID()
	by.Request = id
	job := keptJob{Actor: by, Job: Job{
		ID: id, Do: do, Of: of, State: JobQueued, By: by.Kind + ":" + by.Name,
		Total: total, Created: s.Now().UTC().Truncate(time.Millisecond),
	}}
	return job.Job, s.jobs.put(func() (*waitingJob, error) {
		kept, err := s.keepJob(ctx, directory.Kept{Key: job.ID}, &job)
		return &waitingJob{job, kept, work}, err
	})
}

// keepJob writes a job over a record of it.
func (s *Service) keepJob(ctx context.Context, record directory.Kept, job *keptJob) (directory.Kept, error) {
	value, err := json.Marshal(job)
	if err != nil {
		return record, fmt.Errorf("encoding a job: %w", err)
	}
	record.Space, record.Value, record.Expires = jobSpace, value, s.Now().Add(jobLife)
	return s.Store.PutKept(ctx, record)
}

// readJob returns a job as it is kept; one whose daemon is silent was
// interrupted.
func (s *Service) readJob(record directory.Kept) (job keptJob, err error) {
	if err := json.Unmarshal(record.Value, &job); err != nil {
		return job, fmt.Errorf("reading a job: %w", err)
	}
	if !job.over() && s.Now().Sub(record.Modified) > jobSilence {
		job.State, job.Ended = JobInterrupted, record.Modified
	}
	return job, nil
}

// seesJob reports whether somebody may see a job: whoever started it, and
// whoever may read the audit log.
func (a *Authority) seesJob(job *keptJob) bool {
	by, mine := a.Actor, job.Actor
	return by.Kind == mine.Kind && by.Name == mine.Name && by.Token == mine.Token || a.May(ReadAudit, "")
}

// findJob returns a job that the asker may see.
func (s *Service) findJob(ctx context.Context, id string) (keptJob, directory.Kept, error) {
	a, err := s.reads(ctx, SignedIn)
	if err != nil {
		return keptJob{}, directory.Kept{}, err
	}
	record, err := s.Store.Kept(ctx, jobSpace, id)
	if errors.Is(err, directory.ErrNotFound) {
		return keptJob{}, record, notFound("no job %s", id)
	}
	if err != nil {
		return keptJob{}, record, err
	}
	job, err := s.readJob(record)
	if err == nil && !a.seesJob(&job) {
		err = notFound("no job %s", id)
	}
	return job, record, err
}

// Job returns a job.
func (s *Service) Job(ctx context.Context, id string) (Job, error) {
	job, _, err := s.findJob(ctx, id)
	return job.Job, err
}

// Jobs lists the jobs that the asker may see, the oldest first.
func (s *Service) Jobs(ctx context.Context) ([]Job, error) {
	a, err := s.reads(ctx, SignedIn)
	if err != nil {
		return nil, err
	}
	out := []Job{}
	return out, s.eachKept(ctx, jobSpace, "", func(record directory.Kept) error {
		job, err := s.readJob(record)
		if err == nil && a.seesJob(&job) {
			out = append(out, job.Job)
		}
		return err
	})
}

// eachKept calls each for the records of a space whose keys begin with a
// prefix.
func (s *Service) eachKept(ctx context.Context, space, prefix string, each func(directory.Kept) error) error {
	const page = 100
	for after := prefix; ; {
		records, err := s.Store.ListKept(ctx, space, after, page)
		if err != nil {
			return err
		}
		for _, record := range records {
			if after = record.Key; len(after) < len(prefix) || after[:len(prefix)] != prefix {
				return nil
			}
			if err := each(record); err != nil {
				return err
			}
		}
		if len(records) < page {
			return nil
		}
	}
}

// JobItems returns what came of each item that a job has tried.
func (s *Service) JobItems(ctx context.Context, id string) ([]BulkItem, error) {
	if _, _, err := s.findJob(ctx, id); err != nil {
		return nil, err
	}
	out := []BulkItem{}
	return out, s.eachKept(ctx, jobItemsSpace, id+"/", func(record directory.Kept) error {
		var some []BulkItem
		if err := json.Unmarshal(record.Value, &some); err != nil {
			return fmt.Errorf("reading results of job %s: %w", id, err)
		}
		out = append(out, some...)
		return nil
	})
}

// CancelJob asks whoever runs a job to stop after the item that it is at. A job
// that is over stays what it is.
func (s *Service) CancelJob(ctx context.Context, id string) (Job, error) {
	for {
		job, record, err := s.findJob(ctx, id)
		if err != nil || job.over() {
			return job.Job, err
		}
		a, err := s.Authority(ctx)
		if err != nil {
			return Job{}, err
		}
		if by := a.Actor; !a.Has(directory.OrganizationOwn, "") && (by.Kind != job.Actor.Kind || by.Name != job.Actor.Name || by.Token != job.Actor.Token) {
			return Job{}, fmt.Errorf("%w: only who started a job, or an owner, cancels it", ErrForbidden)
		}
		job.Cancel = true
		if _, err = s.keepJob(ctx, record, &job); errors.Is(err, directory.ErrVersion) {
			continue // it went on meanwhile
		}
		if err == nil {
			s.jobs.cancel(id)
		}
		return job.Job, err
	}
}
