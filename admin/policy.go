package admin

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/usherd/usherd/authz"
	"github.com/usherd/usherd/directory"
)

// A PolicyFile is a policy file and how it is to be taken.
type PolicyFile struct {
	Name       string             `json:"name"` // what messages call it
	Text       string             `json:"text"`
	SkipTests  bool               `json:"skip_tests,omitempty"`
	IfRevision directory.Revision `json:"if_revision,omitempty"` // only if the policy did not change after it

	// Plan is the [PolicyPlan] that is to be applied. The apply is [ErrStale],
	// with the difference, if this is not its file, if the policy has changed
	// since, or if somebody would gain something that the plan did not show.
	Plan string     `json:"plan,omitempty"`
	List PeopleList `json:"people,omitzero"` // for a plan: which people it lists

	// Sources are put in the same apply, or nothing is: a configuration may name
	// a source and a policy that speaks of it.
	Sources []directory.PutSource `json:"-"`

	// draft is what the file was made of, if it was: its assertions must hold,
	// and the audit record of the apply names it.
	draft *keptDraft
}

// An AppliedPolicy is the outcome of an apply.
type AppliedPolicy struct {
	Sections []directory.Section `json:"sections"` // that the file manages
	Tests    int                 `json:"tests"`
	Warnings []Fault             `json:"warnings,omitempty"`
	Outcome
}

// A readied policy file is one that is valid, with what it would lead to.
type readied struct {
	file     *authz.File
	facts    directory.Facts // as they are
	next     directory.Facts // as they would be
	snapshot *authz.Snapshot // of next
	results  []authz.TestResult
	tested   string // the file that holds the tests; empty if they are those of the stored policy
	warnings []Fault
}

// endedAs tells of the tests that ended in a way.
func (d *readied) endedAs(status authz.TestStatus) []Fault {
	return testFaults(d.tested, d.results, status)
}

// prepare reads and validates a policy file and runs its tests.
func (s *Service) prepare(ctx context.Context, p PolicyFile) (readied, error) {
	facts, err := s.Store.Facts(ctx, 0)
	if err != nil {
		return readied{}, fmt.Errorf("reading facts: %w", err)
	}
	if p.Name == "" {
		p.Name = "policy"
	}
	facts.Policy.Sources = withSources(facts.Policy.Sources, p.Sources)
	file, err := authz.Parse(p.Name, []byte(p.Text))
	if verr := file.Validate(facts.Policy); verr != nil {
		err = verr // those of Parse are among them
	}
	if err != nil {
		return readied{}, faultsOf(ErrPolicy, err)
	}
	d := readied{file: file, facts: facts, next: authz.After(facts, file.Policy, file.Sections)}
	d.snapshot = authz.Compile(d.next)
	tests := file.Tests
	d.tested = p.Name
	if !file.Has(directory.SectionTests) {
		d.tested = ""
		if tests, err = authz.Tests(d.next.Policy.Policy); err != nil {
			return readied{}, faultsOf(ErrPolicy, err)
		}
	}
	d.results = authz.RunTests(tests, d.snapshot, s.lookup(ctx))
	d.warnings = append(d.endedAs(authz.Warned), unmatched(d.next)...)
	return d, nil
}

// withSources are the sources that there would be.
func withSources(have []directory.Source, put []directory.PutSource) []directory.Source {
	out := slices.Clone(have)
	for _, c := range put {
		at := slices.IndexFunc(out, func(s directory.Source) bool { return s.Name == c.Source.Name })
		if at < 0 {
			out = append(out, c.Source)
			continue
		}
		out[at] = c.Source
	}
	return out
}

// lookup finds the living users that tests name.
func (s *Service) lookup(ctx context.Context) authz.Lookup {
	return func(name string) (directory.Subject, error) { return s.user(ctx, name) }
}

