package admin

import (
	"context"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/usherd/usherd/authz"
	"github.com/usherd/usherd/directory"
)

// Bounds of what a draft asserts.
const (
	maxAssertions    = 100
	maxAssertionText = 500 // bytes
)

// An Assertion says what must hold after a draft is applied. It is one of
//
//	USER can|cannot ACTION TYPE/ID
//	a member of SOURCE/GROUP can|cannot ACTION TYPE/ID
//	USER keeps|lacks THING
//	at most|at least N hold THING
//
// and may end in "in project KEY". The first two are tests of the policy: see
// [authz.Test]. THING is a Role, a right, or ACTION TYPE/ID. "≤50 THING" is short
// for "at most 50 hold THING".
type Assertion struct {
	// Test is what the first two forms say; nil of the others.
	Test *authz.Test

	User    string // of the third form
	Lacks   bool   // they are not to hold it
	Least   bool   // of the fourth form: at least, not at most
	N       int
	Thing   string
	Project directory.ProjectKey
}

var (
	saysProject = regexp.MustCompile(`^(.+) in project (\S+)$`)
	saysNumber  = regexp.MustCompile(`^(?:at (most|least) (\d{1,9}) holds? |([≤≥]) ?(\d{1,9}) (?:holds? )?)(.+)$`)
	saysMember  = regexp.MustCompile(`^a member of (.+) (can|cannot) (.+)$`)
	saysUser    = regexp.MustCompile(`^(.+) (can|cannot|keeps|lacks) (.+)$`)
	saysAsk     = regexp.MustCompile(`^(\S+) ([^\s/]+)/(.+)$`)
)

const assertionForms = `write "USER keeps THING", "USER can ACTION TYPE/ID", "a member of SOURCE/GROUP cannot ACTION TYPE/ID" or "at most N hold THING"`

// ParseAssertion reads an assertion.
func ParseAssertion(text string) (a Assertion, err error) {
	if len(text) > maxAssertionText {
		return a, invalid("an assertion has more than %d bytes", maxAssertionText)
	}
	text = strings.TrimSpace(text)
	if m := saysProject.FindStringSubmatch(text); m != nil {
		text, a.Project = m[1], directory.ProjectKey(m[2])
	}
	if m := saysNumber.FindStringSubmatch(text); m != nil {
		a.Least = m[1] == "least" || m[3] == "≥"
		a.N, err = strconv.Atoi(m[2] + m[4])
		a.Thing = strings.TrimSpace(m[5])
		return a, err
	}
	if m := saysMember.FindStringSubmatch(text); m != nil {
		source, name, ok := strings.Cut(m[1], "/")
		if !ok || source == "" || name == "" {
			return a, invalid("%q is no group: name it SOURCE/NAME", m[1])
		}
		return a.asking(authz.Test{MadeUp: true, Groups: []directory.Selector{{Source: directory.SourceName(source), Name: name}}}, m[2], m[3])
	}
	m := saysUser.FindStringSubmatch(text)
	switch {
	case m == nil:
		return a, invalid("%q says nothing that can be checked: %s", text, assertionForms)
	case m[2] == "can" || m[2] == "cannot":
		return a.asking(authz.Test{User: m[1]}, m[2], m[3])
	}
	a.User, a.Lacks, a.Thing = m[1], m[2] == "lacks", strings.TrimSpace(m[3])
	return a, nil
}

// asking makes an assertion a test of the policy.
func (a Assertion) asking(t authz.Test, verb, thing string) (Assertion, error) {
	m := saysAsk.FindStringSubmatch(thing)
	if m == nil {
		return a, invalid("%q is nothing that somebody can do: write ACTION TYPE/ID, as access feature/part-list", thing)
	}
	ask := []authz.TestAsk{{Action: m[1], Type: m[2], ID: m[3]}}
	if t.Project = a.Project; verb == "can" {
		t.Can = ask
	} else {
		t.Cannot = ask
	}
	a.Test = &t
	return a, nil
}

// An AssertionResult says how one assertion ended.
type AssertionResult struct {
	Text   string           `json:"text"`
	Status authz.TestStatus `json:"status"` // passed, failed, or warning: it could not be checked, which refuses nothing
	Detail string           `json:"detail,omitempty"`
}

