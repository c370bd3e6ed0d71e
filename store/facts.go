package store

import (
	"context"
	"fmt"

	"github.com/usherd/usherd/directory"
)

// readGroups returns the facts of all groups living at a revision, ascending by
// number. It reads three tables once, whatever the number of groups.
func readGroups(ctx context.Context, q querier, at directory.Revision) ([]directory.GroupFacts, error) {
	return assembleGroups(ctx, q, groupWhere{}, at)
}

// readTheseGroups returns the facts of those of nums that live at a revision.
func readTheseGroups(ctx context.Context, q querier, at directory.Revision, nums []directory.GroupNum) ([]directory.GroupFacts, error) {
	list := params(2, len(nums))
	return assembleGroups(ctx, q, groupWhere{
		num:    ` AND num IN (` + list + `)`,
		member: ` AND member_num IN (` + list + `)`,
		holder: ` AND holder_id IN (SELECT group_id FROM group_fact WHERE num IN (` + list + `))`,
		args:   anys(nums),
	}, at)
}

// groupWhere limits the three queries of assembleGroups; its parameters begin
// at $2.
type groupWhere struct {
	num, member, holder string
	args                []any
}

func assembleGroups(ctx context.Context, q querier, where groupWhere, at directory.Revision) ([]directory.GroupFacts, error) {
	args := append([]any{int64(at)}, where.args...)
	groups, err := collect(ctx, q, scanGroupFacts, `SELECT group_id, num, source, name, name_key, external_id, dn, project, status
		FROM group_fact WHERE until > $1 AND since <= $1`+where.num+` ORDER BY num`, args...)
	if err != nil {
		return nil, fmt.Errorf("reading groups: %w", err)
	}
	nestings, err := collect(ctx, q, scanNesting, `SELECT DISTINCT member_num, group_num
		FROM membership WHERE kind = 'group' AND until > $1 AND since <= $1`+where.member+` ORDER BY member_num, group_num`, args...)
	if err != nil {
		return nil, fmt.Errorf("reading nested groups: %w", err)
	}
	grants, err := collect(ctx, q, scanGrant, `SELECT `+grantColumns+`
		FROM grants WHERE holder = 'group' AND until > $1 AND since <= $1`+where.holder+` ORDER BY holder_id, id`, args...)
	if err != nil {
		return nil, fmt.Errorf("reading grants of groups: %w", err)
	}
	byNum, byID := make(map[directory.GroupNum]int, len(groups)), make(map[directory.GroupID]int, len(groups))
	for i, g := range groups {
		byNum[g.Num], byID[g.ID] = i, i
	}
	for _, n := range nestings {
		if i, living := byNum[n.member]; living {
			groups[i].Parents = append(groups[i].Parents, n.group)
		}
	}
	for _, g := range grants {
		if i, living := byID[g.Group]; living {
			groups[i].Grants = append(groups[i].Grants, g)
		}
	}
	return groups, nil
}

func scanGroupFacts(row scanner) (g directory.GroupFacts, err error) {
	var status directory.GroupStatus
	err = row.Scan(&g.ID, &g.Num, &g.Source, &g.Name, &g.NameKey, &g.ExternalID, &g.DN, &g.Project, &status)
	g.Blocked = status != directory.GroupActive // what is not known to be active gives nothing
	return g, err
}

// A nesting says that a group is a direct member of another.
type nesting struct{ member, group directory.GroupNum }

func scanNesting(row scanner) (n nesting, err error) {
	err = row.Scan(&n.member, &n.group)
	return n, err
}

// grantColumns are what scanGrant reads.
const grantColumns = `id, holder, holder_id, project, role, kind, key, level, origin, by_actor, created`

func scanGrant(row scanner) (g directory.Grant, err error) {
	var holder, id string
	var created int64
	err = row.Scan(&g.ID, &holder, &id, &g.Project, &g.Role, &g.Privilege.Kind, &g.Privilege.Key, &g.Privilege.Level,
		&g.Origin, &g.By, &created)
	g.Created = fromMS(created)
	setHolder(&g, holder, id)
	return g, err
}

func setHolder(g *directory.Grant, holder, id string) {
	if holder == "group" {
		g.Group = directory.GroupID(id)
	} else {
		g.User = directory.UserID(id)
	}
}

// readPolicy returns the policy, bindings, sources and tokens at p.at. Tokens
// and the settings of sources have no history: they are those of now.
func readPolicy(ctx context.Context, q querier, p point) (facts directory.PolicyFacts, err error) {
	at := int64(p.at.Revision)
	if facts.Revision, err = policyRevision(ctx, q, p); err != nil {
		return facts, err
	}
	items, err := collect(ctx, q, scanItem, `SELECT section, key, body FROM policy_item
		WHERE until > $1 AND since <= $1 ORDER BY section, place, key`, at)
	if err != nil {
		return facts, fmt.Errorf("reading the policy: %w", err)
	}
	for _, it := range items {
		if err := it.addTo(&facts.Policy); err != nil {
			return facts, err
		}
	}
	facts.Bindings, err = collect(ctx, q, scanBinding, `SELECT mapping, group_id, group_num, state FROM binding
		WHERE until > $1 AND since <= $1 ORDER BY mapping, group_num`, at)
	if err != nil {
		return facts, fmt.Errorf("reading bindings: %w", err)
	}
	facts.Sources, err = collect(ctx, q, scanSource, `SELECT f.name, f.kind, f.state, f.rank, s.settings, s.created, s.modified
		FROM source_fact f JOIN source s ON s.name = f.name
		WHERE f.until > $1 AND f.since <= $1 AND f.state <> 'removed' ORDER BY f.rank, f.name`, at)
	if err != nil {
		return facts, fmt.Errorf("reading sources: %w", err)
	}
	facts.Tokens, err = collect(ctx, q, scanKeptToken, `SELECT `+tokenColumns+`, hash FROM token WHERE revoked = 0 ORDER BY id`)
	if err != nil {
		return facts, fmt.Errorf("reading tokens: %w", err)
	}
	return facts, nil
}

// policyRevision returns the revision, up to p.at, at which the policy or a
// binding last changed.
func policyRevision(ctx context.Context, q querier, p point) (directory.Revision, error) {
	if p.policy <= p.at.Revision {
		return p.policy, nil
	}
	var last directory.Revision
	err := q.QueryRowContext(ctx, `SELECT COALESCE(MAX(r), 0) FROM (
		SELECT since AS r FROM policy_item UNION ALL SELECT until FROM policy_item
		UNION ALL SELECT since FROM binding UNION ALL SELECT until FROM binding) changes
		WHERE r <= $1`, int64(p.at.Revision)).Scan(&last)
	if err != nil {
		return 0, fmt.Errorf("reading when the policy changed: %w", err)
	}
	return last, nil
}
