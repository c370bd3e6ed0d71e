package admin

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/usherd/usherd/authz"
	"github.com/usherd/usherd/directory"
)

// UserFilter says which users to list, and how. The zero value lists everybody
// in the order in which they were made.
type UserFilter struct {
	Q       string               // contained in a name, the e-mail address or a source's id, in any case; or how our id begins
	Name    string               // contained in the userName
	Type    directory.UserType   // standard or service
	Status  string               // active, blocked, inactive or deleted; empty: all but deleted
	Source  directory.SourceName // who has an identity there
	Group   string               // who is in it, directly or through nesting: an id or SOURCE/NAME
	Project directory.ProjectKey // whom a path leads into it
	Role    directory.RoleName   // who has it by a path that counts, in whatever scope
	Company string               // contained in the company
	Login   string               // "never", or "90d": not for so many days
	Sort    string               // name, userName, email, type, status, source, lastLogin, groups, company or created; "-" before it: descending
	Cursor  string               // the Next of the page before
	Offset  int                  // how many to leave out, if there is no cursor
	Limit   int                  // default 100, at most 1000

	Attributes []string // to be told besides, see [Service.Attributes]; at most 50
}

// leastOfID is how much of our own id a search must have: less would find
// people by chance.
const leastOfID = 8

// The statuses of a user.
const (
	StatusActive   = "active"
	StatusBlocked  = "blocked"  // our own switch
	StatusInactive = "inactive" // a source says so
	StatusDeleted  = "deleted"  // may be restored for 30 days
)

// A ListedUser is one user as a list shows it.
type ListedUser struct {
	ID          directory.UserID       `json:"id"`
	Identity    directory.UserID       `json:"identity"` // the shown one, whose attributes these are
	Source      directory.SourceName   `json:"source"`   // of the shown identity
	Sources     []directory.SourceName `json:"sources"`
	UserName    string                 `json:"userName"`
	DisplayName string                 `json:"displayName,omitempty"`
	Name        string                 `json:"name"` // display name, else userName
	Email       string                 `json:"email,omitempty"`
	Company     string                 `json:"company,omitempty"`
	ExternalID  string                 `json:"externalId,omitempty"`
	Type        directory.UserType     `json:"type"`
	Status      string                 `json:"status"`
	Reason      string                 `json:"reason,omitempty"` // of a block, or which source says inactive
	Groups      int                    `json:"groups"`           // direct memberships
	LastLogin   time.Time              `json:"lastLogin,omitzero"`
	Created     time.Time              `json:"created"`
	Overridden  bool                   `json:"overridden,omitempty"`
	Version     int64                  `json:"version"`              // of the shown identity
	Attributes  map[string]string      `json:"attributes,omitempty"` // that were asked for, of those that they have
}

// A Listing is one page of a list. Total counts all that match.
type Listing[T any] struct {
	Items []T    `json:"items"`
	Total int    `json:"total"`
	Next  string `json:"next_cursor,omitempty"`
}

// shownUser makes the row of a list.
func shownUser(row *directory.PersonRow, sub *directory.Subject, disabled map[directory.SourceName]bool) ListedUser {
	l := ListedUser{
		ID: row.ID, Type: row.Type, LastLogin: row.LastLogin, Created: row.Created,
		Groups: len(sub.Memberships), Overridden: len(sub.Overrides) > 0,
	}
	l.Status, l.Reason = standing(row, disabled)
	shown := 0
	for i := range row.Identities {
		if row.Identities[i].Presence != directory.Deleted {
			shown = i
			break
		}
	}
	for i := range row.Identities {
		id := &row.Identities[i]
		l.Sources = append(l.Sources, id.Source)
		if i != shown {
			continue
		}
		l.Identity, l.Source, l.UserName, l.DisplayName, l.Email = id.ID, id.Source, id.UserName, id.DisplayName, id.Email
		l.Company, l.ExternalID, l.Version = id.Company, id.ExternalID, id.Version
		l.Name = cmp.Or(id.DisplayName, id.UserName)
	}
	return l
}

