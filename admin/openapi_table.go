package admin

import (
	"encoding/json"
	"net/http"

	"github.com/usherd/usherd/directory"
	"github.com/usherd/usherd/webhook"
)

// An operation is what the document of the API says of a route. Every route has
// one; see [API.Document].
type operation struct {
	summary string
	query   []string // names of parameters, see parameters
	body    any      // a value of the type that is sent; nil: none
	answer  any      // a value of the type that comes back
	media   string   // what comes back instead, if that is no JSON
	status  int      // of success; 0 means 200
	many    paging   // of a list
	etag    etagKind // what the version of the object is
	match   bool     // If-Match is needed: the object is replaced as a whole

	also map[int]any // other answers by status
}

// A paging says how a list is cut into pages.
type paging int

const (
	noList paging = iota
	whole         // it is short: the API cuts it
	cut           // the service cuts it
)

// An etagKind says which member of the answer is the version.
type etagKind string

const (
	byVersion  etagKind = "version"
	byVersions etagKind = "versions"
	byPolicy   etagKind = "policy" // the revision of the policy
)

// discarded is the answer to a discarded hold.
type discarded struct {
	Source    directory.SourceName `json:"source"`
	Discarded bool                 `json:"discarded"`
}

var (
	listing  = []string{"limit", "cursor", "format"}
	audience = []string{"project", "anywhere", "why", "at"}
)

// and joins names of parameters.
func and(base []string, more ...string) []string { return append(more, base...) }

