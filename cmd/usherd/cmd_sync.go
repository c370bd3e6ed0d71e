package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"

	"github.com/spf13/cobra"
	"github.com/usherd/usherd/directory"
)

const runColumns = "SOURCE=source RESULT=result MESSAGE=message COUNTS=counts PLAN=plan REVISION=revision STARTED=started ENDED=ended"

func (a *app) syncCommand() *cobra.Command {
	return parent("sync", "Read LDAP sources", a.syncRun(), a.syncPlan(), a.syncStatus())
}

// runAnswer prints a run. What did not bring us in step with the directory is
// an error with an exit code of its own.
func (a *app) runAnswer(cmd *cobra.Command, source string, q question) (run directory.Run, err error) {
	text, err := a.watched(cmd.Context(), source, q)
	if err != nil {
		return run, err
	}
	if err := a.print(text, columns(q.cols)); err != nil {
		return run, err
	}
	if err := json.Unmarshal(text, &run); err != nil {
		return run, err
	}
	switch run.Result {
	case directory.RunFailed:
		return run, &exitError{exitFailed, errors.New(run.Message)}
	case directory.RunHeld:
		return run, &exitError{exitHeld, fmt.Errorf("held until an administrator decides: usherd hold show %s", source)}
	case directory.RunIncomplete:
		return run, &exitError{exitIncomplete, errors.New("incomplete: " + run.Message)}
	case directory.RunRunning, directory.RunApplied, directory.RunUnchanged:
	}
	return run, nil
}

const runCodes = `Exit codes:
  0  applied, or unchanged
  1  failed: nothing was read, or applying broke off; the next run goes on
  6  held: the plan, or a part of it, waits for an administrator (usherd hold)
  7  incomplete: the read could not be proven complete, so nobody lost anything;
     the server may be unreachable or busy, and another run may succeed`

func (a *app) syncRun() *cobra.Command {
	var exitCode bool
	cmd := &cobra.Command{
		Use: "run SOURCE", Short: "Read a source now and apply what changed", Args: cobra.ExactArgs(1),
		Long: `Read the whole of a source now and apply what changed. The result is applied,
unchanged, held, incomplete or failed. A run that is held or incomplete did all
that it may, so the exit code is 0 unless --exit-code is given.

` + runCodes,
		Example: `  usherd sync run corp
  usherd sync run corp -o json | jq -r .result
  usherd sync run corp --exit-code`,
		RunE: func(cmd *cobra.Command, args []string) error {
			run, err := a.runAnswer(cmd, args[0], question{http.MethodPost, "/api/v1/sources/" + url.PathEscape(args[0]) + "/sync", nil, runColumns, false})
			if !exitCode && (run.Result == directory.RunHeld || run.Result == directory.RunIncomplete) {
				fmt.Fprintln(a.stderr, err)
				return nil
			}
			return err
		},
	}
	cmd.Flags().BoolVar(&exitCode, "exit-code", false, "exit with 6 if something is held, with 7 if the read was incomplete")
	return cmd
}

func (a *app) syncPlan() *cobra.Command {
	return &cobra.Command{
		Use: "plan SOURCE", Short: "Read a source and say what a run would do", Example: "  usherd sync plan corp -o json", Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			return a.tell(cmd.Context(), question{
				http.MethodPost, "/api/v1/sources/" + url.PathEscape(args[0]) + "/plan", nil,
				"SERVER=server COUNTS=plan.counts HELD=verdict.hash REASONS=verdict.reasons ITEMS=plan.items ISSUES=plan.issues", false,
			}, func(text []byte) error { return a.printReport(args[0], text) })
		},
	}
}

// tell puts a question and prints the answer for people, or in the format that
// was asked for.
func (a *app) tell(ctx context.Context, q question, print func(text []byte) error) error {
	text, err := a.answer(ctx, q)
	if err != nil {
		return err
	}
	if a.format == "table" {
		return print(text)
	}
	return a.print(text, columns(q.cols))
}

