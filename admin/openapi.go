package admin

import (
	"cmp"
	"encoding/json"
	"maps"
	"net/http"
	"reflect"
	"slices"
	"strconv"
	"strings"

	"github.com/google/jsonschema-go/jsonschema"
)

// A Document describes the API (OpenAPI 3.1). It is made from the table of
// routes and the Go types that they read and write.
type Document struct {
	OpenAPI    string                          `json:"openapi"`
	Info       documentInfo                    `json:"info"`
	Security   []map[string][]string           `json:"security"`
	Tags       []documentTag                   `json:"tags"`
	Paths      map[string]map[string]*routeDoc `json:"paths"`
	Components documentParts                   `json:"components"`
}

type (
	documentInfo struct {
		Title       string `json:"title"`
		Version     string `json:"version"`
		Description string `json:"description"`
	}
	documentTag struct {
		Name string `json:"name"`
	}
	documentParts struct {
		Schemas         map[string]*jsonschema.Schema `json:"schemas"`
		SecuritySchemes map[string]map[string]string  `json:"securitySchemes"`
	}
	routeDoc struct {
		ID         string                `json:"operationId"`
		Summary    string                `json:"summary"`
		Tags       []string              `json:"tags"`
		Parameters []parameterDoc        `json:"parameters,omitempty"`
		Body       *contentDoc           `json:"requestBody,omitempty"`
		Answers    map[string]contentDoc `json:"responses"`
	}
	parameterDoc struct {
		Name        string             `json:"name"`
		In          string             `json:"in"`
		Required    bool               `json:"required,omitempty"`
		Description string             `json:"description,omitempty"`
		Schema      *jsonschema.Schema `json:"schema"`
	}
	contentDoc struct {
		Description string                `json:"description,omitempty"`
		Headers     map[string]headerDoc  `json:"headers,omitempty"`
		Content     map[string]contentOne `json:"content,omitempty"`
	}
	headerDoc struct {
		Description string             `json:"description"`
		Schema      *jsonschema.Schema `json:"schema"`
	}
	contentOne struct {
		Schema *jsonschema.Schema `json:"schema"`
	}
)

const documentText = `Administration of a usherd daemon: users, groups, grants, policy, sources, tokens, audit.

Whoever asks sends an admin token as Authorization: Bearer. Errors are problem details (RFC 9457) with a stable type; errors[] says what is wrong where.
Lists are cut into pages by limit and cursor; Link and next_cursor lead on. format=csv, json or jsonl, or Accept: text/csv, gives the whole list with the same filter.
Objects with a version have an ETag; If-Match makes an edit fail with 412 if it is another one by now, and is needed (428) where an object is replaced as a whole.
dry_run=true checks and previews any change and performs none. A POST with an Idempotency-Key is performed once in 24 hours: the same again gets the same answer, another body 422, one that is still being performed 409.
Every answer has an X-Request-Id; changes have a Usherd-Revision. The API grows: ignore members that you do not know.`

// Document describes the API.
func (a *API) Document() *Document {
	return documentOf(newSchemas(false), slices.Sorted(maps.Keys(operations)))
}

func documentOf(s *schemas, patterns []string) *Document {
	d := &Document{
		OpenAPI: "3.1.0", Info: documentInfo{"usherd administration API", "1", documentText},
		Security: []map[string][]string{{"token": {}}}, Paths: map[string]map[string]*routeDoc{},
		Components: documentParts{SecuritySchemes: map[string]map[string]string{"token": {"type": "http", "scheme": "bearer", "description": "an admin token: usherd token create --kind admin"}}},
	}
	tags := map[string]bool{}
	for _, pattern := range patterns {
		method, path, _ := strings.Cut(pattern, " ")
		if d.Paths[path] == nil {
			d.Paths[path] = map[string]*routeDoc{}
		}
		r := s.route(pattern, operations[pattern])
		d.Paths[path][strings.ToLower(method)] = r
		tags[r.Tags[0]] = true
	}
	for _, pattern := range patterns { // bodies last: what only they have is required by the server alone
		s.body(d, pattern, operations[pattern])
	}
	for _, tag := range slices.Sorted(maps.Keys(tags)) {
		d.Tags = append(d.Tags, documentTag{tag})
	}
	d.Components.Schemas = s.components
	return d
}

