package admin

import (
	"cmp"
	"context"
	"fmt"
	"net/url"
	"slices"
	"strings"

	"github.com/usherd/usherd/authz"
	"github.com/usherd/usherd/directory"
)

// HoldersQuery asks who may do something, or has a Role or a right. Exactly one
// of Action (with Type and ID), Role and Right is set.
type HoldersQuery struct {
	Action, Type, ID string
	Role             directory.RoleName
	Right            directory.Right

	Project  directory.ProjectKey // in checks that name it; of Action and Right
	Anywhere bool                 // in checks of any project, or of none; of Action
	At       string               // as of the past: see [Service.When]
	After    directory.UserID     // continue after this user
	Limit    int                  // default 100, at most 1000
}

// A Holder is a user who may do something, or has a Role.
type Holder struct {
	User     directory.UserID       `json:"user"`
	Name     string                 `json:"name"`
	UserName string                 `json:"userName"`
	Type     directory.UserType     `json:"type"`
	Projects []directory.ProjectKey `json:"projects,omitempty"` // to which it is limited; none: organization-wide
	From     []string               `json:"from"`               // in a few words: direct, group x, Role y
	Via      []authz.Path           `json:"via,omitempty"`      // the winning path of each part
}

// A HolderPage is a part of the holders, by id of the user. It may be short, or
// empty, and yet not the last: the last has no Next.
type HolderPage struct {
	Items  []Holder         `json:"items"`
	Next   directory.UserID `json:"next_cursor,omitempty"`
	Moment Moment           `json:"moment"`
}

// maxDecided bounds for how many people one page decides.
const maxDecided = 20_000

// Holders lists who may do something, or has a Role or a right.
//
// Who may ask in one project only is shown the people of that project, and not
// by what they have it.
func (s *Service) Holders(ctx context.Context, q HoldersQuery) (HolderPage, error) {
	a, err := s.reads(ctx, AskChecks)
	if err != nil {
		return HolderPage{}, err
	}
	everything := a.May(AskChecks, "")
	if !everything && (q.Anywhere || q.At != "" || q.Role != "" || !a.May(AskChecks, q.Project)) {
		return HolderPage{}, a.require(AskChecks, q.Project)
	}
	at, err := s.When(ctx, q.At)
	if err != nil {
		return HolderPage{}, err
	}
	view, err := s.viewAt(ctx, at)
	if err != nil {
		return HolderPage{}, err
	}
	h, err := q.finder(view)
	if err != nil {
		return HolderPage{}, err
	}
	if holds := h.holds; !everything {
		h.holds = func(sub *directory.Subject) bool { return a.seesUser(sub) && holds(sub) }
	}
	page := HolderPage{Items: []Holder{}}
	if page.Moment, err = s.moment(ctx, view.At()); err != nil {
		return HolderPage{}, err
	}
	found, next, err := s.selectHolders(ctx, h, view.At(), q)
	if err != nil {
		return HolderPage{}, err
	}
	page.Next = next
	names, err := s.namesOf(ctx, found)
	if err != nil {
		return HolderPage{}, err
	}
	for i := range found {
		holder := Holder{From: []string{}}
		if everything {
			holder = h.describe(&found[i])
		}
		holder.User, holder.Type = found[i].ID, found[i].Type
		holder.Name, holder.UserName = names[found[i].ID].name, names[found[i].ID].handle
		page.Items = append(page.Items, holder)
	}
	return page, nil
}

// finder tells who is asked for, decides about each, and says how they have it.
type finder struct {
	people   directory.People
	holds    func(*directory.Subject) bool
	describe func(*directory.Subject) Holder
}

func (q *HoldersQuery) finder(view *authz.Snapshot) (finder, error) {
	if err := checkProject(&view.Policy().Policy, q.Project); err != nil {
		return finder{}, err
	}
	switch {
	case q.Role != "" && q.Action+q.Type+q.ID+string(q.Right) == "":
		return q.roleFinder(view)
	case q.Right != "" && string(q.Role)+q.Action+q.Type+q.ID == "":
		return q.rightFinder(view)
	case q.Role == "" && q.Right == "" && q.Action != "" && q.Type != "" && q.ID != "":
		return q.actionFinder(view)
	}
	return finder{}, invalid("ask for one of: an action on a resource, a Role, a right")
}

