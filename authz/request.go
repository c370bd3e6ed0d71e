package authz

import (
	"strings"

	"github.com/usherd/usherd/directory"
)

// The types of subject that a check may name.
const (
	SubjectUser     = "user"
	SubjectEmail    = "email"
	SubjectExternal = "external"
	SubjectService  = "service"
)

// The reserved types of resource. Any other type is one of the catalogue's.
const (
	TypeFeature     = "feature"
	TypeOutput      = "output"
	TypeIntegration = "integration"
	TypeProject     = "project"
)

// The actions that are not declared by the catalogue.
const (
	ActionAccess      = "access"       // on a feature
	ActionGenerate    = "generate"     // on an output
	ActionView        = "view"         // on an integration: viewer
	ActionUse         = "use"          // on an integration: consumer
	ActionManage      = "manage"       // on an integration: admin; on a project: project.manage
	ActionCreateSync  = "create_sync"  // on an integration, in a project
	ActionCreate      = "create"       // on the integration *
	ActionRead        = "read"         // on a project
	ActionManageSyncs = "manage_syncs" // on a project
)

// Every stands for every id: in the key of a privilege, and as the id of the
// integration on which create is asked.
const Every = "*"

// A Request asks whether a subject may do something to a resource.
type Request struct {
	SubjectType string // how the subject was named: user, email, external or service
	Action      string
	Type        string // of the resource
	ID          string // of the resource

	// Project and AlsoProject are the projects that the check names in its two
	// places, resource.properties.project and context.project. Empty names
	// none. They must agree, with each other and with the id of a project
	// resource.
	Project     directory.ProjectKey
	AlsoProject directory.ProjectKey
}

// Reserved reports whether typ can't be the type of a catalogue's resource.
func Reserved(typ string) bool {
	switch typ {
	case TypeFeature, TypeOutput, TypeIntegration, TypeProject,
		SubjectUser, SubjectEmail, SubjectExternal, SubjectService:
		return true
	}
	return false
}

// A want is one privilege that a request asks for, in two forms: names, to
// compare with grants, and the numbers under which a snapshot keeps them.
type want struct {
	kind   directory.PrivilegeKind // empty if a right is asked
	typ    string                  // role: of the thing; "feature" for one in a feature
	id     string                  // access, output, integration: the key; role: of the thing
	action string                  // role
	level  directory.Level         // integration: at least
	right  directory.Right         // a right, or the one that gives the level everywhere
	ids    [3]privID               // any of them will do
	lower  [3]privID               // integration above viewer: the same at viewer
}

// givenBy reports whether p is the privilege that is asked, or contains it.
func (w *want) givenBy(p directory.Privilege) bool {
	if w.kind != p.Kind || w.kind == "" {
		return false
	}
	switch w.kind {
	case directory.Access, directory.OutputPrivilege:
		return p.Key == w.id
	case directory.IntegrationLevel:
		return p.Level >= w.level && (p.Key == w.id || p.Key == Every)
	case directory.RolePrivilege:
		if w.typ == TypeFeature {
			return len(p.Key) == len(w.id)+1+len(w.action) && strings.HasPrefix(p.Key, w.id) &&
				p.Key[len(w.id)] == ':' && strings.HasSuffix(p.Key, w.action)
		}
		typ, id, action, ok := directory.SplitRoleKey(p.Key)
		return ok && typ == w.typ && action == w.action && (id == w.id || id == Every)
	}
	return false
}

// givenByRight reports whether r is the right that is asked, or gives the level
// that is.
func (w *want) givenByRight(r directory.Right) bool {
	if w.kind == directory.IntegrationLevel {
		return rightLevel(r) >= w.level
	}
	return w.kind == "" && r == w.right
}

// atViewer is w for the lowest level that has an effect.
func (w *want) atViewer() want {
	low := *w
	low.level, low.ids = directory.Viewer, w.lower
	return low
}

// rightLevel is the level that r gives on every connection.
func rightLevel(r directory.Right) directory.Level {
	switch r {
	case directory.IntegrationsViewAll:
		return directory.Viewer
	case directory.IntegrationsUseAll:
		return directory.Consumer
	case directory.IntegrationsManageAll:
		return directory.Admin
	}
	return directory.NoLevel
}
