package admin

import (
	"context"
	"slices"

	"github.com/usherd/usherd/authz"
	"github.com/usherd/usherd/directory"
)

// An AccessRow is a user or a group with something on a connection: an own
// assignment, a level, or both.
type AccessRow struct {
	Kind     string               `json:"kind"` // user or group
	ID       string               `json:"id"`
	Name     string               `json:"name"`
	UserName string               `json:"userName,omitempty"`
	Source   directory.SourceName `json:"source,omitempty"` // of a group
	From     []string             `json:"from"`             // of the effective level: direct, group x, Role y
	authz.Assignment
}

// An AccessPage is a part of who has something on a connection. Groups are all
// on the first page, users come by id.
type AccessPage struct {
	Items  []AccessRow      `json:"items"`
	Next   directory.UserID `json:"next_cursor,omitempty"`
	Moment Moment           `json:"moment"`
}

// IntegrationAccess lists the groups and users that have something on a
// connection, in checks of a project or organization-wide, with where it comes
// from and what may be done about it. Only Project, At, After and Limit of the
// query count.
func (s *Service) IntegrationAccess(ctx context.Context, key string, q HoldersQuery) (AccessPage, error) {
	a, err := s.Authority(ctx)
	if err != nil {
		return AccessPage{}, err
	}
	if a.levelOn(key) < directory.Admin {
		if err := a.require(AskChecks, ""); err != nil {
			return AccessPage{}, err
		}
	}
	at, err := s.When(ctx, q.At)
	if err != nil {
		return AccessPage{}, err
	}
	view, err := s.viewAt(ctx, at)
	if err != nil {
		return AccessPage{}, err
	}
	if err := checkProject(&view.Policy().Policy, q.Project); err != nil {
		return AccessPage{}, err
	}
	if known, _ := view.IDs(authz.TypeIntegration); !slices.Contains(known, key) {
		return AccessPage{}, notFound("no integration %q%s", key, didYouMean(key, known))
	}
	page := AccessPage{Items: []AccessRow{}}
	if page.Moment, err = s.moment(ctx, view.At()); err != nil {
		return AccessPage{}, err
	}
	if q.After == "" {
		page.Items = append(page.Items, groupAccess(view, key, q.Project)...)
	}
	req := authz.Request{SubjectType: authz.SubjectUser, Action: authz.ActionView, Type: authz.TypeIntegration, ID: key, Project: q.Project}
	h := finder{people: view.Candidates(&req), holds: func(sub *directory.Subject) bool {
		has := view.AssignmentOf(sub, key, q.Project)
		return has.Shown()
	}}
	found, next, err := s.selectHolders(ctx, h, view.At(), q)
	if err != nil {
		return AccessPage{}, err
	}
	page.Next = next
	names, err := s.namesOf(ctx, found)
	if err != nil {
		return AccessPage{}, err
	}
	for i := range found {
		who := names[found[i].ID]
		row := AccessRow{Kind: "user", ID: string(found[i].ID), Name: who.name, UserName: who.handle}
		page.Items = append(page.Items, row.with(view.AssignmentOf(&found[i], key, q.Project)))
	}
	return page, nil
}

// groupAccess lists the groups with something on a connection.
func groupAccess(view *authz.Snapshot, key string, project directory.ProjectKey) (rows []AccessRow) {
	for _, num := range view.AssignedGroups(key, project) {
		g, ok := view.Group(num)
		if !ok {
			continue
		}
		row := AccessRow{Kind: "group", ID: string(g.ID), Name: g.Name, Source: g.Source}
		rows = append(rows, row.with(view.AssignmentOfGroup(num, key, project)))
	}
	return rows
}

// with adds an assignment and says in a few words what it comes from. A group's
// own grant is direct.
func (r AccessRow) with(a authz.Assignment) AccessRow {
	r.Assignment, r.From = a, []string{}
	for i := range a.Via {
		p := a.Via[i]
		from := p.Origin()
		if r.Kind == "group" && len(p.Groups) == 1 && p.Role == "" {
			from = "direct"
			if p.Mapping != "" {
				from = "mapping " + p.Mapping
			}
		}
		if p.Privilege != nil && p.Privilege.Level < a.Effective {
			continue
		}
		if !slices.Contains(r.From, from) {
			r.From = append(r.From, from)
		}
	}
	return r
}

func (a *API) integrationAccess(c call) (answer, error) {
	q, err := a.holdersQuery(c)
	if err != nil {
		return answer{}, err
	}
	page, err := a.Service.IntegrationAccess(c.Context(), c.PathValue("key"), q)
	page.Next = a.Service.sealedUser(holdersList(c), page.Next)
	return outcome(page, err)
}

func (p AccessPage) next() string { return string(p.Next) }