// operations describes the routes.
var operations = map[string]operation{
	"GET /api/v1/sources":                           {summary: "List sources", query: listing, answer: list[ListedSource]{}, many: whole},
	"POST /api/v1/sources":                          {summary: "Add a source", body: NewSource{}, answer: MadeSource{}, status: http.StatusCreated},
	"GET /api/v1/sources/{source}":                  {summary: "Show a source with its settings and tallies", answer: SourcePage{}},
	"GET /api/v1/sources/{source}/errors":           {summary: "What of a source could not be taken over", query: listing, answer: list[SourceError]{}, many: whole},
	"GET /api/v1/sources/{source}/certificates":     {summary: "How the servers of an LDAP source prove themselves now", answer: certificates{}},
	"GET /api/v1/users/{user}/freshness":            {summary: "Where an answer about a user comes from, and how old it is", answer: Freshness{}},
	"POST /api/v1/users/{user}/forget":              {summary: "Drop what this process holds of a user", answer: forgotten{}},
	"GET /api/v1/daemon/log-level":                  {summary: "What this daemon writes to its log", answer: LogLevel{}},
	"PUT /api/v1/daemon/log-level":                  {summary: "Have this daemon write more or less for 15 minutes", body: logLevelBody{}, answer: LogLevel{}},
	"GET /api/v1/daemon/support-bundle":             {summary: "What helps to find a fault of this daemon, as tar.gz", answer: "", media: gzipType},
	"PATCH /api/v1/sources/{source}":                {summary: "Change settings of a source", body: settingsBody{}, answer: Outcome{}},
	"POST /api/v1/sources/{source}/state":           {summary: "Pause, resume, disable or enable a source", body: sourceStateBody{}, answer: Outcome{}},
	"DELETE /api/v1/sources/{source}":               {summary: "Remove a disabled source", query: []string{"people", "gaining"}, answer: Outcome{}},
	"GET /api/v1/sources/{source}/log":              {summary: "List what a source asked for, the newest first", query: and(listing, "failed", "since"), answer: list[directory.Request]{}, many: cut},
	"GET /api/v1/sources/{source}/log/{id}":         {summary: "Show one request of a source", answer: LoggedRequest{}},
	"POST /api/v1/sources/{source}/log/{id}/replay": {summary: "Repeat a request of a source, or try it", body: replayBody{}, answer: Replayed{}},
	"POST /api/v1/sources/{source}/test":            {summary: "Try to reach a source and read from it", answer: json.RawMessage{}},
	"POST /api/v1/sources/{source}/sync":            {summary: "Run the synchronisation of a source now", answer: SyncRun{}},
	"POST /api/v1/sources/{source}/plan":            {summary: "Say what a synchronisation would do", answer: json.RawMessage{}},
	"POST /api/v1/sources/{source}/cancel":          {summary: "Stop the run that is under way; what it has applied stays", body: cancelBody{}, answer: SyncRun{}},
	"GET /api/v1/sync":                              {summary: "List sources with their newest runs", query: and(listing, "source", "runs"), answer: list[SyncStatus]{}, many: whole},
	"GET /api/v1/holds":                             {summary: "List plans that wait for approval", query: listing, answer: list[directory.Hold]{}, many: whole},
	"GET /api/v1/holds/{source}":                    {summary: "Show the plan of a source that waits", answer: directory.Hold{}},
	"POST /api/v1/holds/{source}/approve":           {summary: "Approve a plan by its hash", body: holdBody{}, answer: SyncRun{}},
	"POST /api/v1/holds/{source}/discard":           {summary: "Discard a plan by its hash", body: holdBody{}, answer: discarded{}},

	"GET /api/v1/tokens":              {summary: "List tokens, without secrets", query: listing, answer: list[ListedToken]{}, many: whole},
	"POST /api/v1/tokens":             {summary: "Make a token; its text is in this answer only", body: newTokenBody{}, answer: MadeToken{}, status: http.StatusCreated},
	"DELETE /api/v1/tokens/{id}":      {summary: "Revoke a token at once", answer: Outcome{}},
	"POST /api/v1/tokens/{id}/rotate": {summary: "Make a token like another, which goes on for a while", body: rotateBody{}, answer: MadeToken{}, status: http.StatusCreated},

	"GET /api/v1/me":                       {summary: "Say who asks and what they may do", answer: Me{}},
	"GET /api/v1/users":                    {summary: "List users", query: and(listing, "q", "name", "type", "status", "source", "group", "project", "role", "company", "login", "sort", "offset", "attributes"), answer: Listing[ListedUser]{}, many: cut},
	"GET /api/v1/user-attributes":          {summary: "List the attributes that sources deliver of users, the most common first", query: listing, answer: list[AttributeUse]{}, many: whole},
	"POST /api/v1/users":                   {summary: "Create a local user", body: NewUser{}, answer: MadeUser{}, status: http.StatusCreated},
	"GET /api/v1/users/{user}":             {summary: "Show a user", answer: UserPage{}, etag: byVersions},
	"GET /api/v1/users/{user}/groups":      {summary: "List the groups of a user, also by nesting, and since when", query: listing, answer: list[Belonging]{}, many: whole},
	"PATCH /api/v1/users/{user}":           {summary: "Edit a local user", body: UserEdit{}, answer: Outcome{}},
	"DELETE /api/v1/users/{user}":          {summary: "Delete a user", query: []string{"force"}, answer: Outcome{}},
	"PUT /api/v1/users/{user}/block":       {summary: "Block or unblock a user", body: blockBody{}, answer: Outcome{}},
	"POST /api/v1/users/{user}/grants":     {summary: "Grant to a user", body: GrantSpec{}, answer: Outcome{}},
	"POST /api/v1/users/{user}/revoke":     {summary: "Revoke from a user", body: GrantSpec{}, answer: Outcome{}},
	"POST /api/v1/users/{user}/restore":    {summary: "Restore a deleted user", answer: Outcome{}},
	"POST /api/v1/users/{user}/erase":      {summary: "Erase the personal data of a deleted user", answer: Erased{}},
	"DELETE /api/v1/users/{user}/sign-in":  {summary: "Release the accounts of identity providers that are bound to a user", answer: Released{}},
	"GET /api/v1/users/{user}/permissions": {summary: "Say what a user may do", query: audience, answer: HeldPermissions{}},
	"GET /api/v1/users/{user}/diff":        {summary: "Compare a user with another, or with another time", query: []string{"with", "at", "from", "to"}, answer: Comparison{}},
	"POST /api/v1/identities/link":         {summary: "Move an identity to another user", body: linkBody{}, answer: Outcome{}},
	"POST /api/v1/identities/detach":       {summary: "Make an identity a user of its own", body: detachBody{}, answer: Outcome{}},
	"POST /api/v1/bulk":                    {summary: "Do one thing to many users or groups; with Prefer: respond-async as a job", body: Bulk{}, answer: BulkResult{}, also: map[int]any{http.StatusMultiStatus: BulkResult{}, http.StatusAccepted: Job{}}},

	"GET /api/v1/jobs":              {summary: "List jobs, the oldest first", query: listing, answer: list[Job]{}, many: whole},
	"POST /api/v1/jobs":             {summary: "Do one thing to many users or groups as a job", body: Bulk{}, answer: Job{}, status: http.StatusAccepted},
	"GET /api/v1/jobs/{id}":         {summary: "Show how far a job is", answer: Job{}},
	"GET /api/v1/jobs/{id}/items":   {summary: "List what came of each item of a job", query: listing, answer: list[BulkItem]{}, many: whole},
	"POST /api/v1/jobs/{id}/cancel": {summary: "Stop a job after the item that it is at", answer: Job{}},
	"POST /api/v1/jobs/{id}/revert": {summary: "Take back what a job did, as a job; with dry_run as a preview", answer: Job{}, status: http.StatusAccepted, also: map[int]any{http.StatusOK: BulkResult{}}},

	"GET /api/v1/groups":                         {summary: "List groups", query: and(listing, "q", "name", "source", "status", "project", "role", "empty", "sort", "offset"), answer: Listing[ListedGroup]{}, many: cut},
	"POST /api/v1/groups":                        {summary: "Create a local group", body: NewGroup{}, answer: MadeGroup{}, status: http.StatusCreated},
	"GET /api/v1/groups/{group}":                 {summary: "Show a group", query: []string{"members"}, answer: GroupPage{}, etag: byVersion},
	"PATCH /api/v1/groups/{group}":               {summary: "Edit a group", body: GroupEdit{}, answer: Outcome{}},
	"DELETE /api/v1/groups/{group}":              {summary: "Delete a local group", answer: Outcome{}},
	"GET /api/v1/groups/{group}/members":         {summary: "List direct members of a group", query: and(listing, "q", "source", "sort"), answer: Listing[GroupMember]{}, many: cut},
	"POST /api/v1/groups/{group}/members":        {summary: "Add members to a local group", body: membersBody{}, answer: Outcome{}},
	"POST /api/v1/groups/{group}/members/remove": {summary: "Remove members of a local group", body: membersBody{}, answer: Outcome{}},
	"PUT /api/v1/groups/{group}/status":          {summary: "Block or unblock a group", body: groupStatusBody{}, answer: Outcome{}},
	"PUT /api/v1/groups/{group}/scope":           {summary: "Limit a group to a project, or to none", body: scopeBody{}, answer: Outcome{}},
	"POST /api/v1/groups/{group}/grants":         {summary: "Grant to a group", body: GrantSpec{}, answer: Outcome{}},
	"POST /api/v1/groups/{group}/revoke":         {summary: "Revoke from a group", body: GrantSpec{}, answer: Outcome{}},
	"GET /api/v1/groups/{group}/permissions":     {summary: "Say what a group gives", query: audience, answer: HeldPermissions{}},

	"GET /api/v1/overrides":                {summary: "List overrides", query: and(listing, "user"), answer: list[namedOverride]{}, many: whole},
	"POST /api/v1/overrides":               {summary: "Replace what users have in one scope", body: NewOverride{}, answer: namedMade{}},
	"POST /api/v1/overrides/end":           {summary: "Let a user follow the directory again", body: endOverrideBody{}, answer: Outcome{}},
	"GET /api/v1/mappings":                 {summary: "List mappings with what they match", query: listing, answer: list[ListedMapping]{}, many: whole},
	"POST /api/v1/mappings":                {summary: "Add a mapping", body: MappingSpec{}, answer: Outcome{}, status: http.StatusCreated},
	"PUT /api/v1/mappings/{name}":          {summary: "Replace a mapping", body: MappingSpec{}, answer: Outcome{}, match: true},
	"DELETE /api/v1/mappings/{name}":       {summary: "Remove a mapping and what it grants", answer: Outcome{}},
	"POST /api/v1/mappings/{name}/state":   {summary: "Enable or disable a mapping", body: mappingStateBody{}, answer: Outcome{}},
	"POST /api/v1/mappings/{name}/confirm": {summary: "Confirm a suspended group of a mapping", body: confirmBody{}, answer: Outcome{}},

	"GET /api/v1/policy":        {summary: "Export the policy", answer: ExportedPolicy{}, etag: byPolicy},
	"POST /api/v1/policy/plan":  {summary: "Say what a policy file would do to whom", body: PolicyFile{}, answer: PolicyPlan{}},
	"POST /api/v1/policy/diff":  {summary: "Say in what a policy file differs", body: PolicyFile{}, answer: PolicyDiff{}},
	"POST /api/v1/policy/test":  {summary: "Run the tests of a policy file", body: PolicyFile{}, answer: TestedPolicy{}},
	"POST /api/v1/policy/apply": {summary: "Apply a policy file", body: PolicyFile{}, answer: AppliedPolicy{}},

	"GET /api/v1/drafts":              {summary: "List saved changes of the policy, the newest first", query: listing, answer: list[Draft]{}, many: whole},
	"POST /api/v1/drafts":             {summary: "Save a change of the policy with what must hold after it; it gives nothing until it is applied", body: DraftSpec{}, answer: Draft{}, status: http.StatusCreated},
	"POST /api/v1/drafts/plan":        {summary: "Say what a draft would do to whom, without saving it", body: tryDraftBody{}, answer: DraftPlan{}},
	"GET /api/v1/drafts/{id}":         {summary: "Show a draft", answer: Draft{}, etag: byVersion},
	"PUT /api/v1/drafts/{id}":         {summary: "Replace what is written in a draft", body: DraftSpec{}, answer: Draft{}, match: true},
	"DELETE /api/v1/drafts/{id}":      {summary: "Discard a draft", answer: Draft{}},
	"POST /api/v1/drafts/{id}/plan":   {summary: "Say what a draft would do to whom, and how its assertions end", body: draftPlanBody{}, answer: DraftPlan{}},
	"POST /api/v1/drafts/{id}/rebase": {summary: "Take the present policy as what a draft was written over", answer: Draft{}},
	"POST /api/v1/drafts/{id}/apply":  {summary: "Apply a draft as its plan showed it", body: draftApplyBody{}, answer: AppliedPolicy{}},

	"GET /api/v1/projects":              {summary: "List projects", query: and(listing, "sort"), answer: list[ListedProject]{}, many: whole, etag: byPolicy},
	"POST /api/v1/projects":             {summary: "Create a project", body: directory.Project{}, answer: Outcome{}, status: http.StatusCreated},
	"PUT /api/v1/projects/{project}":    {summary: "Rename a project", body: titled{}, answer: Outcome{}},
	"DELETE /api/v1/projects/{project}": {summary: "Delete a project that nothing uses", answer: Outcome{}},
	"GET /api/v1/roles":                 {summary: "List Roles", query: listing, answer: list[ListedRole]{}, many: whole, etag: byPolicy},
	"POST /api/v1/roles":                {summary: "Create a Role", body: RoleSpec{}, answer: Outcome{}, status: http.StatusCreated},
	"GET /api/v1/roles/{role}":          {summary: "Show a Role and who has it", query: []string{"users"}, answer: RolePage{}, etag: byPolicy},
	"PUT /api/v1/roles/{role}":          {summary: "Replace a custom Role", body: RoleSpec{}, answer: Outcome{}, match: true},
	"DELETE /api/v1/roles/{role}":       {summary: "Delete a custom Role that nothing uses", answer: Outcome{}},
	"PUT /api/v1/default-role":          {summary: "Set the default Role", body: defaultRoleBody{}, answer: Outcome{}},

	"GET /api/v1/catalogue":                    {summary: "Show the catalogue", answer: Catalogue{}, etag: byPolicy},
	"PUT /api/v1/catalogue/features/{key}":     {summary: "Add or change a feature", query: []string{"place"}, body: directory.Feature{}, answer: Outcome{}},
	"DELETE /api/v1/catalogue/features/{key}":  {summary: "Remove a feature that nothing uses", answer: Outcome{}},
	"PUT /api/v1/catalogue/outputs/{key}":      {summary: "Add or change an output", body: directory.Output{}, answer: Outcome{}},
	"DELETE /api/v1/catalogue/outputs/{key}":   {summary: "Remove an output that nothing uses", answer: Outcome{}},
	"PUT /api/v1/catalogue/resources/{key}":    {summary: "Add or change a resource type", body: directory.ResourceType{}, answer: Outcome{}},
	"DELETE /api/v1/catalogue/resources/{key}": {summary: "Remove a resource type that nothing uses", answer: Outcome{}},

	"GET /api/v1/integrations":                       {summary: "List connections", query: listing, answer: list[ListedIntegration]{}, many: whole, etag: byPolicy},
	"POST /api/v1/integrations":                      {summary: "Add a connection", body: directory.Integration{}, answer: Outcome{}, status: http.StatusCreated},
	"PUT /api/v1/integrations/{key}":                 {summary: "Rename a connection", body: titled{}, answer: Outcome{}},
	"DELETE /api/v1/integrations/{key}":              {summary: "Remove a connection that nothing uses", answer: Outcome{}},
	"GET /api/v1/integrations/{key}/members":         {summary: "List who has a level on a connection", query: listing, answer: list[ConnectionMember]{}, many: whole},
	"PUT /api/v1/integrations/{key}/members":         {summary: "Give a member a level on a connection", body: memberBody{}, answer: Outcome{}},
	"POST /api/v1/integrations/{key}/members/reset":  {summary: "Undo a raise of a member", body: memberBody{}, answer: Outcome{}},
	"POST /api/v1/integrations/{key}/members/remove": {summary: "Remove a member of a connection", body: memberBody{}, answer: Outcome{}},
	"GET /api/v1/integrations/{key}/access":          {summary: "Say who may do what with a connection", query: and(listing, "project", "anywhere", "at"), answer: AccessPage{}, many: cut},

	"GET /api/v1/webhooks":                  {summary: "List webhooks", query: listing, answer: list[webhook.Endpoint]{}, many: whole},
	"POST /api/v1/webhooks":                 {summary: "Add a webhook; its secret is in this answer only", body: webhookBody{}, answer: webhook.MadeEndpoint{}, status: http.StatusCreated},
	"GET /api/v1/webhooks/{id}":             {summary: "Show a webhook", answer: webhook.Endpoint{}},
	"DELETE /api/v1/webhooks/{id}":          {summary: "Remove a webhook and its deliveries", answer: removedWebhook{}},
	"POST /api/v1/webhooks/{id}/state":      {summary: "Enable or disable a webhook", body: webhookStateBody{}, answer: webhook.Endpoint{}},
	"POST /api/v1/webhooks/{id}/rotate":     {summary: "Make a new secret; the old one signs too for a day", answer: webhook.MadeEndpoint{}, status: http.StatusCreated},
	"POST /api/v1/webhooks/{id}/test":       {summary: "Queue an event that says nothing", answer: webhook.Delivery{}},
	"GET /api/v1/webhooks/{id}/deliveries":  {summary: "List deliveries, the newest first", query: listing, answer: list[webhook.Delivery]{}, many: whole},
	"POST /api/v1/webhooks/{id}/deliveries": {summary: "Send a delivery again", body: resendBody{}, answer: webhook.Delivery{}},

	"POST /api/v1/check":        {summary: "Ask a check", body: Question{}, answer: Answer{}},
	"POST /api/v1/explain":      {summary: "Explain a decision", body: Question{}, answer: Explained{}},
	"GET /api/v1/explain":       {summary: "Explain a decision, for links", query: []string{"user", "action", "resource", "project", "at"}, answer: Explained{}},
	"POST /api/v1/explain/find": {summary: "Look in the directories, live, for somebody whom nobody here is called", body: findBody{}, answer: LiveSearch{}},
	"GET /api/v1/holders":       {summary: "List who may do something", query: and(listing, "action", "resource", "role", "right", "project", "anywhere", "at"), answer: HolderPage{}, many: cut},

	"GET /api/v1/audit":            {summary: "List audit records, the oldest first", query: and(listing, "after", "actor", "action", "target", "request", "since", "until"), answer: Listing[directory.AuditRecord]{}, many: cut},
	"GET /api/v1/audit/verify":     {summary: "Verify the audit chain", query: []string{"revision", "hash"}, answer: Verification{}},
	"POST /api/v1/audit/reindex":   {summary: "Make what audit records are listed and found by anew, where it is not what they say", answer: Reindexed{}},
	"GET /api/v1/audit/checkpoint": {summary: "Return a point of the audit chain to keep elsewhere", answer: AuditPoint{}},
}

