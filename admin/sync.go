package admin

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"

	"github.com/usherd/usherd/directory"
)

// A Syncer runs LDAP sources.
type Syncer interface {
	// Run reads a source once for somebody and applies what it may.
	Run(ctx context.Context, source directory.SourceName, by string) (directory.Run, error)
	// Plan reads a source once and says what a run would do.
	Plan(ctx context.Context, source directory.SourceName) (json.RawMessage, error)
	// Approve applies a held plan, checked again against a new read.
	Approve(ctx context.Context, source directory.SourceName, hash, by string) (directory.Run, error)
	// Test connects to a source and says what it finds.
	Test(ctx context.Context, source directory.SourceName) (json.RawMessage, error)
}

// ldap returns the syncer for a source that is polled.
func (s *Service) ldap(ctx context.Context, name directory.SourceName) (Syncer, error) {
	src, err := s.source(ctx, name)
	if err != nil {
		return nil, err
	}
	if src.Kind != directory.KindLDAP {
		return nil, invalid("source %s is of kind %s; only an ldap source is read from here", name, src.Kind)
	}
	if s.Sync == nil {
		return nil, fmt.Errorf("%w: this process does not read directories", ErrUnavailable)
	}
	return s.Sync, nil
}

// operates is the gate of what reads a directory or decides about what is held.
func (s *Service) operates(ctx context.Context) error {
	if dryRun(ctx) {
		return invalid("this can't be tried without doing it; look at the plan of the source instead (usherd sync plan)")
	}
	_, err := s.reads(ctx, OperateSync)
	return err
}

// A SyncRun is a run as scripts read it: counts and a revision are always
// there.
type SyncRun struct {
	directory.Run
	Counts   map[string]int64   `json:"counts"`
	Revision directory.Revision `json:"revision"` // the present one, if the run changed nothing
}

// syncRun completes a run.
func (s *Service) syncRun(ctx context.Context, run directory.Run, err error) (SyncRun, error) {
	if err != nil {
		return SyncRun{}, err
	}
	out := SyncRun{Run: run, Counts: run.Counts, Revision: run.Revision}
	if out.Counts == nil {
		out.Counts = map[string]int64{}
	}
	if out.Revision == 0 {
		head, err := s.Store.Head(ctx, directory.Stamp{})
		if err != nil {
			return SyncRun{}, fmt.Errorf("reading the revision: %w", err)
		}
		out.Revision = head.Stamp.Revision
	}
	return out, nil
}

// RunSync reads an LDAP source now and applies what it may.
func (s *Service) RunSync(ctx context.Context, by directory.Actor, name directory.SourceName) (SyncRun, error) {
	ldap, err := s.mayRun(ctx, by, name)
	if err != nil {
		return SyncRun{}, err
	}
	run, err := ldap.Run(ctx, name, by.Kind+":"+by.Name)
	return s.syncRun(ctx, run, err)
}

// PlanSync reads an LDAP source and says what a run would do.
func (s *Service) PlanSync(ctx context.Context, name directory.SourceName) (json.RawMessage, error) {
	if _, err := s.reads(ctx, OperateSync); err != nil {
		return nil, err
	}
	ldap, err := s.ldap(ctx, name)
	if err != nil {
		return nil, err
	}
	return ldap.Plan(ctx, name)
}

// TestSource connects to an LDAP source and says what it finds.
func (s *Service) TestSource(ctx context.Context, name directory.SourceName) (json.RawMessage, error) {
	if _, err := s.reads(ctx, OperateSync); err != nil {
		return nil, err
	}
	ldap, err := s.ldap(ctx, name)
	if err != nil {
		return nil, err
	}
	return ldap.Test(ctx, name)
}

// A SyncStatus is how an LDAP source stands.
type SyncStatus struct {
	Source directory.SourceName  `json:"source"`
	State  directory.SourceState `json:"state"`
	Last   *directory.Run        `json:"last,omitempty"`
	Held   string                `json:"held,omitempty"` // hash of the plan that waits
	Runs   []directory.Run       `json:"runs,omitempty"` // the newest first, as many as were asked for

	// Telling is the newest run that says how the source is doing, however many
	// were asked for: one that is under way or that somebody cancelled does not. It
	// is nil if none of the last 100 does.
	Telling *directory.Run `json:"telling,omitempty"`
}

// toldRuns is how many runs are looked at for one that tells how a source is
// doing.
const toldRuns = 100

// AllCancelled reports whether all runs were cancelled, but for one that may be
// under way. It takes a status of at least two runs.
func (s SyncStatus) AllCancelled() bool {
	return s.Telling == nil && slices.ContainsFunc(s.Runs, func(r directory.Run) bool { return r.Result == directory.RunCancelled })
}

