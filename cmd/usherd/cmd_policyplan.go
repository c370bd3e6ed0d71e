package main

import (
	"encoding/json"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/spf13/cobra"
	"github.com/usherd/usherd/admin"
	"github.com/usherd/usherd/authz"
	"github.com/usherd/usherd/directory"
)

// planID reads the id of a plan: as it is, or out of what policy plan -o json
// wrote.
func (a *app) planID(arg string) (string, error) {
	if _, err := os.Stat(arg); err != nil && arg != "-" {
		return arg, nil // the daemon says if it is none
	}
	text, err := a.readFile(arg)
	if err != nil {
		return "", err
	}
	var plan admin.PolicyPlan
	if err := json.Unmarshal([]byte(text), &plan); err != nil || plan.Plan == "" {
		return "", usage("--plan: %s holds no plan; make one by usherd policy plan FILE -o json", arg)
	}
	return plan.Plan, nil
}

// printPlan prints a plan for people: what most matters first.
func (a *app) printPlan(text []byte) error {
	var plan admin.PolicyPlan
	if err := json.Unmarshal(text, &plan); err != nil {
		return fmt.Errorf("reading the answer: %w", err)
	}
	out := a.stdout
	printEffects(out, plan)
	switch {
	case plan.NoOwner:
		fmt.Fprintln(out, "An apply would be refused, because nobody active would own the organization.")
	case len(plan.Failing) > 0:
		fmt.Fprintln(out, "An apply would be refused, because tests fail.")
	default:
		fmt.Fprintf(out, "Apply exactly this: usherd policy apply FILE --plan %s\n", plan.Plan)
	}
	return nil
}

// printEffects prints what a plan would do.
func printEffects(out io.Writer, plan admin.PolicyPlan) {
	printAdministrators(out, plan.Administrators)
	for _, b := range plan.Binds {
		fmt.Fprintf(out, "  ! %s\n", b)
	}
	if len(plan.Changes) == 0 {
		fmt.Fprintln(out, "The policy stays as it is.")
	}
	for _, c := range plan.Changes {
		sign := map[string]string{"added": "+", "removed": "-"}[c.Change]
		if sign == "" {
			sign = "~"
		}
		fmt.Fprintln(out, strings.TrimSpace(sign+" "+string(c.Section)+" "+c.Key+map[bool]string{true: " (order)"}[c.Change == "reordered"]))
	}
	printTotals(out, plan)
	for _, p := range plan.People {
		fmt.Fprintf(out, "%s (%s)\n", p.UserName, p.User)
		printWhy(out, "gains", p.Gains, p.WhyGains)
		printWhy(out, "loses", p.Loses, p.WhyLoses)
	}
	if plan.More > 0 {
		fmt.Fprintf(out, "and %d more people (--people N, --after ID)\n", plan.More)
	}
	if len(plan.Changes) > 0 || plan.Gaining+plan.Losing > 0 {
		printMoney(out, plan.Seats, plan.Money)
	}
	fmt.Fprintf(out, "%s\n", tests(plan.Tests, len(plan.Failing)))
	for _, f := range plan.Failing {
		fmt.Fprintln(out, "  "+f.String())
	}
}

// tests says how the tests ended: of one several things can fail.
func tests(n, faults int) string {
	switch {
	case n == 0:
		return "no tests"
	case faults == 0:
		return fmt.Sprintf("tests: %d, none fails", n)
	}
	return fmt.Sprintf("tests: %d, and these fail:", n)
}

func printAdministrators(out io.Writer, people []admin.PlannedPerson) {
	if len(people) == 0 {
		return
	}
	fmt.Fprintf(out, "ADMINISTRATORS: %s administration rights\n", somebody(len(people), "gain"))
	for _, p := range people {
		fmt.Fprintf(out, "  ! %s (%s): %s\n", p.UserName, p.User, strings.Join(administration(p.Gains), ", "))
	}
}

// administration are those of the gains that are administration rights; the
// rest is listed with the person.
func administration(gains []string) (out []string) {
	for _, gain := range gains {
		name, _, _ := strings.Cut(gain, " ")
		if directory.Right(name).IsAdministration() {
			out = append(out, gain)
		}
	}
	return out
}

