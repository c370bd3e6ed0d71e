package console

import (
	"fmt"
	"net/http"
	"time"
)

// How often a page is told the newest revision, and for how long before the
// browser asks anew, which looks at its session again.
const (
	liveEvery = 2 * time.Second
	liveLife  = 10 * time.Minute
)

// live tells a page when something changed, as server-sent events.
func (c *Console) live(w http.ResponseWriter, r *http.Request) {
	if _, err := c.viewer(r); err != nil || c.Revision == nil {
		w.WriteHeader(http.StatusNoContent) // tells the browser not to ask again
		return
	}
	w.Header().Set("Content-Type", "text/event-stream")
	control := http.NewResponseController(w)
	if err := control.SetWriteDeadline(time.Time{}); err != nil {
		w.WriteHeader(http.StatusNoContent)
		return
	}
	ticker := time.NewTicker(liveEvery)
	defer ticker.Stop()
	end := time.After(liveLife)
	told := c.Revision()
	for {
		if _, err := fmt.Fprintf(w, "event: changed\ndata: %d\n\n", told); err != nil {
			return
		}
		if err := control.Flush(); err != nil {
			return
		}
		for now := told; now == told; now = c.Revision() {
			select {
			case <-ticker.C:
			case <-end:
				return
			case <-r.Context().Done():
				return
			}
		}
		told = c.Revision()
	}
}