// faultsOf turns what authz found into what the API tells.
func faultsOf(kind, err error) error {
	faults, ok := errors.AsType[authz.Faults](err)
	if !ok {
		return fmt.Errorf("%w: %w", kind, err)
	}
	out := &FaultsError{Kind: kind}
	for _, f := range faults {
		place := Fault{File: f.File, Line: f.Line, Column: f.Column}
		f.File, f.Line, f.Column = "", 0, 0
		place.Detail = f.Error()
		out.Faults = append(out.Faults, place)
	}
	return out
}

// usedFaults says of items that are in use where the file leaves them out.
func usedFaults(file *authz.File, err error) error {
	used, ok := errors.AsType[*directory.UseError](err)
	if !ok {
		return err
	}
	out := &FaultsError{Kind: directory.ErrInUse}
	for _, item := range used.Items {
		line, column := file.Place(item.Section)
		out.Faults = append(out.Faults, Fault{File: file.Name, Line: line, Column: column, Detail: item.String() + "; keep it in the file, or take it away there first"})
	}
	return out
}

// testFaults tells of the tests of a file that ended in a way. Without a file
// they are those of the stored policy, which have no place that one could open.
func testFaults(file string, results []authz.TestResult, status authz.TestStatus) []Fault {
	var out []Fault
	for _, r := range results {
		if r.Status != status {
			continue
		}
		for _, msg := range r.Messages {
			f := Fault{File: file, Line: r.Test.Line, Column: r.Test.Column, Detail: fmt.Sprintf("test %d: %s", r.Index+1, msg)}
			if file == "" {
				f = Fault{Detail: fmt.Sprintf("test %d of the policy: %s: %s", r.Index+1, r.Test.Who(), msg)}
			}
			out = append(out, f)
		}
	}
	return out
}

// unmatched warns of mappings that mean no group yet.
func unmatched(facts directory.Facts) []Fault {
	var out []Fault
	index := directory.IndexGroups(facts.Living())
	for _, m := range facts.Policy.Policy.Mappings {
		matches := len(index.Matching(m.When))
		switch {
		case matches == 0:
			out = append(out, Fault{Detail: fmt.Sprintf("mapping %s matches no group yet", m.Name)})
		case matches > 1 && m.When.Name != "":
			out = append(out, Fault{Detail: fmt.Sprintf("mapping %s: %d groups have this name, so it gives nothing; say which by id or dn", m.Name, matches)})
		}
	}
	return out
}

// ApplyPolicy makes a file the policy of the sections that it contains. Nothing
// changes if anything is wrong with it, or if a test fails.
func (s *Service) ApplyPolicy(ctx context.Context, by directory.Actor, p PolicyFile) (AppliedPolicy, error) {
	if _, err := s.allowed(ctx, by, WritePolicy, ""); err != nil {
		return AppliedPolicy{}, err
	}
	s.guard.Lock()
	defer s.guard.Unlock()
	d, err := s.prepare(ctx, p)
	if err != nil {
		return AppliedPolicy{}, err
	}
	if err := s.mayApply(by, d.file); err != nil {
		return AppliedPolicy{}, err
	}
	if err := s.mayPolicy(ctx, by, &d.facts.Policy.Policy, &d.next.Policy.Policy); err != nil {
		return AppliedPolicy{}, err
	}
	failed := d.endedAs(authz.Failed)
	if len(failed) > 0 && !p.SkipTests {
		return AppliedPolicy{}, &FaultsError{Kind: ErrTests, Faults: failed}
	}
	if p.SkipTests {
		by.Reason = skipping(by.Reason, len(failed))
	}
	if p.IfRevision > 0 && d.facts.Policy.Revision > p.IfRevision {
		return AppliedPolicy{}, fmt.Errorf("%w: the policy changed at revision %d, after %d; plan again", ErrStale, d.facts.Policy.Revision, p.IfRevision)
	}
	if p.Plan != "" {
		if err := s.asPlanned(ctx, d, p); err != nil {
			return AppliedPolicy{}, err
		}
	}
	changes := []directory.Change{directory.RequirePolicy{Revision: d.facts.Policy.Revision}}
	for _, c := range p.Sources {
		changes = append(changes, c)
	}
	changes = append(changes, directory.SetPolicy{Policy: d.file.Policy, Sections: d.file.Sections, Bound: append([]directory.Binding{}, administrative(d.next)...)})
	if p.draft != nil {
		if err := s.assertionsHold(ctx, d, p.draft.Assertions); err != nil {
			return AppliedPolicy{}, err
		}
		changes = append(changes, directory.Note{Action: draftApplied, Target: p.draft.ID})
	}
	done, err := s.keepOwner(ctx, by, changes...)
	if errors.Is(err, directory.ErrVersion) {
		err = fmt.Errorf("%w: the policy was changed at the same time; try again", ErrStale)
	}
	if err != nil {
		return AppliedPolicy{}, usedFaults(d.file, err)
	}
	return AppliedPolicy{
		Sections: d.file.Sections, Tests: len(d.results), Outcome: done,
		Warnings: append(d.warnings, failed...),
	}, nil
}

