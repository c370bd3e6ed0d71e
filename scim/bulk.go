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

	done   bool
	failed bool
	id     string // of the resource, once it is known
	later  []any  // PATCH operations that end a circle after its creation

	needs   []string // bulkIds that it refers to; those in front that have an id are taken off
	rigid   bool     // no circle can be broken here
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
	for _, o := range ops {
		o.needs = bulkIDs(o.path, o.data)
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
	if err := checkNames(msg); err != nil {
		return nil, 0, err
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
		if err := checkNames(obj); err != nil {
			return nil, 0, err
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
			b.fail(o, errNoBulkID())
		}
	}
	for _, o := range b.ops {
		if len(o.later) > 0 && !o.failed && !b.stopped() {
			b.addLater(o)
		}
	}
}

// errNoBulkID is for a reference that leads nowhere (RFC 7644, section 3.7.1).
func errNoBulkID() error {
	return fault(http.StatusConflict, "", "it refers to a bulkId that is not made")
}

func (b *bulkRun) stopped() bool { return b.most > 0 && b.errors >= b.most }

// pass performs, in order, what can be performed, and tells whether anything
// was.
func (b *bulkRun) pass() bool {
	progress := false
	for _, o := range b.ops {
		if o.done || b.stopped() {
			continue
		}
		waits, lost := b.waits(o)
		switch {
		case lost:
			b.fail(o, errNoBulkID())
		case waits:
			continue
		default:
			b.perform(o)
		}
		progress = true
	}
	return progress
}

// waits tells whether o needs a bulkId that has no id yet. Lost tells that it is
// nobody's. What has an id is not looked at again: a chain of a thousand
// operations takes a thousand passes.
func (b *bulkRun) waits(o *bulkOp) (waits, lost bool) {
	for len(o.needs) > 0 {
		other := b.byID[o.needs[0]]
		if other == nil || other.id == "" {
			return other != nil, other == nil
		}
		o.needs = o.needs[1:]
	}
	return false, false
}

// breakCircle takes what holds up the first waiting resource out of it, to be
// added when all of them exist: members of a group, the manager of a user.
func (b *bulkRun) breakCircle() bool {
	for _, o := range b.ops {
		data, ok := o.data.(map[string]any)
		if o.done || o.rigid || !ok || o.method != http.MethodPost {
			continue
		}
		waits := func(v any) bool {
			obj, ok := v.(map[string]any)
			if ok {
				v = lookup(obj, "value")
			}
			id, ok := strings.CutPrefix(text(v), "bulkId:")
			other := b.byID[id]
			return ok && other != nil && other.id == "" && !other.failed
		}
		split := withoutManager
		if strings.Trim(o.path, "/") == b.c.model.group.endpoint {
			split = withoutMembers
		}
		o.rigid = true // less and less waits
		rest, later := split(data, waits)
		if len(later) == 0 {
			continue
		}
		o.data, o.later, o.needs = rest, later, bulkIDs(o.path, rest)
		return true
	}
	return false
}

// bulkIDs lists the bulkIds that values refer to, each once.
func bulkIDs(values ...any) []string {
	var ids []string
	seen := map[string]bool{}
	replaceBulkIDs(values, func(id string) (string, bool) {
		if !seen[id] {
			seen[id] = true
			ids = append(ids, id)
		}
		return "", false
	})
	return ids
}

// withoutMembers takes the members that wait out of a group, and returns the
// operations that add them.
func withoutMembers(data map[string]any, waits func(any) bool) (rest map[string]any, later []any) {
	members, _ := lookup(data, "members").([]any)
	var kept, taken []any
	for _, m := range members {
		if waits(m) {
			taken = append(taken, m)
		} else {
			kept = append(kept, m)
		}
	}
	if len(taken) == 0 {
		return data, nil
	}
	return with(data, "members", kept), []any{map[string]any{"op": opAdd, "path": "members", "value": taken}}
}

// withoutManager takes a manager who waits out of a user.
func withoutManager(data map[string]any, waits func(any) bool) (rest map[string]any, later []any) {
	ext, _ := lookup(data, enterpriseURN).(map[string]any)
	manager := lookup(ext, "manager")
	if !waits(manager) {
		return data, nil
	}
	later = []any{map[string]any{"op": opAdd, "path": enterpriseURN + ":manager", "value": manager}}
	return with(data, enterpriseURN, with(ext, "manager", nil)), later
}

// with is a copy of obj that has v under a name, in whatever case it was there.
func with(obj map[string]any, name string, v any) map[string]any {
	obj = maps.Clone(obj)
	maps.DeleteFunc(obj, func(k string, _ any) bool { return foldEqual(k, name) })
	obj[name] = v
	return obj
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

// addLater adds what was taken out of a circle.
func (b *bulkRun) addLater(o *bulkOp) {
	ans, err := b.request(http.MethodPatch, "/"+strings.Trim(o.path, "/")+"/"+o.id, "", map[string]any{
		"schemas": []any{patchOpURN}, "Operations": b.resolve(o.later),
	})
	if err == nil && ans.etag != "" {
		o.outcome["version"] = ans.etag
	}
	if err != nil {
		b.fail(o, err)
	}
}
