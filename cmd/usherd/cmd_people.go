package main

import (
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"github.com/usherd/usherd/admin"
	"github.com/usherd/usherd/directory"
)

const outcomeColumns = "REVISION=revision CHANGED=changed"

// grantFlags are the flags that say what to grant or take back.
type grantFlags struct {
	project      string
	roles        []string
	access       []string
	privileges   []string
	outputs      []string
	integrations []string
}

func (g *grantFlags) register(cmd *cobra.Command) {
	f := cmd.Flags()
	f.StringSliceVar(&g.roles, "role", nil, "a Role")
	f.StringSliceVar(&g.access, "access", nil, "access to a feature")
	f.StringSliceVar(&g.privileges, "privilege", nil, "a privilege: FEATURE:ACTION or TYPE:ID:ACTION")
	f.StringSliceVar(&g.outputs, "output", nil, "an output (the format of the answer is -o here)")
	f.StringSliceVar(&g.integrations, "integration", nil, "a connection and its level: CONNECTION=none|viewer|consumer|admin")
	f.StringVar(&g.project, "project", "", "in this project only; otherwise organization-wide")
}

// spec is what the flags say. revoking needs no levels.
func (g *grantFlags) spec(revoking bool) (admin.GrantSpec, error) {
	spec := admin.GrantSpec{Project: directory.ProjectKey(g.project), Access: g.access, Role: g.privileges, Output: g.outputs}
	for _, r := range g.roles {
		spec.Roles = append(spec.Roles, directory.RoleName(r))
	}
	for _, text := range g.integrations {
		key, level, ok := strings.Cut(text, "=")
		if key == "" || (!ok && !revoking) {
			return spec, usage("--integration %q: write CONNECTION=LEVEL", text)
		}
		if spec.Integration == nil {
			spec.Integration = map[string]string{}
		}
		spec.Integration[key] = level
	}
	if len(spec.Roles)+len(spec.Access)+len(spec.Role)+len(spec.Output)+len(spec.Integration) == 0 {
		return spec, usage("say what: --role, --access, --privilege, --output or --integration")
	}
	return spec, nil
}

// granting is the grant or revoke command of users or groups.
func (a *app) granting(kind, arg, verb, short, example string) *cobra.Command {
	g := &grantFlags{}
	path := map[string]string{"grant": "grants", "revoke": "revoke"}[verb]
	cmd := &cobra.Command{
		Use: verb + " " + arg, Short: short, Example: example, Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			spec, err := g.spec(verb == "revoke")
			if err != nil {
				return err
			}
			return a.ask(cmd.Context(), question{
				http.MethodPost, tried(cmd, fmt.Sprintf("/api/v1/%s/%s/%s", kind, url.PathEscape(args[0]), path)), spec, changedColumns, false,
			})
		},
	}
	g.register(cmd)
	return cmd
}

// queryFlag is a flag that becomes a parameter of the query.
func (a *app) queryFlag(cmd *cobra.Command, q url.Values, name, use string) {
	cmd.Flags().Func(name, use, func(text string) error {
		if err := checkQueryFlag(name, text); err != nil {
			return err
		}
		q.Set(name, text)
		return nil
	})
}

// checkQueryFlag refuses what the daemon would refuse, as wrong usage.
func checkQueryFlag(name, text string) error {
	switch name {
	case "limit", "offset", "after", "runs":
		if n, err := strconv.Atoi(text); err != nil || n < 0 {
			return fmt.Errorf("%q is not a whole number", text)
		}
	case "since", "until":
		if _, err := time.Parse(time.RFC3339, text); err != nil {
			return fmt.Errorf("%q is not a time such as 2026-01-31T12:00:00Z", text)
		}
	}
	return nil
}

// listFlags are the flags of a list: which, in which order, how many.
func (a *app) listFlags(cmd *cobra.Command, q url.Values, flags ...[2]string) {
	for _, f := range flags {
		a.queryFlag(cmd, q, f[0], f[1])
	}
	a.queryFlag(cmd, q, "limit", "at most so many (default 100, at most 1000)")
	a.queryFlag(cmd, q, "cursor", "go on after the page whose next_cursor this is")
}

// tried adds ?dry_run=true to a path, if the flag of a command says so.
func tried(cmd *cobra.Command, path string) string {
	if dry, err := cmd.Flags().GetBool("dry-run"); err != nil || !dry {
		return path
	}
	if strings.Contains(path, "?") {
		return path + "&dry_run=true"
	}
	return path + "?dry_run=true"
}

// changing adds --dry-run to commands that change something.
func changing(cmds ...*cobra.Command) []*cobra.Command {
	for _, cmd := range cmds {
		cmd.Flags().Bool("dry-run", false, "say who would gain and lose what, and change nothing")
	}
	return cmds
}

// changedColumns are those of an answer to a change.
const changedColumns = outcomeColumns + " NOTE=note PEOPLE=preview.people GAINING=preview.gaining LOSING=preview.losing SEATS=preview.seats MONEY=preview.money"

// change is a command that sends one request to one object.
func (a *app) change(use, short, example string, args cobra.PositionalArgs, ask func(args []string) (method, path string, body any, err error)) *cobra.Command {
	return &cobra.Command{
		Use: use, Short: short, Example: example, Args: args,
		RunE: func(cmd *cobra.Command, args []string) error {
			method, path, body, err := ask(args)
			if err != nil {
				return err
			}
			return a.ask(cmd.Context(), question{method, tried(cmd, path), body, "ID=id NAME=name " + changedColumns, false})
		},
	}
}

// show is a command that prints one object or list.
func (a *app) show(use, short, example string, args cobra.PositionalArgs, cols string, path func(args []string) string) *cobra.Command {
	return &cobra.Command{
		Use: use, Short: short, Example: example, Args: args,
		RunE: func(cmd *cobra.Command, args []string) error {
			return a.ask(cmd.Context(), question{http.MethodGet, path(args), nil, cols, false})
		},
	}
}

// at is the path of one object: at("users", "ann") is /api/v1/users/ann.
func at(parts ...string) string {
	path := "/api/v1"
	for _, part := range parts {
		path += "/" + url.PathEscape(part)
	}
	return path
}
