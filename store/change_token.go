package store

import (
	"context"
	"encoding/hex"
	"encoding/json"
	"fmt"

	"github.com/usherd/usherd/directory"
)

type createToken struct {
	token  directory.Token
	scopes string
	hash   string
}

func prepareCreateToken(c directory.CreateToken) (op, error) {
	t := c.Token
	switch t.Kind {
	case directory.TokenSCIM:
		if t.Source == "" {
			return nil, fmt.Errorf("a scim token needs a source: %w", directory.ErrInvalid)
		}
	case directory.TokenCheck, directory.TokenAdmin:
		if t.Source != "" {
			return nil, fmt.Errorf("a %s token has no source: %w", t.Kind, directory.ErrInvalid)
		}
	default:
		return nil, fmt.Errorf("token kind %q: %w", t.Kind, directory.ErrInvalid)
	}
	if t.ID == "" || len(c.Hash) == 0 {
		return nil, fmt.Errorf("a token needs an id and a hash: %w", directory.ErrInvalid)
	}
	for _, text := range append([]string{t.ID, t.Name}, t.Scopes...) {
		if err := checkText("token", text, maxID); err != nil {
			return nil, err
		}
	}
	scopes, err := json.Marshal(append([]string{}, t.Scopes...))
	if err != nil {
		return nil, fmt.Errorf("encoding the scopes of a token: %w", err)
	}
	t.Scopes = nil // shared with the caller
	return createToken{t, string(scopes), hex.EncodeToString(c.Hash)}, nil
}

func (o createToken) run(ctx context.Context, e *edit) error {
	var hash string
	found, err := e.find(ctx, []any{&hash}, `SELECT hash FROM token WHERE id = $1`, o.token.ID)
	switch {
	case err != nil:
		return fmt.Errorf("reading token %s: %w", o.token.ID, err)
	case found && hash == o.hash:
		return nil
	case found:
		return &directory.TakenError{Attribute: "id", Holder: o.token.ID, Source: o.token.Source, Active: true}
	case o.token.Source != "":
		if _, err := e.source(ctx, o.token.Source); err != nil {
			return err
		}
	}
	created := ms(o.token.Created)
	if created == 0 {
		created = e.now
	}
	err = e.exec(ctx, `INSERT INTO token (id, kind, name, source, scopes, hash, created, expires, revoked)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, 0)`,
		o.token.ID, o.token.Kind, o.token.Name, o.token.Source, o.scopes, o.hash, created, ms(o.token.Expires))
	if err != nil {
		return fmt.Errorf("writing token %s: %w", o.token.ID, err)
	}
	e.feedPolicy = true
	f := effect{Type: "token.created", Target: o.token.ID, Source: string(o.token.Source), Value: string(o.token.Kind)}
	return e.note(f, []any{o.token, o.scopes, o.hash})
}

type revokeToken struct{ id string }

func (o revokeToken) run(ctx context.Context, e *edit) error {
	var revoked int64
	found, err := e.find(ctx, []any{&revoked}, `SELECT revoked FROM token WHERE id = $1`, o.id)
	switch {
	case err != nil:
		return fmt.Errorf("reading token %s: %w", o.id, err)
	case !found:
		return fmt.Errorf("token %s: %w", o.id, directory.ErrNotFound)
	case revoked != 0:
		return nil
	}
	if err := e.exec(ctx, `UPDATE token SET revoked = $2 WHERE id = $1`, o.id, e.now); err != nil {
		return fmt.Errorf("revoking token %s: %w", o.id, err)
	}
	e.feedPolicy = true
	return e.note(effect{Type: "token.revoked", Target: o.id}, o.id)
}

type limitToken struct {
	id      string
	expires int64
}

func (o limitToken) run(ctx context.Context, e *edit) error {
	var expires int64
	found, err := e.find(ctx, []any{&expires}, `SELECT expires FROM token WHERE id = $1`, o.id)
	switch {
	case err != nil:
		return fmt.Errorf("reading token %s: %w", o.id, err)
	case !found:
		return fmt.Errorf("token %s: %w", o.id, directory.ErrNotFound)
	case o.expires <= 0 || expires <= o.expires:
		return nil
	}
	if err := e.exec(ctx, `UPDATE token SET expires = $2 WHERE id = $1`, o.id, o.expires); err != nil {
		return fmt.Errorf("limiting token %s: %w", o.id, err)
	}
	e.feedPolicy = true
	return e.note(effect{Type: "token.limited", Target: o.id}, []any{o.id, o.expires})
}
