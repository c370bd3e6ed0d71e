package cache

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/usherd/usherd/directory"
)

func TestAtLeast(t *testing.T) {
	m := ann()
	c := start(t, m, func(cfg *Config[*snap]) { cfg.Poll = time.Hour }) // only what is asked for happens
	first := m.head()
	next := m.apply(func(e *edit) { e.setGroups("u-ann") })
	future := directory.Stamp{Revision: 99, Fingerprint: 1}
	other := directory.Stamp{Revision: 1, Fingerprint: 1}

	tests := []struct {
		name  string
		stamp directory.Stamp
		err   error
	}{
		{"nothing required", directory.Stamp{}, nil},
		{"what the view has", first, nil},
		{"what is newer makes the follower ask", next, nil},
		{"the same number of another history is lost", other, directory.ErrHistoryLost},
		{"a number that the store has not is lost", future, directory.ErrHistoryLost},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			v, err := c.AtLeast(t.Context(), tt.stamp)
			if !errors.Is(err, tt.err) || err == nil && tt.stamp.Revision > v.Stamp.Revision {
				t.Errorf("AtLeast(%v) = %v, %v; want error %v", tt.stamp, v, err, tt.err)
			}
		})
	}
}

func TestAtLeastGivesUpInTime(t *testing.T) {
	m := ann()
	c := start(t, m, func(cfg *Config[*snap]) { cfg.Poll = time.Hour; cfg.Reach = 30 * time.Millisecond })
	next := m.apply(func(e *edit) { e.setGroups("u-ann") })
	m.set(func() { m.fail = errors.New("down") })
	_, err := c.AtLeast(t.Context(), next)
	if !errors.Is(err, ErrNotReached) || errors.Is(err, directory.ErrHistoryLost) {
		t.Errorf("AtLeast with the store down = %v, want ErrNotReached", err)
	}
	after, ok := errors.AsType[interface {
		error
		RetryAfter() time.Duration
	}](err)
	if !ok || after.RetryAfter() <= 0 {
		t.Errorf("AtLeast with the store down = %v, want an error that says when to try again", err)
	}
}

func TestAtLeastBelowTheWindowAsksTheStore(t *testing.T) {
	m := ann()
	early := m.head()
	for range 5 {
		m.apply(func(e *edit) { e.setGroups("u-ann", vault) })
	}
	c := start(t, m, func(cfg *Config[*snap]) { cfg.WindowRevisions = 2 })
	if _, err := c.AtLeast(t.Context(), early); err != nil {
		t.Errorf("AtLeast(%v) = %v, want the view", early, err)
	}
	lost := directory.Stamp{Revision: 1, Fingerprint: early.Fingerprint + 1}
	if _, err := c.AtLeast(t.Context(), lost); !errors.Is(err, directory.ErrHistoryLost) {
		t.Errorf("AtLeast(%v) = %v, want ErrHistoryLost", lost, err)
	}
}

func TestARestoreIsNotTakenForTheLostRevision(t *testing.T) {
	m := ann()
	c := start(t, m, func(cfg *Config[*snap]) { cfg.Poll = time.Hour })
	lost := m.apply(func(e *edit) { e.setGroups("u-ann", vault) })
	settled(t, c, m)
	m.restore(1)
	kept := m.apply(func(e *edit) { e.setGroups("u-ann") })
	if v, err := c.AtLeast(t.Context(), kept); err != nil || v.Stamp != kept {
		t.Errorf("AtLeast(%v) = %v, %v; want the new history's view", kept, v, err)
	}
	if _, err := c.AtLeast(t.Context(), lost); !errors.Is(err, directory.ErrHistoryLost) {
		t.Errorf("AtLeast(%v) = %v, want ErrHistoryLost", lost, err)
	}
}

func TestWaitEndsWithItsContext(t *testing.T) {
	m := ann()
	c := stopped(t, m, nil)
	step(t, c)
	next := m.apply(func(e *edit) { e.setGroups("u-ann") })
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := c.Wait(ctx, next); !errors.Is(err, ErrNotReached) {
		t.Errorf("Wait = %v, want ErrNotReached", err)
	}
}
