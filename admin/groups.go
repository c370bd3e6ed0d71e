package admin

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/usherd/usherd/authz"
	"github.com/usherd/usherd/directory"
)

// GroupFilter says which groups to list, and how. The zero value lists all in
// the order in which they were made.
type GroupFilter struct {
	Q       string // contained in the name, description or an id, in any case
	Name    string // contained in the name
	Source  directory.SourceName
	Project *directory.ProjectKey // limited to it; the empty key: organization-wide
	Status  directory.GroupStatus
	Role    directory.RoleName // that gives it, by itself or through a group above
	Empty   bool               // without members
	Sort    string             // name, source, members, status, project, modified or created; "-" before it: descending
	Cursor  string
	Offset  int
	Limit   int // default 100, at most 1000
}

// A ListedGroup is a group as a list shows it.
type ListedGroup struct {
	directory.Group
	First       []GroupMember        `json:"first"`           // at most five members, by name
	Roles       []directory.RoleName `json:"roles,omitempty"` // that it gives, by itself or through groups above
	Access      int                  `json:"access"`          // how many privileges of each kind it is given itself
	Role        int                  `json:"role"`
	Output      int                  `json:"output"`
	Integration int                  `json:"integration"`
	Mappings    []string             `json:"mappings,omitempty"`  // that reach it
	ManagedBy   directory.SourceName `json:"managedBy,omitempty"` // the source that owns name and members
}

// A GroupMember is a direct member with what people call it. Who belongs to the
// group by several edges is one member, since the first of them began.
type GroupMember struct {
	directory.Member
	Name      string             `json:"name"`
	UserName  string             `json:"userName,omitempty"`
	Type      directory.UserType `json:"type,omitempty"`
	Status    string             `json:"status,omitempty"`
	Removable bool               `json:"removable"`
	// Sources are where the member comes from: of a user those of the identities,
	// of who is pending that of the group.
	Sources []directory.SourceName `json:"sources,omitempty"`
	Began
}

// firstMembers is how many members a list of groups shows.
const firstMembers = 5

// Groups lists groups, as far as the asker may know of them.
func (s *Service) Groups(ctx context.Context, f GroupFilter) (Listing[ListedGroup], error) {
	a, err := s.reads(ctx, ReadDirectory)
	if err != nil {
		return Listing[ListedGroup]{}, err
	}
	order, down := strings.CutPrefix(f.Sort, "-")
	if _, ok := groupOrders[order]; !ok {
		return Listing[ListedGroup]{}, invalid("sort %q is not one of created, modified, name, source, status, project, members", f.Sort)
	}
	all, err := s.allGroups(ctx)
	if err != nil {
		return Listing[ListedGroup]{}, err
	}
	matches := a.groupMatcher(f)
	var found []keyed
	for _, k := range all.in(order) {
		if matches(k.listable) {
			found = append(found, k)
		}
	}
	if down {
		slices.Reverse(found)
	}
	out := Listing[ListedGroup]{Items: []ListedGroup{}, Total: len(found)}
	if found, out.Next, err = s.groupPage(found, f, down); err != nil {
		return Listing[ListedGroup]{}, err
	}
	for _, k := range found {
		out.Items = append(out.Items, a.listedGroup(k.Group))
	}
	return out, s.addFirst(ctx, a, out.Items)
}

func (s *Service) groupPage(found []keyed, f GroupFilter, down bool) ([]keyed, string, error) {
	if f.Cursor != "" {
		c, err := s.openCursor(listIn("groups", f.Sort), f.Cursor)
		if err != nil {
			return nil, "", err
		}
		at := keyed{c.key, &listable{Group: directory.Group{ID: directory.GroupID(c.id)}}}
		found = slices.DeleteFunc(found, func(k keyed) bool {
			order := compareKeyed(k, at)
			return !down && order <= 0 || down && order >= 0
		})
	} else {
		found = found[min(max(f.Offset, 0), len(found)):]
	}
	limit := pageSize(f.Limit)
	if len(found) <= limit {
		return found, "", nil
	}
	last := found[limit-1]
	return found[:limit], s.sealCursor(cursor{listIn("groups", f.Sort), last.key, string(last.ID)}), nil
}

// groupMatcher compiles a filter. What the asker may not know of matches
// nothing.
func (a *Authority) groupMatcher(f GroupFilter) func(*listable) bool {
	q, name := folded(f.Q), folded(f.Name)
	everything := a.May(ReadDirectory, "")
	return func(g *listable) bool {
		switch {
		case f.Source != "" && g.Source != f.Source,
			f.Project != nil && g.Project != *f.Project,
			f.Status != "" && g.Status != f.Status,
			f.Empty && g.Members+g.Pending > 0,
			f.Name != "" && !strings.Contains(g.folded, name),
			f.Q != "" && !strings.Contains(g.search, q):
			return false
		}
		if f.Role != "" && !slices.ContainsFunc(slices.Collect(maps.Keys(rolesOf(a.view, g.Num))), func(r scopedRole) bool { return r.role == f.Role }) {
			return false
		}
		return everything || a.seesGroup(g.Num, g.Project)
	}
}

