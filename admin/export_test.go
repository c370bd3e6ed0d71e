package admin

import (
	"maps"
	"slices"
)

// Patterns lists the routes of the API.
func (a *API) Patterns() []string {
	all := map[string]handler{}
	for _, routes := range a.tables() {
		maps.Copy(all, routes)
	}
	return slices.Sorted(maps.Keys(all))
}
