package main

import (
	"fmt"
	"net/http"
	"net/url"
	"strings"

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
				http.MethodPost, fmt.Sprintf("/api/v1/%s/%s/%s", kind, url.PathEscape(args[0]), path), spec, outcomeColumns, false,
			})
		},
	}
	g.register(cmd)
	return cmd
}

func (a *app) userCommand() *cobra.Command {
	return parent("user", "Look at users, block them, grant to them",
		a.userList(), a.userShow(), a.userBlock(), a.userUnblock(),
		a.granting("users", "USER", "grant", "Grant to a user by hand", "  usherd user grant alice@example.com --role owner\n  usherd user grant alice@example.com --access part-list --privilege part-list:edit --project alpha"),
		a.granting("users", "USER", "revoke", "Take back what was granted to a user by hand", "  usherd user revoke alice@example.com --role owner"),
	)
}

func (a *app) userList() *cobra.Command {
	q := url.Values{}
	cmd := &cobra.Command{
		Use: "list", Short: "List users", Example: "  usherd user list --source okta --name smith", Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return a.ask(cmd.Context(), question{
				http.MethodGet, "/api/v1/users?" + q.Encode(), nil,
				"ID=id USERNAME=userName NAME=displayName SOURCE=source TYPE=type STATUS=status REASON=reason", false,
			})
		},
	}
	a.queryFlag(cmd, q, "source", "only of this source")
	a.queryFlag(cmd, q, "name", "only userNames that contain this")
	a.queryFlag(cmd, q, "limit", "at most so many (default 100, at most 1000)")
	return cmd
}

func (a *app) userShow() *cobra.Command {
	return &cobra.Command{
		Use: "show USER", Short: "Show a user with groups, grants and overrides", Example: "  usherd user show alice@example.com", Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			return a.ask(cmd.Context(), question{
				http.MethodGet, "/api/v1/users/" + url.PathEscape(args[0]), nil,
				"ID=id TYPE=type BLOCKED=blocked REASON=blockReason IDENTITIES=identities GROUPS=groups GRANTS=grants OVERRIDES=overrides LAST_LOGIN=lastLogin CREATED=created", false,
			})
		},
	}
}

func (a *app) userBlock() *cobra.Command {
	return &cobra.Command{
		Use: "block USER", Short: "Block a user, whatever a directory says",
		Example: "  usherd user block alice@example.com --reason 'lost laptop'", Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error { return a.setBlock(cmd, args[0], true) },
	}
}

func (a *app) userUnblock() *cobra.Command {
	return &cobra.Command{
		Use: "unblock USER", Short: "Clear our block of a user", Example: "  usherd user unblock alice@example.com", Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error { return a.setBlock(cmd, args[0], false) },
	}
}

func (a *app) setBlock(cmd *cobra.Command, user string, blocked bool) error {
	body := map[string]any{"blocked": blocked, "reason": a.reason}
	return a.ask(cmd.Context(), question{http.MethodPut, "/api/v1/users/" + url.PathEscape(user) + "/block", body, outcomeColumns, false})
}

// queryFlag is a flag that becomes a parameter of the query.
func (a *app) queryFlag(cmd *cobra.Command, q url.Values, name, use string) {
	cmd.Flags().Func(name, use, func(text string) error {
		q.Set(name, text)
		return nil
	})
}

func (a *app) groupCommand() *cobra.Command {
	return parent("group", "Look at groups, block and scope them, grant to them",
		a.groupList(), a.groupShow(),
		a.groupStatus("block", directory.GroupBlocked, "Block a group: it gives nothing any more"),
		a.groupStatus("unblock", directory.GroupActive, "Unblock a group: what it gave comes back exactly"),
		a.groupScope(),
		a.granting("groups", "SOURCE/NAME", "grant", "Grant to a group by hand", "  usherd group grant okta/Engineering --access part-list --project alpha"),
		a.granting("groups", "SOURCE/NAME", "revoke", "Take back what was granted to a group by hand", "  usherd group revoke okta/Engineering --access part-list --project alpha"),
	)
}

func (a *app) groupList() *cobra.Command {
	q := url.Values{}
	cmd := &cobra.Command{
		Use: "list", Short: "List groups", Example: "  usherd group list --source okta", Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return a.ask(cmd.Context(), question{
				http.MethodGet, "/api/v1/groups?" + q.Encode(), nil,
				"ID=id SOURCE=source NAME=name STATUS=status PROJECT=project MEMBERS=memberCount PENDING=pendingCount", false,
			})
		},
	}
	a.queryFlag(cmd, q, "source", "only of this source")
	a.queryFlag(cmd, q, "project", "only of this project; empty for organization-wide ones")
	a.queryFlag(cmd, q, "name", "only names that contain this")
	a.queryFlag(cmd, q, "limit", "at most so many (default 100, at most 1000)")
	return cmd
}

func (a *app) groupShow() *cobra.Command {
	return &cobra.Command{
		Use: "show SOURCE/NAME", Short: "Show a group with its members and grants", Example: "  usherd group show okta/Engineering", Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			return a.ask(cmd.Context(), question{
				http.MethodGet, "/api/v1/groups/" + url.PathEscape(args[0]), nil,
				"ID=id SOURCE=source NAME=name STATUS=status PROJECT=project DESCRIPTION=description MEMBERS=memberCount PENDING=pendingCount GRANTS=grants FIRST=members", false,
			})
		},
	}
}

func (a *app) groupStatus(verb string, status directory.GroupStatus, short string) *cobra.Command {
	return &cobra.Command{
		Use: verb + " SOURCE/NAME", Short: short, Example: "  usherd group " + verb + " okta/Engineering", Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			return a.ask(cmd.Context(), question{
				http.MethodPut, "/api/v1/groups/" + url.PathEscape(args[0]) + "/status",
				map[string]any{"status": status},
				outcomeColumns, false,
			})
		},
	}
}

func (a *app) groupScope() *cobra.Command {
	var project string
	cmd := &cobra.Command{
		Use: "scope SOURCE/NAME --project PROJECT", Short: "Limit a group to a project, or to none",
		Example: "  usherd group scope okta/Engineering --project alpha\n  usherd group scope okta/Engineering --project ''",
		Args:    cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if !cmd.Flags().Changed("project") {
				return usage("--project says which project; --project '' makes the group organization-wide")
			}
			return a.ask(cmd.Context(), question{
				http.MethodPut, "/api/v1/groups/" + url.PathEscape(args[0]) + "/scope",
				map[string]any{"project": project},
				outcomeColumns, false,
			})
		},
	}
	cmd.Flags().StringVar(&project, "project", "", "the project; empty for the whole organization")
	return cmd
}