func printTotals(out io.Writer, plan admin.PolicyPlan) {
	if len(plan.Totals) == 0 {
		return
	}
	fmt.Fprintf(out, "%s something, %s something\n", somebody(plan.Gaining, "gain"), somebody(plan.Losing, "lose"))
	for _, t := range plan.Totals {
		fmt.Fprintf(out, "  %s: +%d -%d people\n", t.Holding, t.Gain, t.Lose)
		for _, c := range t.Causes {
			fmt.Fprintf(out, "    %d by %s\n", c.Gain+c.Lose, c.Text)
		}
	}
}

// somebody says that so many people do something.
func somebody(n int, verb string) string {
	if n == 1 {
		return "1 person " + verb + "s"
	}
	return fmt.Sprintf("%d people %s", n, verb)
}

func printWhy(out io.Writer, verb string, names, whys []string) {
	for i, name := range names {
		line := "  " + verb + " " + name
		if i < len(whys) && whys[i] != "" {
			line += " (" + whys[i] + ")"
		}
		fmt.Fprintln(out, line)
	}
}

// printMoney says what changes in seats and money; of the whole organization
// where that was counted.
func printMoney(out io.Writer, seats []authz.SeatShift, money []authz.Money) {
	for _, s := range seats {
		line := fmt.Sprintf("seats of %s: %+d at %s %s a month", s.Feature, s.Delta, s.Monthly, s.Currency)
		if s.Total {
			line += fmt.Sprintf(" (%d → %d in all)", s.Before, s.After)
		}
		fmt.Fprintln(out, line)
	}
	for _, m := range money {
		line := fmt.Sprintf("money: %s %s a month", m.Delta, m.Currency)
		if m.Total {
			line += fmt.Sprintf(" (%s → %s in all)", m.Before, m.After)
		}
		fmt.Fprintln(out, line)
	}
}

func (a *app) policyDiff() *cobra.Command {
	var exitCode bool
	cmd := &cobra.Command{
		Use: "diff FILE", Short: "Say how a policy file differs from the policy that is stored, item by item",
		Long: `Say how a policy file differs from the policy that is stored, item by item, in
the sections that the file contains. Who would gain and lose is what policy plan
says.`,
		Example: "  usherd policy diff policy.yaml\n  usherd policy diff policy.yaml --exit-code", Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			text, err := a.policyCall(cmd, "diff", args[0], map[string]any{}, false)
			if err != nil {
				return err
			}
			var d admin.PolicyDiff
			if err := json.Unmarshal(text, &d); err != nil {
				return fmt.Errorf("reading the answer: %w", err)
			}
			if a.format == "table" {
				printDiff(a.stdout, d)
			} else if err := a.print(text, columns("SECTION=section CHANGE=change KEY=key")); err != nil {
				return err
			}
			if exitCode && !d.Same {
				return &exitError{exitFailed, nil}
			}
			return nil
		},
	}
	cmd.Flags().BoolVar(&exitCode, "exit-code", false, "exit with 1 if they differ")
	return cmd
}

func printDiff(out io.Writer, d admin.PolicyDiff) {
	for _, item := range d.Items {
		fmt.Fprintf(out, "@@ %s @@\n", strings.TrimSpace(fmt.Sprintf("%s %s %s", item.Change, item.Section, item.Key)))
		was, is := lines(item.Before), lines(item.After)
		for len(was) > 0 && len(is) > 0 && was[0] == is[0] {
			fmt.Fprintln(out, "  "+was[0])
			was, is = was[1:], is[1:]
		}
		for _, line := range was {
			fmt.Fprintln(out, "- "+line)
		}
		for _, line := range is {
			fmt.Fprintln(out, "+ "+line)
		}
	}
}

func lines(text string) []string {
	if text == "" {
		return nil
	}
	return strings.Split(strings.TrimRight(text, "\n"), "\n")
}

func (a *app) policySchema() *cobra.Command {
	return &cobra.Command{
		Use: "schema", Short: "Print the JSON Schema of policy files, for editors", Args: cobra.NoArgs,
		Example: "  usherd policy schema > policy.schema.json",
		RunE: func(*cobra.Command, []string) error {
			text, err := authz.SchemaText()
			if err != nil {
				return err
			}
			_, err = a.stdout.Write(text)
			return err
		},
	}
}
