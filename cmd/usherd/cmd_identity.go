package main

import (
	"net/http"
	"net/url"

	"github.com/spf13/cobra"
)

// lifecycleCommands are what befalls a user beyond what a directory says.
func (a *app) lifecycleCommands() []*cobra.Command {
	return []*cobra.Command{a.userLink(), a.userUnlink(), a.userDetach(), a.userRestore(), a.userErase()}
}

const notedColumns = outcomeColumns + " NOTE=note"

func (a *app) userLink() *cobra.Command {
	return &cobra.Command{
		Use:   "link SOURCE/ID USER",
		Short: "Let the identity that a source delivers next with this externalId (or userName) join a user",
		Example: `  usherd user link okta/00u1a2b3c4 alice@example.com
  usherd user link entra/alice@example.com 0192f0a0-7c11-7d3e-8f00-1c2d3e4f5a6b`,
		Args: cobra.ExactArgs(2),
		RunE: func(cmd *cobra.Command, args []string) error {
			return a.identity(cmd, "link", map[string]any{"identity": args[0], "user": args[1]})
		},
	}
}

func (a *app) userUnlink() *cobra.Command {
	return &cobra.Command{
		Use: "unlink SOURCE/ID", Short: "Take back a link that was not used yet", Example: "  usherd user unlink okta/00u1a2b3c4", Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			return a.identity(cmd, "link", map[string]any{"identity": args[0]})
		},
	}
}

func (a *app) userDetach() *cobra.Command {
	return &cobra.Command{
		Use: "detach SOURCE/ID", Short: "Take an identity away from its user, for good", Args: cobra.ExactArgs(1),
		Example: "  usherd user detach okta/00u1a2b3c4\n  usherd user detach okta/0192f0a0-7c11-7d3e-8f00-1c2d3e4f5a6b",
		RunE: func(cmd *cobra.Command, args []string) error {
			return a.identity(cmd, "detach", map[string]any{"identity": args[0]})
		},
	}
}

func (a *app) identity(cmd *cobra.Command, verb string, body map[string]any) error {
	return a.ask(cmd.Context(), question{http.MethodPost, "/api/v1/identities/" + verb, body, notedColumns, false})
}

func (a *app) userRestore() *cobra.Command {
	return a.deletedUser("restore", "Bring a user back who was deleted within 30 days", notedColumns)
}

func (a *app) userErase() *cobra.Command {
	return a.deletedUser("erase", "Take the personal data of a deleted user out of everything", "REVISION=revision CHANGED=changed LOG_ENTRIES=requests")
}

func (a *app) deletedUser(verb, short, cols string) *cobra.Command {
	return &cobra.Command{
		Use: verb + " ID", Short: short, Args: cobra.ExactArgs(1), Example: "  usherd user " + verb + " 0192f0a0-7c11-7d3e-8f00-1c2d3e4f5a6b",
		RunE: func(cmd *cobra.Command, args []string) error {
			return a.ask(cmd.Context(), question{http.MethodPost, "/api/v1/users/" + url.PathEscape(args[0]) + "/" + verb, nil, cols, false})
		},
	}
}
