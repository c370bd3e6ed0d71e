package store

import (
	"context"
	"fmt"

	"github.com/usherd/usherd/directory"
)

type linkUser struct {
	source     directory.SourceName
	value, key string
	user       directory.UserID
}

func prepareLinkUser(c directory.LinkUser) (op, error) {
	if c.Value == "" || c.Source == directory.Local {
		return nil, fmt.Errorf("a link names a source that delivers people, and an externalId or a userName: %w", directory.ErrInvalid)
	}
	return linkUser{c.Source, c.Value, keyOrNone(c.Value), c.User}, checkText("value", c.Value, maxID)
}

func (o linkUser) run(ctx context.Context, e *edit) error {
	if _, err := e.source(ctx, o.source); err != nil {
		return err
	}
	var old string
	if _, err := e.find(ctx, []any{&old}, `SELECT user_id FROM link WHERE source = $1 AND value = $2`, o.source, o.value); err != nil {
		return fmt.Errorf("reading a link of source %s: %w", o.source, err)
	}
	if old == string(o.user) {
		return nil
	}
	if err := e.exec(ctx, `DELETE FROM link WHERE source = $1 AND value = $2`, o.source, o.value); err != nil {
		return fmt.Errorf("ending a link of source %s: %w", o.source, err)
	}
	f := effect{Type: "user.unlinked", Target: old, Source: string(o.source)}
	if o.user != "" {
		if err := e.linkable(ctx, o); err != nil {
			return err
		}
		err := e.exec(ctx, `INSERT INTO link (source, value, value_key, user_id, created) VALUES ($1, $2, $3, $4, $5)`,
			o.source, o.value, o.key, o.user, e.now)
		if err != nil {
			return fmt.Errorf("writing a link of source %s: %w", o.source, err)
		}
		f = effect{Type: "user.linked", Target: string(o.user), Source: string(o.source)}
	}
	return e.note(f, []any{o.source, o.value, o.user})
}

// linkable refuses to promise what can't be kept: the user has an identity of
// the source, or somebody of the source has the value already. Users are never
// merged.
func (e *edit) linkable(ctx context.Context, o linkUser) error {
	if err := e.mayJoin(ctx, string(o.user), o.source); err != nil {
		return err
	}
	err := e.free(ctx, o.source, "externalId", `source = $1 AND external_id = $2`, o.source, o.value)
	if err == nil && o.key != "" {
		err = e.free(ctx, o.source, "userName", `source = $1 AND user_name_key = $2`, o.source, o.key)
	}
	return err
}

// ofThisSource says that a deleted identity is of the source that there is, and
// not of one of the same name that was removed.
const ofThisSource = `EXISTS (SELECT 1 FROM source s WHERE s.name = identity.source AND s.created <= identity.gone_since)`

// mayJoin refuses a second identity of a source for a user.
func (e *edit) mayJoin(ctx context.Context, user string, source directory.SourceName) error {
	var living int64
	found, err := e.find(ctx, []any{&living}, `SELECT 1 FROM users WHERE id = $1 AND deleted = 0`, user)
	if err != nil {
		return fmt.Errorf("reading user %s: %w", user, err)
	}
	if !found {
		return fmt.Errorf("user %s: %w", user, directory.ErrNotFound)
	}
	taken := &directory.TakenError{Attribute: "identity", Source: source}
	found, err = e.find(ctx, []any{&taken.Holder, &taken.Active}, `SELECT id,
		CASE WHEN active = 1 AND presence = 'present' THEN 1 ELSE 0 END FROM identity
		WHERE user_id = $1 AND source = $2 AND (presence <> 'deleted' OR `+ofThisSource+`) LIMIT 1`, user, string(source))
	if err != nil {
		return fmt.Errorf("reading identities of user %s: %w", user, err)
	}
	if found {
		return taken
	}
	return nil
}

// linkedTo returns the user whom an administrator linked a new identity to, and
// ends that link.
func (e *edit) linkedTo(ctx context.Context, source directory.SourceName, p profile) (user string, err error) {
	var value string
	found, err := e.find(ctx, []any{&value, &user}, `SELECT value, user_id FROM link WHERE source = $1
		AND (value = $2 AND $2 <> '' OR value_key = $3) ORDER BY CASE WHEN value = $2 THEN 0 ELSE 1 END LIMIT 1`,
		string(source), p.externalID, p.nameKey)
	if err == nil && found {
		err = e.exec(ctx, `DELETE FROM link WHERE source = $1 AND value = $2`, string(source), value)
	}
	if err == nil && found { // what was detached before is linked by hand now
		err = e.exec(ctx, `DELETE FROM detached WHERE user_id = $1 AND source = $2`, user, string(source))
	}
	if err != nil {
		return "", fmt.Errorf("reading links of source %s: %w", source, err)
	}
	return user, nil
}

// remembered returns the deleted identity of a living user that has the
// externalId of a new one. What a source of the same name left behind that was
// removed since is not remembered: the new one may be about other people.
func (e *edit) remembered(ctx context.Context, source directory.SourceName, p profile) (r identityRow, found bool, err error) {
	if p.externalID == "" {
		return r, false, nil
	}
	found, err = e.find(ctx, r.dest(), `SELECT `+identityColumns+` FROM identity i
		WHERE source = $1 AND external_id = $2 AND presence = 'deleted'
		AND EXISTS (SELECT 1 FROM users u WHERE u.id = i.user_id AND u.deleted = 0)
		AND EXISTS (SELECT 1 FROM source s WHERE s.name = i.source AND s.created <= i.gone_since)
		ORDER BY modified DESC, id LIMIT 1`, string(source), p.externalID)
	if err != nil {
		return r, false, fmt.Errorf("reading deleted identities of source %s: %w", source, err)
	}
	return r, found, nil
}

// revive lets a deleted identity speak again, with what its source says now.
func (e *edit) revive(ctx context.Context, old identityRow, p profile) error {
	old.emailKeys = nil // they ended
	r := old
	r.profile, r.presence, r.version = p, string(directory.Present), old.version+1
	if err := e.updateIdentity(ctx, old, r); err != nil {
		return err
	}
	if err := e.note(effect{Type: "user.revived", Target: r.id, Source: r.source}, r.values()); err != nil {
		return err
	}
	return e.resolvePending(ctx, r.source, r.id, r.externalID, directory.UserMember, r.user, 0)
}
