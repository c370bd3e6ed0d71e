package scim

import (
	"net/http"

	"github.com/elimity-com/scim/schema"
)

// Discovery says what is so (RFC 7644, section 4): every document is made from
// the limits and definitions that requests are held to, and nothing in it is
// an empty string, which strict clients refuse to parse.

func (c *call) meta(kind, path string) map[string]any {
	return map[string]any{"resourceType": kind, "location": c.base() + path}
}

// serviceProviderConfig is GET /ServiceProviderConfig (RFC 7643, section 5;
// pagination by RFC 9865, section 5).
func (c *call) serviceProviderConfig() (answer, error) {
	if err := c.noFilter(); err != nil {
		return answer{}, err
	}
	yes := map[string]any{"supported": true}
	doc := map[string]any{
		"schemas":        []any{"urn:ietf:params:scim:schemas:core:2.0:ServiceProviderConfig"},
		"patch":          yes,
		"sort":           yes,
		"etag":           yes,
		"changePassword": map[string]any{"supported": false},
		"filter":         map[string]any{"supported": true, "maxResults": c.limits.MaxPage},
		"bulk": map[string]any{
			"supported": true, "maxOperations": c.limits.Operations, "maxPayloadSize": c.limits.GroupBody,
		},
		"pagination": map[string]any{
			"cursor": true, "index": true, "defaultPaginationMethod": "index",
			"defaultPageSize": c.limits.Page, "maxPageSize": c.limits.MaxPage, "cursorTimeout": int(cursorLife.Seconds()),
		},
		"authenticationSchemes": []any{map[string]any{
			"type": "oauthbearertoken", "name": "Bearer token", "primary": true,
			"description": "A token of this source in the Authorization header",
			"specUri":     "https://www.rfc-editor.org/info/rfc6750",
		}},
		"meta": c.meta("ServiceProviderConfig", "/ServiceProviderConfig"),
	}
	return answer{status: http.StatusOK, doc: doc}, nil
}

// noFilter refuses a filter on discovery (RFC 7644, section 4).
func (c *call) noFilter() error {
	if c.param("filter") != "" {
		return fault(http.StatusForbidden, "", "discovery takes no filter")
	}
	return nil
}

// schemas is GET /Schemas.
func (c *call) schemas() (answer, error) {
	var docs []map[string]any
	for _, rt := range []*resourceType{c.model.user, c.model.group} {
		docs = append(docs, c.schemaDoc(rt.core))
		for _, e := range rt.extensions {
			docs = append(docs, c.extensionDoc(e))
		}
	}
	return c.discovered(docs)
}

// schema is GET /Schemas/{urn}.
func (c *call) schema() (answer, error) {
	for _, rt := range []*resourceType{c.model.user, c.model.group} {
		if foldEqual(rt.core.ID, c.id) {
			return answer{status: http.StatusOK, doc: c.schemaDoc(rt.core)}, nil
		}
		for _, e := range rt.extensions {
			if foldEqual(e.ID, c.id) {
				return answer{status: http.StatusOK, doc: c.extensionDoc(e)}, nil
			}
		}
	}
	return answer{}, notFound("Schema", c.id)
}

func (c *call) schemaDoc(s schema.Schema) map[string]any {
	doc := s.ToMap()
	withoutEmpty(doc)
	doc["meta"] = c.meta("Schema", "/Schemas/"+s.ID)
	return doc
}

// extensionDoc is the document of an extension. Whatever its definition says,
// nothing in it is held to be unique.
func (c *call) extensionDoc(s schema.Schema) map[string]any {
	doc := c.schemaDoc(s)
	notUnique(doc)
	return doc
}

func notUnique(doc map[string]any) {
	if _, ok := doc["uniqueness"]; ok {
		doc["uniqueness"] = "none"
	}
	for _, v := range doc {
		if list, ok := v.([]map[string]any); ok {
			for _, e := range list {
				notUnique(e)
			}
		}
	}
}

// withoutEmpty removes the descriptions that a definition does not have.
func withoutEmpty(doc map[string]any) {
	for name, v := range doc {
		switch v := v.(type) {
		case string:
			if v == "" {
				delete(doc, name)
			}
		case []map[string]any:
			for _, e := range v {
				withoutEmpty(e)
			}
		}
	}
}

// resourceTypes is GET /ResourceTypes.
func (c *call) resourceTypes() (answer, error) {
	return c.discovered([]map[string]any{c.resourceTypeDoc(c.model.user), c.resourceTypeDoc(c.model.group)})
}

// resourceType is GET /ResourceTypes/{name}.
func (c *call) resourceType() (answer, error) {
	for _, rt := range []*resourceType{c.model.user, c.model.group} {
		if foldEqual(rt.name, c.id) {
			return answer{status: http.StatusOK, doc: c.resourceTypeDoc(rt)}, nil
		}
	}
	return answer{}, notFound("ResourceType", c.id)
}

func (c *call) resourceTypeDoc(rt *resourceType) map[string]any {
	doc := map[string]any{
		"schemas":     []any{"urn:ietf:params:scim:schemas:core:2.0:ResourceType"},
		"id":          rt.name,
		"name":        rt.name,
		"description": rt.core.Description.Value(),
		"endpoint":    "/" + rt.endpoint,
		"schema":      rt.core.ID,
		"meta":        c.meta("ResourceType", "/ResourceTypes/"+rt.name),
	}
	withoutEmpty(doc)
	ext := make([]any, 0, len(rt.extensions))
	for _, e := range rt.extensions {
		ext = append(ext, map[string]any{"schema": e.ID, "required": false})
	}
	if len(ext) > 0 {
		doc["schemaExtensions"] = ext
	}
	return doc
}

func (c *call) discovered(docs []map[string]any) (answer, error) {
	if err := c.noFilter(); err != nil {
		return answer{}, err
	}
	f := found{total: len(docs)}
	for _, d := range docs {
		f.items = append(f.items, resource{doc: d})
	}
	return f.answer(listParams{start: 1}), nil
}
