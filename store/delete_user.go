package store

import (
	"context"
	"fmt"
	"maps"
	"slices"

	"github.com/usherd/usherd/directory"
)

// deleteIdentities deletes identities, and users of whom no identity is left.
// It needs as many statements for thousands as for one.
func (e *edit) deleteIdentities(ctx context.Context, identities []identityRow) error {
	for chunk := range slices.Chunk(identities, listRows) {
		ids := make([]string, len(chunk))
		users := map[string]struct{}{}
		for i, r := range chunk {
			ids[i] = r.id
			users[r.user] = struct{}{}
			e.touchUser(r.user)
			e.touchNames(r)
		}
		owners := list(slices.Sorted(maps.Keys(users)))
		if err := e.markDeleted(ctx, list(ids), owners); err != nil {
			return err
		}
		dead, err := e.withoutIdentity(ctx, owners)
		if err != nil {
			return err
		}
		if err := e.deleteUsers(ctx, dead); err != nil {
			return err
		}
		for _, r := range chunk {
			f := effect{Type: "user.deleted", Target: r.id, Source: r.source}
			_, died := slices.BinarySearch(dead, r.user)
			if err := e.note(f, []any{r.id, r.user, died}); err != nil {
				return err
			}
		}
	}
	return nil
}

// markDeleted deletes the identities in a list, with the memberships that their
// source gave them. A deleted identity goes on to say that its user is inactive.
func (e *edit) markDeleted(ctx context.Context, ids, users string) error {
	err := e.exec(ctx, `UPDATE identity SET presence = 'deleted', gone_since = $2, modified = $2, version = version + 1
		WHERE `+e.in("id", "$1"), ids, e.now)
	if err != nil {
		return fmt.Errorf("deleting identities: %w", err)
	}
	err = e.exec(ctx, `INSERT INTO identity_fact
		(identity_id, user_id, source, user_name_key, external_id, active, presence, since, until)
		SELECT id, user_id, source, user_name_key, external_id, active, presence, CAST($2 AS BIGINT), CAST($3 AS BIGINT)
		FROM identity WHERE `+e.in("id", "$1")+`
		ON CONFLICT (identity_id, since) DO UPDATE SET presence = excluded.presence, until = excluded.until`,
		ids, e.rev, int64(forever))
	if err == nil {
		err = e.exec(ctx, `UPDATE identity_fact SET until = $2 WHERE `+e.in("identity_id", "$1")+` AND since < $2 AND `+isOpen,
			ids, e.rev)
	}
	if err != nil {
		return fmt.Errorf("writing the history of deleted identities: %w", err)
	}
	if err := e.end(ctx, "email", e.in("identity_id", "$1"), ids); err != nil {
		return err
	}
	edges, err := e.edgesWhere(ctx, `kind = 'user' AND source <> 'local' AND `+e.in("member_id", "$1")+` AND `+e.in("value", "$2"),
		users, ids)
	if err != nil {
		return err
	}
	return e.closeEdges(ctx, edges)
}

// withoutIdentity returns those of users who have no identity left.
func (e *edit) withoutIdentity(ctx context.Context, users string) ([]string, error) {
	dead, err := collect(ctx, e.tx, scanText, `SELECT id FROM users WHERE `+e.in("id", "$1")+` AND deleted = 0
		AND NOT EXISTS (SELECT 1 FROM identity i WHERE i.user_id = users.id AND i.presence <> 'deleted') ORDER BY id`, users)
	if err != nil {
		return nil, fmt.Errorf("reading whose identities are all deleted: %w", err)
	}
	return dead, nil
}

// deleteUsers ends what living users have: memberships, grants, overrides.
func (e *edit) deleteUsers(ctx context.Context, users []string) error {
	if len(users) == 0 {
		return nil
	}
	ids := list(users)
	err := e.exec(ctx, `UPDATE users SET deleted = $2 WHERE `+e.in("id", "$1"), ids, e.now)
	if err != nil {
		return fmt.Errorf("deleting users: %w", err)
	}
	if err := e.exec(ctx, `DELETE FROM link WHERE `+e.in("user_id", "$1"), ids); err != nil {
		return fmt.Errorf("ending links to deleted users: %w", err)
	}
	edges, err := e.edgesWhere(ctx, `kind = 'user' AND `+e.in("member_id", "$1"), ids)
	if err != nil {
		return err
	}
	if err := e.closeEdges(ctx, edges); err != nil {
		return err
	}
	for _, table := range []struct{ name, column string }{
		{"user_fact", "user_id"},
		{"identity_fact", "user_id"},
		{"email", "user_id"},
		{"grants", "holder_id"},
		{"overrides", "user_id"},
	} {
		if err := e.end(ctx, table.name, e.in(table.column, "$1"), ids); err != nil {
			return err
		}
	}
	return nil
}

// emailKeys returns the keys of the addresses in identity.emails.
func emailKeys(text string) ([]string, error) {
	var emails []directory.Email
	if err := unmarshal("list of e-mail addresses", text, &emails); err != nil {
		return nil, err
	}
	_, keys, err := prepareEmails(emails)
	return keys, err
}

// identitiesOf returns all identities of a source that are not deleted.
func (e *edit) identitiesOf(ctx context.Context, source directory.SourceName) ([]identityRow, error) {
	all, err := collect(ctx, e.tx, scanIdentityRow, `SELECT `+identityColumns+` FROM identity
		WHERE source = $1 AND presence <> 'deleted' ORDER BY id`, source)
	if err != nil {
		return nil, fmt.Errorf("reading the people of source %s: %w", source, err)
	}
	return all, nil
}

func scanIdentityRow(row scanner) (r identityRow, err error) {
	if err = row.Scan(r.dest()...); err != nil {
		return r, err
	}
	r.emailKeys, err = emailKeys(r.emails)
	return r, err
}
