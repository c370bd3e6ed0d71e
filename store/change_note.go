package store

import (
	"context"
	"fmt"
	"slices"

	"github.com/usherd/usherd/directory"
)

// A note is an op that leaves an effect and nothing else.
type note struct{ directory.Note }

// maxNoted is how many attributes a note names at most.
const maxNoted = 100

func prepareNote(c directory.Note) (op, error) {
	if c.Action == "" || len(c.Attributes) > maxNoted {
		return nil, fmt.Errorf("a note needs an action, and names at most %d attributes: %w", maxNoted, directory.ErrInvalid)
	}
	for _, name := range c.Attributes {
		if err := checkText("attribute", name, maxString); err != nil {
			return nil, err
		}
	}
	c.Attributes = slices.Clone(c.Attributes)
	return note{c}, nil
}

func (o note) run(_ context.Context, e *edit) error {
	return e.note(effect{Type: o.Action, Target: o.Target, Attributes: o.Attributes}, o.Note)
}
