package admin

import (
	"context"
	"fmt"

	"github.com/usherd/usherd/directory"
)

// What is noted in the audit trail though it changes no fact.
const (
	exportRead      = "export.read"
	webhookAdded    = "webhook.created"
	webhookRemoved  = "webhook.deleted"
	webhookEnabled  = "webhook.enabled"
	webhookDisabled = "webhook.disabled"
	webhookRotated  = "webhook.rotated"
	webhookTested   = "webhook.tested"
	webhookResent   = "webhook.resent"
	logLevelSet     = "log-level.set"
	bundleRead      = "support-bundle.read"
	signInReleased  = "sign-in.released"
	signInRefused   = "sign-in.refused"
	syncCancelled   = "sync.cancelled"
)

// NoteExport leaves an audit record of a list that is read as a whole, by the
// names of the filters that narrow it. A list that can't be noted is not to be
// given away.
func (s *Service) NoteExport(ctx context.Context, by directory.Actor, what string, filters ...string) error {
	return s.note(ctx, by, exportRead, what, filters...)
}

// note leaves an audit record, unless ctx is that of a preview.
func (s *Service) note(ctx context.Context, by directory.Actor, action, target string, attributes ...string) error {
	if dryRun(ctx) {
		return nil
	}
	if _, err := s.Store.Apply(ctx, by, directory.Note{Action: action, Target: target, Attributes: attributes}); err != nil {
		return fmt.Errorf("writing the audit record: %w", err)
	}
	return nil
}
