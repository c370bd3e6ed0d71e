package store

import (
	"context"
	"fmt"

	"github.com/usherd/usherd/directory"
)

type restoreUser struct{ user string }

func (o restoreUser) run(ctx context.Context, e *edit) error {
	var kind string
	var blocked, deleted int64
	found, err := e.find(ctx, []any{&kind, &blocked, &deleted}, `SELECT type, blocked, deleted FROM users WHERE id = $1`, o.user)
	switch {
	case err != nil:
		return fmt.Errorf("reading user %s: %w", o.user, err)
	case !found:
		return fmt.Errorf("user %s: %w", o.user, directory.ErrNotFound)
	case deleted == 0:
		return nil
	case deleted < e.now-directory.RestoreFor.Milliseconds():
		return fmt.Errorf("user %s was deleted more than 30 days ago: %w", o.user, directory.ErrNotFound)
	}
	if err := e.exec(ctx, `UPDATE users SET deleted = 0 WHERE id = $1`, o.user); err != nil {
		return fmt.Errorf("restoring user %s: %w", o.user, err)
	}
	if err := e.userFact(ctx, o.user, kind, blocked); err != nil {
		return err
	}
	if err := e.restoreIdentities(ctx, o.user, deleted); err != nil {
		return err
	}
	e.touchUser(o.user)
	return e.note(effect{Type: "user.restored", Target: o.user}, o.user)
}

// restoreIdentities brings back those that were deleted with the user. Those
// that were deleted before go on to say so.
func (e *edit) restoreIdentities(ctx context.Context, user string, deleted int64) error {
	last, err := e.identitiesWhere(ctx, `user_id = $1 AND gone_since = $2 AND user_name <> ''`, user, deleted)
	if err != nil {
		return err
	}
	if len(last) == 0 {
		return fmt.Errorf("user %s was erased: %w", user, directory.ErrNotFound)
	}
	for _, r := range last {
		if err := e.restoreIdentity(ctx, r); err != nil {
			return err
		}
	}
	before, err := e.identitiesWhere(ctx, `user_id = $1 AND presence = 'deleted'
		AND source IN (SELECT name FROM source WHERE state <> 'removed' AND created <= gone_since)`, user)
	if err != nil {
		return err
	}
	for _, r := range before {
		if err := e.identityFact(ctx, r); err != nil {
			return err
		}
		e.touchNames(r)
	}
	return nil
}

func (e *edit) identitiesWhere(ctx context.Context, where string, args ...any) ([]identityRow, error) {
	all, err := collect(ctx, e.tx, scanIdentityRow, `SELECT `+identityColumns+` FROM identity WHERE `+where+` ORDER BY id`, args...)
	if err != nil {
		return nil, fmt.Errorf("reading deleted identities: %w", err)
	}
	return all, nil
}

func (e *edit) restoreIdentity(ctx context.Context, r identityRow) error {
	var kind directory.SourceKind
	found, err := e.find(ctx, []any{&kind}, `SELECT kind FROM source WHERE name = $1 AND state <> 'removed'
		AND created <= (SELECT gone_since FROM identity WHERE id = $2)`, r.source, r.id)
	if err != nil {
		return fmt.Errorf("reading source %s: %w", r.source, err)
	}
	r.presence = string(directory.Present)
	if !found {
		r.source = string(directory.Local)
	} else if r.presence, err = e.restoredPresence(ctx, r, kind); err != nil {
		return err
	}
	if err := e.unique(ctx, directory.SourceName(r.source), r.user, r.profile); err != nil {
		return err
	}
	r.version++
	var goneSince int64
	if r.presence == string(directory.Gone) {
		goneSince = e.now
	}
	err = e.exec(ctx, `UPDATE identity SET source = $2, presence = $3, gone_since = $4, modified = $5, version = $6 WHERE id = $1`,
		r.id, r.source, r.presence, goneSince, e.now, r.version)
	if err != nil {
		return fmt.Errorf("restoring identity %s: %w", r.id, err)
	}
	if err := e.identityFact(ctx, r); err != nil {
		return err
	}
	if err := e.setEmails(ctx, r, nil, r.emailKeys); err != nil {
		return err
	}
	e.touchNames(r)
	return e.resolvePending(ctx, r.source, r.id, r.externalID, directory.UserMember, r.user, 0)
}

// restoredPresence is how a restored identity begins. Whom a directory did not
// have any more is gone from it still, until it is read and has them again.
func (e *edit) restoredPresence(ctx context.Context, r identityRow, kind directory.SourceKind) (string, error) {
	if kind != directory.KindLDAP {
		return string(directory.Present), nil
	}
	presence := string(directory.Gone) // long ago: a directory that had them would have brought them again
	_, err := e.find(ctx, []any{&presence}, `SELECT presence FROM identity_fact WHERE identity_id = $1 AND presence <> 'deleted'
		ORDER BY since DESC LIMIT 1`, r.id)
	if err != nil {
		return "", fmt.Errorf("reading the history of identity %s: %w", r.id, err)
	}
	return presence, nil
}
