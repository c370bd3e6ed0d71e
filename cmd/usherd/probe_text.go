package main

import (
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"text/tabwriter"

	"github.com/usherd/usherd/ldapsync"
)

// printProbe prints what trying an LDAP source out showed.
func (a *app) printProbe(text []byte) error {
	var p ldapsync.Probe
	if err := json.Unmarshal(text, &p); err != nil {
		return fmt.Errorf("reading the answer: %w", err)
	}
	for _, s := range p.Passed {
		fmt.Fprintln(a.stdout, "passed over  "+oneLine(s))
	}
	w := tabwriter.NewWriter(a.stdout, 0, 4, 2, ' ', 0)
	for _, s := range p.Steps {
		fmt.Fprintf(w, "%s\t%s\n", s.Name, strings.TrimSpace(map[bool]string{true: "ok"}[s.OK]+" "+oneLine(s.Error)))
	}
	if p.Server != "" {
		fmt.Fprintf(w, "server\t%s\t%s\nwho we are\t%s\n", p.Server, oneLine(p.Vendor), oneLine(p.Who))
	}
	if p.Advice != "" {
		fmt.Fprintf(w, "look at\t%s\n", oneLine(p.Advice))
	}
	if p.People+p.Groups > 0 {
		fmt.Fprintf(w, "people\t%d\t%d inactive\ngroups\t%d\t%d members that name nobody\n", p.People, p.Inactive, p.Groups, p.Unresolved)
		fmt.Fprintf(w, "would be left out\t%d\n", p.Rejected)
	}
	for _, s := range p.Sample {
		state := map[bool]string{true: "active", false: "inactive"}[s.Active]
		fmt.Fprintf(w, "user %s\t%s\t%s\t%s\t%s %s\n", oneLine(s.UserName), oneLine(s.DisplayName), oneLine(strings.Join(s.Emails, " ")), state, oneLine(s.DN), s.Rejected)
	}
	for _, g := range p.SampleGroups {
		fmt.Fprintf(w, "group %s\t%d members\t\t\t%s %s\n", oneLine(g.Name), g.Members, oneLine(g.DN), g.Rejected)
	}
	return w.Flush()
}

// oneLine is a text of a directory as it may be printed: it can neither move the
// cursor nor begin a line of its own.
func oneLine(text string) string {
	if strings.ContainsFunc(text, func(r rune) bool { return !strconv.IsPrint(r) }) {
		return strconv.Quote(text)
	}
	return text
}
