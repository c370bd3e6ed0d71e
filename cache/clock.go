package cache

import (
	"sync/atomic"
	"time"
)

const (
	anchorLife = time.Second           // after which the boot clock is read again
	clockSlip  = 20 * time.Millisecond // between wall and monotonic clock, beyond which it is too
)

// A quickClock tells the time since boot without a system call for most
// questions. It reads the boot clock once and goes on from there by the
// monotonic clock, which stops while the machine is suspended, as long as the
// wall clock, which does not, agrees.
//
// What it tells is never behind the boot clock by more than clockSlip. It may
// be ahead by the time that passed between its two readings, so it measures
// ages and not when something began.
type quickClock struct {
	boot   func() time.Duration
	start  time.Time // what the monotonic clock counts from
	anchor atomic.Pointer[anchor]
}

// An anchor is one reading of the clocks, the boot clock last.
type anchor struct{ wall, mono, boot time.Duration }

func newQuickClock(boot func() time.Duration) *quickClock {
	return &quickClock{boot: boot, start: time.Now()}
}

func (c *quickClock) now() time.Duration {
	t := time.Now()
	wall, mono := time.Duration(t.UnixNano()), t.Sub(c.start)
	if a := c.anchor.Load(); a != nil {
		mono, wall := mono-a.mono, wall-a.wall
		if slip := wall - mono; mono < anchorLife && slip < clockSlip && slip > -clockSlip {
			return a.boot + max(mono, wall)
		}
	}
	a := &anchor{wall: wall, mono: mono, boot: c.boot()}
	c.anchor.Store(a)
	return a.boot
}
