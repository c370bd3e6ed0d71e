package admin

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/usherd/usherd/authz"
	"github.com/usherd/usherd/directory"
)

// MemberFilter says which direct members of a group to list, and how.
type MemberFilter struct {
	Q      string               // contained in a name, the e-mail address or a source's id, in any case
	Source directory.SourceName // who comes from there
	Sort   string               // name (the default: groups, users, who is pending) or added; "-" before it: descending
	Cursor string
	Limit  int
}

// Members lists the direct members of a group: groups in it, users, and those
// that are pending.
func (s *Service) Members(ctx context.Context, group string, f MemberFilter) (Listing[GroupMember], error) {
	a, err := s.reads(ctx, ReadDirectory)
	if err != nil {
		return Listing[GroupMember]{}, err
	}
	g, err := s.seenGroup(ctx, a, group)
	if err != nil {
		return Listing[GroupMember]{}, err
	}
	return s.membersOf(ctx, a, g, f)
}

// MembersAmong returns which of some users and groups, by their ids, are direct
// members of a group. It costs what is asked about, however large the group is.
func (s *Service) MembersAmong(ctx context.Context, group string, ids ...string) (map[string]bool, error) {
	a, err := s.reads(ctx, ReadDirectory)
	if err != nil {
		return nil, err
	}
	g, err := s.seenGroup(ctx, a, group)
	if err != nil || len(ids) == 0 {
		return nil, err
	}
	rows, err := s.Store.MemberRows(ctx, g.ID, ids...)
	if err != nil {
		return nil, err
	}
	in := make(map[string]bool, len(rows))
	for _, r := range rows {
		if r.ID != "" { // who is pending has none
			in[r.ID] = true
		}
	}
	return in, nil
}

// A memberRef is a member at its place in an order. What the page shows is read
// when it is known which these are.
type memberRef struct {
	at     directory.Revision // when it was added, if that is the order
	rank   int                // groups, users, who is pending
	key    string             // the name, if that is the order
	id     string             // of the user or group; of who is pending as sent
	group  *directory.GroupFacts
	person *person
	edge   *directory.MemberRow // of who is pending
}

const (
	groupRank = iota
	userRank
	pendingRank
)

func compareMembers(a, b memberRef) int {
	return cmp.Or(cmp.Compare(a.at, b.at), cmp.Compare(a.rank, b.rank), strings.Compare(a.key, b.key), strings.Compare(a.id, b.id))
}

// cursorKey is the place of a member without its id.
func (m memberRef) cursorKey() string { return fmt.Sprintf("%d %d %s", m.at, m.rank, m.key) }

func (s *Service) membersOf(ctx context.Context, a *Authority, g directory.Group, f MemberFilter) (Listing[GroupMember], error) {
	order, down := strings.CutPrefix(f.Sort, "-")
	find := s.membersByName
	switch order {
	case "", "name":
	case "added":
		find = s.membersByAdded
	default:
		return Listing[GroupMember]{}, invalid("sort %q is not one of name, added", f.Sort)
	}
	found, err := find(ctx, a.view, g, memberMatcher{q: folded(f.Q), source: f.Source})
	if err != nil {
		return Listing[GroupMember]{}, err
	}
	if down {
		slices.Reverse(found)
	}
	out := Listing[GroupMember]{Total: len(found)}
	list := listIn("members "+strings.TrimPrefix(f.Sort, "name"), string(g.ID))
	if found, err = s.afterCursor(list, f.Cursor, found, down); err != nil {
		return out, err
	}
	if limit := pageSize(f.Limit); len(found) > limit {
		found = found[:limit]
		last := found[limit-1]
		out.Next = s.sealCursor(cursor{list, last.cursorKey(), last.id})
	}
	out.Items, err = s.shownMembers(ctx, a.view, g, found)
	return out, err
}

