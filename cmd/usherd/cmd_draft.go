package main

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"

	"github.com/spf13/cobra"
	"github.com/usherd/usherd/admin"
)

const draftColumns = "ID=id TITLE=title STATE=state VERSION=version AUTHOR=author CREATED=created MODIFIED=modified APPLIED=applied"

func (a *app) draftCommand() *cobra.Command {
	return parent("draft", "Save changes of the policy with what must hold after them, and apply them later",
		a.show("list", "List drafts, the newest first", "  usherd policy draft list", cobra.NoArgs, draftColumns, func([]string) string { return at("drafts") }),
		a.show("show ID", "Show a draft with its text and assertions", "  usherd policy draft show ID -o yaml", cobra.ExactArgs(1),
			draftColumns+" NOTE=note TEXT=text REMOVE=remove ASSERTIONS=assertions", func(args []string) string { return at("drafts", args[0]) }),
		a.draftSave(), a.draftPlan(), a.draftApply(),
		a.send("rebase ID", "Say that you have seen what others changed of the same items", "  usherd policy draft rebase ID", draftColumns, cobra.ExactArgs(1), func(args []string) question {
			return question{method: http.MethodPost, path: at("drafts", args[0], "rebase")}
		}),
		a.send("discard ID", "Forget a draft", "  usherd policy draft discard ID", draftColumns, cobra.ExactArgs(1), func(args []string) question {
			return question{method: http.MethodDelete, path: at("drafts", args[0])}
		}),
	)
}

func (a *app) draftSave() *cobra.Command {
	var spec admin.DraftSpec
	var id string
	cmd := &cobra.Command{
		Use: "save [FILE]", Short: "Save a change of the policy as a draft, or change a draft", Args: cobra.MaximumNArgs(1),
		Long: `Save a change of the policy as a draft, or change the one that --draft names:
what is not said stays. FILE is a policy file of only the items that come or
differ; what it lacks stays as it is (- is standard input). A draft gives nobody
anything until it is applied.

An assertion must hold after the draft, or it can't be applied:
  USER keeps THING                             also lacks
  USER can ACTION TYPE/ID                      also cannot
  a member of SOURCE/GROUP can ACTION TYPE/ID  also cannot
  at most N hold THING                         also at least
THING is a Role, a right, or ACTION TYPE/ID. Each may end in: in project KEY`,
		Example: "  usherd policy draft save prices.yaml --title 'Prices of 2027'\n" +
			"  usherd policy draft save --title 'Fewer admins' --remove mappings/old --assert 'alice keeps admin' --assert 'at most 50 hold admin'\n" +
			"  usherd policy draft save prices.yaml --draft ID",
		RunE: func(cmd *cobra.Command, args []string) error {
			q := question{method: http.MethodPost, path: at("drafts"), body: &spec, cols: draftColumns, makes: true}
			if id != "" {
				old, err := a.savedDraft(cmd, id)
				if err != nil {
					return err
				}
				fillDraft(cmd, &spec, old)
				q.method, q.path = http.MethodPut, at("drafts", id)
			}
			if len(args) > 0 {
				text, err := a.readFile(args[0])
				if err != nil {
					return err
				}
				spec.Text = text
			}
			return withFaults(a.ask(cmd.Context(), q))
		},
	}
	f := cmd.Flags()
	f.StringVar(&id, "draft", "", "change this draft (its `id`)")
	f.StringVar(&spec.Title, "title", "", "what it is called")
	f.StringVar(&spec.Note, "note", "", "why, and for whom")
	f.StringArrayVar(&spec.Remove, "remove", nil, "an `item` that goes, as mappings/engineers; again for more")
	f.StringArrayVar(&spec.Assertions, "assert", nil, "what must hold then; again for more")
	return cmd
}

func (a *app) savedDraft(cmd *cobra.Command, id string) (d admin.Draft, err error) {
	text, err := a.answer(cmd.Context(), question{method: http.MethodGet, path: at("drafts", id)})
	if err != nil {
		return d, err
	}
	if err := json.Unmarshal(text, &d); err != nil {
		return d, fmt.Errorf("reading the answer: %w", err)
	}
	return d, nil
}

// fillDraft keeps of a draft what no flag says.
func fillDraft(cmd *cobra.Command, spec *admin.DraftSpec, old admin.Draft) {
	said := cmd.Flags().Changed
	spec.Text = old.Text
	if !said("title") {
		spec.Title = old.Title
	}
	if !said("note") {
		spec.Note = old.Note
	}
	if !said("remove") {
		spec.Remove = old.Remove
	}
	if !said("assert") {
		spec.Assertions = old.Assertions
	}
}

