package store_test

import (
	"errors"
	"testing"
	"time"

	"github.com/usherd/usherd/directory"
	"github.com/usherd/usherd/store"
)

func TestTheHorizonIsTheOldestThatCanBeRead(t *testing.T) {
	for _, engine := range engines {
		t.Run(engine.name, func(t *testing.T) {
			c := &clock{now: time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)}
			s, err := store.Open(t.Context(), store.Config{DSN: engine.dsn(t), Now: c.Now, HistoryKeep: 30 * 24 * time.Hour})
			if err != nil {
				t.Fatal(err)
			}
			defer s.Close()
			pruneStory(t, s, c)
			horizon, err := s.Horizon(t.Context())
			if err != nil || horizon < 2 {
				t.Fatalf("Horizon after Prune = %d, %v; want a later revision", horizon, err)
			}
			if _, err := s.Facts(t.Context(), horizon); err != nil {
				t.Errorf("Facts(%d), the horizon = %v", horizon, err)
			}
			if _, err := s.Facts(t.Context(), horizon-1); !errors.Is(err, directory.ErrHistoryExpired) {
				t.Errorf("Facts(%d), before the horizon = %v, want ErrHistoryExpired", horizon-1, err)
			}
			old := c.now.Add(-40 * 24 * time.Hour)
			if at, err := s.RevisionAt(t.Context(), old); err != nil || at != 2 {
				t.Errorf("RevisionAt(%s) = %d, %v; want 2, though it can't be read", old, at, err)
			}
		})
	}
}