func (q *HoldersQuery) actionFinder(view *authz.Snapshot) (finder, error) {
	req := authz.Request{SubjectType: authz.SubjectUser, Action: q.Action, Type: q.Type, ID: q.ID, Project: q.Project}
	if actions := view.Actions(q.Type, q.ID); !slices.Contains(actions, q.Action) {
		got, known := q.Action, actions
		if len(actions) == 0 {
			got = q.ID
			known, _ = view.IDs(q.Type)
		}
		return finder{}, invalid("nobody can %s %s/%s: the policy has no such thing or action%s", q.Action, q.Type, q.ID, didYouMean(got, known))
	}
	projects := []directory.ProjectKey{q.Project}
	people := view.Candidates(&req)
	if q.Anywhere {
		people = view.CandidatesAnywhere(&req)
		for _, p := range view.Policy().Policy.Projects {
			projects = append(projects, p.Key)
		}
	}
	first := func(sub *directory.Subject) (directory.ProjectKey, bool) {
		for _, p := range projects {
			if there := inside(req, p); view.Decide(sub, &there).Allow {
				return p, true
			}
		}
		return "", false
	}
	return finder{
		people: people,
		holds:  func(sub *directory.Subject) bool { _, ok := first(sub); return ok },
		describe: func(sub *directory.Subject) Holder {
			h := Holder{From: []string{}}
			in, _ := first(sub)
			for _, p := range projects {
				if there := inside(req, p); q.Anywhere && in != "" && view.Decide(sub, &there).Allow {
					h.Projects = append(h.Projects, p)
				}
			}
			there := inside(req, in)
			e := view.Explain(sub, &there)
			for _, part := range e.Parts {
				if len(part.Paths) > 0 {
					h.add(part.Paths[0])
				}
			}
			return h
		},
	}, nil
}

// inside is a request in a project.
func inside(req authz.Request, project directory.ProjectKey) authz.Request {
	req.Project = project
	return req
}

func (h *Holder) add(p authz.Path) {
	h.Via = append(h.Via, p)
	if from := p.Origin(); !slices.Contains(h.From, from) {
		h.From = append(h.From, from)
	}
}

func (q *HoldersQuery) rightFinder(view *authz.Snapshot) (finder, error) {
	known := slices.Concat(directory.OrganizationRights, directory.ProjectRights)
	if !slices.Contains(known, q.Right) {
		names := make([]string, len(known))
		for i, r := range known {
			names[i] = string(r)
		}
		return finder{}, invalid("there is no right %q%s", q.Right, didYouMean(string(q.Right), names))
	}
	return finder{
		people: view.RightCandidates(q.Right, q.Project),
		holds:  func(sub *directory.Subject) bool { return view.Has(sub, q.Right, q.Project).Allow },
		describe: func(sub *directory.Subject) Holder {
			h := Holder{From: []string{}}
			for _, row := range view.Held(sub, q.Project, 1) {
				if row.Right == q.Right && len(row.Via) > 0 {
					h.add(row.Via[0])
				}
			}
			return h
		},
	}, nil
}

func (q *HoldersQuery) roleFinder(view *authz.Snapshot) (finder, error) {
	if _, ok := view.Role(q.Role); !ok {
		var names []string
		for _, roles := range [][]directory.Role{directory.BuiltinRoles(), view.Policy().Policy.Roles} {
			for _, r := range roles {
				names = append(names, string(r.Name))
			}
		}
		return finder{}, invalid("there is no Role %q%s", q.Role, didYouMean(string(q.Role), names))
	}
	uses := func(sub *directory.Subject) []authz.RoleUse {
		return slices.DeleteFunc(view.RoleUses(sub), func(u authz.RoleUse) bool {
			return u.Role != q.Role || q.Project != "" && u.Project != "" && u.Project != q.Project
		})
	}
	return finder{
		people: view.RoleCandidates(q.Role),
		holds:  func(sub *directory.Subject) bool { return len(uses(sub)) > 0 },
		describe: func(sub *directory.Subject) Holder {
			h := Holder{From: []string{}}
			for _, u := range uses(sub) {
				if u.Project != "" {
					h.Projects = append(h.Projects, u.Project)
				}
				h.Via = append(h.Via, u.Via)
				h.From = append(h.From, holdsRoleBy(&u.Via))
			}
			h.From = slices.Compact(h.From)
			return h
		},
	}, nil
}

