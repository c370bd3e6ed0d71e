package store

import (
	"context"
	"fmt"

	"github.com/usherd/usherd/directory"
)

// A thing is what a grant gives, whatever the level.
type thing struct{ role, kind, key string }

func (t thing) String() string {
	if t.role != "" {
		return "role " + t.role
	}
	return t.kind + " " + t.key
}

// A grantRow is a grant as it is kept.
type grantRow struct {
	id, holder, holderID, project string
	thing
	level      int64
	origin, by string
	created    int64
}

func scanGrantRow(row scanner) (g grantRow, err error) {
	err = row.Scan(&g.id, &g.holder, &g.holderID, &g.project, &g.role, &g.kind, &g.key, &g.level, &g.origin, &g.by, &g.created)
	return g, err
}

// prepareThing checks a privilege or a Role as far as that needs no policy.
func prepareThing(role directory.RoleName, p directory.Privilege) (thing, error) {
	t := thing{string(role), string(p.Kind), p.Key}
	if (role == "") == (p.Kind == "") {
		return t, fmt.Errorf("a grant gives either a Role or a privilege: %w", directory.ErrInvalid)
	}
	if p.Level != directory.NoLevel && (p.Kind != directory.IntegrationLevel || p.Level > directory.Admin) {
		return t, fmt.Errorf("%s has no level %d: %w", t, uint8(p.Level), directory.ErrInvalid)
	}
	switch p.Kind {
	case directory.Access, directory.OutputPrivilege, directory.IntegrationLevel:
		if p.Key == "" {
			return t, fmt.Errorf("a privilege of kind %s has no key: %w", p.Kind, directory.ErrInvalid)
		}
	case directory.RolePrivilege:
		if _, _, _, ok := directory.SplitRoleKey(p.Key); !ok {
			return t, fmt.Errorf("key %q is neither feature:action nor type:id:action: %w", p.Key, directory.ErrInvalid)
		}
		t.key = directory.RoleKey(p.Key)
	case "":
		if p.Key != "" {
			return t, fmt.Errorf("a privilege has no kind: %w", directory.ErrInvalid)
		}
	default:
		return t, fmt.Errorf("privilege kind %q: %w", p.Kind, directory.ErrInvalid)
	}
	return t, checkText("key", t.role+t.key, maxID)
}

func prepareGrant(g directory.Grant) (grantRow, error) {
	row := grantRow{
		id: g.ID, holder: "user", holderID: string(g.User), project: string(g.Project),
		level: int64(g.Privilege.Level), origin: string(directory.ByHand), by: g.By,
	}
	if (g.User == "") == (g.Group == "") {
		return row, fmt.Errorf("a grant is held either by a user or by a group: %w", directory.ErrInvalid)
	}
	if g.Group != "" {
		row.holder, row.holderID = "group", string(g.Group)
	}
	var err error
	row.thing, err = prepareThing(g.Role, g.Privilege)
	return row, err
}

type putGrant struct{ grantRow }

func preparePutGrant(c directory.PutGrant) (op, error) {
	g, err := prepareGrant(c.Grant)
	if err != nil {
		return nil, err
	}
	if c.Grant.Origin != "" && c.Grant.Origin != directory.ByHand {
		return nil, fmt.Errorf("a grant of origin %q is not put: %w", c.Grant.Origin, directory.ErrInvalid)
	}
	return putGrant{g}, checkText("grant", g.id+g.by, maxID)
}

func (o putGrant) run(ctx context.Context, e *edit) error {
	if err := e.livingHolder(ctx, o.grantRow); err != nil {
		return err
	}
	if err := e.knownThing(ctx, o.thing, o.project); err != nil {
		return err
	}
	g := o.grantRow
	if g.by == "" {
		g.by = e.by.Name
	}
	return e.putGrant(ctx, g)
}

// putGrant gives a grant in place of one of the same thing.
func (e *edit) putGrant(ctx context.Context, g grantRow) error {
	old, found, err := e.grantLike(ctx, g)
	switch {
	case err != nil:
		return err
	case found && old.level == g.level && old.origin == g.origin:
		return nil
	case found && g.id == "":
		g.id = old.id
	case g.id == "":
		g.id = directory.NewID()
	}
	if !found || g.id != old.id {
		if err := e.freeGrant(ctx, g.id); err != nil {
			return err
		}
	}
	if found {
		if err := e.end(ctx, "grants", "id = $1", old.id); err != nil {
			return err
		}
	}
	g.created = e.now
	err = e.exec(ctx, `INSERT INTO grants (`+grantColumns+`, since, until)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13)`,
		g.id, g.holder, g.holderID, g.project, g.role, g.kind, g.key, g.level, g.origin, g.by, g.created, e.rev, int64(forever))
	if err != nil {
		return fmt.Errorf("writing grant %s: %w", g.id, err)
	}
	return e.noteGrant(ctx, "grant.put", g)
}

