package main

import (
	"net/http"
	"net/url"
	"strings"

	"github.com/spf13/cobra"
	"github.com/usherd/usherd/admin"
	"github.com/usherd/usherd/directory"
)

func (a *app) userCommand() *cobra.Command {
	subs := []*cobra.Command{a.userList(), a.userAttributes(), a.userFind(), a.userShow(), a.userGroups(), a.userFreshness()}
	subs = append(subs, changing(
		a.userAdd(), a.userEdit(), a.userDelete(),
		a.userBlock("disable", true, "Disable a user: our block, whatever a directory says"),
		a.userBlock("enable", false, "Enable a user: clear our block"),
		a.userBlock("block", true, "Block a user, whatever a directory says"),
		a.userBlock("unblock", false, "Clear our block of a user"),
		a.userReleaseSignIn(),
		a.granting("users", "USER", "grant", "Grant to a user by hand", "  usherd user grant alice@example.com --role owner\n  usherd user grant alice@example.com --access part-list --privilege part-list:edit --project alpha"),
		a.granting("users", "USER", "revoke", "Take back what was granted to a user by hand", "  usherd user revoke alice@example.com --role owner"),
	)...)
	subs = append(subs, a.lifecycleCommands()...)
	return parent("user", "List, add, edit, disable and delete users, grant to them", subs...)
}

const userColumns = "USERNAME=userName NAME=displayName TYPE=type STATUS=status GROUPS=groups SOURCE=source LAST_LOGIN=lastLogin REASON=reason"

func (a *app) userList() *cobra.Command {
	q := url.Values{}
	var attributes []string
	cmd := &cobra.Command{
		Use: "list", Short: "List users",
		Example: "  usherd user list --source okta --name smith\n  usherd user list --role admin --sort name\n  usherd user list --group local/Planners --status blocked -o csv\n  usherd user list --columns department,title --source okta",
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			cols := userColumns
			if len(attributes) > 0 {
				q.Set("attributes", strings.Join(attributes, ","))
			}
			for _, name := range attributes {
				cols += " " + strings.ToUpper(name) + "=attributes." + name
			}
			return a.ask(cmd.Context(), question{http.MethodGet, "/api/v1/users?" + q.Encode(), nil, cols, false})
		},
	}
	a.listFlags(cmd, q, userListFlags...)
	cmd.Flags().StringSliceVar(&attributes, "columns", nil, "show these attributes too: see usherd user attributes")
	return cmd
}

func (a *app) userAttributes() *cobra.Command {
	return a.show("attributes", "List the attributes that sources deliver of users, for user list --columns", "  usherd user attributes", cobra.NoArgs,
		"NAME=name USERS=users", func([]string) string { return at("user-attributes") })
}

// userListFlags say which users, for lists and exports.
var userListFlags = [][2]string{
	{"q", "only whose name, e-mail address or id contains this"},
	{"name", "only userNames that contain this"},
	{"type", "only of this type: standard or service"},
	{"status", "only with this status: active, blocked, inactive or deleted"},
	{"source", "only of this source"},
	{"group", "only who is in this group, nested ones included: SOURCE/NAME or id"},
	{"project", "only whom a path leads into this project"},
	{"role", "only who has this Role, by whatever path"},
	{"company", "only of a company that contains this"},
	{"login", "never, or 90d: who did not sign in for so long"},
	{"sort", "by name, userName, email, company, source, type, status, lastLogin, groups or created; -name is descending"},
}

func (a *app) userShow() *cobra.Command {
	return a.show("show USER", "Show a user with groups, grants and overrides", "  usherd user show alice@example.com", cobra.ExactArgs(1),
		"ID=id NAME=name STATUS=status REASON=reason TYPE=type E-MAIL=email COMPANY=company MANAGED_BY=managedBy GROUPS=groups GRANTS=grants OVERRIDES=overrides PROJECTS=projects LAST_LOGIN=lastLogin SIGN_IN=signIns CREATED=created",
		func(args []string) string { return at("users", args[0]) })
}

