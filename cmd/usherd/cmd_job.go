package main

import (
	"net/http"

	"github.com/spf13/cobra"
)

const jobColumns = "ID=id DO=do STATE=state DONE=done FAILED=failed TOTAL=total BY=by CREATED=created ENDED=ended ERROR=error"

func (a *app) jobCommand() *cobra.Command {
	return parent("job", "Look at bulk work that the daemon does",
		a.show("list", "List jobs", "  usherd job list", cobra.NoArgs, jobColumns, func([]string) string { return at("jobs") }),
		a.show("show ID", "Show how far a job is", "  usherd job show 0192…", cobra.ExactArgs(1), jobColumns, func(args []string) string { return at("jobs", args[0]) }),
		a.show("items ID", "List what came of each item", "  usherd job items 0192… -o csv", cobra.ExactArgs(1), "NAME=name OK=ok CHANGED=changed CODE=code ERROR=error",
			func(args []string) string { return at("jobs", args[0], "items") }),
		a.send("cancel ID", "Stop a job after the item that it is at", "  usherd job cancel 0192…", jobColumns, cobra.ExactArgs(1), func(args []string) question {
			return question{method: http.MethodPost, path: at("jobs", args[0], "cancel")}
		}),
		changing(a.change("revert ID", "Take back what a job did, as a job", "  usherd job revert 0192… --dry-run", cobra.ExactArgs(1), func(args []string) (string, string, any, error) {
			return http.MethodPost, at("jobs", args[0], "revert"), nil, nil
		}))[0],
	)
}
