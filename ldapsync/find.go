package ldapsync

import (
	"context"
	"errors"
	"slices"
	"strings"
	"time"

	"github.com/go-ldap/ldap/v3"
)

// A Found is an entry of a directory that bears a name somebody asked for.
type Found struct {
	DN          string
	ExternalID  string // the stable id; empty: it can't be read
	UserName    string
	DisplayName string
	Active      bool
	Rejected    string   // why a run would not take it over
	Outside     []string // parts of the filter for people that it does not match; none: a run reads it
}

const (
	// MaxFound is how many entries one search tells of.
	MaxFound = 5
	// findTime is how long one search may take, all in all.
	findTime = 3 * time.Second
	// maxParts is of how many parts of a filter it is told which do not match.
	maxParts = 8
)

var errFindTime = errors.New("the directory did not answer within 3 seconds")

// Find looks in a directory for people who bear a name: whose userName, mail or
// uid is equal to it, below the bases of settings. It tells of at most [MaxFound]
// entries, those that the filter selects first, and whether there are more. It
// reads these alone and keeps nothing. The name can't become part of the filter
// (RFC 4515, section 3).
func Find(ctx context.Context, s Settings, name string, now time.Time) (found []Found, more bool, err error) {
	ctx, cancel := context.WithTimeoutCause(ctx, findTime, errFindTime)
	defer cancel()
	s.DialTimeout, s.RequestTimeout = min(s.DialTimeout, Duration(findTime)), min(s.RequestTimeout, Duration(findTime))
	urls, err := servers(ctx, s)
	if err != nil {
		return nil, false, err
	}
	for i, u := range urls {
		ses, err := connect(ctx, s, u)
		var in *IncompleteError
		if err != nil && i < len(urls)-1 && errors.As(err, &in) && in.elsewhere() && ctx.Err() == nil {
			continue
		}
		if err != nil {
			return nil, false, inTime(ctx, err)
		}
		defer ses.close()
		t, _ := TemplateNamed(s.Template)
		f := &finding{session: ses, template: t.with(s), now: now}
		if err := f.find(s.UserBase, name); err != nil {
			return nil, false, inTime(ctx, err)
		}
		return f.found, f.more, nil
	}
	return nil, false, incomplete(CauseConfig, "Correct urls", "no server is named")
}

// inTime says so if it was the time that ran out.
func inTime(ctx context.Context, err error) error {
	if cause := context.Cause(ctx); errors.Is(cause, errFindTime) {
		return incomplete(CauseConnect, "See whether the server runs and has an index of the attributes", "%w", cause)
	}
	return err
}

// A finding is one search for people of a name.
type finding struct {
	*session
	template Template
	now      time.Time
	found    []Found
	more     bool
}

// find searches every base as a run does, and then without its filter.
func (l *finding) find(bases []string, name string) error {
	equal := l.template.bearing(name)
	seen := map[dnKey]bool{}
	for _, filter := range []string{"(&" + l.template.UserFilter + equal + ")", equal} {
		for _, base := range bases {
			entries, err := l.few(base, ldap.ScopeWholeSubtree, filter)
			if err != nil {
				return err
			}
			for _, e := range entries {
				key := keyOfDN(e.DN)
				if seen[key] {
					continue
				}
				seen[key] = true
				if len(l.found) == MaxFound {
					l.more = true
					return nil
				}
				f := l.told(e)
				if filter == equal {
					if f.Outside, err = l.outside(e.DN); err != nil {
						return err
					}
				}
				l.found = append(l.found, f)
			}
		}
	}
	return nil
}

// bearing is a filter for entries that bear a name.
func (t Template) bearing(name string) string {
	value := ldap.EscapeFilter(name)
	var b strings.Builder
	b.WriteString("(|")
	for _, attr := range distinct(slices.Concat(t.Mapping.UserName, t.Mapping.Emails, []string{"uid", "mail"})) {
		b.WriteString("(" + attr + "=" + value + ")")
	}
	b.WriteString(")")
	return b.String()
}

// few reads the first entries that a filter selects.
func (l *finding) few(base string, scope int, filter string) ([]*ldap.Entry, error) {
	req := ldap.NewSearchRequest(base, scope, ldap.NeverDerefAliases, MaxFound, int(findTime/time.Second), false, filter, l.template.userAttributes(), nil)
	var result *ldap.SearchResult
	err := l.do(func() (err error) {
		result, err = l.conn.Search(req)
		return err
	})
	switch {
	case ldap.IsErrorWithCode(err, ldap.LDAPResultSizeLimitExceeded):
		l.more = true
	case err != nil:
		return nil, requestError("looking for somebody under "+base, err)
	}
	if result == nil {
		return nil, nil
	}
	return result.Entries, nil
}

// told is what a run would take over of an entry.
func (l *finding) told(e *ldap.Entry) Found {
	_, dn := readDN(e.DN)
	f := Found{DN: dn}
	p, err := l.template.person(e, dn, l.now)
	if err != nil {
		f.Rejected = err.Error()
		return f
	}
	f.ExternalID, f.UserName, f.DisplayName = p.Profile.ExternalID, p.Profile.UserName, p.Profile.DisplayName
	f.Active, f.Rejected = p.Profile.Active, p.Rejected
	return f
}

// outside lists the parts of the filter for people that an entry does not match:
// the terms of a conjunction, or all of it.
func (l *finding) outside(dn string) ([]string, error) {
	whole := l.template.UserFilter
	parts := terms(whole)
	if len(parts) > maxParts {
		parts = []string{whole}
	}
	var out []string
	for _, part := range parts {
		entries, err := l.few(dn, ldap.ScopeBaseObject, part)
		if err != nil {
			return nil, err
		}
		if len(entries) == 0 {
			out = append(out, part)
		}
	}
	if len(out) == 0 { // it changed meanwhile, or its parts are true of different things
		out = []string{whole}
	}
	return out, nil
}

// terms are the terms of a conjunction, or the filter itself.
func terms(filter string) []string {
	packet, err := ldap.CompileFilter(filter)
	if err != nil || packet.Tag != ldap.FilterAnd {
		return []string{filter}
	}
	var out []string
	for _, child := range packet.Children {
		text, err := ldap.DecompileFilter(child)
		if err != nil {
			return []string{filter}
		}
		out = append(out, text)
	}
	return out
}
