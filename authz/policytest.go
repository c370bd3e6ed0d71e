package authz

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/usherd/usherd/directory"
	"go.yaml.in/yaml/v4"
)

// A Test says what somebody can and cannot do under a policy.
type Test struct {
	Line, Column int  // in the file
	MadeUp       bool // a made-up standard user who is a direct member of Groups
	Groups       []directory.Selector
	User         string // else a living one, named as in a check of subject type user
	Project      directory.ProjectKey
	Can, Cannot  []TestAsk
}

// Who says whom the test is about, for people.
func (t Test) Who() string {
	who := "user " + t.User
	if t.MadeUp {
		groups := make([]string, len(t.Groups))
		for i, g := range t.Groups {
			groups[i] = g.String()
		}
		who = "a member of " + strings.Join(groups, " and ")
		if len(groups) == 0 {
			who = "somebody in no group"
		}
	}
	if t.Project != "" {
		who += " in project " + string(t.Project)
	}
	return who
}

// A TestAsk is one thing that a test asks: "access feature/part-list".
type TestAsk struct{ Action, Type, ID string }

// String is the form in a file.
func (a TestAsk) String() string { return a.Action + " " + a.Type + "/" + a.ID }

func (a TestAsk) request(project directory.ProjectKey) Request {
	return Request{SubjectType: SubjectUser, Action: a.Action, Type: a.Type, ID: a.ID, Project: project}
}

// Tests reads the tests that a policy holds.
func Tests(p directory.Policy) ([]Test, error) {
	if p.Tests == "" {
		return nil, nil
	}
	r := &fileReader{f: &File{Name: "tests", at: map[string]mark{}}}
	if root := r.load([]byte(p.Tests)); root != nil {
		r.section(directory.SectionTests, root)
	}
	return r.f.Tests, r.f.faults.err()
}

// checkTest finds what a test asks that can never be answered.
func (f *File) checkTest(at string, t Test, s *Snapshot) {
	sources := []directory.SourceName{directory.Local}
	for _, source := range s.Policy().Sources {
		sources = append(sources, source.Name)
	}
	for j, g := range t.Groups {
		if g.Source != "" && !slices.Contains(sources, g.Source) {
			f.fault(Problem{
				Path: fmt.Sprintf("%s.as.groups[%d]", at, j), Msg: fmt.Sprintf("unknown source %q", clip(string(g.Source))),
				Hint: addSource(g.Source, sources),
			})
		}
	}
	for list, asks := range map[string][]TestAsk{"can": t.Can, "cannot": t.Cannot} {
		for j, ask := range asks {
			req := ask.request(t.Project)
			if code := s.exists(&req); code != Granted && code != ProjectRequired && ask.Type != "" {
				path := fmt.Sprintf("%s.%s[%d]", at, list, j)
				if code == UnknownProject {
					path = at + ".project"
				}
				f.fault(Problem{Path: path, Msg: fmt.Sprintf("%q can't be asked: %s", ask, code)})
			}
		}
	}
}

// exists is Granted if what req asks about can be asked at all.
func (s *Snapshot) exists(req *Request) Code {
	var a ask
	return s.resolve(req, &a)
}

// A TestStatus is how a test ended.
type TestStatus string

// The statuses of a test. Only Failed refuses an apply.
const (
	Passed TestStatus = "passed"
	Failed TestStatus = "failed"
	Warned TestStatus = "warning"
)

// A TestResult says how one test ended, and why.
type TestResult struct {
	Test     Test
	Index    int
	Status   TestStatus
	Messages []string
}

// A Lookup finds a living user by userName or id.
type Lookup func(name string) (directory.Subject, error)

// RunTests runs tests against the snapshot of a policy that may be applied. The
// lookup may be nil if no test names a living user.
func RunTests(tests []Test, s *Snapshot, lookup Lookup) []TestResult {
	out := make([]TestResult, len(tests))
	for i, t := range tests {
		out[i] = TestResult{Test: t, Index: i, Status: Passed}
		subject, ok := out[i].subject(s, lookup)
		if ok {
			out[i].run(s, &subject)
		}
	}
	return out
}

// say adds a message; the worst status stays.
func (r *TestResult) say(status TestStatus, format string, args ...any) {
	r.Messages = append(r.Messages, fmt.Sprintf(format, args...))
	if r.Status != Failed {
		r.Status = status
	}
}

func (r *TestResult) run(s *Snapshot, subject *directory.Subject) {
	for _, ask := range r.Test.Can {
		req := ask.request(r.Test.Project)
		if d := s.Decide(subject, &req); !d.Allow {
			r.say(Failed, "should be able to %s, but is not: %s", ask, d.Code)
		}
	}
	for _, ask := range r.Test.Cannot {
		req := ask.request(r.Test.Project)
		if d := s.Decide(subject, &req); d.Allow {
			r.say(Failed, "should not be able to %s, but is", ask)
		}
	}
}

// subject makes up or finds whom the test is about.
func (r *TestResult) subject(s *Snapshot, lookup Lookup) (directory.Subject, bool) {
	if !r.Test.MadeUp {
		return r.living(s, lookup)
	}
	made := directory.Subject{Found: directory.One, ID: "made-up", Type: directory.Standard}
	complete := true
	for _, want := range r.Test.Groups {
		found := s.groupsLike(want)
		switch len(found) {
		case 0:
			r.say(Warned, "nobody knows a group %s yet", want)
			complete = false
		case 1:
			made.Memberships = append(made.Memberships, directory.Membership{Group: found[0].Num, Local: found[0].Source == directory.Local})
		default:
			r.say(Failed, "%d groups are called %s: name it by id or dn", len(found), want)
			complete = false
		}
	}
	slices.SortFunc(made.Memberships, func(a, b directory.Membership) int { return cmp.Compare(a.Group, b.Group) })
	made.Memberships = slices.Compact(made.Memberships)
	return made, complete
}

// living finds a real user, who can spoil no apply by being away.
func (r *TestResult) living(s *Snapshot, lookup Lookup) (directory.Subject, bool) {
	if lookup == nil {
		r.say(Warned, "user %s was not looked up", r.Test.User)
		return directory.Subject{}, false
	}
	subject, err := lookup(r.Test.User)
	if err != nil {
		r.say(Warned, "user %s: %v", r.Test.User, err)
		return directory.Subject{}, false
	}
	code := s.standing(&subject, SubjectUser)
	switch {
	case code != Granted:
		r.say(Warned, "user %s: %s", r.Test.User, code)
	case len(subject.Overrides) > 0:
		r.say(Warned, "user %s has an override and does not follow the directory", r.Test.User)
	default:
		return subject, true
	}
	return directory.Subject{}, false
}

// groupsLike finds the living groups that a test means.
func (s *Snapshot) groupsLike(want directory.Selector) (out []*directory.GroupFacts) {
	for g := range s.Groups() {
		if want.Matches(g.Source, g.ExternalID, g.DN, g.NameKey) {
			out = append(out, g)
		}
	}
	return out
}

// renderTests writes tests as the YAML text that a policy keeps: one a line.
func renderTests(tests []Test) string {
	var b strings.Builder
	for _, t := range tests {
		text, err := yaml.Dump(testNode(t), yaml.WithLineWidth(-1))
		if err != nil {
			continue // a node of plain texts has no way to fail
		}
		b.WriteString("- " + strings.TrimRight(string(text), "\n") + "\n")
	}
	return b.String()
}
