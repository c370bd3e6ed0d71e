package store

import (
	"context"
	"fmt"

	"github.com/usherd/usherd/directory"
)

type detachUser struct {
	source directory.SourceName
	value  string
}

func prepareDetachUser(c directory.DetachUser) (op, error) {
	if c.Value == "" {
		return nil, fmt.Errorf("an identity is named by its id or its externalId: %w", directory.ErrInvalid)
	}
	return detachUser{c.Source, c.Value}, checkText("value", c.Value, maxID)
}

// A detached identity stays as a row with its id, so that this is never used
// again, and with nothing else.
func (o detachUser) run(ctx context.Context, e *edit) error {
	r, err := o.find(ctx, e)
	if err != nil {
		return err
	}
	if r.presence != string(directory.Deleted) {
		if err := e.endIdentity(ctx, r); err != nil {
			return err
		}
	}
	if err := e.keepApart(ctx, r); err != nil {
		return err
	}
	e.touchUser(r.user)
	e.touchNames(r)
	if err := e.end(ctx, "identity_fact", "identity_id = $1", r.id); err != nil {
		return err
	}
	err = e.exec(ctx, `UPDATE identity SET user_id = '', presence = 'deleted', `+withoutPerson+`, modified = $2, version = version + 1
		WHERE id = $1`, r.id, e.now)
	if err != nil {
		return fmt.Errorf("detaching identity %s: %w", r.id, err)
	}
	return e.note(effect{Type: "user.detached", Target: r.id, Source: r.source, Value: r.user}, []any{r.id, r.user})
}

// keepApart remembers that an identity was taken away: the next delivery would
// bring it back where a rule links the two.
func (e *edit) keepApart(ctx context.Context, r identityRow) error {
	err := e.exec(ctx, `INSERT INTO detached (user_id, source, created) VALUES ($1, $2, $3) ON CONFLICT (user_id, source) DO NOTHING`,
		r.user, r.source, e.now)
	if err != nil {
		return fmt.Errorf("remembering that identity %s was detached: %w", r.id, err)
	}
	return nil
}

// apart refuses that a rule joins an identity to a user from whom another
// one of that source was detached.
func (e *edit) apart(ctx context.Context, user string, source directory.SourceName) error {
	var one int64
	found, err := e.find(ctx, []any{&one}, `SELECT 1 FROM detached WHERE user_id = $1 AND source = $2`, user, string(source))
	if err != nil {
		return fmt.Errorf("asking what was detached from user %s: %w", user, err)
	}
	if found {
		return &directory.TakenError{Attribute: "identity", Holder: user, Source: source}
	}
	return nil
}

// find returns the identity of a living user that is meant.
func (o detachUser) find(ctx context.Context, e *edit) (identityRow, error) {
	all, err := collect(ctx, e.tx, scanIdentityRow, `SELECT `+identityColumns+` FROM identity i
		WHERE source = $1 AND (id = $2 OR external_id = $2)
		AND EXISTS (SELECT 1 FROM users u WHERE u.id = i.user_id AND u.deleted = 0) LIMIT 2`, string(o.source), o.value)
	switch {
	case err != nil:
		return identityRow{}, fmt.Errorf("reading identities of source %s: %w", o.source, err)
	case len(all) == 0:
		return identityRow{}, fmt.Errorf("identity of source %s: %w", o.source, directory.ErrNotFound)
	case len(all) > 1:
		return identityRow{}, fmt.Errorf("two identities of source %s have that externalId, name one by its id: %w", o.source, directory.ErrInvalid)
	}
	return all[0], nil
}

// endIdentity deletes an identity that is not the only one of its user.
func (e *edit) endIdentity(ctx context.Context, r identityRow) error {
	var others int64
	_, err := e.find(ctx, []any{&others}, `SELECT count(*) FROM identity WHERE user_id = $1 AND id <> $2 AND presence <> 'deleted'`, r.user, r.id)
	if err != nil {
		return fmt.Errorf("counting identities of user %s: %w", r.user, err)
	}
	if others == 0 {
		return fmt.Errorf("identity %s is the only one of its user, who would be deleted: %w", r.id, directory.ErrInUse)
	}
	return e.markDeleted(ctx, list([]string{r.id}), list([]string{r.user}))
}
