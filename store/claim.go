package store

import (
	"context"
	"fmt"
	"slices"
	"strconv"

	"github.com/usherd/usherd/directory"
)

// Claims tells who stands in the way of newcomers, and whom they join whatever
// the caller does.
//
// Each newcomer is looked up by subqueries of its own; see [edit.resolve].
func (s *Store) Claims(ctx context.Context, source directory.SourceName, newcomers ...directory.Newcomer) ([]directory.Claim, error) {
	all := make([]directory.Claim, len(newcomers))
	rows := make([][4]string, 0, len(newcomers))
	for i, n := range newcomers {
		if !storable(string(n.ID)) || !storable(n.ExternalID) {
			return nil, fmt.Errorf("newcomer %d: %w", i, directory.ErrInvalid)
		}
		rows = append(rows, [4]string{strconv.Itoa(i), n.ExternalID, keyOrNone(n.UserName), string(n.ID)})
	}
	holder := `(SELECT i.id FROM identity i WHERE i.user_name_key = l.name AND l.name <> '' AND i.presence <> 'deleted' AND i.user_id <> l.user_id
		ORDER BY CASE WHEN i.source = $2 THEN 1 ELSE 0 END, i.id LIMIT 1)`
	revived := `(SELECT i.id FROM identity i WHERE l.id = '' AND l.ext <> '' AND i.source = $2 AND i.external_id = l.ext AND i.presence = 'deleted'
		AND EXISTS (SELECT 1 FROM users u WHERE u.id = i.user_id AND u.deleted = 0)
		AND EXISTS (SELECT 1 FROM source s WHERE s.name = i.source AND s.created <= i.gone_since) ORDER BY i.modified DESC, i.id LIMIT 1)`
	linked := `(SELECT k.user_id FROM link k WHERE l.id = '' AND k.source = $2 AND (k.value = l.ext AND l.ext <> '' OR k.value_key = l.name AND l.name <> '')
		ORDER BY CASE WHEN k.value = l.ext THEN 0 ELSE 1 END LIMIT 1)`
	for chunk := range slices.Chunk(rows, listRows) {
		found, err := collect(ctx, s.read, scanClaim, `SELECT c.n, COALESCE(h.id, ''), COALESCE(h.source, ''), COALESCE(h.user_id, ''),
				COALESCE(c.revived, ''), COALESCE((SELECT r.user_id FROM identity r WHERE r.id = c.revived), c.linked, '')
			FROM (SELECT l.n, `+holder+` AS holder, `+revived+` AS revived, `+linked+` AS linked FROM (
				SELECT v.value ->> 0 AS n, v.value ->> 1 AS ext, v.value ->> 2 AS name, v.value ->> 3 AS id,
					COALESCE((SELECT o.user_id FROM identity o WHERE o.id = v.value ->> 3), '') AS user_id FROM `+s.d.rows("$1")+` v) l) c
			LEFT JOIN identity h ON h.id = c.holder WHERE c.holder IS NOT NULL OR c.revived IS NOT NULL OR c.linked IS NOT NULL`,
			encodeTable(chunk), string(source))
		if err != nil {
			return nil, fmt.Errorf("asking who is in the way of newcomers: %w", err)
		}
		for _, c := range found {
			n, err := strconv.Atoi(c.n)
			if err != nil || n < 0 || n >= len(all) {
				return nil, fmt.Errorf("asking who is in the way of newcomers: an answer about %q", c.n)
			}
			all[n] = c.Claim
		}
	}
	return all, nil
}

type claimLine struct {
	n string
	directory.Claim
}

func scanClaim(row scanner) (l claimLine, err error) {
	return l, row.Scan(&l.n, &l.Holder, &l.HolderSource, &l.HolderUser, &l.Revives, &l.User)
}
