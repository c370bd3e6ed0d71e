package admin

// questions are the routes that tell who may do what, and why.
func (a *API) questions() map[string]handler {
	return map[string]handler{
		"GET /api/v1/explain":                    a.explainQuery,
		"POST /api/v1/explain/find":              a.findLive,
		"GET /api/v1/holders":                    a.holders,
		"GET /api/v1/groups/{group}/permissions": a.groupPermissions,
		"GET /api/v1/users/{user}/diff":          a.compareUsers,
		"GET /api/v1/integrations/{key}/access":  a.integrationAccess,
	}
}
