package main

import "github.com/spf13/cobra"

func (a *app) userGroups() *cobra.Command {
	cmd := a.show("groups USER", "List the groups of a user, also by nesting, and since when", "  usherd user groups alice@example.com", cobra.ExactArgs(1),
		"SOURCE=source NAME=name PROJECT=project STATUS=status THROUGH=through SINCE=since",
		func(args []string) string { return at("users", args[0], "groups") })
	cmd.Long = `The groups that a user is in directly, and those around them.

SINCE of a direct membership is when it began; of one through nesting when the
way that has held longest did, which is when its youngest link was made. It is
"--" where the record of that time is not kept any more; with -o json there is
then sinceBefore, the time of the oldest record that is.`
	return cmd
}
