package main

import (
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"text/tabwriter"

	"github.com/usherd/usherd/authz"
	"github.com/usherd/usherd/directory"
	"github.com/usherd/usherd/ldapsync"
)

// Bounds of what a terminal shows of a plan; -o json has more.
const (
	shownItems   = 40
	shownPeople  = 40
	shownMembers = 5
)

// A syncPlan is what "sync plan" and "hold show" are given.
type syncPlan struct {
	counts  map[string]int64
	items   []ldapsync.Item
	total   int
	issues  []ldapsync.Issue
	effects json.RawMessage
	reasons []string
	hash    string
	whole   bool
	source  string
}

// printReport prints the answer of "sync plan".
func (a *app) printReport(source string, text []byte) error {
	var r struct {
		Plan struct {
			Counts map[string]int64 `json:"counts"`
			Items  []ldapsync.Item  `json:"items"`
			Total  int              `json:"total"`
			Issues []ldapsync.Issue `json:"issues"`
		} `json:"plan"`
		Verdict ldapsync.Verdict `json:"verdict"`
		Effects json.RawMessage  `json:"effects"`
		Server  string           `json:"server"`
	}
	if err := json.Unmarshal(text, &r); err != nil {
		return fmt.Errorf("reading the answer: %w", err)
	}
	fmt.Fprintf(a.stdout, "Plan for %s, read from %s; nothing has been done.\n", source, r.Server)
	return syncPlan{
		counts: r.Plan.Counts, items: r.Plan.Items, total: r.Plan.Total, issues: r.Plan.Issues, effects: r.Effects,
		reasons: r.Verdict.Reasons, hash: r.Verdict.Hash, whole: r.Verdict.Whole, source: source,
	}.print(a.stdout, func(w io.Writer, p syncPlan) {
		what := "The additions to that group would wait; the rest would be applied"
		if p.whole {
			what = "All of it would wait"
		}
		fmt.Fprintf(w, "%s: usherd sync run %s, then usherd hold approve %s %s\n", what, p.source, p.source, p.hash)
	})
}

// printHold prints the answer of "hold show".
func (a *app) printHold(text []byte) error {
	var h directory.Hold
	if err := json.Unmarshal(text, &h); err != nil {
		return fmt.Errorf("reading the answer: %w", err)
	}
	var held ldapsync.HeldPlan
	if err := json.Unmarshal(h.Plan, &held); err != nil {
		return fmt.Errorf("reading the held plan: %w", err)
	}
	fmt.Fprintf(a.stdout, "Held for %s since %s: %s waiting.\n", h.Source, h.Created.Format("2006-01-02 15:04:05Z07:00"), things(held.Total))
	if held.Difference != "" {
		fmt.Fprintln(a.stdout, "It is not what was held before: "+held.Difference+".")
	}
	return syncPlan{
		counts: held.Counts, items: held.Items, total: held.Total, issues: held.Issues, effects: held.Effects,
		reasons: h.Reasons, hash: h.Hash, source: string(h.Source),
	}.print(a.stdout, func(w io.Writer, p syncPlan) {
		fmt.Fprintf(w, "Approve: usherd hold approve %s %s\nDiscard: usherd hold discard %s %s\n", p.source, p.hash, p.source, p.hash)
		if !h.Approved.IsZero() {
			fmt.Fprintf(w, "Approved by %s at %s; the next run that reads the same applies it.\n", h.By, h.Approved.Format("2006-01-02 15:04:05Z07:00"))
		}
	})
}

func things(n int) string {
	if n == 1 {
		return "1 change"
	}
	return fmt.Sprintf("%d changes", n)
}

// print writes the plan for people; end says what to do if something is held.
func (p syncPlan) print(out io.Writer, end func(io.Writer, syncPlan)) error {
	w := tabwriter.NewWriter(out, 0, 4, 2, ' ', 0)
	if p.total == 0 {
		fmt.Fprintln(w, "Nothing would change.")
	}
	p.printCounts(w)
	p.printItems(w)
	if err := p.printEffects(w); err != nil {
		return err
	}
	for _, i := range p.issues {
		fmt.Fprintf(w, "Not taken over as it is: %s: %s\n", i.ExternalID, i.What)
	}
	if p.hash != "" {
		fmt.Fprintf(w, "\nHeld as %s, because\n", p.hash)
		for _, reason := range p.reasons {
			fmt.Fprintln(w, "  - "+reason)
		}
		end(w, p)
	}
	return w.Flush()
}