// telling is the first of runs that says how its source is doing, or nil.
func telling(runs []directory.Run) *directory.Run {
	i := slices.IndexFunc(runs, func(r directory.Run) bool {
		return r.Result != directory.RunCancelled && r.Result != directory.RunRunning
	})
	if i < 0 {
		return nil
	}
	return &runs[i]
}

// SyncStatus tells of one LDAP source, or of all if name is empty.
func (s *Service) SyncStatus(ctx context.Context, name directory.SourceName, runs int) ([]SyncStatus, error) {
	if _, err := s.reads(ctx, ReadSources); err != nil {
		return nil, err
	}
	if name != "" {
		if src, err := s.source(ctx, name); err != nil {
			return nil, err
		} else if src.Kind != directory.KindLDAP {
			return nil, invalid("source %s is of kind %s; only an ldap source has runs", name, src.Kind)
		}
	}
	sources, err := s.Store.Sources(ctx)
	if err != nil {
		return nil, fmt.Errorf("reading sources: %w", err)
	}
	holds, err := s.Store.Holds(ctx)
	if err != nil {
		return nil, fmt.Errorf("reading holds: %w", err)
	}
	out := []SyncStatus{}
	for _, src := range sources {
		if src.Kind != directory.KindLDAP || src.State == directory.SourceRemoved || (name != "" && src.Name != name) {
			continue
		}
		status := SyncStatus{Source: src.Name, State: src.State}
		if err := s.statusRuns(ctx, &status, max(1, runs)); err != nil {
			return nil, fmt.Errorf("runs of %s: %w", src.Name, err)
		}
		if i := slices.IndexFunc(holds, func(h directory.Hold) bool { return h.Source == src.Name }); i >= 0 {
			status.Held = holds[i].Hash
		}
		out = append(out, status)
	}
	return out, nil
}

// statusRuns fills in the newest n runs, and the one that tells.
func (s *Service) statusRuns(ctx context.Context, status *SyncStatus, n int) (err error) {
	if status.Runs, err = s.Store.Runs(ctx, status.Source, n); err != nil || len(status.Runs) == 0 {
		return err
	}
	status.Last, status.Telling = &status.Runs[0], telling(status.Runs)
	if status.Telling == nil && len(status.Runs) == n && n < toldRuns {
		further, err := s.Store.Runs(ctx, status.Source, toldRuns)
		if err != nil {
			return err
		}
		status.Telling = telling(further)
	}
	return nil
}

// Holds lists the plans that wait for an administrator.
func (s *Service) Holds(ctx context.Context) ([]directory.Hold, error) {
	if _, err := s.reads(ctx, ReadSources); err != nil {
		return nil, err
	}
	holds, err := s.Store.Holds(ctx)
	if err != nil {
		return nil, fmt.Errorf("reading holds: %w", err)
	}
	return holds, nil
}

// Hold shows the plan of a source that waits.
func (s *Service) Hold(ctx context.Context, name directory.SourceName) (directory.Hold, error) {
	holds, err := s.Holds(ctx)
	if err != nil {
		return directory.Hold{}, err
	}
	i := slices.IndexFunc(holds, func(h directory.Hold) bool { return h.Source == name })
	if i < 0 {
		return directory.Hold{}, notFound("no plan of source %s is held", name)
	}
	return holds[i], nil
}

// ApproveHold applies what is held. The hash says which plan was looked at; if
// it is empty, the one that waits now is meant.
func (s *Service) ApproveHold(ctx context.Context, by directory.Actor, name directory.SourceName, hash string) (SyncRun, error) {
	if _, err := s.allowed(ctx, by, OperateSync, ""); err != nil {
		return SyncRun{}, err
	}
	if err := s.operates(ctx); err != nil {
		return SyncRun{}, err
	}
	hold, err := s.heldAs(ctx, name, hash)
	if err != nil {
		return SyncRun{}, err
	}
	ldap, err := s.ldap(ctx, name)
	if err != nil {
		return SyncRun{}, err
	}
	run, err := ldap.Approve(ctx, name, hold.Hash, by.Kind+":"+by.Name)
	return s.syncRun(ctx, run, err)
}

// DiscardHold forgets what is held. If the directory still says so at the next
// run, it is held again.
func (s *Service) DiscardHold(ctx context.Context, name directory.SourceName, hash string) error {
	if err := s.operates(ctx); err != nil {
		return err
	}
	hold, err := s.heldAs(ctx, name, hash)
	if err != nil {
		return err
	}
	if err := s.Store.EndHold(ctx, name, hold.Hash); err != nil {
		return fmt.Errorf("hold of %s: %w", name, err)
	}
	return nil
}

func (s *Service) heldAs(ctx context.Context, name directory.SourceName, hash string) (directory.Hold, error) {
	hold, err := s.Hold(ctx, name)
	if err == nil && hash != "" && hash != hold.Hash {
		err = fmt.Errorf("%w: the plan held now is %s, not %s; look at it again (usherd hold show %s)", ErrStale, hold.Hash, hash, name)
	}
	return hold, err
}
