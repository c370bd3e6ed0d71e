package main

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"

	"github.com/spf13/cobra"
)

// asked is the body of a check or an explanation.
type asked struct {
	User     string `json:"user"`
	Action   string `json:"action"`
	Resource struct {
		Type string `json:"type"`
		ID   string `json:"id"`
	} `json:"resource"`
	Project string `json:"project,omitempty"`
	At      string `json:"at,omitempty"`
}

// askedArgs wants the three words of a question.
func askedArgs(_ *cobra.Command, args []string) error {
	_, err := askedOf(args, "")
	return err
}

func askedOf(args []string, project string) (asked, error) {
	const form = "write USER ACTION RESOURCE_TYPE/ID, e.g. alice@example.com edit feature/part-list"
	if len(args) != 3 {
		return asked{}, usage(form)
	}
	q := asked{User: args[0], Action: args[1], Project: project}
	var ok bool
	q.Resource.Type, q.Resource.ID, ok = strings.Cut(args[2], "/")
	if q.User == "" || q.Action == "" {
		return q, usage(form)
	}
	if !ok || q.Resource.Type == "" || q.Resource.ID == "" {
		return q, usage("%q is no resource; it has a type and an id, e.g. feature/part-list, output/cut-list-pdf, integration/aws-prod", args[2])
	}
	return q, nil
}

func (a *app) checkCommand() *cobra.Command {
	var project string
	var exitCode bool
	cmd := &cobra.Command{
		Use:   "check USER ACTION RESOURCE_TYPE/ID",
		Short: "Ask whether a user may do something",
		Long: `Ask whether a user may do something. USER is an id, a userName, email:ADDRESS or
external:SOURCE/ID. The exit code is 0 whatever the answer is; with --exit-code
a deny is 5.`,
		Example: `  usherd check alice@example.com access feature/part-list
  usherd check alice@example.com edit feature/part-list --project alpha -o json
  usherd check email:bob@example.com use integration/aws-prod --exit-code`,
		Args: askedArgs,
		RunE: func(cmd *cobra.Command, args []string) error {
			q, err := askedOf(args, project)
			if err != nil {
				return err
			}
			text, err := a.answer(cmd.Context(), question{http.MethodPost, "/api/v1/check", q, "", false})
			if err != nil {
				return err
			}
			return a.printDecision(text, exitCode)
		},
	}
	cmd.Flags().StringVar(&project, "project", "", "ask inside a project")
	cmd.Flags().BoolVar(&exitCode, "exit-code", false, "exit with 5 if the answer is a deny")
	return cmd
}

func (a *app) printDecision(text []byte, exitCode bool) error {
	var d struct {
		Decision bool   `json:"decision"`
		Code     string `json:"code"`
	}
	if err := json.Unmarshal(text, &d); err != nil {
		return fmt.Errorf("reading the answer: %w", err)
	}
	short := json.RawMessage(fmt.Sprintf(`{"decision":%t}`, d.Decision))
	if a.format == "table" {
		word := map[bool]string{true: "allow", false: "deny"}[d.Decision]
		fmt.Fprintln(a.stdout, word)
		fmt.Fprintln(a.stderr, "reason: "+d.Code)
	} else if err := a.print(short, columns("DECISION=decision")); err != nil {
		return err
	}
	if exitCode && !d.Decision {
		return &exitError{exitDenied, nil}
	}
	return nil
}

func (a *app) explainCommand() *cobra.Command {
	var project, at string
	cmd := &cobra.Command{
		Use:   "explain USER ACTION RESOURCE_TYPE/ID",
		Short: "Say why a user may or may not do something",
		Long: `Say why a user may or may not do something: every way that allows it, or what is
missing, who could change that, and the shortest command that would. With --at
the answer is that of the past, as far back as history is kept.`,
		Example: `  usherd explain alice@example.com edit feature/part-list --project alpha
  usherd explain alice@example.com access feature/part-list --at 2026-03-01T09:30:00Z
  usherd explain alice@example.com access feature/part-list --at '30m ago'
  usherd explain alice@example.com access feature/part-list --at 4711 -o json`,
		Args: askedArgs,
		RunE: func(cmd *cobra.Command, args []string) error {
			q, err := askedOf(args, project)
			if err != nil {
				return err
			}
			q.At = at
			text, err := a.answer(cmd.Context(), question{http.MethodPost, "/api/v1/explain", q, "", false})
			if err != nil {
				return err
			}
			if a.format == "table" {
				return a.printText(text)
			}
			return a.print(text, columns("DECISION=decision CODE=code REVISION=revision NEXT=next TEXT=text"))
		},
	}
	cmd.Flags().StringVar(&project, "project", "", "ask inside a project")
	cmd.Flags().StringVar(&at, "at", "", "as of a revision, a `time`, or so long ago: 4711, 2026-03-01T09:30:00Z, 2026-03-01, 30m, 7d")
	return cmd
}

// printText prints what an answer says for people.
func (a *app) printText(answer []byte) error {
	var doc struct {
		Text string `json:"text"`
	}
	if err := json.Unmarshal(answer, &doc); err != nil {
		return fmt.Errorf("reading the answer: %w", err)
	}
	_, err := fmt.Fprintln(a.stdout, strings.TrimRight(doc.Text, "\n"))
	return err
}
