package console

import (
	"errors"
	"fmt"
	"io"
	"net/http"

	"github.com/a-h/templ"
	"github.com/usherd/usherd/admin"
	"github.com/usherd/usherd/directory"
)

// importPages make users of a CSV file. The text of the file goes along with the
// forms: nothing of it is kept until somebody is made.
func (c *Console) importPages() {
	c.page("GET /users/import", c.importForm)
	c.page("GET /users/import/template", c.importTemplate)
	c.page("POST /users/import", c.importPreview)
	c.page("POST /users/import/run", c.importUsers)
}

// maxImport is the largest file that is taken, in bytes: as part of a form it
// becomes larger.
const maxImport = maxForm / 2

// An importView is the form for a file.
type importView struct {
	Text, Problem string
	Columns       []string
}

func (c *Console) importForm(req request) (templ.Component, error) {
	if err := req.viewer.Require(admin.WriteUsers, ""); err != nil {
		return nil, err
	}
	return c.frame(req, "Import users", importTemplate(importView{Columns: admin.UserColumns})), nil
}

func (c *Console) importTemplate(req request) (templ.Component, error) {
	req.w.Header().Set("Content-Type", "text/csv; charset=utf-8")
	req.w.Header().Set("Content-Disposition", `attachment; filename="users-template.csv"`)
	_, err := io.WriteString(req.w, admin.UserTemplate())
	return nil, err
}

// importPreview says what each line of a file would lead to.
func (c *Console) importPreview(req request) (templ.Component, error) {
	text, err := fileOf(req)
	if err != nil {
		return nil, err
	}
	lines, err := admin.ReadUsers("the file", text)
	if err == nil && len(lines) == 0 {
		err = errNoLines
	}
	if err == nil && len(text) > maxImport {
		err = errLarge
	}
	if said, ok := refused(err); ok {
		return c.frame(req, "Import users", importTemplate(importView{Text: text, Problem: said, Columns: admin.UserColumns})), nil
	}
	if err != nil {
		return nil, err
	}
	preview, err := c.Service.PreviewImport(req.Context(), req.by, lines)
	if err != nil {
		return nil, err
	}
	n := len(preview.Items) - preview.Failed
	v := bulkView{
		Title: fmt.Sprintf("Import %s %s", thousands(n), plural(n, "user", "users")), N: n, Text: text, Button: "Import",
		Action: "/users/import/run", Back: "/users/import", Warning: "A local user is made of each line. What can't be done is left out.",
	}
	return c.showPreview(req, v, preview)
}

// fileOf is the text of a form's file, or what was pasted.
func fileOf(req request) (string, error) {
	if err := req.ParseMultipartForm(maxForm); err != nil && !errors.Is(err, http.ErrNotMultipart) {
		return "", errForm
	}
	file, _, err := req.FormFile("file")
	if err != nil {
		return req.PostForm.Get("text"), nil //nolint:nilerr // no file was chosen
	}
	defer file.Close()
	text, err := io.ReadAll(file)
	if err != nil {
		return "", errForm
	}
	if len(text) == 0 {
		return req.PostForm.Get("text"), nil
	}
	return string(text), nil
}

var (
	errNoLines = fmt.Errorf("%w: the file names nobody", directory.ErrInvalid)
	errLarge   = fmt.Errorf("%w: the file is larger than %d KiB: divide it, or use usherd import users", directory.ErrInvalid, maxImport>>10)
)

// importUsers makes the users of a file that was previewed.
func (c *Console) importUsers(req request) (templ.Component, error) {
	lines, err := admin.ReadUsers("the file", req.PostForm.Get("text"))
	if err != nil {
		return nil, err
	}
	preview, err := c.Service.PreviewImport(req.Context(), req.by, lines)
	if err != nil {
		return nil, err
	}
	if err := c.confirmed(req, preview, len(preview.Items)-preview.Failed); err != nil {
		return nil, err
	}
	if reason := req.PostForm.Get("reason"); reason != "" {
		req.by.Reason = reason
	}
	job, err := c.Service.StartImport(req.Context(), req.by, lines)
	if err != nil {
		return nil, err
	}
	return c.started(req, job, wordsOf("import", ""))
}
