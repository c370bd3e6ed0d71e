package main

import (
	"net/http"
	"strings"

	"github.com/spf13/cobra"
)

const (
	webhookColumns  = "ID=id URL=url EVENTS=events STATE=state SECRETS=secrets LAST_STATUS=last_status LAST_TRY=last_try REASON=reason"
	deliveryColumns = "ID=id EVENT=event STATE=state ATTEMPTS=attempts STATUS=status TOOK_MS=took_ms CREATED=created NEXT=next ERROR=error"
)

func (a *app) webhookCommand() *cobra.Command {
	var events []string
	add := a.send("add URL", "Add a webhook and show its secret this once", "  usherd webhook add https://example.com/hooks --event user.deactivated --event plan.held",
		"ID=id URL=url EVENTS=events SECRET=secret", cobra.ExactArgs(1), func(args []string) question {
			return question{method: http.MethodPost, path: at("webhooks"), body: map[string]any{"url": args[0], "events": events}, makes: true}
		})
	add.Flags().StringSliceVar(&events, "event", nil, "only of this event: user.deactivated, permission.lost, permission.gained, group.blocked, plan.held, token.expiring (default all)")
	state := func(verb, state, short string) *cobra.Command {
		return a.send(verb+" ID", short, "  usherd webhook "+verb+" wh_…", webhookColumns, cobra.ExactArgs(1), func(args []string) question {
			return question{method: http.MethodPost, path: at("webhooks", args[0], "state"), body: map[string]string{"state": state}}
		})
	}
	return parent("webhook", "Tell other systems what happens", add,
		a.show("list", "List webhooks", "  usherd webhook list", cobra.NoArgs, webhookColumns, func([]string) string { return at("webhooks") }),
		a.send("test ID", "Send an event that says nothing", "  usherd webhook test wh_…", deliveryColumns, cobra.ExactArgs(1), func(args []string) question {
			return question{method: http.MethodPost, path: at("webhooks", args[0], "test")}
		}),
		a.show("deliveries ID", "List deliveries, the newest first", "  usherd webhook deliveries wh_…", cobra.ExactArgs(1), deliveryColumns,
			func(args []string) string { return at("webhooks", args[0], "deliveries") }),
		a.send("resend DELIVERY", "Send a delivery again", "  usherd webhook resend wh_…/…", deliveryColumns, cobra.ExactArgs(1), func(args []string) question {
			id, _, _ := strings.Cut(args[0], "/")
			return question{method: http.MethodPost, path: at("webhooks", id, "deliveries"), body: map[string]string{"delivery": args[0]}}
		}),
		a.send("rotate ID", "Make a new secret; the old one signs too for a day", "  usherd webhook rotate wh_…", "ID=id SECRET=secret", cobra.ExactArgs(1), func(args []string) question {
			return question{method: http.MethodPost, path: at("webhooks", args[0], "rotate")}
		}),
		state("enable", "active", "Send to a webhook again"), state("disable", "disabled", "Stop sending to a webhook; what is pending waits"),
		a.send("remove ID", "Forget a webhook and its deliveries", "  usherd webhook remove wh_…", "ID=id REMOVED=removed", cobra.ExactArgs(1), func(args []string) question {
			return question{method: http.MethodDelete, path: at("webhooks", args[0])}
		}),
	)
}

// send is a command that sends one request and prints its answer.
func (a *app) send(use, short, example, cols string, args cobra.PositionalArgs, ask func(args []string) question) *cobra.Command {
	return &cobra.Command{
		Use: use, Short: short, Example: example, Args: args,
		RunE: func(cmd *cobra.Command, args []string) error {
			q := ask(args)
			q.cols = cols
			return a.ask(cmd.Context(), q)
		},
	}
}
