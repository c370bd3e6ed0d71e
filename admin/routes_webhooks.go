package admin

// webhookRoutes are the routes of webhooks.
func (a *API) webhookRoutes() map[string]handler {
	return map[string]handler{
		"GET /api/v1/webhooks":             func(c call) (answer, error) { return listOf(a.Service.ListWebhooks(c.Context())) },
		"POST /api/v1/webhooks":            a.addWebhook,
		"GET /api/v1/webhooks/{id}":        func(c call) (answer, error) { return outcome(a.Service.Webhook(c.Context(), c.PathValue("id"))) },
		"DELETE /api/v1/webhooks/{id}":     a.removeWebhook,
		"POST /api/v1/webhooks/{id}/state": a.setWebhookState,
		"POST /api/v1/webhooks/{id}/rotate": func(c call) (answer, error) {
			return created(a.Service.RotateWebhook(c.Context(), c.by, c.PathValue("id")))
		},
		"POST /api/v1/webhooks/{id}/test": func(c call) (answer, error) {
			return outcome(a.Service.TestWebhook(c.Context(), c.by, c.PathValue("id")))
		},
		"GET /api/v1/webhooks/{id}/deliveries": func(c call) (answer, error) {
			return listOf(a.Service.WebhookDeliveries(c.Context(), c.PathValue("id")))
		},
		"POST /api/v1/webhooks/{id}/deliveries": a.resendWebhook,
	}
}

type (
	webhookBody struct {
		URL    string   `json:"url"`
		Events []string `json:"events,omitempty"` // none: all
	}
	webhookStateBody struct {
		State string `json:"state"`
	}
	resendBody struct {
		Delivery string `json:"delivery"`
	}
	removedWebhook struct {
		ID      string `json:"id"`
		Removed bool   `json:"removed"`
	}
)

func (a *API) addWebhook(c call) (answer, error) {
	var body webhookBody
	if err := c.body(&body); err != nil {
		return answer{}, err
	}
	return created(a.Service.AddWebhook(c.Context(), c.by, body.URL, body.Events))
}

func (a *API) setWebhookState(c call) (answer, error) {
	var body webhookStateBody
	if err := c.body(&body); err != nil {
		return answer{}, err
	}
	return outcome(a.Service.SetWebhookState(c.Context(), c.by, c.PathValue("id"), body.State))
}

func (a *API) removeWebhook(c call) (answer, error) {
	err := a.Service.RemoveWebhook(c.Context(), c.by, c.PathValue("id"))
	return outcome(removedWebhook{c.PathValue("id"), err == nil}, err)
}

func (a *API) resendWebhook(c call) (answer, error) {
	var body resendBody
	if err := c.body(&body); err != nil {
		return answer{}, err
	}
	if id := c.PathValue("id"); len(body.Delivery) <= len(id) || body.Delivery[:len(id)+1] != id+"/" {
		return answer{}, invalidAt("/delivery", "not a delivery of webhook %s", id)
	}
	return outcome(a.Service.ResendWebhook(c.Context(), c.by, body.Delivery))
}
