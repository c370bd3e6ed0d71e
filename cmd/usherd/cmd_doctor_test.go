package main

import (
	"strings"
	"testing"

	"github.com/usherd/usherd/admin"
	"github.com/usherd/usherd/directory"
)

func TestASourceIsJudgedByTheRunThatTells(t *testing.T) {
	t.Parallel()
	of := func(telling directory.RunResult, last ...directory.RunResult) admin.SyncStatus {
		s := admin.SyncStatus{Source: "corp"}
		for _, r := range last {
			s.Runs = append(s.Runs, directory.Run{Result: r})
		}
		if len(s.Runs) > 0 {
			s.Last = &s.Runs[0]
		}
		if telling != "" {
			s.Telling = &directory.Run{Result: telling, Message: "why"}
		}
		return s
	}
	const cancelled, running = directory.RunCancelled, directory.RunRunning
	for name, c := range map[string]struct {
		admin.SyncStatus
		result, says string
	}{
		"never read":                        {of(""), warning, "was never read"},
		"applied":                           {of(directory.RunApplied, directory.RunApplied), success, "applied"},
		"applied, then cancelled":           {of(directory.RunApplied, cancelled, cancelled), success, "applied"},
		"failed, then cancelled":            {of(directory.RunFailed, cancelled, cancelled), warning, "failed: why"},
		"incomplete, then one under way":    {of(directory.RunIncomplete, running, cancelled), warning, "incomplete: why"},
		"only cancelled":                    {of("", cancelled, cancelled), warning, "all runs were cancelled"},
		"only cancelled, and one under way": {of("", running, cancelled), warning, "all runs were cancelled"},
		"the first is under way":            {of("", running), success, "running"},
	} {
		got := diagnoseRuns([]admin.SyncStatus{c.SyncStatus})
		if len(got) != 1 || string(got[0].Result) != c.result || !strings.Contains(got[0].Detail, c.says) {
			t.Errorf("%s: %+v, want %s: %s", name, got, c.result, c.says)
		}
	}
}
