package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"time"

	"github.com/usherd/usherd/admin"
	"github.com/usherd/usherd/authz"
	"github.com/usherd/usherd/cache"
	"github.com/usherd/usherd/directory"
	"github.com/usherd/usherd/ldapsync"
	"go.uber.org/zap"
)

// A syncer runs LDAP sources: at their times, and when somebody asks.
type syncer struct {
	store    directory.Store
	service  *admin.Service // says what plans mean; set before anything runs
	schedule *ldapsync.Schedule
	holder   string
	data     string // folder
	log      *zap.Logger

	mu      sync.Mutex // guards running, end and pollers
	end     context.CancelFunc
	pollers map[directory.SourceName]scheduled
}

// scheduled is a poller and the settings it was made from.
type scheduled struct {
	poller   *ldapsync.Poller
	settings string
}

// newSyncer returns a syncer whose runs keep their temporary files in a folder
// of data.
func newSyncer(st directory.Store, data string, log *zap.Logger) *syncer {
	return &syncer{
		store: st, schedule: ldapsync.NewSchedule(log), holder: directory.NewID(), log: log, data: data,
		pollers: map[directory.SourceName]scheduled{},
	}
}

// follow keeps the schedule in step with the sources of the newest view, until
// ctx ends.
func (s *syncer) follow(ctx context.Context, c *cache.Cache[*authz.Snapshot]) {
	runs, end := context.WithCancel(ctx)
	defer end()
	s.mu.Lock()
	s.end = end
	s.mu.Unlock()
	s.schedule.Start()
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	var seen *directory.PolicyFacts
	for {
		if view, err := c.View(); err == nil && view.Snapshot.Policy() != seen {
			seen = view.Snapshot.Policy()
			s.reconcile(runs, seen.Sources)
		}
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}

// reconcile schedules the active LDAP sources and no others.
func (s *syncer) reconcile(ctx context.Context, sources []directory.Source) {
	s.mu.Lock()
	defer s.mu.Unlock()
	active := map[directory.SourceName]bool{}
	for _, src := range sources {
		if src.Kind != directory.KindLDAP || src.State != directory.SourceActive {
			continue
		}
		active[src.Name] = true
		if s.pollers[src.Name].settings == string(src.Settings) {
			continue
		}
		poller, err := s.poller(src)
		if err == nil {
			err = s.schedule.Put(ctx, poller, s.since(ctx, src))
		}
		if err != nil {
			s.log.Error("source is not read", zap.String("source", string(src.Name)), zap.Error(err))
			continue
		}
		s.pollers[src.Name] = scheduled{poller, string(src.Settings)}
	}
	for name := range s.pollers {
		if !active[name] {
			s.schedule.Remove(name)
			delete(s.pollers, name)
		}
	}
}

// since is when a source was last read to the end. One that never was counts
// from when it was made: whoever adds a source may look at a plan before its
// first run, which comes at its time or when somebody asks.
func (s *syncer) since(ctx context.Context, src directory.Source) time.Time {
	if last := s.lastComplete(ctx, src.Name); !last.IsZero() {
		return last
	}
	return src.Created
}

// lastComplete is when a source was last read to the end; the zero time if it
// never was, or nobody knows.
func (s *syncer) lastComplete(ctx context.Context, name directory.SourceName) time.Time {
	runs, err := s.store.Runs(ctx, name, 20)
	if err != nil {
		return time.Time{}
	}
	for _, run := range runs {
		switch run.Result {
		case directory.RunApplied, directory.RunUnchanged, directory.RunHeld:
			if run.Counts["incremental"] == 0 {
				return run.Started
			}
		case directory.RunRunning, directory.RunIncomplete, directory.RunFailed, directory.RunCancelled:
		}
	}
	if cursor, err := s.store.Cursor(ctx, name); err == nil { // all of those runs read what changed
		return ldapsync.LastComplete(cursor)
	}
	return time.Time{}
}

func (s *syncer) poller(src directory.Source) (*ldapsync.Poller, error) {
	settings, err := ldapsync.ParseSettings(src.Settings)
	if err != nil {
		return nil, err
	}
	tmp := filepath.Join(s.data, "tmp")
	if err := os.MkdirAll(tmp, 0o700); err != nil {
		return nil, fmt.Errorf("making the folder for temporary files: %w", err)
	}
	c := ldapsync.Config{
		Source: src.Name, Settings: settings, Store: s.store, Holder: s.holder, Log: s.log,
		AdminGroups: s.service.AdminGroups, Preview: s.preview, Issues: s.issues, TempDir: tmp,
		Cancelled: s.service.Cancelled,
	}
	if len(settings.Link) > 0 {
		c.Link = s.service.LinkFor
	}
	return ldapsync.New(c)
}

// issues keeps what of a source could not be taken over.
func (s *syncer) issues(ctx context.Context, source directory.SourceName, issues []ldapsync.Issue, complete bool) error {
	entries := make([]admin.SourceError, len(issues))
	for i, issue := range issues {
		entries[i] = admin.SourceError{ID: issue.ExternalID, Kind: issue.Kind, Object: issue.Name, Attribute: issue.Attribute, Message: issue.What}
	}
	return s.service.NoteErrors(ctx, source, entries, complete)
}

// preview says what a plan would mean for people.
func (s *syncer) preview(ctx context.Context, changes []directory.Change) (ldapsync.Effects, error) {
	var out ldapsync.Effects
	if len(changes) > ldapsync.MaxPreview {
		lost, err := s.service.LosesOwner(ctx, changes...)
		return ldapsync.Effects{NoOwner: lost}, err
	}
	diff, lost, err := s.service.PreviewWithOwner(ctx, changes...)
	if err != nil {
		return out, err
	}
	out.NoOwner, out.Gains = lost, map[string]int{}
	for _, t := range diff.Totals {
		if t.Gain > 0 {
			out.Gains[t.String()] += t.Gain
		}
	}
	names, err := s.names(ctx, diff, changes)
	if err != nil {
		return out, err
	}
	if out.Detail, err = json.Marshal(planEffects{diff, names}); err != nil {
		return out, fmt.Errorf("encoding the preview: %w", err)
	}
	return out, nil
}

// names are the userNames of the people of whom a preview tells.
func (s *syncer) names(ctx context.Context, diff authz.Difference, changes []directory.Change) (map[directory.UserID]string, error) {
	fresh := map[directory.UserID]string{}
	for _, c := range changes {
		if c, ok := c.(directory.CreateUser); ok {
			fresh[c.ID] = c.Profile.UserName
		}
	}
	names := map[directory.UserID]string{}
	for _, shift := range slices.Concat(diff.Administrators, diff.Shifts) {
		if name, ok := fresh[shift.User]; ok {
			names[shift.User] = name
			continue
		}
		if _, known := names[shift.User]; known {
			continue
		}
		user, err := s.store.User(ctx, shift.User)
		if err != nil {
			return nil, fmt.Errorf("reading who is touched: %w", err)
		}
		if len(user.Identities) > 0 {
			names[shift.User] = user.Identities[0].UserName
		}
	}
	return names, nil
}

// now returns the poller of a source to run now.
func (s *syncer) now(ctx context.Context, name directory.SourceName) (*ldapsync.Poller, error) {
	sources, err := s.store.Sources(ctx)
	if err != nil {
		return nil, fmt.Errorf("reading sources: %w", err)
	}
	for _, src := range sources {
		if src.Name != name {
			continue
		}
		if src.State == directory.SourcePaused || src.State == directory.SourceDisabled {
			return nil, fmt.Errorf("source %s is %s: %w", name, src.State, directory.ErrPaused)
		}
		s.mu.Lock()
		known := s.pollers[name]
		s.mu.Unlock()
		if known.poller != nil && known.settings == string(src.Settings) {
			return known.poller, nil
		}
		return s.poller(src)
	}
	return nil, fmt.Errorf("source %s: %w", name, directory.ErrNotFound)
}

// Run implements [admin.Syncer].
func (s *syncer) Run(ctx context.Context, name directory.SourceName, by string) (directory.Run, error) {
	p, err := s.now(ctx, name)
	if err != nil {
		return directory.Run{}, err
	}
	return s.afterOthers(ctx, func() (directory.Run, error) { return p.RunFor(ctx, by) })
}

// patienceWithOthers is how long somebody who asks for a run waits for one that
// is under way, here or on another replica.
const patienceWithOthers = 2 * time.Minute

// afterOthers runs a source once no other run of it is under way.
func (s *syncer) afterOthers(ctx context.Context, run func() (directory.Run, error)) (directory.Run, error) {
	late := time.After(patienceWithOthers)
	tick := time.NewTicker(200 * time.Millisecond)
	defer tick.Stop()
	for {
		r, err := run()
		if !errors.Is(err, ldapsync.ErrBusy) {
			return r, err
		}
		select {
		case <-tick.C:
		case <-late:
			return r, fmt.Errorf("%w: %w", directory.ErrInUse, err)
		case <-ctx.Done():
			return r, fmt.Errorf("waiting for another run: %w", ctx.Err())
		}
	}
}

// Plan implements [admin.Syncer].
func (s *syncer) Plan(ctx context.Context, name directory.SourceName) (json.RawMessage, error) {
	p, err := s.now(ctx, name)
	if err != nil {
		return nil, err
	}
	report, err := p.Plan(ctx)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", admin.ErrUnavailable, err)
	}
	return json.Marshal(report)
}