// holdsRoleBy says in a few words how somebody has a Role.
func holdsRoleBy(p *authz.Path) string {
	switch {
	case p.DefaultRole:
		return "by default"
	case len(p.Groups) > 0:
		g := p.Groups[0]
		return "group " + g.Name + " (" + string(g.Source) + ")"
	}
	return "direct"
}

// selectHolders reads and decides until a page is full, or it has decided for too
// many. next is where the next page begins, empty after the last.
func (s *Service) selectHolders(ctx context.Context, h finder, at directory.Stamp, q HoldersQuery) (found []directory.Subject, next directory.UserID, err error) {
	limit := pageSize(q.Limit)
	who := h.people
	who.After, who.Limit = q.After, limit+1 // candidates are few others than holders
	for decided := 0; decided < maxDecided; {
		people, err := s.Store.Subjects(ctx, who, at)
		if err != nil {
			return nil, "", fmt.Errorf("reading people: %w", err)
		}
		for i := range people {
			if !h.holds(&people[i]) {
				continue
			}
			if found = append(found, people[i]); len(found) == limit {
				if i == len(people)-1 && len(people) < who.Limit {
					return found, "", nil
				}
				return found, people[i].ID, nil
			}
		}
		if len(people) < who.Limit {
			return found, "", nil
		}
		decided += len(people)
		who.After, who.Limit = people[len(people)-1].ID, min(4*who.Limit, 8*maxPage)
	}
	return found, who.After, nil
}

// A calling is what people and commands call a user.
type calling struct{ name, handle string }

// namesOf reads what users are called.
func (s *Service) namesOf(ctx context.Context, found []directory.Subject) (map[directory.UserID]calling, error) {
	names := make(map[directory.UserID]calling, len(found))
	if len(found) == 0 {
		return names, nil
	}
	ids := make([]directory.UserID, len(found))
	for i := range found {
		ids[i] = found[i].ID
	}
	rows, err := s.Store.PersonRows(ctx, ids...)
	if err != nil {
		return nil, fmt.Errorf("reading names: %w", err)
	}
	for _, row := range rows {
		c := calling{}
		for _, id := range row.Identities {
			c.name, c.handle = cmp.Or(c.name, id.DisplayName), cmp.Or(c.handle, id.UserName)
		}
		names[row.ID] = calling{cmp.Or(c.name, c.handle), c.handle}
	}
	return names, nil
}

func (a *API) holders(c call) (answer, error) {
	q, err := a.holdersQuery(c)
	if err != nil {
		return answer{}, err
	}
	v := c.URL.Query()
	q.Action, q.Role, q.Right = v.Get("action"), directory.RoleName(v.Get("role")), directory.Right(v.Get("right"))
	if resource := v.Get("resource"); resource != "" {
		var ok bool
		if q.Type, q.ID, ok = strings.Cut(resource, "/"); !ok {
			return answer{}, invalid("write resource=TYPE/ID")
		}
	}
	page, err := a.Service.Holders(c.Context(), q)
	page.Next = a.Service.sealedUser(holdersList(c), page.Next)
	return outcome(page, err)
}

func (p HolderPage) next() string { return string(p.Next) }

// sealedUser is the cursor of a list that goes on after a user, in place of the
// id.
func (s *Service) sealedUser(list string, after directory.UserID) directory.UserID {
	if after == "" {
		return ""
	}
	return directory.UserID(s.sealCursor(cursor{list, "", string(after)}))
}

// holdersList names a list of holders for its cursors: the route, with the
// connection if it is of one, and what is asked. The place of somebody among
// others would leave people out.
func holdersList(c call) string {
	asked, of := url.Values{}, c.URL.Query()
	for _, name := range []string{"action", "resource", "role", "right"} {
		if of.Has(name) {
			asked.Set(name, of.Get(name))
		}
	}
	return listIn(c.URL.Path, asked.Encode())
}

// holdersQuery reads what all lists of holders understand.
func (a *API) holdersQuery(c call) (HoldersQuery, error) {
	v := c.URL.Query()
	n, err := c.number("limit")
	q := HoldersQuery{Project: directory.ProjectKey(v.Get("project")), Anywhere: v.Get("anywhere") == "true", At: v.Get("at"), Limit: n}
	if text := v.Get("cursor"); text != "" && err == nil {
		var at cursor
		at, err = a.Service.openCursor(holdersList(c), text)
		q.After = directory.UserID(at.id)
	}
	return q, err
}
