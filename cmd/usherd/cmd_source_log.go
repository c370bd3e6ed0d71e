package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"time"

	"github.com/spf13/cobra"
	"github.com/usherd/usherd/config"
	"github.com/usherd/usherd/directory"
)

// logFlags are the flags of usherd source log.
type logFlags struct {
	failed, follow, dry bool
	limit               int
	since, show, replay string
}

const (
	logColumns    = "TIME=time ID=id METHOD=method PATH=path STATUS=status DETAIL=detail QUIRKS=quirks REVISION=revision"
	replayColumns = "STATUS=status TRIAL=trial DETAIL=detail QUIRKS=quirks CHANGES=changes ENTRY=id"
)

func (a *app) sourceLog() *cobra.Command {
	var l logFlags
	cmd := &cobra.Command{
		Use: "log NAME", Short: "Show what an identity provider asked for, the newest first, and repeat it", Args: cobra.ExactArgs(1),
		Example: `  usherd source log okta --limit 20
  usherd source log okta --failed --since 24h
  usherd source log okta --follow
  usherd source log okta --show 0192f0a0-7c11-7d3e-8f00-1c2d3e4f5a6b
  usherd source log okta --replay 0192f0a0-7c11-7d3e-8f00-1c2d3e4f5a6b --dry-run`,
		RunE: func(cmd *cobra.Command, args []string) error { return a.runLog(cmd.Context(), args[0], l) },
	}
	f := cmd.Flags()
	f.BoolVar(&l.failed, "failed", false, "those that were refused")
	f.StringVar(&l.since, "since", "", "those after a time (2026-01-31T12:00:00Z) or of the last 24h, 7d")
	f.IntVar(&l.limit, "limit", 0, "at most so many (default 100, at most 1000)")
	f.BoolVar(&l.follow, "follow", false, "go on with what comes, the oldest first")
	f.StringVar(&l.show, "show", "", "one `entry`, with its body and what it changed")
	f.StringVar(&l.replay, "replay", "", "repeat an `entry` against the present state")
	f.BoolVar(&l.dry, "dry-run", false, "with --replay: say what would change, and change nothing")
	cmd.MarkFlagsMutuallyExclusive("show", "replay", "follow")
	return cmd
}

func (a *app) runLog(ctx context.Context, name string, l logFlags) error {
	if l.dry && l.replay == "" {
		return usage("--dry-run goes with --replay")
	}
	path := sourcePath(name) + "/log"
	switch {
	case l.show != "":
		return a.ask(ctx, question{http.MethodGet, path + "/" + url.PathEscape(l.show), nil, logColumns + " BODY=body CHANGES=changes AGENT=agent TOKEN=token REPLAYS=replays", false})
	case l.replay != "":
		return a.ask(ctx, question{http.MethodPost, path + "/" + url.PathEscape(l.replay) + "/replay", map[string]any{"trial": l.dry}, replayColumns, false})
	}
	q, err := l.query(time.Now())
	if err != nil {
		return err
	}
	if l.follow {
		return a.followLog(ctx, path, q)
	}
	return a.ask(ctx, question{http.MethodGet, path + "?" + q.Encode(), nil, logColumns, false})
}

func (l logFlags) query(now time.Time) (url.Values, error) {
	q := url.Values{}
	if l.failed {
		q.Set("failed", "true")
	}
	if l.limit > 0 {
		q.Set("limit", strconv.Itoa(l.limit))
	}
	if l.since == "" {
		return q, nil
	}
	at, err := time.Parse(time.RFC3339, l.since)
	if err != nil {
		d, derr := config.ParseDuration(l.since)
		if derr != nil {
			return nil, usage("--since: %q is neither a time nor a duration", l.since)
		}
		at = now.Add(-time.Duration(d))
	}
	q.Set("since", at.UTC().Format(time.RFC3339Nano))
	return q, nil
}

// followLog prints entries as they come, until ctx ends.
func (a *app) followLog(ctx context.Context, path string, q url.Values) (err error) {
	if err := a.checkFormat(); err != nil {
		return err
	}
	c, err := a.connect(ctx, false)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, c.close()) }()
	seen := map[string]bool{}
	wait := time.NewTicker(time.Second)
	defer wait.Stop()
	for {
		text, err := c.call(ctx, http.MethodGet, path+"?"+q.Encode(), nil)
		if ctx.Err() != nil {
			return nil
		}
		if err != nil {
			return err
		}
		var list struct{ Items []directory.Request }
		if err := json.Unmarshal(text, &list); err != nil {
			return fmt.Errorf("reading the answer: %w", err)
		}
		for _, r := range slices.Backward(list.Items) {
			if seen[r.ID] {
				continue
			}
			if err := a.printEntry(r); err != nil {
				return err
			}
		}
		// Entries come in order, but for a batch that was written late.
		clear(seen)
		for _, r := range list.Items {
			seen[r.ID] = true
		}
		if len(list.Items) > 0 {
			q.Set("limit", "1000")
			q.Set("since", list.Items[0].Time.Add(-10*time.Second).UTC().Format(time.RFC3339Nano))
		}
		select {
		case <-ctx.Done():
			return nil
		case <-wait.C:
		}
	}
}

// printEntry prints one entry: as a line, or as a line of JSON.
func (a *app) printEntry(r directory.Request) error {
	if a.format != "table" {
		text, err := json.Marshal(r)
		if err != nil {
			return fmt.Errorf("printing: %w", err)
		}
		_, err = fmt.Fprintf(a.stdout, "%s\n", text)
		return err
	}
	_, err := fmt.Fprintf(a.stdout, "%s  %s  %-6s %s  %d  %s\n", r.Time.UTC().Format(time.RFC3339), r.ID, r.Method, r.Path, r.Status, r.Detail)
	return err
}
