package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/usherd/usherd/admin"
	"github.com/usherd/usherd/directory"
	"github.com/usherd/usherd/ldapsync"
)

// errNotAsked says that a search could lock the account that binds.
var errNotAsked = errors.New("not asked: it refused the password at the last run; correct it, and run the source (usherd sync run SOURCE)")

// Find implements [admin.Finder].
func (s *syncer) Find(ctx context.Context, source directory.Source, name string) (admin.LiveFound, error) {
	settings, err := ldapsync.ParseSettings(source.Settings)
	if err != nil {
		return admin.LiveFound{}, err
	}
	runs, err := s.store.Runs(ctx, source.Name, 20)
	if err != nil {
		return admin.LiveFound{}, fmt.Errorf("reading runs: %w", err)
	}
	if ldapsync.Refused(runs) {
		return admin.LiveFound{}, errNotAsked
	}
	var out admin.LiveFound
	if next := nextRuns(source.Settings, 1); len(next) > 0 {
		out.NextRun = next[0]
	}
	found, more, err := ldapsync.Find(ctx, settings, name, time.Now())
	out.More = more
	for _, f := range found {
		out.Entries = append(out.Entries, admin.LiveEntry{
			DN: f.DN, UserName: f.UserName, DisplayName: f.DisplayName, ExternalID: f.ExternalID, Active: f.Active, Outside: f.Outside, Reason: f.Rejected,
		})
	}
	return out, err
}
