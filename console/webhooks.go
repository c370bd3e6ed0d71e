package console

import (
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/a-h/templ"
	"github.com/usherd/usherd/admin"
)

// webhookPages are the pages about what other systems are told, if any is.
func (c *Console) webhookPages() {
	if c.Service.Webhooks == nil {
		return
	}
	c.page("GET /webhooks", c.webhooks)
	c.page("GET /webhooks/new", c.newWebhook)
	c.page("POST /webhooks/new", c.addWebhook)
	c.page("GET /webhooks/{id}", c.webhook)
	c.page("POST /webhooks/{id}/{do}", c.doWebhook)
}

// webhookEvents are what an endpoint may be told, as the service knows them.
var webhookEvents = []string{"user.deactivated", "permission.lost", "permission.gained", "group.blocked", "plan.held", "token.expiring"}

var webhookList = ListSpec{
	Name: "webhooks", Title: "Webhooks", Noun: "endpoints", Searches: "by address",
	Columns: []Column{
		{Key: "url", Title: "Endpoint", Default: true},
		{Key: "events", Title: "Events", Default: true},
		{Key: "state", Title: "State", Default: true},
		{Key: "success", Title: "Delivered", Default: true, Number: true},
		{Key: "status", Title: "Last answer", Default: true},
		{Key: "last", Title: "Last delivery", Default: true},
		{Key: "failing", Title: "Fails since"},
		{Key: "created", Title: "Added"},
	},
	Filters: []Filter{
		{Key: "event", Title: "Event", Options: optionsOf(webhookEvents)},
		{Key: "state", Title: "State", Options: []Option{{"active", "active"}, {"disabled", "disabled"}}},
	},
}

func optionsOf(values []string) []Option {
	out := make([]Option, len(values))
	for i, v := range values {
		out[i] = Option{v, v}
	}
	return out
}

// An endpointView is an endpoint as its page shows it.
type endpointView struct {
	ID, URL, State, Reason, Events string
	Created, LastTry, FailsSince   time.Time
	LastStatus, Secrets            int
	Deliveries                     []deliveryView
	Manage                         bool
}

// A deliveryView is one delivery of an event.
type deliveryView struct {
	ID, Event, State, Error, Body string
	Attempts, Status              int
	Took                          int64 // milliseconds
	Created, Next                 time.Time
}

func eventsText(events []string) string {
	if len(events) == 0 {
		return "all"
	}
	return strings.Join(events, ", ")
}

// deliveryTone is how the state of an endpoint or delivery looks.
func deliveryTone(state string) Tone {
	switch state {
	case "active", "delivered":
		return Good
	case "failed":
		return Bad
	case "pending":
		return Info
	}
	return Neutral
}

func (c *Console) webhooks(req request) (templ.Component, error) {
	l := List{ListSpec: webhookList, State: c.state(req, webhookList)}
	all, err := c.Service.ListWebhooks(req.Context())
	if err != nil {
		return nil, err
	}
	for _, e := range all {
		event, state := l.Filter["event"], l.Filter["state"]
		if event != "" && !strings.Contains(eventsText(e.Events), event) && len(e.Events) > 0 || state != "" && state != e.State || !strings.Contains(e.URL, l.Q) {
			continue
		}
		deliveries, err := c.Service.WebhookDeliveries(req.Context(), e.ID)
		if err != nil {
			return nil, err
		}
		arrived, ended := 0, 0
		for _, d := range deliveries {
			switch d.State {
			case "delivered":
				arrived, ended = arrived+1, ended+1
			case "failed":
				ended++
			}
		}
		status := "--"
		if e.LastStatus > 0 {
			status = strconv.Itoa(e.LastStatus)
		}
		l.Rows = append(l.Rows, Row{ID: e.ID, Label: e.URL, Cells: map[string]Cell{
			"url": Link(e.URL, "/webhooks/"+e.ID), "events": Text(eventsText(e.Events)), "state": Badge(capital(e.State), deliveryTone(e.State)), "success": Text(share(arrived, ended)),
			"status": Text(status), "last": Time(e.LastTry), "failing": Time(e.FailsSince), "created": Time(e.Created),
		}})
	}
	l.Total = len(l.Rows)
	may := req.viewer.Can(admin.ManageWebhooks)
	if may {
		l.Actions = linkButton("Add an endpoint", "/webhooks/new")
	}
	l.Empty = noWebhooks(may)
	return c.list(req, l)
}

