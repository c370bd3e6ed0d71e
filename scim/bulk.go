package scim

import (
	"encoding/json"
	"maps"
	"net/http"
	"slices"
	"strconv"
	"strings"
)

const (
	bulkURN         = "urn:ietf:params:scim:api:messages:2.0:BulkRequest"
	bulkResponseURN = "urn:ietf:params:scim:api:messages:2.0:BulkResponse"
)

// A bulkOp is one operation of a bulk (RFC 7644, section 3.7).
type bulkOp struct {
	method, path, bulkID, version string
	data                          any

	done    bool
	failed  bool
	id      string   // of the resource, once it is known
	later   []string // bulkIds of members that are added after their creation
	outcome map[string]any
}

// bulk is POST /Bulk. Operations are performed in order, each for itself, but
// one that refers to the bulkId of another waits for it. Groups that refer to
// each other in a circle are made without these members, which are added when
// all of them exist (RFC 7644, section 3.7.1).
func (c *call) bulk() (answer, error) {
	ops, failOnErrors, err := c.bulkOps()
	if err != nil {
		return answer{}, err
	}
	b := bulkRun{c: c, ops: ops, byID: map[string]*bulkOp{}, most: failOnErrors}
	for _, o := range ops {
		if o.bulkID != "" && o.method == http.MethodPost {
			if b.byID[o.bulkID] != nil {
				return answer{}, badSyntax("the bulkId %q is repeated", clip(o.bulkID))
			}
			b.byID[o.bulkID] = o
		}
	}
	b.run()
	outcomes := []any{}
	for _, o := range ops {
		if o.outcome != nil {
			outcomes = append(outcomes, o.outcome)
		}
	}
	return answer{status: http.StatusOK, stamp: c.stamp, doc: map[string]any{
		"schemas": []any{bulkResponseURN}, "Operations": outcomes,
	}}, nil
}

func (c *call) bulkOps() (ops []*bulkOp, failOnErrors int, err error) {
	msg, ok := c.body.(map[string]any)
	if !ok {
		return nil, 0, badSyntax("the body must be a JSON object")
	}
	if schemas, _ := lookup(msg, "schemas").([]any); !containsFold(schemas, bulkURN) {
		c.bend("BulkRequest without its schema")
	}
	list, ok := lookup(msg, "Operations").([]any)
	if !ok {
		return nil, 0, badSyntax("Operations must be a list")
	}
	if len(list) > c.limits.Operations {
		return nil, 0, tooLarge("%d operations; the limit is %d", len(list), c.limits.Operations)
	}
	if n, ok := lookup(msg, "failOnErrors").(json.Number); ok {
		if failOnErrors, err = strconv.Atoi(n.String()); err != nil {
			return nil, 0, badValue("failOnErrors must be an integer")
		}
	}
	for _, e := range list {
		obj, ok := e.(map[string]any)
		if !ok {
			return nil, 0, badSyntax("an operation must be an object")
		}
		o := &bulkOp{data: lookup(obj, "data")}
		for name, to := range map[string]*string{"method": &o.method, "path": &o.path, "bulkId": &o.bulkID, "version": &o.version} {
			*to, _ = lookup(obj, name).(string)
		}
		o.method = strings.ToUpper(o.method)
		ops = append(ops, o)
	}
	return ops, failOnErrors, nil
}

// bulkRun is one bulk in work.
type bulkRun struct {
	c      *call
	ops    []*bulkOp
	byID   map[string]*bulkOp
	most   int // errors to stop at; 0: never
	errors int
}

func (b *bulkRun) run() {
	for b.pass() || b.breakCircle() {
		if b.stopped() {
			return
		}
	}
	for _, o := range b.ops {
		if !o.done && !b.stopped() {
			b.fail(o, fault(http.StatusConflict, "", "it refers to a bulkId that is not made"))
		}
	}
	for _, o := range b.ops {
		if len(o.later) > 0 && !o.failed && !b.stopped() {
			b.addLater(o)
		}
	}
}

func (b *bulkRun) stopped() bool { return b.most > 0 && b.errors >= b.most }

// pass performs, in order, what can be performed, and tells whether anything
// was.
func (b *bulkRun) pass() bool {
	progress := false
	for _, o := range b.ops {
		if o.done || b.stopped() || len(b.waitsFor(o)) > 0 {
			continue
		}
		b.perform(o)
		progress = true
	}
	return progress
}

// waitsFor lists the bulkIds that o needs and that have no id yet.
func (b *bulkRun) waitsFor(o *bulkOp) []string {
	var open []string
	replaceBulkIDs([]any{o.path, o.data}, func(id string) (string, bool) {
		if other := b.byID[id]; other != nil && other.id == "" {
			open = append(open, id)
		}
		return "", false
	})
	return open
}