// standing is the status of a user and, if they are not active, why.
func standing(row *directory.PersonRow, disabled map[directory.SourceName]bool) (status, reason string) {
	switch {
	case !row.Deleted.IsZero():
		return StatusDeleted, ""
	case row.Blocked:
		return StatusBlocked, row.BlockReason
	}
	for i := range row.Identities {
		id := &row.Identities[i]
		switch {
		case id.Presence == directory.Gone:
			return StatusInactive, fmt.Sprintf("no longer in source %s", id.Source)
		case id.Presence == directory.Deleted:
			return StatusInactive, fmt.Sprintf("deleted by source %s", id.Source)
		case disabled[id.Source]:
			return StatusInactive, fmt.Sprintf("source %s is disabled", id.Source)
		case !id.Active:
			return StatusInactive, fmt.Sprintf("inactive in source %s", id.Source)
		}
	}
	return StatusActive, ""
}

// userOrders are the keys that lists of users are sorted by.
var userOrders = map[string]func(*person) string{
	"":        func(p *person) string { return timeKey(p.row.Created) },
	"created": func(p *person) string { return timeKey(p.row.Created) },
	"name": func(p *person) string {
		return p.first(func(i *directory.PersonIdentity) string { return cmp.Or(string(i.DisplayKey), string(i.UserNameKey)) })
	},
	"userName": func(p *person) string {
		return p.first(func(i *directory.PersonIdentity) string { return string(i.UserNameKey) })
	},
	"email": func(p *person) string {
		return p.first(func(i *directory.PersonIdentity) string { return folded(i.Email) })
	},
	"company": func(p *person) string {
		return p.first(func(i *directory.PersonIdentity) string { return folded(i.Company) })
	},
	"source": func(p *person) string {
		return p.first(func(i *directory.PersonIdentity) string { return string(i.Source) })
	},
	"type":      func(p *person) string { return string(p.row.Type) },
	"status":    func(p *person) string { status, _ := standing(&p.row, nil); return status },
	"lastLogin": func(p *person) string { return timeKey(p.row.LastLogin) },
	"groups":    func(p *person) string { return fmt.Sprintf("%08d", len(p.sub.Memberships)) },
}

func (p *person) first(of func(*directory.PersonIdentity) string) string {
	for i := range p.row.Identities {
		if p.row.Identities[i].Presence != directory.Deleted || i == len(p.row.Identities)-1 {
			return of(&p.row.Identities[i])
		}
	}
	return ""
}

// timeKey sorts as the time does.
func timeKey(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return fmt.Sprintf("%015d", t.UnixMilli())
}

// Users lists users, as far as the asker may know of them.
func (s *Service) Users(ctx context.Context, f UserFilter) (Listing[ListedUser], error) {
	a, err := s.reads(ctx, ReadDirectory)
	if err != nil {
		return Listing[ListedUser]{}, err
	}
	matches, err := s.userMatcher(ctx, a, f)
	if err != nil {
		return Listing[ListedUser]{}, err
	}
	order, down := strings.CutPrefix(f.Sort, "-")
	if _, ok := userOrders[order]; !ok {
		return Listing[ListedUser]{}, invalid("sort %q is not one of created, name, userName, email, company, source, type, status, lastLogin, groups", f.Sort)
	}
	if len(f.Attributes) > maxAttributes {
		return Listing[ListedUser]{}, badParameter("attributes", "names more than %d", maxAttributes)
	}
	if f.Login != "" || order == "lastLogin" {
		if err := s.followLogins(ctx); err != nil {
			return Listing[ListedUser]{}, err
		}
	}
	everybody, err := s.peopleBy(ctx, order)
	if err != nil {
		return Listing[ListedUser]{}, err
	}
	page, err := s.pageOf(listIn("users", f.Sort), everybody, f.Cursor, f.Offset, pageSize(f.Limit), down, matches)
	if err != nil {
		return Listing[ListedUser]{}, err
	}
	out, err := s.freshRows(ctx, a, page)
	if err != nil {
		return Listing[ListedUser]{}, err
	}
	return out, s.addAttributes(ctx, a, page.Items, out.Items, f.Attributes)
}

