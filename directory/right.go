package directory

import "slices"

// A Right is an administrative or integration-wide right. Rights are held
// through Roles only.
type Right string

// Organization rights. They count only on a path without a project.
const (
	IntegrationsViewAll   Right = "integrations.view_all"
	IntegrationsUseAll    Right = "integrations.use_all"
	IntegrationsManageAll Right = "integrations.manage_all"
	IntegrationsCreate    Right = "integrations.create"
	DirectoryRead         Right = "directory.read"
	UsersManage           Right = "users.manage"
	GroupsManage          Right = "groups.manage"
	GrantsManage          Right = "grants.manage"
	PolicyManage          Right = "policy.manage"
	SourcesManage         Right = "sources.manage"
	SyncOperate           Right = "sync.operate"
	TokensManage          Right = "tokens.manage"
	AuditRead             Right = "audit.read"
	OrganizationOwn       Right = "organization.own"
)

// Project rights. Granted organization-wide they count in every project.
const (
	ProjectRead   Right = "project.read"
	ManageSyncs   Right = "manage_syncs"
	ProjectManage Right = "project.manage"
)

// OrganizationRights and ProjectRights list all rights in the order of the
// documentation.
var (
	OrganizationRights = []Right{
		IntegrationsViewAll, IntegrationsUseAll, IntegrationsManageAll, IntegrationsCreate,
		DirectoryRead, UsersManage, GroupsManage, GrantsManage, PolicyManage, SourcesManage, SyncOperate, TokensManage,
		AuditRead, OrganizationOwn,
	}
	ProjectRights = []Right{ProjectRead, ManageSyncs, ProjectManage}
)

// IsOrganization reports whether r is an organization right.
func (r Right) IsOrganization() bool { return slices.Contains(OrganizationRights, r) }

// IsProject reports whether r is a project right.
func (r Right) IsProject() bool { return slices.Contains(ProjectRights, r) }

// IsAdministration reports whether r lets somebody alter what others may do:
// every right but the two of plain use, and those of reading and syncing.
func (r Right) IsAdministration() bool {
	switch r {
	case IntegrationsViewAll, IntegrationsUseAll, DirectoryRead, ProjectRead, ManageSyncs:
		return false
	}
	return r.IsOrganization() || r.IsProject()
}

// A RoleName names a Role, built in or custom.
type RoleName string

// The built-in Roles.
const (
	RoleOwner               RoleName = "owner"
	RoleAdmin               RoleName = "admin"
	RoleCollaborator        RoleName = "collaborator"
	RoleViewer              RoleName = "viewer"
	RoleAuditor             RoleName = "auditor"
	RoleOperator            RoleName = "operator"
	RoleProjectNone         RoleName = "project-none"
	RoleProjectViewer       RoleName = "project-viewer"
	RoleProjectCollaborator RoleName = "project-collaborator"
	RoleProjectAdmin        RoleName = "project-admin"
)

// BuiltinRoles returns the built-in Roles in the order of the documentation.
// The slice and what it holds are the caller's.
func BuiltinRoles() []Role {
	all := slices.Concat(OrganizationRights, ProjectRights)
	notOwn := slices.DeleteFunc(slices.Clone(all), func(r Right) bool { return r == OrganizationOwn })
	return []Role{
		{Name: RoleOwner, Rights: all},
		{Name: RoleAdmin, Rights: notOwn},
		{Name: RoleCollaborator, Rights: []Right{DirectoryRead, IntegrationsViewAll, IntegrationsUseAll}},
		{Name: RoleViewer, Rights: []Right{DirectoryRead, IntegrationsViewAll}},
		{Name: RoleAuditor, Rights: []Right{DirectoryRead, AuditRead}},
		{Name: RoleOperator, Rights: []Right{DirectoryRead, SyncOperate}},
		{Name: RoleProjectNone},
		{Name: RoleProjectViewer, Rights: []Right{ProjectRead}},
		{Name: RoleProjectCollaborator, Rights: []Right{ProjectRead, ManageSyncs}},
		{Name: RoleProjectAdmin, Rights: []Right{ProjectRead, ManageSyncs, ProjectManage}},
	}
}
