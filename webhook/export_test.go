package webhook

import (
	"context"
	"net/netip"
	"time"
)

// Once does what is due.
func (s *Sender) Once(ctx context.Context) error { return s.once(ctx) }

// Permits reports whether an address may be connected to.
func (c *Client) Permits(a netip.Addr) bool { return c.permits(a) }

// RetriesLast is how long after the first attempt the last one is.
func RetriesLast() (sum time.Duration) {
	for _, wait := range retries {
		sum += wait
	}
	return sum
}

// Attempts is how often a delivery is tried.
func Attempts() int { return len(retries) + 1 }
