package ldapsync

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/go-ldap/ldap/v3"
)

// allValues calls f for every value of attr in e. Active Directory answers a
// large attribute in ranges ([MS-ADTS], section 3.1.1.3.1.3.3), under the name
// "member;range=0-1499" while "member" itself looks empty; these are followed
// to the one that ends in "*", or the read is incomplete.
func (s *session) allValues(e *ldap.Entry, attr string, limit int, f func(value []byte) error) error {
	part, err := rangeOf(e, attr)
	for n := 0; ; {
		if err != nil {
			return incomplete(CauseRange, "See the server's log", "%s of %s: %w", attr, e.DN, err)
		}
		n += len(part.values)
		if n > limit {
			return incomplete(CauseLimit, "If that many are meant, raise maxMembers", "%s of %s has more than %d values", attr, e.DN, limit)
		}
		for _, v := range part.values {
			if err := f(v); err != nil {
				return err
			}
		}
		if part.next == 0 {
			return nil
		}
		if part, err = s.nextRange(e.DN, attr, part.next); err != nil {
			return err
		}
	}
}

// nextRange asks for the values of attr from number low on.
func (s *session) nextRange(dn, attr string, low int) (valueRange, error) {
	req := ldap.NewSearchRequest(dn, ldap.ScopeBaseObject, ldap.NeverDerefAliases, 0, 0, false, "(objectClass=*)",
		[]string{fmt.Sprintf("%s;range=%d-*", attr, low)}, nil)
	var result *ldap.SearchResult
	err := s.do(func() (err error) {
		result, err = s.conn.Search(req)
		return err
	})
	if err != nil {
		return valueRange{}, requestError("reading a range of "+attr+" of "+dn, err)
	}
	if len(result.Entries) != 1 {
		return valueRange{}, incomplete(CauseRange, "It was altered while it was read; the next run tries again", "%s of %s: the entry is gone", attr, dn)
	}
	part, err := rangeOf(result.Entries[0], attr)
	if err == nil && (!part.ranged || part.low != low || part.next != 0 && part.next <= low) {
		err = fmt.Errorf("asked for values from %d, got from %d", low, part.low)
	}
	if err != nil {
		return valueRange{}, incomplete(CauseRange, "See the server's log", "%s of %s: %w", attr, dn, err)
	}
	return part, nil
}

// A valueRange is some of the values of an attribute: all of them, or those
// from number low up to next. A next of 0 means that no more follow.
type valueRange struct {
	values    [][]byte
	ranged    bool
	low, next int
}

// rangeOf finds the values of attr in e. The attribute under its own name and a
// range of it may both be there; the range counts.
func rangeOf(e *ldap.Entry, attr string) (valueRange, error) {
	var found valueRange
	for _, a := range e.Attributes {
		name, options, _ := strings.Cut(a.Name, ";")
		if !strings.EqualFold(name, attr) {
			continue
		}
		low, high, ranged, err := parseRange(options)
		switch {
		case err != nil:
			return valueRange{}, err
		case !ranged && options == "" && !found.ranged:
			found.values = a.ByteValues
		case ranged && found.ranged:
			return valueRange{}, fmt.Errorf("two ranges in one entry")
		case ranged:
			found = valueRange{values: a.ByteValues, ranged: true, low: low}
			if high >= 0 {
				found.next = high + 1
			}
			if high >= 0 && high-low+1 != len(a.ByteValues) {
				return valueRange{}, fmt.Errorf("range %d-%d holds %d values", low, high, len(a.ByteValues))
			}
		}
	}
	return found, nil
}

// parseRange reads the option "range=LOW-HIGH"; HIGH is -1 for "*".
func parseRange(options string) (low, high int, ranged bool, err error) {
	all := strings.Split(strings.ToLower(options), ";")
	i := slices.IndexFunc(all, func(o string) bool { return strings.HasPrefix(o, "range=") })
	if i < 0 {
		return 0, 0, false, nil
	}
	from, to, _ := strings.Cut(strings.TrimPrefix(all[i], "range="), "-")
	if low, err = strconv.Atoi(from); err == nil && to == "*" {
		return low, -1, true, nil
	}
	if err == nil {
		high, err = strconv.Atoi(to)
	}
	if err != nil || low < 0 || high < low {
		return 0, 0, false, fmt.Errorf("bad range %q", all[i])
	}
	return low, high, true, nil
}