func (a *app) userAdd() *cobra.Command {
	var n admin.NewUser
	var typ string
	cmd := a.change("add USERNAME", "Add a local user",
		"  usherd user add ann@example.com --name 'Ann Smith' --email ann@example.com --group local/Planners\n  usherd user add nightly-export --type service", cobra.ExactArgs(1),
		func(args []string) (string, string, any, error) {
			n.UserName, n.Type = args[0], directory.UserType(typ)
			return http.MethodPost, at("users"), n, nil
		})
	f := cmd.Flags()
	f.StringVar(&n.Name, "name", "", "what people call the user")
	f.StringVar(&n.Email, "email", "", "e-mail address; it can't be changed later")
	f.StringVar(&n.Company, "company", "", "company; it can't be changed later")
	f.StringVar(&typ, "type", "", "standard (default) or service")
	f.StringSliceVar(&n.Groups, "group", nil, "a local group to be in: local/NAME")
	return cmd
}

func (a *app) userEdit() *cobra.Command {
	var name, userName, typ string
	var cmd *cobra.Command
	cmd = a.change("edit USER", "Change name, userName or type of a local user", "  usherd user edit ann@example.com --name 'Ann Jones'", cobra.ExactArgs(1),
		func(args []string) (string, string, any, error) {
			var e admin.UserEdit
			if cmd.Flags().Changed("name") {
				e.Name = &name
			}
			if cmd.Flags().Changed("username") {
				e.UserName = &userName
			}
			if cmd.Flags().Changed("type") {
				e.Type = new(directory.UserType(typ))
			}
			if e == (admin.UserEdit{}) {
				return "", "", nil, usage("say what to change: --name, --username or --type")
			}
			return http.MethodPatch, at("users", args[0]), e, nil
		})
	f := cmd.Flags()
	f.StringVar(&name, "name", "", "what people call the user")
	f.StringVar(&userName, "username", "", "the new userName")
	f.StringVar(&typ, "type", "", "standard or service")
	return cmd
}

func (a *app) userDelete() *cobra.Command {
	var force bool
	cmd := a.change("delete USER", "Delete a user: memberships and grants end",
		"  usherd user delete ann@example.com\n  usherd user delete ann@example.com --dry-run", cobra.ExactArgs(1),
		func(args []string) (string, string, any, error) {
			path := at("users", args[0])
			if force {
				path += "?force=true"
			}
			return http.MethodDelete, path, nil, nil
		})
	cmd.Flags().BoolVar(&force, "force", false, "also one whom a source delivers, and may bring back")
	return cmd
}

func (a *app) userReleaseSignIn() *cobra.Command {
	return &cobra.Command{
		Use: "release-sign-in USER", Short: "Let another account of the identity provider sign in as a user",
		Long: `At a user's first sign-in to the console the account of the identity provider is
bound to the user; another account of that provider is refused from then on.
This ends the binding, and the sessions that the account began. Whoever signs in
next and is the user by what the source says is bound: if that can be somebody
else now, correct the source first.`,
		Example: "  usherd user release-sign-in alice@example.com --reason 'new account after a rename'",
		Args:    cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			path := tried(cmd, at("users", args[0], "sign-in"))
			return a.ask(cmd.Context(), question{http.MethodDelete, path, nil, "ACCOUNTS=accounts SESSIONS=sessions " + notedColumns, false})
		},
	}
}

func (a *app) userBlock(verb string, blocked bool, short string) *cobra.Command {
	return a.change(verb+" USER", short, "  usherd user "+verb+" alice@example.com --reason 'lost laptop'", cobra.ExactArgs(1),
		func(args []string) (string, string, any, error) {
			return http.MethodPut, at("users", args[0], "block"), map[string]any{"blocked": blocked, "reason": a.reason}, nil
		})
}