func (p syncPlan) printCounts(w io.Writer) {
	fmt.Fprint(w, "\nWHAT\tHOW MANY\n")
	for _, name := range slices.Sorted(maps.Keys(p.counts)) {
		fmt.Fprintf(w, "%s\t%d\n", strings.ReplaceAll(name, ".", " "), p.counts[name])
	}
}

func (p syncPlan) printItems(w io.Writer) {
	if len(p.items) == 0 {
		return
	}
	fmt.Fprint(w, "\nCHANGE\tKIND\tNAME\tDETAIL\n")
	slices.SortStableFunc(p.items, func(a, b ldapsync.Item) int { return rank(a) - rank(b) })
	for _, i := range p.items[:min(shownItems, len(p.items))] {
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\n", i.Op, i.Kind, i.Name, detail(i))
	}
	if more := p.total - min(shownItems, len(p.items)); more > 0 {
		fmt.Fprintf(w, "… and %s more (-o json shows up to %d)\n", things(more), ldapsync.MaxShown)
	}
}

// rank puts first what takes something away, and then what gives to many.
func rank(i ldapsync.Item) int {
	switch i.Op {
	case ldapsync.OpGone, ldapsync.OpDelete, ldapsync.OpDisable:
		return 0
	case ldapsync.OpMembers:
		return 1
	case ldapsync.OpCreate, ldapsync.OpUpdate, ldapsync.OpEnable, ldapsync.OpRestore:
	}
	if i.Kind == ldapsync.KindGroup {
		return 2
	}
	return 3
}

// detail tells what of an object changes.
func detail(i ldapsync.Item) string {
	parts := []string{strings.Join(i.Fields, ", ")}
	if i.Was != "" {
		parts = append(parts, "was "+i.Was)
	}
	if i.Joins != "" {
		parts = append(parts, "joins the user "+string(i.Joins))
	}
	for _, m := range []struct {
		sign string
		refs []ldapsync.Ref
	}{{"+", i.Add}, {"-", i.Remove}} {
		if len(m.refs) == 0 {
			continue
		}
		var names []string
		for _, r := range m.refs[:min(shownMembers, len(m.refs))] {
			name := r.Name
			if name == "" {
				name = r.Value
			}
			names = append(names, name)
		}
		if len(m.refs) > shownMembers {
			names = append(names, "…")
		}
		parts = append(parts, fmt.Sprintf("%s%d (%s)", m.sign, len(m.refs), strings.Join(names, ", ")))
	}
	return strings.TrimSpace(strings.Join(parts, " "))
}

// printEffects tells who would gain and lose what.
func (p syncPlan) printEffects(w io.Writer) error {
	if len(p.effects) == 0 {
		if p.total > 0 {
			fmt.Fprintln(w, "\nWhat people gain and lose is not worked out for so large a plan.")
		}
		return nil
	}
	var e planEffects
	if err := json.Unmarshal(p.effects, &e); err != nil {
		return fmt.Errorf("reading the effects: %w", err)
	}
	fmt.Fprintf(w, "\nPermissions: %d people gain something, %d lose something.\n", e.Gaining, e.Losing)
	if e.People > 0 {
		fmt.Fprint(w, "PERSON\tGAINS\tLOSES\n")
	}
	for _, s := range e.Shifts[:min(shownPeople, len(e.Shifts))] {
		name := e.Names[s.User]
		if name == "" {
			name = string(s.User)
		}
		fmt.Fprintf(w, "%s\t%s\t%s\n", name, holdings(s.Gains), holdings(s.Loses))
	}
	if more := e.People - min(shownPeople, len(e.Shifts)); more > 0 {
		fmt.Fprintf(w, "… and %d people more\n", more)
	}
	for _, m := range e.Money {
		fmt.Fprintf(w, "The bill changes by %s %s a month.\n", m.Delta, m.Currency)
	}
	return nil
}

// holdings names what is gained or lost.
func holdings(all []authz.Holding) string {
	var names []string
	for _, h := range all {
		names = append(names, h.String())
	}
	if len(names) == 0 {
		return "-"
	}
	return strings.Join(names, ", ")
}

// planEffects is what a plan means for people, as it is kept with a held plan.
type planEffects struct {
	authz.Difference
	Names map[directory.UserID]string `json:"names"` // userNames of those in Shifts and Administrators
}
