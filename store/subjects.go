package store

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"sync"

	"github.com/usherd/usherd/directory"
)

// Subjects returns living users, ascending by id, as of a stamp.
//
// People are found and read apart. What a person has is put into one row by the
// database, so that somebody in ten groups costs one row and not twelve; large
// selections are read by two connections at once. Each reads as of the revision
// that was found first, which is the same whatever is written meanwhile.
func (s *Store) Subjects(ctx context.Context, who directory.People, at directory.Stamp) ([]directory.Subject, error) {
	var subjects []directory.Subject
	limit := who.Limit
	for {
		ids, stamp, err := s.findPeople(ctx, who, at)
		if err != nil {
			return nil, err
		}
		at = stamp
		some, err := s.readSubjects(ctx, ids, at)
		if err != nil {
			return nil, err
		}
		subjects = append(subjects, some...)
		if limit <= 0 || len(ids) < who.Limit || len(subjects) >= limit {
			return subjects, nil
		}
		// Some of those found do not live: others take their places.
		who.After, who.Limit = ids[len(ids)-1], limit-len(subjects)
	}
}

// findPeople returns the ids of who, ascending, and the stamp that they are as
// of. Some may not live.
func (s *Store) findPeople(ctx context.Context, who directory.People, at directory.Stamp) (ids []directory.UserID, _ directory.Stamp, err error) {
	err = s.snapshot(ctx, func(q querier) error {
		p, err := readPoint(ctx, q, at.Revision)
		if err != nil {
			return err
		}
		if at == (directory.Stamp{}) {
			at = p.head
		} else if err := p.checkStamp(at); err != nil {
			return fmt.Errorf("stamp %s: %w", at, err)
		}
		f := finder{q: q, at: at.Revision, after: who.After, limit: who.Limit}
		if ids, err = f.find(ctx, who); err != nil {
			return fmt.Errorf("finding people: %w", err)
		}
		return nil
	})
	return ids, at, err
}

// A finder finds ids of users that come after one, at a revision. With a limit
// it returns that many at most, and each of its questions does.
type finder struct {
	q     querier
	at    directory.Revision
	after directory.UserID
	limit int
	found []directory.UserID
}

// fewGroups is up to how many groups are asked one by one, each in the order of
// its members' ids, so that a page costs a page and not the group.
const fewGroups = 100

func (f *finder) find(ctx context.Context, who directory.People) ([]directory.UserID, error) {
	f.found = slices.Clone(who.IDs)
	groups := maxParams
	if f.limit > 0 && len(who.Groups) <= fewGroups {
		groups = 1
	}
	var err error
	ask := func(table, column, where string, args []any) {
		if err == nil {
			err = f.ask(ctx, table, column, where, args)
		}
	}
	if who.Everyone {
		ask("user_fact", "user_id", "", nil)
	}
	for nums := range slices.Chunk(who.Groups, groups) {
		ask("membership", "member_id", "group_num IN ("+params(4, len(nums))+") AND kind = 'user' AND", anys(nums))
	}
	if len(who.Sources) > 0 {
		ask("identity_fact", "user_id", "source IN ("+params(4, len(who.Sources))+") AND", anys(who.Sources))
	}
	if who.Granted {
		ask("grants", "holder_id", "holder = 'user' AND", nil)
	}
	if who.Overridden {
		ask("overrides", "user_id", "", nil)
	}
	if err != nil {
		return nil, err
	}
	slices.Sort(f.found)
	f.found = slices.Compact(f.found)
	if first, exact := slices.BinarySearch(f.found, f.after); exact {
		f.found = f.found[first+1:]
	} else {
		f.found = f.found[first:]
	}
	if f.limit > 0 && len(f.found) > f.limit {
		f.found = f.found[:f.limit]
	}
	return f.found, nil
}

// ask adds the users in a column. A group that does not live has no members;
// that it does not is found when people are read.
func (f *finder) ask(ctx context.Context, table, column, where string, args []any) error {
	query := `SELECT DISTINCT ` + column + ` FROM ` + table + ` WHERE ` + where + ` until > $1 AND since <= $1 AND ` + column + ` > $2`
	most := int64(f.limit)
	if f.limit > 0 {
		query += ` ORDER BY ` + column
	} else {
		most = math.MaxInt64
	}
	query += ` LIMIT $3`
	ids, err := collect(ctx, f.q, scanUserID, query, slices.Concat([]any{int64(f.at), string(f.after), most}, args)...)
	f.found = append(f.found, ids...)
	return err
}

