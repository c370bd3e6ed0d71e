package admin

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/usherd/usherd/directory"
)

// cancelledRunSpace has, by run, who has cancelled it. Whichever replica runs it
// looks there.
const cancelledRunSpace = "sync-cancelled"

const (
	cancelKept = 7 * 24 * time.Hour // no run takes that long
	cancelWait = 10 * time.Second   // for the end of a run; the answer tells if it takes longer
	cancelLook = 100 * time.Millisecond
)

// A cancelledRun is what is kept of that.
type cancelledRun struct {
	By string `json:"by"`
}

// CancelSync stops the run of a source that is under way, on whatever replica,
// and waits a little for its end. What it has applied stays; the next run goes
// on. If run is not empty, only that one is meant. The answer is the run: one
// that is still running stops at its next step, and one that came to its end
// before it heard of this has another result.
func (s *Service) CancelSync(ctx context.Context, by directory.Actor, name directory.SourceName, run string) (SyncRun, error) {
	if _, err := s.allowed(ctx, by, OperateSync, ""); err != nil {
		return SyncRun{}, err
	}
	if err := s.operates(ctx); err != nil {
		return SyncRun{}, err
	}
	meant, err := s.underWay(ctx, name, run)
	if err != nil {
		return SyncRun{}, err
	}
	if err := s.keepCancelled(ctx, by, meant); err != nil {
		return SyncRun{}, err
	}
	ended, err := s.awaitEnd(ctx, meant)
	return s.syncRun(ctx, ended, err)
}

// underWay is the run of a source that is under way.
func (s *Service) underWay(ctx context.Context, name directory.SourceName, run string) (directory.Run, error) {
	src, err := s.source(ctx, name)
	if err != nil {
		return directory.Run{}, err
	}
	if src.Kind != directory.KindLDAP {
		return directory.Run{}, invalid("source %s is of kind %s; only an ldap source has runs", name, src.Kind)
	}
	runs, err := s.Store.Runs(ctx, name, 1)
	switch {
	case err != nil:
		return directory.Run{}, fmt.Errorf("runs of %s: %w", name, err)
	case len(runs) == 0 || runs[0].Result != directory.RunRunning:
		return directory.Run{}, notFound("no run of source %s is under way", name)
	case run != "" && run != runs[0].ID:
		return directory.Run{}, notFound("run %s is not under way; that is %s", run, runs[0].ID)
	}
	return runs[0], nil
}

// keepCancelled says for all replicas that somebody has cancelled a run. Only the
// first one who does so is kept, and noted.
func (s *Service) keepCancelled(ctx context.Context, by directory.Actor, run directory.Run) error {
	before, err := s.Cancelled(ctx, run.ID)
	if err != nil || before != "" {
		return err
	}
	if err := s.note(ctx, by, syncCancelled, string(run.Source), run.ID); err != nil {
		return err
	}
	text, err := json.Marshal(cancelledRun{By: by.Kind + ":" + by.Name})
	if err != nil {
		return fmt.Errorf("encoding who cancelled: %w", err)
	}
	_, err = s.Store.PutKept(ctx, directory.Kept{Space: cancelledRunSpace, Key: run.ID, Value: text, Expires: s.Now().Add(cancelKept)})
	if err != nil && !errors.Is(err, directory.ErrVersion) {
		return fmt.Errorf("cancelling the run: %w", err)
	}
	return nil
}

// Cancelled says who has cancelled a run, as "kind:name"; nobody is "".
func (s *Service) Cancelled(ctx context.Context, run string) (string, error) {
	record, err := s.Store.Kept(ctx, cancelledRunSpace, run)
	if errors.Is(err, directory.ErrNotFound) {
		return "", nil
	}
	var c cancelledRun
	if err == nil {
		err = json.Unmarshal(record.Value, &c)
	}
	if err != nil {
		return "", fmt.Errorf("reading who cancelled: %w", err)
	}
	return c.By, nil
}

// awaitEnd waits a little for the end of a run and returns it as it is then.
func (s *Service) awaitEnd(ctx context.Context, run directory.Run) (directory.Run, error) {
	look := time.NewTicker(cancelLook)
	defer look.Stop()
	late := time.After(cancelWait)
	for {
		runs, err := s.Store.Runs(ctx, run.Source, 5)
		if err != nil {
			return run, fmt.Errorf("runs of %s: %w", run.Source, err)
		}
		if i := slices.IndexFunc(runs, func(r directory.Run) bool { return r.ID == run.ID }); i >= 0 {
			run = runs[i]
		}
		if run.Result != directory.RunRunning {
			return run, nil
		}
		select {
		case <-look.C:
		case <-late:
			return run, nil
		case <-ctx.Done():
			return run, fmt.Errorf("waiting for the end of the run: %w", context.Cause(ctx))
		}
	}
}
