package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"

	"github.com/spf13/cobra"
	"github.com/usherd/usherd/admin"
)

func (a *app) policyCommand() *cobra.Command {
	return parent("policy", "Test, preview, apply and export the policy",
		a.policyApply(), a.policyPlan(), a.policyDiff(), a.policyTest(), a.policyExport(), a.policySchema(), a.draftCommand())
}

// maxPolicy bounds what is read of a policy file.
const maxPolicy = 4 << 20

// readFile reads a file that is given by name, or standard input for "-".
func (a *app) readFile(name string) (string, error) {
	in := a.stdin
	if name != "-" {
		f, err := os.Open(name)
		if err != nil {
			return "", usage("%w", err)
		}
		defer f.Close()
		in = f
	}
	text, err := io.ReadAll(io.LimitReader(in, maxPolicy+1))
	if err != nil {
		return "", usage("reading %s: %w", name, err)
	}
	if len(text) > maxPolicy {
		return "", &exitError{exitInvalid, fmt.Errorf("%s is larger than %d bytes", name, maxPolicy)}
	}
	return string(text), nil
}

// policyCall sends a policy file to one of the operations on policies.
func (a *app) policyCall(cmd *cobra.Command, verb, file string, body map[string]any, makes bool) ([]byte, error) {
	text, err := a.readFile(file)
	if err != nil {
		return nil, err
	}
	body["name"], body["text"] = file, text
	answer, err := a.answer(cmd.Context(), question{http.MethodPost, "/api/v1/policy/" + verb, body, "", makes})
	return answer, withFaults(err)
}

// withFaults spells the faults of a problem out, one a line, places first.
func withFaults(err error) error {
	p, ok := errors.AsType[*admin.Problem](err)
	if !ok || len(p.Faults) == 0 {
		return err
	}
	msg := p.Title
	for _, f := range p.Faults {
		msg += "\n" + f.String()
	}
	return &exitError{exitCode(err), errors.New(msg)}
}

func (a *app) policyApply() *cobra.Command {
	var skip bool
	var require int64
	var plan string
	cmd := &cobra.Command{
		Use:   "apply FILE",
		Short: "Check a policy file, run its tests, and make it the policy",
		Long: `Check a policy file, run its tests, and make it the policy. The file manages the
sections that it contains: what it lacks there is removed. Nothing changes if
anything is wrong with the file (exit code 3). FILE may be - for standard input.

With --plan, what was reviewed is applied and nothing else: the apply is
refused, with the difference, if the file is another one, if the policy has
changed since the plan, or if somebody would gain something that the plan did
not show.`,
		Example: "  usherd policy apply policy.yaml\n  usherd policy plan policy.yaml -o json > plan.json\n" +
			"  usherd policy apply policy.yaml --plan plan.json",
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			body := map[string]any{"skip_tests": skip}
			if require > 0 {
				body["if_revision"] = require
			}
			if plan != "" {
				id, err := a.planID(plan)
				if err != nil {
					return err
				}
				body["plan"] = id
			}
			text, err := a.policyCall(cmd, "apply", args[0], body, true)
			if err != nil {
				return err
			}
			a.sayWarnings(text)
			return a.print(text, columns(outcomeColumns+" SECTIONS=sections"))
		},
	}
	cmd.Flags().BoolVar(&skip, "skip-tests", false, "apply although tests fail; the audit record says so")
	cmd.Flags().StringVar(&plan, "plan", "", "apply exactly this `plan`: its id, or the file that policy plan -o json wrote")
	cmd.Flags().Int64Var(&require, "if-revision", 0, "only if the policy has not changed since this `revision` (of a plan)")
	return cmd
}

func (a *app) policyTest() *cobra.Command {
	return &cobra.Command{
		Use: "test FILE", Short: "Run the tests of a policy file against what the directory holds",
		Example: "  usherd policy test policy.yaml", Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			text, err := a.policyCall(cmd, "test", args[0], map[string]any{}, true)
			if err != nil {
				return err
			}
			a.sayWarnings(text)
			return a.print(text, columns("OK=ok TESTS=tests ASSERTIONS=assertions"))
		},
	}
}

func (a *app) policyPlan() *cobra.Command {
	var people int
	var after string
	cmd := &cobra.Command{
		Use: "plan FILE", Short: "Say what applying a policy file would change, and for whom",
		Example: "  usherd policy plan policy.yaml\n  usherd policy plan policy.yaml -o json", Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			list := map[string]any{"limit": people, "after": after}
			text, err := a.policyCall(cmd, "plan", args[0], map[string]any{"people": list}, true)
			if err != nil {
				return err
			}
			a.sayWarnings(text)
			if a.format == "table" {
				return a.printPlan(text)
			}
			return a.print(text, columns("PLAN=plan POLICY_REVISION=policy_revision CHANGES=changes GAINING=gaining LOSING=losing SEATS=seats"))
		},
	}
	cmd.Flags().IntVar(&people, "people", 100, "list at most so many single people; totals count all")
	cmd.Flags().StringVar(&after, "after", "", "begin the list after this user `id`")
	return cmd
}

func (a *app) policyExport() *cobra.Command {
	return &cobra.Command{
		Use: "export", Short: "Print the policy as a file", Example: "  usherd policy export > policy.yaml", Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			text, err := a.answer(cmd.Context(), question{http.MethodGet, "/api/v1/policy", nil, "", false})
			if err != nil {
				return err
			}
			if a.format == "json" {
				return a.print(text, nil)
			}
			var doc struct {
				Text string `json:"text"`
			}
			if err := json.Unmarshal(text, &doc); err != nil {
				return fmt.Errorf("reading the answer: %w", err)
			}
			_, err = io.WriteString(a.stdout, doc.Text)
			return err
		},
	}
}

// sayWarnings tells the person what an answer warns of.
func (a *app) sayWarnings(text []byte) {
	var w struct {
		Warnings []admin.Fault `json:"warnings"`
	}
	if json.Unmarshal(text, &w) != nil {
		return
	}
	for _, f := range w.Warnings {
		fmt.Fprintln(a.stderr, "warning: "+f.String())
	}
}
