package store

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"slices"

	"github.com/usherd/usherd/directory"
)

// touchUser notes that what is known of a user changed.
func (e *edit) touchUser(user string) { e.users[user] = struct{}{} }

// touchKey notes that a key came to name somebody else, or nobody, or somebody.
func (e *edit) touchKey(kind directory.KeyKind, source, value string) {
	if value == "" {
		return
	}
	k := directory.SubjectKey{Kind: kind, Value: value}
	if kind == directory.KeyExternal {
		k.Source = directory.SourceName(source)
	}
	e.keys[k] = struct{}{}
}

// touchGroup notes that a group's own facts changed.
func (e *edit) touchGroup(num int64) { e.nums[directory.GroupNum(num)] = struct{}{} }

// writeFeed writes the feed record of the edit.
func (e *edit) writeFeed(ctx context.Context, fp directory.Fingerprint) error {
	if err := e.nameUsers(ctx); err != nil {
		return err
	}
	body, err := json.Marshal(feedBody{
		Keys: slices.SortedFunc(maps.Keys(e.keys), func(a, b directory.SubjectKey) int {
			return cmp.Or(cmp.Compare(a.Kind, b.Kind), cmp.Compare(a.Source, b.Source), cmp.Compare(a.Value, b.Value))
		}),
		Groups: slices.Sorted(maps.Keys(e.nums)),
	})
	if err != nil {
		return fmt.Errorf("encoding the feed record: %w", err)
	}
	err = e.exec(ctx, `INSERT INTO feed (revision, fingerprint, time, policy, body) VALUES ($1, $2, $3, $4, $5)`,
		e.rev, int64(fp), e.now, flag(e.feedPolicy), string(body))
	if err != nil {
		return fmt.Errorf("writing the feed record: %w", err)
	}
	return nil
}

// nameUsers adds the ids of touched users and of all their identities to keys.
func (e *edit) nameUsers(ctx context.Context) error {
	for user := range e.users {
		e.touchKey(directory.KeyID, "", user)
	}
	for chunk := range slices.Chunk(slices.Sorted(maps.Keys(e.users)), listRows) {
		ids, err := collect(ctx, e.tx, scanText, `SELECT id FROM identity WHERE `+e.in("user_id", "$1"), list(chunk))
		if err != nil {
			return fmt.Errorf("reading the ids of touched users: %w", err)
		}
		for _, id := range ids {
			e.touchKey(directory.KeyID, "", id)
		}
	}
	return nil
}

func scanText(row scanner) (text string, err error) {
	err = row.Scan(&text)
	return text, err
}
