package extauthz

import (
	"net"
	"strings"

	"github.com/usherd/usherd/authz"
	"github.com/usherd/usherd/directory"
)

// Why the table has no question for a request. They are reason codes, beside
// those of [authz.Code].
const (
	BadMethod = "bad_method" // not a method in capital letters
	BadHost   = "bad_host"   // the table names hosts, and this is none
	BadPath   = "bad_path"   // the path may be read in two ways
	NoRoute   = "no_route"   // no rule names method and path
)

// Find returns what must be allowed for a request to pass, or a reason why it
// doesn't pass. The target is that of the request line, undecoded.
func (t *Table) Find(method, host, target string) (q authz.Request, reason string) {
	if t == nil {
		return q, NoRoute
	}
	if !isMethod(method) {
		return q, BadMethod
	}
	n := t.any
	if len(t.hosts) > 0 {
		name, ok := hostName(host)
		if !ok {
			return q, BadHost
		}
		if named := t.hosts[name]; named != nil {
			n = named
		}
	}
	segs, ok := segments(target)
	if !ok {
		return q, BadPath
	}
	found, ok := n.find(segs)
	if !ok {
		return q, BadPath
	}
	l := found.by(method)
	if l == nil {
		return q, NoRoute
	}
	return l.ask(segs)
}

// NamesHosts reports whether the host of a request matters.
func (t *Table) NamesHosts() bool { return t != nil && len(t.hosts) > 0 }

// find returns the most specific ends of a path, nil if there are none. It
// reports false if a segment is a literal but for its spelling: an application
// that is less exact would take it for the literal.
func (n *node) find(segs []string) (ends, bool) {
	if len(segs) == 0 {
		if n.here != nil {
			return n.here, true
		}
		return n.rest, true
	}
	if next := n.literals[segs[0]]; next != nil {
		if found, ok := next.find(segs[1:]); found != nil || !ok {
			return found, ok
		}
	} else if len(n.near) > 0 {
		folded, mapped := near(segs[0])
		_, byFold := n.near[folded]
		if _, byMap := n.near[mapped]; byFold || byMap {
			return nil, false
		}
	}
	if n.variable != nil {
		if found, ok := n.variable.find(segs[1:]); found != nil || !ok {
			return found, ok
		}
	}
	return n.rest, true
}

// by returns the line for a method, nil if there is none.
func (e ends) by(method string) *line {
	if l := e[method]; l != nil {
		return l
	}
	if l := e["GET"]; l != nil && method == "HEAD" {
		return l
	}
	return e[""]
}

// ask fills in what the path says.
func (l *line) ask(segs []string) (q authz.Request, reason string) {
	q = l.question
	if l.id >= 0 {
		q.ID = segs[l.id]
	}
	if l.project >= 0 {
		q.Project = directory.ProjectKey(segs[l.project])
	}
	// Every thing at once is asked for by a rule, never by a path.
	if l.id >= 0 && q.ID == authz.Every || l.project >= 0 && q.Project == authz.Every {
		return authz.Request{}, BadPath
	}
	return q, ""
}

func isMethod(s string) bool {
	for i := range len(s) {
		if (s[i] < 'A' || s[i] > 'Z') && s[i] != '-' {
			return false
		}
	}
	return s != "" && len(s) <= 32
}

// hostName is the host of an authority without its port, as the table writes
// it.
func hostName(authority string) (string, bool) {
	host := authority
	if h, _, err := net.SplitHostPort(authority); err == nil {
		host = h
		if strings.Contains(h, ":") {
			host = "[" + h + "]"
		}
	}
	host = strings.TrimSuffix(strings.ToLower(host), ".")
	return host, len(host) <= 255 && hostForm.MatchString(host)
}