// afterCursor leaves out what a cursor says was shown.
func (s *Service) afterCursor(list, text string, found []memberRef, down bool) ([]memberRef, error) {
	if text == "" {
		return found, nil
	}
	c, err := s.openCursor(list, text)
	if err != nil {
		return nil, err
	}
	shown := memberRef{id: c.id}
	at, rest, _ := strings.Cut(c.key, " ")
	rank, key, _ := strings.Cut(rest, " ")
	revision, bad := strconv.ParseInt(at, 10, 64)
	if shown.rank, err = strconv.Atoi(rank); err != nil || bad != nil {
		return nil, badParameter("cursor", "is not one that a list gave")
	}
	shown.at, shown.key = directory.Revision(revision), key
	i, _ := slices.BinarySearchFunc(found, shown, func(m, shown memberRef) int {
		order := compareMembers(m, shown)
		if down {
			order = -order
		}
		return cmp.Or(order, -1) // the shown one is left out too
	})
	return found[i:], nil
}

// A memberMatcher is what members are narrowed by; empty parts match all.
type memberMatcher struct {
	q      string // folded
	source directory.SourceName
}

func (m memberMatcher) group(g *directory.GroupFacts) bool {
	return (m.source == "" || g.Source == m.source) && strings.Contains(folded(titleOf(g)), m.q)
}

func (m memberMatcher) person(p *person) bool {
	return strings.Contains(p.search, m.q) && (m.source == "" || p.comesFrom(m.source))
}

func (m memberMatcher) pending(g directory.Group, value string) bool {
	return (m.source == "" || g.Source == m.source) && strings.Contains(folded(value), m.q)
}

func titleOf(g *directory.GroupFacts) string { return string(g.Source) + "/" + g.Name }

// membersByName finds the members that match, in the order of names. Groups are
// those of the view and users those of the roster, which is in that order: so
// that of a large group only a page is read from the store.
func (s *Service) membersByName(ctx context.Context, view *authz.Snapshot, g directory.Group, matches memberMatcher) ([]memberRef, error) {
	everybody, err := s.peopleBy(ctx, "name")
	if err != nil {
		return nil, err
	}
	found := make([]memberRef, 0, g.Members+g.Pending)
	for in := range view.Groups() {
		if slices.Contains(in.Parents, g.Num) && matches.group(in) {
			found = append(found, memberRef{rank: groupRank, key: folded(titleOf(in)), id: string(in.ID), group: in})
		}
	}
	slices.SortFunc(found, compareMembers)
	for i := range everybody {
		if o := &everybody[i]; o.isIn(g.Num) && matches.person(o.person) {
			found = append(found, memberRef{rank: userRank, key: o.key, id: string(o.row.ID), person: o.person})
		}
	}
	if g.Pending == 0 {
		return found, nil
	}
	rows, err := s.Store.MemberRows(ctx, g.ID, "")
	if err != nil {
		return nil, err
	}
	known := len(found)
	for _, edge := range firstEdges(rows) {
		if matches.pending(g, edge.Value) {
			found = append(found, memberRef{rank: pendingRank, key: folded(edge.Value), id: edge.Value, edge: &edge})
		}
	}
	slices.SortFunc(found[known:], compareMembers)
	return found, nil
}

// membersByAdded finds the members that match, in the order in which they were
// added.
func (s *Service) membersByAdded(ctx context.Context, view *authz.Snapshot, g directory.Group, matches memberMatcher) ([]memberRef, error) {
	added, err := s.added.of(g, func() ([]directory.MemberRow, error) { return s.Store.MemberRows(ctx, g.ID) })
	if err != nil {
		return nil, err
	}
	groups := map[string]*directory.GroupFacts{}
	for in := range view.Groups() {
		if slices.Contains(in.Parents, g.Num) {
			groups[string(in.ID)] = in
		}
	}
	found := make([]memberRef, 0, len(added))
	err = s.withRoster(ctx, func(r *roster) {
		for i := range added {
			edge := &added[i]
			m := memberRef{at: edge.Since, id: edge.ID}
			switch edge.Kind {
			case directory.GroupMember:
				if m.group = groups[edge.ID]; m.group == nil || !matches.group(m.group) {
					continue
				}
			case directory.UserMember:
				if m.person = r.by[directory.UserID(edge.ID)]; m.person == nil || !matches.person(m.person) {
					continue
				}
			case directory.PendingMember:
				if m.edge, m.id = edge, edge.Value; !matches.pending(g, edge.Value) {
					continue
				}
			}
			found = append(found, m)
		}
	})
	return found, err
}

