package console

import (
	"context"

	"github.com/a-h/templ"
	"github.com/usherd/usherd/admin"
	"github.com/usherd/usherd/directory"
)

// followPreview says what a user would gain and lose by following the directory
// again in one scope.
func (c *Console) followPreview(req request, v userView) (templ.Component, error) {
	project := directory.ProjectKey(req.URL.Query().Get("project"))
	q := confirmView{
		Action: v.Path + "/follow", Back: v.Path + "/access", Button: "Follow the directory again",
		Title:   "Let " + v.Name + " follow the directory again in " + scopeName(project, v.Choices.Projects) + "?",
		Warning: "What the edit brought is taken back, and what it hid counts again.",
		Fields:  []Option{{string(project), "project"}},
	}
	var err error
	q.Preview, err = c.preview(req, func(ctx context.Context) (admin.Outcome, error) {
		return c.Service.EndOverride(ctx, req.by, string(v.ID), project)
	})
	if err != nil {
		return nil, err
	}
	q.Preview.Ask = false // it is one user, named on the page
	return confirmTemplate(q), nil
}

func (c *Console) followDirectory(req request) (templ.Component, error) {
	id := req.PathValue("id")
	if _, err := c.Service.EndOverride(req.Context(), req.by, id, directory.ProjectKey(req.PostForm.Get("project"))); err != nil {
		return nil, err
	}
	return c.redirect(req, "/users/"+id+"/access", "This user follows the directory again.")
}
