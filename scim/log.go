package scim

import (
	"encoding/json"

	"github.com/usherd/usherd/directory"
)

// A trace gathers the entry of the provisioning log while a request is served.
type trace struct {
	directory.Request
	quirks quirks
	from   string // the provider's address; empty for a replay
	known  bool   // the token was valid
	unread bool   // the answer does not wait for the rest of the body
	normal any    // what was asked for, in normalised form
}

// The bounds of a body in the log.
const (
	loggedList = 100
	loggedBody = 16 << 10
)

// redacted prepares a normalised body for the log. Passwords never come here:
// the normaliser drops them. Long lists are cut, and said to be.
func redacted(v any) json.RawMessage {
	if v == nil {
		return nil
	}
	raw, err := json.Marshal(shortened(v))
	if err != nil || len(raw) > loggedBody {
		raw, err = json.Marshal(map[string]any{"omitted": true, "bytes": len(raw)})
	}
	if err != nil {
		return nil
	}
	return raw
}

func shortened(v any) any {
	switch v := v.(type) {
	case []string:
		if len(v) > loggedList {
			return map[string]any{"count": len(v), "first": v[:loggedList]}
		}
	case []any:
		if len(v) > loggedList {
			return map[string]any{"count": len(v), "first": shortened(v[:loggedList])}
		}
		out := make([]any, len(v))
		for i, e := range v {
			out[i] = shortened(e)
		}
		return out
	case map[string]any:
		out := make(map[string]any, len(v))
		for k, e := range v {
			out[k] = shortened(e)
		}
		return out
	}
	return v
}

// logged is how operations look in the log.
func logged(ops []operation) []any {
	out := make([]any, 0, len(ops))
	for _, o := range ops {
		e := map[string]any{"op": o.op, "path": o.target()}
		switch {
		case o.members != nil:
			e["value"] = o.members
		case o.value != nil:
			e["value"] = o.value
		}
		out = append(out, e)
	}
	return out
}