// freshRows makes the rows of a page. Last logins are no facts, which the roster
// does not follow: they are read anew.
func (s *Service) freshRows(ctx context.Context, a *Authority, page Listing[*person]) (Listing[ListedUser], error) {
	out := Listing[ListedUser]{Items: make([]ListedUser, len(page.Items)), Total: page.Total, Next: page.Next}
	if len(page.Items) == 0 {
		return out, nil
	}
	ids := make([]directory.UserID, len(page.Items))
	for i, p := range page.Items {
		ids[i] = p.row.ID
	}
	logins, err := s.Store.LastLogins(ctx, ids...)
	if err != nil {
		return out, err
	}
	disabled := disabledSources(a.view)
	for i, p := range page.Items {
		out.Items[i] = shownUser(&p.row, &p.sub, disabled)
		out.Items[i].LastLogin, out.Items[i].Groups = logins[p.row.ID], 0
		for _, m := range p.sub.Memberships { // the feed tells of the end of a group, not of its members
			if _, living := a.view.Group(m.Group); living {
				out.Items[i].Groups++
			}
		}
	}
	return out, nil
}

// EachUser yields all users that match, in pages: an export. Offset, Cursor and
// Limit of the filter are not used.
func (s *Service) EachUser(ctx context.Context, f UserFilter, yield func(ListedUser) error) error {
	f.Cursor, f.Offset, f.Limit = "", 0, maxPage
	for {
		page, err := s.Users(ctx, f)
		if err != nil {
			return err
		}
		for _, u := range page.Items {
			if err := yield(u); err != nil {
				return err
			}
		}
		if f.Cursor = page.Next; f.Cursor == "" {
			return nil
		}
	}
}

// userMatcher compiles a filter. What the asker may not know of matches
// nothing.
func (s *Service) userMatcher(ctx context.Context, a *Authority, f UserFilter) (func(*person) bool, error) {
	if !slices.Contains([]string{"", StatusActive, StatusBlocked, StatusInactive, StatusDeleted}, f.Status) {
		return nil, invalid("status %q is not one of active, blocked, inactive, deleted", f.Status)
	}
	var tests []func(*person) bool
	add := func(test func(*person) bool) { tests = append(tests, test) }
	if q := folded(f.Q); f.Q != "" {
		add(func(p *person) bool {
			return strings.Contains(p.search, q) || len(q) >= leastOfID && strings.HasPrefix(string(p.row.ID), q)
		})
	}
	if name := folded(f.Name); f.Name != "" {
		add(func(p *person) bool {
			return slices.ContainsFunc(p.row.Identities, func(i directory.PersonIdentity) bool { return strings.Contains(string(i.UserNameKey), name) })
		})
	}
	if company := folded(f.Company); f.Company != "" {
		add(func(p *person) bool {
			return slices.ContainsFunc(p.row.Identities, func(i directory.PersonIdentity) bool { return strings.Contains(folded(i.Company), company) })
		})
	}
	if f.Type != "" {
		add(func(p *person) bool { return p.row.Type == f.Type })
	}
	disabled := disabledSources(a.view)
	add(func(p *person) bool {
		status, _ := standing(&p.row, disabled)
		return status == f.Status || f.Status == "" && status != StatusDeleted
	})
	if f.Source != "" {
		add(func(p *person) bool {
			return slices.ContainsFunc(p.row.Identities, func(i directory.PersonIdentity) bool { return i.Source == f.Source && i.Presence != directory.Deleted })
		})
	}
	login, err := loginTest(f.Login, s.Now())
	if err != nil {
		return nil, err
	}
	if login != nil {
		add(login)
	}
	byPath, err := s.pathTests(ctx, a, f)
	if err != nil {
		return nil, err
	}
	tests = append(tests, byPath...)
	return func(p *person) bool {
		for _, test := range tests {
			if !test(p) {
				return false
			}
		}
		return true
	}, nil
}

