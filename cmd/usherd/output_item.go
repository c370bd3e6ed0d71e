package main

import (
	"cmp"
	"encoding/json"
	"fmt"

	"github.com/usherd/usherd/directory"
)

// itemText is an object inside of an answer as a cell of a table: a group as
// commands name it, with a state that is not the usual one, a grant by what it
// gives, an override by its scope, a sign-in by its issuer. What is none of these stays JSON.
func itemText(item map[string]any) string {
	text := func(path string) string { return cell(item, path) }
	where := ""
	if project := text("project"); project != "" {
		where = " in project " + project
	}
	switch {
	case text("role") != "" && text("origin") != "":
		return "Role " + valueText(item["role"]) + where
	case text("privilege.kind") != "" && text("origin") != "":
		what := text("privilege.kind") + " " + text("privilege.key")
		if text("privilege.kind") == string(directory.IntegrationLevel) {
			what += "=" + cmp.Or(text("privilege.level"), directory.NoLevel.String())
		}
		return what + where
	case text("state") != "" && text("name") != "": // a group of a mapping
		if state := text("state"); state != "bound" {
			return text("name") + " (" + state + ")"
		}
		return text("name")
	case text("source") != "" && text("name") != "":
		name := text("source") + "/" + text("name")
		if status := text("status"); status != "" && status != "active" {
			name += fmt.Sprintf(" (%s)", status)
		}
		return name
	case text("issuer") != "" && text("since") != "":
		return text("issuer") + " since " + text("since")
	case text("user") != "" && text("by") != "" && text("created") != "":
		if where == "" {
			where = " organization-wide"
		}
		return where[1:] + " by " + text("by")
	}
	written, err := json.Marshal(item)
	if err != nil {
		return ""
	}
	return string(written)
}
