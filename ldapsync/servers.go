package ldapsync

import (
	"context"
	"fmt"
	"net"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"
)

// servers lists the URLs to try, in order. An ldap+srv or ldaps+srv URL stands
// for the servers that DNS names for its domain (RFC 2782), by priority and
// weight.
func servers(ctx context.Context, s Settings) ([]string, error) { return serversAfter(ctx, s, "") }

// serversAfter is servers, but among equals the one that was read last comes
// first: replicas lag behind one another, and somebody who is in one and not yet
// in the other would seem to come and go.
func serversAfter(ctx context.Context, s Settings, last string) ([]string, error) {
	var all []string
	var failed error
	for _, text := range s.URLs {
		u, err := url.Parse(text)
		if err != nil {
			return nil, incomplete(CauseConfig, "Correct urls", "%w", err)
		}
		scheme, srv := strings.CutSuffix(u.Scheme, "+srv")
		if !srv {
			all = append(all, text)
			continue
		}
		found, err := lookup(ctx, s, scheme, u.Hostname(), last)
		if err != nil {
			failed = err // another entry may be reachable
		}
		all = append(all, found...)
	}
	if len(all) == 0 {
		return nil, incomplete(CauseConnect, "See whether DNS answers and has the SRV records", "%w", failed)
	}
	return all, nil
}

// lookup finds the LDAP servers of a domain.
func lookup(ctx context.Context, s Settings, scheme, domain, last string) ([]string, error) {
	ctx, cancel := context.WithTimeout(ctx, time.Duration(s.DialTimeout))
	defer cancel()
	_, records, err := s.resolver.LookupSRV(ctx, scheme, "tcp", domain)
	if len(records) == 0 && scheme == "ldaps" { // Active Directory publishes _ldap only
		_, records, err = s.resolver.LookupSRV(ctx, "ldap", "tcp", domain)
		for _, r := range records {
			r.Port = 636
		}
	}
	if len(records) == 0 { // else some were malformed at most
		return nil, fmt.Errorf("looking up servers of %s: %w", domain, err)
	}
	return targets(scheme, domain, records, last)
}

// targets are the URLs of records, which are in order. DNS is not authenticated,
// so a target outside the domain is not believed: it could have a certificate of
// its own and would be given the password.
func targets(scheme, domain string, records []*net.SRV, last string) ([]string, error) {
	domain = realm(domain)
	var urls []string
	first, priority := 0, -1 // where the targets of a priority begin
	for _, r := range records {
		host := strings.ToLower(strings.TrimSuffix(r.Target, "."))
		if host != domain && !strings.HasSuffix(host, "."+domain) {
			continue
		}
		if int(r.Priority) != priority {
			first, priority = len(urls), int(r.Priority)
		}
		u := scheme + "://" + net.JoinHostPort(host, strconv.Itoa(int(r.Port)))
		if u == last {
			urls = slices.Insert(urls, first, u)
		} else {
			urls = append(urls, u)
		}
	}
	if len(urls) == 0 {
		return nil, fmt.Errorf("DNS names no server inside %s", domain)
	}
	return urls, nil
}

// realm is the domain in which a name for SRV records lies: Active Directory has
// such records for a site (paris._sites.example.com), for domain controllers
// (dc._msdcs.example.com) and the like ([MS-ADTS], section 6.3.2.3).
func realm(name string) string {
	labels := strings.Split(strings.ToLower(strings.Trim(name, ".")), ".")
	for i, label := range slices.Backward(labels) {
		if strings.HasPrefix(label, "_") {
			return strings.Join(labels[i+1:], ".")
		}
	}
	return strings.Join(labels, ".")
}
