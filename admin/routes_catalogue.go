package admin

import (
	"context"
	"strconv"

	"github.com/usherd/usherd/directory"
)

// catalogueRoutes are the routes of what the policy is made of.
func (a *API) catalogueRoutes() map[string]handler {
	return map[string]handler{
		"GET /api/v1/projects": func(c call) (answer, error) {
			return listOf(a.Service.ProjectsBy(c.Context(), c.URL.Query().Get("sort")))
		},
		"POST /api/v1/projects":                    a.createProject,
		"PUT /api/v1/projects/{project}":           a.renameProject,
		"DELETE /api/v1/projects/{project}":        a.deleteProject,
		"GET /api/v1/roles":                        func(c call) (answer, error) { return listOf(a.Service.Roles(c.Context())) },
		"POST /api/v1/roles":                       a.createRole,
		"GET /api/v1/roles/{role}":                 a.showRole,
		"PUT /api/v1/roles/{role}":                 a.editRole,
		"DELETE /api/v1/roles/{role}":              a.deleteRole,
		"PUT /api/v1/default-role":                 a.setDefaultRole,
		"GET /api/v1/catalogue":                    func(c call) (answer, error) { return outcome(a.Service.Catalogue(c.Context())) },
		"PUT /api/v1/catalogue/features/{key}":     a.putFeature,
		"DELETE /api/v1/catalogue/features/{key}":  a.dropItem(a.Service.DeleteFeature),
		"PUT /api/v1/catalogue/outputs/{key}":      a.putOutput,
		"DELETE /api/v1/catalogue/outputs/{key}":   a.dropItem(a.Service.DeleteOutput),
		"PUT /api/v1/catalogue/resources/{key}":    a.putResource,
		"DELETE /api/v1/catalogue/resources/{key}": a.dropItem(a.Service.DeleteResource),
		"GET /api/v1/integrations":                 func(c call) (answer, error) { return listOf(a.Service.Integrations(c.Context())) },
		"POST /api/v1/integrations":                a.addIntegration,
		"PUT /api/v1/integrations/{key}":           a.renameIntegration,
		"DELETE /api/v1/integrations/{key}":        a.dropItem(a.Service.DeleteIntegration),
		"GET /api/v1/integrations/{key}/members": func(c call) (answer, error) {
			return listOf(a.Service.ConnectionMembers(c.Context(), c.PathValue("key")))
		},
		"PUT /api/v1/integrations/{key}/members":         a.setConnectionMember,
		"POST /api/v1/integrations/{key}/members/reset":  a.onMember(a.Service.ResetConnectionMember),
		"POST /api/v1/integrations/{key}/members/remove": a.onMember(a.Service.RemoveConnectionMember),
		"POST /api/v1/mappings":                          a.createMapping,
		"PUT /api/v1/mappings/{name}":                    a.editMapping,
		"DELETE /api/v1/mappings/{name}":                 a.deleteMapping,
		"POST /api/v1/mappings/{name}/state":             a.setMappingState,
	}
}

// What the methods that take something away have in common.
type (
	dropping   = func(ctx context.Context, by directory.Actor, key string, ifRevision directory.Revision) (Outcome, error)
	onMemberOf = func(ctx context.Context, by directory.Actor, key, who string) (Outcome, error)
)

// edited reads the body of an edit of the policy, and the revision that the
// asker saw.
func edited[T any](c call) (body T, at directory.Revision, err error) {
	if err = c.body(&body); err == nil {
		at, err = c.revision()
	}
	return body, at, err
}

type titled struct {
	Title string `json:"title"`
}

func (a *API) createProject(c call) (answer, error) {
	p, _, err := edited[directory.Project](c)
	if err != nil {
		return answer{}, err
	}
	return created(a.Service.CreateProject(c.Context(), c.by, p))
}

func (a *API) renameProject(c call) (answer, error) {
	body, at, err := edited[titled](c)
	if err != nil {
		return answer{}, err
	}
	return outcome(a.Service.RenameProject(c.Context(), c.by, directory.ProjectKey(c.PathValue("project")), body.Title, at))
}

func (a *API) deleteProject(c call) (answer, error) {
	at, err := c.revision()
	if err != nil {
		return answer{}, err
	}
	return outcome(a.Service.DeleteProject(c.Context(), c.by, directory.ProjectKey(c.PathValue("project")), at))
}

func (a *API) createRole(c call) (answer, error) {
	r, _, err := edited[RoleSpec](c)
	if err != nil {
		return answer{}, err
	}
	return created(a.Service.CreateRole(c.Context(), c.by, r))
}

func (a *API) showRole(c call) (answer, error) {
	n, err := c.number("users")
	if err != nil {
		return answer{}, err
	}
	return outcome(a.Service.Role(c.Context(), directory.RoleName(c.PathValue("role")), n))
}