func scanUserID(row scanner) (id directory.UserID, err error) {
	err = row.Scan(&id)
	return id, err
}

// peopleChunk is how many people one statement reads.
const peopleChunk = maxParams

// readSubjects reads the living among users, whose ids ascend.
func (s *Store) readSubjects(ctx context.Context, ids []directory.UserID, at directory.Stamp) ([]directory.Subject, error) {
	const readers = 2
	chunks := slices.Collect(slices.Chunk(ids, peopleChunk))
	parts := make([][]directory.Subject, len(chunks))
	errs := make([]error, min(readers, len(chunks)))
	var all sync.WaitGroup
	for r := range errs {
		all.Go(func() {
			errs[r] = s.snapshot(ctx, func(q querier) error {
				for i := r; i < len(chunks); i += len(errs) {
					some, err := readChunk(ctx, q, s.d, chunks[i], at)
					if err != nil {
						return fmt.Errorf("reading people: %w", err)
					}
					parts[i] = some
				}
				return stillKept(ctx, q, at)
			})
		})
	}
	all.Wait()
	if err := cmp.Or(errs...); err != nil {
		return nil, err
	}
	return slices.Concat(parts...), nil
}

// stillKept fails if the history of a stamp was pruned while it was read.
func stillKept(ctx context.Context, q querier, at directory.Stamp) error {
	p, err := readPoint(ctx, q, at.Revision)
	if err != nil {
		return err
	}
	if err := p.checkStamp(at); err != nil {
		return fmt.Errorf("stamp %s: %w", at, err)
	}
	return nil
}

// peopleSQL has one row a user. Its lists are texts: identities as
// source:presence:active and numbers of groups, separated by commas, of which a
// source's name has none. LIST stands for the users' parameters, JOIN for the
// function that makes one text of many.
const peopleSQL = `SELECT u.user_id, u.type, u.blocked,
	COALESCE((SELECT JOIN(i.source || ':' || i.presence || ':' || CAST(i.active AS TEXT), ',') FROM identity_fact i
		WHERE i.user_id = u.user_id AND i.until > $1 AND i.since <= $1), ''),
	COALESCE((SELECT JOIN(CAST(m.group_num AS TEXT), ',') FROM membership m
		WHERE m.member_id = u.user_id AND m.kind = 'user' AND m.until > $1 AND m.since <= $1), '')
	FROM user_fact u WHERE u.user_id IN (LIST) AND u.until > $1 AND u.since <= $1 ORDER BY u.user_id`

// ownSQL has what few people have: a row for each own grant and override.
const ownSQL = `SELECT holder_id, 4, id, project, role, kind, key, origin, by_actor, level, created
		FROM grants WHERE holder_id IN (LIST) AND holder = 'user' AND until > $1 AND since <= $1
	UNION ALL SELECT user_id, 5, project, '', '', '', '', '', '', 0, 0
		FROM overrides WHERE user_id IN (LIST) AND until > $1 AND since <= $1`

// A personRow is one row of peopleSQL.
type personRow struct {
	id                 directory.UserID
	kind               directory.UserType
	blocked            int64
	identities, groups string
}

func scanPersonRow(row scanner) (r personRow, err error) {
	err = row.Scan(&r.id, &r.kind, &r.blocked, &r.identities, &r.groups)
	return r, err
}

// An ownRow is a subjectRow and whose it is.
type ownRow struct {
	id directory.UserID
	subjectRow
}

func scanOwnRow(row scanner) (r ownRow, err error) {
	err = row.Scan(&r.id, &r.kind, &r.text[0], &r.text[1], &r.text[2], &r.text[3], &r.text[4], &r.text[5], &r.text[6], &r.num[0], &r.num[1])
	return r, err
}

