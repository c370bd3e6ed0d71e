package authzen

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"

	"github.com/usherd/usherd/authz"
	"github.com/usherd/usherd/directory"
)

// permissions answers with everything that a user may do, or what the user may
// do in one project. The user is named by id or userName. The ETag changes with
// the content.
func (c *call) permissions() error {
	if len(c.by.types) > 0 || len(c.by.features) > 0 {
		return ErrForbidden // the list knows no limits
	}
	query := c.r.URL.Query()
	if len(query["project"]) > 1 {
		return refusal("project is given twice")
	}
	v, err := c.h.cfg.Viewer.View(c.r.Context(), c.atLeast)
	if err != nil {
		return err
	}
	subject, err := lookUp(c.r.Context(), v, authz.SubjectUser, c.r.PathValue("id"))
	if err != nil {
		return err
	}
	text, err := json.Marshal(v.Snapshot().Permissions(subject, directory.ProjectKey(query.Get("project"))))
	if err != nil {
		return fmt.Errorf("encoding permissions: %w", err)
	}
	sum := sha256.Sum256(text)
	tag := `"` + base64.RawURLEncoding.EncodeToString(sum[:12]) + `"`
	c.w.Header()["Etag"] = []string{tag}
	c.w.Header()["Cache-Control"] = []string{"private, no-cache"} // kept only to be asked about
	if !slices.Contains(c.r.Header["If-None-Match"], tag) {
		return c.finish(v, append(append(c.buf[:0], text...), '\n'))
	}
	point, err := v.Point()
	if err != nil {
		return err
	}
	c.revision(point.Stamp)
	c.w.WriteHeader(http.StatusNotModified)
	return nil
}
