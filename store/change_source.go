package store

import (
	"context"
	"fmt"
	"strings"

	"github.com/usherd/usherd/directory"
)

type putSource struct {
	source   directory.Source
	settings string
}

func preparePutSource(c directory.PutSource) (op, error) {
	settings, err := compact("settings", c.Source.Settings)
	if err != nil {
		return nil, err
	}
	name := string(c.Source.Name)
	if name == "" || len(name) > directory.MaxName || strings.Trim(name, "abcdefghijklmnopqrstuvwxyz0123456789-") != "" {
		return nil, fmt.Errorf("source name %q is not lower-case letters, digits and hyphens: %w", name, directory.ErrInvalid)
	}
	o := putSource{source: c.Source, settings: settings}
	o.source.Settings = nil // shared with the caller
	switch o.source.Kind {
	case directory.KindSCIM, directory.KindLDAP:
	case directory.KindLocal:
		if c.Source.Name != directory.Local {
			return nil, fmt.Errorf("source %s is not local: %w", name, directory.ErrInvalid)
		}
	default:
		return nil, fmt.Errorf("source kind %q: %w", o.source.Kind, directory.ErrInvalid)
	}
	switch o.source.State {
	case directory.SourceActive, directory.SourcePaused, directory.SourceDisabled:
	case "":
		o.source.State = directory.SourceActive
	default:
		return nil, fmt.Errorf("source state %q: %w", o.source.State, directory.ErrInvalid)
	}
	return o, nil
}

func (o putSource) run(ctx context.Context, e *edit) error {
	var kind, state, settings string
	var rank int
	found, err := e.find(ctx, []any{&kind, &state, &rank, &settings},
		`SELECT kind, state, rank, settings FROM source WHERE name = $1`, o.source.Name)
	if err != nil {
		return fmt.Errorf("reading source %s: %w", o.source.Name, err)
	}
	var changed []string
	switch {
	case !found || state == string(directory.SourceRemoved):
		err = e.exec(ctx, `INSERT INTO source (name, kind, state, rank, settings, created, modified)
			VALUES ($1, $2, $3, $4, $5, $6, $6)
			ON CONFLICT (name) DO UPDATE SET kind = excluded.kind, state = excluded.state, rank = excluded.rank,
			settings = excluded.settings, created = excluded.created, modified = excluded.modified`,
			o.source.Name, o.source.Kind, o.source.State, o.source.Rank, o.settings, e.now)
		state, changed = string(o.source.State), []string{"kind", "state", "rank", "settings"}
	case kind != string(o.source.Kind):
		return fmt.Errorf("source %s is of kind %s and stays so: %w", o.source.Name, kind, directory.ErrInvalid)
	default:
		if rank != o.source.Rank {
			changed = append(changed, "rank")
		}
		if !sameJSON(settings, o.settings) {
			changed = append(changed, "settings")
		}
		if changed == nil {
			return nil
		}
		err = e.exec(ctx, `UPDATE source SET rank = $2, settings = $3, modified = $4 WHERE name = $1`,
			o.source.Name, o.source.Rank, o.settings, e.now)
	}
	if err != nil {
		return fmt.Errorf("writing source %s: %w", o.source.Name, err)
	}
	f := effect{Type: "source.put", Target: string(o.source.Name), Attributes: changed}
	return e.sourceFact(ctx, f, o.source.Name, string(o.source.Kind), state, o.source.Rank, o.settings)
}

// sourceFact writes a source's history and notes the effect.
func (e *edit) sourceFact(ctx context.Context, f effect, name directory.SourceName, kind, state string, rank int, settings string) error {
	err := e.exec(ctx, `UPDATE source_fact SET until = $2 WHERE name = $1 AND since < $2 AND `+isOpen, name, e.rev)
	if err == nil && state != string(directory.SourceRemoved) {
		err = e.exec(ctx, `INSERT INTO source_fact (name, kind, state, rank, since, until) VALUES ($1, $2, $3, $4, $5, $6)
			ON CONFLICT (name, since) DO UPDATE SET kind = excluded.kind, state = excluded.state, rank = excluded.rank`,
			name, kind, state, rank, e.rev, int64(forever))
	}
	if err != nil {
		return fmt.Errorf("writing the history of source %s: %w", name, err)
	}
	delete(e.sources, string(name))
	e.feedPolicy = true
	return e.note(f, []any{name, kind, state, rank, settings})
}

type setSourceState struct {
	name  directory.SourceName
	state directory.SourceState
}

func prepareSetSourceState(c directory.SetSourceState) (op, error) {
	switch c.State {
	case directory.SourceActive, directory.SourcePaused, directory.SourceDisabled:
	case directory.SourceRemoved:
		return nil, fmt.Errorf("a source is removed by RemoveSource: %w", directory.ErrInvalid)
	default:
		return nil, fmt.Errorf("source state %q: %w", c.State, directory.ErrInvalid)
	}
	if c.Source == directory.Local {
		return nil, fmt.Errorf("the local source is always active: %w", directory.ErrInvalid)
	}
	return setSourceState{c.Source, c.State}, nil
}

func (o setSourceState) run(ctx context.Context, e *edit) error {
	s, err := e.source(ctx, o.name)
	if err != nil || s.State == o.state {
		return err
	}
	err = e.exec(ctx, `UPDATE source SET state = $2, modified = $3 WHERE name = $1`, o.name, o.state, e.now)
	if err != nil {
		return fmt.Errorf("writing source %s: %w", o.name, err)
	}
	f := effect{Type: "source.state", Target: string(o.name), Value: string(o.state)}
	return e.sourceFact(ctx, f, o.name, string(s.Kind), string(o.state), s.Rank, "")
}

// source returns a source that is not removed, without settings.
func (e *edit) source(ctx context.Context, name directory.SourceName) (directory.Source, error) {
	if s, ok := e.sources[string(name)]; ok {
		return s, nil
	}
	s := directory.Source{Name: name}
	found, err := e.find(ctx, []any{&s.Kind, &s.State, &s.Rank},
		`SELECT kind, state, rank FROM source WHERE name = $1 AND state <> 'removed'`, name)
	if err != nil {
		return s, fmt.Errorf("reading source %s: %w", name, err)
	}
	if !found {
		return s, fmt.Errorf("source %s: %w", name, directory.ErrNotFound)
	}
	e.sources[string(name)] = s
	return s, nil
}

type setCursor struct {
	source directory.SourceName
	body   string
}

func prepareSetCursor(c directory.SetCursor) (op, error) {
	body, err := compact("cursor", c.Cursor)
	return setCursor{c.Source, body}, err
}

func (o setCursor) run(ctx context.Context, e *edit) error {
	if _, err := e.source(ctx, o.source); err != nil {
		return err
	}
	var body string
	found, err := e.find(ctx, []any{&body}, `SELECT body FROM source_cursor WHERE source = $1`, o.source)
	if err == nil && (!found || body != o.body) {
		e.aside = true
		err = e.exec(ctx, `INSERT INTO source_cursor (source, body) VALUES ($1, $2)
			ON CONFLICT (source) DO UPDATE SET body = excluded.body`, o.source, o.body)
	}
	if err != nil {
		return fmt.Errorf("keeping the cursor of source %s: %w", o.source, err)
	}
	return nil
}