// freeGrant refuses an id that a grant has or had.
func (e *edit) freeGrant(ctx context.Context, id string) error {
	var used int64
	if _, err := e.find(ctx, []any{&used}, `SELECT count(*) FROM grants WHERE id = $1`, id); err != nil {
		return fmt.Errorf("asking whether grant id %s is used: %w", id, err)
	}
	if used > 0 {
		return fmt.Errorf("grant id %s was used before: %w", id, directory.ErrInvalid)
	}
	return nil
}

// grantLike returns the grant of the same holder, scope and thing.
func (e *edit) grantLike(ctx context.Context, g grantRow) (grantRow, bool, error) {
	found, err := e.grantsWhere(ctx, `holder_id = $1 AND holder = $2 AND project = $3 AND role = $4 AND kind = $5 AND key = $6`,
		g.holderID, g.holder, g.project, g.role, g.kind, g.key)
	if err != nil || len(found) == 0 {
		return grantRow{}, false, err
	}
	return found[0], true, nil
}

// grantsWhere returns the grants that hold and fulfil a condition, by id.
func (e *edit) grantsWhere(ctx context.Context, where string, args ...any) ([]grantRow, error) {
	grants, err := collect(ctx, e.tx, scanGrantRow, `SELECT `+grantColumns+` FROM grants WHERE `+isOpen+` AND `+where+` ORDER BY id`, args...)
	if err != nil {
		return nil, fmt.Errorf("reading grants: %w", err)
	}
	return grants, nil
}

// endGrantRow ends a grant that holds.
func (e *edit) endGrantRow(ctx context.Context, g grantRow) error {
	if err := e.end(ctx, "grants", "id = $1", g.id); err != nil {
		return err
	}
	return e.noteGrant(ctx, "grant.ended", g)
}

// noteGrant notes the effect of a grant and names its holder in the feed.
func (e *edit) noteGrant(ctx context.Context, what string, g grantRow) error {
	f := effect{Type: what, Target: g.holderID, Project: g.project, Value: g.String()}
	if g.kind == string(directory.IntegrationLevel) {
		f.Value += "=" + directory.Level(g.level).String()
	}
	if g.holder == "user" {
		e.touchUser(g.holderID)
	} else {
		var num int64
		if _, err := e.find(ctx, []any{&num}, `SELECT num FROM groups WHERE id = $1`, g.holderID); err != nil {
			return fmt.Errorf("reading the number of group %s: %w", g.holderID, err)
		}
		e.touchGroup(num)
	}
	return e.note(f, []any{g.id, g.holder, g.holderID, g.project, g.role, g.kind, g.key, g.level, g.origin, g.by})
}

// livingHolder refuses a holder who is not there.
func (e *edit) livingHolder(ctx context.Context, g grantRow) error {
	if g.holder == "group" {
		_, err := e.group(ctx, directory.GroupID(g.holderID))
		return err
	}
	return e.livingUser(ctx, directory.UserID(g.holderID))
}

func (e *edit) livingUser(ctx context.Context, id directory.UserID) error {
	var one int64
	found, err := e.find(ctx, []any{&one}, `SELECT 1 FROM users WHERE id = $1 AND deleted = 0`, string(id))
	if err != nil {
		return fmt.Errorf("reading user %s: %w", id, err)
	}
	if !found {
		return fmt.Errorf("user %s: %w", id, directory.ErrNotFound)
	}
	return nil
}

type endGrant struct{ grantRow }

func prepareEndGrant(c directory.EndGrant) (op, error) {
	g, err := prepareGrant(c.Grant)
	return endGrant{g}, err
}

func (o endGrant) run(ctx context.Context, e *edit) error {
	g, found, err := e.grantLike(ctx, o.grantRow)
	if err != nil {
		return err
	}
	if !found {
		return fmt.Errorf("a grant of %s to %s %s: %w", o.thing, o.holder, o.holderID, directory.ErrNotFound)
	}
	return e.endGrantRow(ctx, g)
}
