package admin

// questions are the routes that tell who may do what, and why.
func (a *API) questions() map[string]handler {
	return map[string]handler{
		"GET /api/v1/explain": a.explainQuery,
	}
}