// mayApply keeps sections that a configured file manages from being altered
// elsewhere: the next reload would take the change back.
func (s *Service) mayApply(by directory.Actor, file *authz.File) error {
	if s.ManagedSections == nil || by.Kind == "system" {
		return nil
	}
	managed := s.ManagedSections()
	for _, section := range file.Sections {
		if name := managed[section]; name != "" {
			return fmt.Errorf("%w: the section %s is managed by %s; change it there", directory.ErrNotOwner, section, name)
		}
	}
	return nil
}

// skipping makes the audit record say that tests were skipped.
func skipping(reason string, failed int) string {
	text := fmt.Sprintf("tests skipped, %d fail", failed)
	if reason == "" {
		return text
	}
	return reason + " (" + text + ")"
}

// A TestedPolicy is the outcome of the tests of a file.
type TestedPolicy struct {
	OK       bool    `json:"ok"`
	Tests    int     `json:"tests"`
	Warnings []Fault `json:"warnings,omitempty"`
}

// TestPolicy checks a file and runs its tests. A failing one is [ErrTests].
func (s *Service) TestPolicy(ctx context.Context, p PolicyFile) (TestedPolicy, error) {
	if _, err := s.reads(ctx, WritePolicy); err != nil {
		return TestedPolicy{}, err
	}
	d, err := s.prepare(ctx, p)
	if err != nil {
		return TestedPolicy{}, err
	}
	if failed := d.endedAs(authz.Failed); len(failed) > 0 {
		return TestedPolicy{}, &FaultsError{Kind: ErrTests, Faults: failed}
	}
	return TestedPolicy{OK: true, Tests: len(d.results), Warnings: d.warnings}, nil
}

// An ExportedPolicy is the policy as a file.
type ExportedPolicy struct {
	Text     string             `json:"text"`
	Policy   directory.Policy   `json:"policy"`
	Revision directory.Revision `json:"policy_revision"` // when it last changed
}

// ExportPolicy writes the policy as a file that [Service.ApplyPolicy] takes.
func (s *Service) ExportPolicy(ctx context.Context) (ExportedPolicy, error) {
	if a, err := s.Authority(ctx); err != nil {
		return ExportedPolicy{}, err
	} else if err := a.require(ReadPolicy, ""); err != nil {
		return ExportedPolicy{}, err
	}
	facts, err := s.Store.Policy(ctx)
	if err != nil {
		return ExportedPolicy{}, fmt.Errorf("reading policy: %w", err)
	}
	return ExportedPolicy{string(authz.Export(facts.Policy)), facts.Policy, facts.Revision}, nil
}

func (a *API) exportPolicy(c call) (answer, error) {
	return outcome(a.Service.ExportPolicy(c.Context()))
}

func (a *API) applyPolicy(c call) (answer, error) {
	var p PolicyFile
	if err := c.body(&p); err != nil {
		return answer{}, err
	}
	return outcome(a.Service.ApplyPolicy(c.Context(), c.by, p))
}

func (a *API) testPolicy(c call) (answer, error) {
	var p PolicyFile
	if err := c.body(&p); err != nil {
		return answer{}, err
	}
	return outcome(a.Service.TestPolicy(c.Context(), p))
}
