package main

import (
	"fmt"
	"net/http"
	"net/url"

	"github.com/spf13/cobra"
	"github.com/usherd/usherd/admin"
	"github.com/usherd/usherd/directory"
)

func (a *app) overrideCommand() *cobra.Command {
	return parent("override", "Replace what selected users have in one scope",
		a.overrideSet(), a.overrideEnd(), a.overrideList())
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
longer counts for them until usherd override end.`,
		Example: `  usherd override set alice@example.com bob@example.com --unique -f grants.yaml --project alpha
  usherd override set alice@example.com --new-group 'Alpha editors' -f grants.yaml --project alpha`,
		Args: cobra.MinimumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if unique == (body.NewGroup != "") {
				return usage("choose one: --unique or --new-group NAME")
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
			return a.ask(cmd.Context(), question{http.MethodPost, "/api/v1/overrides", body, "USERS=users GROUP=group " + outcomeColumns, false})
		},
	}
	f := cmd.Flags()
	f.BoolVar(&unique, "unique", false, "give each user the grants as own ones")
	f.StringVar(&body.NewGroup, "new-group", "", "make a local group of this `name` with the grants")
	f.StringVarP(&file, "file", "f", "", "`file` with the grants, or - for standard input")
	f.StringVar(&project, "project", "", "in this project; otherwise organization-wide")
	return cmd
}

func (a *app) overrideEnd() *cobra.Command {
	var project string
	cmd := &cobra.Command{
		Use: "end USER", Short: "Let a user follow the directory again in one scope", Args: cobra.ExactArgs(1),
		Example: "  usherd override end alice@example.com --project alpha",
		RunE: func(cmd *cobra.Command, args []string) error {
			body := map[string]any{"user": args[0], "project": project}
			return a.ask(cmd.Context(), question{http.MethodPost, "/api/v1/overrides/end", body, outcomeColumns, false})
		},
	}
	cmd.Flags().StringVar(&project, "project", "", "in this project; otherwise organization-wide")
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
				"USER=user PROJECT=project GROUP=group BY=by REASON=reason CREATED=created", false,
			})
		},
	}
}

func (a *app) mappingCommand() *cobra.Command {
	list := &cobra.Command{
		Use: "list", Short: "List mappings and the groups they reach", Example: "  usherd mapping list", Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return a.ask(cmd.Context(), question{
				http.MethodGet, "/api/v1/mappings", nil,
				"NAME=name SOURCE=when.source GROUPS=groups NOTE=note", false,
			})
		},
	}
	confirm := &cobra.Command{
		Use: "confirm MAPPING SOURCE/NAME", Short: "Let a mapping reach a group for which it waits", Args: cobra.ExactArgs(2),
		Example: "  usherd mapping confirm admins okta/Admins",
		RunE: func(cmd *cobra.Command, args []string) error {
			return a.ask(cmd.Context(), question{
				http.MethodPost, "/api/v1/mappings/" + url.PathEscape(args[0]) + "/confirm",
				map[string]any{"group": args[1]},
				outcomeColumns, false,
			})
		},
	}
	return parent("mapping", "Look at mappings, confirm groups", list, confirm)
}

func (a *app) auditCommand() *cobra.Command {
	q := url.Values{}
	list := &cobra.Command{
		Use: "list", Short: "List the audit records", Example: "  usherd audit list --after 120 --limit 50 -o json", Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return a.ask(cmd.Context(), question{
				http.MethodGet, "/api/v1/audit?" + q.Encode(), nil,
				"REVISION=revision TIME=time KIND=actor.kind ACTOR=actor.name REASON=actor.reason CHANGES=changes", false,
			})
		},
	}
	a.queryFlag(list, q, "after", "only records after this revision")
	a.queryFlag(list, q, "limit", "at most so many (default 100, at most 1000)")
	verify := &cobra.Command{
		Use: "verify", Short: "Prove that no audit record was altered, removed or moved", Example: "  usherd audit verify", Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			text, err := a.answer(cmd.Context(), question{http.MethodGet, "/api/v1/audit/verify", nil, "", false})
			if err != nil {
				return err
			}
			if err := a.print(text, columns("OK=ok RECORDS=records HASH=hash BROKEN=broken_at DETAIL=detail")); err != nil {
				return err
			}
			return notOK(text, fmt.Errorf("the audit chain is broken"))
		},
	}
	return parent("audit", "Read the audit records and verify their chain", list, verify)
}
