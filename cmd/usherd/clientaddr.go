package main

import (
	"net/http"
	"net/netip"
	"slices"
	"strings"

	"github.com/usherd/usherd/admin"
	"github.com/usherd/usherd/config"
	"github.com/usherd/usherd/directory"
)

// withClient makes RemoteAddr the address of the client, for next and whatever
// is behind it, where the connection is one of a trusted proxy.
func (d *daemon) withClient(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if proxies := d.cfg.Load().Proxies; len(proxies) > 0 {
			if client := clientOf(r, proxies); client != r.RemoteAddr {
				r = r.WithContext(r.Context()) // a copy: a handler alters no request
				r.RemoteAddr = client
			}
		}
		next.ServeHTTP(w, r)
	})
}

// clientOf returns the address of the client of a request: that of the
// connection, or, while that is a trusted proxy, the next one to the left in
// X-Forwarded-For. A client can write what it likes into that header, but only
// to the left of what the first proxy adds. What does not read ends the search
// where it is.
func clientOf(r *http.Request, proxies []config.Prefix) string {
	client := r.RemoteAddr
	if !trusted(client, proxies) {
		return client
	}
	hops := strings.Split(strings.Join(r.Header.Values("X-Forwarded-For"), ","), ",")
	for _, hop := range slices.Backward(hops) {
		address := directory.AddressOf(strings.Trim(strings.TrimSpace(hop), "[]"))
		if address == "" {
			address = directory.AddressOf(strings.TrimSpace(hop)) // with a port
		}
		if address == "" {
			break
		}
		if client = address; !trusted(client, proxies) {
			break
		}
	}
	return client
}

func trusted(remote string, proxies []config.Prefix) bool {
	addr, err := netip.ParseAddr(directory.AddressOf(remote))
	return err == nil && slices.ContainsFunc(proxies, func(p config.Prefix) bool { return p.Contains(addr) })
}

// fromAddress tells next the address of the client where nobody is signed in
// yet.
func fromAddress(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		next.ServeHTTP(w, r.WithContext(admin.WithAddress(r.Context(), directory.AddressOf(r.RemoteAddr))))
	})
}
