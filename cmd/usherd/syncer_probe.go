package main

import (
	"context"
	"encoding/json"
	"time"

	"github.com/usherd/usherd/ldapsync"
)

// Try implements [admin.Prober].
func (s *syncer) Try(ctx context.Context, settings json.RawMessage) (json.RawMessage, error) {
	parsed, err := ldapsync.ParseSettings(settings)
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, time.Duration(parsed.RunTimeout))
	defer cancel()
	probe := ldapsync.Try(ctx, parsed, time.Now())
	return json.Marshal(probed{probe.OK(), probe})
}

// Certificates implements [admin.Prober].
func (s *syncer) Certificates(ctx context.Context, settings json.RawMessage) (json.RawMessage, error) {
	parsed, err := ldapsync.ParseSettings(settings)
	if err != nil {
		return nil, err
	}
	all, err := ldapsync.Certificates(ctx, parsed)
	if err != nil {
		return nil, err
	}
	return json.Marshal(all)
}

// probed is a probe as the service tells it.
type probed struct {
	OK bool `json:"ok"`
	ldapsync.Probe
}
