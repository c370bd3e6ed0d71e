//go:build !linux

package cache

import "time"

// SinceBoot is the wall clock without its monotonic part: on these systems the
// monotonic clock may stop while the machine is suspended.
func SinceBoot() time.Duration { return time.Duration(time.Now().UnixNano()) }
