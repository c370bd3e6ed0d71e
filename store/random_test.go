package store

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/usherd/usherd/directory"
)

// TestRandomHistories applies random changes and checks after each what must
// hold whatever happened: counters count, nothing belongs to the dead, the feed
// names whatever reads otherwise than before, and saying it again alters nothing.
func TestRandomHistories(t *testing.T) {
	eachEngine(t, func(t *testing.T, s *Store) {
		for seed := range uint64(2) {
			h := &history{T: t, s: s, r: rand.New(rand.NewPCG(seed, 7)), run: fmt.Sprintf("%d-", seed), owner: map[string]directory.SourceName{}}
			h.begin()
			for range 50 {
				h.step()
			}
		}
		checkHistory(t, s)
		checkIntervals(t, s)
	})
}

// A history makes random changes over a few users, groups and names, so that
// they meet.
type history struct {
	*testing.T
	s      *Store
	r      *rand.Rand
	run    string // makes names of runs in one store differ
	users  []directory.UserID
	groups []directory.GroupID
	owner  map[string]directory.SourceName // as it was when they were made
	log    []string
}

var (
	testSources  = []directory.SourceName{"okta", "corp", directory.Local}
	testProjects = []directory.ProjectKey{"", "alpha", "beta"}
	testRoles    = []directory.RoleName{"project-viewer", "releaser", "project-admin"}
)

func testPolicy(mappings ...directory.Mapping) directory.Policy {
	return directory.Policy{
		Projects: []directory.Project{{Key: "alpha"}, {Key: "beta"}},
		Roles:    []directory.Role{{Name: "releaser"}}, Mappings: mappings,
	}
}

func (h *history) begin() {
	mustApply(h.T, h.s,
		directory.PutSource{Source: directory.Source{Name: "okta", Kind: directory.KindSCIM}},
		directory.PutSource{Source: directory.Source{Name: "corp", Kind: directory.KindLDAP}})
	if _, err := h.s.Apply(h.Context(), system, directory.SetPolicy{
		Policy:   testPolicy(),
		Sections: []directory.Section{directory.SectionProjects, directory.SectionRoles},
	}); err != nil {
		h.Fatal(err)
	}
}

func pick[T any](r *rand.Rand, all []T) T { return all[r.IntN(len(all))] }

func (h *history) user() directory.UserID {
	if len(h.users) == 0 || h.r.IntN(20) == 0 {
		return directory.UserID(directory.NewID())
	}
	return pick(h.r, h.users)
}

func (h *history) group() directory.GroupID {
	if len(h.groups) == 0 || h.r.IntN(20) == 0 {
		return directory.GroupID(directory.NewID())
	}
	return pick(h.r, h.groups)
}

// of returns the source that made something, or now and then another.
func of[T ~string](h *history, id T) directory.SourceName {
	if source, ok := h.owner[string(id)]; ok && h.r.IntN(10) > 0 {
		return source
	}
	return pick(h.r, testSources)
}

// name is one of a few, in one of two spellings.
func (h *history) name() string {
	return h.run + pick(h.r, []string{"ann", "Ann", "bob", "cid", "dan", "eve", "fay", "gus"})
}

// external is an external id, or none.
func (h *history) external() string {
	if h.r.IntN(4) == 0 {
		return ""
	}
	return h.run + pick(h.r, []string{"1", "2", "3", "4", "5", "6"})
}

func (h *history) profile() directory.Profile {
	p := directory.Profile{UserName: h.name(), ExternalID: h.external(), Active: h.r.IntN(4) > 0}
	for range h.r.IntN(3) {
		p.Emails = append(p.Emails, directory.Email{Value: h.name() + "@a.test"})
	}
	return p
}

func (h *history) values() []string {
	var all []string
	for range h.r.IntN(5) {
		switch h.r.IntN(3) {
		case 0:
			all = append(all, string(h.user()))
		case 1:
			all = append(all, string(h.group()))
		default:
			all = append(all, h.run+pick(h.r, []string{"1", "2", "3", "4", "5", "6"}))
		}
	}
	return all
}