func (a *Authority) listedGroup(g directory.Group) ListedGroup {
	out := ListedGroup{Group: g, First: []GroupMember{}}
	if g.Source != directory.Local {
		out.ManagedBy = g.Source
	}
	for r := range rolesOf(a.view, g.Num) {
		out.Roles = append(out.Roles, r.role)
	}
	slices.Sort(out.Roles)
	out.Roles = slices.Compact(out.Roles)
	counts := map[directory.PrivilegeKind]int{}
	for p := range privilegesOf(a.view.Given(g.Num)) {
		counts[p.privilege.Kind]++
	}
	out.Access, out.Role, out.Output, out.Integration = counts[directory.Access], counts[directory.RolePrivilege],
		counts[directory.OutputPrivilege], counts[directory.IntegrationLevel]
	for _, given := range a.view.Given(g.Num) {
		if given.Mapping != "" && !slices.Contains(out.Mappings, given.Mapping) {
			out.Mappings = append(out.Mappings, given.Mapping)
		}
	}
	return out
}

type scopedPrivilege struct {
	privilege directory.Privilege
	project   directory.ProjectKey
}

// privilegesOf are the different privileges among what is given, levels apart.
func privilegesOf(given []authz.Given) map[scopedPrivilege]bool {
	out := map[scopedPrivilege]bool{}
	for _, g := range given {
		if g.Role == "" {
			g.Privilege.Level = directory.NoLevel
			out[scopedPrivilege{g.Privilege, g.Project}] = true
		}
	}
	return out
}

// addFirst adds the first members, by name, to the groups of a page.
func (s *Service) addFirst(ctx context.Context, a *Authority, groups []ListedGroup) error {
	if len(groups) == 0 {
		return nil
	}
	nums := make([]directory.GroupNum, len(groups))
	for i := range groups {
		nums[i] = groups[i].Num
	}
	var first map[directory.GroupNum][]ordered
	if err := s.withRoster(ctx, func(r *roster) { first = r.firstMembersOf(nums) }); err != nil {
		return err
	}
	disabled := disabledSources(a.view)
	for i := range groups {
		for _, o := range first[groups[i].Num] {
			u := shownUser(&o.row, &o.sub, disabled)
			groups[i].First = append(groups[i].First, GroupMember{
				Member: directory.Member{Kind: directory.UserMember, ID: string(u.ID), Value: string(u.ID), Via: directory.ViaMember},
				Name:   u.Name, UserName: u.UserName, Type: u.Type, Status: u.Status,
				Removable: slices.ContainsFunc(o.sub.Memberships, func(m directory.Membership) bool { return m.Group == groups[i].Num && m.Local }),
			})
		}
	}
	return nil
}

// A GroupPage is one group with what it is given and its first members.
type GroupPage struct {
	ListedGroup
	Grants    []directory.Grant `json:"grants"` // by hand
	Given     []authz.Given     `json:"given"`  // all that it is given itself, by mappings too
	Members   []GroupMember     `json:"members"`
	More      bool              `json:"more"` // whether there are more members than shown
	MayChange bool              `json:"mayChange"`
}

// Group shows one group with some of its members; with members below 0 with none.
func (s *Service) Group(ctx context.Context, name string, members int) (GroupPage, error) {
	a, err := s.reads(ctx, ReadDirectory)
	if err != nil {
		return GroupPage{}, err
	}
	g, err := s.seenGroup(ctx, a, name)
	if err != nil {
		return GroupPage{}, err
	}
	out := GroupPage{ListedGroup: a.listedGroup(g), Grants: []directory.Grant{}, Given: a.view.Given(g.Num)}
	held, err := s.Store.Grants(ctx, "", g.ID)
	if err != nil {
		return GroupPage{}, fmt.Errorf("grants of group %s: %w", g.ID, err)
	}
	sees := a.seesScope()
	for _, grant := range held {
		if sees(grant.Project) || grant.Project == "" && sees(g.Project) {
			out.Grants = append(out.Grants, grant)
		}
	}
	out.MayChange = a.May(WriteGroups, g.Project) && a.mayChangeGroup(g) == nil
	out.Members = []GroupMember{}
	if members < 0 {
		return out, nil
	}
	list, err := s.membersOf(ctx, a, g, MemberFilter{Limit: members})
	if err != nil {
		return GroupPage{}, err
	}
	out.Members, out.More = list.Items, list.Next != ""
	return out, nil
}
