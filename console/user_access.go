package console

import (
	"strings"

	"github.com/a-h/templ"
	"github.com/usherd/usherd/admin"
	"github.com/usherd/usherd/authz"
	"github.com/usherd/usherd/directory"
)

var accessList = ListSpec{
	Name: "user-access", Title: "Access", Noun: "permissions", Searches: "in these",
	Columns: []Column{
		{Key: "kind", Title: "Kind", Default: true},
		{Key: "key", Title: "Permission", Default: true},
		{Key: "level", Title: "Effective level", Default: true},
		{Key: "scope", Title: "Scope", Default: true},
		{Key: "via", Title: "Via", Default: true},
	},
	Filters: []Filter{{Key: "own", Title: "Show", Options: []Option{{"1", "own only"}}}},
}

// An accessView is what a user or a group may do.
type accessView struct {
	userView
	List      List
	Overrides []overrideView
	Roles     []authz.RoleUse
	Edit      bool
	Partly    bool // only what counts in one project is shown, without why
}

// An overrideView is an override with what it hides.
type overrideView struct {
	directory.Override
	Scope string
	By    string
	Hides []admin.Hiding
	May   bool
}

// userAccess lists what a user may do: everything, or one kind.
func (c *Console) userAccess(req request, v userView, kind string) (templ.Component, error) {
	out := accessView{userView: v, Edit: req.viewer.Anywhere(admin.WriteGrants)}
	out.Partly = !req.viewer.Can(admin.AskChecks) && req.viewer.ID != v.ID
	items, roles, err := c.heldBy(req, v, out.Partly)
	if err != nil {
		return nil, err
	}
	out.List = List{ListSpec: accessList, State: c.state(req, accessList), Asof: c.Now()}
	out.Roles = roles
	for _, item := range items {
		if kind != "" && item.Kind != kind || out.List.Filter["own"] != "" && !item.Own ||
			!strings.Contains(strings.ToLower(item.Key+" "+strings.Join(item.From, " ")), strings.ToLower(out.List.Q)) {
			continue
		}
		out.List.Rows = append(out.List.Rows, accessRow(item, v.Choices))
	}
	out.List.Total = len(out.List.Rows)
	if out.List.CSV {
		c.csv(req, out.List, eachRow(out.List.Rows))
		return nil, nil //nolint:nilnil // the file is sent
	}
	for _, o := range v.Overrides {
		shown := overrideView{Override: o, Scope: scopeName(o.Project, v.Choices.Projects), By: c.actorName(req, o.By), May: req.viewer.May(admin.WriteGrants, o.Project)}
		if req.viewer.Anywhere(admin.ReadDirectory) {
			if shown.Hides, err = c.Service.Hidden(req.Context(), o.Project, v.ID); err != nil {
				return nil, err
			}
		}
		out.Overrides = append(out.Overrides, shown)
	}
	return userAccessTemplate(out), nil
}

// heldBy is what a user may do anywhere, with why and with the Roles; partly: in
// the projects of the user that the viewer sees, one after the other.
func (c *Console) heldBy(req request, v userView, partly bool) (items []admin.HeldItem, roles []authz.RoleUse, err error) {
	if !partly {
		held, err := c.Service.PermissionsOf(req.Context(), string(v.ID), admin.PermissionsQuery{Anywhere: true, Why: true})
		return held.Items, held.RoleUses, err
	}
	if len(v.Projects) == 0 {
		return nil, nil, req.viewer.Require(admin.AskChecks, "")
	}
	for _, project := range v.Projects {
		held, err := c.Service.PermissionsOf(req.Context(), string(v.ID), admin.PermissionsQuery{Project: project})
		if err != nil {
			return nil, nil, err
		}
		items = append(items, countingIn(project, held.Items)...)
	}
	return items, nil, nil
}

// countingIn says of things that were asked for in one project where that is:
// whether they count elsewhere too was not asked.
func countingIn(project directory.ProjectKey, items []admin.HeldItem) []admin.HeldItem {
	for i := range items {
		items[i].Project = project
	}
	return items
}

func accessRow(item admin.HeldItem, ch admin.Choices) Row {
	via := make([]Cell, len(item.From))
	for i, from := range item.From {
		tone := Neutral
		if i == 0 {
			tone = Info // the way that wins
		}
		via[i] = Badge(from, tone)
	}
	level := item.Level
	if level == "" {
		level = "yes"
	}
	return Row{ID: item.Kind + item.Key + string(item.Project), Label: item.Key, Cells: map[string]Cell{
		"kind": Text(capital(item.Kind)), "key": {Text: item.Key, Show: titledKey(titleOfKey(item.Kind, item.Key, ch), item.Key)},
		"level": Text(level), "scope": Text(scopeName(item.Project, ch.Projects)), "via": Cells(via...),
	}}
}

// titleOfKey is what people call what a permission is for; empty: its key.
func titleOfKey(kind, key string, ch admin.Choices) string {
	feature, action, _ := strings.Cut(key, ":")
	switch directory.PrivilegeKind(kind) {
	case directory.Access, directory.RolePrivilege:
		for _, f := range ch.Features {
			if f.Key == feature && f.Title != "" {
				return strings.TrimSuffix(f.Title+": "+action, ": ")
			}
		}
	case directory.OutputPrivilege:
		for _, o := range ch.Outputs {
			if o.Key == key {
				return o.Title
			}
		}
	case directory.IntegrationLevel:
		for _, i := range ch.Integrations {
			if i.Key == key {
				return i.Title
			}
		}
	}
	return ""
}

// roleVia says in a few words how somebody has a Role.
func roleVia(p authz.Path) string {
	switch {
	case p.DefaultRole:
		return "by default"
	case len(p.Groups) > 0:
		return "group " + p.Groups[0].Name + " (" + string(p.Groups[0].Source) + ")"
	}
	return "direct"
}
