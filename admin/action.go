package admin

import (
	"github.com/usherd/usherd/directory"
)

// An Action is a kind of thing that somebody asks of the service. What each
// needs is in one table, which decides nothing by itself: see [Authority].
type Action string

// The actions.
const (
	ReadDirectory Action = "read users, groups and grants"
	ReadPolicy    Action = "read the policy"
	WriteUsers    Action = "create, edit and delete users"
	BlockUsers    Action = "block and unblock users"
	WriteGroups   Action = "create, edit and delete groups"
	BlockGroups   Action = "block and unblock groups"
	WriteGrants   Action = "grant and revoke"
	WritePolicy   Action = "change the policy"
	AddConnection Action = "add integrations"
	ReadSources   Action = "read sources, runs and held changes"
	WriteSources  Action = "add, change and remove sources"
	OperateSync   Action = "run, approve and discard synchronisations"
	ReadTokens    Action = "read tokens"
	WriteTokens   Action = "make and revoke tokens"
	ReadAudit     Action = "read the audit log"
	ReadWebhooks  Action = "read webhooks and their deliveries"
	// ManageWebhooks sends what happens to whom to other systems.
	ManageWebhooks Action = "add, change and remove webhooks"
	AskChecks      Action = "ask what a user may do"

	// SignedIn is open to every active signed-in user, about themselves.
	SignedIn Action = "use the service"
)

// A need is what an action needs: one of the organization rights, held
// organization-wide, or the project right, held in the project of the thing.
type need struct {
	organization []directory.Right
	project      directory.Right // empty: no project right is enough
}

// needs is the whole table. An action that is not in it is nobody's.
var needs = map[Action]need{
	ReadDirectory:  {[]directory.Right{directory.DirectoryRead}, directory.ProjectRead},
	ReadPolicy:     {[]directory.Right{directory.DirectoryRead, directory.PolicyManage}, directory.ProjectRead},
	WriteUsers:     {[]directory.Right{directory.UsersManage}, ""},
	BlockUsers:     {[]directory.Right{directory.UsersManage, directory.SyncOperate}, ""},
	WriteGroups:    {[]directory.Right{directory.GroupsManage}, directory.ProjectManage},
	BlockGroups:    {[]directory.Right{directory.GroupsManage, directory.SyncOperate}, directory.ProjectManage},
	WriteGrants:    {[]directory.Right{directory.GrantsManage}, directory.ProjectManage},
	WritePolicy:    {[]directory.Right{directory.PolicyManage}, ""},
	AddConnection:  {[]directory.Right{directory.IntegrationsCreate, directory.PolicyManage}, ""},
	ReadSources:    {[]directory.Right{directory.DirectoryRead, directory.SourcesManage, directory.SyncOperate}, ""},
	WriteSources:   {[]directory.Right{directory.SourcesManage}, ""},
	OperateSync:    {[]directory.Right{directory.SyncOperate}, ""},
	ReadTokens:     {[]directory.Right{directory.TokensManage, directory.AuditRead}, ""},
	WriteTokens:    {[]directory.Right{directory.TokensManage}, ""},
	ReadAudit:      {[]directory.Right{directory.AuditRead}, ""},
	ReadWebhooks:   {[]directory.Right{directory.SourcesManage, directory.AuditRead}, ""},
	ManageWebhooks: {[]directory.Right{directory.SourcesManage}, ""},
	AskChecks:      {[]directory.Right{directory.DirectoryRead}, directory.ProjectRead},
}
