package store

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/usherd/usherd/directory"
)

// A personLine is one identity of a user, with what is the user's own.
type personLine struct {
	user     directory.PersonRow // without identities
	identity directory.PersonIdentity
	rank     int64
}

const personColumns = `u.id, u.type, u.blocked, u.block_reason, u.last_login, u.created, u.deleted,
	t.id, t.source, t.presence, t.user_name, t.user_name_key, t.display_name, t.display_key, t.external_id, t.active, t.emails,
	t.attributes, t.version,
	COALESCE((SELECT s.rank FROM source s WHERE s.name = t.source), 9223372036854775807)`

// PersonRows returns users as lists show them.
func (s *Store) PersonRows(ctx context.Context, ids ...directory.UserID) ([]directory.PersonRow, error) {
	since := ms(s.now().Add(-directory.RestoreFor))
	query := `SELECT ` + personColumns + ` FROM users u JOIN identity t ON t.user_id = u.id
		WHERE (u.deleted = 0 OR u.deleted >= $1)`
	var lines []personLine
	err := s.snapshot(ctx, func(q querier) (err error) {
		if len(ids) == 0 {
			lines, err = collect(ctx, q, scanPerson, query, since)
			return err
		}
		ids = slices.DeleteFunc(slices.Clone(ids), func(id directory.UserID) bool { return !storable(string(id)) })
		slices.Sort(ids)
		for part := range slices.Chunk(slices.Compact(ids), maxParams) {
			some, err := collect(ctx, q, scanPerson, query+` AND u.id IN (SELECT i.user_id FROM identity i WHERE i.id IN (`+
				params(2, len(part))+`))`, anys(part, any(since))...)
			if err != nil {
				return err
			}
			lines = append(lines, some...)
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("listing people: %w", err)
	}
	return gather(lines), nil
}

// LastLogins returns when users, or all living ones, were last known to sign in.
func (s *Store) LastLogins(ctx context.Context, users ...directory.UserID) (map[directory.UserID]time.Time, error) {
	const query = `SELECT id, last_login FROM users WHERE last_login > 0 AND `
	out := map[directory.UserID]time.Time{}
	note := func(row scanner) (struct{}, error) {
		var user directory.UserID
		var at int64
		err := row.Scan(&user, &at)
		out[user] = fromMS(at)
		return struct{}{}, err
	}
	if len(users) == 0 {
		if _, err := collect(ctx, s.read, note, query+`deleted = 0`); err != nil {
			return nil, fmt.Errorf("reading last logins: %w", err)
		}
		return out, nil
	}
	users = slices.DeleteFunc(slices.Clone(users), func(id directory.UserID) bool { return !storable(string(id)) })
	for part := range slices.Chunk(users, maxParams) {
		if _, err := collect(ctx, s.read, note, query+`id IN (`+params(1, len(part))+`)`, anys(part)...); err != nil {
			return nil, fmt.Errorf("reading last logins: %w", err)
		}
	}
	return out, nil
}

// gather makes one row of all lines of a user.
func gather(lines []personLine) []directory.PersonRow {
	slices.SortFunc(lines, func(a, b personLine) int {
		if c := strings.Compare(string(a.user.ID), string(b.user.ID)); c != 0 {
			return c
		}
		switch {
		case a.rank < b.rank:
			return -1
		case a.rank > b.rank:
			return 1
		}
		return strings.Compare(string(a.identity.ID), string(b.identity.ID))
	})
	var rows []directory.PersonRow
	for i, l := range lines {
		if i > 0 && l.user.ID == lines[i-1].user.ID {
			if l.identity.ID == lines[i-1].identity.ID {
				continue // two ids of one user, in two parts
			}
		} else {
			rows = append(rows, l.user)
		}
		row := &rows[len(rows)-1]
		row.Identities = append(row.Identities, l.identity)
	}
	return rows
}

func scanPerson(row scanner) (l personLine, err error) {
	var blocked, login, created, deleted, active int64
	var emails, attributes string
	u, i := &l.user, &l.identity
	err = row.Scan(&u.ID, &u.Type, &blocked, &u.BlockReason, &login, &created, &deleted,
		&i.ID, &i.Source, &i.Presence, &i.UserName, &i.UserNameKey, &i.DisplayName, &i.DisplayKey, &i.ExternalID, &active, &emails,
		&attributes, &i.Version, &l.rank)
	if err != nil {
		return l, err
	}
	u.Blocked, i.Active = blocked != 0, active != 0
	u.LastLogin, u.Created, u.Deleted = fromMS(login), fromMS(created), fromMS(deleted)
	if i.Email, err = shownEmail(emails); err != nil {
		return l, err
	}
	i.Attributes = attributeNames(i.Source, json.RawMessage(attributes))
	if strings.Contains(attributes, `"organization"`) {
		i.Company, err = companyOf(attributes)
	}
	return l, err
}

// attributeNames lists what can be a column. Which extension a name is of is not
// told, so those are left out here that local shows of nobody.
func attributeNames(source directory.SourceName, attributes json.RawMessage) []string {
	if source == directory.Local {
		attributes = directory.WithheldBy(&directory.Source{Name: source, Kind: directory.KindLocal}).Cut(attributes)
	}
	return directory.AttributeNames(attributes)
}

// Attributes returns what sources say of people beyond what lists show.
func (s *Store) Attributes(ctx context.Context, identities ...directory.UserID) (map[directory.UserID]json.RawMessage, error) {
	ids := slices.DeleteFunc(slices.Clone(identities), func(id directory.UserID) bool { return !storable(string(id)) })
	slices.Sort(ids)
	out := make(map[directory.UserID]json.RawMessage, len(ids))
	for part := range slices.Chunk(slices.Compact(ids), maxParams) {
		_, err := collect(ctx, s.read, func(row scanner) (struct{}, error) {
			var id directory.UserID
			var text string
			err := row.Scan(&id, &text)
			out[id] = raw(text)
			return struct{}{}, err
		}, `SELECT id, attributes FROM identity WHERE id IN (`+params(1, len(part))+`)`, anys(part)...)
		if err != nil {
			return nil, fmt.Errorf("reading attributes: %w", err)
		}
	}
	return out, nil
}

// shownEmail is the primary address, else the first.
func shownEmail(text string) (string, error) {
	if text == "" {
		return "", nil
	}
	var emails []directory.Email
	if err := unmarshal("list of e-mail addresses", text, &emails); err != nil {
		return "", err
	}
	for _, e := range emails {
		if e.Primary {
			return e.Value, nil
		}
	}
	if len(emails) == 0 {
		return "", nil
	}
	return emails[0].Value, nil
}

// companyOf is the organization of the enterprise extension (RFC 7643, section
// 4.3).
func companyOf(attributes string) (string, error) {
	if attributes == "" {
		return "", nil
	}
	var a struct {
		Enterprise struct {
			Organization json.RawMessage `json:"organization"`
		} `json:"urn:ietf:params:scim:schemas:extension:enterprise:2.0:User"`
	}
	if err := unmarshal("attributes", attributes, &a); err != nil {
		return "", err
	}
	var name string
	if json.Unmarshal(a.Enterprise.Organization, &name) != nil {
		return "", nil // it is no text: nothing to show
	}
	return name, nil
}