func loginTest(text string, now time.Time) (func(*person) bool, error) {
	if text == "" {
		return nil, nil //nolint:nilnil // no test is wanted
	}
	if text == "never" {
		return func(p *person) bool { return p.row.LastLogin.IsZero() }, nil
	}
	var days int
	if n, err := fmt.Sscanf(text, "%dd", &days); err != nil || n != 1 || days < 1 || fmt.Sprintf("%dd", days) != text {
		return nil, invalid("login %q is neither \"never\" nor a number of days such as 90d", text)
	}
	before := now.AddDate(0, 0, -days)
	return func(p *person) bool { return p.row.LastLogin.Before(before) }, nil
}

// pathTests are those that follow memberships: group, Role, project, and whom
// the asker may see.
func (s *Service) pathTests(ctx context.Context, a *Authority, f UserFilter) (tests []func(*person) bool, err error) {
	below := newNesting(a.view)
	if f.Group != "" {
		g, err := s.seenGroup(ctx, a, f.Group)
		if err != nil {
			return nil, err
		}
		in := below.of(func(num directory.GroupNum) bool { return num == g.Num })
		tests = append(tests, in.member)
	}
	if f.Role != "" {
		if _, ok := a.view.Role(f.Role); !ok {
			return nil, notFound("no Role %q", f.Role)
		}
		tests = append(tests, holdersOf(a.view, below, f.Role, a.scopes()).holds)
	}
	if f.Project != "" {
		if err := a.require(ReadDirectory, f.Project); err != nil {
			return nil, err
		}
		tests = append(tests, projectTest(a.view, below, f.Project))
	}
	all, projects := a.Projects(ReadDirectory)
	if all {
		return tests, nil
	}
	var sees []func(*person) bool
	for _, p := range projects {
		sees = append(sees, projectTest(a.view, below, p))
	}
	return append(tests, func(p *person) bool {
		return slices.ContainsFunc(sees, func(test func(*person) bool) bool { return test(p) })
	}), nil
}

// projectTest says whom some path leads into a project.
func projectTest(view *authz.Snapshot, below *nesting, project directory.ProjectKey) func(*person) bool {
	in := below.of(func(num directory.GroupNum) bool { return inProject(view, num, project) })
	return func(p *person) bool {
		return in.member(p) || slices.Contains(p.sub.Overrides, project) ||
			slices.ContainsFunc(p.sub.Grants, func(g directory.Grant) bool { return g.Project == project })
	}
}

// groupsWith is a set of groups.
type groupsWith map[directory.GroupNum]bool

// member reports whether somebody is directly in one of the groups.
func (g groupsWith) member(p *person) bool {
	for _, m := range p.sub.Memberships {
		if g[m.Group] {
			return true
		}
	}
	return false
}

// A nesting knows which groups are in which.
type nesting struct {
	view     *authz.Snapshot
	children map[directory.GroupNum][]directory.GroupNum
}

func newNesting(view *authz.Snapshot) *nesting {
	n := &nesting{view, map[directory.GroupNum][]directory.GroupNum{}}
	for g := range view.Groups() {
		for _, p := range g.Parents {
			n.children[p] = append(n.children[p], g.Num)
		}
	}
	return n
}

// of returns the groups that match, and those nested in them.
func (n *nesting) of(match func(directory.GroupNum) bool) groupsWith {
	out := groupsWith{}
	var todo []directory.GroupNum
	for g := range n.view.Groups() {
		if match(g.Num) {
			todo = append(todo, g.Num)
		}
	}
	for len(todo) > 0 {
		num := todo[len(todo)-1]
		todo = todo[:len(todo)-1]
		if out[num] {
			continue
		}
		out[num] = true
		todo = append(todo, n.children[num]...)
	}
	return out
}
