package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"

	"github.com/usherd/usherd/directory"
)

// open is the condition of rows that hold now.
const open = "until = 9223372036854775807"

// firstEmail is what users are sorted by when it is by e-mail address.
const firstEmail = `COALESCE((SELECT MIN(s.value_key) FROM email s WHERE s.identity_id = t.id AND s.` + open + `), '')`

var identities = table[directory.Identity]{
	from: "identity t",
	columns: `t.id, t.user_id, t.source, t.presence, t.user_name, t.external_id, t.dn, t.display_name, t.type,
		t.active, t.emails, t.attributes, t.gone_since, t.created, t.modified, t.version`,
	living: "t.presence <> 'deleted'",
	attrs:  identityAttrs,
	scan:   scanIdentity,
	place: func(i directory.Identity) directory.Place {
		return directory.Place{Created: i.Created, ID: string(i.ID)}
	},
}

// identityAttrs are the columns of identities. A source sees no memberships
// in groups of others.
func identityAttrs(d dialect, source string) map[directory.Attribute]column {
	ofSource := ""
	if source != "" {
		ofSource = ` AND m.group_id IN (SELECT g.id FROM groups g WHERE g.source = ` + source + `)`
	}
	return map[directory.Attribute]column{
		directory.AttrID:         {kind: exact, expr: "t.id", index: narrowKey},
		directory.AttrUserName:   {kind: folded, expr: "t.user_name_key", index: narrowKey},
		directory.AttrName:       {kind: folded, expr: "t.display_key", index: narrowSource},
		directory.AttrExternalID: {kind: exact, expr: "t.external_id", index: narrowSource},
		directory.AttrActive:     {kind: flags, expr: "t.active"},
		directory.AttrEmail: {
			kind: folded, expr: "m.value_key", index: narrowKey,
			many: `t.id IN (SELECT m.identity_id FROM email m WHERE m.` + open,
		},
		directory.AttrMemberOf: {
			kind: exact, expr: "m.group_id", index: narrowKey,
			many: `t.user_id IN (SELECT m.member_id FROM membership m WHERE m.kind = 'user' AND m.` + open + ofSource,
		},
		directory.AttrCreated:  {kind: moment, expr: "t.created"},
		directory.AttrModified: {kind: moment, expr: "t.modified"},
		directory.AttrUserType: {kind: exact, expr: "t.type" + d.bytewise},
	}
}

var groups = table[directory.Group]{
	from: "groups t",
	columns: `t.id, t.num, t.source, t.name, t.external_id, t.dn, t.project, t.status, t.description, t.attributes,
		t.member_count, t.pending_count, t.created, t.modified, t.version`,
	living: "t.deleted = 0",
	attrs:  groupAttrs,
	scan:   scanGroup,
	place:  func(g directory.Group) directory.Place { return directory.Place{Created: g.Created, ID: string(g.ID)} },
}

func groupAttrs(d dialect, _ string) map[directory.Attribute]column {
	return map[directory.Attribute]column{
		directory.AttrID:         {kind: exact, expr: "t.id", index: narrowKey},
		directory.AttrName:       {kind: folded, expr: "t.name_key", index: narrowSource},
		directory.AttrExternalID: {kind: exact, expr: "t.external_id", index: narrowSource},
		directory.AttrMember: {
			kind: exact, expr: "m.value", index: narrowKey,
			// Naming the sources lets the index that begins with one be used.
			many: `t.id IN (SELECT m.group_id FROM membership m WHERE m.source IN (SELECT name FROM source) AND m.` + open,
		},
		directory.AttrCreated:     {kind: moment, expr: "t.created"},
		directory.AttrModified:    {kind: moment, expr: "t.modified"},
		directory.AttrGroupStatus: {kind: exact, expr: "t.status" + d.bytewise},
		directory.AttrProject:     {kind: exact, expr: "t.project"},
	}
}

func scanIdentity(row scanner) (i directory.Identity, err error) {
	var active, gone, created, modified int64
	var emails, attributes string
	err = row.Scan(&i.ID, &i.User, &i.Source, &i.Presence, &i.UserName, &i.ExternalID, &i.DN, &i.DisplayName, &i.Type,
		&active, &emails, &attributes, &gone, &created, &modified, &i.Version)
	if err != nil {
		return i, err
	}
	i.Active, i.Attributes = active != 0, raw(attributes)
	i.GoneSince, i.Created, i.Modified = fromMS(gone), fromMS(created), fromMS(modified)
	if emails != "" {
		err = unmarshal("list of e-mail addresses", emails, &i.Emails)
	}
	return i, err
}

func scanGroup(row scanner) (g directory.Group, err error) {
	var created, modified int64
	var attributes string
	err = row.Scan(&g.ID, &g.Num, &g.Source, &g.Name, &g.ExternalID, &g.DN, &g.Project, &g.Status, &g.Description, &attributes,
		&g.Members, &g.Pending, &created, &modified, &g.Version)
	g.Attributes, g.Created, g.Modified = raw(attributes), fromMS(created), fromMS(modified)
	return g, err
}

// Identities answers a query over the identities that are not deleted.
func (s *Store) Identities(ctx context.Context, q directory.Query) (directory.Page[directory.Identity], error) {
	return page(ctx, s, identities, q)
}

// Groups answers a query over living groups.
func (s *Store) Groups(ctx context.Context, q directory.Query) (directory.Page[directory.Group], error) {
	return page(ctx, s, groups, q)
}

// Identity returns an identity that is not deleted.
func (s *Store) Identity(ctx context.Context, source directory.SourceName, id directory.UserID) (directory.Identity, error) {
	return one(ctx, s.read, identities, source, string(id))
}

// Group returns a living group.
func (s *Store) Group(ctx context.Context, source directory.SourceName, id directory.GroupID) (directory.Group, error) {
	return one(ctx, s.read, groups, source, string(id))
}

// one returns the living row of an id; the empty source means any.
func one[T any](ctx context.Context, q querier, t table[T], source directory.SourceName, id string) (T, error) {
	var none T
	if !storable(id) || !storable(string(source)) {
		return none, fmt.Errorf("id in %s: %w", t.from, directory.ErrNotFound)
	}
	found, err := t.scan(q.QueryRowContext(ctx, `SELECT `+t.columns+` FROM `+t.from+` WHERE t.id = $1 AND `+t.living+
		` AND (t.source = $2 OR $2 = '')`, id, string(source)))
	if errors.Is(err, sql.ErrNoRows) {
		return none, fmt.Errorf("id %s: %w", id, directory.ErrNotFound)
	}
	if err != nil {
		return none, fmt.Errorf("reading %s: %w", id, err)
	}
	return found, nil
}
