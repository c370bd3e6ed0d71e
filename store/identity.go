package store

import (
	"context"
	"fmt"
	"slices"
	"strconv"

	"github.com/usherd/usherd/directory"
)

// An identityRow is an identity as it is kept.
type identityRow struct {
	id, user, source, presence string
	profile
	version int64
}

const identityColumns = `id, user_id, source, presence, user_name, user_name_key, external_id, dn, dn_key,
	display_name, display_key, type, active, emails, attributes, version`

func (r *identityRow) dest() []any {
	return []any{
		&r.id, &r.user, &r.source, &r.presence, &r.userName, &r.nameKey, &r.externalID, &r.dn, &r.dnKey,
		&r.display, &r.displayKey, &r.kind, &r.active, &r.emails, &r.attributes, &r.version,
	}
}

// identity returns an identity of a source that is not deleted. One of another
// source is unknown to a source; what is ours may not touch it.
func (e *edit) identity(ctx context.Context, id directory.UserID, source directory.SourceName) (identityRow, error) {
	var r identityRow
	found, err := e.find(ctx, r.dest(), `SELECT `+identityColumns+` FROM identity
		WHERE id = $1 AND presence <> 'deleted'`, id)
	if err != nil {
		return r, fmt.Errorf("reading identity %s: %w", id, err)
	}
	if !found {
		return r, fmt.Errorf("user %s: %w", id, directory.ErrNotFound)
	}
	if r.emailKeys, err = emailKeys(r.emails); err != nil {
		return r, err
	}
	return r, owned("user "+string(id), r.source, source)
}

// owned refuses what source asks for on something that owner owns.
func owned(what, owner string, source directory.SourceName) error {
	switch {
	case owner == string(source):
		return nil
	case source == directory.Local:
		return fmt.Errorf("%s belongs to source %s: %w", what, owner, directory.ErrNotOwner)
	}
	return fmt.Errorf("%s of source %s: %w", what, source, directory.ErrNotFound)
}

// unique refuses a profile whose userName or externalId somebody else has.
func (e *edit) unique(ctx context.Context, source directory.SourceName, user string, p profile) error {
	if p.externalID != "" {
		err := e.free(ctx, source, "externalId", `source = $1 AND external_id = $2 AND user_id <> $3`, source, p.externalID, user)
		if err != nil {
			return err
		}
	}
	return e.free(ctx, source, "userName", `user_name_key = $1 AND user_id <> $2`, p.nameKey, user)
}

// free refuses an attribute that somebody has. Of several identities that have
// it, that of source is named: its owner can do something about it.
func (e *edit) free(ctx context.Context, source directory.SourceName, attribute, where string, args ...any) error {
	taken := &directory.TakenError{Attribute: attribute}
	found, err := e.find(ctx, []any{&taken.Holder, &taken.Source, &taken.Active}, `SELECT id, source,
		CASE WHEN active = 1 AND presence = 'present' THEN 1 ELSE 0 END FROM identity
		WHERE presence <> 'deleted' AND `+where+` ORDER BY CASE WHEN source = $`+strconv.Itoa(len(args)+1)+` THEN 0 ELSE 1 END, id LIMIT 1`,
		append(slices.Clip(args), string(source))...)
	if err != nil {
		return fmt.Errorf("asking whether %s is taken: %w", attribute, err)
	}
	if found {
		return taken
	}
	return nil
}

// identityFact writes the history of an identity.
func (e *edit) identityFact(ctx context.Context, r identityRow) error {
	err := e.exec(ctx, `UPDATE identity_fact SET until = $2 WHERE identity_id = $1 AND since < $2 AND `+isOpen, r.id, e.rev)
	if err == nil {
		err = e.exec(ctx, `INSERT INTO identity_fact
			(identity_id, user_id, source, user_name_key, external_id, active, presence, since, until)
			VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)
			ON CONFLICT (identity_id, since) DO UPDATE SET user_name_key = excluded.user_name_key,
			external_id = excluded.external_id, active = excluded.active, presence = excluded.presence, until = excluded.until`,
			r.id, r.user, r.source, r.nameKey, r.externalID, r.active, r.presence, e.rev, int64(forever))
	}
	if err != nil {
		return fmt.Errorf("writing the history of identity %s: %w", r.id, err)
	}
	return nil
}

// userFact writes the history of a user.
func (e *edit) userFact(ctx context.Context, user, kind string, blocked int64) error {
	err := e.exec(ctx, `UPDATE user_fact SET until = $2 WHERE user_id = $1 AND since < $2 AND `+isOpen, user, e.rev)
	if err == nil {
		err = e.exec(ctx, `INSERT INTO user_fact (user_id, type, blocked, since, until) VALUES ($1, $2, $3, $4, $5)
			ON CONFLICT (user_id, since) DO UPDATE SET type = excluded.type, blocked = excluded.blocked`,
			user, kind, blocked, e.rev, int64(forever))
	}
	if err != nil {
		return fmt.Errorf("writing the history of user %s: %w", user, err)
	}
	return nil
}

// setEmails makes want the addresses by which an identity is found.
func (e *edit) setEmails(ctx context.Context, r identityRow, have, want []string) error {
	for _, key := range have {
		if slices.Contains(want, key) {
			continue
		}
		if err := e.end(ctx, "email", "identity_id = $1 AND value_key = $2", r.id, key); err != nil {
			return err
		}
	}
	for _, key := range want {
		if slices.Contains(have, key) {
			continue
		}
		err := e.exec(ctx, `INSERT INTO email (identity_id, user_id, source, value_key, since, until)
			VALUES ($1, $2, $3, $4, $5, $6)`, r.id, r.user, r.source, key, e.rev, int64(forever))
		if err != nil {
			return fmt.Errorf("writing an e-mail address of %s: %w", r.id, err)
		}
	}
	return nil
}

// touchNames notes that the keys of an identity came to name its user, or
// stopped doing so.
func (e *edit) touchNames(r identityRow) {
	e.touchKey(directory.KeyID, "", r.id)
	e.touchKey(directory.KeyUserName, "", r.nameKey)
	e.touchKey(directory.KeyExternal, r.source, r.externalID)
	for _, key := range r.emailKeys {
		e.touchKey(directory.KeyEmail, "", key)
	}
}