// readChunk reads the living among a few users, whose ids ascend.
func readChunk(ctx context.Context, q querier, d dialect, ids []directory.UserID, at directory.Stamp) ([]directory.Subject, error) {
	args := anys(ids, any(int64(at.Revision)))
	list, join := params(2, len(ids)), "group_concat"
	if d.engine == postgres {
		join = "string_agg"
	}
	text := strings.NewReplacer("LIST", list, "JOIN", join)
	rows, err := collect(ctx, q, scanPersonRow, text.Replace(peopleSQL), args...)
	if err != nil {
		return nil, err
	}
	own, err := collect(ctx, q, scanOwnRow, text.Replace(ownSQL), args...)
	if err != nil {
		return nil, err
	}
	subjects := make([]directory.Subject, 0, len(rows))
	for _, r := range rows {
		sub := directory.Subject{At: at, Found: directory.One, ID: r.id, Type: r.kind, Blocked: r.blocked != 0}
		if r.addIdentities(&sub); len(sub.Sources) == 0 {
			continue // all identities are deleted: nobody living
		}
		if err := r.addGroups(&sub); err != nil {
			return nil, err
		}
		subjects = append(subjects, sub)
	}
	for _, r := range own {
		i, living := slices.BinarySearchFunc(subjects, r.id, func(sub directory.Subject, id directory.UserID) int {
			return cmp.Compare(sub.ID, id)
		})
		if living {
			r.addTo(&subjects[i])
		}
	}
	if err := ofLivingGroups(ctx, q, subjects, at); err != nil {
		return nil, err
	}
	for i := range subjects {
		arrange(&subjects[i])
	}
	return subjects, nil
}

func (r personRow) addIdentities(sub *directory.Subject) {
	for text := range strings.SplitSeq(r.identities, ",") {
		source, rest, _ := strings.Cut(text, ":")
		presence, active, _ := strings.Cut(rest, ":")
		one := subjectRow{kind: rowIdentity}
		one.text[0], one.text[1] = source, presence
		if active == "1" {
			one.num[0] = 1
		}
		one.addTo(sub)
	}
}

func (r personRow) addGroups(sub *directory.Subject) error {
	if r.groups == "" {
		return nil
	}
	sub.Memberships = make([]directory.Membership, 0, 1+strings.Count(r.groups, ","))
	for text := range strings.SplitSeq(r.groups, ",") {
		num, err := strconv.ParseUint(text, 10, 32)
		if err != nil {
			return errors.New("a kept number of a group is damaged")
		}
		sub.Memberships = append(sub.Memberships, directory.Membership{Group: directory.GroupNum(num)})
	}
	return nil
}

// ofLivingGroups leaves out memberships of groups that do not live, and marks
// those of local groups. The index that memberships are read from knows neither.
func ofLivingGroups(ctx context.Context, q querier, subjects []directory.Subject, at directory.Stamp) error {
	local := map[directory.GroupNum]bool{} // of the groups that live
	for i := range subjects {
		for _, m := range subjects[i].Memberships {
			local[m.Group] = false
		}
	}
	nums := make([]directory.GroupNum, 0, len(local))
	for num := range local {
		nums = append(nums, num)
	}
	clear(local)
	for chunk := range slices.Chunk(nums, maxParams) {
		found, err := collect(ctx, q, scanGroupSource, `SELECT num, source FROM group_fact
			WHERE num IN (`+params(2, len(chunk))+`) AND until > $1 AND since <= $1`, anys(chunk, any(int64(at.Revision)))...)
		if err != nil {
			return err
		}
		for _, g := range found {
			local[g.num] = g.source == directory.Local
		}
	}
	for i := range subjects {
		sub := &subjects[i]
		kept := sub.Memberships[:0]
		for _, m := range sub.Memberships {
			if ours, lives := local[m.Group]; lives {
				kept = append(kept, directory.Membership{Group: m.Group, Local: ours})
			}
		}
		if sub.Memberships = kept; len(kept) == 0 {
			sub.Memberships = nil
		}
	}
	return nil
}

// A groupSource says who owns a group.
type groupSource struct {
	num    directory.GroupNum
	source directory.SourceName
}

func scanGroupSource(row scanner) (g groupSource, err error) {
	err = row.Scan(&g.num, &g.source)
	return g, err
}
