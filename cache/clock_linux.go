package cache

import (
	"time"

	"golang.org/x/sys/unix"
)

// SinceBoot is a monotonic clock that goes on while the machine is suspended,
// so that a replica that slept knows how old its view is.
func SinceBoot() time.Duration {
	var ts unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_BOOTTIME, &ts); err != nil {
		panic("cache: no boot-time clock: " + err.Error()) // Linux has had it since 2.6.39
	}
	return time.Duration(ts.Nano())
}
