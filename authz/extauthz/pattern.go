package extauthz

import (
	"fmt"
	"regexp"
	"strings"
)

// A pattern says which requests a line of the table is about:
// [METHODS ][HOST]/PATH. Methods are separated by |; none means all. A segment
// {name} stands for any one segment, {name...} at the end for any number.
type pattern struct {
	methods []string // empty means any
	host    string   // empty means any
	path    []segment
	rest    bool // ends in {name...}
}

// A segment of a pattern is a literal or, if variable is set, anything.
type segment struct{ literal, variable string }

var (
	methodForm   = regexp.MustCompile(`^[A-Z][A-Z-]{0,31}$`)
	variableForm = regexp.MustCompile(`^[A-Za-z][A-Za-z0-9_]{0,63}$`)
	hostForm     = regexp.MustCompile(`^([a-z0-9_]([a-z0-9_-]{0,62})\.)*[a-z0-9_][a-z0-9_-]{0,62}$|^\[[0-9a-f:.]+\]$`)
)

// parsePattern reads what a line matches.
func parsePattern(text string) (p pattern, err error) {
	where := text
	if methods, rest, ok := strings.Cut(text, " "); ok {
		if p.methods, err = parseMethods(methods); err != nil {
			return p, err
		}
		where = strings.TrimLeft(rest, " ")
	}
	host, path, ok := strings.Cut(where, "/")
	if !ok {
		return p, fmt.Errorf("%q has no path; write e.g. GET /parts/{id}", text)
	}
	if p.host = host; host != "" && !hostForm.MatchString(host) {
		return p, fmt.Errorf("%q is not a host name in lower case without a port", host)
	}
	return p, p.parsePath(path)
}

func parseMethods(text string) ([]string, error) {
	var methods []string
	for m := range strings.SplitSeq(text, "|") {
		if !methodForm.MatchString(m) {
			return nil, fmt.Errorf("%q is not a method in capital letters", m)
		}
		methods = append(methods, m)
	}
	return methods, nil
}

// parsePath reads the path after its first slash.
func (p *pattern) parsePath(path string) error {
	if path == "" {
		return nil
	}
	if strings.HasSuffix(path, "/") {
		return fmt.Errorf("leave out the slash at the end: /%s and /%s are judged alike", strings.TrimRight(path, "/"), path)
	}
	parts := strings.Split(path, "/")
	if len(parts) > maxSegments {
		return fmt.Errorf("more than %d segments", maxSegments)
	}
	seen := map[string]bool{}
	for i, part := range parts {
		name, isVariable := strings.CutPrefix(part, "{")
		if !isVariable {
			if strings.ContainsAny(part, "{}*") || !plainSegment(part) {
				return fmt.Errorf("the segment %q can't be matched: write it decoded, without any of %s and dot segments", part, special+"{}*")
			}
			p.path = append(p.path, segment{literal: part})
			continue
		}
		name, closed := strings.CutSuffix(name, "}")
		name, rest := strings.CutSuffix(name, "...")
		switch {
		case !closed || !variableForm.MatchString(name):
			return fmt.Errorf("the segment %q is not of the form {name} or {name...}", part)
		case seen[name]:
			return fmt.Errorf("the variable {%s} is given twice", name)
		case rest && i < len(parts)-1:
			return fmt.Errorf("{%s...} is the last segment or none", name)
		case rest:
			p.rest = true
			return nil
		}
		seen[name] = true
		p.path = append(p.path, segment{variable: name})
	}
	return nil
}

// place is the number of the segment that a variable stands for, -1 if there is
// none.
func (p *pattern) place(variable string) int {
	for i, s := range p.path {
		if s.variable == variable {
			return i
		}
	}
	return -1
}

// A relation says how the paths of two patterns lie to each other.
type relation uint8

const (
	disjoint relation = iota // no path is of both
	alike                    // every path of the one is of the other
	nested                   // one is more specific
	crossing                 // they share paths, and neither is more specific
)

// relate compares the paths of two patterns.
func relate(p, q *pattern) relation {
	pMore, qMore := false, false // specific
	for i := 0; ; i++ {
		pEnd, qEnd := i == len(p.path), i == len(q.path)
		switch {
		case pEnd && qEnd:
			pMore, qMore = pMore || !p.rest && q.rest, qMore || p.rest && !q.rest
		case pEnd && p.rest:
			qMore = true
		case qEnd && q.rest:
			pMore = true
		case pEnd || qEnd:
			return disjoint
		default:
			a, b := p.path[i], q.path[i]
			if a.variable == "" && b.variable == "" && a.literal != b.literal {
				return disjoint
			}
			pMore, qMore = pMore || a.variable == "" && b.variable != "", qMore || a.variable != "" && b.variable == ""
			continue
		}
		switch {
		case pMore && qMore:
			return crossing
		case pMore || qMore:
			return nested
		}
		return alike
	}
}