// Approve implements [admin.Syncer].
func (s *syncer) Approve(ctx context.Context, name directory.SourceName, hash, by string) (directory.Run, error) {
	p, err := s.now(ctx, name)
	if err != nil {
		return directory.Run{}, err
	}
	run, err := s.afterOthers(ctx, func() (directory.Run, error) { return p.Approve(ctx, hash, by) })
	if errors.Is(err, ldapsync.ErrNotHeld) {
		err = fmt.Errorf("%w: %w", directory.ErrNotFound, err)
	}
	return run, err
}

// Test implements [admin.Syncer]: it reads the source as a run does and alters
// nothing.
func (s *syncer) Test(ctx context.Context, name directory.SourceName) (json.RawMessage, error) {
	p, err := s.now(ctx, name)
	if err != nil {
		return nil, err
	}
	probe := p.Try(ctx)
	return json.Marshal(probed{probe.OK(), probe})
}

// stop begins no more runs and ends those under way.
func (s *syncer) stop(ctx context.Context) error {
	s.mu.Lock()
	end := s.end
	s.mu.Unlock()
	if end == nil {
		return nil
	}
	end()
	if err := s.schedule.Stop(ctx); err != nil {
		return fmt.Errorf("waiting for synchronisation runs: %w", err)
	}
	return nil
}
