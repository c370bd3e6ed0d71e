package main

import (
	"net/http"
	"time"
)

// farewell is how long a stopping daemon answers on at least, so that busy
// clients are told to close their connections before those are cut.
const farewell = 300 * time.Millisecond

// withFarewell tells every client, once the daemon stops, that this was the
// last answer on its connection. Without it a client may send the next question
// on a connection at the moment in which it is closed.
func (d *daemon) withFarewell(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if d.state.Load() == draining {
			w.Header()["Connection"] = []string{"close"}
		}
		next.ServeHTTP(w, r)
	})
}

// patient lets an answer take its time: a synchronisation run is answered when
// it ends.
func patient(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if err := http.NewResponseController(w).SetWriteDeadline(time.Time{}); err != nil {
			http.Error(w, "the connection can't be kept", http.StatusInternalServerError)
			return
		}
		next.ServeHTTP(w, r)
	})
}
