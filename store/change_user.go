package store

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"github.com/usherd/usherd/directory"
)

type createUser struct {
	id     string
	source directory.SourceName
	user   string // whom the identity joins
	profile
}

func prepareCreateUser(c directory.CreateUser) (op, error) {
	if err := newID(string(c.ID)); err != nil {
		return nil, err
	}
	if err := checkText("user", string(c.User), maxID); err != nil {
		return nil, err
	}
	p, err := prepareProfile(c.Profile)
	return createUser{string(c.ID), c.Source, string(c.User), p}, err
}

// newID refuses what directory.NewID can't have made.
func newID(id string) error {
	if !directory.IsID(id) || strings.ToLower(id) != id {
		return fmt.Errorf("id %q is not a lower-case UUID: %w", id, directory.ErrInvalid)
	}
	return nil
}

func (o createUser) run(ctx context.Context, e *edit) error {
	if _, err := e.source(ctx, o.source); err != nil {
		return err
	}
	old, found, err := e.remembered(ctx, o.source, o.profile)
	if err != nil {
		return err
	}
	if found {
		if err := e.unique(ctx, o.source, old.user, o.profile); err != nil {
			return err
		}
		return e.revive(ctx, old, o.profile)
	}
	if o.user == "" {
		o.user, err = e.linkedTo(ctx, o.source, o.profile)
	} else {
		err = e.apart(ctx, o.user, o.source)
	}
	if err != nil {
		return err
	}
	if err := e.unique(ctx, o.source, o.user, o.profile); err != nil {
		return err
	}
	if err := e.unusedID(ctx, o.id); err != nil {
		return err
	}
	return o.insert(ctx, e)
}

func (o createUser) insert(ctx context.Context, e *edit) error {
	r := identityRow{id: o.id, user: o.user, source: string(o.source), presence: string(directory.Present), profile: o.profile, version: 1}
	f := effect{Type: "user.created", Target: r.id, Source: r.source}
	var err error
	if r.user == "" {
		r.user = r.id
		err = e.insertUser(ctx, r)
	} else if err = e.mayJoin(ctx, r.user, o.source); err == nil {
		f.Type, f.Value = "user.joined", r.user
	}
	if err == nil {
		err = e.insertIdentity(ctx, r)
	}
	if err != nil {
		return err
	}
	e.touchUser(r.user)
	e.touchNames(r)
	if err := e.note(f, r.values()); err != nil {
		return err
	}
	return e.resolvePending(ctx, r.source, r.id, r.externalID, directory.UserMember, r.user, 0)
}

func (e *edit) unusedID(ctx context.Context, id string) error {
	var used int64
	if _, err := e.find(ctx, []any{&used}, `SELECT (SELECT count(*) FROM identity WHERE id = $1) +
		(SELECT count(*) FROM users WHERE id = $1)`, id); err != nil {
		return fmt.Errorf("asking whether id %s is used: %w", id, err)
	}
	if used > 0 {
		return fmt.Errorf("id %s was used before: %w", id, directory.ErrInvalid)
	}
	return nil
}

func (e *edit) insertUser(ctx context.Context, r identityRow) error {
	err := e.exec(ctx, `INSERT INTO users (id, type, blocked, block_reason, last_login, created, deleted)
		VALUES ($1, $2, 0, '', 0, $3, 0)`, r.user, r.kind, e.now)
	if err != nil {
		return fmt.Errorf("writing user %s: %w", r.user, err)
	}
	return e.userFact(ctx, r.user, r.kind, 0)
}

func (e *edit) insertIdentity(ctx context.Context, r identityRow) error {
	err := e.exec(ctx, `INSERT INTO identity (`+identityColumns+`, gone_since, created, modified)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, 0, $17, $17)`,
		r.id, r.user, r.source, r.presence, r.userName, r.nameKey, r.externalID, r.dn, r.dnKey,
		r.display, r.displayKey, r.kind, r.active, r.emails, r.attributes, r.version, e.now)
	if err != nil {
		return fmt.Errorf("writing identity %s: %w", r.id, err)
	}
	if err := e.identityFact(ctx, r); err != nil {
		return err
	}
	return e.setEmails(ctx, r, nil, r.emailKeys)
}

// values is all that an audit digest covers of an identity.
func (r identityRow) values() []any {
	return []any{
		r.id, r.user, r.source, r.presence, r.userName, r.externalID, r.dn, r.display, r.kind, r.active,
		json.RawMessage(r.emails), r.attributes,
	}
}

type replaceUser struct {
	id      directory.UserID
	source  directory.SourceName
	version int64
	profile
}

func prepareReplaceUser(c directory.ReplaceUser) (op, error) {
	p, err := prepareProfile(c.Profile)
	return replaceUser{c.ID, c.Source, c.IfVersion, p}, err
}

func (o replaceUser) run(ctx context.Context, e *edit) error {
	old, err := e.identity(ctx, o.id, o.source)
	if err != nil {
		return err
	}
	if o.version != 0 && o.version != old.version {
		return fmt.Errorf("user %s has version %d and not %d: %w", o.id, old.version, o.version, directory.ErrVersion)
	}
	changed := old.differences(o.profile)
	r := old
	r.profile, r.presence = o.profile, string(directory.Present)
	if r.presence != old.presence {
		changed = append(changed, "presence")
	}
	if len(changed) == 0 {
		return nil
	}
	if err := e.unique(ctx, o.source, r.user, r.profile); err != nil {
		return err
	}
	r.version++
	if err := e.updateIdentity(ctx, old, r); err != nil {
		return err
	}
	f := effect{Type: "user.replaced", Target: r.id, Source: r.source, Attributes: changed}
	if err := e.note(f, r.values()); err != nil {
		return err
	}
	if r.externalID == old.externalID {
		return nil
	}
	return e.resolvePending(ctx, r.source, r.id, r.externalID, directory.UserMember, r.user, 0)
}

