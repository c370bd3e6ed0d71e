package console

import (
	"fmt"
	"strconv"
	"time"

	"github.com/a-h/templ"
	"github.com/usherd/usherd/admin"
)

// setLogLevel has the daemon write more or less for a while.
func (c *Console) setLogLevel(req request) (templ.Component, error) {
	level, err := c.Service.SetLogLevel(req.Context(), req.by, req.PostForm.Get("level"))
	if err != nil {
		return nil, err
	}
	minutes := strconv.Itoa(int(admin.LogLevelFor / time.Minute))
	return c.redirect(req, "/settings/diagnostics", "The log has the level "+level.Level+" for "+minutes+" minutes.")
}

// supportBundle sends the archive.
func (c *Console) supportBundle(req request) (templ.Component, error) {
	archive, err := c.Service.SupportBundle(req.Context(), req.by)
	if err != nil {
		return nil, err
	}
	h := req.w.Header()
	h.Set("Content-Type", "application/gzip")
	h.Set("Content-Disposition", fmt.Sprintf(`attachment; filename="usherd-support-%s.tar.gz"`, c.Now().UTC().Format("20060102-1504")))
	_, err = req.w.Write(archive)
	return nil, err
}
