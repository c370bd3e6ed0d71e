package admin

import (
	"context"
	"fmt"

	"github.com/usherd/usherd/authz"
	"github.com/usherd/usherd/directory"
)

// PermissionsQuery asks for everything that a user or a group may do.
type PermissionsQuery struct {
	Project  directory.ProjectKey // in checks that name it
	Anywhere bool                 // besides, what is more in each project
	Why      bool                 // with the ways by which each thing is held
	At       string               // as of the past: see [Service.When]
}

// maxWays bounds how many ways a row of permissions lists.
const maxWays = 5

// HeldPermissions are everything that somebody may do.
type HeldPermissions struct {
	authz.Permissions
	Group    directory.GroupID `json:"group,omitempty"` // if it is a group's
	Name     string            `json:"name,omitempty"`  // for people
	UserName string            `json:"userName,omitempty"`
	Seats    []string          `json:"seats"` // features that somebody pays for
	Moment   Moment            `json:"moment"`
	Note     string            `json:"note,omitempty"` // what one has to know of the name that was asked for
	Items    []HeldItem        `json:"items"`          // everything, a row each
	RoleUses []authz.RoleUse   `json:"roleUses"`
}

// A HeldItem is one row, with its words for people.
type HeldItem struct {
	Kind  string   `json:"kind"` // access, role, output, integration or right
	Key   string   `json:"key"`
	Level string   `json:"level,omitempty"` // of an integration
	From  []string `json:"from,omitempty"`  // in a few words: direct, group x, Role y
	authz.Held
}

func itemOf(h authz.Held) HeldItem {
	item := HeldItem{Kind: string(h.Privilege.Kind), Key: h.Privilege.Key, Held: h}
	switch {
	case h.Right != "":
		item.Kind, item.Key = "right", string(h.Right)
	case h.Privilege.Kind == directory.IntegrationLevel:
		item.Level = h.Privilege.Level.String()
	}
	for i := range h.Via {
		item.From = append(item.From, h.Via[i].Origin())
	}
	return item
}

// PermissionsOf lists everything that a user may do, by rows. A name means who
// bears it now; if nobody does, who bore it then.
func (s *Service) PermissionsOf(ctx context.Context, name string, q PermissionsQuery) (HeldPermissions, error) {
	look, err := s.named(ctx, name, q.At)
	if err != nil {
		return HeldPermissions{}, err
	}
	everything := s.mayExplain(ctx, look.Subject) == nil
	if !everything {
		if err := q.mayAskIn(ctx, s, look.Subject); err != nil {
			return HeldPermissions{}, err
		}
	}
	if look.Subject.Found != directory.One {
		return HeldPermissions{}, look.nobody()
	}
	out, err := s.held(ctx, look.Look, q)
	if err != nil {
		return HeldPermissions{}, err
	}
	u, err := s.Store.User(ctx, look.Subject.ID)
	if err != nil {
		return HeldPermissions{}, fmt.Errorf("user %s: %w", look.Subject.ID, err)
	}
	out.Name, out.UserName = nameOf(u)
	out.Note = look.sentence()
	if !everything {
		return out, nil
	}
	out.RoleUses = append(out.RoleUses, look.Snapshot.RoleUses(look.Subject)...)
	out.Seats = append(out.Seats, look.Snapshot.Seats(look.Subject)...)
	return out, nil
}

// mayAskIn is the gate for those who may ask in one project only: they learn what
// may be done there now, and not by what.
func (q *PermissionsQuery) mayAskIn(ctx context.Context, s *Service, sub *directory.Subject) error {
	if q.Why || q.Anywhere || q.At != "" {
		return s.mayExplain(ctx, sub)
	}
	return s.mayAsk(ctx, sub, q.Project)
}

// GroupPermissions lists everything that membership in a group gives, also by
// way of the groups above it.
func (s *Service) GroupPermissions(ctx context.Context, name string, q PermissionsQuery) (HeldPermissions, error) {
	a, err := s.reads(ctx, AskChecks)
	if err != nil {
		return HeldPermissions{}, err
	}
	everything := a.May(AskChecks, "")
	if !everything && (q.Why || q.Anywhere || q.At != "" || !a.May(AskChecks, q.Project)) {
		return HeldPermissions{}, a.require(AskChecks, "")
	}
	at, err := s.When(ctx, q.At)
	if err != nil {
		return HeldPermissions{}, err
	}
	g, err := s.seenGroup(ctx, a, name)
	if err != nil {
		return HeldPermissions{}, err
	}
	view, err := s.viewAt(ctx, at)
	if err != nil {
		return HeldPermissions{}, err
	}
	look := Look{view, authz.MemberOf(g.Num), view.At()}
	out, err := s.held(ctx, look, q)
	out.Group, out.Name = g.ID, string(g.Source)+"/"+g.Name
	if everything {
		out.RoleUses = append(out.RoleUses, look.Snapshot.RoleUses(look.Subject)...)
	}
	return out, err
}

// held makes the rows of somebody.
func (s *Service) held(ctx context.Context, look Look, q PermissionsQuery) (HeldPermissions, error) {
	if err := checkProject(&look.Snapshot.Policy().Policy, q.Project); err != nil {
		return HeldPermissions{}, err
	}
	moment, err := s.moment(ctx, look.Stamp)
	if err != nil {
		return HeldPermissions{}, err
	}
	out := HeldPermissions{
		Permissions: look.Snapshot.Permissions(look.Subject, q.Project), Moment: moment,
		Seats: []string{}, Items: []HeldItem{}, RoleUses: []authz.RoleUse{},
	}
	ways := 0
	if q.Why {
		ways = maxWays
	}
	rows := look.Snapshot.Held(look.Subject, q.Project, ways)
	if q.Anywhere {
		rows = look.Snapshot.HeldAnywhere(look.Subject, ways)
	}
	for _, h := range rows {
		out.Items = append(out.Items, itemOf(h))
	}
	return out, nil
}

func (a *API) permissions(c call) (answer, error) {
	return outcome(a.Service.PermissionsOf(c.Context(), c.PathValue("user"), c.permissionsQuery()))
}

func (a *API) groupPermissions(c call) (answer, error) {
	return outcome(a.Service.GroupPermissions(c.Context(), c.PathValue("group"), c.permissionsQuery()))
}

func (c call) permissionsQuery() PermissionsQuery {
	v := c.URL.Query()
	return PermissionsQuery{
		Project: directory.ProjectKey(v.Get("project")), Anywhere: v.Get("anywhere") == "true", Why: v.Get("why") == "true", At: v.Get("at"),
	}
}
