package main

import (
	"github.com/spf13/cobra"
)

func (a *app) benchImportCommand() *cobra.Command {
	b := &importBench{}
	cmd := &cobra.Command{
		Use:   "import",
		Short: "Import people and groups as an identity provider does, while checks go on",
		Long: `Push users, groups and memberships over HTTP into a daemon in this process, as
Okta does (up to 100 members a PATCH) or as Entra ID does (one member a PATCH),
over several connections, while checks are asked at a steady pace. The load
generator shares the processors with the daemon and its database. What was
written is counted at the end; a refused request or a wrong answer is a failure.`,
		Example: "  usherd bench import --as okta\n  usherd bench import --as entra --memberships 10000 -o json\n  usherd bench import --as okta --on postgres://usherd@db/bench",
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := a.checkFormat(); err != nil {
				return err
			}
			if perPatch[b.as] == 0 {
				return usage("--as is okta or entra, not %q", b.as)
			}
			if b.users < 1 || b.groups < 1 || b.clients < 1 || b.checks < 0 || b.memberships < b.groups || b.memberships/b.groups > b.users {
				return usage("all figures must be positive, and a group has at most all users")
			}
			return a.printBench(func(dir string) (any, error) { return b.run(cmd.Context(), a, dir) },
				"AS=as REQUESTS=all.requests SECONDS=all.seconds REQUESTS_PER_SECOND=all.per_second USERS_PER_SECOND=users.per_second "+
					"GROUPS_PER_SECOND=groups.per_second MEMBERSHIP_REQUESTS_PER_SECOND=memberships.per_second REFUSED=refused "+
					"CHECKS=checks CHECKS_P50_µs=checks_p50_us CHECKS_P99_µs=checks_p99_us CHECKS_WRONG=checks_wrong LOAD=load")
		},
	}
	f := cmd.Flags()
	f.StringVar(&b.as, "as", "okta", "whose habits: okta or entra")
	f.IntVar(&b.users, "users", 10_000, "users to import")
	f.IntVar(&b.groups, "groups", 500, "groups to import")
	f.IntVar(&b.memberships, "memberships", 100_000, "memberships to import, the same number in each group")
	f.IntVar(&b.clients, "clients", 8, "connections of the identity provider")
	f.IntVar(&b.checks, "checks", 200, "checks a second meanwhile; 0: none")
	f.StringVar(&b.store, "on", "", "database `url` to import into, which must be empty (default: a new SQLite file)")
	f.StringVar(&b.profile, "cpu-profile", "", "`file` to write a profile of the processors to")
	return cmd
}
