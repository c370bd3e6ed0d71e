package admin

import (
	"encoding/json"

	"github.com/usherd/usherd/directory"
)

// The bodies of requests that are no type of the service.
type (
	sourceStateBody struct {
		State directory.SourceState `json:"state"`
		From  directory.SourceState `json:"from,omitempty"`
	}
	newTokenBody struct {
		NewToken
		Seconds int64 `json:"life_seconds,omitempty"`
	}
	confirmBody struct {
		Group string `json:"group"`
	}
	groupStatusBody struct {
		Status directory.GroupStatus `json:"status"`
	}
	scopeBody struct {
		Project directory.ProjectKey `json:"project,omitempty"`
	}
	blockBody struct {
		Blocked bool   `json:"blocked"`
		Reason  string `json:"reason,omitempty"`
	}
	endOverrideBody struct {
		User       string               `json:"user"`
		Project    directory.ProjectKey `json:"project,omitempty"`
		Everywhere bool                 `json:"everywhere,omitempty"` // organization-wide and in every project, all at once
	}
	linkBody struct {
		Identity string `json:"identity"` // SOURCE/ID
		User     string `json:"user"`
	}
	detachBody struct {
		Identity string `json:"identity"`
	}
	settingsBody struct {
		Settings map[string]json.RawMessage `json:"settings"`
	}
	replayBody struct {
		Trial bool `json:"trial,omitempty"`
	}
	rotateBody struct {
		Seconds int64 `json:"grace_seconds,omitempty"`
	}
	defaultRoleBody struct {
		Role directory.RoleName `json:"role"`
	}
)
