package console

import (
	"fmt"
	"slices"
	"strings"

	"github.com/a-h/templ"
	"github.com/usherd/usherd/admin"
)

var belongingList = ListSpec{
	Name: "user-groups", Title: "Groups", Noun: "groups", Searches: "by name",
	Columns: []Column{
		{Key: "name", Title: "Group", Default: true},
		{Key: "source", Title: "Source", Default: true},
		{Key: "how", Title: "How", Default: true},
		{Key: "since", Title: "Since", Default: true},
		{Key: "scope", Title: "Scope", Default: true},
		{Key: "status", Title: "Status", Default: true},
		{Key: "menu", Title: "Change", Default: true, Here: true},
	},
}

// A userGroupsView is the groups of a user, and those that can be added.
type userGroupsView struct {
	userView
	List List
	Add  []Option
}

func (c *Console) userGroups(req request, v userView) (templ.Component, error) {
	all, err := c.Service.Belongings(req.Context(), string(v.ID))
	if err != nil {
		return nil, err
	}
	out := userGroupsView{userView: v, List: List{ListSpec: belongingList, State: c.state(req, belongingList), Asof: c.Now()}}
	kinds := kindsOf(v.Choices.Sources)
	for _, g := range all {
		if !strings.Contains(strings.ToLower(g.Name), strings.ToLower(out.List.Q)) {
			continue
		}
		how, change := Text("directly"), Cell{}
		switch {
		case g.Through != "":
			how = Text("because it holds " + g.Through)
		case g.Removable && req.viewer.May(admin.WriteGroups, g.Project):
			change = Cell{Show: removeMember("/groups/"+string(g.ID)+"/remove", string(v.ID), g.Name, v.Path+"/groups")}
		case !g.Removable:
			change = Cell{Show: lockedText(fmt.Sprintf("Managed by %s – change it there", sourceWords(kinds, g.Source)), req.viewer.sourceHref(g.Source))}
		}
		out.List.Rows = append(out.List.Rows, Row{ID: string(g.ID), Label: g.Name, Cells: map[string]Cell{
			"name": Link(g.Name, "/groups/"+string(g.ID)), "source": req.viewer.origin(g.Source, kinds), "how": how, "since": began(g.Began),
			"scope": Text(scopeName(g.Project, v.Choices.Projects)), "status": status(string(g.Status)), "menu": change,
		}})
	}
	out.List.Total = len(out.List.Rows)
	if out.List.CSV {
		c.csv(req, out.List, eachRow(out.List.Rows))
		return nil, nil //nolint:nilnil // the file is sent
	}
	if req.viewer.Anywhere(admin.WriteGroups) {
		if out.Add, err = c.localGroups(req, nil); err != nil {
			return nil, err
		}
		out.Add = slices.DeleteFunc(out.Add, func(o Option) bool {
			return slices.ContainsFunc(v.Groups, func(g admin.UserGroup) bool { return string(g.ID) == o.Value })
		})
	}
	return userGroupsTemplate(out), nil
}

// joinGroup adds a user to a local group.
func (c *Console) joinGroup(req request) (templ.Component, error) {
	id := req.PathValue("id")
	if _, err := c.Service.AddMembers(req.Context(), req.by, req.PostForm.Get("group"), []string{id}); err != nil {
		return nil, err
	}
	return c.redirect(req, "/users/"+id+"/groups", "Added to the group.")
}