func (h *history) mapping() directory.Mapping {
	m := directory.Mapping{
		Name: pick(h.r, []string{"m", "n"}), AllowAdmin: true,
		Grants: []directory.GrantSet{{Roles: []directory.RoleName{pick(h.r, testRoles)}}},
	}
	m.When = pick(h.r, []directory.Selector{{ID: h.run + "1"}, {DN: "cn=" + h.run + "ann"}, {Name: h.run + "bob"}, {Pattern: h.run + "*"}})
	m.When.Source = pick(h.r, testSources)
	return m
}

// change returns a random change, which may be refused.
func (h *history) change() directory.Change {
	source, project := pick(h.r, testSources), pick(h.r, testProjects)
	user, group := h.user(), h.group()
	via := pick(h.r, []directory.Via{"", directory.ViaPrimaryGroup})
	grant := directory.Grant{User: user, Project: project, Role: pick(h.r, testRoles)}
	if h.r.IntN(2) == 0 {
		grant.User, grant.Group = "", group
	}
	switch h.r.IntN(22) {
	case 0, 1, 2:
		c := directory.CreateUser{ID: directory.UserID(directory.NewID()), Source: source, Profile: h.profile()}
		h.users, h.owner[string(c.ID)] = append(h.users, c.ID), source
		return c
	case 3, 4:
		c := directory.CreateGroup{ID: directory.GroupID(directory.NewID()), Source: source, Name: h.name(), ExternalID: h.external(), Project: project}
		c.DN = "CN=" + c.Name
		h.groups, h.owner[string(c.ID)] = append(h.groups, c.ID), source
		return c
	case 5, 6, 7, 8:
		return directory.AddMembers{Group: group, Source: of(h, group), Values: h.values(), Via: via}
	case 9:
		return directory.RemoveMembers{Group: group, Source: of(h, group), Values: h.values(), Via: via}
	case 10:
		return directory.ReplaceMembers{Group: group, Source: of(h, group), Values: h.values(), Via: via}
	case 11:
		return directory.ReplaceUser{ID: user, Source: of(h, user), Profile: h.profile()}
	case 12:
		return directory.DeleteUser{ID: user, Source: of(h, user)}
	case 13:
		return directory.DeleteGroup{ID: group, Source: of(h, group)}
	case 14:
		return directory.SetPresence{ID: user, Source: of(h, user), Presence: pick(h.r, []directory.Presence{directory.Present, directory.Gone})}
	case 15:
		return directory.UpdateGroup{ID: group, Source: of(h, group), Name: new(h.name()), ExternalID: new(h.external())}
	case 16:
		return directory.PutGrant{Grant: grant}
	case 17:
		return directory.EndGrant{Grant: grant}
	case 18:
		return directory.SetOverride{User: user, Project: project, Grants: []directory.GrantSet{{Roles: testRoles[:h.r.IntN(3)]}}}
	case 19:
		return pick(h.r, []directory.Change{
			directory.SetOverride{User: user, Project: project, Group: group},
			directory.EndOverride{User: user, Project: project},
			directory.SetBlock{User: user, Blocked: h.r.IntN(2) == 0},
		})
	case 20:
		return pick(h.r, []directory.Change{
			directory.SetGroupStatus{Group: group, Status: pick(h.r, []directory.GroupStatus{directory.GroupActive, directory.GroupBlocked})},
			directory.SetGroupScope{Group: group, Project: project},
			directory.SetSourceState{Source: source, State: pick(h.r, []directory.SourceState{directory.SourceActive, directory.SourceDisabled})},
		})
	}
	if h.r.IntN(6) == 0 {
		return directory.RemoveSource{Source: source, KeepPeople: h.r.IntN(2) == 0}
	}
	m := []directory.Mapping{h.mapping()}
	return directory.SetPolicy{Policy: testPolicy(m...), Sections: []directory.Section{directory.SectionMappings}}
}

