package main

import (
	"net/http"
	"net/url"

	"github.com/spf13/cobra"
	"github.com/usherd/usherd/admin"
	"github.com/usherd/usherd/directory"
)

func (a *app) overrideCommand() *cobra.Command {
	return parent("override", "Replace what selected users have in one scope",
		append(changing(a.overrideSet(), a.overrideEnd()), a.overrideList())...)
}

func (a *app) overrideSet() *cobra.Command {
	var body admin.NewOverride
	var project, file string
	var unique bool
	cmd := &cobra.Command{
		Use:   "set USER... (--unique | --new-group NAME) -f GRANTS.yaml",
		Short: "Replace what users have in one scope by the grants of a file",
		Long: `Replace what users have in one scope, the organization or one project, by the
grants of a file: one entry in the form of a mapping's grant, or a list of them.
--unique gives the grants to each user; --new-group makes a local group that
holds them and puts the users in it. What a directory gives in this scope no
longer counts for them until usherd override end. --everywhere replaces what
they have in every project too: by nothing there, since what is
organization-wide counts everywhere. --dry-run says who would gain and lose
what.`,
		Example: `  usherd override set alice@example.com bob@example.com --unique -f grants.yaml --project alpha
  usherd override set alice@example.com --new-group 'Alpha editors' -f grants.yaml --project alpha
  usherd override set alice@example.com --unique -f grants.yaml --everywhere --dry-run`,
		Args: cobra.MinimumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if unique == (body.NewGroup != "") {
				return usage("choose one: --unique or --new-group NAME")
			}
			if body.Everywhere && project != "" {
				return usage("choose one: --project, or --everywhere with grants that are organization-wide")
			}
			if file == "" {
				return usage("-f names the file with the grants")
			}
			text, err := a.readFile(file)
			if err != nil {
				return err
			}
			if body.Grants, err = admin.ParseGrants(file, []byte(text)); err != nil {
				return &exitError{exitInvalid, err}
			}
			body.Users, body.Project, body.Reason = args, directory.ProjectKey(project), a.reason
			return a.ask(cmd.Context(), question{http.MethodPost, tried(cmd, "/api/v1/overrides"), body, "USERS=userNames GROUP=groupName " + changedColumns, false})
		},
	}
	f := cmd.Flags()
	f.BoolVar(&unique, "unique", false, "give each user the grants as own ones")
	f.StringVar(&body.NewGroup, "new-group", "", "make a local group of this `name` with the grants")
	f.StringVarP(&file, "file", "f", "", "`file` with the grants, or - for standard input")
	f.StringVar(&project, "project", "", "in this project; otherwise organization-wide")
	f.BoolVar(&body.Everywhere, "everywhere", false, "organization-wide and, by nothing, in every project")
	return cmd
}

func (a *app) overrideEnd() *cobra.Command {
	var project string
	var everywhere bool
	cmd := &cobra.Command{
		Use: "end USER", Short: "Let a user follow the directory again in one scope, or in all", Args: cobra.ExactArgs(1),
		Example: "  usherd override end alice@example.com --project alpha --dry-run\n  usherd override end alice@example.com --project alpha\n  usherd override end alice@example.com --everywhere",
		RunE: func(cmd *cobra.Command, args []string) error {
			if everywhere && project != "" {
				return usage("choose one: --project or --everywhere")
			}
			body := map[string]any{"user": args[0], "project": project, "everywhere": everywhere}
			return a.ask(cmd.Context(), question{http.MethodPost, tried(cmd, "/api/v1/overrides/end"), body, changedColumns, false})
		},
	}
	cmd.Flags().StringVar(&project, "project", "", "in this project; otherwise organization-wide")
	cmd.Flags().BoolVar(&everywhere, "everywhere", false, "organization-wide and in every project, all at once")
	return cmd
}

func (a *app) overrideList() *cobra.Command {
	return &cobra.Command{
		Use: "list [USER]", Short: "List overrides", Example: "  usherd override list", Args: cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			q := url.Values{}
			if len(args) > 0 {
				q.Set("user", args[0])
			}
			return a.ask(cmd.Context(), question{
				http.MethodGet, "/api/v1/overrides?" + q.Encode(), nil,
				"USER=userName PROJECT=project GROUP=groupName BY=byName REASON=reason CREATED=created", false,
			})
		},
	}
}