func (a *app) syncStatus() *cobra.Command {
	runs := false
	cmd := &cobra.Command{
		Use: "status [SOURCE]", Short: "Show how LDAP sources stand", Example: "  usherd sync status\n  usherd sync status corp --runs", Args: cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			q := url.Values{"runs": {"5"}}
			if len(args) > 0 {
				q.Set("source", args[0])
			}
			if runs {
				q.Set("runs", "100")
				return a.runHistory(cmd.Context(), "/api/v1/sync?"+q.Encode())
			}
			return a.ask(cmd.Context(), question{
				http.MethodGet, "/api/v1/sync?" + q.Encode(), nil,
				"SOURCE=source STATE=state RESULT=last.result ENDED=last.ended MESSAGE=last.message HELD=held", false,
			})
		},
	}
	cmd.Flags().BoolVar(&runs, "runs", false, "list the last 100 runs, the newest first")
	return cmd
}

// runHistory prints the runs of sources, one a line.
func (a *app) runHistory(ctx context.Context, path string) error {
	text, err := a.answer(ctx, question{method: http.MethodGet, path: path})
	if err != nil {
		return err
	}
	var status struct {
		Items []struct {
			Runs []directory.Run `json:"runs"`
		} `json:"items"`
	}
	if err := json.Unmarshal(text, &status); err != nil {
		return fmt.Errorf("reading the answer: %w", err)
	}
	all := struct {
		Items []directory.Run `json:"items"`
	}{[]directory.Run{}}
	for _, s := range status.Items {
		all.Items = append(all.Items, s.Runs...)
	}
	if text, err = json.Marshal(all); err != nil {
		return fmt.Errorf("printing runs: %w", err)
	}
	return a.print(text, columns("SOURCE=source STARTED=started ENDED=ended RESULT=result COUNTS=counts HELD=plan REVISION=revision MESSAGE=message"))
}

func (a *app) holdCommand() *cobra.Command {
	return parent("hold", "Look at plans that wait, approve or discard them",
		a.holdList(), a.holdShow(), a.holdSettle("approve", "Apply what is held, if a new read still says so"),
		a.holdSettle("discard", "Forget what is held"))
}

const holdColumns = "SOURCE=source HASH=hash REASONS=reasons CREATED=created APPROVED=approved BY=by"

func (a *app) holdList() *cobra.Command {
	return &cobra.Command{
		Use: "list", Short: "List the plans that wait", Example: "  usherd hold list", Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return a.ask(cmd.Context(), question{http.MethodGet, "/api/v1/holds", nil, holdColumns, false})
		},
	}
}

func (a *app) holdShow() *cobra.Command {
	return &cobra.Command{
		Use: "show SOURCE", Short: "Show a plan that waits", Example: "  usherd hold show corp -o yaml", Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			q := question{http.MethodGet, "/api/v1/holds/" + url.PathEscape(args[0]), nil, holdColumns + " PLAN=plan", false}
			return a.tell(cmd.Context(), q, a.printHold)
		},
	}
}

func (a *app) holdSettle(verb, short string) *cobra.Command {
	long := short + ".\n\nWith HASH, only if the plan that waits is the one that you looked at."
	if verb == "approve" {
		long += "\n\nThe directory is read again. " + runCodes
	}
	return &cobra.Command{
		Use: verb + " SOURCE [HASH]", Short: short, Args: cobra.RangeArgs(1, 2),
		Long:    long,
		Example: "  usherd hold " + verb + " corp 3f2a9c1e",
		RunE: func(cmd *cobra.Command, args []string) error {
			body := map[string]any{}
			if len(args) == 2 {
				if args[1] == "" { // of a script that found none; it would mean any
					return usage("HASH is empty: usherd hold show %s tells it", args[0])
				}
				body["hash"] = args[1]
			}
			q := question{http.MethodPost, "/api/v1/holds/" + url.PathEscape(args[0]) + "/" + verb, body, runColumns, false}
			if verb == "discard" {
				q.cols = "SOURCE=source DISCARDED=discarded"
				return a.ask(cmd.Context(), q)
			}
			return a.approved(cmd, args[0], q)
		},
	}
}

// approved prints the run that an approval led to. Where it did not apply what
// was approved, the command fails.
func (a *app) approved(cmd *cobra.Command, source string, q question) error {
	run, err := a.runAnswer(cmd, source, q)
	switch run.Result {
	case directory.RunHeld:
		return &exitError{exitHeld, fmt.Errorf("not applied: the directory asks for something else by now; look at it again (usherd hold show %s)", source)}
	case directory.RunIncomplete:
		return &exitError{exitIncomplete, errors.New("not applied yet: the approval stands for a day, and the next complete read that says the same applies it")}
	case directory.RunRunning, directory.RunApplied, directory.RunUnchanged, directory.RunFailed:
	}
	return err
}