// A parameter of the query.
type parameter struct{ typ, text string }

// parameters are all that any operation takes.
var parameters = map[string]parameter{
	"limit":    {"integer", "at most so many, up to 1000; whatever is left is on the next page"},
	"cursor":   {"string", "the next_cursor of the page before"},
	"format":   {"string", "csv, jsonl or json: all pages at once, in this format; like Accept: text/csv"},
	"dry_run":  {"boolean", "check and preview only; nothing is altered"},
	"q":        {"string", "text to search for"},
	"name":     {"string", "the exact name"},
	"type":     {"string", "standard or service"},
	"status":   {"string", "only of this status"},
	"source":   {"string", "only of this source"},
	"group":    {"string", "only members of this group: SOURCE/NAME"},
	"project":  {"string", "in this project"},
	"role":     {"string", "with this Role"},
	"company":  {"string", "of this company"},
	"login":    {"string", "when the last login was"},
	"sort":     {"string", "what to sort by; - in front turns it round"},
	"offset":   {"integer", "leave out so many"},
	"empty":    {"boolean", "only groups without members"},
	"user":     {"string", "a user: id, userName, email:ADDRESS or external:SOURCE/ID"},
	"failed":   {"boolean", "only those answered with 400 or more"},
	"since":    {"string", "at this time or later (RFC 3339)"},
	"until":    {"string", "before this time (RFC 3339)"},
	"gaining":  {"integer", "how many people gain something by it, as a trial told: it is needed if anybody does"},
	"people":   {"string", "keep: the people of the source become local ones; otherwise they are deleted"},
	"force":    {"boolean", "delete although a source owns the user"},
	"members":  {"integer", "how many members to list"},
	"users":    {"integer", "how many users to list"},
	"runs":     {"integer", "how many runs of each source"},
	"place":    {"integer", "place on the home page, from 0"},
	"anywhere": {"boolean", "in whatever project"},
	"why":      {"boolean", "with the ways that lead there"},
	"at":       {"string", "a revision or a time of the past"},
	"with":     {"string", "the other user"},
	"from":     {"string", "a revision or time"},
	"to":       {"string", "a revision or time; now if absent"},
	"action":   {"string", "an action"},
	"resource": {"string", "TYPE/ID"},
	"right":    {"string", "a right"},
	"after":    {"integer", "only revisions after this one"},
	"actor":    {"string", "kind, name or source of who did it, or the id of the token"},
	"target":   {"string", "id, key or name of what changed"},
	"request":  {"string", "id of the request or run"},
	"revision": {"integer", "the revision of a kept checkpoint"},
	"hash":     {"string", "the hash of a kept checkpoint"},
	"event":    {"string", "only of this event"},
	"state":    {"string", "only in this state"},

	"attributes": {"string", "tell these attributes of each user besides, joined by commas; see user-attributes"},
}
