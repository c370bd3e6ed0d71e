package console

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strconv"
	"time"

	"github.com/a-h/templ"
	"github.com/usherd/usherd/admin"
	"github.com/usherd/usherd/directory"
	"go.uber.org/zap"
)

// A Tender changes what a daemon writes to its log, and gathers what it knows of
// itself. A [Machine] may be one.
type Tender interface {
	// LogLevel is what is written now, and until when, if that is for a while.
	LogLevel() (level string, until time.Time)
	// SetLogLevel writes at a level for a while, and then as configured.
	SetLogLevel(level string, d time.Duration) error
	// Bundle writes an archive of what helps to find a fault, as tar.gz: no
	// secret and nothing about people.
	Bundle(ctx context.Context, w io.Writer) error
}

// levelFor is how long another log level lasts.
const levelFor = 15 * time.Minute

// logLevels are the levels to choose from.
var logLevels = []string{"debug", "info", "warn", "error"}

// A levelView is what is written to the log.
type levelView struct {
	Level string
	Until time.Time
	May   bool
}

// tender returns who tends the daemon, for a viewer who may ask it to.
func (c *Console) tender(req request) (Tender, error) {
	if !req.viewer.Can(admin.OperateSync) {
		return nil, fmt.Errorf("%w: tending the daemon needs the right %s", admin.ErrForbidden, directory.SyncOperate)
	}
	t, ok := c.Machine.(Tender)
	if !ok {
		return nil, errNoPage
	}
	return t, nil
}

// setLogLevel has the daemon write more or less for a while.
func (c *Console) setLogLevel(req request) (templ.Component, error) {
	t, err := c.tender(req)
	if err != nil {
		return nil, err
	}
	level := req.PostForm.Get("level")
	if !slices.Contains(logLevels, level) {
		return nil, errForm
	}
	if err := t.SetLogLevel(level, levelFor); err != nil {
		return nil, fmt.Errorf("setting the log level: %w", err)
	}
	c.Log.Warn("the log level is another for a while", zap.String("level", level), zap.Duration("for", levelFor),
		zap.String("actor", string(req.viewer.ID)), zap.String("request_id", req.by.Request))
	minutes := strconv.Itoa(int(levelFor / time.Minute))
	return c.redirect(req, "/settings/diagnostics", "The log has the level "+level+" for "+minutes+" minutes.")
}

// supportBundle sends the archive.
func (c *Console) supportBundle(req request) (templ.Component, error) {
	t, err := c.tender(req)
	if err != nil {
		return nil, err
	}
	c.Log.Info("a support bundle is downloaded", zap.String("actor", string(req.viewer.ID)), zap.String("request_id", req.by.Request))
	h := req.w.Header()
	h.Set("Content-Type", "application/gzip")
	h.Set("Content-Disposition", fmt.Sprintf(`attachment; filename="usherd-support-%s.tar.gz"`, c.Now().UTC().Format("20060102-1504")))
	if err := t.Bundle(req.Context(), req.w); err != nil {
		c.Log.Warn("writing a support bundle", zap.Error(err))
		panic(http.ErrAbortHandler) // the only way left to say that the file is not whole
	}
	return nil, nil
}
