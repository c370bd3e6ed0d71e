package console

import (
	"slices"
	"strings"

	"github.com/usherd/usherd/admin"
)

// actionWords say what a change did, by its type in the audit log. The log
// itself shows the types: they are what its filters and the API take.
var actionWords = map[string]string{
	"user.created": "user added", "user.joined": "identity added to a user", "user.replaced": "user changed", "user.presence": "presence in the source changed",
	"user.blocked": "user disabled", "user.unblocked": "user enabled", "user.deleted": "user deleted", "user.restored": "user restored",
	"user.revived": "user is back in the source", "user.erased": "user erased for good", "user.linked": "identities linked", "user.unlinked": "identities separated",
	"user.detached": "identity separated", "group.created": "group added", "group.updated": "group changed", "group.members": "members of a group changed",
	"group.status": "group blocked or unblocked", "group.scope": "scope of a group changed", "group.description": "group described", "group.deleted": "group deleted",
	"grant.put": "permission granted", "grant.ended": "permission ended", "override.set": "permissions of one's own set", "override.ended": "follows the groups again",
	"policy.set": "policy changed", "mapping.unbound": "mapping lost its group", "mapping.bound": "group of a mapping confirmed", "mapping.suspended": "mapping waits for a confirmation",
	"source.put": "source set up", "source.state": "state of a source changed", "source.removed": "source removed",
	"token.created": "token made", "token.limited": "end of a token moved", "token.revoked": "token revoked",
	"export.read": "data exported", "audit.pruned": "old records forgotten", "webhook.created": "webhook added", "webhook.deleted": "webhook removed",
	"webhook.tested": "test sent to a webhook", "webhook.resent": "sent again to a webhook", "draft.rebased": "draft brought up to date",
	"sync.cancelled": "run cancelled", "sign-in.released": "sign-in released", "sign-in.refused": "sign-in by another account refused",
}

// actionText is what people call a type of change; one that has no words here
// is taken apart: "webhook.rotated" is "webhook rotated".
func actionText(typ string) string {
	word, ok := actionWords[typ]
	if !ok {
		word = strings.NewReplacer(".", " ", "_", " ").Replace(typ)
	}
	return capital(word)
}

// recentText says what a change did; of the policy, to what. Its lists had so many
// entries before they were cut.
func recentText(ch admin.AuditedChange, listed int) string {
	items := slices.Concat(ch.Added, ch.Attributes, ch.Removed)
	if ch.Type != "policy.set" || len(items) == 0 {
		return actionText(ch.Type)
	}
	text := actionText(ch.Type) + ": " + items[0]
	if more := listed - 1; more > 0 {
		text += " and " + thousands(more) + " more"
	}
	return text
}
