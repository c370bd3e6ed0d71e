package console

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strings"

	"github.com/a-h/templ"
	"github.com/usherd/usherd/admin"
	"github.com/usherd/usherd/authz"
	"github.com/usherd/usherd/directory"
)

// everywhereScope is how the form says all scopes.
const everywhereScope = "*"

// A permissionsView is the edit of what some users have in one scope: rule 9 of
// the decision.
type permissionsView struct {
	Selection string
	Names     []string // the first of them
	N         int
	Scope     string
	Scopes    []Option
	Trees     []privilegeTree
	Grouped   bool     // one of them has a group
	Groups    []Option // that can be assigned in place of what they have
	How       string   // unique, group or assign
	NewGroup  string
	Assign    string
	Reason    string
	Problem   string
	// Of the preview:
	Preview *effectsView
	Chosen  []grantToken
	Hidden  []hiddenView
}

// A hiddenView is a membership that the edit hides.
type hiddenView struct{ User, Group, Source string }

// permissions shows the form for the selected users.
func (c *Console) permissions(req request, ids []string) (templ.Component, error) {
	v, err := c.permissionsForm(req, ids, req.URL.Query())
	if err != nil {
		return nil, err
	}
	spec, err := c.Service.Shared(req.Context(), v.project(), userIDs(ids)...)
	if err != nil {
		return nil, err
	}
	return c.permissionsPage(req, v, tokensOf(spec))
}

func userIDs(ids []string) []directory.UserID {
	out := make([]directory.UserID, len(ids))
	for i, id := range ids {
		out[i] = directory.UserID(id)
	}
	return out
}

// project is the scope that is edited; everywhere begins with what is
// organization-wide.
func (v permissionsView) project() directory.ProjectKey {
	if v.Scope == everywhereScope {
		return ""
	}
	return directory.ProjectKey(v.Scope)
}

// permissionsForm fills all but the trees.
func (c *Console) permissionsForm(req request, ids []string, form url.Values) (permissionsView, error) {
	v := permissionsView{
		Selection: form.Get("sel"), N: len(ids), Scope: form.Get("scope"), How: form.Get("how"),
		NewGroup: strings.TrimSpace(form.Get("new_group")), Assign: form.Get("assign"), Reason: strings.TrimSpace(form.Get("reason")),
	}
	ch, err := c.Service.Choices(req.Context())
	if err != nil {
		return v, err
	}
	v.Scopes = req.viewer.scopeOptions(admin.WriteGrants, ch.Projects)
	if len(v.Scopes) == 0 {
		return v, req.viewer.Require(admin.WriteGrants, "")
	}
	if req.viewer.Can(admin.WriteGrants) && len(ch.Projects) > 0 {
		v.Scopes = append(v.Scopes, Option{everywhereScope, "Everywhere"})
	}
	if !slices.ContainsFunc(v.Scopes, func(o Option) bool { return o.Value == v.Scope }) {
		v.Scope = v.Scopes[0].Value
	}
	more, err := c.Service.MoreOfUsers(req.Context(), userIDs(ids)...)
	if err != nil {
		return v, err
	}
	for _, m := range more {
		v.Grouped = v.Grouped || len(m.Groups) > 0
	}
	names, err := c.Service.NamesOfUsers(req.Context(), userIDs(ids[:min(len(ids), 10)])...)
	if err != nil {
		return v, err
	}
	for _, id := range ids[:min(len(ids), 10)] {
		v.Names = append(v.Names, cmp.Or(names[directory.UserID(id)], id))
	}
	v.How = cmp.Or(v.How, "unique")
	project := v.project()
	if req.viewer.May(admin.WriteGroups, project) {
		v.Groups, err = c.localGroups(req, &project)
	}
	return v, err
}

func (c *Console) permissionsPage(req request, v permissionsView, chosen []grantToken) (templ.Component, error) {
	ch, err := c.Service.Choices(req.Context())
	if err != nil {
		return nil, err
	}
	v.Chosen = chosen
	v.Trees = trees(ch, v.project(), heldTokens(chosen), "access", "role", "output", "integration", "roles")
	title := fmt.Sprintf("Edit permissions of %s %s", thousands(v.N), plural(v.N, "user", "users"))
	return c.frame(req, title, permissionsTemplate(title, v)), nil
}

// tokensOf are the tokens of a spec.
func tokensOf(spec admin.GrantSpec) []grantToken {
	var out []grantToken
	for kind, keys := range map[string][]string{"access": spec.Access, "role": spec.Role, "output": spec.Output} {
		for _, key := range keys {
			out = append(out, kind+":"+key)
		}
	}
	for key, level := range spec.Integration {
		out = append(out, "integration:"+key+"="+level)
	}
	for _, role := range spec.Roles {
		out = append(out, "roles:"+string(role))
	}
	slices.Sort(out)
	return out
}

