package store

import (
	"context"
	"fmt"

	"github.com/usherd/usherd/directory"
)

// withoutPerson empties the columns of identity that hold personal data. The
// key begins with a blank, which that of no name does, so that it finds nobody.
const withoutPerson = `user_name = '', user_name_key = ' ' || id, external_id = '', dn = '', dn_key = '',
	display_name = '', display_key = '', emails = '[]', attributes = ''`

type eraseUser struct{ user string }

// run empties the rows of a deleted user, also those that held in the past.
// What is deleted from a database file may stay in free pages until these are
// used again or the file is rewritten.
func (o eraseUser) run(ctx context.Context, e *edit) error {
	var deleted int64
	found, err := e.find(ctx, []any{&deleted}, `SELECT deleted FROM users WHERE id = $1`, o.user)
	switch {
	case err != nil:
		return fmt.Errorf("reading user %s: %w", o.user, err)
	case !found:
		return fmt.Errorf("user %s: %w", o.user, directory.ErrNotFound)
	case deleted == 0:
		return fmt.Errorf("user %s is not deleted: %w", o.user, directory.ErrInUse)
	}
	known, err := e.identitiesWhere(ctx, `user_id = $1 AND user_name <> ''`, o.user)
	if err != nil || len(known) == 0 {
		return err
	}
	if err := e.erasePending(ctx, known); err != nil {
		return err
	}
	for _, text := range []string{
		`UPDATE identity SET ` + withoutPerson + ` WHERE user_id = $1`,
		`UPDATE identity_fact SET user_name_key = ' ' || identity_id, external_id = '' WHERE user_id = $1`,
		`DELETE FROM email WHERE user_id = $1`,
		`DELETE FROM link WHERE user_id = $1`,
		`DELETE FROM detached WHERE user_id = $1`,
		`UPDATE users SET block_reason = '', last_login = 0 WHERE id = $1`,
		`UPDATE overrides SET reason = '' WHERE user_id = $1`,
	} {
		if err := e.exec(ctx, text, o.user); err != nil {
			return fmt.Errorf("erasing user %s: %w", o.user, err)
		}
	}
	e.touchUser(o.user)
	return e.note(effect{Type: "user.erased", Target: o.user}, o.user)
}

// erasePending forgets that groups once waited for somebody under an externalId,
// a userName or an address. Pending members give nothing, and gave nothing.
func (e *edit) erasePending(ctx context.Context, known []identityRow) error {
	for _, r := range known {
		values := append([]string{r.externalID, r.userName, r.dn}, r.emailKeys...)
		err := e.exec(ctx, `DELETE FROM membership WHERE kind = 'pending' AND NOT `+isOpen+` AND source IN ($1, 'local') AND (`+
			e.in("value", "$2")+` OR value IN (SELECT external_id FROM identity_fact WHERE identity_id = $3
			UNION SELECT user_name_key FROM identity_fact WHERE identity_id = $3
			UNION SELECT value_key FROM email WHERE identity_id = $3))`, r.source, list(values), r.id)
		if err != nil {
			return fmt.Errorf("erasing user %s: %w", r.user, err)
		}
	}
	return nil
}
