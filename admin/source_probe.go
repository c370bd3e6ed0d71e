package admin

import (
	"context"
	"encoding/json"
	"fmt"

	"github.com/usherd/usherd/directory"
)

// A Prober looks at directory servers and keeps nothing. A [Syncer] may be one.
type Prober interface {
	// Try is Test of settings that are not those of a source yet.
	Try(ctx context.Context, settings json.RawMessage) (json.RawMessage, error)
	// Certificates tells how each server that settings name proves itself.
	Certificates(ctx context.Context, settings json.RawMessage) (json.RawMessage, error)
}

// prober returns who looks at directory servers.
func (s *Service) prober() (Prober, error) {
	p, ok := s.Sync.(Prober)
	if !ok {
		return nil, fmt.Errorf("%w: this process does not read directories", ErrUnavailable)
	}
	return p, nil
}

// TrySource is TestSource with a change of settings that is not kept. It needs
// the right to keep it, for it sends a password to the servers that they name.
func (s *Service) TrySource(ctx context.Context, by directory.Actor, name directory.SourceName, change map[string]json.RawMessage) (json.RawMessage, error) {
	a, err := s.allowed(ctx, by, WriteSources, "")
	if err != nil {
		return nil, err
	}
	src, err := s.source(ctx, name)
	if err != nil {
		return nil, err
	}
	if src.Kind != directory.KindLDAP {
		return nil, invalid("source %s is of kind %s; only an ldap source is read from here", name, src.Kind)
	}
	settings, err := merged(src.Settings, change)
	if err != nil {
		return nil, err
	}
	if err := s.mayNameFiles(a, settings); err != nil {
		return nil, err
	}
	if s.CheckSettings != nil {
		if err := s.CheckSettings(src.Kind, settings); err != nil {
			return nil, invalid("%w", err)
		}
	}
	p, err := s.prober()
	if err != nil {
		return nil, err
	}
	return p.Try(ctx, settings)
}

// SourceCertificates tells how the servers of an LDAP source prove themselves,
// as they do now.
func (s *Service) SourceCertificates(ctx context.Context, name directory.SourceName) (json.RawMessage, error) {
	if _, err := s.reads(ctx, ReadSources); err != nil {
		return nil, err
	}
	src, err := s.source(ctx, name)
	if err != nil {
		return nil, err
	}
	if src.Kind != directory.KindLDAP {
		return nil, invalid("source %s is of kind %s; only an ldap source has servers", name, src.Kind)
	}
	p, err := s.prober()
	if err != nil {
		return nil, err
	}
	return p.Certificates(ctx, src.Settings)
}