// step applies one to three random changes and checks what they led to.
func (h *history) step() {
	h.Helper()
	var changes []directory.Change
	for range pick(h.r, []int{1, 1, 1, 2, 3}) {
		changes = append(changes, h.change())
	}
	before := h.read()
	a, err := h.s.Apply(h.Context(), system, changes...)
	h.log = append(h.log, fmt.Sprintf("%v %v: %+v", a.Stamp.Revision, err, changes))
	for _, fine := range []error{nil, directory.ErrNotFound, directory.ErrExists, directory.ErrNotOwner, directory.ErrInvalid, directory.ErrInUse} {
		if errors.Is(err, fine) {
			h.check(before, h.read(), a, changes)
			return
		}
	}
	h.fail("Apply = %v", err)
}

func (h *history) fail(format string, args ...any) {
	h.Helper()
	for _, line := range h.log {
		h.Log(line)
	}
	h.Fatalf(format, args...)
}

// A reading is all that can be asked for at one revision.
type reading struct {
	at       directory.Stamp
	subjects map[directory.SubjectKey]directory.Subject
	groups   map[directory.GroupNum]directory.GroupFacts
	policy   directory.PolicyFacts
	rows     map[directory.GroupID]directory.Group
}

func (h *history) keys() []directory.SubjectKey {
	var all []directory.SubjectKey
	for _, id := range h.users {
		all = append(all, directory.SubjectKey{Kind: directory.KeyID, Value: string(id)})
	}
	for _, name := range []string{"ann", "bob", "cid", "dan", "eve", "fay", "gus"} {
		all = append(all, directory.SubjectKey{Kind: directory.KeyUserName, Value: h.run + name},
			directory.SubjectKey{Kind: directory.KeyEmail, Value: h.run + name + "@a.test"})
	}
	for _, source := range testSources {
		for i := range 6 {
			all = append(all, directory.SubjectKey{Kind: directory.KeyExternal, Source: source, Value: fmt.Sprint(h.run, i+1)})
		}
	}
	return all
}

func (h *history) read() reading {
	h.Helper()
	facts, err := h.s.Facts(h.Context(), 0)
	if err != nil {
		h.fail("Facts = %v", err)
	}
	r := reading{
		facts.At,
		map[directory.SubjectKey]directory.Subject{},
		map[directory.GroupNum]directory.GroupFacts{},
		facts.Policy,
		map[directory.GroupID]directory.Group{},
	}
	var ids []directory.GroupID
	for _, g := range facts.Groups {
		r.groups[g.Num] = g
		ids = append(ids, g.ID)
	}
	rows, err := h.s.GroupRows(h.Context(), ids...)
	if err != nil {
		h.fail("GroupRows = %v", err)
	}
	for _, g := range rows {
		r.rows[g.ID] = g
	}
	for _, k := range h.keys() {
		sub, err := h.s.Subject(h.Context(), k, facts.At)
		if err != nil {
			h.fail("Subject(%v) = %v", k, err)
		}
		sub.At = directory.Stamp{}
		r.subjects[k] = sub
	}
	return r
}

func (h *history) check(before, after reading, a directory.Applied, changes []directory.Change) {
	h.Helper()
	if after.at == before.at {
		if d := cmp.Diff(before, after, cmp.AllowUnexported(reading{}), cmpopts.EquateEmpty()); d != "" {
			h.fail("without a new revision it reads otherwise (-before +after):\n%s", d)
		}
	} else {
		h.checkFeed(before, after)
		h.checkVersions(before, after)
	}
	h.checkRows()
	if len(changes) == 1 {
		again, err := h.s.Apply(h.Context(), system, changes...)
		if again.Changed {
			h.fail("Apply of the same again = %+v, %v; want nothing changed", again, err)
		}
	}
	if a.Changed && a.Stamp != after.at {
		h.fail("Apply = %v, the head is %v", a.Stamp, after.at)
	}
}

