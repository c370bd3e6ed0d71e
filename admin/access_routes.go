package admin

import (
	"net/http"

	"github.com/usherd/usherd/directory"
)

// routeNeeds is the outer gate of the API: what somebody must be allowed to do
// somewhere to be let into a route at all. The methods of the service decide
// about the very thing that is asked for. A route that is not here is for the
// owner of the machine alone, so that one that was forgotten lets nobody in.
var routeNeeds = map[string]Action{
	"GET /api/v1/explain":                    SignedIn,
	"GET /api/v1/holders":                    AskChecks,
	"GET /api/v1/groups/{group}/permissions": AskChecks,
	"GET /api/v1/users/{user}/diff":          SignedIn,
	"GET /api/v1/integrations/{key}/access":  SignedIn,

	"POST /api/v1/identities/link":                  WriteUsers,
	"POST /api/v1/identities/detach":                WriteUsers,
	"POST /api/v1/users/{user}/restore":             WriteUsers,
	"POST /api/v1/users/{user}/erase":               WriteUsers,
	"DELETE /api/v1/users/{user}/sign-in":           WriteUsers,
	"GET /api/v1/sources/{source}":                  ReadSources,
	"PATCH /api/v1/sources/{source}":                WriteSources,
	"GET /api/v1/sources/{source}/errors":           ReadSources,
	"GET /api/v1/sources/{source}/certificates":     ReadSources,
	"GET /api/v1/users/{user}/freshness":            SignedIn,
	"POST /api/v1/users/{user}/forget":              OperateSync,
	"GET /api/v1/daemon/log-level":                  OperateSync,
	"PUT /api/v1/daemon/log-level":                  OperateSync,
	"GET /api/v1/daemon/support-bundle":             OperateSync,
	"GET /api/v1/sources/{source}/log/{id}":         ReadSources,
	"POST /api/v1/sources/{source}/log/{id}/replay": WriteSources,
	"POST /api/v1/tokens/{id}/rotate":               WriteTokens,

	"GET /api/v1/sources":                  ReadSources,
	"POST /api/v1/sources":                 WriteSources,
	"POST /api/v1/sources/{source}/state":  WriteSources,
	"DELETE /api/v1/sources/{source}":      WriteSources,
	"GET /api/v1/sources/{source}/log":     ReadSources,
	"POST /api/v1/sources/{source}/test":   OperateSync,
	"POST /api/v1/explain/find":            OperateSync,
	"POST /api/v1/sources/{source}/sync":   OperateSync,
	"POST /api/v1/sources/{source}/plan":   OperateSync,
	"POST /api/v1/sources/{source}/cancel": OperateSync,
	"GET /api/v1/sync":                     ReadSources,
	"GET /api/v1/holds":                    ReadSources,
	"GET /api/v1/holds/{source}":           ReadSources,
	"POST /api/v1/holds/{source}/approve":  OperateSync,
	"POST /api/v1/holds/{source}/discard":  OperateSync,
	"GET /api/v1/tokens":                   ReadTokens,
	"POST /api/v1/tokens":                  WriteTokens,
	"DELETE /api/v1/tokens/{id}":           WriteTokens,
	"GET /api/v1/audit":                    ReadAudit,
	"GET /api/v1/audit/verify":             ReadAudit,
	"GET /api/v1/audit/checkpoint":         ReadAudit,
	"POST /api/v1/audit/reindex":           OperateSync,
	"GET /api/v1/policy":                   ReadPolicy,
	"POST /api/v1/policy/plan":             WritePolicy,
	"POST /api/v1/policy/diff":             ReadPolicy,
	"POST /api/v1/policy/test":             WritePolicy,
	"POST /api/v1/policy/apply":            WritePolicy,
	"GET /api/v1/drafts":                   WritePolicy,
	"POST /api/v1/drafts":                  WritePolicy,
	"POST /api/v1/drafts/plan":             WritePolicy,
	"GET /api/v1/drafts/{id}":              WritePolicy,
	"PUT /api/v1/drafts/{id}":              WritePolicy,
	"DELETE /api/v1/drafts/{id}":           WritePolicy,
	"POST /api/v1/drafts/{id}/plan":        WritePolicy,
	"POST /api/v1/drafts/{id}/rebase":      WritePolicy,
	"POST /api/v1/drafts/{id}/apply":       WritePolicy,
	"GET /api/v1/mappings":                 ReadPolicy,
	"POST /api/v1/mappings/{name}/confirm": WritePolicy,
	"GET /api/v1/overrides":                ReadDirectory,
	"POST /api/v1/overrides":               WriteGrants,
	"POST /api/v1/overrides/end":           WriteGrants,
	"POST /api/v1/check":                   SignedIn,
	"POST /api/v1/explain":                 SignedIn,
	"GET /api/v1/users/{user}/permissions": SignedIn,

	"GET /api/v1/me":                                 SignedIn,
	"GET /api/v1/users":                              ReadDirectory,
	"GET /api/v1/user-attributes":                    ReadDirectory,
	"POST /api/v1/users":                             WriteUsers,
	"GET /api/v1/users/{user}":                       SignedIn,
	"GET /api/v1/users/{user}/groups":                SignedIn,
	"PATCH /api/v1/users/{user}":                     WriteUsers,
	"DELETE /api/v1/users/{user}":                    WriteUsers,
	"PUT /api/v1/users/{user}/block":                 BlockUsers,
	"POST /api/v1/users/{user}/grants":               WriteGrants,
	"POST /api/v1/users/{user}/revoke":               WriteGrants,
	"POST /api/v1/bulk":                              SignedIn,
	"GET /api/v1/groups":                             ReadDirectory,
	"POST /api/v1/groups":                            WriteGroups,
	"GET /api/v1/groups/{group}":                     ReadDirectory,
	"PATCH /api/v1/groups/{group}":                   BlockGroups,
	"DELETE /api/v1/groups/{group}":                  WriteGroups,
	"GET /api/v1/groups/{group}/members":             ReadDirectory,
	"POST /api/v1/groups/{group}/members":            WriteGroups,
	"POST /api/v1/groups/{group}/members/remove":     WriteGroups,
	"PUT /api/v1/groups/{group}/status":              BlockGroups,
	"PUT /api/v1/groups/{group}/scope":               WriteGroups,
	"POST /api/v1/groups/{group}/grants":             WriteGrants,
	"POST /api/v1/groups/{group}/revoke":             WriteGrants,
	"GET /api/v1/projects":                           ReadDirectory,
	"POST /api/v1/projects":                          WritePolicy,
	"PUT /api/v1/projects/{project}":                 WritePolicy,
	"DELETE /api/v1/projects/{project}":              WritePolicy,
	"GET /api/v1/roles":                              ReadPolicy,
	"POST /api/v1/roles":                             WritePolicy,
	"GET /api/v1/roles/{role}":                       ReadPolicy,
	"PUT /api/v1/roles/{role}":                       WritePolicy,
	"DELETE /api/v1/roles/{role}":                    WritePolicy,
	"PUT /api/v1/default-role":                       WritePolicy,
	"GET /api/v1/catalogue":                          ReadPolicy,
	"PUT /api/v1/catalogue/features/{key}":           WritePolicy,
	"DELETE /api/v1/catalogue/features/{key}":        WritePolicy,
	"PUT /api/v1/catalogue/outputs/{key}":            WritePolicy,
	"DELETE /api/v1/catalogue/outputs/{key}":         WritePolicy,
	"PUT /api/v1/catalogue/resources/{key}":          WritePolicy,
	"DELETE /api/v1/catalogue/resources/{key}":       WritePolicy,
	"GET /api/v1/integrations":                       SignedIn,
	"POST /api/v1/integrations":                      AddConnection,
	"PUT /api/v1/integrations/{key}":                 SignedIn,
	"DELETE /api/v1/integrations/{key}":              SignedIn,
	"GET /api/v1/integrations/{key}/members":         SignedIn,
	"PUT /api/v1/integrations/{key}/members":         SignedIn,
	"POST /api/v1/integrations/{key}/members/reset":  SignedIn,
	"POST /api/v1/integrations/{key}/members/remove": SignedIn,
	"GET /api/v1/webhooks":                           ReadWebhooks,
	"POST /api/v1/webhooks":                          ManageWebhooks,
	"GET /api/v1/webhooks/{id}":                      ReadWebhooks,
	"DELETE /api/v1/webhooks/{id}":                   ManageWebhooks,
	"POST /api/v1/webhooks/{id}/state":               ManageWebhooks,
	"POST /api/v1/webhooks/{id}/rotate":              ManageWebhooks,
	"POST /api/v1/webhooks/{id}/test":                ManageWebhooks,
	"GET /api/v1/webhooks/{id}/deliveries":           ReadWebhooks,
	"POST /api/v1/webhooks/{id}/deliveries":          ManageWebhooks,
	"GET /api/v1/jobs":                               SignedIn,
	"POST /api/v1/jobs":                              SignedIn,
	"GET /api/v1/jobs/{id}":                          SignedIn,
	"GET /api/v1/jobs/{id}/items":                    SignedIn,
	"POST /api/v1/jobs/{id}/cancel":                  SignedIn,
	"POST /api/v1/jobs/{id}/revert":                  SignedIn,
	"POST /api/v1/mappings":                          WritePolicy,
	"PUT /api/v1/mappings/{name}":                    WritePolicy,
	"DELETE /api/v1/mappings/{name}":                 WritePolicy,
	"POST /api/v1/mappings/{name}/state":             WritePolicy,
}

// admit lets a principal into a route, or not.
func (a *API) admit(r *http.Request, by directory.Actor) error {
	if r.Pattern == anything {
		return nil // there is nothing
	}
	who, err := a.Service.authority(r.Context(), by)
	if err != nil || who.Root() {
		return err
	}
	action, ok := routeNeeds[r.Pattern]
	if !ok {
		return ErrForbidden
	}
	if action == SignedIn {
		return nil
	}
	return who.requireAnywhere(action)
}