// applyPermissions previews the edit, and does it when that is confirmed.
func (c *Console) applyPermissions(req request, ids []string) (templ.Component, error) {
	form := req.PostForm
	v, err := c.permissionsForm(req, ids, form)
	if err != nil {
		return nil, err
	}
	tokens := wanted(form)
	if form.Get("again") != "" { // back to the form, with what was chosen
		return c.permissionsPage(req, v, tokens)
	}
	n := admin.NewOverride{Users: ids, Project: v.project(), Everywhere: v.Scope == everywhereScope, Reason: v.Reason}
	switch {
	case v.How == "assign":
		n.Group = v.Assign
	case len(tokens) > 0:
		n.Grants = []admin.GrantSpec{tokenSpec(n.Project, tokens)}
	}
	if v.How == "group" {
		if n.NewGroup = v.NewGroup; n.NewGroup == "" {
			v.Problem = "Give the new user group a name."
			return c.permissionsPage(req, v, tokens)
		}
	}
	action := func(ctx context.Context) (admin.Outcome, error) {
		made, err := c.Service.SetOverride(ctx, req.by, n)
		return made.Outcome, err
	}
	if form.Get("format") == "csv" {
		return c.permissionsCSV(req, n, action)
	}
	preview, err := c.preview(req, action)
	if text, ok := refused(err); ok {
		v.Problem = text
		return c.permissionsPage(req, v, tokens)
	}
	if errors.Is(err, admin.ErrLastOwner) {
		v.Problem = err.Error()
		return c.permissionsPage(req, v, tokens)
	}
	if err != nil {
		return nil, err
	}
	preview.Ask, preview.Count = preview.Ask || len(ids) > askAbove, len(ids)
	if form.Get("confirmed") != "" && preview.confirmed(req) {
		if _, err := action(req.Context()); err != nil {
			return nil, err
		}
		back := "/users"
		if n.Project != "" {
			back = "/projects/" + string(n.Project)
		}
		return c.redirect(req, back, fmt.Sprintf("Permissions of %s %s were replaced.", thousands(len(ids)), plural(len(ids), "user", "users")))
	}
	v.Preview = &preview
	if v.Hidden, err = c.hiddenBy(req, n.Project, ids); err != nil {
		return nil, err
	}
	return c.permissionsPage(req, v, tokens)
}

var permissionsList = ListSpec{
	Name: "permissions", Title: "Who gains and loses", Noun: "people",
	Columns: []Column{
		{Key: "user", Title: "User", Default: true},
		{Key: "gains", Title: "Gains", Default: true},
		{Key: "loses", Title: "Loses", Default: true},
		{Key: "hidden", Title: "Hidden memberships", Default: true},
	},
}

// permissionsCSV writes what the edit would do to each user, as the preview does.
func (c *Console) permissionsCSV(req request, n admin.NewOverride, action func(context.Context) (admin.Outcome, error)) (templ.Component, error) {
	out, err := action(admin.WithDryRunOf(req.Context(), admin.PeopleList{Limit: 100_000}))
	if err != nil {
		return nil, err
	}
	names, err := c.Service.NamesOfUsers(req.Context(), userIDs(n.Users)...)
	if err != nil {
		return nil, err
	}
	all, err := c.Service.Hidden(req.Context(), n.Project, userIDs(n.Users)...)
	if err != nil {
		return nil, err
	}
	hidden := map[directory.UserID][]string{}
	for _, h := range all {
		hidden[h.User] = append(hidden[h.User], string(h.Group.Source)+"/"+h.Group.Name)
	}
	shifts := map[directory.UserID]authz.Shift{}
	for _, s := range out.Preview.Shifts {
		shifts[s.User] = s
	}
	l := List{ListSpec: permissionsList, State: State{Path: "/users/bulk/permissions", Chosen: []string{"user", "gains", "loses", "hidden"}}}
	for _, id := range userIDs(n.Users) {
		s := shifts[id]
		l.Rows = append(l.Rows, Row{Cells: map[string]Cell{
			"user": Text(cmp.Or(names[id], string(id))), "gains": Text(strings.Join(holdingNames(s.Gains), ", ")),
			"loses": Text(strings.Join(holdingNames(s.Loses), ", ")), "hidden": Text(strings.Join(hidden[id], ", ")),
		}})
	}
	c.csv(req, l, eachRow(l.Rows))
	return nil, nil //nolint:nilnil // the file is sent
}

// hiddenBy lists the memberships that an override hides, for people.
func (c *Console) hiddenBy(req request, project directory.ProjectKey, ids []string) ([]hiddenView, error) {
	all, err := c.Service.Hidden(req.Context(), project, userIDs(ids)...)
	if err != nil {
		return nil, err
	}
	names, err := c.Service.NamesOfUsers(req.Context(), userIDs(ids)...)
	if err != nil {
		return nil, err
	}
	var out []hiddenView
	for _, h := range all {
		out = append(out, hiddenView{cmp.Or(names[h.User], string(h.User)), h.Group.Name, string(h.Group.Source)})
	}
	return out, nil
}

// summary says in a sentence what the edit does.
func (v permissionsView) summary() string {
	scope := v.Scope
	for _, o := range v.Scopes {
		if o.Value == v.Scope {
			scope = o.Title
		}
	}
	switch v.How {
	case "group":
		return fmt.Sprintf("They become members of the new group %s and have what it gives in %s:", v.NewGroup, scope)
	case "assign":
		for _, o := range v.Groups {
			if o.Value == v.Assign {
				return fmt.Sprintf("They have what group %s gives in %s, and no more.", o.Title, scope)
			}
		}
	}
	return fmt.Sprintf("In %s they have this, and no more:", scope)
}
