package main

import (
	"encoding/json"
	"fmt"
	"net/http"
	"text/tabwriter"

	"github.com/spf13/cobra"
	"github.com/usherd/usherd/admin"
)

func (a *app) userFind() *cobra.Command {
	return &cobra.Command{
		Use:   "find NAME",
		Short: "Look in the directories, live, for somebody whom nobody here is called",
		Long: `Look in the directories of all active LDAP sources for people whose userName or
e-mail address is NAME, and say why they are not here: the filter of the source
leaves them out, or the next run will read them. It only reads. SCIM sources
can't be asked.`,
		Example: "  usherd user find kim@example.com", Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			text, err := a.answer(cmd.Context(), question{http.MethodPost, at("explain", "find"), map[string]string{"user": args[0]}, "", false})
			if err != nil {
				return err
			}
			if a.format == "table" {
				return a.printLive(text)
			}
			return a.print(text, columns("USER=user FOUND=found SOURCES=sources"))
		},
	}
}

// printLive prints what directories have of a name.
func (a *app) printLive(text []byte) error {
	var live admin.LiveSearch
	if err := json.Unmarshal(text, &live); err != nil {
		return fmt.Errorf("reading the answer: %w", err)
	}
	w := tabwriter.NewWriter(a.stdout, 0, 4, 2, ' ', 0)
	for _, s := range live.Sources {
		if len(s.Entries) == 0 {
			fmt.Fprintf(w, "%s\t%s\t%s\n", s.Source, s.Result, oneLine(s.Reason))
		}
		for _, e := range s.Entries {
			fmt.Fprintf(w, "%s\t%s\t%s\n", s.Source, oneLine(e.DN), oneLine(e.Says(s.NextRun)))
		}
		if s.More {
			fmt.Fprintf(w, "%s\t...\tthere are more\n", s.Source)
		}
	}
	return w.Flush()
}
