package main

import (
	"net/http"
	"net/url"

	"github.com/spf13/cobra"
	"github.com/usherd/usherd/admin"
	"github.com/usherd/usherd/directory"
)

func (a *app) groupCommand() *cobra.Command {
	subs := []*cobra.Command{a.groupList(), a.groupShow(), a.groupMembers()}
	subs = append(subs, changing(
		a.groupCreate(), a.groupEdit(), a.groupDelete(),
		a.groupChangeMembers("add-member", "members", "Put users and groups into a local group"),
		a.groupChangeMembers("remove-member", "members/remove", "Take users and groups out of a local group"),
		a.groupStatus("block", directory.GroupBlocked, "Block a group: it gives nothing any more"),
		a.groupStatus("unblock", directory.GroupActive, "Unblock a group: what it gave comes back exactly"),
		a.groupScope(),
		a.granting("groups", "SOURCE/NAME", "grant", "Grant to a group by hand", "  usherd group grant okta/Engineering --access part-list --project alpha"),
		a.granting("groups", "SOURCE/NAME", "revoke", "Take back what was granted to a group by hand", "  usherd group revoke okta/Engineering --access part-list --project alpha"),
	)...)
	return parent("group", "List, create, edit and delete groups, their members and grants", subs...)
}

const groupColumns = "SOURCE=source NAME=name STATUS=status PROJECT=project MEMBERS=memberCount PENDING=pendingCount ROLES=roles ACCESS=access ROLE=role OUTPUT=output INTEGRATION=integration UPDATED=modified"

func (a *app) groupList() *cobra.Command {
	q := url.Values{}
	cmd := &cobra.Command{
		Use: "list", Short: "List groups", Example: "  usherd group list --source okta\n  usherd group list --role owner\n  usherd group list --project alpha --sort -members", Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return a.ask(cmd.Context(), question{http.MethodGet, "/api/v1/groups?" + q.Encode(), nil, groupColumns, false})
		},
	}
	a.listFlags(cmd, q, groupListFlags...)
	return cmd
}

// groupListFlags say which groups, for lists and exports.
var groupListFlags = [][2]string{
	{"q", "only whose name, description or id contains this"},
	{"name", "only names that contain this"},
	{"source", "only of this source"},
	{"project", "only of this project; empty for organization-wide ones"},
	{"status", "only with this status: active or blocked"},
	{"role", "only that give this Role"},
	{"empty", "true: only without members"},
	{"sort", "by name, source, status, project, members, modified or created; -name is descending"},
}

func (a *app) groupShow() *cobra.Command {
	return a.show("show SOURCE/NAME", "Show a group with its members and grants", "  usherd group show okta/Engineering", cobra.ExactArgs(1),
		"ID=id SOURCE=source NAME=name STATUS=status PROJECT=project DESCRIPTION=description MEMBERS=memberCount PENDING=pendingCount ROLES=roles MAPPINGS=mappings GRANTS=grants FIRST=first UPDATED=modified",
		func(args []string) string { return at("groups", args[0]) })
}

func (a *app) groupMembers() *cobra.Command {
	q := url.Values{}
	cmd := a.show("members SOURCE/NAME", "List the members of a group, and since when they are",
		"  usherd group members okta/Engineering --q smith\n  usherd group members local/Planners --source okta --sort -added", cobra.ExactArgs(1),
		"KIND=kind NAME=name USERNAME=userName TYPE=type STATUS=status SOURCES=sources SINCE=since", func(args []string) string {
			return at("groups", args[0], "members") + "?" + q.Encode()
		})
	a.listFlags(cmd, q, [2]string{"q", "only whose name, e-mail address or id contains this"},
		[2]string{"source", "only who comes from this source"}, [2]string{"sort", "by name or added; -added is the newest first"})
	return cmd
}

func (a *app) groupCreate() *cobra.Command {
	var n admin.NewGroup
	var project string
	cmd := a.change("create NAME", "Create a local group", "  usherd group create Planners --description 'Who plans'\n  usherd group create Editors --project alpha --member ann@example.com", cobra.ExactArgs(1),
		func(args []string) (string, string, any, error) {
			n.Name, n.Project = args[0], directory.ProjectKey(project)
			return http.MethodPost, at("groups"), n, nil
		})
	f := cmd.Flags()
	f.StringVar(&project, "project", "", "limit it to this project; otherwise organization-wide")
	f.StringVar(&n.Description, "description", "", "what it is for")
	f.StringSliceVar(&n.Members, "member", nil, "a member: a user, or group:SOURCE/NAME")
	return cmd
}

func (a *app) groupEdit() *cobra.Command {
	var name, description string
	var cmd *cobra.Command
	cmd = a.change("edit SOURCE/NAME", "Change the name of a local group, or our description of any", "  usherd group edit local/Planners --name 'Site planners'\n  usherd group edit okta/Engineering --description 'All engineers'", cobra.ExactArgs(1),
		func(args []string) (string, string, any, error) {
			var e admin.GroupEdit
			if cmd.Flags().Changed("name") {
				e.Name = &name
			}
			if cmd.Flags().Changed("description") {
				e.Description = &description
			}
			if e.Name == nil && e.Description == nil {
				return "", "", nil, usage("say what to change: --name or --description")
			}
			return http.MethodPatch, at("groups", args[0]), e, nil
		})
	f := cmd.Flags()
	f.StringVar(&name, "name", "", "the new name")
	f.StringVar(&description, "description", "", "what it is for")
	return cmd
}

func (a *app) groupDelete() *cobra.Command {
	return a.change("delete SOURCE/NAME", "Delete a local group: memberships and grants end", "  usherd group delete local/Planners --dry-run\n  usherd group delete local/Planners", cobra.ExactArgs(1),
		func(args []string) (string, string, any, error) {
			return http.MethodDelete, at("groups", args[0]), nil, nil
		})
}

func (a *app) groupChangeMembers(verb, path, short string) *cobra.Command {
	return a.change(verb+" SOURCE/NAME MEMBER...", short, "  usherd group "+verb+" local/Planners ann@example.com group:okta/Engineering", cobra.MinimumNArgs(2),
		func(args []string) (string, string, any, error) {
			return http.MethodPost, at("groups", args[0]) + "/" + path, map[string]any{"members": args[1:]}, nil
		})
}

func (a *app) groupStatus(verb string, status directory.GroupStatus, short string) *cobra.Command {
	return a.change(verb+" SOURCE/NAME", short, "  usherd group "+verb+" okta/Engineering", cobra.ExactArgs(1),
		func(args []string) (string, string, any, error) {
			return http.MethodPut, at("groups", args[0], "status"), map[string]any{"status": status}, nil
		})
}

func (a *app) groupScope() *cobra.Command {
	var project string
	var cmd *cobra.Command
	cmd = a.change("scope SOURCE/NAME --project PROJECT", "Limit a group to a project, or to none",
		"  usherd group scope okta/Engineering --project alpha\n  usherd group scope okta/Engineering --project ''", cobra.ExactArgs(1),
		func(args []string) (string, string, any, error) {
			if !cmd.Flags().Changed("project") {
				return "", "", nil, usage("--project says which project; --project '' makes the group organization-wide")
			}
			return http.MethodPut, at("groups", args[0], "scope"), map[string]any{"project": project}, nil
		})
	cmd.Flags().StringVar(&project, "project", "", "the project; empty for the whole organization")
	return cmd
}