// checkFeed checks that the feed names whatever reads otherwise than before.
func (h *history) checkFeed(before, after reading) {
	h.Helper()
	st, err := h.s.Stretch(h.Context(), before.at, 10)
	if err != nil || len(st.Records) != 1 {
		h.fail("Stretch = %d records, %v; want 1", len(st.Records), err)
	}
	feed := st.Records[0]
	living := func(sub directory.Subject) directory.Subject {
		sub.Memberships = slices.DeleteFunc(slices.Clone(sub.Memberships), func(m directory.Membership) bool {
			_, ok := after.groups[m.Group]
			return !ok // a number that no snapshot knows gives nothing
		})
		return sub
	}
	for k, now := range after.subjects {
		was, asked := before.subjects[k]
		if !asked || cmp.Equal(living(was), living(now), cmpopts.EquateEmpty()) {
			continue
		}
		named := slices.Contains(feed.Keys, k)
		if was.Found == directory.One && was.ID == now.ID { // the key means whom it meant: the id will do
			named = named || slices.Contains(feed.Keys, directory.SubjectKey{Kind: directory.KeyID, Value: string(now.ID)})
		}
		if !named {
			h.fail("the feed %+v lacks %v, which was %+v and is %+v", feed, k, was, now)
		}
	}
	for num := range max(directory.GroupNum(len(before.groups)), 1000) {
		was, lived := before.groups[num]
		now, lives := after.groups[num]
		if (lived != lives || !cmp.Equal(was, now, cmpopts.EquateEmpty())) && !slices.Contains(feed.Groups, num) {
			h.fail("the feed %+v lacks group %d, which was %+v and is %+v", feed, num, was, now)
		}
	}
	if d := cmp.Diff(before.policy, after.policy, cmpopts.EquateEmpty()); d != "" && !feed.Policy {
		h.fail("the feed %+v does not say that policy changed (-before +after):\n%s", feed, d)
	}
}

// neverRows are selects of what must not be there.
var neverRows = map[string]string{
	"a counter that does not count": `SELECT g.id FROM groups g WHERE g.deleted = 0 AND (g.member_count <>
		(SELECT count(*) FROM membership m WHERE m.group_id = g.id AND m.until = $1 AND m.kind <> 'pending')
		OR g.pending_count <> (SELECT count(*) FROM membership m WHERE m.group_id = g.id AND m.until = $1 AND m.kind = 'pending'))`,
	"a member of a dead group": `SELECT m.value FROM membership m JOIN groups g ON g.id = m.group_id WHERE m.until = $1 AND g.deleted <> 0`,
	"a dead member": `SELECT m.value FROM membership m WHERE m.until = $1 AND m.kind <> 'pending'
		AND NOT EXISTS (SELECT 1 FROM users u WHERE u.id = m.member_id AND u.deleted = 0)
		AND NOT EXISTS (SELECT 1 FROM groups g WHERE g.id = m.member_id AND g.num = m.member_num AND g.deleted = 0)`,
	"a membership of another source than its group": `SELECT m.value FROM membership m JOIN groups g ON g.id = m.group_id
		WHERE m.until = $1 AND m.source <> g.source`,
	"a grant of the dead": `SELECT t.id FROM grants t WHERE t.until = $1
		AND NOT EXISTS (SELECT 1 FROM users u WHERE u.id = t.holder_id AND t.holder = 'user' AND u.deleted = 0)
		AND NOT EXISTS (SELECT 1 FROM groups g WHERE g.id = t.holder_id AND t.holder = 'group' AND g.deleted = 0)`,
	"an override of the dead": `SELECT o.user_id FROM overrides o JOIN users u ON u.id = o.user_id WHERE o.until = $1 AND u.deleted <> 0`,
	"a pending member who is known": `SELECT m.value FROM membership m WHERE m.until = $1 AND m.kind = 'pending' AND (
		EXISTS (SELECT 1 FROM identity i WHERE i.source = m.source AND m.value IN (i.id, i.external_id) AND i.presence <> 'deleted')
		OR EXISTS (SELECT 1 FROM groups g WHERE g.source = m.source AND m.value IN (g.id, g.external_id) AND g.deleted = 0))`,
	"a living user without identity": `SELECT u.id FROM users u WHERE u.deleted = 0 AND CAST($1 AS BIGINT) > 0
		AND NOT EXISTS (SELECT 1 FROM identity i WHERE i.user_id = u.id AND i.presence <> 'deleted')`,
	"two living users of one name": `SELECT a.id FROM identity a JOIN identity b ON a.user_name_key = b.user_name_key
		AND a.user_id < b.user_id WHERE a.presence <> 'deleted' AND b.presence <> 'deleted' AND CAST($1 AS BIGINT) > 0`,
	"a living user without its fact": `SELECT u.id FROM users u WHERE u.deleted = 0 AND NOT EXISTS
		(SELECT 1 FROM user_fact f WHERE f.user_id = u.id AND f.until = $1 AND f.type = u.type AND f.blocked = u.blocked)`,
	"a fact of a dead user": `SELECT u.id FROM users u WHERE u.deleted <> 0 AND (
		EXISTS (SELECT 1 FROM user_fact f WHERE f.user_id = u.id AND f.until = $1)
		OR EXISTS (SELECT 1 FROM identity_fact f WHERE f.user_id = u.id AND f.until = $1)
		OR EXISTS (SELECT 1 FROM email f WHERE f.user_id = u.id AND f.until = $1))`,
	"an identity without its fact": `SELECT i.id FROM identity i WHERE i.presence <> 'deleted' AND NOT EXISTS
		(SELECT 1 FROM identity_fact f WHERE f.identity_id = i.id AND f.user_id = i.user_id AND f.source = i.source AND f.until = $1
		AND f.user_name_key = i.user_name_key AND f.external_id = i.external_id AND f.active = i.active AND f.presence = i.presence)`,
	"a group without its fact": `SELECT g.id FROM groups g WHERE g.deleted = 0 AND NOT EXISTS
		(SELECT 1 FROM group_fact f WHERE f.group_id = g.id AND f.num = g.num AND f.source = g.source AND f.name_key = g.name_key
		AND f.external_id = g.external_id AND f.dn = g.dn AND f.project = g.project AND f.status = g.status AND f.until = $1)`,
	"a source without its fact": `SELECT s.name FROM source s WHERE s.state <> 'removed' AND NOT EXISTS
		(SELECT 1 FROM source_fact f WHERE f.name = s.name AND f.state = s.state AND f.rank = s.rank AND f.until = $1)`,
}

