package main

import (
	"time"

	"github.com/spf13/cobra"
)

func (a *app) benchCommand() *cobra.Command {
	b := &checkBench{}
	check := &cobra.Command{
		Use:   "check",
		Short: "Load the check endpoint and compare it with a handler that does nothing",
		Long: `Load the check endpoint of a daemon in this process and, in turns, a bare
handler that reads the body and answers {"decision":true}. Every answer is
verified. The figures are medians over the rounds; what counts is the ratio,
because both run in the same process and moment, with the load generator beside
them.`,
		Example: "  usherd bench check\n  usherd bench check --users 10000 --rounds 7 -o json",
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := a.checkFormat(); err != nil {
				return err
			}
			if b.users < 1 || b.groups < 1 || b.rounds < 1 || b.clients < 1 || b.round < 10*time.Millisecond {
				return usage("all figures must be positive, and a round at least 10ms")
			}
			return a.printBench(func(dir string) (any, error) { return b.run(cmd.Context(), a, dir) },
				"CHECKS_PER_SECOND=check.per_second P50_µs=check.p50_us P99_µs=check.p99_us BARE_PER_SECOND=bare.per_second "+
					"BARE_P50_µs=bare.p50_us BARE_P99_µs=bare.p99_us CPU_µs=check.cpu_us BARE_CPU_µs=bare.cpu_us RATIO=ratio CPU_RATIO=cpu_ratio P99_RATIO=p99_ratio VERIFIED=verified WRONG=wrong")
		},
	}
	f := check.Flags()
	f.IntVar(&b.users, "users", 2000, "users in the directory")
	f.IntVar(&b.groups, "groups", 200, "groups, each with 20 of 1,000 permissions; everybody is in 10")
	f.IntVar(&b.rounds, "rounds", 5, "rounds of each")
	f.BoolVar(&b.decisions, "decision-log", false, "write every decision into a decision log")
	f.DurationVar(&b.round, "round", time.Second, "length of a round")
	f.IntVar(&b.clients, "clients", 16, "connections that ask at once")
	return parent("bench", "Measure", check, a.benchImportCommand())
}
