package console

import (
	"strconv"
	"strings"
	"time"
)

// settingWords are what the page of a source calls its settings. Others keep
// the name that they have in the configuration.
var settingWords = map[string]string{
	"template": "Kind of server", "urls": "Servers", "startTLS": "Begins TLS", "serverName": "Name in the certificate", "caFile": "Authorities to trust",
	"bindDN": "Binds as", "passwordFile": "File with the password", "external": "By client certificate", "certFile": "Client certificate",
	"keyFile": "Key of the certificate", "base": "Base", "userBase": "Base of people", "groupBase": "Base of groups", "userFilter": "People are",
	"groupFilter": "Groups are", "schedule": "Read", "fullEvery": "Everything is read", "attributes": "Attributes", "ignoreReferrals": "Referrals left out",
	"profile": "Profile", "link": "Linking", "pageSize": "Page size", "groupPageSize": "Page size of groups",
	"maxEntries": "Most entries", "maxMembers": "Most members of a group", "dialTimeout": "Longest wait for a connection",
	"requestTimeout": "Longest wait for an answer", "runTimeout": "Longest run", "retention": "The gone are kept", "allowPlaintextBind": "Password without TLS",
}

// countWords are what a run calls what it counted, by the part after the dot.
var countWords = map[string]string{
	"read": "read", "create": "created", "restore": "restored", "update": "updated", "enable": "enabled", "disable": "disabled",
	"gone": "gone", "delete": "deleted", "members": "with other members", "add": "added", "remove": "removed",
	"unresolved": "that name nobody",
}

// settingWord is what people call a setting or a count.
func settingWord(name string) string {
	if word, ok := settingWords[name]; ok {
		return word
	}
	of, what, ok := strings.Cut(name, ".")
	if word, known := countWords[what]; ok && known {
		if of == "members" {
			of = "memberships"
		}
		return capital(of) + " " + word
	}
	return capital(name)
}

// scopeWords say what a token of a scope may ask.
var scopeWords = map[string]string{
	"evaluate": "may somebody do something", "search": "who may do something, and what somebody may do",
	"permissions": "all permissions of somebody", "watch": "be told when permissions change",
}

// eventWords say when an endpoint is told.
var eventWords = map[string]string{
	"user.deactivated": "somebody is out", "permission.lost": "somebody loses access", "permission.gained": "somebody gains access",
	"group.blocked": "a group is blocked", "plan.held": "a directory's changes wait for approval", "token.expiring": "a token expires soon",
}

// inDays says how long whole days are: "30 days".
func inDays(d time.Duration) string { return strconv.Itoa(int(d/(24*time.Hour))) + " days" }
