package main

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"strings"

	"github.com/spf13/cobra"
)

// addQuestions adds what tells who may do what: the command who, and commands of
// users, groups and integrations.
func (a *app) addQuestions(root *cobra.Command) {
	root.AddCommand(a.whoCommand())
	for _, cmd := range root.Commands() {
		switch cmd.Name() {
		case "user":
			cmd.AddCommand(a.permissionsOf("users", "USER", "alice@example.com"), a.userDiff())
		case "group":
			cmd.AddCommand(a.permissionsOf("groups", "SOURCE/NAME", "okta/Engineering"))
		case "integration":
			cmd.AddCommand(a.integrationAccess())
		}
	}
}

func (a *app) whoCommand() *cobra.Command {
	return parent("who", "List the users who may do something or have a Role", a.whoCan(), a.whoHasRole(), a.whoHasRight())
}

const holderColumns = "NAME=name USERNAME=userName TYPE=type PROJECTS=projects FROM=from"

func (a *app) whoCan() *cobra.Command {
	q := url.Values{}
	cmd := &cobra.Command{
		Use: "can ACTION RESOURCE_TYPE/ID", Short: "List the users who may do something, and by what",
		Example: `  usherd who can access feature/part-list
  usherd who can edit feature/part-list --project alpha
  usherd who can access feature/part-list --anywhere -o csv
  usherd who can manage integration/aws-prod --at 2026-03-01`,
		Args: cobra.ExactArgs(2),
		RunE: func(cmd *cobra.Command, args []string) error {
			if typ, id, ok := strings.Cut(args[1], "/"); !ok || typ == "" || id == "" {
				return usage("write ACTION RESOURCE_TYPE/ID, e.g. edit feature/part-list")
			}
			q.Set("action", args[0])
			q.Set("resource", args[1])
			return a.everyPage(cmd.Context(), "/api/v1/holders", q, holderColumns)
		},
	}
	a.queryFlag(cmd, q, "project", "in checks of this project")
	cmd.Flags().BoolFunc("anywhere", "in checks of any project or of none", setTrue(q, "anywhere"))
	a.atFlag(cmd, q)
	return cmd
}

func (a *app) whoHasRole() *cobra.Command {
	q := url.Values{}
	cmd := &cobra.Command{
		Use: "has-role ROLE", Short: "List the users who have a Role, where and by what",
		Example: "  usherd who has-role owner\n  usherd who has-role project-admin --project alpha",
		Args:    cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			q.Set("role", args[0])
			return a.everyPage(cmd.Context(), "/api/v1/holders", q, holderColumns)
		},
	}
	a.queryFlag(cmd, q, "project", "where it counts in this project")
	a.atFlag(cmd, q)
	return cmd
}

func (a *app) whoHasRight() *cobra.Command {
	q := url.Values{}
	cmd := &cobra.Command{
		Use: "has-right RIGHT", Short: "List the users who hold a right, and by which Role",
		Example: "  usherd who has-right policy.manage\n  usherd who has-right project.manage --project alpha",
		Args:    cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			q.Set("right", args[0])
			return a.everyPage(cmd.Context(), "/api/v1/holders", q, holderColumns)
		},
	}
	a.queryFlag(cmd, q, "project", "in checks of this project")
	a.atFlag(cmd, q)
	return cmd
}

func (a *app) atFlag(cmd *cobra.Command, q url.Values) {
	a.queryFlag(cmd, q, "at", "as of a revision, a `time`, or so long ago: 4711, 2026-03-01, 30m, 7d")
}

// setTrue is a flag that sets a parameter of the query to true.
func setTrue(q url.Values, name string) func(string) error {
	return func(text string) error {
		if text == "true" {
			q.Set(name, "true")
		}
		return nil
	}
}

