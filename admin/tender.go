package admin

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/usherd/usherd/directory"
)

// A Tender changes what a daemon writes to its log, and gathers what it knows of
// itself.
type Tender interface {
	// LogLevel is what is written now, and until when, if that is for a while.
	LogLevel() (level string, until time.Time)
	// SetLogLevel writes at a level for a while, and then as configured.
	SetLogLevel(level string, d time.Duration) error
	// Bundle writes an archive of what helps to find a fault, as tar.gz: no
	// secret and nothing about people.
	Bundle(ctx context.Context, w io.Writer) error
}

// LogLevelFor is how long another log level lasts.
const LogLevelFor = 15 * time.Minute

// LogLevels are the levels to choose from.
var LogLevels = []string{"debug", "info", "warn", "error"}

// A LogLevel is from which level on a daemon writes to its log.
type LogLevel struct {
	Level string    `json:"level"`
	Until time.Time `json:"until,omitzero"` // if it is for a while
}

// tender returns who tends the daemon of this process, for those who operate it.
func (s *Service) tender(ctx context.Context) (Tender, error) {
	if _, err := s.reads(ctx, OperateSync); err != nil {
		return nil, err
	}
	if s.Tender == nil {
		return nil, fmt.Errorf("%w: no daemon runs (usherd serve)", ErrUnavailable)
	}
	return s.Tender, nil
}

// LogLevel tells what this daemon writes to its log.
func (s *Service) LogLevel(ctx context.Context) (LogLevel, error) {
	t, err := s.tender(ctx)
	if err != nil {
		return LogLevel{}, err
	}
	level, until := t.LogLevel()
	return LogLevel{level, until}, nil
}

// SetLogLevel has this daemon write more or less for [LogLevelFor]. Other
// replicas are not touched.
func (s *Service) SetLogLevel(ctx context.Context, by directory.Actor, level string) (LogLevel, error) {
	if !slices.Contains(LogLevels, level) {
		return LogLevel{}, invalid("level %q is not one of %s", level, strings.Join(LogLevels, ", "))
	}
	t, err := s.tender(ctx)
	if err != nil {
		return LogLevel{}, err
	}
	if dryRun(ctx) {
		return LogLevel{level, s.Now().Add(LogLevelFor)}, nil
	}
	if err := s.note(ctx, by, logLevelSet, level); err != nil {
		return LogLevel{}, err
	}
	if err := t.SetLogLevel(level, LogLevelFor); err != nil {
		return LogLevel{}, fmt.Errorf("setting the log level: %w", err)
	}
	return s.LogLevel(ctx)
}

// SupportBundle gathers what helps to find a fault of this daemon, as tar.gz.
func (s *Service) SupportBundle(ctx context.Context, by directory.Actor) ([]byte, error) {
	t, err := s.tender(ctx)
	if err != nil {
		return nil, err
	}
	if err := s.note(ctx, by, bundleRead, "support"); err != nil {
		return nil, err
	}
	var archive bytes.Buffer
	if err := t.Bundle(ctx, &archive); err != nil {
		return nil, fmt.Errorf("gathering a support bundle: %w", err)
	}
	return archive.Bytes(), nil
}

// operatorRoutes are what the pages about the daemon, the servers of a source and
// the freshness of an answer have.
func (a *API) operatorRoutes() map[string]handler {
	return map[string]handler{
		"GET /api/v1/sources/{source}/certificates": func(c call) (answer, error) {
			all, err := a.Service.SourceCertificates(c.Context(), c.source())
			return outcome(certificates{all}, err)
		},
		"GET /api/v1/users/{user}/freshness": func(c call) (answer, error) {
			return outcome(a.Service.Freshness(c.Context(), c.PathValue("user")))
		},
		"POST /api/v1/users/{user}/forget": a.forgetCached,
		"GET /api/v1/daemon/log-level": func(c call) (answer, error) {
			return outcome(a.Service.LogLevel(c.Context()))
		},
		"PUT /api/v1/daemon/log-level":      a.setLogLevel,
		"GET /api/v1/daemon/support-bundle": a.supportBundle,
	}
}

// certificates are a list as whoever connects tells it.
type certificates struct {
	Items json.RawMessage `json:"items"`
}

// forgotten is the answer to a purge.
type forgotten struct {
	Forgotten bool `json:"forgotten"`
}

func (a *API) forgetCached(c call) (answer, error) {
	err := a.Service.ForgetCached(c.Context(), c.by, c.PathValue("user"))
	return outcome(forgotten{!dryRun(c.Context())}, err)
}

type logLevelBody struct {
	Level string `json:"level"`
}

func (a *API) setLogLevel(c call) (answer, error) {
	var body logLevelBody
	if err := c.body(&body); err != nil {
		return answer{}, err
	}
	return outcome(a.Service.SetLogLevel(c.Context(), c.by, body.Level))
}

func (a *API) supportBundle(c call) (answer, error) {
	archive, err := a.Service.SupportBundle(c.Context(), c.by)
	return answer{raw: archive, header: http.Header{
		"Content-Type":        {gzipType},
		"Content-Disposition": {`attachment; filename="usherd-support.tar.gz"`},
	}}, err
}

// gzipType is the media type of a support bundle.
const gzipType = "application/gzip"