func (s *schemas) route(pattern string, op operation) *routeDoc {
	method, path, _ := strings.Cut(pattern, " ")
	segments := strings.Split(strings.TrimPrefix(path, "/api/v1/"), "/")
	r := &routeDoc{ID: operationID(method, segments), Summary: op.summary, Tags: segments[:1], Answers: map[string]contentDoc{}}
	for _, segment := range segments {
		if name, ok := strings.CutPrefix(segment, "{"); ok {
			r.Parameters = append(r.Parameters, parameterDoc{strings.TrimSuffix(name, "}"), "path", true, "", &jsonschema.Schema{Type: "string"}})
		}
	}
	for _, name := range op.understands(pattern) {
		p := parameters[name]
		r.Parameters = append(r.Parameters, parameterDoc{name, "query", false, p.text, &jsonschema.Schema{Type: p.typ}})
	}
	r.Parameters = append(r.Parameters, headersOf(method, op)...)
	r.Answers[strconv.Itoa(cmp.Or(op.status, http.StatusOK))] = s.answerDoc(op)
	for status, body := range op.also {
		r.Answers[strconv.Itoa(status)] = s.answerDoc(operation{answer: body})
	}
	r.Answers["default"] = contentDoc{
		Description: "a problem (RFC 9457)",
		Content:     map[string]contentOne{"application/problem+json": {s.of(reflect.TypeFor[Problem]())}},
	}
	return r
}

func (s *schemas) answerDoc(op operation) contentDoc {
	content := map[string]contentOne{op.media: {&jsonschema.Schema{Type: "string"}}}
	if op.media == "" {
		content = map[string]contentOne{"application/json": {s.of(reflect.TypeOf(op.answer))}}
	}
	out := contentDoc{Description: "done", Content: content, Headers: map[string]headerDoc{
		"X-Request-Id": {"id of this request in logs and audit records", &jsonschema.Schema{Type: "string"}},
	}}
	if op.etag != "" {
		out.Headers["ETag"] = headerDoc{"version for If-Match", &jsonschema.Schema{Type: "string"}}
	}
	if op.many != noList {
		out.Headers["Link"] = headerDoc{`the next page, as <…>; rel="next"`, &jsonschema.Schema{Type: "string"}}
		for format, kind := range exportTypes {
			if kind, _, _ = strings.Cut(kind, ";"); format != "json" {
				out.Content[kind] = contentOne{&jsonschema.Schema{Type: "string"}}
			}
		}
	}
	return out
}

func headersOf(method string, op operation) (out []parameterDoc) {
	text := &jsonschema.Schema{Type: "string"}
	switch method {
	case http.MethodGet:
		return nil
	case http.MethodPost:
		out = append(out, parameterDoc{"Idempotency-Key", "header", false, "perform this once: the same key and body gets the same answer for 24 hours", text})
	default:
		out = append(out, parameterDoc{"If-Match", "header", op.match, "the ETag that was seen; * for any", text})
	}
	return append(out, parameterDoc{"Usherd-Reason", "header", false, "why, for the audit record", text})
}

// body describes what is sent. Members are not marked as required: the server
// says what is missing.
func (s *schemas) body(d *Document, pattern string, op operation) {
	if op.body == nil {
		return
	}
	before := maps.Clone(s.components)
	schema := s.of(reflect.TypeOf(op.body))
	for name, c := range s.components {
		if before[name] == nil {
			c.Required = nil
		}
	}
	method, path, _ := strings.Cut(pattern, " ")
	d.Paths[path][strings.ToLower(method)].Body = &contentDoc{Content: map[string]contentOne{"application/json": {schema}}}
}

// operationID is like getUsersPermissions: stable, and unique by being made
// from what is.
func operationID(method string, segments []string) string {
	id := strings.ToLower(method)
	for _, segment := range segments {
		if name, ok := strings.CutPrefix(segment, "{"); ok {
			segment = "by-" + strings.TrimSuffix(name, "}")
		}
		for part := range strings.SplitSeq(segment, "-") {
			id += strings.ToUpper(part[:1]) + part[1:]
		}
	}
	return id
}

// JSON is the document as it is served and committed.
func (d *Document) JSON() ([]byte, error) {
	text, err := json.MarshalIndent(d, "", "  ")
	return append(text, '\n'), err
}

// serveDocument answers with the document: it says nothing of anybody, so that
// no token is needed.
func (a *API) serveDocument(w http.ResponseWriter, _ *http.Request) {
	text, err := a.Document().JSON()
	if err != nil {
		http.Error(w, "", http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "application/vnd.oai.openapi+json;version=3.1")
	_, _ = w.Write(text) // whoever asked may have left
}

// RegisterDocument adds the document and a page that shows it to mux: for
// everybody, outside the gate of the API.
func (a *API) RegisterDocument(mux *http.ServeMux) {
	mux.HandleFunc("GET "+DocumentPath, a.serveDocument)
	mux.HandleFunc("GET /docs/api", a.servePage)
}

// DocumentPath is where the document is.
const DocumentPath = "/api/v1/openapi.json"
