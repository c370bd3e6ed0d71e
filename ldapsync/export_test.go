package ldapsync

import "time"

// SetOverlap makes reads of what changed begin so long before the last change.
func (p *Poller) SetOverlap(d time.Duration) { p.cfg.overlap = d }