// breakCircle takes the members that hold up the first waiting group out of
// it, to be added later.
func (b *bulkRun) breakCircle() bool {
	for _, o := range b.ops {
		data, ok := o.data.(map[string]any)
		if o.done || !ok || o.method != http.MethodPost || o.path != "/Groups" {
			continue
		}
		open := b.waitsFor(o)
		members, _ := lookup(data, "members").([]any)
		var kept []any
		for _, m := range members {
			obj, _ := m.(map[string]any)
			id, ok := strings.CutPrefix(text(lookup(obj, "value")), "bulkId:")
			if ok && slices.Contains(open, id) && !b.byID[id].failed {
				o.later = append(o.later, id)
				continue
			}
			kept = append(kept, m)
		}
		if len(o.later) == 0 {
			continue
		}
		data = maps.Clone(data)
		maps.DeleteFunc(data, func(name string, _ any) bool { return foldEqual(name, "members") })
		data["members"] = kept
		o.data = data
		return true
	}
	return false
}

func text(v any) string {
	s, _ := v.(string)
	return s
}

// resolve replaces the references to bulkIds by the ids that they got.
func (b *bulkRun) resolve(v any) any {
	return replaceBulkIDs(v, func(id string) (string, bool) {
		if other := b.byID[id]; other != nil && other.id != "" {
			return other.id, true
		}
		return "", false
	})
}

func replaceBulkIDs(v any, id func(string) (string, bool)) any {
	switch v := v.(type) {
	case string:
		before, ref, ok := strings.Cut(v, "bulkId:")
		if !ok || before != "" && !strings.HasSuffix(before, "/") {
			return v
		}
		if to, ok := id(ref); ok {
			return before + to
		}
	case []any:
		out := make([]any, len(v))
		for i, e := range v {
			out[i] = replaceBulkIDs(e, id)
		}
		return out
	case map[string]any:
		out := make(map[string]any, len(v))
		for k, e := range v {
			out[k] = replaceBulkIDs(e, id)
		}
		return out
	}
	return v
}

// perform runs one operation as the request that it stands for.
func (b *bulkRun) perform(o *bulkOp) {
	path := text(b.resolve(o.path))
	ans, err := b.request(o.method, path, o.version, b.resolve(o.data))
	if err != nil {
		b.fail(o, err)
		return
	}
	o.done = true
	o.outcome = map[string]any{"method": o.method, "status": strconv.Itoa(ans.status)}
	o.id = text(ans.doc["id"])
	if o.id == "" {
		o.id = path[strings.LastIndexByte(path, '/')+1:]
	}
	o.outcome["location"] = b.c.base() + path
	if o.method == http.MethodPost {
		o.outcome["location"] = ans.location
	}
	if ans.etag != "" {
		o.outcome["version"] = ans.etag
	}
	if o.bulkID != "" {
		o.outcome["bulkId"] = o.bulkID
	}
}

func (b *bulkRun) request(method, path, version string, data any) (answer, error) {
	parts := strings.Split(strings.Trim(path, "/"), "/")
	if parts[0] != "Users" && parts[0] != "Groups" || slices.Contains(parts, ".search") || method == http.MethodGet {
		return answer{}, badSyntax("a bulk holds POST, PUT, PATCH and DELETE of users and groups")
	}
	sub := *b.c
	sub.query, sub.ifNoneMatch, sub.ifMatch, sub.body = nil, "", version, data
	run, err := sub.route(method, parts)
	if err != nil {
		return answer{}, err
	}
	kept := b.c.trace.normal
	ans, err := run()
	list, _ := kept.([]any)
	b.c.trace.normal = append(list, map[string]any{"method": method, "path": path, "body": b.c.trace.normal})
	b.c.stamp = sub.stamp
	return ans, err
}

func (b *bulkRun) fail(o *bulkOp, err error) {
	b.errors++
	o.done, o.failed = true, true
	e := b.c.refusal(err, b.c.trace)
	o.outcome = map[string]any{"method": o.method, "status": strconv.Itoa(e.status), "response": e.doc}
	if o.bulkID != "" {
		o.outcome["bulkId"] = o.bulkID
	}
	if o.method != http.MethodPost {
		o.outcome["location"] = b.c.base() + o.path
	}
}

// addLater adds the members that were taken out of a circle.
func (b *bulkRun) addLater(o *bulkOp) {
	var members []any
	for _, id := range o.later {
		members = append(members, map[string]any{"value": "bulkId:" + id})
	}
	_, err := b.request(http.MethodPatch, "/Groups/"+o.id, "", map[string]any{
		"schemas":    []any{patchOpURN},
		"Operations": []any{map[string]any{"op": opAdd, "path": "members", "value": b.resolve(members)}},
	})
	if err != nil {
		b.fail(o, err)
	}
}