// asked is what somebody is to hold, as a question.
func (a *Assertion) asked(view *authz.Snapshot) (finder, error) {
	q := HoldersQuery{Project: a.Project}
	if m := saysAsk.FindStringSubmatch(a.Thing); m != nil {
		q.Action, q.Type, q.ID, q.Anywhere = m[1], m[2], m[3], a.Project == ""
		return q.finder(view)
	}
	if slices.Contains(slices.Concat(directory.OrganizationRights, directory.ProjectRights), directory.Right(a.Thing)) {
		q.Right = directory.Right(a.Thing)
		return q.finder(view)
	}
	q.Role = directory.RoleName(a.Thing)
	for _, r := range slices.Concat(view.Policy().Policy.Roles, directory.BuiltinRoles()) {
		if _, exact := view.Role(q.Role); !exact && strings.EqualFold(string(r.Name), a.Thing) {
			q.Role = r.Name
		}
	}
	return q.finder(view)
}

// checkAssertion says how an assertion ends under what a draft leads to.
func (s *Service) checkAssertion(ctx context.Context, d readied, text string) (AssertionResult, error) {
	out := AssertionResult{Text: text, Status: authz.Passed}
	end := func(status authz.TestStatus, format string, args ...any) (AssertionResult, error) {
		out.Status, out.Detail = status, fmt.Sprintf(format, args...)
		return out, nil
	}
	a, err := ParseAssertion(text)
	if err != nil {
		return end(authz.Failed, "%s", detailOf(err))
	}
	if a.Test != nil {
		r := authz.RunTests([]authz.Test{*a.Test}, d.snapshot, s.lookup(ctx))[0]
		return end(r.Status, "%s", strings.Join(r.Messages, "; "))
	}
	h, err := a.asked(d.snapshot)
	if err != nil {
		return end(authz.Failed, "%s", detailOf(err))
	}
	if a.User != "" {
		sub, err := s.user(ctx, a.User)
		switch {
		case err != nil:
			return end(authz.Warned, "%s", detailOf(err))
		case h.holds(&sub) == a.Lacks:
			return end(authz.Failed, "%s would %s %s", a.User, map[bool]string{true: "hold", false: "not hold"}[a.Lacks], a.Thing)
		}
		return out, nil
	}
	n := 0
	err = s.pages(ctx, h.people, d.facts.At, peoplePage, func(sub *directory.Subject) bool {
		if h.holds(sub) {
			n++
		}
		return true
	})
	if err != nil {
		return out, err
	}
	if a.Least && n < a.N || !a.Least && n > a.N {
		return end(authz.Failed, "%d would hold it", n)
	}
	return end(authz.Passed, "%d hold it then", n)
}

// checkAll says how the assertions of a draft end.
func (s *Service) checkAll(ctx context.Context, d readied, texts []string) ([]AssertionResult, error) {
	out := make([]AssertionResult, len(texts))
	for i, text := range texts {
		var err error
		if out[i], err = s.checkAssertion(ctx, d, text); err != nil {
			return nil, fmt.Errorf("checking %q: %w", text, err)
		}
	}
	return out, nil
}

// assertionsHold refuses an apply after which an assertion would not hold.
func (s *Service) assertionsHold(ctx context.Context, d readied, texts []string) error {
	results, err := s.checkAll(ctx, d, texts)
	if err != nil {
		return err
	}
	e := &FaultsError{Kind: ErrAssertions}
	for _, r := range results {
		if r.Status == authz.Failed {
			e.Faults = append(e.Faults, Fault{Detail: r.Text + ": " + r.Detail})
		}
	}
	if len(e.Faults) > 0 {
		return e
	}
	return nil
}

// assertionsAsk refuses assertions about somebody or something that is not
// there, as a slip of the pen is. That one fails is no reason not to save it.
func (s *Service) assertionsAsk(ctx context.Context, d readied, texts []string) error {
	for i, text := range texts {
		a, err := ParseAssertion(text)
		name := a.User
		switch {
		case err != nil:
		case a.Test == nil:
			_, err = a.asked(d.snapshot)
		default:
			name = a.Test.User
			for _, ask := range slices.Concat(a.Test.Can, a.Test.Cannot) {
				q := HoldersQuery{Action: ask.Action, Type: ask.Type, ID: ask.ID, Project: a.Project}
				_, err = q.finder(d.snapshot)
			}
		}
		if err == nil && name != "" {
			_, err = s.user(ctx, name)
		}
		if err != nil {
			return invalidAt(fmt.Sprintf("/assertions/%d", i), "%s: %s", text, detailOf(err))
		}
	}
	return nil
}

// detailOf is what an error says without its kind.
func detailOf(err error) string {
	text := err.Error()
	for _, kind := range []error{directory.ErrInvalid, directory.ErrNotFound} {
		text = strings.TrimPrefix(text, kind.Error()+": ")
	}
	return text
}