// permissionsOf lists everything that a user or group may do.
func (a *app) permissionsOf(kind, arg, example string) *cobra.Command {
	q := url.Values{}
	cmd := &cobra.Command{
		Use: "permissions " + arg, Short: "List everything that may be done, and why",
		Example: "  usherd " + strings.TrimSuffix(kind, "s") + " permissions " + example + `
  usherd ` + strings.TrimSuffix(kind, "s") + " permissions " + example + " --project alpha --why",
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			cols := "KIND=kind KEY=key LEVEL=level PROJECT=project"
			if q.Has("why") {
				cols += " FROM=from"
			}
			if !q.Has("project") {
				q.Set("anywhere", "true")
			}
			text, err := a.answer(cmd.Context(), question{http.MethodGet, "/api/v1/" + kind + "/" + url.PathEscape(args[0]) + "/permissions?" + q.Encode(), nil, "", false})
			if err != nil {
				return err
			}
			return a.printWhole(text, columns(cols))
		},
	}
	a.queryFlag(cmd, q, "project", "in checks of this project; otherwise in all checks, and what is more in each project")
	cmd.Flags().BoolFunc("why", "say by what each is held", setTrue(q, "why"))
	a.atFlag(cmd, q)
	return cmd
}

// printWhole prints the list in an answer as a table, and as JSON or YAML the
// whole answer. Beside a table, what one has to know of it goes to stderr.
func (a *app) printWhole(text json.RawMessage, cols []column) error {
	switch a.format {
	case "json":
		_, err := fmt.Fprintf(a.stdout, "%s\n", text)
		return err
	case "yaml":
		return a.printYAML(text)
	}
	var about struct{ Note string }
	if err := json.Unmarshal(text, &about); err == nil && about.Note != "" {
		fmt.Fprintln(a.stderr, about.Note)
	}
	return a.print(text, cols)
}

func (a *app) userDiff() *cobra.Command {
	q := url.Values{}
	cmd := &cobra.Command{
		Use: "diff USER [OTHER]", Short: "Say what one user may do and another may not, or what changed for one",
		Example: `  usherd user diff alice@example.com bob@example.com
  usherd user diff alice@example.com --from 2026-03-01 --to 2026-03-31
  usherd user diff alice@example.com --from 7d`,
		Args: cobra.RangeArgs(1, 2),
		RunE: func(cmd *cobra.Command, args []string) error {
			switch {
			case len(args) == 2 && (q.Has("from") || q.Has("to")):
				return usage("compare two users, or one --from a time --to another")
			case len(args) == 2:
				q.Set("with", args[1])
			case !q.Has("from"):
				return usage("name another user, or a time with --from")
			}
			text, err := a.answer(cmd.Context(), question{http.MethodGet, "/api/v1/users/" + url.PathEscape(args[0]) + "/diff?" + q.Encode(), nil, "", false})
			if err != nil {
				return err
			}
			if a.format == "table" {
				return a.printText(text)
			}
			return a.print(text, columns("ONE=one.userName TWO=two.userName FIRST=first SECOND=second COMMON=common"))
		},
	}
	a.queryFlag(cmd, q, "from", "a revision, a `time`, or so long ago")
	a.queryFlag(cmd, q, "to", "a revision, a `time`, or so long ago (default now)")
	a.queryFlag(cmd, q, "at", "compare two users as of a revision, a `time`, or so long ago")
	return cmd
}

func (a *app) integrationAccess() *cobra.Command {
	q := url.Values{}
	cmd := &cobra.Command{
		Use: "access KEY", Short: "List everybody with a level on a connection, by what, and what may be done about it",
		Example: "  usherd integration access aws-prod\n  usherd integration access aws-prod --project alpha -o json",
		Args:    cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			return a.everyPage(cmd.Context(), "/api/v1/integrations/"+url.PathEscape(args[0])+"/access", q,
				"KIND=kind NAME=name USERNAME=userName HERE=here EFFECTIVE=effective FROM=from REMOVE=remove RESET=reset WHY=why")
		},
	}
	a.queryFlag(cmd, q, "project", "in checks of this project")
	a.atFlag(cmd, q)
	return cmd
}