// share is a part of a whole in percent; "--" of nothing.
func share(part, whole int) string {
	if whole == 0 {
		return "--"
	}
	return strconv.Itoa(100*part/whole) + " %"
}

func (c *Console) newWebhook(req request) (templ.Component, error) {
	if err := req.viewer.Require(admin.ManageWebhooks, ""); err != nil {
		return nil, err
	}
	return c.frame(req, "Add an endpoint", newWebhookTemplate("", nil, "")), nil
}

func (c *Console) addWebhook(req request) (templ.Component, error) {
	address, events := strings.TrimSpace(req.PostForm.Get("url")), req.PostForm["event"]
	made, err := c.Service.AddWebhook(req.Context(), req.by, address, events)
	if err != nil {
		problem, err := asked(err)
		if err != nil {
			return nil, err
		}
		c.show(req.w, req.Request, http.StatusUnprocessableEntity, c.frame(req, "Add an endpoint", newWebhookTemplate(address, events, problem)))
		return nil, nil
	}
	// The secret is shown here and nowhere else, so there is nothing to redirect to.
	return c.frame(req, "Endpoint added", webhookSecretTemplate(made.ID, made.URL, made.Secret, "")), nil
}

func (c *Console) webhook(req request) (templ.Component, error) {
	e, err := c.Service.Webhook(req.Context(), req.PathValue("id"))
	if err != nil {
		return nil, err
	}
	v := endpointView{
		ID: e.ID, URL: e.URL, State: e.State, Reason: e.Reason, Events: eventsText(e.Events), Created: e.Created, LastTry: e.LastTry,
		FailsSince: e.FailsSince, LastStatus: e.LastStatus, Secrets: e.Secrets, Manage: req.viewer.Can(admin.ManageWebhooks),
	}
	deliveries, err := c.Service.WebhookDeliveries(req.Context(), e.ID)
	if err != nil {
		return nil, err
	}
	for _, d := range deliveries {
		v.Deliveries = append(v.Deliveries, deliveryView{
			ID: d.ID, Event: d.Event, State: d.State, Error: d.Error, Body: indented(d.Body), Attempts: d.Attempts, Status: d.Status, Took: d.Took,
			Created: d.Created, Next: d.Next,
		})
	}
	return c.frame(req, "Endpoint", webhookTemplate(v)), nil
}

// doWebhook performs one action on an endpoint.
func (c *Console) doWebhook(req request) (templ.Component, error) {
	ctx, id := req.Context(), req.PathValue("id")
	back := "/webhooks/" + id
	var err error
	notice := ""
	switch req.PathValue("do") {
	case "test":
		notice = "A test event is on its way."
		_, err = c.Service.TestWebhook(ctx, req.by, id)
	case "resend":
		notice = "It is sent again."
		_, err = c.Service.ResendWebhook(ctx, req.by, req.PostForm.Get("delivery"))
	case "disable":
		notice = "Disabled: what is pending waits."
		_, err = c.Service.SetWebhookState(ctx, req.by, id, "disabled")
	case "enable":
		notice = "Enabled."
		_, err = c.Service.SetWebhookState(ctx, req.by, id, "active")
	case "remove":
		back, notice = "/webhooks", "Removed."
		err = c.Service.RemoveWebhook(ctx, req.by, id)
	case "rotate":
		made, err := c.Service.RotateWebhook(ctx, req.by, id)
		if err != nil {
			return nil, err
		}
		return c.frame(req, "New secret", webhookSecretTemplate(made.ID, made.URL, made.Secret, "For a day the old secret signs as well.")), nil
	default:
		return nil, errNoPage
	}
	if err != nil {
		return nil, err
	}
	return c.redirect(req, back, notice)
}
