package main

import (
	"context"

	"github.com/usherd/usherd/authz"

	"github.com/spf13/cobra"
	"github.com/usherd/usherd/directory"
	"github.com/usherd/usherd/ldapsync"
)

func (a *app) migrateCommand() *cobra.Command { return &cobra.Command{Use: "migrate"} }
func (a *app) backupCommand() *cobra.Command  { return &cobra.Command{Use: "backup"} }

func (a *app) printExplanation(text []byte) error { return nil }
func (a *app) printPlan(text []byte) error        { return nil }

func (s *syncer) adminGroups(ctx context.Context, source directory.SourceName) (map[directory.GroupID]bool, error) {
	return nil, nil
}

func (s *syncer) preview(ctx context.Context, changes []directory.Change) (ldapsync.Effects, error) {
	return ldapsync.Effects{}, nil
}

func path(s *authz.Snapshot, sub *directory.Subject, req *authz.Request) []string { return nil }