func (a *app) draftPlan() *cobra.Command {
	var list admin.PeopleList
	cmd := &cobra.Command{
		Use: "plan ID", Short: "Say what a draft would change over the present policy, for whom, and what it costs", Args: cobra.ExactArgs(1),
		Example: "  usherd policy draft plan ID\n  usherd policy draft plan ID -o json > plan.json",
		RunE: func(cmd *cobra.Command, args []string) error {
			text, err := a.answer(cmd.Context(), question{method: http.MethodPost, path: at("drafts", args[0], "plan"), body: map[string]any{"people": list}})
			if err != nil {
				return withFaults(err)
			}
			a.sayWarnings(text)
			if a.format != "table" {
				return a.print(text, columns("PLAN=plan CHANGES=changes GAINING=gaining LOSING=losing SEATS=seats ASSERTIONS=assertions"))
			}
			var plan admin.DraftPlan
			if err := json.Unmarshal(text, &plan); err != nil {
				return fmt.Errorf("reading the answer: %w", err)
			}
			printDraftPlan(a.stdout, plan)
			return nil
		},
	}
	cmd.Flags().IntVar(&list.Limit, "people", 100, "list at most so many single people; totals count all")
	cmd.Flags().StringVar((*string)(&list.After), "after", "", "begin the list after this user `id`")
	return cmd
}

// printDraftPlan prints the plan of a draft for people.
func printDraftPlan(out io.Writer, plan admin.DraftPlan) {
	printEffects(out, plan.PolicyPlan)
	for _, r := range plan.Assertions {
		fmt.Fprintln(out, strings.TrimSuffix(fmt.Sprintf("%s: %s: %s", r.Status, r.Text, r.Detail), ": "))
	}
	if len(plan.Others) > 0 {
		fmt.Fprintf(out, "others changed %d things of the policy since it was written\n", len(plan.Others))
	}
	for _, item := range plan.Touches {
		if !item.Moved {
			continue
		}
		fmt.Fprintf(out, "somebody else changed %s since\n", item.Item)
		for _, line := range lines(item.Now) {
			fmt.Fprintln(out, "  now:   "+line)
		}
		for _, line := range lines(item.To) {
			fmt.Fprintln(out, "  draft: "+line)
		}
	}
	id := plan.Draft.ID
	switch {
	case plan.Draft.State == admin.DraftApplied:
		fmt.Fprintf(out, "It was applied at revision %d.\n", plan.Draft.Applied)
	case plan.Moved():
		fmt.Fprintf(out, "An apply is refused until you say that you have seen it: usherd policy draft rebase %s\n", id)
	case plan.NoOwner:
		fmt.Fprintln(out, "An apply would be refused, because nobody active would own the organization.")
	case len(plan.Failing) > 0 || !plan.Holds():
		fmt.Fprintln(out, "An apply would be refused, because tests or assertions fail.")
	default:
		fmt.Fprintf(out, "Apply exactly this: usherd policy draft apply %s --plan %s\n", id, plan.Plan)
	}
}

func (a *app) draftApply() *cobra.Command {
	var plan string
	cmd := &cobra.Command{
		Use: "apply ID --plan PLAN", Short: "Make a draft the policy, as its plan showed it", Args: cobra.ExactArgs(1),
		Long: `Make a draft the policy, as its plan showed it. It is refused, with the
difference, if the draft or the policy is another one than then, or if somebody
would gain something that the plan did not show; and if an assertion would not
hold. The audit record names the draft.`,
		Example: "  usherd policy draft plan ID -o json > plan.json\n  usherd policy draft apply ID --plan plan.json",
		RunE: func(cmd *cobra.Command, args []string) error {
			if plan == "" {
				return usage("--plan says what you looked at: usherd policy draft plan %s", args[0])
			}
			id, err := a.planID(plan)
			if err != nil {
				return err
			}
			text, err := a.answer(cmd.Context(), question{method: http.MethodPost, path: at("drafts", args[0], "apply"), body: map[string]string{"plan": id}, makes: true})
			if err != nil {
				return withFaults(err)
			}
			a.sayWarnings(text)
			return a.print(text, columns(outcomeColumns+" SECTIONS=sections NOTE=note"))
		},
	}
	cmd.Flags().StringVar(&plan, "plan", "", "the `plan` that was looked at: its id, or the file that policy draft plan -o json wrote")
	return cmd
}
