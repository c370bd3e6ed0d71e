package main

import (
	"net/http"
	"net/url"

	"github.com/spf13/cobra"
	"github.com/usherd/usherd/directory"
)

func (a *app) projectCommand() *cobra.Command {
	var createTitle, title string
	create := a.change("create KEY", "Create a project", "  usherd project create alpha --title 'Alpha tower'", cobra.ExactArgs(1),
		func(args []string) (string, string, any, error) {
			return http.MethodPost, at("projects"), directory.Project{Key: directory.ProjectKey(args[0]), Title: createTitle}, nil
		})
	create.Flags().StringVar(&createTitle, "title", "", "what people call it")
	rename := a.change("rename KEY --title TITLE", "Change the title of a project; its key stays", "  usherd project rename alpha --title 'Alpha towers'", cobra.ExactArgs(1),
		func(args []string) (string, string, any, error) {
			return http.MethodPut, at("projects", args[0]), map[string]any{"title": title}, nil
		})
	rename.Flags().StringVar(&title, "title", "", "what people call it")
	remove := a.change("delete KEY", "Delete a project that nothing uses", "  usherd project delete alpha", cobra.ExactArgs(1),
		func(args []string) (string, string, any, error) {
			return http.MethodDelete, at("projects", args[0]), nil, nil
		})
	q := url.Values{}
	list := a.show("list", "List projects with their groups and users", "  usherd project list\n  usherd project list --sort -users", cobra.NoArgs,
		"KEY=key TITLE=title GROUPS=groups USERS=users MAPPINGS=mappings MANAGED_BY=managed_by", func([]string) string { return at("projects") + "?" + q.Encode() })
	a.queryFlag(list, q, "sort", "by name, users or groups; -users is descending")
	return parent("project", "List, create, rename and delete projects", append([]*cobra.Command{list}, changing(create, rename, remove)...)...)
}
