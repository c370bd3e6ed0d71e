package store

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"time"

	"github.com/usherd/usherd/directory"
)

// NoteLogins says when people were last known to sign in. It is no edit: it
// makes no revision, and rows that would stay as they are are not written.
func (s *Store) NoteLogins(ctx context.Context, logins map[directory.UserID]time.Time) error {
	rows := make([][2]string, 0, len(logins))
	for _, id := range slices.Sorted(maps.Keys(logins)) { // in one order, so that two writers do not wait for each other
		if storable(string(id)) {
			rows = append(rows, [2]string{string(id), strconv.FormatInt(ms(logins[id]), 10)})
		}
	}
	for chunk := range slices.Chunk(rows, listRows) {
		_, err := s.write.ExecContext(ctx, `UPDATE users SET last_login = n.at FROM (
				SELECT COALESCE((SELECT NULLIF(i.user_id, '') FROM identity i WHERE i.id = l.value ->> 0), l.value ->> 0) AS id,
					max(CAST(l.value ->> 1 AS BIGINT)) AS at FROM `+s.d.rows("$1")+` l GROUP BY 1) n
			WHERE users.id = n.id AND users.deleted = 0 AND users.last_login < n.at`, encodeTable(chunk))
		if err != nil {
			return fmt.Errorf("noting sign-ins: %w", err)
		}
	}
	return nil
}