func (e *edit) updateIdentity(ctx context.Context, old, r identityRow) error {
	err := e.exec(ctx, `UPDATE identity SET presence = $2, user_name = $3, user_name_key = $4, external_id = $5,
		dn = $6, dn_key = $7, display_name = $8, display_key = $9, type = $10, active = $11, emails = $12,
		attributes = $13, gone_since = 0, modified = $14, version = $15 WHERE id = $1`,
		r.id, r.presence, r.userName, r.nameKey, r.externalID, r.dn, r.dnKey, r.display, r.displayKey, r.kind,
		r.active, r.emails, r.attributes, e.now, r.version)
	if err != nil {
		return fmt.Errorf("writing identity %s: %w", r.id, err)
	}
	if old.nameKey != r.nameKey || old.externalID != r.externalID || old.active != r.active || old.presence != r.presence {
		if err := e.identityFact(ctx, r); err != nil {
			return err
		}
	}
	e.touchUser(r.user)
	if old.nameKey != r.nameKey || old.externalID != r.externalID || !slices.Equal(old.emailKeys, r.emailKeys) ||
		old.presence != r.presence {
		e.touchNames(old)
		e.touchNames(r)
	}
	if err := e.setEmails(ctx, r, old.emailKeys, r.emailKeys); err != nil {
		return err
	}
	if old.kind == r.kind || r.id != r.user {
		return nil
	}
	return e.setUserType(ctx, r.user, r.kind)
}

// setUserType follows the user's first identity.
func (e *edit) setUserType(ctx context.Context, user, kind string) error {
	var blocked int64
	_, err := e.find(ctx, []any{&blocked}, `UPDATE users SET type = $2 WHERE id = $1 RETURNING blocked`, user, kind)
	if err != nil {
		return fmt.Errorf("writing user %s: %w", user, err)
	}
	return e.userFact(ctx, user, kind, blocked)
}

type setPresence struct {
	id       directory.UserID
	source   directory.SourceName
	presence directory.Presence
}

func prepareSetPresence(c directory.SetPresence) (op, error) {
	if c.Presence != directory.Present && c.Presence != directory.Gone {
		return nil, fmt.Errorf("presence %q is not to be set: %w", c.Presence, directory.ErrInvalid)
	}
	return setPresence{c.ID, c.Source, c.Presence}, nil
}

func (o setPresence) run(ctx context.Context, e *edit) error {
	r, err := e.identity(ctx, o.id, o.source)
	if err != nil || r.presence == string(o.presence) {
		return err
	}
	r.presence, r.version = string(o.presence), r.version+1
	var goneSince int64
	if o.presence == directory.Gone {
		goneSince = e.now
	}
	err = e.exec(ctx, `UPDATE identity SET presence = $2, gone_since = $3, modified = $4, version = $5 WHERE id = $1`,
		r.id, r.presence, goneSince, e.now, r.version)
	if err != nil {
		return fmt.Errorf("writing identity %s: %w", r.id, err)
	}
	if err := e.identityFact(ctx, r); err != nil {
		return err
	}
	e.touchUser(r.user)
	e.touchNames(r)
	return e.note(effect{Type: "user.presence", Target: r.id, Source: r.source, Value: r.presence}, r.values())
}

type setBlock struct {
	user    directory.UserID
	blocked bool
	reason  string
}

func prepareSetBlock(c directory.SetBlock) (op, error) {
	return setBlock{c.User, c.Blocked, c.Reason}, checkText("reason", c.Reason, maxString)
}

func (o setBlock) run(ctx context.Context, e *edit) error {
	var kind, reason string
	var blocked int64
	found, err := e.find(ctx, []any{&kind, &blocked, &reason},
		`SELECT type, blocked, block_reason FROM users WHERE id = $1 AND deleted = 0`, o.user)
	if err != nil {
		return fmt.Errorf("reading user %s: %w", o.user, err)
	}
	if !found {
		return fmt.Errorf("user %s: %w", o.user, directory.ErrNotFound)
	}
	if !o.blocked {
		o.reason = ""
	}
	if blocked == flag(o.blocked) && (o.reason == "" || o.reason == reason) {
		return nil
	}
	err = e.exec(ctx, `UPDATE users SET blocked = $2, block_reason = $3 WHERE id = $1`, o.user, flag(o.blocked), o.reason)
	if err != nil {
		return fmt.Errorf("writing user %s: %w", o.user, err)
	}
	if blocked != flag(o.blocked) {
		if err := e.userFact(ctx, string(o.user), kind, flag(o.blocked)); err != nil {
			return err
		}
	}
	e.touchUser(string(o.user))
	f := effect{Type: "user.unblocked", Target: string(o.user)}
	if o.blocked {
		f.Type = "user.blocked"
	}
	if blocked == flag(o.blocked) {
		f.Attributes = []string{"reason"} // the block itself is as it was
	}
	return e.note(f, []any{o.user, o.blocked, o.reason})
}

type deleteUser struct {
	id     directory.UserID
	source directory.SourceName
}

func (o deleteUser) run(ctx context.Context, e *edit) error {
	r, err := e.identity(ctx, o.id, o.source)
	if err != nil {
		return err
	}
	return e.deleteIdentities(ctx, []identityRow{r})
}
