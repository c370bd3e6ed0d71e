package main

import (
	"net/http"

	"github.com/spf13/cobra"
)

func (a *app) sourceErrors() *cobra.Command {
	return &cobra.Command{
		Use: "errors NAME", Short: "Show what of a source could not be taken over", Args: cobra.ExactArgs(1),
		Long: `Show what of a source could not be taken over, the last seen first.

Of an ldap source: entries that the last complete read found and could not take
over as they are, and runs that could not read it. They go when a later run
succeeds (usherd sync run NAME). Of a scim source: requests that were refused or
failed, and of which none succeeded since; repeat one with
usherd source log NAME --replay ID.`,
		Example: "  usherd source errors corp\n  usherd source errors okta -o json",
		RunE: func(cmd *cobra.Command, args []string) error {
			return a.ask(cmd.Context(), question{
				http.MethodGet, sourcePath(args[0]) + "/errors", nil,
				"KIND=kind OBJECT=object ATTRIBUTE=attribute MESSAGE=message FIRST=first LAST=last COUNT=count RETRY=retry ID=id", false,
			})
		},
	}
}
