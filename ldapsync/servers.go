package ldapsync

import (
	"context"
	"fmt"
	"net"
	"net/url"
	"strconv"
	"strings"
	"time"
)

// servers lists the URLs to try, in order. An ldap+srv or ldaps+srv URL stands
// for the servers that DNS names for its domain (RFC 2782), by priority.
func servers(ctx context.Context, s Settings) ([]string, error) {
	var all []string
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
		found, err := lookup(ctx, scheme, u.Hostname(), time.Duration(s.DialTimeout))
		if err != nil {
			if len(s.URLs) > 1 {
				continue // another entry may be reachable
			}
			return nil, incomplete(CauseConnect, "See whether DNS answers and has the SRV records", "%w", err)
		}
		all = append(all, found...)
	}
	if len(all) == 0 {
		return nil, incomplete(CauseConnect, "See whether DNS answers and has the SRV records", "no server found")
	}
	return all, nil
}

// lookup finds the LDAP servers of a domain. DNS is not authenticated, so a
// target outside the domain is not believed: it could have a certificate of its
// own and would be given the password.
func lookup(ctx context.Context, scheme, domain string, limit time.Duration) ([]string, error) {
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	_, records, err := net.DefaultResolver.LookupSRV(ctx, scheme, "tcp", domain)
	if err != nil && scheme == "ldaps" { // Active Directory publishes _ldap only
		_, records, err = net.DefaultResolver.LookupSRV(ctx, "ldap", "tcp", domain)
		for _, r := range records {
			r.Port = 636
		}
	}
	if err != nil {
		return nil, fmt.Errorf("looking up servers of %s: %w", domain, err)
	}
	return targets(scheme, domain, records)
}

func targets(scheme, domain string, records []*net.SRV) ([]string, error) {
	domain = strings.ToLower(strings.Trim(domain, "."))
	var urls []string
	for _, r := range records {
		host := strings.ToLower(strings.TrimSuffix(r.Target, "."))
		if host == domain || strings.HasSuffix(host, "."+domain) {
			urls = append(urls, scheme+"://"+net.JoinHostPort(host, strconv.Itoa(int(r.Port))))
		}
	}
	if len(urls) == 0 {
		return nil, fmt.Errorf("DNS names no server inside %s", domain)
	}
	return urls, nil
}
