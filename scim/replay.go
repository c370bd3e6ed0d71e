package scim

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"

	"github.com/usherd/usherd/directory"
)

// A Replayed says what came of repeating a request.
type Replayed struct {
	Status  int             `json:"status"`
	Detail  string          `json:"detail,omitempty"`
	Quirks  []string        `json:"quirks,omitempty"`
	Changes json.RawMessage `json:"changes,omitempty"` // of a trial: what would change, as in the audit record
	Stamp   string          `json:"stamp,omitempty"`   // of what was changed
	ID      string          `json:"id,omitempty"`      // of the entry in the provisioning log
	Trial   bool            `json:"trial"`
}

// Replay repeats a request of the provisioning log against the present state,
// by the same way that it came, and as the same source. A trial changes
// nothing. ErrInvalid says that the entry can't be repeated: it only read, or
// its body was not kept whole.
func (h *Handler) Replay(ctx context.Context, src directory.Source, entry directory.Request, trial bool) (Replayed, error) {
	body, err := replayBody(entry)
	if err != nil {
		return Replayed{}, err
	}
	source, path := splitPath(entry.Path)
	if source != string(src.Name) || entry.Source != src.Name {
		return Replayed{}, fmt.Errorf("request %s is not one of source %s: %w", entry.ID, src.Name, directory.ErrInvalid)
	}
	t := &trace{known: true, Request: directory.Request{
		ID: directory.NewID(), Source: src.Name, Time: h.now(), Method: entry.Method, Path: entry.Path,
		Agent: entry.Agent, Replays: entry.ID,
	}}
	who := Caller{Source: src, Token: entry.Token}
	if err := accept(who); err != nil {
		return Replayed{}, err
	}
	c, err := h.callOf(ctx, who, t)
	if err != nil {
		return Replayed{}, err
	}
	c.body = body
	if trial {
		return c.tryOut(path)
	}
	ans, err := c.replay(path)
	if err != nil {
		ans = h.refusal(err, t)
	}
	t.Status = ans.status
	h.finish(t)
	out := Replayed{Status: ans.status, Detail: t.Detail, Quirks: t.quirks.list, ID: t.ID}
	if c.stamp != nil {
		out.Stamp = c.stamp.String()
	}
	return out, nil
}

func (c *call) replay(path []string) (ans answer, err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("the request panics: %v", p)
		}
	}()
	run, err := c.route(c.trace.Method, path)
	if err != nil {
		return answer{}, err
	}
	return run()
}

// tryOut serves the request up to the moment when it has changed something, and
// takes that back.
func (c *call) tryOut(path []string) (Replayed, error) {
	if c.try == nil {
		return Replayed{}, fmt.Errorf("nothing can be tried out here: %w", directory.ErrInvalid)
	}
	trial := &trial{try: c.try}
	c.writer = trial
	ans, err := c.replay(path)
	out := Replayed{Trial: true, Quirks: c.trace.quirks.list, Changes: trial.changes}
	switch {
	case errors.Is(err, errTried):
		out.Status = doneStatus(c.trace.Method, c.id == "")
	case err != nil:
		ans = c.refusal(err, c.trace)
		fallthrough
	default:
		out.Status, out.Detail = ans.status, c.trace.Detail
	}
	return out, nil
}

// doneStatus is what is answered when all is well.
func doneStatus(method string, collection bool) int {
	switch {
	case method == http.MethodDelete:
		return http.StatusNoContent
	case method == http.MethodPost && collection:
		return http.StatusCreated
	}
	return http.StatusOK
}

// errTried ends a request that has been tried out.
var errTried = errors.New("tried out")

// A trial is an Applier that keeps nothing.
type trial struct {
	try     directory.Rehearser
	changes json.RawMessage
}

// Apply rehearses changes. A refusal is what it would be.
func (t *trial) Apply(ctx context.Context, by directory.Actor, changes ...directory.Change) (directory.Applied, error) {
	done, err := t.try.Rehearse(ctx, by, changes...)
	if err != nil {
		return directory.Applied{}, err
	}
	t.changes = done
	return directory.Applied{}, errTried
}

// replayBody makes the body of a request from what the log has of it.
func replayBody(entry directory.Request) (any, error) {
	refuse := func(why string) error {
		return fmt.Errorf("request %s can't be repeated: %s: %w", entry.ID, why, directory.ErrInvalid)
	}
	_, path := splitPath(entry.Path)
	switch entry.Method {
	case http.MethodDelete:
		return nil, nil //nolint:nilnil // there is none
	case http.MethodPost, http.MethodPut, http.MethodPatch:
	default:
		return nil, refuse("it only reads")
	}
	if len(path) == 0 || path[len(path)-1] == ".search" {
		return nil, refuse("it only reads")
	}
	if path[0] == "Bulk" {
		return nil, refuse("a bulk is not repeated as a whole")
	}
	if len(entry.Body) == 0 {
		return nil, refuse("its body was not understood, so none was kept")
	}
	body, err := decode(entry.Body)
	if err != nil {
		return nil, fmt.Errorf("reading request %s: %w", entry.ID, err)
	}
	if partly(body) {
		return nil, refuse("its body was not kept whole")
	}
	switch body := body.(type) {
	case []any:
		for _, op := range body {
			if op, ok := op.(map[string]any); ok && op["path"] == "members" {
				op["value"] = asMembers(op["value"])
			}
		}
		return map[string]any{"schemas": []any{patchOpURN}, "Operations": body}, nil
	case map[string]any:
		urn := userURN
		if path[0] == "Groups" {
			urn = groupURN
			body["members"] = asMembers(body["members"])
		}
		body["schemas"] = []any{urn}
	}
	return body, nil
}

// asMembers gives members the form that they have on the wire; the log has their
// values.
func asMembers(v any) any {
	list, ok := v.([]any)
	if !ok {
		return v
	}
	out := make([]any, len(list))
	for i, e := range list {
		out[i] = map[string]any{"value": e}
	}
	return out
}

// partly tells whether redacted left something out, or it was erased.
func partly(v any) bool {
	switch v := v.(type) {
	case []any:
		for _, e := range v {
			if partly(e) {
				return true
			}
		}
	case map[string]any:
		_, count := v["count"].(json.Number)
		_, first := v["first"]
		if v["omitted"] == true || v["erased"] == true || count && first {
			return true
		}
		for _, e := range v {
			if partly(e) {
				return true
			}
		}
	}
	return false
}
