package extauthz

import (
	"fmt"
	"slices"
	"strings"

	"github.com/usherd/usherd/authz"
	"github.com/usherd/usherd/directory"
)

// A Rule is one line of the table as an operator writes it.
type Rule struct {
	// Match is [METHODS ][HOST]/PATH: "GET app.example.com/parts/{id}".
	Match string
	// Check is what must be allowed, "ACTION TYPE/ID": "access
	// feature/part-list". The id may be a variable of the path.
	Check string
	// Project is the project in which it is asked, a key or a variable. Empty
	// names none.
	Project string
}

// A Fault is what is wrong with one field of one rule.
type Fault struct {
	Rule  int    // from 0
	Field string // "match", "check" or "project"; empty for the list itself
	Msg   string
	Hint  string // may be empty
}

// MaxRules is the most lines that a table has.
const MaxRules = 2000

// A Table says what must be allowed for a request to pass. It is immutable. The
// nil Table lets nothing pass.
//
// The host comes first: a host that any rule names is judged by the rules that
// name it and by no others. Among these the most specific path counts, whatever
// the order of the rules: a literal before a variable before the rest of a path.
// Then the method: a rule for it before a rule for any, and HEAD is GET where
// nothing else is said. A path whose most specific rules don't name the method
// is denied; a more general path is not tried.
type Table struct {
	hosts map[string]*node
	any   *node // for hosts that no rule names
}

// A node is a place in the tree of the paths of one host.
type node struct {
	literals map[string]*node
	near     map[string]struct{} // the near forms of the literals
	variable *node
	here     ends // the path ends here
	rest     ends // it goes on, or ends here and has no end of its own
}

// ends are the rules of one path by method; "" is any.
type ends map[string]*line

// A line is a rule, ready to be used.
type line struct {
	question authz.Request
	id       int // the segment that is the id, -1 if it is in question
	project  int // likewise
}

// NewTable compiles rules. With any fault there is no table.
func NewTable(rules []Rule) (*Table, []Fault) {
	if len(rules) > MaxRules {
		return nil, []Fault{{Rule: MaxRules, Msg: fmt.Sprintf("more than %d routes", MaxRules)}}
	}
	var faults []Fault
	t := &Table{hosts: map[string]*node{}, any: &node{}}
	patterns := make([]*pattern, len(rules))
	for i, r := range rules {
		p, err := parsePattern(r.Match)
		if err != nil {
			faults = append(faults, Fault{i, "match", err.Error(), ""})
			continue
		}
		if f := crosses(patterns[:i], &p); f != nil {
			f.Rule = i
			faults = append(faults, *f)
			continue
		}
		patterns[i] = &p
		l, f := newLine(&p, r)
		if f != nil {
			f.Rule = i
			faults = append(faults, *f)
			continue
		}
		t.add(&p, l)
	}
	if len(faults) > 0 {
		return nil, faults
	}
	return t, nil
}

// crosses looks for an earlier pattern with which p can't stand in one table.
func crosses(earlier []*pattern, p *pattern) *Fault {
	for j, q := range earlier {
		if q == nil || q.host != p.host {
			continue
		}
		switch relate(q, p) {
		case crossing:
			return &Fault{Field: "match", Msg: fmt.Sprintf("shares paths with routes[%d], and neither is more specific", j), Hint: "add a route for what they share, or write one of them more exactly"}
		case alike:
			if m, twice := sharedMethod(q.methods, p.methods); twice {
				return &Fault{Field: "match", Msg: fmt.Sprintf("%s is matched by routes[%d] already", m, j)}
			}
		case disjoint, nested:
		}
	}
	return nil
}

func sharedMethod(a, b []string) (string, bool) {
	if len(a) == 0 && len(b) == 0 {
		return "every method", true
	}
	for _, m := range a {
		if slices.Contains(b, m) {
			return m, true
		}
	}
	return "", false
}

// newLine reads what a rule asks.
func newLine(p *pattern, r Rule) (*line, *Fault) {
	fault := func(field, hint, format string, args ...any) (*line, *Fault) {
		return nil, &Fault{Field: field, Msg: fmt.Sprintf(format, args...), Hint: hint}
	}
	action, thing, ok := strings.Cut(r.Check, " ")
	typ, id, ok2 := strings.Cut(thing, "/")
	if !ok || !ok2 || action == "" || typ == "" || id == "" || strings.ContainsAny(action+typ, "{}") || strings.Contains(thing, " ") {
		return fault("check", "write e.g. access feature/part-list", "%q is not of the form ACTION TYPE/ID", r.Check)
	}
	l := &line{question: authz.Request{Action: action, Type: typ}, id: -1, project: -1}
	for _, v := range []struct {
		field, text string
		place       *int
		literal     func(string)
	}{
		{"check", id, &l.id, func(s string) { l.question.ID = s }},
		{"project", r.Project, &l.project, func(s string) { l.question.Project = directory.ProjectKey(s) }},
	} {
		name, isVariable := strings.CutPrefix(v.text, "{")
		switch {
		case !isVariable && strings.ContainsAny(v.text, "{}"), isVariable && strings.IndexByte(name, '}') != len(name)-1:
			return fault(v.field, "a variable stands for the whole", "%q mixes text and variables", v.text)
		case !isVariable:
			v.literal(v.text)
		default:
			name = strings.TrimSuffix(name, "}")
			if *v.place = p.place(name); *v.place < 0 {
				return fault(v.field, "", "the path has no segment {%s}", name)
			}
		}
	}
	return l, nil
}

// add puts a line at the place of its pattern.
func (t *Table) add(p *pattern, l *line) {
	n := t.any
	if p.host != "" {
		if n = t.hosts[p.host]; n == nil {
			n = &node{}
			t.hosts[p.host] = n
		}
	}
	for _, s := range p.path {
		n = n.child(s)
	}
	at := &n.here
	if p.rest {
		at = &n.rest
	}
	if *at == nil {
		*at = ends{}
	}
	if len(p.methods) == 0 {
		(*at)[""] = l
	}
	for _, m := range p.methods {
		(*at)[m] = l
	}
}

func (n *node) child(s segment) *node {
	if s.variable != "" {
		if n.variable == nil {
			n.variable = &node{}
		}
		return n.variable
	}
	if n.literals == nil {
		n.literals, n.near = map[string]*node{}, map[string]struct{}{}
	}
	if n.literals[s.literal] == nil {
		n.literals[s.literal] = &node{}
		folded, mapped := near(s.literal)
		n.near[folded], n.near[mapped] = struct{}{}, struct{}{}
	}
	return n.literals[s.literal]
}
