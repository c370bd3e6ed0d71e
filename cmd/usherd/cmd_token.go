package main

import (
	"net/http"
	"net/url"
	"time"

	"github.com/spf13/cobra"
	"github.com/usherd/usherd/config"
)

func (a *app) tokenCommand() *cobra.Command {
	return parent("token", "Make, list, rotate and revoke tokens", a.tokenCreate(), a.tokenList(), a.tokenRotate(), a.tokenRevoke())
}

func (a *app) tokenCreate() *cobra.Command {
	var body struct {
		Kind    string   `json:"kind"`
		Name    string   `json:"name,omitempty"`
		Source  string   `json:"source,omitempty"`
		Scopes  []string `json:"scopes,omitempty"`
		Role    string   `json:"role,omitempty"`
		Seconds int64    `json:"life_seconds,omitempty"`
	}
	var expires string
	cmd := &cobra.Command{
		Use:   "create --kind check|scim|admin",
		Short: "Make a token and show it this once",
		Long: `Make a token and show it this once. The scopes of a check token say what it may
ask: evaluate, search, permissions, watch. With type:TYPE or feature:KEY besides
it asks about resources of that type or about that feature only; several of
these add up, and all else answers 403.`,
		Example: `  usherd token create --kind check --name shop -o json
  usherd token create --kind scim --source okta
  usherd token create --kind admin --name terraform --role admin --expires 30d
  usherd token create --kind check --name portal --scope evaluate --scope search
  usherd token create --kind check --name parts --scope evaluate --scope feature:part-list --scope type:record`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if expires != "" {
				d, err := config.ParseDuration(expires)
				if err != nil {
					return usage("--expires: %w", err)
				}
				body.Seconds = int64(time.Duration(d) / time.Second)
			}
			if body.Kind == "" {
				return usage("--kind says what the token opens: check, scim or admin")
			}
			return a.ask(cmd.Context(), question{http.MethodPost, "/api/v1/tokens", body, "ID=id TOKEN=token KIND=kind NAME=name EXPIRES=expires", true})
		},
	}
	f := cmd.Flags()
	f.StringVar(&body.Kind, "kind", "", "what the token opens: check, scim or admin")
	f.StringVar(&body.Name, "name", "", "who will use it")
	f.StringVar(&body.Source, "source", "", "the source of a scim token")
	f.StringSliceVar(&body.Scopes, "scope", nil, "what a check token may ask: evaluate, search, permissions, watch (default evaluate), and about what only: type:TYPE, feature:KEY; a right of an admin token (default all but organization.own)")
	f.StringVar(&body.Role, "role", "", "the Role whose rights an admin token holds")
	f.StringVar(&expires, "expires", "", "how long it is good, e.g. 90d (default 365d)")
	return cmd
}

func (a *app) tokenList() *cobra.Command {
	return &cobra.Command{
		Use: "list", Short: "List tokens, without their secrets", Example: "  usherd token list", Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return a.ask(cmd.Context(), question{
				http.MethodGet, "/api/v1/tokens", nil,
				"ID=id KIND=kind NAME=name SOURCE=source STATE=state EXPIRES=expires LAST_USED=last_used CREATED=created", false,
			})
		},
	}
}

func (a *app) tokenRotate() *cobra.Command {
	grace := "72h"
	cmd := &cobra.Command{
		Use: "rotate ID", Short: "Make a token like another, which goes on for a while", Args: cobra.ExactArgs(1),
		Example: "  usherd token rotate k3jd72hq5a --grace 72h\n  usherd token rotate k3jd72hq5a --grace 0s",
		RunE: func(cmd *cobra.Command, args []string) error {
			d, err := config.ParseDuration(grace)
			if err != nil {
				return usage("--grace: %w", err)
			}
			body := map[string]any{"grace_seconds": int64(time.Duration(d) / time.Second)}
			return a.ask(cmd.Context(), question{
				http.MethodPost, "/api/v1/tokens/" + url.PathEscape(args[0]) + "/rotate", body,
				"ID=id TOKEN=token KIND=kind NAME=name SOURCE=source EXPIRES=expires", false,
			})
		},
	}
	cmd.Flags().StringVar(&grace, "grace", grace, "how long the old token goes on, e.g. 3d; 0s ends it at once")
	return cmd
}

func (a *app) tokenRevoke() *cobra.Command {
	return &cobra.Command{
		Use: "revoke ID", Short: "End a token at once", Example: "  usherd token revoke k3jd72hq5a", Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			return a.ask(cmd.Context(), question{http.MethodDelete, "/api/v1/tokens/" + url.PathEscape(args[0]), nil, "REVISION=revision CHANGED=changed", false})
		},
	}
}
