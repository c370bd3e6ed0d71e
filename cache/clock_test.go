package cache

import (
	"testing"
	"time"
)

func TestSinceBootGoesOn(t *testing.T) {
	first := SinceBoot()
	eventually(t, "a millisecond has passed", func() bool { return SinceBoot() >= first+time.Millisecond })
}

func TestQuickClock(t *testing.T) {
	boot := time.Hour
	reads := 0
	c := newQuickClock(func() time.Duration { reads++; return boot })
	if got := c.now(); got != boot || reads != 1 {
		t.Fatalf("the first reading = %v after %d readings of the boot clock, want %v after 1", got, reads, boot)
	}
	boot += 8 * time.Hour // what was not read is not known
	if got := c.now(); got < time.Hour || got > time.Hour+anchorLife || reads != 1 {
		t.Errorf("now = %v after %d readings, want the anchor's time and a little", got, reads)
	}
	tests := []struct {
		name  string
		moved func(*anchor)
	}{
		{"the machine was suspended: the wall clock went on", func(a *anchor) { a.wall -= time.Minute }},
		{"the wall clock was set back", func(a *anchor) { a.wall += time.Minute }},
		{"the reading is old", func(a *anchor) { a.wall, a.mono = a.wall-anchorLife, a.mono-anchorLife }},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			a := *c.anchor.Load()
			tt.moved(&a)
			c.anchor.Store(&a)
			before := reads
			boot += time.Minute
			if got := c.now(); got != boot || reads != before+1 {
				t.Errorf("now = %v after %d more readings of the boot clock, want %v after 1", got, reads-before, boot)
			}
		})
	}
}

func BenchmarkQuickClock(b *testing.B) {
	c := newQuickClock(SinceBoot)
	for b.Loop() {
		c.now()
	}
}

func BenchmarkSinceBoot(b *testing.B) {
	for b.Loop() {
		SinceBoot()
	}
}