func (a *API) editRole(c call) (answer, error) {
	r, at, err := edited[RoleSpec](c)
	if err != nil {
		return answer{}, err
	}
	r.Name = directory.RoleName(c.PathValue("role"))
	return outcome(a.Service.EditRole(c.Context(), c.by, r, at))
}

func (a *API) deleteRole(c call) (answer, error) {
	at, err := c.revision()
	if err != nil {
		return answer{}, err
	}
	return outcome(a.Service.DeleteRole(c.Context(), c.by, directory.RoleName(c.PathValue("role")), at))
}

func (a *API) setDefaultRole(c call) (answer, error) {
	body, at, err := edited[defaultRoleBody](c)
	if err != nil {
		return answer{}, err
	}
	return outcome(a.Service.SetDefaultRole(c.Context(), c.by, body.Role, at))
}

func (a *API) putFeature(c call) (answer, error) {
	f, at, err := edited[directory.Feature](c)
	if err != nil {
		return answer{}, err
	}
	place := Keep
	if text := c.URL.Query().Get("place"); text != "" {
		if place, err = strconv.Atoi(text); err != nil || place < 0 {
			return answer{}, invalid("place must be a whole number, not %q", text)
		}
	}
	f.Key = c.PathValue("key")
	return outcome(a.Service.PutFeature(c.Context(), c.by, f, place, at))
}

func (a *API) putOutput(c call) (answer, error) {
	o, at, err := edited[directory.Output](c)
	if err != nil {
		return answer{}, err
	}
	o.Key = c.PathValue("key")
	return outcome(a.Service.PutOutput(c.Context(), c.by, o, at))
}

func (a *API) putResource(c call) (answer, error) {
	r, at, err := edited[directory.ResourceType](c)
	if err != nil {
		return answer{}, err
	}
	r.Type = c.PathValue("key")
	return outcome(a.Service.PutResource(c.Context(), c.by, r, at))
}

func (a *API) addIntegration(c call) (answer, error) {
	i, _, err := edited[directory.Integration](c)
	if err != nil {
		return answer{}, err
	}
	return created(a.Service.AddIntegration(c.Context(), c.by, i))
}

func (a *API) renameIntegration(c call) (answer, error) {
	body, at, err := edited[titled](c)
	if err != nil {
		return answer{}, err
	}
	return outcome(a.Service.RenameIntegration(c.Context(), c.by, c.PathValue("key"), body.Title, at))
}

// dropItem is the handler of a method that removes an item of the catalogue.
func (a *API) dropItem(do dropping) handler {
	return func(c call) (answer, error) {
		at, err := c.revision()
		if err != nil {
			return answer{}, err
		}
		return outcome(do(c.Context(), c.by, c.PathValue("key"), at))
	}
}

type memberBody struct {
	Member string          `json:"member"` // a user, or group:SOURCE/NAME
	Level  directory.Level `json:"level,omitempty"`
}

func (a *API) setConnectionMember(c call) (answer, error) {
	var body memberBody
	if err := c.body(&body); err != nil {
		return answer{}, err
	}
	return outcome(a.Service.SetConnectionMember(c.Context(), c.by, c.PathValue("key"), body.Member, body.Level))
}

// onMember is the handler of a method that takes access of a member away.
func (a *API) onMember(do onMemberOf) handler {
	return func(c call) (answer, error) {
		var body memberBody
		if err := c.body(&body); err != nil {
			return answer{}, err
		}
		return outcome(do(c.Context(), c.by, c.PathValue("key"), body.Member))
	}
}

func (a *API) createMapping(c call) (answer, error) {
	m, _, err := edited[MappingSpec](c)
	if err != nil {
		return answer{}, err
	}
	return created(a.Service.CreateMapping(c.Context(), c.by, m))
}

func (a *API) editMapping(c call) (answer, error) {
	m, at, err := edited[MappingSpec](c)
	if err != nil {
		return answer{}, err
	}
	m.Name = c.PathValue("name")
	return outcome(a.Service.EditMapping(c.Context(), c.by, m, at))
}

func (a *API) deleteMapping(c call) (answer, error) {
	at, err := c.revision()
	if err != nil {
		return answer{}, err
	}
	return outcome(a.Service.DeleteMapping(c.Context(), c.by, c.PathValue("name"), at))
}

type mappingStateBody struct {
	Enabled *bool `json:"enabled"`
}

func (a *API) setMappingState(c call) (answer, error) {
	body, at, err := edited[mappingStateBody](c)
	if err == nil && body.Enabled == nil {
		err = invalidAt("/enabled", "say true or false")
	}
	if err != nil {
		return answer{}, err
	}
	return outcome(a.Service.SetMappingEnabled(c.Context(), c.by, c.PathValue("name"), *body.Enabled, at))
}