// checkVersions checks that a group whose version stays is the same, and that
// GroupVersions has the versions of all.
func (h *history) checkVersions(before, after reading) {
	h.Helper()
	versions, err := h.s.GroupVersions(h.Context())
	if err != nil || len(versions) != len(after.rows) {
		h.fail("GroupVersions = %v, %v; want those of %d groups", versions, err, len(after.rows))
	}
	for id, now := range after.rows {
		if versions[id] != now.Version {
			h.fail("GroupVersions has %d of group %s, which is %+v", versions[id], id, now)
		}
		if was, ok := before.rows[id]; ok && was.Version == now.Version && !cmp.Equal(was, now) {
			h.fail("a group changed and kept its version (-before +after):\n%s", cmp.Diff(was, now))
		}
	}
}

func (h *history) checkRows() {
	h.Helper()
	for what, query := range neverRows {
		found, err := collect(h.Context(), h.s.read, scanText, query, int64(forever))
		if err != nil || len(found) > 0 {
			h.fail("there is %s: %v, %v", what, found, err)
		}
	}
}

// checkIntervals checks that of each thing at most one row holds at a revision.
func checkIntervals(t *testing.T, s *Store) {
	t.Helper()
	for table, key := range map[string]string{
		"source_fact": "name", "user_fact": "user_id", "identity_fact": "identity_id", "email": "identity_id || value_key",
		"group_fact": "group_id", "membership": "group_id || value || via", "grants": "id",
		"overrides": "user_id || project", "policy_item": "section || key", "binding": "mapping || group_id",
	} {
		found, err := collect(context.Background(), s.read, scanText, `SELECT k FROM (SELECT `+key+` AS k, since, until,
			lead(since) OVER (PARTITION BY `+key+` ORDER BY since) AS next FROM `+table+`) rows
			WHERE since >= until OR until > next`)
		if err != nil || len(found) > 0 {
			t.Errorf("rows of %s overlap: %v, %v", table, found, err)
		}
	}
}