// isIn reports whether somebody is a direct member of a group.
func (p *person) isIn(num directory.GroupNum) bool {
	_, found := slices.BinarySearchFunc(p.sub.Memberships, num, func(m directory.Membership, num directory.GroupNum) int { return cmp.Compare(m.Group, num) })
	return found
}

// comesFrom reports whether a source delivers somebody, or did until it deleted
// them.
func (p *person) comesFrom(source directory.SourceName) bool {
	return slices.ContainsFunc(p.row.Identities, func(id directory.PersonIdentity) bool { return id.Source == source })
}

// shownMembers reads what a page shows of members.
func (s *Service) shownMembers(ctx context.Context, view *authz.Snapshot, g directory.Group, page []memberRef) ([]GroupMember, error) {
	edges, err := s.edgesOf(ctx, g, page)
	if err != nil {
		return nil, err
	}
	revisions := make([]directory.Revision, len(page))
	for i, edge := range edges {
		revisions[i] = edge.Since
	}
	began, err := s.began(ctx, revisions...)
	if err != nil {
		return nil, err
	}
	disabled, out := disabledSources(view), make([]GroupMember, len(page))
	for i, m := range page {
		shown := GroupMember{Member: edges[i].Member, Name: m.id, Removable: g.Source == directory.Local, Began: began(edges[i].Since)}
		switch {
		case m.person != nil:
			u := shownUser(&m.person.row, &m.person.sub, disabled)
			shown.Name, shown.UserName, shown.Type, shown.Status, shown.Sources = u.Name, u.UserName, u.Type, u.Status, u.Sources
		case m.group != nil:
			shown.Name, shown.Sources = titleOf(m.group), []directory.SourceName{m.group.Source}
		default:
			shown.Status, shown.Sources = string(directory.PendingMember), []directory.SourceName{g.Source}
		}
		out[i] = shown
	}
	return out, nil
}

// edgesOf reads the edges of the members of a page. One that has left since it
// was found has one without a beginning.
func (s *Service) edgesOf(ctx context.Context, g directory.Group, page []memberRef) ([]directory.MemberRow, error) {
	var ids []string
	for _, m := range page {
		if m.edge == nil {
			ids = append(ids, m.id)
		}
	}
	known := map[string]directory.MemberRow{}
	if len(ids) > 0 {
		rows, err := s.Store.MemberRows(ctx, g.ID, ids...)
		if err != nil {
			return nil, err
		}
		for _, edge := range firstEdges(rows) {
			known[edge.ID] = edge
		}
	}
	out := make([]directory.MemberRow, len(page))
	for i, m := range page {
		edge, holds := known[m.id]
		switch {
		case m.edge != nil:
			edge = *m.edge
		case !holds && m.group != nil:
			edge.Member = directory.Member{Kind: directory.GroupMember, ID: m.id, Value: m.id, Via: directory.ViaMember}
		case !holds:
			edge.Member = directory.Member{Kind: directory.UserMember, ID: m.id, Value: m.id, Via: directory.ViaMember}
		}
		out[i] = edge
	}
	return out, nil
}

// firstEdges are edges, of several of one member the first, since the oldest
// began.
func firstEdges(rows []directory.MemberRow) []directory.MemberRow {
	at, out := make(map[string]int, len(rows)), make([]directory.MemberRow, 0, len(rows))
	for _, r := range rows {
		id := cmp.Or(r.ID, r.Value)
		if i, again := at[id]; again {
			out[i].Since = min(out[i].Since, r.Since)
			continue
		}
		at[id] = len(out)
		out = append(out, r)
	}
	return out
}

// inRoster returns somebody of the roster, which was read before.
func (s *Service) inRoster(id directory.UserID) *person {
	s.roster.mu.Lock()
	defer s.roster.mu.Unlock()
	return s.roster.by[id]
}
