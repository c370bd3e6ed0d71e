package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"time"

	"github.com/spf13/cobra"
	"github.com/usherd/usherd/directory"
)

const runColumns = "SOURCE=source RESULT=result TRIGGER=trigger MESSAGE=message COUNTS=counts PLAN=plan REVISION=revision STARTED=started ENDED=ended"

func (a *app) syncCommand() *cobra.Command {
	return parent("sync", "Read LDAP sources", a.syncRun(), a.syncPlan(), a.syncStatus(), a.syncCancel())
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
	case directory.RunCancelled:
		return run, &exitError{exitFailed, fmt.Errorf("%s By %s", run.Message, run.CancelledBy)}
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
  1  failed: nothing was read, or applying broke off; the next run goes on;
     or somebody cancelled it
  6  held: the plan, or a part of it, waits for an administrator (usherd hold)
  7  incomplete: the read could not be proven complete, so nobody lost anything;
     the server may be unreachable or busy, and another run may succeed`

func (a *app) syncRun() *cobra.Command {
	var exitCode bool
	cmd := &cobra.Command{
		Use: "run SOURCE", Short: "Read a source now and apply what changed", Args: cobra.ExactArgs(1),
		Long: `Read the whole of a source now and apply what changed. The result is applied,
unchanged, held, incomplete, failed or cancelled. A run that is held or
incomplete did all that it may, so the exit code is 0 unless --exit-code is
given.

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
	runs, phases := false, false
	cmd := &cobra.Command{
		Use: "status [SOURCE]", Short: "Show how LDAP sources stand",
		Example: "  usherd sync status\n  usherd sync status corp --runs\n  usherd sync status corp --phases", Args: cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			q := url.Values{"runs": {"5"}}
			if len(args) > 0 {
				q.Set("source", args[0])
			}
			if runs {
				q.Set("runs", "100")
				return a.runHistory(cmd.Context(), "/api/v1/sync?"+q.Encode())
			}
			if phases {
				q.Set("runs", "1")
				return a.runPhases(cmd.Context(), "/api/v1/sync?"+q.Encode())
			}
			return a.ask(cmd.Context(), question{
				http.MethodGet, "/api/v1/sync?" + q.Encode(), nil,
				"SOURCE=source STATE=state RESULT=last.result TRIGGER=last.trigger ENDED=last.ended MESSAGE=last.message HELD=held", false,
			})
		},
	}
	cmd.Flags().BoolVar(&runs, "runs", false, "list the last 100 runs, the newest first")
	cmd.Flags().BoolVar(&phases, "phases", false, "list the phases of the last run, as far as it has come")
	cmd.MarkFlagsMutuallyExclusive("runs", "phases")
	return cmd
}

// runHistory prints the runs of sources, one a line.
func (a *app) runHistory(ctx context.Context, path string) error {
	runs, err := a.runsOf(ctx, path)
	if err != nil {
		return err
	}
	return printItems(a, runs, "SOURCE=source STARTED=started ENDED=ended TRIGGER=trigger BY=by RESULT=result COUNTS=counts HELD=plan REVISION=revision MESSAGE=message")
}

// A phaseLine is a phase of a run as a line of a list.
type phaseLine struct {
	Source directory.SourceName `json:"source"`
	Run    string               `json:"run"`
	directory.RunPhase
	Took string `json:"took"` // until now, of one that is under way
}

// runPhases prints the phases of the last runs of sources, one a line.
func (a *app) runPhases(ctx context.Context, path string) error {
	runs, err := a.runsOf(ctx, path)
	if err != nil {
		return err
	}
	lines := []phaseLine{}
	for _, r := range runs {
		for _, p := range r.Phases {
			end := p.Ended
			if end.IsZero() {
				end = time.Now()
			}
			lines = append(lines, phaseLine{r.Source, r.ID, p, end.Sub(p.Started).Round(time.Millisecond).String()})
		}
	}
	return printItems(a, lines, "SOURCE=source PHASE=name STARTED=started TOOK=took COUNTS=counts")
}

// runsOf asks for the runs of sources.
func (a *app) runsOf(ctx context.Context, path string) ([]directory.Run, error) {
	text, err := a.answer(ctx, question{method: http.MethodGet, path: path})
	if err != nil {
		return nil, err
	}
	var status struct {
		Items []struct {
			Runs []directory.Run `json:"runs"`
		} `json:"items"`
	}
	if err := json.Unmarshal(text, &status); err != nil {
		return nil, fmt.Errorf("reading the answer: %w", err)
	}
	all := []directory.Run{}
	for _, s := range status.Items {
		all = append(all, s.Runs...)
	}
	return all, nil
}

// printItems prints a list.
func printItems[T any](a *app, items []T, cols string) error {
	text, err := json.Marshal(map[string][]T{"items": items})
	if err != nil {
		return fmt.Errorf("printing a list: %w", err)
	}
	return a.print(text, columns(cols))
}

func (a *app) syncCancel() *cobra.Command {
	return &cobra.Command{
		Use: "cancel SOURCE [RUN]", Short: "Stop the run of a source that is under way", Args: cobra.RangeArgs(1, 2),
		Long: `Stop the run of a source that is under way, on whatever replica. Before it
applies anything nothing is changed; what it has applied by then stays, and the
next run does the rest. With RUN, only if the run under way is that one.

The run stops at its next step: the answer waits for that for ten seconds.`,
		Example: "  usherd sync cancel corp",
		RunE: func(cmd *cobra.Command, args []string) error {
			body := map[string]any{}
			if len(args) == 2 {
				if args[1] == "" { // of a script that found none; it would mean any
					return usage("RUN is empty: usherd sync status %s --runs tells it", args[0])
				}
				body["run"] = args[1]
			}
			text, err := a.answer(cmd.Context(), question{method: http.MethodPost, path: "/api/v1/sources/" + url.PathEscape(args[0]) + "/cancel", body: body})
			if err != nil {
				return err
			}
			return a.cancelled(text)
		},
	}
}

// cancelled prints a run that was cancelled, and says so if it came to its end
// before, or has not yet.
func (a *app) cancelled(text []byte) error {
	if err := a.print(text, columns(runColumns)); err != nil {
		return err
	}
	var run directory.Run
	if err := json.Unmarshal(text, &run); err != nil {
		return fmt.Errorf("reading the answer: %w", err)
	}
	switch run.Result {
	case directory.RunCancelled:
	case directory.RunRunning:
		fmt.Fprintln(a.stderr, "the run has not stopped yet; if the replica that ran it is gone, the next run says so: usherd sync status "+string(run.Source))
	case directory.RunApplied, directory.RunUnchanged, directory.RunHeld, directory.RunIncomplete, directory.RunFailed:
		fmt.Fprintln(a.stderr, "the run came to its end before it could be stopped")
	}
	return nil
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
	case directory.RunRunning, directory.RunApplied, directory.RunUnchanged, directory.RunFailed, directory.RunCancelled:
	}
	return err
}
